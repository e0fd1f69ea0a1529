/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/work.h"

#include <signal.h>

#include "base/mem.h"
#include "base/prng.h"
#include "base/varint.h"
#include "tests/harness.h"

static struct fault why;

/* Read a copy in a block of its exact size, for the address sanitizer. */
static enum status read_work(struct bytes in, struct work *out)
{
    char *copy = malloc(in.size > 0 ? in.size : 1);
    enum status s;

    EXPECT(copy != NULL);
    memcpy(copy, in.at, in.size);
    s = work_read((struct bytes){copy, in.size}, &why, out);
    free(copy);
    return s;
}

static enum status read_grant(struct bytes in, struct grant *out)
{
    char *copy = malloc(in.size > 0 ? in.size : 1);
    enum status s;

    EXPECT(copy != NULL);
    memcpy(copy, in.at, in.size);
    s = grant_read((struct bytes){copy, in.size}, &why, out);
    free(copy);
    return s;
}

/* ---- Bodies with random content. ----------------------------------------- */

/* Small numbers as a rule, and some near the largest. */
static uint64_t some(struct prng *p)
{
    return prng_chance(p, 1, 8) ? (UINT64_MAX - 1) / 2 - prng_below(p, 9)
                                : prng_next(p) >> (8 + prng_below(p, 56));
}

static void fill_work(struct prng *p, uint32_t rows, struct work *w)
{
    uint64_t n = 0;

    *w = (struct work){.channel = (uint32_t)prng_below(p, 20),
                       .epoch = some(p),
                       .seq = 1 + some(p),
                       .ends_epoch = prng_chance(p, 1, 2)};
    for (uint32_t r = 0; r < WORK_WANTS_MAX && w->want_count < rows; r++) {
        if (rows >= WORK_WANTS_MAX || prng_chance(p, 1, 3)) {
            w->wants[w->want_count++] = (struct work_want){r, some(p)};
        }
    }
    for (uint32_t i = 0; i < rows && i < WORK_LEASES_MAX; i++) {
        uint64_t at = some(p);

        n += 1 + prng_below(p, 1000);
        w->leases[w->lease_count++] =
            (struct work_lease){n, at, at + prng_below(p, 100)};
    }
    n = 1;
    for (uint32_t i = 0; i < rows && i < WORK_DONE_MAX; i++) {
        bool is_next = i > 0 && prng_chance(p, 1, 2);
        uint64_t at = is_next ? w->done[i - 1].end + prng_below(p, 3) : some(p);

        n += !is_next;
        w->done[w->done_count++] =
            (struct work_done){n, at, at + 1 + prng_below(p, 100)};
    }
    for (uint32_t i = 0; i < rows && i < WORK_SKIPS_MAX; i++) {
        w->skips[w->skip_count++] = (struct work_skip){
            1 + i / 2, some(p) / 8 + (uint64_t)(i % 2) * (UINT64_MAX / 4),
            i == 0 ? BYTES("") : BYTES("it \0 is \xff torn")};
    }
}

static void fill_grant(struct prng *p, uint32_t rows, struct grant *g)
{
    uint64_t n = 0;

    *g = (struct grant){.channel = (uint32_t)prng_below(p, 20),
                        .epoch = some(p),
                        .seq = 1 + some(p),
                        .gate = prng_chance(p, 1, 2) ? UINT64_MAX : some(p),
                        .is_complete = prng_chance(p, 1, 2),
                        .is_over = prng_chance(p, 1, 2),
                        .idle_ranks = prng_next(p)};
    g->acked_seq = g->seq - prng_below(p, g->seq);
    g->unkept = prng_below(p, g->acked_seq + 1);
    for (uint32_t i = 0; i < rows && i < WORK_LEASES_MAX; i++) {
        uint64_t at = some(p);
        uint64_t size = prng_below(p, 100);

        n += 1 + prng_below(p, 1000);
        g->leases[g->lease_count++] = (struct grant_lease){
            .number = n,
            .rank = (uint32_t)prng_below(p, WORK_WANTS_MAX),
            .first = at,
            .end = at + size,
            .want_end = at + prng_below(p, size + 1),
            .is_late = prng_chance(p, 1, 2),
        };
    }
    n = 0;
    for (uint32_t i = 0; i < rows && i < GRANT_REFUSED_MAX; i++) {
        n += 1 + prng_below(p, 1000);
        g->refused[g->refused_count++] = n;
    }
}

