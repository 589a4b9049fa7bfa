/* SPDX-License-Identifier: Apache-2.0 */
/* PuTTY's private key files, versions 2 and 3: the lines of the file, and the keys that the password gives. */
#ifndef KEYS_PPK_H
#define KEYS_PPK_H

#include "keys/container.h"

enum {
    PPK_KEY = 32,
    PPK_IV = 16,
    PPK_MAC_KEY_MAX = 32,
    PPK_SALT_MAX = 64
};

struct ppk {
    unsigned version;
    bool locked;
    struct span algorithm, encryption, comment; /* as the lines have them */
    struct span kdf;                            /* version 3, locked: the rest of these too */
    uint32_t memory, passes, lanes;             /* memory in KiB */
    uint8_t salt[PPK_SALT_MAX];
    size_t salt_len;
    uint8_t mac[32];
    size_t mac_len;
};

/* What the password gives. Wiped by whoever asked for it. */
struct ppk_keys {
    uint8_t key[PPK_KEY], iv[PPK_IV];
    uint8_t mac[PPK_MAC_KEY_MAX];
    size_t mac_len;
};

/* Takes as long as the file says, up to a limit of seconds. */
enum nacre_error nacre_ppk_derive(struct container *k, const struct ppk *f, struct ppk_keys *out);

#endif
