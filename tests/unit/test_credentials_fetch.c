/* SPDX-License-Identifier: Apache-2.0 */
/* Each provider against a fake endpoint on loopback. */

#include "store/credentials_sso.h"
#include "tests/credentials_kit.h"

enum { SHORT_MS = 60 };

#define ROLE_PROFILE                                                           \
    "[default]\nrole_arn=arn:aws:iam::1:role/a b\nsource_profile=base\n"       \
    "external_id=ex/1\nduration_seconds=900\nrole_session_name=me\n"           \
    "[profile base]\naws_access_key_id=AKBASE\n"                               \
    "aws_secret_access_key=SECR\naws_session_token=BASETOKEN\n"

/* ---- Keys that are there. */

TEST(environment_and_profile_keys)
{
    struct kit k;
    struct credentials c;

    kit_start(&k);
    kit_set(&k, "AWS_ACCESS_KEY_ID", "AKENV");
    kit_set(&k, "AWS_SECRET_ACCESS_KEY", "SECR");
    kit_set(&k, "AWS_SECURITY_TOKEN", "old-name");
    kit_set(&k, "AWS_CREDENTIAL_EXPIRATION", KIT_LATER);
    kit_parse(&k, "", "");
    kit_expect(&k, "AKENV", &c);
    EXPECT_STR(c.secret_key, "SECR");
    EXPECT_STR(c.token, "old-name");
    EXPECT_STR(c.origin, "environment");
    EXPECT_EQ(c.expires_ms, KIT_NOW + 360 * KIT_MINUTE);
    atomic_store(&k.wall_ms, c.expires_ms + 5000);
    kit_expect_fault(&k, STATUS_DENIED,
                     "environment: the credentials expired 5 s ago");
    EXPECT_EQ(stub_requests(&k.stub), 0);
    kit_stop(&k);
}

TEST(credentials_file_beats_config_file)
{
    struct kit k;
    struct credentials c;

    kit_start(&k);
    kit_parse(&k,
              "[default]\naws_access_key_id=AKC\naws_secret_access_key=SECR\n",
              "[default]\naws_access_key_id=AKF\naws_secret_access_key=SECRF\n"
              "aws_session_token=t\n");
    kit_expect(&k, "AKF", &c);
    EXPECT_STR(c.secret_key, "SECRF");
    EXPECT_STR(c.token, "t");
    EXPECT_EQ(c.expires_ms, 0);
    kit_stop(&k);
}

TEST(anonymous)
{
    struct kit k;
    struct credentials c;

    kit_start(&k);
    kit_set(&k, "SMSHARD_S3_ANONYMOUS", "1");
    kit_parse(&k, "", "");
    kit_expect(&k, "", &c);
    EXPECT_STR(c.origin, "anonymous");
    kit_stop(&k);
}

TEST(a_copy_is_forgotten)
{
    struct credentials from = {.access_key = "AKIDSECRET",
                               .secret_key = "key SECRET",
                               .token = "token SECRET",
                               .expires_ms = 7,
                               .generation = 3,
                               .origin = "environment"};
    static struct credentials c;

    credentials_copy(&c, &from);
    EXPECT_EQ(memcmp(&c, &from, sizeof(c)), 0);
    credentials_forget(&c);
    EXPECT(memmem(&c, sizeof(c), "SECRET", 6) == NULL);
    EXPECT_STR(c.token, "");
    EXPECT_STR(c.origin, "");
    EXPECT(c.expires_ms == 0 && c.generation == 0);
    from.token[5] = '\0';
    credentials_copy(&c, &from);
    EXPECT_STR(c.token, "token");
}

TEST(a_bad_value_is_named_and_not_shown)
{
    struct kit k;

    kit_start(&k);
    kit_set(&k, "AWS_ACCESS_KEY_ID", "AKENV");
    kit_set(&k, "AWS_SECRET_ACCESS_KEY", "SECR\nX-Evil: 1");
    kit_parse(&k, "", "");
    kit_expect_fault(&k, STATUS_MALFORMED,
                     "environment: the secret key holds a byte");
    kit_stop(&k);
}

/* ---- Roles. */

