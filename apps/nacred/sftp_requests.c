/* SPDX-License-Identifier: Apache-2.0 */
#include "sftp_requests.h"

#include <stdio.h>
#include <string.h>

#include "sftp_files.h"
#include "sftp_handles.h"
#include "sftp_path.h"
#include "system.h"

enum {
    ANSWER_STATUS = 101,
    ANSWER_HANDLE = 102,
    ANSWER_DATA = 103,
    ANSWER_NAME = 104,
    ANSWER_ATTRS = 105,

    READ_MAX = 128 * 1024, /* of one answer; a client asks for the rest again */
    NAMES_MAX = 100,       /* of one answer */
    LONG_NAME_MAX = SFTP_NAME_MAX + 128,
};

/* What a handler works with. It answers by itself with what it has, or by its status. */
struct request {
    struct sftp_in *in;
    struct sftp_out *out;
    uint32_t id;
    bool answered;
};

/* ---- answers ---- */

static const char *status_text(enum sftp_status status)
{
    switch (status) {
    case SFTP_OK:
        return "Success";
    case SFTP_EOF:
        return "End of file";
    case SFTP_NO_SUCH_FILE:
        return "No such file";
    case SFTP_PERMISSION_DENIED:
        return "Permission denied";
    case SFTP_FAILURE:
        return "Failure";
    case SFTP_BAD_MESSAGE:
        return "Bad message";
    case SFTP_OP_UNSUPPORTED:
        return "Operation unsupported";
    }
    return "";
}

static void answer(struct request *r, uint8_t type)
{
    nacred_sftp_begin(r->out, type);
    nacred_sftp_put_u32(r->out, r->id);
    r->answered = true;
}

static void answer_status(struct request *r, enum sftp_status status)
{
    const char *text = status_text(status);

    answer(r, ANSWER_STATUS);
    nacred_sftp_put_u32(r->out, status);
    nacred_sftp_put_string(r->out, text, strlen(text));
    nacred_sftp_put_string(r->out, "", 0);
    nacred_sftp_end(r->out);
}

static enum sftp_status answer_handle(struct request *r, const struct sftp_handle *handle)
{
    answer(r, ANSWER_HANDLE);
    nacred_sftp_handle_put(r->out, handle);
    nacred_sftp_end(r->out);
    return SFTP_OK;
}

static enum sftp_status answer_attributes(struct request *r, enum sftp_status status, const struct sftp_attributes *a)
{
    if (status != SFTP_OK)
        return status;
    answer(r, ANSWER_ATTRS);
    nacred_sftp_put_attributes(r->out, a);
    nacred_sftp_end(r->out);
    return SFTP_OK;
}

/* ---- what requests are made of ---- */

/* A path that no file can have is not there. */
static enum sftp_status get_path(struct request *r, char path[SFTP_PATH_MAX])
{
    size_t len;
    const uint8_t *text = nacred_sftp_get_string(r->in, &len);

    if (!text)
        return SFTP_BAD_MESSAGE;
    return nacred_sftp_path_make(text, len, path) ? SFTP_OK : SFTP_NO_SUCH_FILE;
}

static struct sftp_file *get_file(struct request *r)
{
    struct sftp_handle *handle = nacred_sftp_handle_get(r->in);

    return handle ? handle->file : NULL;
}

/* ---- files ---- */

static enum sftp_status do_open(struct request *r)
{
    char path[SFTP_PATH_MAX];
    struct sftp_attributes attributes;
    enum sftp_status status = get_path(r, path);
    uint32_t flags = nacred_sftp_get_u32(r->in);

    nacred_sftp_get_attributes(r->in, &attributes);
    if (status != SFTP_OK || r->in->bad)
        return r->in->bad ? SFTP_BAD_MESSAGE : status;
    /* What would change the file needs the right to write it. */
    bool changes = flags & (SFTP_OPEN_APPEND | SFTP_OPEN_CREATE | SFTP_OPEN_TRUNCATE);
    if ((flags & (SFTP_OPEN_READ | SFTP_OPEN_WRITE)) == 0 || (changes && (flags & SFTP_OPEN_WRITE) == 0))
        return SFTP_FAILURE;
    struct sftp_handle *handle = nacred_sftp_handle_new();
    if (!handle)
        return SFTP_FAILURE;
    status = nacred_sftp_file_open(path, flags, &attributes, &handle->file);
    return status == SFTP_OK ? answer_handle(r, handle) : status;
}

static enum sftp_status do_close(struct request *r)
{
    struct sftp_handle *handle = nacred_sftp_handle_get(r->in);

    if (!handle)
        return SFTP_FAILURE;
    nacred_sftp_handle_close(handle);
    return SFTP_OK;
}

/* The bytes are read to where they stand in the answer. */
static enum sftp_status do_read(struct request *r)
{
    struct sftp_file *file = get_file(r);
    uint64_t offset = nacred_sftp_get_u64(r->in);
    uint32_t wanted = nacred_sftp_get_u32(r->in);
    struct sftp_out *out = r->out;
    size_t len = 0;

