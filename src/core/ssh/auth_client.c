/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of authentication: requests without a signature, and every answer. */
#include "ssh/auth_client.h"

#include <stdlib.h>

#include "wire/namelist.h"

static const char *const method_names[] = {
    [CLIENT_IDLE] = "",
    [CLIENT_NONE] = "none",
    [CLIENT_PASSWORD] = "password",
    [CLIENT_PUBKEY] = "publickey",
    [CLIENT_QUERY] = "publickey",
    [CLIENT_KBDINT] = "keyboard-interactive",
    [CLIENT_HOSTBASED] = "hostbased",
};

struct client *nacre_client_get(struct conn *c)
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
    struct client *client = nacre_client_get(c);

    if (client == NULL || !nacre_names_valid(names))
        return;
    client->server_sig_algs.len = 0;
    (void)nacre_buf_append(&client->server_sig_algs, names.at, names.len);
}

void nacre_client_hostbound(struct conn *c)
{
    struct client *client = nacre_client_get(c);

    if (client != NULL)
        client->hostbound = true;
}

bool nacre_client_has_asked(const struct conn *c)
{
    return c->client != NULL && c->client->asked;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

bool nacre_client_begin(struct conn *c, enum client_method method, struct span user)
{
    struct client *client = c->phase == PHASE_AUTH && !conn_is_server(c) && c->holds == 0 ? nacre_client_get(c) : NULL;

    if (client == NULL || client->method != CLIENT_IDLE || user.len > CONN_USER_MAX)
        return false;
    client->user.len = 0;
    if (user.len != 0 && !nacre_buf_append(&client->user, user.at, user.len))
        return false;
    client->method = method;
    client->asked = true;
    client->prompted = false;
    return true;
}

void nacre_client_open_request(struct conn *c, struct packet *p, size_t room)
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

    if (!nacre_client_begin(c, CLIENT_NONE, user))
        return false;
    nacre_client_open_request(c, &p, 0);
    return send_request(c, &p);
}

bool nacre_conn_auth_password(struct conn *c, struct span user, struct span password)
{
    struct packet p;

    if (password.len > CONN_PASSWORD_MAX || !nacre_client_begin(c, CLIENT_PASSWORD, user))
        return false;
    nacre_client_open_request(c, &p, 5 + password.len);
    wr_bool(&p.w, false);
    wr_string(&p.w, password);
    return send_request(c, &p);
}

bool nacre_conn_auth_change(struct conn *c, struct span user, struct span password, struct span new_password)
{
    struct packet p;

    if (password.len > CONN_PASSWORD_MAX || new_password.len > CONN_PASSWORD_MAX ||
        !nacre_client_begin(c, CLIENT_PASSWORD, user))
        return false;
    nacre_client_open_request(c, &p, 9 + password.len + new_password.len);
    wr_bool(&p.w, true);
    wr_string(&p.w, password);
    wr_string(&p.w, new_password);
    return send_request(c, &p);
}

bool nacre_conn_auth_kbdint(struct conn *c, struct span user)
{
    struct packet p;

    if (!nacre_client_begin(c, CLIENT_KBDINT, user))
        return false;
    nacre_client_open_request(c, &p, 8);
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

/* RFC 4252 section 8. */
static enum step on_change_request(struct conn *c, struct rd *r)
{
    struct span prompt = rd_string(r, CONN_PACKET_MAX);

    (void)rd_string(r, CONN_PACKET_MAX); /* language tag */
    if (!rd_end(r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_PASSWD_CHANGEREQ");
    c->client->method = CLIENT_IDLE;
    nacre_conn_event(c, &(struct conn_event){.type = CONN_AUTH_CHANGE, .text = prompt});
    return STEP_NEXT;
}

/* Message 60 is whatever the method under way makes of it. */
enum step nacre_on_userauth_60(struct conn *c, struct span body)
{
    struct rd r = rd_over(body);

    switch (c->client == NULL ? CLIENT_IDLE : c->client->method) {
    case CLIENT_QUERY:
        return on_pk_ok(c, &r);
    case CLIENT_KBDINT:
        return on_info_request(c, &r);
    case CLIENT_PASSWORD:
        return on_change_request(c, &r);
    case CLIENT_IDLE:
    case CLIENT_NONE:
    case CLIENT_PUBKEY:
    case CLIENT_HOSTBASED:
        break;
    }
    return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "message 60 without a request that it could answer");
}
