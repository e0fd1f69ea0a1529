/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of rings: the worker's side, with a source of units that are
 * small, large, or larger than a slot, and an account of what became of each.
 * Consumers are processes of tests/tools/ring_consumer.c. */

#ifndef TESTS_RING_KIT_H
#define TESTS_RING_KIT_H

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "tests/harness.h"
#include "tests/ring_pattern.h"
#include "worker/ring.h"

enum {
    RK_SLOTS = 8,
    RK_SLOT = 8192,
    RK_ENTRIES = 16,
    RK_CHILDREN = 16,
    RK_ARGS = 24,
};

struct rk_unit {
    uint64_t consumed; /* Bytes of this try. */
    uint32_t committed;
    bool is_torn; /* To be delivered anew. */
};

struct rk {
    char folder[64];
    struct ring_host *host;
    struct ring *ring;
    struct slots *slots;
    struct rp_log *log;
    int log_fd;
    struct ring_options options;

    uint64_t epochs;
    uint64_t units;  /* Of an epoch. */
    bool ends_early; /* Say the end when all is out, not when it is back. */
    uint64_t epoch;
    uint64_t fresh; /* The first position that was never chosen. */
    uint64_t position;
    uint64_t offset; /* In the unit. */
    bool is_ended;   /* This epoch was. */
    bool is_over;
    struct flow_slot filled; /* And not published; without entries: none. */
    struct flow_entry entries[RK_SLOTS][RK_ENTRIES];
    bool is_taken[RK_SLOTS];
    struct rk_unit state[RP_UNITS_MAX];
    uint64_t committed; /* Of this epoch. */
    uint64_t torn;
    uint64_t dropped;

    pid_t children[RK_CHILDREN];
    int codes[RK_CHILDREN]; /* -1: it runs; 1000 and a signal. */
    uint32_t child_count;
};

static struct rk rk;

static inline uint64_t rk_unit_size(uint64_t unit)
{
    if (unit % 11 == 5) {
        return RK_SLOT * 2 + 100 + unit % 7 * 1000;
    }
    return unit % 5 == 0 ? RK_SLOT / 2 : 8 + unit * 37 % (RK_SLOT / 6);
}

static inline void rk_open_host(void)
{
    struct fault why = {""};

    if (ring_host_open(rk.folder, &why, &rk.host) != STATUS_OK ||
        ring_new(rk.host, &rk.options, &why, &rk.ring) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        EXPECT(false);
    }
    setenv("SMSHARD_RING", ring_host_path(rk.host), 1);
}

static inline void rk_begin(enum ring_mode mode, uint32_t consumers,
                            uint64_t units)
{
    struct fault why;
    struct slots_options slots = {
        .kind = SLOTS_SHARED, .count = RK_SLOTS, .size = RK_SLOT, .node = -1};

    snprintf(rk.folder, sizeof(rk.folder), "/tmp/smshard-test-XXXXXX");
    EXPECT(mkdtemp(rk.folder) != NULL);
    EXPECT(slots_new(&slots, &why, &rk.slots) == STATUS_OK);
    rk.log_fd = memfd_create("log", 0);
    EXPECT(ftruncate(rk.log_fd, sizeof(*rk.log)) == 0);
    EXPECT(dup2(rk.log_fd, RP_LOG_FD) == RP_LOG_FD);
    rk.log = mmap(NULL, sizeof(*rk.log), PROT_READ | PROT_WRITE, MAP_SHARED,
                  rk.log_fd, 0);
    EXPECT(rk.log != MAP_FAILED);
    rk.options = (struct ring_options){.channel = "train",
                                       .mode = mode,
                                       .consumers = consumers,
                                       .slots = rk.slots,
                                       .entries_max = RK_ENTRIES};
    rk.units = units;
    rk.epochs = 1;
}

static inline void rk_give(uint32_t slot)
{
    rk.is_taken[slot] = false;
    slots_give(rk.slots, slot);
}

/* Those of a ring that is no more. */
static inline void rk_give_all(void)
{
    for (uint32_t i = 0; i < RK_SLOTS; i++) {
        if (rk.is_taken[i]) {
            rk_give(i);
        }
    }
}

static inline void rk_end(void)
{
    ring_destroy(&rk.ring);
    ring_host_close(&rk.host);
    rk_give_all();
    slots_destroy(&rk.slots);
    rmdir(rk.folder);
}

/* ---- Consumers. ------------------------------------------------------------
 */

