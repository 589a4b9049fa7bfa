/* SPDX-License-Identifier: Apache-2.0 */
/* The files under the one folder that is served, by paths as sftp_path.h makes them. No link leads anywhere: what is
 * one can be looked at, renamed and removed, and that is all. sftp_files_posix.c or sftp_files_win.c; one thread. */
#ifndef NACRED_SFTP_FILES_H
#define NACRED_SFTP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sftp_wire.h"

/* Section 6.3. */
enum {
    SFTP_OPEN_READ = 0x1,
    SFTP_OPEN_WRITE = 0x2,
    SFTP_OPEN_APPEND = 0x4,
    SFTP_OPEN_CREATE = 0x8,
    SFTP_OPEN_TRUNCATE = 0x10,
    SFTP_OPEN_EXCLUSIVE = 0x20,
};

struct sftp_file;
struct sftp_folder;

/* Whether it can be served; any number of times. False with errno. */
bool nacred_sftp_files_has_root(const char *root);

/* False with errno. */
bool nacred_sftp_files_open_root(const char *root);

/* Whether a file may be called so; not empty, no "/" in it. */
bool nacred_sftp_name_is_good(const char *name);

enum sftp_status nacred_sftp_file_open(const char *path, uint32_t flags, const struct sftp_attributes *attributes,
                                       struct sftp_file **file);
void nacred_sftp_file_close(struct sftp_file *file);
/* SFTP_EOF when there is nothing at the offset. */
enum sftp_status nacred_sftp_file_read(struct sftp_file *file, uint64_t offset, void *at, size_t size, size_t *len);
enum sftp_status nacred_sftp_file_write(struct sftp_file *file, uint64_t offset, const void *at, size_t len);
enum sftp_status nacred_sftp_file_stat(struct sftp_file *file, struct sftp_attributes *attributes);
enum sftp_status nacred_sftp_file_set(struct sftp_file *file, const struct sftp_attributes *attributes);
enum sftp_status nacred_sftp_file_sync(struct sftp_file *file);

enum sftp_status nacred_sftp_folder_open(const char *path, struct sftp_folder **folder);
void nacred_sftp_folder_close(struct sftp_folder *folder);
/* SFTP_EOF when all names were given. */
enum sftp_status nacred_sftp_folder_next(struct sftp_folder *folder, char name[SFTP_NAME_MAX + 1],
                                         struct sftp_attributes *attributes);

/* `follow`: a link is an error, else it is what is looked at. */
enum sftp_status nacred_sftp_stat(const char *path, bool follow, struct sftp_attributes *attributes);
enum sftp_status nacred_sftp_set(const char *path, const struct sftp_attributes *attributes);
enum sftp_status nacred_sftp_remove(const char *path);
enum sftp_status nacred_sftp_make_folder(const char *path, const struct sftp_attributes *attributes);
enum sftp_status nacred_sftp_remove_folder(const char *path);
/* Without `over`, nothing may have the new name yet. */
enum sftp_status nacred_sftp_rename(const char *from, const char *to, bool over);

/* Standard input and output. Bytes read, 0 at the end; whether all was written. */
size_t nacred_sftp_receive(void *at, size_t size);
bool nacred_sftp_send(const void *at, size_t len);

#endif
