/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/pbe.h"

#include <openssl/err.h>
#include <openssl/objects.h>

#include "crypto/context.h"

enum {
    PBE_ROUNDS_MAX = 5 * 1000 * 1000, /* of a whole file: seconds */
    NUMBERS_MAX = 1200                /* bytes: DSA of 4096 bits, four times what SSH has */
};

static uint64_t number_of(const ASN1_INTEGER *n)
{
    uint64_t value = 0;
    return n != NULL && ASN1_INTEGER_get_uint64(&value, n) == 1 ? value : UINT64_MAX;
}

static uint64_t times(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static void *unpack(const X509_ALGOR *a, const ASN1_ITEM *item)
{
    const void *parameter = NULL;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(NULL, &type, &parameter, a);
    return type == V_ASN1_SEQUENCE ? ASN1_item_unpack(parameter, item) : NULL;
}

static int kind_of(const X509_ALGOR *a)
{
    const ASN1_OBJECT *kind = NULL;
    X509_ALGOR_get0(&kind, NULL, NULL, a);
    return OBJ_obj2nid(kind);
}

/* RFC 8018 section 5.2; RFC 7914 section 7: one mixing of a block is about one hashing. */
static uint64_t derivation_rounds(const X509_ALGOR *a)
{
    uint64_t rounds = 0;
    if (kind_of(a) == NID_id_pbkdf2) {
        PBKDF2PARAM *p = unpack(a, ASN1_ITEM_rptr(PBKDF2PARAM));
        rounds = p == NULL ? 0 : number_of(p->iter);
        PBKDF2PARAM_free(p);
    } else if (kind_of(a) == NID_id_scrypt) {
        SCRYPT_PARAMS *p = unpack(a, ASN1_ITEM_rptr(SCRYPT_PARAMS));
        if (p != NULL)
            rounds = times(times(number_of(p->costParameter), number_of(p->blockSize)),
                           number_of(p->parallelizationParameter));
        SCRYPT_PARAMS_free(p);
    }
    return rounds;
}

/* RFC 8018 sections A.3 to A.5 and RFC 9579: PBES2 and PBMAC1 name a derivation, the older ones have a count. */
static uint64_t rounds_of(const X509_ALGOR *a)
{
    uint64_t rounds = 0;
    int kind = kind_of(a);
    if (kind == NID_pbes2 || kind == NID_pbmac1) {
        PBE2PARAM *p = unpack(a, ASN1_ITEM_rptr(PBE2PARAM));
        rounds = p == NULL ? 0 : derivation_rounds(p->keyfunc);
        PBE2PARAM_free(p);
    } else {
        PBEPARAM *p = unpack(a, ASN1_ITEM_rptr(PBEPARAM));
        rounds = p == NULL ? 0 : number_of(p->iter);
        PBEPARAM_free(p);
    }
    ERR_clear_error();
    return rounds;
}

uint64_t nacre_pbe_rounds(const struct container *k)
{
    return PBE_ROUNDS_MAX / k->work_divisor;
}

static bool pays(struct container *k, uint64_t rounds, uint64_t *left)
{
    if (rounds <= *left) {
        *left -= rounds;
        return true;
    }
    (void)nacre_container_fail(k, NACRE_E_KEY, "hashes its password too often; at most %u times are accepted.",
                               (unsigned)nacre_pbe_rounds(k));
    return false;
}

bool nacre_pbe_pays(struct container *k, const X509_ALGOR *lock, uint64_t *left)
{
    return lock == NULL || pays(k, rounds_of(lock), left);
}

bool nacre_pbe_pays_mac(struct container *k, const PKCS12 *p, uint64_t *left)
{
    const X509_ALGOR *how = NULL;
    const ASN1_INTEGER *count = NULL;
    PKCS12_get0_mac(NULL, &how, NULL, &count, p);
    uint64_t rounds = count == NULL ? 1 : number_of(count); /* 1 is left out, RFC 7292 section 4 */
    if (how != NULL && kind_of(how) == NID_pbmac1)
        rounds = rounds_of(how);
    return pays(k, rounds, left);
}

/* The library does not have the cipher, the hash or the derivation, or not any more: no password helps. */
static bool is_unavailable(void)
{
    bool found = false;
    unsigned long e;
    while ((e = ERR_get_error()) != 0) {
        int reason = ERR_GET_REASON(e);
        found = found || (ERR_GET_LIB(e) == ERR_LIB_EVP &&
                          (reason == ERR_R_UNSUPPORTED || reason == EVP_R_UNKNOWN_PBE_ALGORITHM));
    }
    return found;
}

enum nacre_error nacre_pbe_fail(struct container *k)
{
    if (is_unavailable())
        return nacre_container_fail(k, NACRE_E_KEY, "is locked in a way that is not available here.");
    if (k->password[0] == 0)
        return nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "is locked and no password was given.");
    return nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "does not open with the password given.");
}

/* RSA takes what it finds. The numbers of other keys that can be used here are far smaller. */
static bool is_small(const PKCS8_PRIV_KEY_INFO *p8)
{
    const ASN1_OBJECT *kind = NULL;
    const unsigned char *key = NULL; /* the library tells no length without it */
    const X509_ALGOR *a = NULL;
    const void *parameter = NULL;
    int len = 0, type = V_ASN1_UNDEF;
    if (PKCS8_pkey_get0(&kind, &key, &len, &a, p8) != 1)
        return false;
    if (OBJ_obj2nid(kind) == NID_rsaEncryption || OBJ_obj2nid(kind) == NID_rsassaPss)
        return true;
    X509_ALGOR_get0(NULL, &type, &parameter, a);
    return len <= NUMBERS_MAX && (type != V_ASN1_SEQUENCE || ASN1_STRING_length(parameter) <= NUMBERS_MAX);
}

EVP_PKEY *nacre_pkcs8_key(const struct container *k, const PKCS8_PRIV_KEY_INFO *p8)
{
    return is_small(p8) ? EVP_PKCS82PKEY_ex(p8, k->c->lib, NULL) : NULL;
}
