/* SPDX-License-Identifier: Apache-2.0 */
/* Callers of nacre_do_events() that wait in a worker's place: nothing waits for them longer than for a worker, whoever
 * sends it and whatever their handlers do. Waits are a minute long here, so that a wake-up that is missed shows. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "engine/wheel.h"
#include "support/client.h"
#include "support/server.h"

enum {
    CALLERS = 2,
};

static struct {
    atomic_uint in, left;
    atomic_bool enough;
} callers, handler;

static void *call(void *argument)
{
    struct server *s = argument;
    while (!atomic_load(&s->stopping))
        (void)nacre_do_events(s->nacre);
    atomic_fetch_add(&callers.left, 1);
    return NULL;
}

/* `settings`: of the class, NULL at the end. */
static void start(struct server *s, unsigned count, const char *workers)
{
    server_set(s, "SelectWaitMillis=60000");
    server_set(s, workers);
    s->records_data = false;
    server_start(s, 0);
    while (s->thread_count < count)
        cr_assert_eq(pthread_create(&s->threads[s->thread_count++], NULL, call, s), 0);
}

/* Each event that comes lets a caller out. */
static void finish(struct server *s)
{
    atomic_store(&s->stopping, true);
    for (int i = 0; i < SERVER_WAIT_MS && atomic_load(&callers.left) < s->thread_count; i++) {
        int fd = client_socket(NULL, s->port);
        usleep(1000);
        close(fd);
    }
    cr_assert_eq(atomic_load(&callers.left), s->thread_count, "a caller was not woken");
    server_free(s);
}

static void open_one(struct server *s, struct client *c)
{
    cr_assert(client_start(c, s->port), "%s", c->text);
    cr_assert_eq(client_open(c, "session"), 0);
}

static void echo_once(struct client *c, size_t *sum)
{
    cr_assert(client_send(c, 0, "ping", 4));
    *sum += 4;
    cr_assert(client_wait_count(c, &c->channels[0].received, *sum));
}

static bool has_guest(struct server *s)
{
    struct shard *shard = &s->nacre->shards[0];
    bool guest = false;
    for (int i = 0; i < SERVER_WAIT_MS && !guest; i++) {
        nacre_mutex_lock(&shard->wheel);
        guest = shard->has_guest;
        nacre_mutex_unlock(&shard->wheel);
        usleep(1000);
    }
    return guest;
}

Test(class_wheel, a_caller_without_work_waits_in_the_workers_place, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    size_t sum = 0;
    s->echo = true;
    start(s, 1, "WorkerThreads=1");
    open_one(s, &c);
    for (int i = 0; i < 300; i++)
        echo_once(&c, &sum);
    if (s->nacre->shards[0].lends)
        cr_assert(has_guest(s));
    else
        cr_assert_not(s->nacre->shards[0].has_guest);
    client_free(&c);
    finish(s);
}

Test(class_wheel, one_caller_hears_of_every_worker, .timeout = 240)
{
    enum {
        CLIENTS = 24
    };
    struct server *s = server_new();
    struct client c[CLIENTS];
    size_t sum[CLIENTS] = {0};
    bool seen[2] = {false, false};
    s->echo = true;
    start(s, 1, "WorkerThreads=2");
    for (int i = 0; i < CLIENTS; i++) {
        struct server_seen e;
        open_one(s, &c[i]);
        cr_assert(server_wait(s, EVENT_CONNECTED, (size_t)i, &e));
        seen[id_shard(e.connection) & 1] = true;
    }
    cr_assert(seen[0] && seen[1], "one worker has them all");
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < CLIENTS; i++)
            echo_once(&c[i], &sum[i]);
    for (int i = 0; i < CLIENTS; i++)
        client_free(&c[i]);
    finish(s);
}

/* An 'S' makes the handler answer twice and then stay; anything else is echoed. */
static void answer_and_stay(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    if (e->data[0] != 'S') {
        server_on_ssh_channel_data_in(n, e, context);
        return;
    }
    (void)nacre_send_bytes(n, e->channel_id, "one", 3);
    (void)nacre_send_bytes(n, e->channel_id, "two", 3);
    atomic_fetch_add(&handler.in, 1);
    while (!atomic_load(&handler.enough))
        usleep(1000);
    atomic_fetch_add(&handler.left, 1);
}

static struct server *staying_server(void)
{
    struct server *s = server_new();
    s->echo = true;
    s->handlers.on_ssh_channel_data_in = answer_and_stay;
    return s;
}

