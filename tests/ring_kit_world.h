/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of rings: the state that ring_kit.h works on. */

#ifndef TESTS_RING_KIT_WORLD_H
#define TESTS_RING_KIT_WORLD_H

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
    munmap(rk.log, sizeof(*rk.log));
    close(rk.log_fd);
    close(RP_LOG_FD);
    rmdir(rk.folder);
}

#endif /* TESTS_RING_KIT_WORLD_H */
