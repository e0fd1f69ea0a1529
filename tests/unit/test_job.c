/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/job_from.h"

/* Expect what is said of @name: "value < origin"; "-" for nothing. */
static void expect_said(const struct job *job, const char *name,
                        const char *want)
{
    char got[2048] = "-";

    for (uint32_t i = 0; i < job_said_count(job); i++) {
        struct job_said said;

        job_said_at(job, i, &said);
        if (strcmp(said.name, name) == 0) {
            snprintf(got, sizeof(got), "%s < %s", said.value, said.origin);
            EXPECT_STR(job_origin(job, name), said.origin);
        }
    }
    EXPECT_STR(got, want);
}

static const char request[] =
    "{\"TrainingJobName\": \"My-Job-1\",\n"
    "\"AlgorithmSpecification\": {\"TrainingInputMode\": \"Pipe\",\n"
    "  \"TrainingImage\": \"x\"},\n"
    "\"InputDataConfig\": [\n"
    "{\"ChannelName\": \"val\",\n"
    " \"DataSource\": {\"S3DataSource\": {\n"
    "   \"S3DataType\": \"AugmentedManifestFile\",\n"
    "   \"S3Uri\": \"s3://b/m.jsonl\",\n"
    "   \"AttributeNames\": [\"image-ref\", \"label\"]}},\n"
    " \"RecordWrapperType\": \"RecordIO\", \"CompressionType\": \"Gzip\",\n"
    " \"ShuffleConfig\": {\"Seed\": -5}},\n"
    "{\"ChannelName\": \"train\", \"ContentType\": \"text/csv\",\n"
    " \"DataSource\": {\"S3DataSource\": {\n"
    "   \"S3DataType\": \"S3Prefix\", \"S3Uri\": \"file:///data/t\",\n"
    "   \"S3DataDistributionType\": \"ShardedByS3Key\"}},\n"
    " \"InputMode\": \"FastFile\",\n"
    " \"Smshard\": {\"Deal\": \"balanced\", \"Even\": \"pad\",\n"
    "   \"Split\": true, \"AllowEmpty\": \"yes\", \"Listing\": "
    "\"s3://d/i/\", \"Skip\": 7, \"Epochs\": 2}},\n"
    "{\"ChannelName\": \"efs\", \"DataSource\": {\"FileSystemDataSource\": {\n"
    "   \"FileSystemId\": \"fs-0123\", \"FileSystemType\": \"EFS\",\n"
    "   \"FileSystemAccessMode\": \"rw\", \"DirectoryPath\": \"/d\"}}}],\n"
    "\"OutputDataConfig\": {\"S3OutputPath\": \"s3://b/out\",\n"
    "   \"CompressionType\": \"NONE\", \"KmsKeyId\": \"k\"},\n"
    "\"CheckpointConfig\": {\"S3Uri\": \"s3://b/cp\"},\n"
    "\"ResourceConfig\": {\"InstanceCount\": 3, \"InstanceType\": \"ml.x\"},\n"
    "\"StoppingCondition\": {\"MaxRuntimeInSeconds\": 3600,\n"
    "   \"MaxWaitTimeInSeconds\": 7200},\n"
    "\"HyperParameters\": {\"lr\": \"0.1\"},\n"
    "\"Environment\": {\"A_1\": \"x\"},\n"
    "\"Smshard\": {\"Ranks\": 4, \"JoinTimeout\": \"90s\", \"Even\": "
    "\"drop\", \"Epochs\": 3},\n"
    "\"Tags\": [{\"Key\": \"a\"}], \"Future\": null}\n";

