/* SPDX-License-Identifier: Apache-2.0 */
/* A server's life: create, handlers, start and stop listening, shutdown, free. */
#include "engine/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/clients.h"
#include "engine/deliver.h"
#include "engine/descriptors.h"
#include "engine/host_keys.h"
#include "engine/io_pick.h"
#include "engine/limit.h"
#include "engine/memory.h"
#include "engine/sock.h"

static void init_certs(struct nacre_server *server)
{
    for (int i = 0; i < 1 + ALT_CERTS_MAX; i++)
        nacre_cert_init(&server->certs[i]);
    nacre_buf_init(&server->user_authorities, USER_AUTHORITIES_MAX);
    nacre_buf_init(&server->known_authorities, USER_AUTHORITIES_MAX);
}

/* Connections of two servers, or of one before and after it was started again, have different ConnectionUIDs. */
static void set_uid(struct nacre_server *server)
{
    uint64_t random = 0;
    if (!nacre_entropy(&random, sizeof random))
        random = (uint64_t)nacre_clock_ns() ^ (uint64_t)(uintptr_t)server;
    (void)snprintf(server->uid, sizeof server->uid, "%016" PRIx64, random);
}

int nacre_create(nacre_server **out)
{
    if (out == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    *out = NULL;
    struct nacre_server *server = nacre_pages_alloc(sizeof *server);
    if (server == NULL)
        return nacre_fail(NACRE_E_NOBUFS, NULL);
    memset(server, 0, sizeof *server);
    server->crypto = nacre_crypto_open(false);
    if (server->crypto == NULL || !nacre_settings_init(&server->settings, server->crypto)) {
        bool crypto = server->crypto != NULL;
        nacre_settings_free(&server->settings);
        if (crypto)
            nacre_crypto_unref(server->crypto);
        nacre_pages_free(server);
        return nacre_fail(crypto ? NACRE_E_NOBUFS : NACRE_E_CRYPTO, NULL);
    }
    memcpy(server->algorithm_profile, "compatible", sizeof "compatible");
    set_uid(server);
    init_certs(server);
    nacre_mutex_init(&server->lock);
    nacre_mutex_init(&server->ready_lock);
    nacre_admission_init(&server->admission);
    nacre_budget_init(&server->memory, nacre_memory_limit(server->settings.memory_limit.number));
    atomic_init(&server->event_fd, -1);
    server->event_fd_spare = -1;
    atomic_init(&server->select_wait_ms, (int)server->settings.select_wait_ms.number);
    atomic_init(&server->code_page, (int)server->settings.code_page.number);
    atomic_init(&server->process_idle_events, server->settings.process_idle_events.number != 0);
    *out = server;
    return nacre_succeed();
}

int nacre_set_handlers(nacre_server *server, const struct nacre_handlers *handlers, void *context)
{
    if (server == NULL || handlers == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    bool busy = server->listening || atomic_load_explicit(&server->connection_count, memory_order_acquire) != 0 ||
                atomic_load_explicit(&server->own_events, memory_order_acquire) != 0;
    if (!busy) {
        server->handlers = *handlers;
        server->context = context;
    }
    nacre_mutex_unlock(&server->lock);
    if (busy)
        return nacre_fail(NACRE_E_LISTENING,
                          "Handlers cannot change while the server is listening, connections are left or an error of "
                          "no connection has not been told yet.");
    return nacre_succeed();
}

/* ---- shards ---------------------------------------------------------------------------------------------------- */

struct shard *nacre_server_shard(struct nacre_server *server, int64_t id)
{
    unsigned count =
        atomic_load_explicit(&server->shard_count, memory_order_acquire); /* with the release when they stand */
    unsigned index = id_shard(id);
    return id <= 0 || index >= count ? NULL : &server->shards[index];
}

static bool start_pools(struct nacre_server *server)
{
    if (!nacre_offload_start(&server->offload, nacre_cpu_count(), "nacre-offload"))
        return false;
    if (nacre_offload_start(&server->lookups, OFFLOAD_THREADS, "nacre-lookup"))
        return true;
    nacre_offload_stop(&server->offload);
    return false;
}

static void stop_pools(struct nacre_server *server)
{
    nacre_offload_stop(&server->offload);
    nacre_offload_stop(&server->lookups);
}

/* Ends so many workers. Their last events are dropped here, since nobody else may be taking them any more. */
static void stop_shards(struct nacre_server *server, unsigned count)
{
    if (count == 0)
        return;
    for (unsigned i = 0; i < count; i++)
        nacre_shard_stop(&server->shards[i]);
    for (unsigned i = 0; i < count; i++) {
        while (!atomic_load_explicit(&server->shards[i].ended, memory_order_acquire))
            if (!nacre_deliver_discard(server)) {
                nacre_server_wait(server, nacre_clock_ns() + INT64_C(10000000));
                server->ops->wake(server->shards[i].io); /* a wake-up may fail */
            }
        nacre_thread_join(server->shards[i].thread);
    }
    while (nacre_deliver_discard(server))
        ;
    stop_pools(server);
    atomic_store_explicit(&server->shard_count, 0, memory_order_release);
    for (unsigned i = 0; i < count; i++)
        nacre_shard_destroy(&server->shards[i]);
    nacre_pages_free(server->shards);
    server->shards = NULL;
}

/* Shards stand from the first start to nacre_free(): other threads reach them without a lock. */
static unsigned wanted_shards(const struct nacre_server *server)
{
    unsigned set = (unsigned)server->settings.worker_threads.number;
    return set != 0 ? set : nacre_cpu_count();
}

/* Shards that are set up but have no thread yet are taken down again. */
static void destroy_unstarted(struct nacre_server *server, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nacre_shard_destroy(&server->shards[i]);
    nacre_pages_free(server->shards);
    server->shards = NULL;
    stop_pools(server);
}

static enum nacre_error init_shards(struct nacre_server *server, struct profile *profile, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        enum nacre_error e = nacre_shard_init(&server->shards[i], server, i, &server->plan, profile);
        if (e != NACRE_OK) {
            destroy_unstarted(server, i);
            return e;
        }
    }
    return NACRE_OK;
}

/* Threads that did start are stopped with the rest when one could not. */
static enum nacre_error start_threads(struct nacre_server *server, unsigned count)
{
    unsigned started = 0;
    while (started < count && nacre_shard_start(&server->shards[started]))
        started++;
    if (started == count)
        return NACRE_OK;
    for (unsigned i = started; i < count; i++)
        nacre_shard_destroy(&server->shards[i]);
    if (started == 0)
        destroy_unstarted(server, 0);
    else
        stop_shards(server, started);
    return NACRE_E_PROCLIM;
}

/* What a worker and those that wake and reach it live on, by the numbers that it has in the process's table and keeps
 * in the others, and the handle that it makes readable. The first one is what 0, 1 and 2 will be: not that. */
static unsigned collect_descriptors(const struct nacre_server *server, unsigned worker, intptr_t event_fd,
                                    io_socket *out)
{
    unsigned count = 0;
    for (unsigned i = 0; i < server->plan.workers; i++) {
        const struct shard *s = &server->shards[i];
        count += server->ops->descriptors(s->io, i == worker, out + count);
        out[count++] = s->way[0];
        out[count++] = s->way[1];
    }
    out[count++] = (io_socket)event_fd;
    return count;
}

/* Gives every worker its own descriptor table, before it has any socket. */
static enum nacre_error seclude_workers(struct nacre_server *server, char *why, size_t why_size)
{
    unsigned most = server->plan.workers * (IO_DESCRIPTORS + 2) + 1;
    io_socket *keep = calloc(most, sizeof *keep);
    intptr_t event_fd = nacre_server_prepare_fd(server);
    enum nacre_error e = keep == NULL ? NACRE_E_NOBUFS : event_fd == -1 ? NACRE_E_MFILE : NACRE_OK;
    for (unsigned i = 0; i < server->plan.workers && e == NACRE_OK; i++) {
        const char *refusal = NULL;
        unsigned count = collect_descriptors(server, i, event_fd, keep);
        struct command *k = nacre_command_new(COMMAND_SECLUDE, 0, NULL, keep, count * sizeof *keep);
        e = k == NULL ? NACRE_E_NOBUFS : nacre_inbox_ask_why(&server->shards[i], k, NULL, &refusal);
        if (refusal != NULL)
            (void)snprintf(why, why_size,
                           "MaxConnections=%u does not fit the hard limit of open files, and workers cannot have "
                           "tables of their own: %s. Raise the limit (ulimit -Hn, LimitNOFILE=).",
                           (unsigned)server->settings.max_connections.number, refusal);
    }
    free(keep);
    return e;
}

static enum nacre_error make_shards(struct nacre_server *server, struct profile *profile, char *why, size_t why_size)
{
    unsigned count = server->plan.workers;
    server->shards = nacre_shards_new(count);
    if (server->shards == NULL)
        return NACRE_E_NOBUFS;
    if (!start_pools(server)) {
        nacre_pages_free(server->shards);
        server->shards = NULL;
        return NACRE_E_PROCLIM;
    }
    enum nacre_error e = init_shards(server, profile, count);
    if (e == NACRE_OK)
        e = start_threads(server, count);
    if (e != NACRE_OK)
        return e;
    if (server->plan.own_tables)
        e = seclude_workers(server, why, why_size);
    /* Other threads may be in do_events, and reach what they can see: nothing that may yet be taken down. */
    if (e == NACRE_OK)
        atomic_store_explicit(&server->shard_count, count, memory_order_release); /* all of it can be seen */
    else
        stop_shards(server, count);
    return e;
}

/* How MaxConnections fit, into workers that stand or that will. */
static enum nacre_error plan_workers(struct nacre_server *server, char *why, size_t why_size)
{
    unsigned max = (unsigned)server->settings.max_connections.number;
    if (atomic_load_explicit(&server->shard_count, memory_order_acquire) != 0)
        return nacre_limit_fits(max, &server->plan, why, why_size);
    const char *why_not = "";
    const struct io_backend *ops = nacre_io_pick(server->io_asked, &why_not);
    if (ops == NULL) {
        (void)snprintf(why, why_size, "Cannot listen: %s.", why_not);
        return NACRE_E_NOT_SUPPORTED;
    }
    server->ops = ops;
    return nacre_limit_plan(server->ops, max, wanted_shards(server), &server->plan, why, why_size);
}

/* ---- listening ------------------------------------------------------------------------------------------------- */

static void close_listeners(struct nacre_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++)
        nacre_sock_close_listener(server->listeners[i]);
    free(server->listeners);
    server->listeners = NULL;
    server->listener_count = 0;
}