static void same_work(const struct work *a, const struct work *b)
{
    EXPECT_EQ(a->channel, b->channel);
    EXPECT_EQ(a->epoch, b->epoch);
    EXPECT_EQ(a->seq, b->seq);
    EXPECT_EQ(a->ends_epoch, b->ends_epoch);
    EXPECT_EQ(a->want_count, b->want_count);
    EXPECT_EQ(a->lease_count, b->lease_count);
    EXPECT_EQ(a->done_count, b->done_count);
    EXPECT_EQ(a->skip_count, b->skip_count);
    for (uint32_t i = 0; i < a->want_count; i++) {
        EXPECT_EQ(a->wants[i].rank, b->wants[i].rank);
        EXPECT_EQ(a->wants[i].units, b->wants[i].units);
    }
    EXPECT(memcmp(a->leases, b->leases,
                  a->lease_count * sizeof(a->leases[0])) == 0);
    EXPECT(memcmp(a->done, b->done, a->done_count * sizeof(a->done[0])) == 0);
    for (uint32_t i = 0; i < a->skip_count; i++) {
        EXPECT_EQ(a->skips[i].number, b->skips[i].number);
        EXPECT_EQ(a->skips[i].position, b->skips[i].position);
        EXPECT(bytes_is_equal(a->skips[i].reason, b->skips[i].reason));
    }
}

static void same_grant(const struct grant *a, const struct grant *b)
{
    EXPECT_EQ(a->channel, b->channel);
    EXPECT_EQ(a->epoch, b->epoch);
    EXPECT_EQ(a->seq, b->seq);
    EXPECT_EQ(a->acked_seq, b->acked_seq);
    EXPECT_EQ(a->unkept, b->unkept);
    EXPECT_EQ(a->gate, b->gate);
    EXPECT_EQ(a->is_complete, b->is_complete);
    EXPECT_EQ(a->is_over, b->is_over);
    EXPECT_EQ(a->idle_ranks, b->idle_ranks);
    EXPECT_EQ(a->lease_count, b->lease_count);
    EXPECT_EQ(a->refused_count, b->refused_count);
    for (uint32_t i = 0; i < a->lease_count; i++) {
        EXPECT_EQ(a->leases[i].number, b->leases[i].number);
        EXPECT_EQ(a->leases[i].rank, b->leases[i].rank);
        EXPECT_EQ(a->leases[i].first, b->leases[i].first);
        EXPECT_EQ(a->leases[i].end, b->leases[i].end);
        EXPECT_EQ(a->leases[i].want_end, b->leases[i].want_end);
        EXPECT_EQ(a->leases[i].is_late, b->leases[i].is_late);
    }
    EXPECT(memcmp(a->refused, b->refused,
                  a->refused_count * sizeof(a->refused[0])) == 0);
}

/* ---- There and back. ----------------------------------------------------- */

static struct work w;
static struct work w2;
static struct grant g;
static struct grant g2;

TEST(any_work_comes_back_as_it_was)
{
    struct buf out = {0};
    struct prng p;

    prng_init(&p, 1);
    for (uint32_t i = 0; i < 600; i++) {
        struct bytes in;

        fill_work(&p, i % 100 == 99 ? 1000 : i % 20, &w);
        buf_clear(&out);
        work_write(&w, &out);
        in = buf_bytes(&out);
        EXPECT_EQ(work_read(in, &why, &w2), STATUS_OK);
        same_work(&w, &w2);
        for (uint32_t k = 0; k < w2.skip_count; k++) {
            EXPECT(w2.skips[k].reason.at >= in.at);
            EXPECT(w2.skips[k].reason.at <= in.at + in.size);
        }
    }
    buf_fini(&out);
}

