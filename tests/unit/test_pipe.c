/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/fetch_kit.h"
#include "tests/unit/log_kit.h"
#include "worker/pipe_fifo.h"
#include "worker/pipe_form.h"

enum { OBJECTS = 40, SLOT = 64 << 10, SLOTS = 4, UNITS_MAX = 8 };

static size_t sizes[OBJECTS];

/* A pipe, and the main loop's side of it: every epoch has all objects. */
struct bench {
    char folder[64];
    struct fetch *fetch;
    struct slots *slots;
    struct supply *supply;
    struct pipe *pipe;
    uint64_t epochs;
    uint64_t epoch;
    uint64_t next;
    bool is_ended;
    bool is_over;
    uint64_t done[8]; /* Units told of as DONE, by epoch. */
    uint64_t back;
    uint64_t skips;
    uint64_t stops;
    struct recipes *recipes; /* Units are lines. */
    char failure[SUPPLY_REASON_MAX];
};

static void choose_sizes(void)
{
    struct prng p;

    prng_init(&p, 11);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        sizes[i] = (size_t)prng_below(&p, i % 7 == 0 ? 300000 : 9000);
    }
    sizes[3] = 0;
}

/* ---- Lines. ---------------------------------------------------------------
 */

static struct recipe_unit lines[OBJECTS];

/* Of line @i: an object, a text, another object, and nothing. */
static struct recipes *make_recipes(void)
{
    struct buf text = {0};
    struct recipes *out;
    struct fault why;

    recipes_begin(&text);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct recipe r = {.count = 4};
        char keys[2][32];

        for (uint32_t k = 0; k < 2; k++) {
            uint32_t object = (i + 7 * k) % OBJECTS;

            snprintf(keys[k], sizeof(keys[k]), "o/%u", object);
            r.parts[2 * k] = (struct recipe_part){.is_object = true,
                                                  .key = bytes_of(keys[k]),
                                                  .size = sizes[object]};
        }
        r.parts[1].text = bytes_of("between");
        recipes_add("m", i + 1, &r, &text, &lines[i]);
    }
    EXPECT_EQ(recipes_read(&text, &why, &out), STATUS_OK);
    return out;
}

/* What @recipes is set to for lines. */
static const struct recipes *const of_lines = (const void *)&lines;

static void open_bench(struct bench *b, uint64_t epochs,
                       struct pipe_options options)
{
    struct slots_options so = {.count = SLOTS, .size = SLOT, .node = -1};
    struct fault why = {.text = ""};

    *b = (struct bench){.epochs = epochs};
    choose_sizes();
    kit_put_objects("mem://a/", sizes, OBJECTS);
    snprintf(b->folder, sizeof(b->folder), "/tmp/test_pipe.XXXXXX");
    EXPECT(mkdtemp(b->folder) != NULL);
    EXPECT_EQ(slots_new(&so, &why, &b->slots), STATUS_OK);
    b->fetch = kit_fetch_of("mem://a/", 1, 0);
    b->supply = supply_new(&(struct supply_options){1, UNITS_MAX, 1 << 20});
    if (options.recipes != NULL) {
        b->recipes = make_recipes();
        options.recipes = b->recipes;
    }
    options.folder = b->folder;
    options.channel = "train";
    options.supply = b->supply;
    options.fetch = b->fetch;
    options.slots = b->slots;
    options.slots_max = SLOTS;
    EXPECT_EQ(pipe_start(&options, &why, &b->pipe), STATUS_OK);
}

static void close_bench(struct bench *b)
{
    pipe_stop(&b->pipe);
    supply_destroy(&b->supply);
    slots_destroy(&b->slots);
    fetch_stop(&b->fetch);
    recipes_destroy(&b->recipes);
    EXPECT_EQ(rmdir(b->folder), 0); /* Nothing was left. */
}

