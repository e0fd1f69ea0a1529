/* SPDX-License-Identifier: Apache-2.0 */
/* Bind first, then make the pages be there, then look: pages that are there
 * move no more as soon as somebody else has mapped or pinned them.
 *
 * A hard bind that runs into a full node does not fail: the kernel ends the
 * process. So strict looks at the node's free memory before it asks. */

#include <errno.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/place_parts.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
    PLACE_MODE_PREFERRED = 1,
    PLACE_MODE_BIND = 2,
    PLACE_MODE_PREFERRED_MANY = 5, /* Since Linux 5.15. */
    PLACE_MASK_WORDS = TOPO_NODES_MAX / 64,
    PLACE_CPUS_MAX = 8192,
    PLACE_KIB = 1024,
    PLACE_CHUNK = 64 << 20,
    PLACE_SPARE_SHIFT = 6,  /* Beside @size, a 64th of it has to be free, */
    PLACE_SPARE = 64 << 20, /* and so many bytes. */
};

void place_say(struct place_got *out, const char *format, ...)
{
    size_t size = strlen(out->text);
    va_list args;

    CHECK(size < PLACE_TEXT_MAX);
    va_start(args, format);
    vsnprintf(out->text + size, PLACE_TEXT_MAX - size, format, args);
    va_end(args);
}

const char *place_bound_word(enum place_bound bound)
{
    static const char *const words[] = {
        [PLACE_NOT_BOUND] = "not bound",
        [PLACE_BY_TOUCH] = "by first touch",
        [PLACE_SOFT] = "soft",
        [PLACE_HARD] = "hard",
    };

    return words[bound];
}

const char *place_seen_word(enum place_seen seen)
{
    static const char *const words[] = {
        [PLACE_UNVERIFIED] = "unverified",
        [PLACE_BY_MOVE_PAGES] = "move_pages",
        [PLACE_BY_NUMA_MAPS] = "numa_maps",
    };

    return words[seen];
}

/* ---- Free memory --------------------------------------------------------- */

/* The number behind @name in "Node 1 MemFree:  123 kB"; 0: another line. */
static uint64_t place_take_kib(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* What is free, and what holds files that nobody has used for long: the kernel
 * drops that first. On a host that has read its data there is little else. */
static bool place_free_small(int node, uint64_t *out)
{
    char path[96];
    char line[256];
    uint64_t kib = 0;
    bool is_found = false;
    FILE *in;

    snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo",
             node);
    in = fopen(path, "re");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
        is_found = is_found || strstr(line, " MemFree:") != NULL;
        kib += place_take_kib(line, " MemFree:") +
               place_take_kib(line, " Inactive(file):");
    }
    if (in != NULL) {
        fclose(in);
    }
    if (is_found) {
        *out = kib * PLACE_KIB;
    }
    return is_found;
}

static bool place_free_huge(int node, size_t page_size, uint64_t *out)
{
    char path[128];
    uint64_t count;
    bool is_read;
    FILE *in;

    snprintf(path, sizeof(path),
             "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/"
             "free_hugepages",
             node, page_size / PLACE_KIB);
    in = fopen(path, "re");
    if (in == NULL) {
        return false;
    }
    is_read = fscanf(in, "%" SCNu64, &count) == 1;
    fclose(in);
    if (is_read) {
        *out = count * page_size;
    }
    return is_read;
}

bool place_free_bytes(int node, size_t page_size, uint64_t *out)
{
    long base = sysconf(_SC_PAGESIZE);

    return page_size == 0 || (base > 0 && page_size <= (size_t)base)
               ? place_free_small(node, out)
               : place_free_huge(node, page_size, out);
}

/* ---- Bind ---------------------------------------------------------------- */

static long place_mbind(void *addr, size_t size, int mode, int node)
{
    unsigned long mask[PLACE_MASK_WORDS] = {0};
    unsigned long width = PLACE_MASK_WORDS * 64;

    CHECK(node >= 0 && node < TOPO_NODES_MAX);
    mask[node / 64] = 1UL << (node % 64);
    /* The kernel reads one bit less than it is told. */
    return syscall(SYS_mbind, addr, size, mode, mask, width + 1, MPOL_MF_MOVE);
}

static bool place_is_forbidden(int error)
{
    return error == EPERM || error == EACCES || error == ENOSYS;
}