TEST(a_whole_request)
{
    struct from from = {.document = request};
    const struct job_channel *c;
    struct job *job;
    struct fault why;

    EXPECT_EQ(make(&from, &why, &job), STATUS_OK);
    EXPECT_STR(job->name, "My-Job-1");
    EXPECT_EQ(job->channel_count, 3);
    EXPECT_STR(job->channels[0].name, "efs");
    EXPECT_STR(job->channels[1].name, "train");
    EXPECT_STR(job->channels[2].name, "val");
    EXPECT_STR(job->output_uri, "s3://b/out");
    EXPECT(!job->output_is_compressed);
    EXPECT_STR(job->checkpoint_uri, "s3://b/cp");
    EXPECT_STR(job->checkpoint_path, "/opt/ml/checkpoints");
    EXPECT_EQ(job->host_count, 3);
    EXPECT_STR(job->instance_type, "ml.x");
    EXPECT_EQ(job->run_seconds_max, 3600);
    EXPECT_EQ(json_count(job->hyperparameters), 1);
    EXPECT_EQ(json_count(job->environment), 1);
    EXPECT_EQ(settings_number(&job->settings, SETTING_RANKS), 4);
    c = job_find_channel(job, "train");
    EXPECT(c->source == JOB_SOURCE_PREFIX && c->mode == JOB_FAST_FILE);
    EXPECT(c->deal == JOB_DEAL_BALANCED && c->even == JOB_EVEN_PAD);
    EXPECT(c->may_split && c->may_be_empty && !c->has_shuffle);
    EXPECT_STR(c->content_type, "text/csv");
    EXPECT_STR(c->listing, "s3://d/i/");
    EXPECT(c->skips == 7 && c->epochs == 2 && c->step_units == 0);
    c = job_find_channel(job, "val");
    EXPECT(c->listing == NULL);
    EXPECT(c->source == JOB_SOURCE_AUGMENTED && c->mode == JOB_PIPE);
    EXPECT_EQ(c->attribute_count, 2);
    EXPECT_STR(c->attributes[1], "label");
    EXPECT(c->has_shuffle && c->shuffle_seed == (uint64_t)-5);
    EXPECT(c->wrapper == JOB_WRAP_RECORDIO && c->compression == JOB_GZIP);
    c = job_find_channel(job, "efs");
    EXPECT(c->source == JOB_SOURCE_FILE_SYSTEM && c->mode == JOB_FILE);
    EXPECT(c->file_system.may_write && c->file_system.type == JOB_EFS);
    EXPECT_STR(c->file_system.path, "/d");
    EXPECT(job_find_channel(job, "nope") == NULL);
    expect_said(job, "job-name", "My-Job-1 < job.json:1");
    expect_said(job, "channel.train.mode", "FastFile < job.json:16");
    expect_said(job, "channel.train.even", "pad < job.json:17");
    expect_said(job, "channel.val.mode", "Pipe < job.json:2");
    expect_said(job, "channel.val.even", "drop < job.json:30");
    expect_said(job, "channel.val.epochs", "3 < job.json:30");
    expect_said(job, "channel.train.epochs", "2 < job.json:18");
    expect_said(job, "channel.val.step-units", "0 < default");
    expect_said(job, "channel.val.attributes", "image-ref,label < job.json:9");
    expect_said(job, "channel.val.distribution", "FullyReplicated < default");
    expect_said(job, "channel.val.content-type", "-");
    expect_said(job, "channel.efs.source", "FileSystem < job.json:19");
    expect_said(job, "checkpoint-path", "/opt/ml/checkpoints < default");
    expect_said(job, "ranks", "4 < job.json:30");
    expect_said(job, "join-timeout", "90s < job.json:30");
    expect_said(job, "grace", "110s < default");
    job_destroy(&job);
}

