/* SPDX-License-Identifier: Apache-2.0 */
/* See server.h. */
#include "support/server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plat.h"
#include "engine/server.h"
#include "support/client.h"

void server_note(struct server *s, struct server_seen seen)
{
    seen.at_ns = nacre_clock_ns();
    pthread_mutex_lock(&s->lock);
    if (s->seen_count < SERVER_SEEN)
        s->seen[s->seen_count++] = seen;
    pthread_mutex_unlock(&s->lock);
}

static void note(struct server *s, enum event_type type, int64_t connection, int64_t channel, int code,
                 const char *text)
{
    struct server_seen seen = {.type = type, .connection = connection, .channel = channel, .code = code};
    (void)snprintf(seen.text, sizeof seen.text, "%s", text);
    server_note(s, seen);
}

/* ---- recording handlers ---------------------------------------------------------------------------------------- */

void server_on_connection_request(nacre_server *n, struct nacre_connection_request *e, void *context)
{
    (void)n;
    note(context, EVENT_CONNECTION_REQUEST, 0, 0, e->port, e->address);
}

void server_on_connected(nacre_server *n, struct nacre_connected *e, void *context)
{
    (void)n;
    note(context, EVENT_CONNECTED, e->connection_id, 0, e->status_code, e->description);
}

static void on_disconnected(nacre_server *n, struct nacre_disconnected *e, void *context)
{
    (void)n;
    note(context, EVENT_DISCONNECTED, e->connection_id, 0, e->status_code, e->description);
}

static void on_error(nacre_server *n, struct nacre_error_event *e, void *context)
{
    (void)n;
    note(context, EVENT_ERROR, e->connection_id, 0, e->error_code, e->description);
}

static void on_log(nacre_server *n, struct nacre_log *e, void *context)
{
    (void)n;
    note(context, EVENT_LOG, e->connection_id, 0, e->log_level, e->message);
}

static void on_ssh_status(nacre_server *n, struct nacre_ssh_status *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_STATUS, e->connection_id, 0, 0, e->message);
}

static void on_ssh_service_request(nacre_server *n, struct nacre_ssh_service_request *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_SERVICE_REQUEST, e->connection_id, 0, e->accept, e->service);
}

void server_on_ssh_user_auth_request(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)n;
    struct server_seen seen = {.type = EVENT_SSH_USER_AUTH_REQUEST,
                               .connection = e->connection_id,
                               .len = e->auth_param_len,
                               .verified = e->verified};
    (void)snprintf(seen.text, sizeof seen.text, "%s", e->user);
    (void)snprintf(seen.more, sizeof seen.more, "%s", e->auth_method);
    server_note(context, seen);
    if (strcmp(e->auth_method, "password") == 0)
        e->accept = strcmp(e->auth_param, "pw") == 0;
    if (strcmp(e->auth_method, "publickey") == 0)
        e->accept = true;
}

void server_on_ssh_channel_open_request(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_CHANNEL_OPEN_REQUEST, e->connection_id, e->channel_id, 0, e->service);
    e->accept = true;
}

static void on_ssh_channel_opened(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_CHANNEL_OPENED, e->connection_id, e->channel_id, 0, "");
}

static void on_ssh_channel_ready_to_send(nacre_server *n, struct nacre_ssh_channel_ready_to_send *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_CHANNEL_READY_TO_SEND, e->connection_id, e->channel_id, 0, "");
}

void server_on_ssh_channel_data_in(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    struct server *s = context;
    struct server_seen seen = {.type = EVENT_SSH_CHANNEL_DATA_IN,
                               .connection = e->connection_id,
                               .channel = e->channel_id,
                               .code = e->data_type,
                               .len = e->data_len};
    size_t kept = e->data_len < sizeof seen.text ? e->data_len : sizeof seen.text - 1;
    memcpy(seen.text, e->data, kept);
    if (s->records_data)
        server_note(s, seen);
    if (s->echo)
        (void)nacre_send_bytes(n, e->channel_id, e->data, e->data_len);
}

