/* SPDX-License-Identifier: Apache-2.0 */
/* Payload compression, RFC 4253 section 6.2: one stream a direction, each packet flushed. */
#ifndef CRYPTO_COMP_H
#define CRYPTO_COMP_H

#include "base/buf.h"
#include "crypto/crypto.h"

struct comp;

struct comp_ops {
    struct comp *(*open)(bool deflate);
    void (*close)(struct comp *z);
    /* Appends to `out`; fails when out->max would be passed (rule R13) or the input is not a valid stream. */
    bool (*run)(struct comp *z, struct span in, struct buf *out);
};

struct comp_alg {
    const char *name;
    const struct comp_ops *ops; /* NULL: none */
    bool delayed;               /* starts after authentication (zlib@openssh.com) */
};

#endif
