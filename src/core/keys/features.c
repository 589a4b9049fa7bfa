/* SPDX-License-Identifier: Apache-2.0 */
/* What this build of the layer has, in words. */
#include "keys/store.h"

#ifdef NACRE_HAVE_LIBARGON2
#define WITH_ARGON2 "libargon2"
#else
#define WITH_ARGON2 "without libargon2 (no locked PPK of version 3)"
#endif

const char *nacre_keys_features(void)
{
    return WITH_ARGON2;
}
