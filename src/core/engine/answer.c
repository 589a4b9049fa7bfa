/* SPDX-License-Identifier: Apache-2.0 */
/* Questions on their way, and what comes back from handlers.
 *
 * A question is recorded when its event is made and resolved exactly once: by the handler's return, by nacre_answer(),
 * or by time. Whatever comes after that finds no record and has no effect. The conn keeps its own serials as well, so
 * that not even a mistake here could answer a question it does not ask any more. */
#include <stdlib.h>

#include "engine/connection.h"
#include "engine/memory.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/tunnel.h"

bool nacre_question_add(struct connection *c, struct event *e, uint64_t asked_as)
{
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL)
        return false;
    e->serial = ++c->last_serial;
    int64_t timeout_ns = c->profile->settings.answer_timeout.number * INT64_C(1000000000);
    *q = (struct question){.next = c->questions,
                           .serial = e->serial,
                           .asked_as = asked_as,
                           .type = e->type,
                           .channel = e->channel,
                           .channel_id = e->channel_id,
                           .number = e->number,
                           .due_ns = timeout_ns == 0 ? INT64_MAX : c->shard->now_ns + timeout_ns};
    c->questions = q;
    nacre_connection_touch(c);
    return true;
}

static struct question *take_question(struct connection *c, uint64_t serial)
{
    for (struct question **at = &c->questions; *at != NULL; at = &(*at)->next) {
        struct question *q = *at;
        if (q->serial != serial)
            continue;
        *at = q->next;
        return q;
    }
    return NULL;
}

static void free_event(struct connection *c, struct event *e)
{
    if (e == NULL)
        return;
    c->events_out--;
    nacre_memory_event_back(c, e);
    if (e->type != EVENT_SSH_CHANNEL_DATA_IN)
        c->plain_out--;
    nacre_event_free(c->shard, e);
}

static void free_question(struct connection *c, struct question *q)
{
    free_event(c, q->event);
    nacre_answer_copy_free(q->early);
    free(q);
}

void nacre_question_drop_all(struct connection *c)
{
    while (c->questions != NULL) {
        struct question *q = c->questions;
        c->questions = q->next;
        free_question(c, q);
    }
}

static bool is_live(const struct channel *ch, int64_t id)
{
    return ch != NULL && ch->slot.id == id;
}

/* A channel that has closed lives on until its events are back, while its number may be another's. */
static bool has_number(struct connection *c, const struct channel *ch, int64_t id)
{
    return is_live(ch, id) && nacre_channel_of(c, ch->number) == ch;
}

/* The event of a question goes out again, as another. */
static void send_again(struct connection *c, struct event *e, enum event_type type)
{
    c->events_out--; /* counted again when added */
    nacre_memory_event_back(c, e);
    c->plain_out--;
    e->type = type;
    e->serial = 0;
    e->deferred = false;
    nacre_outbox_add(c, e);
}

/* A request that is granted: the same event goes out again as on_ssh_channel_requested. It is queued before the answer
 * is given, because that lets go of what the channel has sent since, and taken back when nobody waits for the answer
 * any more. */
static void grant_request(struct connection *c, const struct question *q, struct event **event,
                          const struct conn_answer *answer)
{
    struct event *e = is_live(q->channel, q->channel_id) ? *event : NULL;
    struct event **place = c->fresh_last;
    if (e == NULL || c->shard->server->handlers.on_ssh_channel_requested == NULL) {
        (void)nacre_conn_answer(c->conn, q->asked_as, answer, c->shard->now_ns); /* no longer open: nothing to do */
        return;
    }
    send_again(c, e, EVENT_SSH_CHANNEL_REQUESTED);
    *event = NULL;
    if (nacre_conn_answer(c->conn, q->asked_as, answer, c->shard->now_ns))
        return;
    *place = NULL;
    c->fresh_last = place;
    *event = e;
}

/* Carries out an answer. `*e` is the question's event, or NULL when it is still out; set to NULL when it was used
 * again. */
static void resolve(struct connection *c, const struct question *q, struct event **e, const struct nacre_answer_copy *a,
                    struct cert_choice **cert)
{
    if (q->type == EVENT_CONNECTION_REQUEST) {
        nacre_connection_decided(c, a->accept);
        return;
    }
    if (q->type == EVENT_CONNECTED) {
        struct cert_choice *chosen = *cert;
        *cert = NULL;
        nacre_connection_begin(c, chosen);
        return;
    }
    if (c->stage != STAGE_RUNNING)
        return;
    if (q->type == EVENT_SSH_TUNNEL_REQUESTED) {
        nacre_tunnel_decided(c, q, *e, a->accept, a->port != 0 || *e == NULL ? a->port : (*e)->port);
        return;
    }
    const struct conn_answer answer = {
        .accept = a->accept,
        .partial_success = a->partial_success,
        .no_touch_required = a->no_touch_required,
        .verify_required = a->verify_required,
        .reason = a->reason,
        .available_methods = span_str(a->methods),
        .change_prompt = a->change_prompt,
    };
    if (q->type == EVENT_SSH_CHANNEL_REQUEST && a->accept) {
        grant_request(c, q, e, &answer);
        return;
    }
    (void)nacre_conn_answer(c->conn, q->asked_as, &answer, c->shard->now_ns); /* no longer open: nothing to do */
    if (q->type == EVENT_SSH_CHANNEL_OPEN_REQUEST && !a->accept && has_number(c, q->channel, q->channel_id))
        nacre_channel_remove(q->channel);
}

