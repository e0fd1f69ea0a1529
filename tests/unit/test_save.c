/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/save.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "store/store_ops.h"
#include "tests/worker_kit.h"
#include "worker/save_send.h"

enum { PART = 16 << 20, LARGE = 2 * PART + 7 };

static struct fault why;

static enum status save(const struct save_tree *trees, uint32_t count,
                        struct save_progress *progress)
{
    struct save *s = NULL;
    enum status status;
    char *notes = mem_print("%s/notes", kit_base);

    why.text[0] = '\0';
    EXPECT_OK(save_start(trees, count, notes, &why, &s), why);
    free(notes);
    kit_wait(save_fd(s));
    *progress = save_progress(s);
    status = save_finish(&s, &why);
    EXPECT(s == NULL);
    return status;
}

static enum status save_one(const char *path, const char *uri)
{
    struct save_tree tree = {.path = kit_path(path), .uri = uri};
    struct save_progress progress;

    return save(&tree, 1, &progress);
}

/* ---- The way it should go. */

static void saves_a_tree_to(const char *uri)
{
    struct save_tree tree = {.path = kit_path("out"), .uri = uri};
    struct save_progress progress;
    struct store *s;

    kit_write("out/a", 1, 10);
    kit_write("out/b c/\xc3\xa9", 2, 20);
    kit_write("out/b c/empty", 3, 0);
    kit_write("out/b c/d/e/large", 4, LARGE);
    kit_write("out/just-one-part", 5, PART);
    EXPECT_OK(file_make_folder(kit_path("out/no-file/in-here"), &why), why);
    EXPECT_OK(save(&tree, 1, &progress), why);
    EXPECT_EQ(progress.units, 5);
    EXPECT_EQ(progress.bytes, 30 + LARGE + PART);

    s = kit_open(uri);
    kit_expect_keys(s, "a\nb c/d/e/large\nb c/empty\nb c/\xc3\xa9\n"
                       "just-one-part\n");
    kit_expect_object(s, "a", 1, 10);
    kit_expect_object(s, "b c/\xc3\xa9", 2, 20);
    kit_expect_object(s, "b c/empty", 3, 0);
    kit_expect_object(s, "b c/d/e/large", 4, LARGE);
    kit_expect_object(s, "just-one-part", 5, PART);
    store_close(&s);
}

TEST(saves_a_tree_to_a_folder)
{
    char uri[KIT_TEXT_MAX];

    kit_enter();
    snprintf(uri, sizeof(uri), "file://%s", kit_path("store/job/"));
    saves_a_tree_to(uri);
}

TEST(saves_a_tree_to_memory)
{
    kit_enter();
    saves_a_tree_to("mem://out/");
}

TEST(trees_have_their_own_places)
{
    struct save_tree trees[4];
    struct save_progress progress;
    struct store *s;

    kit_enter();
    trees[0] = (struct save_tree){kit_path("model"), "mem://out/job/model"};
    trees[1] = (struct save_tree){kit_path("not-there"), "mem://out/job/none"};
    trees[2] = (struct save_tree){kit_path("failure"), "mem://out/job/"};
    trees[3] = (struct save_tree){kit_path("failure"), "mem://out/why/it-is"};
    kit_write("model/m", 1, 10);
    kit_write("failure", 2, 20);
    EXPECT_OK(save(trees, 4, &progress), why);
    EXPECT_EQ(progress.units, 3);
    s = kit_open("mem://out/");
    kit_expect_keys(s, "job/failure\njob/model/m\nwhy/it-is\n");
    kit_expect_object(s, "job/failure", 2, 20);
    kit_expect_object(s, "why/it-is", 2, 20);
    store_close(&s);
}

TEST(a_tree_without_files_leaves_nothing)
{
    char uri[KIT_TEXT_MAX];

    kit_enter();
    snprintf(uri, sizeof(uri), "file://%s", kit_path("store/"));
    EXPECT_OK(save_one("not-there", uri), why);
    EXPECT_OK(file_make_folder(kit_path("empty"), &why), why);
    EXPECT_OK(save_one("empty", uri), why);
    EXPECT(!kit_is_there("store"));
}

