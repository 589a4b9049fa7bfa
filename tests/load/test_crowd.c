/* SPDX-License-Identifier: Apache-2.0 */
/* Many connections at once over each back end of this system. How many is for the environment to say; without that,
 * what a loaded machine does in a minute. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plat.h"
#include "load/load.h"

enum {
    HELLO = 1024
};

static bool echoes(struct client *c)
{
    uint8_t hello[HELLO];
    struct client_channel *ch = &c->channels[0];
    size_t before = ch->received;
    for (size_t i = 0; i < sizeof hello; i++)
        hello[i] = (uint8_t)(i * 31 + before);
    return client_send(c, 0, hello, sizeof hello) && client_wait_count(c, &ch->received, before + sizeof hello) &&
           memcmp(ch->data.at + before, hello, sizeof hello) == 0;
}

static void come_in(void *argument)
{
    struct caller *caller = argument;
    for (size_t i = 0; i < caller->count; i++) {
        struct client *c = &caller->clients[i];
        client_init_with(c, caller->crypto);
        caller->good += client_connect(c, caller->port) && client_login(c, "user", "pw") &&
                        client_open(c, "session") == 0 && echoes(c);
    }
}

static void speak_again(void *argument)
{
    struct caller *caller = argument;
    for (size_t i = 0; i < caller->count; i++)
        caller->good += echoes(&caller->clients[i]);
}

ParameterizedTestParameters(load_crowd, everybody_logs_in_and_is_heard)
{
    return load_models();
}

ParameterizedTest(char model[32], load_crowd, everybody_logs_in_and_is_heard, .timeout = 3000)
{
    const size_t count = load_number("NACRE_TEST_CROWD", 200);
    load_needs(model);
    struct client *clients = calloc(count, sizeof *clients);
    struct server *s = load_server(model, count);
    s->echo = true;
    server_start(s, 1);
    const struct caller how = {.crypto = nacre_crypto_open(false), .port = s->port};
    int64_t begun = nacre_clock_ns();
    size_t came = load_all_do(clients, count, &how, come_in);
    int64_t in = nacre_clock_ns();
    size_t handles = server_descriptors(), heard = came == count ? load_all_do(clients, count, &how, speak_again) : 0;
    printf("%s: %zu connections in %.1f s, all heard again in %.1f s, %zu handles\n", model, came,
           (double)(in - begun) / 1e9, (double)(nacre_clock_ns() - in) / 1e9, handles);
    cr_expect_eq(came, count, "%s: %zu came in", model, came);
    cr_expect_eq(heard, count, "%s: %zu were heard", model, heard);
    server_free(s);
    for (size_t i = 0; i < count; i++)
        client_free(&clients[i]);
    nacre_crypto_unref(how.crypto);
    free(clients);
}
