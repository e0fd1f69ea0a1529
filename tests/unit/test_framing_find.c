/* SPDX-License-Identifier: Apache-2.0 */
/* However an object is cut, the records of its ranges are the records of the
 * whole, each once. */

#include "base/crc.h"
#include "base/file.h"
#include "base/mem.h"
#include "proto/framing_write.h"
#include "tests/framing_kit.h"
#include "tests/framing_made.h"
#include "tests/harness.h"

enum { OBJECTS = 60, CUTS_MAX = 12 };

static size_t random_cuts(struct prng *p, uint64_t size,
                          uint64_t cuts[CUTS_MAX])
{
    size_t count = (size_t)prng_below(p, CUTS_MAX);

    for (size_t i = 0; i < count; i++) {
        uint64_t cut = prng_below(p, size + 1);
        size_t at = i;

        for (; at > 0 && cuts[at - 1] > cut; at--) {
            cuts[at] = cuts[at - 1];
        }
        cuts[at] = cut;
    }
    return count;
}

static void play(enum framing format, uint64_t seed)
{
    uint64_t cuts[CUTS_MAX];
    struct framing_kit k = {.format = format};
    struct buf object = {0};
    struct buf whole = {0};
    struct buf ranges = {0};
    struct fault why = {.text = ""};
    struct prng p;
    unsigned read = 0;

    prng_init(&p, seed);
    for (int i = 0; i < OBJECTS; i++) {
        random_object(&p, format, 20, &object);
        k.object = buf_bytes(&object);
        k.step = (size_t)prng_below(&p, 5000);
        buf_clear(&whole);
        if (framing_kit_read(&k, 0, object.size, &why, &whole) != STATUS_OK) {
            /* Of a tar: two members of one name. */
            EXPECT(strstr(why.text, "two members") != NULL);
            continue;
        }
        read++;
        for (int j = 0; j < 8; j++) {
            size_t count = random_cuts(&p, object.size, cuts);
            enum status s;

            buf_clear(&ranges);
            why.text[0] = '\0';
            s = framing_kit_cut(&k, cuts, count, &why, &ranges);
            EXPECT_STR(why.text, "");
            EXPECT_EQ(s, STATUS_OK);
            EXPECT(bytes_is_equal(buf_bytes(&whole), buf_bytes(&ranges)));
        }
    }
    EXPECT(read > OBJECTS / 3);
    buf_fini(&object);
    buf_fini(&whole);
    buf_fini(&ranges);
}

TEST(random_lines)
{
    play(FRAMING_LINES, 1);
}

TEST(random_recordio)
{
    play(FRAMING_RECORDIO, 2);
}

TEST(random_tfrecords)
{
    play(FRAMING_TFRECORD, 3);
}

TEST(random_tars)
{
    play(FRAMING_TAR, 4);
}

TEST(random_raw)
{
    play(FRAMING_RAW, 5);
}

/* ---- Every cut of small ones. */

static void load(const char *name, struct buf *out)
{
    char *path = mem_print("tests/data/framing/%s", name);
    struct fault why;

    EXPECT_EQ(file_read(path, 1 << 20, &why, out), STATUS_OK);
    free(path);
}

TEST(every_cut_of_what_others_wrote)
{
    static const struct {
        const char *name;
        enum framing format;
        uint64_t step;
    } rows[] = {
        {"records.tfrecord", FRAMING_TFRECORD, 1},
        {"records.recordio", FRAMING_RECORDIO, 1},
        {"ustar.tar", FRAMING_TAR, 100},
        {"gnu.tar", FRAMING_TAR, 100},
        {"pax.tar", FRAMING_TAR, 100},
        {"make.py", FRAMING_LINES, 7},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = rows[i].format};
        struct buf object = {0};
        struct buf whole = {0};
        struct buf ranges = {0};
        struct fault why;

        load(rows[i].name, &object);
        k.object = buf_bytes(&object);
        EXPECT_EQ(framing_kit_read(&k, 0, object.size, &why, &whole),
                  STATUS_OK);
        for (uint64_t cut = 0; cut <= object.size; cut += rows[i].step) {
            buf_clear(&ranges);
            EXPECT_EQ(framing_kit_cut(&k, &cut, 1, &why, &ranges), STATUS_OK);
            EXPECT(bytes_is_equal(buf_bytes(&whole), buf_bytes(&ranges)));
        }
        buf_fini(&object);
        buf_fini(&whole);
        buf_fini(&ranges);
    }
}

