/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of authentication, RFC 4252: which method a request goes to, what is counted, and what becomes of
 * an answer.
 *
 * A request is copied before it is looked at, because the answer may come much later; the copy is wiped with it. One
 * request is decided at a time (the question holds the connection), so an answer always belongs to the request that is
 * there. */
#include "ssh/auth.h"

#include <stdlib.h>
#include <string.h>

#include "ssh/hostkeys.h"
#include "wire/namelist.h"

/* clang-format off */
static const struct auth_method {
    const char *name;
    const char *offered; /* its name in lists; NULL: not refused for lack of being offered, RFC 4252 section 5.2 */
    enum step (*request)(struct conn *c, struct rd *r);
} methods[] = {
    {"none",                               NULL,                   nacre_auth_none_request},
    {"password",                           "password",             nacre_auth_password_request},
    {"publickey",                          "publickey",            nacre_auth_pubkey_request},
    {"publickey-hostbound-v00@openssh.com", "publickey",           nacre_auth_hostbound_request},
    {"hostbased",                          "hostbased",            nacre_auth_hostbased_request},
    {"keyboard-interactive",               "keyboard-interactive", nacre_auth_kbdint_request},
};
/* clang-format on */

struct auth *nacre_auth_get(struct conn *c)
{
    struct auth *a = c->auth;

    if (a != NULL)
        return a;
    a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    nacre_buf_init(&a->copy, CONN_PACKET_MAX);
    nacre_buf_init(&a->user, CONN_USER_MAX);
    nacre_buf_init(&a->methods, AUTH_METHODS_MAX);
    nacre_buf_init(&a->prompt_text, AUTH_PROMPTS_MAX);
    nacre_buf_init(&a->banner, AUTH_BANNER_MAX);
    c->auth = a;
    return a;
}

void nacre_auth_free(struct conn *c)
{
    struct auth *a = c->auth;

    if (a == NULL)
        return;
    c->auth = NULL;
    nacre_buf_wipe(&a->copy);
    nacre_buf_free(&a->user);
    nacre_buf_free(&a->methods);
    nacre_buf_free(&a->prompt_text);
    nacre_buf_free(&a->banner);
    nacre_wipe(a, sizeof *a);
    free(a);
}

bool nacre_conn_set_banner(struct conn *c, const char *text)
{
    struct auth *a = conn_is_server(c) && c->phase < PHASE_OPEN ? nacre_auth_get(c) : NULL;

    if (a == NULL)
        return false;
    a->banner.len = 0;
    return text == NULL || nacre_buf_append(&a->banner, text, strlen(text));
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static bool set_text(struct buf *b, struct span text)
{
    b->len = 0;
    return text.len == 0 || nacre_buf_append(b, text.at, text.len);
}

/* Rule R7: what one user has reached is worth nothing to another. */
static bool begin_user(struct conn *c, struct auth *a)
{
    if (a->methods_set && span_eq(a->request.user, buf_span(&a->user)))
        return true;
    a->methods_set = true;
    return set_text(&a->user, a->request.user) && set_text(&a->methods, span_str(c->config->auth_methods));
}

static const struct auth_method *find_method(const struct auth *a)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const struct auth_method *m = &methods[i];
        if (span_is(a->request.method, m->name))
            return m->offered == NULL || nacre_names_has(buf_span(&a->methods), span_str(m->offered)) ? m : NULL;
    }
    return NULL;
}

enum step nacre_on_userauth_request(struct conn *c, struct span body)
{
    struct auth *a;
    static const uint8_t number = MSG_USERAUTH_REQUEST;

