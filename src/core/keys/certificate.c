/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates as the class's fields; keys without one give what applies to a key. */
#include "keys/certificate.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/secret.h"
#include "keys/container.h"

enum {
    TEXT_MAX = 1 << 16,
    SUBJECT_MAX = 1024,
    HASH_TEXT_MAX = 3 * HASH_MAX
};

/* ---- texts being made ------------------------------------------------------------------------------------------- */

static bool add(struct buf *b, const char *text)
{
    return nacre_buf_append(b, text, strlen(text));
}

/* `text` behind what is there, with `separator` between. */
static bool add_item(struct buf *b, const char *separator, const char *text)
{
    return (b->len == 0 || add(b, separator)) && add(b, text);
}

/* Puts a copy in the place of a field. False: out of memory. */
static bool set(struct certificate *out, enum certificate_text field, struct span text)
{
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        return false;
    if (text.len != 0)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    free(out->text[field]);
    out->text[field] = copy;
    return true;
}

static bool set_string(struct certificate *out, enum certificate_text field, const char *text)
{
    return set(out, field, span_str(text));
}

/* Takes what was written to `b`, and frees it. */
static bool set_bio(struct certificate *out, enum certificate_text field, BIO *b, bool written)
{
    char *at = NULL;
    long len = b != NULL && written ? BIO_get_mem_data(b, &at) : 0;
    bool ok = len <= 0 || set(out, field, span_of(at, (size_t)len));
    BIO_free(b);
    return ok;
}

static void hex(const uint8_t *at, size_t len, const char *separator, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < len && used + 4 < size; i++)
        used += (size_t)snprintf(text + used, size - used, separator[0] == '\0' ? "%s%02X" : "%s%02x",
                                 i == 0 ? "" : separator, at[i]);
}

static bool set_hash(const struct nacre_crypto *c, struct certificate *out, enum certificate_text field,
                     enum hash_id id, struct span data, const char *separator)
{
    uint8_t sum[HASH_MAX];
    char text[HASH_TEXT_MAX];
    if (!nacre_hash(c, id, &data, 1, sum))
        return true; /* a hash that the provider does not have (MD5 under FIPS) leaves its field empty */
    hex(sum, nacre_hash_size(id), separator, text, sizeof text);
    return set_string(out, field, text);
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* The class's short names where they differ from the library's. */
static const char *short_name(const ASN1_OBJECT *object, char *number, size_t size)
{
    int nid = OBJ_obj2nid(object);
    if (nid == NID_pkcs9_emailAddress)
        return "E";
    if (nid == NID_stateOrProvinceName)
        return "S";
    if (nid != NID_undef)
        return OBJ_nid2sn(nid);
    return OBJ_obj2txt(number, (int)size, object, 1) > 0 ? number : "?";
}

/* RFC 4514 section 2.4 for what would end the text. */
static bool add_character(struct buf *b, const uint8_t *at)
{
    if (*at == '\0')
        return add(b, "\\00");
    return *at == '"' ? add(b, "\"\"") : nacre_buf_append(b, at, 1);
}

static bool add_value(struct buf *b, struct span value)
{
    bool quoted = memchr(value.at, ',', value.len) != NULL || memchr(value.at, '"', value.len) != NULL;
    bool ok = !quoted || add(b, "\"");
    for (size_t i = 0; ok && i < value.len; i++)
        ok = add_character(b, value.at + i);
    return ok && (!quoted || add(b, "\""));
}

/* Most specific part first, as people read names. */
static bool name_text(const X509_NAME *name, struct buf *b)
{
    for (int i = X509_NAME_entry_count(name) - 1; i >= 0; i--) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        unsigned char *utf8 = NULL;
        char number[80];
        int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        if (len < 0)
            continue;
        bool ok = add_item(b, ", ", short_name(X509_NAME_ENTRY_get_object(entry), number, sizeof number)) &&
                  add(b, "=") && (len == 0 || add_value(b, span_of(utf8, (size_t)len)));
        OPENSSL_free(utf8);
        if (!ok)
            return false;
    }
    return true;
}

static bool set_name(struct certificate *out, enum certificate_text field, const X509_NAME *name)
{
    struct buf b;
    nacre_buf_init(&b, TEXT_MAX);
    bool ok = name_text(name, &b) && set(out, field, buf_span(&b));
    nacre_buf_free(&b);
    return ok;
}

bool nacre_certificate_subject(const void *x509, char *text, size_t size)
{
    struct buf b;
    nacre_buf_init(&b, SUBJECT_MAX);
    bool ok = name_text(X509_get_subject_name(x509), &b) && b.len < size;
    if (ok && b.len != 0)
        memcpy(text, b.at, b.len);
    if (size != 0)
        text[ok ? b.len : 0] = '\0';
    nacre_buf_free(&b);
    return ok;
}

