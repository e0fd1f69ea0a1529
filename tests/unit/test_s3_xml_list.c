/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_xml.h"

#include "base/mem.h"
#include "base/prng.h"
#include "tests/harness.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define ROOT                                                                   \
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define END "</ListBucketResult>"
#define URL "<EncodingType>url</EncodingType>"
#define NOT_CUT "<IsTruncated>false</IsTruncated>"
#define CUT "<IsTruncated>true</IsTruncated>"
#define OBJECT(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"

static const char aws[] =
    XML ROOT "<Name>bucket</Name><Prefix>a/</Prefix>"
             "<NextContinuationToken>1ueGcx/XY+hn=</NextContinuationToken>"
             "<KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>" URL CUT
             "<Contents><Key>a/b+c%25.bin</Key>"
             "<LastModified>2026-01-31T12:00:00.000Z</LastModified>"
             "<ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag>"
             "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
             "<ChecksumType>FULL_OBJECT</ChecksumType><Size>11</Size>"
             "<StorageClass>STANDARD</StorageClass></Contents>"
             "<Contents><Key>a/%ED%95%9C</Key>"
             "<LastModified>2026-01-31T12:00:01.000Z</LastModified>"
             "<ETag>&quot;0b2cf535f27731c974343645a3985328-12&quot;</ETag>"
             "<Size>8388609</Size>"
             "<Owner><ID>75aa</ID><DisplayName>me</DisplayName></Owner>"
             "<StorageClass>DEEP_ARCHIVE</StorageClass>"
             "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
             "</RestoreStatus></Contents>" END;

/* The prefix is not coded though the keys are, and holds what XML has not. */
static const char rgw[] = XML ROOT
    "<Name>bucket</Name><Prefix>p &amp;&#x1;</Prefix><MaxKeys>1000</MaxKeys>"
    "<IsTruncated>false</IsTruncated>" URL
    "<Contents><Key>p%20%01%2Fit&apos;s%26&amp;</Key>"
    "<LastModified>2026-01-31T12:00:00.000Z</LastModified>"
    "<ETag>&quot;0a&quot;</ETag><Size>3</Size>"
    "<StorageClass>STANDARD</StorageClass>"
    "<Owner><ID>u</ID><DisplayName>U</DisplayName></Owner>"
    "<Type>Normal</Type></Contents><KeyCount>1</KeyCount>" END;

static const char minio[] = XML ROOT
    "<Name>bucket</Name><Prefix></Prefix><KeyCount>2</KeyCount>"
    "<MaxKeys>1000</MaxKeys><Delimiter>%2F</Delimiter>" NOT_CUT
    "<Contents><Key>k+1</Key>"
    "<LastModified>2026-01-31T12:00:00.000Z</LastModified>"
    "<ETag>&#34;0a-2&#34;</ETag><Size>0</Size>"
    "<StorageClass>STANDARD</StorageClass><UserMetadata></UserMetadata>"
    "</Contents><CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes>" URL END;

static const char seaweed[] =
    XML "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Name>bucket</Name><Prefix>x</Prefix><MaxKeys>1000</MaxKeys>"
        "<IsTruncated>false</IsTruncated><Contents><Key>x y</Key>"
        "<ETag>&#34;0a&#34;</ETag><Size>5</Size><Owner><ID>a</ID></Owner>"
        "<StorageClass>STANDARD</StorageClass>"
        "<LastModified>2026-01-31T12:00:00Z</LastModified></Contents>"
        "<KeyCount>1</KeyCount>" END "\n";

static const char pretty[] =
    XML "<ListBucketResult>\r\n  <IsTruncated>false</IsTruncated>\n"
        "  <Contents>\n\t<Key>a</Key>\n\t<Owner>\n\t  <ID>x</ID>\n\t</Owner>\n"
        "\t<Size>1</Size>\n  </Contents>\n  <CommonPrefixes>\n"
        "    <Prefix>b/</Prefix>\n  </CommonPrefixes>\n</ListBucketResult>\n";

/* ---- helpers ------------------------------------------------------------ */

enum { READER_SCAN = 1, READER_EXPAT = 2, READER_BOTH = 3 };

/* A page in a block of its own size, and what was read from it. */
struct reading {
    char *page;
    size_t size;
    struct s3_list list;
    struct fault why;
    enum status status;
};

