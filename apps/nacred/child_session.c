/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes between a channel and a process.
 *
 * Neither side is ever waited for. What the channel does not take stays in `unsent`, and the child's output is not read
 * until it is gone: the child blocks on its pipe. What the child does not take stays in `input_unsent`; above
 * QUEUE_HIGH the channel is paused, so that the client's window closes: the client waits, other channels go on.
 *
 * Handlers write straight through when nothing waits, and leave the rest to the loop. */
#include "child_session.h"

#include <errno.h>
#include <string.h>

#include "channel_out.h"
#include "launch.h"
#include "log.h"
#include "seats.h"

enum {
    READ_SIZE = 64 * 1024
};

/* ---- the child's input ---- */

static void end_input(struct session *session)
{
    if (session->on_terminal && session->input.fd >= 0 && !nacred_pty_type_end(&session->input))
        nacred_log(LOG_LEVEL_DEBUG, session->peer, "input", "the terminal does not take the end of file");
}

static void resume_channel(struct session *session)
{
    if (!session->paused)
        return;
    session->paused = false;
    nacre_resume_channel(session->app->server, session->id);
}

/* Nobody reads any more: what waits, and what may still come, is dropped. Loop thread, or while the watch is not armed.
 */
static void close_input(struct session *session)
{
    nacred_loop_close_watch(&session->app->loop, &session->input);
    nacred_queue_free(&session->input_unsent);
    resume_channel(session);
}

/* Bytes the child took; -1 when it takes nothing any more. */
static long write_input(struct session *session, const uint8_t *data, size_t len)
{
    size_t taken = 0;

    while (taken < len) {
        long n = nacred_child_write(&session->input, data + taken, len - taken);

        if (n < 0)
            return -1;
        if (n == 0)
            break;
        taken += (size_t)n;
    }
    return (long)taken;
}

static void on_input_ready(struct watch *watch)
{
    struct session *session = (struct session *)((char *)watch - offsetof(struct session, input));
    struct queue *queue = &session->input_unsent;

    pthread_mutex_lock(&session->lock);
    if (watch->armed) {
        long taken = write_input(session, queue_bytes(queue), queue_len(queue));

        if (taken < 0) {
            close_input(session);
        } else {
            nacred_queue_drop(queue, (size_t)taken);
            if (queue_len(queue) < QUEUE_LOW)
                resume_channel(session);
            if (queue_len(queue) == 0)
                nacred_loop_disarm(&session->app->loop, watch);
            if (queue_len(queue) == 0 && session->input_ended) {
                end_input(session);
                close_input(session);
            }
        }
    }
    pthread_mutex_unlock(&session->lock);
}

static void keep_input(struct session *session, const uint8_t *data, size_t len)
{
    if (!nacred_queue_add(&session->input_unsent, data, len) ||
        !nacred_loop_arm(&session->app->loop, &session->input, LOOP_WRITE)) {
        /* Bytes that the client was told are taken must not vanish silently. */
        nacred_log(LOG_LEVEL_ERROR, session->peer, "input", "out of memory or descriptors, closing the channel");
        nacre_close_channel(session->app->server, session->id);
        return;
    }
    if (queue_len(&session->input_unsent) > QUEUE_HIGH && !session->paused)
        session->paused = nacre_pause_channel(session->app->server, session->id) == NACRE_OK;
}

void nacred_child_session_data(struct session *session, const uint8_t *data, size_t len)
{
    pthread_mutex_lock(&session->lock);
    if (!session->has_child) {
        /* Granted, but not started yet: a client need not wait for the answer before it sends. */
        if (!nacred_queue_add(&session->input_unsent, data, len))
            nacre_close_channel(session->app->server, session->id);
    } else if (session->input.fd >= 0 && !session->input_ended) {
        long taken = session->input.armed ? 0 : write_input(session, data, len);

        if (taken < 0)
            close_input(session);
        else if ((size_t)taken < len)
            keep_input(session, data + taken, len - (size_t)taken);
    }
    pthread_mutex_unlock(&session->lock);
}

