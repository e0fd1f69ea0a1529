/* SPDX-License-Identifier: Apache-2.0 */
/* A step takes one outcome, which changes what its slot is for; then what
 * can be begun is planned into slots that are free; then each slot whose time
 * has come is asked for. */
#include "coordinator/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/journal_state.h"

struct journal *journal_new(const struct journal_options *options)
{
    struct journal *j = mem_new(1, sizeof(*j));
    size_t size = strlen(options->run);

    CHECK(size > 0 && size <= JOURNAL_RUN_SIZE);
    memcpy(j->run, options->run, size);
    j->term = options->term;
    j->nonce = options->nonce;
    j->now_ms = options->now_ms;
    j->gap_ms = options->gap_ms;
    j->retry_ms = options->retry_ms;
    j->snapshot_bytes = options->snapshot_bytes;
    j->has_conditions = options->has_conditions;
    journal_recover_init(j);
    return j;
}

void journal_kept_drop(struct journal *j, size_t count)
{
    CHECK(count <= j->kept_count);
    j->found.taken -= count < j->found.taken ? count : j->found.taken;
    for (size_t i = 0; i < count; i++) {
        j->kept_bytes -= j->kept[i].bytes.size;
        buf_fini(&j->kept[i].bytes);
    }
    j->kept_count -= count;
    memmove(j->kept, j->kept + count, j->kept_count * sizeof(*j->kept));
}

void journal_destroy(struct journal **j)
{
    struct journal *it = *j;

    if (it == NULL) {
        return;
    }
    for (size_t i = 0; i < JOURNAL_ASKS_MAX; i++) {
        buf_fini(&it->slots[i].body);
    }
    journal_recover_fini(it);
    journal_snapshot_fini(it);
    if (it->kept != NULL) {
        journal_kept_drop(it, it->kept_count);
    }
    free(it->kept);
    free(it->seals.at);
    buf_fini(&it->pending);
    buf_fini(&it->log);
    free(it);
    *j = NULL;
}

void journal_fail(struct journal *j, enum journal_state state)
{
    CHECK(state == JOURNAL_FENCED || state == JOURNAL_BROKEN);
    CHECK(j->fault.text[0] != '\0');
    j->state = state;
    for (size_t i = 0; i < JOURNAL_ASKS_MAX; i++) {
        j->slots[i].op =
            j->slots[i].is_asked ? JOURNAL_OP_FORGET : JOURNAL_OP_NONE;
    }
}

void journal_ask_at(struct journal *j, struct journal_slot *slot,
                    enum journal_op op, uint64_t due_ms)
{
    CHECK(!slot->is_asked && due_ms >= j->now_ms);
    if (slot->op != op) {
        slot->damaged = 0;
    }
    slot->op = op;
    slot->due_ms = due_ms;
}

void journal_retry(struct journal *j, struct journal_slot *slot,
                   enum journal_op op)
{
    j->failures++;
    journal_ask_at(j, slot, op, j->now_ms + j->retry_ms);
}

/* ---- What is read ------------------------------------------------------- */

static enum status journal_check_object(const struct journal *j,
                                        const struct journal_expect *expect,
                                        const struct journal_object *o,
                                        struct fault *why)
{
    if (o->kind != expect->kind) {
        return fault_set(why, STATUS_MALFORMED, "of another kind");
    }
    if (strcmp(o->run, j->run) != 0) {
        return fault_set(why, STATUS_MALFORMED, "of another run, %s", o->run);
    }
    if (o->kind == JOURNAL_KIND_LOG && o->last != expect->number) {
        return fault_set(why, STATUS_MALFORMED, "of number %llu",
                         (unsigned long long)o->last);
    }
    return STATUS_OK;
}

bool journal_read(struct journal *j, struct journal_slot *slot,
                  const struct journal_event *event,
                  const struct journal_expect *expect,
                  struct journal_object *out)
{
    char key[JOURNAL_KEY_MAX];
    struct fault why;
    enum status s = journal_object_read(event->body, &why, out);

