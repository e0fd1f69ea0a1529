/* SPDX-License-Identifier: Apache-2.0 */
/* Real memory on this machine, and under filters that forbid what containers
 * forbid. Each test is a process of its own, so that a filter ends with it. */
#include "worker/place.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/harness.h"

enum { SIZE = 4 << 20, ABSENT = TOPO_NODES_MAX - 1 };

static void *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    // cppcheck-suppress invalidFunctionArg ; no file is mapped
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    EXPECT(at != MAP_FAILED);
    return at;
}

/* Let these calls fail with @error from now on; @argument, unless it is -1,
 * has to be the third one. */
static void forbid(const long *calls, size_t count, int error, int argument)
{
    struct sock_filter code[64] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    struct sock_fprog program = {.filter = code};
    unsigned short n = 1;
    bool has_argument = argument >= 0;

    for (size_t i = 0; i < count; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)calls[i], 0,
                                                 has_argument ? 4 : 1);
        if (has_argument) {
            code[n++] = (struct sock_filter)BPF_STMT(
                BPF_LD | BPF_W | BPF_ABS,
                offsetof(struct seccomp_data, args[2]));
            code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                     (unsigned)argument, 0, 1);
        }
        code[n++] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error);
        if (has_argument) {
            code[n++] = (struct sock_filter)BPF_STMT(
                BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        }
    }
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = n;
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* What a container does that has not asked for more. */
static void forbid_numa(int error)
{
    static const long calls[] = {SYS_mbind, SYS_move_pages, SYS_get_mempolicy,
                                 SYS_set_mempolicy};

    forbid(calls, sizeof(calls) / sizeof(calls[0]), error, -1);
}

/* Whether calls are free here; else what they would give is not expected. */
static bool is_free(void)
{
    int mode;
    void *at = map(4096);
    int state;

    return syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == 0 &&
           syscall(SYS_move_pages, 0, 1, &at, NULL, &state, 0) == 0;
}

static bool is_there(const char *path)
{
    return access(path, R_OK) == 0;
}

static void fill(char *at)
{
    for (size_t i = 0; i < SIZE; i += 64) {
        at[i] = (char)(i / 64 % 251);
    }
}

static void expect_filled(const char *at)
{
    for (size_t i = 0; i < SIZE; i += 64) {
        EXPECT_EQ(at[i], (char)(i / 64 % 251));
    }
}

TEST(memory_comes_to_lie_on_a_node_and_keeps_what_it_holds)
{
    struct place_got got;
    char *at = map(SIZE);

    fill(at);
    EXPECT_EQ(place_memory(at, SIZE, 0, PLACEMENT_PREFER, &got), STATUS_OK);
    fprintf(stderr, "%s\n", got.text);
    expect_filled(at);
    if (is_free()) {
        EXPECT_EQ(got.bound, PLACE_SOFT);
        EXPECT_EQ(got.seen, PLACE_BY_MOVE_PAGES);
        EXPECT_EQ(got.pages, SIZE / got.page_size);
        EXPECT_EQ(got.pages_there, got.pages);
        EXPECT(strstr(got.text, " on node 0, soft") != NULL);
    }
}

TEST(strict_is_hard)
{
    struct place_got got;
    char *at = map(SIZE);
    enum status s = place_memory(at, SIZE, 0, PLACEMENT_STRICT, &got);

    fprintf(stderr, "%s\n", got.text);
    if (is_free() && is_there("/sys/devices/system/node/node0/meminfo")) {
        EXPECT_EQ(s, STATUS_OK);
        EXPECT_EQ(got.bound, PLACE_HARD);
        EXPECT_EQ(got.pages_there, SIZE / got.page_size);
    } else {
        EXPECT_EQ(s, STATUS_CONFLICT);
    }
}

TEST(off_only_fills)
{
    struct place_got got;
    char *at = map(SIZE);
    unsigned char seen[SIZE / 4096];

    EXPECT_EQ(place_memory(at, SIZE, 0, PLACEMENT_OFF, &got), STATUS_OK);
    EXPECT_EQ(got.bound, PLACE_NOT_BOUND);
    EXPECT(mincore(at, SIZE, seen) == 0);
    for (size_t i = 0; i < sizeof(seen); i++) {
        EXPECT(seen[i] & 1);
    }
    EXPECT_EQ(place_memory(at, SIZE, -1, PLACEMENT_STRICT, &got), STATUS_OK);
    fprintf(stderr, "%s\n", got.text);
    EXPECT(strncmp(got.text, "any node: ", 10) == 0 ||
           got.seen == PLACE_UNVERIFIED);
}

