/* SPDX-License-Identifier: Apache-2.0 */
/* Real mounts. Where FUSE can't be used they are passed over, with a word. */
#include "worker/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
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
static const char *etag_of_2 = "";
static size_t grown_by; /* What the index says too much of that. */
static char folder[32];

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
    io->size = sizes[numbers[i]] + (numbers[i] == 2 ? grown_by : 0);
    io->etag = bytes_of(numbers[i] == 2 ? etag_of_2 : "");
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

/* A test that fails ends while others of its threads wait for answers that
 * nobody will give: end the mount first. */
static void abort_mount(void)
{
    (void)umount2(folder, MNT_FORCE | MNT_DETACH);
}

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/test_mount.XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    EXPECT_EQ(atexit(abort_mount), 0);
}

static void begin(struct stage *s, const char *uri)
{
    struct fault why;

    *s = (struct stage){.fetch = kit_fetch_of(uri, 2, 0)};
    new_slots(s, SLOTS, SLOT);
    make_folder();
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

/* ---- names -----------------------------------------------------------------
 */

TEST(names_are_those_of_the_keys)
{
    bool is_seen[OBJECTS] = {false};
    uint64_t asked;
    struct dirent *e;
    struct stage s;
    DIR *dir;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    begin(&s, "mem://a/");
    asked = store_mem_requests("a");
    dir = opendir(folder);
    EXPECT(dir != NULL);
    while ((e = readdir(dir)) != NULL) {
        uint32_t object = (uint32_t)strtoul(e->d_name, NULL, 10);
        struct stat st;

        if (e->d_name[0] == '.') {
            continue;
        }
        EXPECT(object < OBJECTS && !is_seen[object]);
        is_seen[object] = true;
        EXPECT_EQ(e->d_type, DT_REG);
        EXPECT_EQ(stat(path_of(object), &st), 0);
        EXPECT_EQ(st.st_blocks, (st.st_size + 511) / 512);
        EXPECT_EQ(st.st_ino, e->d_ino);
        EXPECT_EQ(st.st_size, sizes[object]);
        EXPECT_EQ(st.st_mode, S_IFREG | 0444);
        EXPECT_EQ(st.st_mtime, 1000000000);
    }
    closedir(dir);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        EXPECT(is_seen[i]);
    }
    // cppcheck-suppress leakReturnValNotUsed ; it must fail
    EXPECT(open(path_of(OBJECTS), O_RDONLY) < 0 && errno == ENOENT);
    EXPECT_EQ(store_mem_requests("a"), asked);
    end(&s);
}

TEST(nothing_can_be_written)
{
    struct statvfs fs;
    struct stage s;
    struct stat st;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    begin(&s, "mem://a/");
    // cppcheck-suppress leakReturnValNotUsed ; it must fail
    EXPECT(open(path_of(1), O_WRONLY) < 0 && errno == EROFS);
    // cppcheck-suppress leakReturnValNotUsed ; it must fail
    EXPECT(open(path_of(999), O_RDWR | O_CREAT, 0600) < 0 && errno == EROFS);
    EXPECT(unlink(path_of(1)) < 0 && errno == EROFS);
    EXPECT(mkdir(path_of(999), 0700) < 0 && errno == EROFS);
    EXPECT(rename(path_of(1), path_of(2)) < 0 && errno == EROFS);
    EXPECT(chmod(path_of(1), 0600) < 0 && errno == EROFS);
    EXPECT(truncate(path_of(1), 0) < 0 && errno == EROFS);
    EXPECT_EQ(stat(folder, &st), 0);
    EXPECT_EQ(st.st_mode, S_IFDIR | 0555);
    EXPECT_EQ(st.st_ino, MOUNT_TREE_ROOT);
    EXPECT_EQ(statvfs(folder, &fs), 0);
    EXPECT_EQ(fs.f_files, OBJECTS);
    EXPECT_EQ(fs.f_blocks, (12345678 + 4095) / 4096);
    EXPECT_EQ(fs.f_bavail, 0);
    end(&s);
}

/* ---- failures --------------------------------------------------------------
 */

static void expect_error(uint32_t object, int error)
{
    int fd = open_object(object);
    char byte;

    EXPECT(pread(fd, &byte, 1, 0) < 0 && errno == error);
    close(fd);
}