static struct reading *reading_of(struct bytes page)
{
    struct reading *r = mem_new(1, sizeof(*r));

    r->page = mem_new(1, page.size + (page.size == 0));
    r->size = page.size;
    if (page.size > 0) {
        memcpy(r->page, page.at, page.size);
    }
    return r;
}

static struct reading *read_bytes(struct bytes page)
{
    struct reading *r = reading_of(page);

    r->status = s3_list_parse(r->page, r->size, &r->why, &r->list);
    EXPECT((r->status == STATUS_OK) == (r->why.text[0] == '\0'));
    return r;
}

static struct reading *read_page(const char *page)
{
    return read_bytes(bytes_of(page));
}

static void reading_free(struct reading *r)
{
    s3_list_fini(&r->list);
    free(r->page);
    free(r);
}

static struct reading *scan_page(const char *page)
{
    struct reading *r = reading_of(bytes_of(page));

    r->status = s3_list_scan(r->page, r->size, &r->list);
    return r;
}

static struct reading *expat_page(const char *page)
{
    struct reading *r = reading_of(bytes_of(page));

    r->status = s3_list_expat(r->page, r->size, &r->why, &r->list);
    return r;
}

/* Objects as "key|size|etag|ms\n", then prefixes, then "> next". */
static void print_list(const struct s3_list *l, struct buf *out)
{
    for (uint32_t i = 0; i < l->object_count; i++) {
        const struct store_object *o = &l->objects[i];

        buf_add_bytes(out, o->key);
        buf_print(out, "|%llu|", (unsigned long long)o->size);
        buf_add_bytes(out, o->etag);
        buf_print(out, "|%llu\n", (unsigned long long)o->modified_ms);
    }
    for (uint32_t i = 0; i < l->prefix_count; i++) {
        buf_add_bytes(out, l->prefixes[i]);
        buf_add_text(out, "\n");
    }
    buf_print(out, "%s%s%s", l->is_truncated ? "> " : "",
              l->is_unordered ? "unordered " : "",
              l->has_archived ? "archived " : "");
    buf_add_bytes(out, l->next);
}

static void expect_list(const struct s3_list *l, const char *want)
{
    struct buf got = {0};

    print_list(l, &got);
    EXPECT_STR(buf_text(&got), want);
    buf_fini(&got);
}

/* ---- pages of servers --------------------------------------------------- */

#define NOON "1769860800000" /* 2026-01-31T12:00:00Z */

struct page_row {
    const char *page;
    const char *want;
    int readers; /* Who reads it as it is. */
};

