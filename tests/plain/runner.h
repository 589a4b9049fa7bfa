/* SPDX-License-Identifier: Apache-2.0 */
/* The runner, and its part that each system has of its own: a process for each test. */
#ifndef TESTS_PLAIN_RUNNER_H
#define TESTS_PLAIN_RUNNER_H

#include <stdint.h>

#include "criterion/criterion.h"

enum {
    PLAIN_PASSED = 0,
    PLAIN_FAILED = 1,
    PLAIN_SKIPPED = 77
};

/* Runs one case and gives its end. In a process of its own. */
int plain_run_here(const struct plain_test *test, size_t number);

/* Starts a process for one case; -1: there is none to be had. */
intptr_t plain_begin(const struct plain_test *test, size_t number);

/* Waits for its end, and ends it when `seconds` have passed. */
int plain_end(intptr_t process, unsigned seconds);

#endif
