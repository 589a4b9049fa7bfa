/* SPDX-License-Identifier: Apache-2.0 */
/* The application's part of rig.h: what it sees, what it answers, and what it does. */
#include "fuzz/rig.h"

#include <string.h>

#include "engine/send.h"
#include "fuzz/faults.h"
#include "ssh/chan.h"
#include "ssh/conn_priv.h"

static const int64_t second_ns = 1000 * 1000 * 1000;

/* ---- what the application sees ---------------------------------------------------------------------------------- */

static void read_span(struct rig_side *s, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        s->sum = s->sum * 31 + bytes.at[i];
}

static void read_event(struct rig_side *s, const struct conn_event *e)
{
    const struct span all[] = {e->user,        e->service,     e->method, e->param, e->new_password, e->key_algorithm,
                               e->client_host, e->client_user, e->kind,   e->data,  e->text};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        read_span(s, all[i]);
    for (size_t i = 0; i < e->prompt_count; i++)
        read_span(s, e->prompts[i].prompt);
    if (e->cert != NULL) {
        read_span(s, e->cert->principals);
        read_span(s, e->cert->extensions);
    }
}

static void check_number(uint32_t channel)
{
    fuzz_must(channel < RIG_CHANNELS, "channel numbers stay below the limit");
}

/* A refused channel goes without a word. */
static void ask_channel(struct rig_side *s, uint32_t channel)
{
    check_number(channel);
    fuzz_must(!s->live[channel], "a channel that is opened was not there");
    s->asked[channel] = true;
    s->unread[channel] = 0;
}

static void on_channel_event(struct rig_side *s, const struct conn_event *e)
{
    check_number(e->channel);
    if (e->type == CONN_CHANNEL_OPEN_REQUEST) {
        ask_channel(s, e->channel);
        return;
    }
    fuzz_must(s->asked[e->channel] || s->live[e->channel], "R37: an event is about a channel that there is");
    if (e->type == CONN_CHANNEL_OPENED)
        s->live[e->channel] = true;
    else if (e->type != CONN_CHANNEL_CLOSED && e->type != CONN_CHANNEL_OPEN_FAILED)
        fuzz_must(s->live[e->channel], "R37: an event is about an open channel");
    if (e->type == CONN_CHANNEL_OPENED || e->type == CONN_CHANNEL_OPEN_FAILED)
        s->asked[e->channel] = false;
    if (e->type == CONN_CHANNEL_CLOSED)
        s->asked[e->channel] = s->live[e->channel] = false;
    if (e->type == CONN_CHANNEL_DATA)
        s->unread[e->channel] += e->data.len;
}

static bool is_of_channel(const struct conn_event *e)
{
    return (e->type >= CONN_CHANNEL_OPEN_REQUEST && e->type <= CONN_CHANNEL_REPLY);
}

static void look_at(struct rig_side *s, const struct conn_event *e)
{
    fuzz_must(!s->ended, "nothing follows CONN_DISCONNECTED");
    read_event(s, e);
    if (is_of_channel(e)) {
        fuzz_must(s->logged_in, "R1: no channel before login");
        on_channel_event(s, e);
    }
    if (e->type == CONN_GLOBAL_REPLY && s->wanted.len != 0) {
        (void)nacre_conn_proof_holds(s->conn, buf_span(&s->wanted), e->data);
        s->wanted.len = 0;
    }
    if (e->type == CONN_AUTHENTICATED) {
        fuzz_must(s->config.role == CONN_CLIENT || s->said_yes, "R6: a login follows a yes");
        s->logged_in = true;
    }
    if (e->type == CONN_DISCONNECTED)
        s->ended = true;
}

static void on_event(void *context, const struct conn_event *e)
{
    look_at(context, e);
}

/* Bits of the byte that decides on a question. */
enum {
    SAYS_NO = 1,
    SAYS_LATER = 2,
    SAYS_PARTIAL = 4,
    SAYS_CHANGE = 8,
    SAYS_MUCH = 16, /* a text or list that is too long */
    SAYS_TOUCHED = 32
};

