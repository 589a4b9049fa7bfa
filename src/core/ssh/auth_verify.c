/* SPDX-License-Identifier: Apache-2.0 */
/* The signature of a publickey or hostbased request, RFC 4252 sections 7 and 9.
 *
 * It is checked before the application is asked, so that no decision, early, late or deferred, can admit a key that
 * signed nothing (rules R5, R6). The same goes for an authority's signature in a certificate, which is checked for a
 * query, too: the application never sees a certificate that is not genuine. */
#include <stdlib.h>

#include "base/list.h"
#include "ssh/auth.h"

/* A check of a signature. Owns all it touches. */
struct verify_work {
    struct work work;
    const struct nacre_crypto *crypto;
    const struct sig_alg *alg;
    struct buf signed_data; /* session id as a string, and the request up to the signature */
    struct buf signature;
    struct key *key;
    bool query; /* nothing was signed: only a certificate is checked */
    bool good;
    struct key_user user;
};

static void verify_free(struct work *work)
{
    struct verify_work *w = CONTAINER_OF(work, struct verify_work, work);

    nacre_buf_free(&w->signed_data);
    nacre_key_unref(w->key);
    nacre_buf_free(&w->signature);
    free(w);
}

static void verify_run(struct work *work)
{
    struct verify_work *w = CONTAINER_OF(work, struct verify_work, work);
    struct key_cert cert;

    w->good = w->query || nacre_key_verify_user(w->crypto, w->key, w->alg, buf_span(&w->signed_data),
                                                buf_span(&w->signature), &w->user);
    if (w->good && nacre_cert_read(nacre_key_blob(w->key), &cert))
        w->good = (w->query || nacre_cert_suffices(&cert, w->user)) && nacre_cert_is_signed(w->crypto, &cert);
}

/* Takes over the reference to the key when it succeeds. */
static struct verify_work *verify_new(struct conn *c, const struct sig_alg *alg, struct key *key)
{
    const struct auth_request *q = &c->auth->request;
    struct verify_work *w = calloc(1, sizeof *w);
    uint8_t length[4] = {0, 0, 0, c->session_id_len};

    if (w == NULL)
        return NULL;
    w->work = (struct work){.run = verify_run, .free = verify_free, .slow = alg->slow};
    w->crypto = c->config->crypto;
    w->alg = alg;
    w->query = q->query;
    nacre_buf_init(&w->signed_data, CONN_PACKET_MAX + HASH_MAX + 4);
    nacre_buf_init(&w->signature, SIGNATURE_MAX);
    if (nacre_buf_append(&w->signed_data, length, sizeof length) &&
        nacre_buf_append(&w->signed_data, c->session_id, c->session_id_len) &&
        nacre_buf_append(&w->signed_data, q->signed_part.at, q->signed_part.len) &&
        nacre_buf_append(&w->signature, q->signature.at, q->signature.len)) {
        w->key = key;
        return w;
    }
    verify_free(&w->work);
    return NULL;
}

void nacre_auth_inform(struct conn *c)
{
    const struct auth_request *q = &c->auth->request;

    nacre_conn_event(c, &(struct conn_event){.type = CONN_AUTH_INFORM,
                                             .user = q->user,
                                             .service = q->service,
                                             .method = q->method,
                                             .param = q->param,
                                             .verified = q->verified,
                                             .key_algorithm = q->key_algorithm});
}

static enum step verify_done(struct conn *c, struct work *work)
{
    struct auth_request *q = &c->auth->request;

    const struct verify_work *w = CONTAINER_OF(work, struct verify_work, work);
    bool good = w->good;

    q->verified = good && !q->query;
    q->key_user = w->user;
    if (good)
        return nacre_auth_ask(c);
    if (!q->query)
        nacre_auth_inform(c);
    return nacre_auth_refuse(c, false);
}

enum step nacre_auth_verify(struct conn *c, const struct sig_alg *alg, struct key *key)
{
    struct verify_work *w = verify_new(c, alg, key);

    if (w != NULL)
        return nacre_conn_work(c, &w->work, verify_done);
    nacre_key_unref(key);
    return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for authentication");
}
