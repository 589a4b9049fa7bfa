/* SPDX-License-Identifier: Apache-2.0 */
/* ML-KEM-768, FIPS 203. OpenSSL has it since 3.5; with an older one it is not there. */
#include "crypto/kem.h"

#include "crypto/context.h"

enum {
    MLKEM_PUBLIC = 1184,
    MLKEM_CIPHERTEXT = 1088
};

static bool mlkem_usable(const struct nacre_crypto *c)
{
    return c->mlkem != NULL;
}

static void mlkem_free(void *private)
{
    EVP_PKEY_free(private);
}

static void *mlkem_generate(const struct nacre_crypto *c, uint8_t *public)
{
    EVP_PKEY *pkey = NULL;
    size_t len = MLKEM_PUBLIC;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_dup(c->mlkem);
    bool ok = x != NULL && EVP_PKEY_keygen_init(x) == 1 && EVP_PKEY_generate(x, &pkey) == 1 &&
              EVP_PKEY_get_raw_public_key(pkey, public, &len) == 1 && len == MLKEM_PUBLIC;
    EVP_PKEY_CTX_free(x);
    if (ok)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

/* The library checks the key as FIPS 203 section 7.2 demands when it reads it. */
static bool mlkem_encapsulate(const struct nacre_crypto *c, const uint8_t *public, uint8_t *ciphertext, uint8_t *secret)
{
    size_t len = MLKEM_CIPHERTEXT, secret_len = KEM_SECRET;
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key_ex(c->lib, nacre_mlkem_name, NULL, public, MLKEM_PUBLIC);
    EVP_PKEY_CTX *x = theirs == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(c->lib, theirs, NULL);
    bool ok = x != NULL && EVP_PKEY_encapsulate_init(x, NULL) == 1 &&
              EVP_PKEY_encapsulate(x, ciphertext, &len, secret, &secret_len) == 1 && len == MLKEM_CIPHERTEXT &&
              secret_len == KEM_SECRET;
    EVP_PKEY_CTX_free(x);
    EVP_PKEY_free(theirs);
    return ok;
}

static bool mlkem_decapsulate(const struct nacre_crypto *c, void *private, const uint8_t *ciphertext, uint8_t *secret)
{
    size_t len = KEM_SECRET;
    EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_pkey(c->lib, private, NULL);
    bool ok = x != NULL && EVP_PKEY_decapsulate_init(x, NULL) == 1 &&
              EVP_PKEY_decapsulate(x, secret, &len, ciphertext, MLKEM_CIPHERTEXT) == 1 && len == KEM_SECRET;
    EVP_PKEY_CTX_free(x);
    return ok;
}

const struct kem nacre_kem_mlkem = {.public_len = MLKEM_PUBLIC,
                                    .ciphertext_len = MLKEM_CIPHERTEXT,
                                    .usable = mlkem_usable,
                                    .generate = mlkem_generate,
                                    .free = mlkem_free,
                                    .encapsulate = mlkem_encapsulate,
                                    .decapsulate = mlkem_decapsulate};
