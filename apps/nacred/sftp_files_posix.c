/* SPDX-License-Identifier: Apache-2.0 */
/* Every path is walked from the root's descriptor, one name after the other, and no step follows a link: nothing
 * outside can be reached, whoever moves folders about meanwhile. */
#include "sftp_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "write_posix.h"

enum {
    MODE_BITS = 0777, /* no set-id bits from a client */
};

struct sftp_file {
    int fd;
};

struct sftp_folder {
    DIR *dir;
};

static int root_fd = -1;

static int open_root(const char *root)
{
    return open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool nacred_sftp_files_has_root(const char *root)
{
    int fd = open_root(root);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool nacred_sftp_files_open_root(const char *root)
{
    root_fd = open_root(root);
    return root_fd >= 0;
}

bool nacred_sftp_name_is_good(const char *name)
{
    return strlen(name) <= NAME_MAX;
}

static enum sftp_status status_of(int error)
{
    switch (error) {
    case 0:
        return SFTP_OK;
    case ENOENT:
    case ENOTDIR:
        return SFTP_NO_SUCH_FILE;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: /* a link, where none is followed */
        return SFTP_PERMISSION_DENIED;
    default:
        return SFTP_FAILURE;
    }
}

static enum sftp_status result(bool good)
{
    return status_of(good ? 0 : errno);
}

static int open_at(int folder, const char *name, int flags, mode_t mode)
{
    int fd;

    do
        fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static bool set_size(int fd, uint64_t size)
{
    int result;

    if (size > INT64_MAX) {
        errno = EFBIG;
        return false;
    }
    do
        result = ftruncate(fd, (off_t)size);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* The folder that holds the last name, which `*name` points to: "." for "/". -1 with errno. */
static int walk(const char *path, const char **name)
{
    char part[NAME_MAX + 1];
    int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);

    path++;
    for (const char *slash = strchr(path, '/'); fd >= 0 && slash; slash = strchr(path, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        int next = open_at(fd, part, O_PATH | O_DIRECTORY, 0);
        int failed = errno;
        close(fd);
        errno = failed;
        fd = next;
        path = slash + 1;
    }
    *name = *path ? path : ".";
    return fd;
}

/* ---- attributes ---- */

static uint32_t seconds(const struct timespec *t)
{
    return t->tv_sec < 0 ? 0 : t->tv_sec > UINT32_MAX ? UINT32_MAX : (uint32_t)t->tv_sec;
}

static void take_stat(const struct stat *info, struct sftp_attributes *a)
{
    *a = (struct sftp_attributes){
        .flags = SFTP_ATTR_SIZE | SFTP_ATTR_UIDGID | SFTP_ATTR_PERMISSIONS | SFTP_ATTR_ACMODTIME,
        .size = (uint64_t)info->st_size,
        .uid = info->st_uid,
        .gid = info->st_gid,
        .permissions = info->st_mode,
        .atime = seconds(&info->st_atim),
        .mtime = seconds(&info->st_mtim),
    };
}

/* What an open file or folder is to become. */
static enum sftp_status set_attributes(int fd, const struct sftp_attributes *a)
{
    const struct timespec times[2] = {{.tv_sec = a->atime}, {.tv_sec = a->mtime}};
    bool good = true;

    if (a->flags & SFTP_ATTR_SIZE)
        good = set_size(fd, a->size);
    if (good && (a->flags & SFTP_ATTR_PERMISSIONS))
        good = fchmod(fd, a->permissions & MODE_BITS) == 0;
    if (good && (a->flags & SFTP_ATTR_UIDGID))
        good = fchown(fd, a->uid, a->gid) == 0;
    if (good && (a->flags & SFTP_ATTR_ACMODTIME))
        good = futimens(fd, times) == 0;
    return result(good);
}

/* ---- files ---- */

static int open_flags(uint32_t flags)
{
    int open = (flags & SFTP_OPEN_WRITE) == 0 ? O_RDONLY : (flags & SFTP_OPEN_READ) == 0 ? O_WRONLY : O_RDWR;

    if (flags & SFTP_OPEN_APPEND)
        open |= O_APPEND;
    if (flags & SFTP_OPEN_CREATE)
        open |= O_CREAT;
    if (flags & SFTP_OPEN_TRUNCATE)
        open |= O_TRUNC;
    if ((flags & SFTP_OPEN_CREATE) && (flags & SFTP_OPEN_EXCLUSIVE))
        open |= O_EXCL;
    return open;
}

/* Without O_NONBLOCK a pipe would keep us waiting for its other end; a file does not care. */
static int open_beneath(const char *path, int flags, mode_t mode)
{
    const char *name;
    int folder = walk(path, &name);
    int fd = folder < 0 ? -1 : open_at(folder, name, flags | O_NONBLOCK | O_NOCTTY, mode);
    int failed = errno;

    if (folder >= 0)
        close(folder);
    errno = failed;
    return fd;
}

static bool is_file(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

enum sftp_status nacred_sftp_file_open(const char *path, uint32_t flags, const struct sftp_attributes *attributes,
                                       struct sftp_file **file)
{
    mode_t mode = attributes->flags & SFTP_ATTR_PERMISSIONS ? attributes->permissions & MODE_BITS : 0666;
    int fd = open_beneath(path, open_flags(flags), mode);

    if (fd < 0)
        return status_of(errno);
    *file = is_file(fd) ? malloc(sizeof **file) : NULL;
    if (!*file) {
        close(fd);
        return SFTP_FAILURE;
    }
    (*file)->fd = fd;
    return SFTP_OK;
}

void nacred_sftp_file_close(struct sftp_file *file)
{
    close(file->fd);
    free(file);
}

enum sftp_status nacred_sftp_file_read(struct sftp_file *file, uint64_t offset, void *at, size_t size, size_t *len)
{
    if (offset > INT64_MAX - size)
        return SFTP_EOF;
    uint8_t *bytes = at;
    ssize_t n = 1;

    /* Clients take less than they asked for as the end of the file. */
    *len = 0;
    while (*len < size && (n > 0 || (n < 0 && errno == EINTR))) {
        n = pread(file->fd, bytes + *len, size - *len, (off_t)(offset + *len));
        *len += n > 0 ? (size_t)n : 0;
    }
    if (*len > 0 || size == 0)
        return SFTP_OK;
    return n < 0 ? status_of(errno) : SFTP_EOF;
}

enum sftp_status nacred_sftp_file_write(struct sftp_file *file, uint64_t offset, const void *at, size_t len)
{
    const uint8_t *bytes = at;

    if (offset > INT64_MAX - len)
        return SFTP_FAILURE;
    while (len > 0) {
        ssize_t n = pwrite(file->fd, bytes, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return status_of(errno);
        bytes += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return SFTP_OK;
}

enum sftp_status nacred_sftp_file_stat(struct sftp_file *file, struct sftp_attributes *attributes)
{
    struct stat info;

    if (fstat(file->fd, &info) != 0)
        return status_of(errno);
    take_stat(&info, attributes);
    return SFTP_OK;
}

enum sftp_status nacred_sftp_file_set(struct sftp_file *file, const struct sftp_attributes *attributes)
{
    return set_attributes(file->fd, attributes);
}

enum sftp_status nacred_sftp_file_sync(struct sftp_file *file)
{
    int done;

    do
        done = fsync(file->fd);
    while (done != 0 && errno == EINTR);
    return result(done == 0);
}

/* ---- folders ---- */

enum sftp_status nacred_sftp_folder_open(const char *path, struct sftp_folder **folder)
{
    int fd = open_beneath(path, O_RDONLY | O_DIRECTORY, 0);

    if (fd < 0)
        return status_of(errno);
    struct sftp_folder *opened = malloc(sizeof *opened);
    DIR *dir = opened ? fdopendir(fd) : NULL;
    if (!dir) {
        free(opened);
        close(fd);
        return SFTP_FAILURE;
    }
    opened->dir = dir;
    *folder = opened;
    return SFTP_OK;
}

void nacred_sftp_folder_close(struct sftp_folder *folder)
{
    closedir(folder->dir);
    free(folder);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A name that is gone again is left out; so are those of the folder itself and of the one above it. */
enum sftp_status nacred_sftp_folder_next(struct sftp_folder *folder, char name[SFTP_NAME_MAX + 1],
                                         struct sftp_attributes *attributes)
{
    struct stat info;

    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder->dir);
        if (!entry)
            return errno ? status_of(errno) : SFTP_EOF;
        if (is_dots(entry->d_name) || fstatat(dirfd(folder->dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        snprintf(name, SFTP_NAME_MAX + 1, "%s", entry->d_name);
        take_stat(&info, attributes);
        return SFTP_OK;
    }
}

/* ---- by path ---- */

enum sftp_status nacred_sftp_stat(const char *path, bool follow, struct sftp_attributes *attributes)
{
    const char *name;
    struct stat info;
    int folder = walk(path, &name);

    if (folder < 0)
        return status_of(errno);
    enum sftp_status status = result(fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0);
    close(folder);
    if (status != SFTP_OK)
        return status;
    take_stat(&info, attributes);
    return follow && S_ISLNK(info.st_mode) ? SFTP_PERMISSION_DENIED : SFTP_OK;
}

static bool set_size_beneath(int folder, const char *name, uint64_t size)
{
    int fd = open_at(folder, name, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
    bool good = fd >= 0 && set_size(fd, size);
    int failed = errno;

    if (fd >= 0)
        close(fd);
    errno = failed;
    return good;
}

/* Without opening it, where that goes: who may not read a file may still change its mode. */
static bool set_beneath(int folder, const char *name, const struct sftp_attributes *a)
{
    const struct timespec times[2] = {{.tv_sec = a->atime}, {.tv_sec = a->mtime}};
    bool good = true;

    if (a->flags & SFTP_ATTR_SIZE)
        good = set_size_beneath(folder, name, a->size);
    if (good && (a->flags & SFTP_ATTR_PERMISSIONS))
        good = fchmodat(folder, name, a->permissions & MODE_BITS, AT_SYMLINK_NOFOLLOW) == 0;
    if (good && (a->flags & SFTP_ATTR_UIDGID))
        good = fchownat(folder, name, a->uid, a->gid, AT_SYMLINK_NOFOLLOW) == 0;
    if (good && (a->flags & SFTP_ATTR_ACMODTIME))
        good = utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW) == 0;
    return good;
}

enum sftp_status nacred_sftp_set(const char *path, const struct sftp_attributes *attributes)
{
    struct sftp_attributes now;
    const char *name;
    enum sftp_status status = nacred_sftp_stat(path, true, &now);

    if (status != SFTP_OK)
        return status;
    int folder = walk(path, &name);
    if (folder < 0)
        return status_of(errno);
    status = result(set_beneath(folder, name, attributes));
    close(folder);
    return status;
}

static enum sftp_status unlink_beneath(const char *path, int flags)
{
    const char *name;
    int folder = walk(path, &name);

    if (folder < 0)
        return status_of(errno);
    enum sftp_status status = result(unlinkat(folder, name, flags) == 0);
    close(folder);
    return status;
}

enum sftp_status nacred_sftp_remove(const char *path)
{
    return unlink_beneath(path, 0);
}

enum sftp_status nacred_sftp_remove_folder(const char *path)
{
    return unlink_beneath(path, AT_REMOVEDIR);
}

enum sftp_status nacred_sftp_make_folder(const char *path, const struct sftp_attributes *attributes)
{
    const char *name;
    mode_t mode = attributes->flags & SFTP_ATTR_PERMISSIONS ? attributes->permissions & MODE_BITS : 0777;
    int folder = walk(path, &name);

    if (folder < 0)
        return status_of(errno);
    enum sftp_status status = result(mkdirat(folder, name, mode) == 0);
    close(folder);
    return status;
}

/* A file system that cannot refuse to replace can still refuse a second link. */
static bool rename_new(int from, const char *name, int to, const char *new_name)
{
    if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return linkat(from, name, to, new_name, 0) == 0 && unlinkat(from, name, 0) == 0;
}

enum sftp_status nacred_sftp_rename(const char *from, const char *to, bool over)
{
    const char *name, *new_name;
    int from_folder = walk(from, &name);
    int to_folder = from_folder < 0 ? -1 : walk(to, &new_name);
    enum sftp_status status = SFTP_OK;

    if (to_folder < 0)
        status = status_of(errno);
    else
        status = result(over ? renameat(from_folder, name, to_folder, new_name) == 0
                             : rename_new(from_folder, name, to_folder, new_name));
    if (from_folder >= 0)
        close(from_folder);
    if (to_folder >= 0)
        close(to_folder);
    return status;
}

/* ---- the client ---- */

size_t nacred_sftp_receive(void *at, size_t size)
{
    ssize_t n;

    do
        n = read(STDIN_FILENO, at, size);
    while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

bool nacred_sftp_send(const void *at, size_t len)
{
    return nacred_write_all(STDOUT_FILENO, at, len);
}
