/* SPDX-License-Identifier: Apache-2.0 */
/* The authorized_keys format of OpenSSH: one "type base64 [comment]" a line. What stands in front of that is for
 * key_options.h; a line that is not understood grants nothing. */
#ifndef NACRED_AUTHORIZED_KEYS_H
#define NACRED_AUTHORIZED_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A longer line is ignored as a whole; its rest is never read as a line of its own. */
enum {
    AUTHORIZED_KEYS_LINE_MAX = 16384
};

enum key_line {
    KEY_LINE_KEY,     /* a key was read */
    KEY_LINE_EMPTY,   /* blank, or a comment */
    KEY_LINE_OPTIONS, /* does not begin with a key type: options, or a type that is not accepted */
    KEY_LINE_BAD,     /* the key is malformed */
};

/* Reads one line, of `len` bytes and without its newline. On KEY_LINE_KEY, `blob` (room for `*blob_len` bytes; three
 * quarters of `len` suffice) holds the public key blob of RFC 4253 section 6.6. */
enum key_line nacred_key_line_read(const char *line, size_t len, uint8_t *blob, size_t *blob_len);

/* A line of `file` into `line`, without its newline. False at the end of the file. *too_long: the line did not fit and
 * was skipped. */
bool nacred_key_line_next(FILE *file, char line[AUTHORIZED_KEYS_LINE_MAX], size_t *len, bool *too_long);

#endif