TEST(role_is_assumed_with_a_signed_form)
{
    struct kit k;
    struct credentials c;

    kit_start(&k);
    kit_set_url(&k, "AWS_ENDPOINT_URL_STS", "");
    kit_set(&k, "AWS_REGION", "eu-west-1");
    kit_parse(&k, ROLE_PROFILE, "");
    stub_add(&k.stub, "POST / ", 200, KIT_STS("AssumeRole", "ASIA", KIT_LATER),
             0);
    kit_expect(&k, "ASIA", &c);
    EXPECT_STR(c.token, "tok-ASIA");
    EXPECT_EQ(c.expires_ms, KIT_NOW + 360 * KIT_MINUTE);
    EXPECT_STR(c.origin, "profile default, assume role "
                         "arn:aws:iam::1:role/a b from profile base, keys");
    EXPECT(stub_saw(&k.stub, "Action=AssumeRole&Version=2011-06-15"
                             "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b"
                             "&RoleSessionName=me&DurationSeconds=900"
                             "&ExternalId=ex%2F1\n"));
    EXPECT(stub_saw(&k.stub, "Credential=AKBASE/20260131/eu-west-1/sts/"
                             "aws4_request"));
    EXPECT(stub_saw(&k.stub, "BASETOKEN\r\n"));
    EXPECT(!stub_saw(&k.stub, "SECR"));
    kit_stop(&k);
}

TEST(roles_follow_one_another)
{
    struct kit k;
    struct credentials c;

    kit_start(&k);
    kit_set_url(&k, "AWS_ENDPOINT_URL_STS", "");
    kit_set(&k, "AWS_ACCESS_KEY_ID", "");
    kit_parse(&k,
              "[default]\nrole_arn=last\nsource_profile=b\n"
              "[profile b]\nrole_arn=first\nsource_profile=c\n[profile c]\n"
              "aws_access_key_id=AKBASE\naws_secret_access_key=SECR\n",
              "");
    stub_add(&k.stub, "POST / ", 200,
             KIT_STS("AssumeRole", "ASIAFIRST", KIT_LATER), 1);
    stub_add(&k.stub, "POST / ", 200,
             KIT_STS("AssumeRole", "ASIALAST", KIT_LATER), 1);
    kit_expect(&k, "ASIALAST", &c);
    EXPECT(stub_saw(&k.stub, "Credential=AKBASE/"));
    EXPECT(stub_saw(&k.stub, "Credential=ASIAFIRST/20260131/us-east-1/sts"));
    EXPECT(stub_saw(&k.stub, "RoleSessionName=smshard-1769860800"));
    kit_stop(&k);
}

TEST(role_errors)
{
    struct kit k;

    kit_start(&k);
    kit_set_url(&k, "AWS_ENDPOINT_URL_STS", "");
    kit_parse(&k, ROLE_PROFILE, "");
    stub_add(&k.stub, "POST / ", 403,
             KIT_STS_ERROR("AccessDenied", "you may not"), 1);
    kit_expect_fault(&k, STATUS_DENIED, "403 AccessDenied: you may not - may");
    EXPECT_EQ(stub_requests(&k.stub), 1);
    stub_add(&k.stub, "POST / ", 200, "<a><b/></a>", 1);
    kit_expect_fault(&k, STATUS_MALFORMED, "the answer");
    stub_add(&k.stub, "POST / ", 200, KIT_STS("AssumeRole", "ASIA", KIT_PAST),
             1);
    kit_expect_fault(&k, STATUS_DENIED, "expired 3600 s ago");
    stub_add(&k.stub, "POST / ", 200, "SECR not xml", 1);
    kit_expect_fault(&k, STATUS_MALFORMED,
                     "profile default, assume role arn:aws:iam::1:role/a b: "
                     "http://127.0.0.1:");
    kit_stop(&k);
}