TEST(a_node_that_is_not_there)
{
    struct place_got got;
    char *at = map(SIZE);

    EXPECT_EQ(place_memory(at, SIZE, ABSENT, PLACEMENT_PREFER, &got),
              STATUS_OK);
    fprintf(stderr, "%s\n", got.text);
    EXPECT_EQ(got.bound, PLACE_NOT_BOUND);
    EXPECT_EQ(got.pages_there, 0);
    if (is_free()) {
        EXPECT(strstr(got.text, "node 1023 may not be used here") != NULL);
    }
    EXPECT_EQ(place_memory(at, SIZE, ABSENT, PLACEMENT_STRICT, &got),
              STATUS_CONFLICT);
    EXPECT_STR(got.text, "strict: nobody says what is free on node 1023");
    EXPECT_EQ(place_memory(at, SIZE, ABSENT + 1, PLACEMENT_PREFER, &got),
              STATUS_CONFLICT);
}

/* The kernel would end the process; we look before. */
TEST(strict_does_not_ask_for_more_than_is_free)
{
    const size_t size = (size_t)1 << 42;
    struct place_got got;
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    // cppcheck-suppress invalidFunctionArg ; no file is mapped
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED || !is_there("/sys/devices/system/node/node0")) {
        return;
    }
    EXPECT_EQ(place_memory(at, size, 0, PLACEMENT_STRICT, &got), STATUS_FULL);
    fprintf(stderr, "%s\n", got.text);
    EXPECT(strncmp(got.text, "strict: node 0 has ", 19) == 0);
}

/* As with an empty pool of huge pages: a touch would be a signal. */
TEST(pages_that_can_not_be_had_are_an_error_and_no_signal)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    struct place_got got;
    char *at;

    EXPECT(fd >= 0 && ftruncate(fd, 4096) == 0);
    at = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(at != MAP_FAILED);
    EXPECT_EQ(place_memory(at, 4 * 4096, 0, PLACEMENT_PREFER, &got),
              STATUS_FULL);
    fprintf(stderr, "%s\n", got.text);
    EXPECT(strstr(got.text, "MiB could be had") != NULL);
    close(fd);
}

TEST(an_older_kernel_is_filled_by_touch)
{
    static const long calls[] = {SYS_madvise};
    struct place_got got;
    char *at = map(SIZE);
    unsigned char seen[SIZE / 4096];

    fill(at);
    forbid(calls, 1, EINVAL, 23);
    EXPECT_EQ(madvise(at, 4096, 23), -1);
    EXPECT_EQ(madvise(at, 4096, MADV_WILLNEED), 0);
    EXPECT_EQ(place_memory(at, SIZE, 0, PLACEMENT_PREFER, &got), STATUS_OK);
    expect_filled(at);
    EXPECT(mincore(at, SIZE, seen) == 0);
    for (size_t i = 0; i < sizeof(seen); i++) {
        EXPECT(seen[i] & 1);
    }
}

static void expect_forbidden(int error)
{
    struct place_got got;
    char *at = map(SIZE);
    cpu_set_t before;
    cpu_set_t after;

    EXPECT(sched_getaffinity(0, sizeof(before), &before) == 0);
    forbid_numa(error);
    EXPECT_EQ(place_memory(at, SIZE, 0, PLACEMENT_PREFER, &got), STATUS_OK);
    fprintf(stderr, "%s\n", got.text);
    EXPECT(strstr(got.text, "mbind is not allowed here") != NULL);
    EXPECT(got.bound == PLACE_BY_TOUCH || got.bound == PLACE_NOT_BOUND);
    EXPECT(sched_getaffinity(0, sizeof(after), &after) == 0);
    EXPECT(CPU_EQUAL(&before, &after));
    if (is_there("/proc/self/numa_maps")) {
        EXPECT_EQ(got.seen, PLACE_BY_NUMA_MAPS);
        EXPECT(got.pages >= SIZE / got.page_size);
    } else {
        EXPECT_EQ(got.seen, PLACE_UNVERIFIED);
        EXPECT(strncmp(got.text, "unverified: ", 12) == 0);
    }
    EXPECT_EQ(place_memory(at, SIZE, 0, PLACEMENT_STRICT, &got),
              STATUS_CONFLICT);
    EXPECT(strncmp(got.text, "strict: ", 8) == 0);
}

