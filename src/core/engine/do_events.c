/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_do_events(), the waiting in it, and the pollable handle. */
#include <string.h>

#include "engine/deliver.h"
#include "engine/event_fd.h"

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

/* What is taken may be counted out before it was counted in, so `ready` is looked at as signed. */
void nacre_server_ready(struct nacre_server *server, unsigned count)
{
    int before = (int)atomic_fetch_add(&server->ready, count);
    if (atomic_load(&server->waiters) != 0) {
        /* Through the lock, so that a waiter that has looked is asleep; signalled outside, so that it does not wake
         * into it. */
        nacre_mutex_lock(&server->ready_lock);
        nacre_mutex_unlock(&server->ready_lock);
        if (count <= 1)
            nacre_cond_signal(&server->ready_cond);
        else
            nacre_cond_broadcast(&server->ready_cond);
    }
    if (before <= 0 && before + (int)count > 0 && has_fd(server))
        sync_fd(server);
}

void nacre_server_taken(struct nacre_server *server)
{
    if (atomic_fetch_sub(&server->ready, 1) == 1 && has_fd(server))
        sync_fd(server);
}

void nacre_server_wait(struct nacre_server *server, int64_t until_ns)
{
    nacre_mutex_lock(&server->ready_lock);
    atomic_fetch_add(&server->waiters, 1);
    if (atomic_load(&server->ready) == 0)
        (void)nacre_cond_wait(&server->ready_cond, &server->ready_lock, until_ns);
    atomic_fetch_sub(&server->waiters, 1);
    nacre_mutex_unlock(&server->ready_lock);
}

int nacre_do_events(nacre_server *server)
{
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    if (!nacre_deliver_one(server)) {
        int wait_ms = atomic_load_explicit(&server->select_wait_ms, memory_order_relaxed); /* a setting of its own */
        if (wait_ms != 0)
            nacre_server_wait(server, nacre_clock_ns() + wait_ms * INT64_C(1000000));
    }
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
        fd = nacre_event_fd_open();
        atomic_store(&server->event_fd, fd);
    }
    nacre_mutex_unlock(&server->ready_lock);
    sync_fd(server);
    return fd;
}

void nacre_server_close_fd(struct nacre_server *server)
{
    intptr_t fd = atomic_load_explicit(&server->event_fd, memory_order_acquire);
    if (fd != -1)
        nacre_event_fd_close(fd);
}
