/* SPDX-License-Identifier: Apache-2.0 */
/* What only a folder has: other processes, kill -9, and other programs. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
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

/* Put a file system of its own over the root, for this test's process alone.
 * Returns whether we may. */
static bool mount_root(const char *type, const char *options)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", root, type, 0, options) != 0) {
        printf("skipped: no right to mount a %s\n", type);
        return false;
    }
    return true;
}

static void finish_mounted(void)
{
    EXPECT(umount2(root, MNT_DETACH) == 0);
    EXPECT(rmdir(root) == 0);
}

static bool is_below(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    return file_is_there(path);
}

/* Any file system that is not known to be one machine's: a folder's lock may
 * be granted to two hosts at once there. */
TEST(a_file_system_that_may_be_shared_is_locked_by_a_file)
{
    struct store *s;
    struct buf text = {0};

    start();
    if (!mount_root("ramfs", "")) {
        finish();
        return;
    }
    s = open_root();
    EXPECT_EQ(put(s, "count", BYTES("0"), STORE_IF_ABSENT, NULL), STATUS_OK);
    EXPECT(is_below(".smshard/lock"));
    EXPECT_EQ(in_processes(WRITERS, count_up), 0);
    EXPECT_EQ(get(s, "count", &text, NULL), STATUS_OK);
    EXPECT_EQ(strtol(buf_text(&text), NULL, 10), WRITERS * ROUNDS);
    buf_fini(&text);
    store_close(&s);
    finish_mounted();
}

static void expect_full(enum status s, const struct fault *why)
{
    EXPECT_EQ(s, STATUS_NO_SPACE);
    EXPECT(strstr(why->text, root) != NULL);
}

TEST(a_full_disk_leaves_the_old_value_and_no_rest)
{
    struct store *s;
    struct buf text = {0};
    struct fault why;
    char *value = calloc(1, VALUE);

    start();
    if (!mount_root("tmpfs", "size=128k")) {
        free(value);
        finish();
        return;
    }
    s = open_root();
    EXPECT_EQ(put(s, "k", BYTES("old"), STORE_ALWAYS, NULL), STATUS_OK);
    expect_full(store_sync_put(s,
                               &(struct store_sync_put){
                                   "k", {value, VALUE}, STORE_ALWAYS, NULL},
                               &why),
                &why);
    EXPECT_EQ(get(s, "k", &text, NULL), STATUS_OK);
    EXPECT_STR(buf_text(&text), "old");
    EXPECT_EQ(count_below(root), 1);
    EXPECT_EQ(put(s, "k", BYTES("new"), STORE_ALWAYS, NULL), STATUS_OK);
    buf_fini(&text);
    free(value);
    store_close(&s);
    finish_mounted();
}

/* The same where nothing can be mounted: a limit on the size of files. */
TEST(a_limit_on_files_is_a_full_disk)
{
    struct rlimit limit = {VALUE / 2, VALUE / 2};
    struct store *s;
    char *value = calloc(1, VALUE);
    char path[128];
    struct fault why;

    start();
    s = open_root();
    signal(SIGXFSZ, SIG_IGN);
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    expect_full(store_sync_put(s,
                               &(struct store_sync_put){
                                   "k", {value, VALUE}, STORE_ALWAYS, NULL},
                               &why),
                &why);
    snprintf(path, sizeof(path), "%s/file", root);
    expect_full(file_write(path, (struct bytes){value, VALUE}, true, &why),
                &why);
    EXPECT_EQ(count_below(root), 0);
    free(value);
    store_close(&s);
    finish();
}

