/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_work.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/bring_move.h"
#include "worker/bring_object.h"

struct bring_work {
    const struct bring_work_options *o;
    struct fetch_source sources[BRING_CHANNELS_MAX];
    struct fetch *fetch; /* NULL until something is asked for. */
    struct bring_move *move;
    uint32_t channel; /* Whose items are being taken. */
    uint64_t top;     /* They are due in their order. */
    struct bring_object object;
    struct fault *why;
};

/* So many lanes have something to do. */
static uint32_t bring_lanes_wanted(const struct bring_work *w)
{
    uint64_t parts = 0;

    for (uint32_t i = 0; i < w->o->target_count; i++) {
        const struct bring_channel *c = w->o->targets[i].channel;

        parts += c->units + c->bytes / BRING_PART_BYTES;
    }
    parts = parts > 0 ? parts : 1;
    return parts < w->o->lanes ? (uint32_t)parts : w->o->lanes;
}

static enum status bring_open_fetch(void *self, struct fault *why,
                                    struct fetch **out)
{
    struct bring_work *w = self;
    enum status s;

    for (uint32_t i = 0; i < w->o->target_count; i++) {
        const struct bring_channel *c = w->o->targets[i].channel;

        w->sources[i] = (struct fetch_source){c->name, c->root_uri};
    }
    s = fetch_start(
        &(struct fetch_options){
            .sources = w->sources,
            .source_count = w->o->target_count,
            .lane_count = bring_lanes_wanted(w),
        },
        why, &w->fetch);
    *out = w->fetch;
    return s;
}

static enum status bring_copy_item(const struct bring_channel *channel,
                                   const struct bring_item *item,
                                   struct bring_object *out, struct fault *why)
{
    if (item->key.size > STORE_KEY_MAX || item->etag.size >= STORE_ETAG_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "%s: %.300s: its key or etag is too long",
                         channel->name, item->key.at);
    }
    out->key_size = item->key.size;
    memcpy(out->key, item->key.at, item->key.size);
    out->key[item->key.size] = '\0';
    out->size = item->size;
    memset(out->etag, 0, sizeof(out->etag));
    if (item->etag.size > 0) {
        memcpy(out->etag, item->etag.at, item->etag.size);
    }
    return STATUS_OK;
}

/* Begin with the next object of all channels. @is_end: there is none. */
static enum status bring_begin_next(struct bring_work *w, bool *is_end)
{
    while (w->channel < w->o->target_count) {
        struct bring_target *t = &w->o->targets[w->channel];
        struct bring_item item;
        enum status s;

        if (!t->channel->items(t->channel->items_self, &item)) {
            w->channel++;
            continue;
        }
        s = bring_copy_item(t->channel, &item, &w->object, w->why);
        if (s == STATUS_OK) {
            w->top++;
            bring_move_add(w->move, &(struct bring_want){.tag = w->top,
                                                         .due = w->top,
                                                         .source = w->channel,
                                                         .target = t,
                                                         .object = &w->object});
        }
        return s;
    }
    *is_end = true;
    return STATUS_OK;
}

static bool bring_is_stopped(const struct bring_work *w)
{
    return atomic_load(&w->o->stop->is_set);
}

/* The first that fails ends all. */
static enum status bring_take_outcomes(struct bring_work *w)
{
    struct bring_moved moved;

    while (bring_move_take(w->move, &moved)) {
        if (moved.status != STATUS_OK) {
            *w->why = *moved.why;
            return moved.status;
        }
    }
    return STATUS_OK;
}

/* Begin with as many as there is room for. @is_end: there are no more. */
static enum status bring_fill(struct bring_work *w, bool *is_end)
{
    enum status s = STATUS_OK;

    while (s == STATUS_OK && !*is_end && !bring_is_stopped(w) &&
           bring_move_has_room(w->move, w->top + 1)) {
        s = bring_begin_next(w, is_end);
        if (s == STATUS_OK) {
            s = bring_take_outcomes(w);
        }
    }
    return s;
}

/* Wait for something, and take all that there is. */
static enum status bring_wait(struct bring_work *w)
{
    struct pollfd fds[] = {
        {.fd = bring_move_fd(w->move), .events = POLLIN},
        {.fd = w->o->stop->fd, .events = POLLIN},
    };

    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), -1);
    if (bring_is_stopped(w)) {
        return STATUS_OK;
    }
    bring_move_step(w->move);
    return bring_take_outcomes(w);
}

enum status bring_work(const struct bring_work_options *options,
                       struct fault *why)
{
    struct bring_work *w = mem_new(1, sizeof(*w));
    bool is_end = false;
    enum status s = STATUS_OK;

    CHECK(options->parts > 0 && options->lanes > 0);
    w->o = options;
    w->why = why;
    w->move = bring_move_new(
        &(struct bring_move_options){bring_open_fetch, w, options->parts});
    while (s == STATUS_OK && !bring_is_stopped(w)) {
        s = bring_fill(w, &is_end);
        if (s == STATUS_OK && bring_move_count(w->move) == 0 && is_end) {
            break;
        }
        if (s == STATUS_OK && !bring_is_stopped(w)) {
            s = bring_wait(w);
        }
    }
    bring_move_destroy(&w->move);
    fetch_stop(&w->fetch);
    free(w);
    return s;
}
