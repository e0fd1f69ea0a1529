/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store against a server that misbehaves by script: each fault, and
 * what the client must make of it. */
#include "store/store_s3.h"

#include "store/s3_call.h"
#include "tests/s3_kit.h"

/* ---- reads -------------------------------------------------------------- */

struct read_row {
    const char *name;
    struct s3server_fault fault;
    bool is_ranged;
    enum status want;
    const char *says;  /* In the line, when it fails. */
    uint64_t requests; /* At the most. */
};

static const struct read_row reads[] = {
    {"503",
     {.count = 1, .act = S3SERVER_ANSWER, .code = 503, .error = "SlowDown"},
     false,
     STATUS_OK,
     "",
     4},
    {"500 twice",
     {.count = 2, .act = S3SERVER_ANSWER, .code = 500},
     true,
     STATUS_OK,
     "",
     3},
    {"502 without a document",
     {.count = 1,
      .act = S3SERVER_RAW,
      .message = "HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad"},
     true,
     STATUS_OK,
     "",
     2},
    {"closed before it answers",
     {.count = 2, .act = S3SERVER_CLOSE},
     true,
     STATUS_OK,
     "",
     6},
    {"cut in the middle",
     {.count = 2, .act = S3SERVER_CUT, .bytes = 100000},
     true,
     STATUS_OK,
     "",
     3},
    {"reset in the middle",
     {.count = 1, .act = S3SERVER_RESET, .bytes = 70000},
     true,
     STATUS_OK,
     "",
     3},
    {"cut in a whole read",
     {.count = 1, .act = S3SERVER_CUT, .bytes = 100000},
     false,
     STATUS_OK,
     "",
     3},
    {"shorter than it says",
     {.count = 1, .act = S3SERVER_LONG_LENGTH, .bytes = 10},
     true,
     STATUS_STORE,
     "longer than",
     3},
    {"longer than it says",
     {.count = 1, .act = S3SERVER_SHORT_LENGTH, .bytes = 10},
     true,
     STATUS_OK,
     "",
     3},
    {"another range",
     {.act = S3SERVER_WRONG_RANGE, .bytes = 5},
     true,
     STATUS_STORE,
     "Content-Range",
     2},
    {"not HTTP",
     {.count = 1, .act = S3SERVER_RAW, .message = "hello\r\n\r\n"},
     true,
     STATUS_OK,
     "",
     3},
    {"damaged once",
     {.count = 1, .act = S3SERVER_CORRUPT, .bytes = 1234},
     false,
     STATUS_OK,
     "",
     2},
    {"damaged always",
     {.act = S3SERVER_CORRUPT, .bytes = 1234},
     false,
     STATUS_STORE,
     "checksum",
     3},
    {"archived",
     {.act = S3SERVER_ANSWER, .code = 403, .error = "InvalidObjectState"},
     true,
     STATUS_DENIED,
     "archived",
     1},
    {"no permission",
     {.act = S3SERVER_ANSWER, .code = 403, .error = "AccessDenied"},
     true,
     STATUS_DENIED,
     "s3:GetObject",
     1},
    {"an unknown error",
     {.act = S3SERVER_ANSWER, .code = 400, .error = "Whatever"},
     true,
     STATUS_STORE,
     "400 Whatever",
     1},
    {"an error of the server that does not end",
     {.act = S3SERVER_ANSWER, .code = 403, .error = "KMS.DisabledException"},
     true,
     STATUS_DENIED,
     "KMS",
     1},
    {"an endless head",
     {.count = 1, .act = S3SERVER_ENDLESS_HEAD},
     true,
     STATUS_OK,
     "",
     3},
    {"an endless body",
     {.act = S3SERVER_ENDLESS_BODY},
     true,
     STATUS_UNSUPPORTED,
     "ranges",
     3},
    {"without an etag", {.act = S3SERVER_NO_ETAG}, true, STATUS_OK, "", 1},
    {"expired, with nothing newer",
     {.act = S3SERVER_EXPIRE},
     true,
     STATUS_DENIED,
     "expired",
     2},
    {"redirected to another region",
     {.act = S3SERVER_REDIRECT, .code = 301, .message = "eu-west-1"},
     true,
     STATUS_STORE,
     "region",
     4},
    {"redirected to another host",
     {.act = S3SERVER_REDIRECT_HOST, .message = "http://127.0.0.1:1/k"},
     true,
     STATUS_STORE,
     "",
     4},
};

