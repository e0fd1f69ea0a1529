/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 test server by raw requests: conditions, lists, uploads, versions,
 * and the bytes of each fault. */

#include "tests/s3server/s3server.h"

#include <errno.h>
#include <sched.h>

#include "tests/s3server_kit.h"

static void begin(uint32_t quirks)
{
    struct s3server_options o = {.quirks = S3SERVER_ANYBODY | quirks,
                                 .fixed_ms = 1369353600000};

    server = s3server_start(&o);
    s3server_put(server, "a", "0123456789", 10);
}

/* Dates are those of the clock it was given; a fault moves it for one
 * request. */
TEST(dates)
{
    begin(0);
    EXPECT(s3server_fault_text(server, "act=skew ms=-900001 skip=1 count=1"));
    for (int i = 0; i < 3; i++) {
        request("GET /bucket/a", "", "");
        EXPECT(has(i == 1 ? "Date: Thu, 23 May 2013 23:44:59 GMT\r\n"
                          : "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"));
        EXPECT(has("Last-Modified: Fri, 24 May 2013 00:00:00 GMT\r\n"));
    }
    end();
}

TEST(reads)
{
    static const struct {
        const char *headers;
        int code;
        const char *has;
    } rows[] = {
        {"", 200, "\r\n\r\n0123456789"},
        {"Range: bytes=2-4\r\n", 206, "Content-Range: bytes 2-4/10\r\n"},
        {"Range: bytes=8-99\r\n", 206, "\r\n\r\n89"},
        {"Range: bytes=-3\r\n", 206, "\r\n\r\n789"},
        {"Range: bytes=9-2\r\n", 200, "\r\n\r\n0123456789"},
        {"Range: bytes=-0\r\n", 416, "Content-Range: bytes */10\r\n"},
        {"Range: bytes=10-\r\n", 416, "<ActualObjectSize>10<"},
        {"If-Match: \"x\"\r\n", 412, "<Code>PreconditionFailed<"},
        {"If-Match: \"781e5e245d69b566979b86e28d23f2c7\"\r\n", 200, ""},
        {"If-None-Match: \"781e5e245d69b566979b86e28d23f2c7\"\r\n", 304,
         "\r\n\r\n"},
        {"x-amz-checksum-mode: ENABLED\r\n", 200, "FULL_OBJECT"},
    };

    begin(0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        request("GET /bucket/a", rows[i].headers, "");
        EXPECT_EQ(code(), rows[i].code);
        EXPECT(has(rows[i].has));
    }
    request("GET /bucket/b", "", "");
    EXPECT(has("<Code>NoSuchKey<"));
    request("HEAD /bucket/a", "", "");
    EXPECT(has("Content-Length: 10\r\n"));
    EXPECT_STR(request_body(), "");
    request("HEAD /bucket", "", "");
    EXPECT(has("x-amz-bucket-region: us-east-1\r\n"));
    request("GET /other/a", "", "");
    EXPECT(has("<Code>NoSuchBucket<"));
    end();
}

TEST(writes)
{
    /* The checksums are those of "123456789" that standards print. */
    static const struct {
        const char *headers;
        int code;
        const char *has;
    } rows[] = {
        {"If-None-Match: *\r\n", 412, "<Code>PreconditionFailed<"},
        {"If-Match: \"x\"\r\n", 412, "<Code>PreconditionFailed<"},
        {"x-amz-checksum-crc64nvme: rosUhgp5mIg=\r\n", 200, "rosUhgp5mIg="},
        {"x-amz-checksum-crc32c: 4waSgw==\r\n", 200, "4waSgw=="},
        {"x-amz-checksum-crc32: y/Q5Jg==\r\n", 200, "y/Q5Jg=="},
        {"x-amz-checksum-crc32: y/Q5Jw==\r\n", 400, "<Code>BadDigest<"},
        {"x-amz-checksum-crc32: y/Q5\r\n", 400, "<Code>InvalidRequest<"},
        {"Content-MD5: JfnnlDI7RTiF9RgfG2JNCw==\r\n", 200, ""},
        {"Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n", 400, "<Code>BadDigest<"},
    };

    begin(0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        request("PUT /bucket/a", rows[i].headers, "123456789");
        EXPECT_EQ(code(), rows[i].code);
        EXPECT(has(rows[i].has));
    }
    request("PUT /bucket/new", "If-Match: \"x\"\r\n", "1");
    EXPECT(has("<Code>NoSuchKey<"));
    s3server_set_quirks(server, S3SERVER_ANYBODY | S3SERVER_ABSENT_IS_412);
    request("PUT /bucket/new", "If-Match: \"x\"\r\n", "1");
    EXPECT_EQ(code(), 412);
    request("DELETE /bucket/a", "If-Match: \"x\"\r\n", "");
    EXPECT_EQ(code(), 412);
    EXPECT(s3server_has(server, "a"));
    request("DELETE /bucket/a", "", "");
    EXPECT_EQ(code(), 204);
    EXPECT(!s3server_has(server, "a"));
    end();
}