/* ---- Boundaries by hand. */

TEST(boundaries_of_lines)
{
    static const struct {
        const char *object;
        uint64_t cut;
        uint64_t want;
    } rows[] = {
        {"ab\ncd\n", 0, 0}, {"ab\ncd\n", 1, 3}, {"ab\ncd\n", 3, 3},
        {"ab\ncd\n", 4, 6}, {"ab\ncd\n", 6, 6}, {"ab\ncd", 4, 5},
        {"\n\n\n", 1, 1},   {"abc", 1, 3},      {"", 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = FRAMING_LINES,
                                .object = bytes_of(rows[i].object)};

        EXPECT_EQ(framing_kit_find(&k, rows[i].cut, 0), rows[i].want);
    }
}

/* Tfrecords within one: the range before the false boundary is torn. */
TEST(a_file_within_a_record_is_no_silent_loss)
{
    char head[FRAMING_HEAD_MAX];
    char tail[FRAMING_TAIL_MAX];
    struct framing_kit k = {.format = FRAMING_TFRECORD};
    struct buf object = {0};
    struct buf inner = {0};
    struct buf got = {0};
    struct fault why;
    uint64_t cut = 40;
    size_t size;

    load("records.tfrecord", &inner);
    EXPECT_EQ(framing_write_head(FRAMING_TFRECORD, BYTES(""), inner.size, head,
                                 &size),
              STATUS_OK);
    buf_add(&object, head, size);
    buf_add_bytes(&object, buf_bytes(&inner));
    size = framing_write_tail(FRAMING_TFRECORD, inner.size,
                              crc_add(CRC_32C, 0, inner.at, inner.size), tail);
    buf_add(&object, tail, size);
    k.object = buf_bytes(&object);
    EXPECT_EQ(framing_kit_read(&k, 0, object.size, &why, &got), STATUS_OK);
    EXPECT_EQ(framing_kit_cut(&k, &cut, 1, &why, &got), STATUS_MALFORMED);
    EXPECT(strstr(why.text, "torn") != NULL);
    buf_fini(&object);
    buf_fini(&inner);
    buf_fini(&got);
}

static void add_member(struct buf *out, const char *name, struct bytes data)
{
    char head[FRAMING_HEAD_MAX];
    char tail[FRAMING_TAIL_MAX];
    size_t size;

    EXPECT_EQ(
        framing_write_head(FRAMING_TAR, bytes_of(name), data.size, head, &size),
        STATUS_OK);
    buf_add(out, head, size);
    buf_add_bytes(out, data);
    size = framing_write_tail(FRAMING_TAR, data.size, 0, tail);
    buf_add(out, tail, size);
}

/* A tar that is a member ends with zeros; no sample is cut there. */
TEST(a_tar_within_a_sample_does_not_cut_it)
{
    struct framing_kit k = {.format = FRAMING_TAR};
    struct buf object = {0};
    struct buf inner = {0};
    struct buf whole = {0};
    struct buf got = {0};
    struct fault why;
    uint64_t torn = 0;

    load("ustar.tar", &inner);
    add_member(&object, "a.tar", buf_bytes(&inner));
    add_member(&object, "a.txt", BYTES("1"));
    add_member(&object, "b.txt", BYTES("2"));
    add_member(&object, "c.txt", BYTES("3"));
    k.object = buf_bytes(&object);
    EXPECT_EQ(framing_kit_read(&k, 0, object.size, &why, &whole), STATUS_OK);
    for (uint64_t cut = 0; cut <= object.size; cut += 100) {
        enum status s;

        buf_clear(&got);
        s = framing_kit_cut(&k, &cut, 1, &why, &got);
        torn += s != STATUS_OK;
        EXPECT(s == STATUS_MALFORMED ||
               bytes_is_equal(buf_bytes(&whole), buf_bytes(&got)));
        /* Behind the last sample within, nothing deceives. */
        EXPECT(s == STATUS_OK || cut < inner.size / 2);
    }
    EXPECT(torn > 0);
    buf_fini(&object);
    buf_fini(&inner);
    buf_fini(&whole);
    buf_fini(&got);
}
