/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_config(): "Name", "Name=Value", "Name[index]", "Name[index]=Value". Plain settings are rows of settings.def;
 * the others have a row here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/clients.h"
#include "engine/codepage.h"
#include "engine/config.h"
#include "engine/io_pick.h"
#include "engine/security.h"
#include "keys/store.h"

int nacre_config_refuse(struct config_request *r, enum nacre_error e, const char *text)
{
    (void)snprintf(r->why, sizeof r->why, "%s: %s", r->name, text);
    return nacre_fail(e, r->why);
}

/* Blanks around the name are let through: the class's own example has "AltSSHCertCount =1". */
static bool parse(struct config_request *r, const char *text)
{
    text += strspn(text, " ");
    size_t len = strcspn(text, " [=");
    if (len == 0 || len >= sizeof r->name)
        return false;
    memcpy(r->name, text, len);
    r->name[len] = '\0';
    text += len + strspn(text + len, " ");
    if (*text == '[') {
        char *end;
        r->index = strtoll(text + 1, &end, 10);
        r->indexed = true;
        if (end == text + 1 || *end != ']')
            return false;
        text = end + 1 + strspn(end + 1, " ");
    }
    if (*text == '=')
        r->set = text + 1;
    return *text == '=' || *text == '\0';
}

static int plain(struct config_request *r);

int nacre_config_answer(struct config_request *r, const char *text)
{
    return r->value == NULL && r->set != NULL ? nacre_succeed() : nacre_copy_out(r->value, r->size, text);
}

/* ---- the server's own ------------------------------------------------------------------------------------------ */

static int build_info(struct config_request *r)
{
    char text[512];
    if (r->set != NULL)
        return nacre_fail(NACRE_E_SETTING_READ_ONLY, NULL);
    (void)snprintf(text, sizeof text, "nacre %s; %s; %s; %s; without krb5", NACRE_VERSION, nacre_crypto_versions(),
                   nacre_keys_features(), nacre_io_features());
    return nacre_config_answer(r, text);
}

/* How many connections were refused, by reason. */
static int refused_connections(struct config_request *r)
{
    char text[256];
    if (r->set != NULL)
        return nacre_fail(NACRE_E_SETTING_READ_ONLY, NULL);
    nacre_admission_figures(&r->server->admission, text, sizeof text);
    return nacre_config_answer(r, text);
}

/* Bytes that count against MemoryLimit. */
static int memory_used(struct config_request *r)
{
    char text[32];
    if (r->set != NULL)
        return nacre_fail(NACRE_E_SETTING_READ_ONLY, NULL);
    (void)snprintf(text, sizeof text, "%zu", atomic_load_explicit(&r->server->memory.used, memory_order_relaxed));
    return nacre_config_answer(r, text);
}

static int license_info(struct config_request *r)
{
    return r->set != NULL ? nacre_fail(NACRE_E_SETTING_READ_ONLY, NULL) : nacre_config_answer(r, "Apache-2.0");
}

/* The back end that the workers run on, or that they would run on now. Under the server's lock. */
static const char *io_name(const nacre_server *server)
{
    const char *why_not;
    if (server->shards != NULL)
        return server->ops->name;
    const struct io_backend *ops = nacre_io_pick(server->io_asked, &why_not);
    return ops == NULL ? server->io_asked : ops->name;
}

/* Workers stay as the first start has made them. */
static void tell_fixed(struct config_request *r)
{
    (void)snprintf(r->why, sizeof r->why, "%s is fixed by the first start of listening", r->name);
}

static int refuse_fixed(struct config_request *r)
{
    tell_fixed(r);
    return nacre_fail(NACRE_E_SETTING_LATE, r->why);
}

/* Asking workers for the back end that they have changes nothing. */
static enum nacre_error ask_io(nacre_server *server, const char *asked)
{
    const char *why_not;
    if (server->shards != NULL)
        return nacre_io_pick(asked, &why_not) == server->ops ? NACRE_OK : NACRE_E_SETTING_LATE;
    server->io_asked = asked;
    return NACRE_OK;
}

/* A name that no back end of this build has. */
static int refuse_io(struct config_request *r)
{
    char text[128];
    const char *missing = nacre_io_missing(r->set);
    if (missing != NULL)
        return nacre_config_refuse(r, NACRE_E_NOT_SUPPORTED, missing);
    (void)snprintf(text, sizeof text, "the back ends are %s", nacre_io_names());
    return nacre_config_refuse(r, NACRE_E_SETTING_VALUE, text);
}

