/* SPDX-License-Identifier: Apache-2.0 */
/* What settings make of sockets, read from the sockets themselves: options, backlog, sharing of ports, address
 * families. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/apart.h"
#include "support/client.h"
#include "support/server.h"

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0, "%s", strerror(errno));
    return value;
}

/* ---- options of accepted sockets ------------------------------------------------------------------------------- */

static const struct {
    const char *setting;
    int level, name;
    int value; /* what the socket has then; the system counts in seconds, and doubles the size of buffers */
} options[] = {
    {"TcpNoDelay=True", IPPROTO_TCP, TCP_NODELAY, 1},          {"KeepAliveTime=30000", IPPROTO_TCP, TCP_KEEPIDLE, 30},
    {"KeepAliveInterval=2500", IPPROTO_TCP, TCP_KEEPINTVL, 3}, {"KeepAliveRetryCount=4", IPPROTO_TCP, TCP_KEEPCNT, 4},
    {"InBufferSize=30000", SOL_SOCKET, SO_RCVBUF, 60000},      {"OutBufferSize=40000", SOL_SOCKET, SO_SNDBUF, 80000},
};

enum {
    OPTIONS = sizeof options / sizeof *options
};

/* The options of the server's socket for a client that is logged in, and whether keep-alive is on. */
static void read_options(struct server *s, int values[OPTIONS], int *keep_alive)
{
    struct client c;
    cr_assert(client_start(&c, s->port));
    int fd = server_socket_of(s, c.fd);
    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < OPTIONS; i++)
        values[i] = option(fd, options[i].level, options[i].name);
    *keep_alive = option(fd, SOL_SOCKET, SO_KEEPALIVE);
    client_free(&c);
}

Test(class_sockets, accepted_sockets_have_the_options_of_the_settings, .timeout = 240)
{
    struct server *s = server_new();
    int values[OPTIONS], keep_alive;
    for (size_t i = 0; i < OPTIONS; i++)
        server_set(s, options[i].setting);
    server_start(s, 1);
    read_options(s, values, &keep_alive);
    for (size_t i = 0; i < OPTIONS; i++)
        cr_expect_eq(values[i], options[i].value, "%s gives %d", options[i].setting, values[i]);
    cr_expect_eq(keep_alive, 1);
    server_free(s);
}

/* Each of the three turns keep-alive on; the default leaves everything as the system has it. */
Test(class_sockets, one_setting_changes_one_option, .timeout = 240)
{
    int before[OPTIONS], values[OPTIONS], keep_alive;
    struct server *s = server_new();
    server_start(s, 1);
    read_options(s, before, &keep_alive);
    cr_expect_eq(keep_alive, 0);
    server_free(s);
    for (size_t set = 0; set < OPTIONS; set++) {
        cr_expect_neq(before[set], options[set].value, "%s says nothing here", options[set].setting);
        s = server_new();
        server_set(s, options[set].setting);
        server_start(s, 1);
        read_options(s, values, &keep_alive);
        cr_expect_eq(keep_alive, strncmp(options[set].setting, "KeepAlive", 9) == 0);
        for (size_t i = 0; i < OPTIONS; i++)
            if (options[i].level != SOL_SOCKET || i == set) /* the system sizes buffers as it goes along */
                cr_expect_eq(values[i], i == set ? options[i].value : before[i], "%s: option %zu is %d",
                             options[set].setting, i, values[i]);
        server_free(s);
    }
}

/* ---- listening sockets ----------------------------------------------------------------------------------------- */

/* Of a listener, tcpi_sacked is how many connections may wait. */
static unsigned backlog_of(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    cr_assert_eq(info.tcpi_state, TCP_LISTEN);
    return info.tcpi_sacked;
}

Test(class_sockets, the_backlog_is_the_systems_to_keep)
{
    static const int backlogs[] = {5, 1, 37};
    struct server *s = server_new();
    for (size_t i = 0; i < sizeof backlogs / sizeof *backlogs; i++) {
        if (i != 0)
            cr_assert_eq(nacre_set_connection_backlog(s->nacre, backlogs[i]), 0);
        server_start(s, 0);
        cr_expect_eq(backlog_of(server_listener(s)), (unsigned)backlogs[i], "%u", backlog_of(server_listener(s)));
        cr_assert_eq(nacre_stop_listening(s->nacre), 0);
        cr_assert_eq(nacre_set_local_port(s->nacre, 0), 0);
    }
    server_free(s);
}

