/* SPDX-License-Identifier: Apache-2.0 */
/* The errors of the system, as the application gets them: real ones where a process can bring them about, and for the
 * others the kernel is told to answer the call so (apart_refuse()), which leaves everything above it as it always is.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/apart.h"
#include "support/client.h"
#include "support/server.h"
#include "wire/wr.h"

enum {
    DESCRIPTORS = 100
};

/* Criterion itself says nothing of why. */
static void skip(const char *why)
{
    fprintf(stderr, "[SKIP] class_errors: %s\n", why);
    cr_skip_test("%s", why);
}

static void enter_or_skip(void)
{
    if (!apart_enter())
        skip("no network of its own is permitted here");
}

/* Starting fails with that code, and the text of the error is told. */
static void expect_start_fails(struct server *s, int code)
{
    int e = nacre_start_listening(s->nacre);
    cr_expect_eq(e, code, "%d instead of %d: %s", e, code, nacre_last_error(s->nacre));
    cr_expect_not_null(strstr(nacre_last_error(s->nacre), nacre_error_text(code)), "%s", nacre_last_error(s->nacre));
}

/* ---- what listening may meet ----------------------------------------------------------------------------------- */

Test(class_errors, a_port_that_is_not_ours_to_take_is_10013)
{
    enter_or_skip();
    cr_assert(apart_drop_bind());
    struct server *s = server_new();
    cr_assert_eq(nacre_set_local_port(s->nacre, 22), 0);
    expect_start_fails(s, 10013);
    server_free(s);
}

/* Takes every descriptor there may be; a low limit, which the engine cannot raise, keeps that short. */
static size_t take_descriptors(int taken[DESCRIPTORS])
{
    const struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};
    size_t count = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (count < DESCRIPTORS && (taken[count] = dup(STDIN_FILENO)) >= 0)
        count++;
    cr_assert_eq(errno, EMFILE);
    return count;
}

static void give_descriptors(const int *taken, size_t count)
{
    while (count != 0)
        close(taken[--count]);
}

Test(class_errors, without_descriptors_starting_is_10024_and_works_afterwards)
{
    struct server *s = server_new();
    int taken[DESCRIPTORS];
    server_set(s, "MaxConnections=8"); /* what the limit has room for */
    size_t count = take_descriptors(taken);
    expect_start_fails(s, 10024);
    give_descriptors(taken, count);
    cr_expect_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    server_free(s);
}

Test(class_errors, without_descriptors_accepting_is_10024_and_goes_on_afterwards, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    server_start(s, 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    cr_assert_eq(getsockname(server_listener(s), (struct sockaddr *)&at, &len), 0);
    int taken[DESCRIPTORS];
    size_t count = take_descriptors(taken);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&at, len), 0);
    cr_assert(server_wait(s, EVENT_ERROR, 0, &e));
    cr_expect_eq(e.code, 10024, "%d %s", e.code, e.text);
    cr_expect_eq(e.connection, 0);
    cr_expect_not_null(strstr(e.text, nacre_error_text(10024)), "%s", e.text);
    give_descriptors(taken, count);
    cr_expect(server_wait(s, EVENT_CONNECTED, 0, NULL), "the one that waited");
    close(fd);
    cr_assert(client_start(&c, s->port));
    client_free(&c);
    server_free(s);
}

Test(class_errors, without_threads_starting_is_10067)
{
    struct server *s = server_new();
    if (!apart_refuse(SYS_clone3, -1, EAGAIN)) /* glibc's way; LeakSanitizer has another at the end */
        skip("no system call may be refused here");
    expect_start_fails(s, 10067);
    server_free(s);
}

/* Every error that a call to the system may answer with. */
static const struct {
    int number, code;
    bool ends; /* a connection: its socket is of no more use. The others are tried again, or ask for patience. */
} errors[] = {
    {EINTR, 10004, false},       {EBADF, 10009, true},           {EACCES, 10013, true},
    {EPERM, 10013, true},        {EFAULT, 10014, true},          {EINVAL, 10022, true},
    {EMFILE, 10024, true},       {ENFILE, 10024, true},          {EWOULDBLOCK, 10035, false},
    {EINPROGRESS, 10036, true},  {EALREADY, 10037, true},        {ENOTSOCK, 10038, true},
    {EDESTADDRREQ, 10039, true}, {EMSGSIZE, 10040, true},        {EPROTOTYPE, 10041, true},
    {ENOPROTOOPT, 10042, true},  {EPROTONOSUPPORT, 10043, true}, {ESOCKTNOSUPPORT, 10044, true},
    {EOPNOTSUPP, 10045, true},   {EPFNOSUPPORT, 10046, true},    {EAFNOSUPPORT, 10047, true},
    {EADDRINUSE, 10048, true},   {EADDRNOTAVAIL, 10049, true},   {ENETDOWN, 10050, true},
    {ENETUNREACH, 10051, true},  {ENETRESET, 10052, true},       {ECONNABORTED, 10053, true},
    {ECONNRESET, 10054, true},   {EPIPE, 10054, true},           {ENOBUFS, 10055, true},
    {ENOMEM, 10055, true},       {EISCONN, 10056, true},         {ENOTCONN, 10057, true},
    {ESHUTDOWN, 10058, true},    {ETOOMANYREFS, 10059, true},    {ETIMEDOUT, 10060, true},
    {ECONNREFUSED, 10061, true}, {ELOOP, 10062, true},           {ENAMETOOLONG, 10063, true},
    {EHOSTDOWN, 10064, true},    {EHOSTUNREACH, 10065, true},    {ENOTEMPTY, 10066, true},
    {EUSERS, 10068, true},       {EDQUOT, 10069, true},          {ESTALE, 10070, true},
    {EREMOTE, 10071, true},
};

