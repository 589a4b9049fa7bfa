/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect, with host names looked up. */
#ifndef ENGINE_CLIENTS_H
#define ENGINE_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "nacre/errors.h"

struct nacre_server;

/* Takes over what nacre_access_resolve() made of AllowedClients or BlockedClients, and hands back what was there. The
 * server's lock is held. */
char *nacre_clients_exchange(struct nacre_server *server, bool blocked, char *addresses);

/* Looks every name of both lists up again. May wait: the server's lock is not held. */
enum nacre_error nacre_clients_refresh(struct nacre_server *server, char *why, size_t why_size);

#endif