/* What NO_DATA says of a host that has addresses, but none of the family that UseIPv6 is for. */
static const char *const without_family[] = {
    [SOCK_IPV4] = " UseIPv6 is 0, which is for IPv4 addresses alone.",
    [SOCK_IPV6] = " UseIPv6 is 1, which is for IPv6 addresses alone.",
    [SOCK_BOTH] = "",
};

/* BindExclusively: one socket for all workers. Else one a worker where that spreads connections, and other processes
 * may join. */
static enum nacre_error open_listeners(struct nacre_server *server, unsigned shards, char *why, size_t why_size)
{
    const struct settings *set = &server->settings;
    bool exclusive = set->bind_exclusively.number != 0;
    unsigned count = exclusive || !nacre_sock_spreads() ? 1 : shards;
    int port = (int)set->local_port.number;
    server->listeners = calloc(count, sizeof *server->listeners);
    if (server->listeners == NULL)
        return NACRE_E_NOBUFS;
    while (server->listener_count < count) {
        const struct sock_listen options = {.host = set->local_host.text,
                                            .port = (uint16_t)port,
                                            .backlog = (int)set->backlog.number,
                                            .family = (enum sock_family)set->use_ipv6.number,
                                            .exclusive = exclusive};
        io_socket s;
        enum nacre_error e = nacre_sock_listen(&options, &s);
        if (e != NACRE_OK) {
            (void)snprintf(why, why_size, "Cannot listen on \"%s\" port %d: %s%s", options.host, port,
                           nacre_error_text((int)e), e == NACRE_E_NO_DATA ? without_family[options.family] : "");
            close_listeners(server);
            return e;
        }
        server->listeners[server->listener_count++] = s;
        port = nacre_sock_port(s);
    }
    server->bound_port = port;
    return NACRE_OK;
}

