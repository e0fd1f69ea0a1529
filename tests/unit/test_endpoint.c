/* SPDX-License-Identifier: Apache-2.0 */
#include "store/endpoint.h"
#include "tests/harness.h"

/* What a row sets in the input; all else is as in a new set-up. */
enum {
    DUAL = 1,
    FIPS = 2,
    FAST = 4, /* Accelerate. */
    PATH = 8,
    HOSTED = 16,
    OWN_REGION = 32, /* Not the ARN's. */
    LEGACY = 64,     /* us-east-1 is the global endpoint. */
    NO_POINTS = 128,
    CONTROL = 256, /* Of directory buckets. */
};

struct row {
    const char *bucket;
    const char *region;
    const char *endpoint;
    unsigned set;
    const char *origin; /* For rows that fail: a part of the fault. */
    const char *path;
    const char *sign; /* "region service" */
};

static void input_of(const struct row *r, struct endpoint_input *in)
{
    *in = (struct endpoint_input){
        .bucket = r->bucket,
        .region = r->region,
        .endpoint = r->endpoint,
        .addressing = (r->set & PATH) != 0     ? AWS_ADDRESSING_PATH
                      : (r->set & HOSTED) != 0 ? AWS_ADDRESSING_VIRTUAL
                                               : AWS_ADDRESSING_AUTO,
        .uses_dualstack = (r->set & DUAL) != 0,
        .uses_fips = (r->set & FIPS) != 0,
        .uses_accelerate = (r->set & FAST) != 0,
        .uses_arn_region = (r->set & OWN_REGION) == 0,
        .is_us_east_1_regional = (r->set & LEGACY) == 0,
        .has_no_access_points = (r->set & NO_POINTS) != 0,
        .uses_express_control = (r->set & CONTROL) != 0,
    };
}

static void good(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *r = &rows[i];
        struct endpoint_input in;
        struct endpoint e;
        struct fault why = {.text = ""};
        char sign[128];
        const char *host;

        input_of(r, &in);
        if (endpoint_resolve(&in, &why, &e) != STATUS_OK) {
            fprintf(stderr, "row %zu: %s\n", i, why.text);
            exit(1);
        }
        EXPECT_STR(why.text, "");
        EXPECT_STR(e.origin, r->origin);
        EXPECT_STR(e.path, r->path);
        snprintf(sign, sizeof(sign), "%s %s", e.region, e.service);
        EXPECT_STR(sign, r->sign);
        host = strstr(e.origin, "://") + 3;
        EXPECT_STR(e.host, host);
        EXPECT_EQ(e.is_tls, strncmp(e.origin, "https:", 6) == 0);
        EXPECT_EQ(e.is_custom, r->endpoint != NULL);
        EXPECT_EQ(e.is_express, strcmp(e.service, "s3express") == 0 &&
                                    (r->set & CONTROL) == 0);
    }
}

static void bad(enum status want, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct endpoint_input in;
        struct endpoint e;
        struct fault why = {.text = ""};
        enum status s;

        input_of(&rows[i], &in);
        s = endpoint_resolve(&in, &why, &e);
        if (s != want || strstr(why.text, rows[i].origin) == NULL) {
            fprintf(stderr, "row %zu: %s %s, want %s with \"%s\"\n", i,
                    status_name(s), s == STATUS_OK ? e.origin : why.text,
                    status_name(want), rows[i].origin);
            exit(1);
        }
    }
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define EW "eu-west-1"
#define EW_S3 "eu-west-1 s3"
#define UE_S3 "us-east-1 s3"
#define AWS ".amazonaws.com"

/* ---- on AWS ------------------------------------------------------------- */