/* Why the node can't be had. */
static void place_say_refusal(int node, int error, struct place_got *out)
{
    if (place_is_forbidden(error)) {
        place_say(out, "mbind is not allowed here");
    } else if (error == EINVAL) {
        place_say(out, "node %d may not be used here", node);
    } else {
        place_say(out, "mbind to node %d: %s", node, strerror(error));
    }
}

/* false: it is not bound, and *@error says why. */
static bool place_bind_soft(void *addr, size_t size, int node,
                            struct place_got *out, int *error)
{
    if (place_mbind(addr, size, PLACE_MODE_PREFERRED_MANY, node) != 0 &&
        place_mbind(addr, size, PLACE_MODE_PREFERRED, node) != 0) {
        *error = errno;
        return false;
    }
    out->bound = PLACE_SOFT;
    return true;
}

static enum status place_bind_hard(void *addr, size_t size, int node,
                                   struct place_got *out)
{
    size_t page_size = place_page_size(addr, size);
    uint64_t spare = size >> PLACE_SPARE_SHIFT;
    uint64_t free_bytes;

    if (!place_free_bytes(node, page_size, &free_bytes)) {
        place_say(out, "strict: nobody says what is free on node %d", node);
        return STATUS_CONFLICT;
    }
    spare += page_size <= PLACE_KIB * PLACE_KIB ? PLACE_SPARE : 0;
    if (page_size > PLACE_KIB * PLACE_KIB) {
        spare = 0; /* Huge pages serve nothing else. */
    }
    if (free_bytes < size || free_bytes - size < spare) {
        place_say(out,
                  "strict: node %d has %" PRIu64 " MiB free in pages of %zu "
                  "KiB, and %" PRIu64 " MiB are wanted",
                  node, free_bytes >> 20, page_size / PLACE_KIB,
                  ((uint64_t)size + spare) >> 20);
        return STATUS_FULL;
    }
    if (place_mbind(addr, size, PLACE_MODE_BIND, node) != 0) {
        place_say(out, "strict: ");
        place_say_refusal(node, errno, out);
        return STATUS_CONFLICT;
    }
    out->bound = PLACE_HARD;
    return STATUS_OK;
}

/* ---- Threads ------------------------------------------------------------- */

static cpu_set_t *place_make_set(const uint32_t *cpus, uint32_t count,
                                 size_t *size)
{
    cpu_set_t *set = CPU_ALLOC(PLACE_CPUS_MAX);

    CHECK(set != NULL);
    *size = CPU_ALLOC_SIZE(PLACE_CPUS_MAX);
    CPU_ZERO_S(*size, set);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(cpus[i] < PLACE_CPUS_MAX);
        CPU_SET_S(cpus[i], *size, set);
    }
    return set;
}

bool place_thread(const uint32_t *cpus, uint32_t count, struct place_got *out)
{
    size_t size;
    cpu_set_t *set = place_make_set(cpus, count, &size);
    bool is_bound = sched_setaffinity(0, size, set) == 0;
    int error = errno;
    int now = sched_getcpu();

    *out = (struct place_got){.bound = PLACE_NOT_BOUND};
    if (!is_bound) {
        place_say(out, "the thread could not be bound: %s", strerror(error));
    } else if (now < 0) {
        place_say(out, "unverified: nobody says where the thread runs");
    } else if (!CPU_ISSET_S((size_t)now, size, set)) {
        place_say(out, "bound, but it runs on processor %d", now);
    } else {
        out->bound = PLACE_HARD;
        place_say(out, "runs on processor %d", now);
    }
    CPU_FREE(set);
    return is_bound;
}

/* Read "0-3,8" of the node into @set; false: it has no processor. */
static bool place_read_cpus(int node, size_t size, cpu_set_t *set)
{
    char path[96];
    char text[4096] = "";
    char *at = text;
    FILE *in;

    snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist",
             node);
    in = fopen(path, "re");
    if (in == NULL) {
        return false;
    }
    (void)!fgets(text, sizeof(text), in);
    fclose(in);
    CPU_ZERO_S(size, set);
    while (*at >= '0' && *at <= '9') {
        unsigned long first = strtoul(at, &at, 10);
        unsigned long last = *at == '-' ? strtoul(at + 1, &at, 10) : first;

        for (; first <= last && first < PLACE_CPUS_MAX; first++) {
            CPU_SET_S(first, size, set);
        }
        at += *at == ',';
    }
    return CPU_COUNT_S(size, set) > 0;
}

/* ---- Populate ------------------------------------------------------------ */

static enum status place_touch(char *at, size_t size, struct place_got *out)
{
    size_t step = (size_t)sysconf(_SC_PAGESIZE);

