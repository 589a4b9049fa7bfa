/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold in programs that are not Criterion's. */
#ifndef TESTS_FAULTS_CHECK_H
#define TESTS_FAULTS_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Says what does not hold and ends the program, in which other threads may be running. */
#define check(holds, what) check_at(holds, what, __FILE__, __LINE__)

static inline void check_at(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    _exit(EXIT_FAILURE);
}

#endif