static inline const char *rk_program(void)
{
    static char path[512];
    const char *out = getenv("OUT");
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 40);

    if (out != NULL) {
        snprintf(path, sizeof(path), "%s/tests/tools/ring_consumer", out);
        return path;
    }
    EXPECT(size > 0);
    path[size] = '\0';
    EXPECT(strrchr(path, '/') != NULL);
    *strrchr(path, '/') = '\0';
    snprintf(path + strlen(path), 40, "/../tools/ring_consumer");
    return path;
}

/* @words: those behind the mode, one space between two. */
__attribute__((format(printf, 1, 2))) static inline uint32_t rk_spawn(
    const char *words, ...)
{
    static char text[512];
    char mode[16];
    char units[48];
    char *argv[RK_ARGS] = {(char *)(uintptr_t)rk_program(),
                           (char *)(uintptr_t) "train", mode, units};
    int argc = 4;
    va_list args;
    char *rest;

    snprintf(mode, sizeof(mode), "%d", (int)rk.options.mode);
    snprintf(units, sizeof(units), "units=%llu", (unsigned long long)rk.units);
    va_start(args, words);
    vsnprintf(text, sizeof(text), words, args);
    va_end(args);
    for (char *w = strtok_r(text, " ", &rest); w != NULL && argc < RK_ARGS - 1;
         w = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = w;
    }
    EXPECT(rk.child_count < RK_CHILDREN);
    fflush(NULL);
    rk.children[rk.child_count] = fork();
    if (rk.children[rk.child_count] == 0) {
        execv(argv[0], argv);
        perror(argv[0]);
        _exit(99);
    }
    rk.codes[rk.child_count] = -1;
    return rk.child_count++;
}

static inline uint32_t rk_reap(void)
{
    uint32_t running = 0;

    for (uint32_t i = 0; i < rk.child_count; i++) {
        int state;

        if (rk.codes[i] >= 0) {
            continue;
        }
        if (waitpid(rk.children[i], &state, WNOHANG) == rk.children[i]) {
            rk.codes[i] =
                WIFEXITED(state) ? WEXITSTATUS(state) : 1000 + WTERMSIG(state);
        } else {
            running++;
        }
    }
    return running;
}

/* ---- Units. ----------------------------------------------------------------
 */

static inline uint64_t rk_unit(uint64_t epoch, uint64_t position)
{
    EXPECT(epoch * rk.units + position < RP_UNITS_MAX);
    return epoch * rk.units + position;
}

/* Choose what is delivered next: what is torn comes once more at the end. */
static inline bool rk_choose(void)
{
    if (rk.offset > 0) {
        return true;
    }
    if (rk.fresh < rk.units) {
        rk.position = rk.fresh++;
        return true;
    }
    for (uint64_t i = 0; i < rk.units; i++) {
        struct rk_unit *u = &rk.state[rk_unit(rk.epoch, i)];

        if (u->is_torn) {
            *u = (struct rk_unit){.committed = u->committed};
            rk.position = i;
            return true;
        }
    }
    return false;
}

static inline uint64_t rk_size_now(void)
{
    return rk_unit_size(rk_unit(rk.epoch, rk.position));
}

/* Put the chosen unit, or its next part, behind what is in the slot. */
static inline void rk_add_entry(struct flow_slot *f)
{
    struct flow_entry *e = &rk.entries[f->slot][f->entry_count++];
    uint64_t left = rk_size_now() - rk.offset;

    *e = (struct flow_entry){.epoch = rk.epoch,
                             .position = rk.position,
                             .unit_size = rk_size_now(),
                             .offset = rk.offset,
                             .at = f->size,
                             .size = left < RK_SLOT ? left : RK_SLOT,
                             .is_first = rk.offset == 0};
    rp_fill(rk_unit(rk.epoch, rk.position), rk.offset, e->size,
            (uint8_t *)slots_at(rk.slots, f->slot) + e->at);
    e->is_last = e->size == left;
    rk.offset = e->is_last ? 0 : rk.offset + e->size;
    f->size = (f->size + e->size + 63) / 64 * 64;
}

/* true: a slot is filled. */
static inline bool rk_fill(void)
{
    struct flow_slot f = {.entries = NULL};

    if (slots_free(rk.slots) == 0 || !rk_choose()) {
        return false;
    }
    f.slot = slots_take(rk.slots);
    rk.is_taken[f.slot] = true;
    f.entries = rk.entries[f.slot];
    rk_add_entry(&f);
    while (rk.offset == 0 && f.entry_count < RK_ENTRIES &&
           f.entries[0].unit_size <= RK_SLOT / FLOW_SMALL_PART &&
           rk.fresh < rk.units) {
        rk.position = rk.fresh;
        if (rk_size_now() > RK_SLOT / FLOW_SMALL_PART ||
            rk_size_now() > RK_SLOT - f.size) {
            break;
        }
        rk.fresh++;
        rk_add_entry(&f);
    }
    rk.filled = f;
    return true;
}

