/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads that a kill broke off: the next save goes on with them, or gives
 * them up where the file is another one or gone. */
#include "worker/save_note.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/s3_kit.h"
#include "worker/save.h"

enum { PART = 16 << 20, SIZE = 3 * PART + 5 };

static char folder[] = "/tmp/test-save-note-XXXXXX";
static char *content;

static char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned next;

    next = (next + 1) % 4;
    snprintf(paths[next], sizeof(paths[0]), "%s/%s", folder, name);
    return paths[next];
}

static void write_file(const char *name, int seed)
{
    struct fault why;

    for (size_t i = 0; i < SIZE; i++) {
        content[i] = (char)((i >> 3) * 31 + i + (size_t)seed);
    }
    EXPECT_EQ(
        file_write(path_of(name), (struct bytes){content, SIZE}, false, &why),
        STATUS_OK);
}

static enum status save_all(void)
{
    struct save_tree tree = {.path = path_of("out"), .uri = "s3://bucket/o/"};
    struct save *save = NULL;
    struct fault why;
    enum status s;

    EXPECT_EQ(save_start(&tree, 1, path_of("notes"), &why, &save), STATUS_OK);
    s = save_finish(&save, &why);
    if (s != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
    return s;
}

/* A process that saves when it is told where the server is; made before this
 * one has threads. */
static struct {
    pid_t pid;
    int tell;
} saver;

static void saver_make(void)
{
    char url[64] = "";
    int way[2];

    EXPECT_EQ(pipe(way), 0);
    fflush(NULL);
    saver.pid = fork();
    saver.tell = way[1];
    if (saver.pid == 0) {
        close(way[1]);
        if (read(way[0], url, sizeof(url) - 1) > 0) {
            kit_environment(url);
            _exit(save_all() == STATUS_OK ? 0 : 1);
        }
        _exit(0);
    }
    close(way[0]);
}

static void enter(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    saver_make();
    EXPECT_EQ(mkdir(path_of("out"), 0755), 0);
    content = mem_new(SIZE, 1);
    kit_start(&(struct s3server_options){.access_key = NULL});
}

static void leave(void)
{
    struct fault why;

    EXPECT_EQ(file_remove_tree(folder, &why), STATUS_OK);
    free(content);
    close(saver.tell);
    kit_stop();
}

/* Until the store has @count parts of the upload that is noted. */
static void wait_for_parts(uint32_t count)
{
    struct store *s = kit_open();
    struct store_request r = {.op = STORE_UPLOAD_PARTS, .key = BYTES("o/f")};
    struct save_note note;
    struct store_event e;

    EXPECT(save_note_read(path_of("notes"), "s3://bucket/", r.key, &note));
    r.upload = note.upload;
    while (kit_ask(s, r, &e) == STATUS_OK && e.part_count < count) {
        (void)poll(NULL, 0, 5);
    }
    EXPECT_EQ(e.status, STATUS_OK);
    store_close(&s);
}

/* Save in a process that is killed while its last part is held back. */
static void save_and_be_killed(void)
{
    const char *url = s3server_url(kit_server);
    int state;

    s3server_fault(kit_server, &(struct s3server_fault){.method = "PUT",
                                                        .key = "partNumber=4",
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 1000000});
    EXPECT_EQ(write(saver.tell, url, strlen(url)), (long)strlen(url));
    while (s3server_requests(kit_server, "PUT", "partNumber") < 4) {
        (void)poll(NULL, 0, 1);
    }
    wait_for_parts(3);
    EXPECT_EQ(kill(saver.pid, SIGKILL), 0);
    EXPECT_EQ(waitpid(saver.pid, &state, 0), saver.pid);
    EXPECT(WIFSIGNALED(state));
    s3server_clear(kit_server);
    EXPECT_EQ(s3server_uploads(kit_server), 1);
}

static void expect_saved(void)
{
    struct store *s = kit_open();
    char *got = mem_new(SIZE, 1);
    struct store_event e;

    EXPECT_EQ(kit_ask(s,
                      (struct store_request){.op = STORE_GET,
                                             .key = BYTES("o/f"),
                                             .into = got,
                                             .size = SIZE,
                                             .is_whole = true},
                      &e),
              STATUS_OK);
    EXPECT_EQ(e.got, SIZE);
    EXPECT(memcmp(got, content, SIZE) == 0);
    free(got);
    store_close(&s);
}

TEST(an_upload_goes_on_after_a_kill)
{
    enter();
    write_file("out/f", 1);
    save_and_be_killed();
    EXPECT_EQ(save_all(), STATUS_OK);
    /* Only the one that was under way may be sent again. */
    EXPECT_EQ(s3server_requests(kit_server, "POST", "uploads"), 1);
    EXPECT(s3server_requests(kit_server, "PUT", "partNumber") <= 4 + 1);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    expect_saved();
    leave();
}

TEST(another_file_is_another_upload)
{
    enter();
    write_file("out/f", 1);
    save_and_be_killed();
    write_file("out/f", 2);
    EXPECT_EQ(save_all(), STATUS_OK);
    EXPECT_EQ(s3server_requests(kit_server, "POST", "uploads"), 2);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    expect_saved();
    leave();
}

TEST(the_upload_of_a_file_that_is_gone_is_given_up)
{
    enter();
    write_file("out/f", 1);
    save_and_be_killed();
    EXPECT_EQ(unlink(path_of("out/f")), 0);
    EXPECT_EQ(save_all(), STATUS_OK);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    EXPECT(!s3server_has(kit_server, "o/f"));
    leave();
}

/* A noted upload that somebody else gave up meanwhile. */
TEST(an_upload_that_is_gone_is_begun_anew)
{
    enter();
    write_file("out/f", 1);
    save_and_be_killed();
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = "GET",
                                            .key = "uploadId",
                                            .count = 1,
                                            .act = S3SERVER_ANSWER,
                                            .code = 404,
                                            .error = "NoSuchUpload"});
    EXPECT_EQ(save_all(), STATUS_OK);
    EXPECT_EQ(s3server_requests(kit_server, "POST", "uploads"), 2);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    expect_saved();
    leave();
}

