/* SPDX-License-Identifier: Apache-2.0 */
/* One row an option: its name, the modes that use it, how its value is read and where it goes. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define M(mode) (1U << (mode))
#define ALL (M(MODES) - 1)
#define HANDSHAKE M(MODE_HANDSHAKE)
#define ECHO M(MODE_ECHO)
#define BULK M(MODE_BULK)
#define IDLE M(MODE_IDLE)
#define STORM M(MODE_STORM)
#define LIMIT M(MODE_LIMIT)
#define ATTACK M(MODE_ATTACK)
#define SSH (ALL & ~LIMIT) /* modes that have a target */

enum kind {
    TEXT,
    COUNT,
    BYTES64,
    BYTES,
    PID,
    DIRECTION,
    SET,
    CLEAR,
    HELP,
    VERSION
};

struct option_row {
    const char *name; /* without dashes; one letter: a short option */
    unsigned modes;
    enum kind kind;
    size_t offset;
    uint64_t min, max;
    const char *value; /* NULL: takes none */
    const char *help;
};

#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct option_row rows[] = {
    {"target",             SSH, TEXT, AT(target), 0, 0, "HOST:PORT", "the server; [ADDRESS]:PORT for IPv6"},
    {"user",               SSH, TEXT, AT(user), 0, 0, "NAME", "log in as NAME"},
    {"password",           SSH, TEXT, AT(password), 0, 0, "P", "with this password"},
    {"key",                SSH, TEXT, AT(key_file), 0, 0, "FILE", "or with the private key in FILE"},
    {"key-password",       SSH, TEXT, AT(key_password), 0, 0, "P", "what FILE is encrypted with"},
    {"c",                  ALL, COUNT, AT(connections), 1, 1000000, "CONNECTIONS", "at once, over all processes: 1 to 1000000 (1)"},
    {"n",                  HANDSHAKE | BULK | ATTACK, BYTES64, AT(total), 1, UINT64_MAX, "TOTAL", "handshakes or attacks, or bytes each way, over all connections"},
    {"d",                  ALL, COUNT, AT(seconds), 1, 864000, "SECONDS", "how long: 1 to 864000 (10, unless -n is given)"},
    {"j",                  SSH, COUNT, AT(processes), 1, 1024, "PROCESSES", "that make the load, one thread each: 1 to 1024 (1)"},
    {"kex",                SSH, TEXT, AT(kex), 0, 0, "LIST", "key exchange methods to offer"},
    {"cipher",             SSH, TEXT, AT(cipher), 0, 0, "LIST", "ciphers to offer"},
    {"mac",                SSH, TEXT, AT(mac), 0, 0, "LIST", "MACs to offer"},
    {"host-key-algorithm", SSH, TEXT, AT(host_key), 0, 0, "LIST", "host key algorithms to offer"},
    {"comp",               SSH, TEXT, AT(comp), 0, 0, "LIST", "compression methods to offer (none)"},
    {"size",               ECHO | BULK | IDLE | STORM | LIMIT, BYTES, AT(size), 1, 16777216, "BYTES", "of one message or one write: up to 16M, limit 64K (64; bulk: 32768)"},
    {"direction",          BULK, DIRECTION, AT(direction), 0, 0, "in|out|both", "as the server sees it (in)"},
    {"command",            ECHO | BULK | IDLE | STORM | ATTACK, TEXT, AT(command), 0, 0, "TEXT", "to run (echo; bulk: sink, \"source {bytes}\", echo)"},
    {"exec-late",          IDLE, SET, AT(exec_late), 0, 0, NULL, "hold the channels without a command; run it for the check"},
    {"verify",             BULK, SET, AT(verify), 0, 0, NULL, "direction both: check every byte that comes back"},
    {"source-addresses",   SSH, COUNT, AT(source_addresses), 1, 254, "N", "connect from 127.0.0.1 to 127.0.0.N in turn: 1 to 254"},
    {"server-pid",         SSH, PID, AT(server_pid), 1, INT32_MAX, "PID", "measure this process and its descendants"},
    {"rekey",              SSH, BYTES64, AT(rekey_bytes), 4096, UINT64_MAX, "BYTES", "exchange keys anew after so many bytes: from 4K (never)"},
    {"logins",             ECHO | BULK | IDLE | STORM, COUNT, AT(logins), 1, 100000, "N", "logins under way at once in each process: 1 to 100000 (32)"},
    {"storm",              STORM, COUNT, AT(storm), 1, 100000, "N", "connections that log in at once during the second half: 1 to 100000 (16)"},
    {"kind",               ATTACK, TEXT, AT(kind), 0, 0, "KIND", "of attack: see below"},
    {"rate",               ECHO | STORM | ATTACK, COUNT, AT(rate), 1, 100000000, "N", "round trips or acts a second over all connections: up to 100000000 (no limit)"},
    {"timeout",            SSH, COUNT, AT(timeout), 1, 86400, "SECONDS", "without progress until a connection has failed: 1 to 86400 (30)"},
    {"json",               ALL, TEXT, AT(json_file), 0, 0, "FILE", "write the report there as JSON; - is standard output"},
    {"progress",           SSH, SET, AT(progress), 0, 0, NULL, "show progress although standard error is no terminal"},
    {"no-progress",        SSH, CLEAR, AT(progress), 0, 0, NULL, "show none"},
    {"help",               ALL, HELP, 0, 0, 0, NULL, "this text"},
    {"version",            ALL, VERSION, 0, 0, 0, NULL, "the version"},
};
/* clang-format on */

