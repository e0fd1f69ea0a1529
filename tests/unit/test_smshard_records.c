/* SPDX-License-Identifier: Apache-2.0 */
/* Records of samples: cut anywhere into parts, units give the same records as
 * in one piece; damage is told once, after the good ones. */
#include "worker/client/smshard_records.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/prng.h"
#include "proto/framing_write.h"
#include "tests/framing_kit.h"
#include "tests/harness.h"
#include "worker/client/smshard.h"
#include "worker/client/smshard_crc.h"

enum { ROUNDS = 60, OBJECT_MAX = 40000 };

static struct smshard_decoder *open_decoder(const char *format)
{
    struct smshard_decoder *d;
    char why[256] = "";

    EXPECT_EQ(smshard_decoder_new(format, why, sizeof(why), &d), SMSHARD_OK);
    EXPECT_STR(why, "");
    return d;
}

static void tell(struct bytes key, struct bytes ext, struct bytes data,
                 struct buf *out)
{
    framing_kit_add(out, "\n", key);
    framing_kit_add(out, " ", ext);
    framing_kit_add(out, " ", data);
}

/* The records of the whole object, by framing_next() alone. */
static void tell_whole(enum framing format, struct bytes object,
                       struct buf *out)
{
    struct framing_reader *r = mem_new(1, sizeof(*r));
    struct framing_record f = {.found = FRAMING_RECORD};
    struct fault why;
    size_t at = 0;

    framing_start(r, format, 0);
    while (f.found == FRAMING_RECORD) {
        struct bytes view = {object.at + at, object.size - at};

        EXPECT_EQ(framing_next(r, view, view.size, &why, &f), STATUS_OK);
        for (uint32_t i = 0; i < f.part_count; i++) {
            tell(f.key, f.parts[i].ext, f.parts[i].data, out);
        }
        if (f.found == FRAMING_RECORD && f.is_split) {
            char *joined = mem_new(1, f.data.size);

            framing_join((struct bytes){view.at, f.used}, joined);
            tell(BYTES(""), BYTES(""), (struct bytes){joined, f.data.size},
                 out);
            free(joined);
        } else if (f.found == FRAMING_RECORD && f.part_count == 0) {
            tell(BYTES(""), BYTES(""), f.data, out);
        }
        at += f.used;
    }
    EXPECT(f.found == FRAMING_END);
    free(r);
}

static void tell_batch(const struct smshard_sample *s,
                       const struct smshard_records *b, struct buf *out)
{
    EXPECT(b->count > 0);
    for (size_t i = 0; i < b->count; i++) {
        const struct smshard_record *r = &b->records[i];
        bool is_joined = (r->flags & SMSHARD_RECORD_JOINED) != 0;
        const char *base = is_joined ? b->joined : s->data;

        EXPECT(r->at + r->size <= (is_joined ? b->joined_size : s->size));
        EXPECT((uint64_t)r->key + r->key_size <= b->names_size);
        EXPECT((uint64_t)r->ext + r->ext_size <= b->names_size);
        tell((struct bytes){b->names + r->key, r->key_size},
             (struct bytes){b->names + r->ext, r->ext_size},
             (struct bytes){base + r->at, r->size}, out);
    }
}

/* One sample, in memory of exactly its size. */
static int tell_sample(struct smshard_decoder *d, struct bytes object,
                       size_t at, size_t size, struct buf *out)
{
    struct framing_copy copy = {0};
    struct smshard_sample s = {
        .size = size, .position = 7, .offset = at, .unit_size = object.size};
    struct smshard_records batch;
    int status;

    s.data = framing_kit_copy(&copy, (struct bytes){object.at + at, size}).at;
    while ((status = smshard_decode(d, &s, &batch)) == SMSHARD_OK) {
        tell_batch(&s, &batch, out);
    }
    free(copy.at);
    return status;
}

/* In parts of up to @step bytes; 0: whole. */
static int tell_parts(struct smshard_decoder *d, struct bytes object,
                      struct prng *p, size_t step, struct buf *out)
{
    size_t at = 0;
    int status;

    do {
        size_t left = object.size - at;
        size_t size = step == 0 ? left : 1 + (size_t)prng_below(p, step);

        size = size < left ? size : left;
        status = tell_sample(d, object, at, size, out);
        at += size;
    } while (status == SMSHARD_END && at < object.size);
    return status;
}

