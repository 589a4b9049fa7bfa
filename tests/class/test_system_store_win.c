/* SPDX-License-Identifier: Apache-2.0 */
/* Host keys in the certificate stores of Windows: put there as people do, from a PFX and not exportable, found by
 * subject, and used. Each test has names of its own, since the stores are everybody's. */
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

#include <wincrypt.h>

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/client.h"
#include "support/server.h"

enum {
    TEXT_MAX = 256
};

/* What a test has put into a store. */
struct put {
    DWORD place; /* CERT_SYSTEM_STORE_... */
    const wchar_t *store;
    char name[64], subject[TEXT_MAX];
    EVP_PKEY *pkey;
    X509 *x;
};

static char *own_name(const char *what)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "%s-%lu-%u", what, GetCurrentProcessId(), (unsigned)GetTickCount());
    return name;
}

/* In force from `from` seconds from now for `seconds`. */
static X509 *certificate_of(EVP_PKEY *pkey, const char *name, long from, long seconds)
{
    X509 *x = X509_new();
    X509_NAME *n = X509_get_subject_name(x);
    cr_assert(X509_set_version(x, 2) == 1 && X509_gmtime_adj(X509_getm_notBefore(x), from) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(x), from + seconds) != NULL);
    cr_assert(ASN1_INTEGER_set(X509_get_serialNumber(x), 1 + rand() % 30000) == 1);
    cr_assert(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Nacre", -1, -1, 0) == 1 &&
              X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1);
    cr_assert(X509_set_issuer_name(x, n) == 1 && X509_set_pubkey(x, pkey) == 1 &&
              X509_sign(x, pkey, EVP_sha256()) != 0);
    return x;
}

/* Locked in the way that every Windows reads. */
static CRYPT_DATA_BLOB pfx_of(EVP_PKEY *pkey, X509 *x)
{
    PKCS12 *p = PKCS12_create("geheim", "test", pkey, x, NULL, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                              NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2000, 2000, 0);
    CRYPT_DATA_BLOB blob = {.pbData = NULL};
    int len = i2d_PKCS12(p, &blob.pbData);
    cr_assert_gt(len, 0);
    blob.cbData = (DWORD)len;
    PKCS12_free(p);
    return blob;
}

static HCERTSTORE store_of(const struct put *p)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, p->place, p->store);
    cr_assert(store != NULL, "%08lx", GetLastError());
    return store;
}

/* The name, and a key pair with its certificate. */
static void make(struct put *p, const char *name, long from, long seconds)
{
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    (void)snprintf(p->subject, sizeof p->subject, "CN=%s, O=Nacre", name);
    p->pkey = EVP_RSA_gen(2048);
    p->x = certificate_of(p->pkey, name, from, seconds);
}

static void put_from_pfx(struct put *p)
{
    CRYPT_DATA_BLOB pfx = pfx_of(p->pkey, p->x);
    HCERTSTORE from = PFXImportCertStore(&pfx, L"geheim", CRYPT_USER_KEYSET), to = store_of(p);
    cr_assert(from != NULL, "%08lx", GetLastError());
    PCCERT_CONTEXT at = CertEnumCertificatesInStore(from, NULL);
    cr_assert(at != NULL && CertAddCertificateContextToStore(to, at, CERT_STORE_ADD_NEW, NULL), "%08lx",
              GetLastError());
    (void)CertFreeCertificateContext(at);
    (void)CertCloseStore(to, 0);
    (void)CertCloseStore(from, 0);
    OPENSSL_free(pfx.pbData);
}

static void wide(const char *text, wchar_t *out, size_t size)
{
    for (size_t i = 0; i < size && (i == 0 || text[i - 1] != 0); i++)
        out[i] = (wchar_t)text[i];
}

/* The private half as a key of the provider that nobody can export, in a container of its own. */
static void put_key(const EVP_PKEY *pkey, const CRYPT_KEY_PROV_INFO *info)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *at = NULL;
    HCRYPTPROV provider = 0;
    HCRYPTKEY key = 0;
    cr_assert_gt(i2b_PrivateKey_bio(b, pkey), 0);
    long len = BIO_get_mem_data(b, &at);
    cr_assert(CryptAcquireContextW(&provider, info->pwszContainerName, NULL, info->dwProvType,
                                   CRYPT_NEWKEYSET | info->dwFlags),
              "%08lx", GetLastError());
    cr_assert(CryptImportKey(provider, (const BYTE *)at, (DWORD)len, 0, 0, &key), "%08lx", GetLastError());
    (void)CryptDestroyKey(key);
    (void)CryptReleaseContext(provider, 0);
    BIO_free(b);
}

