/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts: which provider is set up, when credentials are old, what
 * replies mean, URLs and words. */

#include "store/credentials_process.h"
#include "store/credentials_refresh.h"
#include "store/credentials_reply.h"
#include "store/credentials_sso.h"
#include "store/credentials_url.h"
#include "tests/credentials_kit.h"

/* ---- Which provider. */

struct chain_row {
    const char *variables; /* Parted by blanks. */
    const char *config;
    const char *want; /* Origin, or a part of the message. */
    enum status status;
};

#define KEYS "aws_access_key_id=AK\naws_secret_access_key=s\n"
#define ENV_KEYS "AWS_ACCESS_KEY_ID=AK AWS_SECRET_ACCESS_KEY=s "
#define ROLE "role_arn=arn:r\n"
#define NO_IMDS "AWS_EC2_METADATA_DISABLED=true "

static const struct chain_row chain_rows[] = {
    {"", "", "instance metadata", STATUS_OK},
    {NO_IMDS, "", "AWS_EC2_METADATA_DISABLED", STATUS_NOT_FOUND},
    {"AWS_EC2_METADATA_DISABLED=false", "", "instance metadata", STATUS_OK},
    {"SMSHARD_S3_ANONYMOUS=1 " ENV_KEYS, "", "anonymous", STATUS_OK},
    {ENV_KEYS, "", "environment", STATUS_OK},
    /* A chosen profile does not beat the environment's keys. */
    {ENV_KEYS "AWS_PROFILE=p", "[profile p]\n" KEYS, "environment", STATUS_OK},
    {"AWS_ACCESS_KEY_ID=AK", "[default]\n" KEYS,
     "environment: AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not",
     STATUS_INVALID},
    {"AWS_SECRET_ACCESS_KEY=s", "[default]\n" KEYS, "profile default, keys",
     STATUS_OK},
    {"AWS_PROFILE=p", "[profile p]\n" KEYS, "profile p, keys", STATUS_OK},
    {"", "[default]\naws_access_key_id=AK\n",
     "profile default: has aws_access_key_id but no", STATUS_INVALID},
    /* In one profile. */
    {"", "[default]\n" ROLE "source_profile=b\n" KEYS "[profile b]\n" KEYS,
     "profile default, assume role arn:r from profile b, keys", STATUS_OK},
    {"", "[default]\n" ROLE "web_identity_token_file=/t\n" KEYS,
     "profile default, web identity", STATUS_OK},
    {"", "[default]\n" KEYS "credential_process=x\n", "profile default, keys",
     STATUS_OK},
    {"", "[default]\ncredential_process=x\n",
     "profile default, credential_process", STATUS_OK},
    {"", "[default]\nlogin_session=x\ncredential_process=x\n",
     "login_session is not served", STATUS_UNSUPPORTED},
    /* Web identity. */
    {"AWS_WEB_IDENTITY_TOKEN_FILE=/t AWS_ROLE_ARN=arn:w", "[default]\n" KEYS,
     "web identity", STATUS_OK},
    {"AWS_WEB_IDENTITY_TOKEN_FILE=/t", "", "set AWS_ROLE_ARN", STATUS_INVALID},
    {"AWS_ROLE_ARN=arn:w", "", "instance metadata", STATUS_OK},
    /* SSO. */
    {"",
     "[default]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n"
     "[sso-session s]\nsso_region=eu-west-1\nsso_start_url=https://u\n",
     "profile default, SSO", STATUS_OK},
    {"",
     "[default]\nsso_start_url=https://u\nsso_region=eu-west-1\n"
     "sso_account_id=1\nsso_role_name=r\n",
     "profile default, SSO", STATUS_OK},
    {"", "[default]\nsso_session=s\nsso_account_id=1\nsso_role_name=r\n",
     "SSO needs sso_start_url and sso_region", STATUS_INVALID},
    {"", "[default]\nsso_start_url=https://u\nsso_region=e\nsso_role_name=r\n",
     "SSO needs both", STATUS_INVALID},
    /* Containers come after the profile, before the instance. */
    {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", "[default]\n" KEYS,
     "profile default, keys", STATUS_OK},
    {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", "", "container", STATUS_OK},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost/", "", "container",
     STATUS_OK},
    /* Roles. */
    {ENV_KEYS, "[default]\n" ROLE "source_profile=b\n", "environment",
     STATUS_OK},
    {"", "[default]\n" ROLE, "exactly one of source_profile", STATUS_INVALID},
    {"",
     "[default]\n" ROLE "source_profile=b\ncredential_source=EcsContainer\n",
     "exactly one of source_profile", STATUS_INVALID},
    {"", "[default]\n" ROLE "source_profile=b\n",
     "profile default: source_profile names a profile that is in neither",
     STATUS_INVALID},
    {"", "[default]\n" ROLE "source_profile=b\n[profile b]\nregion=x\n",
     "profile b: is the source_profile of a role but has no credentials",
     STATUS_INVALID},
    {"",
     "[default]\n" ROLE "source_profile=b\n[profile b]\n"
     "aws_access_key_id=AK\n",
     "profile b: has aws_access_key_id but no", STATUS_INVALID},
    {"", "[default]\n" ROLE "source_profile=default\n" KEYS,
     "profile default, assume role arn:r from profile default, keys",
     STATUS_OK},
    {"", "[default]\n" ROLE "source_profile=default\n", "round in a circle",
     STATUS_INVALID},
    {"",
     "[default]\n" ROLE "source_profile=b\n[profile b]\n" ROLE
     "source_profile=c\n[profile c]\n" ROLE "source_profile=b\n",
     "profile c: source_profile goes round in a circle", STATUS_INVALID},
    {"",
     "[default]\n" ROLE "source_profile=b\n[profile b]\n" ROLE
     "source_profile=default\n",
     "profile b: source_profile goes round", STATUS_INVALID},
    {"",
     "[default]\n" ROLE "source_profile=b\n[profile b]\n" ROLE
     "source_profile=c\n[profile c]\ncredential_process=x\n",
     "profile default, assume role arn:r from profile c, credential_process",
     STATUS_OK},
    /* Keys of a source end the walk, even if it has a role as well. */
    {"",
     "[default]\n" ROLE "source_profile=b\n[profile b]\n" ROLE KEYS
     "source_profile=c\n",
     "profile default, assume role arn:r from profile b, keys", STATUS_OK},
    /* The environment's web identity is the profile's in use alone. */
    {"AWS_WEB_IDENTITY_TOKEN_FILE=/t AWS_ROLE_ARN=arn:w",
     "[default]\n" ROLE "source_profile=b\n[profile b]\nregion=x\n",
     "profile b: is the source_profile", STATUS_INVALID},
    {"", "[default]\n" ROLE "credential_source=Environment\n",
     "credential_source is Environment, but", STATUS_INVALID},
    {"", "[default]\n" ROLE "credential_source=Ec2InstanceMetadata\n",
     "profile default, assume role arn:r from instance metadata", STATUS_OK},
    {NO_IMDS, "[default]\n" ROLE "credential_source=Ec2InstanceMetadata\n",
     "AWS_EC2_METADATA_DISABLED is true", STATUS_INVALID},
    {"", "[default]\n" ROLE "credential_source=EcsContainer\n",
     "from container", STATUS_OK},
    {"", "[default]\n" ROLE "credential_source=ecs\n",
     "credential_source is none of", STATUS_INVALID},
    {"",
     "[default]\n" ROLE "source_profile=b\nmfa_serial=m\n[profile b]\n" KEYS,
     "mfa_serial", STATUS_UNSUPPORTED},
    {"",
     "[default]\n" ROLE
     "source_profile=b\nduration_seconds=899\n[profile b]\n" KEYS,
     "duration_seconds is not a number", STATUS_INVALID},
    {"",
     "[default]\n" ROLE
     "source_profile=b\nduration_seconds=43200\n[profile b]\n" KEYS,
     "from profile b, keys", STATUS_OK},
};

