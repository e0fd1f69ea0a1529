/* SPDX-License-Identifier: Apache-2.0 */
#include "base/gunzip.h"

#include "base/mem.h"
#include "base/prng.h"
#include "tests/gzip_kit.h"
#include "tests/harness.h"

/* Undo @gzip given in pieces of @step bytes; at most @max come out. */
static enum status undo(struct bytes gzip, size_t step, uint64_t max,
                        struct fault *why, struct buf *out)
{
    struct gunzip *g = gunzip_new(max);
    enum status s = STATUS_OK;

    why->text[0] = '\0';
    buf_clear(out);
    for (size_t at = 0; s == STATUS_OK && at < gzip.size; at += step) {
        size_t left = gzip.size - at;
        struct bytes piece;
        /* Of its exact size, so that a read past it is found. */
        char *copy = mem_copy_text(gzip.at + at, left < step ? left : step);

        gunzip_give(g, (struct bytes){copy, left < step ? left : step});
        do {
            s = gunzip_next(g, why, &piece);
            if (s == STATUS_OK) {
                buf_add_bytes(out, piece);
            }
        } while (s == STATUS_OK && piece.size > 0);
        free(copy);
    }
    if (s == STATUS_OK) {
        s = gunzip_end(g, why);
    }
    gunzip_destroy(&g);
    EXPECT(g == NULL);
    EXPECT((s == STATUS_OK) == (why->text[0] == '\0'));
    return s;
}

static void random_text(size_t size, struct buf *out)
{
    struct prng p;

    prng_init(&p, size);
    for (size_t i = 0; i < size; i++) {
        buf_add_char(out, (char)('a' + prng_below(&p, 5)));
    }
}

/* What gzip(1) writes for "hello\n", with the file's name and without. */
static const char named[] =
    "\x1f\x8b\x08\x08\x00\x00\x00\x00\x02\x03"
    "hello.txt\0\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00";
static const char plain[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    "\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00\x00";

TEST(what_gzip_writes)
{
    struct bytes rows[] = {{named, sizeof(named)}, {plain, sizeof(plain)}};
    struct buf out = {0};
    struct fault why;

    for (size_t i = 0; i < 2; i++) {
        EXPECT(gunzip_is_gzip(rows[i]));
        for (size_t step = 1; step <= rows[i].size; step++) {
            EXPECT_EQ(undo(rows[i], step, 6, &why, &out), STATUS_OK);
            EXPECT_STR(buf_text(&out), "hello\n");
        }
    }
    EXPECT(!gunzip_is_gzip(BYTES("\x1f\x8b")));
    EXPECT(!gunzip_is_gzip(BYTES("a,b\n")));
    buf_fini(&out);
}

TEST(pieces_and_members_of_any_size)
{
    static const size_t sizes[] = {0, 1, 100, 70000, 262144, 1500000};
    static const size_t steps[] = {1000, 65536, SIZE_MAX / 2};
    struct buf text = {0};
    struct buf gzip = {0};
    struct buf out = {0};
    struct fault why;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct buf part = {0};

        random_text(sizes[i], &part);
        buf_add_bytes(&text, buf_bytes(&part));
        gzip_text(buf_bytes(&part), &gzip);
        buf_fini(&part);
        for (size_t k = 0; k < sizeof(steps) / sizeof(*steps); k++) {
            EXPECT_EQ(undo(buf_bytes(&gzip), steps[k], UINT64_MAX, &why, &out),
                      STATUS_OK);
            EXPECT(bytes_is_equal(buf_bytes(&out), buf_bytes(&text)));
        }
    }
    buf_fini(&text);
    buf_fini(&gzip);
    buf_fini(&out);
}

TEST(an_end_at_any_byte_is_found)
{
    struct buf two = {0};
    struct buf out = {0};
    struct fault why;

    buf_add(&two, plain, sizeof(plain));
    buf_add(&two, named, sizeof(named));
    for (size_t size = 0; size < two.size; size++) {
        struct bytes cut = {two.at, size};
        bool is_whole = size == sizeof(plain);

        EXPECT_EQ(undo(cut, 7, 12, &why, &out),
                  is_whole ? STATUS_OK : STATUS_MALFORMED);
        EXPECT(is_whole ||
               strcmp(why.text, "its gzip data is cut off at the end") == 0);
    }
    buf_fini(&two);
    buf_fini(&out);
}

TEST(damage_is_found)
{
    static const struct {
        size_t at;
        char byte;
        const char *fault;
    } rows[] = {
        {0, 'x', "it is not gzip"},
        {2, 7, "it is not gzip"},
        {10, '\xff', "its gzip data is damaged"},
        {18, 'x', "its gzip checksum is wrong"},
        {22, 'x', "its gzip checksum is wrong"}, /* The length. */
    };
    struct buf out = {0};
    struct fault why;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char bad[sizeof(plain)];

        memcpy(bad, plain, sizeof(plain));
        bad[rows[i].at] = rows[i].byte;
        EXPECT_EQ(undo((struct bytes){bad, sizeof(bad)}, 100, 100, &why, &out),
                  STATUS_MALFORMED);
        EXPECT_STR(why.text, rows[i].fault);
    }
    buf_fini(&out);
}

TEST(what_follows_must_be_a_member)
{
    struct buf gzip = {0};
    struct buf out = {0};
    struct fault why;

    buf_add(&gzip, plain, sizeof(plain));
    buf_add_text(&gzip, "what is this");
    for (size_t step = 1; step < 40; step += 13) {
        EXPECT_EQ(undo(buf_bytes(&gzip), step, 100, &why, &out),
                  STATUS_MALFORMED);
        EXPECT_STR(why.text, "it is not gzip");
    }
    buf_fini(&gzip);
    buf_fini(&out);
}

TEST(more_than_allowed_is_refused)
{
    struct buf zeros = {0};
    struct buf gzip = {0};
    struct buf out = {0};
    struct fault why;

    memset(buf_reserve(&zeros, 1 << 20), 0, 1 << 20);
    buf_add_done(&zeros, 1 << 20);
    gzip_text(buf_bytes(&zeros), &gzip);
    EXPECT_EQ(undo(buf_bytes(&gzip), 1 << 20, 1 << 20, &why, &out), STATUS_OK);
    EXPECT_EQ(undo(buf_bytes(&gzip), 1 << 20, (1 << 20) - 1, &why, &out),
              STATUS_FULL);
    EXPECT_STR(why.text, "more than 1048575 bytes come out of its gzip data");
    buf_fini(&zeros);
    buf_fini(&gzip);
    buf_fini(&out);
}
