/* SPDX-License-Identifier: Apache-2.0 */
/* Packs in memory: what is read of the shards is what went in. */

#include "base/json.h"
#include "base/mem.h"
#include "cli/pack.h"
#include "proto/framing_write.h"
#include "store/store_sync.h"
#include "tests/framing_kit.h"
#include "tests/harness.h"

#define MAGIC "\x0a\x23\xd7\xce"

static void begin(void)
{
}

static void put(const char *uri, const char *key, struct bytes body)
{
    struct store *store = NULL;
    struct buf prefix = {0};
    struct fault why;

    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &store, &prefix), STATUS_OK);
    EXPECT_EQ(store_sync_put(store,
                             &(struct store_sync_put){.key = key, .body = body},
                             &why),
              STATUS_OK);
    store_close(&store);
    buf_fini(&prefix);
}

static enum status get(const char *uri, const char *key, struct buf *out)
{
    struct store *store = NULL;
    struct buf prefix = {0};
    struct fault why;
    enum status s;

    EXPECT_EQ(store_open(uri, STORE_READ, &why, &store, &prefix), STATUS_OK);
    s = store_sync_get(store, &(struct store_sync_get){key, 1 << 28, NULL},
                       &why, out);
    store_close(&store);
    buf_fini(&prefix);
    return s;
}

static struct pack *new_pack(enum framing format, uint64_t size)
{
    struct pack *p = mem_new(1, sizeof(*p));

    p->options = (struct pack_options){.source = "mem://in",
                                       .target = "mem://out",
                                       .prefix = "s",
                                       .format = format,
                                       .size = size,
                                       .workers = 3,
                                       .begin = begin};
    return p;
}

static enum status run(struct pack *p, struct fault *why)
{
    why->text[0] = '\0';
    return pack_run(p, why);
}

static void free_pack(struct pack *p)
{
    pack_fini(p);
    free(p);
}

/* ---- Plans. */

static struct catalog *catalog_of(const char *const *keys, size_t count,
                                  uint64_t size)
{
    struct catalog_builder *b = NULL;
    struct catalog *c = NULL;
    struct fault why;

    EXPECT_EQ(catalog_builder_new(&b), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        struct catalog_object object = {bytes_of(keys[i]), size, BYTES("e")};

        EXPECT_EQ(catalog_builder_add(b, &object, &why), STATUS_OK);
    }
    EXPECT_EQ(catalog_builder_finish(&b, &c), STATUS_OK);
    return c;
}

TEST(a_sample_is_not_torn_apart)
{
    static const char *const keys[] = {"p/a.cls", "p/a.jpg", "p/b.cls",
                                       "p/b.jpg", "p/c",     "p/d.cls",
                                       "p/d.jpg", "p/d.txt"};
    struct pack_plan_options options = {
        .format = FRAMING_TAR, .size = 5000, .prefix = BYTES("p/")};
    struct catalog *c = catalog_of(keys, 8, 500);
    struct pack_plan plan;
    struct fault why;

    /* Each takes 1024 bytes, the end as many. */
    EXPECT_EQ(pack_plan_make(c, &options, &why, &plan), STATUS_OK);
    EXPECT_EQ(plan.count, 3);
    EXPECT_EQ(plan.shards[0].count, 2);
    EXPECT_EQ(plan.shards[1].count, 3);
    EXPECT_EQ(plan.shards[1].size, 4096);
    EXPECT_EQ(plan.shards[2].first, 5);
    EXPECT_EQ(plan.shards[2].count, 3);
    EXPECT_EQ(plan.unnamed, 1);
    pack_plan_fini(&plan);
    options.format = FRAMING_TFRECORD;
    options.size = 516 * 3;
    EXPECT_EQ(pack_plan_make(c, &options, &why, &plan), STATUS_OK);
    EXPECT_EQ(plan.count, 3);
    EXPECT_EQ(plan.shards[2].count, 2);
    pack_plan_fini(&plan);
    catalog_destroy(&c);
}

