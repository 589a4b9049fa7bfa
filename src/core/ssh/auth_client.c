/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of authentication: enough to log into any server by none, password, publickey and
 * keyboard-interactive. One request is out at a time. */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "ssh/conn_priv.h"
#include "wire/namelist.h"

enum {
    SERVER_SIG_ALGS_MAX = 4096
};

enum client_method {
    CLIENT_IDLE,
    CLIENT_NONE,
    CLIENT_PASSWORD,
    CLIENT_PUBKEY,
    CLIENT_QUERY,
    CLIENT_KBDINT
};

struct client {
    enum client_method method; /* of the request that is out */
    bool prompted;             /* INFO_REQUEST waits for responses */
    struct buf user;
    struct buf server_sig_algs;
};

/* A signature over a publickey request. Owns all it touches. */
struct sign_work {
    struct work work;
    const struct nacre_crypto *crypto;
    const struct sig_alg *alg;
    struct key *key;
    struct buf data; /* session id as a string, and the request */
    struct buf signature;
    bool good;
};

static const char *const method_names[] = {
    [CLIENT_IDLE] = "",
    [CLIENT_NONE] = "none",
    [CLIENT_PASSWORD] = "password",
    [CLIENT_PUBKEY] = "publickey",
    [CLIENT_QUERY] = "publickey",
    [CLIENT_KBDINT] = "keyboard-interactive",
};

static struct client *client_get(struct conn *c)
{
    if (c->client != NULL)
        return c->client;
    c->client = calloc(1, sizeof *c->client);
    if (c->client != NULL) {
        nacre_buf_init(&c->client->user, CONN_USER_MAX);
        nacre_buf_init(&c->client->server_sig_algs, SERVER_SIG_ALGS_MAX);
    }
    return c->client;
}

void nacre_client_free(struct conn *c)
{
    if (c->client == NULL)
        return;
    nacre_buf_free(&c->client->user);
    nacre_buf_free(&c->client->server_sig_algs);
    free(c->client);
    c->client = NULL;
}

