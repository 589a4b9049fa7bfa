/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate, ssh_cert_encoded, and what a bare key has instead. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "nacre/nacre.h"

enum {
    PEM_MAX = 16384
};

struct made {
    char key[PEM_MAX], certificate[PEM_MAX], both[2 * PEM_MAX];
};

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    cr_assert_not_null(e, "%s", value);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static void add_name(X509_NAME *name, const char *field, const char *value)
{
    cr_assert_eq(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0), 1);
}

static void bio_text(BIO *b, char *out)
{
    int n = BIO_read(b, out, PEM_MAX - 1);
    cr_assert_gt(n, 0);
    out[n] = '\0';
    BIO_free(b);
}

/* A certificate that signs itself, with everything in it that has a field. */
static void make(struct made *m)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 0x1234);
    ASN1_TIME_set_string_X509(X509_getm_notBefore(x), "20200123150000Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "20491231235959Z");
    add_name(name, "C", "CH");
    add_name(name, "O", "Nacre, Inc");
    add_name(name, "CN", "nacre.example");
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, pkey);
    add_extension(x, NID_key_usage, "digitalSignature,keyEncipherment");
    add_extension(x, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(x, NID_subject_alt_name, "DNS:nacre.example,IP:192.0.2.7");
    cr_assert_gt(X509_sign(x, pkey, EVP_sha256()), 0);
    BIO *b = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(b, pkey, NULL, NULL, 0, NULL, NULL);
    bio_text(b, m->key);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, x);
    bio_text(b, m->certificate);
    (void)snprintf(m->both, sizeof m->both, "%s%s", m->key, m->certificate);
    X509_free(x);
    EVP_PKEY_free(pkey);
}

static nacre_server *server_with(const char *pem)
{
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_set_ssh_cert_store_type(n, 7), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(n, pem, strlen(pem)), 0);
    return n;
}

Test(class_certificate, every_field_of_a_certificate_is_told)
{
    static struct made m;
    struct nacre_certificate c;
    make(&m);
    nacre_server *n = server_with(m.both);
    cr_assert_eq(nacre_set_ssh_cert_subject(n, "CN=nacre.example"), 0, "%s", nacre_last_error(n));
    cr_assert_eq(nacre_get_certificate(n, 0, &c), 0, "%s", nacre_last_error(n));
    cr_expect_str_eq(c.subject, "CN=nacre.example, O=\"Nacre, Inc\", C=CH");
    cr_expect_str_eq(c.issuer, c.subject);
    cr_expect_str_eq(c.effective_date, "23-Jan-2020 15:00:00");
    cr_expect_str_eq(c.expiration_date, "31-Dec-2049 23:59:59");
    cr_expect_str_eq(c.serial_number, "1234");
    cr_expect_str_eq(c.version, "V3");
    cr_expect_str_eq(c.usage, "Digital Signatures,Key Encryption");
    cr_expect_eq(c.usage_flags, 0xA0);
    cr_expect_str_eq(c.extended_key_usage, "1.3.6.1.5.5.7.3.1,1.3.6.1.5.5.7.3.2");
    cr_expect_str_eq(c.subject_alt_names, "nacre.example,192.0.2.7");
    cr_expect_str_eq(c.signature_algorithm, "sha256WithRSAEncryption");
    cr_expect_str_eq(c.public_key_algorithm, "RSA");
    cr_expect_eq(c.public_key_length, 2048);
    cr_expect_eq(strlen(c.thumbprint_md5), 32);
    cr_expect_eq(strlen(c.thumbprint_sha1), 40);
    cr_expect_eq(strlen(c.thumbprint_sha256), 64);
    cr_expect_str_eq(c.encoded, m.certificate);
    cr_expect_gt(c.encoded_b_len, 300);
    cr_expect_eq((unsigned char)c.encoded_b[0], 0x30);
    cr_expect_str_eq(c.private_key, m.key);
    cr_expect(c.private_key_available);
    cr_expect_str_eq(c.private_key_container, "");
    cr_expect_not_null(strstr(c.public_key, "BEGIN PUBLIC KEY"));
    cr_expect_eq(c.store_type, 7);
    cr_expect_str_eq(c.store, m.both);
    cr_expect_eq(c.store_b_len, strlen(m.both));
    nacre_certificate_free(&c);
    nacre_certificate_free(&c); /* clear after the first time */
    nacre_certificate_free(NULL);
    nacre_free(n);
}

Test(class_certificate, a_bare_key_has_fingerprints_and_no_certificate)
{
    char pem[PEM_MAX], sha256[96];
    struct nacre_certificate c;
    cr_assert_eq(nacre_make_key("ssh-ed25519", pem, sizeof pem), 0);
    nacre_server *n = server_with(pem);
    cr_assert_eq(nacre_set_ssh_cert_subject(n, "*"), 0, "%s", nacre_last_error(n));
    cr_assert_eq(nacre_get_certificate(n, 0, &c), 0);
    cr_expect_eq(strlen(c.fingerprint), 16 * 3 - 1);
    cr_expect_eq(strlen(c.fingerprint_sha1), 20 * 3 - 1);
    cr_expect_eq(strlen(c.fingerprint_sha256), 32 * 3 - 1);
    cr_expect_eq(c.fingerprint[2], ':');
    cr_expect_str_eq(c.public_key_algorithm, "ED25519");
    cr_expect_eq(c.public_key_length, 256);
    cr_expect(c.private_key_available);
    cr_expect_str_eq(c.encoded, "");
    cr_expect_eq(c.encoded_b_len, 0);
    cr_expect_str_eq(c.effective_date, "");
    cr_expect_str_eq(c.thumbprint_sha256, "");
    cr_expect_str_eq(c.version, "");
    cr_expect_eq(nacre_get_host_key_fingerprint(n, 0, sha256, sizeof sha256), 0);
    nacre_certificate_free(&c);
    nacre_free(n);
}