TEST(what_can_not_be_packed)
{
    static const char *const up[] = {"p/../a"};
    static const char *const large[] = {"p/a"};
    struct pack_plan_options options = {
        .format = FRAMING_TFRECORD, .size = 5000, .prefix = BYTES("p/")};
    struct catalog *c = catalog_of(up, 1, 5);
    struct pack_plan plan;
    struct fault why;

    EXPECT_EQ(pack_plan_make(c, &options, &why, &plan), STATUS_INVALID);
    EXPECT(strstr(why.text, "p/../a") != NULL);
    catalog_destroy(&c);
    c = catalog_of(large, 1, PACK_RECORDIO_MAX + 1);
    options.format = FRAMING_RECORDIO;
    EXPECT_EQ(pack_plan_make(c, &options, &why, &plan), STATUS_INVALID);
    EXPECT(strstr(why.text, "too many for a record") != NULL);
    catalog_destroy(&c);
}

TEST(names_of_shards)
{
    static const struct {
        const char *name;
        bool is_one;
    } rows[] = {
        {"s-000001.tar", true},
        {"s-999999.rec", true},
        {"s-000001.tfrecord", true},
        {"s-00001.tar", false},
        {"s-0000001.tar", false},
        {"s-000001.zip", false},
        {"s_000001.tar", false},
        {"t-000001.tar", false},
        {"s-00000a.tar", false},
        {"s-000001.", false},
        {"", false},
    };
    char name[PACK_NAME_MAX];

    pack_shard_name("s", 42, FRAMING_RECORDIO, name);
    EXPECT_STR(name, "s-000042.rec");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(pack_is_shard_name(bytes_of(rows[i].name), "s"),
                  rows[i].is_one);
    }
}

/* ---- Whole packs. */

enum { OBJECTS = 60, LARGE = 20 << 20 };

/* Objects of all sizes, of which one takes several parts; some hold recordio's
 * magic. */
static void fill(void)
{
    char *large = malloc(LARGE);
    struct prng p;
    char key[32];

    EXPECT(large != NULL);
    prng_init(&p, 1);
    for (size_t i = 0; i < LARGE; i += 8) {
        uint64_t r = prng_next(&p);

        memcpy(large + i, i % 4096 == 0 ? MAGIC MAGIC : (char *)&r, 8);
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        size_t size = i == 7 ? (size_t)LARGE : i * i * 10;

        snprintf(key, sizeof(key), "d/%03zu.%s", i / 2, i % 2 ? "b" : "a");
        put("mem://in", key, (struct bytes){large, size});
    }
    free(large);
}

static char *text_of(const struct json *value)
{
    struct bytes text = json_string(value);

    return mem_copy_text(text.at, text.size);
}

/* The data at @line of the index are those of the source. */
static void expect_object(const struct json *line, struct bytes shard)
{
    char *name = text_of(json_get(line, "key"));
    struct buf want = {0};
    int64_t at = 0;
    int64_t size = 0;

    EXPECT(json_int64(json_get(line, "at"), &at));
    EXPECT(json_int64(json_get(line, "size"), &size));
    EXPECT_EQ(get("mem://in", name, &want), STATUS_OK);
    EXPECT_EQ(size, want.size);
    if (!json_is_true(json_get(line, "split"))) {
        EXPECT((size_t)at + want.size <= shard.size);
        EXPECT(bytes_is_equal((struct bytes){shard.at + at, want.size},
                              buf_bytes(&want)));
    }
    buf_fini(&want);
    free(name);
}

