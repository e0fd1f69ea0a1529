/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal says, read by its own means from each object that becomes
 * durable, and what the hosts did and were told, held against it. Nothing here
 * is asked of a ledger. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster-sim/sim_parts.h"
#include "coordinator/journal.h"
#include "coordinator/ledger_entry.h"
#include "coordinator/record.h"

/* A lease as the journal tells it. */
struct sim_lease {
    bool is_live;
    uint32_t rank;
    struct range range;
};

enum {
    SIM_COMMITTED = 1,
    SIM_SKIPPED = 2,
    SIM_SETTLED = SIM_COMMITTED | SIM_SKIPPED,
    SIM_TOLD = 4,
    SIM_STOPPED = 1,
};

struct sim_stream {
    bool is_static;
    uint64_t positions;
    uint64_t epochs;
    uint64_t step_units;
    uint64_t first; /* Epoch of this run; */
    uint64_t epoch; /* the present one. */
    uint64_t skips;
    uint64_t settled; /* Of this epoch: committed or skipped. */
    uint8_t *marks;   /* Of each position in each epoch. */
    uint8_t *stopped; /* Of each epoch. */
    uint64_t *over;   /* Of each position: the lease over it; 0: none. */
    struct sim_lease *leases;
    uint64_t lease_count;
    uint64_t lease_room;
};

struct sim_truth {
    char run[TERM_RUN_SIZE + 1];
    uint64_t number;  /* Of the last journal object. */
    uint64_t *hashes; /* What each one held. */
    uint64_t room;
    bool is_ended; /* The outcome is in the journal. */
    enum status outcome;
    bool was_done[SIM_NODES_MAX]; /* It has ended well, durably. */
    uint32_t count;
    struct sim_stream streams[WIRE_CHANNELS_MAX];
};

static void sim_stream_fini(struct sim_stream *t)
{
    free(t->marks);
    free(t->stopped);
    free(t->over);
    free(t->leases);
    memset(t, 0, sizeof(*t));
}

void sim_truth_destroy(struct sim_truth **m)
{
    if (*m != NULL) {
        for (uint32_t i = 0; i < WIRE_CHANNELS_MAX; i++) {
            sim_stream_fini(&(*m)->streams[i]);
        }
    }
    if (*m != NULL) {
        free((*m)->hashes);
    }
    free(*m);
    *m = NULL;
}

/* The last run that wrote a journal is the one that is judged. */
static struct sim_truth *sim_truth_of(struct sim *s, const char *run)
{
    if (s->truth == NULL || strcmp(s->truth->run, run) != 0) {
        return NULL;
    }
    return s->truth;
}

static uint8_t *sim_stream_mark(const struct sim_stream *t, uint64_t epoch,
                                uint64_t position)
{
    CHECK(epoch < t->epochs && position < t->positions);
    return &t->marks[epoch * t->positions + position];
}

/* ---- Entries. ---- */

static void sim_stream_plan(struct sim_stream *t,
                            const struct record_plan *plan)
{
    sim_stream_fini(t);
    t->is_static = !plan->is_dynamic;
    t->positions = plan->positions;
    t->epochs = plan->first_epoch + plan->epochs;
    t->epoch = plan->first_epoch;
    t->first = plan->first_epoch;
    t->step_units = plan->step_units;
    t->marks = mem_new(t->positions * t->epochs + 1, 1);
    t->stopped = mem_new(t->epochs, 1);
    t->over = mem_new(t->positions + 1, sizeof(uint64_t));
}

static void sim_stream_check_base(struct sim *s, const struct sim_stream *t,
                                  uint32_t channel)
{
    const struct sim_truth *m = s->prior;
    const struct sim_stream *old =
        m == NULL || channel >= m->count ? NULL : &m->streams[channel];

    for (uint64_t p = 0; p < t->positions; p++) {
        bool was = old != NULL &&
                   (*sim_stream_mark(old, t->epoch, p) & SIM_SETTLED) != 0;
        bool is = (*sim_stream_mark(t, t->epoch, p) & SIM_SETTLED) != 0;

        if (was != is) {
            sim_broken(s, "unit %" PRIu64 " %s before the job was resumed", p,
                       was ? "was committed" : "was not committed");
        }
    }
}