/* The list of its parts can't be had, and it can't be given up either: a new
 * one is begun, all parts are sent, and the old one is given up later. */
TEST(an_upload_that_can_not_be_looked_at)
{
    enter();
    write_file("out/f", 1);
    save_and_be_killed();
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = "GET",
                                            .key = "uploadId",
                                            .act = S3SERVER_ANSWER,
                                            .code = 403,
                                            .error = "AccessDenied"});
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = "DELETE",
                                            .count = 2,
                                            .act = S3SERVER_ANSWER,
                                            .code = 403,
                                            .error = "AccessDenied"});
    EXPECT_EQ(save_all(), STATUS_OK);
    expect_saved();
    EXPECT_EQ(s3server_uploads(kit_server), 1);
    s3server_clear(kit_server);
    EXPECT_EQ(save_all(), STATUS_OK);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    leave();
}

/* A part of other bytes than the file's is sent again. */
TEST(a_part_that_is_not_the_files_is_sent_again)
{
    struct timespec times[2];
    struct stat st;

    enter();
    write_file("out/f", 1);
    EXPECT_EQ(stat(path_of("out/f"), &st), 0);
    save_and_be_killed();
    /* In place, and with its old time: only the bytes tell. */
    content[5] ^= 1;
    {
        int fd = open(path_of("out/f"), O_WRONLY);

        EXPECT_EQ(pwrite(fd, content + 5, 1, 5), 1);
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        EXPECT_EQ(futimens(fd, times), 0);
        close(fd);
    }
    EXPECT_EQ(save_all(), STATUS_OK);
    EXPECT_EQ(s3server_requests(kit_server, "POST", "uploads"), 1);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    expect_saved();
    leave();
}

