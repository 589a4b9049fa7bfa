/* SPDX-License-Identifier: Apache-2.0 */
/* umac-64@openssh.com and umac-128@openssh.com, RFC 4418 and draft-miller-secsh-umac: the nonce is the sequence number
 * as 64 bits. nettle has it, and is left out where it is not installed: the rows then have no operations. */
#include "crypto/context.h"

#ifdef NACRE_HAVE_NETTLE

#include <stdlib.h>

#include <nettle/umac.h>

#include "base/secret.h"
#include "wire/wr.h"

enum {
    NONCE_LEN = 8
};

struct mac {
    size_t tag_len; /* which of the two */
    union {
        struct umac64_ctx of64;
        struct umac128_ctx of128;
    } u;
};

static void umac_close(struct mac *m)
{
    if (m == NULL)
        return;
    nacre_wipe(m, sizeof *m);
    free(m);
}

static struct mac *umac_open(const struct nacre_crypto *c, const struct mac_alg *alg, const uint8_t *key)
{
    (void)c;
    struct mac *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->tag_len = alg->tag_len;
    if (m->tag_len == UMAC64_DIGEST_SIZE)
        umac64_set_key(&m->u.of64, key);
    else
        umac128_set_key(&m->u.of128, key);
    return m;
}

static bool umac_sum(struct mac *m, uint32_t seq, const uint8_t *packet, size_t len, uint8_t *tag)
{
    uint8_t nonce[NONCE_LEN];
    struct wr w = wr_over(nonce, sizeof nonce);
    wr_u64(&w, seq);
    if (m->tag_len == UMAC64_DIGEST_SIZE) {
        umac64_set_nonce(&m->u.of64, sizeof nonce, nonce);
        umac64_update(&m->u.of64, len, packet);
        umac64_digest(&m->u.of64, UMAC64_DIGEST_SIZE, tag);
    } else {
        umac128_set_nonce(&m->u.of128, sizeof nonce, nonce);
        umac128_update(&m->u.of128, len, packet);
        umac128_digest(&m->u.of128, UMAC128_DIGEST_SIZE, tag);
    }
    return true;
}

const struct mac_ops nacre_mac_umac = {.open = umac_open, .close = umac_close, .sum = umac_sum};

#else

const struct mac_ops nacre_mac_umac = {.open = NULL};

#endif