    if (!file || r->in->bad)
        return r->in->bad ? SFTP_BAD_MESSAGE : SFTP_FAILURE;
    enum sftp_status status =
        nacred_sftp_file_read(file, offset, out->bytes + out->len + 13, wanted < READ_MAX ? wanted : READ_MAX, &len);
    if (status != SFTP_OK)
        return status;
    answer(r, ANSWER_DATA);
    nacred_sftp_put_u32(out, (uint32_t)len);
    out->len += len;
    nacred_sftp_end(out);
    return SFTP_OK;
}

static enum sftp_status do_write(struct request *r)
{
    struct sftp_file *file = get_file(r);
    uint64_t offset = nacred_sftp_get_u64(r->in);
    size_t len;
    const uint8_t *bytes = nacred_sftp_get_string(r->in, &len);

    if (!file || r->in->bad)
        return r->in->bad ? SFTP_BAD_MESSAGE : SFTP_FAILURE;
    return nacred_sftp_file_write(file, offset, bytes, len);
}

static enum sftp_status do_fstat(struct request *r)
{
    struct sftp_file *file = get_file(r);
    struct sftp_attributes attributes;

    return file ? answer_attributes(r, nacred_sftp_file_stat(file, &attributes), &attributes) : SFTP_FAILURE;
}

static enum sftp_status do_fsetstat(struct request *r)
{
    struct sftp_file *file = get_file(r);
    struct sftp_attributes attributes;

    nacred_sftp_get_attributes(r->in, &attributes);
    if (!file || r->in->bad)
        return r->in->bad ? SFTP_BAD_MESSAGE : SFTP_FAILURE;
    return nacred_sftp_file_set(file, &attributes);
}

/* ---- folders ---- */

static enum sftp_status do_opendir(struct request *r)
{
    char path[SFTP_PATH_MAX];
    enum sftp_status status = get_path(r, path);
    struct sftp_handle *handle = nacred_sftp_handle_new();

    if (status == SFTP_OK)
        status = handle ? nacred_sftp_folder_open(path, &handle->folder) : SFTP_FAILURE;
    return status == SFTP_OK ? answer_handle(r, handle) : status;
}

static char kind_sign(uint32_t permissions)
{
    switch (permissions & 0170000U) {
    case 0040000:
        return 'd';
    case 0100000:
        return '-';
    case 0120000:
        return 'l';
    default:
        return '?';
    }
}

/* As "ls -l" has it: section 7 asks for no certain form, but clients show it. */
static size_t make_long_name(char text[LONG_NAME_MAX], const char *name, const struct sftp_attributes *a)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char mode[] = "?rwxrwxrwx";
    struct tm utc;

    mode[0] = kind_sign(a->permissions);
    for (unsigned i = 0; i < 9; i++)
        if ((a->permissions & 0400U >> i) == 0)
            mode[1 + i] = '-';
    nacred_utc_of((time_t)a->mtime, &utc);
    int len =
        snprintf(text, LONG_NAME_MAX, "%s 1 %-8u %-8u %8llu %.3s %2d %5d %s", mode, a->uid, a->gid,
                 (unsigned long long)a->size, months + 3 * (utc.tm_mon % 12), utc.tm_mday, utc.tm_year + 1900, name);
    return len < 0 ? 0 : len < LONG_NAME_MAX ? (size_t)len : LONG_NAME_MAX - 1;
}

static void put_name(struct sftp_out *out, const char *name, const struct sftp_attributes *attributes)
{
    char long_name[LONG_NAME_MAX];
    size_t len = make_long_name(long_name, name, attributes);

    nacred_sftp_put_string(out, name, strlen(name));
    nacred_sftp_put_string(out, long_name, len);
    nacred_sftp_put_attributes(out, attributes);
}

/* How many there are is known at the end, and set then. */
static enum sftp_status do_readdir(struct request *r)
{
    struct sftp_handle *handle = nacred_sftp_handle_get(r->in);
    char name[SFTP_NAME_MAX + 1];
    struct sftp_attributes attributes;
    uint32_t count = 0;

    if (!handle || !handle->folder)
        return SFTP_FAILURE;
    enum sftp_status status = nacred_sftp_folder_next(handle->folder, name, &attributes);
    if (status != SFTP_OK)
        return status;
    answer(r, ANSWER_NAME);
    size_t count_at = r->out->len;
    nacred_sftp_put_u32(r->out, 0);
    for (; status == SFTP_OK; count++) {
        put_name(r->out, name, &attributes);
        if (count + 1 < NAMES_MAX)
            status = nacred_sftp_folder_next(handle->folder, name, &attributes);
        else
            status = SFTP_EOF;
    }
    size_t end = r->out->len;
    r->out->len = count_at;
    nacred_sftp_put_u32(r->out, count);
    r->out->len = end;
    nacred_sftp_end(r->out);
    return SFTP_OK;
}