static int io_backend(struct config_request *r)
{
    nacre_server *server = r->server;
    const char *asked = r->set == NULL ? NULL : nacre_io_name(r->set);
    if (r->set != NULL && asked == NULL)
        return refuse_io(r);
    nacre_mutex_lock(&server->lock);
    enum nacre_error e = r->set == NULL ? NACRE_OK : ask_io(server, asked);
    const char *name = io_name(server);
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_config_answer(r, name) : refuse_fixed(r);
}

/* 1: yes, 0: no, -1: neither. */
static int read_bool(const char *text)
{
    static const char *const words[] = {"False", "0", "No", "True", "1", "Yes"};
    for (int i = 0; i < 6; i++)
        if (strcasecmp(text, words[i]) == 0)
            return i / 3;
    return -1;
}

/* A setting that is True for one back end: `name`, or NULL where there is none. Setting it to False leaves that one for
 * the default and any other as it is. */
static int io_model(struct config_request *r, const char *name, const char *remedy)
{
    nacre_server *server = r->server;
    int on = r->set == NULL ? 0 : read_bool(r->set);
    if (on < 0)
        return nacre_config_refuse(r, NACRE_E_SETTING_VALUE, "True or False");
    if (on == 1 && name == NULL)
        return nacre_config_refuse(r, NACRE_E_NOT_SUPPORTED, remedy);
    nacre_mutex_lock(&server->lock);
    bool is_on = name != NULL && strcmp(io_name(server), name) == 0;
    enum nacre_error e = NACRE_OK;
    if (on == 1)
        e = ask_io(server, name);
    else if (r->set != NULL && is_on)
        e = ask_io(server, NULL);
    is_on = name != NULL && strcmp(io_name(server), name) == 0;
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_config_answer(r, is_on ? "True" : "False") : refuse_fixed(r);
}

/* UseIOCP: the completion model of this system, whatever its name. */
static int completion_model(struct config_request *r)
{
    return io_model(r, nacre_io_completion_name(), nacre_io_features());
}

/* UseWindowsMessages */
static int messages_model(struct config_request *r)
{
    return io_model(r, nacre_io_messages_name(), nacre_io_not_here);
}

static int algorithm_profile(struct config_request *r)
{
    nacre_server *server = r->server;
    char text[sizeof server->algorithm_profile];
    enum nacre_error e = NACRE_OK;
    nacre_mutex_lock(&server->lock);
    if (r->set != NULL) {
        struct settings next;
        e = NACRE_E_NOBUFS;
        if (nacre_settings_copy(&next, &server->settings))
            e = nacre_settings_profile(&next, r->set, server->crypto);
        if (e == NACRE_OK)
            e = nacre_server_exchange(server, &next);
        if (e == NACRE_OK)
            (void)snprintf(server->algorithm_profile, sizeof server->algorithm_profile, "%s", r->set);
        nacre_settings_free(&next);
    }
    (void)snprintf(text, sizeof text, "%s", server->algorithm_profile);
    nacre_mutex_unlock(&server->lock);
    if (e == NACRE_E_SETTING_VALUE)
        return nacre_config_refuse(r, e, "the profiles are compatible and modern");
    return e == NACRE_OK ? nacre_config_answer(r, text) : nacre_fail(e, NULL);
}

/* UseInternalSecurityAPI and UseFIPSCompliantAPI. The row's own rules say what a value may be. */
static int security(struct config_request *r)
{
    nacre_server *server = r->server;
    const struct setting_row *row = nacre_setting_find(r->name, strlen(r->name));
    bool is_fips = row == &nacre_setting_rows[SETTING_UseFIPSCompliantAPI];
    nacre_mutex_lock(&server->lock);
    struct settings *set = &server->settings;
    union setting_value old = is_fips ? set->fips : set->internal_security;
    enum nacre_error e = NACRE_OK;
    if (r->set != NULL)
        e = nacre_setting_set(set, row, r->set, server->listening, server->crypto, r->why, sizeof r->why);
    bool internal = set->internal_security.number != 0, fips = set->fips.number != 0;
    union setting_value *mine = is_fips ? &set->fips : &set->internal_security;
    if (e == NACRE_OK && mine->number != old.number) {
        *mine = old; /* set for good when the library has been opened that way */
        e = nacre_security_set(server, internal, fips, r->why, sizeof r->why);
    }
    const char *text = mine->number != 0 ? "True" : "False";
    nacre_mutex_unlock(&server->lock);
    return e == NACRE_OK ? nacre_config_answer(r, text) : nacre_fail(e, r->why);
}

