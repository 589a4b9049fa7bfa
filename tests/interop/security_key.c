/* SPDX-License-Identifier: Apache-2.0 */
/* A security key without a device, for tests: what ssh and ssh-keygen load with SecurityKeyProvider. It makes and uses
 * ssh-ed25519 and nistp256 keys with libcrypto; the "handle" that OpenSSH keeps for the device is the private key
 * itself.
 *
 * The functions, structures and numbers are those of OpenSSH's middleware interface, version 10. NACRE_SK_FLAGS in the
 * environment (hexadecimal) replaces the flags that a signature says: 00 is a device that nobody touched. NACRE_SK_PIN
 * is the PIN that it wants before it says that its user was verified. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

enum {
    API_VERSION = 0x000a0000,
    ALG_ECDSA = 0,
    ALG_ED25519 = 1,
    FLAG_PRESENT = 0x01,
    FLAG_VERIFIED = 0x04,
    ERR_GENERAL = -1,
    ERR_UNSUPPORTED = -2,
    ERR_PIN_REQUIRED = -3,
    KEY_LEN = 32,
    POINT_LEN = 65,
    SIGNED_LEN = 2 * SHA256_DIGEST_LENGTH + 5
};

struct sk_option {
    char *name, *value;
    uint8_t required;
};

struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

struct sk_resident_key;

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags,
              const char *pin, struct sk_option **options, struct sk_enroll_response **out);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *handle,
            size_t handle_len, uint8_t flags, const char *pin, struct sk_option **options,
            struct sk_sign_response **out);
int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***keys, size_t *count);

uint32_t sk_api_version(void)
{
    return API_VERSION;
}

static int may_use(uint8_t flags, const char *pin)
{
    const char *wanted = getenv("NACRE_SK_PIN");

    if ((flags & FLAG_VERIFIED) == 0)
        return 0;
    return pin != NULL && wanted != NULL && strcmp(pin, wanted) == 0 ? 0 : ERR_PIN_REQUIRED;
}

static uint8_t *copy_of(const void *at, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);

    if (copy != NULL)
        memcpy(copy, at, len);
    return copy;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static EVP_PKEY *new_key(uint32_t alg)
{
    return alg == ALG_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

static size_t private_of(EVP_PKEY *key, uint32_t alg, uint8_t out[KEY_LEN])
{
    size_t len = KEY_LEN;
    BIGNUM *number = NULL;

    if (alg == ALG_ED25519)
        return EVP_PKEY_get_raw_private_key(key, out, &len) == 1 ? len : 0;
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1)
        return 0;
    len = BN_bn2binpad(number, out, KEY_LEN) == KEY_LEN ? KEY_LEN : 0;
    BN_clear_free(number);
    return len;
}

static size_t public_of(EVP_PKEY *key, uint32_t alg, uint8_t out[POINT_LEN])
{
    size_t len = POINT_LEN;

    if (alg == ALG_ED25519)
        return EVP_PKEY_get_raw_public_key(key, out, &len) == 1 ? len : 0;
    return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, out, POINT_LEN, &len) == 1 ? len : 0;
}

/* A handle is the private key and, for a curve, the public point behind it. */
static EVP_PKEY *key_from(uint32_t alg, const uint8_t *handle, size_t len)
{
    char group[] = "P-256";
    uint8_t private[KEY_LEN];
    EVP_PKEY *key = NULL;

    if (alg == ALG_ED25519)
        return len < KEY_LEN ? NULL : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, KEY_LEN);
    if (len != KEY_LEN + POINT_LEN)
        return NULL;
    /* Parameters hold numbers in the byte order of the machine. */
    BIGNUM *number = BN_bin2bn(handle, KEY_LEN, NULL);
    if (number == NULL || BN_bn2nativepad(number, private, KEY_LEN) != KEY_LEN) {
        BN_clear_free(number);
        return NULL;
    }
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, private, KEY_LEN),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)(handle + KEY_LEN), POINT_LEN),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (x != NULL && EVP_PKEY_fromdata_init(x) == 1)
        (void)EVP_PKEY_fromdata(x, &key, EVP_PKEY_KEYPAIR, p);
    EVP_PKEY_CTX_free(x);
    BN_clear_free(number);
    return key;
}

