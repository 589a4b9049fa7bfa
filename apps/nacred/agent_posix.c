/* SPDX-License-Identifier: Apache-2.0 */
/* An agent's listener belongs to the loop from the start; its relays are in agent_relay_posix.c. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent_relay.h"
#include "log.h"

enum {
    RELAYS_MAX = 64, /* of one connection: an agent's clients ask and leave */
    BACKLOG = 64,
};

struct agent {
    struct app *app;
    nacre_connection_id connection_id;
    struct watch watch; /* the listener */
    int spare;          /* a copy of it, given up to turn somebody away when there are no descriptors; -1: none */
    struct post end;
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

    pthread_mutex_t lock;    /* protects everything below; held while a channel is opened, so that its first event waits
                                until the relay can be found */
    const struct peer *peer; /* NULL once the connection has ended */
    struct relay *relays;
    unsigned relay_count;
};

/* ---- the folder and the socket ---- */

static bool make_folder(struct agent *agent)
{
    const char *parent = getenv("XDG_RUNTIME_DIR");
    const size_t room = sizeof agent->folder - sizeof "/agent";

    /* mkdtemp() makes it 0700. */
    if (parent && *parent == '/' && (size_t)snprintf(agent->folder, room, "%s/nacred-XXXXXX", parent) < room &&
        mkdtemp(agent->folder))
        return true;
    snprintf(agent->folder, room, "/tmp/nacred-XXXXXX");
    if (mkdtemp(agent->folder))
        return true;
    *agent->folder = 0;
    return false;
}

static bool open_listener(struct agent *agent)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (snprintf(agent->path, sizeof agent->path, "%s/agent", agent->folder) >= (int)sizeof agent->path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, agent->path, sizeof address.sun_path);
    agent->watch.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The mode of the socket before bind() becomes that of the file. */
    return agent->watch.fd >= 0 && fchmod(agent->watch.fd, S_IRUSR | S_IWUSR) == 0 &&
           bind(agent->watch.fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
           listen(agent->watch.fd, BACKLOG) == 0;
}

static void remove_files(const struct agent *agent)
{
    if (*agent->path)
        unlink(agent->path);
    if (*agent->folder)
        rmdir(agent->folder);
}

const char *nacred_agent_path(const struct agent *agent)
{
    return agent->path;
}

/* ---- connections to it ---- */

static void take_connection(struct agent *agent, int fd)
{
    struct relay *relay;

    pthread_mutex_lock(&agent->lock);
    if (!agent->peer || agent->relay_count == RELAYS_MAX) {
        close(fd);
    } else if (!(relay = nacred_relay_new(agent->app, agent->connection_id, fd))) {
        nacred_log(LOG_LEVEL_WARNING, agent->peer, "agent", "cannot open a channel to the client's agent");
    } else {
        relay->next_of_agent = agent->relays;
        agent->relays = relay;
        agent->relay_count++;
    }
    pthread_mutex_unlock(&agent->lock);
}

