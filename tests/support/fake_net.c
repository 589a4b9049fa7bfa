/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted back end's network and the test's side of it. See fake_io.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/fake_io_priv.h"

enum {
    FIRST_SOCKET = 1 << 28, /* far above what the system gives */
    SOCKETS_MAX = 1 << 16,
    BYTES_MAX = 256 * 1024 * 1024,
};

/* There is one network, as there is one kernel. */
static struct {
    struct fake_peer *sockets[SOCKETS_MAX];
    size_t made;
    enum nacre_error failures[FAKE_CALLS];
    uint64_t shared_waits;
} net;
static plat_mutex lock;
static plat_cond changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
    nacre_mutex_init(&lock);
    nacre_cond_init(&changed);
}

/* What a test does wrong ends it. */
static void must(bool holds)
{
    if (!holds)
        abort();
}

void fake_lock(void)
{
    pthread_once(&once, start);
    nacre_mutex_lock(&lock);
}

void fake_unlock(void)
{
    nacre_mutex_unlock(&lock);
}

void fake_changed(const struct fake_peer *p)
{
    nacre_cond_broadcast(&changed);
    if (p != NULL)
        fake_tell(p);
}

bool fake_sleep(plat_cond *on, int64_t until_ns)
{
    return nacre_cond_wait(on, &lock, until_ns);
}

void fake_count_shared(void)
{
    net.shared_waits++;
}

uint64_t fake_shared_waits(void)
{
    fake_lock();
    uint64_t count = net.shared_waits;
    fake_unlock();
    return count;
}

struct fake_peer *fake_find(io_socket s)
{
    if (s < FIRST_SOCKET || (size_t)(s - FIRST_SOCKET) >= net.made)
        return NULL;
    struct fake_peer *p = net.sockets[s - FIRST_SOCKET];
    return p->open ? p : NULL;
}

void fake_close_peer(struct fake_peer *p)
{
    p->open = false;
    p->closed = true;
    fake_changed(p);
}

enum nacre_error fake_take_failure(enum fake_call call)
{
    enum nacre_error error = net.failures[call];
    net.failures[call] = NACRE_OK;
    return error;
}

void fake_line_up(struct fake_peer **line, struct fake_peer *p)
{
    while (*line != NULL)
        line = &(*line)->next;
    p->next = NULL;
    *line = p;
}

struct fake_peer *fake_first(struct fake_peer **line)
{
    struct fake_peer *p = *line;
    if (p != NULL)
        *line = p->next;
    return p;
}