TEST(a_store_that_fails_is_an_error_with_a_reason)
{
    struct store_mem_failure all = {
        .in = 1, .count = UINT64_MAX, .status = STATUS_DENIED};
    struct mount_stats stats;
    struct stage s;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    begin(&s, "mem://a/");
    store_mem_fail("a", all);
    expect_error(2, EIO);
    stats = mount_stats(s.mount);
    EXPECT(stats.failed > 0);
    EXPECT(strncmp(stats.why.text, "train: mem://a/o/2: ", 20) == 0);
    /* It is asked again, and then all is well. */
    store_mem_fail("a", (struct store_mem_failure){.in = 0});
    expect_read(2, 0, 100);
    /* What may pass is tried again before anybody hears of it. */
    store_mem_fail("a", (struct store_mem_failure){
                            .in = 1, .count = 1, .status = STATUS_STORE});
    expect_read(3, 0, 100);
    end(&s);
}

TEST(an_object_that_was_overwritten_is_an_error)
{
    struct mount_stats stats;
    struct stage s;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    etag_of_2 = "of before";
    begin(&s, "mem://a/");
    expect_error(2, EIO);
    stats = mount_stats(s.mount);
    EXPECT(stats.failed > 0 && strstr(stats.why.text, "mem://a/o/2") != NULL);
    end(&s);
    etag_of_2 = "";
    grown_by = 10; /* Or else it was longer. */
    begin(&s, "mem://a/");
    expect_error(2, EIO);
    EXPECT(strstr(mount_stats(s.mount).why.text, "bytes, and a range up to") !=
           NULL);
    end(&s);
}

/* ---- ends ------------------------------------------------------------------
 */

struct reader {
    pthread_t thread;
    int fd;
    atomic_bool has_begun;
};

