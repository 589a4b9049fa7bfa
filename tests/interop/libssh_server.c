/* SPDX-License-Identifier: Apache-2.0 */
/* A libssh server of those names that this libssh has, whose only command is cat: FOLDER KEX CIPHERS MACS
 * HOST-KEY-ALGORITHMS. Says a line of names for each kind (kex, cipher, mac, comp, host-key), and then where it
 * listens. One connection after the other. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NAMES_MAX = 4096,
    KEYS_MAX = 8,
    TURN_MS = 10000
};

struct visitor {
    ssh_channel channel;
    bool over;
};

static ssh_key users[KEYS_MAX];
static size_t user_count;

/* ---- what a connection asks ----------------------------------------------------------------------------------------
 */

static int on_key(ssh_session session, const char *user, struct ssh_key_struct *key, char state, void *context)
{
    (void)session;
    (void)user;
    (void)context;
    for (size_t i = 0; i < user_count; i++) {
        if (ssh_key_cmp(users[i], key, SSH_KEY_CMP_PUBLIC) == 0)
            return state == SSH_PUBLICKEY_STATE_NONE || state == SSH_PUBLICKEY_STATE_VALID ? SSH_AUTH_SUCCESS
                                                                                           : SSH_AUTH_DENIED;
    }
    return SSH_AUTH_DENIED;
}

static int on_exec(ssh_session session, ssh_channel channel, const char *command, void *context)
{
    (void)session;
    (void)channel;
    (void)context;
    return strcmp(command, "cat") == 0 ? 0 : 1;
}

static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len, int is_stderr, void *context)
{
    (void)session;
    (void)is_stderr;
    (void)context;
    return ssh_channel_write(channel, data, len);
}

static void on_eof(ssh_session session, ssh_channel channel, void *context)
{
    (void)session;
    struct visitor *v = context;
    ssh_channel_request_send_exit_status(channel, 0);
    ssh_channel_send_eof(channel);
    ssh_channel_close(channel);
    v->over = true;
}

static struct ssh_channel_callbacks_struct of_channel = {
    .channel_exec_request_function = on_exec, .channel_data_function = on_data, .channel_eof_function = on_eof};

static ssh_channel on_open(ssh_session session, void *context)
{
    struct visitor *v = context;
    v->channel = ssh_channel_new(session);
    of_channel.userdata = v;
    ssh_set_channel_callbacks(v->channel, &of_channel);
    return v->channel;
}

static void serve(ssh_session session)
{
    struct visitor v = {.channel = NULL};
    struct ssh_server_callbacks_struct of_server = {
        .userdata = &v, .auth_pubkey_function = on_key, .channel_open_request_session_function = on_open};
    ssh_event event = ssh_event_new();

    ssh_callbacks_init(&of_server);
    ssh_set_server_callbacks(session, &of_server);
    ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY);
    if (ssh_handle_key_exchange(session) == SSH_OK && ssh_event_add_session(event, session) == SSH_OK) {
        while (ssh_event_dopoll(event, TURN_MS) == SSH_OK && ssh_is_connected(session))
            ;
        ssh_event_remove_session(event, session);
    } else {
        fprintf(stderr, "%s\n", ssh_get_error(session));
    }
    ssh_event_free(event);
    ssh_disconnect(session);
}

/* ---- what there is -------------------------------------------------------------------------------------------------
 */

/* Says which of the names this libssh has, and offers them. */
static void offer(ssh_bind bind, const char *kind, enum ssh_bind_options_e first, enum ssh_bind_options_e second,
                  const char *names)
{
    char copy[NAMES_MAX], have[NAMES_MAX] = "", *rest = copy;
    (void)snprintf(copy, sizeof copy, "%s", names);
    printf("%s", kind);
    for (char *name = strtok_r(copy, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (ssh_bind_options_set(bind, first, name) != 0)
            continue;
        printf(" %s", name);
        size_t len = strlen(have);
        (void)snprintf(have + len, sizeof have - len, "%s%s", len == 0 ? "" : ",", name);
    }
    printf("\n");
    if (ssh_bind_options_set(bind, first, have) != 0 || ssh_bind_options_set(bind, second, have) != 0)
        exit(1);
}

static void read_keys(ssh_bind bind, const char *folder)
{
    static const char *const hosts[] = {"host_ed25519", "host_ecdsa256", "host_rsa"};
    static const char *const names[] = {"ed25519.pub", "rsa.pub"};
    char path[512];
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, hosts[i]);
        if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, path) != 0)
            exit(1);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (ssh_pki_import_pubkey_file(path, &users[user_count]) == SSH_OK)
            user_count++;
    }
}

int main(int argc, char **argv)
{
    unsigned port = 0;
    bool no = false;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    ssh_bind bind = argc == 6 ? ssh_bind_new() : NULL;
    if (bind == NULL || ssh_init() != 0)
        return 2;
    read_keys(bind, argv[1]);
    offer(bind, "kex", SSH_BIND_OPTIONS_KEY_EXCHANGE, SSH_BIND_OPTIONS_KEY_EXCHANGE, argv[2]);
    offer(bind, "cipher", SSH_BIND_OPTIONS_CIPHERS_C_S, SSH_BIND_OPTIONS_CIPHERS_S_C, argv[3]);
    offer(bind, "mac", SSH_BIND_OPTIONS_HMAC_C_S, SSH_BIND_OPTIONS_HMAC_S_C, argv[4]);
    printf("comp none\n");
    offer(bind, "host-key", SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, argv[5]);
    if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) != 0 ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1") != 0 ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDPORT, &port) != 0 || ssh_bind_listen(bind) != SSH_OK ||
        getsockname(ssh_bind_get_fd(bind), (struct sockaddr *)&at, &len) != 0) {
        fprintf(stderr, "%s\n", ssh_get_error(bind));
        return 1;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(at.sin_port));
    (void)fflush(stdout);
    ssh_callbacks_init(&of_channel);
    for (;;) {
        ssh_session session = ssh_new();
        if (session == NULL || ssh_bind_accept(bind, session) != SSH_OK)
            return 1;
        serve(session);
        ssh_free(session);
    }
}
