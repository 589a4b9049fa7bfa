/* SPDX-License-Identifier: Apache-2.0 */
/* Publickey requests, RFC 4252 section 7: queries and signatures.
 *
 * The signature is checked before the application is asked, so that no decision, early, late or deferred, can admit a
 * key that signed nothing (rules R5, R6). The same goes for an authority's signature in a certificate, which is checked
 * for a query, too: the application never sees a certificate that is not genuine. */
#include <stdlib.h>

#include "base/list.h"
#include "ssh/auth.h"
#include "wire/namelist.h"

/* A check of a signature. Owns all it touches. */
struct verify_work {
    struct work work;
    const struct nacre_crypto *crypto;
    const struct sig_alg *alg;
    struct buf signed_data; /* session id as a string, and the request up to the signature */
    struct buf blob, signature;
    bool query; /* nothing was signed: only a certificate is checked */
    bool good;
};

static bool msg_pubkey_read(struct rd *r, const uint8_t *start, struct auth_request *q)
{
    bool is_signed = rd_bool(r);

    q->query = !is_signed;
    q->key_algorithm = rd_string(r, NAME_MAX_LEN);
    q->param = rd_string(r, KEY_BLOB_MAX);
    q->signed_part = span_of(start, (size_t)(r->at - start));
    q->signature = is_signed ? rd_string(r, SIGNATURE_MAX) : span_of(NULL, 0);
    return rd_end(r);
}

static void verify_free(struct work *work)
{
    struct verify_work *w = CONTAINER_OF(work, struct verify_work, work);

    nacre_buf_free(&w->signed_data);
    nacre_buf_free(&w->blob);
    nacre_buf_free(&w->signature);
    free(w);
}

static void verify_run(struct work *work)
{
    struct verify_work *w = CONTAINER_OF(work, struct verify_work, work);
    struct key *key = nacre_key_from_blob(w->crypto, buf_span(&w->blob));

    struct key_cert cert;

    w->good =
        key != NULL && nacre_key_fits(key, w->alg) &&
        (w->query || nacre_key_verify(w->crypto, key, w->alg, buf_span(&w->signed_data), buf_span(&w->signature))) &&
        (!nacre_cert_read(buf_span(&w->blob), &cert) || nacre_cert_is_signed(w->crypto, &cert));
    nacre_key_unref(key);
}

static struct verify_work *verify_new(struct conn *c, const struct sig_alg *alg)
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
    nacre_buf_init(&w->blob, KEY_BLOB_MAX);
    nacre_buf_init(&w->signature, SIGNATURE_MAX);
    if (nacre_buf_append(&w->signed_data, length, sizeof length) &&
        nacre_buf_append(&w->signed_data, c->session_id, c->session_id_len) &&
        nacre_buf_append(&w->signed_data, q->signed_part.at, q->signed_part.len) &&
        nacre_buf_append(&w->blob, q->param.at, q->param.len) &&
        nacre_buf_append(&w->signature, q->signature.at, q->signature.len))
        return w;
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

    bool good = CONTAINER_OF(work, struct verify_work, work)->good;

    q->verified = good && !q->query;
    if (good)
        return nacre_auth_ask(c);
    if (!q->query)
        nacre_auth_inform(c);
    return nacre_auth_refuse(c, false);
}

static bool is_trusted(const struct conn *c, struct span authority)
{
    struct rd r = rd_over(c->config->user_authorities);

    while (!r.bad && r.at != r.end) {
        if (span_eq(rd_string(&r, KEY_BLOB_MAX), authority))
            return true;
    }
    return false;
}

/* Of a certificate, what needs no clock and no address: whose word it is, for whom, and that we know all it demands
 * (rules R9, R11). */
static bool certificate_is_acceptable(const struct conn *c, struct auth_request *q)
{
    q->is_certificate = nacre_cert_read(q->param, &q->cert);
    return !q->is_certificate || (q->cert.kind == CERT_USER && is_trusted(c, q->cert.authority) &&
                                  nacre_cert_names(&q->cert, q->user) && nacre_cert_options_known(&q->cert));
}

/* A key worth asking about: an accepted algorithm, and a well-formed key of its type (rules R9, R25). */
static bool key_is_acceptable(struct conn *c, const struct sig_alg *alg)
{
    struct auth_request *q = &c->auth->request;
    struct key *key = alg == NULL || !nacre_names_has(span_str(c->config->algorithms.user_signature), q->key_algorithm)
                          ? NULL
                          : nacre_key_from_blob(c->config->crypto, q->param);
    bool fits = key != NULL && nacre_key_fits(key, alg) && certificate_is_acceptable(c, q);

    nacre_key_unref(key);
    return fits;
}

enum step nacre_auth_pubkey_request(struct conn *c, struct rd *r)
{
    struct auth_request *q = &c->auth->request;

    if (!msg_pubkey_read(r, c->auth->copy.at, q))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed publickey request");
    const struct sig_alg *alg = nacre_sig_find(c->config->crypto, q->key_algorithm);
    if (!key_is_acceptable(c, alg))
        return nacre_auth_refuse(c, false);
    if (q->query && !q->is_certificate)
        return nacre_auth_ask(c);
    struct verify_work *w = verify_new(c, alg);
    return w == NULL ? nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for authentication")
                     : nacre_conn_work(c, &w->work, verify_done);
}

/* A query counts as one also when its answer is yes (rule R8). */
enum step nacre_send_pk_ok(struct conn *c)
{
    const struct auth_request *q = &c->auth->request;
    struct packet p;

    if (++c->auth->queries > AUTH_QUERIES_MIN && c->auth->queries > c->config->max_auth_attempts)
        return nacre_conn_fail(c, NACRE_E_AUTHENTICATION, "too many authentication queries");
    nacre_packet_open(c, &p, MSG_USERAUTH_60, 8 + q->key_algorithm.len + q->param.len);
    wr_string(&p.w, q->key_algorithm);
    wr_string(&p.w, q->param);
    return nacre_packet_close(c, &p);
}
