/* SPDX-License-Identifier: Apache-2.0 */
/* --trusted-hosts FILE: hosts that are believed when they say who is logged in there, with the keys to know them by. A
 * file in the form of OpenSSH's known_hosts: "[@revoked] names type base64 [comment]". Read-only once threads run. */
#ifndef NACRED_TRUSTED_HOSTS_H
#define NACRED_TRUSTED_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

struct trusted_host {
    char *names; /* comma-separated patterns: * and ?, and ! for those that are not meant */
    uint8_t *blob;
    size_t len;
    bool revoked; /* the key counts for no host at all */
};

struct trusted_hosts {
    struct trusted_host *list;
    size_t count;
};

/* Adds what a line says. NULL, or what is wrong with it. */
const char *nacred_trusted_hosts_add(struct trusted_hosts *hosts, const char *line, size_t len);

/* Reads the files of the options. False after saying why on stderr: a line that is not understood is a failure. */
bool nacred_trusted_hosts_read(const struct options *options, struct trusted_hosts *hosts);

/* True when that key is of a host of that name, and not revoked. */
bool nacred_trusted_hosts_know(const struct trusted_hosts *hosts, const char *name, const void *blob, size_t len);

void nacred_trusted_hosts_free(struct trusted_hosts *hosts);

#endif
