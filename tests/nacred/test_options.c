/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "environment.h"
#include "options.h"
#include "settings.h"

enum {
    ARGUMENTS_MAX = 8
};

static struct options options;
static char error[OPTIONS_ERROR_MAX];
static char storage[ARGUMENTS_MAX][600];

/* Arguments are copied: passwords are overwritten in them. */
static enum options_result read_options(const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 1] = {NULL};
    int argc = 0;

    for (; arguments[argc]; argc++) {
        snprintf(storage[argc], sizeof storage[argc], "%s", arguments[argc]);
        argv[argc] = storage[argc];
    }
    return nacred_options_read(&options, argc, argv, error);
}

#define READ(...) read_options((const char *const[]){"nacred", __VA_ARGS__, NULL})

static void free_options(void)
{
    nacred_options_free(&options);
}

TestSuite(nacred_options, .fini = free_options);

Test(nacred_options, nothing_is_open_by_default)
{
    cr_assert_eq(read_options((const char *const[]){"nacred", NULL}), OPTIONS_RUN);
    cr_assert_str_eq(options.host, "127.0.0.1");
    cr_assert_eq(options.port, 2222);
    cr_assert_eq(options.users.count, 0);
    cr_assert_not(options.exec || options.shell || options.bench || options.sftp_server || options.sftp_root ||
                  options.demo_user);
    cr_assert_eq(options.max_sessions, 10);
    cr_assert_eq(options.max_processes, 0);
}

struct wrong_case {
    char arguments[3][64];
    char named[32]; /* what the error must name */
};

