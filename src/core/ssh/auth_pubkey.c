/* SPDX-License-Identifier: Apache-2.0 */
/* Publickey requests, RFC 4252 section 7: queries and signatures, and the same bound to our host key, as OpenSSH's
 * PROTOCOL has it. */
#include "ssh/auth.h"
#include "wire/namelist.h"

/* `host_blob`: where the host key goes that the request is bound to; NULL: to none. */
static bool msg_pubkey_read(struct rd *r, const uint8_t *start, struct auth_request *q, struct span *host_blob)
{
    bool is_signed = rd_bool(r);

    q->query = !is_signed;
    q->key_algorithm = rd_string(r, NAME_MAX_LEN);
    q->param = rd_string(r, KEY_BLOB_MAX);
    if (host_blob != NULL)
        *host_blob = rd_string(r, KEY_BLOB_MAX);
    q->signed_part = span_of(start, (size_t)(r->at - start));
    q->signature = is_signed ? rd_string(r, SIGNATURE_MAX) : span_of(NULL, 0);
    return rd_end(r);
}

/* Of a certificate, what needs no clock and no address: whose word it is, for whom, and that we know all it demands
 * (rules R9, R11). Whom it is for is the application's to look at when its authority is one that is only known. */
static bool certificate_is_acceptable(const struct conn *c, struct auth_request *q)
{
    q->is_certificate = nacre_cert_read(q->param, &q->cert);
    if (!q->is_certificate)
        return true;
    q->is_trusted = rd_is_among(c->config->user_authorities, q->cert.authority, KEY_BLOB_MAX) &&
                    nacre_cert_names(&q->cert, q->user);
    return q->cert.kind == CERT_USER && nacre_cert_options_known(&q->cert) &&
           (q->is_trusted || rd_is_among(c->config->known_authorities, q->cert.authority, KEY_BLOB_MAX));
}

struct key *nacre_auth_key(struct conn *c, const struct sig_alg *alg)
{
    const struct auth_request *q = &c->auth->request;
    struct key *key = alg == NULL || !nacre_names_has(span_str(c->config->algorithms.user_signature), q->key_algorithm)
                          ? NULL
                          : nacre_key_from_blob(c->config->crypto, q->param);

    if (key != NULL && nacre_key_fits(key, alg))
        return key;
    nacre_key_unref(key);
    return NULL;
}

static enum step on_request(struct conn *c, struct rd *r, const struct key *bound_to)
{
    struct auth_request *q = &c->auth->request;
    struct span host_blob;

    if (!msg_pubkey_read(r, c->auth->copy.at, q, bound_to == NULL ? NULL : &host_blob))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed publickey request");
    if (bound_to != NULL && !span_eq(host_blob, nacre_key_blob(bound_to))) {
        nacre_conn_log(c, 1, "a publickey request is bound to another host key than ours");
        return nacre_auth_refuse(c, false);
    }
    const struct sig_alg *alg = nacre_sig_find(c->config->crypto, q->key_algorithm);
    struct key *key = nacre_auth_key(c, alg);
    bool acceptable = key != NULL && certificate_is_acceptable(c, q);
    if (acceptable && (!q->query || q->is_certificate))
        return nacre_auth_verify(c, alg, key);
    nacre_key_unref(key);
    return acceptable ? nacre_auth_ask(c) : nacre_auth_refuse(c, false);
}

enum step nacre_auth_pubkey_request(struct conn *c, struct rd *r)
{
    return on_request(c, r, NULL);
}

/* The signed request ends with the host key that the client saw. Another one than ours means that somebody stands
 * between us: what was signed for him is nothing to us. */
enum step nacre_auth_hostbound_request(struct conn *c, struct rd *r)
{
    c->auth->request.method = span_str("publickey");
    return on_request(c, r, c->host_key);
}

/* A query counts as one also when its answer is yes (rule R8). */
enum step nacre_send_pk_ok(struct conn *c)
{
    const struct auth_request *q = &c->auth->request;
    struct packet p;

    if (nacre_auth_is_query_too_many(c))
        return nacre_conn_fail(c, NACRE_E_AUTHENTICATION, "too many authentication queries");
    nacre_packet_open(c, &p, MSG_USERAUTH_60, 8 + q->key_algorithm.len + q->param.len);
    wr_string(&p.w, q->key_algorithm);
    wr_string(&p.w, q->param);
    return nacre_packet_close(c, &p);
}