static void expect_index(const struct pack *p)
{
    struct buf index = {0};
    struct buf shard = {0};
    uint64_t objects = 0;
    uint64_t shards = 0;
    uint64_t split = 0;
    char *rest;

    EXPECT_EQ(get("mem://out", "pack.json", &index), STATUS_OK);
    rest = index.at;
    for (char *end; (end = strchr(rest, '\n')) != NULL; rest = end + 1) {
        struct json_doc *doc = NULL;
        struct fault why;
        const struct json *line;

        EXPECT_EQ(json_parse((struct bytes){rest, (size_t)(end - rest)},
                             "pack.json", &why, &doc),
                  STATUS_OK);
        line = json_root(doc);
        if (json_get(line, "shard") != NULL) {
            char *name = text_of(json_get(line, "shard"));
            char crc[CRC_TEXT_MAX];

            buf_clear(&shard);
            EXPECT_EQ(get("mem://out", name, &shard), STATUS_OK);
            crc_text(CRC_64NVME, crc_add(CRC_64NVME, 0, shard.at, shard.size),
                     crc);
            EXPECT(bytes_is(json_string(json_get(line, "crc64nvme")), crc));
            shards++;
            free(name);
        } else if (json_get(line, "key") != NULL) {
            expect_object(line, buf_bytes(&shard));
            split += json_is_true(json_get(line, "split"));
            objects++;
        }
        json_destroy(&doc);
    }
    EXPECT_EQ(*rest, '\0');
    EXPECT_EQ(shards, p->plan.count);
    EXPECT_EQ(objects, OBJECTS);
    EXPECT_EQ(split > 0, p->options.format == FRAMING_RECORDIO);
    buf_fini(&index);
    buf_fini(&shard);
}

/* How many records and bytes the shards hold. */
static void count_records(const struct pack *p, uint64_t *records,
                          uint64_t *bytes)
{
    struct framing_reader *r = mem_new(1, sizeof(*r));
    char name[PACK_NAME_MAX];
    struct framing_record record;
    struct buf shard = {0};
    struct fault why;

    for (uint32_t i = 0; i < p->plan.count; i++) {
        size_t at = 0;

        buf_clear(&shard);
        pack_shard_name("s", i, p->options.format, name);
        EXPECT_EQ(get("mem://out", name, &shard), STATUS_OK);
        EXPECT(shard.size <= p->options.size || p->plan.shards[i].count <= 2);
        framing_start(r, p->options.format, 0);
        do {
            struct bytes rest = {shard.at + at, shard.size - at};

            EXPECT_EQ(framing_next(r, rest, rest.size, &why, &record),
                      STATUS_OK);
            at += record.used;
            *records += record.found == FRAMING_RECORD;
            *bytes += record.part_count == 0 ? record.data.size : 0;
            for (uint32_t j = 0; j < record.part_count; j++) {
                *bytes += record.parts[j].data.size;
            }
        } while (record.found == FRAMING_RECORD);
        EXPECT_EQ(record.found, FRAMING_END);
    }
    buf_fini(&shard);
    free(r);
}

static void play(enum framing format)
{
    struct pack *p = new_pack(format, 200000);
    struct fault why;
    uint64_t records = 0;
    uint64_t bytes = 0;
    enum status s;

    fill();
    s = run(p, &why);
    EXPECT_STR(why.text, "");
    EXPECT_EQ(s, STATUS_OK);
    EXPECT(p->plan.count > 3);
    expect_index(p);
    count_records(p, &records, &bytes);
    EXPECT_EQ(records, format == FRAMING_TAR ? OBJECTS / 2 : OBJECTS);
    EXPECT_EQ(bytes, catalog_bytes(p->listing.catalog));
    EXPECT_EQ(atomic_load(&p->done_bytes), bytes);
    free_pack(p);
}

TEST(tars)
{
    play(FRAMING_TAR);
}

TEST(recordio)
{
    play(FRAMING_RECORDIO);
}

TEST(tfrecords)
{
    play(FRAMING_TFRECORD);
}

/* ---- What is there already. */