enum {
    ERRORS = sizeof errors / sizeof *errors
};

static void fail_to_listen(long call)
{
    struct server *s = server_new();
    for (size_t i = 0; i < ERRORS; i++) {
        if (!apart_refuse(call, -1, errors[i].number))
            skip("no system call may be refused here");
        expect_start_fails(s, errors[i].code);
    }
    server_free(s);
}

Test(class_errors, whatever_binding_meets_is_the_code_of_start_listening, .timeout = 240)
{
    fail_to_listen(SYS_bind);
}

Test(class_errors, whatever_listening_meets_is_the_code_of_start_listening, .timeout = 240)
{
    fail_to_listen(SYS_listen);
}

/* ---- what connections may meet --------------------------------------------------------------------------------- */

/* Of which one or the other does the same work; 0 ends a list. */
#define CALLS 3
static const long receiving[CALLS] = {SYS_recvfrom}, sending[CALLS] = {SYS_sendto, SYS_sendmsg};

static bool refuse(const long *calls, int fd, int number)
{
    bool all = true;
    for (; *calls != 0; calls++)
        all = apart_refuse(*calls, fd, number) && all;
    return all;
}

/* A client logs in, the calls fail for its socket, and something is to be received or sent. */
static void break_connection(struct server *s, size_t n, const long *calls, int number, int code)
{
    struct server_seen e;
    struct client c;
    cr_assert(client_start(&c, s->port));
    int fd = server_socket_of(s, c.fd);
    cr_assert_geq(fd, 0);
    cr_assert(refuse(calls, fd, number));
    uint32_t channel;
    cr_assert_eq(nacre_chan_open(c.conn, span_str("session"), span_of(NULL, 0), &channel, nacre_clock_ns()), NACRE_OK);
    while (client_turn(&c, 20) && !c.ended)
        ;
    cr_assert(server_wait(s, EVENT_DISCONNECTED, n, &e), "%s", strerror(number));
    cr_expect_eq(e.code, code, "%s gives %d, %s", strerror(number), e.code, e.text);
    cr_expect_str_eq(e.text, nacre_error_text(code));
    client_free(&c);
    cr_assert(server_wait_empty(s));
    cr_assert_eq(dup2(STDIN_FILENO, fd), fd); /* the number stays refused: nobody else shall get it */
}

static void break_connections(const long *calls)
{
    struct server *s = server_new();
    size_t n = 0;
    if (!refuse(calls, 12345, EIO))
        skip("no system call may be refused here");
    server_start(s, 1);
    for (size_t i = 0; i < ERRORS; i++)
        if (errors[i].ends)
            break_connection(s, n++, calls, errors[i].number, errors[i].code);
    server_free(s);
}

Test(class_errors, whatever_receiving_meets_is_told_by_on_disconnected, .timeout = 240)
{
    break_connections(receiving);
}

Test(class_errors, whatever_sending_meets_is_told_by_on_disconnected, .timeout = 240)
{
    break_connections(sending);
}

Test(class_errors, a_reset_is_10054, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    client_reset(&c);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, 10054, "%d %s", e.code, e.text);
    cr_expect_str_eq(e.text, nacre_error_text(10054));
    client_free(&c);
    server_free(s);
}

