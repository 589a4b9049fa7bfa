/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include <stdio.h>
#include <string.h>

#include "auth.h"
#include "handlers.h"
#include "host_key.h"
#include "key_files.h"
#include "settings.h"

enum {
    BACKLOG = 1024 /* the class's 5 would drop clients of a burst, who try again a second later */
};

/* In the order in which they are carried out: those about keys, before --host-key takes the places that are left; all
 * others; and what vouches for a key, when that is there. */
enum about {
    ABOUT_KEYS,
    ABOUT_OTHERS,
    ABOUT_CERTIFICATES,
};

static enum about about(const char *setting)
{
    if (nacred_setting_begins(setting, "HostCertificate"))
        return ABOUT_CERTIFICATES;
    bool keys = nacred_setting_begins(setting, "ssh_cert_") || nacred_setting_begins(setting, "AltSSHCert");
    return keys ? ABOUT_KEYS : ABOUT_OTHERS;
}

/* Those about that, in order. */
static bool apply_settings(struct app *app, enum about what)
{
    const struct strings *settings = &app->options.settings;

    for (size_t i = 0; i < settings->count; i++) {
        if (about(settings->list[i]) != what)
            continue;
        const char *why;

        if (nacred_setting_set(app->server, settings->list[i], &why) != 0) {
            settings->list[i][strcspn(settings->list[i], "=")] = 0; /* the value may be a password */
            fprintf(stderr, "nacred: --set %s: %s\n", settings->list[i], why);
            return false;
        }
    }
    return true;
}

static void keep_timeout(struct app *app)
{
    int timeout = 0;

    if (nacre_get_default_timeout(app->server, &timeout) != 0 || timeout == 0)
        return;
    nacred_log(LOG_LEVEL_WARNING, NULL, "settings", "default_timeout stays 0: nacred never waits in a send");
    nacre_set_default_timeout(app->server, 0);
}

static bool setting_is_given(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->options.settings.count; i++)
        if (nacred_setting_begins(app->options.settings.list[i], name))
            return true;
    return false;
}

/* Our own defaults, so that --set has the last word. */
static int set_defaults(struct app *app)
{
    nacre_server *server = app->server;
    int result = nacre_config(server, "AlgorithmProfile=modern", NULL, 0);

    if (!result)
        result = nacre_config(server, "MaxStartups=90%:30:100%", NULL, 0);
    if (!result)
        result =
            nacre_config(server, "TcpNoDelay=True", NULL, 0); /* small answers follow each other in every session */
    if (!result)
        result = nacre_set_default_timeout(server, 0);
    if (!result)
        result = nacre_set_connection_backlog(server, BACKLOG);
    if (!result && strchr(app->options.host, ':'))
        result = nacre_config(server, "UseIPv6=1", NULL, 0);
    if (!result)
        result = nacre_set_local_host(server, app->options.host);
    if (!result)
        result = nacre_set_local_port(server, app->options.port);
    if (!result)
        result = nacred_auth_offer(app);
    if (!result)
        result = nacred_handlers_set(app, setting_is_given(app, "LogLevel="));
    return result;
}

/* A key that was named in any way is kept. A key file that is missing is made when nothing else is wrong. */
bool nacred_server_set_up(struct app *app)
{
    int result = set_defaults(app);

    if (result) {
        const char *text = nacre_last_error(app->server);

        fprintf(stderr, "nacred: cannot set up the server: %s\n", *text ? text : nacre_error_text(result));
        return false;
    }
    bool others = setting_is_given(app, "ssh_cert_") || setting_is_given(app, "AltSSHCert");
    if (!apply_settings(app, ABOUT_KEYS) || !apply_settings(app, ABOUT_OTHERS) ||
        !nacred_user_cas_read(&app->options, app->server) || !nacred_host_keys_set(app, others) ||
        !apply_settings(app, ABOUT_CERTIFICATES))
        return false;
    keep_timeout(app);
    return true;
}