/* Until it fails; what it gets before that is right. */
static void *read_until_the_end(void *self)
{
    struct reader *r = self;
    uint8_t room[5000];
    ssize_t got;

    do {
        EXPECT_EQ(posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        got = pread(r->fd, room, sizeof(room), 0);
        EXPECT(got < 0 || kit_is_right(room, 10, 0, (size_t)got));
        atomic_store(&r->has_begun, true);
    } while (got >= 0);
    return NULL;
}

TEST(it_stops_while_it_is_read)
{
    struct reader readers[READERS] = {0};
    struct stage s;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    begin(&s, "mem://a/");
    for (int i = 0; i < READERS; i++) {
        readers[i].fd = open_object(10);
        EXPECT_EQ(pthread_create(&readers[i].thread, NULL, read_until_the_end,
                                 &readers[i]),
                  0);
    }
    for (int i = 0; i < READERS; i++) {
        while (!atomic_load(&readers[i].has_begun)) {
            sched_yield();
        }
    }
    end(&s); /* The folder is free though files are open. */
    for (int i = 0; i < READERS; i++) {
        EXPECT_EQ(pthread_join(readers[i].thread, NULL), 0);
        close(readers[i].fd);
    }
}

TEST(it_stops_while_the_store_does_not_answer)
{
    struct reader reader = {.fd = -1};
    struct stage s;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    begin(&s, "mem://a/");
    reader.fd = open_object(10);
    store_mem_fail("a", (struct store_mem_failure){.in = 1,
                                                   .count = UINT64_MAX,
                                                   .status = STATUS_STORE});
    EXPECT_EQ(pthread_create(&reader.thread, NULL, read_until_the_end, &reader),
              0);
    while (mount_stats(s.mount).ahead.parked == 0) {
        sched_yield();
    }
    end(&s);
    EXPECT_EQ(pthread_join(reader.thread, NULL), 0);
    close(reader.fd);
}

/* What a process does that is killed at some moment: it mounts, and waits. It
 * does not read for itself, or it could not even be killed. */
static void be_victim(int ready)
{
    struct stage s = {.fetch = kit_fetch_of("mem://a/", 2, 0)};
    struct fault why;

    new_slots(&s, SLOTS, SLOT);
    if (try_mount(&s, &why) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        _exit(1);
    }
    EXPECT_EQ(write(ready, "x", 1), 1);
    for (;;) {
        pause();
    }
}

static pid_t start_victim(int *ready)
{
    int fds[2];
    pid_t child;

    EXPECT_EQ(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        be_victim(fds[1]);
    }
    close(fds[1]);
    *ready = fds[0];
    return child;
}

TEST(a_killed_one_is_cleared_away_by_the_next)
{
    struct reader reader = {.fd = -1};
    int used = -1;
    struct stage s = {0};
    struct fault why;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    make_folder();
    for (int round = 0; round < 3; round++) {
        int ready;
        char byte;
        pid_t child = start_victim(&ready);

        EXPECT_EQ(read(ready, &byte, 1), 1);
        close(ready);
        reader.fd = open_object(10);
        atomic_store(&reader.has_begun, false);
        EXPECT_EQ(
            pthread_create(&reader.thread, NULL, read_until_the_end, &reader),
            0);
        while (!atomic_load(&reader.has_begun)) {
            sched_yield();
        }
        kill(child, SIGKILL);
        EXPECT_EQ(waitpid(child, NULL, 0), child);
        EXPECT_EQ(pthread_join(reader.thread, NULL), 0);
        if (round != 1) { /* That one stays in use. */
            close(reader.fd);
        } else {
            used = reader.fd;
        }
        // cppcheck-suppress leakReturnValNotUsed ; it must fail
        EXPECT(open(path_of(1), O_RDONLY) < 0 && errno == ENOTCONN);
    }
    s.fetch = kit_fetch_of("mem://a/", 2, 0);
    new_slots(&s, SLOTS, SLOT);
    if (try_mount(&s, &why) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        EXPECT(false);
    }
    expect_read(1, 0, 50);
    close(used);
    end(&s);
}

/* ---- bad input --------------------------------------------------------------
 */

TEST(a_folder_that_can_not_be_used_is_said)
{
    struct stage s = {0};
    struct stage second = {0};
    struct fault why;
    char path[64];

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    begin(&s, "mem://a/");
    second.fetch = s.fetch;
    new_slots(&second, 2, SLOT);
    EXPECT_EQ(try_mount(&second, &why), STATUS_CONFLICT);
    EXPECT(second.mount == NULL && strstr(why.text, "another smshard") != NULL);
    EXPECT_EQ(slots_free(second.slots), 2);
    expect_read(1, 0, 50); /* The first is not hurt. */
    mount_stop(&s.mount);

    snprintf(path, sizeof(path), "%s/x", folder);
    EXPECT_EQ(file_write(path, BYTES("y"), false, NULL), STATUS_OK);
    EXPECT_EQ(try_mount(&second, &why), STATUS_CONFLICT);
    EXPECT(strstr(why.text, "is not empty, there is \"x\"") != NULL);
    EXPECT_EQ(unlink(path), 0);

    EXPECT_EQ(rmdir(folder), 0);
    EXPECT_EQ(file_write(folder, BYTES("y"), false, NULL), STATUS_OK);
    EXPECT_EQ(try_mount(&second, &why), STATUS_CONFLICT);
    EXPECT(strstr(why.text, "is no folder") != NULL);
    EXPECT_EQ(unlink(folder), 0);

    EXPECT_EQ(try_mount(&second, &why), STATUS_OK); /* It is made. */
    expect_read(1, 0, 50);
    mount_stop(&second.mount);
    slots_destroy(&second.slots);
    end(&s);
}

TEST(little_memory_is_enough_or_said)
{
    struct stage s = {.fetch = NULL};
    struct fault why;

    if (!can_mount()) {
        return;
    }
    make_objects("mem://a/");
    make_folder();
    s.fetch = kit_fetch_of("mem://a/", 2, 0);
    new_slots(&s, 1, 16 << 10);
    EXPECT_EQ(try_mount(&s, &why), STATUS_FULL);
    EXPECT(strstr(why.text, "raise --memory") != NULL);
    slots_destroy(&s.slots);
    new_slots(&s, 1, 64 << 10);
    EXPECT_EQ(try_mount(&s, &why), STATUS_OK);
    read_by_many();
    end(&s);
}

/* ---- what is mounted
 * --------------------------------------------------------- */

static struct bytes find_type(struct bytes mounts, const char *path)
{
    return mount_point_find(mounts, path).type;
}

TEST(the_type_of_a_mount_is_found)
{
    struct bytes mounts = BYTES(
        "20 1 8:1 / / rw - ext4 /dev/sda rw\n"
        "21 20 0:30 / /opt/ml/input\\040x/data rw,relatime shared:1 master:2 - "
        "fuse.smshard smshard ro\n"
        "22 20 0:31 / /a rw - tmpfs none rw\n"
        "23 20 0:32 / /a rw - fuse.smshard smshard ro\n"
        "24 20 0:33 / /ab rw - proc");

    EXPECT(bytes_is(find_type(mounts, "/"), "ext4"));
    EXPECT(
        bytes_is(find_type(mounts, "/opt/ml/input x/data"), MOUNT_POINT_TYPE));
    EXPECT(bytes_is(find_type(mounts, "/a"), MOUNT_POINT_TYPE));
    EXPECT(bytes_is(find_type(mounts, "/ab"), "proc"));
    EXPECT(bytes_is(mount_point_find(mounts, "/a").device, "0:32"));
    EXPECT(bytes_is(find_type(mounts, "/b"), ""));
    EXPECT(bytes_is(find_type(BYTES("1 2 3\n\n- - -\n\\0"), "/"), ""));
}
