/* SPDX-License-Identifier: Apache-2.0 */
#include "system.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

bool bench_system_start(int *argc, char ***argv)
{
    (void)argc; /* they are what the terminal and the files' names are */
    (void)argv;
    return signal(SIGPIPE, SIG_IGN) != SIG_ERR;
}

int bench_system_error(void)
{
    return errno;
}

const char *bench_system_text(int error, char *out, size_t size)
{
    snprintf(out, size, "%s", strerror(error));
    return out;
}

uint64_t bench_system_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return UINT64_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max;
}

FILE *bench_system_create(const char *name)
{
    return fopen(name, "we");
}
