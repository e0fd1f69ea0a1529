/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory, hosts that each keep a journal on it, and what must hold
 * of them, however their requests are delayed, lost, repeated or not answered.
 *
 * A record is a number that was never used before. A host's state, and so its
 * snapshot, is the list of the records that it knows. */

#ifndef TESTS_UNIT_JOURNAL_KIT_H
#define TESTS_UNIT_JOURNAL_KIT_H

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

/* ---- What must hold ----------------------------------------------------- */

static inline uint64_t kit_number(struct bytes body)
{
    uint64_t number;

    EXPECT_EQ(body.size, sizeof(number));
    memcpy(&number, body.at, sizeof(number));
    return number;
}

static inline void kit_list_add(struct kit_list *l, uint64_t number)
{
    EXPECT(l->count < KIT_RECORDS_MAX);
    l->at[l->count++] = number;
}

/* @h has recovered: it knows all that was ever called durable and all that
 * was ever found, in order, and of each writer its first so many records. */
static inline void kit_check_opened(struct kit *k, struct kit_host *h)
{
    uint64_t last_term = 0;
    uint64_t last = 0;

    h->has_opened = true;
    h->found = h->known.count;
    if (k->leader != NULL && k->leader->term > h->term) {
        /* Its seal was the older one, but it learned of it later. */
        EXPECT(h->known.count <= k->history.count);
        EXPECT(memcmp(h->known.at, k->history.at,
                      h->known.count * sizeof(uint64_t)) == 0);
        return;
    }
    EXPECT(h->known.count >= k->history.count);
    EXPECT(memcmp(h->known.at, k->history.at,
                  k->history.count * sizeof(uint64_t)) == 0);
    memset(k->in_history, 0, sizeof(k->in_history));
    for (size_t i = 0; i < h->known.count; i++) {
        uint64_t number = h->known.at[i];
        uint64_t first = 1;

        EXPECT(number >= 1 && number <= k->records && !k->in_history[number]);
        EXPECT(k->writer[number] >= last_term);
        if (k->writer[number] != last_term) {
            last = 0;
        }
        while (k->writer[first] != k->writer[number]) {
            first++;
        }
        for (uint64_t n = last == 0 ? first : last + 1; n < number; n++) {
            EXPECT(k->writer[n] != k->writer[number]);
        }
        k->in_history[number] = true;
        last_term = k->writer[number];
        last = number;
    }
    for (uint64_t n = 1; n <= k->records; n++) {
        EXPECT(!k->is_durable[n] || k->in_history[n]);
    }
    k->history = h->known;
    k->leader = h;
}

/* What a deposed host calls durable was found by its successor. */
static inline void kit_check_durable(struct kit *k, struct kit_host *h)
{
    uint64_t durable = journal_durable(h->j);

    EXPECT(durable >= h->durable);
    for (; h->durable < durable; h->durable++) {
        uint64_t number = h->known.at[h->found + h->durable];

        k->is_durable[number] = true;
        EXPECT(h == k->leader || k->in_history[number]);
    }
}

static inline void kit_take(struct kit *k, struct kit_host *h)
{
    struct journal_found found;

    while (journal_take(h->j, &found)) {
        EXPECT(!h->has_opened);
        if (found.type == JOURNAL_FOUND_RESET) {
            h->known.count = 0;
            k->resets++;
        } else if (found.type == JOURNAL_FOUND_SNAPSHOT) {
            EXPECT_EQ(h->known.count, 0);
            for (size_t i = 0; i < found.body.size; i += sizeof(uint64_t)) {
                kit_list_add(&h->known,
                             kit_number((struct bytes){found.body.at + i, 8}));
            }
        } else {
            kit_list_add(&h->known, kit_number(found.body));
            EXPECT(found.term <= h->term && found.number > 0);
        }
    }
}

/* ---- Hosts -------------------------------------------------------------- */