static const struct page_row page_rows[] = {
    {aws,
     "a/b c%.bin|11|\"9b2cf535f27731c974343645a3985328\"|" NOON "\n"
     "a/\xed\x95\x9c|8388609|\"0b2cf535f27731c974343645a3985328-12\"|"
     "1769860801000\n> archived 1ueGcx/XY+hn=",
     READER_BOTH},
    {rgw, "p \x01/it's&&|3|\"0a\"|" NOON "\n", READER_SCAN},
    {minio, "k 1|0|\"0a-2\"|" NOON "\nd/\n", READER_EXPAT},
    {seaweed, "x y|5|\"0a\"|" NOON "\n", READER_EXPAT},
    {pretty, "a|1||0\nb/\n", READER_BOTH},
    {ROOT END, "", READER_BOTH},
    {"  \n" XML "\n" ROOT NOT_CUT END "\n\n", "", READER_BOTH},
    {ROOT "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>" CUT END,
     "a/\n> ", READER_BOTH},
    /* '+' is itself without EncodingType; NUL bytes only where coded. */
    {ROOT OBJECT("a+b%20") END, "a+b%20|1||0\n", READER_BOTH},
    {ROOT "<EncodingType></EncodingType>" OBJECT("a+b") END, "a+b|1||0\n",
     READER_BOTH},
    /* After the objects, as before them. */
    {ROOT OBJECT("a+b%2B") URL END, "a b+|1||0\n", READER_BOTH},
    {ROOT URL OBJECT("a&#43;b&amp;%26") END, "a b&&|1||0\n", READER_BOTH},
    {ROOT URL OBJECT("%FF%fe+") END, "\xff\xfe |1||0\n", READER_BOTH},
    {ROOT OBJECT("\xed\x95\x9c\xf0\x9f\x98\x80]]&gt;]") END,
     "\xed\x95\x9c\xf0\x9f\x98\x80]]>]|1||0\n", READER_BOTH},
    {ROOT OBJECT("&#x10FFFF;&#xd55c;&#169;&#65;") END,
     "\xf4\x8f\xbf\xbf\xed\x95\x9c\xc2\xa9"
     "A|1||0\n",
     READER_BOTH},
    {ROOT OBJECT("a&#x1;&#31;&#127;b") END,
     "a\x01\x1f\x7f"
     "b|1||0\n",
     READER_SCAN},
    {ROOT OBJECT("a") CUT
     "<NextContinuationToken>a&amp;&#x2;</NextContinuationToken>" END,
     "a|1||0\n> a&\x02", READER_SCAN},
    /* A page may go on after its last key. */
    {ROOT OBJECT("a") CUT END, "a|1||0\n> ", READER_BOTH},
    {ROOT OBJECT("b") OBJECT("a") END, "b|1||0\na|1||0\nunordered ",
     READER_BOTH},
    {ROOT OBJECT("a") OBJECT("a") END, "a|1||0\na|1||0\nunordered ",
     READER_BOTH},
    {ROOT OBJECT("a") OBJECT("\xc3\xa9") END, "a|1||0\n\xc3\xa9|1||0\n",
     READER_BOTH},
    {ROOT "<Contents><ETag>0a</ETag><Size>1</Size><Key>a</Key></Contents>"
          "<Contents><Key>b</Key><Size>1</Size><ETag>W/&quot;a&quot;</ETag>"
          "</Contents><Contents><Key>c</Key><Size>1</Size>"
          "<ETag>&quot;x&amp;y&quot;</ETag></Contents>"
          "<Contents><Key>d</Key><Size>1</Size><ETag></ETag></Contents>" END,
     "a|1|\"0a\"|0\nb|1|W/\"a\"|0\nc|1|\"x&y\"|0\nd|1||0\n", READER_BOTH},
    /* What the scanner leaves alone. */
    {"\xef\xbb\xbf" XML ROOT OBJECT("a") END, "a|1||0\n", READER_EXPAT},
    {"<?xml version='1.0' encoding='UTF-8' standalone='no'?>" ROOT END, "",
     READER_EXPAT},
    {"<?xml version=\"1.0\"?>" ROOT OBJECT("a") END, "a|1||0\n", READER_BOTH},
    {"<?xml version='1.0' encoding='UTF-8'?><ListBucketResult "
     "xmlns='http://doc.s3.amazonaws.com/2006-03-01'>" OBJECT("a") END,
     "a|1||0\n", READER_BOTH},
    {"<ns2:ListBucketResult xmlns:ns2=\"u:x\"><ns2:Contents>"
     "<ns2:Key>a</ns2:Key><Size>1</Size></ns2:Contents>"
     "</ns2:ListBucketResult>",
     "a|1||0\n", READER_EXPAT},
    {ROOT "<!-- <Contents> --><?pi x?><Contents><Key><![CDATA[a<&b]]>c</Key>"
          "<Size>1</Size></Contents>" END,
     "a<&bc|1||0\n", READER_EXPAT},
    {ROOT "<Contents a=\"b\"><Key>a</Key ><Size>1</Size></Contents>" END,
     "a|1||0\n", READER_EXPAT},
    {ROOT "<Prefix/><Contents><Key>a</Key><Size>1</Size><ETag/></Contents>" END,
     "a|1||0\n", READER_EXPAT},
    {ROOT "<Odd><A><B><C><D><E>1</E></D></C></B></A></Odd>" OBJECT("a") END,
     "a|1||0\n", READER_EXPAT},
    {ROOT "<Odd><Contents><Key>no</Key></Contents><Key>no</Key></Odd>"
          "<Key>no</Key>" END,
     "", READER_BOTH},
    {ROOT OBJECT("a\r\nb") END, "a\nb|1||0\n", READER_EXPAT},
};

TEST(pages_of_servers)
{
    for (size_t i = 0; i < COUNT(page_rows); i++) {
        struct reading *r = read_page(page_rows[i].page);

        if (r->status != STATUS_OK) {
            fprintf(stderr, "%s\n%s\n", page_rows[i].page, r->why.text);
        }
        EXPECT_EQ(r->status, STATUS_OK);
        expect_list(&r->list, page_rows[i].want);
        reading_free(r);
    }
}

