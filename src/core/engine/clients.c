/* SPDX-License-Identifier: Apache-2.0 */
/* AllowedClients and BlockedClients with host names in them: looked up when they are set and again when listening
 * starts, on the calling thread and without the server's lock. */
#include "engine/clients.h"

#include <stdlib.h>
#include <string.h>

#include "engine/server.h"

void nacre_clients_take(struct nacre_server *server, bool blocked, char *addresses)
{
    char **at = blocked ? &server->blocked : &server->allowed;
    free(*at);
    *at = addresses;
}

static char *copy_list(struct nacre_server *server, bool blocked)
{
    const struct settings *set = &server->settings;
    nacre_mutex_lock(&server->lock);
    char *copy = strdup(blocked ? set->blocked.text : set->allowed.text);
    nacre_mutex_unlock(&server->lock);
    return copy;
}

static enum nacre_error refresh(struct nacre_server *server, bool blocked, char *why, size_t why_size)
{
    char *list = copy_list(server, blocked), *addresses;
    if (list == NULL)
        return NACRE_E_NOBUFS;
    enum nacre_error e = nacre_access_resolve(list, &addresses, why, why_size);
    free(list);
    if (e != NACRE_OK)
        return e;
    nacre_mutex_lock(&server->lock);
    nacre_clients_take(server, blocked, addresses);
    nacre_mutex_unlock(&server->lock);
    return NACRE_OK;
}

enum nacre_error nacre_clients_refresh(struct nacre_server *server, char *why, size_t why_size)
{
    enum nacre_error e = refresh(server, false, why, why_size);
    return e == NACRE_OK ? refresh(server, true, why, why_size) : e;
}
