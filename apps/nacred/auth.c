/* SPDX-License-Identifier: Apache-2.0 */
#include "auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

static bool password_is_good(struct app *app, const struct nacre_ssh_user_auth_request *event)
{
    /* A change of password (RFC 4252 section 8) is not ours to make. */
    return !event->new_password &&
           nacred_users_check_password(&app->options.users, event->user, event->auth_param, event->auth_param_len);
}

/* The right answer to the prompt is remembered with the name it was given for: the name may change before the method is
 * decided. */
static bool answer_is_good(struct app *app, struct peer *peer, const struct nacre_ssh_user_auth_request *event)
{
    free(peer->prompted_user);
    peer->prompted_user = NULL;
    if (!app->options.keyboard_interactive || !password_is_good(app, event))
        return false;
    peer->prompted_user = strdup(event->user);
    return peer->prompted_user;
}

static bool answers_are_good(struct peer *peer, const struct nacre_ssh_user_auth_request *event)
{
    bool good = peer->prompted_user && strcmp(peer->prompted_user, event->user) == 0;

    free(peer->prompted_user);
    peer->prompted_user = NULL;
    return good;
}

/* A trusted host's user logs in by the name that he has there, when it is one that may log in here. */
static bool host_is_good(struct app *app, const struct nacre_ssh_user_auth_request *event)
{
    const struct users *users = &app->options.users;
    bool may =
        users->count > 0 ? nacred_users_find(users, event->user) != NULL : strcmp(event->user, app->account.name) == 0;

    return may && strcmp(event->client_user, event->user) == 0 &&
           nacred_trusted_hosts_know(&app->trusted_hosts, event->client_host, event->auth_param, event->auth_param_len);
}

/* Whether a request that is accepted lets the client in, rather than being a step towards it. */
static bool decides(const struct nacre_ssh_user_auth_request *event)
{
    return strcmp(event->auth_method, "publickey") == 0 ? event->verified
                                                        : strcmp(event->auth_method, "keyboard-interactive-1") != 0;
}

/* Whether a refusal is worth a line: "none" only asks for the methods, and a prompt is followed by the method as a
 * whole. */
static bool is_try(const struct nacre_ssh_user_auth_request *event)
{
    return strcmp(event->auth_method, "none") != 0 && strcmp(event->auth_method, "keyboard-interactive-1") != 0;
}

/* Which of the lines with that key, or with the one that signed the certificate, lets in, and what it wants of a
 * security key's user. */
static const struct user_key *find_key(struct app *app, const struct peer *peer,
                                       struct nacre_ssh_user_auth_request *event)
{
    const struct users *users = &app->options.users;
    int64_t now = (int64_t)time(NULL);
    const struct user_key *key =
        event->certificate_authority
            ? nacred_users_find_authority(users, event->user, event->certificate_authority,
                                          event->certificate_authority_len, event->certificate_principals,
                                          peer->remote_host, now)
            : nacred_users_find_key(users, event->user, event->auth_param, event->auth_param_len, peer->remote_host,
                                    now);

    if (!key)
        return NULL;
    /* Which of two commands was meant is not for us to guess. */
    if (event->force_command && key->options.command && strcmp(event->force_command, key->options.command) != 0)
        return NULL;
    event->no_touch_required = key->options.no_touch;
    event->verify_required = key->options.verify;
    if (event->verified &&
        ((!event->user_present && !key->options.no_touch) || (!event->user_verified && key->options.verify)))
        return NULL;
    return key;
}

static bool check(struct app *app, struct peer *peer, const struct nacre_ssh_user_auth_request *event)
{
    if (strcmp(event->auth_method, "password") == 0)
        return password_is_good(app, event);
    if (strcmp(event->auth_method, "hostbased") == 0)
        return event->verified && host_is_good(app, event);
    if (strcmp(event->auth_method, "keyboard-interactive-1") == 0)
        return answer_is_good(app, peer, event);
    if (strcmp(event->auth_method, "keyboard-interactive") == 0)
        return answers_are_good(peer, event);
    return false;
}

void nacred_auth(struct app *app, struct peer *peer, struct nacre_ssh_user_auth_request *event)
{
    bool by_key = strcmp(event->auth_method, "publickey") == 0;
    const struct user_key *key = by_key && !event->certified ? find_key(app, peer, event) : NULL;

    event->accept = by_key ? event->certified || key : check(app, peer, event);
    if (event->accept && decides(event))
        event->accept =
            nacred_peer_set_user(peer, event->user) && nacred_peer_set_limits(peer, event, key ? &key->options : NULL);

    const char *space = *event->key_algorithm ? " " : "";
    const char *at = *event->client_host ? " from " : "";
    if (event->accept && decides(event))
        nacred_log(LOG_LEVEL_INFO, peer, "login", "%s%s%s%s%s%s%s", event->auth_method, space, event->key_algorithm,
                   event->certificate_authority ? " certificate " : "", event->certificate_id, at, event->client_host);
    else if (!event->accept && is_try(event))
        nacred_log(LOG_LEVEL_INFO, peer, "refused", "%s%s%s for %s%s%s", event->auth_method, space,
                   event->key_algorithm, event->user, at, event->client_host);
}

int nacred_auth_offer(struct app *app)
{
    const struct users *users = &app->options.users;
    bool passwords = nacred_users_have_passwords(users);
    bool keys = nacred_users_have_keys(users) || app->options.user_cas.count > 0;
    bool hosts = app->options.trusted_hosts.count > 0;
    bool prompts = passwords && app->options.keyboard_interactive;
    char methods[64];

    snprintf(methods, sizeof methods, "%s%s%s%s", hosts ? ",hostbased" : "",
             keys || !(passwords || hosts) ? ",publickey" : "", passwords ? ",password" : "",
             prompts ? ",keyboard-interactive" : "");
    int result = nacre_set_default_auth_methods(app->server, methods + 1);
    if (result || !prompts)
        return result;
    result = nacre_set_keyboard_interactive_prompt_count(app->server, 1);
    if (!result)
        result = nacre_set_keyboard_interactive_prompt_prompt(app->server, 0, "Password: ");
    return result ? result : nacre_set_keyboard_interactive_prompt_echo(app->server, 0, false);
}
