/* SPDX-License-Identifier: Apache-2.0 */
/* Many connections at once over each I/O model, and servers that end while much is in flight. How many is for the
 * environment to say; without that, what a loaded machine does in a minute. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plat.h"
#include "support/client.h"
#include "support/net.h"
#include "support/server.h"

enum {
    CALLERS = 4, /* threads that play clients */
    HELLO = 1024,
    TALKERS = 8,
    TALK = 512 * 1024,
    SETTLED = 2 /* rounds after which what a process makes once is made */
};

static const char *const models[] = {"iocp", "wsaasyncselect", "wsapoll"};

static size_t number(const char *variable, size_t otherwise)
{
    const char *text = getenv(variable);
    long n = text == NULL ? 0 : strtol(text, NULL, 10);
    return n > 0 ? (size_t)n : otherwise;
}

static struct criterion_test_params rows(void)
{
    return cr_make_param_array(const char *, (void *)models, sizeof models / sizeof *models);
}

static struct server *serve(const char *model, size_t connections)
{
    struct server *s = server_new();
    char setting[64];
    (void)snprintf(setting, sizeof setting, "IOBackend=%s", model);
    server_set(s, setting);
    (void)snprintf(setting, sizeof setting, "MaxConnections=%zu", connections + TALKERS);
    server_set(s, setting);
    cr_assert_eq(nacre_set_connection_backlog(s->nacre, 1000), 0);
    s->echo = true;
    s->records_data = false;
    server_start(s, 1);
    return s;
}

/* ---- many at once ------------------------------------------------------------------------------------------------ */

struct caller {
    struct client *clients;
    struct nacre_crypto *crypto;
    size_t count, good;
    int port;
};

static bool echoes(struct client *c)
{
    uint8_t hello[HELLO];
    struct client_channel *ch = &c->channels[0];
    size_t before = ch->received;
    for (size_t i = 0; i < sizeof hello; i++)
        hello[i] = (uint8_t)(i * 31 + before);
    return client_send(c, 0, hello, sizeof hello) && client_wait_count(c, &ch->received, before + sizeof hello) &&
           memcmp(ch->data.at + before, hello, sizeof hello) == 0;
}

static void come_in(void *argument)
{
    struct caller *caller = argument;
    for (size_t i = 0; i < caller->count; i++) {
        struct client *c = &caller->clients[i];
        client_init_with(c, caller->crypto);
        caller->good += client_connect(c, caller->port) && client_login(c, "user", "pw") &&
                        client_open(c, "session") == 0 && echoes(c);
    }
}

static void speak_again(void *argument)
{
    struct caller *caller = argument;
    for (size_t i = 0; i < caller->count; i++)
        caller->good += echoes(&caller->clients[i]);
}

/* Every caller does that; gives how many of their clients did well. */
static size_t all_do(struct caller callers[CALLERS], void (*what)(void *))
{
    plat_thread threads[CALLERS];
    size_t good = 0;
    for (int i = 0; i < CALLERS; i++) {
        callers[i].good = 0;
        cr_assert(nacre_thread_start(&threads[i], what, &callers[i], "caller"));
    }
    for (int i = 0; i < CALLERS; i++) {
        nacre_thread_join(threads[i]);
        good += callers[i].good;
    }
    return good;
}

ParameterizedTestParameters(load_crowd, everybody_logs_in_and_is_heard)
{
    return rows();
}

ParameterizedTest(const char **model, load_crowd, everybody_logs_in_and_is_heard, .timeout = 3000)
{
    const size_t count = number("NACRE_TEST_CROWD", 200);
    struct client *clients = calloc(count, sizeof *clients);
    struct caller callers[CALLERS];
    struct nacre_crypto *crypto = nacre_crypto_open(false);
    int64_t begun = nacre_clock_ns();
    struct server *s = serve(*model, count);
    for (size_t i = 0; i < CALLERS; i++) {
        size_t from = count * i / CALLERS, to = count * (i + 1) / CALLERS;
        callers[i] = (struct caller){.clients = clients + from, .count = to - from, .crypto = crypto, .port = s->port};
    }
    size_t came = all_do(callers, come_in);
    int64_t in = nacre_clock_ns();
    size_t handles = server_descriptors(), heard = came == count ? all_do(callers, speak_again) : 0;
    printf("%s: %zu connections in %.1f s, all heard again in %.1f s, %zu handles\n", *model, came,
           (double)(in - begun) / 1e9, (double)(nacre_clock_ns() - in) / 1e9, handles);
    cr_expect_eq(came, count, "%s: %zu came in", *model, came);
    cr_expect_eq(heard, count, "%s: %zu were heard", *model, heard);
    server_free(s);
    for (size_t i = 0; i < count; i++)
        client_free(&clients[i]);
    nacre_crypto_unref(crypto);
    free(clients);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

/* Sends much and takes nothing back: the server's sends stand still, too. */
static void talk(struct client *c, int port)
{
    static uint8_t much[TALK];
    cr_assert(client_start(c, port), "%s", c->text);
    cr_assert_eq(client_open(c, "session"), 0);
    c->channels[0].stalled = true;
    cr_assert(client_send(c, 0, much, sizeof much));
    cr_assert(client_wait_count(c, &c->channels[0].received, 1));
}

/* A server that ends with a receive in flight for every connection, and sends for some. */
static void end_in_flight(const char *model, size_t quiet, bool shut_first)
{
    static struct client talkers[TALKERS];
    struct server *s = serve(model, quiet);
    int *fds = calloc(quiet, sizeof *fds);
    for (size_t i = 0; i < quiet; i++) {
        fds[i] = client_socket(NULL, s->port);
        cr_assert(fds[i] >= 0, "%zu", i);
    }
    for (size_t i = 0; i < TALKERS; i++)
        talk(&talkers[i], s->port);
    cr_assert(server_wait(s, EVENT_CONNECTED, quiet + TALKERS - 1, NULL), "%zu of them",
              server_count(s, EVENT_CONNECTED));
    if (shut_first)
        cr_expect_eq(nacre_shutdown(s->nacre), 0);
    server_free(s);
    for (size_t i = 0; i < TALKERS; i++) {
        talkers[i].channels[0].stalled = false;
        cr_expect(client_wait(&talkers[i], &talkers[i].fin), "a client is not told");
        client_free(&talkers[i]);
    }
    for (size_t i = 0; i < quiet; i++)
        net_close(fds[i]);
    free(fds);
}

ParameterizedTestParameters(load_crowd, ends_in_flight_leave_no_handle)
{
    return rows();
}

ParameterizedTest(const char **model, load_crowd, ends_in_flight_leave_no_handle, .timeout = 3000)
{
    const size_t rounds = number("NACRE_TEST_ENDS", 8), quiet = number("NACRE_TEST_IN_FLIGHT", 100);
    size_t settled = 0;
    for (size_t i = 0; i < SETTLED + rounds; i++) {
        end_in_flight(*model, quiet, i % 2 != 0);
        if (i + 1 == SETTLED)
            settled = server_descriptors();
    }
    const size_t handles = server_descriptors();
    printf("%s: %zu ends with %zu connections, %zu handles before and %zu after\n", *model, rounds, quiet + TALKERS,
           settled, handles);
    cr_expect_gt(settled, 0);
    cr_expect_leq(handles, settled, "%s: %zu handles, then %zu", *model, settled, handles);
}