    if (place_page_size(at, size) > step) {
        /* A huge page that is not there would be a signal. */
        place_say(out, "the kernel is too old to fill huge pages safely "
                       "(Linux 5.14 can)");
        return STATUS_FULL;
    }
    for (size_t i = 0; i < size; i += step) {
        volatile char *byte = at + i;

        // cppcheck-suppress selfAssignment ; the write is what counts
        *byte = *byte;
    }
    return STATUS_OK;
}

static enum status place_populate(char *at, size_t size, struct place_got *out)
{
    size_t done = 0;

    while (done < size) {
        size_t part = size - done < PLACE_CHUNK ? size - done : PLACE_CHUNK;
        int error;

        if (madvise(at + done, part, MADV_POPULATE_WRITE) == 0) {
            done += part;
            continue;
        }
        error = errno;
        if (error == EINTR || error == EAGAIN) {
            continue;
        }
        if (error == EINVAL || error == EPERM || error == ENOSYS) {
            return place_touch(at + done, size - done, out);
        }
        place_say(out,
                  "%zu of %zu MiB could be had, then: %s; use a smaller "
                  "--memory, or fewer huge pages",
                  done >> 20, size >> 20, strerror(error));
        return error == ENOMEM || error == EFAULT ? STATUS_FULL : STATUS_OS;
    }
    return STATUS_OK;
}

/* Fill it from a processor of the node, so that it comes to lie there without
 * any policy. The thread is where it was, after. */
static enum status place_populate_there(char *at, size_t size, int node,
                                        struct place_got *out)
{
    size_t set_size;
    cpu_set_t *before = place_make_set(NULL, 0, &set_size);
    cpu_set_t *there = place_make_set(NULL, 0, &set_size);
    bool is_moved = sched_getaffinity(0, set_size, before) == 0 &&
                    place_read_cpus(node, set_size, there) &&
                    sched_setaffinity(0, set_size, there) == 0;
    enum status s = place_populate(at, size, out);

    if (is_moved) {
        out->bound = PLACE_BY_TOUCH;
        (void)sched_setaffinity(0, set_size, before);
    }
    CPU_FREE(before);
    CPU_FREE(there);
    return s;
}

/* ---- All of it ----------------------------------------------------------- */

static enum status place_check_strict(int node, struct place_got *out)
{
    if (out->seen != PLACE_UNVERIFIED && out->pages > 0 &&
        out->pages_there == out->pages) {
        return STATUS_OK;
    }
    place_say(out, "; strict wants all of them on node %d", node);
    return STATUS_CONFLICT;
}

static void place_say_bound(int node, int error, struct place_got *out)
{
    place_say(out, ", %s", place_bound_word(out->bound));
    if (error != 0) {
        place_say(out, ": ");
        place_say_refusal(node, error, out);
    }
}

static enum status place_prefer(void *addr, size_t size, int node,
                                struct place_got *out)
{
    int error = 0;
    enum status s;

    if (place_bind_soft(addr, size, node, out, &error)) {
        s = place_populate(addr, size, out);
    } else {
        s = place_populate_there(addr, size, node, out);
    }
    if (s == STATUS_OK) {
        place_see(addr, size, node, out);
        place_say_bound(node, error, out);
    }
    return s;
}

static enum status place_strict(void *addr, size_t size, int node,
                                struct place_got *out)
{
    enum status s = place_bind_hard(addr, size, node, out);

    if (s == STATUS_OK) {
        s = place_populate(addr, size, out);
    }
    if (s == STATUS_OK) {
        place_see(addr, size, node, out);
        place_say_bound(node, 0, out);
        s = place_check_strict(node, out);
    }
    return s;
}

enum status place_memory(void *addr, size_t size, int node,
                         enum placement_policy policy, struct place_got *out)
{
    enum status s;

    *out = (struct place_got){.bound = PLACE_NOT_BOUND};
    if (node >= TOPO_NODES_MAX) {
        place_say(out, "node %d is beyond the last one that can be named (%d)",
                  node, TOPO_NODES_MAX - 1);
        return STATUS_CONFLICT;
    }
    if (policy == PLACEMENT_OFF || node < 0) {
        s = place_populate(addr, size, out);
        if (s == STATUS_OK) {
            place_see(addr, size, -1, out);
            place_say_bound(-1, 0, out);
        }
        return s;
    }
    return policy == PLACEMENT_STRICT ? place_strict(addr, size, node, out)
                                      : place_prefer(addr, size, node, out);
}
