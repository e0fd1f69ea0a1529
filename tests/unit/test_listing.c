/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of listing by an inventory, and all of it against S3. The
 * program's own behaviour is in tests/integration/test_listing.sh. */

#include "cli/listing.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prng.h"
#include "cli/listing_lookup.h"
#include "cli/listing_stream.h"
#include "cli/listing_table.h"
#include "tests/gzip_kit.h"
#include "tests/s3_kit.h"

/* ---- The table. */

TEST(etags_come_back_as_they_were)
{
    static const char *const etags[] = {
        "",
        "\"",
        "\"\"",
        "x",
        "\"0123456789abcdef0123456789abcdef\"",
        "\"0123456789abcdef0123456789abcdef-12\"",
        "0123456789abcdef0123456789abcdef",
        "\"0123456789ABCDEF0123456789abcdef\"",
        "\"0123456789abcdef0123456789abcde\"",
        "0123456789abcdef0123456789abcdef\"",
        "1769860800000000000-18-4711",
        "W/\"x\"",
    };
    struct listing_table *t = listing_table_new();
    size_t count = sizeof(etags) / sizeof(*etags);
    char room[LISTING_TABLE_WORD_MAX];
    struct fault why;

    for (size_t i = 0; i < count; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        struct listing_entry e = {.key = bytes_of(key),
                                  .etag = bytes_of(etags[i]),
                                  .version = bytes_of(i % 2 == 0 ? "" : "v1"),
                                  .size = i << 40,
                                  .has_size = i % 3 == 0};

        EXPECT_EQ(listing_table_add(t, &e, &why), STATUS_OK);
    }
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            struct listing_entry e;

            listing_table_at(t, i, room, &e);
            EXPECT_EQ(e.key.at[0], 'a' + i);
            EXPECT(bytes_is(e.etag, etags[i]));
            EXPECT(bytes_is(e.version, i % 2 == 0 ? "" : "v1"));
            EXPECT_EQ(e.size, (i << 40) + round);
            EXPECT_EQ(e.has_size, round == 1 || i % 3 == 0);
            EXPECT_EQ(
                listing_table_set(t, i, e.size + 1, bytes_of(etags[i]), &why),
                STATUS_OK);
        }
    }
    listing_table_destroy(&t);
    EXPECT(t == NULL);
}

TEST(entries_are_sorted_and_kept_once)
{
    enum { COUNT = 50000 };
    struct listing_table *t = listing_table_new();
    char room[LISTING_TABLE_WORD_MAX];
    struct buf before = {0};
    struct prng p;
    struct fault why;
    uint64_t repeated = 0;

    prng_init(&p, 5);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t n = prng_below(&p, COUNT / 2);
        char *key = mem_print("%llx/%s", (unsigned long long)prng_mix(n),
                              n % 7 == 0 ? "a long tail of the key" : "\xff");

        EXPECT_EQ(
            listing_table_add(t,
                              &(struct listing_entry){.key = bytes_of(key),
                                                      .etag = BYTES("\"e\""),
                                                      .version = {"", 0},
                                                      .size = n,
                                                      .has_size = true},
                              &why),
            STATUS_OK);
        free(key);
    }
    EXPECT_EQ(listing_table_sort(t, &why, &repeated), STATUS_OK);
    EXPECT(repeated > 0);
    EXPECT_EQ(listing_table_count(t) + repeated, COUNT);
    for (uint64_t i = 0; i < listing_table_count(t); i++) {
        struct listing_entry e;

        listing_table_at(t, i, room, &e);
        EXPECT(bytes_compare(buf_bytes(&before), e.key) < 0);
        buf_clear(&before);
        buf_add_bytes(&before, e.key);
    }
    EXPECT_EQ(listing_table_sort(t, &why, &repeated), STATUS_OK);
    EXPECT_EQ(repeated, 0);
    buf_fini(&before);
    listing_table_destroy(&t);
}