static void put_units(struct bench *b)
{
    while (!b->is_ended && b->next < OBJECTS && supply_has_room(b->supply, 0)) {
        char key[32];

        snprintf(key, sizeof(key), "o/%u", (unsigned)b->next);
        supply_put(b->supply, 0,
                   &(struct supply_unit){
                       .epoch = b->epoch,
                       .position = b->next,
                       .lease = 1,
                       .key = b->recipes != NULL ? bytes_of(lines[b->next].key)
                                                 : bytes_of(key),
                       .etag = bytes_of(lines[b->next].etag),
                       .size = b->recipes != NULL ? lines[b->next].size
                                                  : sizes[b->next],
                       .is_whole = true,
                   });
        b->next++;
    }
    if (!b->is_ended && b->next == OBJECTS) {
        b->is_ended = true;
        supply_put_end(b->supply, 0, b->epoch, b->epoch + 1 == b->epochs);
    }
}

static void take_words(struct bench *b)
{
    struct supply_told told;

    while (supply_told(b->supply, &told)) {
        b->done[told.epoch] += told.word == SUPPLY_DONE;
        b->back += told.word == SUPPLY_BACK;
        b->skips += told.word == SUPPLY_SKIP;
        if (told.word == SUPPLY_STOP) {
            b->stops++;
            b->next = OBJECTS;
        } else if (told.word == SUPPLY_FAIL) {
            snprintf(b->failure, sizeof(b->failure), "%s", told.reason);
        } else if (told.word == SUPPLY_BEGIN) {
            b->epoch++;
            b->next = 0;
            b->is_ended = false;
        }
    }
}

/* The main loop, until @child has ended; returns its exit code. */
static int serve(struct bench *b, pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, WNOHANG) == 0) {
        struct pollfd p = {supply_told_fd(b->supply), POLLIN, 0};

        poll(&p, 1, 2);
        supply_told_heed(b->supply);
        take_words(b);
        put_units(b);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Serve until @word tells. */
static void serve_until(struct bench *b, bool (*is_there)(const struct bench *))
{
    while (!is_there(b)) {
        struct pollfd p = {supply_told_fd(b->supply), POLLIN, 0};

        poll(&p, 1, 2);
        supply_told_heed(b->supply);
        take_words(b);
        put_units(b);
    }
}

static bool is_over(const struct bench *b)
{
    return pipe_stats(b->pipe).is_over && b->done[b->epochs - 1] == OBJECTS;
}

static int open_fifo(const struct bench *b, uint64_t number)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/train_%" PRIu64, b->folder, number);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd;
}

/* Whether what comes is the objects one after the other, and nothing more. */
static bool reads_epoch(int fd)
{
    static uint8_t all[16 << 20];
    size_t size = 0;
    size_t at = 0;
    ssize_t n;

    while ((n = read(fd, all + size, 65536)) > 0) {
        size += (size_t)n;
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        if (size - at < sizes[i] || !kit_is_right(all + at, i, 0, sizes[i])) {
            return false;
        }
        at += sizes[i];
    }
    return at == size;
}

static int open_reader(const char *folder)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/train_0", folder);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT(fd >= 0);
    return fd;
}

/* A reader that opens the next FIFO as soon as it has closed one, as the
 * public readers do: a FIFO that is not there then is a fault. */
static int read_all(const struct bench *b)
{
    for (uint64_t i = 0; i < b->epochs; i++) {
        int fd = open_fifo(b, i);

        if (fd < 0 || !reads_epoch(fd)) {
            return 1 + (int)i;
        }
        close(fd);
    }
    return 0;
}

/* Like a command, it has nothing of ours open: with the end that is written to
 * it would never see the other one's end. */
static pid_t fork_reader(const struct bench *b,
                         int (*reader)(const struct bench *))
{
    pid_t child = fork();

    if (child == 0) {
        for (int fd = 3; fd < 1024; fd++) {
            close(fd);
        }
        _exit(reader(b));
    }
    return child;
}

TEST(epochs_come_one_after_the_other)
{
    struct bench b;
    int next;

    open_bench(&b, 3, (struct pipe_options){0});
    EXPECT_EQ(serve(&b, fork_reader(&b, read_all)), 0);
    serve_until(&b, is_over);
    for (uint64_t i = 0; i < 3; i++) {
        EXPECT_EQ(b.done[i], OBJECTS);
    }
    EXPECT_EQ(b.back + b.skips + b.stops, 0);
    EXPECT_EQ(pipe_stats(b.pipe).early, 0);
    EXPECT_EQ(pipe_stats(b.pipe).objects, 3 * OBJECTS);
    next = open_fifo(&b, 3);
    EXPECT(next < 0); /* There is no other epoch. */
    close_bench(&b);
}

