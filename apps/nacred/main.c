/* SPDX-License-Identifier: Apache-2.0 */
/* nacred: an SSH server to run, made of libnacre's public API.
 *
 * Threads: the main one is the loop (children, ends); --threads of them handle the server's events; the server's own
 * workers move the bytes. It ends when ending.h says so: no new connections, everybody disconnected, children hung up,
 * then killed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "auth.h"
#include "child.h"
#include "child_session.h"
#include "ending.h"
#include "files.h"
#include "handlers.h"
#include "key_files.h"
#include "setup.h"
#include "sftp.h"
#include "sftp_files.h"
#include "system.h"

enum {
    EXIT_USAGE = 2,
    ROUND_MS = 20,     /* while ending, how often to look whether all is done */
    HANG_UP_MS = 2000, /* from then on, children that are left are killed */
    END_MS = 5000,     /* from then on, nobody is waited for */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool complain(const char *what, const char *why)
{
    fprintf(stderr, "nacred: %s: %s\n", what, why);
    return false;
}

static bool server_complain(struct app *app, const char *what, int code)
{
    const char *text = nacre_last_error(app->server);

    return complain(what, *text ? text : nacre_error_text(code));
}

/* ---- setting up ---- */

/* Where there is nothing but files, ssh would be sent away. */
static void print_demo_user(const struct app *app, const char *password, int port)
{
    const struct options *options = &app->options;
    const char *host = options->host;
    bool anywhere = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    bool files = options->sftp_server || options->sftp_root;
    bool only_files = files && !options->shell && !options->exec && !options->bench && !options->tunnels;

    printf("nacred: one-time user; log in with\n\n    %s %d %s@%s\n\n    password: %s\n\n",
           only_files ? "sftp -P" : "ssh -p", port, options->demo_user, anywhere ? "localhost" : host, password);
}

static bool make_demo_user(struct app *app, char password[25])
{
    if (!app->options.demo_user)
        return true;
    if (!nacred_password_make(password))
        return complain("--demo-user", strerror(errno));
    const char *wrong =
        nacred_users_set_password(&app->options.users, app->options.demo_user, password, strlen(password));
    return wrong ? complain("--demo-user", wrong) : true;
}

static bool has_folder(const struct options *options)
{
    if (!options->sftp_root || nacred_sftp_files_has_root(options->sftp_root))
        return true;
    fprintf(stderr, "nacred: --sftp-root '%s': %s\n", options->sftp_root, strerror(errno));
    return false;
}

static void warn_of_closed_doors(const struct app *app)
{
    const struct options *options = &app->options;

    if (options->users.count == 0 && options->user_cas.count == 0 && options->trusted_hosts.count == 0)
        nacred_log(LOG_LEVEL_WARNING, NULL, "users",
                   "nobody can log in: no password and no key of a user, no --user-ca and no --trusted-hosts");
    if (!options->exec && !options->shell && !options->sftp_server && !options->sftp_root && !options->bench &&
        !options->tunnels)
        nacred_log(LOG_LEVEL_WARNING, NULL, "sessions",
                   "nothing can be done: no --exec, --shell, --sftp, --sftp-root, --tunnels or --bench");
    if (options->sftp_server && nacred_file_is_missing(options->sftp_server))
        nacred_log(LOG_LEVEL_WARNING, NULL, "sessions", "sftp will fail: '%s' is not there", options->sftp_server);
}

static bool start_listening(struct app *app, const char *demo_password)
{
    char host[256] = "";
    int port = 0;
    int result = nacre_start_listening(app->server);

    if (result)
        return server_complain(app, "cannot listen", result);
    nacre_get_local_host(app->server, host, sizeof host);
    nacre_get_local_port(app->server, &port);
    if (app->options.demo_user)
        print_demo_user(app, demo_password, port);
    printf(strchr(host, ':') ? "nacred: listening on [%s]:%d\n" : "nacred: listening on %s:%d\n", host, port);
    fflush(stdout); /* who starts nacred reads that from a pipe; not every system can write to one line by line */
    return true;
}

/* ---- running ---- */

static void *handle_events(void *context)
{
    struct app *app = context;

    while (!atomic_load_explicit(&app->stopping, memory_order_relaxed)) {
        int result = nacre_do_events(app->server);

        if (result) {
            nacred_log(LOG_LEVEL_ERROR, NULL, "events", "%d %s", result, nacre_error_text(result));
            nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
        }
    }
    return NULL;
}

