/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals: RFC 4254 sections 6.2 (pty-req), 6.7 (window-change) and 8 (terminal modes). */
#ifndef NACRED_PTY_H
#define NACRED_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

enum {
    TERMINAL_NAME_MAX = 64,
    TERMINAL_MODES_MAX = 1024, /* 160 opcodes of 5 bytes would be 800 */
};

/* What the client asked for. */
struct terminal {
    bool wanted;
    char name[TERMINAL_NAME_MAX]; /* TERM */
    uint32_t columns, rows, x_pixels, y_pixels;
    uint8_t modes[TERMINAL_MODES_MAX];
    size_t modes_len;
};

struct pty {
    int master; /* non-blocking */
    int slave;
    char path[64];
};

/* Reads a pty-req packet as on_ssh_channel_request gives it. False when it is malformed. */
bool nacred_terminal_read(struct terminal *terminal, const uint8_t *packet, size_t len);

/* Reads a window-change packet into the four sizes. */
bool nacred_terminal_resize(struct terminal *terminal, const uint8_t *packet, size_t len);

/* Whether this system has terminals for children. */
bool nacred_pty_is_there(void);

/* Opens a terminal in the wanted modes and size. False with errno. */
bool nacred_pty_open(struct pty *pty, const struct terminal *terminal);

/* One that no child got. Leaves errno alone. */
void nacred_pty_close(struct pty *pty);

/* Tells the terminal, and so who runs on it, its size. */
void nacred_pty_set_size(struct watch *master, const struct terminal *terminal);

/* A terminal has no end of file of its own: types the character that stands for it. False: it does not take it. */
bool nacred_pty_type_end(struct watch *master);

#endif
