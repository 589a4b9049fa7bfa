/* SPDX-License-Identifier: Apache-2.0 */
/* The application of the simulated world: handlers that are slow, wait, answer early, late, twice or never, and a
 * record of what they were told, which is checked as it is made. */
#ifndef SIM_APP_H
#define SIM_APP_H

#include "nacre/nacre.h"

extern const struct nacre_handlers app_handlers;

void app_begin(nacre_server *server);

/* Something that an application does of its own: an answer, a disconnect, a rekey, a channel of its own. */
void app_step(void);

/* Every connection that came has gone, once; every one that was let in had the password. */
void app_check_over(void);

#endif