void server_on_ssh_channel_eof(nacre_server *n, struct nacre_ssh_channel_eof *e, void *context)
{
    struct server *s = context;
    note(context, EVENT_SSH_CHANNEL_EOF, e->connection_id, e->channel_id, 0, "");
    if (!s->closes_on_eof)
        return;
    (void)nacre_send_eof(n, e->channel_id);
    (void)nacre_send_exit_status(n, e->channel_id, 7);
    (void)nacre_close_channel(n, e->channel_id);
}

static void on_ssh_channel_closed(nacre_server *n, struct nacre_ssh_channel_closed *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_CHANNEL_CLOSED, e->connection_id, e->channel_id, 0, "");
}

void server_on_ssh_channel_request(nacre_server *n, struct nacre_ssh_channel_request *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_CHANNEL_REQUEST, e->connection_id, e->channel_id, 0, e->request_type);
    e->success = true;
}

static void on_ssh_channel_requested(nacre_server *n, struct nacre_ssh_channel_requested *e, void *context)
{
    (void)n;
    note(context, EVENT_SSH_CHANNEL_REQUESTED, e->connection_id, e->channel_id, 0, e->request_type);
}

static const struct nacre_handlers recording = {
    .on_connection_request = server_on_connection_request,
    .on_connected = server_on_connected,
    .on_disconnected = on_disconnected,
    .on_error = on_error,
    .on_log = on_log,
    .on_ssh_status = on_ssh_status,
    .on_ssh_service_request = on_ssh_service_request,
    .on_ssh_user_auth_request = server_on_ssh_user_auth_request,
    .on_ssh_channel_open_request = server_on_ssh_channel_open_request,
    .on_ssh_channel_opened = on_ssh_channel_opened,
    .on_ssh_channel_ready_to_send = on_ssh_channel_ready_to_send,
    .on_ssh_channel_data_in = server_on_ssh_channel_data_in,
    .on_ssh_channel_eof = server_on_ssh_channel_eof,
    .on_ssh_channel_closed = on_ssh_channel_closed,
    .on_ssh_channel_request = server_on_ssh_channel_request,
    .on_ssh_channel_requested = on_ssh_channel_requested,
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

static void use_key(nacre_server *n)
{
    char pem[16384];
    cr_assert_eq(nacre_make_key("ssh-ed25519", pem, sizeof pem), 0, "%s", nacre_last_error(n));
    cr_assert_eq(nacre_set_ssh_cert_store_type(n, 7), 0); /* cstPEMKeyBlob */
    cr_assert_eq(nacre_set_ssh_cert_store(n, pem, strlen(pem)), 0);
    cr_assert_eq(nacre_set_ssh_cert_subject(n, "*"), 0, "%s", nacre_last_error(n));
}

/* NACRE_TEST_BACKEND runs the same tests over another back end; one that this machine forbids is another test's
 * matter. */
static void use_backend(nacre_server *n)
{
    const char *name = getenv("NACRE_TEST_BACKEND");
    char setting[64];
    if (name == NULL)
        return;
    (void)snprintf(setting, sizeof setting, "IOBackend=%s", name);
    cr_assert_eq(nacre_config(n, setting, NULL, 0), 0, "%s", nacre_last_error(n));
}

struct server *server_new(void)
{
    struct server *s = calloc(1, sizeof *s);
    s->seen = calloc(SERVER_SEEN, sizeof *s->seen);
    pthread_mutex_init(&s->lock, NULL);
    s->handlers = recording;
    s->records_data = true;
    cr_assert_eq(nacre_create(&s->nacre), 0, "%s", nacre_last_error(NULL));
    use_backend(s->nacre);
    use_key(s->nacre);
    cr_assert_eq(nacre_set_local_host(s->nacre, "127.0.0.1"), 0);
    cr_assert_eq(nacre_set_local_port(s->nacre, 0), 0);
    server_set(s, "WorkerThreads=2");
    server_set(s, "MaxConnections=500");
    return s;
}

void server_set(struct server *s, const char *setting)
{
    cr_assert_eq(nacre_config(s->nacre, setting, NULL, 0), 0, "%s: %s", setting, nacre_last_error(s->nacre));
}

static void *turn_events(void *argument)
{
    struct server *s = argument;
    while (!atomic_load(&s->stopping))
        (void)nacre_do_events(s->nacre);
    return NULL;
}

void server_start(struct server *s, unsigned threads)
{
    cr_assert_eq(nacre_set_handlers(s->nacre, &s->handlers, s), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(nacre_get_local_port(s->nacre, &s->port), 0);
    atomic_store(&s->stopping, false);
    while (s->thread_count < threads && pthread_create(&s->threads[s->thread_count], NULL, turn_events, s) == 0)
        s->thread_count++;
}

void server_join(struct server *s)
{
    atomic_store(&s->stopping, true);
    while (s->thread_count != 0)
        pthread_join(s->threads[--s->thread_count], NULL);
}

void server_free(struct server *s)
{
    server_join(s);
    nacre_free(s->nacre);
    pthread_mutex_destroy(&s->lock);
    free(s->seen);
    free(s);
}

/* ---- the record ------------------------------------------------------------------------------------------------ */

static size_t place_of(struct server *s, enum event_type type, size_t n)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (s->seen[i].type == type && n-- == 0)
            return i;
    return SIZE_MAX;
}

size_t server_bytes_in(struct server *s)
{
    size_t sum = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->seen_count; i++)
        sum += s->seen[i].type == EVENT_SSH_CHANNEL_DATA_IN ? s->seen[i].len : 0;
    pthread_mutex_unlock(&s->lock);
    return sum;
}

