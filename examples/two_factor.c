/* SPDX-License-Identifier: Apache-2.0 */
/* Two factors: alice has a password and a key, bob a key and a code. Usage: two_factor KEY.pub [PORT]
 *
 * What may come next is the list of methods that nacre keeps for the user who is logging in: it begins with "none",
 * which is how clients ask, and each good factor puts the next one in its place. A request for anything else never gets
 * here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nacre/nacre.h>

static const struct factor {
    const char *user, *method, *secret, *next; /* next NULL: that was the last one */
} factors[] = {
    {"alice", "none", NULL, "password"},
    {"alice", "password", "wonderland", "publickey"},
    {"alice", "publickey", NULL, NULL},
    {"bob", "none", NULL, "publickey"},
    {"bob", "publickey", NULL, "keyboard-interactive"},
    {"bob", "keyboard-interactive-1", "123456", NULL},
    {"bob", "keyboard-interactive", "", NULL},
};

static char authorized[1024]; /* the key in base64, as its file has it */

static int is_authorized(const char *blob, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t digits = (len * 4 + 2) / 3;
    for (size_t i = 0; i < digits; i++) {
        size_t bit = i * 6, byte = bit / 8;
        unsigned two = (blob[byte] & 255U) << 8 | (byte + 1 < len ? blob[byte + 1] & 255U : 0);
        if (authorized[i] != letters[two >> (10 - bit % 8) & 63])
            return 0;
    }
    return strspn(authorized + digits, "=") == strlen(authorized + digits);
}

static void log_in(nacre_server *server, struct nacre_ssh_user_auth_request *event, void *context)
{
    (void)server, (void)context;
    const struct factor *f = factors, *end = factors + sizeof factors / sizeof *factors;
    while (f != end && (strcmp(f->user, event->user) != 0 || strcmp(f->method, event->auth_method) != 0))
        f++;
    if (f == end)
        return;
    if (strcmp(f->method, "none") == 0) {
        event->available_methods = f->next;
        return; /* not accepted: it only asks */
    }
    if (f->secret != NULL ? strcmp(event->auth_param, f->secret) != 0
                          : !is_authorized(event->auth_param, event->auth_param_len))
        return;
    int is_query = strcmp(f->method, "publickey") == 0 && !event->verified; /* may this key sign? */
    event->accept = is_query || f->next == NULL;
    event->partial_success = !event->accept;
    event->available_methods = event->accept ? NULL : f->next;
}

static void open_channel(nacre_server *server, struct nacre_ssh_channel_open_request *event, void *context)
{
    (void)server, (void)context;
    event->accept = strcmp(event->service, "session") == 0;
}

static void greet(nacre_server *server, struct nacre_ssh_channel_opened *event, void *context)
{
    (void)context;
    nacre_send_text(server, event->channel_id, "Both factors were good.\n");
    nacre_close_channel(server, event->channel_id);
}

int main(int count, char **arguments)
{
    const struct nacre_handlers handlers = {.on_ssh_user_auth_request = log_in,
                                            .on_ssh_channel_open_request = open_channel,
                                            .on_ssh_channel_opened = greet};
    const struct nacre_prompt code = {.echo = false, .prompt = "Code: "};
    nacre_server *server = NULL;
    char pem[16384];
    FILE *key = count < 2 ? NULL : fopen(arguments[1], "r");
    int port = count < 3 ? 2222 : (int)strtol(arguments[2], NULL, 10);

    if (key == NULL || fscanf(key, "%*s %1000s", authorized) != 1)
        return fprintf(stderr, "Usage: two_factor KEY.pub [PORT]\n"), 1;
    fclose(key);
    if (nacre_create(&server) || nacre_make_key("ssh-ed25519", pem, sizeof pem) ||
        nacre_set_ssh_cert_store(server, pem, strlen(pem)) || nacre_set_ssh_cert_store_type(server, 7) ||
        nacre_set_ssh_cert_subject(server, "*") || nacre_set_local_host(server, "127.0.0.1") ||
        nacre_set_local_port(server, port) || nacre_set_default_auth_methods(server, "none") ||
        nacre_set_keyboard_interactive_prompt_count(server, 1) || nacre_set_prompt(server, 0, &code) ||
        nacre_set_handlers(server, &handlers, NULL) || nacre_start_listening(server) ||
        nacre_get_local_port(server, &port))
        return fprintf(stderr, "%s\n", nacre_last_error(server)), 1;
    printf("listening on 127.0.0.1:%d\n", port), fflush(stdout);
    while (nacre_do_events(server) == 0)
        continue;
    nacre_free(server);
}
