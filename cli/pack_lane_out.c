/* SPDX-License-Identifier: Apache-2.0 */
/* A shard, sent in parts; a small one at once. */

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/crc.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/pack_lane_parts.h"
#include "store/store_sync.h"

enum { PACK_SENT_FIRST = 16 };

void pack_lane_begin(struct pack_lane *l, struct bytes key, uint64_t size)
{
    struct pack_target *out = &l->out;
    uint64_t part = size / (STORE_PARTS_MAX / 2) + 1;

    CHECK(out->filling == NULL && out->upload[0] == '\0');
    buf_clear(&out->key);
    buf_add_bytes(&out->key, key);
    out->part_bytes = part > PACK_PART_BYTES ? (size_t)part : PACK_PART_BYTES;
    for (size_t i = 0; i < PACK_PARTS && out->room_bytes < out->part_bytes;
         i++) {
        free(out->parts[i].room);
        out->parts[i].room = mem_new(1, out->part_bytes);
    }
    out->room_bytes =
        out->room_bytes > out->part_bytes ? out->room_bytes : out->part_bytes;
    out->sent_count = 0;
    out->size = 0;
    out->crc = 0;
}

/* ---- Parts. */

static enum status pack_part_done(struct pack_target *out,
                                  const struct store_event *event,
                                  struct fault *why)
{
    struct pack_part *part = &out->parts[event->tag];
    struct store_part *sent;

    CHECK(event->tag < PACK_PARTS && part->number > 0);
    if (event->status == STATUS_OK) {
        sent = &out->sent[part->number - 1];
        memcpy(sent->etag, event->etag, STORE_ETAG_MAX);
        sent->size = part->size;
        sent->sum = event->sum;
    } else {
        *why = event->why;
    }
    part->number = 0;
    part->size = 0;
    return event->status;
}

enum status pack_lane_turn(struct pack_lane *l, int timeout_ms,
                           struct fault *why)
{
    struct pack_target *out = &l->out;
    enum status s = STATUS_OK;
    size_t got;

    if (store_inflight(out->store) == 0) {
        return STATUS_OK;
    }
    got = store_poll(out->store, timeout_ms, l->events, PACK_EVENTS);
    for (size_t i = 0; i < got; i++) {
        struct fault own;
        enum status one = pack_part_done(out, &l->events[i], &own);

        if (s == STATUS_OK && one != STATUS_OK) {
            *why = own;
            s = one;
        }
    }
    return s;
}

static enum status pack_open_upload(struct pack_lane *l, struct fault *why)
{
    struct pack_target *out = &l->out;
    struct store_event *event = &l->events[0];
    enum status s =
        store_sync(out->store,
                   &(struct store_request){.op = STORE_UPLOAD_BEGIN,
                                           .key = buf_bytes(&out->key)},
                   event);

    if (s != STATUS_OK) {
        *why = event->why;
        return s;
    }
    memcpy(out->upload, event->upload, sizeof(out->upload));
    return STATUS_OK;
}

/* Send the part that is being filled. */
static enum status pack_send(struct pack_lane *l, struct fault *why)
{
    struct pack_target *out = &l->out;
    struct pack_part *part = out->filling;
    enum status s =
        out->upload[0] == '\0' ? pack_open_upload(l, why) : STATUS_OK;

    if (s != STATUS_OK) {
        return s;
    }
    if (out->sent_count == out->sent_room) {
        out->sent_room =
            out->sent_room > 0 ? 2 * out->sent_room : PACK_SENT_FIRST;
        out->sent = mem_grow(out->sent, out->sent_room, sizeof(out->sent[0]));
    }
    out->sent[out->sent_count] = (struct store_part){.size = 0};
    part->number = ++out->sent_count;
    out->filling = NULL;
    CHECK(store_submit(out->store, &(struct store_request){
                                       .op = STORE_UPLOAD_PART,
                                       .tag = (uint64_t)(part - out->parts),
                                       .key = buf_bytes(&out->key),
                                       .upload = out->upload,
                                       .part = part->number,
                                       .body = part->room,
                                       .size = part->size,
                                   }) == STATUS_OK);
    return STATUS_OK;
}

static struct pack_part *pack_free_part(struct pack_target *out)
{
    for (size_t i = 0; i < PACK_PARTS; i++) {
        if (out->parts[i].number == 0) {
            return &out->parts[i];
        }
    }
    return NULL;
}