bool server_wait_bytes_in(struct server *s, size_t bytes)
{
    int64_t until = nacre_clock_ns() + SERVER_WAIT_MS * INT64_C(1000000);
    while (server_bytes_in(s) < bytes && nacre_clock_ns() < until)
        usleep(1000);
    return server_bytes_in(s) >= bytes;
}

size_t server_place(struct server *s, enum event_type type, size_t n)
{
    pthread_mutex_lock(&s->lock);
    size_t place = place_of(s, type, n);
    pthread_mutex_unlock(&s->lock);
    return place;
}

size_t server_count(struct server *s, enum event_type type)
{
    size_t count = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->seen_count; i++)
        count += s->seen[i].type == type;
    pthread_mutex_unlock(&s->lock);
    return count;
}

size_t server_total(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    size_t count = s->seen_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

bool server_wait_ms(struct server *s, enum event_type type, size_t n, struct server_seen *out, int ms)
{
    int64_t until = nacre_clock_ns() + ms * INT64_C(1000000);
    do {
        pthread_mutex_lock(&s->lock);
        size_t place = place_of(s, type, n);
        if (place != SIZE_MAX && out != NULL)
            *out = s->seen[place];
        pthread_mutex_unlock(&s->lock);
        if (place != SIZE_MAX)
            return true;
        usleep(1000);
    } while (nacre_clock_ns() < until);
    return false;
}

bool server_wait(struct server *s, enum event_type type, size_t n, struct server_seen *out)
{
    return server_wait_ms(s, type, n, out, SERVER_WAIT_MS);
}

bool server_wait_turning(struct server *s, struct client *c, enum event_type type, size_t n, struct server_seen *out)
{
    int64_t until = nacre_clock_ns() + SERVER_WAIT_MS * INT64_C(1000000);
    while (server_count(s, type) <= n && nacre_clock_ns() < until)
        if (!client_turn(c, 1))
            break;
    return server_wait(s, type, n, out);
}

bool server_wait_empty(struct server *s)
{
    int64_t until = nacre_clock_ns() + SERVER_WAIT_MS * INT64_C(1000000);
    int connections = -1, channels = -1;
    do {
        (void)nacre_get_ssh_connection_count(s->nacre, &connections);
        (void)nacre_get_ssh_channel_count(s->nacre, &channels);
        if (connections == 0 && channels == 0)
            return true;
        usleep(1000);
    } while (nacre_clock_ns() < until);
    return false;
}

size_t server_pool_bytes(struct server *s)
{
    size_t bytes = 0;
    unsigned count = atomic_load_explicit(&s->nacre->shard_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        bytes += atomic_load_explicit(&s->nacre->shards[i].pool.used, memory_order_relaxed);
    return bytes;
}
