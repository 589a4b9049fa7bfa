/* SPDX-License-Identifier: Apache-2.0 */
/* The account that runs nacred: every command and shell runs as it. */
#ifndef NACRED_ACCOUNT_H
#define NACRED_ACCOUNT_H

#include <stdbool.h>

struct account {
    char *name;
    char *home;
    char *shell;        /* /bin/sh when the account names none that can be run */
    const char *folder; /* where children start: `home` when it can be entered, else "/" */
};

/* False when out of memory. An account that the system does not list has its number for a name. */
bool nacred_account_read(struct account *account);
void nacred_account_free(struct account *account);

#endif
