/* SPDX-License-Identifier: Apache-2.0 */
#include "sftp_path.h"

#include <string.h>

#include "sftp_files.h"

static bool is_dots(const uint8_t *name, size_t len, size_t count)
{
    return len == count && memcmp(name, "..", count) == 0;
}

/* `len` is that of the path so far, which has no "/" at its end. */
static bool add_name(char path[SFTP_PATH_MAX], size_t *len, const uint8_t *name, size_t name_len)
{
    if (name_len > SFTP_NAME_MAX || name_len + 2 > SFTP_PATH_MAX - *len)
        return false;
    path[*len] = '/';
    memcpy(path + *len + 1, name, name_len);
    *len += 1 + name_len;
    path[*len] = 0;
    return nacred_sftp_name_is_good(path + *len - name_len);
}

static void drop_name(char path[SFTP_PATH_MAX], size_t *len)
{
    while (*len > 0 && path[*len - 1] != '/')
        (*len)--;
    if (*len > 0)
        (*len)--;
    path[*len] = 0;
}

bool nacred_sftp_path_make(const uint8_t *text, size_t len, char path[SFTP_PATH_MAX])
{
    size_t made = 0;

    path[0] = 0;
    if (len > 0 && memchr(text, 0, len))
        return false;
    for (size_t at = 0; at < len; at++) {
        const uint8_t *slash = memchr(text + at, '/', len - at);
        size_t name = slash ? (size_t)(slash - text) - at : len - at;

        if (is_dots(text + at, name, 2))
            drop_name(path, &made);
        else if (name > 0 && !is_dots(text + at, name, 1) && !add_name(path, &made, text + at, name))
            return false;
        at += name;
    }
    if (made == 0)
        memcpy(path, "/", 2);
    return true;
}
