/* SPDX-License-Identifier: Apache-2.0 */
#include "sftp_handles.h"

static struct sftp_handle handles[SFTP_HANDLES_MAX];

struct sftp_handle *nacred_sftp_handle_new(void)
{
    for (size_t i = 0; i < SFTP_HANDLES_MAX; i++)
        if (!handles[i].file && !handles[i].folder)
            return &handles[i];
    return NULL;
}

void nacred_sftp_handle_put(struct sftp_out *out, const struct sftp_handle *handle)
{
    nacred_sftp_put_u32(out, SFTP_HANDLE_BYTES);
    nacred_sftp_put_u32(out, (uint32_t)(handle - handles));
    nacred_sftp_put_u32(out, handle->generation);
}

struct sftp_handle *nacred_sftp_handle_get(struct sftp_in *in)
{
    size_t len;
    const uint8_t *bytes = nacred_sftp_get_string(in, &len);

    if (!bytes || len != SFTP_HANDLE_BYTES)
        return NULL;
    struct sftp_in parts = {.at = bytes, .left = len};
    uint32_t index = nacred_sftp_get_u32(&parts), generation = nacred_sftp_get_u32(&parts);
    if (index >= SFTP_HANDLES_MAX || handles[index].generation != generation)
        return NULL;
    return handles[index].file || handles[index].folder ? &handles[index] : NULL;
}

void nacred_sftp_handle_close(struct sftp_handle *handle)
{
    if (handle->file)
        nacred_sftp_file_close(handle->file);
    if (handle->folder)
        nacred_sftp_folder_close(handle->folder);
    *handle = (struct sftp_handle){.generation = handle->generation + 1};
}