    if (s == STATUS_OK) {
        s = journal_check_object(j, expect, out, &why);
    }
    if (s == STATUS_OK) {
        slot->damaged = 0;
        return true;
    }
    slot->damaged++;
    if (slot->damaged < JOURNAL_READS_MAX) {
        journal_retry(j, slot, slot->op);
        return false;
    }
    journal_key(expect->kind, expect->number, expect->number, key);
    fault_set(&j->fault, s,
              "%s of run %s can't be read: it is %s (read %d times). The run "
              "can't go on from here; start a new one from a cursor",
              key, j->run, why.text, JOURNAL_READS_MAX);
    journal_fail(j, JOURNAL_BROKEN);
    return false;
}

bool journal_is_ours(const struct journal *j, const struct journal_object *o)
{
    return o->nonce == j->nonce && o->term == j->term;
}

void journal_set_etag(struct journal *j, const char *etag)
{
    CHECK(strlen(etag) < JOURNAL_ETAG_MAX);
    memset(j->snap.etag, 0, sizeof(j->snap.etag));
    memcpy(j->snap.etag, etag, strlen(etag));
}

/* ---- The log ------------------------------------------------------------ */

void journal_add_seal_number(struct journal *j, uint64_t number)
{
    struct journal_numbers *n = &j->seals;

    if (n->count == n->room) {
        n->room = n->room == 0 ? 16 : 2 * n->room;
        n->at = mem_grow(n->at, n->room, sizeof(*n->at));
    }
    n->at[n->count++] = number;
}

void journal_keep(struct journal *j, struct buf *bytes,
                  const struct journal_object *o)
{
    struct journal_kept *kept;

    CHECK(o->kind == JOURNAL_KIND_LOG && o->last == j->number + 1);
    if (j->kept_count == j->kept_room) {
        j->kept_room = j->kept_room == 0 ? 16 : 2 * j->kept_room;
        j->kept = mem_grow(j->kept, j->kept_room, sizeof(*j->kept));
    }
    kept = &j->kept[j->kept_count++];
    *kept = (struct journal_kept){o->last, o->term, *bytes, o->body};
    *bytes = (struct buf){0};
    if (o->body.size == 0) {
        journal_add_seal_number(j, o->last);
    }
    j->number = o->last;
    j->kept_bytes += kept->bytes.size;
    j->since_bytes += kept->bytes.size;
    if (j->state == JOURNAL_OPEN) {
        j->found.taken = j->kept_count; /* Its own: the owner has it. */
    }
}

void journal_make_log(struct journal *j, struct bytes records)
{
    struct journal_object o = {
        .kind = JOURNAL_KIND_LOG,
        .first = j->number + 1,
        .last = j->number + 1,
        .term = j->term,
        .nonce = j->nonce,
        .body = records,
    };

    memcpy(o.run, j->run, sizeof(o.run));
    buf_clear(&j->log);
    journal_object_write(&o, &j->log);
}

/* Cut from what waits as much as goes into one object. A snapshot that was
 * given must end where an object does. */
static struct bytes journal_cut_pending(struct journal *j)
{
    const char *at = j->pending.at + j->pending_done;
    struct bytes left = {at, j->pending.size - j->pending_done};
    struct bytes record;
    size_t start = left.size;
    bool is_cut = false;

    while (!is_cut && start - left.size < JOURNAL_OBJECT_MAX &&
           journal_next_record(&left, &record)) {
        j->written++;
        is_cut = j->snap.is_given && j->written == j->snap.mark;
    }
    return (struct bytes){at, start - left.size};
}

