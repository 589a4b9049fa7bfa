/* SPDX-License-Identifier: Apache-2.0 */
/* Back ends, seen from the class: what happens where the system forbids io_uring. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/io.h"
#include "support/apart.h"
#include "support/client.h"
#include "support/server.h"

struct refusal {
    int error;
    char remedy[64];
};

ParameterizedTestParameters(class_io, a_forbidden_io_uring_is_refused_with_the_remedy)
{
    static struct refusal refusals[] = {
        {EPERM, "kernel.io_uring_disabled"},
        {EPERM, "seccomp"},
        {ENOSYS, "Linux 6.0"},
        {EINVAL, "Linux 6.0"},
        {ENOMEM, "ulimit -l"},
    };
    return cr_make_param_array(struct refusal, refusals, sizeof refusals / sizeof *refusals);
}

ParameterizedTest(struct refusal *r, class_io, a_forbidden_io_uring_is_refused_with_the_remedy)
{
    char value[64];
    struct server *s = server_new();
    if (nacre_io_uring.open == NULL)
        cr_skip_test("this build is without liburing");
    if (!apart_refuse(SYS_io_uring_setup, -1, r->error))
        cr_skip_test("no system call may be refused here");
    server_set(s, "UseIOCP=True");
    cr_expect_eq(nacre_start_listening(s->nacre), NACRE_E_NOT_SUPPORTED);
    cr_expect_not_null(strstr(nacre_last_error(s->nacre), r->remedy), "%s", nacre_last_error(s->nacre));
    cr_expect_eq(nacre_config(s->nacre, "IOBackend", value, sizeof value), 0);
    cr_expect_str_eq(value, "io_uring", "what is asked for, as it is not active");
    server_set(s, "IOBackend=auto");
    cr_expect_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_expect_eq(nacre_config(s->nacre, "IOBackend", value, sizeof value), 0);
    cr_expect_str_eq(value, "epoll");
    server_free(s);
}

/* That passes, and has its own code with every back end. */
Test(class_io, without_descriptors_io_uring_is_not_forbidden)
{
    struct server *s = server_new();
    const char *why_not = "this build is without liburing";
    if (nacre_io_uring.open == NULL || !nacre_io_uring.usable(&why_not))
        cr_skip_test("%s", why_not);
    if (!apart_refuse(SYS_io_uring_setup, -1, EMFILE))
        cr_skip_test("no system call may be refused here");
    server_set(s, "UseIOCP=True");
    cr_expect_eq(nacre_start_listening(s->nacre), NACRE_E_MFILE);
    server_free(s);
}

/* The address of a listener is free when nacre_stop_listening() has returned, whatever was waiting on it. */
Test(class_io, an_address_can_be_listened_on_again_at_once)
{
    struct server *s = server_new();
    int number = 0;
    cr_assert_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    cr_assert_eq(nacre_get_local_port(s->nacre, &number), 0);
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(nacre_stop_listening(s->nacre), 0);
        cr_assert_eq(nacre_set_local_port(s->nacre, number), 0);
        cr_assert_eq(nacre_start_listening(s->nacre), 0, "%d: %s", i, nacre_last_error(s->nacre));
    }
    server_free(s);
}

/* As when requests of a ring, or a child of the process, have the socket still. */
Test(class_io, an_address_is_free_though_somebody_has_the_socket)
{
    struct server *s = server_new();
    server_start(s, 0);
    int held = dup(server_listener(s));
    cr_assert_geq(held, 0);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    cr_assert_eq(nacre_set_local_port(s->nacre, s->port), 0);
    cr_expect_eq(nacre_start_listening(s->nacre), 0, "%s", nacre_last_error(s->nacre));
    close(held);
    server_free(s);
}

/* ---- a worker whose back end fails ------------------------------------------------------------------------------ */

