/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/dealt.h"

#include "base/crc.h"
#include "base/mem.h"
#include "base/ranges.h"

#include "tests/harness.h"
#include "tests/unit/dealt_kit.h"

static void write_kit(struct dealt_kit *k, struct buf *out)
{
    buf_clear(out);
    dealt_write(&k->dealt, DEALT_KIT_RUN, out);
}

static enum status read_back(const struct buf *text, const char *run)
{
    struct dealt_copy *copy;
    struct fault why = {.text = ""};
    enum status s = dealt_read(buf_bytes(text), run, &why, &copy);

    EXPECT((s == STATUS_OK) == (copy != NULL));
    EXPECT(s == STATUS_OK || strstr(why.text, run) != NULL);
    dealt_destroy(&copy);
    EXPECT(copy == NULL);
    return s;
}

/* What was written, but for the checksum, which is made right again. */
static void mend(struct buf *text)
{
    uint64_t sum;

    text->size -= sizeof(sum);
    sum = crc_add(CRC_64NVME, 0, text->at, text->size);
    for (unsigned i = 0; i < sizeof(sum); i++) {
        buf_add_char(text, (char)(unsigned char)(sum >> (8 * i)));
    }
}

static void expect_channel(const struct dealt_channel *a,
                           const struct dealt_channel *b)
{
    EXPECT(bytes_is_equal(a->name, b->name));
    EXPECT(bytes_is_equal(a->catalog, b->catalog));
    EXPECT(bytes_is_equal(a->how, b->how));
    EXPECT(bytes_is_equal(a->base, b->base));
    EXPECT_EQ(a->is_dynamic, b->is_dynamic);
    EXPECT_EQ(a->positions, b->positions);
    EXPECT_EQ(a->epochs, b->epochs);
    EXPECT_EQ(a->first_epoch, b->first_epoch);
    EXPECT_EQ(a->step_units, b->step_units);
    EXPECT_EQ(a->skips, b->skips);
    for (int i = 0; !a->is_dynamic && i <= DEALT_KIT_RANKS; i++) {
        EXPECT_EQ(a->bounds[i], b->bounds[i]);
    }
    EXPECT(!a->is_dynamic || a->bounds == NULL);
}

TEST(what_was_dealt_comes_back)
{
    struct dealt_kit k;
    struct buf text = {0};
    struct buf again = {0};
    struct buf base = {0};
    struct ranges *done = ranges_new();
    struct dealt_copy *copy;
    const struct dealt *d;
    struct fault why;

    dealt_kit_make(&k);
    ranges_add(done, (struct range){3, 9});
    ranges_add(done, (struct range){20, 21});
    ranges_write(done, &base);
    k.dealt.channels[DEALT_KIT_TRAIN].base = buf_bytes(&base);
    k.dealt.channels[DEALT_KIT_TRAIN].first_epoch = 4;
    k.dealt.channels[DEALT_KIT_TRAIN].step_units = 7;
    write_kit(&k, &text);
    EXPECT_EQ(dealt_read(buf_bytes(&text), DEALT_KIT_RUN, &why, &copy),
              STATUS_OK);
    d = dealt_of(copy);
    EXPECT_EQ(d->host_count, DEALT_KIT_HOSTS);
    EXPECT_EQ(d->channel_count, DEALT_KIT_CHANNELS);
    for (uint32_t i = 0; i < DEALT_KIT_HOSTS; i++) {
        EXPECT_EQ(d->ranks[i], k.ranks[i]);
        EXPECT_EQ(d->weights[i], k.weights[i]);
        EXPECT_EQ(d->shares[i].first_rank, k.shares[i].first_rank);
        EXPECT_EQ(d->shares[i].share_count, DEALT_KIT_CHANNELS);
        expect_channel(&d->channels[i], &k.dealt.channels[i]);
    }
    dealt_write(d, DEALT_KIT_RUN, &again);
    EXPECT(bytes_is_equal(buf_bytes(&text), buf_bytes(&again)));
    dealt_destroy(&copy);
    ranges_destroy(&done);
    buf_fini(&base);
    buf_fini(&text);
    buf_fini(&again);
}

