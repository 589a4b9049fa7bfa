/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "options.h"

enum {
    ARGUMENTS_MAX = 32
};

/* The result for "nacre-bench" and these arguments, blanks between them. */
static enum options_result read_line(struct options *o, const char *line)
{
    static char copy[512];
    char *argv[ARGUMENTS_MAX] = {(char *)"nacre-bench"}, *rest = copy;
    int argc = 1;
    cr_assert(strlen(line) < sizeof copy);
    cr_assert_eq(nacre_sock_start(), NACRE_OK);
    memcpy(copy, line, strlen(line) + 1);
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;)
        argv[argc++] = word;
    return bench_options_read(o, argc, argv);
}

#define TARGET " --target 127.0.0.1:22 --user u --password p"

Test(options, reads_both_forms_of_values)
{
    struct options o;
    cr_assert_eq(read_line(&o, "bulk" TARGET " -c8 -n 2G --size=1K --direction both --verify -j 3"), OPTIONS_RUN);
    cr_assert_eq(o.mode, MODE_BULK);
    cr_assert_eq(o.connections, 8);
    cr_assert_eq(o.total, UINT64_C(2) << 30);
    cr_assert_eq(o.size, 1024);
    cr_assert_eq(o.direction, DIRECTION_BOTH);
    cr_assert(o.verify);
    cr_assert_eq(o.processes, 3);
    cr_assert_eq(o.seconds, 0);
    cr_assert_str_eq(o.command, "echo");
}

Test(options, an_attack_has_a_kind)
{
    struct options o;
    cr_assert_eq(read_line(&o, "attack" TARGET " --kind kill -n 100 --rate 7"), OPTIONS_RUN);
    cr_assert_eq(o.attack, ATTACK_KILL);
    cr_assert_eq(o.rate, 7);
    cr_assert_eq(o.seconds, 0);
    cr_assert_eq(read_line(&o, "storm" TARGET " --rate 1600"), OPTIONS_RUN);
    cr_assert_eq(o.rate, 1600);
    cr_assert_eq(read_line(&o, "attack" TARGET), OPTIONS_WRONG);
    cr_assert_eq(read_line(&o, "attack" TARGET " --kind none-such"), OPTIONS_WRONG);
    cr_assert_eq(read_line(&o, "echo" TARGET " --kind kill"), OPTIONS_WRONG);
}

Test(options, has_a_default_for_each_mode)
{
    struct options o;
    cr_assert_eq(read_line(&o, "echo" TARGET), OPTIONS_RUN);
    cr_assert_eq(o.size, 64);
    cr_assert_eq(o.seconds, 10);
    cr_assert_eq(read_line(&o, "bulk" TARGET " --direction out"), OPTIONS_RUN);
    cr_assert_eq(o.size, 32768);
    cr_assert_str_eq(o.command, "source {bytes}");
}

Test(options, numbers_that_fit_are_taken)
{
    struct options o;
    cr_assert_eq(read_line(&o, "handshake --target 127.0.0.1:65535 --user u --key f --key-password q -n 1K"),
                 OPTIONS_RUN);
    cr_assert_eq(((struct sockaddr_in *)&o.address)->sin_port, htons(65535));
    cr_assert_eq(o.total, 1024);
    cr_assert_eq(read_line(&o, "echo --target 127.0.0.1:022 --user u --password p --rekey 1G --size 16M"), OPTIONS_RUN);
    cr_assert_eq(((struct sockaddr_in *)&o.address)->sin_port, htons(22));
    cr_assert_eq(read_line(&o, "limit --size 64K"), OPTIONS_RUN);
    cr_assert_eq(o.size, 65536);
}

Test(options, refuses_what_it_does_not_have)
{
    static const char *const lines[] = {
        "gale" TARGET,
        "echo" TARGET " --storm 3",
        "limit --target 127.0.0.1:22",
        "limit -j 2",
        "echo" TARGET " --html x",
        "echo" TARGET " --verify",
        "echo" TARGET " --direction in",
        "handshake" TARGET " --size 3",
        "handshake" TARGET " --rate 3",
        "bulk" TARGET " --verify",
        "bulk" TARGET " -n 1 -d 1",
        "bulk" TARGET " -n 20000000000G",
        "bulk" TARGET " -c 0",
        "bulk" TARGET " -c -1",
        "bulk" TARGET " -c 3x",
        "bulk" TARGET " -c 1K",
        "bulk" TARGET " -d 1K",
        "bulk" TARGET " --server-pid 1K",
        "bulk" TARGET " -c",
        "bulk" TARGET " --verify=yes",
        "bulk" TARGET " more",
        "echo" TARGET " --key f",
        "echo" TARGET " --key-password q",
        "echo --target 127.0.0.1 --user u --password p",
        "echo --target 127.0.0.1: --user u --password p",
        "echo --target 127.0.0.1:0 --user u --password p",
        "echo --target 127.0.0.1:65558 --user u --password p", /* 22 and 65536 */
        "echo --target 127.0.0.1:18446744073709551638 --user u --password p",
        "echo --target 127.0.0.1:ssh --user u --password p",
        "limit --size 65537",
        "echo --user u --password p",
        TARGET,
    };
    struct options o;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_assert_eq(read_line(&o, lines[i]), OPTIONS_WRONG, "%s", lines[i]);
}
