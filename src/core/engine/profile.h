/* SPDX-License-Identifier: Apache-2.0 */
/* A profile: everything a connection goes by, made once from the settings and never changed. Counted: a connection
 * keeps the one it was accepted with; a change of a setting makes a new one. Any thread may hold and release. */
#ifndef ENGINE_PROFILE_H
#define ENGINE_PROFILE_H

#include <stdatomic.h>

#include "engine/admission.h"
#include "engine/settings.h"
#include "ssh/conn.h"

enum {
    PROFILE_CERTS_MAX = 16,
    PROFILE_KEYS_MAX = PROFILE_CERTS_MAX * (2 + KEY_CERTIFIED_MAX), /* each plain, and in its certificates */
    PROMPTS_MAX = 16
};

/* What keyboard-interactive asks by default. */
struct prompt {
    char *text;
    bool echo;
};

struct profile {
    _Atomic uint32_t refs; /* the last release frees: release on the way down, acquire before freeing */
    struct settings settings;
    struct conn_config config;
    struct nacre_crypto *crypto;
    struct key *keys[PROFILE_KEYS_MAX];
    size_t key_count;
    char *host_key_names; /* behind config.algorithms.host_key */
    uint8_t *authorities; /* behind config.user_authorities and known_authorities */
    struct prompt prompts[PROMPTS_MAX];
    int prompt_count;
    char *allowed, *blocked; /* who may connect, without names */
    struct admission_rules admission;
};

/* Copies settings, keys and prompts. `wants_log` and `wants_status`: whether handlers exist. `is_paced`: what
 * nacre_sock_paces() says. NULL: out of memory. */
struct profile *nacre_profile_new(const struct settings *settings, struct nacre_crypto *crypto, struct key *const *keys,
                                  size_t key_count, const struct prompt *prompts, int prompt_count, bool wants_log,
                                  bool wants_status, bool is_paced);
struct profile *nacre_profile_ref(struct profile *p);
void nacre_profile_unref(struct profile *p); /* NULL is allowed */

#endif
