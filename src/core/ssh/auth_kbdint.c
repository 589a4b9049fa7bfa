/* SPDX-License-Identifier: Apache-2.0 */
/* keyboard-interactive, RFC 4256, the server's side.
 *
 * Each response is a question of its own, then comes one for the whole. All are asked even after a refusal, so that
 * neither their number nor their time tells which response was wrong. */
#include <stdio.h>

#include "ssh/auth.h"

bool nacre_conn_set_prompts(struct conn *c, struct span instruction, const struct conn_prompt *prompts, size_t count)
{
    struct auth *a = conn_is_server(c) && c->phase < PHASE_OPEN ? nacre_auth_get(c) : NULL;

    if (a == NULL || count > CONN_KBDINT_PROMPTS || a->prompting)
        return false;
    a->prompt_count = 0;
    a->prompt_text.len = 0;
    a->instruction_len = instruction.len;
    if (instruction.len != 0 && !nacre_buf_append(&a->prompt_text, instruction.at, instruction.len))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (prompts[i].prompt.len != 0 &&
            !nacre_buf_append(&a->prompt_text, prompts[i].prompt.at, prompts[i].prompt.len))
            return false;
        a->prompts[i] = (struct conn_prompt){.prompt = {NULL, prompts[i].prompt.len}, .echo = prompts[i].echo};
    }
    a->prompt_count = count;
    return true;
}

static enum step send_info_request(struct conn *c, struct auth *a)
{
    struct rd texts = rd_over(buf_span(&a->prompt_text));
    struct packet p;

    nacre_packet_open(c, &p, MSG_USERAUTH_60, 16 + a->prompt_text.len + 5 * a->prompt_count);
    wr_cstring(&p.w, "");
    wr_string(&p.w, rd_take(&texts, a->instruction_len));
    wr_cstring(&p.w, "");
    wr_u32(&p.w, (uint32_t)a->prompt_count);
    for (size_t i = 0; i < a->prompt_count; i++) {
        wr_string(&p.w, rd_take(&texts, a->prompts[i].prompt.len));
        wr_bool(&p.w, a->prompts[i].echo);
    }
    a->prompting = true;
    return nacre_packet_close(c, &p);
}

enum step nacre_auth_kbdint_request(struct conn *c, struct rd *r)
{
    (void)rd_string(r, NAME_MAX_LEN);    /* language tag */
    (void)rd_string(r, CONN_PACKET_MAX); /* submethods are hints */
    if (!rd_end(r))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed keyboard-interactive request");
    if (c->auth->prompt_count == 0)
        return nacre_auth_refuse(c, false);
    return send_info_request(c, c->auth);
}

/* Asks about the next response, or about the whole when all have been asked. */
static enum step ask_next(struct conn *c, struct auth *a)
{
    char method[48] = "keyboard-interactive";
    struct span response = {NULL, 0};

    if (a->asked < a->response_count) {
        response = a->responses[a->asked];
        (void)snprintf(method, sizeof method, "keyboard-interactive-%zu", a->asked + 1);
    }
    a->asked++;
    return nacre_conn_ask(c, ASK_AUTH,
                          &(struct conn_event){.type = CONN_AUTH_REQUEST,
                                               .user = a->request.user,
                                               .service = a->request.service,
                                               .method = span_str(method),
                                               .param = response});
}

/* The responses go behind the request's copy, whose spans are found again afterwards, as the copy may move. */
static bool keep_responses(struct auth *a, struct span body)
{
    struct span old[3] = {a->request.user, a->request.service, a->request.method};
    size_t offsets[3], from = a->copy.len;

    for (int i = 0; i < 3; i++)
        offsets[i] = old[i].at == NULL ? 0 : (size_t)(old[i].at - a->copy.at);
    if (!nacre_buf_append(&a->copy, body.at, body.len))
        return false;
    a->request.user = span_of(a->copy.at + offsets[0], old[0].len);
    a->request.service = span_of(a->copy.at + offsets[1], old[1].len);
    a->request.method = span_of(a->copy.at + offsets[2], old[2].len);

    struct rd r = rd_over(span_of(a->copy.at + from, body.len));
    (void)rd_u32(&r);
    a->response_count = a->prompt_count; /* the application may set other prompts meanwhile */
    for (size_t i = 0; i < a->response_count; i++)
        a->responses[i] = rd_string(&r, CONN_PACKET_MAX);
    return rd_end(&r);
}

static bool responses_are_plausible(const struct auth *a)
{
    for (size_t i = 0; i < a->response_count; i++) {
        if (a->responses[i].len > CONN_PASSWORD_MAX || span_has_nul(a->responses[i]))
            return false;
    }
    return true;
}

enum step nacre_on_userauth_info_response(struct conn *c, struct span body)
{
    struct auth *a = c->auth;
    struct rd r = rd_over(body);
    uint32_t count = rd_u32(&r);

    if (a == NULL || !a->prompting)
        return nacre_conn_fail(c, NACRE_E_UNEXPECTED, "USERAUTH_INFO_RESPONSE without a request");
    if (r.bad)
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_INFO_RESPONSE");
    /* RFC 4256 section 3.4: a wrong number of responses is a failure. */
    if (count != a->prompt_count)
        return nacre_auth_refuse(c, false);
    if (!keep_responses(a, body))
        return nacre_conn_fail(c, NACRE_E_PACKET, "malformed USERAUTH_INFO_RESPONSE");
    if (!responses_are_plausible(a))
        return nacre_auth_refuse(c, false);
    a->prompting = false;
    a->asked = 0;
    a->responses_good = true;
    return ask_next(c, a);
}

enum step nacre_auth_kbdint_answer(struct conn *c, const struct conn_answer *answer)
{
    struct auth *a = c->auth;
    struct conn_answer whole = *answer;

    if (a->asked <= a->response_count) {
        a->responses_good = a->responses_good && answer->accept;
        return ask_next(c, a);
    }
    if (!a->responses_good)
        whole.accept = whole.partial_success = false;
    return nacre_auth_decide(c, &whole);
}
