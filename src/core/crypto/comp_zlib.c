/* SPDX-License-Identifier: Apache-2.0 */
/* zlib, RFC 4253 section 6.2: one stream a direction, partially flushed after each packet so that the peer can read it
 * whole.
 *
 * What comes out of a received packet is bounded by the buffer's maximum: a packet that inflates past it is refused
 * before more memory is taken (rule R13). */
#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#include "crypto/context.h"

enum {
    COMP_STEP = 8192
};

struct comp {
    z_stream z;
    bool deflate;
};

static void zlib_close(struct comp *z)
{
    if (z == NULL)
        return;
    if (z->deflate)
        deflateEnd(&z->z);
    else
        inflateEnd(&z->z);
    free(z);
}

static struct comp *zlib_open(bool deflate)
{
    struct comp *z = calloc(1, sizeof *z);
    if (z == NULL)
        return NULL;
    z->deflate = deflate;
    if ((deflate ? deflateInit(&z->z, Z_DEFAULT_COMPRESSION) : inflateInit(&z->z)) == Z_OK)
        return z;
    free(z);
    return NULL;
}

/* One call of zlib into `room` bytes at `at`. Z_BUF_ERROR says that nothing was left to do. */
static bool zlib_step(struct comp *z, uint8_t *at, size_t room)
{
    z->z.next_out = at;
    z->z.avail_out = (uInt)room;
    int rc = z->deflate ? deflate(&z->z, Z_PARTIAL_FLUSH) : inflate(&z->z, Z_SYNC_FLUSH);
    return rc == Z_OK || rc == Z_BUF_ERROR;
}

/* The buffer is full to its maximum: true when the packet ends exactly there. */
static bool nothing_left(struct comp *z)
{
    uint8_t probe[1];
    return zlib_step(z, probe, sizeof probe) && z->z.avail_out == sizeof probe && z->z.avail_in == 0;
}

static bool zlib_run(struct comp *z, struct span in, struct buf *out)
{
    if (in.len > INT_MAX)
        return false;
    union {
        const uint8_t *given;
        Bytef *taken;
    } next = {.given = in.at}; /* zlib reads through a pointer that is not const */
    z->z.next_in = next.taken;
    z->z.avail_in = (uInt)in.len;
    for (;;) {
        size_t room = out->max - out->len < COMP_STEP ? out->max - out->len : COMP_STEP;
        if (room == 0)
            return nothing_left(z);
        uint8_t *at = nacre_buf_reserve(out, room);
        if (at == NULL || !zlib_step(z, at, room))
            return false;
        out->len += room - z->z.avail_out;
        if (z->z.avail_out != 0)
            return z->z.avail_in == 0;
    }
}

const struct comp_ops nacre_comp_zlib = {.open = zlib_open, .close = zlib_close, .run = zlib_run};