TEST(links_are_followed_inside_the_tree_only)
{
    struct store *s;

    kit_enter();
    kit_write("out/file", 1, 10);
    kit_write("out/folder/in", 2, 20);
    kit_write("secret", 3, 30);
    kit_write("out-too/secret", 3, 30);
    EXPECT(symlink("file", kit_path("out/inside")) == 0);
    EXPECT(symlink(kit_path("out/file"), kit_path("out/folder/up")) == 0);
    EXPECT(symlink("../secret", kit_path("out/outside")) == 0);
    EXPECT(symlink("../out-too/secret", kit_path("out/beside")) == 0);
    EXPECT(symlink("folder", kit_path("out/to-folder")) == 0);
    EXPECT(symlink(".", kit_path("out/folder/round")) == 0);
    EXPECT(symlink("nothing", kit_path("out/dangling")) == 0);
    EXPECT_OK(save_one("out", "mem://out/"), why);
    s = kit_open("mem://out/");
    kit_expect_keys(s, "file\nfolder/in\nfolder/up\ninside\n");
    kit_expect_object(s, "inside", 1, 10);
    kit_expect_object(s, "folder/up", 1, 10);
    store_close(&s);
}

TEST(a_tree_may_be_reached_through_a_link)
{
    struct store *s;

    kit_enter();
    kit_write("elsewhere/a", 1, 10);
    EXPECT(symlink("elsewhere", kit_path("out")) == 0);
    EXPECT(symlink("a", kit_path("elsewhere/b")) == 0);
    EXPECT_OK(save_one("out", "mem://out/"), why);
    s = kit_open("mem://out/");
    kit_expect_keys(s, "a\nb\n");
    store_close(&s);
}

TEST(what_is_no_file_is_skipped)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct store *s;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    kit_enter();
    kit_write("out/a", 1, 10);
    EXPECT(mkfifo(kit_path("out/fifo"), 0644) == 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s",
             kit_path("out/socket"));
    EXPECT(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    EXPECT_OK(save_one("out", "mem://out/"), why);
    s = kit_open("mem://out/");
    kit_expect_keys(s, "a\n");
    store_close(&s);
    close(fd);
}

TEST(markers_are_not_sent)
{
    struct store *s;

    kit_enter();
    kit_write("out/a", 1, 10);
    kit_write("out/a.sagemaker-uploading", 1, 10);
    kit_write("out/a.sagemaker-uploaded", 1, 10);
    kit_write("out/b.sagemaker-ignore", 1, 10);
    kit_write("out/c.sagemaker-ignore/d", 1, 10);
    kit_write("out/.sagemaker-ignore", 1, 10);
    kit_write("out/sagemaker-ignored", 1, 10);
    EXPECT_OK(save_one("out", "mem://out/"), why);
    s = kit_open("mem://out/");
    kit_expect_keys(s, "a\nsagemaker-ignored\n");
    store_close(&s);
}

/* ---- What fails. */

/* Three files: two requests, and a large one of BEGIN, 3 parts and END. */
static void write_three(void)
{
    kit_write("out/a", 1, 10);
    kit_write("out/b", 2, LARGE);
    kit_write("out/c", 3, 30);
}

