/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring back end: making a ring, and finding out whether this system lets us. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "io_uring/uring.h"

/* Completions are worked on when we wait, by the thread that waits (DEFER_TASKRUN, Linux 6.1); where that is not known,
 * at least without interrupting it. */
int nacre_uring_make(struct io_uring *ring, unsigned entries, unsigned completions)
{
    static const unsigned modes[] = {IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN};
    int result = -EINVAL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes && result == -EINVAL; i++) {
        struct io_uring_params p = {.flags = modes[i] | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED |
                                             IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
                                    .cq_entries = completions};
        result = io_uring_queue_init_params(entries, ring, &p);
    }
    return result;
}

static const char *reason(int number)
{
    switch (number) {
    case ENOSYS:
        return "this kernel has no io_uring: Linux 6.0 or newer is needed, or use UseIOCP=False";
    case EPERM:
    case EACCES:
        return "io_uring is forbidden here: set the sysctl kernel.io_uring_disabled to 0, or let the container's "
               "seccomp profile allow io_uring_setup, io_uring_enter and io_uring_register; or use UseIOCP=False";
    case ENOMEM:
        return "there is no memory for io_uring: raise the limit of locked memory (ulimit -l, LimitMEMLOCK=), or use "
               "UseIOCP=False";
    default:
        return "this kernel's io_uring is too old: Linux 6.0 or newer is needed, or use UseIOCP=False";
    }
}

static bool knows_requests(struct io_uring *ring)
{
    static const int needed[] = {IORING_OP_ACCEPT,   IORING_OP_CONNECT,      IORING_OP_RECV,     IORING_OP_SEND,
                                 IORING_OP_SENDMSG,  IORING_OP_ASYNC_CANCEL, IORING_OP_POLL_ADD, IORING_OP_CLOSE,
                                 IORING_OP_SHUTDOWN, IORING_OP_SEND_ZC};
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool all = probe != NULL;
    /* SEND_ZC is not used: it came with what no probe tells of, receiving many times by one request (Linux 6.0). */
    for (size_t i = 0; all && i < sizeof needed / sizeof *needed; i++)
        all = io_uring_opcode_supported(probe, needed[i]) != 0;
    io_uring_free_probe(probe);
    return all;
}

/* Buffers that the kernel picks from, tried on one page. */
static int try_buffers(struct io_uring *ring)
{
    enum {
        PAGE = 4096
    };
    void *page = aligned_alloc(PAGE, PAGE);
    if (page == NULL)
        return -ENOMEM;
    struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)page, .ring_entries = 2};
    int result = io_uring_register_buf_ring(ring, &reg, 0);
    if (result == 0)
        result = io_uring_unregister_buf_ring(ring, 0);
    free(page);
    return result;
}

bool nacre_uring_usable(const char **why_not)
{
    struct io_uring ring;
    int result = nacre_uring_make(&ring, 2, 4);
    if (result == 0) {
        if (!knows_requests(&ring))
            result = -EINVAL;
        if (result == 0)
            result = io_uring_register_files_sparse(&ring, 1);
        if (result == 0)
            result = try_buffers(&ring);
        io_uring_queue_exit(&ring);
    }
    if (result == 0 || result == -EMFILE || result == -ENFILE)
        return true; /* without a descriptor nothing is wrong with io_uring: opening says what is */
    *why_not = reason(-result);
    return false;
}
