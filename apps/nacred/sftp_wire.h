/* SPDX-License-Identifier: Apache-2.0 */
/* SFTP's bytes: reading a request, which cannot run over its end, and building answers in a buffer of fixed size.
 * draft-ietf-secsh-filexfer-02 sections 3 and 5. */
#ifndef NACRED_SFTP_WIRE_H
#define NACRED_SFTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SFTP_PACKET_MAX = 256 * 1024, /* of a request behind its length, and more than any answer */
    SFTP_PATH_MAX = 4096,         /* of a path, with its NUL */
    SFTP_NAME_MAX = 255 * 4,      /* of a name in UTF-8; systems have limits of their own below it */
};

/* Section 7. */
enum sftp_status {
    SFTP_OK = 0,
    SFTP_EOF = 1,
    SFTP_NO_SUCH_FILE = 2,
    SFTP_PERMISSION_DENIED = 3,
    SFTP_FAILURE = 4,
    SFTP_BAD_MESSAGE = 5,
    SFTP_OP_UNSUPPORTED = 8,
};

/* Section 5: which members of the attributes are there. */
enum {
    SFTP_ATTR_SIZE = 0x1,
    SFTP_ATTR_UIDGID = 0x2,
    SFTP_ATTR_PERMISSIONS = 0x4,
    SFTP_ATTR_ACMODTIME = 0x8,
};

struct sftp_attributes {
    uint32_t flags;
    uint64_t size;
    uint32_t uid, gid;
    uint32_t permissions; /* as st_mode, with the kind of file */
    uint32_t atime, mtime;
};

/* A request that is being read. Once it was too short, all that is read is zero and `bad` stays. */
struct sftp_in {
    const uint8_t *at;
    size_t left;
    bool bad;
};

uint8_t nacred_sftp_get_byte(struct sftp_in *in);
uint32_t nacred_sftp_get_u32(struct sftp_in *in);
uint64_t nacred_sftp_get_u64(struct sftp_in *in);
/* Points into the request. */
const uint8_t *nacred_sftp_get_string(struct sftp_in *in, size_t *len);
void nacred_sftp_get_attributes(struct sftp_in *in, struct sftp_attributes *attributes);

/* Answers that wait to be sent. Who adds sees to it that there is room. */
struct sftp_out {
    uint8_t bytes[2 * SFTP_PACKET_MAX];
    size_t len;
    size_t packet; /* where the packet that is being built begins */
};

/* A packet's length is set when it ends. */
void nacred_sftp_begin(struct sftp_out *out, uint8_t type);
void nacred_sftp_end(struct sftp_out *out);
void nacred_sftp_put_u32(struct sftp_out *out, uint32_t value);
void nacred_sftp_put_u64(struct sftp_out *out, uint64_t value);
void nacred_sftp_put_string(struct sftp_out *out, const void *bytes, size_t len);
void nacred_sftp_put_attributes(struct sftp_out *out, const struct sftp_attributes *attributes);

#endif
