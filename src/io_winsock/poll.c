/* SPDX-License-Identifier: Apache-2.0 */
/* Notifier: WSAPoll. The array holds the sockets that wait for something, without gaps; the first place is one end of
 * a connection within this process, whose bytes wake the wait up. Not a datagram: those are dropped when a processor's
 * queue of received packets is full, on the loopback interface, too, and a wake-up that is lost stops the worker. */
#include <stdlib.h>
#include <string.h>

#include "engine/sock.h"
#include "io_ready/ready.h"

enum {
    FIRST_ROOM = 256
};

struct notes {
    io_socket waker; /* its bytes arrive at the first place */
    WSAPOLLFD *at;
    uint32_t *slots; /* whose place it is */
    uint32_t count, room;
    uint32_t next; /* where the next look at the array begins, so that everybody is heard */
};

/* ---- the array ------------------------------------------------------------------------------------------------- */

static bool make_room(struct notes *n)
{
    if (n->count < n->room)
        return true;
    uint32_t room = n->room == 0 ? FIRST_ROOM : 2 * n->room;
    WSAPOLLFD *at = (WSAPOLLFD *)realloc(n->at, room * sizeof *at);
    if (at == NULL)
        return false;
    n->at = at;
    uint32_t *slots = (uint32_t *)realloc(n->slots, room * sizeof *slots);
    if (slots == NULL)
        return false;
    n->slots = slots;
    n->room = room;
    return true;
}

static SHORT events_of(unsigned news)
{
    return (SHORT)(((news & NEWS_READ) != 0 ? POLLRDNORM : 0) | ((news & NEWS_WRITE) != 0 ? POLLWRNORM : 0));
}

/* Slots keep their place in the array, or 0: that one is the wake-up's. */
static bool enter(struct io *io, uint32_t slot)
{
    struct notes *n = io->notes;
    struct ready_slot *s = ready_slot_at(io, slot);
    if (!make_room(n))
        return false;
    s->mark = n->count++;
    n->slots[s->mark] = slot;
    n->at[s->mark] = (WSAPOLLFD){.fd = s->socket};
    return true;
}

/* The last one takes the place. */
static void leave(struct io *io, struct ready_slot *s)
{
    struct notes *n = io->notes;
    uint32_t place = s->mark, last = n->count - 1;
    if (place == 0)
        return;
    n->at[place] = n->at[last];
    n->slots[place] = n->slots[last];
    if (place != last)
        ready_slot_at(io, n->slots[place])->mark = place;
    n->count = last;
    s->mark = 0;
}

/* What the slot waits for, as ready_news. */
static unsigned interest(const struct ready_slot *s)
{
    unsigned news = 0;
    if (s->kind == READY_LISTENER)
        return NEWS_READ;
    if (ready_has(s, SLOT_CONNECTING))
        return ready_has(s, SLOT_FULL) ? NEWS_WRITE : 0;
    if (ready_has(s, SLOT_ERROR))
        return 0;
    /* Read even where nothing is wanted: it tells of errors. */
    if (!ready_has(s, SLOT_READABLE) && !ready_has(s, SLOT_FIN))
        news |= NEWS_READ;
    if (ready_has(s, SLOT_FULL) && !ready_has(s, SLOT_HUNG_UP)) /* who has hung up is told of again and again */
        news |= NEWS_WRITE;
    return news;
}

static void poll_adjust(struct io *io, uint32_t slot)
{
    struct ready_slot *s = ready_slot_at(io, slot);
    if (s->kind == READY_FREE || ready_has(s, SLOT_DETACHED) || ready_has(s, SLOT_RESTING))
        return;
    unsigned news = interest(s);
    if (news == 0) {
        leave(io, s);
    } else if (s->mark != 0 || enter(io, slot)) {
        io->notes->at[s->mark].events = events_of(news);
    } else {
        nacre_ready_go_hungry(io, slot); /* out of memory: tried again in a while */
    }
}

static enum nacre_error poll_add(struct io *io, uint32_t slot)
{
    ready_slot_at(io, slot)->mark = 0;
    if (!enter(io, slot))
        return NACRE_E_NOBUFS;
    ready_clear(ready_slot_at(io, slot), SLOT_RESTING);
    poll_adjust(io, slot);
    return NACRE_OK;
}

static void poll_remove(struct io *io, uint32_t slot)
{
    leave(io, ready_slot_at(io, slot));
}

/* ---- waking ---------------------------------------------------------------------------------------------------- */

