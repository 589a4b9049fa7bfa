/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R47 for name look-ups: a name server that does not answer holds up those who asked it, and nobody's login or
 * other tunnels. getaddrinfo() is replaced: names in ".slow" are not answered before the test says so, and one is
 * answered at once. Fails when look-ups share the offload pool, or when one connection's look-ups go ahead of another's
 * first. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>

#include "base/plat.h"
#include "engine/offload.h"
#include "support/client.h"
#include "support/server.h"
#include "wire/wr.h"

enum {
    SLOW = 40 /* more than any pool has threads */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned answers, waiting; /* how many may go on; how many wait */
    unsigned asked;            /* in all */
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void wait_for_an_answer(void)
{
    pthread_mutex_lock(&names.lock);
    names.waiting++;
    names.asked++;
    while (names.answers == 0)
        pthread_cond_wait(&names.wake, &names.lock);
    names.answers--;
    names.waiting--;
    pthread_mutex_unlock(&names.lock);
}

static void answer(unsigned count)
{
    pthread_mutex_lock(&names.lock);
    names.answers += count;
    pthread_cond_broadcast(&names.wake);
    pthread_mutex_unlock(&names.lock);
}

static bool wait_until_asked(unsigned count)
{
    for (int64_t until = nacre_clock_ns() + SERVER_WAIT_MS * INT64_C(1000000); nacre_clock_ns() < until;) {
        pthread_mutex_lock(&names.lock);
        bool asked = names.waiting >= count;
        pthread_mutex_unlock(&names.lock);
        if (asked)
            return true;
        (void)poll(NULL, 0, 5);
    }
    return false;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    size_t len = name == NULL ? 0 : strlen(name);
    if (len > 5 && strcmp(name + len - 5, ".slow") == 0) {
        wait_for_an_answer();
        return EAI_NONAME;
    }
    if (name != NULL && strcmp(name, "nobody.quick") == 0)
        return EAI_NONAME;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, found);
}

static void on_tunnel(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

static uint32_t ask_for(struct client *c, const char *host)
{
    uint8_t data[128];
    uint32_t number = 0;
    struct wr w = wr_over(data, sizeof data);
    wr_cstring(&w, host);
    wr_u32(&w, 9);
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, 4711);
    cr_assert_eq(nacre_chan_open(c->conn, span_str("direct-tcpip"), wr_span(&w), &number, nacre_clock_ns()), NACRE_OK);
    client_pump(c, 1);
    return number;
}

static struct server *start_server(struct client *hoarder)
{
    struct server *s = server_new();
    s->handlers.on_ssh_tunnel_requested = on_tunnel;
    server_start(s, 1);
    cr_assert(client_start(hoarder, s->port));
    for (unsigned i = 0; i < SLOW; i++)
        (void)ask_for(hoarder, "many.slow");
    cr_assert(wait_until_asked(OFFLOAD_THREADS)); /* none is free */
    return s;
}

Test(security, r47_slow_names_hold_up_no_login, .timeout = 240)
{
    struct client hoarder, other;
    struct server *s = start_server(&hoarder);
    client_init(&other);
    other.config.algorithms.kex = "diffie-hellman-group14-sha256"; /* what the offload pool computes */
    cr_expect(client_connect(&other, s->port) && client_login(&other, "user", "pw"), "%s", other.text);
    answer(UINT32_MAX / 2);
    client_free(&other);
    client_free(&hoarder);
    server_free(s);
}

/* One answer to a name of the hoarder's, and the other's turn has come: not after all of the hoarder's. */
Test(security, r47_many_slow_names_of_one_hold_up_nobody_elses_first, .timeout = 240)
{
    struct client hoarder, other;
    struct server *s = start_server(&hoarder);
    cr_assert(client_start(&other, s->port));
    uint32_t number = ask_for(&other, "nobody.quick");
    cr_assert_geq(client_open(&other, "session"), 0); /* answered behind it: by now it waits for a thread */
    int64_t until = nacre_clock_ns() + SERVER_WAIT_MS * INT64_C(1000000);
    cr_expect_not(other.channels[number].failed, "no thread is free before");
    answer(1);
    while (!other.channels[number].failed && nacre_clock_ns() < until) {
        client_pump(&hoarder, 1);
        client_pump(&other, 20);
    }
    cr_expect(other.channels[number].failed, "a thread was free, and it was not the other's turn");
    answer(UINT32_MAX / 2);
    client_free(&other);
    client_free(&hoarder);
    server_free(s);
}

/* Fails when the names that are queued for a client that has left are looked up all the same: its next visit, and
 * nacre_free(), would wait for every one of them. */
Test(security, r47_names_for_a_client_that_has_left_are_not_looked_up, .timeout = 240)
{
    struct client hoarder;
    struct server *s = start_server(&hoarder);
    client_free(&hoarder);
    cr_assert(server_wait_empty(s));
    answer(OFFLOAD_THREADS);
    server_free(s);
    cr_expect_eq(names.asked, OFFLOAD_THREADS);
}