/* The lock is held. */
static struct fake_peer *make(void)
{
    struct fake_peer *p = calloc(1, sizeof *p);
    must(p != NULL && net.made < SOCKETS_MAX);
    p->socket = FIRST_SOCKET + (io_socket)net.made;
    p->open = true;
    p->room = BYTES_MAX;
    nacre_buf_init(&p->to_engine, BYTES_MAX);
    nacre_buf_init(&p->to_test, BYTES_MAX);
    net.sockets[net.made++] = p;
    return p;
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

void fake_fail_next(enum fake_call call, enum nacre_error error)
{
    fake_lock();
    net.failures[call] = error;
    fake_unlock();
}

void fake_reset(void)
{
    fake_lock();
    for (size_t i = 0; i < net.made; i++) {
        nacre_buf_free(&net.sockets[i]->to_engine);
        nacre_buf_free(&net.sockets[i]->to_test);
        free(net.sockets[i]);
    }
    net.made = 0;
    memset(net.failures, 0, sizeof net.failures);
    fake_unlock();
}

size_t fake_sockets(void)
{
    size_t count = 0;
    fake_lock();
    for (size_t i = 0; i < net.made; i++)
        count += net.sockets[i]->open;
    fake_unlock();
    return count;
}

io_socket fake_listener(void)
{
    fake_lock();
    struct fake_peer *p = make();
    p->listens = true;
    fake_unlock();
    return p->socket;
}

struct io_address fake_address(io_socket listener)
{
    struct io_address a = {.len = sizeof listener};
    memcpy(a.bytes, &listener, sizeof listener);
    return a;
}

struct io_address fake_nowhere(void)
{
    return fake_address(IO_NO_SOCKET);
}

io_socket fake_socket(void)
{
    fake_lock();
    io_socket s = make()->socket;
    fake_unlock();
    return s;
}

void fake_close(io_socket s)
{
    fake_lock();
    struct fake_peer *p = fake_find(s);
    if (p != NULL)
        fake_close_peer(p);
    fake_unlock();
}

void fake_listener_fail(io_socket listener, enum nacre_error error)
{
    fake_lock();
    struct fake_peer *p = fake_find(listener);
    must(p != NULL && p->listens);
    p->error = error;
    fake_changed(p);
    fake_unlock();
}

void fake_listener_ignore(io_socket listener)
{
    fake_lock();
    struct fake_peer *p = fake_find(listener);
    must(p != NULL && p->listens);
    p->ignores = true;
    fake_unlock();
}

/* ---- connections ----------------------------------------------------------------------------------------------- */

struct fake_peer *fake_dial(io_socket listener)
{
    fake_lock();
    struct fake_peer *at = fake_find(listener);
    must(at != NULL && at->listens);
    struct fake_peer *p = make();
    p->send_most = at->send_most;
    p->receive_most = at->receive_most;
    p->room = at->room;
    fake_line_up(&at->waiting, p);
    fake_changed(at);
    fake_unlock();
    return p;
}

struct fake_peer *fake_pair(io_socket *ours)
{
    fake_lock();
    struct fake_peer *p = make();
    *ours = p->socket;
    fake_unlock();
    return p;
}

struct fake_peer *fake_accept(io_socket listener)
{
    fake_lock();
    struct fake_peer *at = fake_find(listener);
    struct fake_peer *p = at == NULL ? NULL : fake_first(&at->arrived);
    fake_unlock();
    return p;
}

struct fake_peer *fake_peer_of(io_socket s)
{
    fake_lock();
    struct fake_peer *p = fake_find(s);
    fake_unlock();
    return p;
}

bool fake_feed(struct fake_peer *p, const void *bytes, size_t len)
{
    fake_lock();
    bool taken = p->open && !p->fin && p->error == NACRE_OK && nacre_buf_append(&p->to_engine, bytes, len);
    fake_changed(p);
    fake_unlock();
    return taken;
}

void fake_fin(struct fake_peer *p)
{
    fake_lock();
    p->fin = true;
    fake_changed(p);
    fake_unlock();
}

void fake_drop(struct fake_peer *p)
{
    fake_lock();
    fake_close_peer(p);
    fake_unlock();
}

void fake_cut(struct fake_peer *p, enum nacre_error error)
{
    fake_lock();
    p->error = error;
    nacre_buf_drop(&p->to_engine, p->to_engine.len); /* as a reset does */
    fake_changed(p);
    fake_unlock();
}

size_t fake_take(struct fake_peer *p, void *at, size_t room)
{
    fake_lock();
    size_t len = p->to_test.len < room ? p->to_test.len : room;
    if (len != 0)
        memcpy(at, p->to_test.at, len);
    nacre_buf_drop(&p->to_test, len);
    fake_changed(p);
    fake_unlock();
    return len;
}

bool fake_wait(struct fake_peer *p, int64_t until_ns)
{
    bool in_time = true;
    fake_lock();
    while (in_time && p->to_test.len == 0 && !p->got_fin && !p->closed)
        in_time = fake_sleep(&changed, until_ns);
    bool something = p->to_test.len != 0 || p->got_fin || p->closed;
    fake_unlock();
    return something;
}

size_t fake_unread(struct fake_peer *p)
{
    fake_lock();
    size_t len = p->to_engine.len;
    fake_unlock();
    return len;
}

bool fake_got_fin(struct fake_peer *p)
{
    fake_lock();
    bool fin = p->got_fin && p->to_test.len == 0;
    fake_unlock();
    return fin;
}

bool fake_is_closed(struct fake_peer *p)
{
    fake_lock();
    bool closed = p->closed;
    fake_unlock();
    return closed;
}

void fake_limit(struct fake_peer *p, size_t send_most, size_t receive_most)
{
    fake_lock();
    p->send_most = send_most;
    p->receive_most = receive_most;
    fake_unlock();
}

void fake_room(struct fake_peer *p, size_t bytes)
{
    fake_lock();
    p->room = bytes;
    fake_changed(p);
    fake_unlock();
}