static bool same_address(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_family == b->sin_family && a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

/* The end of `sending` at the listener. Anybody on this machine may connect to it: strangers are sent away. */
static io_socket accept_own(io_socket listener, io_socket sending)
{
    struct sockaddr_in mine, theirs;
    int len = sizeof mine;
    if (getsockname(sending, (struct sockaddr *)&mine, &len) != 0)
        return IO_NO_SOCKET;
    for (;;) {
        len = sizeof theirs;
        io_socket s = accept(listener, (struct sockaddr *)&theirs, &len);
        if (s == IO_NO_SOCKET || same_address(&mine, &theirs))
            return s;
        nacre_sock_close(s);
    }
}

static bool begin_to_listen(io_socket s, struct sockaddr_in *at)
{
    int len = sizeof *at;
    *at = (struct sockaddr_in){.sin_family = AF_INET};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(s, (const struct sockaddr *)at, len) == 0 && listen(s, 1) == 0 &&
           getsockname(s, (struct sockaddr *)at, &len) == 0;
}

static io_socket new_stream(void)
{
    return WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

static bool set_up(io_socket s)
{
    const BOOL at_once = TRUE; /* a byte does not wait for the one before to be acknowledged */
    u_long on = 1;
    return s != IO_NO_SOCKET && setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&at_once, sizeof at_once) == 0 &&
           ioctlsocket(s, (long)FIONBIO, &on) == 0;
}

static bool connect_pair(struct notes *n, io_socket listener)
{
    struct sockaddr_in at;
    if (!begin_to_listen(listener, &at) || connect(n->waker, (const struct sockaddr *)&at, sizeof at) != 0)
        return false;
    io_socket arriving = accept_own(listener, n->waker);
    if (arriving == IO_NO_SOCKET)
        return false;
    n->at[n->count++] = (WSAPOLLFD){.fd = arriving, .events = POLLRDNORM};
    return SetHandleInformation((HANDLE)arriving, HANDLE_FLAG_INHERIT, 0) && set_up(arriving) && set_up(n->waker);
}

static enum nacre_error open_waker(struct notes *n)
{
    io_socket listener = new_stream();
    n->waker = new_stream();
    bool ok = listener != IO_NO_SOCKET && n->waker != IO_NO_SOCKET && connect_pair(n, listener);
    int error = WSAGetLastError();
    if (listener != IO_NO_SOCKET)
        nacre_sock_close(listener);
    return ok ? NACRE_OK : nacre_error_from_errno(error);
}

static void poll_wake(struct io *io)
{
    (void)send(io->notes->waker, "", 1, 0); /* should it fail, wait() looks for itself */
}

static void take_wake_up(struct io *io)
{
    char bytes[16];
    while (recv(io->notes->at[0].fd, bytes, sizeof bytes, 0) == sizeof bytes)
        ;
    ready_woken(io);
}

static void poll_close(struct io *io)
{
    struct notes *n = io->notes;
    if (n == NULL)
        return;
    if (n->count != 0)
        nacre_sock_close(n->at[0].fd);
    if (n->waker != IO_NO_SOCKET)
        nacre_sock_close(n->waker);
    free(n->at);
    free(n->slots);
    free(n);
}

static enum nacre_error poll_open(struct io *io)
{
    const struct sockaddr_in any = {.sin_family = AF_INET};
    struct io_address address = {.len = sizeof any};
    io_socket started;
    memcpy(address.bytes, &any, sizeof any);
    enum nacre_error error = nacre_sock_open(&address, &started); /* starts Winsock */
    if (error != NACRE_OK)
        return error;
    nacre_sock_close(started);
    io->notes = (struct notes *)calloc(1, sizeof *io->notes);
    if (io->notes == NULL)
        return NACRE_E_NOBUFS;
    io->notes->waker = IO_NO_SOCKET;
    return make_room(io->notes) ? open_waker(io->notes) : NACRE_E_NOBUFS;
}

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static unsigned news_of(SHORT events)
{
    return ((events & POLLRDNORM) != 0 ? NEWS_READ : 0U) | ((events & POLLWRNORM) != 0 ? NEWS_WRITE : 0U) |
           ((events & POLLHUP) != 0 ? NEWS_HANGUP : 0U) | ((events & (POLLERR | POLLNVAL)) != 0 ? NEWS_ERROR : 0U);
}

/* A place may be filled anew by the note about it: whoever comes there is looked at the next time. */
static void look(struct io *io, int left)
{
    struct notes *n = io->notes;
    uint32_t count = n->count;
    if (n->at[0].revents != 0) {
        take_wake_up(io);
        left--;
    }
    for (uint32_t i = 1, place = n->next; i < count && left > 0; i++, place++) {
        if (place == 0 || place >= count)
            place = 1;
        if (place >= n->count || n->at[place].revents == 0)
            continue;
        SHORT events = n->at[place].revents;
        n->at[place].revents = 0;
        nacre_ready_note(io, n->slots[place], news_of(events), NACRE_OK);
        n->next = place;
        left--;
    }
}

static enum nacre_error poll_wait(struct io *io, int64_t until_ns)
{
    int ready = WSAPoll(io->notes->at, io->notes->count, nacre_ready_left_ms(until_ns));
    if (ready < 0)
        return nacre_error_from_errno(WSAGetLastError());
    if (ready > 0)
        look(io, ready);
    return NACRE_OK;
}

static const struct notifier notifier = {
    .open = poll_open,
    .close = poll_close,
    .add = poll_add,
    .remove = poll_remove,
    .adjust = poll_adjust,
    .wait = poll_wait,
    .wake = poll_wake,
    .repeats_hangup = true,
};

static bool usable(const char **why_not)
{
    (void)why_not;
    return true; /* every Windows that this build runs on has it */
}

static enum nacre_error open_poll(struct io **out, const struct io_options *options)
{
    return nacre_ready_open(out, options, &notifier);
}

const struct io_backend nacre_io_wsapoll = {
    .name = "wsapoll",
    .usable = usable,
    .open = open_poll,
    READY_CALLS,
};