static const struct {
    struct from from;
    const char *name;
    const char *want;
} later[] = {
    {{.document = "{}"}, "channel.t.mode", "-"},
    {{.document = CHANNEL("\"ContentType\":\"a\"")},
     "channel.t.mode",
     "File < default"},
    {{.document = CHANNEL("\"InputMode\":\"Pipe\"")},
     "channel.t.mode",
     "Pipe < job.json:1"},
    {{.document = CHANNEL("\"Smshard\":{\"Listing\":\"s3://d/m.json\"}")},
     "channel.t.listing",
     "s3://d/m.json < job.json:1"},
    {{.flags = "channel=t=/a,listing=/i/;"},
     "channel.t.listing",
     "file:///i/ < --channel"},
    {{.flags = "channel=t=/a,listing=/i/;channel.t.listing=/k;"},
     "channel.t.listing",
     "file:///k < --channel.t.listing"},
    {{.document = CHANNEL("\"InputMode\":\"Pipe\""),
      .channels = "{\"t\":{\"TrainingInputMode\":\"File\"}}"},
     "channel.t.mode",
     "Pipe < job.json:1"},
    {{.document = CHANNEL("\"InputMode\":\"Pipe\""),
      .variables = "SMSHARD_MODE=Ring;"},
     "channel.t.mode",
     "Ring < SMSHARD_MODE"},
    {{.document = CHANNEL("\"InputMode\":\"Pipe\""),
      .variables = "SMSHARD_MODE=Ring;",
      .flags = "mode=fastfile;"},
     "channel.t.mode",
     "FastFile < --mode"},
    {{.document = CHANNEL("\"InputMode\":\"Pipe\""),
      .flags = "channel.t.mode=FILE;mode=Ring;"},
     "channel.t.mode",
     "File < --channel.t.mode"},
    {{.flags = "mode=Ring;channel=t=/a/b,mode=Pipe;"},
     "channel.t.mode",
     "Pipe < --channel"},
    {{.flags = "mode=Ring;channel=t=/a/b;"}, "channel.t.mode", "Ring < --mode"},
    {{.flags = "channel=t=/a/b,sharded,deal=balanced,split=yes,mode=Ring;"},
     "channel.t.distribution",
     "ShardedByS3Key < --channel"},
    {{.flags = "channel=t=/a/b;"}, "channel.t.uri", "file:///a/b < --channel"},
    {{.flags = "channel=a.b=/a;channel.a.b.uri=s3://x/1,2;"},
     "channel.a.b.uri",
     "s3://x/1,2 < --channel.a.b.uri"},
    {{.document = CHANNEL("\"ContentType\":\"a\""),
      .flags = "channel=t=s3://other/x;"},
     "channel.t.uri",
     "s3://other/x < --channel"},
    {{.document = "{\"TrainingJobName\":\"a\"}"}, "job-name", "a < job.json:1"},
    {{.document = "{\"TrainingJobName\":\"a\"}",
      .variables = "TRAINING_JOB_NAME=b;"},
     "job-name",
     "b < TRAINING_JOB_NAME"},
    {{.variables = "SMSHARD_JOB_NAME=c;TRAINING_JOB_NAME=b;"},
     "job-name",
     "c < SMSHARD_JOB_NAME"},
    {{.variables = "SMSHARD_JOB_NAME=c;", .flags = "job-name=d;"},
     "job-name",
     "d < --job-name"},
    {{.variables = "SMSHARD_OUTPUT=/o;"},
     "output",
     "file:///o < SMSHARD_OUTPUT"},
    {{.variables = "SMSHARD_OUTPUT=;"}, "output", "-"},
    {{.variables = "SMSHARD_CHECKPOINT=/c;SAGEMAKER_BASE_DIR=/base;"},
     "checkpoint-path",
     "/base/checkpoints < SAGEMAKER_BASE_DIR"},
    {{.checkpoint = "{\"LocalPath\":\"/state\"}"},
     "checkpoint-path",
     "/state < checkpointconfig.json:1"},
    {{.document = "{\"Smshard\":{\"Ranks\":1}}",
      .variables = "SMSHARD_RANKS=2;"},
     "ranks",
     "2 < SMSHARD_RANKS"},
    {{.variables = "SMSHARD_RANKS=2;", .flags = "ranks=3;"},
     "ranks",
     "3 < --ranks"},
    {{.document = "{\"ResourceConfig\":{\"InstanceGroups\":[{"
                  "\"InstanceGroupName\":\"a\",\"InstanceCount\":2},{"
                  "\"InstanceGroupName\":\"b\",\"InstanceCount\":3}],"
                  "\"InstanceCount\":null}}"},
     "instance-count",
     "5 < job.json:1"},
};

TEST(later_sources_beat_earlier_ones)
{
    for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++) {
        struct job *job;
        struct fault why;

        (void)!make(&later[i].from, &why, &job);
        EXPECT_STR(why.text, "");
        expect_said(job, later[i].name, later[i].want);
        job_destroy(&job);
    }
}

