/* SPDX-License-Identifier: Apache-2.0 */
/* The model "journal": who leads appends numbered records, each with an id of
 * its own, and tells of those that are durable. Whoever leads later must find
 * each record that was ever told, at its number, whatever happened between.
 *
 * A journal goes on until it is fenced, however long another host leads: the
 * lease is not what keeps it from harm. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster-sim/sim_parts.h"
#include "coordinator/journal.h"

enum { SIM_LOG_BURST = 4, SIM_LOG_PAUSE_MS = 400 };

struct sim_ids {
    uint64_t *at;
    uint64_t count;
    uint64_t room;
};

struct sim_log {
    uint64_t term;
    struct journal *journal;
    struct sim_ids ids;  /* All records, as known here. */
    uint64_t first_mark; /* ids.count before the first append. */
    uint64_t told;       /* Marks told. */
    bool wants_snapshot;
};

static void sim_ids_add(struct sim_ids *ids, uint64_t id)
{
    if (ids->count == ids->room) {
        ids->room = ids->room == 0 ? 64 : 2 * ids->room;
        ids->at = mem_grow(ids->at, ids->room, sizeof(*ids->at));
    }
    ids->at[ids->count++] = id;
}

void sim_log_destroy(struct sim_log **l)
{
    if (*l != NULL) {
        journal_destroy(&(*l)->journal);
        free((*l)->ids.at);
    }
    free(*l);
    *l = NULL;
}

/* ---- What is found, and what is told. ---- */

static void sim_log_find(struct sim *s, struct sim_host *h,
                         const struct journal_found *found)
{
    struct sim_log *l = h->log;
    uint64_t record[2];

    switch (found->type) {
    case JOURNAL_FOUND_RESET:
        l->ids.count = 0;
        return;
    case JOURNAL_FOUND_SNAPSHOT:
        l->ids.count = 0;
        for (size_t i = 0; i + 8 <= found->body.size; i += 8) {
            memcpy(record, found->body.at + i, 8);
            sim_ids_add(&l->ids, record[0]);
        }
        return;
    case JOURNAL_FOUND_RECORD:
        if (found->body.size != sizeof(record)) {
            sim_broken(s, "a record of %zu bytes was found", found->body.size);
            return;
        }
        memcpy(record, found->body.at, sizeof(record));
        if (record[0] != l->ids.count) {
            sim_broken(s, "record %" PRIu64 " was found as %" PRIu64, record[0],
                       l->ids.count);
        }
        sim_ids_add(&l->ids, record[1]);
        return;
    }
}

/* What is durable from here on is what stands at these numbers here, with all
 * before it: nobody may ever tell another one. */
static void sim_log_tell(struct sim *s, struct sim_host *h)
{
    struct sim_log *l = h->log;
    uint64_t durable = journal_durable(l->journal);
    uint64_t from = l->told == 0 ? 0 : l->first_mark + l->told;
    uint64_t end = l->first_mark + durable;

    if (l->told == durable) {
        return;
    }
    CHECK(end <= l->ids.count);
    for (uint64_t i = from; i < end && i < SIM_TOLD_MAX; i++) {
        if (s->told[i] != 0 && s->told[i] != l->ids.at[i]) {
            sim_broken(s, "two records %" PRIu64 " were durable", i);
        }
        s->told[i] = l->ids.at[i];
    }
    l->told = durable;
    s->progress_us = sim_now_us(s);
}

/* ---- Stepping. ---- */

static void sim_log_give_snapshot(struct sim_log *l)
{
    if (l->wants_snapshot && journal_state(l->journal) == JOURNAL_OPEN) {
        l->wants_snapshot = false;
        journal_snapshot(l->journal,
                         (struct bytes){(const char *)l->ids.at,
                                        l->ids.count * sizeof(uint64_t)});
    }
}

static void sim_log_step(struct sim *s, struct sim_host *h,
                         struct journal_event *event)
{
    struct sim_log *l = h->log;
    enum journal_state before = journal_state(l->journal);
    struct journal_effects fx = {.request_count = 0};
    struct journal_found found;