TEST(any_grant_comes_back_as_it_was)
{
    struct buf out = {0};
    struct prng p;

    prng_init(&p, 2);
    for (uint32_t i = 0; i < 600; i++) {
        fill_grant(&p, i % 100 == 99 ? 1000 : i % 20, &g);
        buf_clear(&out);
        grant_write(&g, &out);
        EXPECT_EQ(read_grant(buf_bytes(&out), &g2), STATUS_OK);
        same_grant(&g, &g2);
    }
    buf_fini(&out);
}

/* The largest that the limits allow fits in a message's body. */
TEST(the_largest_fits)
{
    static char reason[WORK_REASON_MAX];
    const uint64_t far = UINT64_MAX - 10000000;
    struct buf out = {0};

    w = (struct work){.channel = UINT32_MAX,
                      .epoch = UINT64_MAX,
                      .seq = UINT64_MAX,
                      .want_count = WORK_WANTS_MAX,
                      .lease_count = WORK_LEASES_MAX,
                      .done_count = WORK_DONE_MAX,
                      .skip_count = WORK_SKIPS_MAX};
    for (uint32_t i = 0; i < WORK_WANTS_MAX; i++) {
        w.wants[i] = (struct work_want){i, UINT64_MAX};
    }
    for (uint32_t i = 0; i < WORK_LEASES_MAX; i++) {
        uint64_t n = (UINT64_MAX / 257) * (i + 1);

        w.leases[i] = (struct work_lease){n, far / 2, far};
    }
    for (uint32_t i = 0; i < WORK_DONE_MAX; i++) {
        uint64_t n = (UINT64_MAX / 513) * (i + 1);

        w.done[i] = (struct work_done){n, far / 2, far};
    }
    for (uint32_t i = 0; i < WORK_SKIPS_MAX; i++) {
        w.skips[i] = (struct work_skip){
            (UINT64_MAX / 9) * (i + 1), far, {reason, sizeof(reason)}};
    }
    work_write(&w, &out);
    EXPECT(out.size > WORK_BODY_MAX / 2 && out.size <= WORK_BODY_MAX);
    EXPECT_EQ(read_work(buf_bytes(&out), &w2), STATUS_OK);

    g = (struct grant){.channel = UINT32_MAX,
                       .epoch = UINT64_MAX,
                       .seq = UINT64_MAX,
                       .acked_seq = UINT64_MAX,
                       .gate = UINT64_MAX,
                       .is_complete = true,
                       .is_over = true,
                       .idle_ranks = UINT64_MAX,
                       .lease_count = WORK_LEASES_MAX,
                       .refused_count = GRANT_REFUSED_MAX};
    for (uint32_t i = 0; i < WORK_LEASES_MAX; i++) {
        uint64_t n = (UINT64_MAX / 257) * (i + 1);

        g.leases[i] =
            (struct grant_lease){n, 63, far / 2, far, far / 2 + 1, true};
    }
    for (uint32_t i = 0; i < GRANT_REFUSED_MAX; i++) {
        g.refused[i] = (UINT64_MAX / 777) * (i + 1);
    }
    buf_clear(&out);
    grant_write(&g, &out);
    EXPECT(out.size <= WORK_BODY_MAX);
    EXPECT_EQ(read_grant(buf_bytes(&out), &g2), STATUS_OK);
    same_grant(&g, &g2);
    buf_fini(&out);
}

/* A change of these bytes is a new WIRE_VERSION. */
TEST(the_format_is_pinned)
{
    const struct work work = {.channel = 2,
                              .epoch = 1,
                              .seq = 300,
                              .ends_epoch = true,
                              .want_count = 2,
                              .lease_count = 2,
                              .done_count = 3,
                              .skip_count = 1,
                              .wants = {{1, 0}, {3, 200}},
                              .leases = {{7, 10, 20}, {9, 40, 40}},
                              .done = {{7, 2, 4}, {7, 4, 9}, {9, 35, 36}},
                              .skips = {{7, 9, BYTES("torn")}}};
    const struct grant grant = {
        .channel = 2,
        .epoch = 1,
        .seq = 300,
        .acked_seq = 299,
        .gate = 128,
        .is_over = true,
        .idle_ranks = 5,
        .lease_count = 2,
        .refused_count = 2,
        .leases = {{7, 1, 0, 20, 15, false}, {9, 3, 30, 40, 40, true}},
        .refused = {1, 4}};
    struct buf out = {0};

    work_write(&work, &out);
    EXPECT(bytes_is_equal(buf_bytes(&out), BYTES("\2\1\xac\2\1"
                                                 "\2\1\0\1\xc8\1"
                                                 "\2\7\x0a\x0a\2\x28\0"
                                                 "\3\7\2\2\0\0\5\2\x23\1"
                                                 "\1\7\x09\4torn")));
    buf_clear(&out);
    grant_write(&grant, &out);
    EXPECT(bytes_is_equal(buf_bytes(&out), BYTES("\2\1\xac\2\xab\2\x80\1\2\5"
                                                 "\2\7\2\0\x14\5\2\7\x1e\x0a\0"
                                                 "\2\1\3")));
    buf_fini(&out);
}

