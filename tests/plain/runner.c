/* SPDX-License-Identifier: Apache-2.0 */
/* Runs tests that are written for Criterion where Criterion cannot: under ThreadSanitizer, in which its processes do
 * not start ("Could not initialize inheritable arena"), and on Windows. Each test has a process of its own and
 * TEST_SECONDS; -jN: up to N at once. An argument that is no option selects the tests whose name contains it. */
#include "runner.h"

#include <stdarg.h>

enum {
    TEST_SECONDS = 240,
    NAME_MAX_BYTES = 256,
    JOBS_MAX = 16
};

static struct plain_test *tests, *suites;
static bool has_failed;

void plain_add_test(struct plain_test *test)
{
    test->next = tests;
    tests = test;
}

void plain_add_suite(struct plain_test *suite)
{
    suite->next = suites;
    suites = suite;
}

/* ---- one test -------------------------------------------------------------------------------------------------- */

void plain_check(bool good, bool stop, const char *file, int line, const char *text, const char *format, ...)
{
    va_list arguments;
    if (good)
        return;
    has_failed = true;
    fprintf(stderr, "%s:%d: %s: ", file, line, text);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    if (stop)
        exit(PLAIN_FAILED);
}

void plain_skip(void)
{
    exit(has_failed ? PLAIN_FAILED : PLAIN_SKIPPED);
}

/* What TestSuite() says of a suite; NULL: nothing. */
static const struct plain_test *suite_of(const struct plain_test *test)
{
    const struct plain_test *s = suites;
    while (s != NULL && strcmp(s->suite, test->suite) != 0)
        s = s->next;
    return s;
}

static void call(void (*function)(void))
{
    if (function != NULL)
        function();
}

int plain_run_here(const struct plain_test *test, size_t number)
{
    const struct plain_test *suite = suite_of(test);
    struct criterion_test_params p = {.params = NULL};
    if (suite != NULL)
        call(suite->init);
    call(test->init);
    if (test->parameters != NULL)
        p = test->parameters();
    test->run(p.params == NULL ? NULL : (char *)p.params + number * p.size);
    call(test->fini);
    if (suite != NULL)
        call(suite->fini);
    return has_failed ? PLAIN_FAILED : PLAIN_PASSED;
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

struct job {
    const struct plain_test *test;
    size_t number;
    intptr_t process;
};

static struct job jobs[JOBS_MAX];
static unsigned jobs_max = 1, first, count, passed, failed, skipped;

static int end_of(const struct job *j)
{
    if (j->process == -1)
        return PLAIN_FAILED;
    return plain_end(j->process, j->test->timeout > 0 ? (unsigned)j->test->timeout : TEST_SECONDS);
}

static void end_first(void)
{
    struct job *j = &jobs[first];
    int end = end_of(j);
    passed += end == PLAIN_PASSED;
    skipped += end == PLAIN_SKIPPED;
    if (end != PLAIN_PASSED && end != PLAIN_SKIPPED) {
        failed++;
        printf("[FAIL] %s::%s, case %u (%d)\n", j->test->suite, j->test->name, (unsigned)j->number, end);
        fflush(stdout);
    }
    first = (first + 1) % JOBS_MAX;
    count--;
}

static void begin(const struct plain_test *test, size_t number)
{
    if (count == jobs_max)
        end_first();
    jobs[(first + count) % JOBS_MAX] =
        (struct job){.test = test, .number = number, .process = plain_begin(test, number)};
    count++;
}

static void begin_all_of(const struct plain_test *test)
{
    size_t cases = 1;
    if (test->parameters != NULL)
        cases = test->parameters().length;
    for (size_t i = 0; i < cases; i++)
        begin(test, i);
}

/* A test that this program was started for: --one SUITE::NAME NUMBER. */
static int run_one(const char *wanted, const char *number)
{
    char name[NAME_MAX_BYTES];
    for (const struct plain_test *t = tests; t != NULL; t = t->next) {
        snprintf(name, sizeof name, "%s::%s", t->suite, t->name);
        if (strcmp(name, wanted) == 0)
            return plain_run_here(t, (size_t)strtoul(number, NULL, 10));
    }
    return PLAIN_FAILED;
}

static unsigned read_jobs(const char *text)
{
    long n = strtol(text, NULL, 10);
    return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned)n;
}

/* Whether `suite` stands in a list "a|b|c" that ends at ')'. */
static bool in_list(const char *list, const char *suite)
{
    size_t len = strlen(suite);
    for (const char *at = list; *at != '\0' && *at != ')'; at += *at == '|') {
        size_t one = strcspn(at, "|)");
        if (one == len && strncmp(at, suite, len) == 0)
            return true;
        at += one;
    }
    return false;
}

/* Criterion's --filter, as far as the build uses it: "prefix@(a|b)/" and a star, for all tests of those suites. */
static bool filter_takes(const char *filter, const char *suite)
{
    const char *list = filter == NULL ? NULL : strstr(filter, "@(");
    if (list == NULL)
        return filter == NULL;
    size_t prefix = (size_t)(list - filter);
    return strncmp(suite, filter, prefix) == 0 && in_list(list + 2, suite + prefix);
}

int main(int argc, char **argv)
{
    const char *wanted = "", *filter = NULL;
    if (argc == 4 && strcmp(argv[1], "--one") == 0)
        return run_one(argv[2], argv[3]);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-j", 2) == 0)
            jobs_max = read_jobs(argv[i] + 2);
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            filter = argv[i + 1];
        else if (argv[i][0] != '-' && strncmp(argv[i - 1], "--", 2) != 0)
            wanted = argv[i];
    }
    for (const struct plain_test *t = tests; t != NULL; t = t->next) {
        char name[NAME_MAX_BYTES];
        snprintf(name, sizeof name, "%s::%s", t->suite, t->name);
        if (!t->disabled && filter_takes(filter, t->suite) && strstr(name, wanted) != NULL)
            begin_all_of(t);
    }
    while (count != 0)
        end_first();
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 && passed != 0 ? 0 : 1;
}
