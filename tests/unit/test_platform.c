/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/platform.h"

#include "tests/harness.h"

static const char *const all[] = {"algo-1", "algo-2"};
static const char *const group_hosts[] = {"algo-2", "algo-1"};
static const struct platform_group group = {"homogeneousCluster",
                                            "ml.c5.xlarge", group_hosts, 2};

TEST(resource_config)
{
    struct platform_resource r = {.current_host = "algo-1",
                                  .hosts = all,
                                  .host_count = 2,
                                  .interface_name = "eth0"};
    struct buf out = {0};

    platform_write_resource(&r, &out);
    /* Byte for byte what the platform wrote in 2020. */
    EXPECT_STR(buf_text(&out),
               "{\"current_host\": \"algo-1\", \"hosts\": [\"algo-1\", "
               "\"algo-2\"], \"network_interface_name\": \"eth0\"}");
    EXPECT_EQ(out.size, 91);
    buf_fini(&out);
}

TEST(resource_config_with_groups)
{
    struct platform_resource r = {.current_host = "algo-2",
                                  .hosts = all,
                                  .host_count = 2,
                                  .interface_name = "eth0",
                                  .instance_type = "ml.c5.xlarge",
                                  .group_name = "homogeneousCluster",
                                  .groups = &group,
                                  .group_count = 1};
    struct buf out = {0};

    platform_write_resource(&r, &out);
    EXPECT_STR(
        buf_text(&out),
        "{\"current_host\": \"algo-2\", \"hosts\": [\"algo-1\", \"algo-2\"], "
        "\"network_interface_name\": \"eth0\", "
        "\"current_instance_type\": \"ml.c5.xlarge\", "
        "\"current_group_name\": \"homogeneousCluster\", "
        "\"instance_groups\": [{"
        "\"instance_group_name\": \"homogeneousCluster\", "
        "\"instance_type\": \"ml.c5.xlarge\", "
        "\"hosts\": [\"algo-2\", \"algo-1\"]}]}");
    buf_fini(&out);
}

TEST(input_data_config)
{
    static const struct platform_channel channels[] = {
        {"train", "File", "ShardedByS3Key", "None", NULL},
        {"my-val.x", "Pipe", "FullyReplicated", "RecordIO", "text/csv"},
    };
    struct buf out = {0};

    platform_write_channels(channels, 2, &out);
    EXPECT_STR(buf_text(&out),
               "{\"train\": {\"TrainingInputMode\": \"File\", "
               "\"S3DistributionType\": \"ShardedByS3Key\", "
               "\"RecordWrapperType\": \"None\"}, "
               "\"my-val.x\": {\"TrainingInputMode\": \"Pipe\", "
               "\"S3DistributionType\": \"FullyReplicated\", "
               "\"RecordWrapperType\": \"RecordIO\", "
               "\"ContentType\": \"text/csv\"}}");
    buf_clear(&out);
    platform_write_channels(NULL, 0, &out);
    EXPECT_STR(buf_text(&out), "{}");
    buf_fini(&out);
}

static void expect_parameters(const char *given, const char *want)
{
    struct json_doc *doc = NULL;
    struct buf out = {0};

    EXPECT_EQ(json_parse(bytes_of(given), "t", NULL, &doc), STATUS_OK);
    EXPECT_EQ(platform_write_hyperparameters(json_root(doc), NULL, &out),
              STATUS_OK);
    EXPECT_STR(buf_text(&out), want);
    buf_fini(&out);
    json_destroy(&doc);
}

TEST(hyperparameters)
{
    struct json_doc *doc = NULL;
    struct fault why = {""};
    struct buf out = {0};

    expect_parameters("{}", "{}");
    expect_parameters("{\"lr\":\"0.1\",\"name\":\"\\\"x\\u00e9\\\"\"}",
                      "{\"lr\": \"0.1\", \"name\": \"\\\"x\\u00e9\\\"\"}");
    expect_parameters("{\"b\":1e-5,\"a\":[1,\"\xc3\xa9\"],\"n\":null}",
                      "{\"b\": \"1e-05\", \"a\": \"[1, \\\"\\\\u00e9\\\"]\", "
                      "\"n\": \"null\"}");
    EXPECT_EQ(platform_write_hyperparameters(NULL, NULL, &out), STATUS_OK);
    EXPECT_STR(buf_text(&out), "{}");
    EXPECT_EQ(json_parse(BYTES("\n[]"), "t", NULL, &doc), STATUS_OK);
    EXPECT_EQ(platform_write_hyperparameters(json_root(doc), &why, &out),
              STATUS_INVALID);
    EXPECT_STR(why.text, "line 2: the hyperparameters must be an object");
    json_destroy(&doc);
    buf_fini(&out);
}

TEST(checkpoint_config)
{
    struct buf out = {0};

    platform_write_checkpoint("/state", &out);
    EXPECT_STR(buf_text(&out), "{\"LocalPath\": \"/state\"}");
    buf_fini(&out);
}
