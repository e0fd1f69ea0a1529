/* SPDX-License-Identifier: Apache-2.0 */
/* One shard: objects in, records out. */

#include <string.h>

#include "base/check.h"
#include "base/crc.h"
#include "cli/pack.h"
#include "proto/framing_write.h"
#include "proto/keypath.h"

/* A shard that is being made. */
struct pack_work {
    struct pack *pack;
    struct pack_lane *lane;
    struct buf record; /* Of recordio. */
    uint64_t size;     /* So far. */
    uint64_t crc;      /* CRC32C of the object so far. */
};

static enum status pack_put_bytes(struct pack_work *w, const void *at,
                                  size_t size, struct fault *why)
{
    w->size += size;
    return pack_lane_add(w->lane, (struct bytes){at, size}, why);
}

/* An object of recordio comes whole, since its parts tell their sizes. */
static enum status pack_put_recordio(struct pack_work *w,
                                     const struct pack_piece *piece,
                                     struct fault *why)
{
    size_t plain = (size_t)framing_recordio_size((struct bytes){"", 0});
    size_t size = (size_t)framing_recordio_size(piece->bytes);
    char *room;

    CHECK(piece->is_first && piece->is_last);
    buf_clear(&w->record);
    room = buf_reserve(&w->record, size);
    CHECK(framing_recordio_write(piece->bytes, room) == size);
    w->pack->at[piece->index] = w->size + plain;
    w->pack->is_split[piece->index] =
        size != plain + (piece->bytes.size + 3) / 4 * 4;
    return pack_put_bytes(w, room, size, why);
}

static enum status pack_put_head(struct pack_work *w,
                                 const struct pack_piece *piece,
                                 struct fault *why)
{
    char head[FRAMING_HEAD_MAX];
    struct bytes name = {"", 0};
    size_t size = 0;
    enum status s =
        keypath_of(buf_bytes(&w->pack->listing.prefix), piece->key, why, &name);

    /* The plan has looked at all names. */
    CHECK(s == STATUS_OK);
    s = framing_write_head(w->pack->options.format, name, piece->size, head,
                           &size);
    CHECK(s == STATUS_OK);
    w->crc = 0;
    s = pack_put_bytes(w, head, size, why);
    w->pack->at[piece->index] = w->size;
    return s;
}

static enum status pack_put_piece(struct pack_work *w,
                                  const struct pack_piece *piece,
                                  struct fault *why)
{
    enum framing format = w->pack->options.format;
    char tail[FRAMING_TAIL_MAX];
    enum status s = STATUS_OK;

    if (format == FRAMING_RECORDIO) {
        return pack_put_recordio(w, piece, why);
    }
    if (piece->is_first) {
        s = pack_put_head(w, piece, why);
    }
    if (format == FRAMING_TFRECORD) {
        w->crc = crc_add(CRC_32C, w->crc, piece->bytes.at, piece->bytes.size);
    }
    if (s == STATUS_OK) {
        s = pack_put_bytes(w, piece->bytes.at, piece->bytes.size, why);
    }
    if (s == STATUS_OK && piece->is_last) {
        size_t size = framing_write_tail(format, piece->size, w->crc, tail);

        s = pack_put_bytes(w, tail, size, why);
    }
    return s;
}

static enum status pack_put_objects(struct pack_work *w, struct fault *why)
{
    static const char end[FRAMING_TAR_END];
    struct pack_piece piece;
    enum status s;

    while ((s = pack_lane_next(w->lane, why, &piece)) == STATUS_OK) {
        s = pack_put_piece(w, &piece, why);
        if (s != STATUS_OK) {
            return s;
        }
    }
    if (s != STATUS_EMPTY) {
        return s;
    }
    return w->pack->options.format == FRAMING_TAR
               ? pack_put_bytes(w, end, sizeof(end), why)
               : STATUS_OK;
}

enum status pack_make_shard(struct pack *p, struct pack_lane *lane,
                            uint32_t number, struct fault *why)
{
    struct pack_shard *shard = &p->plan.shards[number];
    struct pack_work w = {.pack = p, .lane = lane};
    struct buf key = {0};
    char name[PACK_NAME_MAX];
    enum status s;

    pack_shard_name(p->options.prefix, number, p->options.format, name);
    pack_key(p, name, &key);
    pack_lane_begin(lane, buf_bytes(&key), shard->size);
    pack_lane_read(
        lane, p->listing.catalog,
        (struct pack_range){.first = shard->first,
                            .count = shard->count,
                            .is_whole = p->options.format == FRAMING_RECORDIO});
    s = pack_put_objects(&w, why);
    if (s == STATUS_OK) {
        s = pack_lane_end(lane, STORE_ALWAYS, why, &shard->size, &shard->crc);
    }
    CHECK(s != STATUS_OK || shard->size == w.size);
    buf_fini(&w.record);
    buf_fini(&key);
    return s;
}
