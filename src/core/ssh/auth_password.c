/* SPDX-License-Identifier: Apache-2.0 */
/* Password requests, RFC 4252 section 8; a request to change the password brings both. */
#include "ssh/auth.h"

enum {
    CHANGE_PROMPT_MAX = 4096
};

static bool msg_password_read(struct rd *r, struct auth_request *q)
{
    bool change = rd_bool(r);

    q->param = rd_string(r, CONN_PACKET_MAX);
    q->new_password = change ? rd_string(r, CONN_PACKET_MAX) : span_of(NULL, 0);
    return rd_end(r);
}

/* Rule R12: an over-long password is a wrong one, and no code behind here has to cope with it or with a NUL. */
static bool is_plausible(struct span password)
{
    return password.len <= CONN_PASSWORD_MAX && !span_has_nul(password);
}

enum step nacre_auth_password_request(struct conn *c, struct rd *r)
{
    struct auth_request *q = &c->auth->request;

    if (!msg_password_read(r, q))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed password request");
    if (!is_plausible(q->param) || !is_plausible(q->new_password))
        return nacre_auth_refuse(c, false);
    return nacre_auth_ask(c);
}

/* It is no failure, as the password may have been right; nor does it let in. */
enum step nacre_auth_ask_new_password(struct conn *c, const char *prompt)
{
    struct span text = span_str(prompt);
    struct packet p;

    if (text.len > CHANGE_PROMPT_MAX)
        return nacre_conn_fail(c, NACRE_E_INVAL, "the prompt for a new password is too long");
    if (nacre_auth_is_query_too_many(c))
        return nacre_conn_fail(c, NACRE_E_AUTHENTICATION, "too many requests to change the password");
    nacre_packet_open(c, &p, MSG_USERAUTH_60, 8 + text.len);
    wr_string(&p.w, text);
    wr_cstring(&p.w, ""); /* language tag */
    nacre_buf_wipe(&c->auth->copy);
    return nacre_packet_close(c, &p);
}
