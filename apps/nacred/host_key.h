/* SPDX-License-Identifier: Apache-2.0 */
/* Host keys: read from files, made when missing. */
#ifndef NACRED_HOST_KEY_H
#define NACRED_HOST_KEY_H

#include "app.h"

/* Gives the server the keys of --host-key, after making those that are missing, in the places that are free; without
 * any, and without `others` that settings name, one in memory; then the certificates of --host-certificate. False after
 * saying why on stderr. */
bool nacred_host_keys_set(struct app *app, bool others);

#endif
