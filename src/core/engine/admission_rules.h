/* SPDX-License-Identifier: Apache-2.0 */
/* The settings that decide who is let in, taken apart: MaxStartups, PerSourceNetBlockSize, PerSourcePenalties. */
#ifndef ENGINE_ADMISSION_RULES_H
#define ENGINE_ADMISSION_RULES_H

#include "engine/penalty.h"

/* Of connections that have not logged in: from `start` on, each new one is refused with a probability that grows from
 * `rate` percent to certainty at `full`. */
struct startup_rules {
    unsigned start, rate, full; /* full 0: no limit */
};

struct block_rules {
    unsigned bits4, bits6;
};

/* "start:rate:full", where start and full may be a number, or percent of MaxConnections and then at least 100; "start"
 * alone: refuse from there on; "0" or "none": no limit. False: it is none of these. */
bool nacre_startups_parse(const char *text, unsigned max_connections, struct startup_rules *out);

/* "bits of IPv4:bits of IPv6". */
bool nacre_blocks_parse(const char *text, struct block_rules *out);

/* "no", "yes", or words "name:value" separated by blanks or commas; see nacre.3. */
bool nacre_penalties_parse(const char *text, struct penalty_rules *out);

/* True when the next connection should be refused while there are `count`; `dice` is any random number. */
bool nacre_startups_drop(const struct startup_rules *rules, unsigned count, uint32_t dice);

#endif
