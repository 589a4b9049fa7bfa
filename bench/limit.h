/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine asks of any SSH server, whoever wrote it: the cryptographic operations without a protocol around
 * them, and TCP without cryptography. All figures are seconds of the server's CPU time; NAN: could not be measured. */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include <stdbool.h>

#include "options.h"
#include "process.h"

enum {
    LIMIT_CIPHERS = 3
};

struct limit_cipher {
    const char *name;         /* SSH's */
    double seal, open_packet; /* a GiB in packets of 32 KiB */
};

struct limit_crypto {
    double x25519_keygen, x25519_derive, ed25519_sign, ed25519_verify; /* libcrypto's */
    double sodium_sign, sodium_verify;                                 /* Ed25519 by libsodium; NAN: built without it */
    double login_password, login_key;                                  /* what a handshake needs, by libcrypto */
    double least_password, least_key;                                  /* the same by whichever is faster */
    struct limit_cipher ciphers[LIMIT_CIPHERS];
};

struct limit_tcp {
    double echo;    /* a round trip of --size bytes on -c connections */
    double in, out; /* a GiB over two connections */
    double login;   /* accept, the reads and writes of an SSH login, close; 16 connections at a time */
};

/* Each operation for about `seconds`. */
void bench_limit_crypto(double seconds, struct limit_crypto *out);

/* A server of our own in a child process, on loopback, for `seconds` a figure. */
void bench_limit_tcp(const struct options *o, double seconds, struct limit_tcp *out);

/* Is that server: what a process does whose duty is JOB_TCP. The exit status. */
int bench_limit_serve(const struct duty *duty, void *context);

/* The mode: measures all of it and reports. The exit status. */
int bench_limit_run(const struct options *o);

#endif
