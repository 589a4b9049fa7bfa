/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that end while a receive is in flight for every connection, a send for some, and accepts: over each back end
 * of this system, time after time, with the handles counted. How much is for the environment to say. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plat.h"
#include "load/load.h"
#include "support/net.h"

enum {
    MUCH = 256 * 1024, /* what the server says to who has logged in: more than the buffers between both take */
    ROUGH = 64 * 1024,
    SETTLED = 2, /* rounds after which what a process makes once is made, mostly */
    BATCHES = 4
};

/* One round. */
struct round {
    const char *model;
    size_t quiet;    /* connections that never say anything: a receive each */
    size_t standing; /* connections that do not take what is sent: a receive and a send each */
    bool shut_first;
};

/* Handlers that have said it, and the least that the server took of one of them. */
static atomic_size_t said, least;

static void note_taken(size_t bytes)
{
    size_t before = atomic_load(&least);
    while (bytes < before && !atomic_compare_exchange_weak(&least, &before, bytes))
        ;
    atomic_fetch_add(&said, 1);
}

static void say_much(nacre_server *n, struct nacre_ssh_channel_opened *e, void *context)
{
    static const uint8_t much[MUCH];
    size_t bytes = 0;
    (void)context;
    (void)nacre_send_bytes(n, e->channel_id, much, sizeof much);
    (void)nacre_get_bytes_sent(n, e->channel_id, &bytes);
    note_taken(bytes);
}

/* A client that logs in, sees that the server has begun to send, and takes no more. */
static void come_and_stand(void *argument)
{
    struct caller *caller = argument;
    for (size_t i = 0; i < caller->count; i++) {
        struct client *c = &caller->clients[i];
        client_init_with(c, caller->crypto);
        caller->good += client_connect(c, caller->port) && client_login(c, "user", "pw") &&
                        client_open(c, "session") == 0 && client_wait_count(c, &c->channels[0].received, 1);
    }
}

/* Takes what is still on its way, until the connection's end. */
static void see_end(void *argument)
{
    static _Thread_local uint8_t bytes[ROUGH];
    struct caller *caller = argument;
    for (size_t i = 0; i < caller->count; i++) {
        struct client *c = &caller->clients[i];
        int64_t until = nacre_clock_ns() + CLIENT_WAIT_MS * INT64_C(1000000);
        size_t got = c->channels[0].received;
        int n;
        while ((n = net_receive(c->fd, bytes, sizeof bytes)) != 0 && n != NET_ERROR && nacre_clock_ns() < until) {
            got += n > 0 ? (size_t)n : 0;
            if (n == NET_LATER)
                (void)net_wait(c->fd, true, false, 20);
        }
        caller->good += (n == 0 || n == NET_ERROR) && got < atomic_load(&least);
        client_free(c);
    }
}

static struct server *serve(const struct round *r)
{
    struct server *s = load_server(r->model, r->quiet + r->standing);
    s->handlers.on_ssh_channel_opened = say_much;
    server_set(s, "OutBufferSize=16384");
    cr_assert_eq(nacre_set_default_timeout(s->nacre, 0), 0); /* sends do not wait */
    server_start(s, 1);
    return s;
}

static void end_in_flight(const struct round *r, struct nacre_crypto *crypto)
{
    struct client *standing = calloc(r->standing, sizeof *standing);
    int *quiet = calloc(r->quiet, sizeof *quiet);
    struct server *s = serve(r);
    const struct caller how = {.crypto = crypto, .port = s->port};
    atomic_store(&said, 0);
    atomic_store(&least, SIZE_MAX);
    cr_assert_eq(load_all_do(standing, r->standing, &how, come_and_stand), r->standing);
    for (size_t i = 0; i < r->quiet; i++) {
        quiet[i] = client_socket(NULL, s->port);
        cr_assert(quiet[i] >= 0, "%zu", i);
    }
    cr_assert(server_wait(s, EVENT_CONNECTED, r->quiet + r->standing - 1, NULL), "%zu of them",
              server_count(s, EVENT_CONNECTED));
    if (r->shut_first)
        cr_expect_eq(nacre_shutdown(s->nacre), 0);
    server_free(s);
    cr_expect_eq(atomic_load(&said), r->standing);
    cr_expect_eq(load_all_do(standing, r->standing, &how, see_end), r->standing,
                 "a client is not told of the end, or nothing was left to send to it");
    for (size_t i = 0; i < r->quiet; i++)
        net_close(quiet[i]);
    free(quiet);
    free(standing);
}

/* Every other one is told to shut down first. */
static void end_some(struct round *r, size_t rounds, struct nacre_crypto *crypto)
{
    for (size_t i = 0; i < rounds; i++) {
        r->shut_first = i % 2 != 0;
        end_in_flight(r, crypto);
    }
}

ParameterizedTestParameters(load_ends, ends_in_flight_leave_no_handle)
{
    return load_models();
}

ParameterizedTest(char model[32], load_ends, ends_in_flight_leave_no_handle, .timeout = 10000)
{
    const size_t rounds = load_number("NACRE_TEST_ENDS", 4);
    struct round r = {.model = model,
                      .quiet = load_number("NACRE_TEST_QUIET", 400),
                      .standing = load_number("NACRE_TEST_STANDING", 50)};
    size_t settled = 0, handles = SIZE_MAX;
    load_needs(model);
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    end_some(&r, SETTLED, crypto);
    /* A lock keeps the event that its first contention makes, whenever that is: only what a leak adds is added by every
     * batch of ends. */
    for (unsigned i = 0; i < BATCHES && handles > settled; i++) {
        settled = server_descriptors();
        end_some(&r, rounds, crypto);
        handles = server_descriptors();
    }
    nacre_crypto_unref(crypto);
    printf("%s: %zu ends with %zu receives and %zu sends in flight, %zu handles before and %zu after\n", model, rounds,
           r.quiet + r.standing, r.standing, settled, handles);
    cr_expect_gt(settled, 0);
    cr_expect_leq(handles, settled, "%s: %zu handles, then %zu", model, settled, handles);
}
