/* SPDX-License-Identifier: Apache-2.0 */
/* Every way a connection can end: on_disconnected comes exactly once, last, with the code of that way. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/client.h"
#include "support/server.h"

static nacre_connection_id only_connection(struct server *s)
{
    nacre_connection_id id = 0;
    size_t count = 1;
    cr_assert_eq(nacre_get_ssh_connection_ids(s->nacre, &id, &count), 0);
    cr_assert_eq(count, 1);
    return id;
}

static void leave_in_order(struct server *s, struct client *c)
{
    (void)s;
    client_disconnect(c);
}

static void leave_by_fin(struct server *s, struct client *c)
{
    (void)s;
    client_drop(c);
}

static void leave_by_reset(struct server *s, struct client *c)
{
    (void)s;
    client_reset(c);
}

static void leave_by_garbage(struct server *s, struct client *c)
{
    (void)s;
    uint8_t junk[256];
    memset(junk, 0xA5, sizeof junk);
    cr_assert_eq(send(c->fd, junk, sizeof junk, 0), (ssize_t)sizeof junk);
}

/* A packet of the client with one bit turned over. */
static void leave_by_bad_mac(struct server *s, struct client *c)
{
    (void)s;
    struct span out;
    uint8_t packet[4096];
    cr_assert_eq(nacre_conn_global_request(c->conn, span_str("keepalive@openssh.com"), true, span_of(NULL, 0), 0),
                 NACRE_OK);
    cr_assert_eq(nacre_conn_output(c->conn, &out, 1), 1);
    memcpy(packet, out.at, out.len);
    packet[out.len - 1] ^= 1;
    cr_assert_eq(send(c->fd, packet, out.len, 0), (ssize_t)out.len);
    nacre_conn_output_take(c->conn, out.len, 0);
}

static void leave_by_application(struct server *s, struct client *c)
{
    (void)c;
    cr_assert_eq(nacre_disconnect(s->nacre, only_connection(s)), 0);
}

static void leave_by_property(struct server *s, struct client *c)
{
    (void)c;
    cr_assert_eq(nacre_set_ssh_connection_connected(s->nacre, only_connection(s), false), 0);
}

static void leave_by_shutdown(struct server *s, struct client *c)
{
    (void)c;
    cr_assert_eq(nacre_shutdown(s->nacre), 0);
}

static void leave_by_silence(struct server *s, struct client *c)
{
    (void)s;
    (void)c;
}

enum leaving {
    IN_ORDER,
    BY_FIN,
    BY_RESET,
    BY_GARBAGE,
    BY_BAD_MAC,
    BY_APPLICATION,
    BY_PROPERTY,
    BY_SHUTDOWN,
    BY_SILENCE,
};

static void (*const leaving[])(struct server *, struct client *) = {
    [IN_ORDER] = leave_in_order,       [BY_FIN] = leave_by_fin,           [BY_RESET] = leave_by_reset,
    [BY_GARBAGE] = leave_by_garbage,   [BY_BAD_MAC] = leave_by_bad_mac,   [BY_APPLICATION] = leave_by_application,
    [BY_PROPERTY] = leave_by_property, [BY_SHUTDOWN] = leave_by_shutdown, [BY_SILENCE] = leave_by_silence,
};

struct way {
    char what[40];
    enum leaving leave;
    int code;
    bool error;     /* on_error comes too */
    int told;       /* what the client is told; 0: it cannot be */
    bool logged_in; /* done after a login; else right after connecting */
    char setting[40];
};

ParameterizedTestParameters(class_ends, an_end_is_told_once_and_last_with_its_code)
{
    static struct way ways[] = {
        {"the client disconnects", IN_ORDER, 0, false, 0, true, ""},
        {"FIN without a word", BY_FIN, -1, false, 0, true, ""},
        {"TCP reset", BY_RESET, NACRE_E_CONNRESET, false, 0, true, ""},
        {"garbage instead of a packet", BY_GARBAGE, NACRE_E_MAC, true, 0, true, ""},
        {"a packet with a wrong tag", BY_BAD_MAC, NACRE_E_MAC, true, 0, true, ""},
        {"nacre_disconnect()", BY_APPLICATION, NACRE_E_BY_APPLICATION, false, 11, true, ""},
        {"connected set to false", BY_PROPERTY, NACRE_E_BY_APPLICATION, false, 11, true, ""},
        {"nacre_shutdown()", BY_SHUTDOWN, NACRE_E_SHUTDOWN, false, 11, true, ""},
        {"idle for too long", BY_SILENCE, NACRE_E_TIMEOUT_IDLE, true, 11, true, "idle"},
        {"login takes too long", BY_SILENCE, NACRE_E_TIMEOUT_LOGIN, true, 11, false, "LoginGraceTime=3"},
        {"FIN before login", BY_FIN, -1, false, 0, false, ""},
        {"reset before login", BY_RESET, NACRE_E_CONNRESET, false, 0, false, ""},
        {"nacre_disconnect() before login", BY_APPLICATION, NACRE_E_BY_APPLICATION, false, 11, false, ""},
        {"keep-alives unanswered", BY_SILENCE, NACRE_E_TIMEOUT_KEEPALIVE, true, 0, true, "SSHKeepAliveInterval=1"},
    };
    return cr_make_param_array(struct way, ways, sizeof ways / sizeof *ways);
}

