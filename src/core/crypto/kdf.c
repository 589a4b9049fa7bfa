/* SPDX-License-Identifier: Apache-2.0 */
/* Session keys from K and H, RFC 4253 section 7.2. */
#include "crypto/crypto.h"

#include "base/secret.h"
#include "crypto/kex.h"

bool nacre_kdf(const struct nacre_crypto *c, enum hash_id hash, struct span k, struct span h, char letter,
               struct span session, uint8_t *out, size_t need)
{
    uint8_t block[HASH_MAX];
    const size_t size = nacre_hash_size(hash);
    const struct span first[] = {k, h, span_of(&letter, 1), session};
    /* K2 = HASH(K || H || K1), K3 = HASH(K || H || K1 || K2): the third run grows with what is made. */
    size_t made = 0;
    bool ok = size != 0 && nacre_hash(c, hash, first, 4, block);
    while (ok) {
        size_t part = need - made < size ? need - made : size;
        if (part != 0)
            memcpy(out + made, block, part);
        made += part;
        if (made == need)
            break;
        const struct span next[] = {k, h, span_of(out, made)};
        ok = nacre_hash(c, hash, next, 3, block);
    }
    nacre_wipe(block, sizeof block);
    if (!ok)
        nacre_wipe(out, need);
    return ok;
}