    /* RFC 4252 section 5.1: requests after the success are ignored. */
    if (c->phase == PHASE_OPEN)
        return STEP_NEXT;
    a = nacre_auth_get(c);
    if (a == NULL)
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for authentication");
    nacre_buf_wipe(&a->copy);
    a->request = (struct auth_request){.query = false};
    /* RFC 4256 section 3.1: a new request abandons the old one, which is a failed attempt like others (rule R8). */
    if (a->prompting && ++a->failures >= c->config->max_auth_attempts && c->config->max_auth_attempts != 0)
        return nacre_conn_fail(c, NACRE_E_AUTHENTICATION, "too many authentication failures");
    a->prompting = false;
    if (!nacre_buf_append(&a->copy, &number, 1) || !nacre_buf_append(&a->copy, body.at, body.len))
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for authentication");

    struct rd r = rd_over(span_of(a->copy.at + 1, a->copy.len - 1));
    a->request.user = rd_string(&r, CONN_USER_MAX);
    a->request.service = rd_string(&r, NAME_MAX_LEN);
    a->request.method = rd_string(&r, NAME_MAX_LEN);
    if (r.bad)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_REQUEST");
    if (!span_is(a->request.service, "ssh-connection"))
        return nacre_conn_fail(c, NACRE_E_SERVICE, "no such service behind authentication");
    if (!begin_user(c, a))
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for authentication");
    const struct auth_method *method = find_method(a);
    if (method == NULL || span_has_nul(a->request.user))
        return nacre_auth_refuse(c, false);
    return method->request(c, &r);
}

enum step nacre_auth_none_request(struct conn *c, struct rd *r)
{
    return rd_end(r) ? nacre_auth_ask(c) : nacre_conn_fail(c, NACRE_E_PACKET, "malformed none request");
}

enum step nacre_auth_ask(struct conn *c)
{
    const struct auth_request *q = &c->auth->request;

    return nacre_conn_ask(c, ASK_AUTH,
                          &(struct conn_event){.type = CONN_AUTH_REQUEST,
                                               .user = q->user,
                                               .service = q->service,
                                               .method = q->method,
                                               .param = q->param,
                                               .new_password = q->new_password,
                                               .key_algorithm = q->key_algorithm,
                                               .client_host = q->client_host,
                                               .client_user = q->client_user,
                                               .cert = q->is_certificate ? &q->cert : NULL,
                                               .cert_trusted = q->is_certificate && q->is_trusted,
                                               .query = q->query,
                                               .verified = q->verified,
                                               .key_user = q->key_user});
}

enum step nacre_resume_auth(struct conn *c, const struct ask *ask, const struct conn_answer *answer)
{
    (void)ask;
    return span_is(c->auth->request.method, "keyboard-interactive") ? nacre_auth_kbdint_answer(c, answer)
                                                                    : nacre_auth_decide(c, answer);
}

/* ---- verdicts ----------------------------------------------------------------------------------------------- */

static enum step send_banner(struct conn *c, struct auth *a)
{
    struct packet p;

    if (a->banner.len == 0)
        return STEP_NEXT;
    nacre_packet_open(c, &p, MSG_USERAUTH_BANNER, 8 + a->banner.len);
    wr_string(&p.w, buf_span(&a->banner));
    wr_cstring(&p.w, "");
    nacre_buf_free(&a->banner);
    return nacre_packet_close(c, &p);
}

/* Rule R6: whatever the answer says, an unverified key opens nothing. */
static bool is_proven(const struct auth_request *q)
{
    bool by_key = span_is(q->method, "publickey") || span_is(q->method, "hostbased");

    return !q->query && (q->verified || !by_key);
}

static enum step succeed(struct conn *c)
{
    struct auth *a = c->auth;

    if (!is_proven(&a->request))
        return nacre_auth_refuse(c, false);
    if (send_banner(c, a) == STEP_CLOSE || nacre_packet_empty(c, MSG_USERAUTH_SUCCESS) == STEP_CLOSE)
        return STEP_CLOSE;
    return nacre_conn_authenticated(c, a->request.user, a->request.method);
}

/* Rule R10. What a certificate wants was looked at before anybody was asked. */
static bool key_user_suffices(const struct auth_request *q, const struct conn_answer *answer)
{
    return !q->verified || q->is_certificate ||
           ((q->key_user.present || answer->no_touch_required) && (q->key_user.verified || !answer->verify_required));
}