ParameterizedTest(struct way *w, class_ends, an_end_is_told_once_and_last_with_its_code, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    server_set(s, "LogLevel=0");
    if (strcmp(w->setting, "idle") == 0)
        cr_assert_eq(nacre_set_default_idle_timeout(s->nacre, 3), 0);
    else if (w->setting[0] != '\0')
        server_set(s, w->setting);
    server_set(s, "SSHKeepAliveCountMax=1");
    server_start(s, 2);
    client_init(&c);
    cr_assert(client_connect(&c, s->port), "%s", w->what);
    if (w->logged_in)
        cr_assert(client_login(&c, "user", "pw"), "%s", w->what);
    leaving[w->leave](s, &c);
    if (w->told != 0)
        cr_assert(client_wait(&c, &c.ended), "%s: the client was not told", w->what);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e), "%s", w->what);
    if (w->code >= 0)
        cr_assert_eq(e.code, w->code, "%s: %d %s", w->what, e.code, e.text);
    client_drop(&c);
    cr_assert(server_wait_empty(s), "%s: something is left", w->what);
    usleep(50000);
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), 1, "%s", w->what);
    cr_assert_eq(server_place(s, EVENT_DISCONNECTED, 0), server_total(s) - 1, "%s: not last", w->what);
    cr_assert_eq(server_count(s, EVENT_ERROR), w->error ? 1 : 0, "%s", w->what);
    client_free(&c);
    server_free(s);
}

/* ---- by hand, before SSH has begun ----------------------------------------------------------------------------- */

struct opening {
    char what[48];
    char bytes[320];
    int repeat; /* the bytes are sent so often */
    int code;   /* -1: any but 0 */
};

ParameterizedTestParameters(class_ends, r17_what_is_no_identification_ends_the_connection)
{
    static struct opening cases[] = {
        {"HTTP", "GET / HTTP/1.0\r\n\r\n", 1, -1},
        {"SSH 1", "SSH-1.5-old\r\n", 1, NACRE_E_VERSION},
        {"a line that does not end", "SSH-2.0-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 20, -1},
        {"a NUL in the line", "SSH-2.0-\001\r\n", 1, -1},
        {"identification, then noise", "SSH-2.0-x\r\n\377\377\377\377\377\377\377\377\377\377\377\377", 1, -1},
    };
    return cr_make_param_array(struct opening, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct opening *o, class_ends, r17_what_is_no_identification_ends_the_connection, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    server_start(s, 1);
    int fd = client_socket(NULL, s->port);
    for (int i = 0; i < o->repeat; i++)
        (void)send(fd, o->bytes, strlen(o->bytes), MSG_NOSIGNAL);
    bool tolerated = strcmp(o->what, "a NUL in the line") == 0; /* control bytes are */
    if (server_wait_ms(s, EVENT_DISCONNECTED, 0, &e, tolerated ? 1000 : SERVER_WAIT_MS)) {
        cr_assert_neq(e.code, 0, "%s", o->what);
        if (o->code >= 0)
            cr_assert_eq(e.code, o->code, "%s: %d", o->what, e.code);
    } else {
        cr_assert(tolerated, "%s was taken", o->what);
    }
    close(fd);
    cr_assert(server_wait_empty(s));
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), 1);
    server_free(s);
}

/* ---- from inside handlers -------------------------------------------------------------------------------------- */

static void disconnect_on_connected(nacre_server *n, struct nacre_connected *e, void *context)
{
    server_on_connected(n, e, context);
    (void)nacre_disconnect(n, e->connection_id);
}

static void disconnect_on_auth(nacre_server *n, struct nacre_ssh_user_auth_request *e, void *context)
{
    server_on_ssh_user_auth_request(n, e, context);
    (void)nacre_disconnect(n, e->connection_id);
}

