/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: what they are opened with, addresses, and error numbers. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/sock.h"
#include "support/client.h"

static int listen_fails_with; /* 0: it does not */

int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);

int __wrap_listen(int fd, int backlog)
{
    errno = listen_fails_with;
    return errno != 0 ? -1 : __real_listen(fd, backlog);
}

static io_socket listen_on(const char *host, uint16_t port, bool exclusive, enum nacre_error *error)
{
    io_socket s = IO_NO_SOCKET;
    const struct sock_listen options = {.host = host, .port = port, .backlog = 5, .exclusive = exclusive};
    *error = nacre_sock_listen(&options, &s);
    return s;
}

Test(engine_sock, a_listener_does_not_block_is_not_inherited_and_knows_its_port)
{
    enum nacre_error e;
    io_socket s = listen_on("127.0.0.1", 0, true, &e);
    cr_assert_eq(e, NACRE_OK);
    cr_assert_neq(fcntl(s, F_GETFL) & O_NONBLOCK, 0);
    cr_assert_neq(fcntl(s, F_GETFD) & FD_CLOEXEC, 0);
    cr_assert_neq(nacre_sock_port(s), 0);
    nacre_sock_close(s);
    nacre_sock_close(IO_NO_SOCKET);
}

Test(engine_sock, an_exclusive_port_is_not_shared_and_a_shared_one_is)
{
    enum nacre_error e;
    io_socket a = listen_on("127.0.0.1", 0, true, &e);
    io_socket b = listen_on("127.0.0.1", nacre_sock_port(a), true, &e);
    cr_assert_eq(e, NACRE_E_ADDRINUSE);
    cr_assert_eq(b, IO_NO_SOCKET);
    b = listen_on("127.0.0.1", nacre_sock_port(a), false, &e);
    cr_assert_eq(e, NACRE_E_ADDRINUSE);
    nacre_sock_close(a);
    a = listen_on("127.0.0.1", 0, false, &e);
    cr_assert_eq(e, NACRE_OK);
    b = listen_on("127.0.0.1", nacre_sock_port(a), false, &e);
    cr_assert_eq(e, NACRE_OK);
    nacre_sock_close(a);
    nacre_sock_close(b);
}

/* Fails when the system's choice is not heard of: what is sent is cut into pieces by it. */
Test(engine_sock, whether_sending_is_paced_is_known)
{
    char name[32] = "";
    FILE *f = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "r");
    if (f == NULL)
        cr_skip_test("no Linux, or none that says it");
    cr_assert_not_null(fgets(name, sizeof name, f));
    (void)fclose(f);
    cr_expect_eq(nacre_sock_paces(), strncmp(name, "bbr", 3) == 0, "%s", name);
}

/* What bind() has made would keep the name from the next who asks for it. */
Test(engine_sock, a_unix_socket_that_cannot_listen_leaves_no_file)
{
    char path[64];
    io_socket s = IO_NO_SOCKET;
    (void)snprintf(path, sizeof path, "/tmp/nacre-test-%d.sock", (int)getpid());
    listen_fails_with = ENOBUFS;
    cr_expect_eq(nacre_sock_listen_unix(path, 5, &s), NACRE_E_NOBUFS);
    cr_expect_eq(s, IO_NO_SOCKET);
    cr_expect_eq(access(path, F_OK), -1);
    listen_fails_with = 0;
    cr_assert_eq(nacre_sock_listen_unix(path, 5, &s), NACRE_OK);
    io_socket second = IO_NO_SOCKET;
    cr_expect_eq(nacre_sock_listen_unix(path, 5, &second), NACRE_E_ADDRINUSE);
    cr_expect_eq(access(path, F_OK), 0, "it is the first one's");
    nacre_sock_close(s);
    nacre_sock_unlink(path);
}