static bool children_are_left(struct app *app)
{
    pthread_mutex_lock(&app->children_lock);
    bool left = app->children;
    pthread_mutex_unlock(&app->children_lock);
    return left;
}

/* Orderly as long as there is time: disconnected peers hang up their children, whose ends are waited for. A second
 * wish ends the wait. */
static void end(struct app *app, const struct ending *ending)
{
    int64_t start = now_ms();
    int wishes = ending_wishes(ending);
    bool killed = false;

    nacred_log(LOG_LEVEL_INFO, NULL, "shutdown", "disconnecting %lu connections",
               (unsigned long)nacred_idmap_count(&app->peers));
    nacre_shutdown(app->server);
    while (nacred_idmap_count(&app->peers) > 0 || children_are_left(app)) {
        int64_t passed = now_ms() - start;

        if (!killed && (passed > HANG_UP_MS || ending_wishes(ending) > wishes)) {
            nacred_child_sessions_kill(app);
            killed = true;
        }
        if (passed > END_MS)
            break;
        nacred_loop_run_once(&app->loop, ROUND_MS);
    }
    nacred_loop_run_once(&app->loop, 0);
}

static int run(struct app *app, const struct ending *ending)
{
    pthread_t *threads = calloc((size_t)app->options.threads, sizeof *threads);
    int started = 0, failed = threads ? 0 : ENOMEM;

    while (!failed && started < app->options.threads) {
        failed = pthread_create(&threads[started], NULL, handle_events, app);
        started += failed ? 0 : 1;
    }
    bool good = !failed;
    if (!good)
        complain("cannot start threads", strerror(failed));
    while (good && ending_wishes(ending) == 0)
        nacred_loop_run_once(&app->loop, -1);
    if (started > 0)
        end(app, ending);
    atomic_store_explicit(&app->stopping, true, memory_order_relaxed);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve(struct app *app)
{
    struct ending ending = {.watch.fd = -1};
    char demo_password[25] = "";
    int status = EXIT_FAILURE;

    nacred_log_set(app->options.log, app->options.log_level);
    nacred_child_keep_limits();
    if (!nacred_loop_open(&app->loop) || !nacred_ending_open(&ending, &app->loop) ||
        !nacred_account_read(&app->account))
        complain("cannot start", strerror(errno));
    else if (has_folder(&app->options) && make_demo_user(app, demo_password) &&
             nacred_key_files_read(&app->options, app->account.name, app->server) &&
             nacred_trusted_hosts_read(&app->options, &app->trusted_hosts) && nacred_server_set_up(app)) {
        warn_of_closed_doors(app);
        if (start_listening(app, demo_password))
            status = run(app, &ending);
    }
    nacred_wipe(demo_password, sizeof demo_password);
    nacre_free(app->server);
    nacred_account_free(&app->account);
    nacred_trusted_hosts_free(&app->trusted_hosts);
    nacred_ending_close(&ending);
    nacred_loop_close(&app->loop);
    return status;
}

static void print_version(nacre_server *server)
{
    char build[512];

    printf("nacred %s\n", NACRE_VERSION);
    if (nacre_config(server, "BuildInfo", build, sizeof build) == 0)
        printf("%s\n", build);
}

int main(int argc, char **argv)
{
    static struct app app;
    char error[OPTIONS_ERROR_MAX];
    int status = EXIT_SUCCESS;

    if (!nacred_system_start(&argc, &argv))
        return EXIT_FAILURE;
    if (argc == 3 && strcmp(argv[1], "--serve-sftp") == 0)
        return nacred_sftp_serve(argv[2]);
    nacred_idmap_init(&app.peers);
    nacred_idmap_init(&app.sessions);
    nacred_idmap_init(&app.relays);
    pthread_mutex_init(&app.children_lock, NULL);
    enum options_result result = nacred_options_read(&app.options, argc, argv, error);
    if (nacre_create(&app.server) != NACRE_OK) {
        complain("cannot start", "out of memory");
        return EXIT_FAILURE;
    }

    switch (result) {
    case OPTIONS_RUN:
        status = serve(&app);
        break;
    case OPTIONS_HELP:
        fputs(nacred_help, stdout);
        break;
    case OPTIONS_VERSION:
        print_version(app.server);
        break;
    case OPTIONS_WRONG:
        fprintf(stderr, "nacred: %s\nTry 'nacred --help'.\n", error);
        status = EXIT_USAGE;
        break;
    }
    nacred_options_free(&app.options);
    nacred_idmap_free(&app.peers);
    nacred_idmap_free(&app.sessions);
    nacred_idmap_free(&app.relays);
    return status;
}
