/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite over every store that there is. */
#include "base/file.h"
#include "store/scan.h"
#include "store/store.h"
#include "store/store_mem.h"
#include "store/store_ops.h"
#include "store/store_stop.h"

#include "tests/conformance/conformance.h"
#include "tests/harness.h"
#include "tests/s3_kit.h"

static char mem_name[64];
static char dir_path[] = "/tmp/smshard-store.XXXXXX";
static int rounds;

static void mem_start(void)
{
    snprintf(mem_name, sizeof(mem_name), "conformance-%d", rounds++);
}

static struct store *mem_open(void)
{
    return store_mem_open(mem_name);
}

static void mem_finish(void)
{
}

static void dir_start(void)
{
    EXPECT(mkdtemp(dir_path) != NULL);
}

static struct store *dir_open(void)
{
    struct store *s = NULL;
    struct buf prefix = {0};
    struct fault why;

    EXPECT_EQ(store_open(dir_path, STORE_WRITE, &why, &s, &prefix), STATUS_OK);
    EXPECT_EQ(prefix.size, 0);
    buf_fini(&prefix);
    return s;
}

static void dir_finish(void)
{
    struct fault why;
    char own[64];

    /* What is the store's own goes with its last handle. */
    snprintf(own, sizeof(own), "%s/.smshard", dir_path);
    EXPECT(!file_is_there(own));
    EXPECT_EQ(file_remove_tree(dir_path, &why), STATUS_OK);
}

static const struct conformance_store mem = {
    .start = mem_start, .open = mem_open, .finish = mem_finish};
static const struct conformance_store dir = {
    .start = dir_start, .open = dir_open, .finish = dir_finish};

static void s3_start(void)
{
    kit_start(&(struct s3server_options){.access_key = NULL});
}

/* TLS, versions, and the other spellings of etags and keys. */
static void s3_odd_start(void)
{
    kit_start(&(struct s3server_options){
        .is_tls = true,
        .quirks = S3SERVER_VERSIONS | S3SERVER_UNQUOTED_ETAGS |
                  S3SERVER_SPACE_IS_PLUS | S3SERVER_SLASH_IS_CODED |
                  S3SERVER_ABSENT_IS_412 | S3SERVER_NO_START_AFTER});
}

/* What older servers do. */
static void s3_old_start(void)
{
    kit_start(&(struct s3server_options){
        .quirks = S3SERVER_UNQUOTED_IF_MATCH | S3SERVER_LOSER_IS_500 |
                  S3SERVER_NO_CHECKSUMS | S3SERVER_NO_DELETE_CONDITION});
}

#define S3_STORE(begin)                                                        \
    {                                                                          \
        .start = begin, .open = kit_open, .finish = kit_stop,                  \
        .part_bytes = 5 << 20, .is_utf8 = true, .has_equal_etags = true        \
    }
static const struct conformance_store s3 = S3_STORE(s3_start);
static const struct conformance_store s3_odd = S3_STORE(s3_odd_start);
static const struct conformance_store s3_old = S3_STORE(s3_old_start);