ParameterizedTestParameters(nacred_options, wrong)
{
    static struct wrong_case cases[] = {
        {{"--lis", "1.2.3.4:5"}, "--lis"},
        {{"--config", "x"}, "--config"},
        {{"-h"}, "-h"},
        {{"stray"}, "stray"},
        {{"--listen"}, "--listen"},
        {{"--listen", "1.2.3.4"}, "1.2.3.4"},
        {{"--listen", "1.2.3.4:"}, "--listen"},
        {{"--listen", "1.2.3.4:70000"}, "70000"},
        {{"--listen", "1.2.3.4:-1"}, "-1"},
        {{"--listen", ":22"}, "--listen"},
        {{"--listen", "::1:22"}, "brackets"},
        {{"--listen", "1.2.3.4:22x"}, "22x"},
        {{"--user", "bob"}, "--user"},
        {{"--user", "bob:"}, "bob"},
        {{"--user", ":secret"}, "--user"},
        {{"--user", "bob:@/does/not/exist"}, "/does/not/exist"},
        {{"--exec=yes"}, "--exec"},
        {{"--sftp=sftp-server"}, "sftp-server"},
        {{"--sftp-root", "served"}, "absolute"},
        {{"--sftp-root"}, "--sftp-root"},
        {{"--sftp", "--sftp-root=/srv"}, "--sftp"},
        {{"--log", "xml"}, "xml"},
        {{"--log-level", "loud"}, "loud"},
        {{"--threads", "0"}, "--threads"},
        {{"--threads", "2000000000000"}, "000"},
        {{"--max-sessions", "-1"}, "--max-sessions"},
        {{"--max-sessions", "65536"}, "65536"},
        {{"--max-processes", "0"}, "--max-processes"},
        {{"--set", "MaxConnections"}, "--set"},
        {{"--set", "=1"}, "--set"},
        {{"--accept-env", ""}, "--accept-env"},
        {{"--demo-user", ""}, "--demo-user"},
    };
    return cr_make_param_array(struct wrong_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct wrong_case *c, nacred_options, wrong)
{
    const char *second = c->arguments[1];
    bool one =
        *second == 0 && strcmp(c->arguments[0], "--accept-env") != 0 && strcmp(c->arguments[0], "--demo-user") != 0;

    cr_assert_eq(read_options((const char *const[]){"nacred", c->arguments[0], one ? NULL : second, NULL}),
                 OPTIONS_WRONG, "%s %s", c->arguments[0], second);
    cr_assert(strstr(error, c->named), "'%s' does not name %s", error, c->named);
}

Test(nacred_options, values_follow_or_are_attached)
{
    cr_assert_eq(READ("--listen", "[::1]:0", "--threads=7", "--sftp", "--exec", "--max-sessions=0"), OPTIONS_RUN, "%s",
                 error);
    cr_assert_str_eq(options.host, "::1");
    cr_assert_eq(options.port, 0);
    cr_assert_eq(options.threads, 7);
    cr_assert_str_eq(options.sftp_server, "/usr/lib/openssh/sftp-server");
    cr_assert(options.exec);
    cr_assert_eq(options.max_sessions, 0);
}

Test(nacred_options, passwords_leave_the_arguments)
{
    cr_assert_eq(READ("--user", "bob:sec:ret", "--set", "ssh_cert_store_password=deep"), OPTIONS_RUN, "%s", error);
    cr_assert_str_eq(storage[2], "bob:xxxxxxx");
    cr_assert_str_eq(storage[4], "ssh_cert_store_password=xxxx");
    cr_assert_str_eq(options.settings.list[0], "ssh_cert_store_password=deep");
    cr_assert(nacred_users_check_password(&options.users, "bob", "sec:ret", 7));
    cr_assert_not(nacred_users_check_password(&options.users, "bob", "sec:re", 6));
    cr_assert_not(nacred_users_check_password(&options.users, "bob", "", 0));
    cr_assert_not(nacred_users_check_password(&options.users, "eve", "sec:ret", 7));
    cr_assert_not(nacred_users_check_password(&options.users, "eve", "", 0));
}

/* r12: a password that is too long is refused, not cut. */
Test(nacred_options, r12_an_over_long_password_is_refused)
{
    char argument[300] = "bob:";

    memset(argument + 4, 'p', 256);
    cr_assert_eq(READ("--user", argument), OPTIONS_WRONG);
    argument[4 + 255] = 0;
    nacred_options_free(&options);
    cr_assert_eq(READ("--user", argument), OPTIONS_RUN, "%s", error);
    cr_assert(nacred_users_check_password(&options.users, "bob", argument + 4, 255));
    argument[4 + 255] = 'p';
    cr_assert_not(nacred_users_check_password(&options.users, "bob", argument + 4, 256));
}

static enum options_result read_password_file(const char *text, size_t len)
{
    char path[] = "/tmp/nacred-test-XXXXXX", argument[64];
    int fd = mkstemp(path);

    cr_assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    close(fd);
    snprintf(argument, sizeof argument, "bob:@%s", path);
    enum options_result result = READ("--user", argument);
    unlink(path);
    return result;
}

Test(nacred_options, a_password_can_come_from_a_file)
{
    cr_assert_eq(read_password_file("from file\r\nsecond", 17), OPTIONS_RUN, "%s", error);
    cr_assert(nacred_users_check_password(&options.users, "bob", "from file", 9));
}

/* As Windows' editors and shells make them: UTF-8 with a mark in front, and UTF-16, of which the first letter alone
 * would count. */
Test(nacred_options, a_password_file_with_a_mark_is_read_and_one_of_utf_16_is_refused)
{
    static const char wide[] = "\xff\xfes\0e\0c\0r\0e\0t\0\r\0\n";

    cr_assert_eq(read_password_file("\xef\xbb\xbf"
                                    "from file\r\n",
                                    14),
                 OPTIONS_RUN, "%s", error);
    cr_assert(nacred_users_check_password(&options.users, "bob", "from file", 9));
    nacred_options_free(&options);
    cr_assert_eq(read_password_file(wide, sizeof wide), OPTIONS_WRONG);
    nacred_options_free(&options);
    cr_assert_eq(read_password_file("sec\0ret\n", 8), OPTIONS_WRONG);
    nacred_options_free(&options);
    cr_assert_eq(read_password_file("", 0), OPTIONS_WRONG);
}

Test(nacred_environment, only_named_variables_are_allowed)
{
    static char locale[] = "LC_*", lang[] = "LANG";
    char *const patterns[] = {locale, lang};

    cr_assert(nacred_environment_allows(patterns, 2, "LC_ALL"));
    cr_assert(nacred_environment_allows(patterns, 2, "LANG"));
    cr_assert_not(nacred_environment_allows(patterns, 2, "LANGUAGE"));
    cr_assert_not(nacred_environment_allows(patterns, 2, "LC_A=B"));
    cr_assert_not(nacred_environment_allows(patterns, 2, "LC_A\nB"));
    cr_assert_not(nacred_environment_allows(patterns, 2, "LD_PRELOAD"));
    cr_assert_not(nacred_environment_allows(patterns, 2, ""));
}

Test(nacred_environment, setting_again_replaces_and_there_is_a_limit)
{
    struct environment environment = {0};
    char name[16];

    cr_assert(nacred_environment_set(&environment, "A", "1"));
    cr_assert(nacred_environment_set(&environment, "AB", "2"));
    cr_assert(nacred_environment_set(&environment, "A", "3"));
    cr_assert_eq(environment.count, 2);
    cr_assert_str_eq(environment.list[0], "A=3");
    cr_assert_null(environment.list[2]);
    for (int i = 2; i < ENVIRONMENT_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "V%d", i);
        cr_assert(nacred_environment_set(&environment, name, ""));
    }
    cr_assert_not(nacred_environment_set(&environment, "MORE", ""));
    nacred_environment_free(&environment);
}