/* Variables of one row; what they point to lives in @text. */
static void chain_set_row(struct kit *k, char *text)
{
    char *rest = text;
    char *word;

    k->count = 0;
    while ((word = strsep(&rest, " ")) != NULL) {
        if (word[0] != '\0') {
            k->variables[k->count++] = word;
        }
    }
}

static void chain_try(const struct chain_row *row)
{
    struct kit k = {.count = 0};
    struct credentials_chain chain = {0};
    struct fault why = {""};
    char *text = mem_copy(row->variables);
    char got[FAULT_TEXT_MAX] = "";
    enum status s;

    chain_set_row(&k, text);
    kit_parse(&k, row->config, "");
    s = credentials_chain_find(k.config, &why, &chain);
    if (s == STATUS_OK) {
        credentials_chain_origin(&chain, got);
    } else {
        snprintf(got, sizeof(got), "%s", why.text);
    }
    if (s != row->status || strstr(got, row->want) == NULL) {
        fprintf(stderr, "%s\n%s\n%s: %s\n", row->variables, row->config,
                status_name(s), got);
    }
    EXPECT_STR(status_name(s), status_name(row->status));
    EXPECT(strstr(got, row->want) != NULL);
    aws_config_destroy(&k.config);
    free(text);
}

TEST(chain_of_providers)
{
    for (size_t i = 0; i < sizeof(chain_rows) / sizeof(chain_rows[0]); i++) {
        chain_try(&chain_rows[i]);
    }
}

