/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop waits for on Windows, where nothing is ever "ready": our end of a pipe to or from a child, or a process.
 *
 * A pipe that is read has bytes ahead in a buffer of its own, one that is written takes bytes into one; the overlapped
 * operation is on that buffer. So a source may outlive its watch: it goes when its last operation has come back. */
#ifndef NACRED_SOURCE_WIN_H
#define NACRED_SOURCE_WIN_H

#include <stddef.h>

#include "loop.h"

enum source_kind {
    SOURCE_READ,
    SOURCE_WRITE,
    SOURCE_PROCESS, /* ready when it has ended */
};

/* Gives the watch a source, which owns a pipe's handle from then on; a process's handle stays the caller's, and has to
 * live longer. `handle` is a HANDLE, overlapped. False with errno: the handle is not touched. */
bool nacred_source_open(struct loop *loop, struct watch *watch, enum source_kind kind, void *handle);

/* Up to `size` bytes; 0: there will be no more; -1: there are none yet. */
long nacred_source_read(struct source *source, void *at, size_t size);

/* Bytes taken; 0: none now; -1: nobody reads them any more. */
long nacred_source_write(struct source *source, const void *at, size_t len);

#endif
