/* SPDX-License-Identifier: Apache-2.0 */
/* The hosts on the store of journal_store.h, and what is checked of them after
 * each step. */

#ifndef TESTS_UNIT_JOURNAL_HOSTS_H
#define TESTS_UNIT_JOURNAL_HOSTS_H

#include "tests/unit/journal_store.h"

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

#endif /* TESTS_UNIT_JOURNAL_HOSTS_H */
