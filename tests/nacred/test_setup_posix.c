/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with an option is found before a host key is made, and a host key is made whole or not at all. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "files.h"
#include "setup.h"

static char folder[64], key[96];
static struct app app;

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/nacred-setup.XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(key, sizeof key, "%s/host", folder);
}

static void end(void)
{
    unlink(key);
    cr_expect_eq(rmdir(folder), 0, "nothing but the key was made");
    nacre_free(app.server);
    nacred_options_free(&app.options);
}

TestSuite(nacred_setup, .init = begin, .fini = end);

static bool set_up(const char *option, const char *value)
{
    char error[OPTIONS_ERROR_MAX], words[6][128];
    char *arguments[7] = {words[0], words[1], words[2], words[3], words[4], NULL};
    const char *const texts[] = {"nacred", "--host-key", key, option, value};

    for (size_t i = 0; i < 5; i++)
        snprintf(words[i], sizeof words[i], "%s", texts[i]);
    nacred_idmap_init(&app.peers);
    cr_assert_eq(nacred_options_read(&app.options, 5, arguments, error), OPTIONS_RUN, "%s", error);
    cr_assert_eq(nacre_create(&app.server), 0);
    return nacred_server_set_up(&app);
}

struct wrong {
    char option[24], value[64];
};

ParameterizedTestParameters(nacred_setup, a_wrong_option_leaves_no_key)
{
    static struct wrong wrong[] = {
        {"--set", "MaxConnections=many"}, {"--set", "NoSuchSetting=1"},
        {"--set", "local_port=-5"},       {"--set", "SSHKeyExchangeAlgorithms=none-of-these"},
        {"--set", "AltSSHCertCount=-1"},  {"--user-ca", "/nowhere/at/all"},
    };
    return cr_make_param_array(struct wrong, wrong, sizeof wrong / sizeof *wrong);
}

ParameterizedTest(struct wrong *w, nacred_setup, a_wrong_option_leaves_no_key)
{
    cr_expect_not(set_up(w->option, w->value), "%s %s", w->option, w->value);
    cr_expect_neq(access(key, F_OK), 0, "a host key was made before %s %s was looked at", w->option, w->value);
}

Test(nacred_setup, a_missing_key_is_made_and_used)
{
    char print[128] = "";

    cr_expect(set_up("--set", "MaxConnections=7"));
    cr_expect_eq(access(key, F_OK), 0);
    cr_expect_eq(nacre_get_host_key_fingerprint(app.server, 0, print, sizeof print), 0);
    cr_expect_neq(print[0], 0);
}

/* The disk takes a part: the first write is short, the next one fails. */
Test(nacred_setup, half_a_key_is_no_key)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    bool good = set_up("--set", "MaxConnections=7");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_expect_not(good);
    cr_expect_neq(access(key, F_OK), 0, "half a key was left");
}
