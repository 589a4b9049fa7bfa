/* SPDX-License-Identifier: Apache-2.0 */
/* Host keys announced and proved: hostkeys.c, for src/core/ssh alone. */
#ifndef SSH_HOSTKEYS_H
#define SSH_HOSTKEYS_H

#include "ssh/conn_priv.h"

/* Server, right after login: names its keys, unless the config says not to. */
enum step nacre_hostkeys_announce(struct conn *c);

/* A request for proofs; the global lane stands until nacre_hostkeys_proved(). */
bool nacre_hostkeys_is_request(const struct conn *c, struct span kind);
enum step nacre_hostkeys_prove(struct conn *c, bool want_reply, struct span blobs);
void nacre_hostkeys_proved(struct conn *c, struct work *work);

/* What of RSA the client can check, from the host key algorithms of its KEXINIT. */
void nacre_hostkeys_heard(struct conn *c, struct span algorithms);

#endif