enum {
    ROWS = sizeof rows / sizeof rows[0]
};

static const char *const mode_names[MODES] = {"handshake", "echo", "bulk", "idle", "storm", "limit", "attack"};
/* clang-format off */
const char *const bench_attack_texts[BENCH_ATTACKS][2] = {
    [ATTACK_SILENT]   = {"silent",   "connect and say nothing"},
    [ATTACK_VERSION]  = {"version",  "send a version line and no more"},
    [ATTACK_KEXINIT]  = {"kexinit",  "send half a KEXINIT"},
    [ATTACK_AUTH]     = {"auth",     "exchange keys and never log in"},
    [ATTACK_GUESS]    = {"guess",    "try passwords"},
    [ATTACK_KILL]     = {"kill",     "close the socket behind a random byte"},
    [ATTACK_REKEY]    = {"rekey",    "exchange keys again and again"},
    [ATTACK_PING]     = {"ping",     "ping@openssh.com without end"},
    [ATTACK_GLOBAL]   = {"global",   "global requests without end"},
    [ATTACK_IGNORE]   = {"ignore",   "IGNORE without end"},
    [ATTACK_DEBUG]    = {"debug",    "DEBUG without end"},
    [ATTACK_BOMB]     = {"bomb",     "IGNORE of zeros; with --comp zlib@openssh.com"},
    [ATTACK_WINDOW]   = {"window",   "window adjustments of a byte"},
    [ATTACK_CHANNELS] = {"channels", "open channels, close them, open others"},
    [ATTACK_TUNNELS]  = {"tunnels",  "open tunnels to the server itself, close the connection, again"},
    [ATTACK_DEAF]     = {"deaf",     "ask for replies and never read"},
    [ATTACK_UNREAD]   = {"unread",   "run the command, send to it, and never read"},
};
/* clang-format on */

static const char *const direction_names[] = {"in", "out", "both"};

const char *bench_mode_name(enum bench_mode mode)
{
    return mode_names[mode];
}

const char *bench_direction_name(enum bench_direction direction)
{
    return direction_names[direction];
}

static const char *dashes(const struct option_row *row)
{
    return strlen(row->name) == 1 ? "-" : "--";
}

static void print_help(void)
{
    printf("Usage: nacre-bench handshake|echo|bulk|idle|storm|attack --target HOST:PORT --user NAME (--password P | "
           "--key FILE) "
           "[OPTION]...\n"
           "       nacre-bench limit [OPTION]...\n\n"
           "Puts load on an SSH server and measures it.\n"
           "  handshake   full connections: TCP, key exchange, login, close\n"
           "  echo        round trips of small messages on open channels\n"
           "  bulk        bytes moved through channels\n"
           "  idle        many logged-in connections held open, then checked\n"
           "  storm       round trips, in the second half while others log in without end\n"
           "  attack      what a hostile client does, of one kind; its connections never count as failed\n"
           "  limit       no server: what TCP and the cryptographic operations alone cost here\n\n");
    for (size_t i = 0; i < ROWS; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s", dashes(&rows[i]), rows[i].name, rows[i].value == NULL ? "" : " ",
                 rows[i].value == NULL ? "" : rows[i].value);
        printf("  %-28s %s\n", left, rows[i].help);
    }
    printf("\nKIND is one of\n");
    for (unsigned i = 0; i < BENCH_ATTACKS; i++)
        printf("  %-28s %s\n", bench_attack_texts[i][0], bench_attack_texts[i][1]);
    printf("\nBYTES and TOTAL take the suffixes K, M and G (powers of 1024).\n"
           "Exit status: 0 all well, 1 some connection failed, 2 wrong usage.\n");
}