void nacred_child_session_eof(struct session *session)
{
    pthread_mutex_lock(&session->lock);
    session->input_ended = true;
    if (session->input.fd >= 0 && !session->input.armed) {
        end_input(session);
        close_input(session);
    }
    pthread_mutex_unlock(&session->lock);
}

/* ---- the child's output ---- */

/* The channel takes what it can; the rest is kept. False when some is kept. */
static bool send_output(struct output *output, const unsigned char *data, size_t len)
{
    const struct session *session = output->session;
    struct channel_out out = {
        .app = session->app, .peer = session->peer, .id = session->id, .is_stderr = output->is_stderr};

    return nacred_channel_send_or_keep(&out, data, len, &output->unsent);
}

static void output_has_ended(struct output *output)
{
    nacred_loop_close_watch(&output->session->app->loop, &output->watch);
    output->ended = true;
}

/* One read. False when there is nothing more to be had now. Loop thread. */
static bool read_output(struct output *output)
{
    static unsigned char bytes[READ_SIZE]; /* the loop is one thread */
    long n = nacred_child_read(&output->watch, bytes, sizeof bytes);

    if (n < 0)
        return false;
    if (n == 0) {
        output_has_ended(output);
        return false;
    }
    if (!send_output(output, bytes, (size_t)n))
        nacred_loop_disarm(&output->session->app->loop, &output->watch);
    return output->watch.armed;
}

static void finish_if_done(struct session *session);

static void on_output_ready(struct watch *watch)
{
    struct output *output = (struct output *)((char *)watch - offsetof(struct output, watch));
    struct session *session = output->session;

    pthread_mutex_lock(&session->lock);
    if (watch->armed && !read_output(output))
        finish_if_done(session);
    pthread_mutex_unlock(&session->lock);
}

static void flush_output(struct output *output)
{
    struct queue unsent = output->unsent;

    if (queue_len(&unsent) == 0)
        return;
    output->unsent = (struct queue){0};
    bool sent = send_output(output, queue_bytes(&unsent), queue_len(&unsent));
    nacred_queue_free(&unsent);
    if (sent && output->watch.fd >= 0)
        nacred_loop_arm(&output->session->app->loop, &output->watch, LOOP_READ);
}

void nacred_child_session_ready(struct session *session)
{
    pthread_mutex_lock(&session->lock);
    if (session->has_child && !session->finished) {
        flush_output(&session->outputs[0]);
        flush_output(&session->outputs[1]);
        /* The end is the loop's business: it may have waited for these bytes alone. */
        if (session->exited)
            nacred_loop_post(&session->app->loop, &session->drain);
    }
    pthread_mutex_unlock(&session->lock);
}

/* ---- the end ---- */

static void log_end(const struct peer *peer, const struct child_end *how)
{
    if (how->signal_name)
        nacred_log(LOG_LEVEL_INFO, peer, "exit", "signal %s", how->signal_name);
    else if (how->signal_number)
        nacred_log(LOG_LEVEL_INFO, peer, "exit", "signal %u", how->signal_number);
    else
        nacred_log(LOG_LEVEL_INFO, peer, "exit", "status %u", how->code);
}

/* After the last byte: how the process ended (RFC 4254 section 6.10), eof, close. In this order, as a client that has
 * seen both directions end may close at once and would miss what comes then. */
static void tell_end(struct session *session)
{
    nacre_server *server = session->app->server;
    const struct child_end *how = &session->how;

    if (how->signal_name)
        nacre_send_exit_signal(server, session->id, how->signal_name, how->core_dumped, "");
    else
        nacre_send_exit_status(server, session->id, how->code);
    nacre_send_eof(server, session->id);
    nacre_close_channel(server, session->id);
    if (session->peer)
        log_end(session->peer, how);
}

