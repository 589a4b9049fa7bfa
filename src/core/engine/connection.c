/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of a connection; see enum stage. */
#include "engine/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/host_keys.h"
#include "engine/memory.h"
#include "engine/outbox.h"
#include "engine/server.h"
#include "engine/sock.h"
#include "engine/tunnel.h"
#include "keys/store.h"

static const int64_t linger_ns = INT64_C(2000000000);
static const int64_t stop_linger_ns = INT64_C(200000000);

void nacre_connection_touch(struct connection *c)
{
    if (c->on_dirty)
        return;
    c->on_dirty = true;
    list_append(&c->shard->dirty, &c->dirty);
}

void nacre_connection_await_events(struct connection *c, bool on)
{
    struct shard *s = c->shard;
    if (c->awaits_events == on)
        return;
    nacre_mutex_lock(&s->inbox_lock);
    c->awaits_events = on;
    s->done_waits = s->done_waits || (on && s->done_first != NULL);
    nacre_mutex_unlock(&s->inbox_lock);
}

/* The slot goes back when nothing refers to it: no socket, and no event with the application. */
static void release(struct connection *c)
{
    struct shard *s = c->shard;
    nacre_timer_cancel(&s->timers, &c->timer);
    if (c->on_dirty)
        list_remove(&c->dirty);
    nacre_pump_no_newcomer(c);
    nacre_question_drop_all(c);
    nacre_channel_drop_all(c);
    if (c->conn != NULL)
        nacre_conn_free(c->conn);
    nacre_block_release(c->input);
    nacre_memory_uncharge(c);
    nacre_profile_unref(c->profile);
    nacre_mutex_lock(&s->inbox_lock);
    nacre_mutex_lock(&s->outbox_lock);
    free(c->client_version);
    free(c->banner);
    free(c->prompts);
    nacre_table_give(&s->connections, c);
    nacre_mutex_unlock(&s->outbox_lock);
    nacre_mutex_unlock(&s->inbox_lock);
    nacre_accept_uncount(s);
    nacre_shard_shrank(s);
}

void nacre_connection_settle(struct connection *c)
{
    if (c->stage == STAGE_GONE && c->events_out == 0 && !c->owes_end)
        release(c);
}

/* No socket any more: from here on only events keep the slot. */
static void leave(struct connection *c)
{
    if (c->socket != IO_NO_SOCKET)
        nacre_sock_close(c->socket);
    c->socket = IO_NO_SOCKET;
    c->stage = STAGE_GONE;
    nacre_admit_leave(c->shard, &c->admitted);
    nacre_question_drop_all(c);
    nacre_connection_settle(c);
}

/* on_disconnected always comes: without memory for the event it is owed, and tried again. */
static void emit_disconnected(struct connection *c, const char *text)
{
    struct shard *s = c->shard;
    c->owes_end = false;
    if (!c->announced || s->server->handlers.on_disconnected == NULL)
        return;
    size_t len = strlen(text);
    struct event *e = nacre_event_new(s, EVENT_DISCONNECTED, len + 1);
    c->owes_end = e == NULL;
    if (e == NULL)
        return;
    e->code = c->status;
    e->text[0] = nacre_event_keep(e, span_of(text, len));
    nacre_outbox_add(c, e);
}

static void emit_error(struct connection *c, enum nacre_error why, const char *text)
{
    struct shard *s = c->shard;
    size_t len = strlen(text);
    if (s->server->handlers.on_error == NULL)
        return;
    struct event *e = nacre_event_new(s, EVENT_ERROR, len + 1);
    if (e == NULL)
        return;
    e->code = (int)why;
    e->text[0] = nacre_event_keep(e, span_of(text, len));
    nacre_outbox_add(c, e);
}

/* Ends that are nobody's fault are told by on_disconnected alone. */
static bool is_error(enum nacre_error why)
{
    enum nacre_error_class class = nacre_error_class((int)why);
    return why != NACRE_OK && class != NACRE_CLASS_OK && why != NACRE_E_PEER_DISCONNECTED && why != NACRE_E_CONNRESET;
}