TEST(one_key_has_one_value)
{
    static const struct listing_entry rows[] = {
        {{"k", 1}, {"e", 1}, {"v", 1}, 5, true},
        {{"k", 1}, {"f", 1}, {"v", 1}, 5, true},
        {{"k", 1}, {"e", 1}, {"w", 1}, 5, true},
        {{"k", 1}, {"e", 1}, {"v", 1}, 6, true},
        {{"k", 1}, {"e", 1}, {"v", 1}, 5, false},
    };

    for (size_t i = 1; i < sizeof(rows) / sizeof(*rows); i++) {
        struct listing_table *t = listing_table_new();
        struct fault why = {.text = ""};
        uint64_t repeated;

        EXPECT_EQ(listing_table_add(t, &rows[0], &why), STATUS_OK);
        EXPECT_EQ(listing_table_add(t, &rows[i], &why), STATUS_OK);
        EXPECT_EQ(listing_table_sort(t, &why, &repeated), STATUS_CONFLICT);
        EXPECT_STR(why.text, "k is named more than once, with different "
                             "sizes, etags or versions");
        listing_table_destroy(&t);
    }
}

/* ---- Streams and lookups, of a store in memory. */

static struct store *open_memory(void)
{
    struct store *s = NULL;
    struct buf prefix = {0};
    struct fault why;

    EXPECT_EQ(store_open("mem://m/", STORE_WRITE, &why, &s, &prefix),
              STATUS_OK);
    buf_fini(&prefix);
    return s;
}

static char byte_of(size_t file, uint64_t at)
{
    return (char)(prng_mix(file * 1000 + at / 5000) + at);
}

static void put_file(struct store *s, size_t i, const char *key, uint64_t size)
{
    char *body = mem_new(size + 1, 1);
    struct fault why;

    for (uint64_t at = 0; at < size; at++) {
        body[at] = byte_of(i, at);
    }
    EXPECT_EQ(store_sync_put(
                  s, &(struct store_sync_put){.key = key, .body = {body, size}},
                  &why),
              STATUS_OK);
    free(body);
}

struct reader {
    const struct listing_stream_file *files;
    size_t file;
    uint64_t at;
    size_t fail_in; /* A file, from 1. */
};

static enum status read_piece(void *self, size_t i, struct bytes piece,
                              struct fault *why)
{
    struct reader *r = self;

    EXPECT_EQ(i, r->file);
    if (r->fail_in == i + 1) {
        return fault_set(why, STATUS_MALFORMED, "enough");
    }
    for (size_t k = 0; k < piece.size; k += 1 + piece.size / 5000) {
        EXPECT_EQ(piece.at[k], byte_of(i, r->at + k));
    }
    r->at += piece.size;
    if (piece.size == 0) {
        EXPECT_EQ(r->at, r->files[i].size);
        r->file++;
        r->at = 0;
    }
    return STATUS_OK;
}

TEST(files_stream_in_order)
{
    enum { PIECE = LISTING_STREAM_PIECE, COUNT = 40 };
    static const uint64_t sizes[] = {0, 1,        PIECE, 0, 2 * PIECE + 1,
                                     9, PIECE - 1};
    struct listing_stream_file files[COUNT];
    struct store *s = open_memory();
    struct reader r = {.files = files};
    struct listing_stream stream = {s, files, COUNT, read_piece, &r};
    struct fault why = {.text = ""};

    for (size_t i = 0; i < COUNT; i++) {
        uint64_t size = i < 7 ? sizes[i] : i * 10;

        files[i] =
            (struct listing_stream_file){mem_print("f%zu", i), size, NULL};
        put_file(s, i, files[i].key, size);
    }
    EXPECT_EQ(listing_stream_run(&stream, &why), STATUS_OK);
    EXPECT_EQ(r.file, COUNT);

    r = (struct reader){.files = files, .fail_in = 5};
    EXPECT_EQ(listing_stream_run(&stream, &why), STATUS_MALFORMED);
    EXPECT_STR(why.text, "enough");
    EXPECT_EQ(store_inflight(s), 0);

    for (int more = -1; more <= 1; more += 2) {
        r = (struct reader){.files = files};
        files[4].size = (uint64_t)((int64_t)sizes[4] + more);
        EXPECT_EQ(listing_stream_run(&stream, &why), STATUS_INVALID);
        EXPECT(strstr(why.text, "f4: it does not have the ") != NULL);
    }
    files[4].size = sizes[4];
    files[4].etag = "other";
    r = (struct reader){.files = files};
    EXPECT_EQ(listing_stream_run(&stream, &why), STATUS_CHANGED);
    stream.count = 0;
    EXPECT_EQ(listing_stream_run(&stream, &why), STATUS_OK);
    for (size_t i = 0; i < COUNT; i++) {
        union {
            const char *view;
            char *text;
        } key = {files[i].key};

        free(key.text);
    }
    store_close(&s);
}

