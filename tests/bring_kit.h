/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of bring: a bring from start to end, and what came of it. */

#ifndef TESTS_BRING_KIT_H
#define TESTS_BRING_KIT_H

#include <sys/mount.h>

#include "tests/bring_source.h"

static struct fault why;

static inline enum status start(const struct bring_channel *channels,
                                uint32_t count, uint32_t lanes,
                                struct bring **out)
{
    struct bring_options options = {.data_dir = kit_path("data"),
                                    .lanes = lanes,
                                    .channels = channels,
                                    .channel_count = count};

    why.text[0] = '\0';
    return bring_start(&options, &why, out);
}

static inline enum status bring_all(const struct bring_channel *channels,
                                    uint32_t count, uint32_t lanes)
{
    struct bring *b = NULL;
    enum status s = start(channels, count, lanes, &b);

    if (s != STATUS_OK) {
        EXPECT(b == NULL);
        return s;
    }
    kit_wait(bring_fd(b));
    for (uint32_t i = 0; i < count; i++) {
        struct bring_progress p = bring_progress(b, i);

        EXPECT(p.units <= channels[i].units);
    }
    s = bring_finish(&b, &why);
    EXPECT(b == NULL);
    return s;
}

static inline enum status bring_one(struct source *s)
{
    return bring_all(&s->channel, 1, 2);
}

static inline void kit_close_pipes(const int a[2], const int b[2])
{
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

/* Where the first bring of a channel is staged. */
#define KIT_STAGED "data/.smshard/train.part/1/files/"
#define KIT_BOOK "data/.smshard/train.part/1/book"

static inline void expect_none_in_place(void)
{
    EXPECT(!kit_is_there("data/train"));
    EXPECT(!kit_is_there("data/train-manifest"));
    EXPECT(!kit_is_there("data/.smshard/train.manifest"));
}

static inline void expect_nothing(void)
{
    expect_none_in_place();
    EXPECT(!kit_is_there("data/.smshard"));
}

static inline void make_small_source(struct source *s)
{
    open_source(s, "train", "mem");
    kit_put(s->store, "p/a", 1, 10);
    kit_put(s->store, "p/b/c", 2, 20);
    kit_put(s->store, "p/d", 3, 30);
    list_source(s, "p/");
}

static inline void expect_small(void)
{
    kit_expect_file("data/train/a", 1, 10);
    kit_expect_file("data/train/b/c", 2, 20);
    kit_expect_file("data/train/d", 3, 30);
    EXPECT(kit_is_there("data/train-manifest"));
    EXPECT(!kit_is_there("data/.smshard/train.manifest"));
    EXPECT(!kit_is_there("data/.smshard/train.old"));
}

/* Mount a small file system on @name, which is gone with the test. False,
 * with a word, where that is not allowed. */
static inline bool kit_mount(const char *name, const char *options)
{
    EXPECT_OK(file_make_folder(kit_path(name), &why), why);
    if (mount("tmpfs", kit_path(name), "tmpfs", 0, options) != 0) {
        fprintf(stderr, "skipped: no right to mount\n");
        return false;
    }
    return true;
}

static inline void kit_unmount(const char *name)
{
    EXPECT(umount2(kit_path(name), MNT_DETACH) == 0);
}

#endif /* TESTS_BRING_KIT_H */
