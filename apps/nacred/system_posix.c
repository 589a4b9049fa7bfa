/* SPDX-License-Identifier: Apache-2.0 */
#include "system.h"
#include "write_posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

const char *const nacred_sftp_program = "/usr/lib/openssh/sftp-server";

/* Pipes and sockets must never become descriptor 0, 1 or 2. */
static int open_null(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd < 0 && errno == EINTR);
    return fd;
}

bool nacred_system_start(int *argc, char ***argv)
{
    int fd = open_null();

    (void)argc;
    (void)argv;
    while (fd >= 0 && fd <= 2)
        fd = open_null();
    if (fd >= 0)
        close(fd);
    signal(SIGPIPE, SIG_IGN);
    return fd >= 0;
}

void nacred_wipe_bytes(void *at, size_t len)
{
    explicit_bzero(at, len);
}

bool nacred_random(void *at, size_t len)
{
    return getentropy(at, len) == 0;
}

unsigned nacred_ip_read(const char *text, uint8_t bytes[16])
{
    return inet_pton(AF_INET, text, bytes) == 1 ? 32 : inet_pton(AF_INET6, text, bytes) == 1 ? 128 : 0;
}

void nacred_standard_error(const char *text, size_t len)
{
    /* A log that cannot be written has nowhere to say so. */
    if (!nacred_write_all(STDERR_FILENO, text, len))
        return;
}

void nacred_utc_of(time_t when, struct tm *utc)
{
    gmtime_r(&when, utc);
}

time_t nacred_utc_seconds(struct tm *utc)
{
    return timegm(utc);
}

const char *nacred_option_refusal(const char *name, const char *value)
{
    (void)name;
    (void)value;
    return NULL;
}

bool nacred_variable_is(const char *a, const char *b, size_t len)
{
    return strncmp(a, b, len) == 0;
}

bool nacred_path_is_absolute(const char *path)
{
    return *path == '/';
}
