/* SPDX-License-Identifier: Apache-2.0 */
/* --authorized-keys [NAME:]FILE: which keys let whom in. */
#ifndef NACRED_KEY_FILES_H
#define NACRED_KEY_FILES_H

#include <stdbool.h>

#include "options.h"

/* Reads all of them into options->users. Keys of a file without a name are for every user of --user; `account` stands
 * in when there is none. False after saying why on stderr; lines that are ignored are logged. */
bool nacred_key_files_read(struct options *options, const char *account);

#endif