/* The key in a container of CryptoAPI, and the certificate in the user's store with a note of where the key is. */
static void put_through(struct put *p, DWORD type)
{
    static unsigned count;
    wchar_t container[64];
    char text[64];
    unsigned char *der = NULL;
    int len = i2d_X509(p->x, &der);
    HCERTSTORE store = store_of(p);
    PCCERT_CONTEXT at = NULL;
    (void)snprintf(text, sizeof text, "%s-%u", p->name, count++);
    wide(text, container, sizeof container / sizeof *container);
    CRYPT_KEY_PROV_INFO info = {.pwszContainerName = container,
                                .dwProvType = type,
                                .dwKeySpec = AT_KEYEXCHANGE,
                                .dwFlags = p->place == CERT_SYSTEM_STORE_LOCAL_MACHINE ? CRYPT_MACHINE_KEYSET : 0};
    put_key(p->pkey, &info);
    cr_assert(CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, (DWORD)len, CERT_STORE_ADD_NEW, &at) &&
                  CertSetCertificateContextProperty(at, CERT_KEY_PROV_INFO_PROP_ID, 0, &info),
              "%08lx", GetLastError());
    (void)CertFreeCertificateContext(at);
    (void)CertCloseStore(store, 0);
    OPENSSL_free(der);
}

static void delete_key(PCCERT_CONTEXT certificate)
{
    union {
        CRYPT_KEY_PROV_INFO info;
        char room[4096];
    } u;
    DWORD size = sizeof u;
    HCRYPTPROV gone;
    if (CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, &u.info, &size))
        (void)CryptAcquireContextW(&gone, u.info.pwszContainerName, u.info.pwszProvName, u.info.dwProvType,
                                   CRYPT_DELETEKEYSET | (u.info.dwFlags & CRYPT_MACHINE_KEYSET));
}

static void take_out(struct put *p)
{
    HCERTSTORE store = store_of(p);
    unsigned char *der = NULL;
    int len = i2d_X509(p->x, &der);
    PCCERT_CONTEXT mine = CertCreateCertificateContext(X509_ASN_ENCODING, der, (DWORD)len);
    PCCERT_CONTEXT at = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_EXISTING, mine, NULL);
    cr_assert(at != NULL);
    delete_key(at);
    cr_assert(CertDeleteCertificateFromStore(at)); /* frees it */
    (void)CertFreeCertificateContext(mine);
    (void)CertCloseStore(store, 0);
    OPENSSL_free(der);
    X509_free(p->x);
    EVP_PKEY_free(p->pkey);
}

static int select_key(nacre_server *n, int type, const char *store, const char *subject)
{
    cr_assert_eq(nacre_set_ssh_cert_store_type(n, type), 0);
    cr_assert_eq(nacre_set_ssh_cert_store(n, store, strlen(store)), 0);
    cr_assert_eq(nacre_set_ssh_cert_store_password(n, ""), 0);
    return nacre_set_ssh_cert_subject(n, subject);
}

/* A client that takes only this algorithm verifies the host's signature, and logs in. */
static void log_in(struct server *s, const char *algorithm)
{
    struct client c;
    client_init(&c);
    c.config.algorithms.host_key = algorithm;
    cr_assert(client_dial(&c, NULL, s->port), "%s: no connection: %d", algorithm, WSAGetLastError());
    cr_assert(client_wait(&c, &c.ready), "%s: %s (ended %d, fin %d)", algorithm, c.text, c.ended, c.fin);
    cr_expect(client_login(&c, "user", "pw"), "%s: %s", algorithm, c.text);
    client_free(&c);
}

