/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that names the back ends. */
#include "engine/io_pick.h"

#include <string.h>
#include <strings.h>

/* Best first. */
#ifdef _WIN32
static const struct io_backend *const backends[] = {
    &nacre_io_iocp,
    &nacre_io_wsaasyncselect,
    &nacre_io_wsapoll,
};

static const struct io_backend *const by_default = &nacre_io_wsapoll;
static const struct io_backend *const completion = &nacre_io_iocp;
static const struct io_backend *const messages = &nacre_io_wsaasyncselect;
static const char *const elsewhere[] = {"epoll", "io_uring"};
#else
static const struct io_backend *const backends[] = {
    &nacre_io_uring,
    &nacre_io_epoll,
};

static const struct io_backend *const by_default = &nacre_io_epoll;
static const struct io_backend *const completion = &nacre_io_uring;
static const struct io_backend *const messages = NULL;
static const char *const elsewhere[] = {"wsapoll", "wsaasyncselect", "iocp"};
#endif

static const char automatic[] = "auto";
const char nacre_io_not_here[] = "this system does not have that I/O model";

static bool is_built(const struct io_backend *b)
{
    return b->open != NULL;
}

const struct io_backend *nacre_io_pick(const char *asked, const char **why_not)
{
    bool any = asked != NULL && strcmp(asked, automatic) == 0;
    const char *name = asked == NULL ? by_default->name : asked;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if ((any || strcmp(backends[i]->name, name) == 0) && backends[i]->usable(why_not))
            return backends[i];
    return NULL;
}

const char *nacre_io_name(const char *text)
{
    if (strcasecmp(text, automatic) == 0)
        return automatic;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (is_built(backends[i]) && strcasecmp(backends[i]->name, text) == 0)
            return backends[i]->name;
    return NULL;
}

const char *nacre_io_missing(const char *text)
{
    const char *why_not = NULL;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (!is_built(backends[i]) && strcasecmp(backends[i]->name, text) == 0 && !backends[i]->usable(&why_not))
            return why_not;
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (strcasecmp(elsewhere[i], text) == 0)
            return nacre_io_not_here;
    return NULL;
}

const char *nacre_io_names(void)
{
#ifdef _WIN32
    return "wsapoll, wsaasyncselect, iocp and auto";
#else
    return is_built(&nacre_io_uring) ? "epoll, io_uring and auto" : "epoll and auto";
#endif
}

const char *nacre_io_completion_name(void)
{
    return is_built(completion) ? completion->name : NULL;
}

const char *nacre_io_messages_name(void)
{
    return messages != NULL ? messages->name : NULL;
}

const char *nacre_io_features(void)
{
#ifdef _WIN32
    return "io=iocp,wsaasyncselect,wsapoll";
#else
    return is_built(&nacre_io_uring) ? "io=epoll,io_uring" : "io=epoll, without liburing (no io_uring)";
#endif
}