static inline void rk_tear(const struct flow_slot *f)
{
    for (uint32_t i = 0; i < f->entry_count; i++) {
        struct rk_unit *u =
            &rk.state[rk_unit(f->entries[i].epoch, f->entries[i].position)];

        rk.torn += !u->is_torn;
        u->is_torn = true;
    }
}

static inline void rk_commit(const struct flow_slot *f)
{
    for (uint32_t i = 0; i < f->entry_count; i++) {
        uint64_t unit = rk_unit(f->entries[i].epoch, f->entries[i].position);
        struct rk_unit *u = &rk.state[unit];

        EXPECT(!u->is_torn);
        u->consumed += f->entries[i].size;
        EXPECT(u->consumed <= rk_unit_size(unit));
        if (u->consumed == rk_unit_size(unit)) {
            EXPECT_EQ(u->committed, 0); /* Nothing twice. */
            u->committed++;
            rk.committed++;
        }
    }
}

/* ---- The owner's loop. -----------------------------------------------------
 */

static inline void rk_take(void)
{
    struct ring_outcome o;

    while (ring_take_outcome(rk.ring, &o)) {
        if (o.kind == RING_CONSUMED) {
            rk_commit(&o.slot);
        } else if (o.kind == RING_TORN) {
            rk_tear(&o.slot);
        } else {
            rk.dropped += o.slot.entry_count;
            rk_commit(&o.slot);
        }
        rk_give(o.slot.slot);
    }
}

static inline void rk_publish(void)
{
    enum status s = STATUS_OK;

    while (s == STATUS_OK && (rk.filled.entry_count > 0 || rk_fill())) {
        s = ring_publish(rk.ring, &rk.filled);
        EXPECT(s == STATUS_OK || s == STATUS_EMPTY || s == STATUS_LOST);
        if (s == STATUS_LOST) {
            rk_tear(&rk.filled);
            rk.offset = 0; /* Its further parts are not even tried. */
            rk_give(rk.filled.slot);
            s = STATUS_OK;
        }
        if (s == STATUS_OK) {
            rk.filled.entry_count = 0;
        }
    }
}

static inline void rk_try_end_epoch(void)
{
    bool is_out =
        rk.fresh == rk.units && rk.offset == 0 && rk.filled.entry_count == 0;
    bool is_back = rk.committed == rk.units;

    if (!rk.is_ended && (is_back || (rk.ends_early && is_out))) {
        rk.is_ended = ring_end_epoch(rk.ring, rk.epoch) == STATUS_OK;
    }
    if (rk.is_ended && is_back && rk.epoch + 1 < rk.epochs) {
        rk.epoch++;
        rk.fresh = 0;
        rk.committed = 0;
        rk.is_ended = false;
    } else if (rk.is_ended && is_back && !rk.is_over) {
        rk.is_over = ring_end(rk.ring) == STATUS_OK;
    }
}

static inline void rk_end_epochs(void)
{
    if (rk.filled.entry_count == 0 && rk.fresh == rk.units && rk.offset == 0) {
        ring_ask_back(rk.ring);
    }
    rk_try_end_epoch();
}

static inline void rk_step(int timeout_ms)
{
    struct pollfd p = {.fd = ring_host_fd(rk.host), .events = POLLIN};
    struct fault why;

    EXPECT(poll(&p, 1, timeout_ms) >= 0);
    EXPECT(ring_host_step(rk.host, &why) == STATUS_OK);
    rk_take();
    rk_publish();
    rk_take();
    rk_end_epochs();
    ring_check(rk.ring);
}

/* Until no consumer runs. */
static inline void rk_run(void)
{
    do {
        rk_step(5);
    } while (rk_reap() > 0);
    for (int i = 0; i < 3; i++) {
        rk_step(0);
    }
}

/* Every unit of every epoch was committed, and what was given out is right. */
static inline void rk_expect_all(void)
{
    EXPECT_EQ(atomic_load(&rk.log->bad), 0);
    for (uint64_t e = 0; e < rk.epochs; e++) {
        for (uint64_t i = 0; i < rk.units; i++) {
            EXPECT_EQ(rk.state[rk_unit(e, i)].committed, 1);
        }
    }
    EXPECT(rk.is_over);
    EXPECT_EQ(slots_free(rk.slots), RK_SLOTS);
}

#endif /* TESTS_RING_KIT_H */
