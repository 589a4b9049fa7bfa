/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one file whole. Only regular files: a directory has no contents, a pipe may never end. */
#include "keys/container.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __ELF__
#include <elf.h>
#include <link.h>
#endif

enum {
    FILE_NAME_MAX = 4096
};

static enum nacre_error error_of(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
        return NACRE_E_ACCES;
    case EMFILE:
    case ENFILE:
        return NACRE_E_MFILE;
    case ELOOP:
        return NACRE_E_LOOP;
    case ENAMETOOLONG:
        return NACRE_E_NAMETOOLONG;
    case EINTR:
        return NACRE_E_INTR;
    default:
        return NACRE_E_KEY; /* the class has no code for a file that is not there */
    }
}

static enum nacre_error fail_errno(struct container *k, int number)
{
    char text[128];
    const char *said = strerror_r(number, text, sizeof text);
    return nacre_container_fail(k, error_of(number), "cannot be read: %s.", said);
}

static enum nacre_error read_all(struct container *k, int fd, struct buf *out)
{
    for (;;) {
        size_t room = out->max - out->len < 4096 ? out->max - out->len : 4096;
        uint8_t *at = room == 0 ? NULL : nacre_buf_reserve(out, room);
        if (at == NULL)
            return nacre_container_fail(k, NACRE_E_KEY, "is larger than %d bytes.", STORE_FILE_MAX);
        ssize_t n = read(fd, at, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(k, errno);
        if (n == 0)
            return NACRE_OK;
        out->len += (size_t)n;
    }
}

/* O_NONBLOCK: opening a pipe that nobody writes to must not hang before it is refused. */
static int open_file(const char *path)
{
    int fd;
    do {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

enum nacre_error nacre_file_read(struct container *k, struct span name, struct buf *out)
{
    char path[FILE_NAME_MAX];
    struct stat st;
    if (name.len == 0)
        return nacre_container_fail(k, NACRE_E_KEY, "has no file name.");
    if (name.len >= sizeof path)
        return nacre_container_fail(k, NACRE_E_NAMETOOLONG, "cannot be read: its name is too long.");
    if (span_has_nul(name))
        return nacre_container_fail(k, NACRE_E_INVAL, "cannot be read: its name has a zero byte in it.");
    memcpy(path, name.at, name.len);
    path[name.len] = 0;
    int fd = open_file(path);
    if (fd < 0)
        return fail_errno(k, errno);
    enum nacre_error e;
    if (fstat(fd, &st) != 0)
        e = fail_errno(k, errno);
    else if (S_ISDIR(st.st_mode))
        e = fail_errno(k, EISDIR);
    else if (!S_ISREG(st.st_mode))
        e = nacre_container_fail(k, NACRE_E_KEY, "cannot be read: it is not a regular file.");
    else if (st.st_size > STORE_FILE_MAX)
        e = nacre_container_fail(k, NACRE_E_KEY, "is larger than %d bytes.", STORE_FILE_MAX);
    else
        e = read_all(k, fd, out);
    close(fd);
    return e;
}

bool nacre_file_exists(struct span name)
{
    char path[FILE_NAME_MAX];
    struct stat st;
    if (name.len == 0 || name.len >= sizeof path || span_has_nul(name))
        return false;
    memcpy(path, name.at, name.len);
    path[name.len] = 0;
    return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
}

#ifdef __ELF__
static bool read_at(int fd, void *at, size_t len, uint64_t from)
{
    ssize_t n;
    do {
        n = pread(fd, at, len, (off_t)from);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)len;
}

/* The loader maps what the headers promise and dies of what is not there. */
static bool segments_are_there(int fd, uint64_t size)
{
    ElfW(Ehdr) h;
    ElfW(Phdr) p;
    if (!read_at(fd, &h, sizeof h, 0) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_phentsize != sizeof p)
        return false;
    for (unsigned i = 0; i < h.e_phnum; i++) {
        uint64_t at = (uint64_t)h.e_phoff + (uint64_t)i * sizeof p;
        if (h.e_phoff > size || at > size || !read_at(fd, &p, sizeof p, at))
            return false;
        if (p.p_type == PT_LOAD && (p.p_offset > size || p.p_filesz > size - p.p_offset))
            return false;
    }
    return true;
}
#else
static bool segments_are_there(int fd, uint64_t size)
{
    (void)fd;
    return size != 0;
}
#endif

/* A name without a slash is looked for where the system keeps its libraries. */
static bool is_whole(const char *path)
{
    struct stat st;
    if (strchr(path, '/') == NULL)
        return true;
    int fd = open_file(path);
    if (fd < 0)
        return false;
    bool whole = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && segments_are_there(fd, (uint64_t)st.st_size);
    close(fd);
    return whole;
}

/* Tried here first, because libp11 writes to standard error what cannot be loaded. */
bool nacre_file_is_module(const char *path)
{
    void *m = is_whole(path) ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : NULL;
    bool is = m != NULL && dlsym(m, "C_GetFunctionList") != NULL;
    if (m != NULL)
        dlclose(m);
    return is;
}