static enum nacre_error tell_workers(struct nacre_server *server, unsigned shards)
{
    for (unsigned i = 0; i < shards; i++) {
        struct command *k = nacre_command_new(COMMAND_LISTEN, 0, NULL, NULL, 0);
        if (k == NULL)
            return NACRE_E_NOBUFS;
        struct shard *s = &server->shards[i];
        k->socket = server->listeners[i % server->listener_count];
        enum nacre_error e = s->own_table ? nacre_descriptors_pass(s->way[0], k->socket, PASSED_LISTENER) : NACRE_OK;
        if (e == NACRE_OK)
            e = nacre_inbox_ask(s, k, NULL);
        else
            nacre_command_free(k);
        if (e != NACRE_OK)
            return e;
    }
    return NACRE_OK;
}

/* Takes the listener from every worker and waits until none will touch it. */
static void tell_unlisten(struct nacre_server *server, unsigned shards)
{
    for (unsigned i = 0; i < shards; i++) {
        struct command k = {.type = COMMAND_UNLISTEN, .lent = true};
        (void)nacre_inbox_ask(&server->shards[i], &k, NULL);
    }
}

static enum nacre_error start_locked(struct nacre_server *server, char *why, size_t why_size)
{
    if (server->listening)
        return NACRE_E_LISTENING;
    enum nacre_error e = nacre_host_keys_check(server, why, why_size);
    if (e != NACRE_OK)
        return e;
    e = plan_workers(server, why, why_size);
    if (e != NACRE_OK)
        return e;
    server->is_paced = nacre_sock_paces();
    struct profile *profile = nacre_server_profile(server);
    if (profile == NULL)
        return NACRE_E_NOBUFS;
    if (atomic_load_explicit(&server->shard_count, memory_order_acquire) == 0)
        e = make_shards(server, profile, why, why_size);
    else
        e = nacre_server_changed(server);
    nacre_profile_unref(profile);
    if (e != NACRE_OK)
        return e;
    unsigned shards = atomic_load_explicit(&server->shard_count, memory_order_acquire);
    e = open_listeners(server, shards, why, why_size);
    if (e != NACRE_OK)
        return e;
    e = tell_workers(server, shards);
    server->listening = e == NACRE_OK;
    if (e != NACRE_OK) {
        tell_unlisten(server, shards);
        close_listeners(server);
    }
    return e;
}

