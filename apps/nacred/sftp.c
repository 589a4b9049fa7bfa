/* SPDX-License-Identifier: Apache-2.0 */
/* One process a session, one thread: requests are answered in their order. Answers are sent when no whole request is
 * left, or when there is no room for one more. */
#include "sftp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sftp_files.h"
#include "sftp_requests.h"
#include "sftp_wire.h"

enum {
    LENGTH = 4, /* of the number in front of a packet */
    PROTOCOL_VERSION = 3,
};

static uint8_t input[LENGTH + SFTP_PACKET_MAX];
static size_t input_len;
static struct sftp_out output;
static bool is_greeted;

static bool flush(void)
{
    bool sent = output.len == 0 || nacred_sftp_send(output.bytes, output.len);

    output.len = 0;
    return sent;
}

static void put_text(const char *text)
{
    nacred_sftp_put_string(&output, text, strlen(text));
}

/* Section 4. The client's own extensions are none of ours. */
static bool greet(struct sftp_in *in)
{
    uint32_t version = nacred_sftp_get_u32(in);

    if (in->bad || version < PROTOCOL_VERSION)
        return false;
    nacred_sftp_begin(&output, SFTP_VERSION);
    nacred_sftp_put_u32(&output, PROTOCOL_VERSION);
    put_text("posix-rename@openssh.com");
    put_text("1");
    put_text("fsync@openssh.com");
    put_text("1");
    nacred_sftp_end(&output);
    is_greeted = true;
    return true;
}

/* False: what comes is no SFTP, and there is no going on. */
static bool take_packet(const uint8_t *at, size_t len)
{
    struct sftp_in in = {.at = at, .left = len};
    uint8_t type = nacred_sftp_get_byte(&in);

    if (type == SFTP_INIT || !is_greeted)
        return type == SFTP_INIT && !is_greeted && greet(&in);
    if (sizeof output.bytes - output.len < SFTP_PACKET_MAX && !flush())
        return false;
    nacred_sftp_request(&in, &output, type);
    return true;
}

/* All whole packets of the input. */
static bool take_input(void)
{
    size_t at = 0;

    while (input_len - at >= LENGTH) {
        struct sftp_in head = {.at = input + at, .left = LENGTH};
        size_t len = nacred_sftp_get_u32(&head);

        if (len == 0 || len > SFTP_PACKET_MAX)
            return false;
        if (input_len - at - LENGTH < len)
            break;
        if (!take_packet(input + at + LENGTH, len))
            return false;
        at += LENGTH + len;
    }
    memmove(input, input + at, input_len - at);
    input_len -= at;
    return true;
}

int nacred_sftp_serve(const char *root)
{
    if (!nacred_sftp_files_open_root(root)) {
        fprintf(stderr, "nacred: cannot serve '%s': %s\n", root, strerror(errno));
        return EXIT_FAILURE;
    }
    for (;;) {
        size_t got = nacred_sftp_receive(input + input_len, sizeof input - input_len);

        if (got == 0)
            return EXIT_SUCCESS;
        input_len += got;
        if (!take_input() || !flush()) {
            flush();
            return EXIT_FAILURE;
        }
    }
}
