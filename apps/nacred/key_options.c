/* SPDX-License-Identifier: Apache-2.0 */
#include "key_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "address_list.h"
#include "permits.h"
#include "system.h"

enum effect {
    NOTHING, /* of what is not offered anyway */
    RESTRICT,
    PTY,
    TUNNELS,
    AGENT,
    TOUCH,
    VERIFY,
    AUTHORITY,
    PRINCIPALS,
    COMMAND,
    FROM,
    OPEN,
    LISTEN,
    EXPIRES,
};

static const struct option_row {
    const char *name;
    enum effect effect;
    bool has_value;
    bool off; /* the name forbids */
} rows[] = {
    {"restrict", RESTRICT, false, true},
    {"pty", PTY, false, false},
    {"no-pty", PTY, false, true},
    {"port-forwarding", TUNNELS, false, false},
    {"no-port-forwarding", TUNNELS, false, true},
    {"agent-forwarding", AGENT, false, false},
    {"no-agent-forwarding", AGENT, false, true},
    {"x11-forwarding", NOTHING, false, false},
    {"no-x11-forwarding", NOTHING, false, true},
    {"user-rc", NOTHING, false, false},
    {"no-user-rc", NOTHING, false, true},
    {"no-touch-required", TOUCH, false, true},
    {"verify-required", VERIFY, false, false},
    {"cert-authority", AUTHORITY, false, false},
    {"principals", PRINCIPALS, true, false},
    {"command", COMMAND, true, false},
    {"from", FROM, true, false},
    {"permitopen", OPEN, true, false},
    {"permitlisten", LISTEN, true, false},
    {"expiry-time", EXPIRES, true, false},
};

void nacred_key_options_none(struct key_options *options)
{
    *options = (struct key_options){.expires = INT64_MAX};
}

size_t nacred_key_options_end(const char *line, size_t len)
{
    bool quoted = false;
    size_t at = 0;

    for (; at < len && (quoted || (line[at] != ' ' && line[at] != '\t')); at++) {
        if (line[at] == '\\' && at + 1 < len && line[at + 1] == '"')
            at++;
        else if (line[at] == '"')
            quoted = !quoted;
    }
    return at < len ? at : len;
}

/* YYYYMMDD, YYYYMMDDhhmm or YYYYMMDDhhmmss of this machine's time zone, or with a Z behind it of UTC. */
static bool read_time(const char *text, int64_t *out)
{
    struct tm when = {.tm_isdst = -1};
    size_t digits = strspn(text, "0123456789");
    bool utc = strcasecmp(text + digits, "Z") == 0;

    if ((digits != 8 && digits != 12 && digits != 14) || (text[digits] && !utc))
        return false;
    if (sscanf(text, "%4d%2d%2d%2d%2d%2d", &when.tm_year, &when.tm_mon, &when.tm_mday, &when.tm_hour, &when.tm_min,
               &when.tm_sec) < 3)
        return false;
    if (when.tm_year < 1970 || when.tm_mon < 1 || when.tm_mon > 12 || when.tm_mday < 1 || when.tm_mday > 31 ||
        when.tm_hour > 23 || when.tm_min > 59 || when.tm_sec > 59)
        return false;
    when.tm_year -= 1900;
    when.tm_mon--;
    time_t seconds = utc ? nacred_utc_seconds(&when) : mktime(&when);
    *out = seconds;
    return seconds != (time_t)-1;
}

static const char *take_time(const char *value, struct key_options *out)
{
    int64_t expires;

    if (!read_time(value, &expires))
        return "is no time";
    if (expires < out->expires)
        out->expires = expires; /* of several, the first to come */
    return NULL;
}

/* These may stand there several times. Takes over `value`. */
static const char *take_permit(char **list, char *value, bool is_listen)
{
    const char *wrong = nacred_permit_valid(value, is_listen) ? NULL : "is no host:port";

    if (!wrong && *list) {
        size_t len = strlen(*list), more = strlen(value);
        char *grown = realloc(*list, len + 1 + more + 1);
        if (grown) {
            grown[len] = ',';
            memcpy(grown + len + 1, value, more + 1);
            *list = grown;
        }
        wrong = grown ? NULL : "needs more memory than there is";
    } else if (!wrong) {
        *list = value;
        return NULL;
    }
    free(value);
    return wrong;
}

/* One that may stand there once. Takes over `value`. */
static const char *take_text(char **text, char *value, const char *wrong)
{
    if (*text)
        wrong = "stands there twice";
    if (wrong)
        free(value);
    else
        *text = value;
    return wrong;
}

/* Takes over `value`. */
static const char *take_value(const struct option_row *row, char *value, struct key_options *out)
{
    if (row->effect == OPEN || row->effect == LISTEN)
        return take_permit(row->effect == OPEN ? &out->permit_open : &out->permit_listen, value, row->effect == LISTEN);
    if (row->effect == FROM)
        return take_text(&out->from, value, nacred_address_list_valid(value) ? NULL : "holds no list of addresses");
    if (row->effect == PRINCIPALS)
        return take_text(&out->principals, value, strspn(value, ",") == strlen(value) ? "names nobody" : NULL);
    if (row->effect == COMMAND)
        return take_text(&out->command, value, NULL);
    const char *wrong = take_time(value, out);
    free(value);
    return wrong;
}

