/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted back end: instances and slots. See fake_io.h.
 *
 * As strict as epoll: the network tells an instance once that something changed at a slot, and one of those who wait
 * for it wakes up. What was told is noted when a wait begins or ends, and only slots that are noted are worked for. A
 * slot stays noted as long as there is something to do for it. */
#include <stdlib.h>
#include <string.h>

#include "support/fake_io_priv.h"

static const int64_t rest_ns = 100 * 1000 * 1000;
static const int64_t hunger_ns = 10 * 1000 * 1000;

struct slot {
    bool used, listens, wanted, told_fin, sending, shut, connecting, failed, detached;
    uint64_t owner;
    struct fake_peer *peer;
    enum nacre_error error; /* of connecting */
    struct span spans[IO_SPANS];
    unsigned span_count;
    bool told, noted;
    size_t next_portion, portion; /* bytes of a receive; 0: receive_bytes */
    int64_t rest_until;           /* a listener that failed; a stream that found no memory to receive into */
};

struct io {
    struct io_options options;
    struct slot *slots;
    unsigned made, turn; /* turn: the slot that is looked at first */
    bool woken;          /* IO_WOKEN is to be reported */
    bool wake_sent;      /* and until it is noted, no other wake-up has to be told */
    bool told, told_wake;
    plat_cond change;
    unsigned waiting;
};

struct reports {
    struct io_done *at;
    unsigned count, max;
};

static bool usable(const char **why_not)
{
    (void)why_not;
    return true;
}

static enum nacre_error open_instance(struct io **out, const struct io_options *options)
{
    *out = NULL;
    fake_lock();
    enum nacre_error e = fake_take_failure(FAKE_OPEN);
    fake_unlock();
    if (e != NACRE_OK)
        return e;
    struct io *io = calloc(1, sizeof *io);
    if (io == NULL)
        return NACRE_E_NOBUFS;
    io->options = *options;
    nacre_cond_init(&io->change);
    *out = io;
    return NACRE_OK;
}

static void close_instance(struct io *io)
{
    nacre_cond_destroy(&io->change);
    free(io->slots);
    free(io);
}

/* As the kernel does: each change wakes one of those who wait. */
static void tell(struct io *io)
{
    io->told = true;
    nacre_cond_signal(&io->change);
}

void fake_tell(const struct fake_peer *p)
{
    for (unsigned i = 0; i < p->watch_count; i++) {
        p->watches[i].io->slots[p->watches[i].slot].told = true;
        tell(p->watches[i].io);
    }
}

/* ---- slots ----------------------------------------------------------------------------------------------------- */

static struct slot *find(const struct io *io, uint32_t slot)
{
    if (slot >= io->made || !io->slots[slot].used || io->slots[slot].detached)
        return NULL;
    return &io->slots[slot];
}

/* A free slot; the lowest, so that numbers are reused as soon as may be. */
static enum nacre_error take_slot(struct io *io, uint32_t *slot)
{
    unsigned i = 0;
    while (i < io->made && io->slots[i].used)
        i++;
    if (i == io->options.max_slots)
        return NACRE_E_TOO_MANY_CONNECTIONS;
    if (i == io->made) {
        struct slot *more = realloc(io->slots, (io->made + 1) * sizeof *more);
        if (more == NULL)
            return NACRE_E_NOBUFS;
        io->slots = more;
        io->made++;
    }
    io->slots[i] = (struct slot){.used = true};
    *slot = i;
    return NACRE_OK;
}

static enum nacre_error take_over(struct io *io, enum fake_call call, io_socket s, uint64_t owner, uint32_t *slot)
{
    struct fake_peer *p = fake_find(s);
    enum nacre_error e = fake_take_failure(call);
    if (e == NACRE_OK && p == NULL)
        e = NACRE_E_BADF;
    if (e == NACRE_OK && p->watch_count == FAKE_WATCHES)
        e = NACRE_E_NOBUFS;
    if (e == NACRE_OK)
        e = take_slot(io, slot);
    if (e != NACRE_OK)
        return e;
    io->slots[*slot].owner = owner;
    io->slots[*slot].peer = p;
    io->slots[*slot].noted = true;
    p->watches[p->watch_count++] = (struct fake_watch){.io = io, .slot = *slot};
    return NACRE_OK;
}

static enum nacre_error listen_on(struct io *io, io_socket listener, uint64_t owner, uint32_t *slot)
{
    fake_lock();
    enum nacre_error e = take_over(io, FAKE_LISTEN, listener, owner, slot);
    if (e == NACRE_OK)
        io->slots[*slot].listens = true;
    fake_unlock();
    return e;
}

