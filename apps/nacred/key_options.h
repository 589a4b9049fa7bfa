/* SPDX-License-Identifier: Apache-2.0 */
/* The options in front of a key in authorized_keys, AUTHORIZED_KEYS FILE FORMAT of sshd(8).
 *
 * Most narrow what the key may do, so one that is not known refuses its line: reading past it would widen the key. */
#ifndef NACRED_KEY_OPTIONS_H
#define NACRED_KEY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEY_OPTIONS_WHY_MAX = 128
};

/* All zero but `expires`: a key without options. */
struct key_options {
    bool no_pty, no_tunnels, no_agent;
    bool no_touch, verify; /* a security key's user need not touch it; has to be verified */
    bool cert_authority;   /* the key lets nobody in by itself: it signs those that do */
    char *principals;      /* of cert_authority, comma-separated: a certificate for one of them; NULL: for the user */
    char *command;         /* runs in place of what the client asks for; NULL: none */
    char *from;            /* patterns of addresses; NULL: from anywhere */
    char *permit_open;     /* where tunnels may lead, as permits.h has it; NULL: anywhere */
    char *permit_listen;   /* where they may listen; the same */
    int64_t expires;       /* seconds since 1970: good until before then; INT64_MAX: for ever */
};

void nacred_key_options_none(struct key_options *options);

/* Where the options of a line end that begins with some: at a blank outside quotes, or at `len`. */
size_t nacred_key_options_end(const char *line, size_t len);

/* False: `why` says what is wrong with them, and nothing is to be freed. */
bool nacred_key_options_read(const char *text, size_t len, struct key_options *out, char why[KEY_OPTIONS_WHY_MAX]);

/* Whether the key is good from that address now. */
bool nacred_key_options_hold(const struct key_options *options, const char *address, int64_t now);

/* Whether a certificate for those (comma-separated) is good for that user, by an authority with these options. */
bool nacred_key_options_name(const struct key_options *options, const char *principals, const char *user);

/* Whether they ask for nothing. */
bool nacred_key_options_are_none(const struct key_options *options);

/* False when out of memory. */
bool nacred_key_options_copy(struct key_options *to, const struct key_options *from);
void nacred_key_options_free(struct key_options *options);

#endif
