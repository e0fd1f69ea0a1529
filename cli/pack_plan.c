/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pack_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/framing_write.h"
#include "proto/keypath.h"

enum { PACK_DIGITS = 6, PACK_SHARDS_FIRST = 16 };

static const char *const pack_endings[] = {"tar", "rec", "tfrecord"};

const char *pack_ending(enum framing format)
{
    switch (format) {
    case FRAMING_TAR:
        return pack_endings[0];
    case FRAMING_RECORDIO:
        return pack_endings[1];
    case FRAMING_TFRECORD:
        return pack_endings[2];
    case FRAMING_RAW:
    case FRAMING_LINES:
        break;
    }
    UNREACHABLE("nothing is packed as raw or lines");
}

void pack_shard_name(const char *prefix, uint32_t number, enum framing format,
                     char out[PACK_NAME_MAX])
{
    int size = snprintf(out, PACK_NAME_MAX, "%s-%0*" PRIu32 ".%s", prefix,
                        PACK_DIGITS, number, pack_ending(format));

    CHECK(size > 0 && size < PACK_NAME_MAX);
}

bool pack_is_shard_name(struct bytes name, const char *prefix)
{
    size_t at = strlen(prefix);
    const size_t head = at + 1 + PACK_DIGITS + 1;

    if (name.size <= head || memcmp(name.at, prefix, at) != 0 ||
        name.at[at] != '-' || name.at[head - 1] != '.') {
        return false;
    }
    for (at++; at < head - 1; at++) {
        if (name.at[at] < '0' || name.at[at] > '9') {
            return false;
        }
    }
    name.at += head;
    name.size -= head;
    for (size_t i = 0; i < sizeof(pack_endings) / sizeof(pack_endings[0]);
         i++) {
        if (bytes_is(name, pack_endings[i])) {
            return true;
        }
    }
    return false;
}

/* ---- The plan. */

struct pack_planner {
    const struct pack_plan_options *options;
    struct pack_plan *plan;
    uint32_t room;
    char key[CATALOG_KEY_MAX]; /* Of the sample that the last object is of. */
    size_t key_size;
    bool has_key;
};

/* What the object takes in a shard. */
static enum status pack_measure(const struct pack_planner *p, struct bytes name,
                                uint64_t size, struct fault *why, uint64_t *out)
{
    char head[FRAMING_HEAD_MAX];
    char tail[FRAMING_TAIL_MAX];
    size_t head_size;

    if (p->options->format == FRAMING_RECORDIO) {
        *out =
            framing_recordio_size((struct bytes){"", 0}) + (size + 3) / 4 * 4;
        return size <= PACK_RECORDIO_MAX
                   ? STATUS_OK
                   : fault_set(why, STATUS_INVALID,
                               "%.*s: %" PRIu64 " bytes are too many for a "
                               "record of recordio; at most %d; pack as "
                               "tfrecord or tar, or leave it as it is",
                               (int)name.size, name.at, size,
                               PACK_RECORDIO_MAX);
    }
    if (framing_write_head(p->options->format, name, size, head, &head_size) !=
        STATUS_OK) {
        return fault_set(why, STATUS_INVALID,
                         "%.*s: a tar's member can't have this name",
                         (int)name.size, name.at);
    }
    *out = head_size + size +
           framing_write_tail(p->options->format, size, 0, tail);
    return STATUS_OK;
}

/* Whether the object has to lie with the one before: of one sample. */
static bool pack_joins(struct pack_planner *p, struct bytes name)
{
    struct bytes key;
    struct bytes ext;
    bool has_key = framing_split_name(name, &key, &ext);
    bool joins = has_key && p->has_key &&
                 bytes_is_equal(key, (struct bytes){p->key, p->key_size});

    if (p->options->format != FRAMING_TAR) {
        return false;
    }
    p->plan->unnamed += !has_key;
    p->has_key = has_key;
    if (has_key && !joins) {
        memcpy(p->key, key.at, key.size);
        p->key_size = key.size;
    }
    return joins;
}

static struct pack_shard *pack_add_shard(struct pack_planner *p, uint64_t first)
{
    struct pack_plan *plan = p->plan;

    if (plan->count == p->room) {
        p->room = p->room > 0 ? 2 * p->room : PACK_SHARDS_FIRST;
        plan->shards = mem_grow(plan->shards, p->room, sizeof(plan->shards[0]));
    }
    CHECK(plan->shards != NULL);
    plan->shards[plan->count] = (struct pack_shard){
        .first = first,
        .size = p->options->format == FRAMING_TAR ? FRAMING_TAR_END : 0};
    return &plan->shards[plan->count++];
}

/* A sample: objects [first, first + count) of @size bytes in a shard. */
struct pack_group {
    uint64_t first;
    uint64_t count;
    uint64_t size;
};

/* Put the sample into the last shard, or a new one. */
static enum status pack_place(struct pack_planner *p,
                              const struct pack_group *g, struct fault *why)
{
    struct pack_shard *last =
        p->plan->count > 0 ? &p->plan->shards[p->plan->count - 1] : NULL;

    if (g->count == 0) {
        return STATUS_OK;
    }
    if (last == NULL || last->size + g->size > p->options->size) {
        if (p->plan->count == PACK_SHARDS_MAX) {
            return fault_set(why, STATUS_FULL,
                             "more than %d shards; give a larger --size",
                             PACK_SHARDS_MAX);
        }
        last = pack_add_shard(p, g->first);
    }
    last->count += g->count;
    last->size += g->size;
    return STATUS_OK;
}

static enum status pack_take(struct pack_planner *p,
                             const struct catalog_object *object,
                             uint64_t index, struct fault *why,
                             struct pack_group *group)
{
    struct bytes name = {"", 0};
    uint64_t size = 0;
    enum status s = keypath_of(p->options->prefix, object->key, why, &name);

    if (s == STATUS_OK) {
        s = pack_measure(p, name, object->size, why, &size);
    }
    if (s == STATUS_OK && !pack_joins(p, name)) {
        s = pack_place(p, group, why);
        *group = (struct pack_group){.first = index};
    }
    group->count++;
    group->size += size;
    return s;
}

enum status pack_plan_make(const struct catalog *objects,
                           const struct pack_plan_options *options,
                           struct fault *why, struct pack_plan *out)
{
    struct pack_planner *p = mem_new(1, sizeof(*p));
    struct catalog_cursor *cursor = mem_new(1, sizeof(*cursor));
    struct pack_group group = {0};
    struct catalog_object object;
    enum status s = STATUS_OK;

    *out = (struct pack_plan){0};
    p->options = options;
    p->plan = out;
    catalog_seek(objects, 0, cursor);
    while (s == STATUS_OK && catalog_next(cursor, &object)) {
        s = pack_take(p, &object, cursor->next - 1, why, &group);
    }
    if (s == STATUS_OK) {
        s = pack_place(p, &group, why);
    }
    if (s != STATUS_OK) {
        pack_plan_fini(out);
    }
    free(cursor);
    free(p);
    return s;
}

void pack_plan_fini(struct pack_plan *p)
{
    free(p->shards);
    *p = (struct pack_plan){0};
}
