/* SPDX-License-Identifier: Apache-2.0 */
/* Why no coordinator can harm a later one, however long it slept and however
 * late its requests arrive. Leases and clocks play no part in it.
 *
 * The log is the sequence of objects that were the first with their number.
 * A number, once taken, stands for the same object for ever: creating is only
 * if absent, and what of it is deleted is told below. A writer creates n + 1
 * only once it knows that n is there. Its first own object is its seal, which
 * has no records; every other object has some. A seal is never deleted.
 *
 * 1. A deposed writer makes nothing durable. Let A's next number be n, and let
 *    B be the first to seal above A's last object. B has read or passed all
 *    numbers below its seal and none of A's stands above it, so the seal has
 *    the number n, the first that A has not. It is never deleted, so each of
 *    A's attempts, now or later, finds EXISTS, reads another nonce, and A is
 *    FENCED. (Were seals deleted with the rest, A could sleep until n is free
 *    again, create it and believe that it counts.) Where A's object took n
 *    first, B reads it in place of its own seal and hands it out: A may call
 *    it durable, now or when it wakes up.
 *
 * 2. Only what a snapshot covers is deleted. A snapshot of number s is written
 *    once all up to s is durable, by (1) in the log for good. It replaces only
 *    one that its writer has read or written, if that is unchanged, and that is
 *    of a smaller number; bodies never repeat, so neither do etags. So the
 *    number of the stored snapshot never falls, also not by a late copy of a
 *    request. A writer deletes numbers up to s only after its own snapshot of
 *    s was stored, and no seals. So what is missing is covered by whatever
 *    snapshot is read after it was found missing.
 *
 * 3. A recovery finds all that was durable before its seal. It reads the
 *    snapshot (number s), then s + 1 and on to the first absent number n,
 *    creates n, and looks at the snapshot again. If that is still of s, then by
 *    (2) nothing above s had been deleted: each number read was of the log, n
 *    was the first absent one, and the seal is of the log. If it is of more, a
 *    number may have been found absent, or taken again by another recovery's
 *    seal or by a late copy, after it was deleted; all that was read is
 *    forgotten and all begins anew behind the new snapshot. What was created at
 *    n is then either of the log, and read as any other object, or below the
 *    snapshot, where nobody looks and no list of seals has it. Reading ahead is
 *    harmless: objects of the log never change, and nothing beyond the first
 *    absent one is used.
 *
 * 4. An old writer's late snapshot is right. It is of a number below the seal
 *    and covers nothing but the log. The new one finds CHANGED at its first
 *    own, reads it, and replaces it, since its own number is larger. A snapshot
 *    of a larger number or term than its own tells a writer that it is old.
 *    Late deletions touch only what such a snapshot covers.
 *
 * 5. Audit objects are copies of durable journal objects. Old and new writers
 *    may copy the same numbers into objects of different bounds; they say the
 *    same. Before a snapshot is written, its writer has stored copies of all
 *    that it has read or written up to it, and its predecessors' cover what
 *    was before: so nothing is deleted that no audit object holds.
 *
 * 6. Terms only tell an older recovery early that it is late; order is made by
 *    (1) alone.
 *
 * All of it wants a store whose reads see what was written before them: an old
 * snapshot in the second look would hide what was deleted. Without conditional
 * writes none of it holds; then nobody may lead twice. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/journal_state.h"

void journal_recover_init(struct journal *j)
{
    j->state = JOURNAL_RECOVERING;
    j->snap.sweep_next = 1;
    j->snap.sweep_end = 1;
    journal_ask_at(j, &j->slots[JOURNAL_SLOT_LARGE], JOURNAL_OP_LOOK,
                   j->now_ms);
}

void journal_recover_fini(struct journal *j)
{
    buf_fini(&j->found.snapshot);
}

/* Nobody waits any more for what is read ahead. */
static void journal_forget_reads(struct journal *j)
{
    for (uint32_t i = JOURNAL_SLOT_MORE; i < JOURNAL_ASKS_MAX; i++) {
        struct journal_slot *slot = &j->slots[i];

        buf_fini(&slot->body);
        slot->op = slot->is_asked ? JOURNAL_OP_FORGET : JOURNAL_OP_NONE;
    }
    j->found.is_reading = false;
}

/* Read the log behind what is known of it. */
static void journal_begin_reads(struct journal *j)
{
    j->found.is_reading = true;
    j->found.next = j->number + 1;
}

