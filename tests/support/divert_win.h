/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of the system that do what a test wants. */
#ifndef TESTS_DIVERT_WIN_H
#define TESTS_DIVERT_WIN_H

typedef void (*any_function)(void);

/* Calls of this program reach `other` instead of the function whose place (__imp_...) it is. Gives what was there, to
 * be put back. */
any_function divert(any_function *place, any_function other);

#endif
