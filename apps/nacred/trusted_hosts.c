/* SPDX-License-Identifier: Apache-2.0 */
#include "trusted_hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authorized_keys.h"
#include "key_files.h"
#include "text.h"

static const char blanks[] = " \t\r";

/* ---- lines ---- */

static bool word_is(const char *word, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(word, text, len) == 0;
}

static const char *append(struct trusted_hosts *hosts, const struct trusted_host *host)
{
    struct trusted_host *grown = realloc(hosts->list, (hosts->count + 1) * sizeof *grown);

    if (!grown)
        return "out of memory";
    hosts->list = grown;
    hosts->list[hosts->count++] = *host;
    return NULL;
}

/* `names` and the key behind it. */
static const char *add(struct trusted_hosts *hosts, bool revoked, const char *names, size_t names_len, const char *key,
                       size_t key_len)
{
    uint8_t blob[AUTHORIZED_KEYS_LINE_MAX];
    size_t len = sizeof blob;

    if (*names == '|')
        return "names are hashed; they have to stand there as they are";
    if (nacred_key_line_read(key, key_len, blob, &len) != KEY_LINE_KEY)
        return "no public key stands behind the names";
    struct trusted_host host = {
        .names = nacred_text_copy(names, names_len), .blob = malloc(len), .len = len, .revoked = revoked};
    const char *wrong = host.names && host.blob ? NULL : "out of memory";
    if (!wrong) {
        memcpy(host.blob, blob, len);
        wrong = append(hosts, &host);
    }
    if (wrong) {
        free(host.names);
        free(host.blob);
    }
    return wrong;
}

const char *nacred_trusted_hosts_add(struct trusted_hosts *hosts, const char *line, size_t len)
{
    char text[AUTHORIZED_KEYS_LINE_MAX + 1];

    if (len > AUTHORIZED_KEYS_LINE_MAX || memchr(line, 0, len))
        return "it is too long, or holds a NUL";
    memcpy(text, line, len);
    text[len] = 0;
    const char *at = text + strspn(text, blanks);
    if (!*at || *at == '#')
        return NULL;
    size_t word = strcspn(at, blanks);
    bool revoked = word_is(at, word, "@revoked");
    if (*at == '@' && !revoked)
        return "of the markers only @revoked is known";
    if (revoked) {
        at += word + strspn(at + word, blanks);
        word = strcspn(at, blanks);
    }
    return add(hosts, revoked, at, word, at + word, strlen(at + word));
}

/* ---- files ---- */

static bool read_lines(struct trusted_hosts *hosts, const char *path, FILE *file)
{
    char line[AUTHORIZED_KEYS_LINE_MAX];
    size_t len;
    bool too_long;

    for (int number = 1; nacred_key_line_next(file, line, &len, &too_long); number++) {
        const char *wrong = too_long ? "it is too long" : nacred_trusted_hosts_add(hosts, line, len);

        /* A host that is left out for a mistake in its line is locked out, or not revoked: better not to start. */
        if (wrong) {
            fprintf(stderr, "nacred: hosts in '%s': line %d: %s\n", path, number, wrong);
            return false;
        }
    }
    if (ferror(file))
        fprintf(stderr, "nacred: hosts in '%s': %s\n", path, strerror(errno));
    return !ferror(file);
}

bool nacred_trusted_hosts_read(const struct options *options, struct trusted_hosts *hosts)
{
    for (size_t i = 0; i < options->trusted_hosts.count; i++) {
        FILE *file = nacred_key_file_open(options->trusted_hosts.list[i]);
        bool good = file && read_lines(hosts, options->trusted_hosts.list[i], file);

        if (file)
            fclose(file);
        if (!good)
            return false;
    }
    return true;
}

/* ---- questions ---- */

/* Brackets are OpenSSH's for a port, which a client's host has none of. */
static bool pattern_matches(const char *pattern, const char *name)
{
    return !strpbrk(pattern, "[\\") && nacred_text_fits_any_case(name, pattern);
}

static bool names_match(const char *names, const char *name)
{
    bool found = false;

    while (*names) {
        char pattern[256];
        size_t len = strcspn(names, ",");
        bool negated = *names == '!';

        /* One that is too long for a host's name cannot be what it is called. */
        if (len > negated && len < sizeof pattern) {
            memcpy(pattern, names + negated, len - negated);
            pattern[len - negated] = 0;
            if (pattern_matches(pattern, name)) {
                if (negated)
                    return false;
                found = true;
            }
        }
        names += len;
        names += *names == ',';
    }
    return found;
}

bool nacred_trusted_hosts_know(const struct trusted_hosts *hosts, const char *name, const void *blob, size_t len)
{
    bool known = false;

    for (size_t i = 0; i < hosts->count; i++) {
        const struct trusted_host *host = &hosts->list[i];

        if (host->len != len || memcmp(host->blob, blob, len) != 0)
            continue;
        if (host->revoked)
            return false;
        known = known || names_match(host->names, name);
    }
    return known;
}

void nacred_trusted_hosts_free(struct trusted_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        free(hosts->list[i].names);
        free(hosts->list[i].blob);
    }
    free(hosts->list);
    *hosts = (struct trusted_hosts){0};
}
