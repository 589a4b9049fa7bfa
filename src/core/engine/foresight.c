/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection is made of is found by going from one part to the next, so it is fetched in three steps, each while
 * an earlier connection is worked for. What was fetched too late, or is another's by then, costs nothing but itself. */
#include "engine/foresight.h"

#include "base/prefetch.h"

/* How many completions before its own a step is taken. */
enum {
    AHEAD_CONNECTION = 4,
    AHEAD_CONN = 2,
    AHEAD_PARTS = 1
};

static struct connection *place_of(const struct shard *s, const struct io_done *d)
{
    return nacre_table_place(&s->connections, (int64_t)d->owner);
}

void nacre_foresee(const struct shard *s, const struct io_done *done, unsigned count, unsigned i)
{
    const struct connection *c;
    if (i + AHEAD_CONNECTION < count)
        prefetch(place_of(s, &done[i + AHEAD_CONNECTION]), sizeof *c);
    if (i + AHEAD_CONN < count && (c = place_of(s, &done[i + AHEAD_CONN])) != NULL) {
        nacre_conn_prefetch(c->conn);
        prefetch(c->ends, sizeof *c->ends);
    }
    if (i + AHEAD_PARTS < count && (c = place_of(s, &done[i + AHEAD_PARTS])) != NULL) {
        nacre_conn_prefetch_parts(c->conn);
        if (c->ends != NULL)
            prefetch(c->ends[0].channel, sizeof *c->ends[0].channel);
    }
}
