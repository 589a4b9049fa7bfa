/* SPDX-License-Identifier: Apache-2.0 */
/* nacred's event handlers: from nacre's events to peers, logins and sessions. Their context is the app. */
#ifndef NACRED_HANDLERS_H
#define NACRED_HANDLERS_H

#include "app.h"

/* `verbose`: also log what the server itself has to say, for which it must make events. */
int nacred_handlers_set(struct app *app, bool verbose);

#endif
