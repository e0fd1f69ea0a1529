/* SPDX-License-Identifier: Apache-2.0 */
/* Real mounts. Where FUSE can't be used they are passed over, with a word. */
#include "worker/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "tests/fetch_kit.h"
#include "worker/mount_point.h"

enum { OBJECTS = 60, SLOT = 64 << 10, SLOTS = 16, READERS = 4, READS = 300 };

static size_t sizes[OBJECTS];
static char keys[OBJECTS][16]; /* Sorted. */
static uint32_t numbers[OBJECTS];
static char folder[] = "/tmp/test_mount.XXXXXX";

/* ---- a mount of objects o/0, o/1, … ----------------------------------------
 */

static int compare_numbers(const void *a, const void *b)
{
    char left[16];
    char right[16];

    snprintf(left, sizeof(left), "%u", *(const uint32_t *)a);
    snprintf(right, sizeof(right), "%u", *(const uint32_t *)b);
    return strcmp(left, right);
}

static void make_objects(const char *uri)
{
    struct prng p;

    prng_init(&p, 3);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        numbers[i] = i;
        sizes[i] = prng_below(&p, i % 10 == 0 ? 600000 : 90000);
    }
    sizes[7] = 0;
    kit_put_objects(uri, sizes, OBJECTS);
    qsort(numbers, OBJECTS, sizeof(numbers[0]), compare_numbers);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "o/%u", numbers[i]);
    }
}

static void object_at(void *self, uint64_t i, struct mount_object *io)
{
    (void)self;
    io->key = bytes_of(keys[i]);
    io->size = sizes[numbers[i]];
    io->etag = (struct bytes){"", 0};
}

struct stage {
    struct fetch *fetch;
    struct slots *slots;
    struct mount *mount;
};

static enum status try_mount(struct stage *s, struct fault *why)
{
    return mount_start(
        &(struct mount_options){
            .folder = folder,
            .channel = "train",
            .prefix = BYTES("o/"),
            .index = {.count = OBJECTS, .at = object_at},
            .bytes = 12345678,
            .time_s = 1000000000,
            .fetch = s->fetch,
            .lane = FETCH_ANY,
            .slots = s->slots,
            .slots_max = SLOTS,
            .threads = 3,
        },
        why, &s->mount);
}

static void new_slots(struct stage *s, uint32_t count, size_t size)
{
    EXPECT_EQ(
        slots_new(
            &(struct slots_options){.count = count, .size = size, .node = -1},
            NULL, &s->slots),
        STATUS_OK);
}

static void begin(struct stage *s, const char *uri)
{
    struct fault why;

    *s = (struct stage){.fetch = kit_fetch_of(uri, 2, 0)};
    new_slots(s, SLOTS, SLOT);
    EXPECT(mkdtemp(folder) != NULL);
    if (try_mount(s, &why) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
}

static void end(struct stage *s)
{
    mount_stop(&s->mount);
    EXPECT_EQ(slots_free(s->slots), slots_count(s->slots));
    slots_destroy(&s->slots);
    fetch_stop(&s->fetch);
    EXPECT_EQ(rmdir(folder), 0);
}

/* Whether there is FUSE here; says so when there is none. */
static bool can_mount(void)
{
    struct fault why;
    bool can = mount_point_has_fuse(&why) == STATUS_OK;

    if (!can) {
        fprintf(stderr, "passed over: %s\n", why.text);
    }
    return can;
}

static char *path_of(uint32_t object)
{
    static _Thread_local char path[64];

    snprintf(path, sizeof(path), "%s/%u", folder, object);
    return path;
}

static int open_object(uint32_t object)
{
    int fd = open(path_of(object), O_RDONLY | O_CLOEXEC);

    EXPECT(fd >= 0);
    return fd;
}

/* ---- reads -----------------------------------------------------------------
 */

static void expect_read(uint32_t object, uint64_t from, size_t size)
{
    uint8_t *room = mem_new(size + 1, 1);
    int fd = open_object(object);
    size_t left = from < sizes[object] ? sizes[object] - from : 0;
    ssize_t got = pread(fd, room, size, (off_t)from);

    EXPECT_EQ(got, left < size ? left : size);
    EXPECT(kit_is_right(room, object, from, (size_t)got));
    close(fd);
    free(room);
}

static void *read_randomly(void *seed)
{
    struct prng p;

    prng_init(&p, (uintptr_t)seed);
    for (int i = 0; i < READS; i++) {
        uint32_t object = (uint32_t)prng_below(&p, OBJECTS);
        uint64_t from = prng_below(&p, sizes[object] + 1000);
        size_t size = prng_chance(&p, 1, 8) ? 700000 : prng_below(&p, 30000);

        if (prng_chance(&p, 1, 3)) {
            int fd = open_object(object);

            /* So that it is read anew. */
            EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
            close(fd);
        }
        expect_read(object, prng_chance(&p, 1, 2) ? from : 0, size);
    }
    return NULL;
}

static void read_by_many(void)
{
    pthread_t readers[READERS];

    for (uintptr_t i = 0; i < READERS; i++) {
        EXPECT_EQ(pthread_create(&readers[i], NULL, read_randomly, (void *)i),
                  0);
    }
    for (int i = 0; i < READERS; i++) {
        EXPECT_EQ(pthread_join(readers[i], NULL), 0);
    }
}

TEST(many_readers_get_the_right_bytes)
{
    struct stage s;
    struct mount_stats stats;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    begin(&s, "mem://a/");
    read_by_many();
    stats = mount_stats(s.mount);
    EXPECT(stats.ahead.reads > 0 && stats.ahead.asked > 0);
    EXPECT_EQ(stats.failed, 0);
    EXPECT_EQ(stats.ahead.parked, 0);
    end(&s);
}

TEST(a_directory_too)
{
    char store[] = "/tmp/test_mount_store.XXXXXX";
    char uri[64];
    struct stage s;

    if (!can_mount()) {
        return;
    }
    EXPECT(mkdtemp(store) != NULL);
    snprintf(uri, sizeof(uri), "file://%s/", store);
    make_objects(uri);
    begin(&s, uri);
    read_by_many();
    end(&s);
    EXPECT_EQ(file_remove_tree(store, NULL), STATUS_OK);
}
