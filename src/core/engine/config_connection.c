/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of one connection: what is known of the client, and the texts it is shown. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/config.h"
#include "wire/namelist.h"

enum {
    BANNER_MAX = 16384
};

/* The connection of the index with its inbox locked, or NULL. */
static struct connection *lock_connection(struct config_request *r, struct shard **s)
{
    *s = r->indexed ? nacre_server_shard(r->server, r->index) : NULL;
    if (*s == NULL)
        return NULL;
    nacre_mutex_lock(&(*s)->inbox_lock);
    struct connection *c = nacre_table_find(&(*s)->connections, r->index);
    if (c == NULL)
        nacre_mutex_unlock(&(*s)->inbox_lock);
    return c;
}

int nacre_config_connection_fact(struct config_request *r)
{
    struct shard *s;
    char text[256];
    if (r->set != NULL)
        return nacre_fail(NACRE_E_SETTING_READ_ONLY, NULL);
    const struct connection *c = lock_connection(r, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    if (strcasecmp(r->name, "ClientSSHVersionString") == 0)
        (void)snprintf(text, sizeof text, "%s", c->client_version == NULL ? "" : c->client_version);
    else if (strcasecmp(r->name, "NegotiatedStrictKex") == 0)
        (void)snprintf(text, sizeof text, "%s", c->strict_kex ? "True" : "False");
    else
        (void)snprintf(text, sizeof text, "%s-%016" PRIx64, r->server->uid, (uint64_t)c->slot.id);
    nacre_mutex_unlock(&s->inbox_lock);
    return nacre_config_answer(r, text);
}

/* Each prompt is "text,echo=true" or "text,echo=false". */
static bool prompts_valid(const char *text)
{
    size_t count = 0;
    struct span rest = span_str(text);
    while (rest.len != 0) {
        const uint8_t *end = memchr(rest.at, ';', rest.len);
        struct span one = {rest.at, end == NULL ? rest.len : (size_t)(end - rest.at)};
        size_t used = one.len + (end == NULL ? 0 : 1);
        bool fits = nacre_glob("*,echo=true", one, true) || nacre_glob("*,echo=false", one, true);
        if (!fits || ++count > PROMPTS_MAX)
            return false;
        rest.at += used;
        rest.len -= used;
    }
    return true;
}

/* Where a text of the connection is kept to be read back. The inbox is locked. */
static char **kept_text(struct connection *c, enum command_type type)
{
    return type == COMMAND_BANNER ? &c->banner : &c->prompts;
}

static int read_connection_text(struct config_request *r, enum command_type type)
{
    struct shard *s;
    struct connection *c = lock_connection(r, &s);
    if (c == NULL)
        return nacre_fail(NACRE_E_CONNECTION_ID, NULL);
    const char *text = *kept_text(c, type);
    int e = nacre_copy_out(r->value, r->size, text == NULL ? "" : text);
    nacre_mutex_unlock(&s->inbox_lock);
    return e;
}

static int set_connection_text(struct config_request *r, enum command_type type)
{
    struct shard *s;
    struct command *k = nacre_command_new(type, r->index, r->set, r->set, strlen(r->set));
    char *copy = k == NULL ? NULL : strdup(r->set);
    struct connection *c = copy == NULL ? NULL : lock_connection(r, &s);
    if (c == NULL) {
        bool memory = copy != NULL;
        free(copy);
        if (k != NULL)
            nacre_command_free(k);
        return nacre_fail(memory ? NACRE_E_CONNECTION_ID : NACRE_E_NOBUFS, NULL);
    }
    char **kept = kept_text(c, type);
    free(*kept);
    *kept = copy;
    nacre_mutex_unlock(&s->inbox_lock);
    enum nacre_error e = nacre_inbox_offer(s, k);
    return e == NACRE_OK ? nacre_config_answer(r, r->set) : nacre_fail(e, NULL);
}

int nacre_config_connection_banner(struct config_request *r)
{
    if (r->set != NULL && strlen(r->set) > BANNER_MAX)
        return nacre_config_refuse(r, NACRE_E_SETTING_VALUE, "a banner has at most 16384 bytes");
    return r->set == NULL ? read_connection_text(r, COMMAND_BANNER) : set_connection_text(r, COMMAND_BANNER);
}

int nacre_config_connection_prompts(struct config_request *r)
{
    if (r->set != NULL && !prompts_valid(r->set))
        return nacre_config_refuse(r, NACRE_E_SETTING_VALUE,
                                   "prompts are \"text,echo=true\" or \"text,echo=false\", separated by \";\"");
    return r->set == NULL ? read_connection_text(r, COMMAND_PROMPTS) : set_connection_text(r, COMMAND_PROMPTS);
}