static int accept_one(const struct agent *agent)
{
    return accept4(agent->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void keep_spare(struct agent *agent)
{
    agent->spare = fcntl(agent->watch.fd, F_DUPFD_CLOEXEC, 0);
}

/* Out of descriptors: who waits is told at once, and the next may have more luck. */
static bool turn_away(struct agent *agent)
{
    if (agent->spare < 0)
        return false;
    close(agent->spare);
    int fd = accept_one(agent);
    if (fd >= 0)
        close(fd);
    keep_spare(agent);
    return fd >= 0;
}

static void on_listener_ready(struct watch *watch)
{
    struct agent *agent = (struct agent *)((char *)watch - offsetof(struct agent, watch));
    int fd;

    if (!watch->armed)
        return;
    fd = accept_one(agent);
    if (fd >= 0) {
        take_connection(agent, fd);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    if ((errno == EMFILE || errno == ENFILE) && turn_away(agent))
        return;
    /* What waits stays acceptable, and the loop would spin on it. */
    pthread_mutex_lock(&agent->lock);
    if (agent->peer)
        nacred_log(LOG_LEVEL_ERROR, agent->peer, "agent", "takes no connections any more: %s", strerror(errno));
    nacred_loop_disarm(&agent->app->loop, watch);
    pthread_mutex_unlock(&agent->lock);
}

/* ---- life ---- */

static void free_agent(struct agent *agent)
{
    if (agent->spare >= 0)
        close(agent->spare);
    pthread_mutex_destroy(&agent->lock);
    free(agent);
}

static void on_end(struct post *post)
{
    struct agent *agent = (struct agent *)((char *)post - offsetof(struct agent, end));

    nacred_loop_close_watch(&agent->app->loop, &agent->watch);
    free_agent(agent);
}

struct agent *nacred_agent_new(struct app *app, const struct peer *peer)
{
    struct agent *agent = calloc(1, sizeof *agent);

    if (!agent)
        return NULL;
    agent->app = app;
    agent->peer = peer;
    agent->connection_id = peer->connection_id;
    agent->watch = (struct watch){.ready = on_listener_ready, .fd = -1};
    agent->spare = -1;
    agent->end.run = on_end;
    pthread_mutex_init(&agent->lock, NULL);
    pthread_mutex_lock(&agent->lock);
    bool good = make_folder(agent) && open_listener(agent);
    if (good) {
        keep_spare(agent);
        good = agent->spare >= 0 && nacred_loop_arm(&app->loop, &agent->watch, LOOP_READ);
    }
    pthread_mutex_unlock(&agent->lock);
    if (good)
        return agent;
    int failed = errno;
    if (agent->watch.fd >= 0)
        close(agent->watch.fd);
    remove_files(agent);
    free_agent(agent);
    errno = failed;
    return NULL;
}

void nacred_agent_end(struct agent *agent)
{
    if (!agent)
        return;
    pthread_mutex_lock(&agent->lock);
    agent->peer = NULL;
    while (agent->relays) {
        struct relay *relay = agent->relays;

        agent->relays = relay->next_of_agent;
        nacred_relay_end(relay);
    }
    pthread_mutex_unlock(&agent->lock);
    remove_files(agent);
    nacred_loop_post(&agent->app->loop, &agent->end);
}

bool nacred_agent_opened(struct agent *agent, nacre_channel_id id)
{
    if (!agent)
        return false;
    pthread_mutex_lock(&agent->lock);
    struct relay *relay = nacred_relay_find(agent->app, id);
    pthread_mutex_unlock(&agent->lock);
    if (relay)
        nacred_relay_start(relay);
    return relay;
}

bool nacred_agent_closed(struct agent *agent, nacre_channel_id id)
{
    if (!agent)
        return false;
    pthread_mutex_lock(&agent->lock);
    struct relay **link = &agent->relays;
    while (*link && (*link)->id != id)
        link = &(*link)->next_of_agent;
    struct relay *relay = *link;
    if (relay) {
        *link = relay->next_of_agent;
        agent->relay_count--;
        nacred_relay_end(relay);
    }
    pthread_mutex_unlock(&agent->lock);
    return relay;
}

bool nacred_agent_data(struct app *app, nacre_channel_id id, const uint8_t *data, size_t len)
{
    struct relay *relay = nacred_relay_find(app, id);

    if (relay)
        nacred_relay_data(relay, data, len);
    return relay;
}

bool nacred_agent_eof(struct app *app, nacre_channel_id id)
{
    struct relay *relay = nacred_relay_find(app, id);

    if (relay)
        nacred_relay_eof(relay);
    return relay;
}

bool nacred_agent_ready(struct app *app, nacre_channel_id id)
{
    struct relay *relay = nacred_relay_find(app, id);

    if (relay)
        nacred_relay_ready(relay);
    return relay;
}
