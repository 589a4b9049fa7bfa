/* SPDX-License-Identifier: Apache-2.0 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "write_posix.h"

FILE *nacred_file_open(const char *path)
{
    FILE *file;

    do
        file = fopen(path, "re");
    while (!file && errno == EINTR);
    return file;
}

bool nacred_file_is_missing(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

/* It changes the name, also when it fails. */
static int make_temporary(char *name, size_t size, const char *path)
{
    int fd;

    do {
        snprintf(name, size, "%s.XXXXXX", path);
        fd = mkostemp(name, O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static bool sync_file(int fd)
{
    int result;

    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* A name of its own first, then link(). mkostemp() makes the mode 0600. */
bool nacred_file_make(const char *path, const char *text)
{
    size_t size = strlen(path) + sizeof ".XXXXXX";
    char *temporary = malloc(size);

    if (!temporary)
        return false;
    int fd = make_temporary(temporary, size, path);
    bool written = fd >= 0 && nacred_write_all(fd, text, strlen(text)) && sync_file(fd);
    written = written && link(temporary, path) == 0;
    int failed = errno;
    if (fd >= 0) {
        close(fd);
        unlink(temporary);
    }
    free(temporary);
    errno = failed;
    return written;
}

const char *nacred_file_secret_wrong(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return strerror(errno);
    if (!S_ISREG(info.st_mode))
        return "not a file";
    if (info.st_uid == geteuid() && (info.st_mode & 077) != 0)
        return "other accounts can read it; chmod 600 it, or make a new one";
    return NULL;
}

const char *nacred_file_trust_wrong(FILE *file, const char *path)
{
    struct stat info;

    (void)path;
    if (fstat(fileno(file), &info) != 0)
        return strerror(errno);
    if (info.st_uid != 0 && info.st_uid != geteuid())
        return "belongs to another account";
    if ((info.st_mode & 022) != 0)
        return "other accounts can write it; chmod go-w it";
    return NULL;
}
