/* SPDX-License-Identifier: Apache-2.0 */
/* What only a folder has: other processes, kill -9, and other programs. */
#include <signal.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/prng.h"
#include "store/store_sync.h"

#include "tests/harness.h"

enum { WRITERS = 6, ROUNDS = 20, KILLS = 25, VALUE = 300000 };

static char root[] = "/tmp/smshard-dir.XXXXXX";

static void start(void)
{
    EXPECT(mkdtemp(root) != NULL);
}

static void finish(void)
{
    struct fault why;

    EXPECT_EQ(file_remove_tree(root, &why), STATUS_OK);
}

static struct store *open_root(void)
{
    struct store *s = NULL;
    struct buf prefix = {0};
    struct fault why;

    EXPECT_EQ(store_open(root, STORE_WRITE, &why, &s, &prefix), STATUS_OK);
    buf_fini(&prefix);
    return s;
}

static enum status put(struct store *s, const char *key, struct bytes value,
                       enum store_when when, char *etag)
{
    struct fault why;

    return store_sync_put(s, &(struct store_sync_put){key, value, when, etag},
                          &why);
}

static enum status get(struct store *s, const char *key, struct buf *out,
                       char *etag)
{
    struct fault why;

    buf_clear(out);
    return store_sync_get(s, &(struct store_sync_get){key, 2 * VALUE, etag},
                          &why, out);
}

/* Run @work in so many processes and add up what they exit with. */
static int in_processes(int count, int (*work)(void))
{
    pid_t pids[WRITERS];
    int sum = 0;

    for (int i = 0; i < count; i++) {
        pids[i] = fork();
        EXPECT(pids[i] >= 0);
        if (pids[i] == 0) {
            _exit(work());
        }
    }
    for (int i = 0; i < count; i++) {
        int state = 0;

        EXPECT(waitpid(pids[i], &state, 0) == pids[i]);
        EXPECT(WIFEXITED(state));
        sum += WEXITSTATUS(state);
    }
    return sum;
}

static int create_all(void)
{
    struct store *s = open_root();
    int wins = 0;

    for (int i = 0; i < ROUNDS; i++) {
        char key[32];

        snprintf(key, sizeof(key), "keys/%d", i);
        wins += put(s, key, BYTES("x"), STORE_IF_ABSENT, NULL) == STATUS_OK;
    }
    store_close(&s);
    return wins;
}

TEST(one_process_creates_a_key)
{
    start();
    EXPECT_EQ(in_processes(WRITERS, create_all), ROUNDS);
    finish();
}

static int count_up(void)
{
    struct store *s = open_root();
    struct buf text = {0};

    for (int wins = 0; wins < ROUNDS;) {
        char etag[STORE_ETAG_MAX];
        char next[32];
        enum status st;

        if (get(s, "count", &text, etag) != STATUS_OK) {
            return 1;
        }
        snprintf(next, sizeof(next), "%ld",
                 strtol(buf_text(&text), NULL, 10) + 1);
        st = put(s, "count", bytes_of(next), STORE_IF_MATCH, etag);
        if (st != STATUS_OK && st != STATUS_CHANGED) {
            return 1;
        }
        wins += st == STATUS_OK;
    }
    buf_fini(&text);
    store_close(&s);
    return 0;
}

TEST(no_update_of_another_process_is_lost)
{
    struct store *s;
    struct buf text = {0};

    start();
    s = open_root();
    EXPECT_EQ(put(s, "count", BYTES("0"), STORE_ALWAYS, NULL), STATUS_OK);
    EXPECT_EQ(in_processes(WRITERS, count_up), 0);
    EXPECT_EQ(get(s, "count", &text, NULL), STATUS_OK);
    EXPECT_EQ(strtol(buf_text(&text), NULL, 10), WRITERS * ROUNDS);
    buf_fini(&text);
    store_close(&s);
    finish();
}

/* Write whole values of one letter for ever; say when the first is there. */
static void write_for_ever(int ready)
{
    struct store *s = open_root();
    char *value = malloc(VALUE);

    for (int i = 0;; i++) {
        memset(value, 'a' + i % 26, VALUE);
        if (put(s, "k", (struct bytes){value, VALUE}, STORE_ALWAYS, NULL) !=
            STATUS_OK) {
            _exit(1);
        }
        if (i == 0 && write(ready, "x", 1) != 1) {
            _exit(1);
        }
    }
}

static void expect_whole(struct store *s, struct buf *text)
{
    EXPECT_EQ(get(s, "k", text, NULL), STATUS_OK);
    EXPECT_EQ(text->size, VALUE);
    for (size_t i = 1; i < text->size; i++) {
        if (text->at[i] != text->at[0]) {
            EXPECT_EQ(text->at[i], text->at[0]);
        }
    }
}

