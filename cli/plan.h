/* SPDX-License-Identifier: Apache-2.0 */
/* What `smshard plan` shows, as text and as JSON: written from the same
 * struct, so that they can't differ in what they say. */

#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include <stdbool.h>

#include "base/buf.h"
#include "cli/contract.h"
#include "cli/dealing.h"

struct plan {
    const struct contract *contract;
    const struct hosts *hosts; /* Those planned for. */
    const uint32_t *ranks;     /* By number. */
    const struct dealings *dealings;
    const char *state_uri; /* NULL: none. */
    const char *resume;    /* The cursor resumed from; NULL: none. */
    bool with_objects;     /* List every key. */
};

void plan_write_text(const struct plan *plan, struct buf *out);
void plan_write_json(const struct plan *plan, struct buf *out);

/* Where @host writes outputs or checkpoints, to be freed; NULL: nowhere. */
char *plan_output_uri(const struct plan *plan, const char *host);
char *plan_checkpoint_uri(const struct plan *plan, const char *host);

/* What a resumed channel has left in its first epoch, in runs of positions.
 * The first of them, PLAN_RUNS_SHOWN at most, are in next. */
enum { PLAN_RUNS_SHOWN = 8 };
struct plan_left {
    uint64_t committed;
    uint64_t units;
    uint64_t runs;
    struct range next[PLAN_RUNS_SHOWN];
    uint32_t next_count;
};
void plan_find_left(const struct dealing *d, struct plan_left *out);

/* Append a count of bytes as people read it: "1.5 GiB". */
void plan_write_size(uint64_t bytes, struct buf *out);

#endif /* CLI_PLAN_H */
