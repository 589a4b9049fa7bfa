/* SPDX-License-Identifier: Apache-2.0 */
/* What a client says of its terminal; the terminals themselves are in pty_posix.c and pty_win.c. */
#include "pty.h"

#include <stdlib.h>
#include <string.h>

#include "nacre/nacre.h"

static bool read_u32(const uint8_t *packet, size_t len, const char *field, uint32_t *value)
{
    char text[16], *end;

    if (nacre_get_ssh_param(packet, len, field, text, sizeof text) != 0)
        return false;
    *value = (uint32_t)strtoul(text, &end, 10);
    return end != text && *end == 0;
}

/* TERM reaches programs that look it up in files: anything but a plain word becomes "dumb". */
static void keep_plain_name(char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-._";

    if (*name == 0 || *name == '.' || strspn(name, plain) != strlen(name))
        memcpy(name, "dumb", sizeof "dumb");
}

bool nacred_terminal_read(struct terminal *terminal, const uint8_t *packet, size_t len)
{
    size_t modes_len = sizeof terminal->modes;

    if (nacre_get_ssh_param(packet, len, "TerminalType", terminal->name, sizeof terminal->name) != 0 ||
        !read_u32(packet, len, "TerminalWidthCharacters", &terminal->columns) ||
        !read_u32(packet, len, "TerminalHeightRows", &terminal->rows) ||
        !read_u32(packet, len, "TerminalWidthPixels", &terminal->x_pixels) ||
        !read_u32(packet, len, "TerminalHeightPixels", &terminal->y_pixels) ||
        nacre_get_ssh_param_bytes(packet, len, "TerminalModes", terminal->modes, &modes_len) != 0)
        return false;
    keep_plain_name(terminal->name);
    terminal->modes_len = modes_len;
    return true;
}

bool nacred_terminal_resize(struct terminal *terminal, const uint8_t *packet, size_t len)
{
    /* RFC 4254 section 6.7; in front stand the channel, the request type and want reply. */
    return read_u32(packet, len, "%isf,i", &terminal->columns) && read_u32(packet, len, "%isfi,i", &terminal->rows) &&
           read_u32(packet, len, "%isfii,i", &terminal->x_pixels) &&
           read_u32(packet, len, "%isfiii,i", &terminal->y_pixels);
}
