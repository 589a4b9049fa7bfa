/* SPDX-License-Identifier: Apache-2.0 */
/* An instance under test and what its wait() has reported. Reports are looked at one by one and in order, so that one
 * too many is found. */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "backend/driver.h"
#include "base/pool.h"

enum {
    RIG_RECEIVE = 16 * 1024,
    RIG_HEADROOM = 1000,
    RIG_SLOTS = 2000,
    RIG_BATCH = 32,
    RIG_QUIET_MS = 60,
    RIG_WAIT_MS = 100000, /* for what has to come */
};

struct rig {
    const struct driver *d;
    const struct io_backend *ops;
    struct pool pool;
    struct io *io;
    size_t sockets; /* before it was opened */
    struct io_done batch[RIG_BATCH];
    unsigned at, count, max;
};

void rig_open(struct rig *r, size_t row);

/* The same, with what io_options says of rest and resume. */
void rig_open_resting(struct rig *r, size_t row, void (*rest)(void *, int64_t), void (*resume)(void *), void *context);

/* Of the back end of that name alone; skips the test where others are wanted. */
void rig_open_only(struct rig *r, const char *name);

/* Nothing is left over: reports, blocks, sockets. Every slot is gone. */
void rig_close(struct rig *r);

/* A connection that is attached under `owner`, with receiving off. */
struct far rig_attach(struct rig *r, uint64_t owner, uint32_t *slot);

/* Most tests have one connection: rig_open() and rig_attach(); and rig_detach(), letting go of the far end, and
 * rig_close(). */
struct far rig_open_one(struct rig *r, size_t row, uint64_t owner, uint32_t *slot);
void rig_close_one(struct rig *r, uint64_t owner, uint32_t slot, struct far f);

/* The next report, which must be of that kind and owner and comes within seconds. */
struct io_done rig_expect(struct rig *r, enum io_kind kind, uint64_t owner);

/* The next report of any kind; false: none came in `ms`. */
bool rig_next(struct rig *r, struct io_done *out, int ms);

/* Nothing is reported for a while. */
void rig_quiet(struct rig *r);

/* Receives exactly `len` bytes for the owner and nothing else meanwhile. */
void rig_receive(struct rig *r, uint64_t owner, void *to, size_t len);

/* detach(), exactly one IO_GONE, and nothing after it. */
void rig_detach(struct rig *r, uint64_t owner, uint32_t slot);

/* Sends all, as often as it takes, the far end taking meanwhile; gives how many sends that were. */
unsigned rig_send_all(struct rig *r, uint64_t owner, uint32_t slot, struct far f, const uint8_t *bytes, size_t len);

/* Bytes that tell where they belong. */
void rig_pattern(uint8_t *at, size_t len);

#endif
