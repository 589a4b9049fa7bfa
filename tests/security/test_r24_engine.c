/* SPDX-License-Identifier: Apache-2.0 */
/* Rules R24 and R38: lengths past 32 bits, and handlers that are not there. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "support/client.h"
#include "support/server.h"

/* 4 GiB and a little more in one call: taken is what there is room for, and never 0 by a cut length. */
Test(security, r24_a_send_of_4_gib_is_not_cut_to_32_bits, .timeout = 240)
{
    const size_t len = ((size_t)1 << 32) + 5;
    struct server *s = server_new();
    struct client c;
    struct server_seen e;
    size_t sent = 0;
    void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        cr_skip_test("no address space for 4 GiB");
    cr_assert_eq(nacre_set_default_timeout(s->nacre, 0), 0);
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    int ch = client_open(&c, "session");
    c.channels[ch].kept_nothing = true;
    cr_assert(server_wait(s, EVENT_SSH_CHANNEL_OPEN_REQUEST, 0, &e));
    cr_expect_eq(nacre_send_bytes(s->nacre, e.channel, bytes, len), NACRE_E_WOULDBLOCK);
    cr_assert_eq(nacre_get_bytes_sent(s->nacre, e.channel, &sent), 0);
    cr_expect_gt(sent, 5);
    cr_expect(client_wait_count(&c, &c.channels[ch].received, sent), "%zu of %zu", c.channels[ch].received, sent);
    munmap(bytes, len);
    client_free(&c);
    server_free(s);
}

/* Without handlers nobody logs in; with one for the login alone, nothing opens. */
Test(security, r38_handlers_that_are_not_set_refuse, .timeout = 240)
{
    struct server *s = server_new();
    struct client c;
    struct nacre_handlers login = {.on_ssh_user_auth_request = s->handlers.on_ssh_user_auth_request};
    s->handlers = (struct nacre_handlers){.on_connected = NULL};
    server_start(s, 1);
    client_init(&c);
    cr_assert(client_connect(&c, s->port));
    cr_expect_not(client_login(&c, "user", "pw"));
    client_free(&c);
    cr_assert(server_wait_empty(s));
    server_free(s);

    s = server_new();
    s->handlers = login;
    server_start(s, 1);
    cr_assert(client_start(&c, s->port));
    cr_expect_eq(client_open(&c, "session"), -1);
    cr_expect_eq(client_open(&c, "direct-tcpip"), -1);
    cr_expect_not(c.ended);
    client_free(&c);
    server_free(s);
}
