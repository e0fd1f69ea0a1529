/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store against answers that lie, or say nothing, in the right form:
 * login pages, broken ends, circles, and a caller that does not wait. */
#include "store/store_s3.h"

#include "base/clock.h"
#include "store/s3_call.h"
#include "tests/s3_kit.h"

#define PAGE "<html><body>Log in</body></html>"

static struct store *begin(uint32_t quirks)
{
    kit_start_large(quirks);
    return kit_open();
}

static void strike(const char *method, uint32_t count, enum s3server_act act,
                   const char *message)
{
    s3server_fault(kit_server, &(struct s3server_fault){.method = method,
                                                        .count = count,
                                                        .act = act,
                                                        .code = 200,
                                                        .message = message});
}

static struct store_request get_k(void)
{
    return (struct store_request){.op = STORE_GET,
                                  .key = BYTES("k"),
                                  .into = kit_room,
                                  .size = sizeof(kit_room),
                                  .is_whole = true};
}

static struct store_request put_k(const char *key, enum store_when when)
{
    return (struct store_request){.op = STORE_PUT,
                                  .key = bytes_of(key),
                                  .body = "new",
                                  .size = 3,
                                  .when = when};
}

/* ---- reads -------------------------------------------------------------- */

/* The end of a chunked answer is its last chunk, not where it broke off. */
TEST(a_broken_answer_of_no_length)
{
    struct store *s = begin(0);
    struct store_event e;

    strike("GET", 1, S3SERVER_RAW,
           "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nTransfer-Encoding: chunked\r\n"
           "\r\n8\r\n01234567\r\n");
    EXPECT_EQ(kit_ask(s, get_k(), &e), STATUS_OK);
    EXPECT_EQ(e.got, 10);
    EXPECT(memcmp(kit_room, "0123456789", 10) == 0);
    kit_stop_large(&s);
}

TEST(a_checksum_outlives_a_broken_answer)
{
    struct store *s = begin(0);
    struct store_request r = kit_get_large();
    struct store_event e;

    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_CUT,
                                                        .bytes = 100000});
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_CORRUPT,
                                                        .bytes = 1234});
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT(memcmp(kit_room, kit_large, KIT_LARGE) == 0);
    kit_stop_large(&s);
}

/* Without etags nobody knows whose the rest is. */
TEST(the_rest_of_a_nameless_value_is_not_asked_for)
{
    struct store *s = begin(0);
    struct store_event e;

    strike("GET", 1, S3SERVER_RAW,
           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nAAAA");
    EXPECT_EQ(kit_ask(s, get_k(), &e), STATUS_OK);
    EXPECT(memcmp(kit_room, "0123456789", 10) == 0);
    kit_stop_large(&s);
}

TEST(more_bytes_than_the_range_that_is_told)
{
    struct store *s = begin(0);
    struct store_request r = get_k();
    struct store_event e;

    strike("GET", 0, S3SERVER_RAW,
           "HTTP/1.1 206 P\r\nContent-Length: 10\r\nETag: \"x\"\r\n"
           "Content-Range: bytes 0-3/4\r\n\r\n0123456789");
    r.is_whole = false;
    r.size = 100;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_STORE);
    kit_stop_large(&s);
}

/* ---- writes ------------------------------------------------------------- */

TEST(a_page_is_no_answer_to_a_write)
{
    struct store *s = begin(0);
    struct store_event e;

    strike("PUT", 0, S3SERVER_BODY, PAGE);
    EXPECT_EQ(kit_ask(s, put_k("k", STORE_ALWAYS), &e), STATUS_STORE);
    EXPECT(strstr(e.why.text, "S3 server?") != NULL);
    EXPECT_EQ(kit_ask(s, put_k("n", STORE_IF_ABSENT), &e), STATUS_STORE);
    s3server_clear(kit_server);
    strike("PUT", 1, S3SERVER_BODY, PAGE);
    EXPECT_EQ(kit_ask(s, put_k("k", STORE_ALWAYS), &e), STATUS_OK);
    kit_stop_large(&s);
}

TEST(a_page_is_no_end_of_an_upload)
{
    struct store *s = begin(S3SERVER_SMALL_PARTS);
    struct store_request r = {.op = STORE_UPLOAD_BEGIN, .key = BYTES("k")};
    struct store_part part = {.size = 3};
    char id[STORE_UPLOAD_MAX];
    struct store_event e;

    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    memcpy(id, e.upload, sizeof(id));
    r = put_k("k", STORE_ALWAYS);
    r.op = STORE_UPLOAD_PART;
    r.upload = id;
    r.part = 1;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    memcpy(part.etag, e.etag, sizeof(part.etag));
    part.sum = e.sum;
    r = (struct store_request){.op = STORE_UPLOAD_END,
                               .key = BYTES("k"),
                               .upload = id,
                               .part_count = 1,
                               .parts = &part};
    strike("POST", 0, S3SERVER_BODY, PAGE);
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_STORE);
    s3server_clear(kit_server);
    strike("POST", 1, S3SERVER_BODY, PAGE);
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    kit_stop_large(&s);
}

TEST(a_page_is_no_deletion_of_many)
{
    struct bytes keys[] = {BYTES("k"), BYTES("large")};
    struct store_request r = {
        .op = STORE_DELETE_MANY, .keys = keys, .key_count = 2};
    struct store *s = begin(0);
    struct store_event e;

    strike("POST", 0, S3SERVER_BODY, PAGE);
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_STORE);
    EXPECT(s3server_has(kit_server, "k"));
    s3server_clear(kit_server);
    /* One that can't read the document is asked key by key. */
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = "POST",
                                            .act = S3SERVER_ANSWER,
                                            .code = 400,
                                            .error = "MalformedXML"});
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT(!s3server_has(kit_server, "k") &&
           !s3server_has(kit_server, "large"));
    kit_stop_large(&s);
}

