/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/prng.h"
#include "tests/harness.h"

static struct slots *make(enum slots_kind kind, uint32_t count, size_t size)
{
    struct slots_options o = {
        .kind = kind, .count = count, .size = size, .node = -1};
    struct slots *s;
    struct fault why;

    if (slots_new(&o, &why, &s) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return s;
}

TEST(each_is_taken_once)
{
    for (int kind = SLOTS_PRIVATE; kind <= SLOTS_SHARED; kind++) {
        struct slots *s = make((enum slots_kind)kind, 9, 8192);
        bool is_taken[9] = {false};

        EXPECT_EQ(slots_count(s), 9);
        EXPECT_EQ(slots_size(s), 8192);
        EXPECT_EQ((uintptr_t)slots_at(s, 0) % SLOTS_ALIGN, 0);
        for (uint32_t i = 0; i < 9; i++) {
            uint32_t slot = slots_take(s);

            EXPECT(slot < 9 && !is_taken[slot]);
            is_taken[slot] = true;
            memset(slots_at(s, slot), (int)slot + 1, 8192);
        }
        EXPECT_EQ(slots_take(s), SLOTS_NONE);
        EXPECT_EQ(slots_free(s), 0);
        for (uint32_t i = 0; i < 9; i++) {
            EXPECT_EQ(((uint8_t *)slots_at(s, i))[0], i + 1);
            EXPECT_EQ(((uint8_t *)slots_at(s, i))[8191], i + 1);
            slots_give(s, i);
        }
        EXPECT_EQ(slots_free(s), 9);
        slots_destroy(&s);
        EXPECT(s == NULL);
        slots_destroy(&s);
    }
}

TEST(who_asked_in_vain_is_woken)
{
    struct slots *s = make(SLOTS_PRIVATE, 1, 4096);
    struct pollfd fd = {.fd = slots_wait_fd(s), .events = POLLIN};
    uint64_t count;

    EXPECT_EQ(slots_take(s), 0);
    slots_give(s, 0);
    EXPECT_EQ(poll(&fd, 1, 0), 0); /* Nobody has. */
    EXPECT_EQ(slots_take(s), 0);
    EXPECT_EQ(slots_take(s), SLOTS_NONE);
    EXPECT_EQ(poll(&fd, 1, 0), 0);
    slots_give(s, 0);
    EXPECT_EQ(poll(&fd, 1, 0), 1);
    EXPECT(read(fd.fd, &count, sizeof(count)) == sizeof(count));
    EXPECT_EQ(slots_take(s), 0);
    slots_give(s, 0);
    EXPECT_EQ(poll(&fd, 1, 0), 0); /* It has been told. */
    slots_destroy(&s);
}

/* Whoever gets the descriptor can read what we write, and do no harm. */
TEST(the_memory_is_sealed)
{
    struct slots *s = make(SLOTS_SHARED, 3, 4096);
    int fd = slots_fd(s);
    struct stat st;
    uint8_t *at;

    EXPECT(fstat(fd, &st) == 0);
    EXPECT_EQ(st.st_size, 3 * 4096);
    // cppcheck-suppress leakReturnValNotUsed ; it must fail
    EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
           MAP_FAILED);
    EXPECT_EQ(errno, EPERM);
    EXPECT(ftruncate(fd, 4096) != 0 && errno == EPERM);
    EXPECT(ftruncate(fd, 5 * 4096) != 0 && errno == EPERM);
    EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0);
    EXPECT((fcntl(fd, F_GET_SEALS) & F_SEAL_SEAL) != 0);
    at = mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(at != MAP_FAILED);
    EXPECT(mprotect(at, 4096, PROT_READ | PROT_WRITE) != 0);
    memset(slots_at(s, 2), 77, 4096);
    EXPECT_EQ(at[2 * 4096], 77);
    munmap(at, 3 * 4096);
    slots_destroy(&s);
}

/* Node 0 is on every machine; the last that there could be is on none. */
TEST(nodes_and_huge_pages_are_asked_for)
{
    struct slots_options o = {.count = 2, .size = 4096, .node = 0};
    struct slots *s;
    struct fault why;
    enum status status;

    for (int kind = SLOTS_PRIVATE; kind <= SLOTS_SHARED; kind++) {
        o = (struct slots_options){.kind = (enum slots_kind)kind,
                                   .count = 2,
                                   .size = 4096,
                                   .node = 1023};
        EXPECT_EQ(slots_new(&o, &why, &s), STATUS_OK); /* It does not matter. */
        slots_destroy(&s);
        o.node = 0;
        EXPECT_EQ(slots_new(&o, &why, &s), STATUS_OK);
        EXPECT(slots_got(s)->bound != PLACE_NOT_BOUND);
        EXPECT(slots_got(s)->text[0] != '\0');
        slots_destroy(&s);
        o.node = 1023;
        o.is_strict = true;
        EXPECT_EQ(slots_new(&o, &why, &s), STATUS_CONFLICT);
        EXPECT(s == NULL && strstr(why.text, "node 1023") != NULL);
        o.node = -1;
        o.is_huge = true;
        o.count = 600; /* Of 4 KiB: two huge pages. */
        status = slots_new(&o, &why, &s);
        EXPECT(status == STATUS_OK || status == STATUS_FULL);
        EXPECT(status == STATUS_OK || strstr(why.text, "nr_hugepages") != NULL);
        slots_destroy(&s);
    }
}

TEST(more_than_there_is_is_refused)
{
    struct slots_options o = {.kind = SLOTS_SHARED,
                              .count = SLOTS_MAX,
                              .size = (size_t)1 << 40,
                              .node = -1};
    struct slots *s;
    struct fault why;

    EXPECT(slots_new(&o, &why, &s) != STATUS_OK);
    EXPECT(s == NULL && why.text[0] != '\0');
    o.kind = SLOTS_PRIVATE;
    EXPECT(slots_new(&o, &why, &s) != STATUS_OK);
}

/* No machine has reserved so many. */
TEST(huge_pages_that_are_not_there_are_named)
{
    for (int kind = SLOTS_PRIVATE; kind <= SLOTS_SHARED; kind++) {
        struct slots_options o = {.kind = (enum slots_kind)kind,
                                  .count = 16,
                                  .size = (size_t)1 << 40,
                                  .node = -1,
                                  .is_huge = true};
        struct slots *s;
        struct fault why;

        EXPECT_EQ(slots_new(&o, &why, &s), STATUS_FULL);
        EXPECT(strncmp(why.text,
                       "no memory for 16 slots of 1099511627776 bytes in pages "
                       "of 2 MiB: ",
                       64) == 0);
        EXPECT(strstr(why.text, "reserve pages (vm.nr_hugepages) or do not ask "
                                "for them") != NULL);
    }
}

enum { THREADS = 4, TURNS = 3000 };

static void *churn(void *self)
{
    struct slots *s = self;
    struct prng p;

    prng_init(&p, (uint64_t)(uintptr_t)pthread_self());
    for (int i = 0; i < TURNS; i++) {
        uint32_t slot = slots_take(s);

        if (slot != SLOTS_NONE) {
            uint64_t *at = slots_at(s, slot);

            *at = prng_next(&p);
            EXPECT(*at == ((volatile uint64_t *)at)[0]);
            slots_give(s, slot);
        }
    }
    return NULL;
}

TEST(many_threads_take_and_give)
{
    struct slots *s = make(SLOTS_PRIVATE, 3, 4096);
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, churn, s) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    EXPECT_EQ(slots_free(s), 3);
    slots_destroy(&s);
}
