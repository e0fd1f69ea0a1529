/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/mount_ahead.h"

#include "base/mem.h"
#include "base/prng.h"
#include "tests/harness.h"

enum { CELLS_MAX = 64, READS = 40, FILES = 8, OBJECTS = 50, KIB = 1 << 10 };

/* ---- a store that answers when it is told to -------------------------------
 */

struct cell {
    bool is_asked;
    bool is_hurried;
    bool is_cancelled;
    bool is_full; /* Of that range. */
    struct mount_act act;
};

struct play {
    struct mount_ahead *ahead;
    uint32_t cells;
    uint32_t cell_bytes;
    struct cell each[CELLS_MAX];
    uint32_t asked;
    uint64_t fetches;
    uint64_t used; /* Cells, as bits. */
};

static uint64_t object_size = 5 << 20;

static uint64_t size_of(void *self, uint64_t object)
{
    (void)self;
    return object == 13 ? 0 : object_size; /* One is empty. */
}

static uint64_t listed(void *self, uint64_t epoch, uint64_t number)
{
    (void)self;
    (void)epoch;
    return number;
}

/* An order of its own for each epoch, of objects 0 to 46. */
static uint64_t dealt_object(void *self, uint64_t epoch, uint64_t position)
{
    (void)self;
    return (position * 5 + epoch) % 47;
}

static uint64_t dealt_position(void *self, uint64_t epoch, uint64_t object)
{
    uint64_t position = 0;

    while (position < 47 && dealt_object(self, epoch, position) != object) {
        position++;
    }
    return object < 47 ? position : UINT64_MAX;
}

static const struct mount_order as_listed = {
    .count = OBJECTS, .object = listed, .position = listed};
static const struct mount_order as_dealt = {
    .count = 47, .object = dealt_object, .position = dealt_position};

static void begin(struct play *p, uint32_t cells, uint32_t cell_bytes,
                  const struct mount_order *order)
{
    *p = (struct play){.cells = cells, .cell_bytes = cell_bytes};
    p->ahead = mount_ahead_new(&(struct mount_ahead_options){
        .cells = cells,
        .cell_bytes = cell_bytes,
        .order = order != NULL ? *order : (struct mount_order){.count = 0},
        .size_of = size_of,
    });
}

static void act(struct play *p)
{
    struct mount_act a;

    while (mount_ahead_act(p->ahead, &a)) {
        struct cell *c = &p->each[a.cell];

        EXPECT(a.cell < p->cells);
        if (a.kind == MOUNT_ACT_FETCH) {
            EXPECT(!c->is_asked);
            EXPECT(a.size > 0 && a.size <= p->cell_bytes);
            EXPECT(a.from + a.size <= size_of(NULL, a.object));
            EXPECT_EQ(a.is_whole, a.size == size_of(NULL, a.object));
            *c = (struct cell){.is_asked = true, .act = a};
            p->asked++;
            p->fetches++;
            p->used |= UINT64_C(1) << a.cell;
        } else {
            EXPECT(c->is_asked);
            c->is_hurried = c->is_hurried || a.kind == MOUNT_ACT_HURRY;
            c->is_cancelled = c->is_cancelled || a.kind == MOUNT_ACT_CANCEL;
        }
    }
    mount_ahead_check(p->ahead);
}

static void answer(struct play *p, uint32_t cell, enum status status)
{
    EXPECT(p->each[cell].is_asked);
    p->each[cell].is_asked = false;
    p->each[cell].is_full = status == STATUS_OK;
    p->asked--;
    mount_ahead_done(p->ahead, cell, status);
    act(p);
}

static void answer_all(struct play *p)
{
    while (p->asked > 0) {
        for (uint32_t i = 0; i < p->cells; i++) {
            if (p->each[i].is_asked) {
                answer(p, i,
                       p->each[i].is_cancelled ? STATUS_STOPPED : STATUS_OK);
            }
        }
    }
}

static enum status ask(struct play *p, struct mount_ahead_file *f,
                       uint64_t from, uint32_t size, struct mount_ahead_read *r)
{
    enum status s = mount_ahead_read(p->ahead, f, from, size, r);

    act(p);
    return s;
}