enum step nacre_auth_decide(struct conn *c, const struct conn_answer *answer)
{
    struct auth *a = c->auth;
    struct span wanted = answer->available_methods;

    /* Either says that the key would do: as the only factor, or as one of several. What comes next is said again when
     * it has signed; until then it has to stay among the methods. */
    if (a->request.query && (answer->accept || answer->partial_success))
        return nacre_send_pk_ok(c);
    if ((answer->accept || answer->partial_success) && !key_user_suffices(&a->request, answer)) {
        nacre_conn_log(c, 1, "a security key's user did not touch it, or was not verified");
        a->request.verified = false;
        nacre_auth_inform(c);
        return nacre_auth_refuse(c, false);
    }
    if (wanted.len != 0 && nacre_names_valid(wanted) && !set_text(&a->methods, wanted))
        return nacre_conn_fail(c, NACRE_E_INVAL, "the list of available methods is too long");
    if (a->request.verified && (answer->accept || answer->partial_success))
        nacre_auth_inform(c);
    if (answer->change_prompt != NULL && span_is(a->request.method, "password"))
        return nacre_auth_ask_new_password(c, answer->change_prompt);
    if (answer->partial_success && is_proven(&a->request))
        return nacre_auth_refuse(c, true);
    return answer->accept && !answer->partial_success ? succeed(c) : nacre_auth_refuse(c, false);
}

bool nacre_auth_is_query_too_many(struct conn *c)
{
    unsigned max = c->config->max_auth_attempts;

    return ++c->auth->queries > (max > AUTH_QUERIES_MIN ? max : AUTH_QUERIES_MIN);
}

/* Rule R8: failures count, but for the first "none"; queries and partial successes have a larger cap of their own. */
static bool is_too_many(struct conn *c, struct auth *a, bool partial)
{
    unsigned max = c->config->max_auth_attempts;

    if (partial || a->request.query)
        return nacre_auth_is_query_too_many(c);
    if (span_is(a->request.method, "none") && !a->none_seen) {
        a->none_seen = true;
        return false;
    }
    return max != 0 && ++a->failures >= max;
}

enum step nacre_auth_refuse(struct conn *c, bool partial)
{
    struct auth *a = c->auth;
    struct packet p;

    a->prompting = false;
    if (is_too_many(c, a, partial))
        return nacre_conn_fail(c, NACRE_E_AUTHENTICATION, "too many authentication failures");
    if (send_banner(c, a) == STEP_CLOSE)
        return STEP_CLOSE;
    nacre_packet_open(c, &p, MSG_USERAUTH_FAILURE, 5 + a->methods.len);
    wr_string(&p.w, buf_span(&a->methods));
    wr_bool(&p.w, partial);
    nacre_buf_wipe(&a->copy);
    return nacre_packet_close(c, &p);
}

enum step nacre_conn_authenticated(struct conn *c, struct span user, struct span method)
{
    char name[NAME_MAX_LEN + 1];
    struct wr w = wr_over(name, sizeof name);

    c->user = malloc(user.len + 1);
    struct wr u = wr_over(c->user, user.len + 1);
    wr_bytes(&u, user.at, user.len);
    wr_u8(&u, 0);
    wr_bytes(&w, method.at, method.len);
    if (!wr_done(&u) || !wr_done(&w) || !nacre_keys_start_delayed(c))
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory after login");
    struct span known = wr_span(&w);
    nacre_auth_free(c);
    nacre_client_free(c);
    nacre_key_unref(c->host_key);
    c->host_key = NULL;
    nacre_conn_enter(c, PHASE_OPEN);
    c->grace_due_ns = INT64_MAX;
    nacre_conn_status(c, "Authenticated.");
    nacre_conn_event(c, &(struct conn_event){.type = CONN_AUTHENTICATED, .user = span_str(c->user), .method = known});
    return conn_is_server(c) ? nacre_hostkeys_announce(c) : STEP_NEXT;
}
