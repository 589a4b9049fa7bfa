/* SPDX-License-Identifier: Apache-2.0 */
/* Rule R33 for our own allocations: the n-th one between the first byte and the end of a session fails, for every n,
 * on whichever side it falls. Nobody is let in who would not be, what arrives is what was sent, the end is told once,
 * and nothing is left. Fails when a login whose answer could not be kept counts as a yes, or a failed copy as an empty
 * one. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "support/pair.h"

enum {
    DATA = 100000, /* several blocks and packets */
    MANY = 20000
};

static long now_failing;

static void check(bool holds, const char *what, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s, with allocation %ld failing\n", __FILE__, line, what, now_failing);
    exit(EXIT_FAILURE);
}

/* A session whose login is refused (or not); true: the client was let in. */
struct plan {
    bool refused, has_factor, rekeys;
    const char *comp, *cipher;
};

static uint8_t sent[DATA];

static void use_session(struct pair *p, const struct plan *plan)
{
    uint32_t ch = pair_open(p);
    if (ch == UINT32_MAX || side_count(&p->client, CONN_CHANNEL_OPENED) == 0)
        return;
    (void)nacre_chan_request(p->client.conn, ch, span_str("exec"), true, span_of("\0\0\0\2id", 6), p->now_ns);
    pair_run(p);
    if (plan->rekeys)
        (void)nacre_conn_rekey(p->client.conn, p->now_ns);
    bool all = pair_send(&p->client, ch, 0, sent, sizeof sent) == NACRE_OK;
    pair_run(p);
    size_t at = 0;
    for (size_t i = 0; i < p->server.seen_count; i++) {
        const struct conn_event *e = &p->server.seen[i].event;
        if (e->type != CONN_CHANNEL_DATA)
            continue;
        check(e->data.len <= DATA - at && memcmp(e->data.at, sent + at, e->data.len) == 0, "other bytes arrived",
              __LINE__);
        at += e->data.len;
    }
    bool ended = side_count(&p->server, CONN_DISCONNECTED) + side_count(&p->client, CONN_DISCONNECTED) != 0;
    check(!all || at == DATA || ended, "bytes are missing, and nobody was told", __LINE__);
}

static bool run_session(const struct plan *plan, long n)
{
    struct pair *p = pair_new();
    bool in = false;
    p->server.refuses[CONN_AUTH_REQUEST] = plan->refused;
    p->server.answer.partial_success = plan->has_factor;
    p->server.config.algorithms.comp = p->client.config.algorithms.comp = plan->comp;
    p->server.config.algorithms.cipher = p->client.config.algorithms.cipher = plan->cipher;
    pair_start(p);
    alloc_fail_nth(n);
    pair_run(p);
    (void)nacre_conn_auth_password(p->client.conn, span_str("anna"), span_str("secret"));
    pair_run(p);
    in = side_count(&p->server, CONN_AUTHENTICATED) + side_count(&p->client, CONN_AUTHENTICATED) != 0;
    if (in)
        use_session(p, plan);
    check(side_count(&p->server, CONN_DISCONNECTED) <= 1, "the end was told twice", __LINE__);
    pair_free(p);
    return in;
}

struct run {
    const struct plan *plan;
    long n;
    bool in;
};

static void *run_on_thread(void *argument)
{
    struct run *r = argument;
    r->in = run_session(r->plan, r->n);
    return NULL;
}

/* On a thread of its own, since contexts of ciphers belong to threads. */
static bool run_fresh(const struct plan *plan, long n)
{
    pthread_t thread;
    struct run r = {.plan = plan, .n = n};
    check(pthread_create(&thread, NULL, run_on_thread, &r) == 0 && pthread_join(thread, NULL) == 0, "a thread",
          __LINE__);
    return r.in;
}

static void for_every_failure(const struct plan *plan)
{
    bool may_come_in = !plan->refused && !plan->has_factor;
    (void)run_fresh(plan, -1); /* what is made once is made */
    long live = alloc_live();
    for (long n = 0; n < MANY; n++) {
        now_failing = n;
        bool in = run_fresh(plan, n);
        bool failed = alloc_fail_none();
        check(!in || may_come_in, "a client was let in", __LINE__);
        check(alloc_live() == live, "something is left", __LINE__);
        if (!failed) {
            check(in == may_come_in, "without a failure the login is as it should be", __LINE__);
            printf("%ld allocations\n", n);
            return;
        }
    }
    check(false, "there is no end", __LINE__);
}

int main(void)
{
    static const struct plan plans[] = {
        {.comp = "none", .cipher = "aes256-gcm@openssh.com"},
        {.comp = "none", .cipher = "aes128-ctr", .rekeys = true},
        {.comp = "zlib@openssh.com", .cipher = "chacha20-poly1305@openssh.com", .rekeys = true},
        {.comp = "none", .cipher = "aes128-gcm@openssh.com", .refused = true},
        {.comp = "none", .cipher = "aes128-gcm@openssh.com", .refused = true, .has_factor = true},
    };
    for (size_t i = 0; i < DATA; i++)
        sent[i] = (uint8_t)(i * 2654435761U >> 16);
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        for_every_failure(&plans[i]);
    return EXIT_SUCCESS;
}