static void disconnect_on_open(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    server_on_ssh_channel_open_request(n, e, context);
    (void)nacre_disconnect(n, e->connection_id);
}

static void shut_down_on_data(nacre_server *n, struct nacre_ssh_channel_data_in *e, void *context)
{
    server_on_ssh_channel_data_in(n, e, context);
    (void)nacre_shutdown(n);
}

static void check_ended(struct server *s, struct client *c, int code)
{
    struct server_seen e;
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_assert_eq(e.code, code);
    client_free(c);
    cr_assert(server_wait_empty(s));
    cr_assert_eq(server_count(s, EVENT_DISCONNECTED), 1);
    server_free(s);
}

Test(class_ends, on_connected_may_disconnect)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_connected = disconnect_on_connected;
    server_start(s, 1);
    client_init(&c);
    cr_assert_not(client_connect(&c, s->port));
    check_ended(s, &c, NACRE_E_BY_APPLICATION);
}

Test(class_ends, a_login_handler_that_disconnects_and_accepts_does_not_let_in)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_user_auth_request = disconnect_on_auth;
    server_start(s, 1);
    cr_assert_not(client_start(&c, s->port));
    check_ended(s, &c, NACRE_E_BY_APPLICATION);
}

Test(class_ends, an_open_handler_may_disconnect)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_open_request = disconnect_on_open;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_assert_eq(client_open(&c, "session"), -1);
    check_ended(s, &c, NACRE_E_BY_APPLICATION);
}

static void end_and_accept(nacre_server *n, struct nacre_ssh_channel_open_request *e, void *context)
{
    (void)context;
    cr_expect_eq(nacre_send_exit_status(n, e->channel_id, 3), 0);
    cr_expect_eq(nacre_close_channel(n, e->channel_id), 0);
    e->accept = true;
}

/* Fails when what is said on a channel before it is open is forgotten. */
Test(class_ends, an_open_handler_may_close_the_channel_that_it_accepts)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_open_request = end_and_accept;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert_geq(ch, 0);
    cr_expect(client_wait(&c, &c.channels[ch].closed));
    cr_expect_eq(c.channels[ch].exit_status, 3);
    client_free(&c);
    server_free(s);
}

Test(class_ends, a_data_handler_may_shut_the_server_down)
{
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_channel_data_in = shut_down_on_data;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    cr_assert(client_send(&c, ch, "x", 1));
    cr_assert(client_wait_end(&c));
    bool listening = true;
    cr_assert_eq(nacre_get_listening(s->nacre, &listening), 0);
    cr_assert_not(listening);
    check_ended(s, &c, NACRE_E_SHUTDOWN);
}

static void *shut_down_often(void *argument)
{
    struct server *s = argument;
    for (int i = 0; i < 10000; i++)
        cr_assert_eq(nacre_shutdown(s->nacre), 0);
    return NULL;
}

/* A worker has one command for this, which may be asked for again while it is carried out: for ThreadSanitizer. */
Test(class_ends, several_threads_may_shut_the_server_down_at_once, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    pthread_t threads[3];
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, shut_down_often, s), 0);
    cr_assert(client_wait_end(&c));
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    check_ended(s, &c, NACRE_E_SHUTDOWN);
}

Test(class_ends, channels_are_closed_before_their_connection_is_disconnected)
{
    struct server *s = server_new();
    struct client c;
    server_start(s, 2);
    cr_assert(client_start(&c, s->port));
    for (int i = 0; i < 5; i++)
        cr_assert_geq(client_open(&c, "session"), 0);
    client_reset(&c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
    cr_assert_eq(server_count(s, EVENT_SSH_CHANNEL_CLOSED), 5);
    cr_assert_lt(server_place(s, EVENT_SSH_CHANNEL_CLOSED, 4), server_place(s, EVENT_DISCONNECTED, 0));
    cr_assert(server_wait_empty(s));
    client_free(&c);
    server_free(s);
}

static void look_on_disconnected(nacre_server *n, struct nacre_disconnected *e, void *context)
{
    struct server *s = context;
    bool connected = true;
    (void)nacre_get_ssh_connection_connected(n, e->connection_id, &connected);
    server_note(s, (struct server_seen){.type = EVENT_DISCONNECTED, .connection = e->connection_id, .code = connected});
}

Test(class_ends, a_connection_is_not_connected_any_more_in_on_disconnected)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    s->handlers.on_disconnected = look_on_disconnected;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    client_disconnect(&c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_assert_eq(e.code, 0, "ssh_connection_connected was true");
    client_free(&c);
    server_free(s);
}
