/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets in: passwords, keys, and the password asked for by keyboard-interactive. RFC 4252, RFC 4256. */
#ifndef NACRED_AUTH_H
#define NACRED_AUTH_H

#include "app.h"
#include "peers.h"

/* Decides; everything that is not named here stays refused. */
void nacred_auth(struct app *app, struct peer *peer, struct nacre_ssh_user_auth_request *event);

/* Offers the methods by which anybody could get in. */
int nacred_auth_offer(struct app *app);

#endif