static void forget_child(struct session *session)
{
    struct app *app = session->app;

    pthread_mutex_lock(&app->children_lock);
    *session->link_of_child = session->next_child;
    if (session->next_child)
        session->next_child->link_of_child = session->link_of_child;
    pthread_mutex_unlock(&app->children_lock);
}

static void close_outputs(struct session *session)
{
    for (int i = 0; i < 2; i++) {
        output_has_ended(&session->outputs[i]);
        nacred_queue_free(&session->outputs[i].unsent);
    }
}

/* Loop thread, lock held. The reference goes at the end of the round, when no call-back can be under way. */
static void finish(struct session *session)
{
    session->finished = true;
    nacred_loop_close_watch(&session->app->loop, &session->end);
    close_outputs(session);
    close_input(session);
    forget_child(session);
    nacred_child_forget(&session->process);
    nacred_session_uncount(session);
    if (!session->peer)
        nacred_seats_leave(session->seats);
    nacred_loop_post(&session->app->loop, &session->drop);
}

static void finish_if_done(struct session *session)
{
    bool unsent = queue_len(&session->outputs[0].unsent) > 0 || queue_len(&session->outputs[1].unsent) > 0;

    if (session->finished || !session->exited || unsent || !session->outputs[0].ended || !session->outputs[1].ended)
        return;
    nacred_session_uncount(session); /* before the client can know: it may ask for the next one at once */
    tell_end(session);
    finish(session);
}

/* The shell is gone, but who it started may hold the terminal open for ever: what was written so far is all. */
static void drain_terminal(struct session *session)
{
    struct output *output = &session->outputs[0];

    while (output->watch.armed && read_output(output))
        continue;
    if (output->watch.armed)
        output_has_ended(output);
}

static void on_drain(struct post *post)
{
    struct session *session = (struct session *)((char *)post - offsetof(struct session, drain));

    pthread_mutex_lock(&session->lock);
    if (session->exited && !session->finished) {
        if (session->on_terminal)
            drain_terminal(session);
        finish_if_done(session);
    }
    pthread_mutex_unlock(&session->lock);
}

static void on_child_ended(struct watch *watch)
{
    struct session *session = (struct session *)((char *)watch - offsetof(struct session, end));

    pthread_mutex_lock(&session->lock);
    if (watch->armed && nacred_child_reap(&session->process, &session->how, false)) {
        session->exited = true;
        nacred_loop_close_watch(&session->app->loop, watch);
        close_input(session);
        if (session->on_terminal)
            drain_terminal(session);
        if (session->peer)
            finish_if_done(session);
        else
            finish(session);
    }
    pthread_mutex_unlock(&session->lock);
}

static void on_drop(struct post *post)
{
    nacred_session_release((struct session *)((char *)post - offsetof(struct session, drop)));
}

/* Closing a terminal's master hangs up by itself; without a terminal there is nobody but us to tell. */
static void on_hang_up(struct post *post)
{
    struct session *session = (struct session *)((char *)post - offsetof(struct session, hang_up));

    pthread_mutex_lock(&session->lock);
    if (!session->finished) {
        close_outputs(session);
        close_input(session);
        if (!session->exited) {
            nacred_child_hang_up(&session->process);
        } else {
            finish(session);
        }
    }
    pthread_mutex_unlock(&session->lock);
    nacred_session_release(session);
}

static void post_hang_up(struct session *session)
{
    atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
    if (!nacred_loop_post(&session->app->loop, &session->hang_up))
        nacred_session_release(session); /* one is on its way already */
}

void nacred_child_session_hang_up(struct session *session)
{
    pthread_mutex_lock(&session->lock);
    session->peer = NULL;
    if (session->has_child && !session->finished) {
        post_hang_up(session);
    } else {
        nacred_session_uncount(session);
        nacred_seats_leave(session->seats);
    }
    pthread_mutex_unlock(&session->lock);
}

