/* SPDX-License-Identifier: Apache-2.0 */
/* An SFTP server of version 3 (draft-ietf-secsh-filexfer-02) on standard input and output, confined to one folder. */
#ifndef NACRED_SFTP_H
#define NACRED_SFTP_H

/* Serves until the client is gone. Returns the process's exit status. */
int nacred_sftp_serve(const char *root);

#endif
