/* SPDX-License-Identifier: Apache-2.0 */
/* A server on the public interface alone with two users: "guest" needs nothing, and "anna" has a password, "old", which
 * has expired; the new one needs eight bytes. A third, "berta", has the password "old" and cannot change it.
 *
 * Any command prints "welcome". Runs until it is killed. */
#include <stdio.h>
#include <string.h>

#include "small_server.h"

enum {
    NEW_MIN = 8
};

/* anna's, once it was changed. One thread handles all events. */
static char changed[128];

static void change_password(struct nacre_ssh_user_auth_request *e)
{
    if (strlen(e->new_password) < NEW_MIN) {
        e->change_prompt = "The new password needs eight bytes.";
        return;
    }
    (void)snprintf(changed, sizeof changed, "%s", e->new_password);
    e->accept = true;
}

static void anna(struct nacre_ssh_user_auth_request *e)
{
    bool expired = changed[0] == '\0';
    if (strcmp(e->auth_param, expired ? "old" : changed) != 0)
        return;
    if (e->new_password != NULL)
        change_password(e);
    else if (expired)
        e->change_prompt = "Your password has expired.";
    else
        e->accept = true;
}

static void on_auth(nacre_server *server, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)server;
    (void)context;
    printf("%s %s%s\n", e->user, e->auth_method, e->new_password != NULL ? " change" : "");
    fflush(stdout);
    if (strcmp(e->auth_method, "none") == 0)
        e->accept = strcmp(e->user, "guest") == 0;
    else if (strcmp(e->auth_method, "password") == 0 && strcmp(e->user, "anna") == 0)
        anna(e);
    else if (strcmp(e->auth_method, "password") == 0 && strcmp(e->user, "berta") == 0 && e->new_password == NULL &&
             strcmp(e->auth_param, "old") == 0)
        e->change_prompt = "Your password has expired.";
}

static int ask_for_a_password(nacre_server *server)
{
    return nacre_set_default_auth_methods(server, "password");
}

int main(int argc, char **argv)
{
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth,
        .on_ssh_channel_open_request = small_open,
        .on_ssh_channel_request = small_request,
        .on_ssh_channel_requested = small_welcome,
    };
    return small_main(argc, argv, &handlers, ask_for_a_password);
}
