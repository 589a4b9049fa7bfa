/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a forwarded agent's socket and the channel that it became.
 *
 *   accepted by the loop, channel asked for --opened--> bytes both ways --closed--> given back by the loop
 *
 * Handlers find a relay until its channel is closed; then the loop has it alone, and frees it after the call-backs of
 * its round. */
#ifndef NACRED_AGENT_RELAY_H
#define NACRED_AGENT_RELAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app.h"
#include "idmap.h"
#include "loop.h"
#include "nacre/nacre.h"
#include "queue.h"

struct relay {
    struct idmap_node node; /* by channel id */
    struct app *app;
    nacre_channel_id id;
    struct relay *next_of_agent; /* the agent's lock */
    struct post end;

    pthread_mutex_t lock;    /* protects everything below */
    struct watch from;       /* the socket, to be read */
    struct watch to;         /* a copy of it, to be written */
    struct queue to_channel; /* read from the socket, not taken by the channel; nothing is read meanwhile */
    struct queue to_socket;
    bool paused;      /* the channel: no more data comes from it */
    bool channel_eof; /* the client sends no more */
    bool socket_eof;  /* the agent's client sends no more */
};

/* Takes the socket and opens a channel. Loop thread. NULL when that fails; the socket is closed then. */
struct relay *nacred_relay_new(struct app *app, nacre_connection_id connection_id, int fd);
struct relay *nacred_relay_find(struct app *app, nacre_channel_id id);

/* The client has confirmed the channel. */
void nacred_relay_start(struct relay *relay);

/* The channel is gone; the caller has forgotten the relay. */
void nacred_relay_end(struct relay *relay);

/* From the channel. */
void nacred_relay_data(struct relay *relay, const uint8_t *data, size_t len);
void nacred_relay_eof(struct relay *relay);
void nacred_relay_ready(struct relay *relay);

#endif
