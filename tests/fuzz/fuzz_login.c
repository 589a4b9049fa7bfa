/* SPDX-License-Identifier: Apache-2.0 */
/* Services and authentication, as sequences of payloads to either role behind the first key exchange. */
#include "fuzz/fuzz.h"
#include "fuzz/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    return fuzz_talk(bytes, len, rig_skip_kex);
}