TEST(every_request_may_fail)
{
    static const char *const files[] = {"a", "b", "b", "b", "b", "b", "c"};
    struct save_tree tree = {.uri = "mem://out/"};
    struct save_progress progress;
    struct store *s;

    kit_enter();
    write_three();
    tree.path = kit_path("out");
    s = kit_open("mem://out/");
    for (uint64_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *left = i == 0 ? "b\nc\n" : i == 6 ? "a\nb\n" : "a\nc\n";
        struct store_mem_failure failure = {
            .in = i + 1, .count = 1, .status = STATUS_DENIED};

        EXPECT_OK(store_sync_delete(s, "a", &why), why);
        EXPECT_OK(store_sync_delete(s, "b", &why), why);
        EXPECT_OK(store_sync_delete(s, "c", &why), why);
        store_mem_fail("out", failure);
        EXPECT_EQ(save(&tree, 1, &progress), STATUS_DENIED);
        EXPECT(kit_says(why.text, "saved 2, could not save 1"));
        EXPECT(kit_says(why.text, "/out/"));
        EXPECT(kit_says(strstr(why.text, "/out/"), files[i]));
        EXPECT_EQ(progress.units, 2);
        EXPECT_EQ(progress.bytes, LARGE + 40 -
                                      (i == 0   ? 10
                                       : i == 6 ? 30
                                                : LARGE));
        kit_expect_keys(s, left);

        failure.status = STATUS_STORE;
        store_mem_fail("out", failure);
        EXPECT_OK(save(&tree, 1, &progress), why);
        EXPECT_EQ(progress.units, 3);
        EXPECT_EQ(progress.bytes, LARGE + 40);
    }
    kit_expect_object(s, "b", 2, LARGE);
    store_close(&s);
}

TEST(a_store_that_stays_away)
{
    struct store_mem_failure failure = {
        .in = 1, .count = 1000, .status = STATUS_STORE};

    kit_enter();
    kit_write("out/a", 1, 10);
    store_close(&(struct store *){kit_open("mem://out/")});
    store_mem_fail("out", failure);
    EXPECT_EQ(save_one("out", "mem://out/"), STATUS_STORE);
    EXPECT(kit_says(why.text, "/out/a: "));
}

TEST(the_first_failure_is_named_and_all_are_counted)
{
    struct store_mem_failure failure = {
        .in = 1, .count = 1000, .status = STATUS_NO_SPACE};

    kit_enter();
    write_three();
    store_close(&(struct store *){kit_open("mem://out/")});
    store_mem_fail("out", failure);
    EXPECT_EQ(save_one("out", "mem://out/"), STATUS_NO_SPACE);
    EXPECT(kit_says(why.text, "/out/a: "));
    EXPECT(kit_says(why.text, "saved 0, could not save 3"));
}

TEST(a_store_that_can_not_be_opened)
{
    kit_enter();
    write_three();
    kit_write("out/z/z", 1, 1);
    EXPECT_EQ(save_one("out", "ftp://nowhere/"), STATUS_INVALID);
    EXPECT(kit_says(why.text, "ftp://nowhere/"));
}

TEST(a_name_that_is_too_long_for_a_key)
{
    char folder[250];
    char name[KIT_TEXT_MAX];
    struct store *s;

    kit_enter();
    kit_write("out/a", 1, 10);
    memset(folder, 'x', sizeof(folder));
    snprintf(name, sizeof(name), "out/%.240s/%.240s/%.240s/%.240s/%.240s",
             folder, folder, folder, folder, folder);
    kit_write(name, 2, 20);
    kit_write("out/z/z", 3, 30);
    EXPECT_EQ(save_one("out", "mem://out/"), STATUS_INVALID);
    EXPECT(kit_says(why.text, "saved 2, could not save 1"));
    s = kit_open("mem://out/");
    kit_expect_keys(s, "a\nz/z\n");
    store_close(&s);
}

TEST(what_can_not_be_read_is_named)
{
    struct store *s;

    kit_enter();
    kit_write("out/a", 1, 10);
    kit_write("out/b", 2, 20);
    kit_write("out/closed/c", 3, 30);
    EXPECT(chmod(kit_path("out/a"), 0) == 0);
    EXPECT(chmod(kit_path("out/closed"), 0) == 0);
    if (geteuid() == 0) {
        EXPECT(seteuid(65534) == 0);
    }
    EXPECT_EQ(save_one("out", "mem://out/"), STATUS_DENIED);
    if (getuid() == 0) {
        EXPECT(seteuid(0) == 0);
    }
    EXPECT(chmod(kit_path("out/closed"), 0700) == 0);
    EXPECT(kit_says(why.text, "/out/a: "));
    EXPECT(kit_says(why.text, "saved 1, could not save 2"));
    s = kit_open("mem://out/");
    kit_expect_keys(s, "b\n");
    store_close(&s);
}

/* ---- Files that change while they are read. */