static void run_read(const void *self)
{
    const struct read_row *row = self;
    struct s3server_fault fault = row->fault;
    struct store_request r = kit_get_large();
    struct store_event e;
    struct store *s;

    kit_say(row->name);
    kit_start_large(0);
    s = kit_open();
    fault.key = "large";
    s3server_fault(kit_server, &fault);
    r.is_whole = !row->is_ranged;
    memset(kit_room, 0, sizeof(kit_room));
    if (kit_ask(s, r, &e) != row->want ||
        s3server_requests(kit_server, NULL, "large") > row->requests) {
        fprintf(
            stderr, "%s: %s, %llu requests: %s\n", row->name,
            status_name(e.status),
            (unsigned long long)s3server_requests(kit_server, NULL, "large"),
            e.why.text);
        EXPECT(false);
    }
    if (row->want == STATUS_OK) {
        EXPECT_EQ(e.got, KIT_LARGE);
        EXPECT(memcmp(kit_room, kit_large, KIT_LARGE) == 0);
    } else if (strstr(e.why.text, row->says) == NULL) {
        fprintf(stderr, "%s: %s\n", row->name, e.why.text);
        EXPECT(false);
    }
    kit_stop_large(&s);
}

TEST(faults_of_a_read)
{
    EXPECT(kit_apart(run_read, reads, sizeof(reads) / sizeof(reads[0]),
                     sizeof(reads[0])));
}

/* A read in parts: the object is overwritten between two of them. */
TEST(an_overwrite_between_two_ranges)
{
    struct store_event e;
    struct store_request r = kit_get_large();
    char etag[STORE_ETAG_MAX];
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    r.is_whole = false;
    r.size = 1000;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    memcpy(etag, e.etag, sizeof(etag));
    s3server_fault(kit_server,
                   &(struct s3server_fault){.act = S3SERVER_OVERWRITE});
    r.etag = etag;
    r.offset = 1000;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_CHANGED);
    EXPECT_EQ(s3server_requests(kit_server, "GET", "large"), 2);
    kit_stop_large(&s);
}

/* … or within one, whose first half has come. */
TEST(an_overwrite_within_a_range)
{
    struct store_request r = kit_get_large();
    struct store_event e;
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    r.is_whole = false;
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_CUT,
                                                        .bytes = 5000});
    s3server_fault(kit_server,
                   &(struct s3server_fault){.act = S3SERVER_OVERWRITE});
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_CHANGED);
    kit_stop_large(&s);
}

TEST(a_server_without_ranges_is_refused_by_name)
{
    struct store_request r = kit_get_large();
    struct store_event e;
    struct store *s;

    kit_start_large(S3SERVER_NO_RANGE);
    s = kit_open();
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK); /* The whole needs none. */
    r.is_whole = false;
    r.offset = 100;
    r.size = 100;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_UNSUPPORTED);
    EXPECT(strstr(e.why.text, "ignores ranges") != NULL);
    kit_stop_large(&s);
}

TEST(checksums_of_parts_make_that_of_the_whole)
{
    struct store_request r = kit_get_large();
    struct store_event e;
    struct store *s;
    uint64_t sum = 0;
    struct crc kept;

    kit_start_large(0);
    s = kit_open();
    EXPECT_EQ(
        kit_ask(s,
                (struct store_request){.op = STORE_HEAD, .key = BYTES("large")},
                &e),
        STATUS_OK);
    kept = e.sum;
    EXPECT_EQ(kept.kind, CRC_64NVME);
    r.is_whole = false;
    r.sum = kept.kind;
    r.size = 77777;
    for (r.offset = 0; r.offset < KIT_LARGE; r.offset += r.size) {
        s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                            .act = S3SERVER_CUT,
                                                            .bytes = 33333});
        EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
        sum = crc_combine(kept.kind, sum, e.got_sum, e.got);
    }
    EXPECT_EQ(sum, kept.value);
    kit_stop_large(&s);
}

/* ---- writes whose answer is lost ---------------------------------------- */

struct write_row {
    const char *name;
    struct s3server_fault fault;
    enum store_when when;
    bool is_there; /* The key has a value before. */
    enum status want;
};

