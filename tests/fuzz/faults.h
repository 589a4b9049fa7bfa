/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that fail, for the fuzzers of connections. Only those between fuzz_faults_inside(true) and (false) count. */
#ifndef FUZZ_FAULTS_H
#define FUZZ_FAULTS_H

#include <stdbool.h>

/* The next but so many fails, once: 1 is the next. 0: none. */
void fuzz_fail_memory(unsigned nth);
void fuzz_fail_crypto(unsigned nth);

/* The calls from here on are the connection's own, which has to stand a failure; the rig's are not. */
void fuzz_faults_inside(bool on);

#endif
