/* SPDX-License-Identifier: Apache-2.0 */
/* What is advised, by what was seen and where. */

#include "cli/advise.h"
#include "tests/harness.h"

#define KB UINT64_C(1000)
#define MB UINT64_C(1000000)
#define GB UINT64_C(1000000000)

TEST(what_is_seen)
{
    struct advise_seen seen = {0};

    advise_add(&seen, BYTES("a/1.tar"), 5 * MB);
    advise_add(&seen, BYTES("a/2.tfrecord"), 10);
    advise_add(&seen, BYTES("a/tar"), ADVISE_SMALL);
    EXPECT_EQ(seen.objects, 3);
    EXPECT_EQ(seen.bytes, 5 * MB + 10 + ADVISE_SMALL);
    EXPECT_EQ(seen.largest, 5 * MB);
    EXPECT_EQ(seen.small, 2);
    EXPECT_EQ(seen.records, 2);
}

TEST(advice)
{
    static const struct {
        uint64_t objects;
        uint64_t size; /* Of each. */
        uint64_t records;
        uint64_t memory;
        uint64_t disk;
        uint32_t hosts;
        bool is_replicated;
        bool packs;
        enum advise_mode mode;
        const char *why;
    } rows[] = {
        /* Little of anything. */
        {1000, 100 * KB, 0, 0, 0, 1, false, false, ADVISE_FILE, "simpler"},
        /* Many small ones: requests, not bytes. */
        {10000000, 100 * KB, 0, 0, 0, 1, false, true, ADVISE_RING, "small"},
        {10000000, 100 * KB, 0, 16 * MB, 0, 1, false, true, ADVISE_FASTFILE,
         "small"},
        /* Of many hosts each may ask less. */
        {1000000, MB, 0, 0, 0, 64, false, true, ADVISE_RING, "small"},
        /* Few large ones, of records or not. */
        {10000, 150 * MB, 10000, 0, 0, 1, false, false, ADVISE_RING,
         "streamed"},
        {10000, 150 * MB, 10000, 16 * MB, 0, 1, false, false, ADVISE_FASTFILE,
         "streamed"},
        {10000, 150 * MB, 0, 0, 0, 1, false, false, ADVISE_FASTFILE,
         "streamed"},
        /* A share that is soon there; not where all is read by all. */
        {1000, 150 * MB, 1000, 0, 0, 16, false, false, ADVISE_FILE, "simpler"},
        {1000, 150 * MB, 1000, 0, 0, 16, true, false, ADVISE_RING, "streamed"},
        /* No disk for it. */
        {100, 150 * MB, 100, 0, GB, 1, false, false, ADVISE_RING,
         "the disk is too small"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct advise_setting setting = advise_usual();
        struct advise_seen seen = {.objects = rows[i].objects,
                                   .bytes = rows[i].objects * rows[i].size,
                                   .largest = rows[i].size,
                                   .records = rows[i].records};
        struct advise a;

        setting.hosts = rows[i].hosts;
        setting.memory = rows[i].memory;
        setting.disk = rows[i].disk;
        setting.is_replicated = rows[i].is_replicated;
        advise_make(&seen, &setting, &a);
        if (strstr(a.why, rows[i].why) == NULL || a.packs != rows[i].packs ||
            a.mode != rows[i].mode) {
            fprintf(stderr, "row %zu: %d %s: %s\n", i, a.packs,
                    advise_mode_name(a.mode), a.why);
            exit(1);
        }
        EXPECT(a.rows[a.mode].fits);
        for (unsigned m = 0; m < ADVISE_MODES; m++) {
            EXPECT(a.rows[m].why[0] != '\0' && a.rows[m].start > 0);
        }
    }
}

/* The model by hand: 6,400 objects of 1 MB, 64 at once, 30 ms each. */
TEST(figures)
{
    struct advise_setting setting = advise_usual();
    struct advise_seen seen = {.objects = 6400, .bytes = 6400 * MB};
    struct advise a;

    advise_make(&seen, &setting, &a);
    EXPECT_EQ(a.requests, 2133);     /* 64 / 0.03 */
    EXPECT_EQ(a.epoch * 1000, 5120); /* 6.4 GB at 1.25 GB/s. */
    EXPECT_EQ(a.list * 1000, 158);   /* 0.03 + 6400 / 50000 */
    EXPECT_EQ(a.rows[ADVISE_FILE].start * 1000, 5308);
    EXPECT_EQ(a.rows[ADVISE_RING].start * 10000, 1888); /* + 0.03 + 0.8 ms */
    setting.requests_max = 640;
    advise_make(&seen, &setting, &a);
    EXPECT_EQ(a.epoch, 10);
}

TEST(too_few_objects_for_all_ranks)
{
    struct advise_setting setting = advise_usual();
    struct advise_seen seen = {.objects = 3, .bytes = 3 * GB};
    struct advise a;

    setting.ranks = 4;
    advise_make(&seen, &setting, &a);
    EXPECT(strstr(a.hint, "3 objects for 4 ranks") == a.hint);
    setting.is_replicated = true;
    advise_make(&seen, &setting, &a);
    EXPECT_STR(a.hint, "");
}