    event->now_ms = sim_host_ms(s, h);
    journal_step(l->journal, event, &fx);
    journal_check(l->journal);
    l->wants_snapshot = fx.wants_snapshot;
    sim_host_alarm(s, h, SIM_TIMER_LEAD, fx.timer_ms);
    for (uint32_t i = 0; i < fx.request_count; i++) {
        sim_host_ask(s, h, "j/", &fx.requests[i]);
    }
    while (journal_take(l->journal, &found)) {
        sim_log_find(s, h, &found);
    }
    if (journal_state(l->journal) != before) {
        if (journal_state(l->journal) == JOURNAL_OPEN) {
            l->first_mark = l->ids.count;
            sim_say(s, h->number, "journal open with %" PRIu64 " records",
                    l->ids.count);
            sim_host_alarm(s, h, SIM_TIMER_LOAD, sim_host_ms(s, h));
        } else {
            sim_say(s, h->number, "journal: %s", journal_fault(l->journal));
        }
    }
    if (journal_state(l->journal) == JOURNAL_OPEN) {
        sim_log_tell(s, h);
    } else if (journal_state(l->journal) == JOURNAL_BROKEN) {
        sim_broken(s, "%s", journal_fault(l->journal));
    }
}

void sim_log_stored(struct sim *s, struct sim_host *h,
                    const struct sim_store_call *c)
{
    struct journal_event event = {
        .type = JOURNAL_EVENT_STORED,
        .tag = (uint32_t)(c->tag >> 32),
        .status = c->status,
        .etag = c->status == STATUS_OK ? c->etag : NULL,
        .body = {c->body, c->size},
    };

    sim_log_step(s, h, &event);
}

/* Append some, and come again later. */
static void sim_log_load(struct sim *s, struct sim_host *h)
{
    struct sim_log *l = h->log;
    uint64_t count = sim_below(s, SIM_LOG_BURST);
    uint64_t pause_ms = 1 + sim_below(s, SIM_LOG_PAUSE_MS);

    if (journal_state(l->journal) != JOURNAL_OPEN) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t record[2] = {l->ids.count, 1 + sim_below(s, UINT64_MAX - 1)};
        uint64_t mark = journal_append(
            l->journal, (struct bytes){(const char *)record, sizeof(record)});

        sim_ids_add(&l->ids, record[1]);
        CHECK(l->first_mark + mark == l->ids.count);
    }
    sim_log_give_snapshot(l);
    sim_host_alarm(s, h, SIM_TIMER_LOAD, sim_host_ms(s, h) + pause_ms);
    sim_log_step(s, h, &(struct journal_event){.type = JOURNAL_EVENT_TIMER});
}

void sim_log_timer(struct sim *s, struct sim_host *h, enum sim_timer which)
{
    if (h->log == NULL) {
        return;
    }
    if (which == SIM_TIMER_LOAD) {
        sim_log_load(s, h);
    } else {
        sim_log_step(s, h,
                     &(struct journal_event){.type = JOURNAL_EVENT_TIMER});
    }
}

/* This host leads: it opens the journal, unless it has it open still. */
void sim_log_lead(struct sim *s, struct sim_host *h)
{
    uint64_t term = term_lease(h->term)->term;

    if (h->log != NULL && h->log->term == term) {
        return;
    }
    sim_log_destroy(&h->log);
    h->leads++;
    h->log = mem_new(1, sizeof(*h->log));
    h->log->term = term;
    h->log->journal = journal_new(&(struct journal_options){
        .run = term_lease(h->term)->run,
        .term = term,
        .nonce = prng_next(&s->prng),
        .now_ms = sim_host_ms(s, h),
        .gap_ms = s->gap_ms,
        .retry_ms = s->heartbeat_ms / 4,
        .snapshot_bytes = s->snapshot_bytes,
        .has_conditions = true,
    });
    sim_log_step(s, h, &(struct journal_event){.type = JOURNAL_EVENT_TIMER});
}