static void sim_stream_grant(struct sim *s, struct sim_stream *t,
                             const struct ledger_entry *e)
{
    if (e->lease != t->lease_count + 1) {
        sim_broken(s, "lease %" PRIu64 " was granted after %" PRIu64, e->lease,
                   t->lease_count);
        return;
    }
    if (t->lease_count == t->lease_room) {
        t->lease_room = t->lease_room == 0 ? 64 : 2 * t->lease_room;
        t->leases = mem_grow(t->leases, t->lease_room, sizeof(*t->leases));
    }
    if (e->lease == 1 && !t->is_static) {
        sim_stream_check_base(s, t, (uint32_t)(t - s->truth->streams));
    }
    t->leases[t->lease_count++] = (struct sim_lease){true, e->rank, e->range};
    for (uint64_t p = e->range.first; p < e->range.end; p++) {
        if (t->over[p] != 0 ||
            (*sim_stream_mark(t, t->epoch, p) & SIM_SETTLED) != 0) {
            sim_broken(
                s, "lease %" PRIu64 " over unit %" PRIu64 ", which is %s",
                e->lease, p, t->over[p] != 0 ? "another's" : "committed");
        }
        t->over[p] = e->lease;
    }
}

static struct sim_lease *sim_stream_lease(struct sim *s, struct sim_stream *t,
                                          const struct ledger_entry *e)
{
    if (e->lease == 0 || e->lease > t->lease_count ||
        !t->leases[e->lease - 1].is_live) {
        sim_broken(
            s, "an entry of type %d of lease %" PRIu64 ", which nobody holds",
            (int)e->type, e->lease);
        return NULL;
    }
    return &t->leases[e->lease - 1];
}

static void sim_stream_settle(struct sim *s, struct sim_stream *t,
                              const struct ledger_entry *e, uint8_t mark)
{
    if (sim_stream_lease(s, t, e) == NULL) {
        return;
    }
    for (uint64_t p = e->range.first; p < e->range.end; p++) {
        uint8_t *m = sim_stream_mark(t, t->epoch, p);

        if (t->over[p] != e->lease || (*m & SIM_SETTLED) != 0) {
            sim_broken(s,
                       "unit %" PRIu64 " of epoch %" PRIu64
                       " is committed by lease %" PRIu64 ", but %s",
                       p, t->epoch, e->lease,
                       (*m & SIM_SETTLED) != 0 ? "was before"
                                               : "it is not its");
        }
        *m |= mark;
        t->skips += mark == SIM_SKIPPED;
        t->over[p] = 0;
        t->settled++;
    }
}

/* The lease gives up @e's range; all of it when it is a DROP. */
static void sim_stream_free(struct sim *s, struct sim_stream *t,
                            const struct ledger_entry *e)
{
    struct sim_lease *l = sim_stream_lease(s, t, e);

    for (uint64_t p = 0; l != NULL && p < t->positions; p++) {
        bool is_in =
            e->type == LEDGER_DROP || (e->range.first <= p && p < e->range.end);

        if (is_in && t->over[p] == e->lease) {
            t->over[p] = 0;
        }
    }
    if (l != NULL && e->type == LEDGER_DROP) {
        l->is_live = false;
    }
}

static void sim_stream_next_epoch(struct sim *s, struct sim_stream *t)
{
    if (t->settled < t->positions && !t->stopped[t->epoch]) {
        sim_broken(s, "epoch %" PRIu64 " ended with %" PRIu64 " of %" PRIu64,
                   t->epoch, t->settled, t->positions);
    }
    for (uint64_t p = 0; p < t->positions; p++) {
        if (t->over[p] != 0) {
            sim_broken(s, "epoch %" PRIu64 " ended under lease %" PRIu64,
                       t->epoch, t->over[p]);
            t->over[p] = 0;
        }
    }
    t->epoch++;
    t->settled = 0;
    if (t->epoch >= t->epochs) {
        sim_broken(s, "there is no epoch %" PRIu64, t->epoch);
        t->epoch = t->epochs - 1;
    }
}

static void sim_stream_say_units(struct sim *s, const struct ledger_entry *e,
                                 const char *word)
{
    if (e->type == LEDGER_COMMIT) {
        sim_unit_say(s, SIM_NOBODY,
                     "journal: %s lease %" PRIu64 " %" PRIu64 "-%" PRIu64, word,
                     e->lease, e->range.first, e->range.end);
    } else if (e->type == LEDGER_BASE) {
        sim_say(s, SIM_NOBODY, "journal: %s %" PRIu64 "-%" PRIu64, word,
                e->range.first, e->range.end);
    } else if (e->lease == 0) {
        sim_say(s, SIM_NOBODY, "journal: %s", word);
    } else if (e->type == LEDGER_DROP) {
        sim_say(s, SIM_NOBODY, "journal: %s lease %" PRIu64, word, e->lease);
    } else {
        sim_say(s, SIM_NOBODY,
                "journal: %s lease %" PRIu64 " %" PRIu64 "-%" PRIu64, word,
                e->lease, e->range.first, e->range.end);
    }
}

