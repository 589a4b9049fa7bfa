/* SPDX-License-Identifier: Apache-2.0 */
/* Settings whose values are those of a POSIX system: I/O models, code pages of its iconv(). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/server.h"

static int get(nacre_server *n, const char *name, char value[4096])
{
    value[0] = '\0';
    return nacre_config(n, name, value, 4096);
}

/* ---- code pages ------------------------------------------------------------------------------------------------ */

Test(class_settings, a_code_page_that_this_system_lacks_is_named)
{
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    cr_expect_eq(nacre_config(n, "CodePage=50220", NULL, 0), 0, "%s", nacre_last_error(n));
    cr_expect_eq(nacre_config(n, "CodePage=54936", NULL, 0), 0, "%s", nacre_last_error(n));
    cr_expect_eq(nacre_config(n, "CodePage=57002", NULL, 0), NACRE_E_NOT_SUPPORTED);
    cr_expect_not_null(strstr(nacre_last_error(n), "57002"));
    nacre_free(n);
}

/* ---- I/O models ------------------------------------------------------------------------------------------------ */

Test(class_settings, io_models_of_other_systems_are_refused)
{
    char value[4096];
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    cr_expect_eq(nacre_config(n, "UseWindowsMessages=True", NULL, 0), NACRE_E_NOT_SUPPORTED);
    cr_expect_eq(nacre_config(n, "UseWindowsMessages=False", NULL, 0), 0);
    get(n, "UseWindowsMessages", value);
    cr_expect_str_eq(value, "False");
    cr_expect_eq(nacre_config(n, "UseWindowsMessages=perhaps", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(n, "IOBackend=wsapoll", NULL, 0), NACRE_E_NOT_SUPPORTED);
    cr_expect_str_eq(nacre_last_error(n), "IOBackend: this system does not have that I/O model");
    nacre_free(n);
}

/* True when this build has io_uring. */
static bool has_io_uring(nacre_server *n)
{
    char value[4096];
    get(n, "BuildInfo", value);
    return strstr(value, "io_uring") != NULL && strstr(value, "no io_uring") == NULL;
}

Test(class_settings, a_back_end_that_does_not_exist_is_no_value)
{
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    const char *text = has_io_uring(n) ? "IOBackend: the back ends are epoll, io_uring and auto"
                                       : "IOBackend: the back ends are epoll and auto";
    cr_expect_eq(nacre_config(n, "IOBackend=carrier-pigeon", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_str_eq(nacre_last_error(n), text);
    nacre_free(n);
}

Test(class_settings, the_completion_model_and_the_back_end_are_one_choice)
{
    char value[4096];
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    get(n, "IOBackend", value);
    cr_expect_str_eq(value, "epoll");
    get(n, "UseIOCP", value);
    cr_expect_str_eq(value, "False");
    cr_expect_eq(nacre_config(n, "UseIOCP=perhaps", NULL, 0), NACRE_E_SETTING_VALUE);
    cr_expect_eq(nacre_config(n, "IOBackend=auto", value, sizeof value), 0);
    cr_expect(strcmp(value, "epoll") == 0 || strcmp(value, "io_uring") == 0);
    if (has_io_uring(n)) {
        cr_expect_eq(nacre_config(n, "UseIOCP=True", value, sizeof value), 0);
        cr_expect_str_eq(value, "True");
        get(n, "IOBackend", value);
        cr_expect_str_eq(value, "io_uring");
        cr_expect_eq(nacre_config(n, "IOBackend=EPOLL", value, sizeof value), 0);
        cr_expect_str_eq(value, "epoll");
        get(n, "UseIOCP", value);
        cr_expect_str_eq(value, "False");
        cr_expect_eq(nacre_config(n, "IOBackend=io_uring", NULL, 0), 0);
        get(n, "UseIOCP", value);
        cr_expect_str_eq(value, "True");
    } else {
        cr_expect_eq(nacre_config(n, "UseIOCP=True", NULL, 0), NACRE_E_NOT_SUPPORTED);
        cr_expect_eq(nacre_config(n, "IOBackend=io_uring", NULL, 0), NACRE_E_NOT_SUPPORTED);
    }
    cr_expect_eq(nacre_config(n, "UseIOCP=False", NULL, 0), 0);
    get(n, "IOBackend", value);
    cr_expect_str_eq(value, "epoll");
    nacre_free(n);
}

/* Workers stay as the first start has made them: while the server listens, when it has stopped, and over a reset. */
static void expect_fixed(nacre_server *n)
{
    char value[4096];
    cr_expect_eq(nacre_config(n, "IOBackend=epoll", NULL, 0), 0);
    cr_expect_eq(nacre_config(n, "WorkerThreads=3", NULL, 0), NACRE_E_SETTING_LATE);
    cr_expect_str_eq(nacre_last_error(n), "WorkerThreads is fixed by the first start of listening");
    if (has_io_uring(n)) {
        cr_expect_eq(nacre_config(n, "IOBackend=io_uring", NULL, 0), NACRE_E_SETTING_LATE);
        cr_expect_str_eq(nacre_last_error(n), "IOBackend is fixed by the first start of listening");
        cr_expect_eq(nacre_config(n, "UseIOCP=True", NULL, 0), NACRE_E_SETTING_LATE);
        cr_expect_str_eq(nacre_last_error(n), "UseIOCP is fixed by the first start of listening");
    }
    get(n, "IOBackend", value);
    cr_expect_str_eq(value, "epoll");
}

Test(class_settings, workers_stay_as_the_first_start_has_made_them)
{
    struct server *s = server_new();
    server_set(s, "IOBackend=epoll");
    server_start(s, 1);
    expect_fixed(s->nacre);
    cr_assert_eq(nacre_stop_listening(s->nacre), 0);
    expect_fixed(s->nacre);
    cr_assert_eq(nacre_reset(s->nacre), 0);
    expect_fixed(s->nacre);
    server_free(s);
}

Test(class_settings, a_reset_before_the_first_start_takes_the_default_back_end)
{
    char value[4096];
    nacre_server *n;
    cr_assert_eq(nacre_create(&n), 0);
    if (!has_io_uring(n))
        cr_skip_test("built without io_uring");
    cr_expect_eq(nacre_config(n, "IOBackend=io_uring", NULL, 0), 0);
    cr_assert_eq(nacre_reset(n), 0);
    get(n, "UseIOCP", value);
    cr_expect_str_eq(value, "False");
    nacre_free(n);
}
