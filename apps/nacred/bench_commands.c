/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel_out.h"

enum {
    SOURCE_BLOCK = 256 * 1024
};

static const unsigned char source_block[SOURCE_BLOCK];

enum session_work nacred_bench_command(const char *command, uint64_t *source_bytes)
{
    char *end;

    if (strcmp(command, "echo") == 0)
        return WORK_BENCH_ECHO;
    if (strcmp(command, "sink") == 0)
        return WORK_BENCH_SINK;
    if (strncmp(command, "source ", 7) != 0 || command[7] < '0' || command[7] > '9')
        return WORK_NONE;
    errno = 0;
    *source_bytes = strtoull(command + 7, &end, 10);
    return errno || *end ? WORK_NONE : WORK_BENCH_SOURCE;
}

static void finish(struct session *session)
{
    nacre_server *server = session->app->server;

    if (session->bench_done)
        return;
    session->bench_done = true;
    nacre_send_exit_status(server, session->id, 0); /* first: see tell_end() */
    nacre_send_eof(server, session->id);
    nacre_close_channel(server, session->id);
}

/* nacred_channel_send() on the session's channel. */
static long send(struct session *session, const void *data, size_t len)
{
    struct channel_out out = {.app = session->app, .peer = session->peer, .id = session->id};

    return nacred_channel_send(&out, data, len);
}

static void pump_source(struct session *session)
{
    while (session->source_left > 0) {
        size_t len = session->source_left < SOURCE_BLOCK ? (size_t)session->source_left : SOURCE_BLOCK;
        long taken = send(session, source_block, len);

        session->source_left = taken < 0 ? 0 : session->source_left - (size_t)taken;
        if (taken < (long)len)
            return;
    }
    finish(session);
}

void nacred_bench_start(struct session *session)
{
    if (session->work == WORK_BENCH_SOURCE)
        pump_source(session);
}

static void keep_echo(struct session *session, const uint8_t *data, size_t len)
{
    nacre_server *server = session->app->server;

    if (!nacred_queue_add(&session->echo_unsent, data, len)) {
        nacre_close_channel(server, session->id);
        return;
    }
    if (queue_len(&session->echo_unsent) > QUEUE_HIGH && !session->paused)
        session->paused = nacre_pause_channel(server, session->id) == NACRE_OK;
}

void nacred_bench_data(struct session *session, const uint8_t *data, size_t len)
{
    if (session->work != WORK_BENCH_ECHO || session->bench_done)
        return;
    long taken = queue_len(&session->echo_unsent) > 0 ? 0 : send(session, data, len);
    if (taken >= 0 && (size_t)taken < len)
        keep_echo(session, data + taken, len - (size_t)taken);
}

void nacred_bench_eof(struct session *session)
{
    session->bench_ended = true;
    if (session->work == WORK_BENCH_SINK || (session->work == WORK_BENCH_ECHO && queue_len(&session->echo_unsent) == 0))
        finish(session);
}

static void pump_echo(struct session *session)
{
    struct queue *unsent = &session->echo_unsent;

    if (queue_len(unsent) == 0)
        return;
    long taken = send(session, queue_bytes(unsent), queue_len(unsent));
    nacred_queue_drop(unsent, taken < 0 ? queue_len(unsent) : (size_t)taken);
    if (queue_len(unsent) < QUEUE_LOW && session->paused) {
        session->paused = false;
        nacre_resume_channel(session->app->server, session->id);
    }
    if (queue_len(unsent) == 0 && session->bench_ended)
        finish(session);
}

void nacred_bench_ready(struct session *session)
{
    if (session->work == WORK_BENCH_SOURCE && !session->bench_done)
        pump_source(session);
    if (session->work == WORK_BENCH_ECHO)
        pump_echo(session);
}