static void journal_reset(struct journal *j)
{
    journal_forget_reads(j);
    journal_kept_drop(j, j->kept_count);
    j->seals.count = 0;
    j->since_bytes = 0;
    j->recovered = 0;
    j->found.has_reset = true;
    j->found.has_snapshot = false;
    j->found.is_begun = false;
    j->found.is_sealed = false;
    buf_fini(&j->found.snapshot);
}

static void journal_take_seals(struct journal *j, struct bytes seals)
{
    uint64_t number = 0;

    CHECK(j->seals.count == 0);
    while (journal_next_seal(&seals, &number)) {
        journal_add_seal_number(j, number);
    }
}

/* All begins with the snapshot @body. */
static void journal_take_snapshot(struct journal *j, struct bytes body,
                                  const char *etag)
{
    struct journal_object o;

    buf_clear(&j->found.snapshot);
    buf_add_bytes(&j->found.snapshot, body);
    CHECK(journal_object_read(buf_bytes(&j->found.snapshot), NULL, &o) ==
          STATUS_OK);
    j->found.has_snapshot = true;
    j->found.state = o.body;
    j->found.last = o.last;
    j->found.term = o.term;
    journal_take_seals(j, o.seals);
    journal_set_etag(j, etag);
    j->number = o.last;
    j->snap.sweep_next = o.first;
    j->snap.sweep_end = o.first;
    journal_begin_reads(j);
}

static void journal_open(struct journal *j)
{
    j->state = JOURNAL_OPEN;
    j->next_ms = j->now_ms;
}

static void journal_take_absence(struct journal *j, struct journal_slot *slot)
{
    enum journal_op op = slot->op;

    slot->op = JOURNAL_OP_NONE;
    journal_set_etag(j, "");
    if (op == JOURNAL_OP_LOOK) {
        journal_begin_reads(j);
    } else {
        journal_open(j);
    }
}

void journal_take_look(struct journal *j, struct journal_slot *slot,
                       const struct journal_event *event)
{
    struct journal_expect expect = {JOURNAL_KIND_SNAPSHOT, 0};
    struct journal_object o;
    bool is_first = slot->op == JOURNAL_OP_LOOK;

    if (event->status == STATUS_NOT_FOUND) {
        journal_take_absence(j, slot);
        return;
    }
    if (event->status != STATUS_OK) {
        journal_retry(j, slot, slot->op);
        return;
    }
    if (!journal_read(j, slot, event, &expect, &o)) {
        return;
    }
    slot->op = JOURNAL_OP_NONE;
    if (j->has_conditions && o.term > j->term) {
        journal_fence(j, &o);
    } else if (is_first) {
        journal_take_snapshot(j, event->body, event->etag);
    } else if (o.last != j->found.last) {
        journal_reset(j);
        journal_take_snapshot(j, event->body, event->etag);
    } else {
        journal_set_etag(j, event->etag);
        journal_open(j);
    }
}

void journal_take_arrival(struct journal *j, struct journal_slot *slot,
                          const struct journal_event *event)
{
    struct journal_expect expect = {JOURNAL_KIND_LOG, slot->number};
    struct journal_object o;

    if (event->status != STATUS_OK && event->status != STATUS_NOT_FOUND) {
        journal_retry(j, slot, JOURNAL_OP_READ);
        return;
    }
    if (event->status == STATUS_OK) {
        if (!journal_read(j, slot, event, &expect, &o)) {
            return;
        }
        buf_clear(&slot->body);
        buf_add_bytes(&slot->body, event->body);
    }
    slot->is_absent = event->status == STATUS_NOT_FOUND;
    slot->op = JOURNAL_OP_ARRIVED;
}

/* Whether the records of @o are well framed; count them. */
static bool journal_count_records(struct journal *j,
                                  const struct journal_object *o)
{
    struct bytes left = o->body;
    struct bytes record;

    while (journal_next_record(&left, &record)) {
        j->recovered++;
    }
    return left.size == 0;
}

/* The next object of the log is @o, in @bytes, which are taken over. */
static void journal_take_log(struct journal *j, struct buf *bytes,
                             const struct journal_object *o)
{
    if (j->has_conditions && o->term > j->term) {
        journal_fence(j, o);
        return;
    }
    if (!journal_count_records(j, o)) {
        fault_set(&j->fault, STATUS_MALFORMED,
                  "journal object %llu of run %s can't be used: its records "
                  "are damaged. The run can't go on from here; start a new "
                  "one from a cursor",
                  (unsigned long long)o->last, j->run);
        journal_fail(j, JOURNAL_BROKEN);
        return;
    }
    journal_keep(j, bytes, o);
}