static void decide(struct rig_side *s, const struct conn_event *q, uint8_t says, struct conn_answer *answer)
{
    static char much[5000];
    memset(much, 'm', sizeof much - 1);
    *answer = (struct conn_answer){.accept = (says & SAYS_NO) == 0,
                                   .partial_success = (says & SAYS_PARTIAL) != 0,
                                   .change_prompt = (says & SAYS_CHANGE) != 0 ? "another" : NULL};
    if ((says & SAYS_PARTIAL) != 0)
        answer->available_methods = span_str((says & SAYS_MUCH) != 0 ? much : "publickey,keyboard-interactive");
    if ((says & SAYS_MUCH) != 0) {
        answer->text = much;
        answer->change_prompt = answer->change_prompt == NULL ? NULL : much;
        answer->reply = span_str("reply");
        answer->reason = 2;
    }
    answer->no_touch_required = answer->verify_required = (says & SAYS_TOUCHED) != 0;
    /* What an application must not let in, it does not. */
    if (q != NULL && q->type == CONN_AUTH_REQUEST && span_is(q->method, "none"))
        answer->accept = false;
    bool may_admit = q == NULL || q->type == CONN_AUTH_REQUEST;
    s->said_yes = s->said_yes || (may_admit && answer->accept);
}

static bool on_ask(void *context, const struct conn_event *q, struct conn_answer *answer)
{
    struct rig_side *s = context;
    look_at(s, q);
    uint8_t says = s->own_mind ? s->says : input_u8(s->rig->in);
    if ((says & SAYS_LATER) != 0 && s->serial_count < RIG_SERIALS) {
        s->serials[s->serial_count++] = q->serial;
        return false;
    }
    decide(s, q, says, answer);
    return true;
}

static enum work_fate on_work(void *context, struct work *work)
{
    struct rig_side *s = context;
    uint8_t says = s->own_mind ? s->says : input_u8(s->rig->in);
    if (s->work != NULL || (says & SAYS_LATER) == 0) {
        work->run(work);
        return WORK_DONE;
    }
    if ((says & SAYS_NO) != 0)
        return WORK_REFUSED;
    s->work = work;
    return WORK_OUT;
}

const struct conn_sink rig_sink = {.event = on_event, .ask = on_ask, .work = on_work};

/* ---- actions ---------------------------------------------------------------------------------------------------- */

static void answer_one(struct rig_side *s)
{
    struct conn_answer answer;
    uint8_t says = input_u8(s->rig->in);
    if (s->serial_count == 0)
        return;
    uint64_t serial = s->serials[--s->serial_count];
    decide(s, NULL, says, &answer);
    (void)nacre_conn_answer(s->conn, serial, &answer, s->rig->now_ns);
    fuzz_must(!nacre_conn_answer(s->conn, serial, &answer, s->rig->now_ns), "R42: an answer counts once");
}

static void finish_work(struct rig_side *s)
{
    struct work *work = s->work;
    if (work == NULL)
        return;
    s->work = NULL;
    work->run(work);
    nacre_conn_work_done(s->conn, work, s->rig->now_ns);
}

/* An application is held to a bound by the engine, which asks before it hands over. */
static void send_some(struct rig_side *s, uint32_t channel, size_t len)
{
    if (nacre_chan_queued(s->conn, channel) > SEND_QUEUE_MAX || nacre_chan_queue_room(s->conn, channel) > SEND_ROOM_MAX)
        return;
    if (nacre_chan_find(s->conn, channel) == NULL)
        len = 0; /* it is refused at any length, and to allocate much would take longer than all else */
    struct block *b = nacre_chan_block(&s->rig->pool, len);
    if (b == NULL)
        return;
    memset(b->at + b->start, 's', len);
    (void)nacre_chan_send(s->conn, channel, channel & 1, b, s->rig->now_ns);
}

