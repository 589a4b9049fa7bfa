/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_do_events(), the waiting in it, and the pollable handle. */
#include <string.h>

#include "engine/deliver.h"
#include "engine/event_fd.h"
#include "engine/wheel.h"

/* What one call works off at most, so that a busy server lets its caller's loop turn. */
enum {
    CONNECTIONS_A_CALL = 64
};

/* The handle is readable exactly while something is ready: whoever takes `ready` from or to zero puts it right under
 * the lock, by what it is then. */
static void sync_fd(struct nacre_server *server)
{
    nacre_mutex_lock(&server->ready_lock);
    intptr_t fd = atomic_load_explicit(&server->event_fd, memory_order_relaxed); /* written under this lock */
    bool wanted = (int)atomic_load(&server->ready) > 0;
    if (fd != -1 && wanted != server->event_fd_set) {
        server->event_fd_set = wanted;
        if (wanted)
            nacre_event_fd_set(fd);
        else
            nacre_event_fd_clear(fd);
    }
    nacre_mutex_unlock(&server->ready_lock);
}

static bool has_fd(const struct nacre_server *server)
{
    return atomic_load(&server->event_fd) != -1;
}

/* Who is woken next for something of shard `s`: its guest, which the kernel does not tell of anything while the worker
 * lies above it; then who fell asleep last. */
static struct waiter **whom_to_wake(struct nacre_server *server, const struct shard *s)
{
    for (struct waiter **at = &server->waiting; *at != NULL; at = &(*at)->next)
        if ((*at)->rides == s)
            return at;
    return &server->waiting;
}

/* Wakes as many as there is to do for, but for those that are on their way already: they will find it. `all`:
 * everybody.
 *
 * Whoever wakes up takes itself out of `woken` before it looks, so one that was counted here sees what we added. */
static void wake(const struct shard *s, bool all)
{
    struct nacre_server *server = s->server;
    struct waiter *first = NULL;
    nacre_mutex_lock(&server->ready_lock);
    int wanted = (int)atomic_load(&server->ready) - (int)atomic_load(&server->woken);
    while (server->waiting != NULL && (all || wanted-- > 0)) {
        struct waiter **at = whom_to_wake(server, s), *w = *at;
        *at = w->next;
        w->called = true;
        atomic_fetch_sub(&server->waiters, 1);
        atomic_fetch_add(&server->woken, 1);
        if (w->rides != NULL) { /* it may be gone as soon as the lock is */
            nacre_wheel_recall(w->rides);
            continue;
        }
        w->next = first;
        first = w;
    }
    nacre_mutex_unlock(&server->ready_lock);
    for (struct waiter *next; first != NULL; first = next) {
        next = first->next; /* it is gone once it is woken */
        nacre_park_set(&first->place);
    }
}

/* What is taken may be counted out before it was counted in, so `ready` is looked at as signed. */
void nacre_server_count(struct nacre_server *server, unsigned count)
{
    int before = (int)atomic_fetch_add(&server->ready, count);
    if (before <= 0 && before + (int)count > 0 && has_fd(server))
        sync_fd(server);
}

void nacre_server_wake(const struct shard *s)
{
    if ((int)atomic_load(&s->server->ready) > 0 && atomic_load(&s->server->waiters) != 0)
        wake(s, false);
}

bool nacre_server_is_behind(const struct nacre_server *server)
{
    return (int)atomic_load_explicit(&server->ready, memory_order_relaxed) > 0 &&
           atomic_load_explicit(&server->waiters, memory_order_relaxed) == 0;
}

void nacre_server_wake_all(const struct shard *s)
{
    if (atomic_load(&s->server->waiters) != 0)
        wake(s, true);
}

void nacre_server_ready(const struct shard *s, unsigned count)
{
    nacre_server_count(s->server, count);
    nacre_server_wake(s);
}

void nacre_server_taken(struct nacre_server *server)
{
    if (atomic_fetch_sub(&server->ready, 1) == 1 && has_fd(server))
        sync_fd(server);
}