/* Have a part to fill. */
static enum status pack_have_part(struct pack_lane *l, struct fault *why)
{
    struct pack_target *out = &l->out;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && out->filling == NULL) {
        out->filling = pack_free_part(out);
        if (out->filling == NULL) {
            s = pack_lane_may_go_on(l, why);
            s = s == STATUS_OK ? pack_lane_turn(l, PACK_WAIT_MS, why) : s;
        }
    }
    return s;
}

enum status pack_lane_add(struct pack_lane *l, struct bytes bytes,
                          struct fault *why)
{
    struct pack_target *out = &l->out;
    enum status s = STATUS_OK;

    out->crc = crc_add(CRC_64NVME, out->crc, bytes.at, bytes.size);
    out->size += bytes.size;
    while (s == STATUS_OK && bytes.size > 0) {
        size_t room;

        s = pack_have_part(l, why);
        if (s != STATUS_OK) {
            return s;
        }
        room = out->part_bytes - out->filling->size;
        room = bytes.size < room ? bytes.size : room;
        memcpy(out->filling->room + out->filling->size, bytes.at, room);
        out->filling->size += room;
        bytes.at += room;
        bytes.size -= room;
        if (out->filling->size == out->part_bytes) {
            s = pack_send(l, why);
        }
    }
    return s;
}

/* ---- The end. */

static enum status pack_put(struct pack_lane *l, enum store_when when)
{
    struct pack_target *out = &l->out;
    const struct pack_part *part = out->filling;
    size_t size = part != NULL ? part->size : 0;

    return store_sync(
        out->store,
        &(struct store_request){.op = STORE_PUT,
                                .key = buf_bytes(&out->key),
                                .when = when,
                                .body = size > 0 ? part->room : NULL,
                                .size = size},
        &l->events[0]);
}

static enum status pack_join(struct pack_lane *l, enum store_when when)
{
    struct pack_target *out = &l->out;

    return store_sync(out->store,
                      &(struct store_request){.op = STORE_UPLOAD_END,
                                              .key = buf_bytes(&out->key),
                                              .when = when,
                                              .upload = out->upload,
                                              .part_count = out->sent_count,
                                              .parts = out->sent},
                      &l->events[0]);
}

static enum status pack_finish(struct pack_lane *l, enum store_when when,
                               struct fault *why)
{
    struct pack_target *out = &l->out;
    bool is_upload = out->upload[0] != '\0';
    enum status s = STATUS_OK;

    if (is_upload && out->filling != NULL) {
        s = pack_send(l, why);
    }
    while (s == STATUS_OK && store_inflight(out->store) > 0) {
        s = pack_lane_may_go_on(l, why);
        s = s == STATUS_OK ? pack_lane_turn(l, PACK_WAIT_MS, why) : s;
    }
    if (s != STATUS_OK) {
        return s;
    }
    s = is_upload ? pack_join(l, when) : pack_put(l, when);
    if (s == STATUS_UNSUPPORTED && when != STORE_ALWAYS) {
        s = is_upload ? pack_join(l, STORE_ALWAYS) : pack_put(l, STORE_ALWAYS);
    }
    if (s != STATUS_OK) {
        *why = l->events[0].why;
    }
    return s;
}

enum status pack_lane_end(struct pack_lane *l, enum store_when when,
                          struct fault *why, uint64_t *size, uint64_t *crc)
{
    struct pack_target *out = &l->out;
    enum status s = pack_finish(l, when, why);

    if (s != STATUS_OK) {
        return s;
    }
    out->upload[0] = '\0';
    if (out->filling != NULL) {
        out->filling->size = 0;
        out->filling = NULL;
    }
    if (size != NULL) {
        *size = out->size;
    }
    if (crc != NULL) {
        *crc = out->crc;
    }
    return STATUS_OK;
}

void pack_lane_abort(struct pack_lane *l)
{
    struct pack_target *out = &l->out;
    char text[FAULT_TEXT_MAX];

    while (store_inflight(out->store) > 0) {
        (void)store_poll(out->store, -1, l->events, PACK_EVENTS);
    }
    if (out->upload[0] == '\0') {
        return;
    }
    if (store_sync(out->store,
                   &(struct store_request){.op = STORE_UPLOAD_ABORT,
                                           .key = buf_bytes(&out->key),
                                           .upload = out->upload},
                   &l->events[0]) != STATUS_OK &&
        l->events[0].status != STATUS_NOT_FOUND) {
        log_event(LOG_WARN, "pack.upload-left", "why=%s",
                  log_quote(l->events[0].why.text, text, sizeof(text)));
    }
    out->upload[0] = '\0';
}
