/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations of the library's own that fail when a test says so. The linker sends malloc() and its kin here (--wrap);
 * what tests allocate themselves goes to plain_*(), which never fails. */
#ifndef TESTS_ALLOC_H
#define TESTS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th allocation from now on (0: the next) fails, and no other. */
void alloc_fail_nth(long n);

/* One in so many fails, at random, in all threads. */
void alloc_fail_one_in(unsigned rate, unsigned seed);

/* None fails any more. True: one did since it was set. */
bool alloc_fail_none(void);

/* Allocations that are alive; 0 until the linker has been told. */
long alloc_live(void);

#endif