static bool wrong(const char *what, const char *which)
{
    fprintf(stderr, "nacre-bench: %s%s\n", what, which);
    return false;
}

static enum options_result refuse(const char *what, const char *which)
{
    wrong(what, which);
    return OPTIONS_WRONG;
}

/* Decimal digits and, of what is counted in bytes, an optional K, M or G. */
static bool read_number(const char *text, bool has_suffixes, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (errno != 0 || end[shift != 0] != '\0' || value > UINT64_MAX >> shift || (shift != 0 && !has_suffixes))
        return false;
    *out = value << shift;
    return *out >= min && *out <= max;
}

static bool read_direction(const char *text, enum bench_direction *out)
{
    for (unsigned i = 0; i < sizeof direction_names / sizeof direction_names[0]; i++) {
        if (strcmp(text, direction_names[i]) == 0) {
            *out = (enum bench_direction)i;
            return true;
        }
    }
    return false;
}

static bool is_number(const struct option_row *row)
{
    return row->kind == COUNT || row->kind == PID || row->kind == BYTES || row->kind == BYTES64;
}

static bool store(struct options *o, const struct option_row *row, const char *value)
{
    void *at = (char *)o + row->offset;
    uint64_t number = 0;
    bool in_bytes = row->kind == BYTES || row->kind == BYTES64;
    if (is_number(row) && !read_number(value, in_bytes, row->min, row->max, &number))
        return false;
    switch (row->kind) {
    case TEXT:
        *(const char **)at = value;
        return true;
    case COUNT:
        *(unsigned *)at = (unsigned)number;
        return true;
    case BYTES:
        *(size_t *)at = (size_t)number;
        return true;
    case BYTES64:
        *(uint64_t *)at = number;
        return true;
    case PID:
        *(int32_t *)at = (int32_t)number;
        return true;
    case DIRECTION:
        return read_direction(value, (enum bench_direction *)at);
    case SET:
        *(bool *)at = true;
        return true;
    case CLEAR:
        *(bool *)at = false;
        return true;
    case HELP:
    case VERSION:
        return true;
    }
    return false;
}

/* A value that store() has not taken. */
static enum options_result refuse_value(const struct option_row *row, const char *value)
{
    if (!is_number(row))
        fprintf(stderr, "nacre-bench: %s%s needs %s, not %s\n", dashes(row), row->name, row->value, value);
    else if (row->max == UINT64_MAX)
        fprintf(stderr, "nacre-bench: %s%s needs a number from %" PRIu64 ", not %s\n", dashes(row), row->name, row->min,
                value);
    else
        fprintf(stderr, "nacre-bench: %s%s needs a number from %" PRIu64 " to %" PRIu64 ", not %s\n", dashes(row),
                row->name, row->min, row->max, value);
    return OPTIONS_WRONG;
}

/* The row that `argument` names, and its value when it stands behind a '=' or, for one letter, behind the letter. */
static const struct option_row *find_row(const char *argument, const char **value)
{
    *value = NULL;
    bool is_long = strncmp(argument, "--", 2) == 0;
    const char *name = argument + (is_long ? 2 : 1);
    size_t len = is_long ? strcspn(name, "=") : 1;
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(rows[i].name) != len || strncmp(rows[i].name, name, len) != 0 || (len > 1) != is_long)
            continue;
        if (name[len] != '\0')
            *value = name + len + (is_long ? 1 : 0);
        return &rows[i];
    }
    return NULL;
}

static enum options_result read_option(struct options *o, char **argv, int argc, int *i, bool have_mode)
{
    const char *argument = argv[*i], *value;
    const struct option_row *row = argument[0] == '-' && argument[1] != '\0' ? find_row(argument, &value) : NULL;
    if (row == NULL)
        return refuse("no such option: ", argument);
    if (row->kind == HELP || row->kind == VERSION) {
        if (row->kind == HELP)
            print_help();
        else
            printf("nacre-bench %s\n", NACRE_BENCH_VERSION);
        return OPTIONS_DONE;
    }
    if (have_mode && (row->modes & M(o->mode)) == 0) {
        fprintf(stderr, "nacre-bench: %s does not take %s%s\n", mode_names[o->mode], dashes(row), row->name);
        return OPTIONS_WRONG;
    }
    if (row->value == NULL && value != NULL)
        return refuse("takes no value: ", argument);
    if (row->value != NULL && value == NULL) {
        if (*i + 1 >= argc)
            return refuse("needs a value: ", argument);
        value = argv[++*i];
    }
    if (store(o, row, value))
        return OPTIONS_RUN;
    return refuse_value(row, value);
}

