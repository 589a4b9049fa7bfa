/* SPDX-License-Identifier: Apache-2.0 */
/* The options are a table: name, whether a value follows, and the function that takes it. Names are exact: an
 * abbreviation that is unique today may not be so tomorrow. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "system.h"
#include "text.h"

enum {
    THREADS_MAX = 256,
    SESSIONS = 10, /* as OpenSSH's MaxSessions */
    SESSIONS_MAX = 65535,
    PROCESSES_MAX = 1000000,
    LIST_MAX = 1024,
    PASSWORD_LINE_MAX = PASSWORD_MAX + 4, /* with a mark, or one byte too many to be seen */
};

/* Where the option that is being taken finds and leaves things. */
struct parse {
    struct options *options;
    char *error;
    enum options_result result;
};

enum value_kind {
    VALUE_NONE,
    VALUE_NEEDED,
    VALUE_ATTACHED, /* only as --name=VALUE, and may be left out */
};

struct option_row {
    const char *name;
    enum value_kind value;
    bool (*take)(struct parse *p, char *value);
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct parse *p, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(p->error, OPTIONS_ERROR_MAX, format, arguments);
    va_end(arguments);
    p->result = OPTIONS_WRONG;
    return false;
}

static bool strings_add(struct parse *p, struct strings *strings, char *text)
{
    if (strings->count == LIST_MAX)
        return wrong(p, "an option is given more than %d times", LIST_MAX);
    char **grown = realloc(strings->list, (strings->count + 1) * sizeof *grown);
    if (!grown)
        return wrong(p, "out of memory");
    grown[strings->count++] = text;
    strings->list = grown;
    return true;
}

static bool read_number(const char *text, long min, long max, int *value)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || *end || number < min || number > max)
        return false;
    *value = (int)number;
    return true;
}

static bool take_listen(struct parse *p, char *value)
{
    char *colon = strrchr(value, ':');
    char *host = value;
    size_t len = colon ? (size_t)(colon - value) : 0;

    if (!colon || !read_number(colon + 1, 0, 65535, &p->options->port))
        return wrong(p, "--listen needs HOST:PORT, with a port from 0 to 65535: '%s'", value);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (memchr(host, ':', len)) {
        return wrong(p, "--listen needs brackets around an IPv6 address, as in [::1]:22: '%s'", value);
    }
    if (len == 0 || len >= sizeof p->options->host)
        return wrong(p, "--listen needs a host, 0.0.0.0 for every address: '%s'", value);
    memcpy(p->options->host, host, len);
    p->options->host[len] = 0;
    return true;
}

static bool take_host_key(struct parse *p, char *value)
{
    return strings_add(p, &p->options->host_keys, value);
}

static bool take_host_certificate(struct parse *p, char *value)
{
    return strings_add(p, &p->options->host_certificates, value);
}

static bool set_password(struct parse *p, const char *name, const char *text, size_t len)
{
    const char *why = nacred_users_set_password(&p->options->users, name, text, len);

    return why ? wrong(p, "--user '%s': %s", name, why) : true;
}

/* The first line, without what ends it; of a longer one as much as shows that it is. */
static size_t read_first_line(FILE *file, char line[PASSWORD_LINE_MAX])
{
    size_t len = 0;

    for (int c = getc(file); c != EOF && c != '\r' && c != '\n' && len < PASSWORD_LINE_MAX; c = getc(file))
        line[len++] = (char)c;
    return len;
}

/* Windows' programs put a mark in front of UTF-8. */
static bool set_password_from_file(struct parse *p, const char *name, const char *path)
{
    static const char mark[] = "\xef\xbb\xbf";
    char line[PASSWORD_LINE_MAX];
    FILE *file = nacred_file_open(path);

    if (!file)
        return wrong(p, "--user '%s': cannot read '%s': %s", name, path, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0);
    size_t len = read_first_line(file, line);
    size_t start = len >= sizeof mark - 1 && memcmp(line, mark, sizeof mark - 1) == 0 ? sizeof mark - 1 : 0;
    bool good = len > start ? set_password(p, name, line + start, len - start)
                            : wrong(p, "--user '%s': '%s' holds no password", name, path);
    nacred_wipe(line, sizeof line);
    fclose(file);
    return good;
}