/* Which of the two reads what: the scanner all that is common. */
TEST(readers_of_pages)
{
    for (size_t i = 0; i < COUNT(page_rows); i++) {
        struct reading *fast = scan_page(page_rows[i].page);
        struct reading *slow = expat_page(page_rows[i].page);
        struct buf a = {0};
        struct buf b = {0};
        int readers = (fast->status == STATUS_OK ? READER_SCAN : 0) |
                      (slow->status == STATUS_OK ? READER_EXPAT : 0);

        if (readers != page_rows[i].readers) {
            fprintf(stderr, "%s: read by %d, want %d\n", page_rows[i].page,
                    readers, page_rows[i].readers);
            exit(1);
        }
        if (readers == READER_BOTH) {
            print_list(&fast->list, &a);
            print_list(&slow->list, &b);
            EXPECT_STR(buf_text(&a), buf_text(&b));
        } else if (readers == READER_EXPAT) {
            EXPECT_EQ(fast->status, STATUS_UNSUPPORTED);
            EXPECT(memcmp(fast->page, page_rows[i].page, fast->size) == 0);
        }
        buf_fini(&a);
        buf_fini(&b);
        reading_free(fast);
        reading_free(slow);
    }
}

/* ---- what is no page ---------------------------------------------------- */

struct refused_row {
    const char *page;
    const char *why; /* A part of it. */
};

static const struct refused_row refused_rows[] = {
    {"", "no element found"},
    {" \n", "no element found"},
    {"nothing", "not XML"},
    {"<html><body>502</body></html>", "another document"},
    {XML "<ListAllMyBucketsResult></ListAllMyBucketsResult>",
     "another document"},
    {ROOT END "x", "not XML"},
    {ROOT END ROOT END, "not XML"},
    {ROOT, "no element found"},
    {"<!DOCTYPE a>" ROOT END, "document type"},
    {"<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b "
     "\"&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;\">]>" ROOT
     "<Name>&c;</Name>" END,
     "document type"},
    {"<!DOCTYPE l SYSTEM \"file:///etc/passwd\">" ROOT END, "document type"},
    {ROOT "<Name>&other;</Name>" END, "undefined entity"},
    {ROOT OBJECT("a&b") END, "not XML"},
    {ROOT OBJECT("a\x01") END, "not XML"},
    {ROOT OBJECT("a\xff") END, "not XML"},
    {ROOT OBJECT("\xed\xa0\x80") END, "not XML"}, /* A surrogate. */
    {ROOT OBJECT("\xef\xbf\xbf") END, "not XML"},
    {ROOT OBJECT("]]>") END, "not XML"},
    {ROOT OBJECT("&#xD800;") END, "not XML"},
    {ROOT OBJECT("&#x110000;") END, "not XML"},
    {ROOT OBJECT("&#0;") END, "not XML"},
    {ROOT OBJECT("&#;") END, "not XML"},
    {ROOT "<Contents><Key>a</Size><Size>1</Key></Contents>" END, "not XML"},
    {ROOT "<Contents><Key>a</Key></Contents>" END, "not as S3 has it"},
    {ROOT "<Contents><Size>1</Size></Contents>" END, "not as S3 has it"},
    {ROOT "<Contents></Contents>" END, "not as S3 has it"},
    {ROOT "<Contents><Key>a</Key><Key>b</Key><Size>1</Size></Contents>" END,
     "not as S3 has it"},
    {ROOT "<Contents><Key>a</Key><Size>1</Size><Size>1</Size>"
          "</Contents>" END,
     "not as S3 has it"},
    {ROOT "<Contents><Key>a<b>c</b></Key><Size>1</Size></Contents>" END,
     "not as S3 has it"},
    {ROOT "<Contents><Key>a</Key><Size>-1</Size></Contents>" END,
     "not as S3 has it"},
    {ROOT "<Contents><Key>a</Key><Size></Size></Contents>" END,
     "not as S3 has it"},
    {ROOT "<Contents><Key>a</Key><Size>1e3</Size></Contents>" END,
     "not as S3 has it"},
    {ROOT "<Contents><Key>a</Key><Size>1000000000000000000</Size>"
          "</Contents>" END,
     "not as S3 has it"},
    {ROOT "<Contents><Key>a</Key><Size>1</Size><ETag>a&#10;b</ETag>"
          "</Contents>" END,
     "not as S3 has it"},
    {ROOT "<IsTruncated>maybe</IsTruncated>" END, "not as S3 has it"},
    {ROOT CUT NOT_CUT END, "not as S3 has it"},
    {ROOT "<EncodingType>gzip</EncodingType>" END, "not as S3 has it"},
    {ROOT URL URL END, "not as S3 has it"},
    {ROOT CUT END, "does not say where it goes on"},
    {ROOT CUT "<NextContinuationToken></NextContinuationToken>" END,
     "does not say where it goes on"},
    {ROOT OBJECT("") END, "empty"},
    {ROOT URL OBJECT("a%00b") END, "NUL"},
    {ROOT URL "<CommonPrefixes><Prefix>%00</Prefix></CommonPrefixes>" END,
     "NUL"},
    {ROOT "<CommonPrefixes><Prefix></Prefix></CommonPrefixes>" END, "empty"},
    {ROOT URL OBJECT("a%2") END, "two hex digits"},
    {ROOT URL OBJECT("a%zz") END, "two hex digits"},
    {ROOT "<!-- -->" URL OBJECT("%") END, "two hex digits"},
};