Test(class_wheel, what_a_handler_sends_goes_out_while_it_runs, .timeout = 240)
{
    struct server *s = staying_server();
    struct client c;
    size_t sum = 0;
    start(s, 1, "WorkerThreads=1");
    open_one(s, &c);
    echo_once(&c, &sum);
    cr_assert(client_send(&c, 0, "S", 1));
    cr_assert(client_wait_count(&c, &c.channels[0].received, sum + 6), "it waits for the handler");
    cr_assert_eq(atomic_load(&handler.left), 0);
    atomic_store(&handler.enough, true);
    client_free(&c);
    finish(s);
}

Test(class_wheel, r43_a_worker_goes_on_while_the_guest_is_in_a_handler, .timeout = 240)
{
    struct server *s = staying_server();
    struct client slow, quick, late;
    size_t sum = 0;
    start(s, CALLERS, "WorkerThreads=1");
    open_one(s, &slow);
    open_one(s, &quick);
    echo_once(&quick, &sum);
    cr_assert(client_send(&slow, 0, "S", 1));
    cr_assert(client_wait_count(&slow, &slow.channels[0].received, 6));
    for (int i = 0; i < 50; i++)
        echo_once(&quick, &sum);
    open_one(s, &late);
    cr_assert_eq(atomic_load(&handler.left), 0);
    atomic_store(&handler.enough, true);
    client_free(&late);
    client_free(&quick);
    client_free(&slow);
    finish(s);
}

/* One caller, and it is away: keys are exchanged all the same, and what came meanwhile is there when it is back. */
Test(class_wheel, r43_the_only_caller_may_be_away, .timeout = 240)
{
    struct server *s = staying_server();
    struct client c;
    size_t sum = 6;
    start(s, 1, "WorkerThreads=1");
    open_one(s, &c);
    cr_assert(client_send(&c, 0, "S", 1));
    cr_assert(client_wait_count(&c, &c.channels[0].received, 6));
    unsigned keys = c.keys_done;
    cr_assert_eq(nacre_conn_rekey(c.conn, nacre_clock_ns()), NACRE_OK);
    cr_assert(client_wait_unsigned(&c, &c.keys_done, keys + 1), "keys wait for a handler");
    cr_assert(client_send(&c, 0, "ping", 4));
    client_pump(&c, 50);
    cr_assert_eq(c.channels[0].received, 6, "its own events overlap");
    atomic_store(&handler.enough, true);
    cr_assert(client_wait_count(&c, &c.channels[0].received, sum + 4));
    client_free(&c);
    finish(s);
}

static void shut_down(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    (void)e;
    (void)context;
    cr_expect_eq(nacre_shutdown(n), 0);
}

Test(class_wheel, shutdown_from_a_handler_brings_every_end, .timeout = 240)
{
    enum {
        CLIENTS = 6
    };
    struct server *s = server_new();
    struct client c[CLIENTS];
    s->handlers.on_ssh_channel_data_in = shut_down;
    start(s, 1, "WorkerThreads=1");
    for (int i = 0; i < CLIENTS; i++)
        open_one(s, &c[i]);
    cr_assert(client_send(&c[0], 0, "end", 3));
    for (int i = 0; i < CLIENTS; i++)
        cr_assert(client_wait_end(&c[i]));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, CLIENTS - 1, NULL), "a caller sleeps on");
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        client_free(&c[i]);
    cr_assert_eq(nacre_start_listening(s->nacre), 0);
    cr_assert_eq(nacre_get_local_port(s->nacre, &s->port), 0);
    finish(s);
}

/* Sends of other threads while a caller waits as a guest. */
Test(class_wheel, others_send_while_a_caller_waits, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    start(s, 1, "WorkerThreads=1");
    open_one(s, &c);
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &e));
    for (size_t i = 1; i <= 100; i++) {
        cr_assert_eq(nacre_send_bytes(s->nacre, e.channel, "abc", 3), 0);
        cr_assert(client_wait_count(&c, &c.channels[0].received, 3 * i));
    }
    client_free(&c);
    finish(s);
}

/* Who comes last to the kernel is told first. A guest that finds itself below its worker would wait there for its whole
 * time while each event wakes two threads elsewhere. */
