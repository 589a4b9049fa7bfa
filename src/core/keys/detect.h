/* SPDX-License-Identifier: Apache-2.0 */
/* STORE_AUTO: what bytes are, by their looks. */
#ifndef KEYS_DETECT_H
#define KEYS_DETECT_H

#include "keys/container.h"

/* The bytes look like a container that there is. */
bool nacre_detect_known(struct span s);

/* The same, or they are at least no name of a file. */
bool nacre_detect_contents(struct span s);

/* Reads a container of any kind. */
enum nacre_error nacre_detect_read(struct container *k, struct key **out);

#endif
