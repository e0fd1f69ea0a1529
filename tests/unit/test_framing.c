/* SPDX-License-Identifier: Apache-2.0 */
/* Records, as other programs write them and as ours does; torn, damaged and
 * hostile ones; and random ones read through views of any size. */

#include "base/crc.h"
#include "base/file.h"
#include "base/mem.h"
#include "proto/framing_parts.h"
#include "proto/framing_write.h"
#include "tests/framing_kit.h"
#include "tests/harness.h"

#define MAGIC "\x0a\x23\xd7\xce"

static void load(const char *name, struct buf *out)
{
    char *path = mem_print("tests/data/framing/%s", name);
    struct fault why;

    EXPECT_EQ(file_read(path, 1 << 20, &why, out), STATUS_OK);
    free(path);
}

/* What is read of @k with views of all sizes is the same, and is @want. */
static void expect_records(struct framing_kit *k, struct bytes want)
{
    static const size_t steps[] = {0, 1, 7, 511, 512, 513, 4096};

    for (size_t i = 0; i < 2 * sizeof(steps) / sizeof(steps[0]); i++) {
        struct buf got = {0};
        struct fault why = {.text = ""};
        enum status s;

        k->step = steps[i / 2];
        k->is_stream = i % 2 == 1;
        s = framing_kit_read(k, 0, k->object.size, &why, &got);
        EXPECT_STR(why.text, "");
        EXPECT_EQ(s, STATUS_OK);
        if (!bytes_is_equal(buf_bytes(&got), want)) {
            fprintf(stderr, "step %zu: got %s\nwant %.*s\n", k->step,
                    buf_text(&got), (int)want.size, want.at);
            exit(1);
        }
        buf_fini(&got);
    }
}

/* Reading fails so, whatever the views. */
static void expect_fault(struct framing_kit *k, enum status want,
                         const char *text)
{
    static const size_t steps[] = {0, 1, 600};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct buf got = {0};
        struct fault why = {.text = ""};

        k->step = steps[i];
        EXPECT_EQ(framing_kit_read(k, 0, k->object.size, &why, &got), want);
        if (strstr(why.text, text) == NULL) {
            fprintf(stderr, "'%s' does not say '%s'\n", why.text, text);
            exit(1);
        }
        buf_fini(&got);
    }
}

/* ---- Lines, raw. */

TEST(lines)
{
    static const struct {
        const char *object;
        const char *want;
    } rows[] = {
        {"", ""},
        {"\n", "\n@0 0:"},
        {"a", "\n@0 1:a"},
        {"a\n", "\n@0 1:a"},
        {"a\nbc", "\n@0 1:a\n@2 2:bc"},
        {"a\r\n\n\nbc\n", "\n@0 2:a\r\n@3 0:\n@4 0:\n@5 2:bc"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = FRAMING_LINES,
                                .object = bytes_of(rows[i].object)};

        expect_records(&k, bytes_of(rows[i].want));
    }
}

TEST(raw)
{
    struct framing_kit k = {.format = FRAMING_RAW, .object = BYTES("a\nb")};
    struct buf got = {0};
    struct fault why;

    expect_records(&k, BYTES("\n@0 3:a\nb"));
    k.object = BYTES("");
    expect_records(&k, BYTES("\n@0 0:"));
    k.object = BYTES("abc");
    EXPECT_EQ(framing_kit_read(&k, 3, 3, &why, &got), STATUS_OK);
    EXPECT_EQ(got.size, 0);
    EXPECT_EQ(framing_kit_read(&k, 1, 3, &why, &got), STATUS_INVALID);
}

TEST(names)
{
    enum framing f;
    struct fault why;

    EXPECT_EQ(framing_parse("tfrecord", &why, &f), STATUS_OK);
    EXPECT_EQ(f, FRAMING_TFRECORD);
    EXPECT_STR(framing_name(f), "tfrecord");
    EXPECT_EQ(framing_parse("zip", &why, &f), STATUS_INVALID);
    EXPECT(strstr(why.text, "'zip'") != NULL);
}

