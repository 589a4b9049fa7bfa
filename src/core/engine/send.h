/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds of what an application may queue on a channel and ask to be gathered from it. */
#ifndef ENGINE_SEND_H
#define ENGINE_SEND_H

enum {
    SEND_QUEUE_MAX = 512 * 1024, /* bytes accepted and not yet sealed */
    /* on_ssh_channel_ready_to_send comes when no more is left: meanwhile the socket lives on what is sealed. */
    SEND_QUEUE_LOW = 64 * 1024,
    SEND_ROOM_MAX = 5 * SEND_QUEUE_MAX, /* of memory that they take: blocks are 4.3 times the size of a piece of 4 KiB,
                                           and more for small pieces that can share none */
    RECORD_LENGTH_MAX = 16 * 1024 * 1024,
};

#endif