#define ETAG "781e5e245d69b566979b86e28d23f2c7"

TEST(what_other_servers_do)
{
    static const struct {
        const char *line;
        const char *headers;
        uint32_t quirk;
        int as_aws;
        int as_others;
    } rows[] = {
        {"PUT /bucket/a", "If-Match: \"" ETAG "\"\r\n",
         S3SERVER_UNQUOTED_IF_MATCH, 200, 412},
        {"PUT /bucket/a", "If-Match: " ETAG "\r\n", S3SERVER_UNQUOTED_IF_MATCH,
         200, 200},
        {"PUT /bucket/a", "If-None-Match: *\r\n", S3SERVER_NO_CONDITIONS, 412,
         200},
        {"PUT /bucket/a", "x-amz-checksum-crc32: AAAAAA==\r\n",
         S3SERVER_NO_CHECKSUMS, 200, 400},
        {"GET /bucket/a", "Range: bytes=1-2\r\n", S3SERVER_NO_RANGE, 206, 200},
        {"DELETE /bucket/a", "If-Match: \"x\"\r\n",
         S3SERVER_NO_DELETE_CONDITION, 412, 204},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(0);
        request(rows[i].line, rows[i].headers, "");
        EXPECT_EQ(code(), rows[i].as_aws);
        end();
        begin(rows[i].quirk);
        request(rows[i].line, rows[i].headers, "");
        EXPECT_EQ(code(), rows[i].as_others);
        end();
    }
}

TEST(a_race_has_its_own_errors)
{
    char head[] = "PUT /bucket/r HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n"
                  "Expect: 100-continue\r\nContent-Length: 1\r\n"
                  "Connection: close\r\n\r\n";
    int fd;

    begin(S3SERVER_LOSER_IS_500);
    fd = dial();
    say(fd, head);
    EXPECT(hear(fd, 1) > 0);
    EXPECT_STR(got.at, "HTTP/1.1 100 Continue\r\n\r\n");
    s3server_put(server, "r", "x", 1);
    say(fd, "y");
    EXPECT(hear(fd, SIZE_MAX) == 0);
    EXPECT_EQ(code(), 500);
    close(fd);
    end();
}

TEST(lists)
{
    begin(0);
    s3server_put(server, "b/1 &", "x", 1);
    s3server_put(server, "b/2", "x", 1);
    s3server_put(server, "c", "x", 1);
    request("GET /bucket?list-type=2&delimiter=/&encoding-type=url", "", "");
    EXPECT(has("<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"));
    EXPECT(has("<Key>a</Key>") && has("<Key>c</Key>") && !has("b/2"));
    request("GET /bucket?list-type=2&prefix=b/&encoding-type=url", "", "");
    EXPECT(has("<Key>b/1%20%26</Key>"));
    request("GET /bucket?list-type=2&prefix=b/", "", "");
    EXPECT(has("<Key>b/1 &amp;</Key>"));
    request("GET /bucket?list-type=2&start-after=b/1%20%26&max-keys=1", "", "");
    EXPECT(has("<Key>b/2</Key>") && has("<IsTruncated>true<"));
    request("GET /bucket?list-type=2&continuation-token=x", "", "");
    EXPECT(has("<Code>InvalidArgument<"));
    s3server_set_quirks(server, S3SERVER_ANYBODY | S3SERVER_SPACE_IS_PLUS |
                                    S3SERVER_SLASH_IS_CODED |
                                    S3SERVER_UNQUOTED_ETAGS);
    request("GET /bucket?list-type=2&prefix=b/&encoding-type=url", "", "");
    EXPECT(has("<Key>b%2F1+%26</Key>") && !has("<ETag>&quot;"));
    s3server_set_quirks(server, S3SERVER_ANYBODY | S3SERVER_NO_ENCODING |
                                    S3SERVER_NO_START_AFTER);
    request("GET /bucket?list-type=2&encoding-type=url&start-after=c", "", "");
    EXPECT(has("<Key>b/1 &amp;</Key>") && !has("<EncodingType>"));
    end();
}