static unsigned count_below(const char *folder)
{
    char line[256];
    unsigned count = 0;
    FILE *in;
    int ends[2];
    pid_t pid;

    EXPECT(pipe(ends) == 0);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execlp("find", "find", folder, "-type", "f", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    in = fdopen(ends[0], "r");
    EXPECT(in != NULL);
    while (fgets(line, sizeof(line), in) != NULL) {
        count++;
    }
    fclose(in);
    EXPECT(waitpid(pid, NULL, 0) == pid);
    return count;
}

TEST(kill_9_leaves_old_or_new_and_no_lock_and_no_rest)
{
    struct store *s;
    struct buf text = {0};
    struct prng p;

    start();
    prng_init(&p, 9);
    s = open_root();
    for (int i = 0; i < KILLS; i++) {
        int ends[2];
        char byte;
        pid_t pid;

        EXPECT(pipe(ends) == 0);
        pid = fork();
        if (pid == 0) {
            write_for_ever(ends[1]);
        }
        close(ends[1]);
        EXPECT(read(ends[0], &byte, 1) == 1);
        for (uint64_t reads = prng_below(&p, 8); reads > 0; reads--) {
            expect_whole(s, &text); /* While it writes. */
        }
        EXPECT(kill(pid, SIGKILL) == 0);
        EXPECT(waitpid(pid, NULL, 0) == pid);
        close(ends[0]);
        expect_whole(s, &text);
        EXPECT_EQ(put(s, "other", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    }
    store_close(&s);
    s = open_root(); /* The next writer sweeps. */
    EXPECT_EQ(put(s, "other", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    store_close(&s);
    EXPECT_EQ(count_below(root), 2);
    buf_fini(&text);
    finish();
}

TEST(an_object_and_a_folder_of_one_name_conflict)
{
    struct store *s;

    start();
    s = open_root();
    EXPECT_EQ(put(s, "a", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    EXPECT_EQ(put(s, "a/b", BYTES("x"), STORE_ALWAYS, NULL), STATUS_CONFLICT);
    EXPECT_EQ(put(s, "c/d", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    EXPECT_EQ(put(s, "c", BYTES("x"), STORE_ALWAYS, NULL), STATUS_CONFLICT);
    store_close(&s);
    finish();
}

TEST(keys_that_are_no_paths_are_invalid)
{
    static const char *const keys[] = {"/a",     "a/",         "a//b",
                                       "a/../b", "..",         "./a",
                                       "a/.",    ".smshard/x", "a/.smshard"};
    struct store *s;

    start();
    s = open_root();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        EXPECT_EQ(put(s, keys[i], BYTES("x"), STORE_ALWAYS, NULL),
                  STATUS_INVALID);
    }
    EXPECT_EQ(count_below(root), 0);
    store_close(&s);
    finish();
}

static enum status note_key(void *self, const struct store_object *object,
                            struct fault *why)
{
    struct buf *out = self;

    (void)why;
    buf_add_bytes(out, object->key);
    buf_add_char(out, '|');
    return STATUS_OK;
}

TEST(links_are_followed_and_loops_refused)
{
    char path[128];
    struct store *s;
    struct buf keys = {0};
    struct fault why = {.text = ""};

    start();
    s = open_root();
    EXPECT_EQ(put(s, "real/x", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    snprintf(path, sizeof(path), "%s/link", root);
    EXPECT(symlink("real", path) == 0);
    EXPECT_EQ(store_sync_list(s, "", note_key, &keys, &why), STATUS_OK);
    EXPECT_STR(buf_text(&keys), "link/x|real/x|");
    snprintf(path, sizeof(path), "%s/real/up", root);
    EXPECT(symlink("..", path) == 0);
    EXPECT(store_sync_list(s, "", note_key, &keys, &why) != STATUS_OK);
    EXPECT(strstr(why.text, "up") != NULL);
    buf_fini(&keys);
    store_close(&s);
    finish();
}

TEST(a_listing_of_many_files_tells_each_once)
{
    enum { FILES = 3000 };
    struct store *s;
    struct buf keys = {0};
    struct fault why;
    char path[128];

    start();
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof(path), "%s/%06d", root, i);
        EXPECT_EQ(file_write(path, BYTES("x"), false, &why), STATUS_OK);
    }
    s = open_root();
    EXPECT_EQ(store_sync_list(s, "", note_key, &keys, &why), STATUS_OK);
    EXPECT_EQ(keys.size, FILES * 7);
    for (int i = 0; i < FILES; i++) {
        EXPECT_EQ(strtol(keys.at + (ptrdiff_t)i * 7, NULL, 10), i);
    }
    buf_fini(&keys);
    store_close(&s);
    finish();
}
