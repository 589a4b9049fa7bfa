/* SPDX-License-Identifier: Apache-2.0 */
/* The tests' side of the fake back end. */
#include "fake_world.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_NUMBER = 1 << 28, /* far from any descriptor */
    UNREAD_MAX = 1 << 18,
};

struct fake_world nacre_fake_world;

static struct fake_world *const world = &nacre_fake_world;

static void lock(void)
{
    nacre_mutex_lock(&world->lock);
}

/* Wakes every shard: something may have changed for it. */
static void unlock(void)
{
    nacre_cond_broadcast(&world->changed);
    nacre_mutex_unlock(&world->lock);
}

void nacre_fake_begin(void)
{
    *world = (struct fake_world){.next_number = FIRST_NUMBER};
    world->last = &world->first;
    nacre_mutex_init(&world->lock);
    nacre_cond_init(&world->changed);
}

void nacre_fake_end(void)
{
    while (world->first != NULL) {
        struct fake_peer *p = world->first;
        world->first = p->next;
        nacre_buf_free(&p->to_engine);
        nacre_buf_free(&p->to_peer);
        free(p);
    }
    nacre_cond_destroy(&world->changed);
    nacre_mutex_destroy(&world->lock);
}

struct fake_peer *nacre_fake_peer_make(io_socket listener)
{
    struct fake_peer *p = (struct fake_peer *)calloc(1, sizeof *p);
    if (p == NULL)
        abort();
    p->number = world->next_number++;
    p->listener = listener;
    p->per_send = SIZE_MAX;
    p->room = UNREAD_MAX;
    nacre_buf_init(&p->to_engine, SIZE_MAX);
    nacre_buf_init(&p->to_peer, SIZE_MAX);
    *world->last = p;
    world->last = &p->next;
    return p;
}

struct fake_peer *nacre_fake_peer_of(io_socket number)
{
    for (struct fake_peer *p = world->first; p != NULL; p = p->next)
        if (p->number == number)
            return p;
    return NULL;
}

io_socket nacre_fake_listener(void)
{
    lock();
    io_socket number = world->next_number++;
    unlock();
    return number;
}

struct fake_peer *nacre_fake_dial(io_socket listener)
{
    lock();
    struct fake_peer *p = nacre_fake_peer_make(listener);
    unlock();
    return p;
}

struct fake_peer *nacre_fake_pair(io_socket *ours)
{
    struct fake_peer *p = nacre_fake_dial(IO_NO_SOCKET);
    *ours = p->number;
    return p;
}

struct fake_peer *nacre_fake_outgoing(void)
{
    lock();
    struct fake_peer *p = world->first;
    while (p != NULL && !p->outgoing)
        p = p->next;
    if (p != NULL)
        p->outgoing = false;
    unlock();
    return p;
}

size_t nacre_fake_write(struct fake_peer *p, const void *bytes, size_t len)
{
    lock();
    size_t room = p->to_engine.len < UNREAD_MAX ? UNREAD_MAX - p->to_engine.len : 0;
    size_t n = len < room ? len : room;
    if (p->peer_fin || p->closed || !nacre_buf_append(&p->to_engine, bytes, n))
        n = 0;
    unlock();
    return n;
}

size_t nacre_fake_read(struct fake_peer *p, void *at, size_t size, bool *fin)
{
    lock();
    size_t n = size < p->to_peer.len ? size : p->to_peer.len;
    if (n != 0)
        memcpy(at, p->to_peer.at, n);
    nacre_buf_drop(&p->to_peer, n);
    *fin = p->to_peer.len == 0 && (p->engine_fin || p->closed);
    unlock();
    return n;
}

void nacre_fake_fin(struct fake_peer *p)
{
    lock();
    p->peer_fin = true;
    unlock();
}

void nacre_fake_cut(struct fake_peer *p, enum nacre_error error)
{
    lock();
    p->cut = error;
    unlock();
}

bool nacre_fake_is_closed(const struct fake_peer *p)
{
    lock();
    bool closed = p->closed;
    unlock();
    return closed;
}

void nacre_fake_limit(struct fake_peer *p, size_t per_send, size_t room)
{
    lock();
    p->per_send = per_send;
    p->room = room;
    unlock();
}

void nacre_fake_close(io_socket s)
{
    lock();
    struct fake_peer *p = nacre_fake_peer_of(s);
    if (p != NULL)
        p->closed = true;
    unlock();
}

void nacre_fake_fail_attach(enum nacre_error error, unsigned count)
{
    lock();
    world->attach_error = error;
    world->attach_failures = count;
    unlock();
}

void nacre_fake_fail_accept(enum nacre_error error)
{
    lock();
    world->accept_error = error;
    unlock();
}

void nacre_fake_fail_connect(enum nacre_error error)
{
    lock();
    world->connect_error = error;
    unlock();
}