/* All keys of all pages, each followed by a space. */
static void walk(const char *query, struct buf *keys)
{
    char line[512];
    char token[256] = "";

    for (int page = 0; page < 100; page++) {
        const char *at;

        snprintf(line, sizeof(line), "GET /bucket?list-type=2%s%s%s", query,
                 page > 0 ? "&continuation-token=" : "", token);
        request(line, "", "");
        for (at = got.at; (at = strstr(at, "<Key>")) != NULL;) {
            at += 5;
            buf_print(keys, "%.*s ", (int)strcspn(at, "<"), at);
        }
        at = strstr(got.at, "<NextContinuationToken>");
        if (at == NULL) {
            return;
        }
        snprintf(token, sizeof(token), "%.*s", (int)strcspn(at + 23, "<"),
                 at + 23);
    }
    EXPECT(false);
}

TEST(pages_tell_all_once)
{
    struct buf want = {0};
    struct buf keys = {0};
    char key[16];

    begin(0);
    buf_add_text(&want, "a ");
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "k%02d", i);
        s3server_put(server, key, "x", 1);
        buf_print(&want, "%s ", key);
    }
    walk("&max-keys=7", &keys);
    EXPECT_STR(keys.at, want.at);
    s3server_set_quirks(server, S3SERVER_ANYBODY | S3SERVER_UNORDERED);
    buf_clear(&keys);
    walk("&max-keys=7", &keys);
    EXPECT_EQ(keys.size, want.size);
    EXPECT(strcmp(keys.at, want.at) != 0);
    buf_fini(&keys);
    buf_fini(&want);
    end();
}

static char upload_id[80];

static void upload_create(const char *headers)
{
    const char *at;

    request("POST /bucket/m?uploads", headers, "");
    at = strstr(got.at, "<UploadId>");
    EXPECT(at != NULL);
    snprintf(upload_id, sizeof(upload_id), "%.*s", (int)strcspn(at + 10, "<"),
             at + 10);
}

static void upload(const char *method, const char *query, const char *body)
{
    struct buf line = {0};

    buf_print(&line, "%s /bucket/m?%suploadId=%s", method, query, upload_id);
    request(line.at, "", body);
    buf_fini(&line);
}

static void complete(const char *parts)
{
    struct buf body = {0};

    buf_print(&body, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>",
              parts);
    upload("POST", "", body.at);
    buf_fini(&body);
}

#define PART(n, etag, more)                                                    \
    "<Part><PartNumber>" n "</PartNumber><ETag>" etag "</ETag>" more "</Part>"
#define ONE PART("1", "&quot;c4ca4238a0b923820dcc509a6f75849b&quot;", "")
#define TWO PART("2", "c81e728d9d4c2f636f067f89cc14862c", "")