/* The views are those bytes, and they are there. */
static void expect_bytes(const struct play *p, const struct mount_ahead_read *r,
                         uint64_t object, uint64_t from, uint64_t end)
{
    EXPECT_EQ(r->status, STATUS_OK);
    for (uint32_t i = 0; i < r->view_count; i++) {
        const struct mount_view *v = &r->views[i];
        const struct cell *c = &p->each[v->cell];

        EXPECT(c->is_full && !c->is_asked && v->size > 0);
        EXPECT_EQ(c->act.object, object);
        EXPECT_EQ(c->act.from + v->at, from);
        EXPECT(v->at + v->size <= c->act.size);
        from += v->size;
    }
    EXPECT_EQ(from, end);
}

static void release(struct play *p, struct mount_ahead_read *r)
{
    mount_ahead_release(p->ahead, r);
    act(p);
}

/* From asking to release. Whether it had to wait. */
static bool read_all(struct play *p, struct mount_ahead_file *f,
                     uint64_t object, uint64_t from, uint32_t size)
{
    uint64_t end = from + size < object_size ? from + size : object_size;
    struct mount_ahead_read r;
    enum status s = ask(p, f, from, size, &r);

    if (s == STATUS_EMPTY) {
        answer_all(p);
        EXPECT(mount_ahead_ripe(p->ahead) == &r);
    }
    EXPECT(mount_ahead_ripe(p->ahead) == NULL);
    expect_bytes(p, &r, object, from, end);
    release(p, &r);
    return s == STATUS_EMPTY;
}

static void finish(struct play *p)
{
    answer_all(p);
    mount_ahead_destroy(&p->ahead);
}

static uint64_t waited(const struct play *p)
{
    return mount_ahead_stats(p->ahead).waited;
}

/* ---- what is fetched --------------------------------------------------------
 */

