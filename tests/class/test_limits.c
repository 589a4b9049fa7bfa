/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, strict key exchange, keep-alives, sockets and addresses; and the codes of the system's errors. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/sock.h"
#include "support/client.h"
#include "support/server.h"

Test(class_limits, version_strings_are_sent_and_matched, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    char line[64] = "";
    server_set(s, "ServerSSHVersionString=SSH-2.0-my_own");
    server_set(s, "SSHVersionPattern=SSH-2.0-Open*");
    server_start(s, 1);
    int fd = client_socket(NULL, s->port);
    cr_assert_geq(fd, 0);
    cr_assert_geq(read(fd, line, sizeof line - 1), 16);
    cr_expect_eq(strncmp(line, "SSH-2.0-my_own\r\n", 16), 0, "%s", line);
    close(fd);
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, NULL));
    client_init(&c);
    cr_expect_not(client_connect(&c, s->port));
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 1, &e));
    cr_expect_eq(e.code, NACRE_E_VERSION, "%d %s", e.code, e.text);
    client_free(&c);
    client_init(&c);
    c.config.version = "SSH-2.0-OpenSSH_made_up";
    cr_expect(client_connect(&c, s->port));
    client_free(&c);
    server_free(s);
}

static bool strict_connects(const char *server_mode, unsigned client_mode)
{
    struct server *s = server_new();
    struct client c;
    server_set(s, server_mode);
    server_start(s, 1);
    client_init(&c);
    c.config.strict_kex = client_mode;
    bool connected = client_connect(&c, s->port);
    client_free(&c);
    server_free(s);
    return connected;
}

Test(class_limits, strict_key_exchange_may_be_required, .timeout = 240)
{
    cr_expect(strict_connects("UseStrictKeyExchange=0", 1));
    cr_expect(strict_connects("UseStrictKeyExchange=1", 0));
    cr_expect(strict_connects("UseStrictKeyExchange=3", 1));
    cr_expect_not(strict_connects("UseStrictKeyExchange=3", 0));
}

Test(class_limits, a_peer_that_answers_no_keep_alive_is_dropped, .timeout = 240)
{
    struct server *s = server_new();
    struct server_seen e;
    struct client c;
    server_set(s, "SSHKeepAliveInterval=1");
    server_set(s, "SSHKeepAliveCountMax=1");
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    /* It is not turned any more, so it answers nothing. */
    cr_assert(server_wait(s, EVENT_DISCONNECTED, 0, &e));
    cr_expect_eq(e.code, NACRE_E_TIMEOUT_KEEPALIVE, "%d %s", e.code, e.text);
    client_free(&c);
    server_free(s);
}

Test(class_limits, a_shared_port_may_be_listened_on_twice, .timeout = 240)
{
    struct server *a = server_new(), *b = server_new();
    server_set(a, "BindExclusively=False");
    server_set(b, "BindExclusively=False");
    server_start(a, 1);
    cr_assert_eq(nacre_set_local_port(b->nacre, a->port), 0);
    cr_expect_eq(nacre_start_listening(b->nacre), 0, "%s", nacre_last_error(b->nacre));
    server_free(b);
    server_free(a);
}

Test(class_limits, an_address_of_the_other_family_is_11004)
{
    struct server *s = server_new();
    server_set(s, "UseIPv6=1");
    cr_assert_eq(nacre_set_local_host(s->nacre, "127.0.0.1"), 0);
    cr_expect_eq(nacre_start_listening(s->nacre), NACRE_E_NO_DATA, "%s", nacre_last_error(s->nacre));
    cr_expect_neq(strstr(nacre_last_error(s->nacre), "UseIPv6 is 1"), NULL, "%s", nacre_last_error(s->nacre));
    server_set(s, "UseIPv6=0");
    cr_assert_eq(nacre_set_local_host(s->nacre, "::1"), 0);
    cr_expect_eq(nacre_start_listening(s->nacre), NACRE_E_NO_DATA, "%s", nacre_last_error(s->nacre));
    cr_expect_neq(strstr(nacre_last_error(s->nacre), "UseIPv6 is 0"), NULL, "%s", nacre_last_error(s->nacre));
    server_free(s);
}

Test(class_limits, what_a_lookup_gives_has_its_code)
{
    cr_expect_eq(nacre_error_from_lookup(EAI_NONAME), 11001);
    cr_expect_eq(nacre_error_from_lookup(EAI_AGAIN), 11002);
    cr_expect_eq(nacre_error_from_lookup(EAI_FAIL), 11003);
    cr_expect_eq(nacre_error_from_lookup(EAI_NODATA), 11004);
    cr_expect_eq(nacre_error_from_lookup(0), 0);
}

Test(class_limits, errors_of_the_system_have_their_codes)
{
    static const struct {
        int number, code;
    } errors[] = {{EINTR, 10004},         {EBADF, 10009},        {EACCES, 10013},          {EFAULT, 10014},
                  {EINVAL, 10022},        {EMFILE, 10024},       {EWOULDBLOCK, 10035},     {EINPROGRESS, 10036},
                  {EALREADY, 10037},      {ENOTSOCK, 10038},     {EDESTADDRREQ, 10039},    {EMSGSIZE, 10040},
                  {EPROTOTYPE, 10041},    {ENOPROTOOPT, 10042},  {EPROTONOSUPPORT, 10043}, {ESOCKTNOSUPPORT, 10044},
                  {EOPNOTSUPP, 10045},    {EPFNOSUPPORT, 10046}, {EAFNOSUPPORT, 10047},    {EADDRINUSE, 10048},
                  {EADDRNOTAVAIL, 10049}, {ENETDOWN, 10050},     {ENETUNREACH, 10051},     {ENETRESET, 10052},
                  {ECONNABORTED, 10053},  {ECONNRESET, 10054},   {ENOBUFS, 10055},         {EISCONN, 10056},
                  {ENOTCONN, 10057},      {ESHUTDOWN, 10058},    {ETOOMANYREFS, 10059},    {ETIMEDOUT, 10060},
                  {ECONNREFUSED, 10061},  {ELOOP, 10062},        {ENAMETOOLONG, 10063},    {EHOSTDOWN, 10064},
                  {EHOSTUNREACH, 10065},  {ENOTEMPTY, 10066},    {EUSERS, 10068},          {EDQUOT, 10069},
                  {ESTALE, 10070},        {EREMOTE, 10071}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        cr_expect_eq((int)nacre_error_from_errno(errors[i].number), errors[i].code, "%s", strerror(errors[i].number));
}