static bool take_user(struct parse *p, char *value)
{
    char *colon = strchr(value, ':');

    if (!colon)
        return wrong(p, "--user needs NAME:PASSWORD or NAME:@FILE");
    *colon = 0;
    bool good = colon[1] == '@' ? set_password_from_file(p, value, colon + 2)
                                : set_password(p, value, colon + 1, strlen(colon + 1));
    *colon = ':';
    if (colon[1] != '@')
        memset(colon + 1, 'x', strlen(colon + 1));
    return good;
}

static bool take_demo_user(struct parse *p, char *value)
{
    if (!*value || strlen(value) > USER_NAME_MAX)
        return wrong(p, "--demo-user needs a name of 1 to %d bytes", USER_NAME_MAX);
    p->options->demo_user = value;
    return true;
}

static bool take_authorized_keys(struct parse *p, char *value)
{
    return strings_add(p, &p->options->key_files, value);
}

static bool take_user_ca(struct parse *p, char *value)
{
    return strings_add(p, &p->options->user_cas, value);
}

static bool take_trusted_hosts(struct parse *p, char *value)
{
    return strings_add(p, &p->options->trusted_hosts, value);
}

static bool take_keyboard_interactive(struct parse *p, char *value)
{
    (void)value;
    p->options->keyboard_interactive = true;
    return true;
}

static bool take_exec(struct parse *p, char *value)
{
    (void)value;
    p->options->exec = true;
    return true;
}

static bool take_shell(struct parse *p, char *value)
{
    (void)value;
    p->options->shell = true;
    return true;
}

static bool take_sftp(struct parse *p, char *value)
{
    if (value && !nacred_path_is_absolute(value))
        return wrong(p, "--sftp needs the absolute path of a program: '%s'", value);
    p->options->sftp_server = value ? value : nacred_sftp_program;
    return true;
}

static bool take_sftp_root(struct parse *p, char *value)
{
    if (!nacred_path_is_absolute(value))
        return wrong(p, "--sftp-root needs the absolute path of a folder: '%s'", value);
    p->options->sftp_root = value;
    return true;
}

static bool take_accept_env(struct parse *p, char *value)
{
    if (!*value)
        return wrong(p, "--accept-env needs a pattern");
    return strings_add(p, &p->options->accept_env, value);
}

static bool take_tunnels(struct parse *p, char *value)
{
    (void)value;
    p->options->tunnels = true;
    return true;
}

static bool take_agent_forwarding(struct parse *p, char *value)
{
    (void)value;
    p->options->agent_forwarding = true;
    return true;
}

static bool take_bench(struct parse *p, char *value)
{
    (void)value;
    p->options->bench = true;
    return true;
}

static bool take_set(struct parse *p, char *value)
{
    char *equals = strchr(value, '=');

    if (!equals || equals == value)
        return wrong(p, "--set needs NAME=VALUE");
    char *copy = strdup(value);
    if (!copy)
        return wrong(p, "out of memory");
    if (!strings_add(p, &p->options->settings, copy)) {
        free(copy);
        return false;
    }
    if (nacred_text_holds(value, "password"))
        memset(equals + 1, 'x', strlen(equals + 1));
    return true;
}

static bool take_threads(struct parse *p, char *value)
{
    if (!read_number(value, 1, THREADS_MAX, &p->options->threads))
        return wrong(p, "--threads needs a number from 1 to %d: '%s'", THREADS_MAX, value);
    return true;
}

static bool take_max_sessions(struct parse *p, char *value)
{
    if (!read_number(value, 0, SESSIONS_MAX, &p->options->max_sessions))
        return wrong(p, "--max-sessions needs a number from 0 to %d: '%s'", SESSIONS_MAX, value);
    return true;
}

static bool take_max_processes(struct parse *p, char *value)
{
    if (!read_number(value, 1, PROCESSES_MAX, &p->options->max_processes))
        return wrong(p, "--max-processes needs a number from 1 to %d: '%s'", PROCESSES_MAX, value);
    return true;
}

static bool take_log(struct parse *p, char *value)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
        return wrong(p, "--log needs text or json: '%s'", value);
    p->options->log = *value == 't' ? LOG_TEXT : LOG_JSON;
    return true;
}

static bool take_log_level(struct parse *p, char *value)
{
    if (!nacred_log_level_of(value, &p->options->log_level))
        return wrong(p, "--log-level needs error, warning, info or debug: '%s'", value);
    return true;
}

static bool take_version(struct parse *p, char *value)
{
    (void)value;
    p->result = OPTIONS_VERSION;
    return false;
}

static bool take_help(struct parse *p, char *value)
{
    (void)value;
    p->result = OPTIONS_HELP;
    return false;
}