struct asker {
    uint64_t next;
    uint64_t count;
    uint64_t answered;
    uint64_t sum;
    char key[32];
};

static bool next_key(void *self, uint64_t *tag, struct bytes *key)
{
    struct asker *a = self;

    if (a->next == a->count) {
        return false;
    }
    snprintf(a->key, sizeof(a->key), "k%llu", (unsigned long long)a->next);
    *key = bytes_of(a->key);
    *tag = a->next++;
    return true;
}

static enum status take_answer(void *self, const struct store_event *event,
                               struct fault *why)
{
    struct asker *a = self;

    if (event->status != STATUS_OK) {
        *why = event->why;
        return event->status;
    }
    EXPECT_EQ(event->size, event->tag % 50);
    a->answered++;
    a->sum += event->tag;
    return STATUS_OK;
}

TEST(every_key_is_looked_up_once)
{
    static const uint64_t counts[] = {0, 1, STORE_INFLIGHT_MAX, 700};
    struct store *s = open_memory();
    struct fault why;

    for (uint64_t i = 0; i < 700; i++) {
        char key[32];

        snprintf(key, sizeof(key), "k%llu", (unsigned long long)i);
        put_file(s, 0, key, i % 50);
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        struct asker a = {.count = counts[i]};

        EXPECT_EQ(
            listing_look_up(
                &(struct listing_lookup){s, next_key, take_answer, &a}, &why),
            STATUS_OK);
        EXPECT_EQ(a.answered, counts[i]);
        EXPECT_EQ(a.sum, counts[i] * (counts[i] + 1) / 2 - counts[i]);
    }
    EXPECT_EQ(
        listing_look_up(&(struct listing_lookup){s, next_key, take_answer,
                                                 &(struct asker){.count = 701}},
                        &why),
        STATUS_NOT_FOUND);
    store_close(&s);
}

/* ---- All of it, of S3. */

enum { OBJECTS = 300 };

static struct store *bucket;

static void put_text(const char *key, struct bytes body)
{
    struct fault why;

    EXPECT_EQ(store_sync_put(bucket,
                             &(struct store_sync_put){.key = key, .body = body},
                             &why),
              STATUS_OK);
}

static const char *md5_of(struct bytes text)
{
    static char hex[HASH_MD5_HEX];
    struct hash *h = hash_md5_new();

    hash_add(h, text.at, text.size);
    hash_md5_finish(&h, hex);
    return hex;
}

static enum status write_row(void *self, const struct store_object *o,
                             struct fault *why)
{
    (void)why;
    /* The keys here need no encoding; an inventory has no quotes there. */
    buf_print(self, "\"bucket\",\"%.*s\",\"%llu\",\"%.*s\"\n", (int)o->key.size,
              o->key.at, (unsigned long long)o->size, (int)o->etag.size - 2,
              o->etag.at + 1);
    return STATUS_OK;
}

