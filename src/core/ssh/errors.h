/* SPDX-License-Identifier: Apache-2.0 */
/* What nacre/errors.def says of an error to the peer. */
#ifndef SSH_ERRORS_H
#define SSH_ERRORS_H

#include <stdint.h>

#include "nacre/errors.h"

/* The row's SSH_DISCONNECT_* code, RFC 4253 section 11.1; 0: none is sent. Unknown errors: BY_APPLICATION. */
uint32_t nacre_error_disconnect_code(enum nacre_error error);

#endif