void nacre_connection_ended(struct connection *c, enum nacre_error why, const char *text)
{
    struct shard *s = c->shard;
    char line[320];
    c->status = (int)why;
    nacre_admit_ended(c, why);
    nacre_mutex_lock(&s->inbox_lock);
    c->over = true;
    nacre_mutex_unlock(&s->inbox_lock);
    nacre_connection_await_events(c, true); /* its slot does */
    (void)snprintf(line, sizeof line, "ended: %s", why == NACRE_OK ? "OK" : text);
    nacre_connection_log(c, 1, line);
    nacre_block_release(c->input);
    c->input = NULL;
    nacre_tunnel_end_all(c);
    nacre_channel_end_all(c);
    if (c->announced && is_error(why))
        emit_error(c, why, text);
    emit_disconnected(c, why == NACRE_OK ? "OK" : text);
    c->stage = c->attached ? STAGE_LINGER : c->stage;
    c->stage_due_ns = s->now_ns + (s->stopping ? stop_linger_ns : linger_ns);
    nacre_connection_touch(c);
}

void nacre_connection_hurry(struct connection *c)
{
    int64_t due = c->shard->now_ns + stop_linger_ns;
    if (c->stage == STAGE_LINGER && c->stage_due_ns > due)
        c->stage_due_ns = due;
    nacre_connection_touch(c);
}

void nacre_connection_owed(struct connection *c)
{
    if (c->owes_end)
        emit_disconnected(c, nacre_error_text(c->status));
}

/* Only who has heard of the connection hears of its end. */
static bool ask_connected(struct connection *c)
{
    struct shard *s = c->shard;
    c->announced = s->server->handlers.on_connected == NULL;
    if (c->announced)
        return false;
    struct event *e = nacre_event_new(s, EVENT_CONNECTED, 0);
    if (e != NULL) {
        if (nacre_question_add(c, e, 0)) {
            c->announced = true;
            nacre_outbox_add(c, e);
            return true;
        }
        nacre_event_free(s, e);
    }
    nacre_report(s, NACRE_E_NOBUFS, "A connection was closed: out of memory.");
    nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
    return true;
}

void nacre_connection_decided(struct connection *c, bool accept)
{
    if (c->stage != STAGE_REQUESTED)
        return;
    nacre_connection_log(c, 1, accept ? "accepted" : "not accepted");
    if (!accept) {
        leave(c);
        return;
    }
    c->stage = STAGE_CONNECTED;
    if (!ask_connected(c))
        nacre_connection_begin(c, NULL);
}

/* Certificates of OpenSSH's kind have their time; the others' is for whoever trusts their authority to know. */
static bool is_in_time(const struct key *key, uint64_t now)
{
    struct key_cert cert;
    return nacre_key_is_plain(key) || !nacre_cert_read(nacre_key_blob(key), &cert) ||
           (now >= cert.valid_after && now < cert.valid_before);
}

static bool set_host_keys(struct connection *c, struct key *const *keys, size_t count)
{
    struct key *usable[PROFILE_KEYS_MAX];
    size_t used = 0;
    uint64_t now = (uint64_t)nacre_clock_unix();
    for (size_t i = 0; i < count && i < PROFILE_KEYS_MAX; i++)
        if (is_in_time(keys[i], now))
            usable[used++] = keys[i];
    return nacre_conn_set_host_keys(c->conn, usable, used);
}

/* Hands the socket to the back end and says hello. */
static void run(struct connection *c, struct key *const *keys, size_t key_count)
{
    struct shard *s = c->shard;
    const struct profile *p = c->profile;
    c->conn = nacre_conn_new(&p->config, &nacre_connection_sink, c, &s->pool);
    if (c->conn == NULL || !set_host_keys(c, keys, key_count)) {
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
        return;
    }
    enum nacre_error e = s->ops->attach(s->io, c->socket, (uint64_t)c->slot.id, &c->io_slot);
    if (e != NACRE_OK) {
        nacre_connection_close(c, e, nacre_error_text((int)e));
        return;
    }
    c->socket = IO_NO_SOCKET;
    c->attached = true;
    c->stage = STAGE_RUNNING;
    c->stage_due_ns = 0;
    struct conn_prompt prompts[PROMPTS_MAX];
    for (int i = 0; i < p->prompt_count; i++)
        prompts[i] = (struct conn_prompt){span_str(p->prompts[i].text), p->prompts[i].echo};
    (void)nacre_conn_set_prompts(c->conn, span_str(p->settings.kbdint_message.text), prompts, (size_t)p->prompt_count);
    (void)nacre_conn_set_banner(c->conn, p->settings.banner.text);
    nacre_conn_start(c->conn, s->now_ns);
    nacre_connection_touch(c);
}

