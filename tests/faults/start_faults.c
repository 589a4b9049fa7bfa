/* SPDX-License-Identifier: Apache-2.0 */
/* A start that fails for want of threads, whichever it is, while another thread is in do_events: it touches nothing
 * that is taken down again, and the next start works. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "served.h"

enum {
    ROUNDS = 300,
    THREADS = 1 + 4 + 8 /* of the engine, at least: offload, look-ups, workers */
};

/* The linker sends the library's calls here (--wrap). */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument);

static int left = THREADS; /* until one cannot be had; only who starts the server looks */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *argument)
{
    return left-- <= 0 ? EAGAIN : __real_pthread_create(thread, how, run, argument);
}

int main(void)
{
    static const struct nacre_handlers handlers = {.on_connected = NULL};
    struct served s;
    served_create(&s, &handlers, "WorkerThreads=8");
    check(nacre_config(s.nacre, "SelectWaitMillis=1", NULL, 0) == 0, "setting");
    served_turn_events(&s);
    for (int i = 0; i < ROUNDS; i++) {
        left = i % THREADS;
        check(nacre_start_listening(s.nacre) == NACRE_E_PROCLIM, nacre_last_error(s.nacre));
    }
    left = 1000;
    check(nacre_start_listening(s.nacre) == 0, nacre_last_error(s.nacre));
    served_end(&s);
    return EXIT_SUCCESS;
}