/* clang-format off */
static const struct option_row option_rows[] = {
    {"listen",               VALUE_NEEDED,   take_listen},
    {"host-key",             VALUE_NEEDED,   take_host_key},
    {"host-certificate",     VALUE_NEEDED,   take_host_certificate},
    {"user",                 VALUE_NEEDED,   take_user},
    {"demo-user",            VALUE_NEEDED,   take_demo_user},
    {"authorized-keys",      VALUE_NEEDED,   take_authorized_keys},
    {"user-ca",              VALUE_NEEDED,   take_user_ca},
    {"trusted-hosts",        VALUE_NEEDED,   take_trusted_hosts},
    {"keyboard-interactive", VALUE_NONE,     take_keyboard_interactive},
    {"exec",                 VALUE_NONE,     take_exec},
    {"shell",                VALUE_NONE,     take_shell},
    {"sftp",                 VALUE_ATTACHED, take_sftp},
    {"sftp-root",            VALUE_NEEDED,   take_sftp_root},
    {"accept-env",           VALUE_NEEDED,   take_accept_env},
    {"max-sessions",         VALUE_NEEDED,   take_max_sessions},
    {"max-processes",        VALUE_NEEDED,   take_max_processes},
    {"tunnels",              VALUE_NONE,     take_tunnels},
    {"agent-forwarding",     VALUE_NONE,     take_agent_forwarding},
    {"bench",                VALUE_NONE,     take_bench},
    {"set",                  VALUE_NEEDED,   take_set},
    {"threads",              VALUE_NEEDED,   take_threads},
    {"log",                  VALUE_NEEDED,   take_log},
    {"log-level",            VALUE_NEEDED,   take_log_level},
    {"version",              VALUE_NONE,     take_version},
    {"help",                 VALUE_NONE,     take_help},
};
/* clang-format on */

static const struct option_row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof option_rows / sizeof *option_rows; i++)
        if (strlen(option_rows[i].name) == len && memcmp(option_rows[i].name, name, len) == 0)
            return &option_rows[i];
    return NULL;
}

/* Takes argv[*at] and its value; *at is then the last one used. */
static bool take_argument(struct parse *p, int argc, char **argv, int *at)
{
    char *argument = argv[*at];

    if (strncmp(argument, "--", 2) != 0)
        return wrong(p, argument[0] == '-' ? "unknown option '%s'" : "unexpected argument '%s'", argument);
    size_t len = strcspn(argument + 2, "=");
    const struct option_row *row = find_row(argument + 2, len);
    if (!row)
        return wrong(p, "unknown option '%.*s'", (int)(len > 64 ? 66 : len + 2), argument);

    char *value = argument[2 + len] == '=' ? argument + 3 + len : NULL;
    if (row->value == VALUE_NONE && value)
        return wrong(p, "--%s takes no value", row->name);
    if (row->value == VALUE_NEEDED && !value) {
        if (*at + 1 >= argc)
            return wrong(p, "--%s needs a value", row->name);
        value = argv[++*at];
    }
    const char *refusal = nacred_option_refusal(row->name, value);
    return refusal ? wrong(p, "--%s %s", row->name, refusal) : row->take(p, value);
}

enum options_result nacred_options_read(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_MAX])
{
    struct parse p = {.options = options, .error = error, .result = OPTIONS_RUN};

    *options = (struct options){.host = "127.0.0.1",
                                .port = 2222,
                                .log = LOG_TEXT,
                                .log_level = LOG_LEVEL_DEBUG,
                                .threads = 2,
                                .max_sessions = SESSIONS};
    *error = 0;
    for (int at = 1; at < argc; at++)
        if (!take_argument(&p, argc, argv, &at))
            break;
    if (p.result == OPTIONS_RUN && options->sftp_server && options->sftp_root)
        wrong(&p, "--sftp and --sftp-root cannot both serve the sftp subsystem");
    return p.result;
}

void nacred_options_free(struct options *options)
{
    for (size_t i = 0; i < options->settings.count; i++) {
        nacred_wipe(options->settings.list[i], strlen(options->settings.list[i]));
        free(options->settings.list[i]);
    }
    free(options->settings.list);
    free(options->host_keys.list);
    free(options->host_certificates.list);
    free(options->key_files.list);
    free(options->user_cas.list);
    free(options->trusted_hosts.list);
    free(options->accept_env.list);
    nacred_users_free(&options->users);
}
