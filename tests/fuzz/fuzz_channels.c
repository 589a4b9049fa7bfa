/* SPDX-License-Identifier: Apache-2.0 */
/* The connection protocol, as sequences of payloads to either role behind a login, among what an application does. */
#include "fuzz/fuzz.h"
#include "fuzz/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    return fuzz_talk(bytes, len, rig_skip_login);
}