TEST(role_is_asked_for_again)
{
    struct kit k;
    struct credentials c;

    kit_start(&k);
    kit_set_url(&k, "AWS_ENDPOINT_URL_STS", "");
    kit_parse(&k, ROLE_PROFILE, "");
    stub_add(&k.stub, "POST / ", 503, "busy", 1);
    stub_add(&k.stub, "POST / ", 400,
             KIT_STS_ERROR("IDPCommunicationError", "wait"), 1);
    stub_add(&k.stub, "POST / ", 200, KIT_STS("AssumeRole", "ASIA", KIT_LATER),
             1);
    kit_expect(&k, "ASIA", &c);
    EXPECT_EQ(stub_requests(&k.stub), 3);
    stub_clear(&k.stub);
    stub_add(&k.stub, "POST / ", 500, "", 0);
    kit_expect_fault(&k, STATUS_STORE, "500");
    EXPECT_EQ(stub_requests(&k.stub), 3);
    stub_clear(&k.stub);
    stub_add(&k.stub, "POST / ", STUB_HANG_UP, "", 0);
    kit_expect_fault(&k, STATUS_STORE, "assume role");
    EXPECT_EQ(stub_requests(&k.stub), 3);
    kit_stop(&k);
}

TEST(role_with_a_bad_endpoint)
{
    struct kit k;

    kit_start(&k);
    kit_set(&k, "AWS_ENDPOINT_URL_STS", "http://user@host/");
    kit_parse(&k, ROLE_PROFILE, "");
    kit_expect_fault(&k, STATUS_INVALID, "(AWS_ENDPOINT_URL_STS) is not a URL");
    kit_stop(&k);
}

/* ---- Web identity. */

static void web_start(struct kit *k, char path[256])
{
    kit_start(k);
    kit_write(k, "token", "eyJh.one/+=\n", path);
    kit_set(k, "AWS_WEB_IDENTITY_TOKEN_FILE", path);
    kit_set(k, "AWS_ROLE_ARN", "arn:web");
    kit_set_url(k, "AWS_ENDPOINT_URL_STS", "/");
    kit_parse(k, "", "");
}

TEST(web_identity_reads_its_file_each_time)
{
    struct kit k;
    struct credentials c;
    char path[256];

    web_start(&k, path);
    kit_set(&k, "AWS_ROLE_SESSION_NAME", "pod");
    stub_add(&k.stub, "POST / ", 200,
             KIT_STS("AssumeRoleWithWebIdentity", "ASIAW", KIT_LATER), 0);
    kit_expect(&k, "ASIAW", &c);
    EXPECT_STR(c.origin, "web identity");
    EXPECT(stub_saw(&k.stub, "Action=AssumeRoleWithWebIdentity&Version=2011-06-"
                             "15&RoleArn=arn%3Aweb&RoleSessionName=pod&"
                             "WebIdentityToken=eyJh.one%2F%2B%3D\n"));
    EXPECT(!stub_saw(&k.stub, "Authorization"));
    kit_write(&k, "token", "eyJh.two", path);
    kit_expect(&k, "ASIAW", &c);
    EXPECT(stub_saw(&k.stub, "WebIdentityToken=eyJh.two\n"));
    kit_stop(&k);
}

TEST(web_identity_errors)
{
    struct kit k;
    char path[256];

    web_start(&k, path);
    stub_add(&k.stub, "POST / ", 400,
             KIT_STS_ERROR("ExpiredTokenException", "old"), 1);
    kit_expect_fault(&k, STATUS_DENIED,
                     "web identity, role arn:web: POST http://127.0.0.1:");
    EXPECT_EQ(stub_requests(&k.stub), 1);
    kit_write(&k, "token", " \n", path);
    kit_expect_fault(&k, STATUS_INVALID, "is empty: who writes it?");
    EXPECT(remove(path) == 0);
    kit_expect_fault(&k, STATUS_INVALID, path);
    EXPECT_EQ(stub_requests(&k.stub), 1);
    kit_stop(&k);
}

/* ---- SSO. */

/* Write the cached login of start URL "https://u" or of session "s". */
static void sso_write(struct kit *k, const char *name, const char *text)
{
    char hex[CREDENTIALS_SSO_NAME_SIZE];
    char path[256];
    char *file;

    credentials_sso_name(bytes_of(name), hex);
    file = mem_print(".aws/sso/cache/%s.json", hex);
    kit_write(k, file, text, path);
    free(file);
}

#define SSO_LOGIN(expires)                                                     \
    "{\"accessToken\":\"LOGIN-SECR\",\"expiresAt\":\"" expires "\"}"
#define SSO_KEYS(ms)                                                           \
    "{\"roleCredentials\":{\"accessKeyId\":\"ASIASSO\",\"secretAccessKey\":"   \
    "\"" KIT_SECRET "\",\"sessionToken\":\"t\",\"expiration\":" ms "}}"

