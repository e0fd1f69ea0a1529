/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing_stream.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

/* One range, asked for or here. */
struct listing_piece {
    size_t file;
    uint64_t offset;
    size_t size;
    bool is_here;
    bool is_last; /* Of its file. */
    char *room;   /* LISTING_STREAM_PIECE bytes, made when first needed. */
};

/* A ring: [given, asked) are under way or here, in the order of the files. */
struct listing_ring {
    const struct listing_stream *stream;
    struct listing_piece pieces[LISTING_STREAM_AHEAD];
    uint64_t given;
    uint64_t asked;
    size_t file; /* Where the next range is cut. */
    uint64_t offset;
    struct store_event *events;
};

static struct listing_piece *listing_piece_at(struct listing_ring *r,
                                              uint64_t number)
{
    return &r->pieces[number % LISTING_STREAM_AHEAD];
}

/* Cut the next range. false: there is none. */
static bool listing_cut(struct listing_ring *r, struct listing_piece *p)
{
    const struct listing_stream_file *f;
    uint64_t left;

    if (r->file == r->stream->count) {
        return false;
    }
    f = &r->stream->files[r->file];
    left = f->size - r->offset;
    p->file = r->file;
    p->offset = r->offset;
    p->size = left < LISTING_STREAM_PIECE ? (size_t)left : LISTING_STREAM_PIECE;
    p->is_last = p->size == left;
    p->is_here = p->size == 0; /* An empty file has no range to ask for. */
    r->offset = p->is_last ? 0 : r->offset + p->size;
    r->file += p->is_last ? 1 : 0;
    return true;
}

static void listing_ask_ahead(struct listing_ring *r)
{
    while (r->asked < r->given + LISTING_STREAM_AHEAD) {
        struct listing_piece *p = listing_piece_at(r, r->asked);
        const struct listing_stream_file *f;

        if (!listing_cut(r, p)) {
            return;
        }
        f = &r->stream->files[p->file];
        if (p->room == NULL) {
            p->room = mem_new(1, LISTING_STREAM_PIECE);
        }
        if (p->size > 0) {
            CHECK(store_submit(r->stream->store, &(struct store_request){
                                                     .op = STORE_GET,
                                                     .tag = r->asked,
                                                     .key = bytes_of(f->key),
                                                     .offset = p->offset,
                                                     .size = p->size,
                                                     .into = p->room,
                                                     .etag = f->etag,
                                                 }) == STATUS_OK);
        }
        r->asked++;
    }
}

static enum status listing_take(struct listing_ring *r,
                                const struct store_event *event,
                                struct fault *why)
{
    struct listing_piece *p = listing_piece_at(r, event->tag);
    const struct listing_stream_file *f = &r->stream->files[p->file];

    /* A range past the end of a file that is too short. */
    if (event->status != STATUS_OK &&
        !(event->status == STATUS_INVALID && p->offset > 0)) {
        *why = event->why;
        return event->status;
    }
    if (event->status != STATUS_OK || event->size != f->size ||
        event->got != p->size) {
        return fault_set(why, STATUS_INVALID,
                         "%s%s: it does not have the %" PRIu64
                         " bytes that its "
                         "manifest says",
                         store_root_uri(r->stream->store), f->key, f->size);
    }
    p->is_here = true;
    return STATUS_OK;
}

/* Give what is here and in turn to the caller. */
static enum status listing_give(struct listing_ring *r, struct fault *why)
{
    const struct listing_stream *stream = r->stream;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && r->given < r->asked &&
           listing_piece_at(r, r->given)->is_here) {
        struct listing_piece *p = listing_piece_at(r, r->given);

        if (p->size > 0) {
            s = stream->each(stream->self, p->file,
                             (struct bytes){p->room, p->size}, why);
        }
        if (s == STATUS_OK && p->is_last) {
            s = stream->each(stream->self, p->file, (struct bytes){"", 0}, why);
        }
        r->given++;
    }
    return s;
}

static enum status listing_wait(struct listing_ring *r, struct fault *why)
{
    size_t got = store_poll(r->stream->store, -1, r->events, STORE_EVENTS_MAX);
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < got; i++) {
        s = listing_take(r, &r->events[i], why);
    }
    return s;
}

enum status listing_stream_run(const struct listing_stream *stream,
                               struct fault *why)
{
    struct listing_ring r = {.stream = stream};
    enum status s = STATUS_OK;

    CHECK(store_inflight(stream->store) == 0);
    r.events = mem_new(STORE_EVENTS_MAX, sizeof(r.events[0]));
    listing_ask_ahead(&r);
    while (s == STATUS_OK && r.given < r.asked) {
        if (!listing_piece_at(&r, r.given)->is_here) {
            s = listing_wait(&r, why);
        }
        if (s == STATUS_OK) {
            s = listing_give(&r, why);
        }
        if (s == STATUS_OK) {
            listing_ask_ahead(&r);
        }
    }
    /* Rooms are freed only once nothing can be written into them. */
    while (store_inflight(stream->store) > 0) {
        (void)store_poll(stream->store, -1, r.events, STORE_EVENTS_MAX);
    }
    for (int i = 0; i < LISTING_STREAM_AHEAD; i++) {
        free(r.pieces[i].room);
    }
    free(r.events);
    return s;
}
