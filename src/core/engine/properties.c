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
    enum nacre_error e = nacre_setting_set(&server->settings, &nacre_setting_rows[id], value, server->listening,
                                           server->crypto, why, sizeof why);
    if (e == NACRE_OK)
        e = nacre_server_changed(server);
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

/* Prompts that come in are empty ones, those that go are forgotten. */
static enum nacre_error resize_prompts(struct nacre_server *server, int count)
{
    for (int i = server->prompt_count; i < count; i++) {
        char *text = strdup("");
        if (text == NULL)
            return NACRE_E_NOBUFS;
        free(server->prompts[i].text);
        server->prompts[i] = (struct prompt){text, false};
    }
    for (int i = count; i < server->prompt_count; i++) {
        free(server->prompts[i].text);
        server->prompts[i] = (struct prompt){NULL, false};
    }
    server->prompt_count = count;
    return nacre_server_changed(server);
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

int nacre_set_keyboard_interactive_prompt_echo(nacre_server *server, int prompt_index, bool value)
{
    struct prompt *p = lock_prompt(server, prompt_index);
    if (p == NULL)
        return no_prompt();
    p->echo = value;
    enum nacre_error e = nacre_server_changed(server);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
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
    char *copy = value == NULL ? NULL : strdup(value);
    if (copy == NULL)
        return nacre_fail(value == NULL ? NACRE_E_INVAL : NACRE_E_NOBUFS, NULL);
    struct prompt *p = lock_prompt(server, prompt_index);
    if (p == NULL) {
        free(copy);
        return no_prompt();
    }
    free(p->text);
    p->text = copy;
    enum nacre_error e = nacre_server_changed(server);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, NULL);
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
    int e = nacre_set_keyboard_interactive_prompt_prompt(server, prompt_index, value->prompt);
    return e != NACRE_OK ? e : nacre_set_keyboard_interactive_prompt_echo(server, prompt_index, value->echo);
}