/* ---- Objects. --------------------------------------------------------------
 */

static void add_data(struct prng *p, enum framing format, size_t size,
                     char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (char)prng_next(p);
        if (format == FRAMING_LINES && out[i] == '\n') {
            out[i] = ' ';
        }
    }
    if (format == FRAMING_RECORDIO && size >= 12) {
        memcpy(out + 4, "\x0a\x23\xd7\xce", 4); /* To be split there. */
    }
}

static void add_record(struct prng *p, enum framing format, unsigned i,
                       struct buf *out)
{
    static const char *const exts[] = {"JPG", "cls", "seg.png"};
    char name[64];
    char data[3000];
    char head[FRAMING_HEAD_MAX];
    char tail[FRAMING_TAIL_MAX];
    struct bytes bytes = {data, (size_t)prng_below(p, sizeof(data))};
    size_t head_size;
    size_t tail_size;

    snprintf(name, sizeof(name), "%s/%u.%s", i % 5 == 4 ? "__x__" : "d", i / 3,
             exts[i % 3]);
    add_data(p, format, bytes.size, data);
    if (format == FRAMING_RECORDIO) {
        buf_add_done(
            out,
            framing_recordio_write(
                bytes, buf_reserve(out, (size_t)framing_recordio_size(bytes))));
        return;
    }
    EXPECT_EQ(framing_write_head(format, bytes_of(name), bytes.size, head,
                                 &head_size),
              STATUS_OK);
    tail_size =
        framing_write_tail(format, bytes.size,
                           smshard_crc_add(CRC_32C, 0, data, bytes.size), tail);
    buf_add(out, head, head_size);
    buf_add_bytes(out, bytes);
    buf_add(out, tail, tail_size);
}

static void make_object(struct prng *p, enum framing format, struct buf *out)
{
    unsigned count = (unsigned)prng_below(p, 20);

    for (unsigned i = 0; i < count; i++) {
        add_record(p, format, i, out);
    }
    if (format == FRAMING_TAR) {
        memset(buf_reserve(out, FRAMING_TAR_END), 0, FRAMING_TAR_END);
        buf_add_done(out, FRAMING_TAR_END);
    }
}

TEST(parts_give_what_the_whole_does)
{
    static const size_t steps[] = {0, 1, 7, 300, 512, 1500, 5000, OBJECT_MAX};
    struct prng p;

    prng_init(&p, 5);
    for (unsigned round = 0; round < ROUNDS; round++) {
        enum framing format = (enum framing)(round % (FRAMING_TAR + 1));
        struct smshard_decoder *d = open_decoder(framing_name(format));
        struct buf object = {0};
        struct buf want = {0};

        make_object(&p, format, &object);
        tell_whole(format, buf_bytes(&object), &want);
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            struct buf got = {0};

            EXPECT_EQ(tell_parts(d, buf_bytes(&object), &p, steps[i], &got),
                      SMSHARD_END);
            EXPECT(bytes_is_equal(buf_bytes(&got), buf_bytes(&want)));
            buf_fini(&got);
        }
        buf_fini(&object);
        buf_fini(&want);
        smshard_decoder_free(&d);
    }
}

TEST(many_records_come_in_batches)
{
    struct smshard_decoder *d = open_decoder("lines");
    struct buf object = {0};
    struct smshard_records batch;
    struct smshard_sample s = {.data = NULL};
    size_t count = 0;
    unsigned calls = 0;

    for (unsigned i = 0; i < 5000; i++) {
        buf_print(&object, "%u\n", i);
    }
    s.data = buf_bytes(&object).at;
    s.size = buf_bytes(&object).size;
    s.unit_size = s.size;
    while (smshard_decode(d, &s, &batch) == SMSHARD_OK) {
        count += batch.count;
        calls++;
    }
    EXPECT_EQ(count, 5000);
    EXPECT_EQ(calls, 20); /* Of 256 each. */
    buf_fini(&object);
    smshard_decoder_free(&d);
}

TEST(an_empty_unit_is_one_raw_record_and_no_line)
{
    static const struct {
        const char *format;
        const char *want;
    } rows[] = {{"raw", "\n0: 0: 0:"}, {"lines", ""}, {"tar", ""}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smshard_decoder *d = open_decoder(rows[i].format);
        struct buf got = {0};

        EXPECT_EQ(tell_sample(d, BYTES(""), 0, 0, &got), SMSHARD_END);
        EXPECT_STR(buf_text(&got), rows[i].want);
        buf_fini(&got);
        smshard_decoder_free(&d);
    }
}

