/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 test server and signatures: those that AWS documents, wrong ones,
 * those of the sessions of directory buckets. */

#include "tests/s3server/s3server.h"
#include "tests/s3server_kit.h"

#define EMPTY_SHA                                                              \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TEXT_SHA                                                               \
    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define AUTH(names, signature)                                                 \
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"         \
    "20130524/us-east-1/s3/aws4_request,SignedHeaders=" names                  \
    ",Signature=" signature "\r\n"
#define HOST "Host: examplebucket.s3.amazonaws.com\r\n"
#define DATE "x-amz-date: 20130524T000000Z\r\n"
#define EMPTY "x-amz-content-sha256: " EMPTY_SHA "\r\n"
#define GET_SIGNATURE                                                          \
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
#define GET_HEAD "GET /test.txt HTTP/1.1\r\n" HOST "Range: bytes=0-9\r\n"

static void begin_signed(uint64_t now_ms, bool is_express)
{
    struct s3server_options o = {.access_key = "AKIAIOSFODNN7EXAMPLE",
                                 .secret_key =
                                     "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                 .bucket = "examplebucket",
                                 .is_express = is_express,
                                 .fixed_ms = now_ms};

    server = s3server_start(&o);
    s3server_put(server, "test.txt", "0123456789abc", 13);
}

enum { SKEW_MS = 900000 };
static const uint64_t documented_ms = 1369353600000;

TEST(documented_signatures)
{
    static const struct {
        const char *text;
        const char *body;
        int code;
    } rows[] = {
        {GET_HEAD EMPTY DATE AUTH("host;range;x-amz-content-sha256;x-amz-date",
                                  GET_SIGNATURE),
         "", 206},
        {"PUT /test%24file.text HTTP/1.1\r\n" HOST
         "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"
         "x-amz-storage-class: REDUCED_REDUNDANCY\r\n"
         "x-amz-content-sha256: " TEXT_SHA "\r\n" DATE AUTH(
             "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
             "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108b"
             "d"),
         "Welcome to Amazon S3.", 200},
        {"GET /?lifecycle HTTP/1.1\r\n" HOST EMPTY DATE AUTH(
             "host;x-amz-content-sha256;x-amz-date",
             "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a01367835"
             "43"),
         "", 501},
        {"GET /?max-keys=2&prefix=J HTTP/1.1\r\n" HOST EMPTY DATE AUTH(
             "host;x-amz-content-sha256;x-amz-date",
             "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6"
             "f7"),
         "", 501},
        {"GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
         "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
         "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
         "&X-Amz-SignedHeaders=host&X-Amz-Signature="
         "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
         " HTTP/1.1\r\n" HOST,
         "", 200},
    };

    begin_signed(documented_ms, false);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(rows[i].text, rows[i].body);
        EXPECT_EQ(code(), rows[i].code);
    }
    EXPECT(s3server_has(server, "test$file.text"));
    end();
}

TEST(wrong_signatures)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {GET_HEAD EMPTY DATE, "<Code>AccessDenied<"},
        {GET_HEAD EMPTY DATE AUTH("host;range;x-amz-content-sha256;x-amz-date",
                                  "00"),
         "<Code>SignatureDoesNotMatch<"},
        {GET_HEAD EMPTY DATE AUTH("host;range;x-amz-date", GET_SIGNATURE),
         "<HeadersNotSigned>x-amz-content-sha256<"},
        {GET_HEAD EMPTY DATE AUTH("range;x-amz-content-sha256;x-amz-date",
                                  GET_SIGNATURE),
         "<HeadersNotSigned>host<"},
        {GET_HEAD DATE AUTH("host;range;x-amz-date", GET_SIGNATURE),
         "Missing required header for this request: x-amz-content-sha256"},
        {GET_HEAD EMPTY DATE
         "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"
         "20130524/eu-west-1/s3/aws4_request, SignedHeaders=host, "
         "Signature=00\r\n",
         "<Region>us-east-1</Region>"},
        {GET_HEAD EMPTY DATE
         "Authorization: AWS4-HMAC-SHA256 Credential=NOBODY/"
         "20130524/us-east-1/s3/aws4_request, SignedHeaders=host, "
         "Signature=00\r\n",
         "<Code>InvalidAccessKeyId<"},
        {GET_HEAD EMPTY DATE "x-amz-security-token: x\r\n" AUTH(
             "host;range;x-amz-content-sha256;x-amz-date", GET_SIGNATURE),
         "<Code>InvalidToken<"},
    };

    begin_signed(documented_ms + SKEW_MS, false);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(rows[i].text, "");
        EXPECT(has(rows[i].error));
    }
    /* Another body than the one that is signed. */
    ask(GET_HEAD EMPTY DATE AUTH("host;range;x-amz-content-sha256;x-amz-date",
                                 GET_SIGNATURE),
        "x");
    EXPECT(has("<Code>XAmzContentSHA256Mismatch<"));
    end();
    begin_signed(documented_ms + SKEW_MS + 1000, false);
    ask(GET_HEAD EMPTY DATE AUTH("host;range;x-amz-content-sha256;x-amz-date",
                                 GET_SIGNATURE),
        "");
    EXPECT(has("<Code>RequestTimeTooSkewed<"));
    EXPECT(has("<ServerTime>2013-05-24T00:15:01.000Z<"));
    end();
}

