/* SPDX-License-Identifier: Apache-2.0 */
/* Small answers and times; pages of listings are in test_s3_xml_list.c. */
#include "store/s3_xml.h"

#include <time.h>

#include "tests/harness.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void expect_bytes(struct bytes got, const char *want)
{
    if (!bytes_is(got, want)) {
        fprintf(stderr, "\"%.*s\", want \"%s\"\n", (int)got.size, got.at, want);
        exit(1);
    }
}

static void add_many(struct buf *b, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_text(b, text);
    }
}

/* ---- error documents ---------------------------------------------------- */

TEST(errors_are_read)
{
    struct s3_error e;

    EXPECT(s3_error_parse(
        BYTES("  \n" XML
              "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong\n"
              "region &lt;x&gt;</Message><Region>eu-west-1</Region>"
              "<Endpoint>b.s3.amazonaws.com</Endpoint><Bucket>b</Bucket>"
              "<StorageClass>GLACIER</StorageClass>"
              "<ServerTime>2026-01-31T12:00:00Z</ServerTime>"
              "<RequestId>44</RequestId><HostId>h</HostId></Error>"),
        &e));
    EXPECT_STR(e.code, "AuthorizationHeaderMalformed");
    EXPECT_STR(e.message, "wrong region <x>");
    EXPECT_STR(e.region, "eu-west-1");
    EXPECT_STR(e.endpoint, "b.s3.amazonaws.com");
    EXPECT_STR(e.bucket, "b");
    EXPECT_STR(e.storage_class, "GLACIER");
    EXPECT_STR(e.server_time, "2026-01-31T12:00:00Z");
    EXPECT_STR(e.request_id, "44");
}

TEST(errors_of_others)
{
    static const struct {
        const char *body;
        const char *code; /* NULL: none is found. */
        const char *message;
    } rows[] = {
        {"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
         "<Error><Type>Sender</Type><Code>ExpiredToken</Code>"
         "<Message>old</Message></Error><RequestId>6</RequestId>"
         "</ErrorResponse>",
         "ExpiredToken", "old"},
        /* Keys as they are, in a form that XML does not have. */
        {"<Error><Code>NoSuchKey</Code><Key>a&#x1;\x02</Key>"
         "<Message>m</Message></Error>",
         "NoSuchKey", "m"},
        {"<s:Error xmlns:s='x'><s:Code>A</s:Code></s:Error>", "A", ""},
        {"<Error><Message>m</Message></Error>", NULL, ""},
        {"<Error><Code>A</Code>", NULL, ""},
        {"<!DOCTYPE e><Error><Code>A</Code></Error>", NULL, ""},
        {"<html><Error><Code>A</Code></Error></html>", NULL, ""},
        {"{\"message\": \"Forbidden\"}", NULL, ""},
        {"", NULL, ""},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct s3_error e;
        bool is_found = s3_error_parse(bytes_of(rows[i].body), &e);

        EXPECT_EQ(is_found, rows[i].code != NULL);
        EXPECT_STR(e.code, is_found ? rows[i].code : "");
        if (is_found) {
            EXPECT_STR(e.message, rows[i].message);
        }
    }
}

TEST(long_texts_of_errors_are_cut)
{
    struct buf body = {0};
    struct s3_error e;

    buf_add_text(&body, "<Error><Code>");
    add_many(&body, "c", S3_CODE_MAX);
    buf_add_text(&body, "</Code><Message>");
    add_many(&body, "\xed\x95\x9c", S3_TEXT_MAX);
    buf_add_text(&body, "</Message></Error>");
    EXPECT(s3_error_parse(buf_bytes(&body), &e));
    EXPECT_EQ(strlen(e.code), S3_CODE_MAX - 1);
    EXPECT_EQ(strlen(e.message), (S3_TEXT_MAX - 1) / 3 * 3); /* Whole ones. */
    add_many(&body, " ", S3_XML_BYTES_MAX - body.size);
    EXPECT(s3_error_parse(buf_bytes(&body), &e));
    buf_add_text(&body, " ");
    EXPECT(!s3_error_parse(buf_bytes(&body), &e));
    buf_fini(&body);
}

/* ---- small answers ------------------------------------------------------ */