/* ---- What others have written. */

/* The records of tests/data/framing/make.py. */
static const struct bytes made[] = {
    {"", 0},
    {"one", 3},
    {"four", 4},
    {NULL, 256},
    {MAGIC, 4},
    {"abcd" MAGIC, 8},
    {MAGIC MAGIC MAGIC, 12},
    {"x" MAGIC "yyy" MAGIC, 12},
    {MAGIC "abcd" MAGIC "e", 13},
    {NULL, 1000},
};
enum { MADE = sizeof(made) / sizeof(made[0]) };

static struct bytes made_at(size_t i, char room[1000])
{
    struct bytes b = made[i];

    if (b.at == NULL) {
        for (size_t at = 0; at < b.size; at++) {
            room[at] = b.size == 256 ? (char)(unsigned char)at : 'z';
        }
        b.at = room;
    }
    return b;
}

/* Write them all; the text of each goes to @tell. */
static void write_made(enum framing format, struct buf *out, struct buf *tell)
{
    char room[1000];

    for (size_t i = 0; i < MADE; i++) {
        struct bytes data = made_at(i, room);
        struct framing_record record = {.offset = out->size, .data = data};
        bool has_magic = i >= 4 && i <= 8;

        /* A joined one is told without its size. */
        if (format == FRAMING_RECORDIO && has_magic) {
            buf_print(tell, "\n@%zu ", out->size);
            buf_add_bytes(tell, data);
        } else {
            framing_kit_tell(&record, data, tell);
        }
        if (format == FRAMING_RECORDIO) {
            size_t size = (size_t)framing_recordio_size(data);

            EXPECT_EQ(framing_recordio_write(data, buf_reserve(out, size)),
                      size);
            buf_add_done(out, size);
        } else {
            char head[FRAMING_HEAD_MAX];
            char tail[FRAMING_TAIL_MAX];
            size_t size;

            EXPECT_EQ(
                framing_write_head(format, BYTES(""), data.size, head, &size),
                STATUS_OK);
            buf_add(out, head, size);
            buf_add_bytes(out, data);
            size = framing_write_tail(format, data.size,
                                      crc_add(CRC_32C, 0, data.at, data.size),
                                      tail);
            buf_add(out, tail, size);
        }
    }
}

static void expect_made(enum framing format, const char *name)
{
    struct framing_kit k = {.format = format};
    struct buf golden = {0};
    struct buf ours = {0};
    struct buf want = {0};

    load(name, &golden);
    write_made(format, &ours, &want);
    EXPECT(bytes_is_equal(buf_bytes(&golden), buf_bytes(&ours)));
    k.object = buf_bytes(&golden);
    expect_records(&k, buf_bytes(&want));
    buf_fini(&golden);
    buf_fini(&ours);
    buf_fini(&want);
}

TEST(tfrecord_as_others_write_it)
{
    expect_made(FRAMING_TFRECORD, "records.tfrecord");
}

TEST(recordio_as_others_write_it)
{
    expect_made(FRAMING_RECORDIO, "records.recordio");
}

/* A tar's records, with runs of one letter made short. */
static void tell_tar(struct bytes object, struct buf *out)
{
    struct framing_reader r;
    struct framing_record record;
    struct fault why = {.text = ""};
    size_t at = 0;

    framing_start(&r, FRAMING_TAR, 0);
    do {
        enum status s =
            framing_next(&r, (struct bytes){object.at + at, object.size - at},
                         object.size - at, &why, &record);

        EXPECT_STR(why.text, "");
        EXPECT_EQ(s, STATUS_OK);
        EXPECT(record.found != FRAMING_MORE);
        at += record.used;
        if (record.found == FRAMING_RECORD) {
            buf_add_bytes(out, record.key);
        }
        for (uint32_t i = 0; i < record.part_count; i++) {
            const struct framing_part *p = &record.parts[i];

            buf_print(out, " %.*s=%zu:%.*s", (int)p->ext.size, p->ext.at,
                      p->data.size, p->data.size > 20 ? 1 : (int)p->data.size,
                      p->data.at);
        }
        buf_add_char(out, '\n');
    } while (record.found == FRAMING_RECORD);
}

