/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of a ring on control memory that other hands write to: neither may
 * leave its blocks or lose its bearings, whatever stands there. The input is a
 * list of deeds; the first byte chooses the mode. */
#include <string.h>

#include "base/check.h"
#define SMSHARD_HOOKS
#include "tests/ring_client.h"

enum { SLOTS = 4, SLOT = 4096, ENTRIES = 3, CONSUMERS = 3, HELD = 8 };

struct play {
    const uint8_t *at;
    size_t size;
    struct ring_queue *queue;
    struct rc_memory memory;
    struct flow_entry entries[SLOTS][ENTRIES];
    bool is_out[SLOTS];
    bool is_over;
    bool is_scribbled; /* Else nothing may look so. */
    uint64_t position;
    struct smshard *clients[CONSUMERS];
    uint32_t old;
    struct smshard_sample held[CONSUMERS][HELD];
    uint32_t held_count[CONSUMERS];
};

void smshard_hook(enum smshard_point point)
{
    (void)point;
}

static uint64_t take(struct play *p, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes && p->size > 0; i++, p->size--) {
        value = value << 8 | *p->at++;
    }
    return value;
}

/* Other memory; the consumers of before go. */
static void renew(struct play *p)
{
    void *old = p->memory.control;

    CHECK(p->is_scribbled);
    p->memory.control = rc_block(p->memory.layout.control_size);
    ring_queue_use(p->queue, p->memory.control, p->memory.tables, 2);
    for (uint32_t c = 0; c < CONSUMERS; c++) {
        if (p->clients[c] != NULL) {
            rc_close(&p->clients[c]);
            ring_queue_leave_old(p->queue);
        }
    }
    free(old);
}

static void publish(struct play *p)
{
    uint32_t slot = (uint32_t)take(p, 1) % SLOTS;
    uint32_t shape = (uint32_t)take(p, 1);
    struct flow_slot f = {.slot = slot,
                          .entries = p->entries[slot],
                          .entry_count = 1 + shape % ENTRIES};
    enum status s;

    if (p->is_out[slot] || p->is_over) {
        return;
    }
    for (uint32_t i = 0; i < f.entry_count; i++) {
        p->entries[slot][i] = (struct flow_entry){
            .position = p->position++,
            .at = i * 64,
            .size = f.entry_count == 1 ? SLOT : 8,
            .is_first = i > 0 || (shape & 64) == 0,
            .is_last = i + 1 < f.entry_count || (shape & 128) == 0,
            .status = (shape & 32) != 0 ? STATUS_STORE : STATUS_OK};
    }
    s = ring_queue_publish(p->queue, &f);
    p->is_out[slot] = s == STATUS_OK;
    if (s == STATUS_CHANGED) {
        renew(p);
    }
}

static void join(struct play *p)
{
    struct ring_joined joined;
    enum status s = ring_queue_join(p->queue, RING_ANY, &joined);

    if (s == STATUS_OK) {
        CHECK(joined.consumer < CONSUMERS);
        CHECK(p->clients[joined.consumer] == NULL);
        p->clients[joined.consumer] = rc_open(&p->memory, &joined);
        p->held_count[joined.consumer] = 0;
    } else if (s == STATUS_CHANGED) {
        renew(p);
    }
}

static void leave(struct play *p, uint32_t c)
{
    if (p->clients[c] != NULL) {
        if (ring_queue_leave(p->queue, c) == STATUS_CHANGED) {
            renew(p);
        } else {
            rc_close(&p->clients[c]);
        }
    }
}

static void look(struct play *p, uint32_t c, const struct smshard_sample *s)
{
    const char *at = s->data;
    volatile char sum = 0;

    CHECK(at >= p->memory.data);
    CHECK(s->size <= SLOTS * SLOT);
    CHECK(at + s->size <= p->memory.data + SLOTS * SLOT);
    for (size_t i = 0; i < s->size; i += 64) {
        sum = (char)(sum ^ at[i]);
    }
    if (p->held_count[c] < HELD) {
        p->held[c][p->held_count[c]++] = *s;
    }
}

static void walk(struct play *p, uint32_t c)
{
    struct smshard_sample sample;

    if (p->clients[c] != NULL && !p->clients[c]->is_reset &&
        smshard_walk(p->clients[c], &sample) == SMSHARD_OK) {
        look(p, c, &sample);
    }
}

static void give(struct play *p, uint32_t c)
{
    if (p->clients[c] != NULL && p->held_count[c] > 0) {
        (void)smshard_give(p->clients[c], &p->held[c][--p->held_count[c]]);
    }
}

static void outcomes(struct play *p)
{
    struct ring_outcome o;

    while (ring_queue_take(p->queue, &o)) {
        CHECK(p->is_out[o.slot.slot]);
        CHECK(o.slot.entries == p->entries[o.slot.slot]);
        p->is_out[o.slot.slot] = false;
    }
}

static void scribble(struct play *p)
{
    size_t at = (size_t)take(p, 2) % (p->memory.layout.control_size / 8);
    uint64_t value = take(p, 1);

    p->is_scribbled = true;
    value = value < 128 ? value << take(p, 1) % 64 : take(p, 8);
    atomic_store((_Atomic uint64_t *)p->memory.control + at, value);
}

static void step(struct play *p, uint8_t deed)
{
    uint32_t c = deed / 16 % CONSUMERS;

    switch (deed % 12) {
    case 0:
    case 1:
        publish(p);
        break;
    case 2:
        join(p);
        break;
    case 3:
        leave(p, c);
        break;
    case 4:
    case 5:
        walk(p, c);
        break;
    case 6:
        give(p, c);
        break;
    case 7:
        scribble(p);
        break;
    case 8:
        if (ring_queue_collect(p->queue) == STATUS_CHANGED) {
            renew(p);
        }
        break;
    case 9:
        (void)!ring_queue_end_epoch(p->queue, take(p, 1));
        break;
    case 10:
        outcomes(p);
        break;
    default:
        ring_queue_ask_back(p->queue);
        p->is_over =
            p->is_over || (deed > 250 && ring_queue_end(p->queue) == STATUS_OK);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play p = {.at = data, .size = size};
    uint32_t first = (uint32_t)take(&p, 1);
    uint32_t mode = RING_EXCLUSIVE + first % 3;
    struct ring_queue_options options = {
        .shape = {.mode = mode,
                  .slot_count = SLOTS,
                  .slots_max = SLOTS,
                  .queue_count = mode == RING_BROADCAST ? CONSUMERS : 1,
                  .entries_max = ENTRIES,
                  .slot_size = SLOT},
        .consumers = mode == RING_EXCLUSIVE ? 1 : CONSUMERS,
        .drops = (first & 128) != 0};

    p.queue = ring_queue_new(&options);
    rc_init(&p.memory, ring_queue_layout(p.queue));
    ring_queue_use(p.queue, p.memory.control, p.memory.tables, 1);
    while (p.size > 0) {
        step(&p, (uint8_t)take(&p, 1));
        ring_queue_check(p.queue);
    }
    for (uint32_t c = 0; c < CONSUMERS; c++) {
        rc_close(&p.clients[c]);
    }
    ring_queue_destroy(&p.queue);
    rc_fini(&p.memory);
    return 0;
}