/* ---- Bad input. ------------------------------------------------------------
 */

TEST(damage_is_told_after_the_good_records_and_the_next_unit_is_read)
{
    struct smshard_decoder *d = open_decoder("tfrecord");
    struct fault why;
    struct buf object = {0};
    struct buf got = {0};
    size_t good;
    size_t size;

    EXPECT_EQ(file_read("tests/data/framing/records.tfrecord", 1 << 20, &why,
                        &object),
              STATUS_OK);
    EXPECT_EQ(
        tell_sample(d, buf_bytes(&object), 0, buf_bytes(&object).size, &got),
        SMSHARD_END);
    good = buf_bytes(&got).size;
    buf_clear(&got);
    size = buf_bytes(&object).size;
    buf_add_text(&object, "rubbish, longer than the head of a record");
    EXPECT_EQ(tell_sample(d, buf_bytes(&object), 0, size + 20, &got),
              SMSHARD_MALFORMED);
    EXPECT_EQ(buf_bytes(&got).size, good);
    EXPECT(strstr(smshard_decoder_error(d), "checksum") != NULL);

    /* The rest of it is passed over. */
    EXPECT_EQ(tell_sample(d, buf_bytes(&object), size + 20, 21, &got),
              SMSHARD_END);
    EXPECT_EQ(buf_bytes(&got).size, good);
    buf_clear(&got);
    EXPECT_EQ(tell_sample(d, (struct bytes){buf_bytes(&object).at, size}, 0,
                          size, &got),
              SMSHARD_END);
    EXPECT_EQ(buf_bytes(&got).size, good);
    buf_fini(&object);
    buf_fini(&got);
    smshard_decoder_free(&d);
}

TEST(a_torn_record_at_the_units_end_is_malformed)
{
    struct smshard_decoder *d = open_decoder("recordio");
    struct buf got = {0};
    struct bytes torn = BYTES("\x0a\x23\xd7\xce\x10\0\0\0abc");

    EXPECT_EQ(tell_sample(d, torn, 0, 5, &got), SMSHARD_END);
    EXPECT_EQ(tell_sample(d, torn, 5, torn.size - 5, &got), SMSHARD_MALFORMED);
    EXPECT(strstr(smshard_decoder_error(d), "torn") != NULL);
    buf_fini(&got);
    smshard_decoder_free(&d);
}

TEST(parts_out_of_order_are_refused)
{
    struct smshard_decoder *d = open_decoder("lines");
    struct bytes object = BYTES("one\ntwo\nthree\n");
    struct buf got = {0};

    EXPECT_EQ(tell_sample(d, object, 4, 4, &got), SMSHARD_INVALID);
    EXPECT_EQ(tell_sample(d, object, 0, 6, &got), SMSHARD_END);
    EXPECT_EQ(tell_sample(d, object, 8, 6, &got), SMSHARD_INVALID);
    EXPECT_EQ(tell_sample(d, object, 6, 8, &got), SMSHARD_INVALID);
    EXPECT_STR(buf_text(&got), "\n0: 0: 3:one");
    EXPECT_EQ(tell_sample(d, object, 0, object.size, &got), SMSHARD_END);
    buf_fini(&got);
    smshard_decoder_free(&d);
}

TEST(unknown_formats_are_refused)
{
    struct smshard_decoder *d;
    char why[256];

    EXPECT_EQ(smshard_decoder_new("parquet", why, sizeof(why), &d),
              SMSHARD_INVALID);
    EXPECT(d == NULL && strstr(why, "tfrecord") != NULL);
    smshard_decoder_free(&d);
}

TEST(the_librarys_checksum_is_the_projects)
{
    char bytes[700];
    struct prng p;

    prng_init(&p, 9);
    add_data(&p, FRAMING_RAW, sizeof(bytes), bytes);
    for (size_t size = 0; size < sizeof(bytes) - 8; size++) {
        const char *at = bytes + size % 8;
        uint64_t want = crc_add(CRC_32C, size, at, size);

        EXPECT_EQ(smshard_crc_add(CRC_32C, size, at, size), want);
        EXPECT_EQ(smshard_crc_by_table(size, at, size), want);
    }
}
