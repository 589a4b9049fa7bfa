/* SPDX-License-Identifier: Apache-2.0 */
/* The library context: opening, counting, hashes and random bytes.
 *
 * A context of our own is made with OSSL_LIB_CTX_new(), which reads no configuration file; the system's default one
 * reads what its administrator wrote. */
#include "crypto/context.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <zlib.h>

#include "base/secret.h"

#ifdef NACRE_HAVE_NETTLE
#include <nettle/version.h>
#define TEXT_OF(number) TEXT(number)
#define TEXT(number) #number
#define UMAC_FROM "nettle " TEXT_OF(NETTLE_VERSION_MAJOR) "." TEXT_OF(NETTLE_VERSION_MINOR)
#else
#define UMAC_FROM "without nettle (no umac-*)"
#endif

#ifdef NACRE_HAVE_SODIUM
#include <sodium/version.h>
#define ED25519_FROM "libsodium " SODIUM_VERSION_STRING
#else
#define ED25519_FROM "without libsodium"
#endif

#ifdef NACRE_HAVE_LIBGCRYPT
#include <gcrypt.h>
#define SNTRUP_FROM "libgcrypt " GCRYPT_VERSION
#else
#define SNTRUP_FROM "without libgcrypt (no sntrup761*)"
#endif

static const struct {
    const char *name;
    size_t size;
} hashes[HASH_COUNT] = {
    [HASH_SHA1] = {"SHA1", 20},       [HASH_SHA256] = {"SHA2-256", 32}, [HASH_SHA384] = {"SHA2-384", 48},
    [HASH_SHA512] = {"SHA2-512", 64}, [HASH_MD5] = {"MD5", 16},         [HASH_RIPEMD160] = {"RIPEMD-160", 20},
};

/* ---- library contexts ------------------------------------------------------------------------------------------- */

/* Contexts besides the system's are made once for the process and never freed: a thread that has used one keeps state
 * of it until the thread ends, in workers and in threads of the application alike, and the library follows it then. */
struct library {
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *providers[2];
};

static void library_free(struct library *l)
{
    for (size_t i = 0; i < 2; i++)
        if (l->providers[i] != NULL)
            OSSL_PROVIDER_unload(l->providers[i]);
    OSSL_LIB_CTX_free(l->lib);
    free(l);
}

/* The first provider must load, and the second if it is named. */
static struct library *library_new(const char *first, const char *second, const char *properties)
{
    struct library *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->lib = OSSL_LIB_CTX_new();
    l->providers[0] = l->lib == NULL ? NULL : OSSL_PROVIDER_load(l->lib, first);
    l->providers[1] = l->providers[0] == NULL || second == NULL ? NULL : OSSL_PROVIDER_load(l->lib, second);
    if (l->providers[0] != NULL && (second == NULL || l->providers[1] != NULL) &&
        (properties == NULL || EVP_set_default_properties(l->lib, properties) == 1))
        return l;
    library_free(l);
    return NULL;
}

/* The one at `place`, made now by whoever comes first; of several at once one wins. NULL: it cannot be made. */
static OSSL_LIB_CTX *library(_Atomic(struct library *) *place, const char *first, const char *second,
                             const char *properties)
{
    struct library *l = atomic_load_explicit(place, memory_order_acquire), *none = NULL;
    if (l != NULL)
        return l->lib;
    l = library_new(first, second, properties);
    if (l == NULL)
        return NULL;
    /* Release: whoever finds it sees it whole. */
    if (atomic_compare_exchange_strong_explicit(place, &none, l, memory_order_acq_rel, memory_order_acquire))
        return l->lib;
    library_free(l);
    return none->lib;
}

static bool open_own(struct nacre_crypto *c)
{
    static _Atomic(struct library *) own;
    c->lib = library(&own, "default", NULL, NULL);
    return c->lib != NULL;
}

static bool open_fips(struct nacre_crypto *c)
{
    static _Atomic(struct library *) fips;
    c->lib = library(&fips, "fips", "base", "fips=yes");
    return c->lib != NULL;
}

static bool open_system(struct nacre_crypto *c)
{
    c->lib = NULL;
    return true;
}

/* A context with the legacy provider and nothing else, so that neither ours nor the system's ever holds it. */
static OSSL_LIB_CTX *legacy_context(struct nacre_crypto *c)
{
    static _Atomic(struct library *) legacy;
    if (!c->fips && !c->legacy_tried)
        c->legacy = library(&legacy, "legacy", NULL, NULL);
    c->legacy_tried = true;
    return c->legacy;
}

