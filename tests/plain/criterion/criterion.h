/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for Criterion's header where Criterion cannot run: under ThreadSanitizer, and in programs for Windows. It has
 * what the tests use, under the same names, and goes with runner.c. */
#ifndef TESTS_PLAIN_CRITERION_H
#define TESTS_PLAIN_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct criterion_test_params {
    size_t size;
    void *params;
    size_t length;
    void (*cleanup)(struct criterion_test_params *);
};

/* A test, or what goes around those of a suite. */
struct plain_test {
    const char *suite, *name;
    void (*run)(void *parameter);
    struct criterion_test_params (*parameters)(void); /* NULL: one case */
    void (*init)(void), (*fini)(void);
    double timeout; /* seconds; 0: as the runner has it */
    bool disabled;
    struct plain_test *next;
};

void plain_add_test(struct plain_test *test);
void plain_add_suite(struct plain_test *suite);

/* An assertion. The text of one that failed is printed; `stop` ends the test then. */
#ifdef __MINGW_PRINTF_FORMAT
__attribute__((format(__MINGW_PRINTF_FORMAT, 6, 7)))
#else
__attribute__((format(printf, 6, 7)))
#endif
void plain_check(bool good, bool stop, const char *file, int line, const char *text, const char *format, ...);
__attribute__((noreturn)) void plain_skip(void);

#define PLAIN_ADD(kind, id, ...)                                                                                       \
    static struct plain_test id##_entry = {__VA_ARGS__};                                                               \
    __attribute__((constructor)) static void id##_add(void)                                                            \
    {                                                                                                                  \
        plain_add_##kind(&id##_entry);                                                                                 \
    }

#define Test(of, called, ...)                                                                                          \
    static void of##_##called##_body(void);                                                                            \
    static void of##_##called##_run(void *parameter)                                                                   \
    {                                                                                                                  \
        (void)parameter;                                                                                               \
        of##_##called##_body();                                                                                        \
    }                                                                                                                  \
    PLAIN_ADD(test, of##_##called, .suite = #of, .name = #called, .run = of##_##called##_run, __VA_ARGS__)             \
    static void of##_##called##_body(void)

#define ParameterizedTestParameters(of, called) static struct criterion_test_params of##_##called##_parameters(void)

#define ParameterizedTest(parameter, of, called, ...)                                                                  \
    static void of##_##called##_body(parameter);                                                                       \
    static void of##_##called##_run(void *which)                                                                       \
    {                                                                                                                  \
        of##_##called##_body(which);                                                                                   \
    }                                                                                                                  \
    PLAIN_ADD(test, of##_##called, .suite = #of, .name = #called, .run = of##_##called##_run,                          \
              .parameters = of##_##called##_parameters, __VA_ARGS__)                                                   \
    static void of##_##called##_body(parameter)

#define TestSuite(called, ...)                                                                                         \
    PLAIN_ADD(suite, called##_suite, .suite = #called, __VA_ARGS__)                                                    \
    _Static_assert(true, "for the semicolon that follows")

#define cr_make_param_array(type, array, ...)                                                                          \
    (struct criterion_test_params)                                                                                     \
    {                                                                                                                  \
        .size = sizeof(type), .params = (void *)(array), __VA_ARGS__                                                   \
    }

#define PLAIN_CHECK(stop, good, text, ...) plain_check((good), stop, __FILE__, __LINE__, text, "" __VA_ARGS__)

#define cr_assert(x, ...) PLAIN_CHECK(true, x, #x, __VA_ARGS__)
#define cr_assert_not(x, ...) PLAIN_CHECK(true, !(x), "not " #x, __VA_ARGS__)
#define cr_assert_null(x, ...) PLAIN_CHECK(true, (x) == NULL, #x " is NULL", __VA_ARGS__)
#define cr_assert_not_null(x, ...) PLAIN_CHECK(true, (x) != NULL, #x " is not NULL", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) PLAIN_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) PLAIN_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) PLAIN_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) PLAIN_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) PLAIN_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) PLAIN_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, within, ...)                                                                          \
    PLAIN_CHECK(true, (a) - (b) <= (within) && (b) - (a) <= (within), #a " == " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) PLAIN_CHECK(true, memcmp(a, b, n) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) PLAIN_CHECK(true, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) PLAIN_CHECK(true, strcmp(a, b) != 0, #a " is not " #b, __VA_ARGS__)
#define cr_assert_str_empty(a, ...) PLAIN_CHECK(true, (a)[0] == 0, #a " is empty", __VA_ARGS__)
#define cr_assert_str_not_empty(a, ...) PLAIN_CHECK(true, (a)[0] != 0, #a " is not empty", __VA_ARGS__)

#define cr_expect(x, ...) PLAIN_CHECK(false, x, #x, __VA_ARGS__)
#define cr_expect_not(x, ...) PLAIN_CHECK(false, !(x), "not " #x, __VA_ARGS__)
#define cr_expect_null(x, ...) PLAIN_CHECK(false, (x) == NULL, #x " is NULL", __VA_ARGS__)
#define cr_expect_not_null(x, ...) PLAIN_CHECK(false, (x) != NULL, #x " is not NULL", __VA_ARGS__)
#define cr_expect_eq(a, b, ...) PLAIN_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) PLAIN_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) PLAIN_CHECK(false, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) PLAIN_CHECK(false, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) PLAIN_CHECK(false, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) PLAIN_CHECK(false, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) PLAIN_CHECK(false, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) PLAIN_CHECK(false, strcmp(a, b) != 0, #a " is not " #b, __VA_ARGS__)

/* Says why, and ends the test, neither passed nor failed. */
#define cr_skip_test(...) ((void)fprintf(stderr, __VA_ARGS__), (void)fputc('\n', stderr), plain_skip())

#endif