static void sim_stream_say(struct sim *s, const struct ledger_entry *e)
{
    static const char *const words[] = {"",     "grant", "commit", "cut",
                                        "drop", "skip",  "base",   "enter",
                                        "stop", "epoch"};

    if (e->type == LEDGER_GRANT || e->type == LEDGER_ENTER) {
        sim_say(s, SIM_NOBODY,
                "journal: %s lease %" PRIu64 " rank %" PRIu32 " %" PRIu64
                "-%" PRIu64,
                words[e->type], e->lease, e->rank, e->range.first,
                e->range.end);
    } else {
        sim_stream_say_units(s, e, words[e->type]);
    }
}

/* What the run before had settled; that it is just that is looked at when the
 * first lease is granted. */
static void sim_stream_base(struct sim_stream *t, const struct ledger_entry *e)
{
    for (uint64_t p = e->range.first; p < e->range.end; p++) {
        *sim_stream_mark(t, t->epoch, p) |= SIM_COMMITTED;
        t->settled++;
    }
}

static void sim_stream_take(struct sim *s, struct sim_stream *t,
                            const struct ledger_entry *e)
{
    if (e->range.end > t->positions && e->type <= LEDGER_CUT &&
        e->type != LEDGER_CUT) {
        sim_broken(s, "an entry beyond the last unit");
        return;
    }
    sim_stream_say(s, e);
    switch (e->type) {
    case LEDGER_GRANT:
        sim_stream_grant(s, t, e);
        break;
    case LEDGER_COMMIT:
        sim_stream_settle(s, t, e, SIM_COMMITTED);
        break;
    case LEDGER_SKIP:
        sim_stream_settle(s, t, e, SIM_SKIPPED);
        break;
    case LEDGER_CUT:
    case LEDGER_DROP:
        sim_stream_free(s, t, e);
        break;
    case LEDGER_EPOCH:
        sim_stream_next_epoch(s, t);
        break;
    case LEDGER_STOP:
        t->stopped[t->epoch] |= SIM_STOPPED;
        break;
    case LEDGER_BASE:
        sim_stream_base(t, e);
        break;
    case LEDGER_ENTER:
    case LEDGER_ENTRY_TYPES:
        break;
    }
}

/* ---- Journal objects. ---- */

/* A host that has ended well is no reason for the job to fail. */
static void sim_truth_blame(struct sim *s, const struct sim_truth *m,
                            const struct record_over *over)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        char name[16];

        snprintf(name, sizeof(name), "h%" PRIu32, i);
        if (m->was_done[i] && bytes_is(over->host, name)) {
            sim_broken(s, "the job fails by %s, which was done", name);
        }
    }
}

static void sim_truth_record(struct sim *s, struct sim_truth *m,
                             struct bytes body)
{
    struct record record;
    struct fault why;

    if (record_read(body, &why, &record) != STATUS_OK) {
        sim_broken(s, "a record can't be read: %s", why.text);
        return;
    }
    if (record.type == RECORD_PLAN && record.plan.channel < WIRE_CHANNELS_MAX) {
        sim_stream_plan(&m->streams[record.plan.channel], &record.plan);
        m->count = record.plan.channel >= m->count ? record.plan.channel + 1
                                                   : m->count;
    } else if (record.type == RECORD_LEDGER) {
        if (record.ledger.channel >= m->count) {
            sim_broken(s, "an entry of a channel without a plan");
            return;
        }
        sim_stream_take(s, &m->streams[record.ledger.channel],
                        &record.ledger.entry);
    } else if (record.type == RECORD_DONE &&
               record.done.number < SIM_NODES_MAX) {
        m->was_done[record.done.number] = record.done.exit_code == 0;
        sim_say(s, SIM_NOBODY, "journal: h%" PRIu32 " is done, exit code %d",
                record.done.number, (int)record.done.exit_code);
    } else if (record.type == RECORD_OVER) {
        sim_truth_blame(s, m, &record.over);
        m->is_ended = true;
        m->outcome = (enum status)record.over.status;
        sim_say(s, SIM_NOBODY, "journal: the job ends with %s",
                status_name(m->outcome));
    }
}

static void sim_truth_note(struct sim_truth *m, uint64_t hash)
{
    if (m->number >= m->room) {
        m->room = 2 * m->number + 64;
        m->hashes = mem_grow(m->hashes, m->room, sizeof(*m->hashes));
    }
    m->hashes[m->number] = hash;
}