TEST(uploads)
{
    begin(0);
    upload_create("");
    upload("PUT", "partNumber=1&", "1");
    EXPECT(has("ETag: \"c4ca4238a0b923820dcc509a6f75849b\""));
    EXPECT(has("x-amz-checksum-crc64nvme: "));
    upload("PUT", "partNumber=2&", "2");
    upload("PUT", "partNumber=10001&", "2");
    EXPECT(has("<Code>InvalidArgument<"));
    EXPECT_EQ(s3server_uploads(server), 1);
    complete(TWO ONE);
    EXPECT(has("<Code>InvalidPartOrder<"));
    complete(ONE PART("3", "x", ""));
    EXPECT(has("<Code>InvalidPart<"));
    complete(PART("2", "c81e728d9d4c2f636f067f89cc14862c",
                  "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>"));
    EXPECT(has("<Code>InvalidPart<"));
    complete(ONE TWO);
    EXPECT(has("<Code>EntityTooSmall<"));
    upload("POST", "", "<Part>");
    EXPECT(has("<Code>MalformedXML<"));
    request("POST /bucket/m?uploadId=nothing", "", ONE);
    EXPECT(has("<Code>NoSuchUpload<"));
    upload("GET", "max-parts=1&", "");
    EXPECT(has("<PartNumber>1<") && has("<IsTruncated>true<"));
    s3server_set_quirks(server, S3SERVER_ANYBODY | S3SERVER_SMALL_PARTS);
    for (int i = 0; i < 2; i++) {
        complete(ONE TWO);
        EXPECT_EQ(code(), 200);
        EXPECT(has("-2&quot;</ETag>"));
    }
    EXPECT_EQ(s3server_uploads(server), 0);
    upload("PUT", "partNumber=1&", "1");
    EXPECT(has("<Code>NoSuchUpload<"));
    end();
}

TEST(objects_of_parts)
{
    begin(S3SERVER_SMALL_PARTS);
    upload_create("x-amz-checksum-algorithm: CRC32\r\n"
                  "x-amz-checksum-type: COMPOSITE\r\n");
    upload("PUT", "partNumber=1&", "12345");
    upload("PUT", "partNumber=5&", "6789");
    complete(PART("1", "827ccb0eea8a706c4c34a16891f84e7b",
                  "<ChecksumCRC32>y/U6HA==</ChecksumCRC32>")
                 PART("5", "46d045ff5190f6ea93739da6c0aa19bc", ""));
    EXPECT(has("<ETag>&quot;324730582f20c3f18cbb66d63a6137d2-2&quot;</ETag>"));
    request("GET /bucket/m", "x-amz-checksum-mode: ENABLED\r\n", "");
    EXPECT(has("x-amz-checksum-crc32: 4zspdQ==-2\r\n"));
    EXPECT(has("x-amz-checksum-type: COMPOSITE\r\n"));
    request("GET /bucket/m?partNumber=2", "", "");
    EXPECT(code() == 206 && has("x-amz-mp-parts-count: 2\r\n"));
    EXPECT(has("Content-Range: bytes 5-8/9\r\n"));
    EXPECT_STR(request_body(), "6789");
    request("GET /bucket/m?partNumber=3", "", "");
    EXPECT(code() == 416 && has("<Code>InvalidPartNumber<"));
    request("GET /bucket/a?partNumber=1", "", "");
    EXPECT(code() == 206 && !has("x-amz-mp-parts-count"));
    upload_create("");
    upload("DELETE", "", "");
    EXPECT_EQ(code(), 204);
    upload("DELETE", "", "");
    EXPECT(has("<Code>NoSuchUpload<"));
    end();
}

TEST(versions)
{
    begin(S3SERVER_VERSIONS);
    request("PUT /bucket/a", "", "new");
    EXPECT(has("x-amz-version-id: v2\r\n"));
    request("GET /bucket/a?versionId=v1", "", "");
    EXPECT(has("x-amz-version-id: v1\r\n"));
    EXPECT_STR(request_body(), "0123456789");
    request("GET /bucket/a?versionId=v9", "", "");
    EXPECT(has("<Code>NoSuchVersion<"));
    request("DELETE /bucket/a", "", "");
    EXPECT(code() == 204 && has("x-amz-version-id: v3\r\n"));
    EXPECT(has("x-amz-delete-marker: true\r\n"));
    EXPECT(!s3server_has(server, "a"));
    request("GET /bucket/a", "", "");
    EXPECT(code() == 404 && has("x-amz-delete-marker: true\r\n"));
    request("GET /bucket/a?versionId=v3", "", "");
    EXPECT_EQ(code(), 405);
    request("GET /bucket?list-type=2", "", "");
    EXPECT(!has("<Key>"));
    /* A marker is as good as no object. */
    request("PUT /bucket/a", "If-None-Match: *\r\n", "newer");
    EXPECT(code() == 200 && has("x-amz-version-id: v4\r\n"));
    for (int i = 4; i > 2; i--) {
        char line[64];

        snprintf(line, sizeof(line), "DELETE /bucket/a?versionId=v%d", i);
        request(line, "", "");
        EXPECT_EQ(code(), 204);
    }
    request("GET /bucket/a", "", "");
    EXPECT_STR(request_body(), "new");
    end();
}

