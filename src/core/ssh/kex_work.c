/* SPDX-License-Identifier: Apache-2.0 */
/* The computation of a key exchange, RFC 4253 section 8 and RFC 5656 section 4, apart from the connection so that any
 * thread may run it. */
#include <stdlib.h>

#include "base/list.h"
#include "ssh/kex.h"

static void kex_work_free(struct work *work)
{
    struct kex_work *w = nacre_kex_work_of(work);

    nacre_key_unref(w->host_key);
    if (w->state != NULL)
        w->alg->ops->free(w->state);
    free(w->asked);
    nacre_buf_free(&w->transcript);
    nacre_buf_free(&w->ours);
    nacre_buf_free(&w->theirs);
    nacre_buf_free(&w->host_blob);
    nacre_buf_free(&w->signature);
    nacre_wipe(w, sizeof *w);
    free(w);
}

struct kex_work *nacre_kex_work_of(struct work *work)
{
    return CONTAINER_OF(work, struct kex_work, work);
}

struct kex_work *nacre_kex_work_new(struct conn *c, struct kex *kex, void (*run)(struct work *work))
{
    struct kex_work *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->work = (struct work){.run = run, .free = kex_work_free, .slow = kex->alg->slow};
    w->crypto = c->config->crypto;
    w->alg = kex->alg;
    w->sig_alg = kex->sig_alg;
    nacre_buf_init(&w->transcript, KEX_TRANSCRIPT_MAX);
    nacre_buf_init(&w->ours, KEX_PUBLIC_MAX);
    nacre_buf_init(&w->theirs, KEX_PUBLIC_MAX);
    nacre_buf_init(&w->host_blob, KEY_BLOB_MAX);
    nacre_buf_init(&w->signature, SIGNATURE_MAX);
    return w;
}

void nacre_kex_run_start(struct work *work)
{
    struct kex_work *w = nacre_kex_work_of(work);

    w->state = w->alg->ops->start(w->crypto, w->alg, w->asked == NULL ? NULL : &w->asked->group, &w->ours);
    if (w->state == NULL)
        w->failure = "a key pair for the exchange could not be made";
}

static bool append_string(struct buf *b, struct span s)
{
    uint8_t length[4];
    struct wr w = wr_over(length, sizeof length);

    wr_u32(&w, (uint32_t)s.len);
    return nacre_buf_append(b, length, sizeof length) && nacre_buf_append(b, s.at, s.len);
}

/* H = hash(V_C || V_S || I_C || I_S || K_S || what was asked || public of client || public of server || K). */
static bool exchange_hash(struct kex_work *w, struct span client, struct span server)
{
    if (!append_string(&w->transcript, buf_span(&w->host_blob)) ||
        (w->asked != NULL && !nacre_kex_asked_write(w->asked, &w->transcript)) ||
        !append_string(&w->transcript, client) || !append_string(&w->transcript, server))
        return false;
    struct span parts[2] = {buf_span(&w->transcript), span_of(w->shared.bytes, w->shared.len)};
    return nacre_hash(w->crypto, w->alg->hash, parts, 2, w->hash);
}

static bool agree(struct kex_work *w)
{
    /* The method checks the value itself, the rules of an mpint included (rule R35). */
    if (!w->alg->ops->finish(w->state, buf_span(&w->theirs), &w->shared)) {
        w->failure = "the peer's public value is not acceptable";
        return false;
    }
    w->alg->ops->free(w->state);
    w->state = NULL;
    return true;
}

/* As agree(), without a value of ours before the client's is known. */
static bool respond(struct kex_work *w)
{
    if (w->alg->ops->respond(w->crypto, w->alg, buf_span(&w->theirs), &w->ours, &w->shared))
        return true;
    w->failure = "the peer's public value is not acceptable";
    return false;
}

void nacre_kex_run_server(struct work *work)
{
    struct kex_work *w = nacre_kex_work_of(work);
    struct span blob = nacre_key_blob(w->host_key);

    if (w->alg->ops->respond == NULL)
        nacre_kex_run_start(work);
    if (w->failure != NULL || !(w->alg->ops->respond == NULL ? agree(w) : respond(w)))
        return;
    if (!nacre_buf_append(&w->host_blob, blob.at, blob.len) ||
        !exchange_hash(w, buf_span(&w->theirs), buf_span(&w->ours))) {
        w->failure = "the exchange hash could not be computed";
        return;
    }
    if (!nacre_key_sign(w->crypto, w->host_key, w->sig_alg, span_of(w->hash, nacre_hash_size(w->alg->hash)),
                        &w->signature))
        w->failure = "the host key could not sign";
}

void nacre_kex_run_client(struct work *work)
{
    struct kex_work *w = nacre_kex_work_of(work);

    if (!agree(w))
        return;
    if (!exchange_hash(w, buf_span(&w->ours), buf_span(&w->theirs))) {
        w->failure = "the exchange hash could not be computed";
        return;
    }
    w->host_key = nacre_key_from_blob(w->crypto, buf_span(&w->host_blob));
    w->signature_is_bad = w->host_key == NULL || !nacre_key_fits(w->host_key, w->sig_alg) ||
                          !nacre_key_verify(w->crypto, w->host_key, w->sig_alg,
                                            span_of(w->hash, nacre_hash_size(w->alg->hash)), buf_span(&w->signature));
    if (w->signature_is_bad)
        w->failure = "the server's signature is not good";
}