static void sim_truth_object(struct sim *s, struct sim_truth *m,
                             const struct journal_object *o)
{
    uint64_t hash = o->nonce ^ o->term ^ prng_mix(o->body.size);
    struct bytes left = o->body;
    struct bytes body;

    if (o->last <= m->number) {
        /* A late copy, or a seal, may come where a snapshot has swept; nobody
         * looks there. */
        if (o->body.size > 0 && m->hashes[o->last] != hash) {
            sim_broken(s, "journal object %" PRIu64 " was written twice",
                       o->last);
        }
        return;
    }
    if (o->last != m->number + 1) {
        sim_broken(s, "journal object %" PRIu64 " comes after %" PRIu64,
                   o->last, m->number);
    }
    m->number = o->last;
    sim_truth_note(m, hash);
    s->progress_us = sim_now_us(s);
    while (journal_next_record(&left, &body)) {
        sim_truth_record(s, m, body);
    }
}

void sim_truth_stored(struct sim *s, const char *key)
{
    static const char folder[] = "/journal/";
    struct journal_object o;
    struct bytes text;
    struct fault why;

    if (strncmp(key, "runs/", 5) != 0 || strstr(key, folder) == NULL ||
        sim_store_peek(s->store, key, &text) != STATUS_OK) {
        return;
    }
    if (journal_object_read(text, &why, &o) != STATUS_OK) {
        sim_broken(s, "%s can't be read: %s", key, why.text);
        return;
    }
    if (sim_truth_of(s, o.run) == NULL) {
        if (o.last != 1 || sim_truth_is_ended(s)) {
            return; /* Of an older run; or of one nobody asked for. */
        }
        sim_truth_destroy(&s->truth);
        s->truth = mem_new(1, sizeof(*s->truth));
        memcpy(s->truth->run, o.run, sizeof(o.run));
    }
    sim_truth_object(s, s->truth, &o);
}

/* ---- What hosts do. ---- */

static struct sim_stream *sim_truth_stream(struct sim *s,
                                           const struct sim_host *h,
                                           uint32_t channel)
{
    struct sim_truth *m = sim_truth_of(s, sim_work_run(h));

    return m == NULL || channel >= m->count ? NULL : &m->streams[channel];
}

/* Step by step: all before the unit's step is settled. */
static void sim_truth_gate(struct sim *s, const struct sim_stream *t,
                           const struct holder_unit *unit)
{
    uint64_t step = t->step_units == 0 ? 0 : unit->position / t->step_units;

    for (uint64_t p = 0; !s->acks_early && p < step * t->step_units; p++) {
        if ((*sim_stream_mark(t, unit->epoch, p) & SIM_SETTLED) == 0) {
            sim_broken(s,
                       "unit %" PRIu64 " is handed out, and %" PRIu64
                       " is not committed",
                       unit->position, p);
            return;
        }
    }
}

void sim_truth_handed(struct sim *s, struct sim_host *h, uint32_t channel,
                      const struct holder_unit *unit)
{
    struct sim_stream *t = sim_truth_stream(s, h, channel);

    if (t == NULL || s->truth->is_ended) {
        return; /* Of an older run; or it makes no difference any more. */
    }
    if (unit->lease == 0 || unit->lease > t->lease_count ||
        unit->position < t->leases[unit->lease - 1].range.first ||
        unit->position >= t->leases[unit->lease - 1].range.end) {
        sim_broken(s,
                   "unit %" PRIu64 " is handed out under lease %" PRIu64
                   ", which is not durable",
                   unit->position, unit->lease);
        return;
    }
    if (t->over[unit->position] != unit->lease) {
        sim_broken(s,
                   "unit %" PRIu64 " is handed out under lease %" PRIu64
                   ", and is %" PRIu64 "'s",
                   unit->position, unit->lease, t->over[unit->position]);
    }
    sim_truth_gate(s, t, unit);
    for (uint32_t i = 0; i < s->nodes; i++) {
        const struct sim_host *other = &s->hosts[i];

        if (other != h && other->is_up && !other->is_done &&
            strcmp(sim_work_run(other), sim_work_run(h)) == 0 &&
            sim_work_believes(s, other, channel, unit)) {
            sim_broken(
                s, "unit %" PRIu64 " is handed out while h%" PRIu32 " holds it",
                unit->position, i);
        }
    }
}