TEST(a_pack_is_not_overwritten_unless_told)
{
    struct pack *p = new_pack(FRAMING_TAR, 1 << 20);
    struct buf body = {0};
    struct fault why;

    put("mem://in", "a.x", BYTES("1"));
    put("mem://out", "other", BYTES("stays"));
    put("mem://out", "s-x", BYTES("stays"));
    EXPECT_EQ(run(p, &why), STATUS_OK);
    free_pack(p);

    p = new_pack(FRAMING_TFRECORD, 1 << 20);
    EXPECT_EQ(run(p, &why), STATUS_EXISTS);
    EXPECT(strstr(why.text, "--force") != NULL);
    free_pack(p);

    put("mem://out", "s-000009.rec", BYTES("old"));
    p = new_pack(FRAMING_TFRECORD, 1 << 20);
    p->options.is_forced = true;
    EXPECT_EQ(run(p, &why), STATUS_OK);
    EXPECT_EQ(p->removed, 2);
    EXPECT_EQ(get("mem://out", "s-000000.tar", &body), STATUS_NOT_FOUND);
    EXPECT_EQ(get("mem://out", "s-000000.tfrecord", &body), STATUS_OK);
    EXPECT_EQ(get("mem://out", "other", &body), STATUS_OK);
    EXPECT_EQ(get("mem://out", "s-x", &body), STATUS_OK);
    free_pack(p);
    buf_fini(&body);
}

TEST(half_a_pack_is_named)
{
    struct pack *p = new_pack(FRAMING_TAR, 1 << 20);
    struct fault why;

    put("mem://in", "a.x", BYTES("1"));
    put("mem://out", "s-000003.tar", BYTES("1"));
    EXPECT_EQ(run(p, &why), STATUS_EXISTS);
    EXPECT(strstr(why.text, "did not end") != NULL);
    free_pack(p);
}

TEST(a_pack_is_no_part_of_itself)
{
    static const char *const targets[] = {"mem://in", "mem://in/",
                                          "mem://in/x"};
    struct fault why;

    put("mem://in", "a.x", BYTES("1"));
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct pack *p = new_pack(FRAMING_TAR, 1 << 20);

        p->options.target = targets[i];
        EXPECT_EQ(run(p, &why), STATUS_INVALID);
        EXPECT(strstr(why.text, "lies in what") != NULL);
        free_pack(p);
    }
}

TEST(nothing_to_pack)
{
    struct pack *p = new_pack(FRAMING_TAR, 1 << 20);
    struct fault why;

    EXPECT_EQ(run(p, &why), STATUS_EMPTY);
    free_pack(p);
}

/* A lane that was told to stop leaves neither object nor upload. */
TEST(a_stopped_lane_gives_up)
{
    struct pack_lane *lane = NULL;
    atomic_bool stop = false;
    _Atomic uint64_t done = 0;
    struct buf body = {0};
    struct fault why;
    char *data = mem_new(1, PACK_PART_BYTES);
    enum status s = STATUS_OK;

    EXPECT_EQ(pack_lane_new(&(struct pack_lane_options){.source = "mem://in/",
                                                        .target = "mem://out/",
                                                        .stop = &stop,
                                                        .done_bytes = &done},
                            &why, &lane),
              STATUS_OK);
    pack_lane_begin(lane, BYTES("k"), 100);
    EXPECT_EQ(pack_lane_add(lane, (struct bytes){data, PACK_PART_BYTES}, &why),
              STATUS_OK);
    atomic_store(&stop, true);
    for (int i = 0; s == STATUS_OK && i < 2 * PACK_PARTS; i++) {
        s = pack_lane_add(lane, (struct bytes){data, PACK_PART_BYTES}, &why);
    }
    EXPECT_EQ(s, STATUS_STOPPED);
    pack_lane_destroy(&lane);
    EXPECT_EQ(get("mem://out", "k", &body), STATUS_NOT_FOUND);
    buf_fini(&body);
    free(data);
}