static void journal_log_plan(struct journal *j)
{
    struct journal_slot *slot = &j->slots[JOURNAL_SLOT_LOG];
    struct bytes records;

    if (slot->op != JOURNAL_OP_NONE || j->written == j->appended ||
        j->now_ms < j->next_ms) {
        return;
    }
    records = journal_cut_pending(j);
    journal_make_log(j, records);
    j->pending_done += records.size;
    if (j->pending_done == j->pending.size) {
        buf_clear(&j->pending);
        j->pending_done = 0;
    } else if (j->pending_done > j->pending.size / 2) {
        j->pending.size -= j->pending_done;
        memmove(j->pending.at, j->pending.at + j->pending_done,
                j->pending.size);
        j->pending_done = 0;
    }
    j->next_ms = j->now_ms + j->gap_ms;
    journal_ask_at(j, slot, JOURNAL_OP_LOG, j->now_ms);
}

/* The object in j->log is stored. */
static void journal_log_landed(struct journal *j)
{
    struct journal_object o;

    j->slots[JOURNAL_SLOT_LOG].op = JOURNAL_OP_NONE;
    if (j->state == JOURNAL_RECOVERING) {
        journal_seal_landed(j);
        return;
    }
    CHECK(journal_object_read(buf_bytes(&j->log), NULL, &o) == STATUS_OK);
    CHECK(j->durable < j->written);
    j->bytes += j->log.size;
    journal_keep(j, &j->log, &o);
    j->durable = j->written;
    journal_snapshot_reach(j);
}

static void journal_take_written(struct journal *j, struct journal_slot *slot,
                                 const struct journal_event *event)
{
    if (event->status == STATUS_OK) {
        journal_log_landed(j);
    } else if (event->status == STATUS_EXISTS && j->has_conditions) {
        journal_ask_at(j, slot, JOURNAL_OP_LOG_SETTLE, j->now_ms);
    } else {
        journal_retry(j, slot, JOURNAL_OP_LOG);
    }
}

void journal_fence(struct journal *j, const struct journal_object *o)
{
    fault_set(&j->fault, STATUS_LOST,
              "%s %llu of run %s was written by the coordinator of term %llu; "
              "this one, of term %llu, leads no more",
              o->kind == JOURNAL_KIND_LOG ? "journal object" : "the snapshot",
              (unsigned long long)o->last, j->run, (unsigned long long)o->term,
              (unsigned long long)j->term);
    journal_fail(j, JOURNAL_FENCED);
}

/* Whose object stands where ours was to be created? */
static void journal_take_settled(struct journal *j, struct journal_slot *slot,
                                 const struct journal_event *event)
{
    struct journal_expect expect = {JOURNAL_KIND_LOG, j->number + 1};
    struct journal_object o;

    if (event->status != STATUS_OK) {
        /* Where it has vanished, it was swallowed by a snapshot: creating it
         * again tells. */
        journal_retry(j, slot,
                      event->status == STATUS_NOT_FOUND
                          ? JOURNAL_OP_LOG
                          : JOURNAL_OP_LOG_SETTLE);
    } else if (!journal_read(j, slot, event, &expect, &o)) {
        return;
    } else if (journal_is_ours(j, &o)) {
        journal_log_landed(j);
    } else if (j->state == JOURNAL_RECOVERING) {
        slot->op = JOURNAL_OP_NONE;
        journal_seal_taken(j, &o, event->body);
    } else {
        journal_fence(j, &o);
    }
}

/* ---- The step ----------------------------------------------------------- */