/* Write an inventory of the bucket as it is, whose file is @key. */
static void put_inventory(const char *key, const char *destination)
{
    struct buf rows = {0};
    struct buf gzip = {0};
    struct buf manifest = {0};
    struct fault why;

    EXPECT_EQ(store_sync_list(bucket, "", write_row, &rows, &why), STATUS_OK);
    gzip_text(buf_bytes(&rows), &gzip);
    put_text(key, buf_bytes(&gzip));
    buf_print(&manifest,
              "{\"sourceBucket\":\"bucket\",\"destinationBucket\":"
              "\"arn:aws:s3:::%s\",\"creationTimestamp\":\"1769860800000\","
              "\"fileFormat\":\"CSV\",\"fileSchema\":\"Bucket, Key, Size, "
              "ETag\",\"files\":[{\"key\":\"%s\",\"size\":%zu,"
              "\"MD5checksum\":\"%s\"}]}",
              destination, key, gzip.size, md5_of(buf_bytes(&gzip)));
    put_text("i/c/2026-01-31T12-00Z/manifest.json", buf_bytes(&manifest));
    put_text("i/c/2026-01-31T12-00Z/manifest.checksum",
             bytes_of(md5_of(buf_bytes(&manifest))));
    buf_fini(&rows);
    buf_fini(&gzip);
    buf_fini(&manifest);
}

static void start_bucket(uint32_t quirks)
{
    log_init("test", LOG_ERROR); /* That it is old is so. */
    kit_start(&(struct s3server_options){.quirks = quirks});
    bucket = kit_open();
    for (int i = 0; i < OBJECTS; i++) {
        char *key = mem_print("%s/%d", i % 3 == 0 ? "p" : "other", i * 7919);
        char *body = mem_print("object %d", i);

        s3server_put(kit_server, key, body, strlen(body));
        free(key);
        free(body);
    }
}

static void stop_bucket(void)
{
    store_close(&bucket);
    kit_stop();
}

static atomic_bool is_stopped;

/* List "s3://bucket/p/" by @uri, or itself when that is NULL. */
static enum status list(const char *uri, struct fault *why, struct listing *out)
{
    static char name[] = "train";
    static char source[] = "s3://bucket/p/";
    char *listing = uri != NULL ? mem_copy(uri) : NULL;
    struct job_channel channel = {.name = name,
                                  .uri = source,
                                  .source = JOB_SOURCE_PREFIX,
                                  .mode = JOB_FILE,
                                  .listing = listing};
    enum status s;

    why->text[0] = '\0';
    s = listing_make(
        &(struct listing_options){.channel = &channel, .stop = &is_stopped},
        why, out);
    free(listing);
    return s;
}

