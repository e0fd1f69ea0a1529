/* SPDX-License-Identifier: Apache-2.0 */
/* Journal: what the coordinator has decided, made durable and found again by
 * the next one.
 *
 *   journal/NUMBER    records in the order in which they were appended
 *   audit/FIRST-LAST  the records of the journal objects that a snapshot has
 *                     swallowed, or soon will
 *   snapshot          the owner's whole state after journal object LAST
 *
 * Each object has a heading (run, number, term, writer's nonce) and a
 * checksum. Journal objects are created only if absent, one after the other,
 * and gather what was appended meanwhile (group commit). So of two hosts that
 * both believe they lead only one writes a number; the other finds EXISTS, is
 * FENCED, and never calls anything durable again.
 *
 * A new journal first recovers: it hands out the snapshot and every record
 * after it, then creates the object after the last one, which holds only its
 * heading with the new term: the seal. Where that number is taken meanwhile,
 * it is read and handed out as well. After the seal the snapshot is looked at
 * again: had the old writer made a new one and deleted what it covers, all
 * begins anew (JOURNAL_FOUND_RESET). Seals are never deleted, so
 * that a writer finds its successor's however late it wakes up; the argument
 * is at the top of journal_recover.c.
 *
 * An outcome that may have happened or not is settled by trying again and, if
 * something is there, comparing its nonce. A cut or damaged object is read
 * again some times, then the journal is BROKEN; it is never passed over.
 *
 * Pure: one event in; store requests, records and a timer out. Threads: none.
 * Memory: what waits to be written (stats.waiting lets the owner slow down),
 * the last 8 MiB or so of what was written, a snapshot while it is made. */

#ifndef COORDINATOR_JOURNAL_H
#define COORDINATOR_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/journal_format.h"

enum {
    JOURNAL_ASKS_MAX = 8,
    JOURNAL_ETAG_MAX = 128,
    JOURNAL_READS_MAX = 6, /* Of an object that comes damaged. */
};

struct journal;

struct journal_options {
    const char *run; /* Hex; copied. */
    uint64_t term;   /* Of this coordinator. */
    uint64_t nonce;  /* Random: tells its objects from another's. */
    uint64_t now_ms;
    uint64_t gap_ms;         /* From the start of one write to the next. */
    uint64_t retry_ms;       /* After a request that failed. */
    uint64_t snapshot_bytes; /* Of journal since the last one, then a new. */
    bool has_conditions;     /* The store has conditional writes; without, plain
                                writes are made and nobody is ever FENCED. */
};

enum journal_state {
    JOURNAL_RECOVERING, /* Take the records; append nothing yet. */
    JOURNAL_OPEN,
    JOURNAL_FENCED, /* Another host has written after us. For good. */
    JOURNAL_BROKEN, /* What is stored can't be read. For good. */
};

enum journal_ask {
    JOURNAL_GET,     /* Answer OK with the whole body, or NOT_FOUND. */
    JOURNAL_CREATE,  /* PUT if absent: OK or EXISTS. */
    JOURNAL_REPLACE, /* PUT if the etag matches: OK, CHANGED, NOT_FOUND. */
    JOURNAL_WRITE,   /* PUT, whatever is there. */
    JOURNAL_DELETE,  /* OK also when it is not there. */
};

/* One request. Its views live until its outcome is given, or the journal is
 * destroyed. */
struct journal_request {
    uint32_t tag;
    enum journal_ask ask;
    char key[JOURNAL_KEY_MAX]; /* Below the run's folder. */
    const char *etag;          /* REPLACE. */
    struct bytes body;
};

enum journal_event_type { JOURNAL_EVENT_TIMER, JOURNAL_EVENT_STORED };

struct journal_event {
    enum journal_event_type type;
    uint64_t now_ms;
    uint32_t tag;       /* STORED: of the request, */
    enum status status; /* as above; anything else may have happened or not. */
    const char *etag;   /* OK of GET, CREATE, REPLACE, WRITE. Never "". */
    struct bytes body;  /* OK of GET. */
};

struct journal_effects {
    struct journal_request requests[JOURNAL_ASKS_MAX];
    uint32_t request_count;
    bool wants_snapshot; /* Call journal_snapshot() soon. */
    uint64_t timer_ms;
};

/* Make one that begins to recover at its first TIMER. Never NULL. */
struct journal *journal_new(const struct journal_options *options);
void journal_destroy(struct journal **j);

void journal_step(struct journal *j, const struct journal_event *event,
                  struct journal_effects *fx);

enum journal_state journal_state(const struct journal *j);

/* Why it is FENCED or BROKEN, naming the object; else "". */
const char *journal_fault(const struct journal *j);

/* What recovery has found, in order, to be taken after each step until there
 * is nothing more. RESET: forget all that was taken. SNAPSHOT: @body is what
 * was given to journal_snapshot(). RECORD: @body as appended, of @term, in
 * object @number. The view lives until the next step. */
enum journal_found_type {
    JOURNAL_FOUND_RESET,
    JOURNAL_FOUND_SNAPSHOT,
    JOURNAL_FOUND_RECORD,
};
struct journal_found {
    enum journal_found_type type;
    uint64_t number;
    uint64_t term;
    struct bytes body;
};
bool journal_take(struct journal *j, struct journal_found *out);

/* Append a record (copied, of JOURNAL_RECORD_MAX at most) and return its mark:
 * it is durable once journal_durable() is as large. Marks grow by one from 1
 * with each reign. CHECKs that it is not RECOVERING and all that was found is
 * taken; FENCED or BROKEN, it goes nowhere. Step with a TIMER after the last
 * append of a turn. */
uint64_t journal_append(struct journal *j, struct bytes record);
uint64_t journal_durable(const struct journal *j);

/* The owner's state after all that was appended so far (copied, of
 * JOURNAL_SNAPSHOT_MAX at most). It is written once that is durable. CHECKs
 * OPEN and that the last step said wants_snapshot. */
void journal_snapshot(struct journal *j, struct bytes state);

/* For status. */
struct journal_stats {
    uint64_t number;  /* Of the last durable object. */
    uint64_t records; /* Appended by us. */
    uint64_t bytes;
    uint64_t snapshots;
    uint64_t failures;  /* Requests that had to be made again. */
    uint64_t waiting;   /* Records that are not durable yet. */
    uint64_t recovered; /* Records found. */
};
struct journal_stats journal_stats(const struct journal *j);

void journal_check(const struct journal *j);

#endif /* COORDINATOR_JOURNAL_H */
