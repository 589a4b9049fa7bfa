/* SPDX-License-Identifier: Apache-2.0 */
/* What all of nacred shares: set up by main() before any thread starts. */
#ifndef NACRED_APP_H
#define NACRED_APP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "account.h"
#include "idmap.h"
#include "loop.h"
#include "nacre/nacre.h"
#include "options.h"
#include "trusted_hosts.h"

struct session;

struct app {
    /* Read-only once threads run. */
    struct options options;
    struct account account;
    struct trusted_hosts trusted_hosts;
    nacre_server *server;

    /* Any thread. */
    struct loop loop;
    struct idmap peers;            /* by connection id; an entry belongs to the connection's handlers */
    struct idmap sessions;         /* by channel id; the same */
    struct idmap relays;           /* by channel id: connections to forwarded agents */
    atomic_bool stopping;          /* relaxed: a flag that is polled */
    atomic_int processes;          /* of sessions, for --max-processes */
    pthread_mutex_t children_lock; /* protects the list; taken with a session's lock held, never the other way round */
    struct session *children;
};

#endif
