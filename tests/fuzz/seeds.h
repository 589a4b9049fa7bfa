/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzzers start from, one file an input. */
#ifndef FUZZ_SEEDS_H
#define FUZZ_SEEDS_H

#include "base/span.h"

/* Writes an input of a target; files are numbered. */
void seed_write(const char *target, struct span bytes);

void seeds_ssh(void);
void seeds_session(void);
void seeds_keys(void);

#endif
