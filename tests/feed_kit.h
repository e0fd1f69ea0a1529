/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of feed and take: a feed over real sockets and files, with a
 * coordinator that grants what is asked for and commits what is said. */

#ifndef TESTS_FEED_KIT_H
#define TESTS_FEED_KIT_H

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/worker_kit.h"
#include "worker/feed.h"

enum { FEED_KIT_CLIENTS = 300, FEED_KIT_LEASES = 1000 };

struct feed_kit_lease {
    uint32_t rank;
    uint64_t first;
    uint64_t end;
    uint64_t left;
};

static struct {
    struct store *store;
    struct holder *holder;
    struct feed *feed;
    struct fetch_source source;
    struct fetch *fetch;
    struct feed_channel channel;
    uint64_t now_ms;
    char uri[64];
    char folder[KIT_PATH_MAX];

    uint64_t units; /* Of each epoch. */
    uint64_t epochs;
    uint64_t run; /* Of a lease. */
    uint64_t epoch;
    uint64_t next;
    uint64_t committed; /* In this epoch. */
    uint64_t skipped;
    uint64_t top;
    bool refuses; /* Each lease that is named. */
    bool is_mute; /* Answers nothing. */
    bool is_stopping;
    struct feed_kit_lease leases[FEED_KIT_LEASES];
    enum status failed; /* Of the last step that failed, */
    struct fault why;   /* and why. */
    uint64_t failures;
} fk;

static inline enum status fk_object(void *self, uint32_t channel,
                                    uint64_t position, uint64_t epoch,
                                    struct bring_object *out)
{
    EXPECT(self == &fk && channel == 0 && epoch <= fk.epoch);
    memset(out, 0, sizeof(*out));
    out->key_size = (size_t)snprintf(out->key, sizeof(out->key), "p/u %llu",
                                     (unsigned long long)position);
    out->size = 10 + position;
    return position < fk.units ? STATUS_OK : STATUS_NOT_FOUND;
}

/* ---- The coordinator. -----------------------------------------------------
 */

static inline void fk_commit(uint64_t number, uint64_t first, uint64_t end)
{
    struct feed_kit_lease *l = &fk.leases[number];

    EXPECT(first >= l->first && end <= l->end && end - first <= l->left);
    l->left -= end - first;
    fk.committed += end - first;
}

static inline void fk_take_work(const struct work *w, struct grant *g)
{
    for (uint32_t i = 0; i < w->lease_count && fk.refuses; i++) {
        g->refused[g->refused_count++] = w->leases[i].number;
    }
    for (uint32_t i = 0; i < w->done_count && !fk.refuses; i++) {
        fk_commit(w->done[i].number, w->done[i].first, w->done[i].end);
    }
    for (uint32_t i = 0; i < w->skip_count && !fk.refuses; i++) {
        fk_commit(w->skips[i].number, w->skips[i].position,
                  w->skips[i].position + 1);
        fk.skipped++;
    }
    fk.is_stopping = fk.is_stopping || w->ends_epoch;
    for (uint32_t i = 0; i < w->want_count && fk.next < fk.units; i++) {
        uint64_t end = fk.next + fk.run;

        end = end < fk.units ? end : fk.units;
        if (fk.is_stopping) {
            continue;
        }
        fk.leases[++fk.top] = (struct feed_kit_lease){w->wants[i].rank, fk.next,
                                                      end, end - fk.next};
        fk.next = end;
    }
}

static inline bool fk_is_idle(void)
{
    for (uint64_t n = 1; n <= fk.top; n++) {
        if (fk.leases[n].left > 0) {
            return false;
        }
    }
    return true;
}

/* Answer what was heard. */
static inline void fk_grant(const struct work *w)
{
    static struct grant g;

    g = (struct grant){
        .channel = 0, .seq = w->seq, .acked_seq = w->seq, .gate = UINT64_MAX};
    fk_take_work(w, &g);
    if (fk.epoch < fk.epochs &&
        (fk.committed == fk.units || (fk.is_stopping && fk_is_idle()))) {
        fk.epoch++;
        fk.next = 0;
        fk.committed = 0;
        fk.is_stopping = false;
        fk.next = fk.epoch == fk.epochs ? fk.units : 0;
    }
    g.is_over = fk.epoch == fk.epochs;
    g.is_complete = g.is_over;
    g.epoch = g.is_over ? fk.epochs - 1 : fk.epoch;
    for (uint64_t n = 1; n <= fk.top && !fk.refuses; n++) {
        const struct feed_kit_lease *l = &fk.leases[n];

        if (l->left > 0) {
            g.leases[g.lease_count++] = (struct grant_lease){
                n, l->rank, l->first, l->end, l->end, false};
        }
    }
    holder_take(fk.holder, &g);
    holder_check(fk.holder);
}

static inline void fk_coordinate(void)
{
    static struct work w;

    if (!fk.is_mute && holder_work(fk.holder, fk.now_ms, &w)) {
        fk_grant(&w);
    }
}

static inline void fk_start_lanes(void)
{
    struct fetch_options options = {
        .sources = &fk.source, .source_count = 1, .lane_count = 2};

    fk.source = (struct fetch_source){"train", fk.uri};
    EXPECT_OK(fetch_start(&options, &fk.why, &fk.fetch), fk.why);
}

#endif /* TESTS_FEED_KIT_H */
