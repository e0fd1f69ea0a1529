/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot takes its steps one after the other: what it holds becomes
 * durable (cover is known), audit objects copy the log up to there, the
 * snapshot is stored, and only then what it covers is deleted. */
#include <string.h>

#include "base/check.h"
#include "coordinator/journal_state.h"

void journal_snapshot_fini(struct journal *j)
{
    buf_fini(&j->snap.state);
    buf_fini(&j->snap.object);
}

void journal_snapshot(struct journal *j, struct bytes state)
{
    CHECK(j->state == JOURNAL_OPEN && j->snap.is_wanted);
    CHECK(state.size <= JOURNAL_SNAPSHOT_MAX && !journal_has_found(j));
    j->snap.is_wanted = false;
    j->snap.is_given = true;
    j->snap.mark = j->appended;
    j->snap.cover = 0;
    buf_add_bytes(&j->snap.state, state);
    journal_snapshot_reach(j);
}

void journal_snapshot_reach(struct journal *j)
{
    if (j->snap.is_given && j->snap.cover == 0 && j->durable >= j->snap.mark) {
        CHECK(j->durable == j->snap.mark);
        j->snap.cover = j->number;
        j->snap.cover_bytes = j->since_bytes;
    }
}

/* ---- Audit -------------------------------------------------------------- */

/* How many of the kept go into the next audit object; 0: none is due. */
static size_t journal_audit_count(const struct journal *j)
{
    uint64_t last = j->snap.cover != 0 ? j->snap.cover : j->number;
    uint64_t bytes = 0;
    size_t count = 0;

    if (j->snap.cover == 0 && j->kept_bytes < JOURNAL_OBJECT_MAX) {
        return 0;
    }
    while (count < j->kept_count && j->kept[count].number <= last &&
           bytes < JOURNAL_OBJECT_MAX) {
        bytes += j->kept[count].bytes.size;
        count++;
    }
    return count;
}

static void journal_make_audit(struct journal *j, size_t count)
{
    struct buf body = {0};
    struct journal_object o = {
        .kind = JOURNAL_KIND_AUDIT,
        .first = j->kept[0].number,
        .last = j->kept[count - 1].number,
        .term = j->term,
        .nonce = j->nonce,
    };

    CHECK(j->found.taken >= count);
    memcpy(o.run, j->run, sizeof(o.run));
    for (size_t i = 0; i < count; i++) {
        journal_add_log(j->kept[i].term, j->kept[i].records, &body);
    }
    o.body = buf_bytes(&body);
    buf_clear(&j->snap.object);
    journal_object_write(&o, &j->snap.object);
    j->snap.audit_first = o.first;
    j->snap.audit_last = o.last;
    buf_fini(&body);
}

/* ---- The snapshot ------------------------------------------------------- */

/* The first number that may still be stored and is no seal. */
static uint64_t journal_swept(const struct journal *j)
{
    uint64_t first = j->snap.sweep_next;

    for (uint32_t i = JOURNAL_SLOT_MORE; i < JOURNAL_ASKS_MAX; i++) {
        const struct journal_slot *slot = &j->slots[i];

        if (slot->op == JOURNAL_OP_DELETE && slot->number < first) {
            first = slot->number;
        }
    }
    return first;
}

static void journal_make_snapshot(struct journal *j)
{
    struct buf seals = {0};
    uint64_t before = 0;
    struct journal_object o = {
        .kind = JOURNAL_KIND_SNAPSHOT,
        .first = journal_swept(j),
        .last = j->snap.cover,
        .term = j->term,
        .nonce = j->nonce,
        .body = buf_bytes(&j->snap.state),
    };

    memcpy(o.run, j->run, sizeof(o.run));
    for (size_t i = 0; i < j->seals.count && j->seals.at[i] <= o.last; i++) {
        journal_add_seal(before, j->seals.at[i], &seals);
        before = j->seals.at[i];
    }
    o.seals = buf_bytes(&seals);
    buf_clear(&j->snap.object);
    journal_object_write(&o, &j->snap.object);
    buf_fini(&j->snap.state);
    buf_fini(&seals);
    j->snap.is_made = true;
}

static void journal_snapshot_landed(struct journal *j, const char *etag)
{
    CHECK(j->snap.is_given && j->snap.cover != 0);
    j->slots[JOURNAL_SLOT_LARGE].op = JOURNAL_OP_NONE;
    journal_set_etag(j, etag);
    j->snap.is_given = false;
    j->snap.is_made = false;
    j->snap.sweep_end = j->snap.cover + 1;
    j->snap.cover = 0;
    j->since_bytes -= j->snap.cover_bytes;
    j->snapshots++;
    buf_fini(&j->snap.object);
}