static const struct write_row writes[] = {
    {"a lost answer",
     {.count = 1, .act = S3SERVER_LOSE_ANSWER},
     STORE_ALWAYS,
     false,
     STATUS_OK},
    {"a lost create",
     {.count = 1, .act = S3SERVER_LOSE_ANSWER},
     STORE_IF_ABSENT,
     false,
     STATUS_OK},
    {"a create that never came",
     {.count = 1, .act = S3SERVER_CLOSE},
     STORE_IF_ABSENT,
     false,
     STATUS_OK},
    {"a create that failed",
     {.count = 1, .act = S3SERVER_ANSWER, .code = 500},
     STORE_IF_ABSENT,
     false,
     STATUS_OK},
    {"a create in a conflict",
     {.count = 1,
      .act = S3SERVER_ANSWER,
      .code = 409,
      .error = "ConditionalRequestConflict"},
     STORE_IF_ABSENT,
     false,
     STATUS_OK},
    {"a failed create of what is there",
     {.count = 1, .act = S3SERVER_ANSWER, .code = 500},
     STORE_IF_ABSENT,
     true,
     STATUS_EXISTS},
    {"a lost replace",
     {.count = 1, .act = S3SERVER_LOSE_ANSWER},
     STORE_IF_MATCH,
     true,
     STATUS_OK},
    {"a replace that failed",
     {.count = 1, .act = S3SERVER_ANSWER, .code = 503, .error = "SlowDown"},
     STORE_IF_MATCH,
     true,
     STATUS_OK},
    {"a replace of nothing",
     {.count = 1, .act = S3SERVER_ANSWER, .code = 500},
     STORE_IF_MATCH,
     false,
     STATUS_NOT_FOUND},
    {"an answer without an etag",
     {.count = 1, .act = S3SERVER_NO_ETAG},
     STORE_ALWAYS,
     false,
     STATUS_OK},
    {"a damaged body",
     {.count = 1, .act = S3SERVER_ANSWER, .code = 400, .error = "BadDigest"},
     STORE_ALWAYS,
     false,
     STATUS_OK},
    {"no room",
     {.act = S3SERVER_RAW,
      .message = "HTTP/1.1 507 Full\r\nContent-Length: 0\r\n\r\n"},
     STORE_ALWAYS,
     false,
     STATUS_NO_SPACE},
};

static void run_write(const void *self)
{
    const struct write_row *row = self;
    char etag[STORE_ETAG_MAX] = "\"0123\"";
    struct s3server_fault fault = row->fault;
    struct store_event e;
    struct store *s;

    kit_say(row->name);
    kit_start_large(0);
    s = kit_open();
    if (row->is_there) {
        struct store_request before = {
            .op = STORE_PUT, .key = BYTES("w"), .body = "old", .size = 3};

        EXPECT_EQ(kit_ask(s, before, &e), STATUS_OK);
        memcpy(etag, e.etag, sizeof(etag));
    }
    fault.method = "PUT";
    s3server_fault(kit_server, &fault);
    if (kit_ask(s,
                (struct store_request){.op = STORE_PUT,
                                       .key = BYTES("w"),
                                       .body = "new, with a nonce",
                                       .size = 17,
                                       .when = row->when,
                                       .etag = etag},
                &e) != row->want) {
        fprintf(stderr, "%s: %s: %s\n", row->name, status_name(e.status),
                e.why.text);
        EXPECT(false);
    }
    s3server_clear(kit_server);
    if (row->want == STATUS_OK) {
        char text[32] = "";
        struct store_event got;

        EXPECT_EQ(kit_ask(s,
                          (struct store_request){.op = STORE_GET,
                                                 .key = BYTES("w"),
                                                 .into = text,
                                                 .size = 31,
                                                 .etag = e.etag},
                          &got),
                  STATUS_OK);
        EXPECT_STR(text, "new, with a nonce");
    }
    kit_stop_large(&s);
}

TEST(writes_of_unknown_outcome)
{
    EXPECT(kit_apart(run_write, writes, sizeof(writes) / sizeof(writes[0]),
                     sizeof(writes[0])));
}

/* The value can be read back, yet never be written: the attempts count on. */
TEST(a_write_that_never_works)
{
    struct store_request r = {.op = STORE_PUT,
                              .key = BYTES("w"),
                              .body = "new",
                              .size = 3,
                              .when = STORE_IF_ABSENT};
    struct store_event e;
    struct store *s;

    kit_start_large(0);
    setenv("AWS_MAX_ATTEMPTS", "6", 1);
    s = kit_open();
    s3server_fault(kit_server, &(struct s3server_fault){.method = "PUT",
                                                        .act = S3SERVER_ANSWER,
                                                        .code = 500});
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_STORE);
    EXPECT(strstr(e.why.text, "500") != NULL);
    EXPECT(s3server_requests(kit_server, "PUT", "w") <= 6);
    kit_stop_large(&s);
}

