/* SPDX-License-Identifier: Apache-2.0 */
/* What an SFTP client may ask for, and the answers: draft-ietf-secsh-filexfer-02 section 6. */
#ifndef NACRED_SFTP_REQUESTS_H
#define NACRED_SFTP_REQUESTS_H

#include "sftp_wire.h"

/* Section 3. */
enum {
    SFTP_INIT = 1,
    SFTP_VERSION = 2,
};

/* Adds the one answer that every request has; `out` has room for it. */
void nacred_sftp_request(struct sftp_in *in, struct sftp_out *out, uint8_t type);

#endif
