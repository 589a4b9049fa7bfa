/* SPDX-License-Identifier: Apache-2.0 */
/* The client's requests by key: publickey, the same bound to the server's host key where it takes that, and hostbased;
 * RFC 4252 sections 7 and 9. */
#include <stdlib.h>

#include "base/list.h"
#include "ssh/auth_client.h"
#include "wire/namelist.h"

/* A signature over a request. Owns all it touches. */
struct sign_work {
    struct work work;
    const struct nacre_crypto *crypto;
    const struct sig_alg *alg;
    struct key *key;
    struct buf data; /* session id as a string, and the request */
    struct buf signature;
    bool good;
};

/* Who wants in; hostbased: the client's own side of it, too. */
struct claim {
    enum client_method method;
    struct span user, client_host, client_user;
};

/* The first way to sign with this key that we may use and that the server named; any of ours when it named none. */
static const struct sig_alg *choose_alg(struct conn *c, const struct key *key, const char *wanted)
{
    const struct client *client = nacre_client_get(c);
    struct span names = span_str(wanted != NULL ? wanted : c->config->algorithms.user_signature), name;

    while (client != NULL && nacre_names_next(&names, &name)) {
        const struct sig_alg *alg = nacre_sig_find(c->config->crypto, name);
        if (alg == NULL || !nacre_key_fits(key, alg))
            continue;
        if (wanted != NULL || client->server_sig_algs.len == 0 ||
            nacre_names_has(buf_span(&client->server_sig_algs), name))
            return alg;
    }
    return NULL;
}

bool nacre_conn_auth_query(struct conn *c, struct span user, struct key *key, const char *alg)
{
    const struct sig_alg *sig = choose_alg(c, key, alg);
    struct span blob = nacre_key_blob(key);
    struct packet p;

    if (sig == NULL || !nacre_client_begin(c, CLIENT_QUERY, user))
        return false;
    nacre_client_open_request(c, &p, 16 + NAME_MAX_LEN + blob.len);
    wr_bool(&p.w, false);
    wr_cstring(&p.w, sig->name);
    wr_string(&p.w, blob);
    return nacre_packet_close(c, &p) != STEP_CLOSE;
}

static void sign_free(struct work *work)
{
    struct sign_work *w = CONTAINER_OF(work, struct sign_work, work);

    nacre_key_unref(w->key);
    nacre_buf_free(&w->data);
    nacre_buf_free(&w->signature);
    free(w);
}

static void sign_run(struct work *work)
{
    struct sign_work *w = CONTAINER_OF(work, struct sign_work, work);

    w->good = nacre_key_sign(w->crypto, w->key, w->alg, buf_span(&w->data), &w->signature);
}

static enum step sign_done(struct conn *c, struct work *work)
{
    struct sign_work *w = CONTAINER_OF(work, struct sign_work, work);
    struct span request = buf_span(&w->data);
    size_t skip = 4 + (size_t)c->session_id_len + 1;
    struct packet p;

    if (!w->good)
        return nacre_conn_fail(c, NACRE_E_CRYPTO, "the user's key could not sign");
    nacre_packet_open(c, &p, MSG_USERAUTH_REQUEST, request.len + 4 + w->signature.len);
    wr_bytes(&p.w, request.at + skip, request.len - skip);
    wr_string(&p.w, buf_span(&w->signature));
    return nacre_packet_close(c, &p);
}

/* RFC 4252 section 7; OpenSSH's PROTOCOL: the host key that we saw stands behind ours. */
static void write_publickey(struct conn *c, struct wr *out, const struct sign_work *w)
{
    bool bound = c->client->hostbound && c->host_key != NULL;

    wr_cstring(out, bound ? "publickey-hostbound-v00@openssh.com" : "publickey");
    wr_bool(out, true);
    wr_cstring(out, w->alg->name);
    wr_string(out, nacre_key_blob(w->key));
    if (bound)
        wr_string(out, nacre_key_blob(c->host_key));
}

/* RFC 4252 section 9. */
static void write_hostbased(struct wr *out, const struct sign_work *w, const struct claim *claim)
{
    wr_cstring(out, "hostbased");
    wr_cstring(out, w->alg->name);
    wr_string(out, nacre_key_blob(w->key));
    wr_string(out, claim->client_host);
    wr_string(out, claim->client_user);
}

static bool write_signed_data(struct conn *c, struct sign_work *w, const struct claim *claim)
{
    size_t host_key = c->host_key == NULL ? 0 : nacre_key_blob(c->host_key).len;
    size_t room =
        256 + claim->user.len + nacre_key_blob(w->key).len + host_key + claim->client_host.len + claim->client_user.len;
    struct wr out = wr_over(nacre_buf_reserve(&w->data, room), room);

    wr_string(&out, span_of(c->session_id, c->session_id_len));
    wr_u8(&out, MSG_USERAUTH_REQUEST);
    wr_string(&out, claim->user);
    wr_cstring(&out, "ssh-connection");
    if (claim->method == CLIENT_HOSTBASED)
        write_hostbased(&out, w, claim);
    else
        write_publickey(c, &out, w);
    w->data.len = wr_done(&out) ? wr_len(&out) : 0;
    return wr_done(&out);
}

static bool sign(struct conn *c, const struct claim *claim, struct key *key, const char *alg)
{
    const struct sig_alg *sig = nacre_key_is_private(key) ? choose_alg(c, key, alg) : NULL;
    struct sign_work *w = sig == NULL ? NULL : calloc(1, sizeof *w);

    if (w == NULL)
        return false;
    w->work = (struct work){.run = sign_run, .free = sign_free, .slow = sig->slow || nacre_key_is_slow(key)};
    w->crypto = c->config->crypto;
    w->alg = sig;
    w->key = nacre_key_ref(key);
    nacre_buf_init(&w->data, CONN_PACKET_MAX);
    nacre_buf_init(&w->signature, SIGNATURE_MAX);
    if (!write_signed_data(c, w, claim) || !nacre_client_begin(c, claim->method, claim->user)) {
        sign_free(&w->work);
        return false;
    }
    (void)nacre_conn_work(c, &w->work, sign_done);
    return !conn_is_closing(c);
}

bool nacre_conn_auth_publickey(struct conn *c, struct span user, struct key *key, const char *alg)
{
    return sign(c, &(struct claim){.method = CLIENT_PUBKEY, .user = user}, key, alg);
}

bool nacre_conn_auth_hostbased(struct conn *c, struct span user, struct key *key, const char *alg,
                               struct span client_host, struct span client_user)
{
    const struct claim claim = {
        .method = CLIENT_HOSTBASED, .user = user, .client_host = client_host, .client_user = client_user};

    return sign(c, &claim, key, alg);
}