OSSL_LIB_CTX *nacre_unlock_library(const struct nacre_crypto *c)
{
    static _Atomic(struct library *) past;
    OSSL_LIB_CTX *lib = c->fips ? NULL : library(&past, "legacy", "default", NULL);
    ERR_clear_error();
    return lib != NULL ? lib : c->lib;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void crypto_free(struct nacre_crypto *c)
{
    nacre_algs_release(c);
    for (size_t i = 0; i < HASH_COUNT; i++)
        EVP_MD_free(c->md[i]);
    free(c);
}

EVP_MD *nacre_fetch_md(struct nacre_crypto *c, const char *name)
{
    EVP_MD *md = EVP_MD_fetch(c->lib, name, NULL);
    OSSL_LIB_CTX *legacy = md != NULL ? NULL : legacy_context(c);
    return legacy == NULL ? md : EVP_MD_fetch(legacy, name, NULL);
}

EVP_CIPHER *nacre_fetch_cipher(struct nacre_crypto *c, const char *name)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(c->lib, name, NULL);
    OSSL_LIB_CTX *legacy = cipher != NULL ? NULL : legacy_context(c);
    return legacy == NULL ? cipher : EVP_CIPHER_fetch(legacy, name, NULL);
}

static struct nacre_crypto *crypto_open(bool (*open)(struct nacre_crypto *c))
{
    struct nacre_crypto *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    atomic_init(&c->refs, 1);
    bool ok = open(c);
    c->fips = ok && EVP_default_properties_is_fips_enabled(c->lib) == 1;
    /* A hash that is missing (MD5 under FIPS) takes the rows that need it along, and nothing else. */
    for (size_t i = 0; ok && i < HASH_COUNT; i++)
        c->md[i] = nacre_fetch_md(c, hashes[i].name);
    ok = ok && c->md[HASH_SHA256] != NULL && nacre_algs_probe(c);
    ERR_clear_error();
    if (ok)
        return c;
    crypto_free(c);
    return NULL;
}

struct nacre_crypto *nacre_crypto_open(bool own_context)
{
    return crypto_open(own_context ? open_own : open_system);
}

struct nacre_crypto *nacre_crypto_open_fips(void)
{
    return crypto_open(open_fips);
}

struct nacre_crypto *nacre_crypto_ref(struct nacre_crypto *c)
{
    /* Relaxed: the caller holds a reference already. */
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void nacre_crypto_unref(struct nacre_crypto *c)
{
    /* Release and acquire: the thread that frees sees every use by the others. */
    if (c != NULL && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        crypto_free(c);
}

const char *nacre_crypto_versions(void)
{
    static _Thread_local char text[192];
    snprintf(text, sizeof text, "%s, zlib %s, %s, %s, %s", OpenSSL_version(OPENSSL_VERSION), zlibVersion(), UMAC_FROM,
             ED25519_FROM, SNTRUP_FROM);
    return text;
}

const char *nacre_hash_name(enum hash_id id)
{
    return (unsigned)id < HASH_COUNT ? hashes[id].name : NULL;
}

size_t nacre_hash_size(enum hash_id id)
{
    return (unsigned)id < HASH_COUNT ? hashes[id].size : 0;
}

static bool hash_parts(EVP_MD_CTX *x, const EVP_MD *md, const struct span *parts, size_t count, uint8_t *out)
{
    if (EVP_DigestInit_ex2(x, md, NULL) != 1)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len != 0 && EVP_DigestUpdate(x, parts[i].at, parts[i].len) != 1)
            return false;
    }
    return EVP_DigestFinal_ex(x, out, NULL) == 1;
}

bool nacre_hash(const struct nacre_crypto *c, enum hash_id id, const struct span *parts, size_t count, uint8_t *out)
{
    bool ok = false;
    EVP_MD_CTX *x = NULL;
    if ((unsigned)id >= HASH_COUNT || c->md[id] == NULL)
        goto out;
    x = EVP_MD_CTX_new();
    ok = x != NULL && hash_parts(x, c->md[id], parts, count, out);
out:
    EVP_MD_CTX_free(x);
    if (!ok)
        memset(out, 0, HASH_MAX);
    return ok;
}

bool nacre_random(const struct nacre_crypto *c, void *at, size_t len)
{
    return len == 0 || RAND_bytes_ex(c->lib, at, len, 0) == 1;
}