TEST(a_reader_in_sequence_soon_waits_no_more)
{
    struct mount_ahead_file *f;
    struct play p;
    uint64_t waits = 0;

    object_size = 256 << 20;
    begin(&p, 48, 2 << 20, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    for (uint64_t at = 0; at < object_size / 2; at += 128 * KIB) {
        (void)read_all(&p, f, 1, at, 128 * KIB);
    }
    /* All waits were for windows that were too small. */
    waits = waited(&p);
    EXPECT(waits > 2 && waits < 20);
    for (uint64_t at = object_size / 2; at < object_size; at += 128 * KIB) {
        (void)read_all(&p, f, 1, at, 128 * KIB);
        answer_all(&p);
    }
    EXPECT(waited(&p) - waits <= 1);
    /* Nothing was asked for twice, and large pieces at last. */
    EXPECT_EQ(mount_ahead_stats(p.ahead).asked, object_size);
    EXPECT(p.fetches < 180);
    mount_ahead_close(p.ahead, f);
    finish(&p);
}

/* Cells that a reader of 2 GiB takes from a store that brings @mib_a_ms however
 * much it is asked for, and takes @ms until it brings anything. */
static int cells_that_pay(uint64_t mib_a_ms, uint64_t ms)
{
    struct mount_ahead_file *f;
    struct play p;
    uint64_t now_ms = 1;
    uint64_t waits = 0;

    object_size = UINT64_C(2) << 30;
    begin(&p, 48, 2 << 20, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    for (uint64_t at = 0; at < object_size; at += KIB << 10) {
        mount_ahead_time(p.ahead, now_ms);
        (void)read_all(&p, f, 1, at, KIB << 10);
        now_ms += (waited(&p) - waits) * ms;
        now_ms += mib_a_ms > 0 && (at >> 20) % mib_a_ms == 0 ? 1 : 0;
        waits = waited(&p);
    }
    mount_ahead_close(p.ahead, f);
    finish(&p);
    return __builtin_popcountll(p.used);
}

TEST(no_more_memory_is_used_than_pays)
{
    EXPECT(cells_that_pay(2, 0) <= 20);
    EXPECT(cells_that_pay(0, 10) >= 34);
}

/* As when a system has several requests under way. */
TEST(a_sequence_in_disorder_is_one)
{
    static const uint64_t order[] = {1, 0, 3, 2, 5, 4, 7, 6};
    struct mount_ahead_file *f;
    struct play p;

    object_size = 64 << 20;
    begin(&p, 48, 2 << 20, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    (void)read_all(&p, f, 1, 0, 128 * KIB);
    for (uint64_t at = 128 * KIB; at < object_size / 2; at += KIB << 10) {
        for (size_t i = 0; i < 8; i++) {
            (void)read_all(&p, f, 1, at + order[i] * 128 * KIB, 128 * KIB);
        }
        answer_all(&p);
    }
    EXPECT(waited(&p) < 12);
    mount_ahead_close(p.ahead, f);
    finish(&p);
}

TEST(random_reads_fetch_what_they_ask_for)
{
    struct mount_ahead_file *f;
    struct prng prng;
    struct play p;

    object_size = 1 << 30;
    begin(&p, 48, 2 << 20, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    prng_init(&prng, 1);
    for (int i = 0; i < 200; i++) {
        uint64_t at = (1 + prng_below(&prng, 4000)) * 128 * KIB;

        (void)read_all(&p, f, 1, at, 128 * KIB);
    }
    EXPECT(mount_ahead_stats(p.ahead).asked <= 202 * 128 * KIB + (4 << 20));
    mount_ahead_close(p.ahead, f);
    finish(&p);
}

static void read_file(struct play *p, uint64_t object)
{
    struct mount_ahead_file *f =
        mount_ahead_open(p->ahead, object, size_of(NULL, object));

    for (uint64_t at = 0; at < size_of(NULL, object); at += 256 * KIB) {
        (void)read_all(p, f, object, at, 256 * KIB);
    }
    mount_ahead_close(p->ahead, f);
    act(p);
    answer_all(p);
}

TEST(files_in_the_known_order_are_there_before)
{
    struct play p;
    uint64_t waits = 0;

    object_size = 5 << 20;
    begin(&p, 48, 2 << 20, &as_dealt);
    for (uint64_t i = 0; i < 47; i++) {
        read_file(&p, dealt_object(NULL, 0, i));
        waits = i < 4 ? waited(&p) : waits;
    }
    EXPECT_EQ(waited(&p), waits);
    /* And on into the next epoch, which has another order. */
    for (uint64_t i = 0; i < 20; i++) {
        read_file(&p, dealt_object(NULL, 1, i));
    }
    EXPECT_EQ(waited(&p), waits);
    finish(&p);
}

/* Two readers at two places, in turns. */
TEST(several_go_along_the_order)
{
    struct play p;
    uint64_t waits = 0;

    object_size = 300 * KIB;
    begin(&p, 48, 2 << 20, &as_listed);
    for (uint64_t i = 0; i < 12; i++) {
        read_file(&p, i);
        read_file(&p, 30 + i);
        waits = i < 3 ? waited(&p) : waits;
    }
    EXPECT_EQ(waited(&p), waits);
    finish(&p);
}

TEST(another_order_fetches_nothing_ahead)
{
    struct mount_order many = as_listed;
    struct play p;

    object_size = 300 * KIB;
    many.count = 5000;
    begin(&p, 48, 2 << 20, &many);
    for (uint64_t i = 0; i < OBJECTS; i++) {
        read_file(&p, i * 1237 % many.count);
    }
    EXPECT_EQ(mount_ahead_stats(p.ahead).asked, OBJECTS * object_size);
    finish(&p);
}

TEST(those_who_want_the_same_wait_for_one_fetch)
{
    struct mount_ahead_file *f[3];
    struct mount_ahead_read r[3];
    struct play p;

    object_size = 64 * KIB;
    begin(&p, 8, 64 * KIB, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        f[i] = mount_ahead_open(p.ahead, 1, object_size);
        EXPECT_EQ(ask(&p, f[i], i * 1000, 5000, &r[i]), STATUS_EMPTY);
    }
    EXPECT_EQ(p.fetches, 1);
    answer_all(&p);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT(mount_ahead_ripe(p.ahead) == &r[i]);
        expect_bytes(&p, &r[i], 1, i * 1000, i * 1000 + 5000);
        release(&p, &r[i]);
        mount_ahead_close(p.ahead, f[i]);
    }
    EXPECT_EQ(p.fetches, 1);
    finish(&p);
}

TEST(a_failed_fetch_is_told_and_tried_anew)
{
    struct mount_ahead_file *f;
    struct mount_ahead_read r;
    struct play p;

    object_size = 64 * KIB;
    begin(&p, 8, 64 * KIB, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    EXPECT_EQ(ask(&p, f, 0, 5000, &r), STATUS_EMPTY);
    answer(&p, r.views[0].cell, STATUS_DENIED);
    EXPECT(mount_ahead_ripe(p.ahead) == &r);
    EXPECT_EQ(r.status, STATUS_DENIED);
    release(&p, &r);
    EXPECT(read_all(&p, f, 1, 0, 5000));
    EXPECT_EQ(mount_ahead_stats(p.ahead).failed, 1);
    mount_ahead_close(p.ahead, f);
    finish(&p);
}

TEST(what_is_needed_now_is_hurried)
{
    struct mount_ahead_file *f;
    struct mount_ahead_read first;
    struct mount_ahead_read r;
    struct play p;

    object_size = 4 << 20;
    begin(&p, 48, 2 << 20, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    EXPECT_EQ(ask(&p, f, 0, 128 * KIB, &first), STATUS_EMPTY);
    EXPECT_EQ(p.each[first.views[0].cell].act.due_in_ms, 0);
    EXPECT(p.asked > 1);
    EXPECT_EQ(ask(&p, f, 128 * KIB, 128 * KIB, &r), STATUS_EMPTY);
    EXPECT(p.each[r.views[0].cell].act.due_in_ms > 0);
    EXPECT(p.each[r.views[0].cell].is_hurried);
    answer_all(&p);
    EXPECT(mount_ahead_ripe(p.ahead) != NULL);
    EXPECT(mount_ahead_ripe(p.ahead) != NULL);
    release(&p, &first);
    release(&p, &r);
    mount_ahead_close(p.ahead, f);
    finish(&p);
}

static uint32_t cancelled(const struct play *p)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->cells; i++) {
        count += p->each[i].is_asked && p->each[i].is_cancelled;
    }
    return count;
}

static void answer_read(struct play *p, struct mount_ahead_read *r)
{
    for (uint32_t i = 0; i < r->view_count; i++) {
        answer(p, r->views[i].cell, STATUS_OK);
    }
    EXPECT(mount_ahead_ripe(p->ahead) == r);
    release(p, r);
}

/* What was fetched ahead for one who goes, another may wait for, */
TEST(what_somebody_waits_for_is_not_given_up)
{
    struct mount_ahead_file *f[2];
    struct mount_ahead_read r[2];
    struct play p;

    object_size = 64 << 20;
    begin(&p, 48, 2 << 20, NULL);
    f[0] = mount_ahead_open(p.ahead, 1, object_size);
    f[1] = mount_ahead_open(p.ahead, 1, object_size);
    EXPECT_EQ(ask(&p, f[0], 0, 128 * KIB, &r[0]), STATUS_EMPTY);
    EXPECT(p.asked > 2);
    EXPECT_EQ(ask(&p, f[1], 128 * KIB, 128 * KIB, &r[1]), STATUS_EMPTY);
    answer_read(&p, &r[0]);
    mount_ahead_close(p.ahead, f[0]);
    act(&p);
    EXPECT(cancelled(&p) > 0);
    EXPECT(!p.each[r[1].views[0].cell].is_cancelled);
    answer_read(&p, &r[1]);
    mount_ahead_close(p.ahead, f[1]);
    act(&p);
    finish(&p);
}

/* or be about to. */
TEST(what_another_reads_in_sequence_stays)
{
    struct mount_ahead_file *f[2];
    struct mount_ahead_read r[2];
    struct play p;

    object_size = 64 << 20;
    begin(&p, 48, 2 << 20, NULL);
    for (int i = 0; i < 2; i++) {
        f[i] = mount_ahead_open(p.ahead, 1, object_size);
        EXPECT_EQ(ask(&p, f[i], 0, 128 * KIB, &r[i]), STATUS_EMPTY);
    }
    answer(&p, r[0].views[0].cell, STATUS_OK);
    for (int i = 0; i < 2; i++) {
        EXPECT(mount_ahead_ripe(p.ahead) == &r[i]);
        release(&p, &r[i]);
    }
    EXPECT(p.asked > 1);
    mount_ahead_close(p.ahead, f[0]);
    act(&p);
    EXPECT_EQ(cancelled(&p), 0);
    mount_ahead_close(p.ahead, f[1]);
    act(&p);
    EXPECT_EQ(cancelled(&p), p.asked);
    finish(&p);
}

/* A read that finds no room gets what fetches leave that end. */
TEST(a_read_without_room_is_next)
{
    struct mount_ahead_file *f[2];
    struct mount_ahead_read r[2];
    uint32_t most;
    struct play p;

    object_size = 64 << 20;
    begin(&p, 8, 64 * KIB, NULL);
    most = mount_ahead_read_max(p.ahead);
    f[0] = mount_ahead_open(p.ahead, 1, object_size);
    f[1] = mount_ahead_open(p.ahead, 2, object_size);
    EXPECT_EQ(ask(&p, f[0], 0, 64 * KIB, &r[0]), STATUS_EMPTY);
    answer_read(&p, &r[0]);
    EXPECT(p.cells - p.asked < most / (64 * KIB));
    EXPECT_EQ(ask(&p, f[1], 1 << 20, most, &r[1]), STATUS_EMPTY);
    answer_all(&p);
    EXPECT(mount_ahead_ripe(p.ahead) == &r[1]);
    expect_bytes(&p, &r[1], 2, 1 << 20, (1 << 20) + most);
    release(&p, &r[1]);
    mount_ahead_close(p.ahead, f[0]);
    mount_ahead_close(p.ahead, f[1]);
    act(&p);
    finish(&p);
}

TEST(the_end_of_an_object_is_the_end)
{
    struct mount_ahead_file *f;
    struct mount_ahead_read r;
    struct play p;

    object_size = 100;
    begin(&p, 8, 64 * KIB, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    EXPECT_EQ(ask(&p, f, 100, 5000, &r), STATUS_OK);
    EXPECT_EQ(r.view_count, 0);
    release(&p, &r);
    EXPECT_EQ(ask(&p, f, UINT64_MAX - 10, 5000, &r), STATUS_OK);
    EXPECT_EQ(r.view_count, 0);
    release(&p, &r);
    EXPECT(read_all(&p, f, 1, 90, 5000));
    mount_ahead_close(p.ahead, f);
    finish(&p);
}

TEST(those_that_wait_can_be_sent_away)
{
    struct mount_ahead_file *f;
    struct mount_ahead_read r[9];
    struct play p;

    object_size = 4 << 20;
    begin(&p, 4, 64 * KIB, NULL);
    f = mount_ahead_open(p.ahead, 1, object_size);
    for (uint32_t i = 0; i < 9; i++) {
        EXPECT_EQ(ask(&p, f, i * 400 * KIB, 64 * KIB, &r[i]), STATUS_EMPTY);
    }
    mount_ahead_stop(p.ahead);
    for (uint32_t i = 0; i < 9; i++) {
        struct mount_ahead_read *ripe = mount_ahead_ripe(p.ahead);

        EXPECT(ripe != NULL);
        EXPECT_EQ(ripe->status, STATUS_STOPPED);
        mount_ahead_release(p.ahead, ripe);
    }
    EXPECT(mount_ahead_ripe(p.ahead) == NULL);
    EXPECT_EQ(mount_ahead_stats(p.ahead).parked, 0);
    mount_ahead_destroy(&p.ahead);
}

/* ---- anything, in any order
 * -------------------------------------------------- */

struct random {
    struct play play;
    struct prng prng;
    struct mount_ahead_file *files[FILES];
    uint64_t objects[FILES];
    uint64_t at[FILES];
    uint32_t busy[FILES]; /* Reads. */
    struct mount_ahead_read reads[READS];
    uint32_t file_of[READS];
    enum { IDLE, ASKED, HELD } states[READS];
    uint32_t asked;
};

static void random_hold(struct random *x, struct mount_ahead_read *r)
{
    uint32_t i = (uint32_t)(r - x->reads);

    EXPECT_EQ(x->states[i], ASKED);
    if (r->status == STATUS_OK) {
        expect_bytes(&x->play, r, x->objects[x->file_of[i]], r->from, r->end);
    } else {
        EXPECT_EQ(r->status, STATUS_IO);
    }
    x->states[i] = HELD;
    x->asked--;
}

static void random_ripe(struct random *x)
{
    struct mount_ahead_read *r;

    while ((r = mount_ahead_ripe(x->play.ahead)) != NULL) {
        random_hold(x, r);
    }
}

static void random_ask(struct random *x, uint32_t i, uint32_t f)
{
    uint64_t size = size_of(NULL, x->objects[f]);
    uint32_t max = mount_ahead_read_max(x->play.ahead);
    uint32_t want = 1 + (uint32_t)prng_below(&x->prng, max);

    if (prng_chance(&x->prng, 1, 4)) {
        x->at[f] = prng_below(&x->prng, size + 1);
    }
    x->file_of[i] = f;
    x->busy[f]++;
    x->states[i] = ASKED;
    x->asked++;
    if (ask(&x->play, x->files[f], x->at[f], want, &x->reads[i]) == STATUS_OK) {
        random_hold(x, &x->reads[i]);
    }
    x->at[f] += want;
    random_ripe(x);
}

static void random_release(struct random *x, uint32_t i)
{
    release(&x->play, &x->reads[i]);
    x->states[i] = IDLE;
    x->busy[x->file_of[i]]--;
    random_ripe(x);
}

static void random_file(struct random *x, uint32_t f)
{
    if (x->files[f] == NULL) {
        x->objects[f] = prng_chance(&x->prng, 2, 3)
                            ? (x->objects[f] + 1) % OBJECTS
                            : prng_below(&x->prng, OBJECTS);
        x->files[f] = mount_ahead_open(x->play.ahead, x->objects[f],
                                       size_of(NULL, x->objects[f]));
        x->at[f] = 0;
    } else if (x->busy[f] == 0) {
        mount_ahead_close(x->play.ahead, x->files[f]);
        x->files[f] = NULL;
        act(&x->play);
        random_ripe(x);
    }
}

static void random_answer(struct random *x)
{
    uint32_t cell = (uint32_t)prng_below(&x->prng, x->play.cells);
    enum status s = prng_chance(&x->prng, 1, 30) ? STATUS_IO : STATUS_OK;

    if (x->play.each[cell].is_asked) {
        if (x->play.each[cell].is_cancelled && prng_chance(&x->prng, 2, 3)) {
            s = STATUS_STOPPED;
        }
        answer(&x->play, cell, s);
        random_ripe(x);
    }
}

static void random_step(struct random *x)
{
    uint32_t i = (uint32_t)prng_below(&x->prng, READS);
    uint32_t f = (uint32_t)prng_below(&x->prng, FILES);

    switch (prng_below(&x->prng, 8)) {
    case 0:
        random_file(x, f);
        break;
    case 1:
    case 2:
        if (x->states[i] == IDLE && x->files[f] != NULL) {
            random_ask(x, i, f);
        }
        break;
    case 3:
        if (x->states[i] == HELD) {
            random_release(x, i);
        }
        break;
    default:
        random_answer(x);
        break;
    }
}

/* Whoever waits is served once all is answered and released. */
static void random_end(struct random *x)
{
    while (x->asked > 0 || x->play.asked > 0) {
        uint32_t before = x->asked;
        uint32_t released = 0;

        answer_all(&x->play);
        random_ripe(x);
        for (uint32_t i = 0; i < READS; i++) {
            if (x->states[i] == HELD) {
                random_release(x, i);
                released++;
            }
        }
        EXPECT(x->asked < before || released > 0 || x->play.asked > 0 ||
               x->asked == 0);
    }
    for (uint32_t i = 0; i < READS; i++) {
        if (x->states[i] == HELD) {
            random_release(x, i);
        }
    }
    EXPECT_EQ(mount_ahead_stats(x->play.ahead).parked, 0);
    finish(&x->play);
}

TEST(random_reads_get_the_right_bytes)
{
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct random *x = mem_new(1, sizeof(*x));

        prng_init(&x->prng, seed);
        object_size =
            1 + prng_below(&x->prng, seed % 2 == 0 ? 200000 : 3 << 20);
        begin(&x->play, 4 + (uint32_t)prng_below(&x->prng, 20),
              4096U << prng_below(&x->prng, 7),
              seed % 3 == 0   ? NULL
              : seed % 3 == 1 ? &as_listed
                              : &as_dealt);
        for (int i = 0; i < 600; i++) {
            random_step(x);
        }
        random_end(x);
        free(x);
    }
}
