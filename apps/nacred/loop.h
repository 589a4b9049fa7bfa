/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that waits for what is not SSH: children's pipes and terminals, their ends, and signals. One thread; epoll
 * (loop_posix.c) or a completion port (loop_win.c).
 *
 * Other threads may arm a watch and post; only the loop's own thread disarms, calls back, and closes descriptors that
 * are armed. So a call-back never finds its watch gone. */
#ifndef NACRED_LOOP_H
#define NACRED_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum loop_event {
    LOOP_READ,
    LOOP_WRITE,
};

struct source;

/* Something to wait for. The lock of its owner protects it. */
struct watch {
    void (*ready)(struct watch *watch); /* on the loop's thread */
    int fd;                             /* -1: none. On Windows 0 when there is a source */
    bool armed;
    struct source *source; /* Windows alone: source_win.h */
};

/* Something to be run by the loop, after the call-backs of the round it is in. Queued at most once at a time. */
struct post {
    void (*run)(struct post *post);
    struct post *next;
    bool queued;
};

struct loop {
    int epoll_fd;
    int wake_fd;
    void *port;           /* Windows alone */
    pthread_mutex_t lock; /* protects the queue of posts, and `queued` and `next` of those in it */
    struct post *first;
    struct post **last;
};

/* False with errno. */
bool nacred_loop_open(struct loop *loop);
void nacred_loop_close(struct loop *loop);

/* Any thread, with the owner's lock held. Level-triggered. Armed already: nothing happens. False with errno. */
bool nacred_loop_arm(struct loop *loop, struct watch *watch, enum loop_event event);

/* Loop thread. A watch that is not armed is left alone. */
void nacred_loop_disarm(struct loop *loop, struct watch *watch);

/* Disarms and closes what is watched, if there is anything. */
void nacred_loop_close_watch(struct loop *loop, struct watch *watch);

/* False: it is on its way already. Any thread. */
bool nacred_loop_post(struct loop *loop, struct post *post);

/* One round: waits up to `wait_ms` (-1: for ever), calls back, runs posts. */
void nacred_loop_run_once(struct loop *loop, int wait_ms);

/* For loop.c alone: ends a wait, and one wait with its call-backs. */
void nacred_loop_wake(struct loop *loop);
void nacred_loop_wait(struct loop *loop, int wait_ms);

#endif
