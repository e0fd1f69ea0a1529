/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sign.h"

#include <time.h>

#include "base/mem.h"
#include "base/prng.h"
#include "tests/harness.h"

enum { CHUNK = 65536, BODY = 66560 };

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
/* Like BYTES, for a static table. */
#define TEXT(literal)                                                          \
    {                                                                          \
        "" literal, sizeof(literal) - 1                                        \
    }
#define PAIR(name, value)                                                      \
    {                                                                          \
        TEXT(name), TEXT(value)                                                \
    }

/* The key pair, day and bucket of Amazon's documentation. */
#define DAY_MS (UINT64_C(1369353600) * 1000) /* 2013-05-24T00:00:00Z */
#define HOST BYTES("examplebucket.s3.amazonaws.com")
#define EXPRESS_HOST                                                           \
    BYTES("b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com")
#define ACCESS_KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SCOPE "20130524/us-east-1/s3/aws4_request"

static struct sign_request request(void)
{
    return (struct sign_request){
        .method = "GET",
        .host = HOST,
        .path = BYTES("/"),
        .payload = SIGN_EMPTY,
        .key = {ACCESS_KEY, SECRET_KEY, NULL},
        .region = "us-east-1",
        .service = "s3",
        .wall_ms = DAY_MS,
    };
}

/* The signature of @r by a signer of its own. */
static void sign_fresh(const struct sign_request *r, char out[SIGN_HEX_SIZE])
{
    struct signer *s = signer_new();
    struct sign_result got = {0};

    sign_headers(s, r, &got);
    snprintf(out, SIGN_HEX_SIZE, "%s", got.signature);
    sign_result_fini(&got);
    signer_destroy(&s);
}

static void expect_signature(const struct sign_request *r, const char *want)
{
    char got[SIGN_HEX_SIZE];

    sign_fresh(r, got);
    EXPECT_STR(got, want);
}

/* ---- the documentation's examples --------------------------------------- */

