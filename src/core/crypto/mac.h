/* SPDX-License-Identifier: Apache-2.0 */
/* Message authentication codes, RFC 4253 section 6.4, RFC 6668, UMAC, and OpenSSH's -etm (encrypt then MAC). */
#ifndef CRYPTO_MAC_H
#define CRYPTO_MAC_H

#include "crypto/crypto.h"

struct mac;
struct mac_alg;

struct mac_ops {
    struct mac *(*open)(const struct nacre_crypto *c, const struct mac_alg *alg, const uint8_t *key);
    void (*close)(struct mac *m);
    /* MAC over sequence number and `len` bytes at `packet` into `tag` (alg->tag_len bytes). False: the library failed.
     */
    bool (*sum)(struct mac *m, uint32_t seq, const uint8_t *packet, size_t len, uint8_t *tag);
};

enum {
    MAC_MAX = 64
};

struct mac_alg {
    const char *name;
    const struct mac_ops *ops;
    enum hash_id hash; /* HASH_COUNT: a method of its own */
    size_t key_len, tag_len;
    bool etm;
};

#endif