TEST(aws_names_stand_in_the_host)
{
    static const struct row rows[] = {
        {"bucket", EW, 0, 0, "https://bucket.s3.eu-west-1" AWS, "", EW_S3},
        {"b-1", EW, 0, HOSTED, "https://b-1.s3.eu-west-1" AWS, "", EW_S3},
        {"bucket", EW, 0, PATH, "https://s3.eu-west-1" AWS, "/bucket", EW_S3},
        {NULL, EW, 0, 0, "https://s3.eu-west-1" AWS, "", EW_S3},
        {"bucket", EW, 0, DUAL, "https://bucket.s3.dualstack.eu-west-1" AWS, "",
         EW_S3},
        {"bucket", EW, 0, DUAL | PATH, "https://s3.dualstack.eu-west-1" AWS,
         "/bucket", EW_S3},
        {"bucket", "us-east-2", 0, FIPS, "https://bucket.s3-fips.us-east-2" AWS,
         "", "us-east-2 s3"},
        {"bucket", "us-east-2", 0, FIPS | DUAL,
         "https://bucket.s3-fips.dualstack.us-east-2" AWS, "", "us-east-2 s3"},
        {"bucket", "us-east-1", 0, 0, "https://bucket.s3.us-east-1" AWS, "",
         UE_S3},
        {"bucket", "us-east-1", 0, LEGACY, "https://bucket.s3" AWS, "", UE_S3},
        {"bucket", "us-east-1", 0, LEGACY | PATH, "https://s3" AWS, "/bucket",
         UE_S3},
        {"bucket", EW, 0, LEGACY, "https://bucket.s3.eu-west-1" AWS, "", EW_S3},
        {"bucket", "aws-global", 0, 0, "https://bucket.s3" AWS, "", UE_S3},
        {NULL, "aws-global", 0, 0, "https://s3" AWS, "", UE_S3},
        {"bucket", "aws-global", 0, FIPS,
         "https://bucket.s3-fips.us-east-1" AWS, "", UE_S3},
        {"bucket", "moon-base-1", 0, 0, "https://bucket.s3.moon-base-1" AWS, "",
         "moon-base-1 s3"},
    };

    good(rows, COUNT(rows));
}

TEST(aws_partitions_have_their_suffix)
{
    static const struct row rows[] = {
        {"bkt", "cn-north-1", 0, 0, "https://bkt.s3.cn-north-1" AWS ".cn", "",
         "cn-north-1 s3"},
        {"bkt", "cn-north-1", 0, DUAL,
         "https://bkt.s3.dualstack.cn-north-1" AWS ".cn", "", "cn-north-1 s3"},
        {"bkt", "us-gov-west-1", 0, FIPS,
         "https://bkt.s3-fips.us-gov-west-1" AWS, "", "us-gov-west-1 s3"},
        {"bkt", "us-iso-east-1", 0, 0,
         "https://bkt.s3.us-iso-east-1.c2s.ic.gov", "", "us-iso-east-1 s3"},
        {"bkt", "us-isob-east-1", 0, PATH,
         "https://s3.us-isob-east-1.sc2s.sgov.gov", "/bkt",
         "us-isob-east-1 s3"},
        {"bkt", "eu-isoe-west-1", 0, 0,
         "https://bkt.s3.eu-isoe-west-1.cloud.adc-e.uk", "",
         "eu-isoe-west-1 s3"},
        {"bkt", "us-isof-east-1", 0, 0,
         "https://bkt.s3.us-isof-east-1.csp.hci.ic.gov", "",
         "us-isof-east-1 s3"},
        {"bkt", "eusc-de-east-1", 0, 0,
         "https://bkt.s3.eusc-de-east-1.amazonaws.eu", "", "eusc-de-east-1 s3"},
    };

    good(rows, COUNT(rows));
    EXPECT_STR(endpoint_suffix("eu-north-1"), "amazonaws.com");
    EXPECT_STR(endpoint_suffix("cn-northwest-1"), "amazonaws.com.cn");
}

#define A63 "a23456789012345678901234567890123456789012345678901234567890123"

TEST(aws_other_names_stand_in_the_path)
{
    static const char *const names[] = {
        "a.b",      "Bucket",    "a_b",
        "10.0.0.1", "ab",        "bucket-",
        "-bucket",  "my bucket", "bucket!",
        "99_ab",    "b..c",      "a.-b",
        "b.",       (A63 "4"),   "\xc3\xbc\xc3\xbc\xc3\xbc",
    };

    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        const struct row row = {
            names[i], EW, 0, 0, "https://s3.eu-west-1" AWS, path, EW_S3};

        snprintf(path, sizeof(path), "/%s", names[i]);
        good(&row, 1);
    }
}

