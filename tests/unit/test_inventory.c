/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/inventory.h"

#include "base/buf.h"
#include "base/mem.h"
#include "tests/harness.h"

#define MD5 "0123456789abcdef0123456789ABCDEF"
#define HEAD                                                                   \
    "{\"sourceBucket\":\"src\",\"destinationBucket\":\"arn:aws:s3:::dest\","   \
    "\n\"version\":\"2016-11-30\",\"creationTimestamp\":\"1514944800000\",\n"
#define SCHEMA "\"fileSchema\":\"Bucket, Key, Size, ETag\",\n"
#define FILES                                                                  \
    "\"files\":[{\"key\":\"p/src/c/data/1.csv.gz\",\"size\":2147,"             \
    "\"MD5checksum\":\"" MD5 "\"}]}"
#define CSV "\"fileFormat\":\"CSV\","

TEST(a_manifest)
{
    struct inventory i;
    struct fault why;

    EXPECT_EQ(
        inventory_parse(bytes_of(HEAD CSV SCHEMA FILES), "m.json", &why, &i),
        STATUS_OK);
    EXPECT_STR(i.source, "src");
    EXPECT_STR(i.destination, "dest");
    EXPECT_EQ(i.created_ms, 1514944800000);
    EXPECT_EQ(i.schema.count, 4);
    EXPECT_EQ(i.schema.at[INVENTORY_BUCKET], 0);
    EXPECT_EQ(i.schema.at[INVENTORY_KEY], 1);
    EXPECT_EQ(i.schema.at[INVENTORY_SIZE], 2);
    EXPECT_EQ(i.schema.at[INVENTORY_ETAG], 3);
    EXPECT_EQ(i.schema.at[INVENTORY_VERSION], -1);
    EXPECT_EQ(i.file_count, 1);
    EXPECT_STR(i.files[0].key, "p/src/c/data/1.csv.gz");
    EXPECT_EQ(i.files[0].size, 2147);
    EXPECT_STR(i.files[0].md5, "0123456789abcdef0123456789abcdef");
    inventory_fini(&i);
    EXPECT(i.files == NULL && i.source == NULL);
}

TEST(other_ways_to_write_it)
{
    struct inventory i;
    struct fault why;

    EXPECT_EQ(
        inventory_parse(
            bytes_of("{\"sourceBucket\":\"s\",\"destinationBucket\":\"d\","
                     "\"creationTimestamp\":5,\"fileFormat\":\"CSV\","
                     "\"fileSchema\":\"Key,IsLatest, Future ,VersionId,"
                     "IsDeleteMarker\",\"files\":[],\"more\":{}}"),
            "m.json", &why, &i),
        STATUS_OK);
    EXPECT_STR(i.destination, "d");
    EXPECT_EQ(i.created_ms, 5);
    EXPECT_EQ(i.schema.count, 5);
    EXPECT_EQ(i.schema.at[INVENTORY_BUCKET], -1);
    EXPECT_EQ(i.schema.at[INVENTORY_KEY], 0);
    EXPECT_EQ(i.schema.at[INVENTORY_IS_LATEST], 1);
    EXPECT_EQ(i.schema.at[INVENTORY_VERSION], 3);
    EXPECT_EQ(i.schema.at[INVENTORY_IS_DELETE_MARKER], 4);
    EXPECT_EQ(i.file_count, 0);
    inventory_fini(&i);
}

#define NONE "; it is no manifest of an S3 Inventory"
#define FILE_WRONG                                                             \
    "a file has no key, size and MD5checksum as they must be" NONE

