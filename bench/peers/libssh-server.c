/* SPDX-License-Identifier: Apache-2.0 */
/* A peer to compare with: an SSH server on libssh as its users write one, a thread for each connection, blocking calls.
 * Password and key login; the commands echo, sink and source BYTES inside the process, as `nacred --bench` has them. */
#include <arpa/inet.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STACK_BYTES = 256 * 1024,
    IO_BYTES = 64 * 1024,
    COMMAND_MAX = 128,
    KEYS_MAX = 16,
    POLL_MS = 60000,
    BACKLOG = 1024
};

static struct {
    const char *host, *port, *host_key, *user, *password, *authorized_keys;
    ssh_key keys[KEYS_MAX];
    size_t key_count;
} settings = {.host = "127.0.0.1", .port = "2222"};

struct peer {
    ssh_session session;
    ssh_channel channel;
    bool logged_in;
    char command[COMMAND_MAX];
    struct ssh_server_callbacks_struct server_callbacks;
    struct ssh_channel_callbacks_struct channel_callbacks;
};

/* ---- login ----------------------------------------------------------------------------------------------------- */

static int on_password(ssh_session session, const char *user, const char *password, void *context)
{
    struct peer *p = context;
    (void)session;
    bool ok = settings.user != NULL && settings.password != NULL && strcmp(user, settings.user) == 0 &&
              strcmp(password, settings.password) == 0;
    p->logged_in = p->logged_in || ok;
    return ok ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

static bool is_authorized(ssh_key key)
{
    for (size_t i = 0; i < settings.key_count; i++) {
        if (ssh_key_cmp(key, settings.keys[i], SSH_KEY_CMP_PUBLIC) == 0)
            return true;
    }
    return false;
}

static int on_public_key(ssh_session session, const char *user, struct ssh_key_struct *key, char state, void *context)
{
    struct peer *p = context;
    (void)session;
    if (settings.user == NULL || strcmp(user, settings.user) != 0 || !is_authorized(key))
        return SSH_AUTH_DENIED;
    if (state == SSH_PUBLICKEY_STATE_VALID)
        p->logged_in = true; /* libssh has verified the signature */
    else if (state != SSH_PUBLICKEY_STATE_NONE)
        return SSH_AUTH_DENIED;
    return SSH_AUTH_SUCCESS;
}

/* ---- channel --------------------------------------------------------------------------------------------------- */

static int on_exec(ssh_session session, ssh_channel channel, const char *command, void *context)
{
    struct peer *p = context;
    (void)session;
    (void)channel;
    bool known = strcmp(command, "echo") == 0 || strcmp(command, "sink") == 0 || strncmp(command, "source ", 7) == 0;
    if (!known || p->command[0] != '\0' || strlen(command) >= sizeof p->command)
        return SSH_ERROR;
    snprintf(p->command, sizeof p->command, "%s", command);
    return SSH_OK;
}

static ssh_channel on_channel_open(ssh_session session, void *context)
{
    struct peer *p = context;
    if (!p->logged_in || p->channel != NULL)
        return NULL;
    p->channel = ssh_channel_new(session);
    p->channel_callbacks =
        (struct ssh_channel_callbacks_struct){.userdata = p, .channel_exec_request_function = on_exec};
    ssh_callbacks_init(&p->channel_callbacks);
    ssh_set_channel_callbacks(p->channel, &p->channel_callbacks);
    return p->channel;
}

/* ---- commands -------------------------------------------------------------------------------------------------- */

static bool write_all(ssh_channel channel, const char *at, size_t len)
{
    while (len != 0) {
        int written = ssh_channel_write(channel, at, (uint32_t)len);
        if (written <= 0)
            return false;
        at += written;
        len -= (size_t)written;
    }
    return true;
}

static void run_echo_or_sink(struct peer *p, char *buffer, bool back)
{
    for (int got; (got = ssh_channel_read(p->channel, buffer, IO_BYTES, 0)) > 0;) {
        if (back && !write_all(p->channel, buffer, (size_t)got))
            return;
    }
}

static void run_source(struct peer *p, char *buffer, uint64_t bytes)
{
    memset(buffer, 0, IO_BYTES);
    while (bytes != 0) {
        size_t part = bytes < IO_BYTES ? (size_t)bytes : IO_BYTES;
        if (!write_all(p->channel, buffer, part))
            return;
        bytes -= part;
    }
}

static void run_command(struct peer *p)
{
    char *buffer = malloc(IO_BYTES);
    if (buffer == NULL)
        return;
    if (strncmp(p->command, "source ", 7) == 0)
        run_source(p, buffer, strtoull(p->command + 7, NULL, 10));
    else
        run_echo_or_sink(p, buffer, p->command[0] == 'e');
    free(buffer);
    ssh_channel_request_send_exit_status(p->channel, 0);
    ssh_channel_send_eof(p->channel);
    ssh_channel_close(p->channel);
}

/* ---- connections ----------------------------------------------------------------------------------------------- */

/* Answers the client until it has asked for a command, or, once there was one, until it has gone. */
static void answer(struct peer *p, ssh_event event, bool until_command)
{
    while (ssh_is_connected(p->session) && !(until_command && p->command[0] != '\0')) {
        if (ssh_event_dopoll(event, POLL_MS) == SSH_ERROR)
            return;
    }
}

static void serve(struct peer *p)
{
    p->server_callbacks =
        (struct ssh_server_callbacks_struct){.userdata = p,
                                             .auth_password_function = on_password,
                                             .auth_pubkey_function = on_public_key,
                                             .channel_open_request_session_function = on_channel_open};
    ssh_callbacks_init(&p->server_callbacks);
    ssh_set_server_callbacks(p->session, &p->server_callbacks);
    ssh_set_auth_methods(p->session, SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_PUBLICKEY);
    if (ssh_handle_key_exchange(p->session) != SSH_OK)
        return;
    ssh_event event = ssh_event_new();
    if (event == NULL)
        return;
    ssh_event_add_session(event, p->session);
    answer(p, event, true);
    if (p->command[0] != '\0') {
        run_command(p);
        answer(p, event, false);
    }
    ssh_event_remove_session(event, p->session);
    ssh_event_free(event);
}

static void *run_connection(void *argument)
{
    struct peer *p = argument;
    serve(p);
    ssh_disconnect(p->session);
    ssh_free(p->session);
    free(p);
    return NULL;
}

static void accept_one(ssh_bind b, int listener, const pthread_attr_t *attributes)
{
    struct peer *p = calloc(1, sizeof *p);
    pthread_t thread;
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || p == NULL || (p->session = ssh_new()) == NULL) {
        if (fd >= 0)
            close(fd);
        free(p);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* without it logins wait for delayed acknowledgements */
    if (ssh_bind_accept_fd(b, p->session, fd) == SSH_OK && pthread_create(&thread, attributes, run_connection, p) == 0)
        return;
    ssh_free(p->session);
    free(p);
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

/* Lines of "type base64 comment". */
static bool read_authorized_keys(void)
{
    char line[8192];
    FILE *f = fopen(settings.authorized_keys, "re");
    if (f == NULL)
        return false;
    while (settings.key_count < KEYS_MAX && fgets(line, sizeof line, f) != NULL) {
        char *rest = line;
        const char *type = strtok_r(rest, " ", &rest), *base64 = strtok_r(rest, " \n", &rest);
        if (type != NULL && base64 != NULL &&
            ssh_pki_import_pubkey_base64(base64, ssh_key_type_from_name(type), &settings.keys[settings.key_count]) ==
                SSH_OK)
            settings.key_count++;
    }
    fclose(f);
    return settings.key_count != 0;
}

static bool read_arguments(int argc, char **argv)
{
    static const struct {
        const char *name;
        const char **value;
    } options[] = {{"--host", &settings.host},         {"--port", &settings.port},
                   {"--host-key", &settings.host_key}, {"--user", &settings.user},
                   {"--password", &settings.password}, {"--authorized-keys", &settings.authorized_keys}};
    for (int i = 1; i < argc; i += 2) {
        size_t n = 0;
        while (n < sizeof options / sizeof options[0] && strcmp(argv[i], options[n].name) != 0)
            n++;
        if (n == sizeof options / sizeof options[0] || i + 1 == argc)
            return false;
        *options[n].value = argv[i + 1];
    }
    return settings.host_key != NULL && settings.user != NULL;
}

/* A socket of our own: libssh's has a backlog of 10, which bursts of connections overflow. */
static int listen_on(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(settings.port, NULL, 10))};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, settings.host, &at.sin_addr) != 1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, BACKLOG) == 0 ? fd : -1;
}

static ssh_bind make_bind(void)
{
    ssh_bind b = ssh_bind_new();
    const bool no = false;
    if (b == NULL)
        return NULL;
    ssh_bind_options_set(b, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
    if (ssh_bind_options_set(b, SSH_BIND_OPTIONS_HOSTKEY, settings.host_key) == SSH_OK)
        return b;
    ssh_bind_free(b);
    return NULL;
}

int main(int argc, char **argv)
{
    if (!read_arguments(argc, argv)) {
        fprintf(stderr, "Usage: libssh-server --host-key FILE --user NAME [--password P] [--authorized-keys FILE] "
                        "[--host H] [--port N]\n");
        return 2;
    }
    if (settings.authorized_keys != NULL && !read_authorized_keys()) {
        fprintf(stderr, "libssh-server: no key in %s\n", settings.authorized_keys);
        return 1;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on();
    ssh_bind b = make_bind();
    if (listener < 0 || b == NULL) {
        fprintf(stderr, "libssh-server: cannot listen on %s:%s with %s\n", settings.host, settings.port,
                settings.host_key);
        return 1;
    }
    printf("libssh-server: listening on %s:%s\n", settings.host, settings.port);
    fflush(stdout);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (;;)
        accept_one(b, listener, &attributes);
}
