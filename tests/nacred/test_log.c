/* SPDX-License-Identifier: Apache-2.0 */
/* What clients choose cannot forge lines of the log nor turn its text around. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "peers.h"

/* The line that `text` makes, as written to standard error. */
static void said(enum log_format format, const struct peer *peer, const char *text, char *line, size_t size)
{
    int ends[2], saved = dup(STDERR_FILENO);

    cr_assert(saved >= 0 && pipe(ends) == 0);
    cr_assert(dup2(ends[1], STDERR_FILENO) >= 0);
    nacred_log_set(format, LOG_LEVEL_INFO);
    nacred_log(LOG_LEVEL_INFO, peer, "test", "%s", text);
    cr_assert(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    ssize_t n = read(ends[0], line, size - 1);
    close(ends[0]);
    cr_assert(n > 0);
    line[n] = '\0';
}

static void expect(enum log_format format, const char *text, const char *wanted)
{
    char line[1024];

    said(format, NULL, text, line, sizeof line);
    cr_assert(strstr(line, wanted) != NULL, "%s", line);
    cr_assert_eq(strcspn(line, "\n"), strlen(line) - 1);
}

/* One object of texts, as far as quotes, escapes and braces go. */
static void expect_json(const char *line)
{
    bool inside = false;
    const char *at = line + 1;

    cr_assert_eq(*line, '{');
    for (; *at && (inside || *at != '}'); at++) {
        inside = inside != (*at == '"');
        if (*at == '\\' && at[1])
            at++;
    }
    cr_assert_str_eq(at, "}\n", "%s", line);
    cr_assert_eq(at[-1], '"');
}

Test(nacred_log, control_characters_are_escaped)
{
    expect(LOG_TEXT, "a\nb\x1b[31m\xc2\x9b\xff", "a\\x0ab\\x1b[31m\\x9b\\xff\n");
    expect(LOG_JSON, "a\n\"\xc2\x9b", "a\\u000a\\\"\\u009b\"}");
}

Test(nacred_log, separators_of_lines_and_marks_of_direction_are_escaped)
{
    expect(LOG_TEXT,
           "a\xe2\x80\xa8"
           "b\xe2\x80\xae"
           "c\xe2\x81\xa6",
           "a\\u2028b\\u202ec\\u2066\n");
    expect(LOG_JSON, "a\xe2\x80\xa9", "a\\u2029\"}");
}

/* In text, fields are told apart by the blanks between them. */
Test(nacred_log, a_name_of_a_user_is_one_field)
{
    char user[] = "eve peer=10.0.0.1: login";
    struct peer peer = {.address = "127.0.0.1:50000", .user = user};
    char line[1024];

    said(LOG_TEXT, &peer, "x", line, sizeof line);
    cr_assert(strstr(line, " peer=127.0.0.1:50000 user=eve\\x20peer=10.0.0.1:\\x20login: x\n") != NULL, "%s", line);
    said(LOG_JSON, &peer, "x", line, sizeof line);
    cr_assert(strstr(line, "\"user\":\"eve peer=10.0.0.1: login\"") != NULL, "%s", line);
}

/* Each takes more bytes than it has, so that a line is full before its message ends: at any place of what stands for a
 * character. */
Test(nacred_log, a_line_that_is_full_is_still_json)
{
    static const char signs[] = "\x01\"\\";
    char text[1024], user[800], line[8192];
    struct peer peer = {.address = "127.0.0.1:50000", .user = user};

    for (size_t sign = 0; sign < 3; sign++) {
        for (size_t len = 0; len < sizeof user; len++) {
            memset(text, signs[sign], sizeof text - 1);
            text[sizeof text - 1] = '\0';
            memset(user, 1, len);
            memset(user, 'a', len % 7);
            user[len] = '\0';
            said(LOG_JSON, &peer, text, line, sizeof line);
            expect_json(line);
        }
    }
}

Test(nacred_log, other_text_stands_as_it_is)
{
    expect(LOG_TEXT, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xe2\x80\x94", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xe2\x80\x94\n");
}

Test(nacred_log, what_is_less_severe_than_asked_for_is_left_out)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    enum log_level most, level;
    int ends[2], saved = dup(STDERR_FILENO);
    char lines[1024];

    cr_assert(saved >= 0 && pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    for (size_t i = 0; i < 4; i++) {
        cr_expect(nacred_log_level_of(names[i], &most));
        nacred_log_set(LOG_TEXT, most);
        for (size_t k = 0; k < 4 && nacred_log_level_of(names[k], &level); k++)
            nacred_log(level, NULL, "test", "%s of %s", names[k], names[i]);
    }
    cr_assert(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    size_t len = 0;
    for (ssize_t n; (n = read(ends[0], lines + len, sizeof lines - 1 - len)) > 0;)
        len += (size_t)n;
    close(ends[0]);
    lines[len] = '\0';
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++) {
            char wanted[64];
            snprintf(wanted, sizeof wanted, "%s of %s\n", names[k], names[i]);
            cr_expect_eq(strstr(lines, wanted) != NULL, k <= i, "%s", wanted);
        }
    }
    cr_expect_not(nacred_log_level_of("loud", &level));
}
