/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/admission_rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    STARTUPS_MAX = 1000000,
    SHARE_LEAST = 100, /* a share of a few connections would refuse those that come at the same moment */
    SOURCES_MAX = 1 << 20,
};

static const int64_t second_ns = INT64_C(1000000000);
static const int64_t longest_s = 365 * 86400;

/* Takes a decimal number off the front; false: there is none, or it is above `max`. */
static bool take_number(const char **text, unsigned max, unsigned *out)
{
    uint64_t n = 0;
    const char *p = *text;
    for (; isdigit((unsigned char)*p); p++)
        if ((n = n * 10 + (uint64_t)(*p - '0')) > max)
            return false;
    if (p == *text)
        return false;
    *out = (unsigned)n;
    *text = p;
    return true;
}

static bool take_char(const char **text, char c)
{
    bool is = **text == c;
    *text += is ? 1 : 0;
    return is;
}

/* ---- MaxStartups ----------------------------------------------------------------------------------------------- */

static bool take_share(const char **text, unsigned whole, unsigned *out)
{
    if (!take_number(text, STARTUPS_MAX, out))
        return false;
    if (!take_char(text, '%'))
        return true;
    if (*out > 100)
        return false;
    *out = (unsigned)((uint64_t)whole * *out / 100);
    if (*out < SHARE_LEAST)
        *out = SHARE_LEAST;
    return true;
}

bool nacre_startups_parse(const char *text, unsigned max_connections, struct startup_rules *out)
{
    *out = (struct startup_rules){.rate = 100};
    if (strcasecmp(text, "none") == 0 || strcmp(text, "0") == 0)
        return true;
    if (!take_share(&text, max_connections, &out->start))
        return false;
    out->full = out->start;
    if (*text == '\0')
        return out->full != 0;
    return take_char(&text, ':') && take_number(&text, 100, &out->rate) && out->rate != 0 && take_char(&text, ':') &&
           take_share(&text, max_connections, &out->full) && *text == '\0' && out->full >= out->start && out->full != 0;
}

bool nacre_startups_drop(const struct startup_rules *rules, unsigned count, uint32_t dice)
{
    if (rules->full == 0 || count < rules->start)
        return false;
    if (count >= rules->full)
        return true;
    /* In hundredths of a percent, so that a long way from start to full has more than 100 steps. */
    uint64_t rate = rules->rate * 100U;
    uint64_t chance = rate + (10000 - rate) * (count - rules->start) / (rules->full - rules->start);
    return dice % 10000 < chance;
}

/* ---- PerSourceNetBlockSize ------------------------------------------------------------------------------------- */

bool nacre_blocks_parse(const char *text, struct block_rules *out)
{
    return take_number(&text, 32, &out->bits4) && take_char(&text, ':') && take_number(&text, 128, &out->bits6) &&
           *text == '\0';
}

/* ---- PerSourcePenalties ---------------------------------------------------------------------------------------- */

/* Seconds, or a number with s, m, h or d behind it. */
static bool take_time(const char **text, int64_t *out)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    unsigned n;
    int64_t unit = 1;
    if (!take_number(text, (unsigned)longest_s, &n))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (take_char(text, units[i].letter)) {
            unit = units[i].seconds;
            break;
        }
    if (n > longest_s / unit)
        return false;
    *out = n * unit * second_ns;
    return true;
}

static bool take_word(const char **text, const char *word)
{
    size_t len = strlen(word);
    if (strncasecmp(*text, word, len) != 0)
        return false;
    *text += len;
    return true;
}

static bool take_times(const char **text, struct penalty_rules *out, bool *known)
{
    const struct {
        const char *word;
        int64_t *at;
    } words[] = {{"authfail:", &out->ns[OFFENCE_AUTHFAIL]},
                 {"noauth:", &out->ns[OFFENCE_NOAUTH]},
                 {"grace-exceeded:", &out->ns[OFFENCE_GRACE]},
                 {"protocol:", &out->ns[OFFENCE_PROTOCOL]},
                 {"min:", &out->min_ns},
                 {"max:", &out->max_ns}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        *known = take_word(text, words[i].word);
        if (*known)
            return take_time(text, words[i].at);
    }
    return true;
}

static bool take_rule(const char **text, struct penalty_rules *out)
{
    bool known;
    if (take_word(text, "dry-run")) {
        out->dry_run = true;
        return true;
    }
    if (take_word(text, "max-sources:"))
        return take_number(text, SOURCES_MAX, &out->max_sources) && out->max_sources != 0;
    return take_times(text, out, &known) && known;
}

bool nacre_penalties_parse(const char *text, struct penalty_rules *out)
{
    *out = (struct penalty_rules){.max_sources = 65536,
                                  .min_ns = 15 * second_ns,
                                  .max_ns = 600 * second_ns,
                                  .ns = {[OFFENCE_AUTHFAIL] = 5 * second_ns,
                                         [OFFENCE_NOAUTH] = 1 * second_ns,
                                         [OFFENCE_GRACE] = 10 * second_ns,
                                         [OFFENCE_PROTOCOL] = 10 * second_ns}};
    if (strcasecmp(text, "no") == 0)
        return true;
    out->on = true;
    if (strcasecmp(text, "yes") == 0)
        return true;
    for (text += strspn(text, ", "); *text != '\0'; text += strspn(text, ", "))
        if (!take_rule(&text, out) || strchr(", ", *text) == NULL)
            return false;
    return out->max_ns >= out->min_ns;
}