/* ---- what may stand in an answer ---------------------------------------- */

struct answer_row {
    const char *name;
    const char *answer; /* To a GET of "k", ten bytes, whole. */
    enum status want;
    const char *etag;
};

#define OK_200 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"
#define OK_206 "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n"
#define RANGE "Content-Range: bytes 0-9/10\r\n"
#define TEN "\r\n0123456789"

static const struct answer_row answers[] = {
    {"an etag that is no MD5",
     OK_206 RANGE "ETag: \"b54357faf0632cce-5/opaque:~x\"\r\n" TEN, STATUS_OK,
     "\"b54357faf0632cce-5/opaque:~x\""},
    {"an etag without quotes", OK_206 RANGE "ETag: 0123\r\n" TEN, STATUS_OK,
     "\"0123\""},
    {"encrypted with a key of the account's",
     OK_206 RANGE "ETag: \"e\"\r\nx-amz-server-side-encryption: aws:kms\r\n"
                  "x-amz-server-side-encryption-aws-kms-key-id: arn:k\r\n" TEN,
     STATUS_OK, "\"e\""},
    {"no Content-Range", OK_206 "ETag: \"e\"\r\n" TEN, STATUS_STORE, ""},
    {"a Content-Range with more behind it",
     OK_206 "Content-Range: bytes 0-9/10x\r\nETag: \"e\"\r\n" TEN, STATUS_STORE,
     ""},
    {"half a Content-Range",
     OK_206 "Content-Range: bytes 0-\r\nETag: \"e\"\r\n" TEN, STATUS_STORE, ""},
    {"the checksum of the whole",
     OK_200 "ETag: \"e\"\r\nx-amz-checksum-crc32: poTHxg==\r\n" TEN, STATUS_OK,
     "\"e\""},
    {"another checksum than the bytes have",
     OK_200 "ETag: \"e\"\r\nx-amz-checksum-crc32: AAAAAA==\r\n" TEN,
     STATUS_STORE, ""},
    {"a checksum of checksums",
     OK_200 "ETag: \"e-2\"\r\nx-amz-checksum-type: COMPOSITE\r\n"
            "x-amz-checksum-crc32: AAAAAA==\r\n" TEN,
     STATUS_OK, "\"e-2\""},
    {"a checksum of checksums, by its number",
     OK_200 "ETag: \"e-2\"\r\nx-amz-checksum-crc32: AAAAAA==-2\r\n" TEN,
     STATUS_OK, "\"e-2\""},
    {"a checksum that nobody here knows",
     OK_200 "ETag: \"e\"\r\nx-amz-checksum-sha256: AAAAAA==\r\n" TEN, STATUS_OK,
     "\"e\""},
    {"too old a request",
     "HTTP/1.1 400 Bad Request\r\nContent-Length: 49\r\n\r\n"
     "<Error><Code>RequestTimeout</Code></Error>       ",
     STATUS_STORE, ""},
};

static void run_answer(const void *self)
{
    const struct answer_row *row = self;
    struct store_event e;
    struct store *s;

    kit_say(row->name);
    kit_start_large(0);
    setenv("AWS_MAX_ATTEMPTS", "2", 1);
    s = kit_open();
    s3server_fault(
        kit_server,
        &(struct s3server_fault){.act = S3SERVER_RAW, .message = row->answer});
    if (kit_ask(s,
                (struct store_request){.op = STORE_GET,
                                       .key = BYTES("k"),
                                       .into = kit_room,
                                       .size = 10,
                                       .is_whole = true},
                &e) != row->want) {
        fprintf(stderr, "%s: %s: %s\n", row->name, status_name(e.status),
                e.why.text);
        EXPECT(false);
    }
    if (row->want == STATUS_OK) {
        EXPECT_STR(e.etag, row->etag);
        EXPECT(memcmp(kit_room, "0123456789", 10) == 0);
    }
    kit_stop_large(&s);
}

TEST(what_may_stand_in_an_answer)
{
    EXPECT(kit_apart(run_answer, answers, sizeof(answers) / sizeof(answers[0]),
                     sizeof(answers[0])));
}