/* What stands where our snapshot should? */
static void journal_take_rival(struct journal *j, struct journal_slot *slot,
                               const struct journal_event *event)
{
    struct journal_expect expect = {JOURNAL_KIND_SNAPSHOT, 0};
    struct journal_object o;

    if (event->status == STATUS_NOT_FOUND) {
        journal_set_etag(j, "");
        journal_retry(j, slot, JOURNAL_OP_SNAPSHOT);
    } else if (event->status != STATUS_OK) {
        journal_retry(j, slot, JOURNAL_OP_SNAPSHOT_SETTLE);
    } else if (!journal_read(j, slot, event, &expect, &o)) {
        return;
    } else if (journal_is_ours(j, &o) && o.last == j->snap.cover) {
        journal_snapshot_landed(j, event->etag);
    } else if (o.term > j->term || o.last >= j->snap.cover) {
        journal_fence(j, &o);
    } else {
        journal_set_etag(j, event->etag);
        journal_ask_at(j, slot, JOURNAL_OP_SNAPSHOT, j->now_ms);
    }
}

static void journal_take_copied(struct journal *j, struct journal_slot *slot,
                                const struct journal_event *event)
{
    size_t count;

    /* One of these bounds that exists says the same as ours. */
    if (event->status != STATUS_OK && event->status != STATUS_EXISTS) {
        journal_retry(j, slot, JOURNAL_OP_AUDIT);
        return;
    }
    CHECK(j->kept[0].number == j->snap.audit_first);
    count = (size_t)(j->snap.audit_last - j->snap.audit_first + 1);
    journal_kept_drop(j, count);
    slot->op = JOURNAL_OP_NONE;
    buf_fini(&j->snap.object);
}

static void journal_take_stored(struct journal *j, struct journal_slot *slot,
                                const struct journal_event *event)
{
    bool is_refused = event->status == STATUS_EXISTS ||
                      event->status == STATUS_CHANGED ||
                      event->status == STATUS_NOT_FOUND;

    if (event->status == STATUS_OK) {
        journal_snapshot_landed(j, event->etag);
    } else if (is_refused && j->has_conditions) {
        journal_ask_at(j, slot, JOURNAL_OP_SNAPSHOT_SETTLE, j->now_ms);
    } else {
        journal_retry(j, slot, JOURNAL_OP_SNAPSHOT);
    }
}

void journal_take_large(struct journal *j, struct journal_slot *slot,
                        const struct journal_event *event)
{
    CHECK(slot == &j->slots[JOURNAL_SLOT_LARGE]);
    if (slot->op == JOURNAL_OP_AUDIT) {
        journal_take_copied(j, slot, event);
    } else if (slot->op == JOURNAL_OP_SNAPSHOT) {
        journal_take_stored(j, slot, event);
    } else {
        journal_take_rival(j, slot, event);
    }
}

/* ---- Deleting ----------------------------------------------------------- */

void journal_take_delete(struct journal *j, struct journal_slot *slot,
                         const struct journal_event *event)
{
    if (event->status == STATUS_OK || event->status == STATUS_NOT_FOUND) {
        slot->op = JOURNAL_OP_NONE;
    } else {
        journal_retry(j, slot, JOURNAL_OP_DELETE);
    }
}

static bool journal_is_seal(const struct journal *j, uint64_t number)
{
    size_t low = 0;
    size_t high = j->seals.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (j->seals.at[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < j->seals.count && j->seals.at[low] == number;
}

static void journal_sweep_plan(struct journal *j)
{
    for (uint32_t i = JOURNAL_SLOT_MORE; i < JOURNAL_ASKS_MAX; i++) {
        struct journal_slot *slot = &j->slots[i];

        while (j->snap.sweep_next < j->snap.sweep_end &&
               journal_is_seal(j, j->snap.sweep_next)) {
            j->snap.sweep_next++;
        }
        if (j->snap.sweep_next == j->snap.sweep_end) {
            return;
        }
        if (slot->op == JOURNAL_OP_NONE) {
            slot->number = j->snap.sweep_next++;
            journal_ask_at(j, slot, JOURNAL_OP_DELETE, j->now_ms);
        }
    }
}

/* ---- What is next ------------------------------------------------------- */

void journal_snapshot_plan(struct journal *j)
{
    struct journal_slot *slot = &j->slots[JOURNAL_SLOT_LARGE];
    size_t count;

    j->snap.is_wanted =
        !j->snap.is_given && j->since_bytes >= j->snapshot_bytes;
    journal_sweep_plan(j);
    if (slot->op != JOURNAL_OP_NONE) {
        return;
    }
    count = journal_audit_count(j);
    if (count > 0) {
        journal_make_audit(j, count);
        journal_ask_at(j, slot, JOURNAL_OP_AUDIT, j->now_ms);
    } else if (j->snap.cover != 0) {
        CHECK(!j->snap.is_made);
        journal_make_snapshot(j);
        journal_ask_at(j, slot, JOURNAL_OP_SNAPSHOT, j->now_ms);
    }
}

void journal_snapshot_check(const struct journal *j)
{
    CHECK(j->snap.sweep_next <= j->snap.sweep_end);
    CHECK(j->snap.sweep_end <= j->number + 1);
    CHECK_IMPLIES(j->snap.cover != 0, j->snap.is_given);
    CHECK_IMPLIES(j->snap.is_given, j->snap.mark <= j->appended);
    CHECK_IMPLIES(j->snap.is_made, j->snap.cover != 0);
    CHECK(j->snap.cover <= j->number);
}