TEST(pages_that_are_refused)
{
    for (size_t i = 0; i < COUNT(refused_rows); i++) {
        struct reading *r = read_page(refused_rows[i].page);

        if (r->status != STATUS_MALFORMED ||
            strstr(r->why.text, refused_rows[i].why) == NULL) {
            fprintf(stderr, "%s\n%s\n", refused_rows[i].page, r->why.text);
        }
        EXPECT_EQ(r->status, STATUS_MALFORMED);
        EXPECT(strstr(r->why.text, refused_rows[i].why) != NULL);
        reading_free(r);
    }
}

TEST(error_in_place_of_a_page)
{
    static const char page[] =
        XML "<Error><Code>SlowDown</Code><Message>Slow</Message></Error>";
    struct reading *r = read_page(page);
    struct s3_error e;

    EXPECT_EQ(r->status, STATUS_STORE);
    EXPECT(s3_error_parse((struct bytes){r->page, r->size}, &e));
    EXPECT_STR(e.code, "SlowDown");
    reading_free(r);
    r = read_page("<Error><Code>SlowDown</Code>"); /* Cut off. */
    EXPECT_EQ(r->status, STATUS_MALFORMED);
    reading_free(r);
}

static void add_many(struct buf *b, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_text(b, text);
    }
}

static enum status status_of(struct buf *page)
{
    struct reading *r = read_bytes(buf_bytes(page));
    enum status s = r->status;

    reading_free(r);
    buf_fini(page);
    return s;
}

TEST(depth_is_limited)
{
    static const struct {
        size_t depth;
        enum status want;
    } rows[] = {{3, STATUS_OK},
                {4, STATUS_OK},
                {31, STATUS_OK},
                {32, STATUS_MALFORMED},
                {10000, STATUS_MALFORMED}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf page = {0};

        buf_add_text(&page, ROOT);
        add_many(&page, "<a>", rows[i].depth);
        add_many(&page, "</a>", rows[i].depth);
        buf_add_text(&page, END);
        EXPECT_EQ(status_of(&page), rows[i].want);
    }
}

TEST(counts_and_sizes_are_limited)
{
    struct buf page = {0};

    for (size_t extra = 0; extra < 2; extra++) {
        buf_add_text(&page, ROOT);
        add_many(&page, OBJECT("a"), STORE_LIST_MAX + extra);
        buf_add_text(&page, END);
        EXPECT_EQ(status_of(&page), extra ? STATUS_MALFORMED : STATUS_OK);
        buf_add_text(&page, ROOT);
        add_many(&page, "<CommonPrefixes><Prefix>a</Prefix></CommonPrefixes>",
                 STORE_LIST_MAX + extra);
        buf_add_text(&page, END);
        EXPECT_EQ(status_of(&page), extra ? STATUS_MALFORMED : STATUS_OK);
        buf_add_text(&page, ROOT "<Contents><Key>");
        add_many(&page, "k", STORE_KEY_MAX + extra);
        buf_add_text(&page, "</Key><Size>1</Size></Contents>" END);
        EXPECT_EQ(status_of(&page), extra ? STATUS_MALFORMED : STATUS_OK);
        buf_add_text(&page, ROOT END);
        add_many(&page, " ", S3_LIST_BYTES_MAX + extra - page.size);
        EXPECT_EQ(status_of(&page), extra ? STATUS_MALFORMED : STATUS_OK);
    }
}

