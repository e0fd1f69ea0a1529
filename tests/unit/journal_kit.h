/* SPDX-License-Identifier: Apache-2.0 */
/* What tests do with the hosts of journal_hosts.h: start, answer, kill and
 * settle them. */

#ifndef TESTS_UNIT_JOURNAL_KIT_H
#define TESTS_UNIT_JOURNAL_KIT_H

#include "tests/unit/journal_hosts.h"

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

    for (int i = 0;; i++) {
        EXPECT(i < 20000); /* It comes to an end. */
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