struct key_job {
    struct job job;
    struct shard *shard;
    int64_t id;
    struct nacre_crypto *crypto;
    struct cert_choice *cert;
    struct command *command; /* made beforehand, so that the end cannot fail */
    char why[256];
};

static void read_key(struct job *job)
{
    struct key_job *k = CONTAINER_OF(job, struct key_job, job);
    struct command *done = k->command;
    const struct store_request request = {.type = (enum store_type)k->cert->type,
                                          .store = span_of(k->cert->store, k->cert->store_len),
                                          .password = k->cert->password,
                                          .subject = k->cert->subject};
    char subject[256];
    char *why = (char *)(uintptr_t)done->data;
    done->error = nacre_store_open(k->crypto, &request, &done->key, subject, sizeof subject, why, done->data_len);
    if (done->error == NACRE_OK && k->cert->host_certificate != NULL)
        done->error = nacre_host_certificate_read(k->crypto, k->cert->host_certificate, done->key,
                                                  &done->host_certificate, why, done->data_len);
    nacre_inbox_put(k->shard, done);
    nacre_cert_choice_free(k->cert);
    nacre_crypto_unref(k->crypto);
    free(k);
}

/* Reads the key on the offload pool: files and key derivation take their time. False: out of memory. */
static bool start_reading(struct connection *c, struct cert_choice *cert)
{
    struct key_job *k = calloc(1, sizeof *k);
    struct command *done = k == NULL ? NULL : nacre_command_new(COMMAND_KEY, c->slot.id, NULL, k->why, sizeof k->why);
    if (done == NULL) {
        free(k);
        return false;
    }
    k->job.run = read_key;
    k->shard = c->shard;
    k->crypto = nacre_crypto_ref(c->profile->crypto);
    k->cert = cert;
    k->command = done;
    nacre_offload_put(&c->shard->server->offload, &k->job);
    return true;
}

void nacre_connection_begin(struct connection *c, struct cert_choice *cert)
{
    if (c->stage != STAGE_CONNECTED) {
        nacre_cert_choice_free(cert);
        return;
    }
    if (cert == NULL) {
        run(c, c->profile->keys, c->profile->key_count);
    } else if (!start_reading(c, cert)) {
        nacre_cert_choice_free(cert);
        nacre_connection_close(c, NACRE_E_NOBUFS, "out of memory");
    }
}

void nacre_connection_key(struct connection *c, struct key *key, struct key *host_certificate, enum nacre_error error,
                          const char *why)
{
    struct key *const keys[] = {key, host_certificate};
    if (c->stage != STAGE_CONNECTED)
        return;
    if (error != NACRE_OK)
        nacre_connection_close(c, error, why);
    else
        run(c, keys, host_certificate == NULL ? 1 : 2);
}

void nacre_connection_close(struct connection *c, enum nacre_error why, const char *text)
{
    switch (c->stage) {
    case STAGE_REQUESTED:
        leave(c);
        break;
    case STAGE_CONNECTED:
        nacre_connection_ended(c, why, text);
        leave(c);
        break;
    case STAGE_RUNNING:
        nacre_conn_close(c->conn, why, text, c->shard->now_ns); /* comes back through the sink as its end */
        break;
    case STAGE_LINGER:
    case STAGE_DETACHED:
    case STAGE_GONE:
        break;
    }
}

/* The back end has let go of the socket. */
void nacre_pump_gone(struct connection *c)
{
    c->attached = false;
    c->stage = STAGE_GONE;
    nacre_admit_leave(c->shard, &c->admitted);
    nacre_conn_free(c->conn);
    c->conn = NULL;
    nacre_question_drop_all(c);
    if (c->owes_end)
        nacre_connection_touch(c); /* a timer that fired while it was detached was not set again */
    nacre_connection_settle(c);
}
