/* SPDX-License-Identifier: Apache-2.0 */
/* Signing with keys of Windows: by CNG's handle, or by the one of CryptoAPI for keys that only an old provider has. The
 * private half never comes here, and need not be exportable. */
#include "keys/system_store.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>

enum {
    FIELDS_MAX = 2 * 66 /* r and s of P-521 */
};

/* ---- opening --------------------------------------------------------------------------------------------------- */

/* Where the key is kept, if it is in a container of a provider; to be freed. */
static CRYPT_KEY_PROV_INFO *place_of(PCCERT_CONTEXT certificate)
{
    DWORD size = 0;
    CRYPT_KEY_PROV_INFO *place;
    if (!CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, NULL, &size))
        return NULL;
    place = malloc(size);
    if (place == NULL || CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, place, &size))
        return place;
    free(place);
    return NULL;
}

static bool has_key(HCRYPTPROV provider, DWORD spec)
{
    HCRYPTKEY key = 0;
    bool has = CryptGetUserKey(provider, spec, &key);
    if (has)
        (void)CryptDestroyKey(key);
    return has;
}

/* The old providers of RSA keys know SHA-1 alone, but keep their keys where the newest one finds them. Gives the same
 * container through that; 0: it is not there. */
static HCRYPTPROV through_newest(const CRYPT_KEY_PROV_INFO *place)
{
    HCRYPTPROV made = 0;
    if (place->dwProvType != PROV_RSA_FULL ||
        !CryptAcquireContextW(&made, place->pwszContainerName, MS_ENH_RSA_AES_PROV_W, PROV_RSA_AES,
                              CRYPT_SILENT | (place->dwFlags & CRYPT_MACHINE_KEYSET)))
        return 0;
    if (has_key(made, AT_KEYEXCHANGE) || has_key(made, AT_SIGNATURE))
        return made;
    (void)CryptReleaseContext(made, 0);
    return 0;
}

/* A key of CryptoAPI: by the newest provider, and by the one of its container's two that is there (what is noted beside
 * the certificate may be neither). */
static void settle(struct system_key *k)
{
    CRYPT_KEY_PROV_INFO *place = place_of(k->context);
    HCRYPTPROV newest = place == NULL ? 0 : through_newest(place);
    free(place);
    if (newest != 0 && k->ours)
        (void)CryptReleaseContext(k->handle, 0);
    if (newest != 0) {
        k->handle = newest;
        k->ours = TRUE;
    }
    if (k->spec != AT_SIGNATURE || !has_key(k->handle, AT_SIGNATURE))
        k->spec = has_key(k->handle, AT_KEYEXCHANGE) ? AT_KEYEXCHANGE : AT_SIGNATURE;
}

/* By what is noted beside the certificate, for a system whose way to the key does not look into the machine's
 * containers. */
static bool acquire_noted(struct system_key *k)
{
    DWORD error = GetLastError();
    HCRYPTPROV provider = 0;
    CRYPT_KEY_PROV_INFO *place = place_of(k->context);
    bool ok = place != NULL && place->dwProvType != 0 &&
              CryptAcquireContextW(&provider, place->pwszContainerName, place->pwszProvName, place->dwProvType,
                                   CRYPT_SILENT | (place->dwFlags & CRYPT_MACHINE_KEYSET));
    k->handle = provider;
    k->ours = TRUE;
    k->spec = ok ? place->dwKeySpec : 0;
    free(place);
    if (!ok)
        SetLastError(error); /* the first says more */
    return ok;
}

static bool acquire(struct system_key *k)
{
    return CryptAcquireCertificatePrivateKey(k->context,
                                             CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG | CRYPT_ACQUIRE_SILENT_FLAG, NULL,
                                             &k->handle, &k->spec, &k->ours) ||
           acquire_noted(k);
}

struct system_key *nacre_system_key_open(PCCERT_CONTEXT certificate)
{
    struct system_key *k = calloc(1, sizeof *k);
    if (k == NULL) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    k->rsa = strcmp(certificate->pCertInfo->SubjectPublicKeyInfo.Algorithm.pszObjId, szOID_RSA_RSA) == 0;
    k->context = CertDuplicateCertificateContext(certificate);
    if (!acquire(k)) {
        (void)CertFreeCertificateContext(k->context);
        free(k);
        return NULL;
    }
    if (k->spec != CERT_NCRYPT_KEY_SPEC)
        settle(k);
    return k;
}

void nacre_system_key_close(void *key)
{
    struct system_key *k = key;
    if (k->ours && k->spec == CERT_NCRYPT_KEY_SPEC)
        (void)NCryptFreeObject(k->handle);
    else if (k->ours)
        (void)CryptReleaseContext(k->handle, 0);
    (void)CertFreeCertificateContext(k->context);
    free(k);
}

