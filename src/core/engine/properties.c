/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of the server. Those that are rows of settings.def go through two functions here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/server.h"

enum {
    NUMBER_TEXT = 24
};

static int property_set(nacre_server *server, enum setting_id id, const char *value)
{
    char why[256] = "";
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = nacre_server_set(server, &nacre_setting_rows[id], value, server->listening, why, sizeof why);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, why);
}

static int property_get(nacre_server *server, enum setting_id id, char *value, size_t size)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = nacre_setting_get(&server->settings, &nacre_setting_rows[id], value, size);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

static int set_number(nacre_server *server, enum setting_id id, int value)
{
    char text[NUMBER_TEXT];
    (void)snprintf(text, sizeof text, "%d", value);
    return property_set(server, id, text);
}

static int get_number(nacre_server *server, enum setting_id id, int *value)
{
    char text[NUMBER_TEXT];
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    int e = property_get(server, id, text, sizeof text);
    if (e == NACRE_OK)
        *value = (int)strtol(text, NULL, 10);
    return e;
}

#define TEXT_PROPERTY(name, row)                                                                                       \
    int nacre_get_##name(nacre_server *server, char *value, size_t size)                                               \
    {                                                                                                                  \
        return property_get(server, SETTING_##row, value, size);                                                       \
    }                                                                                                                  \
    int nacre_set_##name(nacre_server *server, const char *value)                                                      \
    {                                                                                                                  \
        return property_set(server, SETTING_##row, value);                                                             \
    }

#define NUMBER_PROPERTY(name, row)                                                                                     \
    int nacre_get_##name(nacre_server *server, int *value)                                                             \
    {                                                                                                                  \
        return get_number(server, SETTING_##row, value);                                                               \
    }                                                                                                                  \
    int nacre_set_##name(nacre_server *server, int value)                                                              \
    {                                                                                                                  \
        return set_number(server, SETTING_##row, value);                                                               \
    }

TEXT_PROPERTY(local_host, LocalHost)
TEXT_PROPERTY(default_auth_methods, DefaultAuthMethods)
TEXT_PROPERTY(keyboard_interactive_message, KeyboardInteractiveMessage)
TEXT_PROPERTY(ssh_compression_algorithms, SSHCompressionAlgorithms)
TEXT_PROPERTY(ssh_encryption_algorithms, SSHEncryptionAlgorithms)
NUMBER_PROPERTY(connection_backlog, ConnectionBacklog)
NUMBER_PROPERTY(default_idle_timeout, DefaultIdleTimeout)
NUMBER_PROPERTY(default_timeout, DefaultTimeout)

int nacre_set_local_port(nacre_server *server, int value)
{
    return set_number(server, SETTING_LocalPort, value);
}

int nacre_get_local_port(nacre_server *server, int *value)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    *value = server->listening ? server->bound_port : (int)server->settings.local_port.number;
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

int nacre_get_listening(nacre_server *server, bool *value)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    *value = server->listening;
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

int nacre_set_listening(nacre_server *server, bool value)
{
    return value ? nacre_start_listening(server) : nacre_stop_listening(server);
}

/* ---- keyboard-interactive prompts ------------------------------------------------------------------------------ */

int nacre_get_keyboard_interactive_prompt_count(nacre_server *server, int *value)
{
    if (server == NULL || value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    *value = server->prompt_count;
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

/* Prompts that come in are empty ones, those that go are forgotten; or all stays as it was. */
static enum nacre_error resize_prompts(struct nacre_server *server, int count)
{
    int before = server->prompt_count;
    enum nacre_error e = NACRE_OK;
    for (int i = before; i < count && e == NACRE_OK; i++) {
        server->prompts[i] = (struct prompt){strdup(""), false};
        e = server->prompts[i].text == NULL ? NACRE_E_NOBUFS : NACRE_OK;
    }
    server->prompt_count = count;
    if (e == NACRE_OK)
        e = nacre_server_changed(server);
    if (e != NACRE_OK)
        server->prompt_count = before;
    for (int i = server->prompt_count; i < PROMPTS_MAX; i++) {
        free(server->prompts[i].text);
        server->prompts[i] = (struct prompt){NULL, false};
    }
    return e;
}

int nacre_set_keyboard_interactive_prompt_count(nacre_server *server, int value)
{
    if (server == NULL || value < 0 || value > PROMPTS_MAX)
        return nacre_fail(NACRE_E_INVAL, "keyboard_interactive_prompt_count is 0 to 16.");
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = resize_prompts(server, value);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

/* The prompt of that index with the server locked, or NULL and not locked. */
static struct prompt *lock_prompt(nacre_server *server, int index)
{
    if (server == NULL || index < 0)
        return NULL;
    nacre_mutex_lock(&server->lock);
    if (index < server->prompt_count)
        return &server->prompts[index];
    nacre_mutex_unlock(&server->lock);
    return NULL;
}

static int no_prompt(void)
{
    return nacre_fail(NACRE_E_INVAL, "prompt_index is not below keyboard_interactive_prompt_count.");
}

int nacre_get_keyboard_interactive_prompt_echo(nacre_server *server, int prompt_index, bool *value)
{
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    struct prompt *p = lock_prompt(server, prompt_index);
    if (p == NULL)
        return no_prompt();
    *value = p->echo;
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

/* NULL leaves the text or the echo alone; on failure both are as they were. */
static int change_prompt(nacre_server *server, int index, const char *text, const bool *echo)
{
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL)
        return nacre_fail(NACRE_E_NOBUFS, NULL);
    struct prompt *p = lock_prompt(server, index);
    if (p == NULL) {
        free(copy);
        return no_prompt();
    }
    struct prompt before = *p;
    if (copy != NULL)
        p->text = copy;
    if (echo != NULL)
        p->echo = *echo;
    enum nacre_error e = nacre_server_changed(server);
    if (e != NACRE_OK)
        *p = before;
    nacre_mutex_unlock(&server->lock);
    if (copy != NULL)
        free(e == NACRE_OK ? before.text : copy);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
}

int nacre_set_keyboard_interactive_prompt_echo(nacre_server *server, int prompt_index, bool value)
{
    return change_prompt(server, prompt_index, NULL, &value);
}

int nacre_get_keyboard_interactive_prompt_prompt(nacre_server *server, int prompt_index, char *value, size_t size)
{
    struct prompt *p = lock_prompt(server, prompt_index);
    if (p == NULL)
        return no_prompt();
    int e = nacre_copy_out(value, size, p->text);
    nacre_mutex_unlock(&server->lock);
    return e;
}

int nacre_set_keyboard_interactive_prompt_prompt(nacre_server *server, int prompt_index, const char *value)
{
    return value == NULL ? nacre_fail(NACRE_E_INVAL, NULL) : change_prompt(server, prompt_index, value, NULL);
}

int nacre_get_prompt(nacre_server *server, int prompt_index, struct nacre_prompt *value)
{
    struct nacre_prompt found = {.echo = false};
    if (value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    const struct prompt *p = lock_prompt(server, prompt_index);
    if (p == NULL)
        return no_prompt();
    found.echo = p->echo;
    int e = nacre_copy_out(found.prompt, sizeof found.prompt, p->text);
    nacre_mutex_unlock(&server->lock);
    if (e == NACRE_OK)
        *value = found;
    return e;
}

int nacre_set_prompt(nacre_server *server, int prompt_index, const struct nacre_prompt *value)
{
    if (value == NULL || memchr(value->prompt, '\0', sizeof value->prompt) == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    return change_prompt(server, prompt_index, value->prompt, &value->echo);
}