TEST(chain_assumes_from_the_source_on)
{
    struct kit k = {.count = 0};
    struct credentials_chain chain = {0};
    struct fault why = {""};

    kit_parse(&k,
              "[default]\nrole_arn=arn:last\nsource_profile=b\n"
              "external_id=x\n[profile b]\nrole_arn=arn:first\n"
              "source_profile=c\n[profile c]\n" KEYS,
              "");
    EXPECT_EQ(credentials_chain_find(k.config, &why, &chain), STATUS_OK);
    EXPECT_EQ(chain.role_count, 2);
    EXPECT_STR(chain.roles[0].arn, "arn:first");
    EXPECT_STR(chain.roles[1].arn, "arn:last");
    EXPECT_STR(chain.roles[1].external_id, "x");
    EXPECT(chain.roles[0].external_id == NULL);
    aws_config_destroy(&k.config);
}

/* @count roles, then keys. */
static enum status chain_of_roles(int count)
{
    struct kit k = {.count = 0};
    struct credentials_chain chain = {0};
    struct buf text = {0};
    struct fault why = {""};
    enum status s;

    buf_add_text(&text, "[default]\nrole_arn=r\nsource_profile=p1\n");
    for (int i = 1; i < count; i++) {
        buf_print(&text, "[profile p%d]\nrole_arn=r\nsource_profile=p%d\n", i,
                  i + 1);
    }
    buf_print(&text, "[profile p%d]\n%s", count, KEYS);
    kit_parse(&k, buf_text(&text), "");
    s = credentials_chain_find(k.config, &why, &chain);
    aws_config_destroy(&k.config);
    buf_fini(&text);
    return s;
}

TEST(chain_has_a_limit)
{
    EXPECT_EQ(chain_of_roles(CREDENTIALS_ROLES_MAX), STATUS_OK);
    EXPECT_EQ(chain_of_roles(CREDENTIALS_ROLES_MAX + 1), STATUS_INVALID);
}

