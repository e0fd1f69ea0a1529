/* SPDX-License-Identifier: Apache-2.0 */
/* What went where, as lines of JSON. */

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/pack.h"
#include "proto/keypath.h"

enum { PACK_INDEX_FLUSH = 1 << 20 };

/* The index on its way. */
struct pack_index {
    struct pack *pack;
    struct pack_lane *lane;
    struct buf text;
};

static enum status pack_index_flush(struct pack_index *x, size_t least,
                                    struct fault *why)
{
    enum status s = STATUS_OK;

    if (x->text.size > least) {
        s = pack_lane_add(x->lane, buf_bytes(&x->text), why);
        buf_clear(&x->text);
    }
    return s;
}

static void pack_index_head(struct pack_index *x)
{
    const struct pack *p = x->pack;

    buf_print(&x->text, "{\"pack\": 1, \"format\": \"%s\", \"source\": ",
              framing_name(p->options.format));
    json_write_ascii(bytes_of(p->options.source), &x->text);
    buf_print(&x->text,
              ", \"shards\": %" PRIu32 ", \"objects\": %" PRIu64
              ", \"bytes\": %" PRIu64 "}\n",
              p->plan.count, catalog_count(p->listing.catalog),
              catalog_bytes(p->listing.catalog));
}

static void pack_index_shard(struct pack_index *x, uint32_t number)
{
    const struct pack *p = x->pack;
    const struct pack_shard *shard = &p->plan.shards[number];
    char name[PACK_NAME_MAX];
    char crc[CRC_TEXT_MAX];

    pack_shard_name(p->options.prefix, number, p->options.format, name);
    buf_add_text(&x->text, "{\"shard\": ");
    json_write_ascii(bytes_of(name), &x->text);
    buf_print(&x->text,
              ", \"size\": %" PRIu64 ", \"objects\": %" PRIu64
              ", \"crc64nvme\": \"%s\"}\n",
              shard->size, shard->count, crc_text(CRC_64NVME, shard->crc, crc));
}

static void pack_index_object(struct pack_index *x, uint64_t index,
                              const struct catalog_object *object)
{
    const struct pack *p = x->pack;
    struct bytes name = {"", 0};
    struct fault why;

    CHECK(keypath_of(buf_bytes(&p->listing.prefix), object->key, &why, &name) ==
          STATUS_OK);
    buf_add_text(&x->text, "{\"key\": ");
    json_write_ascii(name, &x->text);
    buf_print(&x->text, ", \"at\": %" PRIu64 ", \"size\": %" PRIu64 "%s}\n",
              p->at[index], object->size,
              p->is_split[index] ? ", \"split\": true" : "");
}

static enum status pack_index_objects(struct pack_index *x,
                                      struct catalog_cursor *cursor,
                                      const struct pack_shard *shard,
                                      struct fault *why)
{
    struct catalog_object object;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && cursor->next < shard->first + shard->count) {
        CHECK(catalog_next(cursor, &object));
        pack_index_object(x, cursor->next - 1, &object);
        s = pack_index_flush(x, PACK_INDEX_FLUSH, why);
    }
    return s;
}

static enum status pack_index_all(struct pack_index *x, struct fault *why)
{
    const struct pack *p = x->pack;
    struct catalog_cursor *cursor = mem_new(1, sizeof(*cursor));
    enum status s = STATUS_OK;

    catalog_seek(p->listing.catalog, 0, cursor);
    pack_index_head(x);
    for (uint32_t i = 0; s == STATUS_OK && i < p->plan.count; i++) {
        pack_index_shard(x, i);
        s = pack_index_objects(x, cursor, &p->plan.shards[i], why);
    }
    free(cursor);
    return s == STATUS_OK ? pack_index_flush(x, 0, why) : s;
}

enum status pack_write_index(struct pack *p, struct pack_lane *lane,
                             struct fault *why)
{
    struct pack_index x = {.pack = p, .lane = lane};
    struct buf key = {0};
    enum status s;

    pack_key(p, "pack.json", &key);
    pack_lane_begin(lane, buf_bytes(&key),
                    catalog_count(p->listing.catalog) * STORE_KEY_MAX);
    s = pack_index_all(&x, why);
    if (s == STATUS_OK) {
        s = pack_lane_end(lane, STORE_IF_ABSENT, why, NULL, NULL);
    }
    if (s == STATUS_EXISTS) {
        s = fault_set(why, s,
                      "%s%s: somebody else has packed into the same place "
                      "meanwhile",
                      p->root_uri, buf_text(&key));
    }
    buf_fini(&x.text);
    buf_fini(&key);
    return s;
}
