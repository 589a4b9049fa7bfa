/* SPDX-License-Identifier: Apache-2.0 */
/* Two factors: alice has a password and a key, bob a key and a code. What may come next is the list of methods that
 * nacre keeps for the user who logs in: it begins with "none", which is how clients ask, and each good factor puts the
 * next one in its place. A request for anything else never gets here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nacre/nacre.h>

static const char a_key[] = "the key of KEY.pub";
static const struct factor {
    const char *user, *method, *secret, *next; /* next NULL: that was the last one */
} factors[] = {
    {"alice", "none", NULL, "password"},
    {"alice", "password", "wonderland", "publickey"},
    {"alice", "publickey", a_key, NULL},
    {"bob", "none", NULL, "publickey"},
    {"bob", "publickey", a_key, "keyboard-interactive"},
    {"bob", "keyboard-interactive-1", "123456", NULL},
    {"bob", "keyboard-interactive", "", NULL},
    {NULL, NULL, NULL, NULL},
};
static char authorized[1024]; /* the key in base64, as its file has it */
static int is_authorized(const unsigned char *blob, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t digits = (len * 4 + 2) / 3;
    for (size_t i = 0; i < digits; i++) {
        size_t bit = i * 6, byte = bit / 8;
        unsigned two = (unsigned)blob[byte] << 8 | (byte + 1 < len ? blob[byte + 1] : 0U);
        if (authorized[i] != letters[two >> (10 - bit % 8) & 63])
            return 0;
    }
    return strspn(authorized + digits, "=") == strlen(authorized + digits);
}

static void log_in(nacre_server *server, struct nacre_ssh_user_auth_request *event, void *context)
{
    (void)server, (void)context;
    const struct factor *f = factors;
    while (f->user != NULL && (strcmp(f->user, event->user) != 0 || strcmp(f->method, event->auth_method) != 0))
        f++;
    if (strcmp(event->auth_method, "none") == 0)
        event->available_methods = f->next; /* not accepted: it only asks */
    if (f->secret == NULL ||
        (f->secret != a_key ? strcmp(event->auth_param, f->secret) != 0
                            : !is_authorized((const unsigned char *)event->auth_param, event->auth_param_len)))
        return;
    event->accept = f->next == NULL || (f->secret == a_key && !event->verified); /* not verified: may this key sign? */
    event->partial_success = !event->accept;
    event->available_methods = event->accept ? NULL : f->next;
}

static void open_channel(nacre_server *server, struct nacre_ssh_channel_open_request *event, void *context)
{
    (void)server, (void)context;
    event->accept = strcmp(event->service, "session") == 0;
}

static void request(nacre_server *server, struct nacre_ssh_channel_request *event, void *context)
{
    (void)server, (void)context;
    event->success = strcmp(event->request_type, "shell") == 0 || strcmp(event->request_type, "exec") == 0;
}

static void greet(nacre_server *server, struct nacre_ssh_channel_requested *event, void *context)
{
    (void)context;
    nacre_send_text(server, event->channel_id, "Both factors were good.\n");
    nacre_send_exit_status(server, event->channel_id, 0);
    nacre_close_channel(server, event->channel_id);
}

int main(int count, char **arguments)
{
    const struct nacre_handlers handlers = {.on_ssh_user_auth_request = log_in,
                                            .on_ssh_channel_open_request = open_channel,
                                            .on_ssh_channel_request = request,
                                            .on_ssh_channel_requested = greet};
    nacre_server *server = NULL;
    char pem[16384];
    FILE *key = count != 3 ? NULL : fopen(arguments[1], "r");
    if (key == NULL || fscanf(key, "%*s %1000s", authorized) != 1 || fclose(key) != 0)
        return fprintf(stderr, "Usage: two_factor KEY.pub PORT\n"), 1;
    int port = (int)strtol(arguments[2], NULL, 10);
    if (nacre_create(&server) || nacre_make_key("ssh-ed25519", pem, sizeof pem) ||
        nacre_set_ssh_cert_store(server, pem, strlen(pem)) || nacre_set_ssh_cert_store_type(server, 7) ||
        nacre_set_ssh_cert_subject(server, "*") || nacre_set_local_host(server, "127.0.0.1") ||
        nacre_set_local_port(server, port) || nacre_set_default_auth_methods(server, "none") ||
        nacre_set_keyboard_interactive_prompt_count(server, 1) ||
        nacre_set_keyboard_interactive_prompt_prompt(server, 0, "Code: ") ||
        nacre_set_handlers(server, &handlers, NULL) || nacre_start_listening(server) ||
        nacre_get_local_port(server, &port))
        return fprintf(stderr, "%s\n", nacre_last_error(server)), 1;
    printf("listening on 127.0.0.1:%d\n", port), fflush(stdout);
    while (nacre_do_events(server) == 0)
        continue;
    nacre_free(server);
}
