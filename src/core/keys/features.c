/* SPDX-License-Identifier: Apache-2.0 */
/* What this build of the layer has, in words. */
#include "keys/store.h"

#ifdef NACRE_HAVE_LIBARGON2
#define ARGON2 "libargon2"
#else
#define ARGON2 "without libargon2 (no locked PPK of version 3)"
#endif

#ifdef NACRE_HAVE_LIBXML2
#include <libxml/xmlversion.h>
#define XML "libxml2 " LIBXML_DOTTED_VERSION
#else
#define XML "without libxml2 (no XML keys)"
#endif

#ifdef NACRE_HAVE_JANSSON
#include <jansson.h>
#define JSON "jansson " JANSSON_VERSION
#else
#define JSON "without jansson (no JWK)"
#endif

#ifdef NACRE_HAVE_LIBP11
#define TOKENS "libp11"
#else
#define TOKENS "without libp11 (no PKCS#11)"
#endif

const char *nacre_keys_features(void)
{
    return ARGON2 ", " XML ", " JSON ", " TOKENS;
}