TEST(chain_shows_a_long_name_short)
{
    struct kit k = {.count = 0};
    struct credentials_chain chain = {0};
    struct fault why = {""};
    char origin[CREDENTIALS_ORIGIN_MAX];
    char name[600];
    char *text;
    char *variable;

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    text = mem_print("[profile %s]\nrole_arn=%s\nsource_profile=%s\n%s", name,
                     name, name, KEYS);
    variable = mem_print("AWS_PROFILE=%s", name);
    k.variables[k.count++] = variable;
    kit_parse(&k, text, "");
    EXPECT_EQ(credentials_chain_find(k.config, &why, &chain), STATUS_OK);
    credentials_chain_origin(&chain, origin);
    EXPECT(strstr(origin, "assume role nnn") != NULL);
    EXPECT(strstr(origin, "from profile nnn") != NULL);
    aws_config_destroy(&k.config);
    free(variable);
    free(text);
}

/* ---- When they are old. */

TEST(refresh_times)
{
    const struct {
        uint64_t life;      /* Minutes. */
        uint64_t advisory;  /* Before the end, give or take a tenth. */
        uint64_t mandatory; /* Before the end. */
    } rows[] = {
        {360, 15, 10}, {60, 15, 10}, {40, 15, 10}, {20, 10, 5}, {8, 4, 2}};
    struct prng prng;
    struct credentials_times t;

    prng_init(&prng, 7);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t end = KIT_NOW + rows[i].life * KIT_MINUTE;
        uint64_t lead = rows[i].advisory * KIT_MINUTE;

        for (int n = 0; n < 200; n++) {
            credentials_refresh_plan(KIT_NOW, end, &prng, &t);
            EXPECT(t.advisory_ms >= end - lead - lead / 10);
            EXPECT(t.advisory_ms <= end - lead + lead / 10);
            EXPECT_EQ(t.mandatory_ms, end - rows[i].mandatory * KIT_MINUTE);
            EXPECT(t.advisory_ms < t.mandatory_ms && t.advisory_ms > KIT_NOW);
        }
    }
}

TEST(refresh_is_spread)
{
    struct prng prng;
    struct credentials_times t;
    uint64_t end = KIT_NOW + 360 * KIT_MINUTE;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;

    prng_init(&prng, 7);
    for (int n = 0; n < 1000; n++) {
        credentials_refresh_plan(KIT_NOW, end, &prng, &t);
        least = t.advisory_ms < least ? t.advisory_ms : least;
        most = t.advisory_ms > most ? t.advisory_ms : most;
    }
    EXPECT(most - least > 2 * KIT_MINUTE && most - least <= 3 * KIT_MINUTE);
}

TEST(refresh_ages)
{
    const struct credentials_times t = {100, 200};
    const struct credentials_times never = {UINT64_MAX, UINT64_MAX};

    EXPECT_EQ(credentials_refresh_age(&t, 99), CREDENTIALS_FRESH);
    EXPECT_EQ(credentials_refresh_age(&t, 100), CREDENTIALS_ADVISORY);
    EXPECT_EQ(credentials_refresh_age(&t, 199), CREDENTIALS_ADVISORY);
    EXPECT_EQ(credentials_refresh_age(&t, 200), CREDENTIALS_MANDATORY);
    EXPECT_EQ(credentials_refresh_age(&never, KIT_NOW), CREDENTIALS_FRESH);
}

TEST(refresh_without_an_expiry_and_extensions)
{
    struct prng prng;
    struct credentials_times t;

    prng_init(&prng, 3);
    for (int n = 0; n < 200; n++) {
        uint64_t until = credentials_refresh_extend(KIT_NOW, &prng);
        uint32_t pause = credentials_refresh_pause_ms(&prng);

        credentials_refresh_plan(KIT_NOW, 0, &prng, &t);
        EXPECT_EQ(t.mandatory_ms, UINT64_MAX);
        EXPECT(t.advisory_ms > KIT_NOW + 13 * KIT_MINUTE);
        EXPECT(t.advisory_ms < KIT_NOW + 17 * KIT_MINUTE);
        EXPECT(until >= KIT_NOW + 17 * KIT_MINUTE);
        EXPECT(until <= KIT_NOW + 25 * KIT_MINUTE);
        EXPECT(pause >= 27000 && pause <= 33000);
    }
}

/* ---- Replies. */

struct reply_row {
    enum credentials_form form;
    const char *body;
    const char *part; /* Of the message; NULL: it is taken. */
    enum status status;
};