static void expect_same(const char *uri)
{
    struct listing listed;
    struct listing named;
    struct fault why;

    EXPECT_EQ(list(NULL, &why, &listed), STATUS_OK);
    if (list(uri, &why, &named) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    EXPECT_EQ(catalog_count(named.catalog), OBJECTS / 3);
    EXPECT_STR(catalog_name(named.catalog), catalog_name(listed.catalog));
    EXPECT_STR(named.root_uri, listed.root_uri);
    EXPECT(bytes_is(buf_bytes(&named.prefix), "p/"));
    EXPECT(listed.named_by == NULL);
    listing_fini(&listed);
    listing_fini(&named);
}

TEST(an_inventory_is_as_good_as_a_list)
{
    static const struct {
        const char *file;
        const char *destination;
    } rows[] = {
        {"i/c/data/1.csv.gz", "bucket"},       /* As S3 writes it. */
        {"elsewhere/data/x.gz", "bucket"},     /* The key is what counts. */
        {"i/c/data/copied.gz", "copied-from"}, /* Beside the manifest. */
    };

    start_bucket(0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        put_inventory(rows[i].file, rows[i].destination);
        expect_same("s3://bucket/i/c/2026-01-31T12-00Z/manifest.json");
        expect_same("s3://bucket/i/c/");
    }
    EXPECT_EQ(s3server_requests(kit_server, "HEAD", "/p/"), 0);
    stop_bucket();
}

TEST(a_batch_manifest_is_looked_up)
{
    struct buf rows = {0};

    start_bucket(0);
    for (int i = OBJECTS - 1; i >= 0; i--) {
        buf_print(&rows, "bucket,%s/%d\n", i % 3 == 0 ? "p" : "other",
                  i * 7919);
        buf_print(&rows, "another,p/%d\n", i);
    }
    put_text("b.csv", buf_bytes(&rows));
    expect_same("s3://bucket/b.csv");
    EXPECT_EQ(s3server_requests(kit_server, "HEAD", "/p/"), OBJECTS / 3);
    buf_fini(&rows);
    stop_bucket();
}

/* Not one request is made after a stop. */
TEST(a_stop_ends_each_kind)
{
    static const char *const rows[] = {
        NULL, "s3://bucket/i/c/",
        "s3://bucket/i/c/2026-01-31T12-00Z/manifest.json", "s3://bucket/b.csv"};
    struct listing l;
    struct fault why;
    uint64_t before;

    start_bucket(0);
    put_inventory("i/c/data/1.csv.gz", "bucket");
    put_text("b.csv", BYTES("bucket,p/0\n"));
    before = s3server_requests(kit_server, "GET", "");
    atomic_store(&is_stopped, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        EXPECT_EQ(list(rows[i], &why, &l), STATUS_STOPPED);
        EXPECT(l.catalog == NULL && strstr(why.text, "train") != NULL);
    }
    EXPECT_EQ(s3server_requests(kit_server, "GET", ""), before);
    stop_bucket();
}

static void expect_refused(const char *uri, enum status want, const char *text)
{
    struct listing l;
    struct fault why;

    EXPECT_EQ(list(uri, &why, &l), want);
    if (strstr(why.text, text) == NULL) {
        fprintf(stderr, "it does not say '%s': %s\n", text, why.text);
        exit(1);
    }
    EXPECT(l.catalog == NULL && l.named_by == NULL);
}

TEST(another_version_is_not_what_was_named)
{
    struct listing l;
    struct fault why;

    start_bucket(S3SERVER_VERSIONS);
    put_text("b.csv", BYTES("bucket,p/0,not-this-one\n"));
    expect_refused("s3://bucket/b.csv", STATUS_CHANGED,
                   "train: s3://bucket/p/0: it is another now than in the "
                   "manifest of ");
    put_text("b.csv", BYTES("bucket,p/0,\n"));
    EXPECT_EQ(list("s3://bucket/b.csv", &why, &l), STATUS_OK);
    EXPECT_EQ(catalog_count(l.catalog), 1);
    listing_fini(&l);
    stop_bucket();
}

TEST(an_inventory_of_another_bucket)
{
    struct buf manifest = {0};
    struct fault why;

    start_bucket(0);
    put_inventory("i/c/data/1.csv.gz", "bucket");
    EXPECT_EQ(store_sync_get(
                  bucket,
                  &(struct store_sync_get){
                      "i/c/2026-01-31T12-00Z/manifest.json", 1 << 20, NULL},
                  &why, &manifest),
              STATUS_OK);
    memcpy(strstr(manifest.at, "\"bucket\""), "\"anothr\"", 8);
    put_text("i/c/2026-01-31T12-00Z/manifest.json", buf_bytes(&manifest));
    expect_refused("s3://bucket/i/c/2026-01-31T12-00Z/manifest.json",
                   STATUS_INVALID, "it is not the MD5 of the manifest.json");
    put_text("i/c/2026-01-31T12-00Z/manifest.checksum",
             bytes_of(md5_of(buf_bytes(&manifest))));
    expect_refused("s3://bucket/i/c/", STATUS_INVALID,
                   "the inventory of 2026-01-31T12:00:00Z is of the bucket "
                   "anothr, and S3Uri names the bucket bucket");
    buf_fini(&manifest);
    stop_bucket();
}