TEST(another_run_is_refused)
{
    struct dealt_kit k;
    struct buf text = {0};

    dealt_kit_make(&k);
    write_kit(&k, &text);
    EXPECT_EQ(read_back(&text, DEALT_KIT_RUN), STATUS_OK);
    EXPECT_EQ(read_back(&text, "0123456789abcdef0123456789abcdee"),
              STATUS_MALFORMED);
    EXPECT_EQ(read_back(&text, "0123456789abcdef0123456789abcde"),
              STATUS_MALFORMED);
    buf_fini(&text);
}

/* With the checksum as it was, and made right for what is left. */
TEST(a_cut_text_is_refused)
{
    struct dealt_kit k;
    struct buf text = {0};
    struct buf cut = {0};

    dealt_kit_make(&k);
    write_kit(&k, &text);
    for (size_t size = 0; size < text.size; size++) {
        buf_clear(&cut);
        buf_add_bytes(&cut, (struct bytes){text.at, size});
        EXPECT_EQ(read_back(&cut, DEALT_KIT_RUN), STATUS_MALFORMED);
        if (size >= 8) {
            mend(&cut);
            EXPECT_EQ(read_back(&cut, DEALT_KIT_RUN), STATUS_MALFORMED);
        }
    }
    buf_fini(&text);
    buf_fini(&cut);
}

TEST(a_changed_byte_is_refused)
{
    struct dealt_kit k;
    struct buf text = {0};

    dealt_kit_make(&k);
    write_kit(&k, &text);
    for (size_t i = 0; i < text.size; i++) {
        text.at[i] = (char)(text.at[i] ^ 0x10);
        EXPECT_EQ(read_back(&text, DEALT_KIT_RUN), STATUS_MALFORMED);
        text.at[i] = (char)(text.at[i] ^ 0x10);
    }
    buf_add_char(&text, 'x');
    mend(&text);
    EXPECT_EQ(read_back(&text, DEALT_KIT_RUN), STATUS_MALFORMED);
    buf_fini(&text);
}

/* Make of @k what no ledger could be made from. */
static void spoil(struct dealt_kit *k, int row)
{
    struct dealt_channel *train = &k->dealt.channels[DEALT_KIT_TRAIN];
    struct dealt_channel *eval = &k->dealt.channels[DEALT_KIT_EVAL];

    if (row == 0) {
        k->weights[1] = 0;
    } else if (row == 1) {
        k->weights[1] = 1000001;
    } else if (row == 2) {
        train->positions = UINT64_MAX / 4;
    } else if (row == 3) {
        train->epochs = 0;
    } else if (row == 4) {
        train->first_epoch = 2;
        train->epochs = UINT64_MAX - 1;
    } else if (row == 5) {
        eval->step_units = 3;
    } else if (row == 6) {
        k->shares[0].share_count = 1; /* Its ranks have 0 to 5 of eval. */
    } else if (row == 7) {
        train->base = BYTES("\x01");
    } else {
        eval->positions++;
    }
}

/* Behind a checksum that is right. */
TEST(what_no_ledger_takes_is_refused)
{
    enum { ROWS = 9 };
    struct dealt_kit k;
    struct buf text = {0};

    for (int row = 0; row < ROWS; row++) {
        dealt_kit_make(&k);
        spoil(&k, row);
        write_kit(&k, &text);
        if (read_back(&text, DEALT_KIT_RUN) != STATUS_MALFORMED) {
            fprintf(stderr, "row %d\n", row);
            EXPECT(false);
        }
    }
    buf_fini(&text);
}

TEST(who_has_a_part)
{
    struct dealt_kit k;

    dealt_kit_make(&k);
    k.shares[1].share_count = 1;
    EXPECT(dealt_has_part(&k.dealt, DEALT_KIT_TRAIN, 0));
    EXPECT(dealt_has_part(&k.dealt, DEALT_KIT_EVAL, 0));
    EXPECT(dealt_has_part(&k.dealt, DEALT_KIT_TRAIN, 1));
    EXPECT(!dealt_has_part(&k.dealt, DEALT_KIT_EVAL, 1));
}