Test(nacred_settings, properties_are_found_however_they_are_spelled)
{
    nacre_server *server;
    char text[64];
    int number;
    const char *why;
    bool flag;

    cr_assert_eq(nacre_create(&server), 0);
    cr_assert_eq(nacred_setting_set(server, "local_port=1234", &why), 0);
    cr_assert_eq(nacre_get_local_port(server, &number), 0);
    cr_assert_eq(number, 1234);
    cr_assert_eq(nacred_setting_set(server, "LocalPort=4321", &why), 0);
    cr_assert_eq(nacre_get_local_port(server, &number), 0);
    cr_assert_eq(number, 4321);
    cr_assert_eq(nacred_setting_set(server, "MaxAuthAttempts=3", &why), 0);
    cr_assert_eq(nacre_config(server, "MaxAuthAttempts", text, sizeof text), 0);
    cr_assert_str_eq(text, "3");
    cr_assert_eq(nacred_setting_set(server, "keyboard_interactive_prompt_count=2", &why), 0);
    cr_assert_eq(nacred_setting_set(server, "KeyboardInteractivePromptPrompt[1]=Code=: ", &why), 0);
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_prompt(server, 1, text, sizeof text), 0);
    cr_assert_str_eq(text, "Code=: ");
    cr_assert_eq(nacred_setting_set(server, "KeyboardInteractivePromptEcho[1]=yes", &why), 0);
    cr_assert_eq(nacre_get_keyboard_interactive_prompt_echo(server, 1, &flag), 0);
    cr_assert(flag);
    nacre_free(server);
}

/* Why, in words of its own for each: the general text of a code does not say what would be right. */
Test(nacred_settings, what_cannot_be_set_is_told)
{
    static const struct {
        const char *setting;
        int error;
        const char *why;
    } cases[] = {
        {"local_port=x", NACRE_E_SETTING_VALUE, "is a number"},
        {"local_port=65536", NACRE_E_SETTING_VALUE, "from 0 to 65535"},
        {"local_port[0]=1", NACRE_E_SETTING_UNKNOWN, "no index"},
        {"keyboard_interactive_prompt_echo=1", NACRE_E_SETTING_UNKNOWN, "NAME[0]"},
        {"keyboard_interactive_prompt_echo[0]=x", NACRE_E_SETTING_VALUE, "True or False"},
        {"keyboard_interactive_prompt_echo[0]=True", NACRE_E_INVAL, "keyboard_interactive_prompt_count"},
        {"MaxConnections=200000", NACRE_E_SETTING_VALUE, "from 1 to 100000"},
        {"ssh_cert_encoded=nonsense", NACRE_E_KEY, "no certificate"},
        {"nonsense=1", NACRE_E_SETTING_UNKNOWN, "no such setting"},
    };
    nacre_server *server;

    cr_assert_eq(nacre_create(&server), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why;
        cr_expect_eq(nacred_setting_set(server, cases[i].setting, &why), cases[i].error, "%s", cases[i].setting);
        cr_expect(strstr(why, cases[i].why) != NULL, "%s: %s", cases[i].setting, why);
    }
    nacre_free(server);
}
