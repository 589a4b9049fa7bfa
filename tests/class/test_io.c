/* SPDX-License-Identifier: Apache-2.0 */
/* Back ends, seen from the class: what happens where the system forbids io_uring. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "engine/io.h"
#include "support/apart.h"
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