TEST(texts_by_path)
{
    static const char begun[] =
        XML "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/"
            "doc/2006-03-01/\"><Bucket>b</Bucket><Key>k</Key>"
            "<UploadId>VX&amp;1~_</UploadId></InitiateMultipartUploadResult>";
    static const struct {
        const char *body;
        const char *path;
        enum status want;
        const char *text;
    } rows[] = {
        {begun, "InitiateMultipartUploadResult/UploadId", STATUS_OK, "VX&1~_"},
        {begun, "InitiateMultipartUploadResult/Upload", STATUS_NOT_FOUND, ""},
        {begun, "UploadId", STATUS_NOT_FOUND, ""},
        {begun, "InitiateMultipartUploadResult/UploadId/x", STATUS_NOT_FOUND,
         ""},
        {"<a><b>1</b><b>2</b></a>", "a/b", STATUS_OK, "1"},
        {"<a>x<b>1</b>y</a>", "a", STATUS_OK, "xy"},
        {"<a><b><c>1</c></b><c>2</c></a>", "a/c", STATUS_OK, "2"},
        {"\n\n  <a><b></b></a>", "a/b", STATUS_OK, ""},
        {"<n:a xmlns:n='x'><n:b>1</n:b></n:a>", "a/b", STATUS_OK, "1"},
        {"<LocationConstraint>eu-west-1</LocationConstraint>",
         "LocationConstraint", STATUS_OK, "eu-west-1"},
        {"<Error><Code>X</Code></Error>", "a/b", STATUS_STORE, ""},
        {"<ErrorResponse></ErrorResponse>", "a/b", STATUS_STORE, ""},
        {"   ", "a/b", STATUS_MALFORMED, ""},
        {"<a><b>1</b>", "a/b", STATUS_MALFORMED, ""},
        {"<a><b>1</b></a>x", "a/b", STATUS_MALFORMED, ""},
        {"<!DOCTYPE a [<!ENTITY x 'y'>]><a><b>&x;</b></a>", "a/b",
         STATUS_MALFORMED, ""},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fault why = {""};
        struct buf out = {0};
        enum status s;

        buf_add_text(&out, "+");
        s = s3_xml_text(bytes_of(rows[i].body), rows[i].path, &why, &out);
        EXPECT_EQ(s, rows[i].want);
        EXPECT((s == STATUS_OK) == (why.text[0] == '\0'));
        EXPECT_EQ(buf_text(&out)[0], '+');
        expect_bytes((struct bytes){out.at + 1, out.size - 1}, rows[i].text);
        buf_fini(&out);
    }
}

struct seen {
    struct buf text;
    const char *stop; /* At this key. */
};

static enum status see(void *self, const struct s3_xml_child *children,
                       size_t count, struct fault *why)
{
    struct seen *seen = self;
    struct bytes key = s3_xml_child(children, count, "Key");

    buf_add_bytes(&seen->text, key);
    buf_add_text(&seen->text, "=");
    buf_add_bytes(&seen->text, s3_xml_child(children, count, "Code"));
    buf_print(&seen->text, "(%zu)", count);
    return seen->stop != NULL && bytes_is(key, seen->stop)
               ? fault_set(why, STATUS_NO_SPACE, "full")
               : STATUS_OK;
}

TEST(elements_by_path)
{
    static const struct {
        const char *body;
        const char *stop;
        enum status want;
        const char *seen;
    } rows[] = {
        {"<R><E><Key>a</Key><Code>1</Code></E><D><Key>no</Key></D>"
         "<E><Code>2</Code><X><Key>no</Key></X><Key>b</Key></E><E></E></R>",
         NULL, STATUS_OK, "a=1(2)b=2(3)=(0)"},
        {"<R><E><Key>a</Key></E><E><Key>b</Key></E></R>", "a", STATUS_NO_SPACE,
         "a=(1)"},
        {"<R></R>", NULL, STATUS_OK, ""},
        {"<R><E><x:>a</x:><x:Key>b</x:Key></E></R>", NULL, STATUS_OK, "b=(2)"},
        {"<S><E><Key>a</Key></E></S>", NULL, STATUS_OK, ""},
        {"<R><E><Key>a</Key></E>", NULL, STATUS_MALFORMED, "a=(1)"},
        {"<Error><E><Key>a</Key></E></Error>", NULL, STATUS_STORE, ""},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen = {.stop = rows[i].stop};
        struct fault why = {""};
        enum status s =
            s3_xml_each(bytes_of(rows[i].body), "R/E", see, &seen, &why);

        EXPECT_EQ(s, rows[i].want);
        EXPECT((s == STATUS_OK) == (why.text[0] == '\0'));
        EXPECT_STR(buf_text(&seen.text), rows[i].seen);
        buf_fini(&seen.text);
    }
}

