/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes what runs of earlier launches have left below `<state>/runs/`: all
 * but the run that is led now and the two before it, so that a run's journal
 * can be read until two launches later.
 *
 * Which came before which is told by the store's dates: runs never overlap in
 * time. One without a date, or as old as one that is kept, is kept, too. What
 * does not look like a run is left alone.
 *
 * A run that was listed while the lease was held is over for good: the lease
 * names another run, and no run is begun twice. So it may be deleted even
 * when the lease has been lost meanwhile. An old leader of it that wakes up
 * then finds no seal any more; it may write on below its folder, but nobody
 * listens: its lease has long run out. The next launch deletes that.
 *
 * In small steps, by whoever has nothing else to do. A failure ends it with
 * one warning; the next launch goes on. Threads: any, one at a time. */

#ifndef CLI_OLD_RUNS_H
#define CLI_OLD_RUNS_H

#include <stdbool.h>

#include "store/store.h"

enum {
    OLD_RUNS_KEPT = 2,   /* Beside the one that is led. */
    OLD_RUNS_MAX = 256,  /* That are looked at in one launch. */
    OLD_RUNS_STEP = 100, /* Objects deleted in one turn. */
};

struct old_runs;

struct old_runs_options {
    const char *run;            /* The one that is led; copied. */
    bool (*is_led)(void *self); /* Whether the lease is held this moment. */
    void *self;
};

struct old_runs *old_runs_new(const struct old_runs_options *options);
void old_runs_destroy(struct old_runs **o);

/* Make one or two requests to @store, where @prefix is that of the state.
 * Returns whether there is more to do. */
bool old_runs_turn(struct old_runs *o, struct store *store, const char *prefix);

#endif /* CLI_OLD_RUNS_H */