/* Too large to be read back, and a server without checksums: its etag tells. */
TEST(a_large_create_whose_answer_is_lost)
{
    size_t size = (1 << 20) + 1;
    char *body = mem_new(size, 1);
    struct store *s = begin(S3SERVER_NO_CHECKSUMS);
    struct store_request r = {.op = STORE_PUT,
                              .key = BYTES("n"),
                              .body = body,
                              .size = size,
                              .when = STORE_IF_ABSENT};
    struct store_event e;

    EXPECT_EQ(kit_ask(s, put_k("w", STORE_ALWAYS), &e), STATUS_OK);
    strike("PUT", 1, S3SERVER_LOSE_ANSWER, NULL);
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    free(body);
    kit_stop_large(&s);
}

TEST(a_large_value_of_somebody_elses)
{
    size_t size = (16 << 20) + 1;
    char *body = mem_new(size, 1);
    struct store *s = begin(0);
    struct store_event e;

    s3server_put(kit_server, "n", body, size);
    s3server_fault(kit_server, &(struct s3server_fault){.method = "PUT",
                                                        .count = 1,
                                                        .act = S3SERVER_ANSWER,
                                                        .code = 500});
    EXPECT_EQ(kit_ask(s, put_k("n", STORE_IF_ABSENT), &e), STATUS_EXISTS);
    free(body);
    kit_stop_large(&s);
}

/* On a server that does not look at the condition, the client must, each
 * time. */
TEST(a_conditional_delete_is_looked_at_again)
{
    struct store *s = begin(S3SERVER_NO_DELETE_CONDITION);
    struct store_request r = {.op = STORE_HEAD, .key = BYTES("k")};
    char etag[STORE_ETAG_MAX];
    struct store_event e;

    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    memcpy(etag, e.etag, sizeof(etag));
    s3server_fault(kit_server, &(struct s3server_fault){.method = "DELETE",
                                                        .count = 1,
                                                        .act = S3SERVER_ANSWER,
                                                        .code = 500});
    s3server_fault(kit_server,
                   &(struct s3server_fault){.method = "HEAD",
                                            .skip = 1,
                                            .count = 1,
                                            .act = S3SERVER_OVERWRITE});
    r = (struct store_request){.op = STORE_DELETE,
                               .key = BYTES("k"),
                               .when = STORE_IF_MATCH,
                               .etag = etag};
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_CHANGED);
    EXPECT(s3server_has(kit_server, "k"));
    kit_stop_large(&s);
}

/* ---- listings ----------------------------------------------------------- */

/* The server does not look at start-after, and its pages lead in a circle. */
TEST(a_circle_of_pages)
{
    static const char page[] =
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>"
        "<IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>%s</NextContinuationToken></ListBucketResult>";
    struct store_request r = {.op = STORE_LIST, .after = BYTES("b")};
    struct store *s = begin(0);
    struct store_event e;
    char next[300];

    for (int at = 'A'; at <= 'E'; at++) {
        char name[2] = {at == 'E' ? 'A' : (char)(at + 1), '\0'};
        char key[32];

        snprintf(key, sizeof(key), "continuation-token=%c", at);
        snprintf(next, sizeof(next), page, name);
        s3server_fault(kit_server,
                       &(struct s3server_fault){
                           .key = key, .act = S3SERVER_BODY, .message = next});
    }
    snprintf(next, sizeof(next), page, "A");
    strike(NULL, 0, S3SERVER_BODY, next);
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_STORE);
    EXPECT(strstr(e.why.text, "circle") != NULL);
    EXPECT(s3server_requests(kit_server, "GET", NULL) < 50);
    kit_stop_large(&s);
}

/* ---- a caller that does not wait ----------------------------------------- */

struct limit_row {
    const char *name;
    struct s3server_fault fault;
    const char *says;
};

static const struct limit_row limits[] = {
    {"pauses",
     {.act = S3SERVER_ANSWER, .code = 503, .error = "SlowDown"},
     "503"},
    {"a drip", {.act = S3SERVER_DRIP, .bytes = 1, .ms = 200}, "within 400 ms"},
    {"a stall", {.act = S3SERVER_STALL, .bytes = 3}, "within 400 ms"},
    {"silence", {.act = S3SERVER_DELAY, .ms = 100000}, "within 400 ms"},
};

/* Ends long before what the server needs; without a limit they would outlast
 * the test's alarm or each other's pauses. */
static void run_limit(const void *self)
{
    const struct limit_row *row = self;
    struct store *s = begin(0);
    struct store_request r = get_k();
    uint64_t began = clock_now_ms(&clock_os);
    struct store_event e;
    enum status got;

    s3server_fault(kit_server, &row->fault);
    r.limit_ms = 400;
    got = kit_ask(s, r, &e);
    if (strstr(e.why.text, row->says) == NULL) {
        fprintf(stderr, "%s: %s\n", row->name, e.why.text);
        EXPECT(false);
    }
    EXPECT(got == STATUS_TIMEOUT || got == STATUS_STORE);
    EXPECT(clock_now_ms(&clock_os) - began >= 100);
    kit_stop_large(&s);
}

TEST(a_limit_is_one)
{
    EXPECT(kit_apart(run_limit, limits, sizeof(limits) / sizeof(limits[0]),
                     sizeof(limits[0])));
}