/* ---- what OpenSSH calls ------------------------------------------------------------------------------------------ */

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags,
              const char *pin, struct sk_option **options, struct sk_enroll_response **out)
{
    uint8_t private[KEY_LEN + POINT_LEN], *public = private + KEY_LEN;
    (void)challenge;
    (void)challenge_len;
    (void)application;
    (void)options;

    if (alg != ALG_ED25519 && alg != ALG_ECDSA)
        return ERR_UNSUPPORTED;
    if (may_use(flags, pin) != 0)
        return ERR_PIN_REQUIRED;
    EVP_PKEY *key = new_key(alg);
    struct sk_enroll_response *r = calloc(1, sizeof *r);
    size_t public_len = key == NULL ? 0 : public_of(key, alg, public);
    if (r == NULL || public_len == 0 || private_of(key, alg, private) != KEY_LEN) {
        EVP_PKEY_free(key);
        free(r);
        return ERR_GENERAL;
    }
    r->flags = flags;
    r->public_key = copy_of(public, public_len);
    r->public_key_len = public_len;
    r->key_handle_len = KEY_LEN + (alg == ALG_ED25519 ? 0 : public_len);
    r->key_handle = copy_of(private, r->key_handle_len);
    /* Nobody attests to this device. */
    r->signature = copy_of("", 0);
    r->authdata = copy_of("", 0);
    EVP_PKEY_free(key);
    *out = r;
    return 0;
}

/* Hash of the application, flags, counter, hash of the data: what a device signs. */
static void write_signed(uint8_t out[SIGNED_LEN], const char *application, const struct sk_sign_response *r,
                         const uint8_t *data, size_t len)
{
    uint8_t *at = out + SHA256_DIGEST_LENGTH;

    SHA256((const uint8_t *)application, strlen(application), out);
    at[0] = r->flags;
    for (int i = 0; i < 4; i++)
        at[1 + i] = (uint8_t)(r->counter >> (24 - 8 * i));
    SHA256(data, len, at + 5);
}

static int take_numbers(struct sk_sign_response *r, const uint8_t *der, size_t len)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);

    if (signature == NULL)
        return ERR_GENERAL;
    const BIGNUM *first = ECDSA_SIG_get0_r(signature), *second = ECDSA_SIG_get0_s(signature);
    r->sig_r = malloc(KEY_LEN);
    r->sig_s = malloc(KEY_LEN);
    if (r->sig_r != NULL && r->sig_s != NULL) {
        r->sig_r_len = (size_t)BN_bn2bin(first, r->sig_r);
        r->sig_s_len = (size_t)BN_bn2bin(second, r->sig_s);
    }
    ECDSA_SIG_free(signature);
    return r->sig_s_len == 0 ? ERR_GENERAL : 0;
}

static int sign(EVP_PKEY *key, uint32_t alg, const uint8_t text[SIGNED_LEN], struct sk_sign_response *r)
{
    uint8_t signature[128];
    size_t len = sizeof signature;
    EVP_MD_CTX *x = EVP_MD_CTX_new();
    int ok = x != NULL && EVP_DigestSignInit(x, NULL, alg == ALG_ED25519 ? NULL : EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestSign(x, signature, &len, text, SIGNED_LEN) == 1;

    EVP_MD_CTX_free(x);
    if (!ok)
        return ERR_GENERAL;
    if (alg != ALG_ED25519)
        return take_numbers(r, signature, len);
    r->sig_r = copy_of(signature, len);
    r->sig_r_len = len;
    return r->sig_r == NULL ? ERR_GENERAL : 0;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *handle,
            size_t handle_len, uint8_t flags, const char *pin, struct sk_option **options,
            struct sk_sign_response **out)
{
    const char *said = getenv("NACRE_SK_FLAGS");
    uint8_t text[SIGNED_LEN];
    (void)options;

    if (may_use(flags, pin) != 0)
        return ERR_PIN_REQUIRED;
    EVP_PKEY *key = key_from(alg, handle, handle_len);
    struct sk_sign_response *r = calloc(1, sizeof *r);
    int result = ERR_GENERAL;
    if (key != NULL && r != NULL) {
        r->flags = said == NULL ? (uint8_t)(flags & (FLAG_PRESENT | FLAG_VERIFIED)) : (uint8_t)strtoul(said, NULL, 16);
        r->counter = (uint32_t)time(NULL);
        write_signed(text, application, r, data, data_len);
        result = sign(key, alg, text, r);
    }
    EVP_PKEY_free(key);
    if (result == 0) {
        *out = r;
    } else if (r != NULL) {
        free(r->sig_r);
        free(r->sig_s);
        free(r);
    }
    return result;
}

int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***keys, size_t *count)
{
    (void)pin;
    (void)options;
    (void)keys;
    (void)count;
    return ERR_UNSUPPORTED;
}