/* The second epoch is read in part. */
static int read_part(const struct bench *b)
{
    uint8_t some[100];
    int fd = open_fifo(b, 0);
    bool is_right = fd >= 0 && reads_epoch(fd);

    close(fd);
    fd = open_fifo(b, 1);
    is_right = is_right && fd >= 0 && read(fd, some, 100) == 100;
    close(fd);
    for (uint64_t i = 2; i < b->epochs; i++) {
        fd = open_fifo(b, i);
        is_right = is_right && fd >= 0 && reads_epoch(fd);
        close(fd);
    }
    return !is_right;
}

TEST(who_closes_early_has_had_enough_of_the_epoch)
{
    struct bench b;

    open_bench(&b, 4, (struct pipe_options){0});
    EXPECT_EQ(serve(&b, fork_reader(&b, read_part)), 0);
    serve_until(&b, is_over);
    EXPECT_EQ(b.done[0], OBJECTS);
    EXPECT(b.done[1] == 0); /* The first object is larger than 100 bytes. */
    EXPECT_EQ(b.done[2], OBJECTS);
    EXPECT_EQ(b.done[3], OBJECTS);
    EXPECT(b.stops <= 1);
    EXPECT(b.back > 0);
    EXPECT_EQ(pipe_stats(b.pipe).early, 1);
    close_bench(&b);
}

/* All of an epoch but its last bytes: by then all of it was written. */
static int read_nearly_all(const struct bench *b)
{
    static uint8_t some[65536];

    for (uint64_t i = 0; i < b->epochs; i++) {
        int fd = open_fifo(b, i);
        size_t left = 0;
        ssize_t n = 1;

        for (uint32_t k = 0; k < OBJECTS; k++) {
            left += sizes[k];
        }
        for (left -= 3; left > 0 && n > 0; left -= (size_t)n) {
            n = read(fd, some, left < sizeof(some) ? left : sizeof(some));
        }
        close(fd);
        if (left > 0) {
            return 1 + (int)i;
        }
    }
    return 0;
}

TEST(who_closes_just_before_the_end_gets_the_next_epoch)
{
    struct bench b;

    open_bench(&b, 8, (struct pipe_options){0});
    EXPECT_EQ(serve(&b, fork_reader(&b, read_nearly_all)), 0);
    for (uint64_t i = 0; i < 7; i++) {
        EXPECT_EQ(b.done[i], OBJECTS - 1);
    }
    close_bench(&b);
}

/* The FIFO has bytes, so that they are there when it is closed. */
static int look_first(const struct bench *b)
{
    struct pollfd fifo = {open_fifo(b, 0), POLLIN, 0};

    if (poll(&fifo, 1, -1) != 1 || (fifo.revents & POLLIN) == 0) {
        return 100;
    }
    close(fifo.fd);
    return read_all(b);
}

TEST(who_has_taken_nothing_may_open_again)
{
    struct bench b;

    open_bench(&b, 2, (struct pipe_options){0});
    EXPECT_EQ(serve(&b, fork_reader(&b, look_first)), 0);
    serve_until(&b, is_over);
    EXPECT_EQ(b.done[0] + b.done[1], 2 * OBJECTS);
    EXPECT_EQ(b.stops, 0);
    close_bench(&b);
}

TEST(a_reader_that_never_comes_is_in_nobodys_way)
{
    struct bench b;

    open_bench(&b, 1, (struct pipe_options){0});
    put_units(&b);
    close_bench(&b);
}

static char said[] = "/tmp/test_pipe_log.XXXXXX";

static bool is_said(const struct bench *b)
{
    (void)b;
    return log_count(said, "warn pipe.unread fifo=train_0 for-s=0\n") > 0;
}

