/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/profile.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_START = 2 * 1024 * 1024,
    SEND_HIGH = 256 * 1024,
    SEND_HIGH_PACED = 32 * 1024 /* a packet: more at a time would wait in the kernel, at a timer each */
};

static const int64_t second_ns = INT64_C(1000000000);
static const int64_t rekey_timeout_s = 60;

static bool copy_prompts(struct profile *p, const struct prompt *prompts, int count)
{
    for (int i = 0; i < count; i++) {
        p->prompts[i].echo = prompts[i].echo;
        p->prompts[i].text = strdup(prompts[i].text);
        if (p->prompts[i].text == NULL)
            return false;
        p->prompt_count = i + 1;
    }
    return true;
}

/* What is offered is looked up once, not for each connection. */
static void keep_usable(struct profile *p)
{
    struct settings *s = &p->settings;
    nacre_names_keep_usable(p->crypto, ALG_KEX, s->kex.text);
    nacre_names_keep_usable(p->crypto, ALG_CIPHER, s->cipher.text);
    nacre_names_keep_usable(p->crypto, ALG_MAC, s->mac.text);
    nacre_names_keep_usable(p->crypto, ALG_COMP, s->comp.text);
    nacre_names_keep_usable(p->crypto, ALG_KEY, s->user_signature.text);
}

static void fill_config(struct profile *p, bool wants_log, bool wants_status, bool is_paced)
{
    const struct settings *s = &p->settings;
    uint32_t window_max = (uint32_t)s->window_max.number;
    p->config = (struct conn_config){
        .role = CONN_SERVER,
        .crypto = p->crypto,
        .algorithms = {.kex = s->kex.text,
                       .host_key = s->host_key.text,
                       .cipher = s->cipher.text,
                       .mac = s->mac.text,
                       .comp = s->comp.text,
                       .user_signature = s->user_signature.text,
                       .all_usable = true},
        .version = s->version.text,
        .version_pattern = s->version_pattern.text,
        .strict_kex = (unsigned)s->strict_kex.number,
        .rekey_bytes = (uint64_t)s->rekey_bytes.number,
        .rekey_timeout_ns = rekey_timeout_s * second_ns,
        .login_grace_ns = s->login_grace.number * second_ns,
        .login_bytes_max = (uint64_t)s->login_bytes.number,
        .login_packets_max = (uint32_t)s->login_packets.number,
        .keepalive_ns = s->keepalive_seconds.number * second_ns,
        .keepalive_max = (unsigned)s->keepalive_max.number,
        .max_auth_attempts = (unsigned)s->max_auth_attempts.number,
        .auth_methods = s->auth_methods.text,
        .announce_host_keys = s->announce_keys.number != 0,
        .max_channels = (unsigned)s->max_channels.number,
        .window_bytes = window_max < WINDOW_START ? window_max : WINDOW_START,
        .window_max = window_max,
        .windows_max = (uint64_t)s->windows_max.number,
        .send_high = is_paced ? SEND_HIGH_PACED : SEND_HIGH,
        .log_level = wants_log ? (unsigned)s->log_level.number : 0,
        .log_secrets = s->mask_sensitive.number == 0,
        .status = wants_status,
    };
}

/* The texts were checked when they were set. */
static void fill_admission(struct profile *p)
{
    const struct settings *s = &p->settings;
    (void)nacre_startups_parse(s->max_startups.text, (unsigned)s->max_connections.number, &p->admission.startups);
    (void)nacre_blocks_parse(s->source_blocks.text, &p->admission.blocks);
    (void)nacre_penalties_parse(s->penalties.text, &p->admission.penalties);
    p->admission.per_source = (unsigned)s->per_source.number;
}

struct profile *nacre_profile_new(const struct settings *settings, struct nacre_crypto *crypto, struct key *const *keys,
                                  size_t key_count, const struct prompt *prompts, int prompt_count, bool wants_log,
                                  bool wants_status, bool is_paced)
{
    struct profile *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    atomic_init(&p->refs, 1);
    p->crypto = nacre_crypto_ref(crypto);
    for (size_t i = 0; i < key_count && i < PROFILE_KEYS_MAX; i++)
        p->keys[p->key_count++] = nacre_key_ref(keys[i]);
    if (!nacre_settings_copy(&p->settings, settings) || !copy_prompts(p, prompts, prompt_count)) {
        nacre_profile_unref(p);
        return NULL;
    }
    keep_usable(p);
    fill_config(p, wants_log, wants_status, is_paced);
    fill_admission(p);
    return p;
}

struct profile *nacre_profile_ref(struct profile *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed); /* the caller holds one already */
    return p;
}

void nacre_profile_unref(struct profile *p)
{
    if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < p->key_count; i++)
        nacre_key_unref(p->keys[i]);
    for (int i = 0; i < p->prompt_count; i++)
        free(p->prompts[i].text);
    free(p->host_key_names);
    free(p->authorities);
    free(p->allowed);
    free(p->blocked);
    nacre_settings_free(&p->settings);
    nacre_crypto_unref(p->crypto);
    free(p);
}
