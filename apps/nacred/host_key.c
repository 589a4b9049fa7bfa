/* SPDX-License-Identifier: Apache-2.0 */
#include "host_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "log.h"
#include "secret.h"

enum {
    PEM_MAX = 16 * 1024,
    STORE_PEM_FILE = 6, /* values of ssh_cert_store_type */
    STORE_PEM_BLOB = 7,
    STORE_AUTO = 99,
};

static bool complain(const char *path, const char *why)
{
    fprintf(stderr, "nacred: host key '%s': %s\n", path, why);
    return false;
}

static bool make_key_file(const char *path)
{
    char pem[PEM_MAX];
    int result = nacre_make_key("ssh-ed25519", pem, sizeof pem);

    if (result)
        return complain(path, nacre_error_text(result));
    bool written = nacred_file_make(path, pem);
    nacred_wipe(pem, sizeof pem);
    return written ? true : complain(path, strerror(errno));
}

/* Others who can read a host key can pretend to be this server. */
static bool key_file_is_safe(const char *path)
{
    const char *wrong = nacred_file_secret_wrong(path);

    return wrong ? complain(path, wrong) : true;
}

static int set_first(nacre_server *server, const char *path, int type)
{
    int result = nacre_set_ssh_cert_store(server, path, strlen(path));

    if (!result)
        result = nacre_set_ssh_cert_store_type(server, type);
    return result ? result : nacre_set_ssh_cert_subject(server, "*");
}

static int set_alternative(nacre_server *server, const char *path, int type, size_t index)
{
    const char *const names[] = {"Store", "StoreType", "Subject"};
    char number[16];
    const char *const values[] = {path, number, "*"};
    size_t size = strlen(path) + 64;
    char *setting = malloc(size);
    int result = setting ? 0 : NACRE_E_NOBUFS;

    snprintf(number, sizeof number, "%d", type);
    for (size_t i = 0; i < 3 && !result; i++) {
        snprintf(setting, size, "AltSSHCert%s[%zu]=%s", names[i], index, values[i]);
        result = nacre_config(server, setting, NULL, 0);
    }
    free(setting);
    return result;
}

static int set_key(nacre_server *server, const char *path, int type, size_t index)
{
    return index == 0 ? set_first(server, path, type) : set_alternative(server, path, type, index - 1);
}

static bool has_private_half(struct app *app, size_t index)
{
    struct nacre_certificate certificate;

    if (nacre_get_certificate(app->server, (int)index, &certificate) != 0)
        return false;
    bool there = certificate.private_key_available;
    nacre_certificate_free(&certificate);
    return there;
}

static bool use_file(struct app *app, const char *path, size_t index)
{
    nacre_server *server = app->server;
    bool made = nacred_file_is_missing(path);
    char fingerprint[128];

    if (made && !make_key_file(path))
        return false;
    if (!key_file_is_safe(path))
        return false;
    int result = set_key(server, path, STORE_PEM_FILE, index);
    if (result && set_key(server, path, STORE_AUTO, index) == 0)
        result = 0;
    if (result)
        return complain(path, nacre_last_error(server));
    if (!has_private_half(app, index))
        return complain(path, "holds a public key only");
    if (made && nacre_get_host_key_fingerprint(server, (int)index, fingerprint, sizeof fingerprint) == 0)
        printf("nacred: made host key %s (ed25519), fingerprint %s\n", path, fingerprint);
    return true;
}

static bool use_memory(struct app *app)
{
    char pem[PEM_MAX], fingerprint[128] = "";
    nacre_server *server = app->server;
    int result = nacre_make_key("ssh-ed25519", pem, sizeof pem);

    if (!result)
        result = nacre_set_ssh_cert_store(server, pem, strlen(pem));
    if (!result)
        result = nacre_set_ssh_cert_store_type(server, STORE_PEM_BLOB);
    if (!result)
        result = nacre_set_ssh_cert_subject(server, "*");
    nacred_wipe(pem, sizeof pem);
    if (result)
        return complain("in memory", nacre_error_text(result));
    nacre_get_host_key_fingerprint(server, 0, fingerprint, sizeof fingerprint);
    nacred_log(LOG_LEVEL_WARNING, NULL, "host-key", "no --host-key: this key is gone when nacred ends: %s",
               fingerprint);
    return true;
}

static bool has_key(struct app *app, int index)
{
    char fingerprint[128];

    return nacre_get_host_key_fingerprint(app->server, index, fingerprint, sizeof fingerprint) == 0;
}

/* How many alternative keys there are. */
static size_t alternatives(struct app *app)
{
    char count[16];

    return nacre_config(app->server, "AltSSHCertCount", count, sizeof count) == 0 ? strtoul(count, NULL, 10) : 0;
}

/* The place for one more key: the first when it is free, else a new one behind all others. */
static bool make_place(struct app *app, size_t *index)
{
    char setting[48];

    *index = has_key(app, 0) ? alternatives(app) + 1 : 0;
    snprintf(setting, sizeof setting, "AltSSHCertCount=%zu", *index);
    return *index == 0 || nacre_config(app->server, setting, NULL, 0) == 0;
}

static bool use_certificate(struct app *app, const char *path)
{
    size_t size = strlen(path) + sizeof "HostCertificate=";
    char *setting = malloc(size);
    int result = setting ? 0 : NACRE_E_NOBUFS;

    if (setting) {
        snprintf(setting, size, "HostCertificate=%s", path);
        result = nacre_config(app->server, setting, NULL, 0);
    }
    free(setting);
    if (result)
        fprintf(stderr, "nacred: host certificate '%s': %s\n", path, nacre_last_error(app->server));
    return result == 0;
}

bool nacred_host_keys_set(struct app *app, bool others)
{
    const struct options *options = &app->options;
    size_t index;

    if (options->host_keys.count == 0 && !others && !use_memory(app))
        return false;
    for (size_t i = 0; i < options->host_keys.count; i++) {
        if (!make_place(app, &index))
            return complain(options->host_keys.list[i], nacre_last_error(app->server));
        if (!use_file(app, options->host_keys.list[i], index))
            return false;
    }
    for (size_t i = 0; i < options->host_certificates.count; i++)
        if (!use_certificate(app, options->host_certificates.list[i]))
            return false;
    return true;
}