/* ---- CNG ------------------------------------------------------------------------------------------------------- */

static const wchar_t *name_of(enum hash_id hash)
{
    switch (hash) {
    case HASH_SHA1:
        return BCRYPT_SHA1_ALGORITHM;
    case HASH_SHA256:
        return BCRYPT_SHA256_ALGORITHM;
    case HASH_SHA384:
        return BCRYPT_SHA384_ALGORITHM;
    case HASH_SHA512:
        return BCRYPT_SHA512_ALGORITHM;
    case HASH_MD5:
    case HASH_RIPEMD160:
    case HASH_COUNT:
        break;
    }
    return NULL;
}

static bool sign_rsa(NCRYPT_KEY_HANDLE key, enum hash_id hash, struct span digest, uint8_t *out, size_t *len)
{
    BCRYPT_PKCS1_PADDING_INFO padding = {.pszAlgId = name_of(hash)};
    uint8_t in[HASH_MAX]; /* the call's parameter is not const */
    DWORD n = 0;
    memcpy(in, digest.at, digest.len);
    if (padding.pszAlgId == NULL || NCryptSignHash(key, &padding, in, (DWORD)digest.len, out, (DWORD)*len, &n,
                                                   BCRYPT_PAD_PKCS1 | NCRYPT_SILENT_FLAG) != ERROR_SUCCESS)
        return false;
    *len = n;
    return true;
}

/* r and s, of one length each, as DER. */
static bool to_der(struct span fields, uint8_t *out, size_t *len)
{
    const size_t half = fields.len / 2;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(fields.at, (int)half, NULL), *s = BN_bin2bn(fields.at + half, (int)half, NULL);
    bool ok = sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1;
    if (!ok) {
        BN_free(r);
        BN_free(s);
    }
    int n = ok ? i2d_ECDSA_SIG(sig, NULL) : 0;
    ok = n > 0 && (size_t)n <= *len && i2d_ECDSA_SIG(sig, &out) == n;
    *len = ok ? (size_t)n : 0;
    ECDSA_SIG_free(sig);
    return ok;
}

static bool sign_ecdsa(NCRYPT_KEY_HANDLE key, struct span digest, uint8_t *out, size_t *len)
{
    uint8_t in[HASH_MAX], fields[FIELDS_MAX];
    DWORD n = 0;
    memcpy(in, digest.at, digest.len);
    return NCryptSignHash(key, NULL, in, (DWORD)digest.len, fields, sizeof fields, &n, NCRYPT_SILENT_FLAG) ==
               ERROR_SUCCESS &&
           n != 0 && n % 2 == 0 && to_der(span_of(fields, n), out, len);
}

/* ---- CryptoAPI ------------------------------------------------------------------------------------------------- */

static ALG_ID number_of(enum hash_id hash)
{
    switch (hash) {
    case HASH_SHA1:
        return CALG_SHA1;
    case HASH_SHA256:
        return CALG_SHA_256;
    case HASH_SHA384:
        return CALG_SHA_384;
    case HASH_SHA512:
        return CALG_SHA_512;
    case HASH_MD5:
    case HASH_RIPEMD160:
    case HASH_COUNT:
        break;
    }
    return 0;
}

/* The number, least significant byte first, turned round. */
static void turn_round(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t low = at[i];
        at[i] = at[len - 1 - i];
        at[len - 1 - i] = low;
    }
}

static bool sign_old(const struct system_key *k, enum hash_id hash, struct span digest, uint8_t *out, size_t *len)
{
    HCRYPTHASH h = 0;
    DWORD n = (DWORD)*len;
    if (number_of(hash) == 0 || !CryptCreateHash(k->handle, number_of(hash), 0, 0, &h))
        return false;
    bool ok = CryptSetHashParam(h, HP_HASHVAL, digest.at, 0) && CryptSignHashW(h, k->spec, NULL, 0, out, &n);
    (void)CryptDestroyHash(h);
    if (!ok)
        return false;
    turn_round(out, n);
    *len = n;
    return true;
}

bool nacre_system_key_sign(void *key, enum hash_id hash, struct span digest, uint8_t *out, size_t *len)
{
    const struct system_key *k = key;
    if (digest.len > HASH_MAX)
        return false;
    if (k->spec != CERT_NCRYPT_KEY_SPEC)
        return sign_old(k, hash, digest, out, len);
    return k->rsa ? sign_rsa(k->handle, hash, digest, out, len) : sign_ecdsa(k->handle, digest, out, len);
}