int nacre_start_listening(nacre_server *server)
{
    char why[256] = "";
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    enum nacre_error e = nacre_clients_refresh(server, why, sizeof why);
    if (e != NACRE_OK)
        return nacre_fail(e, why);
    nacre_mutex_lock(&server->lock);
    e = start_locked(server, why, sizeof why);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, why);
}

int nacre_stop_listening(nacre_server *server)
{
    if (server == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    nacre_mutex_lock(&server->lock);
    if (server->listening) {
        tell_unlisten(server, atomic_load_explicit(&server->shard_count, memory_order_acquire));
        close_listeners(server);
        server->listening = false;
    }
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

int nacre_shutdown(nacre_server *server)
{
    int e = nacre_stop_listening(server);
    if (e != NACRE_OK)
        return e;
    nacre_mutex_lock(&server->lock);
    unsigned count = atomic_load_explicit(&server->shard_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        nacre_shard_shut_down(&server->shards[i]);
    nacre_mutex_unlock(&server->lock);
    return nacre_succeed();
}

void nacre_free(nacre_server *server)
{
    if (server == NULL)
        return;
    (void)nacre_stop_listening(server);
    stop_shards(server, atomic_load_explicit(&server->shard_count, memory_order_acquire));
    for (int i = 0; i < 1 + ALT_CERTS_MAX; i++)
        nacre_cert_free(&server->certs[i]);
    nacre_buf_free(&server->user_authorities);
    nacre_buf_free(&server->known_authorities);
    for (int i = 0; i < PROMPTS_MAX; i++)
        free(server->prompts[i].text);
    nacre_settings_free(&server->settings);
    free(server->allowed);
    free(server->blocked);
    nacre_crypto_unref(server->crypto);
    nacre_admission_destroy(&server->admission);
    nacre_server_close_fd(server);
    nacre_mutex_destroy(&server->ready_lock);
    nacre_mutex_destroy(&server->lock);
    nacre_pages_free(server);
}
