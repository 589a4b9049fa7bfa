/* SPDX-License-Identifier: Apache-2.0 */
/* Neither side is ever waited for: what one does not take is kept, and the other is not read until it is gone. */
#include "agent_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_out.h"

enum {
    READ_SIZE = 16 * 1024
};

static void close_channel(struct relay *relay)
{
    nacre_close_channel(relay->app->server, relay->id);
}

static void close_if_done(struct relay *relay)
{
    if (relay->channel_eof && relay->socket_eof && queue_len(&relay->to_socket) == 0)
        close_channel(relay);
}

/* ---- from the socket to the channel ---- */

/* False when some had to be kept. */
static bool send_to_channel(struct relay *relay, const unsigned char *data, size_t len)
{
    struct channel_out out = {.app = relay->app, .id = relay->id};

    return nacred_channel_send_or_keep(&out, data, len, &relay->to_channel);
}

static void socket_has_ended(struct relay *relay)
{
    nacred_loop_disarm(&relay->app->loop, &relay->from);
    relay->socket_eof = true;
    nacre_send_eof(relay->app->server, relay->id);
    close_if_done(relay);
}

static void on_from_ready(struct watch *watch)
{
    static unsigned char bytes[READ_SIZE]; /* the loop is one thread */
    struct relay *relay = (struct relay *)((char *)watch - offsetof(struct relay, from));

    pthread_mutex_lock(&relay->lock);
    if (watch->armed) {
        ssize_t n = read(watch->fd, bytes, sizeof bytes);

        if (n == 0) {
            socket_has_ended(relay);
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            nacred_loop_disarm(&relay->app->loop, watch);
            close_channel(relay);
        } else if (n > 0 && !send_to_channel(relay, bytes, (size_t)n)) {
            nacred_loop_disarm(&relay->app->loop, watch);
        }
    }
    pthread_mutex_unlock(&relay->lock);
}

void nacred_relay_start(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    if (!nacred_loop_arm(&relay->app->loop, &relay->from, LOOP_READ))
        close_channel(relay);
    pthread_mutex_unlock(&relay->lock);
}

void nacred_relay_ready(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    struct queue kept = relay->to_channel;
    if (queue_len(&kept) > 0) {
        relay->to_channel = (struct queue){0};
        bool sent = send_to_channel(relay, queue_bytes(&kept), queue_len(&kept));
        nacred_queue_free(&kept);
        if (sent && !nacred_loop_arm(&relay->app->loop, &relay->from, LOOP_READ))
            close_channel(relay);
    }
    pthread_mutex_unlock(&relay->lock);
}

/* ---- from the channel to the socket ---- */

/* Bytes the socket took; -1 when it takes nothing any more. */
static ssize_t write_to_socket(struct relay *relay, const uint8_t *data, size_t len)
{
    size_t taken = 0;

    while (taken < len) {
        ssize_t n = send(relay->to.fd, data + taken, len - taken, MSG_NOSIGNAL);

        if (n > 0)
            taken += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            break;
        else if (n < 0 && errno != EINTR)
            return -1;
    }
    return (ssize_t)taken;
}

static void resume_channel(struct relay *relay)
{
    if (!relay->paused)
        return;
    relay->paused = false;
    nacre_resume_channel(relay->app->server, relay->id);
}

static void end_socket_if_done(struct relay *relay)
{
    if (!relay->channel_eof || queue_len(&relay->to_socket) > 0)
        return;
    shutdown(relay->to.fd, SHUT_WR);
    close_if_done(relay);
}

/* What still waits is for nobody; data that comes until the channel is closed is dropped in the same way. */
static void socket_has_failed(struct relay *relay)
{
    nacred_queue_free(&relay->to_socket);
    resume_channel(relay);
    close_channel(relay);
}

static void on_to_ready(struct watch *watch)
{
    struct relay *relay = (struct relay *)((char *)watch - offsetof(struct relay, to));
    struct queue *queue = &relay->to_socket;

    pthread_mutex_lock(&relay->lock);
    if (watch->armed) {
        ssize_t taken = write_to_socket(relay, queue_bytes(queue), queue_len(queue));

        if (taken < 0)
            socket_has_failed(relay);
        else
            nacred_queue_drop(queue, (size_t)taken);
        if (queue_len(queue) < QUEUE_LOW)
            resume_channel(relay);
        if (queue_len(queue) == 0)
            nacred_loop_disarm(&relay->app->loop, watch);
        end_socket_if_done(relay);
    }
    pthread_mutex_unlock(&relay->lock);
}

static void keep(struct relay *relay, const uint8_t *data, size_t len)
{
    if (!nacred_queue_add(&relay->to_socket, data, len) ||
        !nacred_loop_arm(&relay->app->loop, &relay->to, LOOP_WRITE)) {
        close_channel(relay);
        return;
    }
    if (queue_len(&relay->to_socket) > QUEUE_HIGH && !relay->paused)
        relay->paused = nacre_pause_channel(relay->app->server, relay->id) == NACRE_OK;
}

void nacred_relay_data(struct relay *relay, const uint8_t *data, size_t len)
{
    pthread_mutex_lock(&relay->lock);
    ssize_t taken = relay->to.armed ? 0 : write_to_socket(relay, data, len);
    if (taken < 0)
        socket_has_failed(relay);
    else if ((size_t)taken < len)
        keep(relay, data + taken, len - (size_t)taken);
    pthread_mutex_unlock(&relay->lock);
}

void nacred_relay_eof(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->channel_eof = true;
    end_socket_if_done(relay);
    pthread_mutex_unlock(&relay->lock);
}

/* ---- life ---- */

static void on_end(struct post *post)
{
    struct relay *relay = (struct relay *)((char *)post - offsetof(struct relay, end));

    pthread_mutex_lock(&relay->lock);
    nacred_loop_close_watch(&relay->app->loop, &relay->from);
    nacred_loop_close_watch(&relay->app->loop, &relay->to);
    nacred_queue_free(&relay->to_channel);
    nacred_queue_free(&relay->to_socket);
    pthread_mutex_unlock(&relay->lock);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
}

struct relay *nacred_relay_new(struct app *app, nacre_connection_id connection_id, int fd)
{
    struct relay *relay = calloc(1, sizeof *relay);
    int copy = relay ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

    if (copy < 0 || nacre_open_channel(app->server, connection_id, "auth-agent@openssh.com", &relay->id) != 0) {
        close(fd);
        if (copy >= 0)
            close(copy);
        free(relay);
        return NULL;
    }
    relay->app = app;
    relay->from = (struct watch){.ready = on_from_ready, .fd = fd};
    relay->to = (struct watch){.ready = on_to_ready, .fd = copy};
    relay->end.run = on_end;
    pthread_mutex_init(&relay->lock, NULL);
    nacred_idmap_add(&app->relays, relay->id, &relay->node);
    return relay;
}

struct relay *nacred_relay_find(struct app *app, nacre_channel_id id)
{
    struct idmap_node *node = nacred_idmap_find(&app->relays, id);

    return node ? (struct relay *)((char *)node - offsetof(struct relay, node)) : NULL;
}

void nacred_relay_end(struct relay *relay)
{
    nacred_idmap_remove(&relay->app->relays, relay->id);
    nacred_loop_post(&relay->app->loop, &relay->end);
}