/* ---- by path ---- */

static enum sftp_status look(struct request *r, bool follow)
{
    char path[SFTP_PATH_MAX];
    struct sftp_attributes attributes;
    enum sftp_status status = get_path(r, path);

    return status == SFTP_OK ? answer_attributes(r, nacred_sftp_stat(path, follow, &attributes), &attributes) : status;
}

static enum sftp_status do_stat(struct request *r)
{
    return look(r, true);
}

static enum sftp_status do_lstat(struct request *r)
{
    return look(r, false);
}

/* A path with attributes behind it. */
static enum sftp_status change(struct request *r,
                               enum sftp_status (*how)(const char *path, const struct sftp_attributes *attributes))
{
    char path[SFTP_PATH_MAX];
    struct sftp_attributes attributes;
    enum sftp_status status = get_path(r, path);

    nacred_sftp_get_attributes(r->in, &attributes);
    if (r->in->bad)
        return SFTP_BAD_MESSAGE;
    return status == SFTP_OK ? how(path, &attributes) : status;
}

static enum sftp_status do_setstat(struct request *r)
{
    return change(r, nacred_sftp_set);
}

static enum sftp_status do_mkdir(struct request *r)
{
    return change(r, nacred_sftp_make_folder);
}

static enum sftp_status do_remove(struct request *r)
{
    char path[SFTP_PATH_MAX];
    enum sftp_status status = get_path(r, path);

    return status == SFTP_OK ? nacred_sftp_remove(path) : status;
}

static enum sftp_status do_rmdir(struct request *r)
{
    char path[SFTP_PATH_MAX];
    enum sftp_status status = get_path(r, path);

    return status == SFTP_OK ? nacred_sftp_remove_folder(path) : status;
}

/* Section 6.11: one name, with attributes that mean nothing. It need not be there. */
static enum sftp_status do_realpath(struct request *r)
{
    char path[SFTP_PATH_MAX];
    enum sftp_status status = get_path(r, path);

    if (status != SFTP_OK)
        return status;
    answer(r, ANSWER_NAME);
    nacred_sftp_put_u32(r->out, 1);
    nacred_sftp_put_string(r->out, path, strlen(path));
    nacred_sftp_put_string(r->out, path, strlen(path));
    nacred_sftp_put_u32(r->out, 0);
    nacred_sftp_end(r->out);
    return SFTP_OK;
}

static enum sftp_status rename_paths(struct request *r, bool over)
{
    char from[SFTP_PATH_MAX], to[SFTP_PATH_MAX];
    enum sftp_status status = get_path(r, from);
    enum sftp_status second = get_path(r, to);

    if (r->in->bad)
        return SFTP_BAD_MESSAGE;
    return status != SFTP_OK ? status : second != SFTP_OK ? second : nacred_sftp_rename(from, to, over);
}

static enum sftp_status do_rename(struct request *r)
{
    return rename_paths(r, false);
}

/* OpenSSH's PROTOCOL sections 4.3 and 4.7. */
static enum sftp_status do_extended(struct request *r)
{
    static const char rename[] = "posix-rename@openssh.com", sync[] = "fsync@openssh.com";
    size_t len;
    const uint8_t *name = nacred_sftp_get_string(r->in, &len);

    if (!name)
        return SFTP_BAD_MESSAGE;
    if (len == sizeof rename - 1 && memcmp(name, rename, len) == 0)
        return rename_paths(r, true);
    if (len != sizeof sync - 1 || memcmp(name, sync, len) != 0)
        return SFTP_OP_UNSUPPORTED;
    struct sftp_file *file = get_file(r);
    return file ? nacred_sftp_file_sync(file) : SFTP_FAILURE;
}

/* ---- */

/* Links are neither made nor read: READLINK (19) and SYMLINK (20) are as unknown as everything else. */
static enum sftp_status (*const handlers[])(struct request *) = {
    [3] = do_open,    [4] = do_close,     [5] = do_read,     [6] = do_write,    [7] = do_lstat,      [8] = do_fstat,
    [9] = do_setstat, [10] = do_fsetstat, [11] = do_opendir, [12] = do_readdir, [13] = do_remove,    [14] = do_mkdir,
    [15] = do_rmdir,  [16] = do_realpath, [17] = do_stat,    [18] = do_rename,  [200] = do_extended,
};

void nacred_sftp_request(struct sftp_in *in, struct sftp_out *out, uint8_t type)
{
    struct request r = {.in = in, .out = out, .id = nacred_sftp_get_u32(in)};
    enum sftp_status status = SFTP_OP_UNSUPPORTED;

    if (type < sizeof handlers / sizeof *handlers && handlers[type])
        status = handlers[type](&r);
    if (!r.answered)
        answer_status(&r, in->bad ? SFTP_BAD_MESSAGE : status);
}
