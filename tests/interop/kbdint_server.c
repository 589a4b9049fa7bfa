/* SPDX-License-Identifier: Apache-2.0 */
/* A server on the public interface alone that asks two questions: the answers are "red" and "blue".
 *
 * Any command then prints "welcome". Runs until it is killed. */
#include <string.h>

#include "small_server.h"

static void on_auth(nacre_server *server, struct nacre_ssh_user_auth_request *e, void *context)
{
    (void)server;
    (void)context;
    if (strcmp(e->auth_method, "keyboard-interactive-1") == 0)
        e->accept = strcmp(e->auth_param, "red") == 0;
    else if (strcmp(e->auth_method, "keyboard-interactive-2") == 0)
        e->accept = strcmp(e->auth_param, "blue") == 0;
    else
        e->accept = strcmp(e->auth_method, "keyboard-interactive") == 0;
}

static int ask_two(nacre_server *server)
{
    int error = nacre_set_keyboard_interactive_message(server, "Two colours, please.");
    if (error == 0)
        error = nacre_set_keyboard_interactive_prompt_count(server, 2);
    if (error == 0)
        error = nacre_set_keyboard_interactive_prompt_prompt(server, 0, "First colour: ");
    if (error == 0)
        error = nacre_set_keyboard_interactive_prompt_echo(server, 0, true);
    if (error == 0)
        error = nacre_set_keyboard_interactive_prompt_prompt(server, 1, "Second colour: ");
    if (error == 0)
        error = nacre_set_keyboard_interactive_prompt_echo(server, 1, false);
    return error != 0 ? error : nacre_set_default_auth_methods(server, "keyboard-interactive");
}

int main(int argc, char **argv)
{
    static const struct nacre_handlers handlers = {
        .on_ssh_user_auth_request = on_auth,
        .on_ssh_channel_open_request = small_open,
        .on_ssh_channel_request = small_request,
        .on_ssh_channel_requested = small_welcome,
    };
    return small_main(argc, argv, &handlers, ask_two);
}