static void sso_start(struct kit *k, const char *config)
{
    kit_start(k);
    sso_write(k, "https://u", SSO_LOGIN(KIT_LATER));
    sso_write(k, "s", SSO_LOGIN("2026-01-31T18:00:00UTC"));
    kit_set(k, "HOME", k->folder);
    kit_set_url(k, "AWS_ENDPOINT_URL_SSO", "");
    kit_parse(k, config, "");
}

#define SSO_LEGACY                                                             \
    "[default]\nsso_start_url=https://u\nsso_region=eu-west-1\n"               \
    "sso_account_id=12\nsso_role_name=a b\n"

TEST(sso_by_a_cached_login)
{
    struct kit k;
    struct credentials c;

    sso_start(&k, SSO_LEGACY);
    stub_add(&k.stub,
             "GET /federation/credentials?role_name=a%20b&account_id=12 ", 200,
             SSO_KEYS("1769882400000"), 0);
    kit_expect(&k, "ASIASSO", &c);
    EXPECT_EQ(c.expires_ms, KIT_NOW + 360 * KIT_MINUTE);
    EXPECT_STR(c.origin, "profile default, SSO");
    EXPECT(stub_saw(&k.stub, "x-amz-sso_bearer_token: LOGIN-SECR\r\n"));
    kit_stop(&k);
}

TEST(sso_by_a_session)
{
    struct kit k;
    struct credentials c;

    sso_start(&k, "[default]\nsso_session=s\nsso_account_id=12\n"
                  "sso_role_name=r\n[sso-session s]\nsso_region=eu-west-1\n"
                  "sso_start_url=https://other\n");
    sso_write(&k, "s", SSO_LOGIN(KIT_LATER));
    stub_add(&k.stub, "GET /federation/credentials?role_name=r&account_id=12 ",
             200, SSO_KEYS("1769882400000"), 0);
    kit_expect(&k, "ASIASSO", &c);
    kit_stop(&k);
}

TEST(sso_errors)
{
    struct kit k;

    sso_start(&k, SSO_LEGACY);
    stub_add(&k.stub, "GET /federation", 401, "{\"message\":\"no\"}", 1);
    kit_expect_fault(&k, STATUS_DENIED, "401 no - the login is over: run aws");
    stub_add(&k.stub, "GET /federation", 403, "{\"message\":\"no\"}", 1);
    kit_expect_fault(&k, STATUS_DENIED, "is the role of sso_role_name");
    stub_add(&k.stub, "GET /federation", 200, SSO_KEYS("1"), 1);
    kit_expect_fault(&k, STATUS_DENIED, "expired");
    sso_write(&k, "https://u", SSO_LOGIN(KIT_PAST));
    kit_expect_fault(&k, STATUS_DENIED,
                     "the login expired 3600 s ago: run aws sso login "
                     "--profile default");
    sso_write(&k, "https://u", "{\"accessToken\":7}");
    kit_expect_fault(&k, STATUS_MALFORMED, "accessToken is missing");
    sso_write(&k, "https://u", "SECR");
    kit_expect_fault(&k, STATUS_MALFORMED, "not JSON");
    EXPECT_EQ(stub_requests(&k.stub), 3);
    kit_stop(&k);
}

TEST(sso_without_a_login)
{
    struct kit k;

    kit_start(&k);
    kit_parse(&k, SSO_LEGACY, "");
    kit_expect_fault(&k, STATUS_INVALID, "HOME is not set");
    kit_set(&k, "HOME", "/nonexistent");
    kit_expect_fault(&k, STATUS_INVALID,
                     "profile default, SSO: /nonexistent/.aws/sso/cache/");
    kit_expect_fault(&k, STATUS_INVALID, "run aws sso login --profile default");
    kit_stop(&k);
}

/* ---- credential_process. */

static void process_start(struct kit *k, const char *script, const char *tail)
{
    char path[256];
    char *config;

    kit_start(k);
    kit_write(k, "a script", script, path);
    config = mem_print("[default]\ncredential_process = /bin/sh '%s' %s\n",
                       path, tail);
    kit_parse(k, config, "");
    free(config);
}

