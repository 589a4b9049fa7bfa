/* SPDX-License-Identifier: Apache-2.0 */
/* WSAPoll: an array of those that are waited for, without gaps, that the system looks through at each wait. Before
 * Windows 10 2004 it says nothing of a connection that is refused. */
#include "ready.h"

#include <stdlib.h>
#include <winsock2.h>
/* winsock2.h stands before windows.h, or the older winsock.h comes with it. */
#include <windows.h>

enum {
    FIRST_ROOM = 64,
    LONGEST_MS = 60000 /* of one wait */
};

struct ready {
    WSAPOLLFD *at;
    struct watch **watches; /* whose place it is */
    uint32_t count, room;
    uint32_t next; /* where the next look begins, so that everybody is heard */
};

static bool make_room(struct ready *r)
{
    if (r->count < r->room)
        return true;
    uint32_t room = r->room == 0 ? FIRST_ROOM : 2 * r->room;
    WSAPOLLFD *at = realloc(r->at, room * sizeof *at);
    if (at == NULL)
        return false;
    r->at = at;
    struct watch **watches = realloc(r->watches, room * sizeof(struct watch *));
    if (watches == NULL)
        return false;
    r->watches = watches;
    r->room = room;
    return true;
}

struct ready *bench_ready_open(void)
{
    return calloc(1, sizeof(struct ready));
}

void bench_ready_close(struct ready *r)
{
    free(r->at);
    free(r->watches);
    free(r);
}

/* The last one takes the place. */
void bench_ready_forget(struct ready *r, struct watch *w)
{
    if (w->events == 0)
        return;
    w->events = 0;
    r->count--;
    r->at[w->place] = r->at[r->count];
    r->watches[w->place] = r->watches[r->count];
    r->watches[w->place]->place = w->place;
}

bool bench_ready_watch(struct ready *r, struct watch *w, uint32_t events)
{
    if (events == 0) {
        bench_ready_forget(r, w);
        return true;
    }
    if (w->events == 0) {
        if (!make_room(r)) {
            WSASetLastError(WSA_NOT_ENOUGH_MEMORY);
            return false;
        }
        w->place = r->count++;
        r->watches[w->place] = w;
        r->at[w->place] = (WSAPOLLFD){.fd = w->fd};
    }
    w->events = events;
    r->at[w->place].events =
        (SHORT)(((events & READY_IN) != 0 ? POLLRDNORM : 0) | ((events & READY_OUT) != 0 ? POLLWRNORM : 0));
    return true;
}

/* An end is told by what was waited for: the call that follows says which end it is, and that of a side that has only
 * ended its own sending is none to who sends. */
static uint32_t events_of(SHORT seen, uint32_t wanted)
{
    return ((seen & POLLRDNORM) != 0 ? READY_IN : 0U) | ((seen & POLLWRNORM) != 0 ? READY_OUT : 0U) |
           ((seen & (POLLHUP | POLLERR | POLLNVAL)) != 0 ? wanted : 0U) |
           ((seen & (POLLERR | POLLNVAL)) != 0 ? READY_LOST : 0U);
}

unsigned bench_ready_wait(struct ready *r, struct ready_note *notes, int64_t ns)
{
    unsigned made = 0;
    int ms = ns < 0 ? -1 : ns > LONGEST_MS * INT64_C(1000000) ? LONGEST_MS : (int)((ns + 999999) / 1000000);
    if (r->count == 0) {
        Sleep(ms < 0 ? INFINITE : (DWORD)ms);
        return 0;
    }
    int left = WSAPoll(r->at, r->count, ms);
    uint32_t place = r->next;
    for (uint32_t i = 0; i < r->count && left > 0 && made < READY_BATCH; i++, place++) {
        if (place >= r->count)
            place = 0;
        if (r->at[place].revents == 0)
            continue;
        notes[made++] =
            (struct ready_note){r->watches[place], events_of(r->at[place].revents, r->watches[place]->events)};
        left--;
    }
    r->next = place;
    return made;
}