TEST(where_calls_are_not_allowed_it_degrades_to_a_word)
{
    expect_forbidden(EPERM);
}

TEST(where_calls_are_not_there_it_degrades_to_a_word)
{
    expect_forbidden(ENOSYS);
}

static void expect_unverified(int error, const char *want)
{
    struct place_got got;
    char *at = map(SIZE);

    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, NULL) != 0) {
        fprintf(stderr, "skipped: mounting is not allowed\n");
        return;
    }
    forbid_numa(error);
    EXPECT_EQ(place_memory(at, SIZE, 0, PLACEMENT_PREFER, &got), STATUS_OK);
    EXPECT_EQ(got.seen, PLACE_UNVERIFIED);
    EXPECT_EQ(got.page_size, sysconf(_SC_PAGESIZE));
    got.text[strlen(want)] = '\0';
    EXPECT_STR(got.text, want);
    EXPECT(umount("/proc") == 0); /* A leak is looked for there. */
}

TEST(unverified_because_forbidden)
{
    expect_unverified(EPERM, "unverified: move_pages is not allowed");
}

TEST(unverified_because_absent)
{
    expect_unverified(ENOSYS, "unverified: there is no move_pages here");
}

TEST(looking_changes_nothing)
{
    struct place_got got;
    char *at = map(SIZE);
    unsigned char seen[SIZE / 4096];

    at[0] = 1;
    place_look(at, SIZE, -1, &got);
    fprintf(stderr, "%s\n", got.text);
    if (is_free()) {
        EXPECT_EQ(got.pages, SIZE / got.page_size);
        EXPECT(got.pages_there >= 1);
    }
    EXPECT(mincore(at, SIZE, seen) == 0);
}

/* A part of a mapping is found in numa_maps by where the mapping begins. */
TEST(a_part_of_a_mapping_is_found_by_its_line)
{
    struct place_got got;
    char *at = map(SIZE);

    EXPECT_EQ(place_memory(at, SIZE, -1, PLACEMENT_OFF, &got), STATUS_OK);
    forbid_numa(EPERM);
    place_look(at + SIZE / 2, SIZE / 4, -1, &got);
    fprintf(stderr, "%s\n", got.text);
    if (is_there("/proc/self/numa_maps")) {
        EXPECT_EQ(got.seen, PLACE_BY_NUMA_MAPS);
        EXPECT(got.pages >= SIZE / 4 / got.page_size);
        EXPECT_EQ(got.pages, got.pages_there);
    }
}

TEST(threads_are_bound)
{
    struct place_got got;
    cpu_set_t set;
    uint32_t cpu = 0;

    EXPECT(sched_getaffinity(0, sizeof(set), &set) == 0);
    while (!CPU_ISSET(cpu, &set)) {
        cpu++;
    }
    EXPECT(place_thread(&cpu, 1, &got));
    EXPECT_EQ(got.bound, PLACE_HARD);
    fprintf(stderr, "%s\n", got.text);
    EXPECT(sched_getaffinity(0, sizeof(set), &set) == 0);
    EXPECT_EQ(CPU_COUNT(&set), 1);
    cpu = 8191;
    EXPECT(!place_thread(&cpu, 1, &got));
    EXPECT(strncmp(got.text, "the thread could not be bound: ", 31) == 0);
}

TEST(free_memory_is_told)
{
    uint64_t bytes = 0;

    if (is_there("/sys/devices/system/node/node0/meminfo")) {
        EXPECT(place_free_bytes(0, 4096, &bytes));
        EXPECT(bytes > 0);
    }
    EXPECT(!place_free_bytes(ABSENT, 4096, &bytes));
    EXPECT(!place_free_bytes(ABSENT, 2 << 20, &bytes));
    EXPECT_STR(place_bound_word(PLACE_SOFT), "soft");
    EXPECT_STR(place_seen_word(PLACE_BY_NUMA_MAPS), "numa_maps");
}
