/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the cryptographic library that tests make fail: FAILING(name, parameters, arguments) each, all of which
 * answer 1 for success. The linker hands them over (--wrap); CMakeLists.txt has the same names. */
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
