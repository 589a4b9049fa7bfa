/* SPDX-License-Identifier: Apache-2.0 */
/* A process for each test: a copy of this one. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner.h"

intptr_t plain_begin(const struct plain_test *test, size_t number)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit(plain_run_here(test, number));
    return child;
}

int plain_end(intptr_t process, unsigned seconds)
{
    enum {
        STEPS = 200 /* a second */
    };
    int status;
    for (unsigned i = 0; i < seconds * STEPS; i++) {
        pid_t ended = waitpid((pid_t)process, &status, WNOHANG);
        if (ended == process)
            return WIFEXITED(status) ? WEXITSTATUS(status) : PLAIN_FAILED;
        if (ended < 0)
            return PLAIN_FAILED;
        usleep(1000000 / STEPS);
    }
    kill((pid_t)process, SIGKILL);
    (void)waitpid((pid_t)process, &status, 0);
    return PLAIN_FAILED;
}
