/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of SFTP's clients: "/" is the folder that is served, whatever stands above it. */
#ifndef NACRED_SFTP_PATH_H
#define NACRED_SFTP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sftp_wire.h"

/* A path in its one form: "/", or names with one "/" in front of each; none is empty, "." or "..", and each passes
 * nacred_sftp_name_is_good(). "..": back one name; never above "/". False: no file can be called so. */
bool nacred_sftp_path_make(const uint8_t *text, size_t len, char path[SFTP_PATH_MAX]);

#endif