static void log_in(struct rig_side *s)
{
    static const struct span responses[2] = {{(const uint8_t *)"1", 1}, {(const uint8_t *)"2", 1}};
    struct span user = span_str("user");
    if (s->config.role == CONN_SERVER)
        return;
    switch (input_u8(s->rig->in) % 6) {
    case 0:
        (void)nacre_conn_auth_none(s->conn, user);
        break;
    case 1:
        (void)nacre_conn_auth_password(s->conn, user, span_str("pw"));
        break;
    case 2:
        (void)nacre_conn_auth_publickey(s->conn, user, fuzz_key(), NULL);
        break;
    case 3:
        (void)nacre_conn_auth_query(s->conn, user, fuzz_key(), NULL);
        break;
    case 4:
        (void)nacre_conn_auth_kbdint(s->conn, user);
        break;
    default:
        (void)nacre_conn_auth_responses(s->conn, responses, 2);
        break;
    }
}

static void open_one(struct rig_side *s)
{
    uint32_t channel;
    if (nacre_chan_open(s->conn, span_str("session"), span_of(NULL, 0), &channel, s->rig->now_ns) != NACRE_OK)
        return;
    fuzz_must(!s->ended, "no channel opens after the end");
    ask_channel(s, channel);
}

static void act_on_channel(struct rig_side *s, enum rig_action action, uint32_t channel)
{
    int64_t now = s->rig->now_ns;
    switch ((int)action) {
    case RIG_READ:
        nacre_chan_consumed(s->conn, channel, s->unread[channel], now);
        s->unread[channel] = 0;
        break;
    case RIG_SEND:
        send_some(s, channel, input_u8(s->rig->in));
        break;
    case RIG_SEND_MUCH:
        send_some(s, channel, (size_t)input_u8(s->rig->in) * 1024);
        break;
    case RIG_EOF:
        (void)nacre_chan_send_eof(s->conn, channel, now);
        break;
    case RIG_CLOSE:
        (void)nacre_chan_close(s->conn, channel, now);
        break;
    default:
        (void)nacre_chan_request(s->conn, channel, span_str("exec"), true, span_str("\0\0\0\1x"), now);
        break;
    }
}

static void wait_some(struct rig_side *s)
{
    s->rig->now_ns += input_u8(s->rig->in) * second_ns;
    nacre_conn_tick(s->conn, s->rig->now_ns);
}

static void act_on_connection(struct rig_side *s, enum rig_action action)
{
    int64_t now = s->rig->now_ns;
    switch ((int)action) {
    case RIG_ANSWER:
        answer_one(s);
        break;
    case RIG_WORK:
        finish_work(s);
        break;
    case RIG_WAIT:
        wait_some(s);
        break;
    case RIG_OPEN:
        open_one(s);
        break;
    case RIG_GLOBAL:
        (void)nacre_conn_global_request(s->conn, span_str("x@example.com"), true, span_str("?"), now);
        break;
    case RIG_REKEY:
        (void)nacre_conn_rekey(s->conn, now);
        break;
    case RIG_DEAF:
    case RIG_HEAR:
        s->is_deaf = action == RIG_DEAF;
        break;
    case RIG_PING:
        (void)nacre_conn_ping(s->conn, span_str("ping"), now);
        break;
    case RIG_LOGIN:
        log_in(s);
        break;
    case RIG_PAYLOAD:
        (void)nacre_conn_send_payload(s->conn, input_span(s->rig->in), now);
        break;
    case RIG_FIN:
        nacre_conn_feed_eof(s->conn, now);
        break;
    case RIG_LEAVE:
        nacre_conn_close(s->conn, NACRE_E_BY_APPLICATION, "done", now);
        break;
    default:
        break;
    }
}

void rig_act(struct rig_side *s, uint8_t byte)
{
    enum rig_action action = (enum rig_action)((unsigned)(byte - ACTIONS_FROM) % RIG_ACTIONS);
    bool of_channel = action == RIG_READ || (action >= RIG_SEND && action <= RIG_REQUEST);
    fuzz_faults_inside(true);
    if (of_channel)
        act_on_channel(s, action, input_u8(s->rig->in) % RIG_CHANNELS);
    else
        act_on_connection(s, action);
    fuzz_faults_inside(false);
    rig_drain(s);
    fuzz_must(nacre_conn_queued(s->conn) <= (size_t)32 << 20, "R30: what is queued has a bound");
}
