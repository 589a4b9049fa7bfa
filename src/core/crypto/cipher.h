/* SPDX-License-Identifier: Apache-2.0 */
/* Packet ciphers, RFC 4253 section 6.3, RFC 4344, RFC 4345, RFC 5647, OpenSSH PROTOCOL.chacha20poly1305.
 *
 * A cipher context works on whole packets in place: [length 4][padding length, payload, padding ...][tag]. This is how
 * many bytes at the front are not encrypted together with the rest:
 *   4 for AES-GCM (the length is authenticated, sent in clear) and for *-etm MACs (sent in clear),
 *   4 for ChaCha20-Poly1305 (encrypted by a key of its own),
 *   0 for the others (the length is part of the encrypted text). */
#ifndef CRYPTO_CIPHER_H
#define CRYPTO_CIPHER_H

#include "base/secret.h"
#include "crypto/crypto.h"

struct cipher; /* one direction of one connection */
struct cipher_alg;

struct cipher_ops {
    struct cipher *(*open)(const struct nacre_crypto *c, const struct cipher_alg *alg, const uint8_t *key,
                           const uint8_t *iv, bool seal);
    void (*close)(struct cipher *x);
    /* AEAD only: gives the packet length from its first 4 bytes without changing them. The value is NOT authenticated
     * yet. */
    bool (*length)(struct cipher *x, uint32_t seq, const uint8_t *first4, uint32_t *length);
    /* AEAD: encrypts `len` bytes behind the 4 of the length in place and writes tag_len bytes after them. Others:
     * encrypts `len` bytes at `packet` (a length in clear is skipped by the caller). False: the library failed. */
    bool (*seal)(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len);
    /* The reverse. AEAD: checks the tag BEFORE any plain text is used; false means forged or failed, and the plain text
     * is not to be looked at. The 4 bytes of the length stay as they came. */
    bool (*open_packet)(struct cipher *x, uint32_t seq, uint8_t *packet, size_t len);
};

struct cipher_alg {
    const char *name;
    const struct cipher_ops *ops;
    const char *fetch; /* the library's name */
    size_t key_len, iv_len;
    size_t block_len; /* padding aligns to this, at least 8 */
    size_t tag_len;   /* 0: not an AEAD, a MAC is negotiated */
    size_t discard;   /* bytes of key stream thrown away at the start (RFC 4345) */
    bool cbc;         /* Terrapin concerns CBC with -etm and ChaCha20-Poly1305 */
};

/* The null cipher before the first NEWKEYS is no row: the packet layer holds a NULL context instead. */

#endif