TEST(the_platforms_echo_and_its_downloader)
{
    static const char echo[] =
        "{\"TrainingJobName\":\"e\",\"AlgorithmSpecification\":"
        "{\"TrainingInputMode\":\"File\"},\"InputDataConfig\":[{"
        "\"ChannelName\":\"t\",\"DataSource\":{\"S3DataSource\":{"
        "\"S3DataType\":\"S3_PREFIX\",\"S3Uri\":\"s3://b/p\","
        "\"S3DataDistributionType\":\"SHARDED_BY_S3_KEY\","
        "\"AttributeNames\":null},\"FileSystemDataSource\":null},"
        "\"CompressionType\":\"NONE\",\"RecordWrapperType\":\"NONE\","
        "\"ShuffleConfig\":null,\"InputMode\":null}],"
        "\"CheckpointConfig\":null,\"HyperParameters\":null}";
    static const char init[] =
        "{\"inputMode\":\"FILE\",\"channels\":{\"data\":{\"s3DataSource\":{"
        "\"s3DataType\":\"S3_PREFIX\",\"s3Uri\":\"s3://b/x/input\","
        "\"s3DataDistributionType\":\"SHARDED_BY_S3_KEY\","
        "\"attributeNames\":null},\"fileSystemDataSource\":null,"
        "\"compressionType\":\"NONE\",\"recordWrapper\":\"NONE\","
        "\"shuffleConfig\":null,\"inputMode\":\"FILE\",\"sharded\":true}},"
        "\"checkpointChannel\":{\"name\":\"checkpoints\",\"channel\":{"
        "\"s3DataSource\":{\"s3DataType\":\"S3_PREFIX\",\"s3Uri\":"
        "\"s3://b/state\",\"s3DataDistributionType\":null},\"sharded\":false},"
        "\"outputPath\":\"/opt/ml/checkpoints\",\"allowEmpty\":true},"
        "\"hostConfig\":{\"clusterSize\":2,\"hostNumber\":1}}";
    struct from from = {.document = echo, .init = init};
    struct job *job;
    struct fault why;

    (void)!make(&from, &why, &job);
    EXPECT_STR(why.text, "");
    EXPECT_EQ(job->channel_count, 2);
    EXPECT(job->channels[0].distribution == JOB_SHARDED);
    EXPECT(job_channel_deal(&job->channels[1]) == JOB_DEAL_SAGEMAKER);
    expect_said(job, "channel.data.uri", "s3://b/x/input < init-config.json:1");
    expect_said(job, "channel.t.distribution", "ShardedByS3Key < job.json:1");
    expect_said(job, "checkpoint", "s3://b/state < init-config.json:1");
    expect_said(job, "instance-count", "2 < init-config.json:1");
    job_destroy(&job);
}

TEST(channels_that_are_there_already)
{
    struct from from = {.channels =
                            "{\"train\":{\"TrainingInputMode\":\"File\"},\n"
                            "\"v.x\":{\"TrainingInputMode\":\"Pipe\","
                            "\"S3DistributionType\":\"FullyReplicated\","
                            "\"RecordWrapperType\":\"RecordIO\","
                            "\"ContentType\":\"a\",\"New\":[1]}}",
                        .flags = "mode=Ring;deal=balanced;"};
    struct job *job;
    struct fault why;

    EXPECT_EQ(make(&from, &why, &job), STATUS_OK);
    EXPECT_EQ(job->channel_count, 2);
    EXPECT(job->channels[0].source == JOB_SOURCE_PRESENT);
    EXPECT(job->channels[0].mode == JOB_FILE);
    EXPECT(job->channels[1].wrapper == JOB_WRAP_RECORDIO);
    expect_said(job, "channel.train.source",
                "Present < inputdataconfig.json:1");
    EXPECT_EQ(job_check_served(job, &why), STATUS_OK);
    job_destroy(&job);
}

