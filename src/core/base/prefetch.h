/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is going to be used in a moment. With thousands of connections, the state of each is far from the
 * processor, and what is asked for one after the other is waited for one after the other. */
#ifndef BASE_PREFETCH_H
#define BASE_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

enum {
    CACHE_LINE = 64
};

/* Has the processor fetch the cache lines of what may be an object of that size; nothing is read, so any address will
 * do, NULL too. */
static inline void prefetch(const void *at, size_t bytes)
{
    uintptr_t end = (uintptr_t)at + bytes;
    for (uintptr_t line = (uintptr_t)at & ~(uintptr_t)(CACHE_LINE - 1); line < end; line += CACHE_LINE)
        __builtin_prefetch((const void *)line, 1);
}

#endif
