/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rlimit child_limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

void nacred_child_keep_limits(void)
{
    getrlimit(RLIMIT_NOFILE, &child_limit);
}

void nacred_child_signal(pid_t pid, int signal)
{
    kill(-pid, signal);
}

/* The three descriptors of the child: its end of each pipe, and ours. */
struct pipes {
    int theirs[3];
    int ours[3];
};

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static bool open_pipes(struct pipes *pipes)
{
    *pipes = (struct pipes){.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
    for (int i = 0; i < 3; i++) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) != 0)
            return false;
        pipes->theirs[i] = ends[i == 0 ? 0 : 1];
        pipes->ours[i] = ends[i == 0 ? 1 : 0];
        if (fcntl(pipes->ours[i], F_SETFL, O_NONBLOCK) != 0)
            return false;
    }
    return true;
}

static int add_pipes(posix_spawn_file_actions_t *actions, const struct pipes *pipes)
{
    int failed = 0;

    for (int i = 0; i < 3 && !failed; i++)
        failed = posix_spawn_file_actions_adddup2(actions, pipes->theirs[i], i);
    return failed;
}

/* Opening the terminal as the first one after setsid makes it the controlling terminal. */
static int add_terminal(posix_spawn_file_actions_t *actions, const struct pty *pty)
{
    int failed = posix_spawn_file_actions_addopen(actions, 0, pty->path, O_RDWR, 0);

    for (int i = 1; i < 3 && !failed; i++)
        failed = posix_spawn_file_actions_adddup2(actions, 0, i);
    return failed;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(pid_t *pid, const struct child_plan *plan, const struct pipes *pipes)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);

    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed) {
        posix_spawn_file_actions_destroy(&actions);
        return failed;
    }
    failed = set_attributes(&attributes);
    if (!failed)
        failed = plan->pty ? add_terminal(&actions, plan->pty) : add_pipes(&actions, pipes);
    /* Every descriptor here is close-on-exec; this is for those of a library that forgot. */
    if (!failed)
        failed = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!failed)
        failed = posix_spawn_file_actions_addchdir_np(&actions, plan->folder);
    if (!failed)
        failed = posix_spawn(pid, plan->program, &actions, &attributes, plan->arguments, plan->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static void kill_and_reap(pid_t pid)
{
    nacred_child_signal(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

bool nacred_child_start(struct child *child, const struct child_plan *plan)
{
    struct pipes pipes = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
    int failed = 0;

    if (plan->pty)
        pipes.ours[0] = fcntl(plan->pty->master, F_DUPFD_CLOEXEC, 3);
    if (plan->pty ? pipes.ours[0] < 0 : !open_pipes(&pipes))
        failed = errno;
    if (!failed)
        failed = spawn(&child->pid, plan, &pipes);
    close_all(pipes.theirs, 3);
    if (!failed) {
        prlimit(child->pid, RLIMIT_NOFILE, &child_limit, NULL);
        child->pidfd = pidfd_open(child->pid, 0);
        if (child->pidfd < 0) {
            failed = errno;
            kill_and_reap(child->pid);
        }
    }
    if (failed) {
        close_all(pipes.ours, 3);
        errno = failed;
        return false;
    }
    child->input = pipes.ours[0];
    child->output = plan->pty ? plan->pty->master : pipes.ours[1];
    child->errors = plan->pty ? -1 : pipes.ours[2];
    if (plan->pty)
        close(plan->pty->slave);
    return true;
}