#define KEY2 "\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"SECR\""
#define SSO2 "\"accessKeyId\":\"AK\",\"secretAccessKey\":\"SECR\""

static const struct reply_row reply_rows[] = {
    {CREDENTIALS_FORM_CONTAINER, "{" KEY2 "}", NULL, STATUS_OK},
    {CREDENTIALS_FORM_CONTAINER, "{" KEY2 ",\"Expiration\":null}", NULL,
     STATUS_OK},
    {CREDENTIALS_FORM_CONTAINER, "{" KEY2 ",\"Expiration\":\"soon\"}",
     "Expiration is not a time", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "{" KEY2 ",\"Expiration\":12}",
     "Expiration is not a time", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "{\"SecretAccessKey\":\"SECR\"}",
     "AccessKeyId is missing", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "{\"AccessKeyId\":\"AK\"}",
     "SecretAccessKey is missing", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER,
     "{\"AccessKeyId\":\"AK\\r\\nX: y\",\"SecretAccessKey\":\"SECR\"}",
     "AccessKeyId holds a byte", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER,
     "{\"AccessKeyId\":\"A\\u0000K\",\"SecretAccessKey\":\"SECR\"}",
     "AccessKeyId holds a byte", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "{" KEY2 ",\"Token\":\"a\\nb\"}",
     "Token holds a byte", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "[]", "no JSON object", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "SECR", "not JSON", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "", "not JSON", STATUS_MALFORMED},
    {CREDENTIALS_FORM_CONTAINER, "{\"AccessKeyId\":7}",
     "AccessKeyId is missing", STATUS_MALFORMED},
    {CREDENTIALS_FORM_IMDS,
     "{\"Code\":\"AssumeRoleUnauthorizedAccess\"," KEY2 "}",
     "Code is AssumeRoleUnauthorizedAccess", STATUS_DENIED},
    {CREDENTIALS_FORM_IMDS, "{\"Code\":\"Success\"," KEY2 "}",
     "Token is missing", STATUS_MALFORMED},
    {CREDENTIALS_FORM_IMDS, "{\"Code\":\"Success\"," KEY2 ",\"Token\":\"t\"}",
     NULL, STATUS_OK},
    {CREDENTIALS_FORM_PROCESS, "{\"Version\":1," KEY2 "}", NULL, STATUS_OK},
    {CREDENTIALS_FORM_PROCESS, "{\"Version\":2," KEY2 "}",
     "Version is not the number 1", STATUS_MALFORMED},
    {CREDENTIALS_FORM_PROCESS, "{\"Version\":\"1\"," KEY2 "}",
     "Version is not the number 1", STATUS_MALFORMED},
    {CREDENTIALS_FORM_PROCESS, "{" KEY2 "}", "Version is not the number 1",
     STATUS_MALFORMED},
    {CREDENTIALS_FORM_SSO,
     "{\"roleCredentials\":{" SSO2
     ",\"sessionToken\":\"t\",\"expiration\":1769882400000}}",
     NULL, STATUS_OK},
    {CREDENTIALS_FORM_SSO,
     "{\"roleCredentials\":{" SSO2
     ",\"sessionToken\":\"t\",\"expiration\":\"" KIT_LATER "\"}}",
     "expiration is not a time", STATUS_MALFORMED},
    {CREDENTIALS_FORM_SSO, "{" SSO2 ",\"sessionToken\":\"t\"}",
     "accessKeyId is missing", STATUS_MALFORMED},
};

TEST(replies_in_json)
{
    for (size_t i = 0; i < sizeof(reply_rows) / sizeof(reply_rows[0]); i++) {
        const struct reply_row *row = &reply_rows[i];
        struct credentials out;
        struct fault why = {""};
        enum status s =
            credentials_reply_json(bytes_of(row->body), row->form, &why, &out);

        if (s != row->status) {
            fprintf(stderr, "%s: %s\n", row->body, why.text);
        }
        EXPECT_STR(status_name(s), status_name(row->status));
        EXPECT_STR(out.access_key, s == STATUS_OK ? "AK" : "");
        EXPECT_STR(out.secret_key, s == STATUS_OK ? "SECR" : "");
        EXPECT(s == STATUS_OK || strstr(why.text, row->part) != NULL);
        EXPECT(strstr(why.text, "SECR") == NULL);
    }
}