void journal_seal_landed(struct journal *j)
{
    struct journal_object o;

    CHECK(!j->found.is_sealed);
    CHECK(journal_object_read(buf_bytes(&j->log), NULL, &o) == STATUS_OK);
    journal_keep(j, &j->log, &o);
    j->found.is_sealed = true;
    journal_ask_at(j, &j->slots[JOURNAL_SLOT_LARGE], JOURNAL_OP_LOOK_AGAIN,
                   j->now_ms);
}

void journal_seal_taken(struct journal *j, const struct journal_object *o,
                        struct bytes bytes)
{
    struct buf copy = {0};
    struct journal_object own = *o;

    buf_add_bytes(&copy, bytes);
    CHECK(journal_object_read(buf_bytes(&copy), NULL, &own) == STATUS_OK);
    journal_take_log(j, &copy, &own);
    buf_fini(&copy);
    if (j->state == JOURNAL_RECOVERING) {
        journal_begin_reads(j);
    }
}

static struct journal_slot *journal_find_arrived(struct journal *j,
                                                 uint64_t number)
{
    for (uint32_t i = JOURNAL_SLOT_MORE; i < JOURNAL_ASKS_MAX; i++) {
        struct journal_slot *slot = &j->slots[i];

        if (slot->op == JOURNAL_OP_ARRIVED && slot->number == number) {
            return slot;
        }
    }
    return NULL;
}

static void journal_take_arrived(struct journal *j)
{
    struct journal_slot *slot = journal_find_arrived(j, j->number + 1);
    struct journal_object o;

    while (slot != NULL && !slot->is_absent) {
        CHECK(journal_object_read(buf_bytes(&slot->body), NULL, &o) ==
              STATUS_OK);
        slot->op = JOURNAL_OP_NONE;
        journal_take_log(j, &slot->body, &o);
        if (j->state != JOURNAL_RECOVERING) {
            return;
        }
        slot = journal_find_arrived(j, j->number + 1);
    }
    if (slot != NULL) {
        journal_forget_reads(j);
        journal_make_log(j, (struct bytes){NULL, 0});
        journal_ask_at(j, &j->slots[JOURNAL_SLOT_LOG], JOURNAL_OP_LOG,
                       j->now_ms);
    }
}

void journal_recover_plan(struct journal *j)
{
    if (j->found.is_reading) {
        journal_take_arrived(j);
    }
    if (!j->found.is_reading || j->state != JOURNAL_RECOVERING) {
        return;
    }
    for (uint32_t i = JOURNAL_SLOT_MORE; i < JOURNAL_ASKS_MAX; i++) {
        struct journal_slot *slot = &j->slots[i];

        if (slot->op == JOURNAL_OP_NONE) {
            slot->number = j->found.next++;
            journal_ask_at(j, slot, JOURNAL_OP_READ, j->now_ms);
        }
    }
}

/* Pass over what has no records left. */
static const struct journal_kept *journal_found_next(const struct journal *j,
                                                     size_t *taken)
{
    bool is_begun = j->found.is_begun;

    *taken = j->found.taken;
    while (*taken < j->kept_count &&
           (is_begun ? j->found.left.size : j->kept[*taken].records.size) ==
               0) {
        (*taken)++;
        is_begun = false;
    }
    return *taken < j->kept_count ? &j->kept[*taken] : NULL;
}

bool journal_has_found(const struct journal *j)
{
    size_t taken;

    return j->found.has_reset || j->found.has_snapshot ||
           journal_found_next(j, &taken) != NULL;
}

static bool journal_take_record(struct journal *j, struct journal_found *out)
{
    size_t taken;
    const struct journal_kept *kept = journal_found_next(j, &taken);

    if (kept == NULL) {
        j->found.taken = taken;
        j->found.is_begun = false;
        return false;
    }
    if (taken != j->found.taken || !j->found.is_begun) {
        j->found.taken = taken;
        j->found.left = kept->records;
        j->found.is_begun = true;
    }
    CHECK(journal_next_record(&j->found.left, &out->body));
    out->type = JOURNAL_FOUND_RECORD;
    out->number = kept->number;
    out->term = kept->term;
    return true;
}

bool journal_take(struct journal *j, struct journal_found *out)
{
    memset(out, 0, sizeof(*out));
    if (j->found.has_reset) {
        j->found.has_reset = false;
        out->type = JOURNAL_FOUND_RESET;
        return true;
    }
    if (j->found.has_snapshot) {
        j->found.has_snapshot = false;
        out->type = JOURNAL_FOUND_SNAPSHOT;
        out->number = j->found.last;
        out->term = j->found.term;
        out->body = j->found.state;
        return true;
    }
    return journal_take_record(j, out);
}