/* The network goes, and TCP's own keep-alive finds out; SSH's is off. */
Test(class_errors, a_peer_that_is_gone_is_10060_by_tcp_keep_alive, .timeout = 240)
{
    enter_or_skip();
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    server_set(s, "KeepAliveTime=1000");
    server_set(s, "KeepAliveInterval=1000");
    server_set(s, "KeepAliveRetryCount=2");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    client_pump(&c, 500); /* whatever was still to be acknowledged has been */
    cr_assert(apart_loopback(false));
    cr_assert(server_wait_ms(s, EVENT_DISCONNECTED, 0, &e, 60000));
    cr_expect_eq(e.code, 10060, "%d %s", e.code, e.text);
    cr_expect_str_eq(e.text, nacre_error_text(10060));
    client_free(&c);
    server_free(s);
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

Test(class_errors, what_a_name_server_answers_has_its_code, .timeout = 240)
{
    static const struct {
        const char *name;
        int code;
    } names[] = {{"nxdomain.test", 11001}, {"servfail.test", 11002}, {"empty.test", 11004}};
    enter_or_skip();
    struct server *s = server_new();
    if (!apart_names_begin())
        skip("no /etc of its own is permitted here");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert_eq(nacre_set_local_host(s->nacre, names[i].name), 0);
        expect_start_fails(s, names[i].code);
    }
    /* The C library decides whether this is told from a name that does not exist; glibc does not. */
    cr_assert_eq(nacre_set_local_host(s->nacre, "formerr.test"), 0);
    int e = nacre_start_listening(s->nacre);
    cr_expect(e == 11003 || e == 11001, "%d %s", e, nacre_last_error(s->nacre));
    cr_assert_eq(nacre_set_local_host(s->nacre, "here.test"), 0);
    cr_expect_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    server_free(s);
    apart_names_end();
}

/* ---- what tunnels may meet: 1201, and the error in its text ---------------------------------------------------- */

static void let_through(nacre_server *n, struct nacre_ssh_tunnel_requested *e, void *context)
{
    (void)n;
    (void)context;
    e->accept = true;
}

/* RFC 4254 section 7.2, OpenSSH's PROTOCOL section 2.4. */
static void open_tunnel(struct client *c, const char *address, int port)
{
    uint8_t data[512];
    struct wr w = wr_over(data, sizeof data);
    uint32_t channel;
    wr_cstring(&w, address);
    if (port != 0)
        wr_u32(&w, (uint32_t)port);
    wr_cstring(&w, "127.0.0.1");
    wr_u32(&w, 4711);
    const char *kind = port != 0 ? "direct-tcpip" : "direct-streamlocal@openssh.com";
    cr_assert_eq(nacre_chan_open(c->conn, span_str(kind), wr_span(&w), &channel, nacre_clock_ns()), NACRE_OK);
    c->channels[channel].failed = false;
    cr_assert(client_wait(c, &c->channels[channel].failed), "%s", address);
}

static void expect_tunnel_fails(struct server *s, struct client *c, const char *address, int port, int code)
{
    size_t n = server_count(s, EVENT_ERROR);
    struct server_seen e;
    char wanted[40]; /* the record keeps the beginning of a text */
    (void)snprintf(wanted, sizeof wanted, "%s", nacre_error_text(code));
    open_tunnel(c, address, port);
    cr_assert(server_wait(s, EVENT_ERROR, n, &e));
    cr_expect_eq(e.code, 1201, "%s: %d %s", address, e.code, e.text);
    cr_expect_not_null(strstr(e.text, wanted), "%s", e.text);
}

Test(class_errors, what_keeps_a_tunnel_from_connecting_is_told_by_1201, .timeout = 240)
{
    enter_or_skip();
    struct server *s = server_new();
    struct client c;
    s->handlers.on_ssh_tunnel_requested = let_through;
    if (!apart_names_begin())
        skip("no /etc of its own is permitted here");
    cr_assert(apart_route_unreachable("192.0.2.1"));
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    expect_tunnel_fails(s, &c, "127.0.0.1", 1, 10061);
    expect_tunnel_fails(s, &c, "192.0.2.1", 80, 10065);
    expect_tunnel_fails(s, &c, "192.0.2.2", 80, 10051);
    expect_tunnel_fails(s, &c, "nxdomain.test", 80, 11001);
    expect_tunnel_fails(s, &c, "servfail.test", 80, 11002);
    expect_tunnel_fails(s, &c, "empty.test", 80, 11004);
    client_free(&c);
    server_free(s);
    apart_names_end();
}

/* A path with the test's process in it. */
static struct sockaddr_un own_path(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "/tmp/nacre-errors-%d-%s", (int)getpid(), name);
    (void)unlink(a.sun_path);
    return a;
}

Test(class_errors, what_a_path_leads_to_is_told_by_1201, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct sockaddr_un datagrams = own_path("datagrams"), loop = own_path("loop");
    s->handlers.on_ssh_tunnel_requested = let_through;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&datagrams, sizeof datagrams), 0);
    cr_assert_eq(symlink(loop.sun_path, loop.sun_path), 0);
    expect_tunnel_fails(s, &c, datagrams.sun_path, 0, 10041);
    expect_tunnel_fails(s, &c, loop.sun_path, 0, 10062);
    expect_tunnel_fails(s, &c, "", 0, 10039);
    close(fd);
    (void)unlink(datagrams.sun_path);
    (void)unlink(loop.sun_path);
    client_free(&c);
    server_free(s);
}
