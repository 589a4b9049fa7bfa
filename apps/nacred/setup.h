/* SPDX-License-Identifier: Apache-2.0 */
/* The server as the options want it, up to where it listens. */
#ifndef NACRED_SETUP_H
#define NACRED_SETUP_H

#include <stdbool.h>

#include "app.h"

/* Options first, then files: what is wrong with an option is said before a host key is made. False: it was said what is
 * wrong. */
bool nacred_server_set_up(struct app *app);

#endif
