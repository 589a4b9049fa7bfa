/* SPDX-License-Identifier: Apache-2.0 */
/* What protects one direction, from derivation (kex.c) to the next NEWKEYS. */
#include "ssh/conn_priv.h"

void nacre_keys_free(struct keys *k)
{
    if (k->cipher != NULL)
        k->cipher_alg->ops->close(k->cipher);
    if (k->mac != NULL)
        k->mac_alg->ops->close(k->mac);
    if (k->comp != NULL)
        k->comp_alg->ops->close(k->comp);
    *k = (struct keys){.cipher = NULL};
}

static bool start_compression(struct keys *k, bool deflate)
{
    if (k->comp != NULL || k->comp_alg == NULL || k->comp_alg->ops == NULL)
        return true;
    k->comp = k->comp_alg->ops->open(deflate);
    return k->comp != NULL;
}

bool nacre_keys_install(struct conn *c, struct direction *d, struct keys *k)
{
    bool is_delayed = k->comp_alg != NULL && k->comp_alg->delayed && c->phase != PHASE_OPEN;

    nacre_keys_free(&d->keys);
    d->keys = *k;
    *k = (struct keys){.cipher = NULL};
    d->packets = d->bytes = 0;
    if (c->strict)
        d->seq = 0;
    return is_delayed || start_compression(&d->keys, d == &c->out);
}

bool nacre_keys_start_delayed(struct conn *c)
{
    return start_compression(&c->out.keys, true) && start_compression(&c->in.keys, false);
}