static enum nacre_error attach(struct io *io, io_socket s, uint64_t owner, uint32_t *slot)
{
    fake_lock();
    enum nacre_error e = take_over(io, FAKE_ATTACH, s, owner, slot);
    fake_unlock();
    return e;
}

static enum nacre_error connect_to(struct io *io, io_socket s, const struct io_address *to, uint64_t owner,
                                   uint32_t *slot)
{
    io_socket target;
    memcpy(&target, to->bytes, sizeof target);
    fake_lock();
    enum nacre_error e = take_over(io, FAKE_CONNECT, s, owner, slot);
    struct fake_peer *listener = fake_find(target);
    if (e == NACRE_OK) {
        struct slot *at = &io->slots[*slot];
        at->connecting = true;
        at->error = listener == NULL || !listener->listens ? NACRE_E_CONNREFUSED : NACRE_OK;
        if (at->error == NACRE_OK && listener->ignores)
            at->error = NACRE_E_INPROGRESS;
        if (at->error == NACRE_OK)
            fake_line_up(&listener->arrived, at->peer);
    }
    fake_unlock();
    return e;
}

static void receive(struct io *io, uint32_t slot, bool on)
{
    fake_lock();
    struct slot *s = find(io, slot);
    if (s != NULL && !s->listens) {
        s->wanted = on && !s->told_fin && !s->failed;
        s->noted = true;
    }
    fake_unlock();
}

static void portion(struct io *io, uint32_t slot, size_t next, size_t each)
{
    fake_lock();
    struct slot *s = find(io, slot);
    if (s != NULL) {
        s->next_portion = next;
        s->portion = each;
    }
    fake_unlock();
}

static enum nacre_error send_locked(struct slot *s, const struct span *spans, unsigned count)
{
    enum nacre_error e = fake_take_failure(FAKE_SEND);
    if (e != NACRE_OK)
        return e;
    if (s == NULL || s->listens)
        return NACRE_E_NOTSOCK;
    if (count > IO_SPANS)
        return NACRE_E_INVAL;
    if (s->sending)
        return NACRE_E_ALREADY;
    if (s->failed || s->peer->error != NACRE_OK)
        return NACRE_OK;
    if (count != 0)
        memcpy(s->spans, spans, count * sizeof *spans);
    s->span_count = count;
    s->sending = s->noted = true;
    return NACRE_OK;
}

static enum nacre_error send_spans(struct io *io, uint32_t slot, const struct span *spans, unsigned count)
{
    fake_lock();
    enum nacre_error e = send_locked(find(io, slot), spans, count);
    fake_unlock();
    return e;
}

static void shut_when_due(struct slot *s)
{
    if (!s->shut || s->sending || s->peer->got_fin)
        return;
    s->peer->got_fin = true;
    fake_changed(NULL);
}

static void shut(struct io *io, uint32_t slot)
{
    fake_lock();
    struct slot *s = find(io, slot);
    if (s != NULL && !s->listens) {
        s->shut = true;
        shut_when_due(s);
    }
    fake_unlock();
}

