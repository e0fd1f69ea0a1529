/* SPDX-License-Identifier: Apache-2.0 */
/* Objects, read ahead. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/pack_lane_parts.h"
#include "store/store_uri.h"

void pack_lane_read(struct pack_lane *l, const struct catalog *objects,
                    struct pack_range range)
{
    struct pack_source *in = &l->in;

    CHECK(in->given == in->asked && !in->has_given);
    catalog_seek(objects, range.first, &in->cursor);
    in->end = range.first + range.count;
    in->is_whole = range.is_whole;
    in->has_object = false;
}

static struct pack_ask *pack_ask_at(struct pack_source *in, uint64_t number)
{
    return &in->asks[number % PACK_AHEAD];
}

/* Cut the next range into @ask. false: there is none, or no room for it. */
static bool pack_cut(struct pack_source *in, struct pack_ask *ask)
{
    uint64_t left;

    if (!in->has_object) {
        if (in->cursor.next == in->end ||
            !catalog_next(&in->cursor, &in->object)) {
            return false;
        }
        in->has_object = true;
        in->offset = 0;
    }
    left = in->object.size - in->offset;
    ask->bytes = in->is_whole || left < PACK_PIECE_BYTES
                     ? (size_t)left
                     : (size_t)PACK_PIECE_BYTES;
    if (in->asked > in->given &&
        in->ahead_bytes + ask->bytes > PACK_AHEAD_BYTES) {
        return false;
    }
    ask->index = in->cursor.next - 1;
    ask->size = in->object.size;
    ask->is_first = in->offset == 0;
    ask->is_last = ask->bytes == left;
    ask->is_here =
        ask->bytes == 0; /* An empty object has nothing to ask for. */
    return true;
}

/* The key goes behind the bytes, since the catalog's view does not stay. */
static void pack_keep(struct pack_source *in, struct pack_ask *ask)
{
    struct bytes key = in->object.key;

    ask->room = mem_new(1, ask->bytes + key.size + 1);
    memcpy(ask->room + ask->bytes, key.at, key.size);
    ask->key = (struct bytes){ask->room + ask->bytes, key.size};
}

static void pack_ask(struct pack_source *in, const struct pack_ask *ask)
{
    char etag[STORE_ETAG_MAX];

    CHECK(in->object.etag.size < sizeof(etag));
    memcpy(etag, in->object.etag.at, in->object.etag.size);
    etag[in->object.etag.size] = '\0';
    CHECK(store_submit(in->store, &(struct store_request){
                                      .op = STORE_GET,
                                      .tag = in->asked,
                                      .key = ask->key,
                                      .offset = in->offset,
                                      .size = ask->bytes,
                                      .into = ask->room,
                                      .etag = etag[0] != '\0' ? etag : NULL,
                                      .is_whole = ask->bytes == ask->size,
                                  }) == STATUS_OK);
}

static void pack_ask_ahead(struct pack_source *in)
{
    while (in->asked - in->given < PACK_AHEAD) {
        struct pack_ask *ask = pack_ask_at(in, in->asked);

        if (!pack_cut(in, ask)) {
            return;
        }
        pack_keep(in, ask);
        if (ask->bytes > 0) {
            pack_ask(in, ask);
        }
        in->ahead_bytes += ask->bytes;
        in->offset += ask->bytes;
        in->has_object = !ask->is_last;
        in->asked++;
    }
}

static enum status pack_arrive(struct pack_lane *l,
                               const struct store_event *event,
                               struct fault *why)
{
    struct pack_ask *ask = pack_ask_at(&l->in, event->tag);
    char shown[STORE_URI_SHOW_MAX];

    if (event->status != STATUS_OK) {
        *why = event->why;
        return event->status;
    }
    if (event->got != ask->bytes) {
        return fault_set(
            why, STATUS_CHANGED,
            "%s: it is shorter than it was listed; pack again",
            store_uri_show(store_root_uri(l->in.store), ask->key, shown));
    }
    ask->is_here = true;
    atomic_fetch_add(l->options.done_bytes, ask->bytes);
    return STATUS_OK;
}

static enum status pack_wait(struct pack_lane *l, struct fault *why)
{
    enum status s = pack_lane_may_go_on(l, why);
    size_t got;

    if (s != STATUS_OK) {
        return s;
    }
    got = store_poll(l->in.store, PACK_WAIT_MS, l->events, PACK_EVENTS);
    for (size_t i = 0; s == STATUS_OK && i < got; i++) {
        s = pack_arrive(l, &l->events[i], why);
    }
    return s == STATUS_OK ? pack_lane_turn(l, 0, why) : s;
}

static void pack_give_back(struct pack_source *in)
{
    struct pack_ask *ask = pack_ask_at(in, in->given);

    in->ahead_bytes -= ask->bytes;
    free(ask->room);
    ask->room = NULL;
    in->given++;
    in->has_given = false;
}

enum status pack_lane_next(struct pack_lane *l, struct fault *why,
                           struct pack_piece *out)
{
    struct pack_source *in = &l->in;
    struct pack_ask *ask;
    enum status s = STATUS_OK;

    if (in->has_given) {
        pack_give_back(in);
    }
    pack_ask_ahead(in);
    if (in->given == in->asked) {
        return STATUS_EMPTY;
    }
    ask = pack_ask_at(in, in->given);
    while (s == STATUS_OK && !ask->is_here) {
        s = pack_wait(l, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    in->has_given = true;
    *out = (struct pack_piece){.index = ask->index,
                               .key = ask->key,
                               .size = ask->size,
                               .bytes = {ask->room, ask->bytes},
                               .is_first = ask->is_first,
                               .is_last = ask->is_last};
    return STATUS_OK;
}
