/* SPDX-License-Identifier: Apache-2.0 */
/* What place.h does where there are two memory nodes: run by tests/numa in a
 * guest whose pool of 16 huge pages is on node 1 alone. One line a check; the
 * last one is `N passed, N failed`. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/place.h"

enum { SIZE = 8 << 20, HUGE = 2 << 20 };

static int passed;
static int failed;

static void say(const char *what, bool is_so, const char *text)
{
    printf("%s %s: %s\n", is_so ? "ok" : "FAILED", what, text);
    passed += is_so;
    failed += !is_so;
}

static void *map(size_t size, int flags, int fd)
{
    // cppcheck-suppress invalidFunctionArg ; no file is mapped
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (at == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return at;
}

static void *map_private(size_t size)
{
    return map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static bool is_all(const struct place_got *got, size_t size, size_t page_size)
{
    return got->page_size == page_size && got->pages == size / page_size &&
           got->pages_there == got->pages;
}

static void check_both_nodes(void)
{
    for (int node = 0; node < 2; node++) {
        struct place_got got;
        void *at = map_private(SIZE);
        enum status s = place_memory(at, SIZE, node, PLACEMENT_PREFER, &got);

        say("soft", s == STATUS_OK && is_all(&got, SIZE, 4096), got.text);
        munmap(at, SIZE);
        at = map_private(SIZE);
        s = place_memory(at, SIZE, node, PLACEMENT_STRICT, &got);
        say("strict",
            s == STATUS_OK && is_all(&got, SIZE, 4096) &&
                got.bound == PLACE_HARD,
            got.text);
        munmap(at, SIZE);
    }
}

/* Pages that are on another node move as long as nobody else has them. */
static void check_shared(void)
{
    int fd = memfd_create("shared", MFD_CLOEXEC);
    int ends[2];
    struct place_got got;
    char byte = 0;
    enum status s;
    char *at;
    pid_t child;

    if (fd < 0 || ftruncate(fd, SIZE) != 0 || pipe(ends) != 0) {
        perror("memfd");
        exit(1);
    }
    at = map(SIZE, MAP_SHARED, fd);
    s = place_memory(at, SIZE, 0, PLACEMENT_PREFER, &got);
    say("memfd", s == STATUS_OK && is_all(&got, SIZE, 4096), got.text);
    s = place_memory(at, SIZE, 1, PLACEMENT_PREFER, &got);
    say("memfd moves", s == STATUS_OK && is_all(&got, SIZE, 4096), got.text);
    child = fork();
    if (child == 0) {
        for (size_t i = 0; i < SIZE; i += 4096) {
            at[i] = 1;
        }
        (void)!write(ends[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    (void)!read(ends[0], &byte, 1);
    s = place_memory(at, SIZE, 0, PLACEMENT_PREFER, &got);
    say("pages of two processes stay, and it is said",
        s == STATUS_OK && got.pages == SIZE / 4096 && got.pages_there == 0,
        got.text);
    s = place_memory(at, SIZE, 0, PLACEMENT_STRICT, &got);
    say("strict refuses them", s == STATUS_CONFLICT, got.text);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    munmap(at, SIZE);
    close(fd);
}

static char *map_huge(size_t size, int *fd)
{
    *fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
    if (*fd < 0 || ftruncate(*fd, (off_t)size) != 0) {
        perror("memfd of huge pages");
        exit(1);
    }
    return map(size, MAP_SHARED, *fd);
}

static void check_huge(void)
{
    const size_t size = 8 * (size_t)HUGE;
    struct place_got got;
    int fd;
    char *at = map_huge(size, &fd);
    enum status s = place_memory(at, size, 1, PLACEMENT_STRICT, &got);

    say("huge pages where the pool is",
        s == STATUS_OK && is_all(&got, size, HUGE), got.text);
    munmap(at, size);
    close(fd);
    at = map_huge(size, &fd);
    s = place_memory(at, size, 0, PLACEMENT_STRICT, &got);
    say("huge pages where there is none, strict", s == STATUS_FULL, got.text);
    s = place_memory(at, size, 0, PLACEMENT_PREFER, &got);
    say("huge pages where there is none, soft",
        s == STATUS_OK && got.page_size == HUGE && got.pages == 8 &&
            got.pages_there == 0,
        got.text);
    munmap(at, size);
    close(fd);
}

/* More than the node has, less than the machine. */
static void check_full(void)
{
    uint64_t free_bytes = 0;
    struct place_got got;
    enum status s;
    size_t size;
    void *at;

    if (!place_free_bytes(1, 4096, &free_bytes)) {
        say("free memory of node 1", false, "nobody says");
        return;
    }
    size = ((size_t)free_bytes + (32 << 20)) & ~(size_t)4095;
    at = map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    s = place_memory(at, size, 1, PLACEMENT_STRICT, &got);
    say("strict does not run into a full node", s == STATUS_FULL, got.text);
    s = place_memory(at, size, 1, PLACEMENT_PREFER, &got);
    say("the other node helps out",
        s == STATUS_OK && got.pages_there < got.pages &&
            got.pages_there > got.pages / 2,
        got.text);
    munmap(at, size);
}

static void forbid_numa(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mbind, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_move_pages, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("seccomp");
        exit(1);
    }
}

static void check_threads(void)
{
    static const uint32_t cpus[] = {2, 3};
    struct place_got got;
    bool is_bound = place_thread(cpus, 2, &got);
    int now = sched_getcpu();

    say("a thread on node 1", is_bound && (now == 2 || now == 3), got.text);
}

/* The last check: a filter stays. */
static void check_forbidden(void)
{
    static const uint32_t cpus[] = {0};
    struct place_got got;
    enum status s;
    void *at = map_private(SIZE);

    (void)place_thread(cpus, 1, &got);
    forbid_numa();
    s = place_memory(at, SIZE, 1, PLACEMENT_PREFER, &got);
    say("by touch, seen in numa_maps, where calls are not allowed",
        s == STATUS_OK && got.bound == PLACE_BY_TOUCH &&
            got.seen == PLACE_BY_NUMA_MAPS && got.pages_there == SIZE / 4096,
        got.text);
    say("the thread is back where it was", sched_getcpu() == 0, "processor 0");
}

/* In a cgroup that has node 0 alone. */
static void check_caged(void)
{
    struct place_got got;
    void *at = map_private(SIZE);
    enum status s = place_memory(at, SIZE, 1, PLACEMENT_PREFER, &got);

    say("caged: any node, and it is said",
        s == STATUS_OK && got.pages_there == 0 &&
            strstr(got.text, "node 1 may not be used here") != NULL,
        got.text);
    s = place_memory(at, SIZE, 1, PLACEMENT_STRICT, &got);
    say("caged: strict refuses", s == STATUS_CONFLICT, got.text);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "caged") == 0) {
        check_caged();
    } else {
        check_both_nodes();
        check_shared();
        check_huge();
        check_full();
        check_threads();
        check_forbidden();
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
