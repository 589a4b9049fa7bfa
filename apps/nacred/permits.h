/* SPDX-License-Identifier: Apache-2.0 */
/* permitopen= and permitlisten= of authorized_keys: where tunnels may lead, and where they may listen.
 *
 * "host:port", with brackets around an IPv6 address; the port may be *. permitopen takes the host as it stands, or *
 * for any; permitlisten takes a pattern with * and ?, or a port alone for any host. Names are not looked up. */
#ifndef NACRED_PERMITS_H
#define NACRED_PERMITS_H

#include <stdbool.h>

/* Whether that is one of them; it then holds no comma. */
bool nacred_permit_valid(const char *text, bool is_listen);

/* Whether one of a list that is separated by commas permits it. */
bool nacred_permits_have(const char *list, bool is_listen, const char *host, int port);

#endif
