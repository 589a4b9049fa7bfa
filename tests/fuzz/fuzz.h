/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers share. Each is one file with a LLVMFuzzerTestOneInput(), for libFuzzer and for AFL++'s driver. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/algs.h"

/* Called by the engine. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* From here on the cryptographic library's randomness is the same each time: an input that fails fails again. */
void fuzz_restart_random(void);

/* Made at the first call and kept. */
const struct nacre_crypto *fuzz_crypto(void);
struct key *fuzz_key(void);

/* Others: RSA, ECDSA, and the first with a certificate of fuzz_key()'s for "user". */
enum fuzz_key_kind {
    FUZZ_ED25519, /* fuzz_key() */
    FUZZ_RSA,
    FUZZ_ECDSA,
    FUZZ_CERTIFIED,
    FUZZ_KEYS
};
struct key *fuzz_key_of(enum fuzz_key_kind kind);

/* What must hold, with sanitizers and without: the engine keeps the input of a process that aborts. */
void fuzz_must(bool holds, const char *what);

#endif
