/* SPDX-License-Identifier: Apache-2.0 */
#include "store/aws_config.h"

#include "base/buf.h"
#include "base/file.h"
#include "tests/harness.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Variables: "NAME=value" and a NUL, up to an empty one. */
struct variables {
    char text[1024];
};

static void variables_set(struct variables *v, const char *lines)
{
    memset(v->text, 0, sizeof(v->text));
    snprintf(v->text, sizeof(v->text) - 1, "%s", lines);
    for (char *c = v->text; *c != '\0' || c[1] != '\0'; c++) {
        *c = *c == '\n' ? '\0' : *c;
    }
}

static const char *variable_of(void *self, const char *name)
{
    const struct variables *v = self;
    size_t size = strlen(name);

    for (const char *at = v->text; *at != '\0'; at += strlen(at) + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            return at + size + 1;
        }
    }
    return NULL;
}

struct kit {
    struct variables variables;
    struct aws_config *config;
    struct fault why;
    enum status status;
};

static void kit_parse(struct kit *k, const char *variables, const char *config,
                      const char *credentials)
{
    const struct aws_config_source source = {variable_of, &k->variables};
    const struct aws_config_texts texts = {
        bytes_of(config != NULL ? config : ""),
        bytes_of(credentials != NULL ? credentials : ""), "C", "K"};

    variables_set(&k->variables, variables != NULL ? variables : "");
    k->why.text[0] = '\0';
    k->status = aws_config_parse(&source, &texts, &k->why, &k->config);
    EXPECT_EQ(k->status == STATUS_OK, k->config != NULL);
    EXPECT_EQ(k->status == STATUS_OK, k->why.text[0] == '\0');
}

static void same(size_t row, const char *got, const char *want)
{
    got = got != NULL ? got : "(none)";
    want = want != NULL ? want : "(none)";
    if (strcmp(got, want) != 0) {
        fprintf(stderr, "row %zu: \"%s\", want \"%s\"\n", row, got, want);
        exit(1);
    }
}

/* ---- reading ------------------------------------------------------------ */

struct lookup {
    const char *config;
    const char *credentials;
    const char *profile;
    const char *key;
    const char *want; /* NULL: not there. */
};