/* What another process of this account meets when it wants to share the port; 0: it may. */
static int another_process_binds(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, status = -1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool done = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
                    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                    bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0;
        _exit(done ? 0 : errno);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

Test(class_sockets, an_exclusive_port_is_closed_to_other_processes_and_a_shared_one_is_not)
{
    struct server *s = server_new();
    server_start(s, 0);
    cr_expect_eq(another_process_binds(s->port), EADDRINUSE);
    server_free(s);
    s = server_new();
    server_set(s, "BindExclusively=False");
    server_start(s, 0);
    cr_expect_eq(another_process_binds(s->port), 0);
    server_free(s);
}

/* ---- families -------------------------------------------------------------------------------------------------- */

/* True when a server answers there with its version. */
static bool answers(int family, int port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    char line[8] = "";
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in6.sin6_addr = in6addr_loopback;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = family == AF_INET ? connect(fd, (const struct sockaddr *)&in, sizeof in) == 0
                                       : connect(fd, (const struct sockaddr *)&in6, sizeof in6) == 0;
    bool said = connected && recv(fd, line, 8, MSG_WAITALL) == 8 && memcmp(line, "SSH-2.0-", 8) == 0;
    close(fd);
    return said;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return has;
}

/* A network of its own where that is permitted: it has its ::1 even where this machine's is switched off, and nobody
 * else listens there on the same port of the other family. */
static void need_ipv6(void)
{
    (void)apart_enter();
    if (has_ipv6())
        return;
    fprintf(stderr, "[SKIP] class_sockets: no IPv6 on this system\n");
    cr_skip_test("no IPv6 on this system");
}

/* Listens on every address of the families of that setting. */
static struct server *listen_everywhere(const char *setting)
{
    struct server *s = server_new();
    server_set(s, setting);
    cr_assert_eq(nacre_set_local_host(s->nacre, ""), 0);
    server_start(s, 1);
    return s;
}

Test(class_sockets, use_ipv6_chooses_the_families_that_are_listened_on, .timeout = 240)
{
    static const struct {
        const char *setting;
        bool ipv4, ipv6;
    } cases[] = {{"UseIPv6=0", true, false}, {"UseIPv6=1", false, true}, {"UseIPv6=2", true, true}};
    need_ipv6();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server *s = listen_everywhere(cases[i].setting);
        cr_expect_eq(answers(AF_INET, s->port), cases[i].ipv4, "%s", cases[i].setting);
        cr_expect_eq(answers(AF_INET6, s->port), cases[i].ipv6, "%s", cases[i].setting);
        server_free(s);
    }
}

Test(class_sockets, with_both_families_addresses_are_told_as_what_they_are, .timeout = 240)
{
    struct server_seen e;
    need_ipv6();
    struct server *s = listen_everywhere("UseIPv6=2");
    cr_assert(answers(AF_INET6, s->port));
    cr_assert(server_wait(s, EVENT_CONNECTION_REQUEST, 0, &e));
    cr_expect_str_eq(e.text, "::1");
    cr_assert(answers(AF_INET, s->port));
    cr_assert(server_wait(s, EVENT_CONNECTION_REQUEST, 1, &e));
    cr_expect_str_eq(e.text, "127.0.0.1");
    server_free(s);
}

Test(class_sockets, an_ipv6_address_is_listened_on_when_told_to, .timeout = 240)
{
    char host[64];
    need_ipv6();
    struct server *s = server_new();
    server_set(s, "UseIPv6=1");
    cr_assert_eq(nacre_set_local_host(s->nacre, "::1"), 0);
    server_start(s, 1);
    cr_expect(answers(AF_INET6, s->port));
    cr_expect_eq(nacre_get_local_host(s->nacre, host, sizeof host), 0);
    cr_expect_str_eq(host, "::1");
    server_free(s);
}