void nacre_question_expire(struct connection *c)
{
    static const struct nacre_answer_copy refusal;
    for (struct question *q = c->questions; q != NULL;) {
        if (q->due_ns > c->shard->now_ns) {
            q = q->next;
            continue;
        }
        struct cert_choice *none = NULL;
        struct question *late = take_question(c, q->serial);
        if (late->type == EVENT_CONNECTED)
            nacre_connection_close(c, NACRE_E_TIMEOUT_LOGIN, "on_connected was not answered in time");
        else
            resolve(c, late, &late->event, &refusal, &none);
        free_question(c, late);
        q = c->questions; /* anything may have changed */
    }
}

/* Who accepts a channel after it has been refused by time may hold something for it: it hears of its end. */
static bool is_late_accept(const struct connection *c, const struct event *e)
{
    return e->type == EVENT_SSH_CHANNEL_OPEN_REQUEST && e->accept && !e->deferred && c->stage == STAGE_RUNNING &&
           c->shard->server->handlers.on_ssh_channel_closed != NULL;
}

/* A question comes back: answered, or to be answered later. True: the event is kept. */
static bool question_returned(struct connection *c, struct event *e)
{
    struct question *q = take_question(c, e->serial);
    if (q == NULL) {
        bool late = is_late_accept(c, e);
        if (late) {
            e->channel = NULL; /* gone with the refusal, and its slot may be another's */
            send_again(c, e, EVENT_SSH_CHANNEL_CLOSED);
        }
        return late;
    }
    if (e->deferred && q->early == NULL) {
        q->event = e;
        q->next = c->questions;
        c->questions = q;
        return true;
    }
    if (e->type == EVENT_CONNECTED && !e->deferred && !e->accept) {
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory for the key of this connection");
        free_question(c, q);
        return false;
    }
    struct event *mine = e;
    const struct nacre_answer_copy now = {.accept = e->accept,
                                          .partial_success = e->partial,
                                          .no_touch_required = e->no_touch_required,
                                          .verify_required = e->verify_required,
                                          .reason = e->reason,
                                          .methods = e->methods,
                                          .change_prompt = e->change_prompt};
    const struct nacre_answer_copy *a = e->deferred ? q->early : &now;
    resolve(c, q, &mine, a, e->deferred ? &q->early->cert : &e->cert);
    free_question(c, q);
    return mine == NULL;
}

static bool is_question(enum event_type type)
{
    static const bool decision[EVENT_TYPES] = {
#define EV(name, NAME, d) [EVENT_##NAME] = d,
#include "nacre/events.def"
#undef EV
    };
    return decision[type];
}

/* Its window, or that of the next channels when its own has closed. */
static void give_window_back(struct connection *c, const struct event *e)
{
    if (has_number(c, e->channel, e->channel_id))
        nacre_chan_consumed(c->conn, e->channel->number, e->data_len, c->shard->now_ns);
    else
        c->orphaned -= e->data_len < c->orphaned ? e->data_len : c->orphaned;
}

void nacre_answer_event(struct connection *c, struct event *e)
{
    if (e->type == EVENT_SSH_CHANNEL_DATA_IN && c->stage == STAGE_RUNNING)
        give_window_back(c, e);
    if (e->type == EVENT_SSH_CHANNEL_CLOSED && is_live(e->channel, e->channel_id))
        nacre_channel_remove(e->channel);
    if (!is_question(e->type) || !question_returned(c, e))
        free_event(c, e);
    nacre_connection_touch(c);
    nacre_connection_settle(c);
}

enum nacre_error nacre_answer_deferred(struct connection *c, uint64_t serial, struct nacre_answer_copy *answer)
{
    struct question *q = take_question(c, serial);
    if (q == NULL || q->early != NULL) {
        if (q != NULL) {
            q->next = c->questions;
            c->questions = q;
        }
        nacre_answer_copy_free(answer);
        return NACRE_E_TICKET;
    }
    if (q->event == NULL) { /* the handler has not returned yet: its event comes back deferred */
        q->early = answer;
        q->next = c->questions;
        c->questions = q;
        return NACRE_OK;
    }
    resolve(c, q, &q->event, answer, &answer->cert);
    free_question(c, q);
    nacre_answer_copy_free(answer);
    nacre_connection_touch(c);
    nacre_connection_settle(c);
    return NACRE_OK;
}