Test(engine_sock, both_ends_are_told_as_numbers)
{
    enum nacre_error e;
    char remote[SOCK_ADDRESS_MAX], local[SOCK_ADDRESS_MAX];
    int port = 0;
    io_socket s = listen_on("127.0.0.1", 0, true, &e);
    int fd = client_socket("127.0.0.3", nacre_sock_port(s));
    int accepted = -1;
    for (int i = 0; i < 100000 && accepted < 0; i++) {
        accepted = accept(s, NULL, NULL);
        usleep(1000);
    }
    cr_assert_geq(accepted, 0);
    cr_assert_eq(nacre_sock_addresses(accepted, remote, sizeof remote, &port, local, sizeof local), NACRE_OK);
    cr_assert_str_eq(remote, "127.0.0.3");
    cr_assert_str_eq(local, "127.0.0.1");
    cr_assert_eq(port, nacre_sock_port(fd));
    cr_assert_eq(nacre_sock_set_nodelay(accepted, true), NACRE_OK);
    cr_assert_eq(nacre_sock_set_buffers(accepted, 65536, 0), NACRE_OK);
    cr_assert_eq(nacre_sock_set_keepalive(accepted, 10000, 1000, 3), NACRE_OK);
    close(fd);
    close(accepted);
    nacre_sock_close(s);
}

Test(engine_sock, addresses_of_a_socket_that_is_none_are_empty)
{
    char remote[SOCK_ADDRESS_MAX] = "x", local[SOCK_ADDRESS_MAX] = "x";
    int port = 7;
    cr_assert_neq(nacre_sock_addresses(IO_NO_SOCKET, remote, sizeof remote, &port, local, sizeof local), NACRE_OK);
    cr_assert_str_eq(remote, "");
    cr_assert_str_eq(local, "");
    cr_assert_eq(port, 0);
}

struct parse_case {
    char text[56];
    unsigned size;
};

ParameterizedTestParameters(engine_sock, numeric_addresses_are_parsed_and_nothing_else)
{
    static struct parse_case cases[] = {
        {"127.0.0.1", 4},    {"255.255.255.255", 4}, {"::1", 16},
        {"2001:db8::7", 16}, {"::ffff:10.0.0.1", 4}, {"256.0.0.1", 0},
        {"1.2.3", 0},        {"1.2.3.4.5", 0},       {"", 0},
        {"localhost", 0},    {"127.0.0.1 ", 0},      {":::", 0},
        {"::1%lo", 0},
    };
    return cr_make_param_array(struct parse_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct parse_case *c, engine_sock, numeric_addresses_are_parsed_and_nothing_else)
{
    uint8_t bytes[16];
    cr_assert_eq(nacre_sock_parse_address(c->text, bytes), c->size, "\"%s\"", c->text);
}

struct number_case {
    int number;
    int error;
};

ParameterizedTestParameters(engine_sock, error_numbers_become_the_class_codes)
{
    static struct number_case cases[] = {
        {0, 0},
        {EADDRINUSE, 10048},
        {EADDRNOTAVAIL, 10049},
        {ECONNRESET, 10054},
        {EPIPE, 10054},
        {EMFILE, 10024},
        {ENFILE, 10024},
        {EACCES, 10013},
        {ENOBUFS, 10055},
        {ENOMEM, 10055},
        {ETIMEDOUT, 10060},
        {ECONNREFUSED, 10061},
        {EAFNOSUPPORT, 10047},
        {EINVAL, 10022},
        {99999, NACRE_E_INTERNAL},
        {-1, NACRE_E_INTERNAL},
    };
    return cr_make_param_array(struct number_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct number_case *c, engine_sock, error_numbers_become_the_class_codes)
{
    cr_assert_eq((int)nacre_error_from_errno(c->number), c->error, "errno %d gives %d", c->number,
                 (int)nacre_error_from_errno(c->number));
}

Test(engine_sock, lookups_that_fail_have_codes_of_their_own)
{
    cr_assert_eq(nacre_error_from_lookup(0), NACRE_OK);
    cr_assert_eq(nacre_error_from_lookup(EAI_NONAME), NACRE_E_HOST_NOT_FOUND);
    cr_assert_eq(nacre_error_from_lookup(EAI_AGAIN), NACRE_E_TRY_AGAIN);
    cr_assert_eq(nacre_error_from_lookup(EAI_FAIL), NACRE_E_NO_RECOVERY);
    errno = EMFILE;
    cr_assert_eq(nacre_error_from_lookup(EAI_SYSTEM), NACRE_E_MFILE);
}
