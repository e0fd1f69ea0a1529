/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory, hosts that each keep a journal on it, and what must hold
 * of them, however their requests are delayed, lost, repeated or not answered.
 *
 * A record is a number that was never used before. A host's state, and so its
 * snapshot, is the list of the records that it knows. */

#ifndef TESTS_UNIT_JOURNAL_STORE_H
#define TESTS_UNIT_JOURNAL_STORE_H

#include "base/mem.h"
#include "base/prng.h"
#include "coordinator/journal.h"
#include "tests/harness.h"

#define KIT_RUN "0123456789abcdef"

enum {
    KIT_HOSTS_MAX = 8,
    KIT_CALLS_MAX = 4096,
    KIT_RECORDS_MAX = 4096,
    KIT_OBJECTS_MAX = 4096,
    KIT_GAP_MS = 10,
    KIT_RETRY_MS = 50,
};

struct kit_object {
    char key[JOURNAL_KEY_MAX];
    struct buf body;
    uint64_t etag; /* 0: it is not there. */
};

/* A request, at the store or on its way. */
struct kit_call {
    struct journal_request request;
    struct buf copy; /* Of the body, when nobody waits any more. */
    char etag[JOURNAL_ETAG_MAX];
    bool is_done;
    struct buf body; /* Of the answer. */
    char got_etag[JOURNAL_ETAG_MAX];
    enum status status;
};

struct kit_list {
    uint64_t at[KIT_RECORDS_MAX];
    size_t count;
};

struct kit_host {
    struct journal *j; /* NULL: dead. */
    uint64_t term;
    bool has_opened;
    struct kit_list known; /* Found, then appended. */
    size_t found;          /* So many of them found. */
    uint64_t durable;
    struct kit_call calls[JOURNAL_ASKS_MAX];
    size_t call_count;
    uint64_t timer_ms;
    bool wants_snapshot;
};

struct kit {
    struct kit_object objects[KIT_OBJECTS_MAX];
    size_t object_count;
    uint64_t etags;
    uint64_t now_ms;
    bool has_conditions;
    uint64_t snapshot_bytes;

    struct kit_host hosts[KIT_HOSTS_MAX]; /* Of term index + 1. */
    uint32_t host_count;
    struct kit_host *leader; /* The last that has opened. */
    struct kit_call lost[KIT_CALLS_MAX];
    size_t lost_count;

    struct kit_list history; /* As the last recovery found it. */
    bool in_history[KIT_RECORDS_MAX];
    bool is_durable[KIT_RECORDS_MAX]; /* Somebody has called it so. */
    uint64_t writer[KIT_RECORDS_MAX]; /* Its term. */
    uint64_t records;

    uint64_t requests; /* Made so far. */
    uint64_t fail_at;  /* This one, counted from 1, has no clear outcome, */
    bool fail_before;  /* and no effect. */
    uint64_t fenced;
    uint64_t resets;
};

/* ---- The store ---------------------------------------------------------- */

static inline struct kit_object *kit_find(struct kit *k, const char *key)
{
    for (size_t i = 0; i < k->object_count; i++) {
        if (strcmp(k->objects[i].key, key) == 0) {
            return &k->objects[i];
        }
    }
    EXPECT(k->object_count < KIT_OBJECTS_MAX);
    memcpy(k->objects[k->object_count].key, key, strlen(key) + 1);
    return &k->objects[k->object_count++];
}

static inline enum status kit_put(struct kit *k, struct kit_object *o,
                                  struct kit_call *c)
{
    enum journal_ask ask = c->request.ask;
    char etag[32];

    snprintf(etag, sizeof(etag), "e%llu", (unsigned long long)o->etag);
    if (ask == JOURNAL_CREATE && o->etag != 0) {
        return STATUS_EXISTS;
    }
    if (ask == JOURNAL_REPLACE && o->etag == 0) {
        return STATUS_NOT_FOUND;
    }
    if (ask == JOURNAL_REPLACE && strcmp(etag, c->etag) != 0) {
        return STATUS_CHANGED;
    }
    buf_clear(&o->body);
    buf_add_bytes(&o->body, c->request.body);
    o->etag = ++k->etags;
    return STATUS_OK;
}

/* The request takes effect; it may do so again. */
static inline void kit_run(struct kit *k, struct kit_call *c)
{
    struct kit_object *o = kit_find(k, c->request.key);

    buf_clear(&c->body);
    c->is_done = true;
    c->status = STATUS_OK;
    if (c->request.ask == JOURNAL_DELETE) {
        o->etag = 0;
    } else if (c->request.ask == JOURNAL_GET) {
        c->status = o->etag == 0 ? STATUS_NOT_FOUND : STATUS_OK;
        buf_add_bytes(&c->body, buf_bytes(&o->body));
    } else {
        c->status = kit_put(k, o, c);
    }
    snprintf(c->got_etag, sizeof(c->got_etag), "e%llu",
             (unsigned long long)o->etag);
}

#endif /* TESTS_UNIT_JOURNAL_STORE_H */