#define SESSION_DATE DATE "x-amz-s3session-token: token-"
#define SESSION_AUTH(access, service, names, signature)                        \
    "Authorization: AWS4-HMAC-SHA256 Credential=" access                       \
    "/20130524/us-east-1/" service "/aws4_request, SignedHeaders=" names       \
    ", Signature=" signature "\r\n"
#define SESSION_KEY "AKIAIOSFODNN7EXAMPLE"
#define SESSION_GET                                                            \
    "GET /test.txt HTTP/1.1\r\n" HOST EMPTY SESSION_DATE "2\r\n" SESSION_AUTH( \
        "SESSION2", "s3express",                                               \
        "host;x-amz-content-sha256;x-amz-date;x-amz-s3session-token",          \
        "774a9def1904fbbed964227871ec179eea3cf4ddebb580b3e3a2d405ac22dd3e")

/* The object had the first id, so the session has the second. */
TEST(directory_buckets_want_sessions)
{
    static const struct {
        const char *fault;
        const char *text;
        const char *has;
    } rows[] = {
        {NULL,
         "GET /?session HTTP/1.1\r\n" HOST EMPTY DATE SESSION_AUTH(
             SESSION_KEY, "s3express", "host;x-amz-content-sha256;x-amz-date",
             "f16c693507b0c375458e500df5dec1c447afd660ffbab084ad3696cec0290cf"
             "9"),
         "<SessionToken>token-2</SessionToken>"
         "<SecretAccessKey>secret-2</SecretAccessKey>"
         "<AccessKeyId>SESSION2</AccessKeyId>"
         "<Expiration>2013-05-24T00:05:00.000Z</Expiration>"},
        {NULL, SESSION_GET, "\r\n\r\n0123456789abc"},
        {"act=skew ms=300001 count=1", SESSION_GET, "<Code>ExpiredToken<"},
        {NULL,
         "GET /test.txt HTTP/1.1\r\n" HOST EMPTY DATE SESSION_AUTH(
             SESSION_KEY, "s3express", "host", "00"),
         "wants x-amz-s3session-token"},
        {NULL,
         "GET /test.txt HTTP/1.1\r\n" HOST EMPTY SESSION_DATE
         "3\r\n" SESSION_AUTH("SESSION2", "s3express", "host", "00"),
         "<Code>InvalidToken<"},
        {NULL,
         "GET /test.txt HTTP/1.1\r\n" HOST EMPTY DATE SESSION_AUTH(
             SESSION_KEY, "s3", "host", "00"),
         "incorrect service"},
    };

    begin_signed(documented_ms, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT(rows[i].fault == NULL ||
               s3server_fault_text(server, rows[i].fault));
        ask(rows[i].text, "");
        EXPECT(has(rows[i].has));
    }
    end();
}

/* The skew of a fault is for one request. */
TEST(clocks_that_differ)
{
    begin_signed(documented_ms, false);
    EXPECT(s3server_fault_text(server, "act=skew ms=-900001 skip=1 count=1"));
    for (int i = 0; i < 3; i++) {
        ask(GET_HEAD EMPTY DATE AUTH(
                "host;range;x-amz-content-sha256;x-amz-date", GET_SIGNATURE),
            "");
        EXPECT_EQ(code(), i == 1 ? 403 : 206);
        EXPECT(i != 1 || has("<Code>RequestTimeTooSkewed<"));
    }
    end();
}