static bool read_target(struct options *o)
{
    char host[256];
    const char *colon = strrchr(o->target, ':');
    uint64_t port; /* getaddrinfo() takes 65558 for 22 */
    if (colon == NULL || colon == o->target || (size_t)(colon - o->target) >= sizeof host ||
        !read_number(colon + 1, false, 1, UINT16_MAX, &port))
        return wrong("--target is HOST:PORT, not ", o->target);
    size_t len = (size_t)(colon - o->target);
    bool bracketed = o->target[0] == '[' && colon[-1] == ']' && len > 2;
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? len - 2 : len), o->target + (bracketed ? 1 : 0));

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(host, colon + 1, &hints, &found);
    if (failed != 0) {
        fprintf(stderr, "nacre-bench: --target %s: %s\n", o->target, gai_strerror(failed));
        return false;
    }
    memcpy(&o->address, found->ai_addr, found->ai_addrlen);
    o->address_len = (sock_len)found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void set_defaults(struct options *o)
{
    static const char *const bulk_commands[] = {"sink", "source {bytes}", "echo"};
    if (o->connections == 0)
        o->connections = 1;
    if (o->processes == 0)
        o->processes = 1;
    if (o->processes > o->connections)
        o->processes = o->connections;
    if (o->seconds == 0 && o->total == 0)
        o->seconds = 10;
    if (o->size == 0)
        o->size = o->mode == MODE_BULK ? 32768 : 64;
    if (o->command == NULL)
        o->command = o->mode == MODE_BULK ? bulk_commands[o->direction] : "echo";
    if (o->logins == 0)
        o->logins = 32;
    if (o->storm == 0)
        o->storm = 16;
    if (o->timeout == 0)
        o->timeout = 30;
}

static bool read_attack(struct options *o)
{
    for (unsigned i = 0; i < BENCH_ATTACKS && o->kind != NULL; i++) {
        o->attack = (enum bench_attack_kind)i;
        if (strcmp(bench_attack_texts[i][0], o->kind) == 0)
            return true;
    }
    return false;
}

static bool fits_together(struct options *o)
{
    if (o->target == NULL)
        return wrong("--target is missing", "");
    if (o->user == NULL)
        return wrong("--user is missing", "");
    if ((o->password == NULL) == (o->key_file == NULL))
        return wrong("give either --password or --key", "");
    if (o->key_password != NULL && o->key_file == NULL)
        return wrong("--key-password needs --key", "");
    if (o->total != 0 && o->seconds != 0)
        return wrong("give either -n or -d", "");
    if (o->verify && o->direction != DIRECTION_BOTH)
        return wrong("--verify needs --direction both: only an echo shows what arrived", "");
    if (o->mode == MODE_ATTACK && !read_attack(o))
        return wrong("--kind is missing or none: ", o->kind == NULL ? "" : o->kind);
    return true;
}

enum options_result bench_options_read(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->progress = isatty(STDERR_FILENO) != 0;
    bool have_mode = argc > 1 && argv[1][0] != '-';
    if (have_mode) {
        while (o->mode < MODES && strcmp(argv[1], mode_names[o->mode]) != 0)
            o->mode++;
        if (o->mode == MODES)
            return refuse("no such mode: ", argv[1]);
    }
    for (int i = have_mode ? 2 : 1; i < argc; i++) {
        enum options_result r = read_option(o, argv, argc, &i, have_mode);
        if (r != OPTIONS_RUN)
            return r;
    }
    if (!have_mode)
        return refuse("a mode is missing: handshake, echo, bulk, idle, storm, limit or attack", "");
    if (o->mode == MODE_LIMIT) {
        set_defaults(o);
        return o->size <= LIMIT_SIZE_MAX ? OPTIONS_RUN : refuse("limit has messages of 64K at most", "");
    }
    if (!fits_together(o) || !read_target(o))
        return OPTIONS_WRONG;
    if (o->source_addresses != 0 && o->address.ss_family != AF_INET)
        return refuse("--source-addresses needs an IPv4 target", "");
    set_defaults(o);
    return OPTIONS_RUN;
}