static inline void kit_step(struct kit *k, struct kit_host *h,
                            const struct journal_event *event)
{
    struct journal_effects fx;
    enum journal_state before = journal_state(h->j);

    journal_step(h->j, event, &fx);
    kit_take(k, h);
    journal_check(h->j);
    EXPECT(journal_state(h->j) >= before);
    if (journal_state(h->j) == JOURNAL_OPEN && !h->has_opened) {
        kit_check_opened(k, h);
    }
    if (journal_state(h->j) == JOURNAL_FENCED && before != JOURNAL_FENCED) {
        EXPECT(h->term < k->host_count);
        k->fenced++;
    }
    kit_check_durable(k, h);
    h->timer_ms = fx.timer_ms;
    h->wants_snapshot = fx.wants_snapshot;
    for (uint32_t i = 0; i < fx.request_count; i++) {
        struct kit_call *c = &h->calls[h->call_count++];

        EXPECT(h->call_count <= JOURNAL_ASKS_MAX);
        k->requests++;
        *c = (struct kit_call){.request = fx.requests[i]};
        if (c->request.ask == JOURNAL_REPLACE) {
            memcpy(c->etag, c->request.etag, strlen(c->request.etag) + 1);
        }
    }
}

static inline void kit_timer(struct kit *k, struct kit_host *h)
{
    struct journal_event event = {JOURNAL_EVENT_TIMER, .now_ms = k->now_ms};

    kit_step(k, h, &event);
}

static inline struct kit_host *kit_start(struct kit *k)
{
    struct kit_host *h = &k->hosts[k->host_count++];
    struct journal_options options = {
        .run = KIT_RUN,
        .term = k->host_count,
        .nonce = 1000 + k->host_count,
        .now_ms = k->now_ms,
        .gap_ms = KIT_GAP_MS,
        .retry_ms = KIT_RETRY_MS,
        .snapshot_bytes = k->snapshot_bytes,
        .has_conditions = k->has_conditions,
    };

    EXPECT(k->host_count <= KIT_HOSTS_MAX);
    h->term = options.term;
    h->j = journal_new(&options);
    kit_timer(k, h);
    return h;
}

/* Nobody waits for @c any more, but it may still arrive. */
static inline void kit_lose(struct kit *k, const struct kit_call *c)
{
    struct kit_call *lost = &k->lost[k->lost_count++];

    EXPECT(k->lost_count <= KIT_CALLS_MAX);
    *lost = *c;
    lost->body = (struct buf){0};
    lost->copy = (struct buf){0};
    buf_add_bytes(&lost->copy, c->request.body);
    lost->request.body = buf_bytes(&lost->copy);
}

static inline void kit_call_fini(struct kit_call *c)
{
    buf_fini(&c->body);
    buf_fini(&c->copy);
}

/* Tell @h how its call @i went; or, with @status, that this is not clear. */
static inline void kit_answer(struct kit *k, struct kit_host *h, size_t i,
                              enum status status)
{
    struct kit_call c = h->calls[i];
    struct journal_event event = {
        .type = JOURNAL_EVENT_STORED,
        .now_ms = k->now_ms,
        .tag = c.request.tag,
        .status = status != STATUS_OK ? status : c.status,
        .etag = c.got_etag,
        .body = buf_bytes(&c.body),
    };

    EXPECT(status != STATUS_OK || c.is_done);
    h->calls[i] = h->calls[--h->call_count];
    kit_step(k, h, &event);
    kit_call_fini(&c);
}

static inline void kit_kill(struct kit *k, struct kit_host *h)
{
    for (size_t i = 0; i < h->call_count; i++) {
        if (!h->calls[i].is_done) {
            kit_lose(k, &h->calls[i]);
        }
        kit_call_fini(&h->calls[i]);
    }
    h->call_count = 0;
    journal_destroy(&h->j);
}

static inline void kit_append(struct kit *k, struct kit_host *h)
{
    uint64_t number = ++k->records;

    EXPECT(number < KIT_RECORDS_MAX);
    k->writer[number] = h->term;
    kit_list_add(&h->known, number);
    EXPECT_EQ(journal_append(
                  h->j, (struct bytes){(const char *)&number, sizeof(number)}),
              h->known.count - h->found);
}