static int code_page(struct config_request *r)
{
    char *end;
    long long page = r->set == NULL ? 0 : strtoll(r->set, &end, 10);
    if (r->set == NULL)
        return plain(r);
    if (end == r->set || *end != '\0')
        return nacre_config_refuse(r, NACRE_E_SETTING_VALUE, "a code page identifier is a decimal number");
    enum nacre_error e = nacre_codepage_check(page, r->why, sizeof r->why);
    return e == NACRE_OK ? plain(r) : nacre_fail(e, r->why);
}

/* ---- dispatch -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(struct config_request *r);
} specials[] = {
    {"BuildInfo", build_info},
    {"LicenseInfo", license_info},
    {"MemoryUsed", memory_used},
    {"RefusedConnections", refused_connections},
    {"IOBackend", io_backend},
    {"UseIOCP", completion_model},
    {"UseWindowsMessages", messages_model},
    {"AlgorithmProfile", algorithm_profile},
    {"UseInternalSecurityAPI", security},
    {"UseFIPSCompliantAPI", security},
    {"CodePage", code_page},
    {"AltSSHCertCount", nacre_config_alt_count},
    {"AltSSHCertStore", nacre_config_alt_field},
    {"AltSSHCertStorePassword", nacre_config_alt_field},
    {"AltSSHCertStoreType", nacre_config_alt_field},
    {"AltSSHCertSubject", nacre_config_alt_field},
    {"HostCertificate", nacre_config_host_certificate},
    {"ClientSSHVersionString", nacre_config_connection_fact},
    {"NegotiatedStrictKex", nacre_config_connection_fact},
    {"ConnectionUID", nacre_config_connection_fact},
    {"KeyboardInteractivePrompts", nacre_config_connection_prompts},
};

static bool is_row(const struct setting_row *row, enum setting_id id)
{
    return row == &nacre_setting_rows[id];
}

static enum nacre_error set_plain(struct config_request *r, const struct setting_row *row)
{
    nacre_server *server = r->server;
    bool fixed = is_row(row, SETTING_WorkerThreads) && server->shards != NULL;
    bool late = server->listening || fixed;
    enum nacre_error e = nacre_server_set(server, row, r->set, late, r->why, sizeof r->why);
    if (e == NACRE_E_SETTING_LATE && fixed)
        tell_fixed(r);
    return e;
}

/* Names are looked up before the lock is taken. */
static int clients(struct config_request *r, const struct setting_row *row)
{
    char *addresses;
    nacre_server *server = r->server;
    enum nacre_error e = nacre_access_resolve(r->set, &addresses, r->why, sizeof r->why);
    if (e != NACRE_OK)
        return nacre_fail(e, r->why);
    bool blocked = is_row(row, SETTING_BlockedClients);
    nacre_mutex_lock(&server->lock);
    addresses = nacre_clients_exchange(server, blocked, addresses);
    e = nacre_server_set(server, row, r->set, false, r->why, sizeof r->why);
    if (e != NACRE_OK)
        addresses = nacre_clients_exchange(server, blocked, addresses);
    nacre_mutex_unlock(&server->lock);
    free(addresses);
    return e == NACRE_OK ? nacre_config_answer(r, r->set) : nacre_fail(e, r->why);
}

static int plain(struct config_request *r)
{
    const struct setting_row *row = nacre_setting_find(r->name, strlen(r->name));
    if (row == NULL || row->reach != SET_CONFIG || r->indexed)
        return nacre_config_refuse(r, NACRE_E_SETTING_UNKNOWN, "no such setting");
    if (r->set != NULL && (is_row(row, SETTING_AllowedClients) || is_row(row, SETTING_BlockedClients)))
        return clients(r, row);
    nacre_mutex_lock(&r->server->lock);
    enum nacre_error e = r->set == NULL ? NACRE_OK : set_plain(r, row);
    if (e == NACRE_OK && !(r->value == NULL && r->set != NULL))
        e = nacre_setting_get(&r->server->settings, row, r->value, r->size);
    nacre_mutex_unlock(&r->server->lock);
    return e == NACRE_OK ? nacre_succeed() : nacre_fail(e, r->why);
}

int nacre_config(nacre_server *server, const char *setting, char *value, size_t size)
{
    struct config_request r = {.server = server, .value = value, .size = size};
    if (server == NULL || setting == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    if (!parse(&r, setting))
        return nacre_fail(NACRE_E_SETTING_UNKNOWN, "A setting is \"Name\", \"Name=Value\" or \"Name[index]=Value\".");
    if (r.set == NULL && value == NULL)
        return nacre_fail(NACRE_E_INVAL, NULL);
    if (strcasecmp(r.name, "UserAuthBanner") == 0 && r.indexed)
        return nacre_config_connection_banner(&r);
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (strcasecmp(r.name, specials[i].name) == 0)
            return specials[i].run(&r);
    return plain(&r);
}