/* One name of the list, or NULL for a kind that has no plain text. */
static const char *alt_name(const GENERAL_NAME *name, char *address, size_t size)
{
    int type;
    const void *value = GENERAL_NAME_get0_value(name, &type);
    if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI) {
        const char *text = (const char *)ASN1_STRING_get0_data(value);
        return strlen(text) == (size_t)ASN1_STRING_length(value) ? text : NULL;
    }
    const unsigned char *a = type == GEN_IPADD ? ASN1_STRING_get0_data(value) : NULL;
    if (a != NULL && ASN1_STRING_length(value) == 4) {
        snprintf(address, size, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
        return address;
    }
    if (a == NULL || ASN1_STRING_length(value) != 16)
        return NULL;
    size_t used = 0;
    for (int i = 0; i < 16; i += 2)
        used +=
            (size_t)snprintf(address + used, size - used, "%s%x", i == 0 ? "" : ":", (unsigned)a[i] << 8 | a[i + 1]);
    return address;
}

static bool set_alt_names(struct certificate *out, const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    struct buf b;
    bool ok = true;
    nacre_buf_init(&b, TEXT_MAX);
    for (int i = 0; ok && i < sk_GENERAL_NAME_num(names); i++) {
        char address[64];
        const char *text = alt_name(sk_GENERAL_NAME_value(names, i), address, sizeof address);
        ok = text == NULL || add_item(&b, ",", text);
    }
    ok = ok && set(out, CERT_SUBJECT_ALT_NAMES, buf_span(&b));
    nacre_buf_free(&b);
    GENERAL_NAMES_free(names);
    return ok;
}

/* ---- other fields of a certificate ------------------------------------------------------------------------------- */

static bool set_date(struct certificate *out, enum certificate_text field, const ASN1_TIME *when)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t;
    char text[64];
    if (ASN1_TIME_to_tm(when, &t) != 1 || t.tm_mon < 0 || t.tm_mon > 11)
        return true;
    snprintf(text, sizeof text, "%02d-%s-%04d %02d:%02d:%02d", t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour,
             t.tm_min, t.tm_sec);
    return set_string(out, field, text);
}

static bool set_serial(struct certificate *out, const X509 *x)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *text = n == NULL ? NULL : BN_bn2hex(n);
    bool ok = text != NULL && set_string(out, CERT_SERIAL_NUMBER, text);
    OPENSSL_free(text);
    BN_free(n);
    return ok;
}

static bool set_usage(struct certificate *out, X509 *x)
{
    static const struct {
        unsigned flag;
        const char *words;
    } usages[] = {{KU_DIGITAL_SIGNATURE, "Digital Signatures"},
                  {KU_NON_REPUDIATION, "Key Authentication"},
                  {KU_KEY_ENCIPHERMENT, "Key Encryption"},
                  {KU_DATA_ENCIPHERMENT, "Data Encryption"},
                  {KU_KEY_AGREEMENT, "Key Agreement"},
                  {KU_KEY_CERT_SIGN, "Certificate Signing"},
                  {KU_CRL_SIGN, "Key Signing"}};
    uint32_t flags = X509_get_key_usage(x);
    struct buf b;
    bool ok = true;
    nacre_buf_init(&b, TEXT_MAX);
    out->usage_flags = flags == UINT32_MAX ? 0 : flags & 0xFE; /* UINT32_MAX: no such extension */
    for (size_t i = 0; ok && i < sizeof usages / sizeof *usages; i++)
        ok = (out->usage_flags & usages[i].flag) == 0 || add_item(&b, ",", usages[i].words);
    ok = ok && set(out, CERT_USAGE, buf_span(&b));
    nacre_buf_free(&b);
    return ok;
}

static bool set_extended_usage(struct certificate *out, const X509 *x)
{
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
    struct buf b;
    bool ok = true;
    nacre_buf_init(&b, TEXT_MAX);
    for (int i = 0; ok && i < sk_ASN1_OBJECT_num(list); i++) {
        char number[128];
        if (OBJ_obj2txt(number, sizeof number, sk_ASN1_OBJECT_value(list, i), 1) > 0)
            ok = add_item(&b, ",", number);
    }
    ok = ok && set(out, CERT_EXTENDED_KEY_USAGE, buf_span(&b));
    nacre_buf_free(&b);
    EXTENDED_KEY_USAGE_free(list);
    return ok;
}

static bool set_x509(const struct nacre_crypto *c, struct certificate *out, X509 *x, struct span der)
{
    char version[8];
    int nid = X509_get_signature_nid(x);
    snprintf(version, sizeof version, "V%ld", X509_get_version(x) % 100 + 1);
    BIO *pem = BIO_new(BIO_s_mem());
    bool written = pem != NULL && PEM_write_bio_X509(pem, x) == 1;
    return set_bio(out, CERT_ENCODED, pem, written) && set_name(out, CERT_SUBJECT, X509_get_subject_name(x)) &&
           set_name(out, CERT_ISSUER, X509_get_issuer_name(x)) && set_alt_names(out, x) &&
           set_date(out, CERT_EFFECTIVE_DATE, X509_get0_notBefore(x)) &&
           set_date(out, CERT_EXPIRATION_DATE, X509_get0_notAfter(x)) && set_serial(out, x) && set_usage(out, x) &&
           set_extended_usage(out, x) && set_string(out, CERT_VERSION, version) &&
           set_string(out, CERT_SIGNATURE_ALGORITHM, nid == NID_undef ? "" : OBJ_nid2ln(nid)) &&
           set_hash(c, out, CERT_THUMBPRINT_MD5, HASH_MD5, der, "") &&
           set_hash(c, out, CERT_THUMBPRINT_SHA1, HASH_SHA1, der, "") &&
           set_hash(c, out, CERT_THUMBPRINT_SHA256, HASH_SHA256, der, "");
}

