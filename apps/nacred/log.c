/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "peers.h"
#include "system.h"

enum {
    MESSAGE_MAX = 1024,
    LINE_MAX_BYTES = 4096,
    LINE_TAIL = 8,    /* for what ends a line: the quote of its last field, a brace, a newline */
    JSON_AROUND = 16, /* of a field, without its name and value */
};

/* A line being built. What does not fit is left out; room for the end of the line is kept. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static enum log_format log_format = LOG_TEXT;
static enum log_level log_most = LOG_LEVEL_DEBUG;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void nacred_log_set(enum log_format format, enum log_level most)
{
    log_format = format;
    log_most = most;
}

bool nacred_log_level_of(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* False: it does not fit, and is left out. */
static bool line_bytes(struct line *line, const char *bytes, size_t len)
{
    if (line->len + len > sizeof line->text - LINE_TAIL)
        return false;
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
    return true;
}

static bool line_text(struct line *line, const char *text)
{
    return line_bytes(line, text, strlen(text));
}

/* Bytes of the UTF-8 character that `at` begins with; 0 when it begins none that may stand (RFC 3629). A lone NUL ends
 * it at once. */
static size_t utf8_len(const unsigned char *at)
{
    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        return (at[1] & 0xc0) == 0x80 ? 2 : 0;
    if ((at[0] & 0xf0) == 0xe0) {
        bool good = (at[1] & 0xc0) == 0x80 && (at[2] & 0xc0) == 0x80;
        bool overlong = at[0] == 0xe0 && at[1] < 0xa0;
        bool surrogate = at[0] == 0xed && at[1] > 0x9f;
        return good && !overlong && !surrogate ? 3 : 0;
    }
    if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        bool good = (at[1] & 0xc0) == 0x80 && (at[2] & 0xc0) == 0x80 && (at[3] & 0xc0) == 0x80;
        bool overlong = at[0] == 0xf0 && at[1] < 0x90;
        bool beyond = at[0] == 0xf4 && at[1] > 0x8f;
        return good && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

/* Control characters, C1 among them, would let a peer forge lines or drive the terminal of who reads them; so would
 * Unicode's separators of lines and marks of direction (U+2028 to U+202E, U+2066 to U+2069). */
static bool is_control(const unsigned char *at, size_t len)
{
    if (len == 3 && at[0] == 0xe2)
        return (at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) || (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9);
    return (len == 1 && (at[0] < 0x20 || at[0] == 0x7f)) || (len == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

/* A byte that is no character, or a character for which is_control() holds. */
static unsigned code_of(const unsigned char *at, size_t len)
{
    return len == 3 ? 0x2000U | (at[1] & 0x3fU) << 6 | (at[2] & 0x3fU) : len == 2 ? at[1] : at[0];
}

/* Writes what stands in the log for the character at `at`, of `len` bytes; 0: a byte that begins none. `also` is
 * escaped like a control character; 0 for none. */
static size_t make_piece(char piece[16], const unsigned char *at, size_t len, char also)
{
    if (len == 0 || is_control(at, len) || (also && *at == (unsigned char)also)) {
        unsigned code = code_of(at, len);
        bool is_wide = log_format == LOG_JSON || code > 0xff;
        return (size_t)snprintf(piece, 16, is_wide ? "\\u%04x" : "\\x%02x", code);
    }
    size_t made = *at == '\\' || (*at == '"' && log_format == LOG_JSON) ? 1 : 0;
    piece[0] = '\\';
    memcpy(piece + made, at, len);
    return made + len;
}

/* Up to the first character that does not fit. */
static void line_escaped(struct line *line, const char *text, char also)
{
    const unsigned char *at = (const unsigned char *)text;
    bool fits = true;

    while (*at && fits) {
        size_t len = utf8_len(at);
        char piece[16];

        fits = line_bytes(line, piece, make_piece(piece, at, len, also));
        at += len == 0 ? 1 : len;
    }
}

/* A busy server logs thousands of lines a second: each thread keeps the second it wrote last. */
static void line_time(struct line *line)
{
    static _Thread_local struct {
        time_t second;
        size_t len;
        char text[64];
    } last;
    struct timespec now;
    struct tm utc;

    clock_gettime(CLOCK_REALTIME, &now);
    if (last.len == 0 || last.second != now.tv_sec) {
        nacred_utc_of(now.tv_sec, &utc);
        last.len = strftime(last.text, sizeof last.text, "%Y-%m-%dT%H:%M:%S", &utc);
        last.second = now.tv_sec;
    }
    unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    char behind[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z'};
    line_bytes(line, last.text, last.len);
    line_bytes(line, behind, sizeof behind);
}

/* Behind everything else. */
static void line_end(struct line *line, const char *text)
{
    memcpy(line->text + line->len, text, strlen(text));
    line->len += strlen(text);
}

/* Left out where there is no room to begin it. Where the value does not fit, as much of it as does. */
static void line_json_field(struct line *line, const char *name, const char *value)
{
    if (line->len + strlen(name) + JSON_AROUND > sizeof line->text - LINE_TAIL)
        return;
    line_text(line, line->len > 1 ? ",\"" : "\"");
    line_text(line, name);
    line_text(line, "\":\"");
    line_escaped(line, value, 0);
    line_end(line, "\"");
}

static void build_json(struct line *line, enum log_level level, const struct peer *peer, const char *event,
                       const char *message)
{
    struct line now = {.len = 0};

    line_time(&now);
    now.text[now.len] = 0;
    line_text(line, "{");
    line_json_field(line, "time", now.text);
    line_json_field(line, "level", level_names[level]);
    line_json_field(line, "event", event);
    if (peer)
        line_json_field(line, "peer", peer->address);
    if (peer && peer->user)
        line_json_field(line, "user", peer->user);
    line_json_field(line, "message", message);
    line_end(line, "}");
}

static void build_text(struct line *line, enum log_level level, const struct peer *peer, const char *event,
                       const char *message)
{
    line_time(line);
    line_text(line, " ");
    line_text(line, level_names[level]);
    line_text(line, " ");
    line_text(line, event);
    if (peer) {
        line_text(line, " peer=");
        line_escaped(line, peer->address, ' ');
    }
    if (peer && peer->user) {
        line_text(line, " user=");
        line_escaped(line, peer->user, ' '); /* a blank ends the field */
    }
    line_text(line, ": ");
    line_escaped(line, message, 0);
}

void nacred_log(enum log_level level, const struct peer *peer, const char *event, const char *format, ...)
{
    char message[MESSAGE_MAX];
    struct line line;
    va_list arguments;

    if (level > log_most)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    line.len = 0;
    if (log_format == LOG_JSON)
        build_json(&line, level, peer, event, message);
    else
        build_text(&line, level, peer, event, message);
    line_end(&line, "\n");
    nacred_standard_error(line.text, line.len);
}
