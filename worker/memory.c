/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/memory.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/check.h"

enum {
    MEMORY_BRING_SHARE = 4,  /* File mode gets one in so many bytes, */
    MEMORY_HEDGE_SHARE = 16, /* second answers one in so many. */
    MEMORY_MIB = 1 << 20,
};

static uint32_t memory_consumers(const struct memory_options *o)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < o->channel_count; i++) {
        count += o->channels[i] == MEMORY_RANKS   ? o->ranks
                 : o->channels[i] == MEMORY_MOUNT ? 1
                                                  : 0;
    }
    return count;
}

static bool memory_has_files(const struct memory_options *o)
{
    for (uint32_t i = 0; i < o->channel_count; i++) {
        if (o->channels[i] == MEMORY_FILE) {
            return true;
        }
    }
    return false;
}

/* Bytes for File mode: one part at least, and all that help where nothing
 * else is to be read. */
static uint64_t memory_brings(const struct memory_options *o,
                              uint32_t consumers)
{
    uint64_t most = (uint64_t)MEMORY_BRING * MEMORY_BRING_MAX;
    uint64_t bytes = consumers > 0 ? o->cap / MEMORY_BRING_SHARE : o->cap;

    if (!memory_has_files(o)) {
        return 0;
    }
    bytes = bytes < most ? bytes : most;
    return bytes < MEMORY_BRING ? MEMORY_BRING
                                : bytes / MEMORY_BRING * MEMORY_BRING;
}

static enum status memory_too_low(const struct memory_options *o,
                                  uint32_t consumers, uint64_t brings,
                                  struct fault *why)
{
    uint64_t least = brings + (uint64_t)consumers * MEMORY_SLOT_MIN;

    if (consumers == 0) {
        return fault_set(why, STATUS_INVALID,
                         "--memory: %" PRIu64 " bytes are not enough for the "
                         "8 MiB that File mode reads at once; give 8 MiB or "
                         "more",
                         o->cap);
    }
    return fault_set(
        why, STATUS_INVALID,
        "--memory: %" PRIu64 " bytes are not enough for %" PRIu32
        " consumers (ranks and mounts, per channel) of one slot of %d KiB "
        "each%s; give %" PRIu64 " MiB or more",
        o->cap, consumers, MEMORY_SLOT_MIN >> 10,
        brings > 0 ? " and a part of 8 MiB for File mode" : "",
        (least + MEMORY_MIB - 1) / MEMORY_MIB);
}

/* The largest slots of which each consumer gets @wanted; 0: none. */
static size_t memory_slot(uint64_t bytes, uint32_t consumers, uint32_t wanted)
{
    size_t size = MEMORY_SLOT_MAX;

    while (size >= MEMORY_SLOT_MIN && bytes / size / consumers < wanted) {
        size /= 2;
    }
    return size >= MEMORY_SLOT_MIN ? size : 0;
}

static void memory_share(const struct memory_options *o, uint64_t bytes,
                         uint32_t consumers, struct memory_plan *out)
{
    uint64_t each = bytes / out->slot_bytes / consumers;

    each = each < MEMORY_USEFUL ? each : MEMORY_USEFUL;
    CHECK(each >= 1);
    for (uint32_t i = 0; i < o->channel_count; i++) {
        out->slots[i] = o->channels[i] != MEMORY_FILE ? (uint32_t)each : 0;
    }
    out->bytes += each * consumers * out->slot_bytes;
}

/* Room for one second answer or a share, of what is left once each consumer
 * has @enough slots: none of @slot bytes is smaller than what it stands in for.
 */
static size_t memory_hedges(uint64_t bytes, size_t slot, uint64_t enough)
{
    // cppcheck-suppress zerodiv ; CHECKed
    uint64_t slots = bytes / slot;
    uint64_t share = slots / MEMORY_HEDGE_SHARE;
    uint64_t spare = slots > enough ? slots - enough : 0;

    share = share > 0 ? share : 1;
    return (size_t)(share < spare ? share : spare) * slot;
}

enum status memory_plan(const struct memory_options *o, struct fault *why,
                        struct memory_plan *out)
{
    static const uint32_t wanted[] = {MEMORY_ENOUGH, 2, 1};
    uint32_t consumers = memory_consumers(o);
    uint64_t brings = memory_brings(o, consumers);
    uint64_t left = o->cap > brings ? o->cap - brings : 0;
    size_t size;
    size_t i;

    CHECK(o->channel_count <= MEMORY_CHANNELS_MAX);
    CHECK(o->ranks >= 1 && o->ranks <= MEMORY_RANKS_MAX);
    *out = (struct memory_plan){.slot_bytes = MEMORY_SLOT_MIN,
                                .brings = (uint32_t)(brings / MEMORY_BRING),
                                .bytes = brings};
    if (brings > o->cap || left / MEMORY_SLOT_MIN < consumers) {
        return memory_too_low(o, consumers, brings, why);
    }
    if (consumers == 0) {
        out->hedge_bytes = out->brings > 1 ? MEMORY_BRING : 0;
        out->brings -= out->brings > 1;
        return STATUS_OK;
    }
    for (i = 0, size = 0; size == 0; i++) {
        CHECK(i < sizeof(wanted) / sizeof(wanted[0]));
        size = memory_slot(left, consumers, wanted[i]);
    }
    out->slot_bytes = size;
    out->hedge_bytes =
        // cppcheck-suppress arrayIndexOutOfBounds ; CHECKed
        memory_hedges(left, size, (uint64_t)consumers * wanted[i - 1]);
    out->bytes += out->hedge_bytes;
    memory_share(o, left - out->hedge_bytes, consumers, out);
    CHECK(out->bytes <= o->cap);
    return STATUS_OK;
}
