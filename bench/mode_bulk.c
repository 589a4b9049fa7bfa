/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes through channels: to a command that swallows them (in), from one that makes them (out), or through one that
 * sends them back (both). What went in counts as moved; the measurement ends when the server has closed the channel
 * behind the last byte, so nothing that is still in a buffer is counted as done. */
#include <stdio.h>
#include <string.h>

#include "base/plat.h"
#include "load.h"
#include "stream.h"

enum {
    QUEUE_BYTES = 1 << 20,
    RANDOM_BYTES = 1 << 16,
    COMMAND_MAX = 4096
};

static const uint64_t endless = UINT64_C(1) << 62;

struct bulk_client {
    struct client client;
    uint64_t goal;     /* bytes each way */
    uint64_t given;    /* handed to the channel */
    uint64_t received; /* from the channel */
    bool filling;      /* sending from inside a call of ours: no second one inside it */
    bool eof_sent;
};

static enum bench_direction direction_of(const struct client *c)
{
    return c->shared->options->direction;
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

/* Content for runs that do not check it: random, so that compression finds nothing, and made once. */
static const uint8_t *random_bytes(void)
{
    static uint8_t bytes[RANDOM_BYTES];
    static bool made;
    if (!made)
        bench_stream_fill(0, 0, bytes, sizeof bytes);
    made = true;
    return bytes;
}

static void fill_block(const struct bulk_client *b, struct block *block)
{
    if (b->client.shared->options->verify) {
        bench_stream_fill(b->client.number, b->given, block->at + block->start, block->len);
        return;
    }
    for (size_t at = 0; at < block->len; at += RANDOM_BYTES) {
        size_t left = block->len - at;
        memcpy(block->at + block->start + at, random_bytes(), left < RANDOM_BYTES ? left : RANDOM_BYTES);
    }
}

static bool send_one(struct bulk_client *b)
{
    struct client *c = &b->client;
    uint64_t left = b->goal - b->given;
    size_t size = left < c->shared->options->size ? (size_t)left : c->shared->options->size;
    struct block *block = bench_client_block(c, size);
    if (block == NULL)
        return false;
    fill_block(b, block);
    b->given += size;
    bench_client_send(c, block);
    return !c->finishing;
}

/* Keeps QUEUE_BYTES ahead of what the channel has taken. */
static void fill(struct bulk_client *b)
{
    struct client *c = &b->client;
    if (b->filling || b->eof_sent || c->finishing || direction_of(c) == DIRECTION_OUT)
        return;
    b->filling = true;
    while (b->given < b->goal && nacre_chan_queued(c->conn, c->channel) < QUEUE_BYTES) {
        if (nacre_clock_ns() >= load_of(c)->until_ns)
            b->goal = b->given; /* time is up */
        else if (!send_one(b))
            break;
    }
    if (b->given == b->goal && !c->finishing) {
        b->eof_sent = true;
        bench_client_send_eof(c);
    }
    b->filling = false;
}

static void sent(struct client *c, size_t bytes)
{
    tally_add(&c->shared->tally->bytes_in, bytes);
    if (c->busy)
        fill((struct bulk_client *)c);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

static void complete(struct bulk_client *b)
{
    tally_add(&b->client.shared->tally->operations, 1);
    bench_load_end(&b->client);
}

static void data(struct client *c, struct span bytes)
{
    struct bulk_client *b = (struct bulk_client *)c;
    if (direction_of(c) == DIRECTION_IN ||
        bytes.len > (direction_of(c) == DIRECTION_BOTH ? b->given : b->goal) - b->received) {
        bench_client_fail(c, FAILED_CONTENT, "more came back than was asked for");
        return;
    }
    if (c->shared->options->verify && !bench_stream_matches(c->number, b->received, bytes.at, bytes.len)) {
        bench_client_fail(c, FAILED_CONTENT, "other bytes came back than were sent");
        return;
    }
    b->received += bytes.len;
    tally_add(&c->shared->tally->bytes_out, bytes.len);
    if (b->goal == endless && direction_of(c) == DIRECTION_OUT && nacre_clock_ns() >= load_of(c)->until_ns) {
        complete(b);
        bench_client_finish(c);
    }
}

/* The server has no more for us: everything has to have come by now. The exit status comes between its EOF and its
 * close. */
static void ended(struct client *c)
{
    struct bulk_client *b = (struct bulk_client *)c;
    char reason[REASON_MAX];
    if (!c->busy || (!c->closed && c->exit_status < 0))
        return;
    bool all_given = direction_of(c) == DIRECTION_OUT || b->eof_sent;
    bool all_back = direction_of(c) == DIRECTION_IN || b->received == b->goal;
    if (all_given && all_back && c->exit_status <= 0) {
        complete(b);
        return;
    }
    snprintf(reason, sizeof reason, "the command ended (status %d) after %llu bytes to it and %llu from it%s%s",
             c->exit_status, (unsigned long long)b->given, (unsigned long long)b->received,
             c->complaint[0] == '\0' ? "" : ": ", c->complaint);
    bench_client_fail(c, FAILED_CONTENT, reason);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* Puts the number of bytes in place of {bytes}. */
static bool write_command(const struct bulk_client *b, char *out, size_t size)
{
    static const char mark[] = "{bytes}";
    const char *command = b->client.shared->options->command, *at = strstr(command, mark);
    int len;
    if (at == NULL)
        len = snprintf(out, size, "%s", command);
    else
        len = snprintf(out, size, "%.*s%llu%s", (int)(at - command), command, (unsigned long long)b->goal,
                       at + sizeof mark - 1);
    return len >= 0 && (size_t)len < size;
}

static void run_command(struct client *c)
{
    char command[COMMAND_MAX];
    if (write_command((struct bulk_client *)c, command, sizeof command))
        bench_client_exec(c, command);
    else
        bench_client_fail(c, FAILED_CHANNEL, "the command is too long");
}

static void opened(struct client *c)
{
    struct bulk_client *b = (struct bulk_client *)c;
    const struct options *o = c->shared->options;
    b->goal = o->total == 0 ? endless : bench_share_below(o, c->number + 1) - bench_share_below(o, c->number);
    b->given = b->received = 0;
    b->filling = b->eof_sent = false;
    if (direction_of(c) == DIRECTION_OUT) /* it talks as soon as it runs */
        bench_load_prepared(c);
    else
        run_command(c);
}

static void running(struct client *c)
{
    if (direction_of(c) != DIRECTION_OUT)
        bench_load_prepared(c);
}

static void first(struct client *c)
{
    if (direction_of(c) == DIRECTION_OUT)
        run_command(c);
    else
        fill((struct bulk_client *)c);
}

static void go(struct load *l)
{
    bench_load_begin_all(l, first);
}

const struct mode bench_bulk = {
    .client_size = sizeof(struct bulk_client),
    .connects_first = true,
    .ops = {.logged_in = bench_client_open,
            .opened = opened,
            .running = running,
            .data = data,
            .sent = sent,
            .ended = ended,
            .gone = bench_load_gone},
    .go = go,
};
