/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords in memory: padded to one size, so that comparing two takes the same time whatever they hold, and wiped
 * afterwards. */
#ifndef NACRED_SECRET_H
#define NACRED_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* A longer password is neither stored nor accepted. */
enum {
    PASSWORD_MAX = 255
};

struct password {
    unsigned char bytes[PASSWORD_MAX + 1]; /* zeros behind the password */
    size_t len;
};

/* False when `text` is empty, too long, or holds a NUL; `password` is then all zero. */
bool nacred_password_set(struct password *password, const char *text, size_t len);

/* Compares in time that depends on neither. A password that was never set equals nothing. */
bool nacred_password_equal(const struct password *a, const struct password *b);

/* Overwrites memory in a way the compiler keeps. */
void nacred_wipe(void *at, size_t len);

/* A password of 120 random bits as 24 letters and digits, NUL-terminated. False when the system has no entropy to give.
 */
bool nacred_password_make(char text[25]);

#endif
