/* SPDX-License-Identifier: Apache-2.0 */
/* The rows, and the driver of the scripted back end. */
#include "backend/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plat.h"
#include "support/fake_io.h"

enum {
    FAKE_NARROW = 4096,
    ROWS_MAX = 8
};

const struct driver *driver_at(size_t row)
{
    return row == 0 ? &driver_fake : system_drivers[row - 1];
}

bool driver_is_wanted(const struct driver *d)
{
    const char *wanted = getenv("NACRE_TEST_DRIVER");
    return wanted == NULL || strcmp(wanted, d->ops->name) == 0;
}

struct criterion_test_params driver_rows(void)
{
    static size_t rows[ROWS_MAX];
    size_t count = 0;
    const char *why_not;
    for (size_t i = 0; driver_at(i) != NULL; i++)
        if (driver_is_wanted(driver_at(i)) && driver_at(i)->ops->usable(&why_not))
            rows[count++] = i;
    return cr_make_param_array(size_t, rows, count, NULL);
}

/* Says which they are. */
Test(backend, rows)
{
    size_t usable = 0;
    for (size_t i = 0; driver_at(i) != NULL; i++) {
        const char *why_not = "";
        if (!driver_is_wanted(driver_at(i)))
            continue;
        bool runs = driver_at(i)->ops->usable(&why_not);
        (void)fprintf(stderr, "back end %s: %s%s\n", driver_at(i)->ops->name,
                      runs ? "every case" : "left out: ", why_not);
        usable += runs;
    }
    if (getenv("NACRE_TEST_DRIVER") == NULL)
        cr_expect_geq(usable, 2, "the fake one and one of the system at least");
    else if (usable == 0)
        cr_skip_test("it is left out");
}

static io_socket listener(struct io_address *at)
{
    io_socket s = fake_listener();
    *at = fake_address(s);
    return s;
}

static io_socket unconnected(const struct io_address *to)
{
    (void)to;
    return fake_socket();
}

static struct io_address nowhere(bool at_once)
{
    (void)at_once;
    return fake_nowhere();
}

static void nowhere_end(void)
{
}

static io_socket silent_listener = IO_NO_SOCKET;

static struct io_address silent(void)
{
    silent_listener = fake_listener();
    fake_listener_ignore(silent_listener);
    return fake_address(silent_listener);
}

static void silent_end(void)
{
    fake_close(silent_listener);
}

static struct far far_of(struct fake_peer *p)
{
    return (struct far){.fd = -1, .peer = p};
}

static struct far pair(io_socket *near)
{
    return far_of(fake_pair(near));
}

static struct far dial(io_socket s)
{
    return far_of(fake_dial(s));
}

static struct far accept_one(io_socket s)
{
    return far_of(fake_accept(s));
}

static bool feed(struct far f, const void *bytes, size_t len)
{
    return fake_feed(f.peer, bytes, len);
}

static size_t take(struct far f, void *at, size_t room, int ms)
{
    if (!fake_wait(f.peer, nacre_clock_ns() + ms * INT64_C(1000000)))
        return 0;
    return fake_take(f.peer, at, room);
}

static bool got_fin(struct far f)
{
    return fake_got_fin(f.peer);
}

static void fin(struct far f)
{
    fake_fin(f.peer);
}

static void reset(struct far f)
{
    fake_cut(f.peer, NACRE_E_CONNRESET);
}

static void narrow(struct far f, io_socket near)
{
    (void)near;
    fake_room(f.peer, FAKE_NARROW);
}

/* Nothing is left to do for one that an instance has taken and closed. */
static void let_go(struct far f)
{
    fake_drop(f.peer);
}

static void starve(io_socket s, bool on)
{
    if (on)
        fake_listener_fail(s, NACRE_E_MFILE);
}

const struct driver driver_fake = {
    .ops = &fake_io,
    .listener = listener,
    .unconnected = unconnected,
    .nowhere = nowhere,
    .nowhere_end = nowhere_end,
    .silent = silent,
    .silent_end = silent_end,
    .pair = pair,
    .dial = dial,
    .accept = accept_one,
    .feed = feed,
    .take = take,
    .got_fin = got_fin,
    .fin = fin,
    .reset = reset,
    .narrow = narrow,
    .let_go = let_go,
    .close = fake_close,
    .sockets = fake_sockets,
    .starve = starve,
};