TEST(bad_manifests)
{
    static const struct {
        const char *text;
        enum status status;
        const char *fault;
    } rows[] = {
        {"{", STATUS_MALFORMED, NULL},
        {"[]", STATUS_INVALID, "m.json:1: it is not an object" NONE},
        {"{}", STATUS_INVALID,
         "m.json:1: \"fileFormat\" is missing or no text" NONE},
        {HEAD "\"fileFormat\":\"ORC\"," SCHEMA FILES, STATUS_UNSUPPORTED,
         "m.json:3: the inventory's files are ORC, which is not served; make "
         "the inventory as CSV"},
        {HEAD "\"fileFormat\":\"Parquet\"," SCHEMA FILES, STATUS_UNSUPPORTED,
         "m.json:3: the inventory's files are Parquet, which is not served; "
         "make the inventory as CSV"},
        {HEAD CSV FILES, STATUS_INVALID,
         "m.json:1: \"fileSchema\" is missing or no text" NONE},
        {HEAD CSV "\"fileSchema\":\"Bucket, Size\"," FILES, STATUS_INVALID,
         "m.json:3: \"fileSchema\" has no column Key" NONE},
        {HEAD CSV "\"fileSchema\":\"Bucket, Key, Key\"," FILES, STATUS_INVALID,
         "m.json:3: \"fileSchema\" repeats a column or has too many" NONE},
        {HEAD CSV "\"fileSchema\":\"Bucket,,Key\"," FILES, STATUS_INVALID,
         "m.json:3: \"fileSchema\" repeats a column or has too many" NONE},
        {HEAD CSV SCHEMA "\"files\":{}}", STATUS_INVALID,
         "m.json:4: \"files\" is missing or no list" NONE},
        {HEAD CSV SCHEMA "\"files\":[5]}", STATUS_INVALID,
         "m.json:4: \"key\" is missing or no text" NONE},
        {HEAD CSV SCHEMA "\"files\":[{\"key\":\"a\"}]}", STATUS_INVALID,
         "m.json:4: \"MD5checksum\" is missing or no text" NONE},
        {HEAD CSV SCHEMA "\"files\":[{\"key\":\"a\",\"size\":-1,"
                         "\"MD5checksum\":\"" MD5 "\"}]}",
         STATUS_INVALID, "m.json:4: " FILE_WRONG},
        {HEAD CSV SCHEMA "\"files\":[{\"key\":\"a\",\"size\":1,"
                         "\"MD5checksum\":\"" MD5 "0\"}]}",
         STATUS_INVALID, "m.json:4: " FILE_WRONG},
        {HEAD CSV SCHEMA "\"files\":[{\"key\":\"a\\u0000\",\"size\":1,"
                         "\"MD5checksum\":\"" MD5 "\"}]}",
         STATUS_INVALID, "m.json:4: \"key\" is missing or no text" NONE},
        {"{\"fileFormat\":\"CSV\",\"sourceBucket\":5}", STATUS_INVALID,
         "m.json:1: \"sourceBucket\" is missing or no text" NONE},
        {"{\"fileFormat\":\"CSV\",\"sourceBucket\":\"b\","
         "\"destinationBucket\":\"d\",\"creationTimestamp\":\"now\"}",
         STATUS_INVALID,
         "m.json:1: \"creationTimestamp\" is missing or no count of "
         "milliseconds" NONE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct inventory out;
        struct fault why = {.text = ""};

        EXPECT_EQ(inventory_parse(bytes_of(rows[i].text), "m.json", &why, &out),
                  rows[i].status);
        if (rows[i].fault != NULL) {
            EXPECT_STR(why.text, rows[i].fault);
        }
        EXPECT(out.files == NULL && out.source == NULL);
    }
}

/* The row of a list of fields "a|b|c". */
static struct csv_row row_of(char *text)
{
    struct csv_row row = {.number = 7};

    while (text != NULL) {
        char *bar = strchr(text, '|');

        row.fields[row.count++] = (struct csv_field){
            text, bar != NULL ? (size_t)(bar - text) : strlen(text)};
        text = bar != NULL ? bar + 1 : NULL;
    }
    return row;
}

TEST(rows)
{
    /* Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag */
    static const struct inventory_schema schema = {7, {0, 1, 2, 3, 4, 5, 6}};
    static const struct {
        const char *row;
        const char *want; /* "key version size etag", "skipped", a fault. */
    } rows[] = {
        {"b|k|v|true|false|12|e1", "b k v 12 e1"},
        {"b|a%20b||TRUE|False|0|", "b a%20b  0 "},
        {"b|k||true|false||\"e-2\"", "b k  - e-2"},
        {"b|k|v|false|false|12|e1", "skipped"},
        {"b|k|v|true|true||", "skipped"},
        {"b|k|v|true|false|9999999999999999999|e",
         "b k v 9999999999999999999 e"},
        {"b|k|v|true|false|99999999999999999999|e",
         "row 7: Size \"99999999999999999999\" is no count of bytes"},
        {"b|k|v|true|false|-1|e", "row 7: Size \"-1\" is no count of bytes"},
        {"b|k|v||false|1|e", "row 7: IsLatest \"\" is not true or false"},
        {"b|k|v|true|maybe|1|e",
         "row 7: IsDeleteMarker \"maybe\" is not true or false"},
        {"b|k|v|true|false|1|e e", "row 7: ETag or VersionId is none"},
        {"b|k|v|true|false|1|\"e2", "row 7: ETag or VersionId is none"},
        {"b|k|v\"|true|false|1|e", "row 7: ETag or VersionId is none"},
        {"|k|v|true|false|1|e", "row 7: \"\" is no bucket's name"},
        {"b,c|k|v|true|false|1|e", "row 7: \"b,c\" is no bucket's name"},
        {"b|k|v|true|false|1", "row 7: it has 6 columns, not 7"},
        {"b|k|v|true|false|1|e|", "row 7: it has 8 columns, not 7"},
    };
    struct buf got = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *text = mem_copy(rows[i].row);
        struct csv_row row = row_of(text);
        struct inventory_row out;
        struct fault why = {.text = ""};

        buf_clear(&got);
        if (inventory_read_row(&schema, &row, &why, &out) != STATUS_OK) {
            buf_add_text(&got, why.text);
        } else if (out.is_skipped) {
            buf_add_text(&got, "skipped");
        } else {
            buf_add_bytes(&got, out.bucket);
            buf_print(&got, " %.*s ", (int)out.key.size, out.key.at);
            buf_add_bytes(&got, out.version);
            buf_print(&got, out.has_size ? " %llu " : " - ",
                      (unsigned long long)out.size);
            buf_add_bytes(&got, out.etag);
        }
        EXPECT_STR(buf_text(&got), rows[i].want);
        free(text);
    }
    buf_fini(&got);
}

