/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by their names in RFC 4254 section 6.10, without "SIG". */
#ifndef NACRED_SIGNALS_POSIX_H
#define NACRED_SIGNALS_POSIX_H

/* NULL: a signal that the protocol has no name for. */
const char *nacred_signal_name(int number);

/* 0: no such name. */
int nacred_signal_number(const char *name);

#endif