TEST(aws_longest_name_of_a_host)
{
    static const struct row row = {
        A63, EW, 0, 0, "https://" A63 ".s3.eu-west-1" AWS, "", EW_S3};

    good(&row, 1);
}

TEST(aws_accelerate)
{
    static const struct row rows[] = {
        {"bucket", EW, 0, FAST, "https://bucket.s3-accelerate" AWS, "", EW_S3},
        {"bucket", EW, 0, FAST | DUAL,
         "https://bucket.s3-accelerate.dualstack" AWS, "", EW_S3},
        {"bucket", "us-east-1", 0, FAST | LEGACY,
         "https://bucket.s3-accelerate" AWS, "", UE_S3},
        {NULL, EW, 0, FAST, "https://s3.eu-west-1" AWS, "", EW_S3},
    };
    static const struct row no[] = {
        {"bucket", EW, 0, FAST | PATH, "path-style", 0, 0},
        {"a.b", EW, 0, FAST, "a.b: acceleration", 0, 0},
        {"bucket", EW, 0, FAST | FIPS, "FIPS", 0, 0},
        {"bucket", "cn-north-1", 0, FAST, "China", 0, 0},
        {"bucket", EW, "http://h", FAST, "http://h: a custom endpoint", 0, 0},
    };

    good(rows, COUNT(rows));
    bad(STATUS_UNSUPPORTED, no, COUNT(no));
}

/* ---- custom endpoints --------------------------------------------------- */

TEST(custom_endpoints)
{
    static const struct row rows[] = {
        {"bucket", EW, "http://h:9000", 0, "http://h:9000", "/bucket", EW_S3},
        {"bucket", EW, "http://h:9000/", 0, "http://h:9000", "/bucket", EW_S3},
        {"bucket", EW, "http://h:9000//", PATH, "http://h:9000", "/bucket",
         EW_S3},
        {NULL, EW, "http://h:9000/x/", 0, "http://h:9000", "/x", EW_S3},
        {"bucket", EW, "https://h.x/a/b/", 0, "https://h.x", "/a/b/bucket",
         EW_S3},
        {"bucket", EW, "http://h:9000", HOSTED, "http://bucket.h:9000", "",
         EW_S3},
        {"bucket", EW, "https://h.x/a", HOSTED, "https://bucket.h.x", "/a",
         EW_S3},
        {"a.b", EW, "http://h.x", HOSTED, "http://a.b.h.x", "", EW_S3},
        {"a.b", EW, "https://h.x", HOSTED, "https://h.x", "/a.b", EW_S3},
        {"A_B", EW, "http://h.x", HOSTED, "http://h.x", "/A_B", EW_S3},
        {"bucket", EW, "http://10.0.0.7:9000", HOSTED, "http://10.0.0.7:9000",
         "/bucket", EW_S3},
        {"bucket", EW, "http://[::1]:9000", HOSTED, "http://[::1]:9000",
         "/bucket", EW_S3},
        {"bucket", EW, "https://[2001:db8::7]", 0, "https://[2001:db8::7]",
         "/bucket", EW_S3},
        {"bucket", EW, "http://[::ffff:10.0.0.7]:80", 0,
         "http://[::ffff:10.0.0.7]", "/bucket", EW_S3},
        {"bucket", EW, "http://h:80", 0, "http://h", "/bucket", EW_S3},
        {"bucket", EW, "https://h:443/x", 0, "https://h", "/x/bucket", EW_S3},
        {"bucket", EW, "https://h:80", 0, "https://h:80", "/bucket", EW_S3},
        {"bucket", EW, "http://h:8080", 0, "http://h:8080", "/bucket", EW_S3},
        {"bucket", EW, "http://s3_store:65535", 0, "http://s3_store:65535",
         "/bucket", EW_S3},
        {"bucket", EW, "http://10.0.0.1000", HOSTED,
         "http://bucket.10.0.0.1000", "", EW_S3},
        {"bucket", EW, "http://10.0.0.", HOSTED, "http://bucket.10.0.0.", "",
         EW_S3},
        {"bucket", "aws-global", "http://h", 0, "http://h", "/bucket", UE_S3},
        {"bucket", "us-east-1", "http://h", LEGACY, "http://h", "/bucket",
         UE_S3},
        {"bkt", "cn-north-1", "http://h", 0, "http://h", "/bkt",
         "cn-north-1 s3"},
    };

    good(rows, COUNT(rows));
}