#define TAR_START                                                              \
    "train/0001 jpg=700:J cls=1:7 seg.png=0:\n"                                \
    "train/0002 jpg=512:K cls=1:8\n"                                           \
    "folder-00/folder-01/folder-02/folder-03/folder-04/folder-05/folder-06/"   \
    "folder-07/folder-08/folder-09/folder-10/folder-11/0003 txt=4:long\n"
#define V50 "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
#define TAR_VERY V50 V50 V50 V50 V50 V50 " a=11:very long a b=11:very long b\n"
#define A20 "ääääääääääääääääääää"
#define TAR_END "./0005 txt=4:last\n\n"

TEST(tars_as_others_write_them)
{
    static const struct {
        const char *name;
        const char *want;
    } rows[] = {
        {"ustar.tar", TAR_START TAR_END},
        {"gnu.tar", TAR_START TAR_VERY TAR_END},
        {"pax.tar", TAR_START TAR_VERY A20 A20 A20 A20
         " a=11:very long a b=11:very long b\n" TAR_END},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = FRAMING_TAR};
        struct buf object = {0};
        struct buf got = {0};
        struct fault why;

        load(rows[i].name, &object);
        tell_tar(buf_bytes(&object), &got);
        EXPECT_STR(buf_text(&got), rows[i].want);
        buf_clear(&got);
        k.object = buf_bytes(&object);
        EXPECT_EQ(framing_kit_read(&k, 0, object.size, &why, &got), STATUS_OK);
        expect_records(&k, buf_bytes(&got));
        buf_fini(&got);
        buf_fini(&object);
    }
}

TEST(split_names)
{
    static const struct {
        const char *name;
        const char *key; /* NULL: it counts for nothing. */
        const char *ext;
    } rows[] = {
        {"a.jpg", "a", "jpg"},
        {"x.y/a.seg.PNG", "x.y/a", "seg.PNG"},
        {"./a.jpg", "./a", "jpg"},
        {"a.", "a", ""},
        {"a", NULL, NULL},
        {".hidden", NULL, NULL},
        {"x/.hidden.txt", NULL, NULL},
        {"x.y/a", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes key;
        struct bytes ext;
        bool is_one = framing_split_name(bytes_of(rows[i].name), &key, &ext);

        EXPECT_EQ(is_one, rows[i].key != NULL);
        EXPECT(!is_one || bytes_is(key, rows[i].key));
        EXPECT(!is_one || bytes_is(ext, rows[i].ext));
    }
}

/* ---- Damage. */

TEST(torn_records)
{
    static const struct {
        const char *name;
        enum framing format;
    } rows[] = {
        {"records.tfrecord", FRAMING_TFRECORD},
        {"records.recordio", FRAMING_RECORDIO},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = rows[i].format};
        struct buf object = {0};

        load(rows[i].name, &object);
        k.object = buf_bytes(&object);
        k.object.size -= 1;
        expect_fault(&k, STATUS_MALFORMED, "record is torn");
        k.object.size = object.size - 1010;
        expect_fault(&k, STATUS_MALFORMED, "record is torn");
        buf_fini(&object);
    }
}

