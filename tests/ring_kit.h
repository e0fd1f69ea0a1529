/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side for tests of rings: units that are small, large or larger
 * than a slot, an account of each, and consumers (tools/ring_consumer.c). */

#ifndef TESTS_RING_KIT_H
#define TESTS_RING_KIT_H

#include "tests/ring_kit_units.h"

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

static inline void rk_try_end_epoch(bool is_out)
{
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
    bool is_idle = rk.filled.entry_count == 0;
    bool is_out = is_idle && rk.fresh == rk.units && rk.offset == 0;

    /* They may hold all slots together, and each wait for one more. */
    if (is_out || (is_idle && slots_free(rk.slots) == 0)) {
        ring_ask_back(rk.ring);
    }
    rk_try_end_epoch(is_out);
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

/* Until so many consumers have come; nothing is published. */
static inline void rk_await(uint64_t consumers)
{
    struct fault why;

    while (ring_stats(rk.ring).connected < consumers) {
        EXPECT(ring_host_step(rk.host, &why) == STATUS_OK);
    }
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
