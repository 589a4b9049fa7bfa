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

#include "signals_posix.h"

static struct rlimit child_limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

void nacred_child_keep_limits(void)
{
    getrlimit(RLIMIT_NOFILE, &child_limit);
}

static void signal_group(const struct process *process, int number)
{
    kill(-(pid_t)process->id, number);
}

bool nacred_child_signal(const struct process *process, const char *name)
{
    int number = nacred_signal_number(name);

    if (number != 0)
        signal_group(process, number);
    return number != 0;
}

void nacred_child_hang_up(const struct process *process)
{
    signal_group(process, SIGHUP);
    signal_group(process, SIGCONT);
}

void nacred_child_kill(const struct process *process)
{
    signal_group(process, SIGKILL);
}

bool nacred_child_reap(struct process *process, struct child_end *end, bool wait)
{
    int status;
    pid_t got = -1;

    do
        got = waitpid((pid_t)process->id, &status, wait ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got != (pid_t)process->id)
        return false;
    *end = (struct child_end){.code = (unsigned)WEXITSTATUS(status)};
    if (WIFSIGNALED(status))
        *end = (struct child_end){.code = 128 + (unsigned)WTERMSIG(status),
                                  .signal_name = nacred_signal_name(WTERMSIG(status)),
                                  .signal_number = (unsigned)WTERMSIG(status),
                                  .core_dumped = WCOREDUMP(status)};
    return true;
}

/* The number is the system's again. */
void nacred_child_forget(struct process *process)
{
    (void)process;
}

long nacred_child_read(struct watch *output, void *at, size_t size)
{
    ssize_t n;

    do
        n = read(output->fd, at, size);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return -1;
    /* A terminal without anybody on its other side answers EIO. */
    return n > 0 ? n : 0;
}

long nacred_child_write(struct watch *input, const void *at, size_t len)
{
    ssize_t n;

    do
        n = write(input->fd, at, len);
    while (n < 0 && errno == EINTR);
    return n < 0 && errno == EAGAIN ? 0 : n < 0 ? -1 : n;
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

static void kill_and_reap(struct process *process)
{
    struct child_end end;

    nacred_child_kill(process);
    nacred_child_reap(process, &end, true);
}

bool nacred_child_start(struct loop *loop, struct process *process, const struct child_ends *ends,
                        const struct child_plan *plan)
{
    struct pipes pipes = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
    int failed = 0;
    pid_t pid = 0;

    (void)loop;
    if (plan->pty)
        pipes.ours[0] = fcntl(plan->pty->master, F_DUPFD_CLOEXEC, 3);
    if (plan->pty ? pipes.ours[0] < 0 : !open_pipes(&pipes))
        failed = errno;
    if (!failed)
        failed = spawn(&pid, plan, &pipes);
    close_all(pipes.theirs, 3);
    if (!failed) {
        *process = (struct process){.id = pid};
        prlimit(pid, RLIMIT_NOFILE, &child_limit, NULL);
        ends->end->fd = pidfd_open(pid, 0);
        if (ends->end->fd < 0) {
            failed = errno;
            kill_and_reap(process);
        }
    }
    if (failed) {
        close_all(pipes.ours, 3);
        errno = failed;
        return false;
    }
    ends->input->fd = pipes.ours[0];
    ends->output->fd = plan->pty ? plan->pty->master : pipes.ours[1];
    ends->errors->fd = plan->pty ? -1 : pipes.ours[2];
    if (plan->pty)
        close(plan->pty->slave);
    return true;
}