TEST(batch_manifests)
{
    static const struct {
        const char *row;
        enum status status;
    } rows[] = {
        {"b|k", STATUS_OK},
        {"b|k|v", STATUS_OK},
        {"b", STATUS_INVALID},
        {"b|k|v|succeeded", STATUS_INVALID},
        {"Bucket|Key", STATUS_INVALID},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *text = mem_copy(rows[i].row);
        struct csv_row row = row_of(text);
        struct inventory_schema schema;
        struct inventory_row out;
        struct fault why = {.text = ""};

        EXPECT_EQ(inventory_batch_schema(&row, &why, &schema), rows[i].status);
        EXPECT((rows[i].status == STATUS_OK) == (why.text[0] == '\0'));
        if (rows[i].status == STATUS_OK) {
            EXPECT_EQ(inventory_read_row(&schema, &row, &why, &out), STATUS_OK);
            EXPECT(!out.has_size && !out.is_skipped && out.etag.size == 0);
            EXPECT(bytes_is(out.bucket, "b"));
            EXPECT(bytes_is(out.version, row.count == 3 ? "v" : ""));
        }
        free(text);
    }
}

TEST(dates)
{
    static const struct {
        uint64_t seconds;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782399, "2000-02-28T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {951868800, "2000-03-01T00:00:00Z"},
        {1514944800, "2018-01-03T02:00:00Z"},
        {1735689599, "2024-12-31T23:59:59Z"},
        {4107542400, "2100-03-01T00:00:00Z"},
        {4107542399, "2100-02-28T23:59:59Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {18446744073709551, "9999-12-31T14:25:51Z"},
    };
    char out[INVENTORY_DATE_SIZE];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t ms = i + 1 < sizeof(rows) / sizeof(*rows)
                          ? rows[i].seconds * 1000 + 999
                          : UINT64_MAX;

        EXPECT_STR(inventory_date(ms, out), rows[i].want);
    }
}

TEST(folders_and_checksums)
{
    char md5[INVENTORY_MD5_SIZE];

    EXPECT(inventory_is_folder(BYTES("2026-01-31T12-00Z")));
    EXPECT(!inventory_is_folder(BYTES("2026-01-31T12:00Z")));
    EXPECT(!inventory_is_folder(BYTES("2026-01-31T12-00Z/")));
    EXPECT(!inventory_is_folder(BYTES("data")));
    EXPECT(inventory_read_checksum(BYTES(MD5 "\n"), md5));
    EXPECT_STR(md5, "0123456789abcdef0123456789abcdef");
    EXPECT(inventory_read_checksum(BYTES(MD5 "  manifest.json\n"), md5));
    EXPECT(!inventory_read_checksum(BYTES("0" MD5), md5));
    EXPECT(!inventory_read_checksum(BYTES(""), md5));
    EXPECT(!inventory_read_checksum(BYTES("x123456789abcdef0123456789abcdef"),
                                    md5));
}