static inline void kit_snapshot(struct kit_host *h)
{
    h->wants_snapshot = false;
    journal_snapshot(h->j, (struct bytes){(const char *)h->known.at,
                                          h->known.count * sizeof(uint64_t)});
}

/* ---- Runs without chance ------------------------------------------------ */

/* Serve one call of @h, with the fault that was asked for. */
static inline void kit_serve(struct kit *k, struct kit_host *h, uint64_t number)
{
    bool fails = number == k->fail_at;

    if (!fails || !k->fail_before) {
        kit_run(k, &h->calls[0]);
    }
    kit_answer(k, h, 0, fails ? STATUS_STORE : STATUS_OK);
}

/* Go on with @h alone until it has nothing more to do. */
static inline void kit_settle(struct kit *k, struct kit_host *h)
{
    uint64_t first = k->requests - h->call_count;

    for (int i = 0; i < 20000; i++) {
        if (h->wants_snapshot) {
            kit_snapshot(h);
            kit_timer(k, h);
        } else if (h->call_count > 0) {
            kit_serve(k, h, ++first);
            first = k->requests - h->call_count;
        } else if (h->timer_ms != UINT64_MAX) {
            k->now_ms = h->timer_ms > k->now_ms ? h->timer_ms : k->now_ms;
            kit_timer(k, h);
        } else {
            return;
        }
    }
    EXPECT(!"it comes to an end");
}

/* Append @count records, each in an object of its own. */
static inline void kit_write(struct kit *k, struct kit_host *h, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        kit_append(k, h);
        kit_timer(k, h);
        kit_settle(k, h);
    }
}

/* ---- The audit ---------------------------------------------------------- */

static inline int kit_compare(const void *a, const void *b)
{
    const struct kit_object *x = a;
    const struct kit_object *y = b;

    return strcmp(x->key, y->key);
}

static inline void kit_audit_records(struct bytes records, struct kit_list *out)
{
    struct bytes record;

    while (journal_next_record(&records, &record)) {
        kit_list_add(out, kit_number(record));
    }
    EXPECT_EQ(records.size, 0);
}

/* All audit objects, and the journal objects after them, are the history,
 * without a hole. */
static inline void kit_audit(struct kit *k)
{
    struct kit_list *got = mem_new(1, sizeof(*got));
    uint64_t next = 1;

    qsort(k->objects, k->object_count, sizeof(k->objects[0]), kit_compare);
    for (size_t i = 0; i < k->object_count; i++) {
        struct journal_object o;
        struct journal_walk walk;
        struct journal_log log;

        if (k->objects[i].etag == 0 ||
            strcmp(k->objects[i].key, "snapshot") == 0) {
            continue;
        }
        EXPECT_EQ(journal_object_read(buf_bytes(&k->objects[i].body), NULL, &o),
                  STATUS_OK);
        journal_walk_init(&walk, &o);
        while (journal_next_log(&walk, &log)) {
            EXPECT(log.number <= next);
            if (log.number == next) {
                kit_audit_records(log.records, got);
                next++;
            }
        }
        EXPECT(!walk.is_damaged);
    }
    EXPECT_EQ(got->count, k->history.count);
    EXPECT(memcmp(got->at, k->history.at, got->count * sizeof(uint64_t)) == 0);
    free(got);
}

static inline struct kit *kit_new(uint64_t snapshot_bytes)
{
    struct kit *k = mem_new(1, sizeof(*k));

    k->has_conditions = true;
    k->snapshot_bytes = snapshot_bytes;
    k->now_ms = 1000;
    return k;
}

static inline void kit_destroy(struct kit **k)
{
    struct kit *it = *k;

    for (uint32_t i = 0; i < it->host_count; i++) {
        if (it->hosts[i].j != NULL) {
            kit_kill(it, &it->hosts[i]);
        }
    }
    for (size_t i = 0; i < it->lost_count; i++) {
        kit_call_fini(&it->lost[i]);
    }
    for (size_t i = 0; i < it->object_count; i++) {
        buf_fini(&it->objects[i].body);
    }
    free(it);
    *k = NULL;
}

#endif /* TESTS_UNIT_JOURNAL_KIT_H */
