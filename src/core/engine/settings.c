/* SPDX-License-Identifier: Apache-2.0 */
/* Generic get and set over settings.def. */
#include "engine/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "engine/access.h"
#include "engine/admission_rules.h"
#include "wire/namelist.h"

enum {
    MEMORY_LEAST = 4 * 1024 * 1024 /* below that a few clients would be all */
};

const struct setting_row nacre_setting_rows[SETTING_COUNT] = {
#define S(Name, member, type, value, low, high, when, reach)                                                           \
    {#Name, SET_##type, value, low, high, SET_##when, SET_##reach, offsetof(struct settings, member)},
#include "engine/settings.def"
#undef S
};

/* The class's lists in its order; what this build lacks drops out when they are used. */
#define CLASS_KEX                                                                                                      \
    "curve25519-sha256,curve25519-sha256@libssh.org,diffie-hellman-group-exchange-sha256,diffie-hellman-group14-"      \
    "sha256,"                                                                                                          \
    "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-"     \
    "nistp521,"                                                                                                        \
    "diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1"
#define CLASS_KEY                                                                                                      \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-256,rsa-sha2-512,ssh-rsa,ssh-"   \
    "dss,"                                                                                                             \
    "x509v3-sign-rsa,x509v3-sign-dss"
#define CLASS_USER_KEY                                                                                                 \
    "ssh-rsa,rsa-sha2-256,rsa-sha2-512,x509v3-sign-rsa,ssh-dss,x509v3-sign-dss,ecdsa-sha2-nistp256,ecdsa-sha2-"        \
    "nistp384,"                                                                                                        \
    "ecdsa-sha2-nistp521,ssh-ed25519"
#define CLASS_CIPHER                                                                                                   \
    "aes256-ctr,aes192-ctr,aes128-ctr,aes256-cbc,aes192-cbc,aes128-cbc,3des-ctr,3des-cbc,blowfish-cbc,arcfour256,"     \
    "arcfour128,"                                                                                                      \
    "arcfour,cast128-cbc,aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com"
#define CLASS_MAC                                                                                                      \
    "hmac-sha2-256,hmac-sha2-512,hmac-sha1,hmac-md5,hmac-ripemd160,hmac-sha1-96,hmac-md5-96,hmac-sha2-256-96,hmac-"    \
    "sha2-512-96,"                                                                                                     \
    "hmac-ripemd160-96,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,umac-64@openssh.com,"               \
    "umac-64-etm@openssh.com,umac-128@openssh.com,umac-128-etm@openssh.com"

struct profile_row {
    const char *name;
    const char *kex, *host_key, *user_signature, *cipher, *mac, *comp;
};

static const struct profile_row profile_rows[] = {
    {"compatible", CLASS_KEX, CLASS_KEY, CLASS_USER_KEY, CLASS_CIPHER, CLASS_MAC, "none,zlib"},
    {"modern",
     "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,"
     "curve25519-sha256@libssh.org,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512",
     "ssh-ed25519,rsa-sha2-512,rsa-sha2-256",
     "ssh-ed25519,rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
     "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,ssh-ed25519-cert-v01@openssh.com,"
     "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,"
     "ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,"
     "sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
     "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr",
     "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com", "none,zlib@openssh.com"},
};

static bool is_text(enum setting_type type)
{
    return type >= SET_TEXT;
}

static union setting_value *value_at(const struct settings *s, const struct setting_row *row)
{
    return (union setting_value *)(void *)((char *)(uintptr_t)s + row->offset);
}

static bool name_usable(enum setting_type type, const struct nacre_crypto *c, struct span name)
{
    switch (type) {
    case SET_NAMES_KEX:
        return nacre_kex_find(c, name) != NULL;
    case SET_NAMES_KEY:
        return nacre_sig_find(c, name) != NULL;
    case SET_NAMES_CIPHER:
        return nacre_cipher_find(c, name) != NULL;
    case SET_NAMES_MAC:
        return nacre_mac_find(c, name) != NULL;
    case SET_NAMES_COMP:
        return nacre_comp_find(c, name) != NULL;
    case SET_NAMES_METHOD:
        return nacre_names_has(span_str("none,password,publickey,hostbased,keyboard-interactive"), name);
    case SET_BOOL:
    case SET_INT:
    case SET_I64:
    case SET_TEXT:
        break;
    }
    return false;
}

/* A copy of `list` without the names that this build cannot do. */
static char *usable_names(enum setting_type type, const struct nacre_crypto *c, const char *list)
{
    struct span rest = span_str(list), name;
    char *out = calloc(1, rest.len + 1);
    size_t len = 0;
    while (out != NULL && nacre_names_next(&rest, &name)) {
        if (!name_usable(type, c, name))
            continue;
        if (len != 0)
            out[len++] = ',';
        memcpy(out + len, name.at, name.len);
        len += name.len;
    }
    return out;
}

enum nacre_error nacre_settings_profile(struct settings *s, const char *profile, const struct nacre_crypto *crypto)
{
    const struct profile_row *p = NULL;
    for (size_t i = 0; i < sizeof profile_rows / sizeof *profile_rows; i++)
        if (strcasecmp(profile, profile_rows[i].name) == 0)
            p = &profile_rows[i];
    if (p == NULL)
        return NACRE_E_SETTING_VALUE;
    const struct {
        enum setting_type type;
        char **at;
        const char *names;
    } lists[] = {
        {SET_NAMES_KEX, &s->kex.text, p->kex},
        {SET_NAMES_KEY, &s->host_key.text, p->host_key},
        {SET_NAMES_KEY, &s->user_signature.text, p->user_signature},
        {SET_NAMES_CIPHER, &s->cipher.text, p->cipher},
        {SET_NAMES_MAC, &s->mac.text, p->mac},
        {SET_NAMES_COMP, &s->comp.text, p->comp},
    };
    char *made[sizeof lists / sizeof *lists];
    bool whole = true;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        made[i] = usable_names(lists[i].type, crypto, lists[i].names);
        whole = whole && made[i] != NULL;
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        free(whole ? *lists[i].at : made[i]);
        if (whole)
            *lists[i].at = made[i];
    }
    return whole ? NACRE_OK : NACRE_E_NOBUFS;
}