static const struct {
    const char *flags;
    const char *fault;
} not_served[] = {
    {"channel=a=/a;", ""},
    {"channel=a=/a,source=ManifestFile,deal=balanced,even=drop;", ""},
    {"channel=a=/a,sharded,even=pad;output=/o;checkpoint=/c;", ""},
    {"channel=a=s3://b/a;output=s3://b/o;checkpoint=s3://b/c;", ""},
    {"channel=a=https://b/a;",
     "channel a: https:// is not served by this version; use s3:// or "
     "file://"},
    {"channel=a=/a;output=https://b/o;",
     "output: https:// is not served by this version; use s3:// or "
     "file://"},
    {"channel=a=/a;checkpoint=https://b/o;",
     "checkpoint: https:// is not served by this version; use s3:// or "
     "file://"},
    {"channel=a=/a,listing=https://b/m.json;",
     "Listing of channel a: https:// is not served by this version; use "
     "s3:// or file://"},
    {"channel=a=/a,listing=s3://b/i/;", ""},
    {"channel=a=/a,mode=FastFile;", ""},
    {"channel=a=/a,mode=Pipe,compression=Gzip,wrapper=RecordIO;", ""},
    {"channel=a=/a,mode=Pipe,deal=balanced,epochs=7,skip=3;", ""},
    {"channel=a=/a,mode=Ring;", ""},
    {"channel=a=/a,mode=Ring,compression=Gzip;",
     "channel a: InputMode Ring hands objects over as they are; "
     "CompressionType Gzip needs Pipe"},
    {"channel=a=/a,mode=FastFile,deal=dynamic;",
     "channel a: Deal dynamic leases one unit after the other, and a "
     "folder shows all of them at once; use InputMode File, Pipe or Ring"},
    {"channel=a=/a,deal=dynamic,epochs=3,step-units=8,even=drop,skip=2;", ""},
    {"channel=a=/a,deal=dynamic,even=pad;",
     "channel a: Even pad is not served with Deal dynamic, which reads "
     "each unit once; use none, or drop with StepUnits"},
    {"channel=a=/a,deal=dynamic,mode=FastFile,split=yes;",
     "channel a: Split is not served with Deal dynamic; use balanced, or "
     "leave Split out"},
    {"channel=a=/a,deal=balanced;epochs=2;",
     "channel a: Epochs needs Deal dynamic, or InputMode Pipe or Ring; "
     "with balanced the command reads its files as often as it likes"},
    {"channel=a=/a,skip=1;",
     "channel a: Skip needs Deal dynamic, or InputMode Pipe or Ring; with "
     "replicated every file is brought before the command starts"},
    {"channel=a=/a,mode=Ring,source=AugmentedManifestFile,attributes=x;",
     "channel a: S3DataType AugmentedManifestFile is served in InputMode "
     "Pipe alone"},
    {"channel=a=/a,mode=Pipe,source=AugmentedManifestFile,attributes=x,"
     "compression=Gzip;",
     "channel a: CompressionType Gzip is not served with S3DataType "
     "AugmentedManifestFile; leave it out"},
    {"channel=a=/a,mode=Pipe,source=AugmentedManifestFile,attributes=x,"
     "deal=balanced,split=yes;",
     "channel a: Split is not served with S3DataType "
     "AugmentedManifestFile; leave it out"},
};

TEST(what_this_version_serves)
{
    for (size_t i = 0; i < sizeof(not_served) / sizeof(*not_served); i++) {
        struct from from = {.flags = not_served[i].flags};
        struct job *job;
        struct fault why;

        EXPECT_EQ(make(&from, &why, &job), STATUS_OK);
        EXPECT_EQ(job_check_served(job, &why), not_served[i].fault[0] != '\0'
                                                   ? STATUS_UNSUPPORTED
                                                   : STATUS_OK);
        EXPECT_STR(why.text, not_served[i].fault);
        job_destroy(&job);
    }
}

TEST(flags_are_known_by_name)
{
    const char *meaning = NULL;
    uint32_t count = 0;

    EXPECT(job_knows_flag("channel") && job_knows_flag("channel.a.b.mode"));
    EXPECT(job_knows_flag("mode") && job_knows_flag("ranks"));
    EXPECT(job_knows_flag("output") && job_knows_flag("job-name"));
    EXPECT(!job_knows_flag("wrapper") && !job_knows_flag("channel.mode"));
    EXPECT(!job_knows_flag("instance-count") && !job_knows_flag("channel."));
    while (job_flag_at(count, &meaning) != NULL) {
        EXPECT(meaning != NULL && meaning[0] != '\0');
        count++;
    }
    EXPECT_EQ(count, 14);
}

TEST(deals_and_names)
{
    struct job_channel c = {.distribution = JOB_SHARDED};

    EXPECT(job_channel_deal(&c) == JOB_DEAL_SAGEMAKER);
    c.distribution = JOB_REPLICATED;
    EXPECT(job_channel_deal(&c) == JOB_DEAL_REPLICATED);
    c.deal = JOB_DEAL_BALANCED;
    EXPECT(job_channel_deal(&c) == JOB_DEAL_BALANCED);
    EXPECT_STR(job_mode_name(JOB_RING), "Ring");
    EXPECT_STR(job_distribution_name(JOB_SHARDED), "ShardedByS3Key");
    EXPECT_STR(job_wrapper_name(JOB_WRAP_RECORDIO), "RecordIO");
    EXPECT_STR(job_compression_name(JOB_GZIP), "Gzip");
    EXPECT_STR(job_source_name(JOB_SOURCE_PRESENT), "Present");
    EXPECT_STR(job_deal_name(JOB_DEAL_REPLICATED), "replicated");
    EXPECT_STR(job_even_name(JOB_EVEN_DROP), "drop");
    EXPECT(job_name_is_valid("a--B-9") && !job_name_is_valid("a.b"));
}