/* Somebody's file from the future: the next value is newer still. */
TEST(an_etag_never_comes_back)
{
    struct timespec future[2] = {{4102444800, 5}, {4102444800, 5}};
    char path[128];
    char first[STORE_ETAG_MAX];
    char etag[STORE_ETAG_MAX];
    struct stat st;
    struct buf text = {0};
    struct store *s;

    start();
    s = open_root();
    snprintf(path, sizeof(path), "%s/k", root);
    EXPECT_EQ(put(s, "k", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    EXPECT(utimensat(AT_FDCWD, path, future, 0) == 0);
    EXPECT_EQ(get(s, "k", &text, first), STATUS_OK);
    for (int i = 1; i <= 3; i++) {
        EXPECT_EQ(put(s, "k", BYTES("x"), STORE_ALWAYS, etag), STATUS_OK);
        EXPECT(strcmp(etag, first) != 0);
        EXPECT(stat(path, &st) == 0);
        EXPECT_EQ(st.st_mtim.tv_sec, 4102444800);
        EXPECT_EQ(st.st_mtim.tv_nsec, 5 + i);
    }
    buf_fini(&text);
    store_close(&s);
    finish();
}

/* Begin an upload with one part. */
static void begin_upload(struct store *s)
{
    static struct store_event begun;
    static struct store_event e;
    struct store_request r = {.op = STORE_UPLOAD_BEGIN, .key = BYTES("big")};

    EXPECT_EQ(store_sync(s, &r, &begun), STATUS_OK);
    r.op = STORE_UPLOAD_PART;
    r.upload = begun.upload;
    r.part = 1;
    r.body = "part";
    r.size = 4;
    EXPECT_EQ(store_sync(s, &r, &e), STATUS_OK);
}

TEST(uploads_of_the_dead_are_swept_and_those_of_the_living_stay)
{
    struct store *s;
    struct store *other;
    pid_t pid;

    start();
    pid = fork();
    if (pid == 0) {
        begin_upload(open_root());
        raise(SIGKILL);
    }
    EXPECT(waitpid(pid, NULL, 0) == pid);
    EXPECT_EQ(count_below(root), 2); /* Its key and its part. */
    s = open_root();
    begin_upload(s);
    EXPECT_EQ(count_below(root), 2); /* The other one was swept. */
    other = open_root();
    EXPECT_EQ(put(other, "k", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    EXPECT_EQ(count_below(root), 3);
    store_close(&s);
    EXPECT_EQ(count_below(root), 1);
    store_close(&other);
    EXPECT(!is_below(".smshard"));
    finish();
}

TEST(a_delete_takes_the_empty_folders_along)
{
    struct store *s;
    struct fault why;

    start();
    s = open_root();
    EXPECT_EQ(put(s, "a/b/c", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    EXPECT_EQ(put(s, "a/d", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    EXPECT_EQ(store_sync_delete(s, "a/b/c", &why), STATUS_OK);
    EXPECT(!is_below("a/b"));
    EXPECT(is_below("a/d"));
    EXPECT_EQ(store_sync_delete(s, "a/d", &why), STATUS_OK);
    EXPECT_EQ(put(s, "a", BYTES("x"), STORE_ALWAYS, NULL), STATUS_OK);
    store_close(&s);
    finish();
}

/* Who has it open goes on in a new one: else all it asks would fail for ever,
 * without a word of why. */
TEST(a_root_that_was_removed_is_made_anew)
{
    struct store *s;
    struct store *reader = NULL;
    struct buf prefix = {0};
    struct buf got = {0};
    struct fault why;
    char etag[STORE_ETAG_MAX];
    char uri[64];

    start();
    snprintf(uri, sizeof(uri), "%s/", root);
    s = open_root();
    EXPECT_EQ(put(s, "a/b", BYTES("x"), STORE_ALWAYS, etag), STATUS_OK);
    EXPECT_EQ(store_open(uri, STORE_READ, &why, &reader, &prefix), STATUS_OK);
    finish();
    EXPECT_EQ(get(reader, "a/b", &got, etag), STATUS_NOT_FOUND);
    EXPECT(access(root, F_OK) != 0); /* A reader makes nothing. */
    EXPECT_EQ(get(s, "a/b", &got, etag), STATUS_NOT_FOUND);
    EXPECT_EQ(put(s, "a/b", BYTES("y"), STORE_IF_MATCH, etag),
              STATUS_NOT_FOUND);
    EXPECT_EQ(put(s, "a/b", BYTES("y"), STORE_IF_ABSENT, etag), STATUS_OK);
    EXPECT_EQ(get(reader, "a/b", &got, etag), STATUS_OK);
    EXPECT(bytes_is(buf_bytes(&got), "y"));
    store_close(&reader);
    store_close(&s);
    EXPECT(!is_below(".smshard"));
    finish();
    buf_fini(&prefix);
    buf_fini(&got);
}
