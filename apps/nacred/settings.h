/* SPDX-License-Identifier: Apache-2.0 */
/* --set NAME=VALUE: every property of the server under its name in the documents, and every setting of nacre_config().
 */
#ifndef NACRED_SETTINGS_H
#define NACRED_SETTINGS_H

#include <stdbool.h>

#include "nacre/nacre.h"

/* Sets one. 0, or a code with the reason in *why, valid until this thread's next call of nacre. Property names ignore
 * case and underscores. */
int nacred_setting_set(nacre_server *server, const char *setting, const char **why);

/* Whether `setting` (NAME=VALUE) sets the property or setting of that name, or one whose name begins with it. */
bool nacred_setting_begins(const char *setting, const char *name);

#endif