static void serve(int type, const struct put *p)
{
    char subject[TEXT_MAX];
    struct nacre_certificate c;
    struct server *s = server_new();
    server_set(s, "SSHPublicKeyAlgorithms=rsa-sha2-512,rsa-sha2-256,ssh-rsa");
    cr_assert_eq(select_key(s->nacre, type, "MY", p->subject), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(nacre_get_ssh_cert_subject(s->nacre, subject, sizeof subject), 0);
    cr_expect_str_eq(subject, p->subject);
    cr_assert_eq(nacre_get_certificate(s->nacre, 0, &c), 0);
    cr_expect(c.private_key_available);
    cr_expect_str_eq(c.private_key, "", "it cannot be exported");
    nacre_certificate_free(&c);
    server_start(s, 1);
    log_in(s, "rsa-sha2-512");
    log_in(s, "rsa-sha2-256");
    log_in(s, "ssh-rsa");
    server_free(s);
}

/* Wine puts every key from a PFX into the one container that has the user's name, and writes it when whoever has it
 * open closes it: one process at a time, to its end, which lets go of the turn. */
Test(class_system_store, a_key_that_was_imported_and_cannot_be_exported_serves)
{
    struct put p = {.place = CERT_SYSTEM_STORE_CURRENT_USER, .store = L"MY"};
    HANDLE turn = CreateMutexW(NULL, FALSE, L"nacre-test-pfx");
    (void)WaitForSingleObject(turn, INFINITE);
    make(&p, own_name("pfx"), -60, 86400);
    put_from_pfx(&p);
    serve(0, &p);
    take_out(&p);
}

Test(class_system_store, a_key_of_the_machine_serves)
{
    struct put p = {.place = CERT_SYSTEM_STORE_LOCAL_MACHINE, .store = L"MY"};
    make(&p, own_name("machine"), -60, 86400);
    put_through(&p, PROV_RSA_AES);
    serve(1, &p);
    take_out(&p);
}

/* Whose provider knows no hash but SHA-1. */
Test(class_system_store, a_key_of_an_old_provider_serves)
{
    struct put p = {.place = CERT_SYSTEM_STORE_CURRENT_USER, .store = L"MY"};
    make(&p, own_name("old"), -60, 86400);
    put_through(&p, PROV_RSA_FULL);
    serve(0, &p);
    take_out(&p);
}

static void expect_found(nacre_server *n, const char *store, const char *asked, const char *subject)
{
    char found[TEXT_MAX];
    int e = select_key(n, 0, store, asked);
    cr_expect_eq(e, subject == NULL ? NACRE_E_NO_CERTIFICATE : 0, "%s: %d %s", asked, e, nacre_last_error(n));
    cr_assert_eq(nacre_get_ssh_cert_subject(n, found, sizeof found), 0);
    cr_expect_str_eq(found, subject == NULL ? "" : subject, "%s", asked);
}

Test(class_system_store, subjects_exact_containing_and_any)
{
    wchar_t store[64];
    char mine[64], text[TEXT_MAX];
    struct put p = {.place = CERT_SYSTEM_STORE_CURRENT_USER, .store = store};
    nacre_server *n;
    (void)snprintf(mine, sizeof mine, "%s", own_name("store"));
    wide(mine, store, sizeof store / sizeof *store);
    make(&p, own_name("subject"), -60, 86400);
    put_through(&p, PROV_RSA_AES);
    cr_assert_eq(nacre_create(&n), 0);
    expect_found(n, mine, p.subject, p.subject);
    (void)snprintf(text, sizeof text, "CN=%s,O=Nacre", p.name);
    expect_found(n, mine, text, p.subject);
    expect_found(n, mine, p.name, p.subject);
    (void)snprintf(text, sizeof text, "%s, C=CH", p.subject);
    expect_found(n, mine, text, NULL);
    expect_found(n, mine, "*", p.subject);
    nacre_free(n);
    take_out(&p);
    (void)CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, p.place | CERT_STORE_DELETE_FLAG, p.store);
}

/* The thumbprint of what is selected. */
static void expect_certificate(nacre_server *n, const X509 *x)
{
    struct nacre_certificate c;
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    cr_assert_eq(X509_digest(x, EVP_sha256(), sum, &len), 1);
    for (unsigned i = 0; i < len; i++)
        (void)snprintf(text + (size_t)2 * i, 3, "%02X", sum[i]);
    cr_assert_eq(nacre_get_certificate(n, 0, &c), 0);
    cr_expect_str_eq(c.thumbprint_sha256, text);
    nacre_certificate_free(&c);
}

Test(class_system_store, a_renewed_certificate_takes_the_place_of_its_predecessor)
{
    enum {
        DAY = 86400
    };
    struct put old = {.place = CERT_SYSTEM_STORE_CURRENT_USER, .store = L"MY"}, now = old, future = old;
    nacre_server *n;
    const char *name = own_name("renewed");
    make(&old, name, -9 * DAY, 8 * DAY);
    put_through(&old, PROV_RSA_AES);
    make(&now, name, -DAY, 3 * DAY);
    put_through(&now, PROV_RSA_AES);
    make(&future, name, DAY, 9 * DAY);
    put_through(&future, PROV_RSA_AES);
    cr_assert_eq(nacre_create(&n), 0);
    cr_assert_eq(select_key(n, 0, "MY", name), 0, "%s", nacre_last_error(n));
    expect_certificate(n, now.x);
    nacre_free(n);
    take_out(&old);
    take_out(&now);
    take_out(&future);
}

Test(class_system_store, a_certificate_without_its_key_is_passed_over)
{
    struct put p = {.place = CERT_SYSTEM_STORE_CURRENT_USER, .store = L"MY"};
    nacre_server *n;
    unsigned char *der = NULL;
    HCERTSTORE store = store_of(&p);
    const char *name = own_name("bare");
    p.pkey = EVP_RSA_gen(2048);
    p.x = certificate_of(p.pkey, name, -60, 86400);
    int len = i2d_X509(p.x, &der);
    cr_assert(CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, (DWORD)len, CERT_STORE_ADD_NEW, NULL));
    cr_assert_eq(nacre_create(&n), 0);
    int e = select_key(n, 0, "MY", name);
    cr_expect_eq(e, NACRE_E_NO_CERTIFICATE, "%d %s", e, nacre_last_error(n));
    nacre_free(n);
    (void)CertCloseStore(store, 0);
    OPENSSL_free(der);
    take_out(&p);
}

Test(class_system_store, a_store_that_is_not_there_is_named)
{
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    for (int type = 0; type <= 1; type++) {
        cr_expect_neq(select_key(n, type, "NacreHasNoSuchStore", "*"), 0);
        cr_expect(strstr(nacre_last_error(n), "\"NacreHasNoSuchStore\"") != NULL, "%s", nacre_last_error(n));
        cr_expect_eq(select_key(n, type, "\xff", "*"), NACRE_E_INVAL, "%s", nacre_last_error(n));
    }
    nacre_free(n);
}
