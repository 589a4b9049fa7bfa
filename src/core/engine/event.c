/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "engine/shard.h"

enum {
    EVENTS_KEPT = 1024
};

struct event *nacre_event_new(struct shard *s, enum event_type type, size_t bytes)
{
    struct event *e = s->free_events;
    if (e != NULL) {
        s->free_events = e->next;
        if (--s->free_event_count < s->idle_events)
            s->idle_events = s->free_event_count;
    } else if ((e = malloc(sizeof *e)) == NULL) {
        return NULL;
    }
    memset(e, 0, offsetof(struct event, room));
    e->type = type;
    for (int i = 0; i < EVENT_TEXTS; i++)
        e->text[i] = "";
    if (bytes <= EVENT_INLINE)
        return e;
    e->block = nacre_pool_alloc(&s->pool, bytes);
    if (e->block == NULL) {
        nacre_event_free(s, e);
        return NULL;
    }
    return e;
}

const char *nacre_event_keep(struct event *e, struct span s)
{
    char *room = e->block != NULL ? (char *)e->block->at : e->room;
    size_t size = e->block != NULL ? e->block->size : EVENT_INLINE;
    if (s.len >= size - e->used)
        return NULL;
    char *at = room + e->used;
    if (s.len != 0)
        memcpy(at, s.at, s.len);
    at[s.len] = '\0';
    e->used += s.len + 1;
    return at;
}

struct cert_choice *nacre_cert_choice_new(int type, const void *store, size_t store_len, const char *password,
                                          const char *subject, const char *host_certificate)
{
    struct cert_choice *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->type = type;
    c->store_len = store_len != 0 ? store_len : strlen(store);
    c->store = malloc(c->store_len + 1);
    c->password = strdup(password == NULL ? "" : password);
    c->subject = strdup(subject == NULL ? "*" : subject);
    c->host_certificate = host_certificate == NULL ? NULL : strdup(host_certificate);
    if (c->store == NULL || c->password == NULL || c->subject == NULL ||
        (host_certificate != NULL && c->host_certificate == NULL)) {
        nacre_cert_choice_free(c);
        return NULL;
    }
    memcpy(c->store, store, c->store_len);
    c->store[c->store_len] = '\0';
    return c;
}

void nacre_cert_choice_free(struct cert_choice *c)
{
    if (c == NULL)
        return;
    if (c->password != NULL)
        nacre_wipe(c->password, strlen(c->password));
    if (c->store != NULL)
        nacre_wipe(c->store, c->store_len);
    free(c->password);
    free(c->store);
    free(c->subject);
    free(c->host_certificate);
    free(c);
}

bool nacre_event_append(struct event *e, int64_t channel_id, int code, struct span data)
{
    if (e->type != EVENT_SSH_CHANNEL_DATA_IN || e->channel_id != channel_id || e->code != code || e->block != NULL ||
        data.len > EVENT_INLINE - e->used)
        return false;
    memcpy(e->room + e->data_len, data.at, data.len); /* data is all that is in the room */
    e->data_len += data.len;
    e->used += data.len;
    return true;
}

bool nacre_event_merge(struct event *e, const struct event *more)
{
    bool merged = more->type == EVENT_SSH_CHANNEL_DATA_IN && more->block == NULL &&
                  nacre_event_append(e, more->channel_id, more->code, span_of(more->data, more->data_len));
    e->calm = e->calm && (!merged || more->calm);
    return merged;
}

void nacre_event_free(struct shard *s, struct event *e)
{
    if (e->secret && e->block != NULL)
        nacre_wipe(e->block->at, e->used);
    if (e->secret)
        nacre_wipe(e->room, sizeof e->room);
    nacre_block_release(e->block);
    free(e->methods);
    free(e->change_prompt);
    nacre_cert_choice_free(e->cert);
    if (s->free_event_count >= EVENTS_KEPT) {
        free(e);
        return;
    }
    e->next = s->free_events;
    s->free_events = e;
    s->free_event_count++;
}

static void free_some(struct shard *s, unsigned count)
{
    s->free_event_count -= count;
    while (count-- != 0) {
        struct event *e = s->free_events;
        s->free_events = e->next;
        free(e);
    }
    s->idle_events = s->free_event_count;
}

bool nacre_event_tidy(struct shard *s)
{
    free_some(s, s->idle_events);
    return s->free_event_count != 0;
}

void nacre_event_free_kept(struct shard *s)
{
    free_some(s, s->free_event_count);
}