void sim_truth_told(struct sim *s, struct sim_host *h, uint32_t channel,
                    const struct holder_outcome *o)
{
    struct sim_stream *t = sim_truth_stream(s, h, channel);
    uint8_t want = o->is_skip ? SIM_SKIPPED : SIM_COMMITTED;

    if (t == NULL || o->is_refused || (o->is_skip && t->skips >= s->skips)) {
        return; /* One skip too many fails the job. */
    }
    for (uint64_t p = o->first; p < o->end; p++) {
        uint8_t *m = sim_stream_mark(t, o->epoch, p);

        if ((*m & want) == 0 && !s->acks_early) {
            sim_broken(s,
                       "h%" PRIu32 " was told that unit %" PRIu64
                       " is committed, and it is not durable",
                       h->number, p);
        }
        /* Acknowledged early, it is lost when both that held it die. */
        if ((*m & SIM_TOLD) != 0 && !s->acks_early) {
            sim_broken(s,
                       "unit %" PRIu64 " of epoch %" PRIu64
                       " was told committed twice",
                       p, o->epoch);
        }
        *m |= SIM_TOLD;
    }
}

void sim_truth_stopped(struct sim *s, uint32_t channel, uint64_t epoch)
{
    if (s->truth != NULL && channel < s->truth->count &&
        epoch < s->truth->streams[channel].epochs) {
        s->truth->streams[channel].stopped[epoch] |= SIM_STOPPED;
    }
}

/* A rank of @h has read the end of the stream: all of it is settled. */
void sim_truth_ended(struct sim *s, struct sim_host *h, uint32_t channel)
{
    struct sim_stream *t = sim_truth_stream(s, h, channel);

    if (t != NULL && !s->acks_early &&
        (t->epoch + 1 < t->epochs ||
         (t->settled < t->positions && !t->stopped[t->epoch]))) {
        sim_broken(s,
                   "h%" PRIu32 " was told the end in epoch %" PRIu64
                   " with %" PRIu64 " of %" PRIu64,
                   h->number, t->epoch, t->settled, t->positions);
    }
}

void sim_truth_done(struct sim *s, struct sim_host *h, enum status status)
{
    struct sim_truth *m = sim_truth_of(s, sim_work_run(h));

    if (status == STATUS_OK && m != NULL && !m->is_ended) {
        sim_broken(s,
                   "h%" PRIu32 " has ended well before the job's outcome "
                   "was durable",
                   h->number);
    }
}

bool sim_truth_is_poison(const struct sim *s, uint64_t position)
{
    if (s->options.story != NULL) {
        return position > 0 && position == s->options.story->poison;
    }
    return s->poison > 0 &&
           prng_mix(s->options.seed * 31 + position) % 1000 < s->poison;
}

uint64_t sim_truth_base(const struct sim *s, uint32_t channel, struct buf *out)
{
    const struct sim_truth *m = s->prior;
    const struct sim_stream *t =
        m == NULL || channel >= m->count ? NULL : &m->streams[channel];
    struct ranges *set = ranges_new();
    uint64_t epoch = t == NULL ? 0 : t->epoch;

    for (uint64_t p = 0; t != NULL && p < t->positions; p++) {
        if ((*sim_stream_mark(t, epoch, p) & SIM_SETTLED) != 0) {
            ranges_add(set, (struct range){p, p + 1});
        }
    }
    buf_clear(out);
    if (t != NULL) {
        ranges_write(set, out);
    }
    ranges_destroy(&set);
    return epoch;
}

bool sim_truth_has_plan(const struct sim *s)
{
    return s->truth != NULL && s->truth->count > 0;
}

bool sim_truth_is_run(const struct sim *s, const char *run)
{
    return s->truth != NULL && strcmp(s->truth->run, run) == 0;
}

bool sim_truth_is_ended(const struct sim *s)
{
    return s->truth != NULL && s->truth->is_ended;
}

/* All is committed once, if the job ended well. */
void sim_truth_audit(struct sim *s)
{
    const struct sim_truth *m = s->truth;

    if (m != NULL && m->is_ended) {
        sim_audit(s, m->run, m->outcome == STATUS_OK);
    }
    for (uint32_t i = 0;
         m != NULL && m->is_ended && m->outcome == STATUS_OK && i < m->count;
         i++) {
        const struct sim_stream *t = &m->streams[i];

        for (uint64_t k = t->first * t->positions; k < t->positions * t->epochs;
             k++) {
            uint64_t epoch = k / t->positions;

            if ((t->marks[k] & SIM_SETTLED) == 0 && !t->stopped[epoch]) {
                sim_broken(s,
                           "the job ended without unit %" PRIu64
                           " of epoch %" PRIu64,
                           k % t->positions, epoch);
            }
        }
    }
}