/* A store that does something to the file at each part that comes. */
struct meddler {
    struct store *inner;
    void (*meddle)(void);
    uint32_t times; /* How often it is still to do so. */
    uint32_t aborts;
};

static enum status meddler_submit(void *self, const struct store_request *r)
{
    struct meddler *m = self;

    m->aborts += r->op == STORE_UPLOAD_ABORT;
    if (r->op == STORE_UPLOAD_PART && r->part == 1 && m->times > 0) {
        m->times--;
        m->meddle();
    }
    return store_submit(m->inner, r);
}

static size_t meddler_poll(void *self, int timeout_ms,
                           struct store_event *events, size_t max)
{
    struct meddler *m = self;

    return store_poll(m->inner, timeout_ms, events, max);
}

static void meddler_destroy(void *self)
{
    struct meddler *m = self;

    store_close(&m->inner);
}

static void append_byte(void)
{
    FILE *f = fopen(kit_path("file"), "ae");

    EXPECT(f != NULL && fputc('!', f) == '!' && fclose(f) == 0);
}

static void cut_to_a_part(void)
{
    EXPECT(truncate(kit_path("file"), PART + 3) == 0);
}

static void cut_to_nothing(void)
{
    EXPECT(truncate(kit_path("file"), 0) == 0);
}

/* Send a large file through a meddler; return what is in the store. */
static uint64_t send_meddled(void (*meddle)(void), uint32_t times,
                             uint32_t *aborts)
{
    static const struct store_ops ops = {
        .submit = meddler_submit,
        .poll = meddler_poll,
        .destroy = meddler_destroy,
    };
    struct meddler m = {
        .inner = kit_open("mem://out/"), .meddle = meddle, .times = times};
    struct store *s = store_wrap(&ops, &m, "mem://out/");
    struct save_file file = {.path = kit_path("file"), .key = BYTES("k")};
    struct store_request head = {.op = STORE_HEAD, .key = BYTES("k")};
    struct store_event event;
    _Atomic uint64_t bytes = 0;
    struct save_sender *sender = save_sender_new(&bytes, NULL);

    kit_write("file", 1, LARGE);
    EXPECT_OK(save_send(sender, s, &file, &why), why);
    EXPECT_EQ(store_sync(s, &head, &event), STATUS_OK);
    EXPECT_EQ(event.size, bytes);
    *aborts = m.aborts;
    save_sender_destroy(&sender);
    store_close(&s);
    return event.size;
}

TEST(a_file_that_changes_is_read_again)
{
    static const struct {
        void (*meddle)(void);
        uint32_t times;
        uint64_t want;
        uint32_t aborts;
    } rows[] = {
        {append_byte, 0, LARGE, 0},
        {append_byte, 1, LARGE + 1, 1},
        /* Then what was read: the size that the second reading began with. */
        {append_byte, 2, LARGE + 1, 1},
        {cut_to_a_part, 1, PART + 3, 1},
        {cut_to_nothing, 1, 0, 1},
    };

    kit_enter();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t aborts = 0;

        EXPECT_EQ(send_meddled(rows[i].meddle, rows[i].times, &aborts),
                  rows[i].want);
        EXPECT_EQ(aborts, rows[i].aborts);
    }
}

TEST(a_file_that_is_shorter_than_it_says)
{
    static const char path[] = "/sys/devices/system/cpu/online";
    struct save_tree tree = {.path = path, .uri = "mem://out/"};
    struct store_sync_get get = {.key = "online", .max = 4096};
    struct save_progress progress;
    struct buf got = {0};
    struct buf want = {0};
    struct store *s;

    kit_enter();
    if (file_read(path, 4096, &why, &want) != STATUS_OK) {
        fprintf(stderr, "skipped: no %s here\n", path);
        return;
    }
    EXPECT_OK(save(&tree, 1, &progress), why);
    s = kit_open("mem://out/");
    EXPECT_OK(store_sync_get(s, &get, &why, &got), why);
    EXPECT_STR(buf_text(&got), buf_text(&want));
    EXPECT_EQ(progress.bytes, want.size);
    store_close(&s);
    buf_fini(&got);
    buf_fini(&want);
}