TEST(but_it_is_said_once)
{
    struct bench b;
    int fd = mkstemp(said);
    int log;

    EXPECT(fd >= 0);
    close(fd);
    log = log_catch(said);
    open_bench(&b, 1, (struct pipe_options){.lonely_ms = 1});
    serve_until(&b, is_said);
    close_bench(&b);
    log_release(log);
    EXPECT_EQ(log_count(said, "pipe.unread"), 1);
    EXPECT_EQ(unlink(said), 0);
}

/* What two readers of one FIFO see of each other. */
static struct pair {
    _Atomic int opened;
    _Atomic uint64_t bytes;
} * pair;

static int read_some(const struct bench *b)
{
    uint8_t some[4096];
    int fd = open_fifo(b, 0);
    ssize_t got = -1;

    atomic_fetch_add(&pair->opened, 1);
    while (atomic_load(&pair->opened) < 2) {
        sched_yield();
    }
    while (fd >= 0 && (got = read(fd, some, sizeof(some))) > 0) {
        atomic_fetch_add(&pair->bytes, (uint64_t)got);
    }
    return got != 0;
}

/* As with any FIFO: each has a part, none of it twice, and both see the end.
 * Who comes later finds no FIFO of that number. */
TEST(two_readers_at_once_share_the_bytes)
{
    uint64_t all = 0;
    struct bench b;
    pid_t first;

    pair = mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE,
                // cppcheck-suppress invalidFunctionArg ; no file: -1
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(pair != MAP_FAILED);
    open_bench(&b, 1, (struct pipe_options){0});
    first = fork_reader(&b, read_some);
    EXPECT_EQ(serve(&b, fork_reader(&b, read_some)), 0);
    EXPECT_EQ(serve(&b, first), 0);
    serve_until(&b, is_over);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        all += sizes[i];
    }
    EXPECT_EQ(pair->bytes, all);
    EXPECT_EQ(b.done[0], OBJECTS);
    // cppcheck-suppress leakReturnValNotUsed ; it must fail
    EXPECT(open_fifo(&b, 0) < 0 && errno == ENOENT);
    close_bench(&b);
    EXPECT_EQ(munmap(pair, sizeof(*pair)), 0);
}

static bool has_failed(const struct bench *b)
{
    return b->failure[0] != '\0';
}

static void remove_object(uint32_t i)
{
    struct buf prefix = {0};
    struct store *s;
    struct fault why;
    char key[32];

    snprintf(key, sizeof(key), "o/%u", i);
    EXPECT_EQ(store_open("mem://a/", STORE_WRITE, &why, &s, &prefix),
              STATUS_OK);
    EXPECT_EQ(store_sync_delete(s, key, &why), STATUS_OK);
    store_close(&s);
    buf_fini(&prefix);
}

static int read_any(const struct bench *b)
{
    uint8_t some[4096];
    int fd = open_fifo(b, 0);

    while (read(fd, some, sizeof(some)) > 0) {
    }
    return 0;
}

TEST(an_object_that_is_gone_ends_the_channel)
{
    struct bench b;
    pid_t child;

    open_bench(&b, 1, (struct pipe_options){0});
    remove_object(20);
    child = fork_reader(&b, read_any);
    serve_until(&b, has_failed);
    EXPECT(strstr(b.failure, "o/20") != NULL);
    EXPECT(b.done[0] <= 20);
    close_bench(&b);
    waitpid(child, NULL, 0);
}

TEST(an_object_that_is_no_gzip_is_named)
{
    struct bench b;
    pid_t child;

    open_bench(&b, 1, (struct pipe_options){.is_gzip = true});
    child = fork_reader(&b, read_any);
    serve_until(&b, has_failed);
    EXPECT(strstr(b.failure, "o/0") != NULL);
    close_bench(&b);
    waitpid(child, NULL, 0);
}

