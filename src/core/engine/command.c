/* SPDX-License-Identifier: Apache-2.0 */
/* The inbox: how commands and finished events reach a worker. What each command does stands in commands_run.c. */
#include "engine/command.h"

#include <stdlib.h>
#include <string.h>

#include "engine/shard.h"
#include "engine/sock.h"

/* A program that calls faster than the worker can follow is told so instead of filling memory. Sends have their
 * channel's bound. */
enum {
    COMMANDS_MAX = 65536,
    DONE_MANY = 32 /* fewer short words than any window's grant, and kilobytes */
};

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

static struct cert_choice *copy_cert(const struct nacre_answer *a)
{
    if (a->cert_store == NULL)
        return NULL;
    return nacre_cert_choice_new(a->cert_store_type, a->cert_store, a->cert_store_len, a->cert_password,
                                 a->cert_subject, a->cert_host_certificate);
}

struct nacre_answer_copy *nacre_answer_copy_new(const struct nacre_answer *answer)
{
    struct nacre_answer_copy *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->accept = answer->accept;
    a->partial_success = answer->partial_success;
    a->no_touch_required = answer->no_touch_required;
    a->verify_required = answer->verify_required;
    a->port = answer->port;
    a->reason = answer->reason;
    a->methods = copy_text(answer->available_methods);
    a->change_prompt = copy_text(answer->change_prompt);
    a->cert = copy_cert(answer);
    if ((answer->available_methods != NULL && a->methods == NULL) ||
        (answer->change_prompt != NULL && a->change_prompt == NULL) ||
        (answer->cert_store != NULL && a->cert == NULL)) {
        nacre_answer_copy_free(a);
        return NULL;
    }
    return a;
}

void nacre_answer_copy_free(struct nacre_answer_copy *a)
{
    if (a == NULL)
        return;
    free(a->methods);
    free(a->change_prompt);
    nacre_cert_choice_free(a->cert);
    free(a);
}

struct command *nacre_command_new(enum command_type type, int64_t id, const char *kind, const void *data,
                                  size_t data_len)
{
    size_t kind_size = kind == NULL ? 0 : strlen(kind) + 1;
    struct command *c = malloc(sizeof *c + kind_size + data_len);
    if (c == NULL)
        return NULL;
    *c = (struct command){.type = type, .id = id, .socket = IO_NO_SOCKET};
    char *behind = (char *)(c + 1);
    if (kind_size != 0) {
        c->kind = behind;
        memcpy(behind, kind, kind_size);
    }
    if (data_len != 0)
        memcpy(behind + kind_size, data, data_len);
    c->data = (const uint8_t *)behind + kind_size;
    c->data_len = data_len;
    return c;
}

void nacre_command_free(struct command *c)
{
    nacre_block_release(c->block);
    nacre_profile_unref(c->profile);
    nacre_key_unref(c->key);
    nacre_key_unref(c->host_certificate);
    nacre_answer_copy_free(c->answer);
    if (c->work != NULL)
        nacre_work_drop(c->work);
    if (c->type == COMMAND_ACCEPT)
        nacre_sock_close(c->socket);
    free(c);
}

/* True: nobody was going to look. */
static bool will_look(struct shard *s, bool heavy)
{
    bool wake = !s->awake;
    s->heavy = s->heavy || heavy;
    s->awake = true;
    return wake;
}

bool nacre_inbox_put_locked(struct shard *s, struct command *c)
{
    c->next = NULL;
    *s->commands_last = c;
    s->commands_last = &c->next;
    s->command_count++;
    return will_look(s, c->type != COMMAND_SEND);
}

bool nacre_inbox_mark_locked(struct shard *s)
{
    s->has_dues = true;
    return will_look(s, true);
}

void nacre_inbox_put(struct shard *s, struct command *c)
{
    nacre_mutex_lock(&s->inbox_lock);
    bool wake = nacre_inbox_put_locked(s, c);
    nacre_mutex_unlock(&s->inbox_lock);
    if (wake)
        s->ops->wake(s->io);
}

bool nacre_inbox_is_full(const struct shard *s)
{
    return s->command_count >= COMMANDS_MAX;
}

enum nacre_error nacre_inbox_offer(struct shard *s, struct command *c)
{
    nacre_mutex_lock(&s->inbox_lock);
    bool full = nacre_inbox_is_full(s);
    bool wake = !full && nacre_inbox_put_locked(s, c);
    nacre_mutex_unlock(&s->inbox_lock);
    if (wake)
        s->ops->wake(s->io);
    if (full)
        nacre_command_free(c);
    return full ? NACRE_E_WOULDBLOCK : NACRE_OK;
}

enum nacre_error nacre_inbox_ask(struct shard *s, struct command *c, int64_t *id)
{
    return nacre_inbox_ask_why(s, c, id, NULL);
}

enum nacre_error nacre_inbox_ask_why(struct shard *s, struct command *c, int64_t *id, const char **why)
{
    struct command_result result = {.done = false, .error = NACRE_OK};
    c->result = &result;
    nacre_mutex_lock(&s->inbox_lock);
    bool wake = nacre_inbox_put_locked(s, c);
    if (wake)
        s->ops->wake(s->io);
    while (!result.done)
        (void)nacre_cond_wait(&s->room, &s->inbox_lock, INT64_MAX);
    nacre_mutex_unlock(&s->inbox_lock);
    if (id != NULL && result.error == NACRE_OK)
        *id = result.id;
    if (why != NULL)
        *why = result.why;
    return result.error;
}

bool nacre_inbox_done(struct shard *s, struct event *first, struct event **last, unsigned count, enum haste haste)
{
    nacre_mutex_lock(&s->inbox_lock);
    *s->done_last = first;
    s->done_last = last;
    s->done_count += count;
    if (haste == HASTE_NONE && (first->connection->awaits_events || s->done_count >= DONE_MANY))
        haste = HASTE_LIGHT;
    s->done_waits = s->done_waits || haste != HASTE_NONE;
    bool wake = haste != HASTE_NONE && will_look(s, haste == HASTE_HEAVY);
    nacre_mutex_unlock(&s->inbox_lock);
    return wake;
}
