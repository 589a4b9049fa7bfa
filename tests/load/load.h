/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests with many connections share: the back ends of this system, a server over one of them, and threads that
 * play its clients. */
#ifndef TESTS_LOAD_H
#define TESTS_LOAD_H

#include <criterion/parameterized.h>

#include "support/client.h"
#include "support/server.h"

enum {
    LOAD_CALLERS = 4 /* threads that play clients */
};

/* Some clients, and how many of them did well. */
struct caller {
    struct client *clients;
    struct nacre_crypto *crypto;
    size_t count, good;
    int port;
};

/* A parameter, char[32], for each back end of this system; models_*.c. */
struct criterion_test_params load_models(void);

/* The test is skipped where this machine forbids the back end, and says so. */
void load_needs(const char *model);

/* How many, as the environment says, or `otherwise`. */
size_t load_number(const char *variable, size_t otherwise);

/* A server, not yet started, for so many connections; the process may have that many clients beside it. */
struct server *load_server(const char *model, size_t connections);

/* Every caller does that; gives how many of their clients did well. `clients` are shared out among them. */
size_t load_all_do(struct client *clients, size_t count, const struct caller *how, void (*what)(void *));

#endif