/* ---- uploads ------------------------------------------------------------ */

static enum status upload(struct store *s, enum store_when when,
                          struct store_event *e)
{
    struct store_part part = {.etag = ""};
    char id[STORE_UPLOAD_MAX];

    EXPECT_EQ(kit_ask(s,
                      (struct store_request){.op = STORE_UPLOAD_BEGIN,
                                             .key = BYTES("u")},
                      e),
              STATUS_OK);
    memcpy(id, e->upload, sizeof(id));
    EXPECT_EQ(kit_ask(s,
                      (struct store_request){.op = STORE_UPLOAD_PART,
                                             .key = BYTES("u"),
                                             .upload = id,
                                             .part = 1,
                                             .body = kit_large,
                                             .size = KIT_LARGE},
                      e),
              STATUS_OK);
    memcpy(part.etag, e->etag, sizeof(part.etag));
    part.size = KIT_LARGE;
    part.sum = e->sum;
    return kit_ask(s,
                   (struct store_request){.op = STORE_UPLOAD_END,
                                          .key = BYTES("u"),
                                          .upload = id,
                                          .part_count = 1,
                                          .parts = &part,
                                          .when = when},
                   e);
}

struct end_row {
    const char *name;
    struct s3server_fault fault;
    enum store_when when;
    enum status want;
};

static const struct end_row ends[] = {
    {"200 with an error inside",
     {.count = 1, .act = S3SERVER_ANSWER_200, .error = "InternalError"},
     STORE_ALWAYS,
     STATUS_OK},
    {"spaces, then an error",
     {.count = 1, .act = S3SERVER_SPACES, .ms = 30, .error = "SlowDown"},
     STORE_ALWAYS,
     STATUS_OK},
    {"spaces, then the answer",
     {.count = 1, .act = S3SERVER_SPACES, .ms = 30},
     STORE_ALWAYS,
     STATUS_OK},
    {"an empty 200",
     {.count = 1, .act = S3SERVER_BODY, .message = "  "},
     STORE_ALWAYS,
     STATUS_OK},
    {"a lost answer",
     {.count = 1, .act = S3SERVER_LOSE_ANSWER},
     STORE_ALWAYS,
     STATUS_OK},
    {"a lost answer to a create",
     {.count = 1, .act = S3SERVER_LOSE_ANSWER},
     STORE_IF_ABSENT,
     STATUS_OK},
    {"a part that is gone",
     {.act = S3SERVER_ANSWER, .code = 400, .error = "InvalidPart"},
     STORE_ALWAYS,
     STATUS_INVALID},
    {"nothing but 200 and an error",
     {.act = S3SERVER_ANSWER_200, .error = "AccessDenied"},
     STORE_ALWAYS,
     STATUS_DENIED},
};

static void run_end(const void *self)
{
    const struct end_row *row = self;
    struct s3server_fault fault = row->fault;
    struct store_event e;
    struct store *s;

    kit_start_large(S3SERVER_SMALL_PARTS);
    s = kit_open();
    fault.method = "POST";
    fault.key = "uploadId=";
    s3server_fault(kit_server, &fault);
    if (upload(s, row->when, &e) != row->want) {
        fprintf(stderr, "%s: %s: %s\n", row->name, status_name(e.status),
                e.why.text);
        EXPECT(false);
    }
    if (row->want == STATUS_OK) {
        EXPECT(e.etag[0] != '\0');
        EXPECT(s3server_has(kit_server, "u"));
        EXPECT_EQ(s3server_uploads(kit_server), 0);
    }
    kit_stop_large(&s);
}

/* Before the end: what strikes the first word, or a part. */
static const struct end_row befores[] = {
    {"the first word, from a clock that is off",
     {.method = "POST",
      .key = "?uploads",
      .count = 1,
      .act = S3SERVER_SKEW,
      .ms = 86400000},
     STORE_ALWAYS,
     STATUS_OK},
    {"the first word came too late",
     {.method = "POST",
      .key = "?uploads",
      .count = 1,
      .act = S3SERVER_ANSWER,
      .code = 400,
      .error = "RequestTimeout"},
     STORE_ALWAYS,
     STATUS_OK},
    {"a part, throttled",
     {.method = "PUT",
      .count = 1,
      .act = S3SERVER_ANSWER,
      .code = 503,
      .error = "SlowDown"},
     STORE_ALWAYS,
     STATUS_OK},
    {"a part, answered without an etag",
     {.method = "PUT", .count = 1, .act = S3SERVER_NO_ETAG},
     STORE_ALWAYS,
     STATUS_OK},
    {"a part that broke on the way",
     {.method = "PUT", .count = 2, .act = S3SERVER_CLOSE},
     STORE_ALWAYS,
     STATUS_OK},
    {"a part, done and not said",
     {.method = "PUT", .count = 1, .act = S3SERVER_LOSE_ANSWER},
     STORE_ALWAYS,
     STATUS_OK},
};

