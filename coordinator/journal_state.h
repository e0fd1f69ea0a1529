/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal is made of. For journal*.c only.
 *
 * Each slot has at most one request under way, or one to be made at its time.
 * The first two are for the log and for the snapshot, so that neither waits
 * for the other; the rest read ahead in recovery and delete after it. */

#ifndef COORDINATOR_JOURNAL_STATE_H
#define COORDINATOR_JOURNAL_STATE_H

#include "coordinator/journal.h"

enum journal_op {
    JOURNAL_OP_NONE,
    JOURNAL_OP_FORGET, /* Under way, and of no use any more. */

    JOURNAL_OP_LOOK,       /* LARGE: the snapshot, to begin with, */
    JOURNAL_OP_LOOK_AGAIN, /* and after the seal. */
    JOURNAL_OP_READ,       /* A journal object, in recovery. */
    JOURNAL_OP_ARRIVED,    /* It is here; not under way. */

    JOURNAL_OP_LOG,        /* LOG: create a journal object, */
    JOURNAL_OP_LOG_SETTLE, /* and read what is in its place. */
    JOURNAL_OP_AUDIT,      /* LARGE */
    JOURNAL_OP_SNAPSHOT,   /* LARGE: replace it, */
    JOURNAL_OP_SNAPSHOT_SETTLE,
    JOURNAL_OP_DELETE,
};

enum {
    JOURNAL_SLOT_LOG,
    JOURNAL_SLOT_LARGE,
    JOURNAL_SLOT_MORE,
};

#define JOURNAL_NEVER UINT64_MAX

struct journal_slot {
    enum journal_op op;
    bool is_asked; /* The request is under way, with the tag. */
    uint32_t tag;
    uint64_t due_ms;
    uint64_t number;  /* READ, ARRIVED, DELETE. */
    uint32_t damaged; /* How often what was read could not be. */
    bool is_absent;   /* ARRIVED. */
    struct buf body;  /* ARRIVED. */
};

/* A journal object that no audit object holds yet. */
struct journal_kept {
    uint64_t number;
    uint64_t term;
    struct buf bytes;     /* All of it, */
    struct bytes records; /* of which this is the body. */
};

/* Numbers, in order. */
struct journal_numbers {
    uint64_t *at;
    size_t count;
    size_t room;
};

struct journal {
    char run[JOURNAL_RUN_SIZE + 1];
    uint64_t term;
    uint64_t nonce;
    uint64_t gap_ms;
    uint64_t retry_ms;
    uint64_t snapshot_bytes;
    bool has_conditions;

    enum journal_state state;
    struct fault fault;
    uint64_t now_ms;
    struct journal_slot slots[JOURNAL_ASKS_MAX];
    uint32_t tag; /* The last one given. */

    uint64_t number;              /* The last journal object known. */
    struct journal_numbers seals; /* Up to it. */
    struct journal_kept *kept;    /* From the first that is in no audit. */
    size_t kept_count;
    size_t kept_room;
    uint64_t kept_bytes;
    uint64_t since_bytes; /* Of the log after the snapshot. */

    struct { /* journal_recover.c */
        bool has_reset;
        bool has_snapshot;
        bool is_sealed;    /* Only LOOK_AGAIN is missing. */
        bool is_reading;   /* And has met no end of the log yet. */
        uint64_t next;     /* The next number to read ahead. */
        size_t taken;      /* Of @kept, by the owner, */
        struct bytes left; /* and of the next one what is left. */
        bool is_begun;
        struct buf snapshot; /* The object, and */
        struct bytes state;  /* of it the owner's state. */
        uint64_t last;       /* Its number and term. */
        uint64_t term;
    } found;

    struct buf pending;    /* Records as they will be written, of which */
    size_t pending_done;   /* so many bytes have been. */
    uint64_t appended;     /* Marks. */
    uint64_t written;      /* In objects that are durable or under way. */
    uint64_t durable;      /* In objects that are durable. */
    uint64_t next_ms;      /* When the next write may start. */
    struct buf log;        /* The object under way. */
    struct bytes log_body; /* Of it. */

    struct {                  /* journal_snapshot.c */
        bool is_wanted;       /* Said in the last step. */
        bool is_given;        /* The owner's state waits to be written. */
        uint64_t mark;        /* What it holds, */
        uint64_t cover;       /* and up to which number; 0: not known yet. */
        uint64_t cover_bytes; /* since_bytes then. */
        struct buf state;
        struct buf object; /* Audit or snapshot under way, */
        bool is_made;
        uint64_t audit_first; /* and what an audit holds. */
        uint64_t audit_last;
        char etag[JOURNAL_ETAG_MAX]; /* Of what is stored; "": nothing. */
        uint64_t sweep_next;         /* What is deleted next, */
        uint64_t sweep_end;          /* and where that ends. */
    } snap;

    uint64_t snapshots;
    uint64_t failures;
    uint64_t bytes;
    uint64_t recovered;
};

/* journal.c */
void journal_fail(struct journal *j, enum journal_state state);
void journal_ask_at(struct journal *j, struct journal_slot *slot,
                    enum journal_op op, uint64_t due_ms);

/* After a request without a clear outcome: @op, later. */
void journal_retry(struct journal *j, struct journal_slot *slot,
                   enum journal_op op);

/* Read the object that came, which must be ours to read. Returns false when it
 * is not: then the slot reads it again, or the journal is BROKEN. */
struct journal_expect {
    enum journal_kind kind;
    uint64_t number; /* LOG. */
};
bool journal_read(struct journal *j, struct journal_slot *slot,
                  const struct journal_event *event,
                  const struct journal_expect *expect,
                  struct journal_object *out);

/* Another coordinator wrote @o, and so this one leads no more. */
void journal_fence(struct journal *j, const struct journal_object *o);
bool journal_is_ours(const struct journal *j, const struct journal_object *o);
void journal_set_etag(struct journal *j, const char *etag);

/* Keep @bytes (taken over), which hold the journal object j->number + 1. */
void journal_keep(struct journal *j, struct buf *bytes,
                  const struct journal_object *o);
void journal_add_seal_number(struct journal *j, uint64_t number);
void journal_kept_drop(struct journal *j, size_t count);
void journal_make_log(struct journal *j, struct bytes records);

/* journal_recover.c */
void journal_recover_init(struct journal *j);
void journal_recover_fini(struct journal *j);
void journal_recover_plan(struct journal *j);
void journal_take_look(struct journal *j, struct journal_slot *slot,
                       const struct journal_event *event);
void journal_take_arrival(struct journal *j, struct journal_slot *slot,
                          const struct journal_event *event);

/* The seal is written, or another's object stands in its place. */
void journal_seal_landed(struct journal *j);
void journal_seal_taken(struct journal *j, const struct journal_object *o,
                        struct bytes bytes);
bool journal_has_found(const struct journal *j);

/* journal_snapshot.c */
void journal_snapshot_fini(struct journal *j);
void journal_snapshot_plan(struct journal *j);
void journal_snapshot_reach(struct journal *j); /* More is durable. */
void journal_take_large(struct journal *j, struct journal_slot *slot,
                        const struct journal_event *event);
void journal_take_delete(struct journal *j, struct journal_slot *slot,
                         const struct journal_event *event);
void journal_snapshot_check(const struct journal *j);

#endif /* COORDINATOR_JOURNAL_STATE_H */