bool nacre_settings_init(struct settings *s, const struct nacre_crypto *crypto)
{
    *s = (struct settings){0};
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &nacre_setting_rows[i];
        union setting_value *v = value_at(s, row);
        if (!is_text(row->type)) {
            v->number = row->type == SET_BOOL ? row->initial[0] == 'T' : strtoll(row->initial, NULL, 10);
            continue;
        }
        v->text = strdup(row->initial);
        if (v->text == NULL)
            return false;
    }
    return nacre_settings_profile(s, "compatible", crypto) == NACRE_OK;
}

bool nacre_settings_copy(struct settings *to, const struct settings *from)
{
    bool whole = true;
    *to = *from;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!is_text(nacre_setting_rows[i].type))
            continue;
        union setting_value *v = value_at(to, &nacre_setting_rows[i]);
        v->text = strdup(v->text);
        whole = whole && v->text != NULL;
    }
    return whole;
}

void nacre_settings_free(struct settings *s)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (is_text(nacre_setting_rows[i].type))
            free(value_at(s, &nacre_setting_rows[i])->text);
    *s = (struct settings){0};
}

const struct setting_row *nacre_setting_find(const char *name, size_t len)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strlen(nacre_setting_rows[i].name) == len && strncasecmp(nacre_setting_rows[i].name, name, len) == 0)
            return &nacre_setting_rows[i];
    return NULL;
}

static bool parse_bool(const char *text, int64_t *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"True", true}, {"False", false}, {"Yes", true}, {"No", false}, {"1", true}, {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    *out = v;
    return errno == 0 && end != text && *end == '\0' && text[0] != ' ';
}

static enum nacre_error set_number(union setting_value *v, const struct setting_row *row, const char *text, char *why,
                                   size_t why_size)
{
    int64_t n;
    bool good = row->type == SET_BOOL ? parse_bool(text, &n) : parse_number(text, &n);
    if (!good || n < row->low || n > row->high) {
        if (row->type == SET_BOOL)
            (void)snprintf(why, why_size, "%s is True or False, not \"%.40s\".", row->name, text);
        else
            (void)snprintf(why, why_size, "%s is a number from %" PRId64 " to %" PRId64 ", not \"%.40s\".", row->name,
                           row->low, row->high, text);
        return NACRE_E_SETTING_VALUE;
    }
    if (row == &nacre_setting_rows[SETTING_MemoryLimit] && n > 0 && n < MEMORY_LEAST) {
        (void)snprintf(why, why_size, "%s is -1, 0, or at least %d bytes.", row->name, MEMORY_LEAST);
        return NACRE_E_SETTING_VALUE;
    }
    v->number = n;
    return NACRE_OK;
}

/* Every name must be one this build can use: an unknown one silently left out would surprise whoever relies on it. */
static enum nacre_error check_names(const struct setting_row *row, const char *text, const struct nacre_crypto *crypto,
                                    char *why, size_t why_size)
{
    struct span rest = span_str(text), name;
    if (!nacre_names_valid(rest)) {
        (void)snprintf(why, why_size, "%s is a comma-separated list of names.", row->name);
        return NACRE_E_SETTING_VALUE;
    }
    while (nacre_names_next(&rest, &name)) {
        if (!name_usable(row->type, crypto, name)) {
            (void)snprintf(why, why_size, "%s: \"%.*s\" is not available in this build.", row->name, (int)name.len,
                           name.at);
            return NACRE_E_SETTING_VALUE;
        }
    }
    return NACRE_OK;
}

