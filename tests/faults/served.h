/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a free port of 127.0.0.1, and one thread in do_events. */
#ifndef TESTS_FAULTS_SERVED_H
#define TESTS_FAULTS_SERVED_H

#include <pthread.h>
#include <stdatomic.h>

#include "nacre/nacre.h"

struct served {
    nacre_server *nacre;
    int port;
    pthread_t thread;
    atomic_bool stopping;
};

/* Ready to listen; with one setting ("name=value") made. */
void served_create(struct served *s, const struct nacre_handlers *handlers, const char *setting);

/* The same, and listens. No thread of the test's turns events yet, so that it may fork. */
void served_start(struct served *s, const struct nacre_handlers *handlers, const char *setting);

void served_turn_events(struct served *s);

/* Until no connection is left. */
void served_wait_empty(struct served *s);

void served_end(struct served *s);

#endif
