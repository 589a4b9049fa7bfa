/* SPDX-License-Identifier: Apache-2.0 */
/* See load.h. */
#include "load/load.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plat.h"
#include "engine/io_pick.h"

size_t load_number(const char *variable, size_t otherwise)
{
    const char *text = getenv(variable);
    return text == NULL ? otherwise : (size_t)strtoul(text, NULL, 10);
}

void load_needs(const char *model)
{
    const char *why = "it is not part of this build";
    if (nacre_io_name(model) != NULL && nacre_io_pick(model, &why) != NULL)
        return;
    printf("%s is not to be had: %s\n", model, why);
    cr_skip_test("no such back end");
}

struct server *load_server(const char *model, size_t connections)
{
    struct server *s = server_new();
    char setting[64];
    (void)snprintf(setting, sizeof setting, "IOBackend=%s", model);
    server_set(s, setting);
    /* Twice: the clients' sockets count, too. */
    (void)snprintf(setting, sizeof setting, "MaxConnections=%zu", 2 * connections);
    server_set(s, setting);
    cr_assert_eq(nacre_set_connection_backlog(s->nacre, 1000), 0);
    s->records_data = false;
    return s;
}

size_t load_all_do(struct client *clients, size_t count, const struct caller *how, void (*what)(void *))
{
    plat_thread threads[LOAD_CALLERS];
    struct caller callers[LOAD_CALLERS];
    size_t good = 0;
    for (size_t i = 0; i < LOAD_CALLERS; i++) {
        size_t from = count * i / LOAD_CALLERS, to = count * (i + 1) / LOAD_CALLERS;
        callers[i] = *how;
        callers[i].clients = clients + from;
        callers[i].count = to - from;
        callers[i].good = 0;
        cr_assert(nacre_thread_start(&threads[i], what, &callers[i], "caller"));
    }
    for (size_t i = 0; i < LOAD_CALLERS; i++) {
        nacre_thread_join(threads[i]);
        good += callers[i].good;
    }
    return good;
}
