/* SPDX-License-Identifier: Apache-2.0 */
/* The outer layer of OpenSSH's private key format. */
#ifndef KEYS_OPENSSH_H
#define KEYS_OPENSSH_H

#include "keys/container.h"
#include "wire/rd.h"

/* What is public, and the part that a password may lock. */
struct sealed {
    struct span cipher, kdf, kdf_options; /* "none", "none" and nothing: not locked */
    struct span public, private;
    struct span tag; /* of a locking cipher that authenticates */
};

/* Appends the private part in clear. Whether the password was the right one shows only in what comes out. */
enum nacre_error nacre_openssh_unlock(struct container *k, const struct sealed *s, struct buf *out);

#endif