TEST(children_are_limited)
{
    struct seen seen = {.stop = NULL};
    struct buf body = {0};

    buf_add_text(&body, "<R><E>");
    add_many(&body, "<x>y</x>", S3_XML_CHILDREN_MAX + 1);
    buf_add_text(&body, "</E></R>");
    EXPECT_EQ(s3_xml_each(buf_bytes(&body), "R/E", see, &seen, NULL),
              STATUS_OK);
    EXPECT_STR(buf_text(&seen.text), "=(16)");
    buf_fini(&body);
    buf_fini(&seen.text);
}

TEST(texts_are_escaped)
{
    struct buf out = {0};
    struct buf back = {0};
    struct bytes raw = BYTES("a<b>&\"'\t\r\n\x7f\x01\xed\x95\x9c");

    s3_xml_escape(raw, &out);
    EXPECT_STR(buf_text(&out), "a&lt;b&gt;&amp;&quot;&apos;&#x9;&#xD;&#xA;"
                               "&#x7F;&#x1;\xed\x95\x9c");
    buf_clear(&out);
    raw.size -= 4; /* expat reads no reference to a control character. */
    buf_add_text(&out, "<a>");
    s3_xml_escape(raw, &out);
    buf_add_text(&out, "</a>");
    EXPECT_EQ(s3_xml_text(buf_bytes(&out), "a", NULL, &back), STATUS_OK);
    EXPECT(bytes_is_equal(buf_bytes(&back), raw));
    buf_fini(&out);
    buf_fini(&back);
}

/* ---- times -------------------------------------------------------------- */

TEST(times_of_iso)
{
    static const struct {
        const char *text;
        uint64_t want;
    } rows[] = {
        {"2026-01-31T12:00:00.000Z", 1769860800000},
        {"2026-01-31T12:00:00.123Z", 1769860800123},
        {"2026-01-31T12:00:00.5Z", 1769860800500},
        {"2026-01-31T12:00:00.123456789123456Z", 1769860800123},
        {"2026-01-31T12:00:00Z", 1769860800000},
        {"2026-01-31T12:00:00", 1769860800000},
        {"2026-01-31T21:00:00+09:00", 1769860800000},
        {"2026-01-31T06:30:00.000-05:30", 1769860800000},
        {"1970-01-01T00:00:01Z", 1000},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"2024-02-29T23:59:60Z", 1709251200000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T01:00:00+02:00", 0},
        {"1969-12-31T23:59:59Z", 0},
        {"2026-02-29T00:00:00Z", 0},
        {"2100-02-29T00:00:00Z", 0},
        {"2026-00-10T00:00:00Z", 0},
        {"2026-13-10T00:00:00Z", 0},
        {"2026-01-00T00:00:00Z", 0},
        {"2026-01-31T24:00:00Z", 0},
        {"2026-01-31T12:60:00Z", 0},
        {"2026-01-31T12:00:61Z", 0},
        {"2026-01-31 12:00:00Z", 0},
        {"2026/01/31T12:00:00Z", 0},
        {"2026-01-31T12.00.00Z", 0},
        {"2026-01-31T12:00:00z", 0},
        {"2026-01-31T12:00:00ZZ", 0},
        {"2026-01-31T12:00:00+0900", 0},
        {"2026-01-31T12:00:00+24:00", 0},
        {"2026-01-31T12:00:0", 0},
        {"2026-01-3xT12:00:00Z", 0},
        {"2o26-01-31T12:00:00Z", 0},
        {"", 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        EXPECT_EQ(s3_time_iso(bytes_of(rows[i].text)), rows[i].want);
    }
}

TEST(times_of_http)
{
    static const struct {
        const char *text;
        uint64_t want;
    } rows[] = {
        {"Sat, 31 Jan 2026 12:00:00 GMT", 1769860800000},
        {"Thu, 01 Jan 1970 00:00:01 GMT", 1000},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799000},
        {"Sat, 31 Jan 2026 12:00:00 UTC", 0},
        {"Sat, 31 jan 2026 12:00:00 GMT", 0},
        {"Sat, 31 Feb 2026 12:00:00 GMT", 0},
        {"Sat, 1 Jan 2026 12:00:00 GMT", 0},
        {"Saturday, 31-Jan-26 12:00:00 GMT", 0},
        {"", 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        EXPECT_EQ(s3_time_http(bytes_of(rows[i].text)), rows[i].want);
    }
}

/* Every day of four centuries, against the C library. */
TEST(times_of_the_calendar)
{
    for (int64_t day = 1; day < 146097; day++) {
        time_t at = (time_t)(day * 86400 + day % 86400);
        struct tm tm;
        char text[64];

        EXPECT(gmtime_r(&at, &tm) != NULL);
        EXPECT(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        EXPECT_EQ(s3_time_iso(bytes_of(text)), (uint64_t)at * 1000);
    }
}
