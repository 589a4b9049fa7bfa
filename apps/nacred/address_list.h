/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated patterns of numeric addresses, as from="..." of authorized_keys has them: 192.0.2.0/24,
 * 2001:db8::/32, 10.1.*, and with a leading ! those that are not meant, wherever they stand. Names are not looked up
 * and match nobody. */
#ifndef NACRED_ADDRESS_LIST_H
#define NACRED_ADDRESS_LIST_H

#include <stdbool.h>

/* False: it is empty, has an empty pattern, one with [ or \, or a network that is none. */
bool nacred_address_list_valid(const char *list);

/* `list` is a valid one. */
bool nacred_address_list_has(const char *list, const char *address);

#endif
