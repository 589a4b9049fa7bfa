/* SPDX-License-Identifier: Apache-2.0 */
/* Runs Criterion's tests without Criterion's own processes, which ThreadSanitizer does not start in ("Could not
 * initialize inheritable arena"). It takes the place of Criterion's main and of the few functions that the assertion
 * macros call; each test has a process of its own and TEST_SECONDS. An argument that is no option selects the tests
 * whose name contains it. */
#include <criterion/criterion.h>
#include <criterion/event.h>
#include <criterion/parameterized.h>
#include <criterion/stats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TEST_SECONDS = 240,
    NAME_MAX_BYTES = 256
};

/* Where the linker has put what Test() declares. */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[], *__stop_cr_sts[];

TestSuite(plain_runner); /* so that there is at least one, and the linker makes the list */

/* Criterion's side of its macros. */
void cri_asserts_passed_incr(void);

static bool has_failed;
static void *parameter;

void criterion_send_assert(struct criterion_assert_stats *stats)
{
    if (stats->passed)
        return;
    has_failed = true;
    fprintf(stderr, "%s:%u: %s\n", stats->file, stats->line,
            stats->message == NULL ? "assertion failed" : stats->message);
}

void criterion_abort_test(void)
{
    exit(1);
}

void criterion_continue_test(void)
{
}

void cri_asserts_passed_incr(void)
{
}

void criterion_internal_test_setup(void)
{
}

void criterion_internal_test_main(void (*function)(void))
{
    void (*test)(void *); /* what a parameterised test is; the others do not look */
    memcpy(&test, &function, sizeof test);
    test(parameter);
}

void criterion_internal_test_teardown(void)
{
}

/* Says why on its own; not passed, and not failed either. */
void criterion_skip_test(const char *format, ...)
{
    (void)format;
    exit(0);
}

static void call(void (*function)(void))
{
    if (function != NULL)
        function();
}

/* What TestSuite() says of a suite; NULL: nothing. */
static const struct criterion_test_extra_data *suite_of(const struct criterion_test *test)
{
    for (struct criterion_suite **at = __start_cr_sts; at < __stop_cr_sts; at++)
        if (*at != NULL && (*at)->name != NULL && strcmp((*at)->name, test->category) == 0)
            return (*at)->data;
    return NULL;
}

static void run_here(const struct criterion_test *test)
{
    const struct criterion_test_extra_data *suite = suite_of(test);
    if (suite != NULL)
        call(suite->init);
    call(test->data->init);
    test->test();
    call(test->data->fini);
    if (suite != NULL)
        call(suite->fini);
}

/* In a process of its own; true when it passed. */
static bool run(const struct criterion_test *test, void *argument)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return false;
    if (child == 0) {
        alarm(TEST_SECONDS);
        parameter = argument;
        run_here(test);
        exit(has_failed ? 1 : 0);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

static void run_all_of(const struct criterion_test *test, const char *name, unsigned *passed, unsigned *failed)
{
    bool many = test->data->kind_ == CR_TEST_PARAMETERIZED;
    struct criterion_test_params params = {.length = 1};
    if (many)
        params = test->data->param_();
    for (size_t i = 0; i < params.length; i++) {
        bool good = run(test, many ? (char *)params.params + i * params.size : NULL);
        *passed += good;
        *failed += !good;
        if (!good)
            printf("[FAIL] %s, case %zu\n", name, i);
    }
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    const char *wanted = "";
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-' && strncmp(argv[i - 1], "--", 2) != 0)
            wanted = argv[i];
    for (struct criterion_test **at = __start_cr_tst; at < __stop_cr_tst; at++) {
        char name[NAME_MAX_BYTES];
        if (*at == NULL || (*at)->name == NULL || (*at)->data->disabled)
            continue;
        snprintf(name, sizeof name, "%s::%s", (*at)->category, (*at)->name);
        if (strstr(name, wanted) != NULL)
            run_all_of(*at, name, &passed, &failed);
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed != 0 ? 0 : 1;
}