static void journal_take_event(struct journal *j,
                               const struct journal_event *event)
{
    struct journal_slot *slot = &j->slots[event->tag % JOURNAL_ASKS_MAX];

    CHECK(slot->is_asked && slot->tag == event->tag);
    CHECK_IMPLIES(event->status == STATUS_OK && slot->op != JOURNAL_OP_DELETE &&
                      slot->op != JOURNAL_OP_FORGET,
                  event->etag != NULL && event->etag[0] != '\0');
    slot->is_asked = false;
    switch (slot->op) {
    case JOURNAL_OP_FORGET:
        slot->op = JOURNAL_OP_NONE;
        break;
    case JOURNAL_OP_LOOK:
    case JOURNAL_OP_LOOK_AGAIN:
        journal_take_look(j, slot, event);
        break;
    case JOURNAL_OP_READ:
        journal_take_arrival(j, slot, event);
        break;
    case JOURNAL_OP_LOG:
        journal_take_written(j, slot, event);
        break;
    case JOURNAL_OP_LOG_SETTLE:
        journal_take_settled(j, slot, event);
        break;
    case JOURNAL_OP_AUDIT:
    case JOURNAL_OP_SNAPSHOT:
    case JOURNAL_OP_SNAPSHOT_SETTLE:
        journal_take_large(j, slot, event);
        break;
    case JOURNAL_OP_DELETE:
        journal_take_delete(j, slot, event);
        break;
    case JOURNAL_OP_NONE:
    case JOURNAL_OP_ARRIVED:
    default:
        UNREACHABLE("an outcome of nothing");
    }
}

static enum journal_ask journal_create_ask(const struct journal *j)
{
    return j->has_conditions ? JOURNAL_CREATE : JOURNAL_WRITE;
}

/* What the slot's request is, but for its tag. */
static void journal_fill(struct journal *j, const struct journal_slot *slot,
                         struct journal_request *r)
{
    enum journal_kind kind = JOURNAL_KIND_LOG;
    uint64_t first = slot->number;
    uint64_t last = slot->number;

    r->ask = JOURNAL_GET;
    if (slot->op == JOURNAL_OP_LOG || slot->op == JOURNAL_OP_LOG_SETTLE) {
        first = j->number + 1;
        last = first;
    }
    if (slot->op == JOURNAL_OP_LOG) {
        r->ask = journal_create_ask(j);
        r->body = buf_bytes(&j->log);
    } else if (slot->op == JOURNAL_OP_DELETE) {
        r->ask = JOURNAL_DELETE;
    } else if (slot->op == JOURNAL_OP_AUDIT) {
        kind = JOURNAL_KIND_AUDIT;
        first = j->snap.audit_first;
        last = j->snap.audit_last;
        r->ask = journal_create_ask(j);
        r->body = buf_bytes(&j->snap.object);
    } else if (slot->op == JOURNAL_OP_SNAPSHOT) {
        kind = JOURNAL_KIND_SNAPSHOT;
        r->ask = journal_create_ask(j);
        r->body = buf_bytes(&j->snap.object);
        if (j->has_conditions && j->snap.etag[0] != '\0') {
            r->ask = JOURNAL_REPLACE;
            r->etag = j->snap.etag;
        }
    } else if (slot == &j->slots[JOURNAL_SLOT_LARGE]) {
        kind = JOURNAL_KIND_SNAPSHOT;
    }
    journal_key(kind, first, last, r->key);
}

static bool journal_is_due(const struct journal *j,
                           const struct journal_slot *slot)
{
    return slot->op > JOURNAL_OP_FORGET && slot->op != JOURNAL_OP_ARRIVED &&
           !slot->is_asked && slot->due_ms <= j->now_ms;
}

static void journal_ask(struct journal *j, struct journal_effects *fx)
{
    for (uint32_t i = 0; i < JOURNAL_ASKS_MAX; i++) {
        struct journal_slot *slot = &j->slots[i];
        struct journal_request *r = &fx->requests[fx->request_count];

        if (!journal_is_due(j, slot)) {
            continue;
        }
        fx->request_count++;
        j->tag += JOURNAL_ASKS_MAX;
        slot->tag = j->tag + i;
        slot->is_asked = true;
        memset(r, 0, sizeof(*r));
        r->tag = slot->tag;
        journal_fill(j, slot, r);
    }
}