/* ---- What is refused. ---------------------------------------------------- */

TEST(each_truncation_is_malformed)
{
    struct buf out = {0};
    struct prng p;

    prng_init(&p, 3);
    fill_work(&p, 7, &w);
    work_write(&w, &out);
    for (size_t size = 0; size < out.size; size++) {
        EXPECT_EQ(read_work((struct bytes){out.at, size}, &w2),
                  STATUS_MALFORMED);
        EXPECT_EQ(w2.seq, 0);
    }
    buf_add_char(&out, '\0');
    EXPECT_EQ(read_work(buf_bytes(&out), &w2), STATUS_MALFORMED);
    EXPECT_STR(why.text, "WORK: 1 bytes are left over");
    buf_clear(&out);
    fill_grant(&p, 7, &g);
    grant_write(&g, &out);
    for (size_t size = 0; size < out.size; size++) {
        EXPECT_EQ(read_grant((struct bytes){out.at, size}, &g2),
                  STATUS_MALFORMED);
        EXPECT_EQ(g2.seq, 0);
    }
    buf_add_char(&out, '\0');
    EXPECT_EQ(read_grant(buf_bytes(&out), &g2), STATUS_MALFORMED);
    EXPECT_STR(why.text, "GRANT: 1 bytes are left over");
    buf_fini(&out);
}

/* Every byte changed to every other: it is refused, or what was read can be
 * written and is those very bytes. */
TEST(each_changed_byte_is_answered)
{
    struct buf out = {0};
    struct buf again = {0};
    struct prng p;
    unsigned refused = 0;

    prng_init(&p, 4);
    fill_work(&p, 5, &w);
    work_write(&w, &out);
    for (size_t i = 0; i < 255 * out.size; i++) {
        char was = out.at[i / 255];

        out.at[i / 255] = (char)(was + 1 + (int)(i % 255));
        if (work_read(buf_bytes(&out), &why, &w2) == STATUS_OK) {
            buf_clear(&again);
            work_write(&w2, &again);
            EXPECT(bytes_is_equal(buf_bytes(&again), buf_bytes(&out)));
        } else {
            refused++;
        }
        out.at[i / 255] = was;
    }
    EXPECT(refused > 100);
    buf_fini(&out);
    buf_fini(&again);
}

#define MAX "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1" /* UINT64_MAX - 1 */

