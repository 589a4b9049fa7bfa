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

static const struct {
    const char *name;
    size_t size;
} hashes[HASH_COUNT] = {
    [HASH_SHA1] = {"SHA1", 20},       [HASH_SHA256] = {"SHA2-256", 32}, [HASH_SHA384] = {"SHA2-384", 48},
    [HASH_SHA512] = {"SHA2-512", 64}, [HASH_MD5] = {"MD5", 16},         [HASH_RIPEMD160] = {"RIPEMD-160", 20},
};

static void crypto_free(struct nacre_crypto *c)
{
    nacre_algs_release(c);
    for (size_t i = 0; i < HASH_COUNT; i++)
        EVP_MD_free(c->md[i]);
    if (c->provider != NULL)
        OSSL_PROVIDER_unload(c->provider);
    if (c->encoders != NULL)
        OSSL_PROVIDER_unload(c->encoders);
    OSSL_LIB_CTX_free(c->lib);
    if (c->legacy_provider != NULL)
        OSSL_PROVIDER_unload(c->legacy_provider);
    OSSL_LIB_CTX_free(c->legacy);
    free(c);
}

static bool open_own(struct nacre_crypto *c)
{
    c->lib = OSSL_LIB_CTX_new();
    if (c->lib == NULL)
        return false;
    c->provider = OSSL_PROVIDER_load(c->lib, "default");
    return c->provider != NULL;
}

/* A context with the legacy provider and nothing else, so that neither ours nor the system's ever holds it. */
static OSSL_LIB_CTX *legacy_context(struct nacre_crypto *c)
{
    if (c->fips || c->legacy_tried)
        return c->legacy;
    c->legacy_tried = true;
    c->legacy = OSSL_LIB_CTX_new();
    if (c->legacy == NULL)
        return NULL;
    c->legacy_provider = OSSL_PROVIDER_load(c->legacy, "legacy");
    if (c->legacy_provider == NULL) {
        OSSL_LIB_CTX_free(c->legacy);
        c->legacy = NULL;
    }
    return c->legacy;
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

static bool open_system(struct nacre_crypto *c)
{
    c->lib = NULL;
    return true;
}

static bool open_fips(struct nacre_crypto *c)
{
    c->lib = OSSL_LIB_CTX_new();
    if (c->lib == NULL)
        return false;
    c->provider = OSSL_PROVIDER_load(c->lib, "fips");
    c->encoders = c->provider == NULL ? NULL : OSSL_PROVIDER_load(c->lib, "base");
    return c->encoders != NULL && EVP_set_default_properties(c->lib, "fips=yes") == 1;
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
    static _Thread_local char text[128];
    snprintf(text, sizeof text, "%s, zlib %s, %s", OpenSSL_version(OPENSSL_VERSION), zlibVersion(), UMAC_FROM);
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

bool nacre_random_padding(const struct nacre_crypto *c, void *at, size_t len)
{
    static _Thread_local struct {
        uint8_t bytes[1024];
        size_t left;
    } pool;
    if (len > sizeof pool.bytes)
        return nacre_random(c, at, len);
    if (len > pool.left) {
        pool.left = 0;
        if (!nacre_random(c, pool.bytes, sizeof pool.bytes))
            return false;
        pool.left = sizeof pool.bytes;
    }
    pool.left -= len;
    if (len != 0)
        memcpy(at, pool.bytes + pool.left, len);
    return true;
}
