/* SPDX-License-Identifier: Apache-2.0 */
#include "sftp_wire.h"

#include <string.h>

#define ATTR_EXTENDED 0x80000000U

static const uint8_t *take(struct sftp_in *in, size_t len)
{
    if (in->bad || len > in->left) {
        in->bad = true;
        return NULL;
    }
    const uint8_t *at = in->at;
    in->at += len;
    in->left -= len;
    return at;
}

uint8_t nacred_sftp_get_byte(struct sftp_in *in)
{
    const uint8_t *at = take(in, 1);

    return at ? *at : 0;
}

uint32_t nacred_sftp_get_u32(struct sftp_in *in)
{
    const uint8_t *at = take(in, 4);

    return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

uint64_t nacred_sftp_get_u64(struct sftp_in *in)
{
    uint64_t high = nacred_sftp_get_u32(in);

    return high << 32 | nacred_sftp_get_u32(in);
}

const uint8_t *nacred_sftp_get_string(struct sftp_in *in, size_t *len)
{
    *len = nacred_sftp_get_u32(in);
    const uint8_t *at = take(in, *len);
    if (!at)
        *len = 0;
    return at;
}

/* Extensions of the attributes are read over: section 5 lets a server that does not know them. */
static void skip_extensions(struct sftp_in *in)
{
    size_t len;

    for (uint32_t count = nacred_sftp_get_u32(in); count > 0 && !in->bad; count--) {
        nacred_sftp_get_string(in, &len);
        nacred_sftp_get_string(in, &len);
    }
}

void nacred_sftp_get_attributes(struct sftp_in *in, struct sftp_attributes *a)
{
    *a = (struct sftp_attributes){.flags = nacred_sftp_get_u32(in)};
    if (a->flags & SFTP_ATTR_SIZE)
        a->size = nacred_sftp_get_u64(in);
    if (a->flags & SFTP_ATTR_UIDGID) {
        a->uid = nacred_sftp_get_u32(in);
        a->gid = nacred_sftp_get_u32(in);
    }
    if (a->flags & SFTP_ATTR_PERMISSIONS)
        a->permissions = nacred_sftp_get_u32(in);
    if (a->flags & SFTP_ATTR_ACMODTIME) {
        a->atime = nacred_sftp_get_u32(in);
        a->mtime = nacred_sftp_get_u32(in);
    }
    if (a->flags & ATTR_EXTENDED)
        skip_extensions(in);
}

static void store_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void nacred_sftp_begin(struct sftp_out *out, uint8_t type)
{
    out->packet = out->len;
    out->bytes[out->len + 4] = type;
    out->len += 5;
}

void nacred_sftp_end(struct sftp_out *out)
{
    store_u32(out->bytes + out->packet, (uint32_t)(out->len - out->packet - 4));
}

void nacred_sftp_put_u32(struct sftp_out *out, uint32_t value)
{
    store_u32(out->bytes + out->len, value);
    out->len += 4;
}

void nacred_sftp_put_u64(struct sftp_out *out, uint64_t value)
{
    nacred_sftp_put_u32(out, (uint32_t)(value >> 32));
    nacred_sftp_put_u32(out, (uint32_t)value);
}

void nacred_sftp_put_string(struct sftp_out *out, const void *bytes, size_t len)
{
    nacred_sftp_put_u32(out, (uint32_t)len);
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

void nacred_sftp_put_attributes(struct sftp_out *out, const struct sftp_attributes *a)
{
    nacred_sftp_put_u32(out, a->flags);
    if (a->flags & SFTP_ATTR_SIZE)
        nacred_sftp_put_u64(out, a->size);
    if (a->flags & SFTP_ATTR_UIDGID) {
        nacred_sftp_put_u32(out, a->uid);
        nacred_sftp_put_u32(out, a->gid);
    }
    if (a->flags & SFTP_ATTR_PERMISSIONS)
        nacred_sftp_put_u32(out, a->permissions);
    if (a->flags & SFTP_ATTR_ACMODTIME) {
        nacred_sftp_put_u32(out, a->atime);
        nacred_sftp_put_u32(out, a->mtime);
    }
}