Test(class_certificate, without_a_key_every_field_has_its_default)
{
    nacre_server *n;
    struct nacre_certificate c;
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_get_certificate(n, 0, &c), 0);
    const char *const empty[] = {c.effective_date, c.expiration_date, c.encoded,          c.extended_key_usage,
                                 c.fingerprint,    c.issuer,          c.key_password,     c.private_key,
                                 c.public_key,     c.serial_number,   c.store_password,   c.subject,
                                 c.usage,          c.version,         c.subject_alt_names};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        cr_expect_str_eq(empty[i], "", "field %zu", i);
    cr_expect_str_eq(c.store, "MY");
    cr_expect_eq(c.store_type, 0);
    cr_expect_eq(c.public_key_length, 0);
    cr_expect_eq(c.usage_flags, 0);
    cr_expect_not(c.private_key_available);
    nacre_certificate_free(&c);
    cr_expect_eq(nacre_get_certificate(n, 1, &c), NACRE_E_INVAL);
    cr_expect_eq(nacre_get_certificate(n, -1, &c), NACRE_E_INVAL);
    cr_expect_eq(nacre_get_certificate(n, 0, NULL), NACRE_E_INVAL);
    nacre_free(n);
}

Test(class_certificate, encoded_finds_its_key_in_the_store)
{
    static struct made m, other;
    char out[PEM_MAX], subject[256];
    size_t len = sizeof out;
    make(&m);
    make(&other);
    nacre_server *n = server_with(m.key);
    cr_assert_eq(nacre_get_ssh_cert_encoded(n, out, &len), 0);
    cr_expect_eq(len, 0);
    cr_assert_eq(nacre_set_ssh_cert_encoded(n, m.certificate, strlen(m.certificate)), 0, "%s", nacre_last_error(n));
    len = sizeof out;
    cr_assert_eq(nacre_get_ssh_cert_encoded(n, out, &len), 0);
    cr_expect_eq(len, strlen(m.certificate));
    cr_expect_eq(memcmp(out, m.certificate, len), 0);
    cr_expect_eq(nacre_get_ssh_cert_subject(n, subject, sizeof subject), 0);
    cr_expect_str_eq(subject, "CN=nacre.example, O=\"Nacre, Inc\", C=CH");
    len = 3;
    cr_expect_eq(nacre_get_ssh_cert_encoded(n, out, &len), NACRE_E_BUFFER_SIZE);
    cr_expect_eq(len, strlen(m.certificate));

    /* Another key's certificate is refused, and the subject is empty then, as the class has it. */
    cr_expect_eq(nacre_set_ssh_cert_encoded(n, other.certificate, strlen(other.certificate)), NACRE_E_NO_CERTIFICATE);
    cr_expect_eq(nacre_get_ssh_cert_subject(n, subject, sizeof subject), 0);
    cr_expect_str_eq(subject, "");
    cr_expect_eq(nacre_set_ssh_cert_encoded(n, "nonsense", 8), NACRE_E_KEY);
    cr_expect_eq(nacre_set_ssh_cert_encoded(n, "", 0), 0);
    nacre_free(n);
}

Test(class_certificate, alternative_keys_have_certificates_of_their_own)
{
    static char pem[PEM_MAX], setting[PEM_MAX + 64];
    struct nacre_certificate c;
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_make_key("ecdsa-sha2-nistp256", pem, sizeof pem), 0);
    (void)snprintf(setting, sizeof setting, "AltSSHCertStore[0]=%s", pem);
    cr_assert_eq(nacre_config(n, "AltSSHCertCount=1", NULL, 0), 0);
    cr_assert_eq(nacre_config(n, "AltSSHCertStoreType[0]=7", NULL, 0), 0);
    cr_assert_eq(nacre_config(n, setting, NULL, 0), 0);
    cr_assert_eq(nacre_config(n, "AltSSHCertSubject[0]=*", NULL, 0), 0, "%s", nacre_last_error(n));
    cr_assert_eq(nacre_get_certificate(n, 1, &c), 0);
    cr_expect_str_eq(c.public_key_algorithm, "EC");
    cr_expect_eq(c.public_key_length, 256);
    nacre_certificate_free(&c);
    nacre_free(n);
}

Test(class_certificate, a_store_may_be_empty)
{
    nacre_server *n;
    char store[8];
    size_t len = sizeof store;
    cr_assert_eq(nacre_create(&n), 0);
    cr_expect_eq(nacre_set_ssh_cert_store(n, NULL, 0), 0);
    cr_expect_eq(nacre_get_ssh_cert_store(n, store, &len), 0);
    cr_expect_eq(len, 0);
    nacre_free(n);
}

Test(class_certificate, types_that_there_are_not_are_refused)
{
    static const char *const types[] = {"-1", "20",          "100",        "7x",
                                        "",   "-4294967289", "4294967303", "-99999999999999999999"};
    nacre_server *n;
    char setting[64];
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(nacre_config(n, "AltSSHCertCount=1", NULL, 0), 0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        (void)snprintf(setting, sizeof setting, "AltSSHCertStoreType[0]=%s", types[i]);
        cr_expect_eq(nacre_config(n, setting, NULL, 0), NACRE_E_SETTING_VALUE, "%s", setting);
    }
    nacre_free(n);
}
