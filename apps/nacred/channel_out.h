/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to a channel: what it takes, what is kept until it takes more, and what becomes of them when there is no memory
 * for either. Bytes that nobody can take and nobody keeps would leave a gap that looks like the whole, so the channel
 * is closed then, and the log says so. Any thread. */
#ifndef NACRED_CHANNEL_OUT_H
#define NACRED_CHANNEL_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "app.h"
#include "nacre/nacre.h"
#include "queue.h"

struct channel_out {
    struct app *app;
    const struct peer *peer; /* NULL: the log names nobody */
    nacre_channel_id id;
    bool is_stderr;
};

/* Bytes that the channel took; when they are fewer than `len`, on_ssh_channel_ready_to_send follows. -1 when it is
 * closing, or closed for want of memory: nobody is left to read this. */
long nacred_channel_send(const struct channel_out *out, const void *data, size_t len);

/* The same; what is not taken is added to `unsent`. False when some was, or could not be and the channel is closed. */
bool nacred_channel_send_or_keep(const struct channel_out *out, const void *data, size_t len, struct queue *unsent);

#endif