bool nacred_child_session_signal(struct session *session, const char *name)
{
    pthread_mutex_lock(&session->lock);
    /* Once it was waited for, its number may be another's. */
    bool sent = session->has_child && !session->exited && nacred_child_signal(&session->process, name);
    pthread_mutex_unlock(&session->lock);
    return sent;
}

void nacred_child_session_resize(struct session *session)
{
    pthread_mutex_lock(&session->lock);
    if (session->on_terminal && session->outputs[0].watch.fd >= 0)
        nacred_pty_set_size(&session->outputs[0].watch, session->terminal);
    pthread_mutex_unlock(&session->lock);
}

void nacred_child_sessions_kill(struct app *app)
{
    pthread_mutex_lock(&app->children_lock);
    for (struct session *session = app->children; session; session = session->next_child)
        nacred_child_kill(&session->process);
    pthread_mutex_unlock(&app->children_lock);
}

/* ---- the start ---- */

void nacred_child_session_init(struct session *session)
{
    session->input = (struct watch){.ready = on_input_ready, .fd = -1};
    session->end = (struct watch){.ready = on_child_ended, .fd = -1};
    for (int i = 0; i < 2; i++)
        session->outputs[i] =
            (struct output){.watch = {.ready = on_output_ready, .fd = -1}, .session = session, .is_stderr = i == 1};
    session->hang_up.run = on_hang_up;
    session->drain.run = on_drain;
    session->drop.run = on_drop;
}

static void remember_child(struct session *session)
{
    struct app *app = session->app;

    pthread_mutex_lock(&app->children_lock);
    session->next_child = app->children;
    session->link_of_child = &app->children;
    if (app->children)
        app->children->link_of_child = &session->next_child;
    app->children = session;
    pthread_mutex_unlock(&app->children_lock);
}

static void tell_failure(struct session *session)
{
    static const char text[] = "nacred: the program could not be started\r\n";
    nacre_server *server = session->app->server;

    nacred_log(LOG_LEVEL_ERROR, session->peer, "start", "cannot start the program: %s", strerror(errno));
    nacre_send_stderr(server, session->id, text, sizeof text - 1);
    nacre_send_exit_status(server, session->id, 255);
    nacre_send_eof(server, session->id);
    nacre_close_channel(server, session->id);
}

/* What came before the child did. */
static bool start_input(struct session *session)
{
    if (queue_len(&session->input_unsent) > 0)
        return nacred_loop_arm(&session->app->loop, &session->input, LOOP_WRITE);
    if (session->input_ended) {
        end_input(session);
        close_input(session);
    }
    return true;
}

/* The loop refuses a watch only when memory or the user's watches are used up; there is no running without it. */
static void watch_child(struct session *session)
{
    struct loop *loop = &session->app->loop;
    bool has_errors = session->outputs[1].watch.fd >= 0;

    session->outputs[1].ended = !has_errors;
    session->has_child = true;
    remember_child(session);
    atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
    bool watched = nacred_loop_arm(loop, &session->end, LOOP_READ) &&
                   nacred_loop_arm(loop, &session->outputs[0].watch, LOOP_READ) &&
                   (!has_errors || nacred_loop_arm(loop, &session->outputs[1].watch, LOOP_READ)) &&
                   start_input(session);
    if (!watched) {
        nacred_log(LOG_LEVEL_ERROR, session->peer, "start", "cannot watch the program: %s", strerror(errno));
        nacred_child_kill(&session->process);
        nacred_child_reap(&session->process, &session->how, true);
        session->exited = true;
        nacre_close_channel(session->app->server, session->id);
        post_hang_up(session);
    }
}

void nacred_child_session_start(struct session *session)
{
    /* Held from before the child is watched until all is set. */
    pthread_mutex_lock(&session->lock);
    session->on_terminal = session->terminal && session->work != WORK_SFTP;
    if (nacred_launch(session))
        watch_child(session);
    else
        tell_failure(session);
    pthread_mutex_unlock(&session->lock);
}