TEST(custom_endpoints_that_can_not_be)
{
    static const char *const texts[] = {
        "",
        "h",
        "h:9000",
        "ftp://h",
        "http:/h",
        "http://",
        "http:///x",
        "http://:9000",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:1x",
        "http://h:1:2",
        "http://h x",
        "http://h?a=b",
        "http://h/x#y",
        "http://[::1",
        "http://::1",
        "http://[]",
        "http://[g::1]:80",
        "http://[::1]80",
        "http://.h",
        "http://a..b",
        "http://-h",
        "http://h-",
        "http://h\n",
        "httpx://h",
        "http://h%20",
        "http://h:000080",
        "HTTP://h",
        "http://h]",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        const struct row row = {
            "bucket", EW, texts[i], 0, "http[s]://HOST[:PORT][/PATH]", 0, 0};

        bad(STATUS_INVALID, &row, 1);
    }
}

TEST(custom_endpoint_of_any_size)
{
    char text[600] = "http://h/";
    char name[256];
    struct row row = {name, EW, text, 0, "at most 250", 0, 0};
    struct endpoint_input in;
    struct endpoint e;

    memset(name, 'B', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memset(text + 9, 'x', sizeof(text) - 10);
    text[sizeof(text) - 1] = '\0';
    bad(STATUS_INVALID, &row, 1);

    text[7 + 250] = '\0';
    input_of(&row, &in);
    EXPECT_EQ(endpoint_resolve(&in, NULL, &e), STATUS_OK);
    EXPECT_EQ(strlen(e.path), 249 + 1 + 255);
    EXPECT_STR(e.path + 250, name);
}

TEST(a_password_is_not_repeated)
{
    static const char *const texts[] = {
        "http://me:secret@h", "ftp://me:secret@h", "https://me:secret@h/?x"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        const struct endpoint_input in = {
            .bucket = "bucket", .region = EW, .endpoint = texts[i]};
        struct fault why = {.text = ""};
        struct endpoint e;

        EXPECT_EQ(endpoint_resolve(&in, &why, &e), STATUS_INVALID);
        EXPECT(strstr(why.text, "secret") == NULL);
        EXPECT(strstr(why.text, "user name") != NULL);
    }
}

TEST(settings_that_exclude_each_other)
{
    static const struct row rows[] = {
        {"bucket", EW, "http://h", DUAL, "http://h: a custom endpoint", 0, 0},
        {"bucket", EW, "http://h", FIPS, "http://h: a custom endpoint", 0, 0},
        {"bucket", "cn-north-1", 0, FIPS, "cn-north-1: the partition", 0, 0},
        {"bucket--op-s3", EW, 0, 0, "Outposts", 0, 0},
    };

    bad(STATUS_UNSUPPORTED, rows, COUNT(rows));
}

TEST(regions_and_buckets_that_can_not_be)
{
    static const struct row rows[] = {
        {"bucket", NULL, 0, 0, "set AWS_REGION", 0, 0},
        {"bucket", "", 0, 0, "set AWS_REGION", 0, 0},
        {"bucket", "eu west", 0, 0, "'eu west'", 0, 0},
        {"bucket", "eu.west", 0, 0, "'eu.west'", 0, 0},
        {"bucket", "-eu", 0, 0, "'-eu'", 0, 0},
        {"bucket", "eu-", 0, 0, "'eu-'", 0, 0},
        {"bucket", "eu/../", 0, 0, "'eu/../'", 0, 0},
        {"bucket", "x@h", "http://h", 0, "'x@h'", 0, 0},
        {"bucket", A63 "4", 0, 0, "can't be the name", 0, 0},
        {"", EW, 0, 0, "''", 0, 0},
        {".", EW, 0, 0, "'.'", 0, 0},
        {"..", EW, "http://h", 0, "'..'", 0, 0},
        {A63 A63 A63 A63 "1234", EW, 0, 0, "can't be the name", 0, 0},
        {A63 A63 A63 A63 "1234", EW, 0, CONTROL, "can't be the name", 0, 0},
    };

    bad(STATUS_INVALID, rows, COUNT(rows));
}

/* ---- access points ------------------------------------------------------ */

#define POINT(partition, region, rest)                                         \
    "arn:" partition ":s3:" region ":123456789012:" rest
#define NAMED "ap-123456789012.s3-accesspoint"

TEST(access_points)
{
    static const struct row rows[] = {
        {POINT("aws", EW, "accesspoint:ap"), EW, 0, 0,
         "https://" NAMED ".eu-west-1" AWS, "", EW_S3},
        {POINT("aws", EW, "accesspoint/ap"), EW, 0, 0,
         "https://" NAMED ".eu-west-1" AWS, "", EW_S3},
        {POINT("aws", "us-west-2", "accesspoint/ap"), EW, 0, 0,
         "https://" NAMED ".us-west-2" AWS, "", "us-west-2 s3"},
        {POINT("aws", EW, "accesspoint/ap"), EW, 0, OWN_REGION,
         "https://" NAMED ".eu-west-1" AWS, "", EW_S3},
        {POINT("aws", EW, "accesspoint:ap"), EW, 0, DUAL,
         "https://" NAMED ".dualstack.eu-west-1" AWS, "", EW_S3},
        {POINT("aws", EW, "accesspoint:ap"), EW, 0, FIPS,
         "https://" NAMED "-fips.eu-west-1" AWS, "", EW_S3},
        {POINT("aws", EW, "accesspoint:ap"), EW, 0, FIPS | DUAL,
         "https://" NAMED "-fips.dualstack.eu-west-1" AWS, "", EW_S3},
        {POINT("aws-cn", "cn-north-1", "accesspoint:ap"), "cn-north-1", 0, 0,
         "https://" NAMED ".cn-north-1" AWS ".cn", "", "cn-north-1 s3"},
        {POINT("aws", EW, "accesspoint:ap"), EW, "https://vpce.x", 0,
         "https://ap-123456789012.vpce.x", "", EW_S3},
        {POINT("aws", EW, "accesspoint:ap"), "aws-global", 0, 0,
         "https://" NAMED ".eu-west-1" AWS, "", EW_S3},
    };

    good(rows, COUNT(rows));
}

TEST(access_points_that_can_not_be)
{
    static const struct row rows[] = {
        {"arn:", EW, 0, 0, "not a whole ARN", 0, 0},
        {"arn:aws:s3:eu-west-1:1", EW, 0, 0, "not a whole ARN", 0, 0},
        {"arn:aws:s3:eu-west-1:1:", EW, 0, 0, "not a whole ARN", 0, 0},
        {"arn:aws:sqs:eu-west-1:1:accesspoint:ap", EW, 0, 0, "not of S3", 0, 0},
        {"arn:aws:s3:::bucket", EW, 0, 0, "names no access point", 0, 0},
        {POINT("aws", EW, "accesspoint"), EW, 0, 0, "names no access", 0, 0},
        {POINT("aws", EW, "accesspoint:"), EW, 0, 0, "its name", 0, 0},
        {POINT("aws", EW, "accesspointer:a"), EW, 0, 0, "names no access", 0,
         0},
        {POINT("aws", EW, "accesspoint:a:b"), EW, 0, 0, "its name", 0, 0},
        {POINT("aws", EW, "accesspoint:a/b"), EW, 0, 0, "its name", 0, 0},
        {POINT("aws", EW, "accesspoint:a_b"), EW, 0, 0, "its name", 0, 0},
        {POINT("aws", EW, "accesspoint:" A63), EW, 0, 0, "too long", 0, 0},
        {POINT("aws", "", "accesspoint:ap"), EW, 0, 0, "its region", 0, 0},
        {POINT("aws", "eu.west", "accesspoint:ap"), EW, 0, 0, "its region", 0,
         0},
        {"arn:aws:s3:eu-west-1::accesspoint:ap", EW, 0, 0, "account", 0, 0},
        {"arn:aws:s3:eu-west-1:1/2:accesspoint:ap", EW, 0, 0, "account", 0, 0},
        {POINT("aws", "us-west-2", "accesspoint:ap"), EW, 0, OWN_REGION,
         "AWS_S3_USE_ARN_REGION is false", 0, 0},
        {POINT("aws", "cn-north-1", "accesspoint:ap"), EW, 0, 0, "partition", 0,
         0},
        {POINT("aws-cn", EW, "accesspoint:ap"), EW, 0, 0, "partition", 0, 0},
        {POINT("aws", EW, "accesspoint:ap"), EW, 0, NO_POINTS, "the operation",
         0, 0},
    };
    static const struct row unserved[] = {
        {POINT("aws", "", "accesspoint:x.mrap"), EW, 0, 0, "multi-region", 0,
         0},
        {POINT("aws", EW, "accesspoint:ap"), EW, 0, PATH, "path-style", 0, 0},
        {POINT("aws", EW, "accesspoint:ap"), EW, 0, FAST, "acceleration", 0, 0},
        {"arn:aws:s3-outposts:eu-west-1:1:outpost/op-1/accesspoint/ap", EW, 0,
         0, "Outposts", 0, 0},
        {"arn:aws:s3-object-lambda:eu-west-1:1:accesspoint/ap", EW, 0, 0,
         "Object Lambda", 0, 0},
    };

    bad(STATUS_INVALID, rows, COUNT(rows));
    bad(STATUS_UNSUPPORTED, unserved, COUNT(unserved));
}

/* ---- directory buckets -------------------------------------------------- */

TEST(directory_buckets)
{
    static const struct row rows[] = {
        {"b--usw2-az1--x-s3", "us-west-2", 0, 0,
         "https://b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2" AWS, "",
         "us-west-2 s3express"},
        {"b--usw2-az1--x-s3", "us-west-2", 0, FIPS,
         "https://b--usw2-az1--x-s3.s3express-fips-usw2-az1.us-west-2" AWS, "",
         "us-west-2 s3express"},
        {"b--use1-az12--x-s3", "us-east-1", 0, LEGACY,
         "https://b--use1-az12--x-s3.s3express-use1-az12.us-east-1" AWS, "",
         "us-east-1 s3express"},
        {"p--usw2-az1--xa-s3", "us-west-2", 0, 0,
         "https://p--usw2-az1--xa-s3.s3express-usw2-az1.us-west-2" AWS, "",
         "us-west-2 s3express"},
        {"b--c--lax1-az2--x-s3", "us-west-2", 0, 0,
         "https://b--c--lax1-az2--x-s3.s3express-lax1-az2.us-west-2" AWS, "",
         "us-west-2 s3express"},
        {"b--cnn1-az1--x-s3", "cn-north-1", 0, 0,
         "https://b--cnn1-az1--x-s3.s3express-cnn1-az1.cn-north-1" AWS ".cn",
         "", "cn-north-1 s3express"},
        {"b--usw2-az1--x-s3", "us-west-2", "http://h:1/x", 0,
         "http://b--usw2-az1--x-s3.h:1", "/x", "us-west-2 s3express"},
        {"b--usw2-az1--x-s3", "us-west-2", "http://10.0.0.7", 0,
         "http://10.0.0.7", "/b--usw2-az1--x-s3", "us-west-2 s3express"},
        {"b--usw2-az1--x-s3", "us-west-2", 0, CONTROL,
         "https://s3express-control.us-west-2" AWS, "/b--usw2-az1--x-s3",
         "us-west-2 s3express"},
        {NULL, "us-west-2", 0, CONTROL | FIPS,
         "https://s3express-control-fips.us-west-2" AWS, "",
         "us-west-2 s3express"},
    };
    static const struct row no[] = {
        {"--usw2-az1--x-s3", "us-west-2", 0, 0, "not a name", 0, 0},
        {"b--x-s3", "us-west-2", 0, 0, "NAME--ZONE--x-s3", 0, 0},
        {"b--zone--x-s3", "us-west-2", 0, 0, "NAME--ZONE--x-s3", 0, 0},
        {"a.b--usw2-az1--x-s3", "us-west-2", 0, 0, "not a name", 0, 0},
        {"B--usw2-az1--x-s3", "us-west-2", 0, 0, "not a name", 0, 0},
    };
    static const struct row fast[] = {
        {"b--usw2-az1--x-s3", EW, 0, FAST, "no acceleration", 0, 0},
        {NULL, EW, 0, FAST | CONTROL, "no acceleration", 0, 0},
    };

    good(rows, COUNT(rows));
    bad(STATUS_INVALID, no, COUNT(no));
    bad(STATUS_UNSUPPORTED, fast, COUNT(fast));
}

/* ---- the rest ----------------------------------------------------------- */

TEST(bucket_size)
{
    static const struct {
        const char *text;
        size_t size;
    } rows[] = {
        {"", 0},
        {"/key", 0},
        {"bucket", 6},
        {"bucket/", 6},
        {"bucket/a/b", 6},
        {"arn:aws:s3:r:1:accesspoint:ap", 29},
        {"arn:aws:s3:r:1:accesspoint:ap/key", 29},
        {"arn:aws:s3:r:1:accesspoint/ap", 29},
        {"arn:aws:s3:r:1:accesspoint/ap/key/x", 29},
        {"arn:aws:s3:r:1:accesspoint/", 27},
        {"arn:aws:s3:r:1:accesspoint:ap/x:accesspoint/y", 29},
        {"bucket/x:accesspoint/y", 6},
        {"b:accesspoint/y", 13},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        EXPECT_EQ(endpoint_bucket_size(rows[i].text), rows[i].size);
    }
}

TEST(another_host_for_one_request)
{
    static const struct endpoint_input in = {.bucket = "bucket", .region = EW};
    struct endpoint e;

    EXPECT_EQ(endpoint_resolve(&in, NULL, &e), STATUS_OK);
    endpoint_set_host(&e, "bucket.elsewhere:81");
    EXPECT_STR(e.host, "bucket.elsewhere:81");
    EXPECT_STR(e.origin, "https://bucket.elsewhere:81");
    EXPECT_STR(e.region, EW);
}

TEST(sts)
{
    char out[ENDPOINT_TEXT_MAX];

    endpoint_sts(EW, false, out);
    EXPECT_STR(out, "https://sts.eu-west-1.amazonaws.com");
    endpoint_sts("us-east-2", true, out);
    EXPECT_STR(out, "https://sts-fips.us-east-2.amazonaws.com");
    endpoint_sts("cn-north-1", false, out);
    EXPECT_STR(out, "https://sts.cn-north-1.amazonaws.com.cn");
    endpoint_sts("aws-global", false, out);
    EXPECT_STR(out, "https://sts.us-east-1.amazonaws.com");
}

TEST(input_is_what_the_settings_say)
{
    static const struct aws_settings settings = {
        .region = EW,
        .endpoint = "http://h",
        .uses_fips = true,
        .uses_arn_region = true,
        .has_no_express_session = true,
        .addressing = AWS_ADDRESSING_PATH,
    };
    struct endpoint_input in;

    endpoint_input_of(&settings, "bucket", &in);
    EXPECT_STR(in.bucket, "bucket");
    EXPECT_STR(in.region, EW);
    EXPECT_STR(in.endpoint, "http://h");
    EXPECT(in.uses_fips && in.uses_arn_region && in.has_no_express_session);
    EXPECT(!in.uses_dualstack && !in.uses_accelerate);
    EXPECT(!in.is_us_east_1_regional && !in.uses_express_control);
    EXPECT_EQ(in.addressing, AWS_ADDRESSING_PATH);
}