/* ---- damage ------------------------------------------------------------- */

TEST(no_part_of_a_page_is_a_page)
{
    for (size_t i = 0; i < COUNT(page_rows); i++) {
        size_t size = strlen(page_rows[i].page);

        while (size > 0 && page_rows[i].page[size - 1] == '\n') {
            size--;
        }
        while (size-- > 0) {
            struct reading *r =
                read_bytes((struct bytes){page_rows[i].page, size});

            EXPECT_EQ(r->status, STATUS_MALFORMED);
            reading_free(r);
        }
    }
}

/* Where the two disagree it must be about what only the scanner reads. */
static void expect_agreement(struct bytes page)
{
    struct reading *fast = reading_of(page);
    struct reading *slow = reading_of(page);
    struct buf a = {0};
    struct buf b = {0};

    fast->status = s3_list_scan(fast->page, page.size, &fast->list);
    slow->status =
        s3_list_expat(slow->page, page.size, &slow->why, &slow->list);
    if (fast->status == STATUS_OK && slow->status == STATUS_OK) {
        print_list(&fast->list, &a);
        print_list(&slow->list, &b);
        EXPECT_STR(buf_text(&a), buf_text(&b));
    } else if (fast->status == STATUS_OK) {
        EXPECT(memmem(page.at, page.size, "&#", 2) != NULL);
    } else if (fast->status == STATUS_UNSUPPORTED) {
        EXPECT(memcmp(fast->page, page.at, page.size) == 0);
    } else {
        EXPECT_EQ(fast->status, STATUS_MALFORMED);
        EXPECT_EQ(slow->status, STATUS_MALFORMED);
    }
    buf_fini(&a);
    buf_fini(&b);
    reading_free(fast);
    reading_free(slow);
}

TEST(damaged_pages)
{
    static const char *const pages[] = {aws, rgw, minio, seaweed, pretty};
    static const char bytes[] = "<>&;/% \n\"'aK]0\x01\xff";
    struct prng p;

    prng_init(&p, 20260131);
    for (size_t i = 0; i < 10000; i++) {
        const char *from = pages[i % COUNT(pages)];
        size_t size = strlen(from);
        char *page = mem_copy_text(from, size);
        uint64_t count = 1 + prng_below(&p, 3);

        while (count-- > 0) {
            page[prng_below(&p, size)] =
                prng_chance(&p, 1, 2) ? bytes[prng_below(&p, sizeof(bytes))]
                                      : (char)prng_below(&p, 256);
        }
        expect_agreement((struct bytes){page, size});
        reading_free(read_bytes((struct bytes){page, size}));
        free(page);
    }
}

/* Keys of any bytes, coded as a server may code them. */
TEST(keys_come_back)
{
    struct prng p;

    prng_init(&p, 7);
    for (size_t i = 0; i < 3000; i++) {
        struct buf page = {0};
        char key[24];
        size_t size = 1 + prng_below(&p, sizeof(key) - 1);
        struct reading *r;

        buf_add_text(&page, ROOT "<Contents><Key>");
        for (size_t j = 0; j < size; j++) {
            key[j] = (char)(1 + prng_below(&p, 255));
            buf_print(&page, j % 2 ? "%%%02X" : "%%%02x",
                      (unsigned char)key[j]);
        }
        buf_add_text(&page, "</Key><Size>1</Size></Contents>" URL END);
        r = read_bytes(buf_bytes(&page));
        EXPECT_EQ(r->status, STATUS_OK);
        EXPECT(
            bytes_is_equal(r->list.objects[0].key, (struct bytes){key, size}));
        reading_free(r);
        buf_fini(&page);
    }
}

TEST(a_list_is_used_again)
{
    struct reading *r = read_page(seaweed);
    char *page = mem_copy(ROOT END);

    EXPECT_EQ(s3_list_parse(page, strlen(page), NULL, &r->list), STATUS_OK);
    expect_list(&r->list, "");
    free(page);
    page = mem_copy(minio);
    EXPECT_EQ(s3_list_parse(page, strlen(page), NULL, &r->list), STATUS_OK);
    expect_list(&r->list, "k 1|0|\"0a-2\"|" NOON "\nd/\n");
    free(page);
    reading_free(r);
}