/* ---- the key ------------------------------------------------------------------------------------------------------
 */

static bool set_private_key(struct certificate *out, const struct key *key)
{
    struct buf pem;
    nacre_buf_init(&pem, TEXT_MAX);
    /* A key that stays inside its token has no PEM form. */
    bool ok = !nacre_store_write_pem(key, &pem) || set(out, CERT_PRIVATE_KEY, buf_span(&pem));
    nacre_buf_wipe(&pem);
    return ok;
}

static bool set_key(const struct nacre_crypto *c, struct certificate *out, const struct key *key)
{
    const EVP_PKEY *pkey = nacre_key_native(key);
    const char *name = EVP_PKEY_get0_type_name(pkey);
    struct span blob = nacre_key_blob(key);
    BIO *pem = BIO_new(BIO_s_mem());
    bool written = pem != NULL && PEM_write_bio_PUBKEY(pem, (EVP_PKEY *)(uintptr_t)pkey) == 1;
    return set_bio(out, CERT_PUBLIC_KEY, pem, written) &&
           set_string(out, CERT_PUBLIC_KEY_ALGORITHM, name == NULL ? "" : name) && set_private_key(out, key) &&
           set_hash(c, out, CERT_FINGERPRINT_MD5, HASH_MD5, blob, ":") &&
           set_hash(c, out, CERT_FINGERPRINT_SHA1, HASH_SHA1, blob, ":") &&
           set_hash(c, out, CERT_FINGERPRINT_SHA256, HASH_SHA256, blob, ":");
}

/* ---- outside ------------------------------------------------------------------------------------------------------
 */

static X509 *parse(struct span der)
{
    const unsigned char *at = der.at;
    X509 *x = der.len == 0 || der.len > STORE_FILE_MAX ? NULL : d2i_X509(NULL, &at, (long)der.len);
    if (x == NULL)
        ERR_clear_error();
    return x;
}

bool nacre_certificate_read(const struct nacre_crypto *c, struct span der, const struct key *key,
                            struct certificate *out)
{
    *out = (struct certificate){.usage_flags = 0};
    X509 *x = parse(der);
    bool ok = x != NULL || der.len == 0;
    for (int i = 0; i < CERT_TEXTS; i++)
        ok = ok && set_string(out, (enum certificate_text)i, "");
    ok = ok && (x == NULL || set_x509(c, out, x, der)) && (key == NULL || set_key(c, out, key));
    X509_free(x);
    ERR_clear_error();
    if (!ok)
        nacre_certificate_clear(out);
    return ok;
}

void nacre_certificate_clear(struct certificate *c)
{
    for (int i = 0; i < CERT_TEXTS; i++) {
        if (i == CERT_PRIVATE_KEY && c->text[i] != NULL)
            nacre_wipe(c->text[i], strlen(c->text[i]));
        free(c->text[i]);
        c->text[i] = NULL;
    }
}

static bool write_der(X509 *x, struct buf *der)
{
    int len = i2d_X509(x, NULL);
    uint8_t *at = len <= 0 ? NULL : nacre_buf_reserve(der, (size_t)len);
    if (at == NULL || i2d_X509(x, &at) != len)
        return false;
    der->len += (size_t)len;
    return true;
}

bool nacre_certificate_decode(struct span given, struct buf *der)
{
    struct buf raw;
    nacre_buf_init(&raw, STORE_FILE_MAX);
    X509 *x = NULL;
    if (given.len <= STORE_FILE_MAX && nacre_bytes_find(given, "-----BEGIN ") != NULL) {
        BIO *in = BIO_new_mem_buf(given.at, (int)given.len);
        x = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, nacre_no_password, NULL);
        BIO_free(in);
    } else {
        x = parse(given);
        if (x == NULL && nacre_base64_read(given, &raw))
            x = parse(buf_span(&raw));
    }
    bool ok = x != NULL && write_der(x, der);
    X509_free(x);
    nacre_buf_free(&raw);
    ERR_clear_error();
    return ok;
}

bool nacre_certificate_fits(struct span der, const struct key *key)
{
    X509 *x = parse(der);
    const EVP_PKEY *public = x == NULL ? NULL : X509_get0_pubkey(x);
    bool fits = public != NULL && EVP_PKEY_eq(public, nacre_key_native(key)) == 1;
    X509_free(x);
    ERR_clear_error();
    return fits;
}

void nacre_certificate_name(struct span der, char *text, size_t size)
{
    X509 *x = parse(der);
    if (size != 0)
        text[0] = '\0';
    if (x != NULL)
        (void)nacre_certificate_subject(x, text, size); /* a name too long to tell is none */
    X509_free(x);
}
