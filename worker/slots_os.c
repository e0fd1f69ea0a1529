/* SPDX-License-Identifier: Apache-2.0 */
/* Pages are placed when they are first written, and stay: so they are bound
 * before that, and all of them are written before anybody waits for data. */
#include "worker/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum {
    SLOTS_PAGE = 4096,
};

struct slots {
    uint8_t *at;
    size_t bytes;
    size_t size;
    uint32_t count;
    int fd; /* -1: private. */
    int wait_fd;
    struct place_got got;
    struct {
        pthread_mutex_t lock;
        uint32_t *free; /* The one given last is taken first: it is warm. */
        uint32_t free_count;
        bool is_missed; /* Somebody has asked in vain. */
        bool *is_taken;
    } locked;
};

/* ---- faults ------------------------------------------------------------- */

static enum status slots_fault(const struct slots *s,
                               const struct slots_options *o, struct fault *why,
                               int error)
{
    if (error == ENOMEM || error == ENOSPC || error == EAGAIN) {
        return fault_set(
            why, STATUS_FULL, "no memory for %u slots of %zu bytes%s: %s; %s",
            o->count, o->size, o->is_huge ? " in pages of 2 MiB" : "",
            strerror(error),
            o->is_huge ? "reserve pages (vm.nr_hugepages) or do not ask for "
                         "them"
                       : "lower --memory or raise the container's limit");
    }
    return fault_set(why, STATUS_OS, "map %zu bytes of slots: %s", s->bytes,
                     strerror(error));
}

/* ---- mapping ------------------------------------------------------------ */

static enum status slots_make_fd(struct slots *s, const struct slots_options *o,
                                 struct fault *why)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

    flags |= o->is_huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0U;
    s->fd = memfd_create("smshard-slots", flags);
    if (s->fd < 0 || ftruncate(s->fd, (off_t)s->bytes) != 0) {
        return slots_fault(s, o, why, errno);
    }
    return STATUS_OK;
}

static size_t slots_mapped(const struct slots *s)
{
    return (s->bytes + SLOTS_ALIGN - 1) / SLOTS_ALIGN * SLOTS_ALIGN;
}

/* Address space with a multiple of SLOTS_ALIGN in it, of which the rest is
 * given back. */