TEST(damaged_records)
{
    static const struct {
        const char *name;
        enum framing format;
        size_t at;
        const char *text;
    } rows[] = {
        {"records.tfrecord", FRAMING_TFRECORD, 0, "byte 0: the checksum of"},
        {"records.tfrecord", FRAMING_TFRECORD, 9, "tfrecord's length"},
        {"records.tfrecord", FRAMING_TFRECORD, 28, "byte 16: the checksum"},
        {"records.tfrecord", FRAMING_TFRECORD, 29, "tfrecord's data"},
        {"records.tfrecord", FRAMING_TFRECORD, 31, "tfrecord's data"},
        {"records.recordio", FRAMING_RECORDIO, 3, "byte 0: no recordio magic"},
        {"records.recordio", FRAMING_RECORDIO, 15, "a record's first"},
        {"ustar.tar", FRAMING_TAR, 5, "byte 0: no header of a tar"},
        {"ustar.tar", FRAMING_TAR, 1024 + 130, "byte 1024: no header"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = rows[i].format};
        struct buf object = {0};

        load(rows[i].name, &object);
        object.at[rows[i].at] ^= (char)0x40;
        k.object = buf_bytes(&object);
        expect_fault(&k, STATUS_MALFORMED, rows[i].text);
        buf_fini(&object);
    }
}

/* Append a member; its checksum is made as the writer does. */
static void add_member(struct buf *out, const char *name, const char *data)
{
    char head[FRAMING_HEAD_MAX];
    char tail[FRAMING_TAIL_MAX];
    size_t size;

    EXPECT_EQ(framing_write_head(FRAMING_TAR, bytes_of(name), strlen(data),
                                 head, &size),
              STATUS_OK);
    buf_add(out, head, size);
    buf_add_text(out, data);
    size = framing_write_tail(FRAMING_TAR, strlen(data), 0, tail);
    buf_add(out, tail, size);
}

/* Change the header at @at of @tar, and its checksum with it. */
static void patch(struct buf *tar, size_t at, size_t field, const char *text)
{
    unsigned sum = 0;

    memcpy(tar->at + at + field, text, strlen(text) + 1);
    memset(tar->at + at + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) {
        sum += (unsigned char)tar->at[at + i];
    }
    snprintf(tar->at + at + 148, 8, "%06o", sum);
}

TEST(hostile_tars)
{
    static const struct {
        size_t field;
        const char *text;
        enum status status;
        const char *why;
    } rows[] = {
        {0, "../a.jpg", STATUS_INVALID, "'../a.jpg' could leave its folder"},
        {0, "x/../../a.jpg", STATUS_INVALID, "could leave its folder"},
        {0, "x/..", STATUS_INVALID, "could leave its folder"},
        {0, "/etc/a.jpg", STATUS_INVALID, "could leave its folder"},
        {0, "", STATUS_INVALID, "could leave its folder"},
        {345, "..", STATUS_INVALID, "could leave its folder"},
        {156, "S", STATUS_INVALID, "sparse"},
        {124, "77777777777", STATUS_MALFORMED, "is torn"},
        {124, "9", STATUS_MALFORMED, "a wrong size"},
        {124, "\xff", STATUS_MALFORMED, "a wrong size"},
        {124, "\x80\1\1\1\1\1\1\1\1\1\1\1", STATUS_MALFORMED, "a wrong size"},
        {156, "x", STATUS_MALFORMED, "a pax header is damaged"},
        {0, "b.JPG", STATUS_INVALID, "two members of this name"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = FRAMING_TAR};
        struct buf tar = {0};

        add_member(&tar, "b.jpg", "b");
        add_member(&tar, "c.jpg", "=nothing\n");
        add_member(&tar, "d.jpg", "d");
        patch(&tar, 1024, rows[i].field, rows[i].text);
        k.object = buf_bytes(&tar);
        expect_fault(&k, rows[i].status, rows[i].why);
        buf_fini(&tar);
    }
}

