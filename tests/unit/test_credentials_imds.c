/* SPDX-License-Identifier: Apache-2.0 */
/* Instance metadata against a fake one on loopback. */

#include "tests/credentials_kit.h"

enum { SHORT_MS = 60 };

#define PATH "/latest/meta-data/iam/security-credentials/"

static void imds_start(struct kit *k)
{
    kit_start(k);
    kit_set_url(k, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "/");
    kit_parse(k, "", "");
}

TEST(imds_with_a_session_token)
{
    struct kit k;
    struct credentials c;

    imds_start(&k);
    kit_imds(&k, KIT_JSON("ASIAI", "Token", KIT_LATER));
    kit_expect(&k, "ASIAI", &c);
    EXPECT_STR(c.token, "tok-ASIAI");
    EXPECT_STR(c.origin, "instance metadata");
    EXPECT_EQ(c.expires_ms, KIT_NOW + 360 * KIT_MINUTE);
    EXPECT(stub_saw(&k.stub, "PUT /latest/api/token HTTP/1.1\r\n"));
    EXPECT(
        stub_saw(&k.stub, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
    EXPECT(stub_saw(&k.stub, "x-aws-ec2-metadata-token: imds-token\r\n"));
    EXPECT_EQ(stub_requests(&k.stub), 3);
    kit_stop(&k);
}

TEST(imds_without_tokens)
{
    const int codes[] = {403, 404, 405};

    for (size_t i = 0; i < 3; i++) {
        struct kit k;
        struct credentials c;

        imds_start(&k);
        stub_add(&k.stub, "PUT ", codes[i], "", 0);
        kit_imds(&k, KIT_JSON("ASIAI", "Token", KIT_LATER));
        kit_expect(&k, "ASIAI", &c);
        EXPECT(!stub_saw(&k.stub, "x-aws-ec2-metadata-token:"));
        kit_set(&k, "AWS_EC2_METADATA_V1_DISABLED", "true");
        kit_expect_fault(&k, STATUS_DENIED, "AWS_EC2_METADATA_V1_DISABLED");
        kit_stop(&k);
    }
}

/* The answer does not come through to containers. */
TEST(imds_token_that_does_not_come)
{
    struct kit k;
    struct credentials c;
    struct fault why;

    imds_start(&k);
    stub_add(&k.stub, "PUT ", STUB_SILENCE, "", 0);
    kit_imds(&k, KIT_JSON("ASIAI", "Token", KIT_LATER));
    EXPECT_EQ(kit_fetch(&k, SHORT_MS, &why, &c), STATUS_OK);
    EXPECT_STR(c.access_key, "ASIAI");
    kit_set(&k, "AWS_EC2_METADATA_V1_DISABLED", "true");
    EXPECT_EQ(kit_fetch(&k, SHORT_MS, &why, &c), STATUS_DENIED);
    EXPECT(strstr(why.text, "no answer in time") != NULL);
    EXPECT(strstr(why.text, "hop limit") != NULL);
    kit_stop(&k);
}

TEST(imds_v1_may_be_off_in_the_profile)
{
    struct kit k;

    imds_start(&k);
    kit_parse(&k, "[default]\nec2_metadata_v1_disabled=true\n", "");
    stub_add(&k.stub, "PUT ", 403, "", 0);
    kit_expect_fault(&k, STATUS_DENIED, "AWS_EC2_METADATA_V1_DISABLED");
    EXPECT_EQ(stub_requests(&k.stub), 1);
    kit_stop(&k);
}

TEST(imds_errors)
{
    struct kit k;

    imds_start(&k);
    stub_add(&k.stub, "PUT ", 400, "", 1);
    kit_expect_fault(&k, STATUS_DENIED, "/latest/api/token: 400");
    EXPECT_EQ(stub_requests(&k.stub), 1);
    stub_add(&k.stub, "PUT ", 500, "", 1);
    kit_expect_fault(&k, STATUS_STORE, "/latest/api/token: 500");
    stub_add(&k.stub, "PUT ", 200, "a\nb", 1);
    kit_expect_fault(&k, STATUS_MALFORMED, "the session token holds a byte");
    stub_add(&k.stub, "PUT ", 403, "", 1);
    stub_add(&k.stub, "GET ", 401, "", 1);
    kit_expect_fault(&k, STATUS_DENIED, "raise the hop limit to 2");
    stub_clear(&k.stub);
    stub_add(&k.stub, "PUT ", 200, "t", 0);
    stub_add(&k.stub, "GET " PATH " ", 200, "../evil", 1);
    kit_expect_fault(&k, STATUS_MALFORMED, "the name of the role");
    stub_add(&k.stub, "GET " PATH " ", 200, "", 1);
    kit_expect_fault(&k, STATUS_MALFORMED, "the name of the role is missing");
    stub_add(&k.stub, "GET " PATH " ", 200, "r", 0);
    stub_add(&k.stub, "GET " PATH "r ", 200,
             "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", 1);
    kit_expect_fault(&k, STATUS_DENIED,
                     "instance metadata: role r: the answer's Code is Assume");
    stub_add(&k.stub, "GET " PATH "r ", 200, "SECR", 1);
    kit_expect_fault(&k, STATUS_MALFORMED, "role r: not JSON");
    kit_stop(&k);
}

/* Nothing there, or no role: that is no credentials at all. */
TEST(imds_that_is_not_there)
{
    struct kit k;
    struct fault why;
    struct credentials c;

    imds_start(&k);
    stub_add(&k.stub, "PUT ", 200, "t", 0);
    kit_expect_fault(&k, STATUS_NOT_FOUND,
                     "no credentials: AWS_ACCESS_KEY_ID is not set, the "
                     "profile default has none");
    stub_clear(&k.stub);
    stub_add(&k.stub, "", STUB_SILENCE, "", 0);
    EXPECT_EQ(kit_fetch(&k, SHORT_MS, &why, &c), STATUS_NOT_FOUND);
    EXPECT(strstr(why.text, "does not answer") != NULL);
    server_join(&k.stub.server);
    kit_expect_fault(&k, STATUS_NOT_FOUND, "is not there or has no role");
    kit_stop(&k);
}

TEST(imds_attempts)
{
    struct kit k;
    struct credentials c;

    imds_start(&k);
    kit_set(&k, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "3");
    stub_add(&k.stub, "PUT ", 503, "", 2);
    kit_imds(&k, KIT_JSON("ASIAI", "Token", KIT_LATER));
    kit_expect(&k, "ASIAI", &c);
    EXPECT_EQ(stub_requests(&k.stub), 5);
    kit_stop(&k);
}

TEST(imds_settings_that_are_wrong)
{
    static const struct {
        const char *name;
        const char *value;
        const char *part;
    } rows[] = {
        {"AWS_METADATA_SERVICE_TIMEOUT", "0", "a number from 1 to 60"},
        {"AWS_METADATA_SERVICE_TIMEOUT", "1s", "a number from 1 to 60"},
        {"AWS_METADATA_SERVICE_NUM_ATTEMPTS", "11", "a number from 1 to 10"},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "127.0.0.1", "is not a URL"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit k;

        kit_start(&k);
        kit_set(&k, rows[i].name, rows[i].value);
        kit_parse(&k, "", "");
        kit_expect_fault(&k, STATUS_INVALID, rows[i].part);
        kit_stop(&k);
    }
}

/* The service has trouble and gives out old ones: they are used on. */
TEST(imds_expired_ones_are_extended)
{
    struct kit k;
    struct credentials c;

    imds_start(&k);
    kit_imds(&k, KIT_JSON("ASIAI", "Token", KIT_PAST));
    kit_expect(&k, "ASIAI", &c);
    EXPECT(c.expires_ms >= KIT_NOW + 17 * KIT_MINUTE);
    EXPECT(c.expires_ms <= KIT_NOW + 25 * KIT_MINUTE);
    kit_stop(&k);
}

TEST(imds_gives_keys_for_a_role)
{
    struct kit k;
    struct credentials c;

    imds_start(&k);
    kit_set_url(&k, "AWS_ENDPOINT_URL_STS", "/sts/");
    kit_parse(&k,
              "[default]\nrole_arn=arn:r\n"
              "credential_source=Ec2InstanceMetadata\n",
              "");
    kit_imds(&k, KIT_JSON("ASIAI", "Token", KIT_LATER));
    stub_add(&k.stub, "POST /sts/ ", 200,
             KIT_STS("AssumeRole", "ASIAR", KIT_LATER), 0);
    kit_expect(&k, "ASIAR", &c);
    EXPECT(stub_saw(&k.stub, "Credential=ASIAI/"));
    EXPECT_STR(c.origin,
               "profile default, assume role arn:r from instance metadata");
    kit_stop(&k);
}

/* ---- The region. */

TEST(imds_region)
{
    struct kit k;
    struct fault why;
    char region[64];

    imds_start(&k);
    stub_add(&k.stub, "PUT ", 200, "t", 0);
    stub_add(&k.stub, "GET /latest/meta-data/placement/region ", 200,
             "eu-west-1", 1);
    EXPECT_EQ(credentials_imds_region(k.config, &why, region), STATUS_OK);
    EXPECT_STR(region, "eu-west-1");
    stub_add(&k.stub, "GET /latest/meta-data/placement/region ", 404, "", 1);
    stub_add(&k.stub, "GET /latest/meta-data/placement/availability-zone ", 200,
             "us-east-2c\n", 1);
    EXPECT_EQ(credentials_imds_region(k.config, &why, region), STATUS_OK);
    EXPECT_STR(region, "us-east-2");
    kit_stop(&k);
}

TEST(imds_region_that_is_none)
{
    struct kit k;
    struct fault why;
    char region[64];

    imds_start(&k);
    stub_add(&k.stub, "PUT ", 200, "t", 0);
    EXPECT_EQ(credentials_imds_region(k.config, &why, region),
              STATUS_NOT_FOUND);
    EXPECT_STR(region, "");
    EXPECT(strstr(why.text, "set AWS_REGION") != NULL);
    stub_add(&k.stub, "GET /", 200, "<html>", 0);
    EXPECT_EQ(credentials_imds_region(k.config, &why, region),
              STATUS_NOT_FOUND);
    EXPECT_STR(region, "");
    kit_set(&k, "AWS_EC2_METADATA_DISABLED", "true");
    EXPECT_EQ(credentials_imds_region(k.config, &why, region),
              STATUS_NOT_FOUND);
    EXPECT(strstr(why.text, "AWS_EC2_METADATA_DISABLED") != NULL);
    kit_stop(&k);
}
