/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the application and work that runs elsewhere.
 *
 * Every question is a row: what waits for its answer, and where the connection goes on. A handler that asks ends there;
 * its second half is the row's resume function. So nothing is parsed twice, and an answer that comes late, twice or
 * never finds either its question or nothing (rules R6, R42). */
#include <stdlib.h>

#include "ssh/chan.h"
#include "ssh/hostkeys.h"

enum hold {
    HOLD_NOTHING,
    HOLD_CONN,
    HOLD_CHANNEL,
    HOLD_GLOBALS
};

/* clang-format off */
static const struct ask_rule {
    enum hold holds;
    enum step (*resume)(struct conn *c, const struct ask *ask, const struct conn_answer *answer);
} ask_rules[ASK_KINDS] = {
    /* question                holds          goes on in */
    [ASK_SERVICE]         = {HOLD_CONN,     nacre_resume_service},
    [ASK_AUTH]            = {HOLD_CONN,     nacre_resume_auth},
    [ASK_HOST_KEY]        = {HOLD_CONN,     nacre_resume_host_key},
    [ASK_CHANNEL_OPEN]    = {HOLD_NOTHING,  nacre_resume_channel_open},
    [ASK_CHANNEL_REQUEST] = {HOLD_CHANNEL,  nacre_resume_channel_request},
    [ASK_GLOBAL_REQUEST]  = {HOLD_GLOBALS,  nacre_resume_global_request},
};
/* clang-format on */

static void set_hold(struct conn *c, const struct ask *ask, bool held)
{
    struct chan *chan;

    switch (ask_rules[ask->kind].holds) {
    case HOLD_NOTHING:
        break;
    case HOLD_CONN:
        c->holds += held ? 1U : 0U - 1U;
        break;
    case HOLD_CHANNEL:
        chan = nacre_chan_find(c, ask->channel);
        if (chan != NULL)
            chan->held = held;
        break;
    case HOLD_GLOBALS:
        c->global_held = held;
        break;
    }
}

/* Takes the question off the list, then goes on as answered. `ask` may be freed by the caller afterwards. */
static enum step resume(struct conn *c, struct ask *ask, const struct conn_answer *answer)
{
    list_remove(&ask->link);
    set_hold(c, ask, false);
    if (conn_is_closing(c))
        return STEP_CLOSE;
    return ask_rules[ask->kind].resume(c, ask, answer);
}

static struct ask *find_ask(const struct conn *c, uint64_t serial)
{
    for (struct list *l = c->asks.next; l != &c->asks; l = l->next) {
        struct ask *ask = CONTAINER_OF(l, struct ask, link);
        if (ask->serial == serial)
            return ask;
    }
    return NULL;
}

/* The question stays open: moves it off the stack. */
static enum step keep_open(struct conn *c, struct ask *ask)
{
    struct ask *kept = malloc(sizeof *kept);

    list_remove(&ask->link);
    if (kept == NULL) {
        set_hold(c, ask, false);
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a question");
    }
    *kept = *ask;
    kept->on_stack = false;
    list_init(&kept->link);
    list_append(&c->asks, &kept->link);
    return STEP_WAIT;
}

enum step nacre_conn_ask(struct conn *c, enum ask_kind kind, struct conn_event *question)
{
    struct conn_answer answer = {.accept = false};
    struct ask ask = {.serial = c->next_serial++,
                      .due_ns = due_after(c->now_ns, c->config->answer_timeout_ns),
                      .kind = kind,
                      .channel = question->channel,
                      .want_reply = question->want_reply,
                      .on_stack = true};

    if (conn_is_closing(c))
        return STEP_CLOSE;
    question->serial = ask.serial;
    list_init(&ask.link);
    list_append(&c->asks, &ask.link);
    set_hold(c, &ask, true);
    bool answered = c->sink->ask(c->context, question, &answer);

    /* nacre_conn_answer() may have answered from inside the callback, or the channel may be gone. */
    if (list_is_empty(&ask.link))
        return STEP_WAIT;
    if (answered)
        return resume(c, &ask, &answer);
    return keep_open(c, &ask);
}

static void finish(struct conn *c, struct ask *ask, const struct conn_answer *answer)
{
    bool on_stack = ask->on_stack;

    (void)resume(c, ask, answer);
    if (!on_stack)
        free(ask);
}

bool nacre_conn_answer(struct conn *c, uint64_t serial, const struct conn_answer *answer, int64_t now_ns)
{
    struct ask *ask = find_ask(c, serial);

    if (ask == NULL || conn_is_closing(c))
        return false;
    c->now_ns = now_ns;
    finish(c, ask, answer);
    nacre_conn_settle(c);
    return true;
}

/* All questions have the same time limit, so the oldest is due first. */
int64_t nacre_asks_due(const struct conn *c)
{
    return list_is_empty(&c->asks) ? INT64_MAX : CONTAINER_OF(c->asks.next, struct ask, link)->due_ns;
}

void nacre_asks_expire(struct conn *c)
{
    static const struct conn_answer refusal = {.accept = false};

    while (!conn_is_closing(c) && nacre_asks_due(c) <= c->now_ns)
        finish(c, CONTAINER_OF(c->asks.next, struct ask, link), &refusal);
}

static void drop(struct ask *ask)
{
    list_remove(&ask->link);
    if (!ask->on_stack)
        free(ask);
}

void nacre_asks_drop_channel(struct conn *c, uint32_t channel)
{
    struct list *next;

    for (struct list *l = c->asks.next; l != &c->asks; l = next) {
        struct ask *ask = CONTAINER_OF(l, struct ask, link);
        next = l->next;
        if ((ask->kind == ASK_CHANNEL_OPEN || ask->kind == ASK_CHANNEL_REQUEST) && ask->channel == channel)
            drop(ask);
    }
}

void nacre_asks_free(struct conn *c)
{
    while (!list_is_empty(&c->asks))
        drop(CONTAINER_OF(c->asks.next, struct ask, link));
}

/* ---- work --------------------------------------------------------------------------------------------------- */

enum step nacre_conn_work(struct conn *c, struct work *work, enum step (*done)(struct conn *c, struct work *work))
{
    work->serial = c->next_serial++;
    c->work = work;
    c->work_done = done;
    c->holds++;
    switch (c->sink->work(c->context, work)) {
    case WORK_DONE:
        nacre_conn_work_done(c, work, c->now_ns);
        return STEP_NEXT;
    case WORK_OUT:
        return STEP_WAIT;
    case WORK_REFUSED:
        break;
    }
    c->work = NULL;
    c->holds--;
    work->free(work);
    return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory for a computation");
}

void nacre_conn_work_done(struct conn *c, struct work *work, int64_t now_ns)
{
    enum step (*done)(struct conn *, struct work *) = c->work_done;

    c->now_ns = now_ns;
    if (c->work == work) {
        c->work = NULL;
        c->holds--;
        if (!conn_is_closing(c))
            (void)done(c, work);
    } else if (c->proof == work) {
        c->proof = NULL;
        if (!conn_is_closing(c))
            nacre_hostkeys_proved(c, work);
    }
    work->free(work);
    nacre_conn_settle(c);
}

void nacre_work_drop(struct work *work)
{
    if (work != NULL)
        work->free(work);
}