TEST(values)
{
    static const struct lookup rows[] = {
        {"", "", "default", "region", NULL},
        {"[default]\nregion = a", "", "default", "region", "a"},
        {"[default]\nregion=a\n", "", "default", "region", "a"},
        {"[default]\r\nregion = a\r\n", "", "default", "region", "a"},
        {"\xef\xbb\xbf[default]\nregion = a\n", "", "default", "region", "a"},
        {"[default]\n\tregion\t=\ta b \t\n", "", "default", "region", "a b"},
        {"[default]\nREGION = A\n", "", "default", "region", "A"},
        {"[default]\nregion = a\nregion = b\n", "", "default", "region", "b"},
        {"[default]\nregion = a\nregion =\n", "", "default", "region", "a"},
        {"[default]\nregion =\n", "", "default", "region", NULL},
        {"[default]\nk = a=b=c\n", "", "default", "k", "a=b=c"},
        {"[default]\nk = [x]\n", "", "default", "k", "[x]"},
        {"[default]\nk = \"a\"\n", "", "default", "k", "\"a\""},
        {"[default]\nk = \xc3\xbc\n", "", "default", "k", "\xc3\xbc"},
        {"[default]\nodd key = a\n", "", "default", "odd key", "a"},
        {"\n\n[default]\n\n\nk = a\n\n", "", "default", "k", "a"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;

        kit_parse(&k, NULL, rows[i].config, rows[i].credentials);
        same(i, k.why.text, "");
        same(i, aws_config_get(k.config, rows[i].profile, rows[i].key),
             rows[i].want);
        aws_config_destroy(&k.config);
    }
}

TEST(comments)
{
    static const struct lookup rows[] = {
        {"# x\n; y\n[default]\nk = a\n", "", "default", "k", "a"},
        {"[default] # x\nk = a\n", "", "default", "k", "a"},
        {"[default];x\nk = a\n", "", "default", "k", "a"},
        {"[default]\n# k = b\nk = a\n;k = c\n", "", "default", "k", "a"},
        {"[default]\n  # in\nk = a\n  ; in\n", "", "default", "k", "a"},
        {"[default]\nk = a # x\n", "", "default", "k", "a"},
        {"[default]\nk = a\t; x # y\n", "", "default", "k", "a"},
        {"[default]\nk = a#b;c\n", "", "default", "k", "a#b;c"},
        {"[default]\nk = # x\n", "", "default", "k", NULL},
        {"[default]\ns3 = # x\n  a = 1 # y\n", "", "default", "s3.a", "1"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;

        kit_parse(&k, NULL, rows[i].config, rows[i].credentials);
        same(i, k.why.text, "");
        same(i, aws_config_get(k.config, rows[i].profile, rows[i].key),
             rows[i].want);
        aws_config_destroy(&k.config);
    }
}

TEST(sections)
{
    static const struct lookup rows[] = {
        {"[profile p]\nk = a\n", "", "p", "k", "a"},
        {"[ profile\t p  ]\nk = a\n", "", "p", "k", "a"},
        {"[profile \"p q\"]\nk = a\n", "", "p q", "k", "a"},
        {"[profile 'p q']\nk = a\n", "", "p q", "k", "a"},
        {"[profile p q]\nk = a\n", "", "p q", "k", "a"},
        {"[p]\nk = a\n", "", "p", "k", NULL},
        {"[profilep]\nk = a\n", "", "p", "k", NULL},
        {"[services p]\nk = a\n", "", "p", "k", NULL},
        {"[Profile p]\nk = a\n", "", "p", "k", NULL},
        {"[profile P]\nk = a\n", "", "p", "k", NULL},
        {"[profile p]\nk = a\n[profile q]\nk = b\n", "", "p", "k", "a"},
        {"[profile p]\nk = a\n[profile q]\n[profile p]\nj = b\n", "", "p", "k",
         "a"},
        {"[profile p]\nk = a\n[profile p]\nk = b\n", "", "p", "k", "b"},
        {"[default]\nk = a\n", "", "p", "k", NULL},
        {"[profile default]\nk = a\n", "", "default", "k", "a"},
        {"[profile default]\nk = a\n[default]\nk = b\n", "", "default", "k",
         "a"},
        {"[default]\nj = b\n[profile default]\nk = a\n", "", "default", "j",
         NULL},
        {"", "[default]\nk = a\n", "default", "k", "a"},
        {"", "[p]\nk = a\n", "p", "k", "a"},
        {"", "[profile p]\nk = a\n", "p", "k", NULL},
        {"[profile p]\nk = a\n", "[p]\nk = b\n", "p", "k", "b"},
        {"[profile p]\nk = a\n", "[p]\nj = b\n", "p", "k", "a"},
        {"[profile p]\nk = a\n", "[p]\nk =\n", "p", "k", "a"},
        {"[profile default]\nk = a\n", "[default]\nk = b\n", "default", "k",
         "b"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;

        kit_parse(&k, NULL, rows[i].config, rows[i].credentials);
        same(i, k.why.text, "");
        same(i, aws_config_get(k.config, rows[i].profile, rows[i].key),
             rows[i].want);
        aws_config_destroy(&k.config);
    }
}

TEST(blocks_and_values_of_several_lines)
{
#define BLOCK "[default]\ns3 =\n  a = 1\n\n  # x\n\tB=2\nregion = r\n"
    static const struct lookup rows[] = {
        {BLOCK, "", "default", "s3.a", "1"},
        {BLOCK, "", "default", "s3.b", "2"},
        {BLOCK, "", "default", "region", "r"},
        {BLOCK, "", "default", "a", NULL},
        {BLOCK, "", "default", "s3", NULL},
        {"[default]\ns3 =\n  a =\n", "", "default", "s3.a", NULL},
        {"[default]\ns3 =\n  a = 1\nsts =\n  a = 2\n", "", "default", "s3.a",
         "1"},
        {"[default]\r\ns3 =\r\n  a = 1\r\n", "", "default", "s3.a", "1"},
        {"[default]\ns3 =\n  a = 1\n  a = 2\n", "", "default", "s3.a", "2"},
        {"[default]\ns3 =\n[profile p]\n  a = 1\n", "", "p", "a", "1"},
        {"[default]\nk = a\n  b\n\n  c # d\n", "", "default", "k",
         "a\nb\nc # d"},
        {"[default]\nk = a\n  b = c\n", "", "default", "k", "a\nb = c"},
        {"[default]\n  k = a\n  j = b\n", "", "default", "k", "a"},
        {"[default]\n  k = a\n  j = b\n", "", "default", "j", "b"},
        {"[default]\n  s3 =\n    a = 1\n  k = b\n", "", "default", "s3.a", "1"},
        {"[default]\n  s3 =\n    a = 1\n  k = b\n", "", "default", "k", "b"},
        {"[default]\n  k = a\n  [profile p]\nk = b\n", "", "p", "k", "b"},
        {"[other]\nk = a\n  b\n", "", "other", "k", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;

        kit_parse(&k, NULL, rows[i].config, rows[i].credentials);
        same(i, k.why.text, "");
        same(i, aws_config_get(k.config, rows[i].profile, rows[i].key),
             rows[i].want);
        aws_config_destroy(&k.config);
    }
}

TEST(other_sections)
{
    struct kit k;

    kit_parse(&k, NULL,
              "[services x]\ns3 =\n  endpoint_url = u\nsts = \n  a = b\n"
              "[sso-session x]\nsso_region = r\n"
              "[default]\nsso_region = d\n",
              "[services y]\nk = v\n");
    EXPECT_STR(aws_config_section(k.config, "services", "x", "s3.endpoint_url"),
               "u");
    EXPECT_STR(aws_config_section(k.config, "sso-session", "x", "sso_region"),
               "r");
    EXPECT(aws_config_section(k.config, "services", "x", "sso_region") == NULL);
    EXPECT(aws_config_section(k.config, "services", "y", "k") == NULL);
    EXPECT(aws_config_has_section(k.config, "services", "x"));
    EXPECT(aws_config_has_section(k.config, "sso-session", "x"));
    EXPECT(!aws_config_has_section(k.config, "services", "y"));
    EXPECT(aws_config_has_profile(k.config, "default"));
    EXPECT(aws_config_has_profile(k.config, "services y"));
    EXPECT(!aws_config_has_profile(k.config, "x"));
    aws_config_destroy(&k.config);
    aws_config_destroy(&k.config);
}

TEST(texts_that_are_not_understood)
{
    static const struct {
        const char *config;
        const char *credentials;
        const char *want;
    } rows[] = {
        {"region = a\n", "", "C:1: a setting before the first [section]"},
        {"\n\n  region = a\n", "", "C:3: a setting before the first [section]"},
        {"[default]\nregion\n", "", "C:2: not 'name = value'"},
        {"[default]\n# x\n\nregion: a\n", "", "C:4: not 'name = value'"},
        {"[default]\n= a\n", "", "C:2: not 'name = value'"},
        {"[default]\ns3 =\n  a\n", "", "C:3: not 'name = value'"},
        {"[default]\ns3 =\n  = a\n", "", "C:3: not 'name = value'"},
        {"[default\nregion = a\n", "",
         "C:1: a section without its closing "
         "']'"},
        {"[default]\n[\n", "", "C:2: a section without its closing ']'"},
        {"[]\n", "", "C:1: a section without a name"},
        {"[ \t]\r\n", "", "C:1: a section without a name"},
        {"[a] b\n", "", "C:1: something follows the section's ']'"},
        {"[a]]\n", "", "C:1: something follows the section's ']'"},
        {"[default]\r\nk = a\r\nx\r\n", "", "C:3: not 'name = value'"},
        {"", "[default]\nk\n", "K:2: not 'name = value'"},
        {"", "aws_access_key_id = AKIA\n",
         "K:1: a setting before the first "
         "[section]"},
        {"x", "y", "C:1: not 'name = value'"},
        {"{\"a\": 1}", "", "C:1: not 'name = value'"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;

        kit_parse(&k, NULL, rows[i].config, rows[i].credentials);
        EXPECT_EQ(k.status, STATUS_MALFORMED);
        same(i, k.why.text, rows[i].want);
    }
}

TEST(nul_bytes_and_long_names)
{
    static const char nul[] = "[default]\nk = a\0b\n";
    const struct aws_config_source source = {variable_of,
                                             &(struct variables){.text = {0}}};
    struct aws_config_texts texts = {.config = {nul, sizeof(nul) - 1},
                                     .credentials = {"", 0}};
    struct aws_config *config;
    struct fault why;
    char text[600];

    EXPECT_EQ(aws_config_parse(&source, &texts, &why, &config),
              STATUS_MALFORMED);
    EXPECT_STR(why.text, "config:2: a NUL byte");

    snprintf(text, sizeof(text), "[default]\n%0127d = a\n", 0);
    texts.config = bytes_of(text);
    EXPECT_EQ(aws_config_parse(&source, &texts, &why, &config), STATUS_OK);
    aws_config_destroy(&config);
    snprintf(text, sizeof(text), "[default]\n%0128d = a\n", 0);
    texts.config = bytes_of(text);
    EXPECT_EQ(aws_config_parse(&source, &texts, &why, &config),
              STATUS_MALFORMED);
}

/* No line is so long, and no value of so many lines, that it takes long. */
TEST(the_largest_text)
{
    const struct aws_config_source source = {variable_of,
                                             &(struct variables){.text = {0}}};
    struct buf text = {0};
    struct aws_config *config;

    buf_add_text(&text, "[default]\nk = a\n");
    while (text.size + 3 <= AWS_FILE_MAX) {
        buf_add_text(&text, " b\n");
    }
    EXPECT_EQ(
        aws_config_parse(&source,
                         &(struct aws_config_texts){.config = buf_bytes(&text),
                                                    .credentials = {"", 0}},
                         NULL, &config),
        STATUS_OK);
    EXPECT(strlen(aws_config_get(config, "default", "k")) > AWS_FILE_MAX / 2);
    aws_config_destroy(&config);
    buf_fini(&text);
}

TEST(profile_in_use)
{
    static const struct {
        const char *variables;
        const char *want;
    } rows[] = {
        {"", "default"},
        {"AWS_PROFILE=\n", "default"},
        {"AWS_PROFILE=p\n", "p"},
        {"AWS_PROFILE=q\n", "q"},
        {"AWS_DEFAULT_PROFILE=p\n", "p"},
        {"AWS_PROFILE=q\nAWS_DEFAULT_PROFILE=p\n", "p"},
        {"AWS_PROFILE=default\n", "default"},
    };
    struct kit k;

    for (size_t i = 0; i < COUNT(rows); i++) {
        kit_parse(&k, rows[i].variables, "[profile p]\n", "[q]\n");
        same(i, k.why.text, "");
        same(i, aws_config_profile(k.config), rows[i].want);
        aws_config_destroy(&k.config);
    }
    kit_parse(&k, "AWS_PROFILE=x\n", "[profile p]\n[x]\n", "[q]\n");
    EXPECT_EQ(k.status, STATUS_NOT_FOUND);
    EXPECT_STR(k.why.text, "AWS_PROFILE names 'x', which is in neither the "
                           "config file nor the credentials file");
    kit_parse(&k, "AWS_DEFAULT_PROFILE=x\nAWS_PROFILE=p\n", "[profile p]\n",
              NULL);
    EXPECT_EQ(k.status, STATUS_NOT_FOUND);
    EXPECT(strstr(k.why.text, "AWS_DEFAULT_PROFILE names 'x'") != NULL);
}

/* ---- settings ----------------------------------------------------------- */

struct setting {
    const char *variables;
    const char *config;
    const char *want;
};

typedef const char *setting_fn(const struct aws_settings *s, char out[256]);

static void settings(const struct setting *rows, size_t count, setting_fn *look)
{
    for (size_t i = 0; i < count; i++) {
        struct kit k;
        struct aws_settings s;
        char text[256];

        kit_parse(&k, rows[i].variables, rows[i].config, NULL);
        same(i, k.why.text, "");
        k.status = aws_config_settings(k.config, &k.why, &s);
        same(i, k.why.text, "");
        EXPECT_EQ(k.status, STATUS_OK);
        same(i, look(&s, text), rows[i].want);
        aws_config_destroy(&k.config);
    }
}

/* What is not as it is without any setting. */
static const char *look_flags(const struct aws_settings *s, char out[256])
{
    static const char *const addressing[] = {"", " virtual", " path"};

    snprintf(out, 256, "%s%s%s%s%s%s%s%s%s%s%s %u",
             s->uses_dualstack ? " dual" : "", s->uses_fips ? " fips" : "",
             s->uses_accelerate ? " fast" : "",
             s->uses_arn_region ? "" : " own-region",
             s->is_us_east_1_regional ? "" : " legacy",
             s->signs_payload ? " signs" : "",
             s->has_no_express_session ? " no-session" : "",
             s->is_requester_paid ? " pays" : "", addressing[s->addressing],
             s->request_checksum == AWS_CHECKSUM_REQUIRED ? " sum" : "",
             s->response_checksum == AWS_CHECKSUM_REQUIRED ? " check" : "",
             s->attempts_max);
    return out;
}

#define DEF(line) "[default]\n" line "\n"
#define S3(line) "[default]\ns3 =\n  " line "\n"

TEST(flags)
{
    static const struct setting rows[] = {
        {"", "", " 0"},
        {"AWS_USE_DUALSTACK_ENDPOINT=true", "", " dual 0"},
        {"AWS_USE_DUALSTACK_ENDPOINT=TRUE", "", " dual 0"},
        {"AWS_USE_DUALSTACK_ENDPOINT=false", DEF("use_dualstack_endpoint=true"),
         " 0"},
        {"", DEF("use_dualstack_endpoint = true"), " dual 0"},
        {"", S3("use_dualstack_endpoint = true"), " dual 0"},
        {"", S3("use_dualstack_endpoint = false\nuse_dualstack_endpoint=true"),
         " 0"},
        {"AWS_USE_FIPS_ENDPOINT=true", "", " fips 0"},
        {"AWS_USE_FIPS_ENDPOINT=", DEF("use_fips_endpoint = True"), " fips 0"},
        {"", S3("use_accelerate_endpoint = true"), " fast 0"},
        {"", DEF("use_accelerate_endpoint = true"), " 0"},
        {"AWS_S3_USE_ARN_REGION=false", "", " own-region 0"},
        {"", DEF("s3_use_arn_region = false"), " own-region 0"},
        {"", S3("use_arn_region = false"), " own-region 0"},
        {"AWS_S3_USE_ARN_REGION=true", S3("use_arn_region = false"), " 0"},
        {"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT=legacy", "", " legacy 0"},
        {"", S3("us_east_1_regional_endpoint = legacy"), " legacy 0"},
        {"", DEF("s3_us_east_1_regional_endpoint = legacy"), " legacy 0"},
        {"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT=regional",
         S3("us_east_1_regional_endpoint = legacy"), " 0"},
        {"", S3("payload_signing_enabled = true"), " signs 0"},
        {"AWS_S3_DISABLE_EXPRESS_SESSION_AUTH=true", "", " no-session 0"},
        {"", DEF("s3_disable_express_session_auth = true"), " no-session 0"},
        {"SMSHARD_S3_REQUESTER_PAYS=1", "", " pays 0"},
        {"SMSHARD_S3_REQUESTER_PAYS=true", "", " pays 0"},
        {"SMSHARD_S3_REQUESTER_PAYS=0", "", " 0"},
        {"SMSHARD_S3_REQUESTER_PAYS=false", "", " 0"},
        {"SMSHARD_S3_ADDRESSING=path", S3("addressing_style = virtual"),
         " path 0"},
        {"", S3("addressing_style = virtual"), " virtual 0"},
        {"", S3("addressing_style = auto"), " 0"},
        {"AWS_REQUEST_CHECKSUM_CALCULATION=when_required", "", " sum 0"},
        {"", DEF("request_checksum_calculation = WHEN_REQUIRED"), " sum 0"},
        {"AWS_RESPONSE_CHECKSUM_VALIDATION=when_required", "", " check 0"},
        {"AWS_RESPONSE_CHECKSUM_VALIDATION=when_supported",
         DEF("response_checksum_validation = when_required"), " 0"},
        {"AWS_MAX_ATTEMPTS=1", DEF("max_attempts = 7"), " 1"},
        {"", DEF("max_attempts = 1000"), " 1000"},
        {"AWS_RETRY_MODE=adaptive", DEF("retry_mode = legacy"), " 0"},
        {"AWS_PROFILE=p", DEF("max_attempts = 7") "[profile p]\n", " 0"},
    };

    settings(rows, COUNT(rows), look_flags);
}

static const char *look_region(const struct aws_settings *s, char out[256])
{
    snprintf(out, 256, "%s, %s", s->region != NULL ? s->region : "-",
             s->region_origin != NULL ? s->region_origin : "-");
    return out;
}

TEST(region)
{
    static const struct setting rows[] = {
        {"", "", "-, -"},
        {"", DEF("region = a"), "a, the profile"},
        {"AWS_DEFAULT_REGION=b", DEF("region = a"), "b, AWS_DEFAULT_REGION"},
        {"AWS_REGION=c", DEF("region = a"), "c, AWS_REGION"},
        {"AWS_PROFILE=p", DEF("region = a") "[profile p]\nregion = b\n",
         "b, the profile"},
        {"AWS_PROFILE=p", DEF("region = a") "[profile p]\n", "-, -"},
        {"AWS_REGION=\nAWS_DEFAULT_REGION=b", "", "b, AWS_DEFAULT_REGION"},
    };

    settings(rows, COUNT(rows), look_region);
}

static const char *look_endpoints(const struct aws_settings *s, char out[256])
{
    snprintf(out, 256, "%s, %s, %s", s->endpoint != NULL ? s->endpoint : "-",
             s->endpoint_origin != NULL ? s->endpoint_origin : "-",
             s->sts_endpoint != NULL ? s->sts_endpoint : "-");
    return out;
}

TEST(endpoints)
{
#define PROFILE "[default]\nendpoint_url = p\n"
#define SERVICES                                                               \
    PROFILE "services = x\n[services x]\ns3 =\n  endpoint_url = s\n"
    static const struct setting rows[] = {
        {"", "", "-, -, -"},
        {"", PROFILE, "p, the profile, p"},
        {"", SERVICES, "s, the profile's services, p"},
        {"", SERVICES "sts =\n  endpoint_url = t\n",
         "s, the profile's services, t"},
        {"AWS_ENDPOINT_URL=e", SERVICES, "e, AWS_ENDPOINT_URL, e"},
        {"AWS_ENDPOINT_URL_S3=3", SERVICES, "3, AWS_ENDPOINT_URL_S3, p"},
        {"AWS_ENDPOINT_URL_STS=t", SERVICES, "s, the profile's services, t"},
        {"AWS_ENDPOINT_URL_S3=3\nAWS_ENDPOINT_URL=e", "",
         "3, AWS_ENDPOINT_URL_S3, e"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true\nAWS_ENDPOINT_URL_S3=3",
         SERVICES, "-, -, -"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false", PROFILE,
         "p, the profile, p"},
        {"AWS_ENDPOINT_URL=e", DEF("ignore_configured_endpoint_urls = true"),
         "-, -, -"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false",
         PROFILE "ignore_configured_endpoint_urls = true\n",
         "p, the profile, p"},
        {"", "[services x]\ns3 =\n  endpoint_url = s\n", "-, -, -"},
        {"", DEF("services = x") "[services x]\nsts =\n  endpoint_url = t\n",
         "-, -, t"},
        {"AWS_ENDPOINT_URL=e", DEF("services = gone"),
         "e, AWS_ENDPOINT_URL, e"},
        {"AWS_PROFILE=q", PROFILE "[profile q]\n", "-, -, -"},
    };

    settings(rows, COUNT(rows), look_endpoints);
}

static const char *look_bundle(const struct aws_settings *s, char out[256])
{
    snprintf(out, 256, "%s", s->ca_bundle != NULL ? s->ca_bundle : "-");
    return out;
}

TEST(ca_bundle)
{
    static const struct setting rows[] = {
        {"", "", "-"},
        {"", DEF("ca_bundle = /a"), "/a"},
        {"AWS_CA_BUNDLE=/b", DEF("ca_bundle = /a"), "/b"},
    };

    settings(rows, COUNT(rows), look_bundle);
}

TEST(values_that_are_not_allowed)
{
    static const struct setting rows[] = {
        {"AWS_USE_FIPS_ENDPOINT=yes", "",
         "AWS_USE_FIPS_ENDPOINT: 'yes' is not allowed; use false, true"},
        {"", DEF("use_fips_endpoint = on"),
         "profile 'default', use_fips_endpoint: 'on' is not allowed; use "
         "false, true"},
        {"AWS_PROFILE=p", "[profile p]\ns3 =\n  addressing_style = dns\n",
         "profile 'p', s3.addressing_style: 'dns' is not allowed; use auto, "
         "virtual, path"},
        {"SMSHARD_S3_ADDRESSING=auto, virtual", "",
         "SMSHARD_S3_ADDRESSING: 'auto, virtual' is not allowed; use auto, "
         "virtual, path"},
        {"AWS_USE_DUALSTACK_ENDPOINT=2", S3("use_dualstack_endpoint = true"),
         "AWS_USE_DUALSTACK_ENDPOINT: '2' is not allowed; use false, true"},
        {"", DEF("use_dualstack_endpoint = x"),
         "profile 'default', use_dualstack_endpoint: 'x' is not allowed; use "
         "false, true"},
        {"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT=true", "",
         "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT: 'true' is not allowed; use "
         "legacy, regional"},
        {"", DEF("s3_us_east_1_regional_endpoint = x"),
         "profile 'default', s3_us_east_1_regional_endpoint: 'x' is not "
         "allowed; use legacy, regional"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=1", "",
         "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: '1' is not allowed; use false, "
         "true"},
        {"AWS_REQUEST_CHECKSUM_CALCULATION=never", "",
         "AWS_REQUEST_CHECKSUM_CALCULATION: 'never' is not allowed; use "
         "when_supported, when_required"},
        {"", DEF("response_checksum_validation = when"),
         "profile 'default', response_checksum_validation: 'when' is not "
         "allowed; use when_supported, when_required"},
        {"AWS_RETRY_MODE=fast", "",
         "AWS_RETRY_MODE: 'fast' is not allowed; use legacy, standard, "
         "adaptive"},
        {"AWS_MAX_ATTEMPTS=0", "",
         "AWS_MAX_ATTEMPTS: '0' is not allowed; use 1 to 1000"},
        {"AWS_MAX_ATTEMPTS=-1", "",
         "AWS_MAX_ATTEMPTS: '-1' is not allowed; use 1 to 1000"},
        {"AWS_MAX_ATTEMPTS=3x", "",
         "AWS_MAX_ATTEMPTS: '3x' is not allowed; use 1 to 1000"},
        {"", DEF("max_attempts = 1001"),
         "profile 'default', max_attempts: '1001' is not allowed; use 1 to "
         "1000"},
        {"AWS_MAX_ATTEMPTS=4294967297", "",
         "AWS_MAX_ATTEMPTS: '4294967297' is not allowed; use 1 to 1000"},
        {"SMSHARD_S3_REQUESTER_PAYS=requester", "",
         "SMSHARD_S3_REQUESTER_PAYS: 'requester' is not allowed; use 0, 1, "
         "false, true"},
        {"", DEF("services = gone"),
         "profile 'default', services: the config file has no section "
         "[services gone]"},
        {"", S3("payload_signing_enabled = 1"),
         "profile 'default', s3.payload_signing_enabled: '1' is not allowed; "
         "use false, true"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kit k;
        struct aws_settings s;

        kit_parse(&k, rows[i].variables, rows[i].config, NULL);
        same(i, k.why.text, "");
        EXPECT_EQ(aws_config_settings(k.config, &k.why, &s), STATUS_INVALID);
        same(i, k.why.text, rows[i].want);
        aws_config_destroy(&k.config);
    }
}

/* ---- files -------------------------------------------------------------- */

static void put(const char *folder, const char *name, const char *text)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    EXPECT_EQ(file_write(path, bytes_of(text), false, NULL), STATUS_OK);
}

static enum status load(struct kit *k, const char *variables)
{
    const struct aws_config_source source = {variable_of, &k->variables};

    variables_set(&k->variables, variables);
    k->why.text[0] = '\0';
    k->status = aws_config_load(&source, &k->why, &k->config);
    EXPECT_EQ(k->status == STATUS_OK, k->why.text[0] == '\0');
    return k->status;
}

TEST(files)
{
    char folder[] = "/tmp/smshard-aws-XXXXXX";
    char text[300];
    struct kit k;

    EXPECT(mkdtemp(folder) != NULL);
    put(folder, ".aws/config", "[default]\nk = home\n");
    put(folder, ".aws/credentials", "[default]\nj = home\n");
    put(folder, "other", "[default]\nk = other\n");
    put(folder, "bad", "[default]\nk\n");

    EXPECT_EQ(load(&k, ""), STATUS_OK);
    EXPECT(!aws_config_has_profile(k.config, "default"));
    aws_config_destroy(&k.config);

    snprintf(text, sizeof(text), "HOME=%s", folder);
    EXPECT_EQ(load(&k, text), STATUS_OK);
    EXPECT_STR(aws_config_get(k.config, "default", "k"), "home");
    EXPECT_STR(aws_config_get(k.config, "default", "j"), "home");
    aws_config_destroy(&k.config);

    snprintf(text, sizeof(text), "HOME=%s\nAWS_CONFIG_FILE=~/other", folder);
    EXPECT_EQ(load(&k, text), STATUS_OK);
    EXPECT_STR(aws_config_get(k.config, "default", "k"), "other");
    EXPECT_STR(aws_config_get(k.config, "default", "j"), "home");
    aws_config_destroy(&k.config);

    snprintf(text, sizeof(text),
             "HOME=%s\nAWS_CONFIG_FILE=/gone/x\n"
             "AWS_SHARED_CREDENTIALS_FILE=%s/other",
             folder, folder);
    EXPECT_EQ(load(&k, text), STATUS_OK);
    EXPECT_STR(aws_config_get(k.config, "default", "k"), "other");
    EXPECT(aws_config_get(k.config, "default", "j") == NULL);
    aws_config_destroy(&k.config);

    snprintf(text, sizeof(text), "AWS_SHARED_CREDENTIALS_FILE=%s/bad", folder);
    EXPECT_EQ(load(&k, text), STATUS_MALFORMED);
    snprintf(text, sizeof(text), "%s/bad:2: not 'name = value'", folder);
    EXPECT_STR(k.why.text, text);

    snprintf(text, sizeof(text), "AWS_CONFIG_FILE=%s", folder);
    EXPECT(load(&k, text) != STATUS_OK);
    EXPECT(strstr(k.why.text, folder) != NULL);
    EXPECT_EQ(file_remove_tree(folder, NULL), STATUS_OK);
}

TEST(a_file_that_is_too_large)
{
    char folder[] = "/tmp/smshard-aws-XXXXXX";
    char text[300];
    struct kit k;

    EXPECT(mkdtemp(folder) != NULL);
    snprintf(text, sizeof(text), "%s/big", folder);
    put(folder, "big", "");
    EXPECT_EQ(truncate(text, AWS_FILE_MAX + 1), 0);
    snprintf(text, sizeof(text), "AWS_CONFIG_FILE=%s/big", folder);
    EXPECT_EQ(load(&k, text), STATUS_FULL);
    EXPECT(strstr(k.why.text, folder) != NULL);
    EXPECT_EQ(file_remove_tree(folder, NULL), STATUS_OK);
}