static uint64_t journal_timer_ms(const struct journal *j)
{
    uint64_t timer_ms = JOURNAL_NEVER;

    for (uint32_t i = 0; i < JOURNAL_ASKS_MAX; i++) {
        const struct journal_slot *slot = &j->slots[i];

        if (slot->op > JOURNAL_OP_FORGET && slot->op != JOURNAL_OP_ARRIVED &&
            !slot->is_asked && slot->due_ms < timer_ms) {
            timer_ms = slot->due_ms;
        }
    }
    if (j->state == JOURNAL_OPEN && j->written < j->appended &&
        j->slots[JOURNAL_SLOT_LOG].op == JOURNAL_OP_NONE &&
        j->next_ms < timer_ms) {
        timer_ms = j->next_ms;
    }
    return timer_ms;
}

void journal_step(struct journal *j, const struct journal_event *event,
                  struct journal_effects *fx)
{
    CHECK(event->now_ms >= j->now_ms);
    CHECK_IMPLIES(j->state == JOURNAL_OPEN, !journal_has_found(j));
    j->now_ms = event->now_ms;
    if (!j->found.has_snapshot) {
        buf_fini(&j->found.snapshot);
    }
    if (event->type == JOURNAL_EVENT_STORED) {
        journal_take_event(j, event);
    }
    if (j->state == JOURNAL_RECOVERING) {
        journal_recover_plan(j);
    }
    if (j->state == JOURNAL_OPEN) {
        journal_log_plan(j);
        journal_snapshot_plan(j);
    }
    fx->request_count = 0;
    journal_ask(j, fx);
    fx->wants_snapshot = j->state == JOURNAL_OPEN && j->snap.is_wanted;
    fx->timer_ms = journal_timer_ms(j);
}

enum journal_state journal_state(const struct journal *j)
{
    return j->state;
}

const char *journal_fault(const struct journal *j)
{
    return j->fault.text;
}

uint64_t journal_append(struct journal *j, struct bytes record)
{
    CHECK(j->state != JOURNAL_RECOVERING && !journal_has_found(j));
    j->appended++;
    if (j->state == JOURNAL_OPEN) {
        journal_add_record(record, &j->pending);
    }
    return j->appended;
}

uint64_t journal_durable(const struct journal *j)
{
    return j->durable;
}

struct journal_stats journal_stats(const struct journal *j)
{
    return (struct journal_stats){
        .number = j->number,
        .records = j->appended,
        .bytes = j->bytes,
        .snapshots = j->snapshots,
        .failures = j->failures,
        .waiting = j->appended - j->durable,
        .recovered = j->recovered,
    };
}

void journal_check(const struct journal *j)
{
    uint64_t bytes = 0;

    CHECK(j->durable <= j->written && j->written <= j->appended);
    CHECK_IMPLIES(j->state == JOURNAL_RECOVERING, j->appended == 0);
    CHECK((j->state == JOURNAL_FENCED || j->state == JOURNAL_BROKEN) ==
          (j->fault.text[0] != '\0'));
    CHECK(j->pending_done <= j->pending.size);
    for (size_t i = 0; i < j->kept_count; i++) {
        bytes += j->kept[i].bytes.size;
        CHECK(j->kept[i].number == j->number - j->kept_count + 1 + i);
    }
    CHECK(bytes == j->kept_bytes);
    for (size_t i = 0; i < j->seals.count; i++) {
        CHECK(j->seals.at[i] <= j->number);
        CHECK_IMPLIES(i > 0, j->seals.at[i] > j->seals.at[i - 1]);
    }
    for (uint32_t i = 0; i < JOURNAL_ASKS_MAX; i++) {
        const struct journal_slot *slot = &j->slots[i];

        CHECK_IMPLIES(slot->op == JOURNAL_OP_NONE, !slot->is_asked);
        CHECK_IMPLIES(slot->is_asked, slot->tag % JOURNAL_ASKS_MAX == i);
    }
    journal_snapshot_check(j);
}