/* A command that is started later must not keep its FIFO from ending. */
TEST(a_fifo_is_not_passed_on)
{
    char folder[] = "/tmp/smshard-test-XXXXXX";
    struct fault why;
    int reader;
    int fd;

    EXPECT(mkdtemp(folder) != NULL);
    EXPECT_EQ(pipe_fifo_make(folder, "train", 0, &why), STATUS_OK);
    reader = open_reader(folder);
    EXPECT_EQ(pipe_fifo_open(folder, "train", 0, &why, &fd), STATUS_OK);
    EXPECT((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    close(reader);
    pipe_fifo_remove(folder, "train", 0);
    EXPECT_EQ(rmdir(folder), 0);
}

TEST(or_is_skipped_where_the_job_says_so)
{
    struct bench b;

    open_bench(&b, 1, (struct pipe_options){.skips = true});
    remove_object(20);
    EXPECT_EQ(serve(&b, fork_reader(&b, read_any)), 0);
    while (!pipe_stats(b.pipe).is_over) {
        take_words(&b);
    }
    take_words(&b);
    EXPECT_EQ(b.done[0], OBJECTS - 1);
    EXPECT_EQ(b.skips, 1);
    close_bench(&b);
}

/* One object of the stream, cut off its front. */
static bool cut_object(const uint8_t **at, size_t *left, uint32_t object)
{
    if (*left < sizes[object] || !kit_is_right(*at, object, 0, sizes[object])) {
        return false;
    }
    *at += sizes[object];
    *left -= sizes[object];
    return true;
}

/* Whether what comes is all lines, and nothing more. */
static bool reads_lines(int fd)
{
    static uint8_t all[32 << 20];
    const uint8_t *at = all;
    size_t left = 0;
    ssize_t n;

    while ((n = read(fd, all + left, 65536)) > 0) {
        left += (size_t)n;
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        if (!cut_object(&at, &left, i) || left < 7 ||
            memcmp(at, "between", 7) != 0) {
            return false;
        }
        at += 7;
        left -= 7;
        if (!cut_object(&at, &left, (i + 7) % OBJECTS)) {
            return false;
        }
    }
    return left == 0;
}

static int read_lines(const struct bench *b)
{
    for (uint64_t i = 0; i < b->epochs; i++) {
        uint8_t some[100];
        int fd = open_fifo(b, i);
        bool is_right = i == 1 ? read(fd, some, 100) == 100 : reads_lines(fd);

        close(fd);
        if (!is_right) {
            return 1 + (int)i;
        }
    }
    return 0;
}

TEST(lines_come_as_their_parts)
{
    struct bench b;

    open_bench(&b, 3, (struct pipe_options){.recipes = of_lines});
    EXPECT_EQ(serve(&b, fork_reader(&b, read_lines)), 0);
    serve_until(&b, is_over);
    EXPECT_EQ(b.done[0], OBJECTS);
    EXPECT_EQ(b.done[1], 0); /* Closed within the first. */
    EXPECT_EQ(b.done[2], OBJECTS);
    EXPECT_EQ(pipe_stats(b.pipe).early, 1);
    close_bench(&b);
}

/* Something of the line was written when its second object is found gone. */
TEST(a_line_that_was_begun_is_not_skipped)
{
    struct bench b;
    pid_t child;

    open_bench(&b, 1,
               (struct pipe_options){.recipes = of_lines, .skips = true});
    remove_object(20);
    child = fork_reader(&b, read_any);
    serve_until(&b, has_failed);
    EXPECT(strstr(b.failure, "o/20") != NULL);
    EXPECT(b.done[0] <= 13 && b.skips == 0);
    close_bench(&b);
    waitpid(child, NULL, 0);
}

/* Nothing is known of a line's object until it is asked for: here the first
 * lines are told to be another recipe. */
TEST(a_line_that_was_not_dealt_ends_the_channel)
{
    struct bench b;
    pid_t child;

    open_bench(&b, 1, (struct pipe_options){.recipes = of_lines});
    lines[5].etag[3] ^= 1;
    child = fork_reader(&b, read_any);
    serve_until(&b, has_failed);
    EXPECT_STR(b.failure, "m:0000000006: the recipe of this line is not the "
                          "one that was dealt");
    close_bench(&b);
    waitpid(child, NULL, 0);
}

TEST(a_file_of_that_name_is_not_touched)
{
    struct bench b = {.folder = "/tmp/test_pipe.XXXXXX"};
    struct pipe_options o = {.channel = "train"};
    struct slots_options so = {.count = 1, .size = SLOT, .node = -1};
    struct fault why;
    char path[128];

    EXPECT(mkdtemp(b.folder) != NULL);
    o.folder = b.folder;
    snprintf(path, sizeof(path), "%s/train_0", b.folder);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    choose_sizes();
    kit_put_objects("mem://a/", sizes, 1);
    EXPECT_EQ(slots_new(&so, &why, &b.slots), STATUS_OK);
    b.fetch = kit_fetch_of("mem://a/", 1, 0);
    b.supply = supply_new(&(struct supply_options){1, 1, 1});
    o.supply = b.supply;
    o.fetch = b.fetch;
    o.slots = b.slots;
    o.slots_max = 1;
    EXPECT_EQ(pipe_start(&o, &why, &b.pipe), STATUS_CONFLICT);
    EXPECT(strstr(why.text, "channel train: ") != NULL);
    EXPECT(strstr(why.text, "is no FIFO") != NULL);
    unlink(path);
    EXPECT_EQ(pipe_fifo_make(b.folder, "train", 0, &why), STATUS_OK);
    EXPECT_EQ(pipe_start(&o, &why, &b.pipe), STATUS_OK); /* An old FIFO. */
    close_bench(&b);
}

/* ---- What becomes of the bytes. -------------------------------------------
 */

/* All that the form makes of pieces of @size bytes of @data. */
static enum status form_all(struct pipe_form *f, struct bytes data, size_t size,
                            struct buf *out)
{
    struct fault why;
    struct bytes piece;
    size_t at = 0;
    enum status s = STATUS_OK;

    buf_clear(out);
    do {
        size_t n = data.size - at < size ? data.size - at : size;

        pipe_form_give(f, (struct bytes){data.at + at, n}, at == 0,
                       at + n == data.size);
        at += n;
        s = pipe_form_next(f, &why, &piece);
        while (s == STATUS_OK && piece.size > 0) {
            buf_add_bytes(out, piece);
            s = pipe_form_next(f, &why, &piece);
        }
    } while (s == STATUS_OK && at < data.size);
    return s;
}

/* "hello\n" as `gzip -n` makes it. */
static const char zipped[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48"
                             "\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06\x00"
                             "\x00\x00";
static const char record[] = "\x0a\x23\xd7\xce\x06\x00\x00\x00hello\n\x00\x00";

TEST(objects_are_unzipped_and_wrapped)
{
    const struct bytes plain = {"hello\n", 6};
    const struct bytes zip = {zipped, sizeof(zipped) - 1};
    const struct bytes wrapped = {record, sizeof(record) - 1};
    const struct {
        bool is_gzip;
        bool is_wrapped;
        struct bytes from;
        struct bytes to;
    } rows[] = {
        {false, false, plain, plain},
        {true, false, zip, plain},
        {false, true, plain, wrapped},
        {true, true, zip, wrapped},
    };
    struct buf out = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct pipe_form *f =
            pipe_form_new(rows[i].is_gzip, rows[i].is_wrapped, 100);

        for (size_t size = 1; size <= rows[i].from.size; size++) {
            EXPECT_EQ(form_all(f, rows[i].from, size, &out), STATUS_OK);
            EXPECT_EQ(bytes_compare(buf_bytes(&out), rows[i].to), 0);
        }
        pipe_form_destroy(&f);
    }
    buf_fini(&out);
}

TEST(what_is_no_gzip_or_too_large_is_said)
{
    const struct bytes zip = {zipped, sizeof(zipped) - 1};
    struct buf out = {0};
    struct pipe_form *f = pipe_form_new(true, false, 100);

    EXPECT_EQ(form_all(f, BYTES("hello, hello, hello"), 5, &out),
              STATUS_MALFORMED);
    EXPECT_EQ(form_all(f, (struct bytes){zip.at, zip.size - 3}, 9, &out),
              STATUS_MALFORMED);
    EXPECT_EQ(form_all(f, zip, 9, &out), STATUS_OK); /* The next is fine. */
    pipe_form_destroy(&f);
    f = pipe_form_new(false, true, 5);
    EXPECT_EQ(form_all(f, BYTES("hello\n"), 4, &out), STATUS_FULL);
    EXPECT_EQ(form_all(f, BYTES("hello"), 4, &out), STATUS_OK);
    pipe_form_destroy(&f);
    buf_fini(&out);
}