TEST(an_object_is_got_by_range)
{
    static const struct sign_pair range = PAIR("Range", "bytes=0-9");
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = request();

    r.path = BYTES("/test.txt");
    r.headers = &range;
    r.header_count = 1;
    sign_headers(s, &r, &got);
    EXPECT_STR(buf_text(&got.target), "/test.txt");
    EXPECT_STR(buf_text(&got.canonical),
               "GET\n/test.txt\n\n"
               "host:examplebucket.s3.amazonaws.com\n"
               "range:bytes=0-9\n"
               "x-amz-content-sha256:" SIGN_EMPTY "\n"
               "x-amz-date:20130524T000000Z\n\n"
               "host;range;x-amz-content-sha256;x-amz-date\n" SIGN_EMPTY);
    EXPECT_STR(buf_text(&got.to_sign),
               "AWS4-HMAC-SHA256\n20130524T000000Z\n" SCOPE
               "\n7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946"
               "972");
    EXPECT_STR(
        buf_text(&got.headers),
        "Host: examplebucket.s3.amazonaws.com\r\n"
        "X-Amz-Date: 20130524T000000Z\r\n"
        "X-Amz-Content-Sha256: " SIGN_EMPTY "\r\n"
        "Range: bytes=0-9\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/" SCOPE
        ", SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c603"
        "6bdb41\r\n");
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(an_object_is_put)
{
    static const struct sign_pair headers[] = {
        PAIR("Date", "Fri, 24 May 2013 00:00:00 GMT"),
        PAIR("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    };
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = request();
    char hash[SIGN_HEX_SIZE];

    sign_payload(s, BYTES("Welcome to Amazon S3."), hash);
    r.method = "PUT";
    r.path = BYTES("/test$file.text");
    r.headers = headers;
    r.header_count = COUNT(headers);
    r.payload = hash;
    sign_headers(s, &r, &got);
    EXPECT_STR(buf_text(&got.target), "/test%24file.text");
    EXPECT_STR(got.signature, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1"
                              "b5971af0ece108bd");
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(a_bucket_is_asked)
{
    static const struct {
        struct sign_pair query[2];
        size_t count;
        const char *target;
        const char *want;
    } rows[] = {
        {{PAIR("lifecycle", "")},
         1,
         "/?lifecycle=",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {{PAIR("prefix", "J"), PAIR("max-keys", "2")},
         2,
         "/?max-keys=2&prefix=J",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };
    struct signer *s = signer_new();
    struct sign_result got = {0};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sign_request r = request();

        r.query = rows[i].query;
        r.query_count = rows[i].count;
        sign_headers(s, &r, &got);
        EXPECT_STR(buf_text(&got.target), rows[i].target);
        EXPECT_STR(got.signature, rows[i].want);
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(an_object_is_presigned)
{
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = request();

    r.path = BYTES("/test.txt");
    r.payload = NULL;
    sign_presign(s, &r, 86400, &got);
    EXPECT_STR(buf_text(&got.target),
               "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
               "&X-Amz-Credential=" ACCESS_KEY
               "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
               "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
               "&X-Amz-SignedHeaders=host"
               "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c26"
               "5957d157751f604d404");
    EXPECT_STR(buf_text(&got.headers),
               "Host: examplebucket.s3.amazonaws.com\r\n");
    sign_result_fini(&got);
    signer_destroy(&s);
}

/* ---- chunks ------------------------------------------------------------- */

/* An upload of "aaa…" in two chunks and the empty one. */
static const struct {
    const char *payload;
    struct sign_pair headers[5];
    size_t header_count;
    const char *seed;
    const char *chunks[3];
    const char *trailer; /* NULL: none. */
} uploads[] = {
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
     {PAIR("x-amz-storage-class", "REDUCED_REDUNDANCY"),
      PAIR("Content-Encoding", "aws-chunked"),
      PAIR("x-amz-decoded-content-length", "66560"),
      PAIR("Content-Length", "66824")},
     4,
     "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
     {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
     NULL},
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
     {PAIR("x-amz-storage-class", "REDUCED_REDUNDANCY"),
      PAIR("Content-Encoding", "aws-chunked"),
      PAIR("x-amz-decoded-content-length", "66560"),
      PAIR("x-amz-trailer", "x-amz-checksum-crc32c")},
     4,
     "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
     {"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
      "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
      "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
     "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"},
};

static void run_upload(size_t i, const char *body)
{
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = request();
    struct sign_chunk chunk = {.data = {body, CHUNK}};
    char last[SIGN_HEX_SIZE];

    r.method = "PUT";
    r.host = BYTES("s3.amazonaws.com");
    r.path = BYTES("/examplebucket/chunkObject.txt");
    r.headers = uploads[i].headers;
    r.header_count = uploads[i].header_count;
    r.payload = uploads[i].payload;
    sign_headers(s, &r, &got);
    EXPECT_STR(got.signature, uploads[i].seed);
    memcpy(last, got.signature, sizeof(last));
    chunk.previous = last;
    for (size_t c = 0; c < 3; c++) {
        sign_chunk(s, &r, &chunk, last);
        EXPECT_STR(last, uploads[i].chunks[c]);
        chunk.data.size = c == 0 ? BODY - CHUNK : 0;
    }
    if (uploads[i].trailer != NULL) {
        chunk.data = BYTES("x-amz-checksum-crc32c:sOO8/Q==\n");
        chunk.is_trailer = true;
        sign_chunk(s, &r, &chunk, last);
        EXPECT_STR(last, uploads[i].trailer);
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(an_object_is_put_in_chunks)
{
    char *body = mem_new(CHUNK, 1);

    memset(body, 'a', CHUNK);
    for (size_t i = 0; i < COUNT(uploads); i++) {
        run_upload(i, body);
    }
    free(body);
}

/* ---- tokens ------------------------------------------------------------- */

TEST(a_token_is_sent_under_its_name_and_signed)
{
    static const struct sign_pair session = PAIR("session", "");
    static const struct sign_pair mode =
        PAIR("x-amz-create-session-mode", "ReadWrite");
    struct sign_request s3 = request();
    struct sign_request express = request();
    struct sign_request create = request();

    s3.path = BYTES("/a b");
    s3.key.token = "to/ken+==";
    expect_signature(&s3, "088981a0016ec326549fab4f47184e84bea6adc87e1725da7c9"
                          "ff5815a93da70");
    express.key.token = "to/ken+==";
    express.service = "s3express";
    express.host = EXPRESS_HOST;
    create = express;
    express.path = BYTES("/k");
    expect_signature(&express, "d14a7e6f9619e6cb726244115142c876ef28c22c9fa52bf"
                               "2037bf620344ca6e7");
    create.is_create_session = true;
    create.query = &session;
    create.query_count = 1;
    create.headers = &mode;
    create.header_count = 1;
    expect_signature(&create, "9fdfc0df3b5d4a6a2620336a75e81efdcec85bedc8df7a49"
                              "f39bb7d0b89da7e5");
}

TEST(a_token_is_a_parameter_of_a_presigned_request)
{
    static const struct {
        const char *service;
        const char *path;
        bool is_create_session;
        const char *want;
    } rows[] = {
        {"s3express", "/k", false,
         "&X-Amz-S3session-Token=to%2Fken%2B%3D%3D"
         "&X-Amz-SignedHeaders=host&X-Amz-Signature="
         "20356c6647ff8f4d401e5a64170335de8a37636ba0dd6fac8bd8e79c80dab11b"},
        {"s3express", "/k", true, "&X-Amz-Security-Token=to%2Fken%2B%3D%3D"},
        {"s3", "/a b", false,
         "&X-Amz-Security-Token=to%2Fken%2B%3D%3D"
         "&X-Amz-SignedHeaders=host&versionId=1&X-Amz-Signature="
         "98b145f265c03fe5e659c744490fa93c5a6da3b2b4cbf07d97adb72ff365b5cb"},
    };
    static const struct sign_pair version = PAIR("versionId", "1");
    struct signer *s = signer_new();
    struct sign_result got = {0};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sign_request r = request();
        bool is_s3 = strcmp(rows[i].service, "s3") == 0;

        r.service = rows[i].service;
        r.host = is_s3 ? HOST : EXPRESS_HOST;
        r.path = bytes_of(rows[i].path);
        r.query = is_s3 ? &version : NULL;
        r.query_count = is_s3;
        r.is_create_session = rows[i].is_create_session;
        r.key.token = "to/ken+==";
        r.payload = NULL;
        sign_presign(s, &r, 300, &got);
        EXPECT(strstr(buf_text(&got.target), rows[i].want) != NULL);
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(a_token_can_be_sent_without_being_signed)
{
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = request();
    char plain[SIGN_HEX_SIZE];

    sign_fresh(&r, plain);
    r.key.token = "to/ken+==";
    r.omits_token = true;
    sign_headers(s, &r, &got);
    EXPECT_STR(got.signature, plain);
    EXPECT(strstr(buf_text(&got.headers),
                  "\r\nX-Amz-Security-Token: to/ken+==\r\n") != NULL);
    sign_presign(s, &r, 300, &got);
    EXPECT(strstr(buf_text(&got.canonical), "Token") == NULL);
    EXPECT(bytes_has_suffix(buf_bytes(&got.target),
                            BYTES("&X-Amz-Security-Token=to%2Fken%2B%3D%3D")));
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(nothing_is_signed_without_a_key)
{
    static const struct sign_pair query = PAIR("uploads", "");
    static const struct sign_pair header = PAIR("Range", "bytes=0-9");
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = {
        .method = "GET",
        .host = HOST,
        .path = BYTES("/a b"),
        .query = &query,
        .query_count = 1,
        .headers = &header,
        .header_count = 1,
        .payload = SIGN_EMPTY,
        .key = {NULL, NULL, "token"},
    };

    for (int is_presigned = 0; is_presigned < 2; is_presigned++) {
        if (is_presigned) {
            sign_presign(s, &r, 300, &got);
        } else {
            sign_headers(s, &r, &got);
        }
        EXPECT_STR(buf_text(&got.target), "/a%20b?uploads=");
        EXPECT_STR(buf_text(&got.headers),
                   "Host: examplebucket.s3.amazonaws.com\r\n"
                   "Range: bytes=0-9\r\n");
        EXPECT_STR(got.signature, "");
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

/* ---- paths and queries -------------------------------------------------- */

TEST(a_path_is_signed_as_the_service_has_it)
{
    static const struct {
        const char *path;
        bool is_normalized;
        bool is_encoded_twice;
        const char *target;
        const char *canonical;
    } rows[] = {
        {"", false, false, "/", "/"},
        {"/a//./b/../c", false, false, "/a//./b/../c", "/a//./b/../c"},
        {"/a=b+c@d*e!'(f)", false, false, "/a%3Db%2Bc%40d%2Ae%21%27%28f%29",
         "/a%3Db%2Bc%40d%2Ae%21%27%28f%29"},
        {"/%2F%", false, false, "/%252F%25", "/%252F%25"},
        {"/a b", false, true, "/a%20b", "/a%2520b"},
        {"/a b//c/./d/../e", true, true, "/a%20b//c/./d/../e", "/a%2520b/c/e"},
        {"/a/", true, false, "/a/", "/a/"},
        {"/a", true, false, "/a", "/a"},
        {"/a/.", true, false, "/a/.", "/a/"},
        {"/a/b/..", true, false, "/a/b/..", "/a/"},
        {"/../../a", true, false, "/../../a", "/a"},
        {"//", true, false, "//", "/"},
        {"/...", true, false, "/...", "/..."},
        {"", true, true, "/", "/"},
    };
    struct signer *s = signer_new();
    struct sign_result got = {0};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sign_request r = request();
        struct buf want = {0};

        r.path = bytes_of(rows[i].path);
        r.is_normalized = rows[i].is_normalized;
        r.is_encoded_twice = rows[i].is_encoded_twice;
        sign_headers(s, &r, &got);
        EXPECT_STR(buf_text(&got.target), rows[i].target);
        buf_print(&want, "GET\n%s\n\nhost:", rows[i].canonical);
        EXPECT(bytes_has_prefix(buf_bytes(&got.canonical), buf_bytes(&want)));
        buf_fini(&want);
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(other_services_sign_without_the_hash_header)
{
    struct sign_request r = request();

    r.service = "sts";
    r.host = BYTES("sts.amazonaws.com");
    r.path = BYTES("/a b//c/./d/../e");
    r.payload = NULL;
    r.key.token = "to/ken+==";
    r.is_encoded_twice = true;
    r.is_normalized = true;
    expect_signature(&r, "9f38556a907e3482101176abef7abdafdb0879311e3c4b6dcea87"
                         "08da4b29d5e");
}

/* Values by another implementation. */
TEST(every_byte_is_signed)
{
    char all[256];
    struct sign_pair prefix = {BYTES("prefix"), {all + 1, 255}};
    struct sign_request r = request();

    all[0] = '/';
    for (size_t i = 1; i < sizeof(all); i++) {
        all[i] = (char)i;
    }
    r.path = (struct bytes){all, sizeof(all)};
    expect_signature(&r, "504f8af70992c18dda113fdd101f3babe86c18d826596271c98a7"
                         "5f91a85a1ec");
    r.path = BYTES("/");
    r.query = &prefix;
    r.query_count = 1;
    expect_signature(&r, "7194fa952899c0c1dca788e9c83305c50474f2eb25792e1443e44"
                         "ef8c06c9ba4");
}

TEST(a_query_is_sorted_by_encoded_name_then_value)
{
    static const struct {
        struct sign_pair query[3];
        const char *want;
    } rows[] = {
        {{PAIR("b", "1"), PAIR("a", "2"), PAIR("a", "10")}, "/?a=10&a=2&b=1"},
        /* By the name alone, not by "name=value". */
        {{PAIR("a-b", ""), PAIR("a", "z"), PAIR("a.", "")}, "/?a=z&a-b=&a.="},
        {{PAIR("a", "/"), PAIR("a", "-"), PAIR("a", "~")}, "/?a=%2F&a=-&a=~"},
        {{PAIR("A", ""), PAIR("a", ""), PAIR("_", "")}, "/?A=&_=&a="},
        {{PAIR("\xe1\x88\xb4", "v"), PAIR("Z", ""), PAIR("+ ", "+ ")},
         "/?%2B%20=%2B%20&%E1%88%B4=v&Z="},
    };
    struct signer *s = signer_new();
    struct sign_result got = {0};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sign_request r = request();

        r.query = rows[i].query;
        r.query_count = 3;
        sign_headers(s, &r, &got);
        EXPECT_STR(buf_text(&got.target), rows[i].want);
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

/* The pairs of a target, cut in place. */
static size_t cut_query(char *target, char *names[], char *values[])
{
    size_t count = 0;
    char *rest = strchr(target, '?') + 1;

    for (char *item; (item = strsep(&rest, "&")) != NULL; count++) {
        names[count] = strsep(&item, "=");
        values[count] = item;
    }
    return count;
}

TEST(a_query_in_any_order_is_one_request)
{
    static const char alphabet[] = "aAbB-._~/+= %\xff\x01";
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_result again = {0};
    struct prng p;

    prng_init(&p, 8);
    for (int round = 0; round < 300; round++) {
        size_t count = 1 + (size_t)prng_below(&p, 20);
        struct sign_pair query[20];
        char text[20][4];
        char *names[20];
        char *values[20];
        struct sign_request r = request();

        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < 4; j++) {
                text[i][j] = alphabet[prng_below(&p, sizeof(alphabet) - 1)];
            }
            query[i].name = (struct bytes){text[i], 1 + prng_below(&p, 2)};
            query[i].value = (struct bytes){text[i] + 2, prng_below(&p, 3)};
        }
        r.query = query;
        r.query_count = count;
        sign_headers(s, &r, &got);
        for (size_t i = count - 1; i > 0; i--) {
            size_t j = (size_t)prng_below(&p, i + 1);
            struct sign_pair pair = query[i];

            query[i] = query[j];
            query[j] = pair;
        }
        sign_headers(s, &r, &again);
        EXPECT_STR(buf_text(&got.target), buf_text(&again.target));
        EXPECT_STR(got.signature, again.signature);
        EXPECT_EQ(cut_query(got.target.at, names, values), count);
        for (size_t i = 1; i < count; i++) {
            int order = strcmp(names[i - 1], names[i]);

            EXPECT(order < 0 ||
                   (order == 0 && strcmp(values[i - 1], values[i]) <= 0));
        }
    }
    sign_result_fini(&got);
    sign_result_fini(&again);
    signer_destroy(&s);
}

/* ---- headers ------------------------------------------------------------ */

TEST(headers_are_signed_trimmed_and_by_name)
{
    static const struct sign_pair headers[] = {
        PAIR("x-amz-meta-a-b", "1"), PAIR("X-Amz-Meta-A", "  b \t  c  "),
        PAIR("X-Empty", ""),         PAIR("x-amz-meta-a", "a"),
        PAIR("X-Blank", " \t "),     PAIR("x-amz-meta-a", ""),
    };
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = request();

    r.headers = headers;
    r.header_count = COUNT(headers);
    sign_headers(s, &r, &got);
    EXPECT(strstr(buf_text(&got.canonical),
                  "\nx-amz-date:20130524T000000Z\n"
                  "x-amz-meta-a:b c,a,\n"
                  "x-amz-meta-a-b:1\n"
                  "x-blank:\n"
                  "x-empty:\n\n"
                  "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;"
                  "x-amz-meta-a-b;x-blank;x-empty\n") != NULL);
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(a_value_never_begins_a_header)
{
    static const struct sign_pair header =
        PAIR("If-Match", "\"a\"\r\nX-Evil: 1\n\0b");
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request r = request();

    r.headers = &header;
    r.header_count = 1;
    sign_headers(s, &r, &got);
    EXPECT(strstr(buf_text(&got.headers),
                  "\r\nIf-Match: \"a\"  X-Evil: 1  b\r\n") != NULL);
    EXPECT(strstr(buf_text(&got.canonical), "\nif-match:\"a\" X-Evil: 1 b\n") !=
           NULL);
    sign_presign(s, &r, 1, &got);
    EXPECT(strstr(buf_text(&got.headers), "\nX-Evil") == NULL);
    sign_result_fini(&got);
    signer_destroy(&s);
}

/* ---- keys and dates ----------------------------------------------------- */

/* HMAC hashes a key of more than 64 bytes: "AWS4" and 60. */
TEST(a_secret_may_have_any_length)
{
    static const struct {
        size_t size;
        const char *want;
    } rows[] = {
        {59,
         "e4e332a951ac9fff6d4f998acfd0b069a8e84a7027fd2adbdbdb7f43356b9caf"},
        {60,
         "69e8c98e3ba099da5da92047bd4b7636d535a549681115c02daa09d40bf5b484"},
        {61,
         "4f067a6894157b28be4a441c0c1a9ab30077562bd7872058aea463346b9157fc"},
        {64,
         "8f93bbc18453db4051bf0d05b9a234a458d7dd88ab03727486ef81b2f33ff37f"},
        {65,
         "440ce60b5088789280f9ce7f9bde9497f4725a441ba5a9d46119f386115896a6"},
        {100,
         "a216373132c2ed796f5a30d7a81c0f48a32a8d6d64f34f72217e248f62f6f567"},
    };
    struct signer *s = signer_new();
    struct sign_result got = {0};
    char secret[128];

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sign_request r = request();

        memset(secret, 's', rows[i].size);
        secret[rows[i].size] = '\0';
        r.path = BYTES("/k");
        r.key.secret_key = secret;
        sign_headers(s, &r, &got);
        EXPECT_STR(got.signature, rows[i].want);
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(the_key_is_the_one_of_the_day)
{
    static const uint64_t midnight = UINT64_C(1388534400) * 1000; /* 2014 */
    struct sign_request r = request();

    r.path = BYTES("/k");
    r.wall_ms = midnight - 1;
    expect_signature(&r, "5acbd1962a0257db291353ba026fc230094cd74f280dec79c90c2"
                         "77423158840");
    r.wall_ms = midnight;
    expect_signature(&r, "bd7e333804e2712c2daf75630ab24a519237632fa304c6d33dc9d"
                         "a720da7c5cd");
}

/* One signer that goes from scope to scope and back, against signers that
 * have seen nothing else. */
TEST(a_kept_key_serves_only_its_own_scope)
{
    static const char *const regions[] = {"us-east-1", "eu-west-1", "us-east-"};
    static const char *const services[] = {"s3", "s3express", "1/s3"};
    static const char *const secrets[] = {"a", "b", ""};
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct prng p;

    prng_init(&p, 9);
    for (int round = 0; round < 500; round++) {
        struct sign_request r = request();
        char want[SIGN_HEX_SIZE];

        r.region = regions[prng_below(&p, 3)];
        r.service = services[prng_below(&p, 3)];
        r.key.secret_key = secrets[prng_below(&p, 3)];
        r.wall_ms += prng_below(&p, 2) * 86400000 - prng_below(&p, 2);
        sign_headers(s, &r, &got);
        sign_fresh(&r, want);
        EXPECT_STR(got.signature, want);
    }
    sign_result_fini(&got);
    signer_destroy(&s);
}

TEST(dates_are_those_of_the_calendar)
{
    struct prng p;
    char got[SIGN_DATE_SIZE];
    char want[SIGN_DATE_SIZE + 8];

    prng_init(&p, 10);
    for (int round = 0; round < 5000; round++) {
        time_t at = (time_t)prng_below(&p, UINT64_C(253402300800));
        struct tm tm;

        at -= round % 3 == 0 ? at % 86400 : 0;
        EXPECT(gmtime_r(&at, &tm) != NULL);
        EXPECT(strftime(want, sizeof(want), "%Y%m%dT%H%M%SZ", &tm) > 0);
        sign_date((uint64_t)at * 1000 + prng_below(&p, 1000), got);
        EXPECT_STR(got, want);
    }
    sign_date(0, got);
    EXPECT_STR(got, "19700101T000000Z");
    sign_date(UINT64_C(1709251199) * 1000 + 999, got);
    EXPECT_STR(got, "20240229T235959Z");
    sign_date(UINT64_MAX, got);
    EXPECT_STR(got, "99991231T235959Z");
}

TEST(a_result_is_used_again)
{
    static const struct sign_pair query = PAIR("list-type", "2");
    struct signer *s = signer_new();
    struct sign_result got = {0};
    struct sign_request first = request();
    struct sign_request second = request();
    char want[SIGN_HEX_SIZE];

    first.query = &query;
    first.query_count = 1;
    first.key.token = "token";
    second.key.access_key = NULL;
    sign_fresh(&first, want);
    for (int i = 0; i < 3; i++) {
        sign_headers(s, &first, &got);
        EXPECT_STR(got.signature, want);
        sign_presign(s, &first, 60, &got);
        EXPECT(strcmp(got.signature, want) != 0);
        sign_headers(s, &second, &got);
        EXPECT_STR(got.signature, "");
        EXPECT_EQ(got.to_sign.size, 0);
    }
    sign_result_fini(&got);
    sign_result_fini(&got); /* Nothing is left to free. */
    signer_destroy(&s);
    signer_destroy(&s);
}
