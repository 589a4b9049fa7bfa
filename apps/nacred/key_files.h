/* SPDX-License-Identifier: Apache-2.0 */
/* --authorized-keys [NAME:]FILE: which keys let whom in; --user-ca FILE: whose certificates do. */
#ifndef NACRED_KEY_FILES_H
#define NACRED_KEY_FILES_H

#include <stdbool.h>
#include <stdio.h>

#include "nacre/nacre.h"
#include "options.h"

/* Opens a file that decides who gets in, for reading. NULL after saying why on stderr: other accounts can write it. */
FILE *nacred_key_file_open(const char *path);

/* Reads all of them into options->users. Keys of a file without a name are for every user of --user; `account` stands
 * in when there is none; `server` is told of authorities. False after saying why on stderr; lines that are ignored are
 * logged. */
bool nacred_key_files_read(struct options *options, const char *account, nacre_server *server);

/* --user-ca FILE: tells the server whose certificates to trust. False after saying why on stderr; a line that is no key
 * is a failure. */
bool nacred_user_cas_read(const struct options *options, nacre_server *server);

#endif