#define X(name)                                                                \
    TEST(s3_##name)                                                            \
    {                                                                          \
        conformance_run(&s3, conformance_##name);                              \
    }                                                                          \
    TEST(s3_odd_##name)                                                        \
    {                                                                          \
        conformance_run(&s3_odd, conformance_##name);                          \
    }                                                                          \
    TEST(s3_old_##name)                                                        \
    {                                                                          \
        conformance_run(&s3_old, conformance_##name);                          \
    }                                                                          \
    TEST(mem_##name)                                                           \
    {                                                                          \
        conformance_run(&mem, conformance_##name);                             \
    }                                                                          \
    TEST(dir_##name)                                                           \
    {                                                                          \
        conformance_run(&dir, conformance_##name);                             \
    }
CONFORMANCE_MAP(X)
#undef X

/* One row a URI: what stands before a key, and the prefix of the location. */
TEST(uris_are_split_as_the_header_says)
{
    static const struct {
        const char *rest;
        enum store_use use;
        const char *root;
        const char *prefix;
    } rows[] = {
        {"/data/train", STORE_READ, "/data/", "train"},
        {"/data/train/", STORE_READ, "/data/train/", ""},
        {"/data/out/a", STORE_WRITE, "/data/out/a/", ""},
        {"/data/out/a/", STORE_WRITE, "/data/out/a/", ""},
    };
    char want[128];
    char uri[128];
    struct fault why;

    dir_start();
    snprintf(uri, sizeof(uri), "%s/data/train", dir_path);
    EXPECT_EQ(file_make_folder(uri, &why), STATUS_OK);
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *s = NULL;
        struct buf prefix = {0};

        snprintf(uri, sizeof(uri), "%s%s%s", i % 2 ? "file://" : "", dir_path,
                 rows[i / 2].rest);
        EXPECT_EQ(store_open(uri, rows[i / 2].use, &why, &s, &prefix),
                  STATUS_OK);
        snprintf(want, sizeof(want), "file://%s%s", dir_path, rows[i / 2].root);
        EXPECT_STR(store_root_uri(s), want);
        EXPECT_STR(buf_text(&prefix), rows[i / 2].prefix);
        store_close(&s);
        buf_fini(&prefix);
    }
    EXPECT_EQ(file_remove_tree(dir_path, &why), STATUS_OK);
}

TEST(uris_that_are_not_served_are_named)
{
    static const struct {
        const char *uri;
        enum status want;
    } rows[] = {
        {"ftp://host/x", STATUS_INVALID},
        {"relative/path", STATUS_INVALID},
        {"", STATUS_INVALID},
        {"file:///no/such/folder/here/", STATUS_NOT_FOUND},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *s = NULL;
        struct buf prefix = {0};
        struct fault why = {.text = ""};

        EXPECT_EQ(store_open(rows[i].uri, STORE_READ, &why, &s, &prefix),
                  rows[i].want);
        EXPECT(s == NULL && why.text[0] != '\0');
        buf_fini(&prefix);
    }
}

/* --- Stopped ------------------------------------------------------------- */

/* Answers one request a poll, in the order they came, as many as it may, and
 * then none; it is told to stop when it has been asked in vain so often. */
struct mute {
    uint64_t tags[8];
    uint32_t asked;
    uint32_t answered;
    uint32_t may_answer;
    int polls_left;
    int destroyed;
    atomic_bool stop;
};

static enum status mute_submit(void *self, const struct store_request *r)
{
    struct mute *m = self;

    EXPECT_EQ(m->destroyed, 0);
    m->tags[m->asked++] = r->tag;
    return STATUS_OK;
}

static size_t mute_poll(void *self, int timeout_ms, struct store_event *events,
                        size_t max)
{
    struct mute *m = self;

    (void)max;
    EXPECT_EQ(m->destroyed, 0);
    EXPECT(timeout_ms >= 0); /* A stop must be seen. */
    if (m->answered < m->may_answer && m->answered < m->asked) {
        events[0] = (struct store_event){.tag = m->tags[m->answered++],
                                         .op = STORE_GET};
        return 1;
    }
    atomic_store(&m->stop, --m->polls_left <= 0);
    return 0;
}

static void mute_destroy(void *self)
{
    ((struct mute *)self)->destroyed++;
}

static const struct store_ops mute_ops = {
    .submit = mute_submit, .poll = mute_poll, .destroy = mute_destroy};

static void ask(struct store *s, uint64_t tag)
{
    EXPECT_EQ(store_submit(s, &(struct store_request){.op = STORE_GET,
                                                      .tag = tag,
                                                      .key = BYTES("k")}),
              STATUS_OK);
}

TEST(a_handle_that_is_stopped_answers_all_the_same)
{
    static struct mute m = {.may_answer = 2, .polls_left = 3};
    static struct store_event events[8];
    struct store *s = store_wrap(&mute_ops, &m, "mute://");
    uint64_t tags = 0;

    store_set_stop(s, &m.stop);
    for (uint64_t i = 1; i <= 4; i++) {
        ask(s, i);
    }
    EXPECT_EQ(store_poll(s, -1, events, 8), 1);
    EXPECT_EQ(events[0].tag, 1);
    EXPECT_EQ(store_poll(s, 1000, events, 8), 1);
    EXPECT_EQ(events[0].tag, 2);
    EXPECT_EQ(store_inflight(s), 2);
    EXPECT_EQ(store_poll(s, 0, events, 8), 0);
    EXPECT_EQ(m.polls_left, 2);
    EXPECT_EQ(store_poll(s, -1, events, 8), 2);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(events[i].status, STATUS_STOPPED);
        EXPECT_EQ(events[i].op, STORE_GET);
        EXPECT(strstr(events[i].why.text, "mute://") != NULL);
        tags |= 1U << events[i].tag;
    }
    EXPECT_EQ(tags, 1 << 3 | 1 << 4);
    EXPECT_EQ(m.destroyed, 1);
    EXPECT_EQ(store_inflight(s), 0);
    ask(s, 5);
    EXPECT_EQ(m.asked, 4);
    EXPECT_EQ(store_poll(s, -1, events, 8), 1);
    EXPECT_EQ(events[0].tag, 5);
    EXPECT_EQ(events[0].status, STATUS_STOPPED);
    EXPECT(strstr(events[0].why.text, "mute://k") != NULL);
    EXPECT_EQ(store_poll(s, -1, events, 8), 0);
    store_close(&s);
    EXPECT_EQ(m.destroyed, 1);
}

/* Nobody polls it: what is asked after the stop does not reach it. */
TEST(a_handle_that_is_stopped_before_it_is_used)
{
    static struct mute m;
    static struct store_event event;
    struct store *s = store_wrap(&mute_ops, &m, "mute://");

    store_set_stop(s, &m.stop);
    atomic_store(&m.stop, true);
    ask(s, 1);
    EXPECT_EQ(m.asked, 0);
    EXPECT_EQ(store_poll(s, 0, &event, 1), 1);
    EXPECT_EQ(event.status, STATUS_STOPPED);
    store_close(&s);
    EXPECT_EQ(m.destroyed, 1);
}

static atomic_bool listing_stop;
static int listed;

static enum status list_some(void *self, const struct store_object *object,
                             struct fault *why)
{
    (void)self;
    (void)object;
    (void)why;
    if (++listed == 3) {
        atomic_store(&listing_stop, true);
    }
    return STATUS_OK;
}

TEST(a_long_listing_ends_with_the_page_under_way)
{
    struct store *s = store_mem_open("stopped");
    struct fault why = {.text = ""};

    for (int c = 'a'; c <= 'z'; c++) {
        EXPECT_EQ(store_sync_put(s,
                                 &(struct store_sync_put){(char[]){(char)c, 0},
                                                          BYTES("x"),
                                                          STORE_ALWAYS, NULL},
                                 &why),
                  STATUS_OK);
    }
    store_set_stop(s, &listing_stop);
    EXPECT_EQ(
        scan_run(s, &(struct scan_options){.page = 2}, list_some, NULL, &why),
        STATUS_STOPPED);
    EXPECT_EQ(listed, 4);
    EXPECT(why.text[0] != '\0');
    store_close(&s);
}