static void take_flag(const struct option_row *row, struct key_options *out)
{
    switch (row->effect) {
    case RESTRICT:
        out->no_pty = out->no_tunnels = out->no_agent = true;
        return;
    case PTY:
        out->no_pty = row->off;
        return;
    case TUNNELS:
        out->no_tunnels = row->off;
        return;
    case AGENT:
        out->no_agent = row->off;
        return;
    case TOUCH:
        out->no_touch = true;
        return;
    case VERIFY:
        out->verify = true;
        return;
    case AUTHORITY:
        out->cert_authority = true;
        return;
    case NOTHING:
    case PRINCIPALS:
    case COMMAND:
    case FROM:
    case OPEN:
    case LISTEN:
    case EXPIRES:
        return;
    }
}

/* The text between quotes, in which \" stands for a quote. NULL: there is none; *used counts both quotes. */
static char *read_quoted(const char *text, size_t len, size_t *used)
{
    char *value = len > 0 && text[0] == '"' ? malloc(len) : NULL;
    size_t made = 0, at = 1;

    if (!value)
        return NULL;
    for (; at < len && text[at] != '"'; at++) {
        if (text[at] == '\\' && at + 1 < len && text[at + 1] == '"')
            at++;
        value[made++] = text[at];
    }
    value[made] = 0;
    *used = at + 1;
    if (at < len && !memchr(value, 0, made))
        return value;
    free(value);
    return NULL;
}

static const struct option_row *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].name) == len && strncasecmp(rows[i].name, name, len) == 0)
            return &rows[i];
    return NULL;
}

/* One option; *used: how long it is. NULL, or what is wrong with it. */
static const char *take_one(const char *text, size_t len, struct key_options *out, size_t *used)
{
    size_t name = 0;

    while (name < len && text[name] != ',' && text[name] != '=')
        name++;
    *used = name;
    bool has_value = name < len && text[name] == '=';
    const struct option_row *row = find_row(text, name);
    if (!row)
        return "is not known here";
    if (row->has_value != has_value)
        return row->has_value ? "has no value" : "takes no value";
    if (!has_value) {
        take_flag(row, out);
        return NULL;
    }
    size_t quoted = 0;
    char *value = read_quoted(text + name + 1, len - name - 1, &quoted);
    if (!value)
        return "has no value in quotes";
    *used = name + 1 + quoted;
    return take_value(row, value, out);
}

static bool read_all(const char *text, size_t len, struct key_options *out, char why[KEY_OPTIONS_WHY_MAX])
{
    for (size_t at = 0;;) {
        size_t used = 0;
        const char *wrong = take_one(text + at, len - at, out, &used);
        const char *equals = memchr(text + at, '=', used);
        size_t name = equals ? (size_t)(equals - (text + at)) : used;
        bool more = !wrong && at + used < len;

        if (!wrong && more && text[at + used] != ',')
            wrong = "is followed by something else than a comma";
        if (wrong) {
            snprintf(why, KEY_OPTIONS_WHY_MAX, "option '%.*s' %s", name < 40 ? (int)name : 40, text + at, wrong);
            return false;
        }
        at += used + 1;
        if (!more)
            return true;
    }
}

bool nacred_key_options_read(const char *text, size_t len, struct key_options *out, char why[KEY_OPTIONS_WHY_MAX])
{
    nacred_key_options_none(out);
    bool good = read_all(text, len, out, why);
    if (good && out->principals && !out->cert_authority) {
        snprintf(why, KEY_OPTIONS_WHY_MAX, "option 'principals' stands there without cert-authority");
        good = false;
    }
    if (!good)
        nacred_key_options_free(out);
    return good;
}

/* Whether comma-separated `list` has that name, whole. */
static bool list_has(const char *list, const char *name, size_t len)
{
    for (size_t at; *list; list += at + (list[at] == ',')) {
        at = strcspn(list, ",");
        if (at == len && memcmp(list, name, len) == 0)
            return true;
    }
    return false;
}

bool nacred_key_options_name(const struct key_options *options, const char *principals, const char *user)
{
    if (!options->principals)
        return !strchr(user, ',') && *user && list_has(principals, user, strlen(user));
    for (size_t len; *principals; principals += len + (principals[len] == ',')) {
        len = strcspn(principals, ",");
        if (len > 0 && list_has(options->principals, principals, len))
            return true;
    }
    return false;
}

bool nacred_key_options_hold(const struct key_options *options, const char *address, int64_t now)
{
    return now < options->expires && (!options->from || nacred_address_list_has(options->from, address));
}

bool nacred_key_options_are_none(const struct key_options *o)
{
    return !o->no_pty && !o->no_tunnels && !o->no_agent && !o->no_touch && !o->verify && !o->cert_authority &&
           !o->command && !o->from && !o->permit_open && !o->permit_listen && o->expires == INT64_MAX;
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

bool nacred_key_options_copy(struct key_options *to, const struct key_options *from)
{
    *to = *from;
    bool good = copy_text(&to->principals, from->principals);
    good = copy_text(&to->command, from->command) && good;
    good = copy_text(&to->from, from->from) && good;
    good = copy_text(&to->permit_open, from->permit_open) && good;
    good = copy_text(&to->permit_listen, from->permit_listen) && good;
    if (!good)
        nacred_key_options_free(to);
    return good;
}

void nacred_key_options_free(struct key_options *options)
{
    free(options->principals);
    free(options->command);
    free(options->from);
    free(options->permit_open);
    free(options->permit_listen);
    nacred_key_options_none(options);
}