Test(class_wheel, a_guest_is_woken_before_others, .timeout = 240)
{
    struct server *s = server_new();
    start(s, 0, "WorkerThreads=1");
    struct shard *shard = &s->nacre->shards[0];
    struct waiter guest = {.rides = shard}, sleeper = {.rides = NULL};
    nacre_park_init(&sleeper.place);
    cr_assert(nacre_waiter_enter(s->nacre, &guest));
    cr_assert(nacre_waiter_enter(s->nacre, &sleeper));
    nacre_server_ready(shard, 1);
    cr_expect(guest.called);
    cr_expect_not(sleeper.called);
    nacre_server_taken(s->nacre);
    nacre_waiter_leave(s->nacre, &sleeper);
    cr_expect_not(nacre_waiter_ended(s->nacre));
    cr_expect_not(nacre_waiter_ended(s->nacre));
    finish(s);
}

Test(class_wheel, nobody_becomes_a_guest_before_a_worker_on_its_way, .timeout = 240)
{
    struct server *s = server_new();
    start(s, 0, "WorkerThreads=1");
    struct shard *shard = &s->nacre->shards[0];
    bool rode = false;
    for (int i = 0; i < SERVER_WAIT_MS && !rode && shard->lends; i++) { /* the worker may have the wheel for a moment */
        rode = nacre_wheel_ride(s->nacre, nacre_clock_ns());
        usleep(1000);
    }
    cr_expect_eq(rode, shard->lends);
    nacre_mutex_lock(&shard->wheel);
    shard->worker_waits = true;
    nacre_mutex_unlock(&shard->wheel);
    for (int i = 0; i < 100; i++)
        cr_expect_not(nacre_wheel_ride(s->nacre, nacre_clock_ns()));
    finish(s);
}

enum {
    DEEPEST = 8
};

static struct {
    atomic_uint asked;
    atomic_bool waits, is_back, enough;
} nest;

static _Thread_local unsigned depth;

/* Each is about another client, and waits for the next; the deepest for what it may not take. */
static void nest_request(nacre_server *n, struct nacre_connection_request *e, void *context)
{
    struct server *s = context;
    e->accept = false;
    atomic_fetch_add(&nest.asked, 1);
    if (depth == DEEPEST || atomic_load(&nest.enough))
        return;
    depth++;
    if (depth == DEEPEST) {
        server_set(s, "SelectWaitMillis=3000");
        atomic_store(&nest.waits, true);
    }
    (void)nacre_do_events(n);
    if (depth == DEEPEST) {
        atomic_store(&nest.is_back, true);
        while (!atomic_load(&nest.enough))
            usleep(1000);
    }
    depth--;
}

static void wait_for_requests(unsigned count)
{
    for (int i = 0; i < SERVER_WAIT_MS && atomic_load(&nest.asked) < count; i++)
        usleep(1000);
    cr_assert_eq(atomic_load(&nest.asked), count);
}

/* The worker has heard of the setting and waits for the kernel again, so that who comes now finds the wheel. */
static void wait_for_wheel(struct server *s, int64_t select_wait_ms)
{
    struct shard *shard = &s->nacre->shards[0];
    for (bool heard = !shard->lends; !heard; usleep(1000)) {
        nacre_mutex_lock(&shard->wheel);
        heard = shard->profile->settings.select_wait_ms.number == select_wait_ms;
        nacre_mutex_unlock(&shard->wheel);
    }
}

/* Inside of so many handlers a caller may take nothing more, so it must not be who is woken. */
Test(class_wheel, a_caller_that_is_too_deep_leaves_events_to_others, .timeout = 240)
{
    struct server *s = server_new();
    int fds[DEEPEST + 1];
    s->handlers.on_connection_request = nest_request;
    start(s, 1, "WorkerThreads=1");
    for (unsigned i = 0; i < DEEPEST; i++) {
        fds[i] = client_socket(NULL, s->port);
        wait_for_requests(i + 1);
    }
    while (!atomic_load(&nest.waits))
        usleep(1000);
    usleep(100 * 1000); /* it is asleep */
    cr_expect_eq(atomic_load(&s->nacre->waiters), 0);
    server_set(s, "SelectWaitMillis=60000");
    wait_for_wheel(s, 60000);
    cr_assert_eq(pthread_create(&s->threads[s->thread_count++], NULL, call, s), 0);
    cr_assert(has_guest(s) || !s->nacre->shards[0].lends);
    fds[DEEPEST] = client_socket(NULL, s->port);
    wait_for_requests(DEEPEST + 1);
    cr_expect_not(atomic_load(&nest.is_back), "it was woken for what another takes");
    atomic_store(&nest.enough, true);
    for (unsigned i = 0; i <= DEEPEST; i++)
        close(fds[i]);
    finish(s);
}