static void run_before(const void *self)
{
    const struct end_row *row = self;
    struct store_event e;
    struct store *s;

    kit_say(row->name);
    kit_start_large(S3SERVER_SMALL_PARTS);
    s = kit_open();
    s3server_fault(kit_server, &row->fault);
    if (upload(s, row->when, &e) != row->want) {
        fprintf(stderr, "%s: %s: %s\n", row->name, status_name(e.status),
                e.why.text);
        EXPECT(false);
    }
    EXPECT(s3server_has(kit_server, "u"));
    kit_stop_large(&s);
}

TEST(uploads_before_their_end)
{
    EXPECT(kit_apart(run_before, befores, sizeof(befores) / sizeof(befores[0]),
                     sizeof(befores[0])));
}

TEST(ends_of_uploads)
{
    EXPECT(kit_apart(run_end, ends, sizeof(ends) / sizeof(ends[0]),
                     sizeof(ends[0])));
}

/* ---- listings ----------------------------------------------------------- */

static enum status count_key(void *self, const struct store_object *o,
                             struct fault *why)
{
    int *count = self;

    (void)o;
    (void)why;
    (*count)++;
    return STATUS_OK;
}

struct list_row {
    const char *name;
    struct s3server_fault fault;
    enum status want;
    const char *says;
};

static const struct list_row lists[] = {
    {"200 with an error inside",
     {.count = 1, .act = S3SERVER_ANSWER_200, .error = "InternalError"},
     STATUS_OK,
     ""},
    {"an empty page",
     {.count = 1, .act = S3SERVER_BODY, .message = ""},
     STATUS_OK,
     ""},
    {"half a page",
     {.count = 1,
      .act = S3SERVER_BODY,
      .message = "<ListBucketResult><Contents><Key>k"},
     STATUS_OK,
     ""},
    {"a page of another kind",
     {.act = S3SERVER_BODY, .message = "<html>login</html>"},
     STATUS_STORE,
     "is this endpoint an S3 server?"},
    {"an entity bomb",
     {.act = S3SERVER_BODY,
      .message = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><ListBucketResult>"
                 "&a;</ListBucketResult>"},
     STATUS_STORE,
     "S3 server"},
    {"no permission",
     {.act = S3SERVER_ANSWER, .code = 403, .error = "AccessDenied"},
     STATUS_DENIED,
     "s3:ListBucket"},
    {"no bucket",
     {.act = S3SERVER_ANSWER, .code = 404, .error = "NoSuchBucket"},
     STATUS_NOT_FOUND,
     "no such bucket"},
    {"more, without a word where",
     {.act = S3SERVER_BODY,
      .message = "<ListBucketResult><IsTruncated>true</IsTruncated>"
                 "</ListBucketResult>"},
     STATUS_STORE,
     ""},
    {"keys of another prefix",
     {.act = S3SERVER_BODY,
      .message = "<ListBucketResult><IsTruncated>false</IsTruncated>"
                 "<Contents><Key>zzz</Key><Size>1</Size></Contents>"
                 "</ListBucketResult>"},
     STATUS_STORE,
     "prefix"},
};

static void run_list(const void *self)
{
    const struct list_row *row = self;
    struct fault why = {""};
    struct store *s;
    enum status got;
    int count = 0;

    kit_start_large(0);
    s = kit_open();
    s3server_fault(kit_server, &row->fault);
    got = store_sync_list(s, "l", count_key, &count, &why);
    if (got != row->want || strstr(why.text, row->says) == NULL) {
        fprintf(stderr, "%s: %s: %s\n", row->name, status_name(got), why.text);
        EXPECT(false);
    }
    EXPECT(got != STATUS_OK || count == 1);
    kit_stop_large(&s);
}

TEST(faults_of_a_listing)
{
    EXPECT(kit_apart(run_list, lists, sizeof(lists) / sizeof(lists[0]),
                     sizeof(lists[0])));
}
