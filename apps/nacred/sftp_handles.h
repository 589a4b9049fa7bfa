/* SPDX-License-Identifier: Apache-2.0 */
/* What an SFTP client has open: files and folders by a handle, eight bytes that it gives back as they are. A handle
 * that was closed is never given out again. */
#ifndef NACRED_SFTP_HANDLES_H
#define NACRED_SFTP_HANDLES_H

#include "sftp_files.h"

enum {
    SFTP_HANDLES_MAX = 256,
    SFTP_HANDLE_BYTES = 8,
};

/* One of both is set. */
struct sftp_handle {
    struct sftp_file *file;
    struct sftp_folder *folder;
    uint32_t generation;
};

/* A free one, to be filled; NULL: all are in use. Until it is filled it stays free. */
struct sftp_handle *nacred_sftp_handle_new(void);
void nacred_sftp_handle_put(struct sftp_out *out, const struct sftp_handle *handle);
/* NULL: no such handle. */
struct sftp_handle *nacred_sftp_handle_get(struct sftp_in *in);
void nacred_sftp_handle_close(struct sftp_handle *handle);

#endif