TEST(replies_have_a_longest_key)
{
    char *key = mem_new(1, CREDENTIALS_KEY_MAX + 1);
    char out[CREDENTIALS_KEY_MAX];
    struct fault why;

    memset(key, 'k', CREDENTIALS_KEY_MAX);
    EXPECT_EQ(
        credentials_reply_take(bytes_of(key), "it", sizeof(out), &why, out),
        STATUS_MALFORMED);
    EXPECT(strstr(why.text, "longer than 255") != NULL);
    EXPECT_EQ(
        credentials_reply_take(bytes_of(key + 1), "it", sizeof(out), &why, out),
        STATUS_OK);
    EXPECT_STR(out, key + 1);
    free(key);
}

TEST(replies_in_xml)
{
    static const char good[] = KIT_STS("AssumeRole", "ASIA", KIT_LATER);
    struct credentials out;
    struct fault why = {""};
    const char *bad[] = {
        "",
        "<a/>",
        "no XML",
        "<AssumeRoleResponse>",
        KIT_STS("AssumeRole", "ASIA", "soon"),
        KIT_STS("AssumeRole", "", "x"),
        KIT_STS("AssumeRoleWithWebIdentity", "ASIA", KIT_LATER),
        KIT_STS("AssumeRole", "AS&#10;IA", KIT_LATER)};

    EXPECT_EQ(credentials_reply_sts(bytes_of(good), "AssumeRole", &why, &out),
              STATUS_OK);
    EXPECT_STR(out.access_key, "ASIA");
    EXPECT_STR(out.secret_key, KIT_SECRET);
    EXPECT_STR(out.token, "tok-ASIA");
    EXPECT_EQ(out.expires_ms, KIT_NOW + 360 * KIT_MINUTE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EXPECT_EQ(
            credentials_reply_sts(bytes_of(bad[i]), "AssumeRole", &why, &out),
            STATUS_MALFORMED);
        EXPECT_STR(out.secret_key, "");
        EXPECT(strstr(why.text, "SECR") == NULL);
    }
}

