/* SPDX-License-Identifier: Apache-2.0 */
#include "support/failing_calls.h"

#include <openssl/evp.h>

/* ---- memory ----------------------------------------------------------------------------------------------------- */

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return failing_allocation() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return failing_allocation() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return failing_allocation() ? NULL : __real_realloc(at, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return failing_allocation() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return failing_allocation() ? NULL : __real_strdup(text);
}

/* ---- cryptography ----------------------------------------------------------------------------------------------- */

/* A call that answers 1 for success, and how it is passed on. failing_calls.cmake has the same names. */
#define FAILING(name, parameters, arguments)                                                                           \
    int __real_##name parameters;                                                                                      \
    int __wrap_##name parameters;                                                                                      \
    int __wrap_##name parameters                                                                                       \
    {                                                                                                                  \
        return failing_crypto() ? 0 : __real_##name arguments;                                                         \
    }

/* clang-format off */
FAILING(EVP_DigestUpdate, (EVP_MD_CTX * c, const void *d, size_t n), (c, d, n))
FAILING(EVP_DigestFinal_ex, (EVP_MD_CTX * c, unsigned char *at, unsigned *n), (c, at, n))
FAILING(EVP_DigestVerify, (EVP_MD_CTX * c, const unsigned char *s, size_t sn, const unsigned char *d, size_t dn), (c, s, sn, d, dn))
FAILING(EVP_DigestSign, (EVP_MD_CTX * c, unsigned char *s, size_t *sn, const unsigned char *d, size_t dn), (c, s, sn, d, dn))
FAILING(EVP_CipherUpdate, (EVP_CIPHER_CTX * c, unsigned char *o, int *on, const unsigned char *i, int in), (c, o, on, i, in))
FAILING(EVP_EncryptUpdate, (EVP_CIPHER_CTX * c, unsigned char *o, int *on, const unsigned char *i, int in), (c, o, on, i, in))
FAILING(EVP_CipherFinal_ex, (EVP_CIPHER_CTX * c, unsigned char *o, int *on), (c, o, on))
FAILING(EVP_PKEY_derive, (EVP_PKEY_CTX * c, unsigned char *k, size_t *n), (c, k, n))
FAILING(EVP_MAC_update, (EVP_MAC_CTX * c, const unsigned char *d, size_t n), (c, d, n))
FAILING(EVP_MAC_final, (EVP_MAC_CTX * c, unsigned char *o, size_t *n, size_t m), (c, o, n, m))
/* clang-format on */