TEST(process_prints_keys)
{
    struct kit k;
    struct credentials c;

    process_start(&k,
                  "echo noise >&2\n"
                  "printf '{\"Version\":1,\"AccessKeyId\":\"%s\",' \"$2\"\n"
                  "echo '\"SecretAccessKey\":\"SECR\",\"SessionToken\":\"t\","
                  "\"Expiration\":\"" KIT_LATER "\"}'\n",
                  "x 'AK/$HOME;*'");
    kit_expect(&k, "AK/$HOME;*", &c);
    EXPECT_STR(c.token, "t");
    EXPECT_EQ(c.expires_ms, KIT_NOW + 360 * KIT_MINUTE);
    EXPECT_STR(c.origin, "profile default, credential_process");
    kit_stop(&k);
}

TEST(process_errors)
{
    static const struct {
        const char *script;
        enum status status;
        const char *part;
    } rows[] = {
        {"echo no right >&2; exit 3", STATUS_DENIED,
         "profile default, credential_process /bin/sh: it ended with 3: no "
         "right"},
        {"exit 1", STATUS_DENIED, "it ended with 1 and said nothing"},
        {"kill -9 $$", STATUS_DENIED, "it ended with 137"},
        {"echo SECR", STATUS_MALFORMED, "what it printed: not JSON"},
        {"", STATUS_MALFORMED, "what it printed: not JSON"},
        {"echo '{\"Version\":2,\"AccessKeyId\":\"SECR\"}'", STATUS_MALFORMED,
         "Version is not the number 1"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"AK\"}'", STATUS_MALFORMED,
         "SecretAccessKey is missing"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":"
         "\"SECR\",\"Expiration\":\"" KIT_PAST "\"}'",
         STATUS_DENIED, "expired 3600 s ago"},
        {"while :; do echo SECRSECRSECRSECRSECRSECR; done", STATUS_MALFORMED,
         "it prints more than"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit k;

        process_start(&k, rows[i].script, "");
        kit_expect_fault(&k, rows[i].status, rows[i].part);
        kit_stop(&k);
    }
}

TEST(process_that_can_not_run)
{
    struct kit k;

    kit_start(&k);
    kit_parse(&k, "[default]\ncredential_process=/nonexistent SECR\n", "");
    kit_expect_fault(&k, STATUS_INVALID,
                     "credential_process /nonexistent: can not be started");
    kit_parse(&k, "[default]\ncredential_process='SECR\n", "");
    kit_expect_fault(&k, STATUS_INVALID, "a quote is not closed");
    kit_stop(&k);
}

static enum status process_for(struct kit *k, uint32_t process_ms,
                               struct fault *why)
{
    struct credentials_chain chain = {0};
    struct credentials_fetcher f = {
        .config = k->config, .clock = &k->clock, .process_ms = process_ms};
    struct credentials out;

    EXPECT_EQ(credentials_chain_find(k->config, why, &chain), STATUS_OK);
    return credentials_fetch(&f, &chain, why, &out);
}

/* What would run for ever is killed, with its children, in time; also when it
 * has closed what we read. */
TEST(process_is_bounded)
{
    const char *scripts[] = {"sleep 1000 & sleep 1000; echo",
                             "exec >/dev/null 2>&1; sleep 1000; echo"};

    for (size_t i = 0; i < 2; i++) {
        struct kit k;
        struct fault why;

        process_start(&k, scripts[i], "");
        EXPECT_EQ(process_for(&k, SHORT_MS, &why), STATUS_TIMEOUT);
        EXPECT(strstr(why.text, "it did not end within") != NULL);
        kit_stop(&k);
    }
}

/* ---- Containers. */

TEST(container_by_full_uri)
{
    struct kit k;
    struct credentials c;
    char path[256];

    kit_start(&k);
    kit_set_url(&k, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/v1/creds?a=b");
    kit_set(&k, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this");
    kit_write(&k, "auth", "Basic one", path);
    kit_set(&k, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
    kit_parse(&k, "", "");
    stub_add(&k.stub, "GET /v1/creds?a=b ", 200,
             KIT_JSON("ASIAC", "Token", KIT_LATER), 0);
    kit_expect(&k, "ASIAC", &c);
    EXPECT_STR(c.token, "tok-ASIAC");
    EXPECT_STR(c.origin, "container");
    EXPECT(stub_saw(&k.stub, "Authorization: Basic one\r\n"));
    kit_write(&k, "auth", "Basic two", path);
    kit_expect(&k, "ASIAC", &c);
    EXPECT(stub_saw(&k.stub, "Authorization: Basic two\r\n"));
    kit_stop(&k);
}

TEST(container_tokens_that_forge_a_header)
{
    const char *bad[] = {"a\r\nX-Evil: 1", "a\nb", "a\r"};

    for (size_t i = 0; i < 3; i++) {
        struct kit k;
        char path[256];

        kit_start(&k);
        kit_set_url(&k, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/");
        kit_write(&k, "auth", bad[i], path);
        kit_set(&k, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
        kit_parse(&k, "", "");
        kit_expect_fault(&k, STATUS_INVALID,
                         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE holds a line");
        EXPECT_EQ(stub_requests(&k.stub), 0);
        kit_write(&k, "auth", "", path);
        kit_expect_fault(&k, STATUS_INVALID, "is empty");
        EXPECT(remove(path) == 0);
        kit_expect_fault(&k, STATUS_INVALID, path);
        kit_stop(&k);
    }
}

TEST(container_token_variable)
{
    struct kit k;
    struct credentials c;

    kit_start(&k);
    kit_set_url(&k, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/");
    kit_set(&k, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer x");
    kit_parse(&k, "", "");
    stub_add(&k.stub, "GET / ", 200, KIT_JSON("ASIAC", "Token", KIT_LATER), 0);
    kit_expect(&k, "ASIAC", &c);
    EXPECT(stub_saw(&k.stub, "Authorization: Bearer x\r\n"));
    kit_stop(&k);
}

TEST(container_addresses)
{
    static const struct {
        const char *url;
        const char *part;
    } rows[] = {
        {"http://192.0.2.1/", "http to 192.0.2.1 would show the credentials"},
        {"http://127.0.0.1.example/", "would show the credentials"},
        {"http://127.0.0.1@example/", "not a URL"},
        {"file:///etc/passwd", "not a URL"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit k;

        kit_start(&k);
        kit_set(&k, "AWS_CONTAINER_CREDENTIALS_FULL_URI", rows[i].url);
        kit_parse(&k, "", "");
        kit_expect_fault(&k, STATUS_INVALID, rows[i].part);
        kit_stop(&k);
    }
}

TEST(container_errors)
{
    struct kit k;

    kit_start(&k);
    kit_set_url(&k, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/private-path");
    kit_parse(&k, "", "");
    stub_add(&k.stub, "GET /", 403, "{\"code\":\"No\",\"message\":\"m\"}", 1);
    kit_expect_fault(&k, STATUS_DENIED, "403 No: m - does the container have");
    EXPECT_EQ(stub_requests(&k.stub), 1);
    stub_add(&k.stub, "GET /", 200, "SECR", 1);
    kit_expect_fault(&k, STATUS_MALFORMED,
                     "container (AWS_CONTAINER_CREDENTIALS_FULL_URI): http");
    stub_add(&k.stub, "GET /", 200, KIT_JSON("ASIAC", "Token", KIT_PAST), 1);
    kit_expect_fault(&k, STATUS_DENIED, "expired 3600 s ago");
    stub_clear(&k.stub);
    stub_add(&k.stub, "GET /", 500, "", 0);
    kit_expect_fault(&k, STATUS_STORE, "500");
    EXPECT_EQ(stub_requests(&k.stub), 3);
    kit_stop(&k);
}

TEST(container_that_does_not_answer)
{
    struct kit k;
    struct fault why;
    struct credentials c;

    kit_start(&k);
    kit_set_url(&k, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/private-path");
    kit_parse(&k, "", "");
    stub_add(&k.stub, "GET /", STUB_SILENCE, "", 0);
    EXPECT_EQ(kit_fetch(&k, SHORT_MS, &why, &c), STATUS_TIMEOUT);
    EXPECT(strstr(why.text, "container (AWS_CONTAINER") != NULL);
    EXPECT(strstr(why.text, "private-path") == NULL);
    EXPECT_EQ(stub_requests(&k.stub), 3);
    kit_stop(&k);
}