/* The store is gone before the end and comes back for the next save. */
TEST(what_could_not_be_given_up_is_given_up_later)
{
    enter();
    write_file("out/f", 1);
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = "POST",
                                            .key = "uploadId=",
                                            .act = S3SERVER_ANSWER,
                                            .code = 403,
                                            .error = "AccessDenied"});
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = "DELETE",
                                            .act = S3SERVER_ANSWER,
                                            .code = 403,
                                            .error = "AccessDenied"});
    EXPECT_EQ(save_all(), STATUS_DENIED);
    EXPECT_EQ(s3server_uploads(kit_server), 1);
    s3server_clear(kit_server);
    EXPECT_EQ(save_all(), STATUS_OK);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    /* Its parts were all there. */
    EXPECT_EQ(s3server_requests(kit_server, "PUT", "partNumber"), 4);
    expect_saved();
    leave();
}

TEST(notes_are_read_as_written)
{
    struct save_note note = {.file = {1, 2, -3, 4}, .upload = "id with %\n"};
    struct save_note got;
    struct bytes key = BYTES("a \xff\n+%");

    EXPECT(mkdtemp(folder) != NULL);
    EXPECT(!save_note_read(folder, "s3://b/", key, &got));
    save_note_write(folder, "s3://b/", key, &note);
    EXPECT(save_note_read(folder, "s3://b/", key, &got));
    EXPECT(memcmp(&got.file, &note.file, sizeof(got.file)) == 0);
    EXPECT_STR(got.upload, note.upload);
    EXPECT(!save_note_read(folder, "s3://c/", key, &got));
    EXPECT(!save_note_read(NULL, "s3://b/", key, &got));
    save_note_remove(folder, "s3://b/", key);
    EXPECT(!save_note_read(folder, "s3://b/", key, &got));
    EXPECT_EQ(rmdir(folder), 0);
}

/* Of the only note in the folder. */
static char *note_name(void)
{
    DIR *dir = opendir(folder);
    const struct dirent *e;
    char *name = NULL;

    EXPECT(dir != NULL);
    while ((e = readdir(dir)) != NULL) {
        if (strstr(e->d_name, ".upload") != NULL) {
            EXPECT(name == NULL);
            name = mem_copy(e->d_name);
        }
    }
    closedir(dir);
    EXPECT(name != NULL);
    return name;
}

/* Torn by a full disk, or somebody else's. */
TEST(bad_notes_are_none)
{
    static char too_long[64 + STORE_UPLOAD_MAX] =
        "smshard-upload 1 1 2 3 4\ns3://b/\nk\n";
    const char *const texts[] = {"",
                                 "smshard-upload 1",
                                 "smshard-upload 1 1 2 3 4\n",
                                 "smshard-upload 1 1 2 3 4\ns3://b/\nk\n",
                                 "smshard-upload 1 1 2 3 4\ns3://b/\nk\n\n",
                                 "smshard-upload 1 1 2 3 4\ns3://b/\nk\n%zz\n",
                                 "smshard-upload 2 1 2 3 4\ns3://b/\nk\nid\n",
                                 "smshard-upload 1 1 2 3 4\ns3://b/\nl\nid\n",
                                 "smshard-upload 1 1 2 3 4\ns3://c/\nk\nid\n",
                                 too_long,
                                 "smshard-upload 1 1 2 3 4\ns3://b/\nk\nid\n"};
    struct save_note note = {.upload = "id"};
    size_t head = strlen(too_long);
    struct fault why;
    char *name;

    memset(too_long + head, 'x', STORE_UPLOAD_MAX); /* No room for its end. */
    too_long[head + STORE_UPLOAD_MAX] = '\n';
    EXPECT(mkdtemp(folder) != NULL);
    save_note_write(folder, "s3://b/", BYTES("k"), &note);
    name = note_name();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        FILE *file = fopen(path_of(name), "w");

        EXPECT(file != NULL && fputs(texts[i], file) >= 0);
        fclose(file);
        EXPECT_EQ(save_note_read(folder, "s3://b/", BYTES("k"), &note),
                  i == 10);
    }
    free(name);
    EXPECT_EQ(file_remove_tree(folder, &why), STATUS_OK);
}