void nacre_client_server_sig_algs(struct conn *c, struct span names)
{
    struct client *client = client_get(c);

    if (client == NULL || !nacre_names_valid(names))
        return;
    client->server_sig_algs.len = 0;
    (void)nacre_buf_append(&client->server_sig_algs, names.at, names.len);
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

/* True when a request may go out now; notes whose it is. */
static bool begin(struct conn *c, enum client_method method, struct span user)
{
    struct client *client = c->phase == PHASE_AUTH && !conn_is_server(c) && c->holds == 0 ? client_get(c) : NULL;

    if (client == NULL || client->method != CLIENT_IDLE || user.len > CONN_USER_MAX)
        return false;
    client->user.len = 0;
    if (user.len != 0 && !nacre_buf_append(&client->user, user.at, user.len))
        return false;
    client->method = method;
    client->prompted = false;
    return true;
}

static void open_request(struct conn *c, struct packet *p, size_t room)
{
    const struct client *client = c->client;

    nacre_packet_open(c, p, MSG_USERAUTH_REQUEST, 64 + client->user.len + room);
    wr_string(&p->w, buf_span(&client->user));
    wr_cstring(&p->w, "ssh-connection");
    wr_cstring(&p->w, method_names[client->method]);
}

static bool send_request(struct conn *c, struct packet *p)
{
    return nacre_packet_close(c, p) != STEP_CLOSE;
}

bool nacre_conn_auth_none(struct conn *c, struct span user)
{
    struct packet p;

    if (!begin(c, CLIENT_NONE, user))
        return false;
    open_request(c, &p, 0);
    return send_request(c, &p);
}

bool nacre_conn_auth_password(struct conn *c, struct span user, struct span password)
{
    struct packet p;

    if (password.len > CONN_PASSWORD_MAX || !begin(c, CLIENT_PASSWORD, user))
        return false;
    open_request(c, &p, 5 + password.len);
    wr_bool(&p.w, false);
    wr_string(&p.w, password);
    return send_request(c, &p);
}

bool nacre_conn_auth_kbdint(struct conn *c, struct span user)
{
    struct packet p;

    if (!begin(c, CLIENT_KBDINT, user))
        return false;
    open_request(c, &p, 8);
    wr_cstring(&p.w, "");
    wr_cstring(&p.w, "");
    return send_request(c, &p);
}

bool nacre_conn_auth_responses(struct conn *c, const struct span *responses, size_t count)
{
    struct packet p;
    size_t room = 4;

    if (c->client == NULL || !c->client->prompted || count > CONN_KBDINT_PROMPTS)
        return false;
    for (size_t i = 0; i < count; i++)
        room += 4 + responses[i].len;
    if (room > CONN_PAYLOAD_MAX)
        return false;
    c->client->prompted = false;
    nacre_packet_open(c, &p, MSG_USERAUTH_INFO_RESPONSE, room);
    wr_u32(&p.w, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        wr_string(&p.w, responses[i]);
    return send_request(c, &p);
}

/* ---- publickey ---------------------------------------------------------------------------------------------- */

/* The first way to sign with this key that we may use and that the server named; any of ours when it named none. */
static const struct sig_alg *choose_alg(struct conn *c, const struct key *key, const char *wanted)
{
    const struct client *client = client_get(c);
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

    if (sig == NULL || !begin(c, CLIENT_QUERY, user))
        return false;
    open_request(c, &p, 16 + NAME_MAX_LEN + blob.len);
    wr_bool(&p.w, false);
    wr_cstring(&p.w, sig->name);
    wr_string(&p.w, blob);
    return send_request(c, &p);
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

/* RFC 4252 section 7: what is signed. */
static bool write_signed_data(struct conn *c, struct sign_work *w, struct span user)
{
    struct span blob = nacre_key_blob(w->key);
    size_t room = 256 + user.len + blob.len;
    struct wr out = wr_over(nacre_buf_reserve(&w->data, room), room);

    wr_string(&out, span_of(c->session_id, c->session_id_len));
    wr_u8(&out, MSG_USERAUTH_REQUEST);
    wr_string(&out, user);
    wr_cstring(&out, "ssh-connection");
    wr_cstring(&out, "publickey");
    wr_bool(&out, true);
    wr_cstring(&out, w->alg->name);
    wr_string(&out, blob);
    w->data.len = wr_done(&out) ? wr_len(&out) : 0;
    return wr_done(&out);
}

bool nacre_conn_auth_publickey(struct conn *c, struct span user, struct key *key, const char *alg)
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
    if (!write_signed_data(c, w, user) || !begin(c, CLIENT_PUBKEY, user)) {
        sign_free(&w->work);
        return false;
    }
    (void)nacre_conn_work(c, &w->work, sign_done);
    return !conn_is_closing(c);
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static bool is_waiting(const struct conn *c)
{
    return c->client != NULL && c->client->method != CLIENT_IDLE;
}

enum step nacre_on_userauth_failure(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span methods = rd_string(&r, CONN_PACKET_MAX);
    bool partial = rd_bool(&r);

    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_FAILURE");
    if (!is_waiting(c))
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "USERAUTH_FAILURE without a request");
    c->client->method = CLIENT_IDLE;
    c->client->prompted = false;
    nacre_conn_event(c, &(struct conn_event){.type = CONN_AUTH_FAILED, .text = methods, .accepted = partial});
    return STEP_NEXT;
}

enum step nacre_on_userauth_success(struct conn *c, struct span body)
{
    if (body.len != 0)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_SUCCESS");
    if (!is_waiting(c) || c->client->method == CLIENT_QUERY)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "USERAUTH_SUCCESS without a request");
    c->success_is_next = false;
    return nacre_conn_authenticated(c, buf_span(&c->client->user), span_str(method_names[c->client->method]));
}

enum step nacre_on_userauth_banner(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);
    struct span text = rd_string(&r, CONN_PACKET_MAX);

    (void)rd_string(&r, CONN_PACKET_MAX);
    if (!rd_end(&r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_BANNER");
    nacre_conn_event(c, &(struct conn_event){.type = CONN_BANNER, .text = text});
    return STEP_NEXT;
}

static enum step on_info_request(struct conn *c, struct rd *r)
{
    struct conn_prompt prompts[CONN_KBDINT_PROMPTS];
    struct span name = rd_string(r, CONN_PACKET_MAX);
    struct span instruction = rd_string(r, CONN_PACKET_MAX);

    (void)rd_string(r, NAME_MAX_LEN);
    uint32_t count = rd_u32(r);
    if (r->bad || count > CONN_KBDINT_PROMPTS)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_INFO_REQUEST");
    for (uint32_t i = 0; i < count; i++) {
        prompts[i].prompt = rd_string(r, CONN_PACKET_MAX);
        prompts[i].echo = rd_bool(r);
    }
    if (!rd_end(r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_INFO_REQUEST");
    c->client->prompted = true;
    nacre_conn_event(
        c,
        &(struct conn_event){
            .type = CONN_AUTH_PROMPTS, .kind = name, .text = instruction, .prompts = prompts, .prompt_count = count});
    return STEP_NEXT;
}

/* RFC 4252 section 7: PK_OK repeats algorithm and key. */
static enum step on_pk_ok(struct conn *c, struct rd *r)
{
    struct span alg = rd_string(r, NAME_MAX_LEN);
    struct span blob = rd_string(r, KEY_BLOB_MAX);

    if (!rd_end(r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_PK_OK");
    c->client->method = CLIENT_IDLE;
    nacre_conn_event(c, &(struct conn_event){.type = CONN_AUTH_KEY_OK, .key_algorithm = alg, .param = blob});
    return STEP_NEXT;
}

/* Message 60 is whatever the method under way makes of it. A server that wants a new password gets none: the login has
 * failed. */
enum step nacre_on_userauth_60(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);

    switch (c->client == NULL ? CLIENT_IDLE : c->client->method) {
    case CLIENT_QUERY:
        return on_pk_ok(c, &r);
    case CLIENT_KBDINT:
        return on_info_request(c, &r);
    case CLIENT_PASSWORD:
        c->client->method = CLIENT_IDLE;
        nacre_conn_event(c, &(struct conn_event){.type = CONN_AUTH_FAILED, .text = span_str("password")});
        return STEP_NEXT;
    case CLIENT_IDLE:
    case CLIENT_NONE:
    case CLIENT_PUBKEY:
        break;
    }
    return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "message 60 without a request that it could answer");
}
