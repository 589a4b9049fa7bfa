/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded modules, their slots, and the PIN that opened a token.
 *
 * A token asks for its PIN once a process: who comes later with another one would get in unasked. So a hash of the PIN
 * is kept, and later ones are compared with it. */
#include "keys/pkcs11.h"

#ifdef NACRE_HAVE_LIBP11

#include <stdio.h>
#include <stdlib.h>

#include <libp11.h>
#include <openssl/err.h>
#include <openssl/ui.h>

#include "base/secret.h"
#include "crypto/context.h"

enum {
    SLOTS_MAX = 64,
    SALT_LEN = 16
};

struct token_module {
    struct token_module *next;
    char *path;
    PKCS11_CTX *context;
    PKCS11_SLOT *slots; /* enumerated once: keys in use point into them */
    unsigned count, refs;
    uint8_t salt[SALT_LEN];
    uint8_t pin[SLOTS_MAX][HASH_MAX]; /* of the PIN that each token was opened with */
    bool open[SLOTS_MAX];
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static CRYPTO_RWLOCK *lock;          /* over all modules */
static struct token_module *modules; /* under the lock */

static void make_lock(void)
{
    lock = CRYPTO_THREAD_lock_new();
}

bool nacre_modules_lock(void)
{
    return CRYPTO_THREAD_run_once(&once, make_lock) == 1 && lock != NULL && CRYPTO_THREAD_write_lock(lock) == 1;
}

void nacre_modules_unlock(void)
{
    (void)CRYPTO_THREAD_unlock(lock);
}

/* ---- loading ------------------------------------------------------------------------------------------------------
 */

static void module_free(struct token_module *m, bool loaded)
{
    if (m->slots != NULL)
        PKCS11_release_all_slots(m->context, m->slots, m->count);
    if (loaded)
        PKCS11_CTX_unload(m->context);
    if (m->context != NULL)
        PKCS11_CTX_free(m->context);
    free(m->path);
    nacre_wipe(m, sizeof *m);
    free(m);
}

static struct token_module *module_load(struct container *k, const char *path)
{
    bool loaded = false;
    struct token_module *m = calloc(1, sizeof *m);
    if (m != NULL) {
        m->path = strdup(path);
        m->context = PKCS11_CTX_new();
    }
    if (nacre_file_is_module(path) && m != NULL && m->path != NULL && m->context != NULL &&
        nacre_random(k->c, m->salt, sizeof m->salt)) {
        PKCS11_set_ui_method(m->context, (UI_METHOD *)(uintptr_t)UI_null(), NULL); /* never ask at a terminal */
        loaded = PKCS11_CTX_load(m->context, path) == 0;
    }
    if (loaded && PKCS11_enumerate_slots(m->context, &m->slots, &m->count) == 0 && m->count <= SLOTS_MAX)
        return m;
    if (m != NULL)
        module_free(m, loaded);
    (void)nacre_container_fail(k, NACRE_E_KEY,
                               loaded ? "has no slots that can be read." : "cannot be loaded as a PKCS#11 module.");
    return NULL;
}

struct token_module *nacre_module_open(struct container *k, const char *path)
{
    struct token_module *m = modules;
    while (m != NULL && strcmp(m->path, path) != 0)
        m = m->next;
    if (m == NULL) {
        m = module_load(k, path);
        if (m == NULL)
            return NULL;
        m->next = modules;
        modules = m;
    }
    m->refs++;
    return m;
}

void nacre_module_close(struct token_module *m)
{
    if (--m->refs != 0)
        return;
    struct token_module **at = &modules;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    module_free(m, true);
}

/* ---- the token ----------------------------------------------------------------------------------------------------
 */

static bool answers(const char *has, const char *wanted)
{
    return wanted[0] == 0 || (has != NULL && strcmp(has, wanted) == 0);
}

static bool is_wanted(const PKCS11_TOKEN *t, const struct token_wanted *wanted)
{
    return t != NULL && t->initialized && answers(t->label, wanted->token) && answers(t->serialnr, wanted->serial) &&
           answers(t->manufacturer, wanted->manufacturer) && answers(t->model, wanted->model);
}

/* A PIN tried on the wrong token may lock it, so there must be no doubt which one is meant. */
static enum nacre_error find(struct container *k, const struct token_module *m, const struct token_wanted *wanted,
                             unsigned *index)
{
    unsigned found = 0;
    for (unsigned i = 0; i < m->count; i++) {
        if (!is_wanted(m->slots[i].token, wanted))
            continue;
        *index = i;
        found++;
    }
    if (found == 1)
        return NACRE_OK;
    if (found == 0)
        return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "has no token that answers to the name given.");
    return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE,
                                "has several tokens: name one by \";pkcs11:token=LABEL\" behind the module.");
}

static enum nacre_error log_in(struct container *k, struct token_module *m, unsigned i)
{
    uint8_t sum[HASH_MAX] = {0}; /* the hash is shorter */
    const PKCS11_TOKEN *t = m->slots[i].token;
    const struct span parts[] = {span_of(m->salt, sizeof m->salt), span_str(k->password)};
    if (!t->loginRequired)
        return NACRE_OK;
    if (k->password[0] == 0 && !t->secureLogin)
        return nacre_container_fail(k, NACRE_E_KEY_PASSWORD, "needs a PIN and no password was given.");
    if (!nacre_hash(k->c, HASH_SHA256, parts, 2, sum))
        return nacre_container_fail(k, NACRE_E_CRYPTO, "cannot be opened: no SHA-256.");
    bool right;
    if (m->open[i])
        right = nacre_secret_eq(sum, m->pin[i], sizeof sum);
    else
        right = PKCS11_login(&m->slots[i], 0, k->password[0] == 0 ? NULL : k->password) == 0;
    if (right && !m->open[i]) {
        memcpy(m->pin[i], sum, sizeof sum);
        m->open[i] = true;
    }
    nacre_wipe(sum, sizeof sum);
    if (right)
        return NACRE_OK;
    return nacre_container_fail(k, NACRE_E_KEY_PASSWORD,
                                t->userPinLocked ? "has a token whose PIN is locked."
                                                 : "has a token that does not open with the PIN given.");
}

enum nacre_error nacre_module_slot(struct container *k, struct token_module *m, const struct token_wanted *wanted,
                                   void **slot)
{
    unsigned i = 0;
    enum nacre_error e = find(k, m, wanted, &i);
    if (e == NACRE_OK)
        e = log_in(k, m, i);
    *slot = e == NACRE_OK ? &m->slots[i] : NULL;
    return e;
}

#else

/* Without libp11 there is nothing to load; pkcs11.c says so. */
bool nacre_modules_lock(void)
{
    return false;
}

#endif
