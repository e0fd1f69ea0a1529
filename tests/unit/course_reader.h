/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of course: who delivers a host's units. */

#ifndef TESTS_UNIT_COURSE_READER_H
#define TESTS_UNIT_COURSE_READER_H

#include "tests/unit/course_kit.h"

static inline struct kit_reader *kit_reader(uint32_t host, uint32_t rank)
{
    return &kit.host[host].readers[rank];
}

static inline const struct course_rank *kit_dealt(uint32_t host, uint32_t rank)
{
    return &kit.dealt[host * kit.ranks + rank];
}

/* ---- Taking. -------------------------------------------------------------
 */

static inline void kit_tell(uint32_t host, uint32_t rank, enum supply_word word)
{
    struct kit_reader *r = kit_reader(host, rank);
    const struct supply_unit *u = &r->queue[0];

    EXPECT(r->count > 0);
    if (word != SUPPLY_BACK && !u->is_repeat) {
        kit.consumed[u->epoch][u->position]++;
        r->done++;
    } else if (word != SUPPLY_BACK) {
        r->pad++;
    }
    supply_tell(kit.host[host].supply,
                &(struct supply_told){.word = word,
                                      .status = STATUS_IO,
                                      .rank = rank,
                                      .epoch = u->epoch,
                                      .position = u->position,
                                      .lease = u->lease,
                                      .size = u->size,
                                      .is_repeat = u->is_repeat,
                                      .reason = "torn"});
    memmove(&r->queue[0], &r->queue[1], sizeof(r->queue[0]) * --r->count);
}

static inline void kit_back_all(uint32_t host, uint32_t rank)
{
    while (kit_reader(host, rank)->count > 0) {
        kit_tell(host, rank, SUPPLY_BACK);
    }
}

/* The reader wants no more of the epoch. */
static inline void kit_stop(uint32_t host, uint32_t rank)
{
    struct kit_reader *r = kit_reader(host, rank);

    kit_back_all(host, rank);
    r->is_early = true;
    kit.was_cut[r->epoch] = true;
    supply_tell(kit.host[host].supply,
                &(struct supply_told){
                    .word = SUPPLY_STOP, .rank = rank, .epoch = r->epoch});
}

/* The end has been seen: on to the next epoch. */
static inline void kit_begin(uint32_t host, uint32_t rank)
{
    struct kit_reader *r = kit_reader(host, rank);

    r->is_at_end = false;
    r->is_early = false;
    r->done = 0;
    r->pad = 0;
    r->ends++;
    if (!r->is_over) {
        r->next = kit_dealt(host, rank)->first;
        supply_tell(kit.host[host].supply,
                    &(struct supply_told){
                        .word = SUPPLY_BEGIN, .rank = rank, .epoch = r->epoch});
    }
}

/* Without a lease, units come as they were dealt, and padding behind them. */
static inline void kit_look(uint32_t host, uint32_t rank,
                            const struct supply_unit *u)
{
    const struct course_rank *d = kit_dealt(host, rank);
    struct kit_reader *r = kit_reader(host, rank);

    EXPECT(u->epoch < kit.epochs && u->epoch >= r->epoch);
    EXPECT(kit.is_static || !u->is_repeat);
    if (u->is_repeat) {
        EXPECT(u->lease == 0);
    } else if (kit.is_static) {
        EXPECT(u->position >= d->first && u->position < d->first + d->own);
    } else {
        EXPECT(u->lease > 0 && u->position < kit.units);
    }
    if (u->lease == 0 && !u->is_repeat) {
        EXPECT_EQ(u->position, r->next++);
    }
}

/* Take one. false: there is nothing. */
static inline bool kit_take(uint32_t host, uint32_t rank)
{
    struct kit_reader *r = kit_reader(host, rank);
    struct supply_unit u;
    enum status s;

    if (r->is_at_end || r->count == KIT_QUEUE) {
        return false;
    }
    s = supply_take(kit.host[host].supply, rank, &u);
    if (s == STATUS_OK) {
        kit_look(host, rank, &u);
        r->queue[r->count++] = u;
        if (r->is_early) {
            EXPECT_EQ(u.epoch, r->epoch);
            kit_back_all(host, rank);
        }
        r->epoch = u.epoch;
    } else if (s == STATUS_STOPPED) {
        r->is_at_end = true;
        r->is_over = u.is_over;
        r->epoch = u.epoch;
    }
    return s == STATUS_OK || s == STATUS_STOPPED;
}

/* Take what is there and consume all of it, through one end at most. */
static inline void kit_read(uint32_t host, uint32_t rank)
{
    while (kit_take(host, rank)) {
        while (kit_reader(host, rank)->count > 0) {
            kit_tell(host, rank, SUPPLY_DONE);
        }
    }
    if (kit_reader(host, rank)->is_at_end) {
        kit_begin(host, rank);
    }
}

#endif /* TESTS_UNIT_COURSE_READER_H */