TEST(replies_that_are_errors)
{
    const struct {
        const char *body;
        const char *code;
        const char *text;
    } rows[] = {
        {KIT_STS_ERROR("AccessDenied", "not\nyou"), "AccessDenied",
         "AccessDenied: not you"},
        {"{\"Code\":\"C\",\"Message\":\"m\"}", "C", "C: m"},
        {"{\"code\":\"c\",\"message\":\"m\"}", "c", "c: m"},
        {"{\"__type\":\"T\",\"message\":\"m\"}", "T", "T: m"},
        {"{\"message\":\"only\"}", "", "only"},
        {"<html>no</html>", "", ""},
        {"plain", "", ""},
        {"", "", ""},
        {"[1]", "", ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct credentials_error e;

        credentials_reply_error(bytes_of(rows[i].body), &e);
        EXPECT_STR(e.code, rows[i].code);
        EXPECT_STR(e.text, rows[i].text);
    }
}

/* ---- URLs, words, names. */

TEST(urls)
{
    const struct {
        const char *text;
        const char *origin; /* NULL: refused. */
        const char *path;
        bool is_local;
    } rows[] = {
        {"http://127.0.0.1:80/a?b", "http://127.0.0.1:80", "/a?b", true},
        {"http://127.1.2.3", "http://127.1.2.3", "/", true},
        {"http://localhost?x", "http://localhost", "/?x", true},
        {"http://[::1]:8/", "http://[::1]:8", "/", true},
        {"http://169.254.170.2/v", "http://169.254.170.2", "/v", true},
        {"http://169.254.170.23/v", "http://169.254.170.23", "/v", true},
        {"http://[fd00:ec2::23]/v", "http://[fd00:ec2::23]", "/v", true},
        {"http://169.254.170.22/", "http://169.254.170.22", "/", false},
        {"http://127.0.0.1.evil.com/", "http://127.0.0.1.evil.com", "/", false},
        {"http://127.evil/", "http://127.evil", "/", false},
        {"http://127.0.0.256/", "http://127.0.0.256", "/", false},
        {"http://128.0.0.1/", "http://128.0.0.1", "/", false},
        {"http://localhost.evil/", "http://localhost.evil", "/", false},
        {"HTTPS://h:443/", "HTTPS://h:443", "/", false},
        {"http://127.0.0.1@evil/", NULL, NULL, false},
        {"http://a:b@c/", NULL, NULL, false},
        {"http://h:0/", NULL, NULL, false},
        {"http://h:65536/", NULL, NULL, false},
        {"http://h:x/", NULL, NULL, false},
        {"http://h:/", NULL, NULL, false},
        {"http:///", NULL, NULL, false},
        {"http://[::1/", NULL, NULL, false},
        {"http://[::1]x/", NULL, NULL, false},
        {"http://h/ x", NULL, NULL, false},
        {"http://h/\r\nX: y", NULL, NULL, false},
        {"http://h/#f", NULL, NULL, false},
        {"ftp://h/", NULL, NULL, false},
        {"h", NULL, NULL, false},
        {"", NULL, NULL, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct credentials_url url;
        bool is_url = credentials_url_split(rows[i].text, &url);

        if (is_url != (rows[i].origin != NULL)) {
            fprintf(stderr, "%s\n", rows[i].text);
        }
        EXPECT_EQ(is_url, rows[i].origin != NULL);
        if (is_url) {
            EXPECT_STR(url.origin, rows[i].origin);
            EXPECT_STR(url.path, rows[i].path);
            EXPECT_EQ(credentials_url_is_local(&url), rows[i].is_local);
        }
    }
}

TEST(words_of_a_command)
{
    const struct {
        const char *text;
        const char *want; /* Words, each with '|' after it; NULL: refused. */
    } rows[] = {
        {"a b  c", "a|b|c|"},
        {"  a\tb\n", "a|b|"},
        {"'a b' \"c d\"", "a b|c d|"},
        {"a'b'\"c\"d", "abcd|"},
        {"a\\ b", "a b|"},
        {"\"a\\\"b\\\\c\\d\"", "a\"b\\c\\d|"},
        {"'a\\b'", "a\\b|"},
        {"a '' b", "a||b|"},
        {"a # b;$c|d*", "a|#|b;$c|d*|"},
        {"'a", NULL},
        {"\"a", NULL},
        {"a\\", NULL},
        {"\"a\\", NULL},
        {"", NULL},
        {"  ", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char **argv = NULL;
        struct buf got = {0};
        struct fault why;
        enum status s = credentials_process_split(rows[i].text, &why, &argv);

        EXPECT_EQ(s, rows[i].want != NULL ? STATUS_OK : STATUS_INVALID);
        for (char **at = argv; at != NULL && *at != NULL; at++) {
            buf_print(&got, "%s|", *at);
        }
        EXPECT_STR(buf_text(&got), rows[i].want != NULL ? rows[i].want : "");
        buf_fini(&got);
        free(argv);
    }
}

TEST(names_of_cached_logins)
{
    char hex[CREDENTIALS_SSO_NAME_SIZE];

    credentials_sso_name(BYTES("abc"), hex);
    EXPECT_STR(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(switches)
{
    EXPECT(credentials_is_on("true") && credentials_is_on("TRUE"));
    EXPECT(credentials_is_on("1"));
    EXPECT(!credentials_is_on("false") && !credentials_is_on("0"));
    EXPECT(!credentials_is_on(NULL) && !credentials_is_on(""));
}
