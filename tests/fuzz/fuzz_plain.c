/* SPDX-License-Identifier: Apache-2.0 */
/* Packets before any keys are there: the first key exchange, to either role. */
#include "fuzz/fuzz.h"
#include "fuzz/talk.h"

static void greet(struct rig_side *s)
{
    rig_feed(s, span_str("SSH-2.0-fuzz\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    return fuzz_talk(bytes, len, greet);
}