bool nacre_waiter_enter(struct nacre_server *server, struct waiter *w)
{
    nacre_mutex_lock(&server->ready_lock);
    w->next = server->waiting;
    w->called = false;
    server->waiting = w;
    atomic_fetch_add(&server->waiters, 1);
    bool is_ready = (int)atomic_load(&server->ready) > 0;
    if (is_ready) {
        server->waiting = w->next;
        atomic_fetch_sub(&server->waiters, 1);
    }
    nacre_mutex_unlock(&server->ready_lock);
    return !is_ready;
}

/* The ready_lock is held, and it was not called. */
static void take_from_list(struct nacre_server *server, const struct waiter *w)
{
    struct waiter **at = &server->waiting;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    atomic_fetch_sub(&server->waiters, 1);
}

void nacre_waiter_leave(struct nacre_server *server, struct waiter *w)
{
    nacre_mutex_lock(&server->ready_lock);
    if (!w->called) {
        take_from_list(server, w);
        atomic_fetch_add(&server->woken, 1);
    }
    nacre_mutex_unlock(&server->ready_lock);
}

bool nacre_waiter_ended(struct nacre_server *server)
{
    atomic_fetch_sub(&server->woken, 1);
    return (int)atomic_load(&server->ready) > 0;
}

/* Takes a waiter whose time ran out from the list; false: somebody is waking it at this moment. */
static bool give_up(struct nacre_server *server, const struct waiter *w)
{
    nacre_mutex_lock(&server->ready_lock);
    bool called = w->called;
    if (!called)
        take_from_list(server, w);
    nacre_mutex_unlock(&server->ready_lock);
    return !called;
}

void nacre_server_wait(struct nacre_server *server, int64_t until_ns)
{
    struct waiter w = {.rides = NULL};
    nacre_park_init(&w.place);
    if (!nacre_waiter_enter(server, &w))
        return;
    if (!nacre_park_wait(&w.place, until_ns)) {
        if (give_up(server, &w))
            return;
        (void)nacre_park_wait(&w.place, INT64_MAX);
    }
    (void)nacre_waiter_ended(server);
}

/* Where nobody finds it: who may take nothing is not to be woken for an event in place of another. */
static void wait_aside(int64_t until_ns)
{
    plat_park place;
    nacre_park_init(&place);
    (void)nacre_park_wait(&place, until_ns);
}

/* Until an event is ready, or the time that a call may take has passed. */
static void wait_for_event(struct nacre_server *server)
{
    int wait_ms = atomic_load_explicit(&server->select_wait_ms, memory_order_relaxed); /* a setting of its own */
    int64_t until_ns = nacre_clock_ns() + wait_ms * INT64_C(1000000);
    if (wait_ms == 0)
        return;
    if (nacre_deliver_is_deep())
        wait_aside(until_ns);
    else if (!nacre_wheel_ride(server, until_ns))
        nacre_server_wait(server, until_ns);
}

int nacre_do_events(nacre_server *server)
{
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    if (!nacre_deliver_one(server))
        wait_for_event(server);
    for (int i = 0; i < CONNECTIONS_A_CALL && nacre_deliver_one(server); i++)
        ;
    return nacre_succeed();
}

intptr_t nacre_event_fd(nacre_server *server)
{
    if (server == NULL)
        return -1;
    nacre_mutex_lock(&server->ready_lock);
    intptr_t fd = atomic_load_explicit(&server->event_fd, memory_order_relaxed); /* written under this lock */
    if (fd == -1) {
        fd = server->event_fd_spare != -1 ? server->event_fd_spare : nacre_event_fd_open();
        atomic_store(&server->event_fd, fd);
    }
    nacre_mutex_unlock(&server->ready_lock);
    sync_fd(server);
    return fd;
}

intptr_t nacre_server_prepare_fd(struct nacre_server *server)
{
    nacre_mutex_lock(&server->ready_lock);
    intptr_t fd = atomic_load_explicit(&server->event_fd, memory_order_relaxed); /* written under this lock */
    if (fd == -1 && server->event_fd_spare == -1)
        server->event_fd_spare = nacre_event_fd_open();
    if (fd == -1)
        fd = server->event_fd_spare;
    nacre_mutex_unlock(&server->ready_lock);
    return fd;
}

void nacre_server_close_fd(struct nacre_server *server)
{
    intptr_t fd = atomic_load_explicit(&server->event_fd, memory_order_acquire);
    if (fd == -1)
        fd = server->event_fd_spare;
    if (fd != -1)
        nacre_event_fd_close(fd);
}
