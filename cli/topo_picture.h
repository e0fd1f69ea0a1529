/* SPDX-License-Identifier: Apache-2.0 */
/* The machine and its placement, to be shown to people and to programs. */

#ifndef CLI_TOPO_PICTURE_H
#define CLI_TOPO_PICTURE_H

#include "base/buf.h"
#include "worker/place.h"
#include "worker/placement.h"
#include "worker/topo.h"

struct topo_picture {
    const struct topo *topo;
    const struct placement *placement;
    const struct place_got *got; /* One a rank; NULL: nothing was tried. */
    const char *got_none;        /* Then: why. */
};

/* Append nodes with what hangs there, distances, and a table of ranks. */
void topo_picture_write(const struct topo_picture *p, struct buf *out);

/* Append one JSON object and a newline: all that is known. */
void topo_picture_write_json(const struct topo_picture *p, struct buf *out);

#endif /* CLI_TOPO_PICTURE_H */