static int64_t cpu_ns(clockid_t whose)
{
    struct timespec t = {0};
    (void)clock_gettime(whose, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* This thread works for a while: on a busy machine one that goes in circles beside it gets about as much as it. */
static bool others_rest(void)
{
    int64_t all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID), mine = cpu_ns(CLOCK_THREAD_CPUTIME_ID), worked;
    do
        worked = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - mine;
    while (worked < INT64_C(400) * 1000 * 1000);
    return cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all - worked < worked / 4;
}

enum {
    TOO_LONG_S = 110 /* the test ends a little later */
};

enum outcome {
    AS_IT_SHOULD,
    NOT_PERMITTED,
    NO_CLIENT,
    NOT_TOLD,
    TOLD_AGAIN,
    SPINS,
    NOT_CLOSED,
    NOT_SERVED,
    LEFT_OPEN,
};

/* Not every processor has that call. */
static bool refuse_epoll_wait(void)
{
#ifdef SYS_epoll_wait
    return apart_refuse(SYS_epoll_wait, -1, ENOMEM);
#else
    return true;
#endif
}

/* In a process of its own: a test's reports go by epoll, too. */
static enum outcome live_without_epoll(void)
{
    struct server *s = server_new();
    struct client c;
    struct server_seen seen;
    server_set(s, "IOBackend=epoll");
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    if (!client_start(&c, s->port) || client_open(&c, "session") != 0)
        return NO_CLIENT;
    if (!apart_refuse(SYS_epoll_pwait2, -1, ENOMEM) || !apart_refuse(SYS_epoll_pwait, -1, ENOMEM) ||
        !refuse_epoll_wait())
        return NOT_PERMITTED;
    if (!client_send(&c, 0, "x", 1) || !client_turn(&c, 10)) /* the last that the worker hears */
        return NO_CLIENT;
    if (!server_wait(s, EVENT_ERROR, 0, &seen) || seen.code != NACRE_E_NOBUFS)
        return NOT_TOLD;
    if (!others_rest())
        return SPINS;
    if (server_count(s, EVENT_ERROR) != 1)
        return TOLD_AGAIN;
    client_free(&c);
    server_free(s);
    return AS_IT_SHOULD;
}

/* The listener is of no use: who is connected notices nothing. */
static enum outcome live_without_accept(int error)
{
    struct server *s = server_new();
    struct client c, late;
    s->echo = true;
    server_set(s, "IOBackend=epoll");
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    int ch = client_start(&c, s->port) ? client_open(&c, "session") : -1;
    if (ch < 0)
        return NO_CLIENT;
    if (!apart_refuse(SYS_accept4, -1, error))
        return NOT_PERMITTED;
    client_init(&late);
    if (!client_dial(&late, "127.0.0.1", s->port))
        return NO_CLIENT;
    if (!server_wait(s, EVENT_ERROR, 0, NULL))
        return NOT_TOLD;
    if (!others_rest())
        return SPINS;
    if (!client_send(&c, ch, "x", 1) || !client_wait_count(&c, &c.channels[ch].received, 1))
        return NOT_SERVED;
    client_free(&late);
    client_free(&c);
    server_free(s);
    return AS_IT_SHOULD;
}

/* accept(2): those of the one connection that comes next, and those of the listener. */
ParameterizedTestParameters(class_io, a_listener_that_fails_for_ever_is_told_and_costs_little)
{
    static int errors[] = {ECONNABORTED, EPROTO, EPERM, EOPNOTSUPP, ENETDOWN, EHOSTUNREACH, EMFILE,
                           ENFILE,       ENOMEM, EINTR, ENOBUFS,    EBADF,    EINVAL,       ENOTSOCK};
    return cr_make_param_array(int, errors, sizeof errors / sizeof *errors);
}

ParameterizedTest(int *error, class_io, a_listener_that_fails_for_ever_is_told_and_costs_little, .timeout = 120)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(TOO_LONG_S);
        _exit((int)live_without_accept(*error));
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_PERMITTED)
        cr_skip_test("no system call may be refused here");
    cr_expect(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), AS_IT_SHOULD, "%s: %d", strerror(*error), WEXITSTATUS(status));
}

static bool refuse_ring(void)
{
    return apart_refuse(SYS_io_uring_enter, -1, EAGAIN);
}

static bool refuse_ring_for_good(void)
{
    return apart_refuse(SYS_io_uring_enter, -1, ENOMEM);
}

/* With clients of every kind: one that is logged in with bytes on their way both ways, one that has said nothing. */
static enum outcome live_without_uring(bool (*refuse)(void))
{
    static uint8_t much[4 << 20];
    size_t before = server_descriptors();
    struct server *s = server_new();
    struct client c, quiet;
    struct server_seen seen;
    server_set(s, "IOBackend=io_uring");
    server_set(s, "WorkerThreads=1");
    server_start(s, 1);
    int ch = client_start(&c, s->port) ? client_open(&c, "session") : -1;
    client_init(&quiet);
    if (ch < 0 || !server_wait(s, EVENT_SSH_CHANNEL_OPENED, 0, &seen) || !client_dial(&quiet, "127.0.0.1", s->port))
        return NO_CLIENT;
    (void)nacre_send_bytes(s->nacre, seen.channel, much, sizeof much); /* more than goes out */
    if (!refuse())
        return NOT_PERMITTED;
    if (!client_send(&c, ch, "x", 1) || !client_turn(&c, 10)) /* the last that the worker hears */
        return NO_CLIENT;
    if (!server_wait(s, EVENT_ERROR, 0, &seen) || seen.code == 0)
        return NOT_TOLD;
    if (!others_rest())
        return SPINS;
    if (server_count(s, EVENT_ERROR) != 1)
        return TOLD_AGAIN;
    server_free(s);
    while (client_turn(&c, 100))
        ;
    if (!c.fin)
        return NOT_CLOSED;
    client_free(&c);
    client_free(&quiet);
    return server_descriptors() == before ? AS_IT_SHOULD : LEFT_OPEN;
}

static void expect_survival(bool (*refuse)(void))
{
    const char *why_not = "this build is without liburing";
    int status = 0;
    if (nacre_io_uring.open == NULL || !nacre_io_uring.usable(&why_not))
        cr_skip_test("%s", why_not);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(TOO_LONG_S);
        _exit((int)live_without_uring(refuse));
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_PERMITTED)
        cr_skip_test("no system call may be refused here");
    cr_expect(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), AS_IT_SHOULD);
}

/* As for epoll. A ring's requests end only by the ring, or with it: without that, server_free() waits for ever for
 * connections to be gone. */
Test(class_io, a_ring_that_fails_for_ever_is_told_once_costs_little_and_can_be_ended, .timeout = 120)
{
    expect_survival(refuse_ring_for_good);
}

/* EAGAIN and EBUSY ask to take completions first. Where there are none, it is trouble, and no reason to go in circles.
 */
Test(class_io, a_ring_that_is_busy_for_ever_is_trouble, .timeout = 120)
{
    expect_survival(refuse_ring);
}

/* Fails when the failure is not told, is told again and again, or costs a processor; and for ever in server_free() when
 * the worker hears nothing but its sockets. */
Test(class_io, an_epoll_that_fails_for_ever_is_told_once_costs_little_and_can_be_ended, .timeout = 240)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit((int)live_without_epoll());
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_PERMITTED)
        cr_skip_test("no system call may be refused here");
    cr_expect(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), AS_IT_SHOULD);
}