TEST(deletes_of_many)
{
    static const char body[] = "<Delete><Object><Key>a</Key></Object>"
                               "<Object><Key>b</Key></Object><Object>"
                               "<Key>c</Key><ETag>x</ETag></Object></Delete>";

    begin(0);
    s3server_put(server, "b", "x", 1);
    s3server_put(server, "c", "x", 1);
    request("POST /bucket?delete", "", body);
    EXPECT(has("<Code>InvalidRequest<"));
    request("POST /bucket?delete", "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            body);
    EXPECT(has("<Code>BadDigest<"));
    EXPECT(s3server_has(server, "a") && s3server_has(server, "b"));
    EXPECT(s3server_fault_text(
        server, "POST act=delete-error message=b error=SlowDown count=1"));
    request("POST /bucket?delete", "Content-MD5: 4hqD+uxY4rAFh2uVaxdLaw==\r\n",
            body);
    EXPECT_EQ(code(), 200);
    EXPECT(has("<Deleted><Key>a</Key></Deleted><Error><Key>b</Key>"
               "<Code>SlowDown</Code>"));
    EXPECT(has("<Error><Key>c</Key><Code>PreconditionFailed</Code>"));
    EXPECT(!s3server_has(server, "a") && s3server_has(server, "b"));
    request("POST /bucket?delete", "Content-MD5: zDYT+cSajWX7ArVjNhBBrg==\r\n",
            "<Delete><Object><Key>c</Key></Object>");
    EXPECT(has("<Code>MalformedXML<") && s3server_has(server, "c"));
    request("POST /bucket?delete", "Content-MD5: w9cwNxEUhkYY1n3AAmKhXg==\r\n",
            "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object>"
            "</Delete>");
    EXPECT(!has("<Deleted>") && !s3server_has(server, "b"));
    end();
}

TEST(faults_that_answer)
{
    static const struct {
        const char *fault;
        const char *line;
        int code;
        const char *has;
    } rows[] = {
        {"act=answer code=503 error=SlowDown", "GET /bucket/a", 503,
         "<Code>SlowDown</Code>"},
        {"act=answer-200 error=InternalError", "GET /bucket/a", 200,
         "<Code>InternalError</Code>"},
        {"act=spaces ms=0 error=SlowDown", "POST /bucket/a?uploads", 200,
         "\r\n5\r\n     \r\n"},
        {"act=spaces ms=0", "GET /bucket?list-type=2", 200,
         "\r\n5\r\n     \r\n"},
        {"act=delay ms=1", "GET /bucket/a", 200, "0123456789"},
        {"act=drip bytes=3 ms=1", "GET /bucket/a", 200, "0123456789"},
        {"act=wrong-range bytes=2", "GET /bucket/a", 206,
         "Content-Range: bytes 3-4/10\r\n"},
        {"act=ignore-range", "GET /bucket/a", 200, "0123456789"},
        {"act=corrupt bytes=0", "GET /bucket/a", 206,
         "\r\n\r\n\xce"
         "2"},
        {"act=raw message=HTTP/1.1%20299%20x", "GET /bucket/a", 299, "299 x"},
        {"act=answer", "HEAD /bucket/a", 500, "\r\n\r\n"},
        {"act=corrupt", "HEAD /bucket/a", 200, "\r\n\r\n"},
        {"act=body message=hello", "GET /bucket/a", 200, "\r\n\r\nhello"},
        {"act=redirect message=eu-west-1", "GET /bucket/a", 301,
         "x-amz-bucket-region: eu-west-1\r\n"},
        {"act=redirect-host message=http://x:1/", "GET /bucket/a", 307,
         "Location: http://x:1/\r\n"},
        {"act=expire", "GET /bucket/a", 400, "<Code>ExpiredToken<"},
        {"act=unsorted-page", "GET /bucket?list-type=2", 200,
         "</Contents><Contents><Key>a</Key>"},
    };

    begin(0);
    s3server_put(server, "b", "x", 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_ranged = rows[i].code == 206 ||
                         strstr(rows[i].fault, "ignore-range") != NULL;

        EXPECT(s3server_fault_text(server, rows[i].fault));
        request(rows[i].line, is_ranged ? "Range: bytes=1-2\r\n" : "", "");
        EXPECT_EQ(code(), rows[i].code);
        EXPECT(has(rows[i].has));
        EXPECT(rows[i].line[0] != 'H' || request_body()[0] == '\0');
        s3server_clear(server);
    }
    end();
}

TEST(faults_that_break)
{
    static const struct {
        const char *fault;
        const char *end; /* Of all that comes; NULL: nothing comes. */
    } rows[] = {
        {"act=cut bytes=3", "Content-Length: 10\r\n"
                            "Connection: close\r\n\r\n012"},
        {"act=close", NULL},
        {"act=lose-answer", NULL},
        {"act=short-length bytes=2", "Content-Length: 8\r\n"
                                     "Connection: close\r\n\r\n0123456789"},
        {"act=long-length bytes=2", "Content-Length: 12\r\n"
                                    "Connection: close\r\n\r\n0123456789"},
    };

    begin(0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT(s3server_fault_text(server, rows[i].fault));
        request("GET /bucket/a", "", "");
        EXPECT_EQ(got.size == 0, rows[i].end == NULL);
        EXPECT(rows[i].end == NULL ||
               (got.size > strlen(rows[i].end) &&
                strcmp(got.at + got.size - strlen(rows[i].end), rows[i].end) ==
                    0));
        s3server_clear(server);
    }
    EXPECT(s3server_fault_text(server, "PUT act=lose-answer"));
    request("PUT /bucket/lost", "", "x");
    EXPECT(got.size == 0 && s3server_has(server, "lost"));
    EXPECT(s3server_fault_text(server, "PUT act=close count=1") &&
           s3server_requests(server, "PUT", "/lost") == 1);
    end();
}

TEST(faults_without_an_end)
{
    static const struct {
        const char *fault;
        const char *has;
    } rows[] = {
        {"act=endless-head", "\r\nX-Flood: xxxx"},
        {"act=endless-body", "\r\n\r\n10000\r\nxxxx"},
    };

    begin(0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = dial();

        EXPECT(s3server_fault_text(server, rows[i].fault));
        say(fd, "GET /bucket/a HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT(hear(fd, 300000) > 0);
        EXPECT(has(rows[i].has));
        close(fd);
        s3server_clear(server);
    }
    EXPECT(s3server_fault_text(server, "act=reset bytes=4"));
    {
        int fd = dial();

        say(fd, "GET /bucket/a HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT(hear(fd, SIZE_MAX) < 0);
        EXPECT(errno == ECONNRESET);
        close(fd);
    }
    end();
}

/* All that comes before the server ends. */
TEST(faults_that_wait)
{
    static const struct {
        const char *fault;
        const char *end; /* NULL: nothing comes. */
    } rows[] = {
        {"act=delay ms=3600000", NULL},
        {"act=drip ms=3600000 bytes=3", "\r\n\r\n012"},
        {"act=stall bytes=4", "\r\n\r\n0123"},
        {"act=stall", "\r\n\r\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size = rows[i].end != NULL ? strlen(rows[i].end) : 0;
        struct buf all = {0};
        int fd;

        begin(0);
        fd = dial();
        EXPECT(s3server_fault_text(server, rows[i].fault));
        say(fd, "GET /bucket/a HTTP/1.1\r\nHost: h\r\n\r\n");
        while (size > 0 &&
               (all.size < size ||
                memcmp(all.at + all.size - size, rows[i].end, size) != 0)) {
            EXPECT(hear(fd, 1) > 0);
            buf_add(&all, got.at, got.size);
        }
        while (s3server_requests(server, "GET", "/a") == 0) {
            sched_yield();
        }
        s3server_stop(&server);
        EXPECT(hear(fd, SIZE_MAX) == 0);
        EXPECT_EQ(got.size, 0);
        close(fd);
        buf_fini(&all);
        end();
    }
}

TEST(faults_in_what_is_kept)
{
    char etag[256];
    char more[512];
    struct buf first = {0};

    begin(0);
    EXPECT(s3server_fault_text(server, "act=overwrite count=1"));
    snprintf(etag, sizeof(etag), "781e5e245d69b566979b86e28d23f2c7");
    snprintf(more, sizeof(more), "If-Match: \"%s\"\r\n", etag);
    request("GET /bucket/a", more, "");
    EXPECT_EQ(code(), 412);
    EXPECT(s3server_fault_text(server, "act=no-etag count=1"));
    request("GET /bucket/a", "", "");
    EXPECT(!has("ETag:"));
    s3server_put(server, "b", "x", 1);
    request("GET /bucket?list-type=2&max-keys=1", "", "");
    buf_add_text(&first, strstr(got.at, "<Contents>"));
    EXPECT(strstr(first.at, "<Key>a</Key>") != NULL);
    EXPECT(s3server_fault_text(server, "act=duplicate-page count=1"));
    snprintf(more, sizeof(more),
             "GET /bucket?list-type=2&max-keys=1&continuation-token=%.*s",
             (int)strcspn(strstr(got.at, "<NextContinuationToken>") + 23, "<"),
             strstr(got.at, "<NextContinuationToken>") + 23);
    request(more, "", "");
    EXPECT_STR(strstr(got.at, "<Contents>"), first.at);
    buf_fini(&first);
    /* So does what comes between the reading of a head and the writing. */
    EXPECT(s3server_fault_text(server, "PUT act=overwrite count=1"));
    request("PUT /bucket/b",
            "If-Match: \"9dd4e461268c8034f5c8564e155c67a6\"\r\n", "y");
    EXPECT_EQ(code(), 412);
    end();
}

TEST(texts_of_faults_and_quirks)
{
    static const char *const bad[] = {"",
                                      "GET key=a",
                                      "act=nothing",
                                      "act=cut bytes=few",
                                      "act=cut bytes=-1",
                                      "act=cut what=1",
                                      "act=raw message=%4"};
    uint32_t quirks = S3SERVER_ANYBODY;

    begin(0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EXPECT(!s3server_fault_text(server, bad[i]));
    }
    EXPECT(s3server_fault_text(server, "GET key=/a skip=1 count=1 act=answer "
                                       "code=418 message=two%20words"));
    for (int i = 0; i < 4; i++) {
        request(i == 0 ? "GET /bucket/b" : "GET /bucket/a", "", "");
        EXPECT_EQ(code(), i == 0 ? 404 : i == 2 ? 418 : 200);
        EXPECT_EQ(has("<Message>two words</Message>"), i == 2);
    }
    EXPECT(
        s3server_quirk_text("versions,small-parts,unquoted-if-match", &quirks));
    EXPECT_EQ(quirks, S3SERVER_ANYBODY | S3SERVER_VERSIONS |
                          S3SERVER_SMALL_PARTS | S3SERVER_UNQUOTED_IF_MATCH);
    EXPECT(!s3server_quirk_text("versions,", &quirks));
    EXPECT(!s3server_quirk_text("anything", &quirks));
    end();
}

TEST(pages_and_headers)
{
    char value[256];

    begin(0);
    s3server_page(server, "PUT", "/latest/api/token", 200, "TOKEN");
    s3server_page(server, NULL, "/latest/", 404, "none");
    request("PUT /latest/api/token", "x-ttl: 60\r\n", "");
    EXPECT_STR(request_body(), "TOKEN");
    s3server_last_header(server, "X-TTL", value);
    EXPECT_STR(value, "60");
    request("GET /latest/api/token", "", "");
    EXPECT_EQ(code(), 404);
    EXPECT_EQ(s3server_requests(server, "PUT", "/api/"), 1);
    EXPECT_EQ(s3server_connections(server), 2);
    EXPECT(s3server_fault_text(server, "key=/latest/ act=answer code=503"));
    request("GET /latest/api/token", "", "");
    EXPECT_EQ(code(), 503);
    end();
}

TEST(tls_starts_and_stops)
{
    struct s3server_options o = {.is_tls = true, .is_cert_expired = true};
    char path[256];

    server = s3server_start(&o);
    snprintf(path, sizeof(path), "%s", s3server_ca_file(server));
    EXPECT(strncmp(s3server_url(server), "https://127.0.0.1:", 18) == 0);
    EXPECT(access(path, R_OK) == 0);
    end();
    EXPECT(access(path, R_OK) != 0);
}
