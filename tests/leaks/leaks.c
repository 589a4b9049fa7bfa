/* SPDX-License-Identifier: Apache-2.0 */
/* A test that leaks fails. Criterion does not look at how the process of a test ends, where LeakSanitizer reports; so
 * the check is made at the end of the test's body, inside of what Criterion watches. It takes the place of the function
 * that Criterion calls bodies by, and hands it on. Linked into every test program of a build with AddressSanitizer.
 *
 * Criterion's own process, which runs no body, leaks what its tests have sent it; nothing is looked for there. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <sanitizer/lsan_interface.h>
#include <stdbool.h>
#include <string.h>

/* A body takes the parameter, or nothing and does not look. */
static void (*body)(void *);

static bool has_body;

/* LeakSanitizer asks. */
int __lsan_is_turned_off(void)
{
    return has_body ? 0 : 1;
}

static void run_body(void *parameter)
{
    body(parameter);
    cr_assert(__lsan_do_recoverable_leak_check() == 0, "the test has leaked memory");
}

static void (*as_function(void *address))(void (*)(void))
{
    void (*function)(void (*)(void));
    memcpy(&function, &address, sizeof function);
    return function;
}

void criterion_internal_test_main(void (*function)(void))
{
    void (*watched)(void);
    void (*with_parameter)(void *) = run_body;
    memcpy(&body, &function, sizeof body);
    has_body = true;
    memcpy(&watched, &with_parameter, sizeof watched);
    as_function(dlsym(RTLD_NEXT, "criterion_internal_test_main"))(watched);
}
