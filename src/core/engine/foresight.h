/* SPDX-License-Identifier: Apache-2.0 */
/* A turn knows whom it is going to be about, so that their memory can be on its way while others are worked for. */
#ifndef ENGINE_FORESIGHT_H
#define ENGINE_FORESIGHT_H

#include "engine/shard.h"

/* Before completion `i` is handled: fetches what the ones after it are about. Shard thread. */
void nacre_foresee(const struct shard *s, const struct io_done *done, unsigned count, unsigned i);

#endif