TEST(pax_headers)
{
    static const struct {
        const char *pax;
        const char *want; /* Starts with '!': what is wrong. */
    } rows[] = {
        {"16 path=new.txt\n", "\n@0 key 3:new ext 3:txt data 1:d"},
        {"9 size=0\n16 path=new.txt\n", "!byte 1536: no header"},
        {"10 path=\n", "!pax header is damaged"},
        {"8 path=\n", "\n@0 key 1:d ext 3:jpg data 1:d"},
        {"99 path=x\n", "!pax header is damaged"},
        {"9 size=x\n", "!no number as its size"},
        {"18 path=../new.txt\n", "!pax header is damaged"},
        {"19 path=../new.txt\n", "!'../new.txt' could leave"},
        {"25 GNU.sparse.major=1234\n", "!sparse"},
        {"30 mtime=1234567890.123456789\n", "\n@0 key 1:d ext 3:jpg data 1:d"},
        {"0 path=x\n", "!pax header is damaged"},
        {"16 path=new.txtX", "!pax header is damaged"},
        {" path=x\n", "!pax header is damaged"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct framing_kit k = {.format = FRAMING_TAR};
        struct buf tar = {0};

        add_member(&tar, "p", rows[i].pax);
        patch(&tar, 0, 156, "x");
        add_member(&tar, "d.jpg", "d");
        k.object = buf_bytes(&tar);
        if (rows[i].want[0] == '!') {
            struct buf got = {0};
            struct fault why = {.text = ""};

            EXPECT(framing_kit_read(&k, 0, tar.size, &why, &got) != STATUS_OK);
            if (strstr(why.text, rows[i].want + 1) == NULL) {
                EXPECT_STR(why.text, rows[i].want);
            }
            buf_fini(&got);
        } else {
            expect_records(&k, bytes_of(rows[i].want));
        }
        buf_fini(&tar);
    }
}

/* A name with a NUL is two names, to different readers. */
TEST(names_that_a_pax_header_can_not_give)
{
    enum { LONG = FRAMING_NAME_MAX + 1 };
    struct framing_kit k = {.format = FRAMING_TAR};
    char text[LONG + 32];
    struct buf tar = {0};
    int size;

    add_member(&tar, "p", "16 path=neX.txt\n");
    patch(&tar, 0, 156, "x");
    *strchr(tar.at + 512, 'X') = '\0';
    add_member(&tar, "d.jpg", "d");
    k.object = buf_bytes(&tar);
    expect_fault(&k, STATUS_INVALID, "has NUL bytes, or more than");
    buf_clear(&tar);
    size = snprintf(text, sizeof(text), "%d path=%0*d\n", LONG + 11, LONG, 0);
    EXPECT_EQ(size, LONG + 11);
    add_member(&tar, "p", text);
    patch(&tar, 0, 156, "x");
    add_member(&tar, "d.jpg", "d");
    k.object = buf_bytes(&tar);
    expect_fault(&k, STATUS_INVALID, "has NUL bytes, or more than");
    buf_fini(&tar);
}

/* Some writers note what a link leads to is large. */
TEST(a_link_has_no_data_whatever_its_size)
{
    struct framing_kit k = {.format = FRAMING_TAR};
    struct buf tar = {0};

    add_member(&tar, "l.x", "");
    patch(&tar, 0, 124, "00000000144");
    patch(&tar, 0, 156, "2");
    add_member(&tar, "a.x", "1");
    k.object = buf_bytes(&tar);
    expect_records(&k, BYTES("\n@512 key 1:a ext 1:x data 1:1"));
    buf_fini(&tar);
}

TEST(heads_that_no_writer_makes)
{
    static const char length[] = "\xff\xff\xff\xff\xff\xff\xff\xff";
    struct framing_kit k = {.format = FRAMING_TFRECORD};
    struct bytes record = {"data", 4};
    struct buf object = {0};
    uint32_t sum = framing_mask(crc_add(CRC_32C, 0, length, 8));
    size_t size = (size_t)framing_recordio_size(record);

    buf_add(&object, length, 8); /* Its checksum is right. */
    for (int i = 0; i < 4; i++) {
        buf_add_char(&object, (char)(unsigned char)(sum >> 8 * i));
    }
    buf_add_text(&object, "0123456789");
    k.object = buf_bytes(&object);
    expect_fault(&k, STATUS_MALFORMED, "tfrecord's length");
    buf_clear(&object);
    EXPECT_EQ(framing_recordio_write(record, buf_reserve(&object, size)), size);
    buf_add_done(&object, size);
    object.at[7] |= 0x60; /* The last part of a record that has no first. */
    k = (struct framing_kit){.format = FRAMING_RECORDIO,
                             .object = buf_bytes(&object)};
    expect_fault(&k, STATUS_MALFORMED, "a record's first");
    buf_fini(&object);
}

TEST(tar_limits)
{
    struct framing_kit k = {.format = FRAMING_TAR};
    struct buf tar = {0};
    char name[32];

    for (int i = 0; i <= FRAMING_PARTS_MAX; i++) {
        snprintf(name, sizeof(name), "s.%d", i);
        add_member(&tar, name, "");
    }
    k.object = buf_bytes(&tar);
    expect_fault(&k, STATUS_FULL, "a sample has more than");
    buf_fini(&tar);
}

/* Archives behind each other, torn padding, a member that is left out. */
TEST(odd_tars)
{
    static const char zeros[1024];
    struct framing_kit k = {.format = FRAMING_TAR};
    struct buf tar = {0};
    struct buf big = {0};

    add_member(&tar, "a.x", "1");
    buf_add(&tar, zeros, sizeof(zeros));
    add_member(&tar, "a.y", "2");
    buf_add(&tar, zeros, 300);
    k.object = buf_bytes(&tar);
    expect_fault(&k, STATUS_MALFORMED, "is torn");
    k.object.size -= 301;
    expect_fault(&k, STATUS_MALFORMED, "is torn");
    tar.size -= 300;
    k.object = buf_bytes(&tar);
    expect_records(&k, BYTES("\n@0 key 1:a ext 1:x data 1:1"
                             "\n@2048 key 1:a ext 1:y data 1:2"));
    for (int i = 0; i < 500; i++) {
        buf_add_text(&big, "not wanted");
    }
    buf_clear(&tar);
    add_member(&tar, "README", buf_text(&big));
    add_member(&tar, "a.x", "1");
    k.object = buf_bytes(&tar);
    expect_records(&k, BYTES("\n@5632 key 1:a ext 1:x data 1:1"));
    buf_fini(&tar);
    buf_fini(&big);
}

TEST(what_a_tar_can_not_hold)
{
    static const struct bytes names[] = {
        {"", 0},   {"/a", 2},   {"../a", 4}, {"a/../b", 6},
        {"a/", 2}, {"a\0b", 3}, {"..", 2},
    };
    char head[FRAMING_HEAD_MAX];
    char longest[FRAMING_NAME_MAX + 1];
    size_t size;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        EXPECT_EQ(framing_write_head(FRAMING_TAR, names[i], 1, head, &size),
                  STATUS_INVALID);
    }
    memset(longest, 'n', sizeof(longest));
    EXPECT_EQ(framing_write_head(FRAMING_TAR,
                                 (struct bytes){longest, sizeof(longest)}, 1,
                                 head, &size),
              STATUS_INVALID);
    EXPECT_EQ(framing_write_head(FRAMING_TAR,
                                 (struct bytes){longest, FRAMING_NAME_MAX},
                                 (uint64_t)1 << 40, head, &size),
              STATUS_OK);
    EXPECT_EQ(size, 512 + 1536 + 512);
}

/* A lone size over 8 GiB is read as it was written. */
TEST(large_members)
{
    struct framing_reader r;
    struct framing_record record;
    char head[FRAMING_HEAD_MAX];
    const uint64_t large = ((uint64_t)1 << 33) + 12345;
    struct fault why;
    size_t size;

    EXPECT_EQ(framing_write_head(FRAMING_TAR, BYTES("a.x"), large, head, &size),
              STATUS_OK);
    framing_start(&r, FRAMING_TAR, 0);
    EXPECT_EQ(framing_next(&r, (struct bytes){head, size}, FRAMING_UNKNOWN,
                           &why, &record),
              STATUS_OK);
    EXPECT_EQ(record.found, FRAMING_MORE);
    EXPECT_EQ(record.need, size + (large + 511) / 512 * 512);
}
