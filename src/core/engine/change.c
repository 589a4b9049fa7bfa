/* SPDX-License-Identifier: Apache-2.0 */
/* What the server goes by, and how its workers come to go by it: as a profile, all of them or none. */
#include <stdlib.h>
#include <string.h>

#include "engine/host_keys.h"
#include "engine/memory.h"
#include "engine/server.h"

/* p->authorities stays NULL when out of memory. */
static void set_authorities(struct profile *p, struct span trusted, struct span known)
{
    p->authorities = malloc(trusted.len + known.len + 1);
    if (p->authorities == NULL)
        return;
    if (trusted.len != 0)
        memcpy(p->authorities, trusted.at, trusted.len);
    if (known.len != 0)
        memcpy(p->authorities + trusted.len, known.at, known.len);
    p->config.user_authorities = span_of(p->authorities, trusted.len);
    p->config.known_authorities = span_of(p->authorities + trusted.len, known.len);
}

struct profile *nacre_server_profile(struct nacre_server *server)
{
    struct key *keys[PROFILE_KEYS_MAX] = {NULL};
    size_t count = nacre_host_keys_collect(server, keys);
    struct profile *p =
        nacre_profile_new(&server->settings, server->crypto, keys, count, server->prompts, server->prompt_count,
                          server->handlers.on_log != NULL, server->handlers.on_ssh_status != NULL, server->is_paced);
    if (p != NULL)
        p->host_key_names = nacre_host_keys_algorithms(server->crypto, server->settings.host_key.text, keys, count,
                                                       server->handlers.on_connected != NULL);
    for (size_t i = 0; i < count; i++)
        nacre_key_unref(keys[i]);
    if (p == NULL)
        return NULL;
    p->config.algorithms.host_key = p->host_key_names;
    set_authorities(p, buf_span(&server->user_authorities), buf_span(&server->known_authorities));
    p->allowed = strdup(server->allowed == NULL ? server->settings.allowed.text : server->allowed);
    p->blocked = strdup(server->blocked == NULL ? server->settings.blocked.text : server->blocked);
    if (p->host_key_names != NULL && p->authorities != NULL && p->allowed != NULL && p->blocked != NULL)
        return p;
    nacre_profile_unref(p);
    return NULL;
}

static void free_commands(struct command *first)
{
    for (struct command *next; first != NULL; first = next) {
        next = first->next;
        nacre_command_free(first);
    }
}

/* So many commands that bring the profile. NULL: out of memory. */
static struct command *profile_commands(struct profile *profile, unsigned count)
{
    struct command *first = NULL;
    while (count-- != 0) {
        struct command *k = nacre_command_new(COMMAND_PROFILE, 0, NULL, NULL, 0);
        if (k == NULL) {
            free_commands(first);
            return NULL;
        }
        k->profile = nacre_profile_ref(profile);
        k->next = first;
        first = k;
    }
    return first;
}

/* What is read where it is needed. */
static void publish(struct nacre_server *server)
{
    atomic_store_explicit(&server->select_wait_ms, (int)server->settings.select_wait_ms.number, memory_order_relaxed);
    atomic_store_explicit(&server->code_page, (int)server->settings.code_page.number, memory_order_relaxed);
    atomic_store_explicit(&server->process_idle_events, server->settings.process_idle_events.number != 0,
                          memory_order_relaxed);
    atomic_store_explicit(&server->memory.limit, nacre_memory_limit(server->settings.memory_limit.number),
                          memory_order_relaxed);
}

/* All workers are told or none, so that what they go by does not depend on who accepts a client. */
enum nacre_error nacre_server_changed(struct nacre_server *server)
{
    unsigned count = atomic_load_explicit(&server->shard_count, memory_order_acquire);
    if (count == 0) {
        publish(server);
        return NACRE_OK;
    }
    struct profile *profile = nacre_server_profile(server);
    if (profile == NULL)
        return NACRE_E_NOBUFS;
    struct command *first = profile_commands(profile, count);
    nacre_profile_unref(profile);
    if (first == NULL)
        return NACRE_E_NOBUFS;
    publish(server);
    for (unsigned i = 0; i < count; i++) {
        struct command *k = first;
        first = k->next;
        nacre_inbox_put(&server->shards[i], k);
    }
    return NACRE_OK;
}

static void swap_settings(struct settings *a, struct settings *b)
{
    struct settings kept = *a;
    *a = *b;
    *b = kept;
}

enum nacre_error nacre_server_exchange(struct nacre_server *server, struct settings *next)
{
    swap_settings(&server->settings, next);
    enum nacre_error e = nacre_server_changed(server);
    if (e != NACRE_OK)
        swap_settings(&server->settings, next);
    return e;
}

enum nacre_error nacre_server_set(struct nacre_server *server, const struct setting_row *row, const char *value,
                                  bool late, char *why, size_t why_size)
{
    struct settings next;
    enum nacre_error e = NACRE_E_NOBUFS;
    if (nacre_settings_copy(&next, &server->settings))
        e = nacre_setting_set(&next, row, value, late, server->crypto, why, why_size);
    if (e == NACRE_OK)
        e = nacre_server_exchange(server, &next);
    nacre_settings_free(&next);
    return e;
}
