/* SPDX-License-Identifier: Apache-2.0 */
/* LogLevel 3: payloads in hexadecimal. What a user types to log in is left out unless the configuration says otherwise.
 */
#include "ssh/conn_priv.h"

/* How much of the payload may be shown. */
static size_t visible(const struct conn *c, struct span payload)
{
    struct rd r = rd_over(payload);
    uint8_t type = rd_u8(&r);

    if (c->config->log_secrets)
        return payload.len;
    if (type == MSG_USERAUTH_INFO_RESPONSE)
        return 1;
    if (type != MSG_USERAUTH_REQUEST)
        return payload.len;
    (void)rd_string(&r, SIZE_MAX); /* user */
    (void)rd_string(&r, SIZE_MAX); /* service */
    struct span method = rd_string(&r, SIZE_MAX);
    /* One that cannot be read may hold anything. */
    if (r.bad)
        return 1;
    return span_is(method, "password") ? payload.len - rd_left(&r) : payload.len;
}

static bool add_hex(struct buf *b, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *at = nacre_buf_reserve(b, 2 * bytes.len);

    if (at == NULL)
        return false;
    for (size_t i = 0; i < bytes.len; i++) {
        *at++ = (uint8_t)digits[bytes.at[i] >> 4];
        *at++ = (uint8_t)digits[bytes.at[i] & 15];
    }
    b->len += 2 * bytes.len;
    return true;
}

static bool add_text(struct buf *b, const char *text)
{
    return nacre_buf_append(b, text, strlen(text));
}

void nacre_conn_log_payload(struct conn *c, const char *direction, struct span payload)
{
    struct buf line;
    size_t shown = payload.len == 0 ? 0 : visible(c, payload);

    nacre_buf_init(&line, 64 + 2 * (size_t)CONN_INFLATE_MAX);
    if (shown != 0 && add_text(&line, direction) && add_text(&line, " payload: ") &&
        add_hex(&line, span_of(payload.at, shown)) && (shown == payload.len || add_text(&line, " (masked)")))
        nacre_conn_event(c, &(struct conn_event){.type = CONN_LOG, .level = 3, .text = buf_span(&line)});
    nacre_buf_wipe(&line);
}
