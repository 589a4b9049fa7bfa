/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "bench_commands.h"
#include "child_session.h"
#include "log.h"
#include "seats.h"

bool nacred_session_open(struct app *app, struct peer *peer, nacre_channel_id id, bool *full)
{
    *full = false;
    if (!peer->seats && !(peer->seats = nacred_seats_new()))
        return false;
    *full = !nacred_seats_take(peer->seats, app->options.max_sessions);
    if (*full)
        return false;
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        nacred_seats_leave(peer->seats);
        return false;
    }
    session->seats = peer->seats;
    session->app = app;
    session->peer = peer;
    session->id = id;
    atomic_init(&session->references, 1);
    pthread_mutex_init(&session->lock, NULL);
    nacred_child_session_init(session);
    session->next_of_peer = peer->sessions;
    peer->sessions = session;
    nacred_idmap_add(&app->sessions, id, &session->node);
    return true;
}

struct session *nacred_session_find(struct app *app, nacre_channel_id id)
{
    struct idmap_node *node = nacred_idmap_find(&app->sessions, id);

    return node ? (struct session *)((char *)node - offsetof(struct session, node)) : NULL;
}

void nacred_session_release(struct session *session)
{
    if (atomic_fetch_sub_explicit(&session->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&session->lock);
    nacred_environment_free(&session->environment);
    nacred_queue_free(&session->echo_unsent);
    nacred_queue_free(&session->input_unsent);
    free(session->terminal);
    free(session->command);
    free(session);
}

void nacred_session_uncount(struct session *session)
{
    if (session->counted)
        nacred_count_leave(&session->app->processes);
    session->counted = false;
}

void nacred_session_close(struct session *session)
{
    struct session **link = &session->peer->sessions;

    while (*link != session)
        link = &(*link)->next_of_peer;
    *link = session->next_of_peer;
    nacred_idmap_remove(&session->app->sessions, session->id);
    nacred_child_session_hang_up(session);
    nacred_session_release(session);
}

/* ---- requests ---- */

/* A string field as text of its own; NULL when it is not there, holds a NUL, or memory is out. */
static char *read_text(const uint8_t *packet, size_t len, const char *field)
{
    size_t text_len = len;
    char *text = malloc(len + 1);

    if (!text)
        return NULL;
    if (nacre_get_ssh_param_bytes(packet, len, field, text, &text_len) != 0 || memchr(text, 0, text_len)) {
        free(text);
        return NULL;
    }
    text[text_len] = 0;
    return text;
}

static bool request_pty(struct session *session, const uint8_t *packet, size_t len)
{
    const struct options *options = &session->app->options;

    if (session->work != WORK_NONE || session->terminal || (!options->shell && !options->exec) ||
        !session->peer->may_pty || !nacred_pty_is_there())
        return false;
    session->terminal = calloc(1, sizeof *session->terminal);
    if (!session->terminal)
        return false;
    if (nacred_terminal_read(session->terminal, packet, len))
        return true;
    free(session->terminal);
    session->terminal = NULL;
    return false;
}

static bool request_resize(struct session *session, const uint8_t *packet, size_t len)
{
    if (!session->terminal || !nacred_terminal_resize(session->terminal, packet, len))
        return false;
    nacred_child_session_resize(session);
    return true;
}

static bool request_env(struct session *session, const uint8_t *packet, size_t len)
{
    const struct strings *patterns = &session->app->options.accept_env;

    if (session->work != WORK_NONE || patterns->count == 0)
        return false;
    char *name = read_text(packet, len, "VariableName");
    char *value = read_text(packet, len, "VariableValue");
    bool set = name && value && nacred_environment_allows(patterns->list, patterns->count, name) &&
               nacred_environment_set(&session->environment, name, value);
    free(name);
    free(value);
    return set;
}

/* The command of the certificate in place of the client's, which the command finds in its environment. */
static bool force(struct session *session, const char *original)
{
    if (!session->app->options.exec ||
        (original && !nacred_environment_set(&session->environment, "SSH_ORIGINAL_COMMAND", original)))
        return false;
    session->command = strdup(session->peer->forced_command);
    session->work = session->command ? WORK_EXEC : WORK_NONE;
    return session->command;
}

static bool request_shell(struct session *session, const uint8_t *packet, size_t len)
{
    (void)packet;
    (void)len;
    if (session->work == WORK_NONE && session->peer->forced_command)
        return force(session, NULL);
    if (session->work != WORK_NONE || !session->app->options.shell)
        return false;
    session->work = WORK_SHELL;
    return true;
}

static bool request_exec(struct session *session, const uint8_t *packet, size_t len)
{
    if (session->work != WORK_NONE)
        return false;
    char *command = read_text(packet, len, "Command");
    if (!command)
        return false;
    if (session->peer->forced_command) {
        bool forced = force(session, command);
        free(command);
        return forced;
    }
    if (session->app->options.bench)
        session->work = nacred_bench_command(command, &session->source_left);
    if (session->work == WORK_NONE && session->app->options.exec) {
        session->work = WORK_EXEC;
        session->command = command;
        return true;
    }
    free(command);
    return session->work != WORK_NONE;
}

static bool request_subsystem(struct session *session, const uint8_t *packet, size_t len)
{
    if (session->work != WORK_NONE)
        return false;
    char *name = read_text(packet, len, "Subsystem");
    if (name && session->peer->forced_command) {
        bool forced = force(session, name);
        free(name);
        return forced;
    }
    if (name && strcmp(name, "sftp") == 0 && (session->app->options.sftp_server || session->app->options.sftp_root))
        session->work = WORK_SFTP;
    free(name);
    return session->work != WORK_NONE;
}

static bool request_signal(struct session *session, const uint8_t *packet, size_t len)
{
    char *name = read_text(packet, len, "SignalName");
    bool sent = name && nacred_child_session_signal(session, name);

    free(name);
    return sent;
}

/* OpenSSH's PROTOCOL.agent section 2: for every session of the connection from now on. */
static bool request_agent(struct session *session, const uint8_t *packet, size_t len)
{
    struct peer *peer = session->peer;

    (void)packet;
    (void)len;
    if (!session->app->options.agent_forwarding || !peer->may_agent)
        return false;
    if (peer->agent)
        return true;
    peer->agent = nacred_agent_new(session->app, peer);
    if (peer->agent)
        nacred_log(LOG_LEVEL_INFO, peer, "agent", "forwarded at %s", nacred_agent_path(peer->agent));
    else
        nacred_log(LOG_LEVEL_ERROR, peer, "agent", "cannot be forwarded: %s", strerror(errno));
    return peer->agent;
}

/* What is not here is refused: x11-req among it. */
static const struct {
    const char *type;
    bool (*take)(struct session *session, const uint8_t *packet, size_t len);
} request_rows[] = {
    {"pty-req", request_pty},   {"window-change", request_resize},
    {"env", request_env},       {"shell", request_shell},
    {"exec", request_exec},     {"subsystem", request_subsystem},
    {"signal", request_signal}, {"auth-agent-req@openssh.com", request_agent},
};

static bool is_bench(const struct session *session)
{
    return session->work >= WORK_BENCH_ECHO;
}

/* Once there is something to start; when there are too many already the client may ask again later. */
static bool count_process(struct session *session)
{
    int max = session->app->options.max_processes;

    if (is_bench(session))
        return true;
    session->counted = nacred_count_take(&session->app->processes, max);
    if (session->counted)
        return true;
    session->work = WORK_NONE;
    free(session->command);
    session->command = NULL;
    if (nacred_peer_refused(session->peer, REFUSED_PROCESS))
        nacred_log(LOG_LEVEL_WARNING, session->peer, "refused", "process: there are %d, which is --max-processes", max);
    return false;
}

bool nacred_session_request(struct session *session, const char *type, const uint8_t *packet, size_t len)
{
    bool had_work = session->work != WORK_NONE;

    for (size_t i = 0; i < sizeof request_rows / sizeof *request_rows; i++)
        if (strcmp(request_rows[i].type, type) == 0)
            return request_rows[i].take(session, packet, len) &&
                   (had_work || session->work == WORK_NONE || count_process(session));
    return false;
}

void nacred_session_start(struct session *session, const char *type)
{
    if (strcmp(type, "shell") != 0 && strcmp(type, "exec") != 0 && strcmp(type, "subsystem") != 0)
        return;
    if (is_bench(session)) {
        nacred_bench_start(session);
        return;
    }
    nacred_log(LOG_LEVEL_INFO, session->peer, type, "%s",
               session->work == WORK_EXEC    ? session->command
               : session->work == WORK_SHELL ? session->app->account.shell
                                             : "sftp");
    nacred_child_session_start(session);
}

/* ---- data: what comes before anything was started belongs to nobody and is dropped ---- */

void nacred_session_data(struct session *session, const uint8_t *data, size_t len)
{
    if (is_bench(session))
        nacred_bench_data(session, data, len);
    else if (session->work != WORK_NONE)
        nacred_child_session_data(session, data, len);
}

void nacred_session_eof(struct session *session)
{
    if (is_bench(session))
        nacred_bench_eof(session);
    else if (session->work != WORK_NONE)
        nacred_child_session_eof(session);
}

void nacred_session_ready(struct session *session)
{
    if (is_bench(session))
        nacred_bench_ready(session);
    else if (session->work != WORK_NONE)
        nacred_child_session_ready(session);
}
