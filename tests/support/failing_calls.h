/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations and calls of the cryptographic library that the linker hands over (--wrap), to fail when the program says
 * so. failing_calls.cmake makes the linker do it. */
#ifndef TESTS_SUPPORT_FAILING_CALLS_H
#define TESTS_SUPPORT_FAILING_CALLS_H

#include <stdbool.h>
#include <stdlib.h>

/* The program's: asked before each call. */
bool failing_allocation(void);
bool failing_crypto(void);

/* The linker's names of what is behind. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);

#endif
