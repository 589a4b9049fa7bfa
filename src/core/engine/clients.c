/* SPDX-License-Identifier: Apache-2.0 */
/* AllowedClients and BlockedClients with host names in them: looked up when they are set and again when listening
 * starts, on the calling thread and without the server's lock. */
#include "engine/clients.h"

#include <stdlib.h>
#include <string.h>

#include "engine/server.h"

char *nacre_clients_exchange(struct nacre_server *server, bool blocked, char *addresses)
{
    char **at = blocked ? &server->blocked : &server->allowed;
    char *before = *at;
    *at = addresses;
    return before;
}

/* As it is set; the server's lock is held. */
static const char *list_of(const struct nacre_server *server, bool blocked)
{
    return blocked ? server->settings.blocked.text : server->settings.allowed.text;
}

static char *copy_list(struct nacre_server *server, bool blocked)
{
    nacre_mutex_lock(&server->lock);
    char *copy = strdup(list_of(server, blocked));
    nacre_mutex_unlock(&server->lock);
    return copy;
}

/* A list that was set while names were looked up has addresses of its own, which stay. */
static enum nacre_error refresh(struct nacre_server *server, bool blocked, char *why, size_t why_size)
{
    char *list = copy_list(server, blocked), *addresses;
    if (list == NULL)
        return NACRE_E_NOBUFS;
    enum nacre_error e = nacre_access_resolve(list, &addresses, why, why_size);
    if (e == NACRE_OK) {
        nacre_mutex_lock(&server->lock);
        if (strcmp(list, list_of(server, blocked)) == 0)
            addresses = nacre_clients_exchange(server, blocked, addresses);
        nacre_mutex_unlock(&server->lock);
        free(addresses);
    }
    free(list);
    return e;
}

enum nacre_error nacre_clients_refresh(struct nacre_server *server, char *why, size_t why_size)
{
    enum nacre_error e = refresh(server, false, why, why_size);
    return e == NACRE_OK ? refresh(server, true, why, why_size) : e;
}