/* What goes to the peer as a line has to be one. */
static bool is_version(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return strncmp(text, "SSH-2.0-", 8) == 0 && text[8] != '\0';
}

/* What admission_rules.c reads has to be readable by it. */
static bool is_admission(const struct setting_row *row, const char *text, char *why, size_t why_size)
{
    struct startup_rules startups;
    struct block_rules blocks;
    struct penalty_rules penalties;
    const char *form = NULL;
    if (row == &nacre_setting_rows[SETTING_MaxStartups] && !nacre_startups_parse(text, 1, &startups))
        form = "\"start:rate:full\", \"start\" or \"none\"; start and full may be percent of MaxConnections";
    if (row == &nacre_setting_rows[SETTING_PerSourceNetBlockSize] && !nacre_blocks_parse(text, &blocks))
        form = "\"bits of IPv4:bits of IPv6\", as \"32:64\"";
    if (row == &nacre_setting_rows[SETTING_PerSourcePenalties] && !nacre_penalties_parse(text, &penalties))
        form = "\"no\", \"yes\" or words like \"authfail:5s max:10m dry-run\"";
    if (row == &nacre_setting_rows[SETTING_PerSourceExemptList] && !nacre_access_is_numeric(text))
        form = "a list of addresses, address blocks (10.0.0.0/8) and patterns of addresses (10.*)";
    if (form != NULL)
        (void)snprintf(why, why_size, "%s is %s.", row->name, form);
    return form == NULL;
}

static enum nacre_error set_text(union setting_value *v, const struct setting_row *row, const char *text,
                                 const struct nacre_crypto *crypto, char *why, size_t why_size)
{
    size_t len = strlen(text);
    if ((int64_t)len < row->low || (int64_t)len > row->high) {
        (void)snprintf(why, why_size, "%s has %" PRId64 " to %" PRId64 " characters, not %zu.", row->name, row->low,
                       row->high, len);
        return NACRE_E_SETTING_VALUE;
    }
    if (row == &nacre_setting_rows[SETTING_ServerSSHVersionString] && !is_version(text)) {
        (void)snprintf(why, why_size, "%s begins with \"SSH-2.0-\" and is one line of printable ASCII.", row->name);
        return NACRE_E_SETTING_VALUE;
    }
    if (!is_admission(row, text, why, why_size))
        return NACRE_E_SETTING_VALUE;
    if (row->type != SET_TEXT) {
        enum nacre_error e = check_names(row, text, crypto, why, why_size);
        if (e != NACRE_OK)
            return e;
    }
    char *copy = strdup(text);
    if (copy == NULL)
        return NACRE_E_NOBUFS;
    free(v->text);
    v->text = copy;
    return NACRE_OK;
}

static enum nacre_error late_error(const struct setting_row *row)
{
    if (row == &nacre_setting_rows[SETTING_LocalPort])
        return NACRE_E_LISTENING_PORT;
    if (row == &nacre_setting_rows[SETTING_LocalHost])
        return NACRE_E_LISTENING_HOST;
    return row == &nacre_setting_rows[SETTING_MaxConnections] ? NACRE_E_LISTENING_MAX : NACRE_E_SETTING_LATE;
}

enum nacre_error nacre_setting_set(struct settings *s, const struct setting_row *row, const char *value, bool listening,
                                   const struct nacre_crypto *crypto, char *why, size_t why_size)
{
    why[0] = '\0';
    if (listening && row->when == SET_IDLE)
        return late_error(row);
    if (!is_text(row->type))
        return set_number(value_at(s, row), row, value, why, why_size);
    return set_text(value_at(s, row), row, value, crypto, why, why_size);
}

enum nacre_error nacre_setting_get(const struct settings *s, const struct setting_row *row, char *value, size_t size)
{
    const union setting_value *v = value_at(s, row);
    char number[24];
    const char *text = is_text(row->type) ? v->text : number;
    if (row->type == SET_BOOL) {
        text = v->number != 0 ? "True" : "False";
    } else if (!is_text(row->type)) {
        (void)snprintf(number, sizeof number, "%" PRId64, v->number);
    }
    size_t need = strlen(text) + 1;
    if (need > size)
        return NACRE_E_BUFFER_SIZE;
    memcpy(value, text, need);
    return NACRE_OK;
}
