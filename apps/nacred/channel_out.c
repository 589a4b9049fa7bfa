/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_out.h"

#include "log.h"

static void give_up(const struct channel_out *out)
{
    nacred_log(LOG_LEVEL_ERROR, out->peer, "output", "out of memory, closing the channel");
    nacre_close_channel(out->app->server, out->id);
}

long nacred_channel_send(const struct channel_out *out, const void *data, size_t len)
{
    nacre_server *server = out->app->server;
    size_t taken = 0;
    int result =
        out->is_stderr ? nacre_send_stderr(server, out->id, data, len) : nacre_send_bytes(server, out->id, data, len);

    if (result == NACRE_OK)
        return (long)len;
    if (result == NACRE_E_NOBUFS)
        give_up(out);
    if (result != NACRE_E_WOULDBLOCK)
        return -1;
    nacre_get_bytes_sent(server, out->id, &taken);
    return (long)taken;
}

bool nacred_channel_send_or_keep(const struct channel_out *out, const void *data, size_t len, struct queue *unsent)
{
    long taken = nacred_channel_send(out, data, len);

    if (taken < 0 || (size_t)taken >= len)
        return true;
    if (!nacred_queue_add(unsent, (const unsigned char *)data + taken, len - (size_t)taken))
        give_up(out);
    return false;
}