static uint8_t *slots_reserve(const struct slots *s)
{
    size_t want = slots_mapped(s) + SLOTS_ALIGN;
    uint8_t *at =
        mmap(NULL, want, PROT_NONE,
             // cppcheck-suppress invalidFunctionArg ; no file is mapped
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t before;

    if (at == MAP_FAILED) {
        return NULL;
    }
    before = (SLOTS_ALIGN - (uintptr_t)at % SLOTS_ALIGN) % SLOTS_ALIGN;
    if (before > 0) {
        (void)munmap(at, before);
    }
    (void)munmap(at + before + slots_mapped(s),
                 want - before - slots_mapped(s));
    // cppcheck-suppress deallocret ; the middle of it stays mapped
    return at + before;
}

static enum status slots_map(struct slots *s, const struct slots_options *o,
                             struct fault *why)
{
    int flags =
        MAP_FIXED | (s->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
    uint8_t *at = slots_reserve(s);

    if (at == NULL) {
        return slots_fault(s, o, why, errno);
    }
    s->at = at;
    flags |= o->is_huge && s->fd < 0 ? MAP_HUGETLB | MAP_HUGE_2MB : 0;
    // cppcheck-suppress leakReturnValNotUsed ; it must fail
    if (mmap(at, s->bytes, PROT_READ | PROT_WRITE, flags, s->fd, 0) ==
        MAP_FAILED) {
        return slots_fault(s, o, why, errno);
    }
    if (s->fd < 0 && !o->is_huge) {
        (void)madvise(at, s->bytes, MADV_HUGEPAGE); /* If the system may. */
    }
    return STATUS_OK;
}

/* ---- placing ------------------------------------------------------------ */

/* Kernels before 5.14 do not populate on demand. What a memfd can't have is
 * then refused here, since touching it would be SIGBUS. */
static int slots_reserve_pages(const struct slots *s)
{
    if (s->fd < 0 || madvise(s->at, 0, MADV_POPULATE_WRITE) == 0) {
        return 0;
    }
    return posix_fallocate(s->fd, 0, (off_t)s->bytes);
}

static const char *slots_advice(const struct slots_options *o, enum status s)
{
    if (s == STATUS_CONFLICT) {
        return "let that node have it or do not ask for a strict placement";
    }
    return o->is_huge ? "reserve pages (vm.nr_hugepages) or do not ask for them"
                      : "lower --memory or raise the container's limit";
}

/* Bound first, then made to be there, then looked for. */
static enum status slots_place(struct slots *s, const struct slots_options *o,
                               struct fault *why)
{
    enum placement_policy policy = o->node < 0    ? PLACEMENT_OFF
                                   : o->is_strict ? PLACEMENT_STRICT
                                                  : PLACEMENT_PREFER;
    enum status status;
    int error;

    if (o->is_lazy) {
        CHECK(o->kind == SLOTS_PRIVATE && o->node < 0 && !o->is_huge);
        return STATUS_OK;
    }
    error = slots_reserve_pages(s);
    if (error != 0) {
        return slots_fault(s, o, why, error);
    }
    status = place_memory(s->at, s->bytes, o->node, policy, &s->got);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    return fault_set(why, status, "memory of %u slots of %zu bytes: %s; %s",
                     o->count, o->size, s->got.text, slots_advice(o, status));
}

/* Once our own mapping is there, nobody else may write or cut it. */
static enum status slots_seal(const struct slots *s, struct fault *why)
{
    int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

    if (s->fd < 0 || fcntl(s->fd, F_ADD_SEALS, seals) == 0) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_OS,
                     "seal the memory of slots: %s; this needs Linux 5.1",
                     strerror(errno));
}

/* ---- life --------------------------------------------------------------- */

static struct slots *slots_make(const struct slots_options *o)
{
    struct slots *s = mem_new(1, sizeof(*s));

    s->size = o->size;
    s->count = o->count;
    s->bytes = o->size * o->count;
    if (o->is_huge) { /* Whole pages of them. */
        s->bytes = slots_mapped(s);
    }
    s->fd = -1;
    s->wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->locked.free = mem_new(o->count, sizeof(uint32_t));
    s->locked.is_taken = mem_new(o->count, sizeof(bool));
    s->locked.free_count = o->count;
    for (uint32_t i = 0; i < o->count; i++) {
        s->locked.free[i] = o->count - 1 - i;
    }
    CHECK(pthread_mutex_init(&s->locked.lock, NULL) == 0);
    return s;
}

static enum status slots_fill(struct slots *s, const struct slots_options *o,
                              struct fault *why)
{
    enum status status = STATUS_OK;

    if (s->wait_fd < 0) {
        return slots_fault(s, o, why, errno);
    }
    if (o->kind == SLOTS_SHARED) {
        status = slots_make_fd(s, o, why);
    }
    status = status == STATUS_OK ? slots_map(s, o, why) : status;
    status = status == STATUS_OK ? slots_place(s, o, why) : status;
    return status == STATUS_OK ? slots_seal(s, why) : status;
}

enum status slots_new(const struct slots_options *o, struct fault *why,
                      struct slots **out)
{
    enum status status;

    CHECK(o->count >= 1 && o->count <= SLOTS_MAX);
    CHECK(o->size >= SLOTS_PAGE && o->size % SLOTS_PAGE == 0);
    CHECK(o->size <= SIZE_MAX / 4 / o->count);
    *out = slots_make(o);
    status = slots_fill(*out, o, why);
    if (status != STATUS_OK) {
        slots_destroy(out);
    }
    return status;
}

void slots_destroy(struct slots **sp)
{
    struct slots *s = *sp;

    if (s == NULL) {
        return;
    }
    CHECK(s->locked.free_count == s->count);
    if (s->at != NULL) {
        CHECK(munmap(s->at, slots_mapped(s)) == 0);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->wait_fd >= 0) {
        close(s->wait_fd);
    }
    CHECK(pthread_mutex_destroy(&s->locked.lock) == 0);
    free(s->locked.free);
    free(s->locked.is_taken);
    free(s);
    *sp = NULL;
}

uint32_t slots_count(const struct slots *s)
{
    return s->count;
}

size_t slots_size(const struct slots *s)
{
    return s->size;
}

void *slots_at(const struct slots *s, uint32_t slot)
{
    CHECK(slot < s->count);
    return s->at + s->size * slot;
}

const struct place_got *slots_got(const struct slots *s)
{
    return &s->got;
}

int slots_fd(const struct slots *s)
{
    CHECK(s->fd >= 0);
    return s->fd;
}

/* ---- take and give ------------------------------------------------------ */

uint32_t slots_take(struct slots *s)
{
    uint32_t slot = SLOTS_NONE;

    pthread_mutex_lock(&s->locked.lock);
    if (s->locked.free_count > 0) {
        slot = s->locked.free[--s->locked.free_count];
        CHECK(!s->locked.is_taken[slot]);
        s->locked.is_taken[slot] = true;
    } else {
        s->locked.is_missed = true;
    }
    pthread_mutex_unlock(&s->locked.lock);
    return slot;
}

void slots_give(struct slots *s, uint32_t slot)
{
    uint64_t one = 1;

    pthread_mutex_lock(&s->locked.lock);
    CHECK(slot < s->count && s->locked.is_taken[slot]);
    s->locked.is_taken[slot] = false;
    s->locked.free[s->locked.free_count++] = slot;
    if (s->locked.is_missed) {
        s->locked.is_missed = false;
        CHECK(write(s->wait_fd, &one, sizeof(one)) == sizeof(one));
    }
    pthread_mutex_unlock(&s->locked.lock);
}

int slots_wait_fd(const struct slots *s)
{
    return s->wait_fd;
}

uint32_t slots_free(struct slots *s)
{
    uint32_t count;

    pthread_mutex_lock(&s->locked.lock);
    count = s->locked.free_count;
    pthread_mutex_unlock(&s->locked.lock);
    return count;
}