static void detach(struct io *io, uint32_t slot)
{
    fake_lock();
    struct slot *s = find(io, slot);
    if (s != NULL)
        s->detached = s->noted = true;
    fake_unlock();
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static struct io_done *report(struct reports *r, enum io_kind kind, const struct slot *s)
{
    struct io_done *d = &r->at[r->count++];
    *d = (struct io_done){.kind = kind, .owner = s == NULL ? 0 : s->owner, .accepted = IO_NO_SOCKET};
    return d;
}

static bool is_full(const struct reports *r)
{
    return r->count == r->max;
}

static bool has_bytes(const struct slot *s)
{
    for (unsigned i = 0; i < s->span_count; i++)
        if (s->spans[i].len != 0)
            return true;
    return false;
}

static bool can_send(const struct slot *s)
{
    const struct fake_peer *p = s->peer;
    return s->sending && !s->failed && p->error == NACRE_OK && (p->room > p->to_test.len || !has_bytes(s));
}

static bool can_receive(const struct slot *s)
{
    const struct fake_peer *p = s->peer;
    return s->wanted && (p->to_engine.len != 0 || (p->fin && p->error == NACRE_OK));
}

/* When there is something to do for it: 0: now, INT64_MAX: not before something happens. */
static int64_t slot_due(const struct slot *s)
{
    const struct fake_peer *p = s->peer;
    if (s->detached)
        return 0;
    if (s->listens)
        return p->error != NACRE_OK || p->waiting != NULL ? s->rest_until : INT64_MAX;
    if (s->connecting)
        return s->error == NACRE_E_INPROGRESS ? INT64_MAX : 0;
    if (can_send(s) || (p->error != NACRE_OK && !s->failed))
        return 0;
    return can_receive(s) ? s->rest_until : INT64_MAX;
}

/* Moves what the peer has room for; gives how much. */
static size_t move_out(struct slot *s)
{
    struct fake_peer *p = s->peer;
    size_t room = p->room > p->to_test.len ? p->room - p->to_test.len : 0, moved = 0;
    if (p->send_most != 0 && p->send_most < room)
        room = p->send_most;
    for (unsigned i = 0; i < s->span_count && moved < room; i++) {
        size_t len = s->spans[i].len < room - moved ? s->spans[i].len : room - moved;
        if (len != 0 && !nacre_buf_append(&p->to_test, s->spans[i].at, len))
            break;
        moved += len;
    }
    if (moved != 0)
        fake_changed(NULL);
    return moved;
}

static void work_send(struct slot *s, struct reports *r)
{
    if (!can_send(s) || is_full(r))
        return;
    size_t moved = move_out(s);
    if (moved == 0 && has_bytes(s))
        return;
    s->sending = false;
    report(r, IO_SENT, s)->len = moved;
    shut_when_due(s);
}

static void work_receive(struct io *io, struct slot *s, struct reports *r)
{
    struct fake_peer *p = s->peer;
    if (!can_receive(s) || s->rest_until > nacre_clock_ns() || is_full(r))
        return;
    size_t len = p->to_engine.len, most = io->options.receive_bytes;
    if (s->next_portion != 0 && s->next_portion < most)
        most = s->next_portion;
    if (p->receive_most != 0 && p->receive_most < most)
        most = p->receive_most;
    len = len < most ? len : most;
    if (len == 0) {
        s->wanted = false;
        s->told_fin = true;
        report(r, IO_RECEIVED, s);
        return;
    }
    struct block *b = nacre_pool_alloc(io->options.pool, io->options.headroom + len);
    if (b == NULL) {
        s->rest_until = nacre_clock_ns() + hunger_ns;
        return;
    }
    b->start = io->options.headroom;
    b->len = len;
    memcpy(b->at + b->start, p->to_engine.at, len);
    nacre_buf_drop(&p->to_engine, len);
    struct io_done *d = report(r, IO_RECEIVED, s);
    d->block = b;
    d->len = len;
    d->full = len == most;
    s->next_portion = s->portion;
}

static void work_failed(struct slot *s, struct reports *r)
{
    if (s->peer->error == NACRE_OK || s->failed || is_full(r))
        return;
    s->failed = true;
    s->wanted = s->sending = false;
    report(r, IO_FAILED, s)->error = s->peer->error;
}

static void work_connecting(struct slot *s, struct reports *r)
{
    if (s->error == NACRE_E_INPROGRESS || is_full(r))
        return;
    s->connecting = false;
    s->failed = s->error != NACRE_OK;
    report(r, IO_CONNECTED, s)->error = s->error;
}

static void work_listener(struct slot *s, struct reports *r)
{
    struct fake_peer *p = s->peer, *came;
    if (s->rest_until > nacre_clock_ns())
        return;
    if (p->error != NACRE_OK && !is_full(r)) {
        report(r, IO_LISTEN_FAILED, s)->error = p->error;
        p->error = NACRE_OK;
        s->rest_until = nacre_clock_ns() + rest_ns;
        return;
    }
    while (!is_full(r) && (came = fake_first(&p->waiting)) != NULL)
        report(r, IO_ACCEPTED, s)->accepted = came->socket;
}

static void unwatch(const struct io *io, const struct slot *s)
{
    struct fake_peer *p = s->peer;
    unsigned i = 0;
    while (p->watches[i].io != io || &io->slots[p->watches[i].slot] != s)
        i++;
    p->watches[i] = p->watches[--p->watch_count];
}

static void work_detached(const struct io *io, struct slot *s, struct reports *r)
{
    if (is_full(r))
        return;
    if (s->sending)
        (void)move_out(s); /* it was in flight up to now: its bytes are still there */
    unwatch(io, s);
    if (!s->listens)
        fake_close_peer(s->peer);
    report(r, IO_GONE, s);
    s->used = false;
}

static void work(struct io *io, struct slot *s, struct reports *r)
{
    if (s->detached) {
        work_detached(io, s, r);
    } else if (s->listens) {
        work_listener(s, r);
    } else if (s->connecting) {
        work_connecting(s, r);
    } else {
        work_send(s, r);
        work_receive(io, s, r);
        work_failed(s, r);
    }
    s->noted = s->used && slot_due(s) != INT64_MAX;
}

static void work_noted(struct io *io, struct reports *r)
{
    if (io->woken && !is_full(r)) {
        io->woken = false;
        report(r, IO_WOKEN, NULL);
    }
    for (unsigned i = 0; i < io->made && !is_full(r); i++) {
        struct slot *s = &io->slots[(io->turn + i) % io->made];
        if (s->noted)
            work(io, s, r);
    }
    if (io->made != 0)
        io->turn = (io->turn + 1) % io->made;
}

static void note(struct io *io)
{
    if (!io->told)
        return;
    io->told = false;
    if (io->told_wake) {
        io->told_wake = io->wake_sent = false;
        io->woken = true;
    }
    for (unsigned i = 0; i < io->made; i++) {
        struct slot *s = &io->slots[i];
        s->noted = s->noted || (s->used && s->told);
        s->told = false;
    }
}

static int64_t due_locked(const struct io *io)
{
    int64_t due = io->woken ? 0 : INT64_MAX;
    for (unsigned i = 0; i < io->made; i++) {
        int64_t at = io->slots[i].noted ? slot_due(&io->slots[i]) : INT64_MAX;
        due = at < due ? at : due;
    }
    return due;
}

/* Waits for the network; the instance is somebody else's meanwhile, where it may be. */
static void ask_network(struct io *io, int64_t until_ns)
{
    bool rests = io->options.rest != NULL;
    if (rests) {
        fake_unlock();
        io->options.rest(io->options.context, until_ns);
        fake_lock();
    }
    if (io->waiting++ != 0)
        fake_count_shared();
    if (!io->told)
        (void)fake_sleep(&io->change, until_ns);
    io->waiting--;
    if (rests) {
        fake_unlock();
        io->options.resume(io->options.context);
        fake_lock();
    }
}

static unsigned wait_for(struct io *io, int64_t until_ns, struct io_done *out, unsigned max)
{
    struct reports r = {.at = out, .max = max};
    if (max == 0)
        return 0;
    fake_lock();
    enum nacre_error trouble = fake_take_failure(FAKE_WAIT);
    if (trouble != NACRE_OK)
        report(&r, IO_TROUBLE, NULL)->error = trouble;
    for (;;) {
        note(io);
        work_noted(io, &r);
        if (r.count != 0 || until_ns <= 0 || (until_ns != INT64_MAX && nacre_clock_ns() >= until_ns))
            break;
        int64_t due = due_locked(io);
        ask_network(io, due < until_ns ? due : until_ns);
    }
    fake_unlock();
    return r.count;
}

static void wake(struct io *io)
{
    fake_lock();
    if (!io->wake_sent) {
        io->wake_sent = io->told_wake = true;
        tell(io);
    }
    fake_unlock();
}

unsigned fake_sleepers(struct io *io)
{
    fake_lock();
    unsigned count = io->told ? 0 : io->waiting;
    fake_unlock();
    return count;
}

bool fake_is_overlooked(const struct io *io, int64_t now_ns)
{
    return io->told || due_locked(io) <= now_ns;
}

static unsigned reap(struct io *io, struct io_done *out, unsigned max)
{
    struct reports r = {.at = out, .max = max};
    fake_lock();
    work_noted(io, &r);
    fake_unlock();
    return r.count;
}

static int64_t due(const struct io *io)
{
    fake_lock();
    int64_t at = due_locked(io);
    fake_unlock();
    return at;
}

#define FAKE_CALLS_OF_ALL                                                                                              \
    .name = "fake", .usable = usable, .open = open_instance, .close = close_instance, .listen = listen_on,             \
    .attach = attach, .connect = connect_to, .receive = receive, .portion = portion, .send = send_spans, .shut = shut, \
    .detach = detach, .wait = wait_for, .wake = wake

const struct io_backend fake_io = {FAKE_CALLS_OF_ALL};
const struct io_backend fake_io_shared = {FAKE_CALLS_OF_ALL, .reap = reap, .due = due};