TEST(what_is_out_of_range_is_named)
{
    const struct {
        struct bytes in;
        const char *field;
    } works[] = {
        {BYTES(""), "channel"},
        {BYTES("\xff\xff\xff\xff\x1f"), "channel"},
        {BYTES("\0\0\0"), "seq"},
        {BYTES("\0\0\1\2"), "flags"},
        {BYTES("\0\0\1\0\x41"), "wants"},
        {BYTES("\0\0\1\0\1\x40"), "rank"},
        {BYTES("\0\0\1\0\2\x3f\0\0\0"), "rank"},
        {BYTES("\0\0\1\0\0\x81\2"), "leases"},
        {BYTES("\0\0\1\0\0\1\0"), "lease"},
        {BYTES("\0\0\1\0\0\2\1\0\0\0\0\0"), "lease"},
        {BYTES("\0\0\1\0\0\1\1" MAX "\1"), "end"},
        {BYTES("\0\0\1\0\0\0\x81\4"), "done"},
        {BYTES("\0\0\1\0\0\0\1\0"), "done lease"},
        {BYTES("\0\0\1\0\0\0\1\1\0\0"), "done end"},
        {BYTES("\0\0\1\0\0\0\1\1" MAX "\1"), "done end"},
        {BYTES("\0\0\1\0\0\0\2\1" MAX), "done end"},
        {BYTES("\0\0\1\0\0\0\0\x09"), "skips"},
        {BYTES("\0\0\1\0\0\0\0\1\0"), "skip lease"},
        {BYTES("\0\0\1\0\0\0\0\1\1" MAX), "skip position"},
        {BYTES("\0\0\1\0\0\0\0\1\1\0\x81\4"), "skip reason"},
        {BYTES("\0\0\1\0\0\0\0\1\1\0\2a"), "skip reason"},
        {BYTES("\x80\0\0\1\0\0\0\0\0"), "channel"}, /* Not the shortest. */
    };
    const struct {
        struct bytes in;
        const char *field;
    } grants[] = {
        {BYTES("\0\0\1\2"), "acked_seq"},
        {BYTES("\0\0\1\1\0\x08"), "flags"},
        {BYTES("\0\0\1\1\0\4\0\0\0\2"), "unkept"},
        {BYTES("\0\0\2\1\0\4\0\0\0\2"), "unkept"},
        {BYTES("\0\0\1\1\0\0\0\x81\2"), "leases"},
        {BYTES("\0\0\1\1\0\0\0\1\0"), "lease"},
        {BYTES("\0\0\1\1\0\0\0\1\1\x80\1"), "rank"},
        {BYTES("\0\0\1\1\0\0\0\1\1\0" MAX "\1"), "end"},
        {BYTES("\0\0\1\1\0\0\0\1\1\0\0\2\3"), "want_end"},
        {BYTES("\0\0\1\1\0\0\0\0\x89\6"), "refused"},
        {BYTES("\0\0\1\1\0\0\0\0\1\0"), "refused lease"},
    };
    char text[128];

    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        EXPECT_EQ(read_work(works[i].in, &w2), STATUS_MALFORMED);
        snprintf(text, sizeof(text),
                 "WORK: %s is cut short, too large or out of order",
                 works[i].field);
        EXPECT_STR(why.text, text);
    }
    for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++) {
        EXPECT_EQ(read_grant(grants[i].in, &g2), STATUS_MALFORMED);
        snprintf(text, sizeof(text),
                 "GRANT: %s is cut short, too large or out of order",
                 grants[i].field);
        EXPECT_STR(why.text, text);
    }
}

TEST(a_body_that_is_too_long_is_not_looked_at)
{
    char *long_one = mem_new(WORK_BODY_MAX + 1, 1);

    EXPECT_EQ(work_read((struct bytes){long_one, WORK_BODY_MAX + 1}, &why, &w2),
              STATUS_MALFORMED);
    EXPECT(strstr(why.text, "32769 bytes") != NULL);
    EXPECT_EQ(
        grant_read((struct bytes){long_one, WORK_BODY_MAX + 1}, &why, &g2),
        STATUS_MALFORMED);
    free(long_one);
}

TEST(writing_checks_what_is_ours)
{
    const struct work bad[] = {
        {.seq = 0},
        {.seq = 1, .want_count = 2, .wants = {{1, 0}, {1, 0}}},
        {.seq = 1, .lease_count = 1, .leases = {{0, 0, 0}}},
        {.seq = 1, .lease_count = 1, .leases = {{1, 2, 1}}},
        {.seq = 1, .done_count = 1, .done = {{1, 2, 2}}},
        {.seq = 1, .done_count = 2, .done = {{1, 2, 4}, {1, 3, 5}}},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf out = {0};
        int state = 0;
        pid_t child;

        fflush(NULL);
        child = fork();
        if (child == 0) {
            fclose(stderr);
            work_write(&bad[i], &out);
            _exit(0);
        }
        EXPECT(waitpid(child, &state, 0) == child);
        EXPECT(WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT);
    }
}
