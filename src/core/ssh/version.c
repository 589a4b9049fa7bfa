/* SPDX-License-Identifier: Apache-2.0 */
/* Identification lines, RFC 4253 section 4.2, kept short and few by rule R17. */
#include <stdlib.h>
#include <string.h>

#include "ssh/conn_priv.h"
#include "wire/namelist.h"

enum {
    BANNER_LINES_MAX = 64,
    BANNER_LINE_MAX = 1024
};

static const char default_pattern[] = "SSH-2.0-*,SSH-1.99-*";

enum step nacre_version_send(struct conn *c)
{
    if (!nacre_output_put(c, span_str(c->config->version)) || !nacre_output_put(c, span_str("\r\n")))
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory");
    return STEP_NEXT;
}

static bool version_is_printable(struct span line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] < ' ' || line.at[i] == 0x7f)
            return false;
    }
    return true;
}

/* Tries each of the comma-separated patterns. */
static bool version_is_wanted(const char *patterns, struct span version)
{
    while (*patterns != '\0') {
        char one[CONN_VERSION_MAX + 1];
        size_t len = strcspn(patterns, ",");
        struct wr w = wr_over(one, sizeof one);

        wr_bytes(&w, patterns, len);
        wr_u8(&w, 0);
        if (wr_done(&w) && nacre_glob(one, version, false))
            return true;
        patterns += len;
        patterns += *patterns == ',' ? 1 : 0;
    }
    return false;
}

static enum step take_version(struct conn *c, struct span line)
{
    const char *patterns = c->config->version_pattern;

    if (line.len + 2 > CONN_VERSION_MAX)
        return nacre_conn_fail(c, NACRE_E_VERSION, "the identification line is too long");
    if (!version_is_printable(line))
        return nacre_conn_fail(c, NACRE_E_VERSION, "the identification line has control characters");
    if (!version_is_wanted(default_pattern, line))
        return nacre_conn_fail(c, NACRE_E_VERSION, "the peer does not speak SSH 2.0");
    c->peer_version = malloc(line.len + 1);
    struct wr w = wr_over(c->peer_version, line.len + 1);
    wr_bytes(&w, line.at, line.len);
    wr_u8(&w, 0);
    if (!wr_done(&w))
        return nacre_conn_fail(c, NACRE_E_NOBUFS, "out of memory");
    if (patterns != NULL && *patterns != '\0' && !version_is_wanted(patterns, line))
        return nacre_conn_fail(c, NACRE_E_VERSION, "the peer's software version is not accepted");
    nacre_conn_enter(c, PHASE_KEX);
    nacre_conn_status(c, "Identification received.");
    return STEP_NEXT;
}

/* Servers may say other lines first; clients may not. */
static enum step take_line(struct conn *c, struct span line)
{
    bool is_version = line.len >= 4 && memcmp(line.at, "SSH-", 4) == 0;

    if (is_version)
        return take_version(c, line);
    if (conn_is_server(c))
        return nacre_conn_fail(c, NACRE_E_VERSION, "the first line is no SSH identification");
    if (++c->banner_lines > BANNER_LINES_MAX)
        return nacre_conn_fail(c, NACRE_E_VERSION, "too many lines before the identification");
    return STEP_NEXT;
}

size_t nacre_version_feed(struct conn *c, const uint8_t *bytes, size_t len)
{
    size_t max = conn_is_server(c) ? CONN_VERSION_MAX : BANNER_LINE_MAX;
    const uint8_t *end = memchr(bytes, '\n', len < max ? len : max);
    static const uint8_t start[] = "SSH-";

    /* What cannot become an identification is refused at once, so that a wrong client does not wait for the grace time.
     */
    if (conn_is_server(c) && memcmp(bytes, start, len < 4 ? len : 4) != 0) {
        (void)nacre_conn_fail(c, NACRE_E_VERSION, "the first line is no SSH identification");
        return 0;
    }
    if (end == NULL) {
        if (len >= max)
            (void)nacre_conn_fail(c, NACRE_E_VERSION, "the identification line is too long");
        return 0;
    }
    size_t line = (size_t)(end - bytes);
    size_t text = line > 0 && bytes[line - 1] == '\r' ? line - 1 : line;
    return take_line(c, span_of(bytes, text)) == STEP_CLOSE ? 0 : line + 1;
}
