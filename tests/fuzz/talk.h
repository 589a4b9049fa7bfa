/* SPDX-License-Identifier: Apache-2.0 */
/* One role under fuzzing from some moment on. */
#ifndef FUZZ_TALK_H
#define FUZZ_TALK_H

#include "fuzz/rig.h"

/* The input chooses the role, which begin() brings as far as it is to be; then the input is a sequence of payloads to
 * it, among what an application does. Returns what LLVMFuzzerTestOneInput() has to. */
int fuzz_talk(const uint8_t *bytes, size_t len, void (*begin)(struct rig_side *s));

#endif
