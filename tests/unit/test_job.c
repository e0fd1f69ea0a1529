/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/mem.h"
#include "proto/job.h"
#include "tests/harness.h"

enum { FLAGS_MAX = 8 };

/* What a job is made from; variables as "A=1;B=2;", flags as "a=1;b=2;". */
struct from {
    const char *document;
    const char *init;
    const char *channels;
    const char *checkpoint;
    const char *variables;
    const char *flags;
};

static const char *lookup(void *self, const char *name)
{
    static char value[8][2048];
    static int turn;
    const char *at = self;
    size_t size = strlen(name);

    for (; *at != '\0'; at += strcspn(at, ";") + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            char *out = value[turn = (turn + 1) % 8];

            snprintf(out, 2048, "%.*s", (int)strcspn(at + size + 1, ";"),
                     at + size + 1);
            return out;
        }
    }
    return NULL;
}

static uint32_t split_flags(char *text, struct setting_flag *out)
{
    uint32_t count = 0;

    while (*text != '\0') {
        char *equals = strchr(text, '=');
        char *end = strchr(text, ';');

        EXPECT(count < FLAGS_MAX && equals != NULL && end != NULL);
        *equals = '\0';
        *end = '\0';
        out[count++] = (struct setting_flag){text, equals + 1};
        text = end + 1;
    }
    return count;
}

static enum status make(const struct from *from, struct fault *why,
                        struct job **out)
{
    const char *texts[] = {from->document, from->init, from->channels,
                           from->checkpoint};
    struct job_text given[4] = {{"job.json", {0}},
                                {"init-config.json", {0}},
                                {"inputdataconfig.json", {0}},
                                {"checkpointconfig.json", {0}}};
    const struct job_text *use[4] = {NULL};
    struct setting_flag flags[FLAGS_MAX];
    char *variables = mem_copy(from->variables != NULL ? from->variables : "");
    char *flag_text = mem_copy(from->flags != NULL ? from->flags : "");
    struct job_input input = {.variable = lookup, .variable_self = variables};
    enum status s;

    for (int i = 0; i < 4; i++) {
        if (texts[i] != NULL) {
            given[i].text = bytes_of(texts[i]);
            use[i] = &given[i];
        }
    }
    input.document = use[0];
    input.init = use[1];
    input.channels = use[2];
    input.checkpoint = use[3];
    input.flags = flags;
    input.flag_count = split_flags(flag_text, flags);
    why->text[0] = '\0';
    *out = NULL;
    s = job_make(&input, why, out);
    EXPECT((s == STATUS_OK) == (*out != NULL));
    EXPECT((s == STATUS_OK) == (why->text[0] == '\0'));
    free(variables);
    free(flag_text);
    return s;
}

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
    "   \"Split\": true, \"AllowEmpty\": \"yes\"}},\n"
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
    "\"drop\"},\n"
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
    c = job_find_channel(job, "val");
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

#define CHANNEL(more)                                                          \
    "{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":"             \
    "{\"S3DataSource\":{\"S3DataType\":\"S3Prefix\",\"S3Uri\":"                \
    "\"file:///a\"}}," more "}]}"
#define SOURCE(inner)                                                          \
    "{\"InputDataConfig\":[{\"ChannelName\":\"t\",\n\"DataSource\":"           \
    "{\"S3DataSource\":{" inner "}},\"InputMode\":\"Pipe\"}]}"

TEST(later_sources_beat_earlier_ones)
{
    static const struct {
        struct from from;
        const char *name;
        const char *want;
    } rows[] = {
        {{.document = "{}"}, "channel.t.mode", "-"},
        {{.document = CHANNEL("\"ContentType\":\"a\"")},
         "channel.t.mode",
         "File < default"},
        {{.document = CHANNEL("\"InputMode\":\"Pipe\"")},
         "channel.t.mode",
         "Pipe < job.json:1"},
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
        {{.flags = "mode=Ring;channel=t=/a/b;"},
         "channel.t.mode",
         "Ring < --mode"},
        {{.flags = "channel=t=/a/b,sharded,deal=balanced,split=yes,mode=Ring;"},
         "channel.t.distribution",
         "ShardedByS3Key < --channel"},
        {{.flags = "channel=t=/a/b;"},
         "channel.t.uri",
         "file:///a/b < --channel"},
        {{.flags = "channel=a.b=/a;channel.a.b.uri=s3://x/1,2;"},
         "channel.a.b.uri",
         "s3://x/1,2 < --channel.a.b.uri"},
        {{.document = CHANNEL("\"ContentType\":\"a\""),
          .flags = "channel=t=s3://other/x;"},
         "channel.t.uri",
         "s3://other/x < --channel"},
        {{.document = "{\"TrainingJobName\":\"a\"}"},
         "job-name",
         "a < job.json:1"},
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

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct job *job;
        struct fault why;

        (void)!make(&rows[i].from, &why, &job);
        EXPECT_STR(why.text, "");
        expect_said(job, rows[i].name, rows[i].want);
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

#define MODES "is not one of File, FastFile, Pipe, Ring"
#define NAMED                                                                  \
    "is not a channel name: 1 to 64 letters, digits, '.', '-' and '_', not "   \
    "\".\" or \"..\""
#define JOB_NAMED                                                              \
    "is not a job name: 1 to 63 letters, digits and '-', no '-' at either end"

static const struct {
    const char *document;
    const char *fault;
} bad[] = {
    {"[]", "job.json:1: the document is a list, not an object"},
    {"{\"InputDataConfig\":{}}",
     "job.json:1: InputDataConfig is an object, not a list"},
    {"{\"InputDataConfig\":[\n5]}", "job.json:2: a channel is not an object"},
    {"{\"InputDataConfig\":[{}]}", "job.json:1: ChannelName is missing"},
    {"{\"InputDataConfig\":[{\"ChannelName\":5}]}",
     "job.json:1: ChannelName is a whole number, not a string"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"\"}]}",
     "job.json:1: ChannelName \"\" " NAMED},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"a/b\"}]}",
     "job.json:1: ChannelName \"a/b\" " NAMED},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"..\"}]}",
     "job.json:1: ChannelName \"..\" " NAMED},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\"}]}",
     "job.json:1: channel t: has no source; give "
     "DataSource.S3DataSource.S3Uri, or --channel t=URI"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":5}]}",
     "job.json:1: channel t: DataSource is a whole number, not an object"},
    {CHANNEL("\n\"InputMode\":\"Pip\""),
     "job.json:2: channel t: InputMode \"Pip\" " MODES},
    {CHANNEL("\"InputMode\":\"\""),
     "job.json:1: channel t: InputMode \"\" " MODES},
    {CHANNEL("\"InputMode\":5"),
     "job.json:1: channel t: InputMode is a whole number, not a string"},
    {"{\"AlgorithmSpecification\":{\"TrainingInputMode\":\"Pip\"}}",
     "job.json:1: TrainingInputMode \"Pip\" " MODES},
    {CHANNEL("\"CompressionType\":\"Zip\""),
     "job.json:1: channel t: CompressionType \"Zip\" is not one of None, Gzip"},
    {CHANNEL("\"RecordWrapperType\":\"x\""),
     "job.json:1: channel t: RecordWrapperType \"x\" is not one of None, "
     "RecordIO"},
    {CHANNEL("\"ShuffleConfig\":{\"Seed\":1.5}"),
     "job.json:1: channel t: Seed is a number with a fraction, not a whole "
     "number"},
    {CHANNEL("\"ShuffleConfig\":{\"Seed\":18446744073709551616}"),
     "job.json:1: channel t: Seed \"18446744073709551616\" is not a whole "
     "number of 64 bits"},
    {CHANNEL("\"ShuffleConfig\":{\"Seed\":-9223372036854775809}"),
     "job.json:1: channel t: Seed \"-9223372036854775809\" is not a whole "
     "number of 64 bits"},
    {CHANNEL("\"ContentType\":\"\""),
     "job.json:1: channel t: ContentType is empty"},
    {CHANNEL("\"ContentType\":\"a\\u0000\""),
     "job.json:1: channel t: ContentType holds a NUL byte"},
    {CHANNEL("\"Smshard\":{\n\"Eevn\":\"pad\"}"),
     "job.json:2: channel t: Smshard has no setting \"Eevn\"; did you mean "
     "\"Even\"?"},
    {CHANNEL("\"Smshard\":{\"Zebras\":1}"),
     "job.json:1: channel t: Smshard has no setting \"Zebras\""},
    {CHANNEL("\"Smshard\":{\"Deal\":\"x\"}"),
     "job.json:1: channel t: Deal \"x\" is not one of auto, sagemaker, "
     "balanced, dynamic, replicated"},
    {CHANNEL("\"Smshard\":{\"Split\":\"x\"}"),
     "job.json:1: channel t: Split \"x\" is not one of yes, no, true, false"},
    {CHANNEL("\"Smshard\":5"),
     "job.json:1: channel t: Smshard is a whole number, not an object"},
    {CHANNEL("\"CompressionType\":\"Gzip\""),
     "job.json:1: channel t: CompressionType Gzip needs InputMode Pipe or "
     "Ring, not File"},
    {CHANNEL("\"RecordWrapperType\":\"RecordIO\",\"InputMode\":\"FastFile\""),
     "job.json:1: channel t: RecordWrapperType RecordIO needs InputMode Pipe "
     "or Ring, not FastFile"},
    {CHANNEL("\"Smshard\":{\"Split\":true}"),
     "job.json:1: channel t: Split needs InputMode FastFile, Pipe or Ring; "
     "File brings whole objects"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"S3DataType\":\"Prefix\""),
     "job.json:2: channel t: S3DataType \"Prefix\" is not one of S3Prefix, "
     "ManifestFile, AugmentedManifestFile"},
    {SOURCE("\"S3DataType\":\"S3Prefix\""),
     "job.json:2: channel t: S3DataSource has no S3Uri"},
    {SOURCE("\"S3Uri\":\"http://b/\""),
     "job.json:2: channel t: S3Uri \"http://b/\" does not start with s3://, "
     "https:// or file://"},
    {SOURCE("\"S3Uri\":\"/data\""),
     "job.json:2: channel t: S3Uri \"/data\" does not start with s3://, "
     "https:// or file://"},
    {SOURCE("\"S3Uri\":\"s3://\""),
     "job.json:2: channel t: S3Uri \"s3://\" names no bucket"},
    {SOURCE("\"S3Uri\":\"file://data\""),
     "job.json:2: channel t: S3Uri \"file://data\" is no absolute path; write "
     "file:///path"},
    {SOURCE("\"S3Uri\":\"s3://b/\\u0007\""),
     "job.json:2: channel t: S3Uri \"s3://b/?\" holds a control byte"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"S3DataDistributionType\":\"x\""),
     "job.json:2: channel t: S3DataDistributionType \"x\" is not one of "
     "FullyReplicated, ShardedByS3Key"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"AttributeNames\":[\"a\"]"),
     "job.json:2: channel t: AttributeNames needs S3DataType "
     "AugmentedManifestFile, not S3Prefix"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"AttributeNames\":\"a\""),
     "job.json:2: channel t: AttributeNames is not a list of names"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"AttributeNames\":[1]"),
     "job.json:2: channel t: AttributeNames holds what is not a string"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"AttributeNames\":[\"a\",\"a\"]"),
     "job.json:2: channel t: AttributeNames names \"a\" twice"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"AttributeNames\":[\"\"]"),
     "job.json:2: channel t: AttributeNames is empty"},
    {SOURCE("\"S3Uri\":\"s3://b/\",\"S3DataType\":\"AugmentedManifestFile\""),
     "job.json:2: channel t: S3DataType AugmentedManifestFile needs "
     "AttributeNames"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"InputMode\":\"FastFile\","
     "\"DataSource\":{\"S3DataSource\":{\"S3DataType\":\"ManifestFile\","
     "\"S3Uri\":\"s3://b/m\"}}}]}",
     "job.json:1: channel t: InputMode FastFile needs S3DataType S3Prefix, not "
     "ManifestFile"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":{"
     "\"S3DataSource\":{\"S3DataType\":\"AugmentedManifestFile\",\"S3Uri\":"
     "\"s3://b/m\",\"AttributeNames\":[\"a\"]}}}]}",
     "job.json:1: channel t: S3DataType AugmentedManifestFile needs InputMode "
     "Pipe or Ring, not File"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":{"
     "\"S3DataSource\":{\"S3Uri\":\"s3://b/\"},\"FileSystemDataSource\":{}}}]}",
     "job.json:1: channel t: DataSource has both S3DataSource and "
     "FileSystemDataSource; one is allowed"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":{"
     "\"FileSystemDataSource\":{\"FileSystemId\":\"f\",\"FileSystemType\":"
     "\"EFS\",\"DirectoryPath\":\"/\"}}}]}",
     "job.json:1: channel t: FileSystemDataSource has no FileSystemAccessMode"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":{"
     "\"FileSystemDataSource\":{\"FileSystemType\":\"NFS\"}}}]}",
     "job.json:1: channel t: FileSystemType \"NFS\" is not one of EFS, "
     "FSxLustre"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"InputMode\":\"Pipe\","
     "\"DataSource\":{\"FileSystemDataSource\":{\"FileSystemId\":\"f\","
     "\"FileSystemType\":\"EFS\",\"DirectoryPath\":\"/\","
     "\"FileSystemAccessMode\":\"ro\"}}}]}",
     "job.json:1: channel t: FileSystemDataSource needs InputMode File, not "
     "Pipe"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"a\",\"DataSource\":{"
     "\"S3DataSource\":{\"S3Uri\":\"s3://b/\",\"InstanceGroupNames\":[\"g\"]}}"
     "},\n{\"ChannelName\":\"b\",\"DataSource\":{\"S3DataSource\":{\"S3Uri\":"
     "\"s3://b/\"}}}]}",
     "job.json:2: channel b: has no InstanceGroupNames, but channel a has; "
     "give them to all channels or to none"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"a\",\"DataSource\":{"
     "\"S3DataSource\":{\"S3Uri\":\"s3://b/\",\"InstanceGroupNames\":[\"g\"]}}"
     "}],\"ResourceConfig\":{\"InstanceGroups\":[{\"InstanceGroupName\":\"h\","
     "\"InstanceCount\":1}]}}",
     "job.json:1: channel a: InstanceGroupNames has \"g\", which is not in "
     "ResourceConfig.InstanceGroups"},
    {"{\"TrainingJobName\":\"\"}",
     "job.json:1: TrainingJobName \"\" " JOB_NAMED},
    {"{\"TrainingJobName\":\"-a\"}",
     "job.json:1: TrainingJobName \"-a\" " JOB_NAMED},
    {"{\"TrainingJobName\":\"a-\"}",
     "job.json:1: TrainingJobName \"a-\" " JOB_NAMED},
    {"{\"TrainingJobName\":\"a_b\"}",
     "job.json:1: TrainingJobName \"a_b\" " JOB_NAMED},
    {"{\"OutputDataConfig\":{}}",
     "job.json:1: OutputDataConfig has no S3OutputPath"},
    {"{\"OutputDataConfig\":{\"S3OutputPath\":\"x\"}}",
     "job.json:1: S3OutputPath \"x\" does not start with s3://, https:// or "
     "file://"},
    {"{\"OutputDataConfig\":{\"S3OutputPath\":\"s3://b\","
     "\"CompressionType\":\"x\"}}",
     "job.json:1: CompressionType \"x\" is not one of GZIP, NONE"},
    {"{\"CheckpointConfig\":{\"LocalPath\":\"/x\"}}",
     "job.json:1: CheckpointConfig has no S3Uri"},
    {"{\"CheckpointConfig\":{\"S3Uri\":\"s3://b\",\"LocalPath\":\"x\"}}",
     "job.json:1: LocalPath \"x\" is not an absolute path"},
    {"{\"ResourceConfig\":{\"InstanceCount\":0}}",
     "job.json:1: InstanceCount \"0\" is not a whole number from 1 to 16384"},
    {"{\"ResourceConfig\":{\"InstanceCount\":16385}}",
     "job.json:1: InstanceCount \"16385\" is not a whole number from 1 to "
     "16384"},
    {"{\"ResourceConfig\":{\"InstanceCount\":-1}}",
     "job.json:1: InstanceCount \"-1\" is not a whole number from 1 to 16384"},
    {"{\"ResourceConfig\":{\"InstanceCount\":1,\"InstanceGroups\":[{"
     "\"InstanceGroupName\":\"h\",\"InstanceCount\":1}]}}",
     "job.json:1: InstanceGroups stands beside InstanceCount; one of them is "
     "allowed"},
    {"{\"ResourceConfig\":{\"InstanceGroups\":[5]}}",
     "job.json:1: InstanceGroups has a group without an InstanceGroupName of "
     "1 to 64 characters"},
    {"{\"ResourceConfig\":{\"InstanceGroups\":[{\"InstanceGroupName\":\"h\"}]}"
     "}",
     "job.json:1: InstanceGroups \"h\" has no InstanceCount from 1 to 16384"},
    {"{\"StoppingCondition\":{\"MaxRuntimeInSeconds\":10,"
     "\"MaxWaitTimeInSeconds\":9}}",
     "job.json:1: MaxWaitTimeInSeconds is less than MaxRuntimeInSeconds, or "
     "not a number of seconds"},
    {"{\"HyperParameters\":[]}",
     "job.json:1: HyperParameters is a list, not an object"},
    {"{\"HyperParameters\":{\"lr\":0.1}}",
     "job.json:1: HyperParameters \"lr\" is not a string; put it in quotes"},
    {"{\"Environment\":{\"1A\":\"x\"}}",
     "job.json:1: Environment \"1A\" is not allowed as a name: letters, digits "
     "and '_', no digit first"},
    {"{\"Environment\":{\"A\":\"x\\u0000\"}}",
     "job.json:1: Environment \"A\" has a value with a NUL byte"},
    {"{\"Smshard\":{\"JoinTimout\":1}}",
     "job.json:1: Smshard has no setting \"JoinTimout\"; did you mean "
     "\"JoinTimeout\"?"},
    {"{\"Smshard\":{\"Ranks\":65}}",
     "job.json:1: Ranks \"65\" is not a whole number from 0 to 64"},
    {"{\"Smshard\":{\"Ranks\":[]}}",
     "job.json:1: Ranks is a list, not a whole number"},
    {"{\"Smshard\":{\"Log\":\"loud\"}}",
     "job.json:1: Log \"loud\" is not one of error, warn, info, debug"},
};

TEST(bad_documents)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct from from = {.document = bad[i].document};
        struct job *job;
        struct fault why;
        enum status s = make(&from, &why, &job);

        EXPECT_STR(why.text, bad[i].fault);
        EXPECT_EQ(s, STATUS_INVALID);
    }
}

TEST(bad_elsewhere)
{
    static const struct {
        struct from from;
        enum status status;
        const char *fault;
    } rows[] = {
        {{.channels = "{\"t\":5}"},
         STATUS_INVALID,
         "inputdataconfig.json:1: channel t: is not an object"},
        {{.channels = "{\"t\":{\"TrainingInputMode\":\"Pip\"}}"},
         STATUS_INVALID,
         "inputdataconfig.json:1: channel t: TrainingInputMode \"Pip\" " MODES},
        {{.channels = "{\"a b\":{}}"},
         STATUS_INVALID,
         "inputdataconfig.json:1: \"a b\" " NAMED},
        {{.init = "{\"channels\":[]}"},
         STATUS_INVALID,
         "init-config.json:1: channels is a list, not an object"},
        {{.checkpoint = "{\"LocalPath\":\"\"}"},
         STATUS_INVALID,
         "checkpointconfig.json:1: LocalPath is empty"},
        {{.variables = "SMSHARD_MODE=Pip;"},
         STATUS_INVALID,
         "SMSHARD_MODE: \"Pip\" " MODES},
        {{.variables = "TRAINING_JOB_NAME=a_b;"},
         STATUS_INVALID,
         "TRAINING_JOB_NAME: \"a_b\" " JOB_NAMED},
        {{.variables = "SMSHARD_OUTPUT=out;"},
         STATUS_INVALID,
         "SMSHARD_OUTPUT: \"out\" does not start with s3://, https:// or "
         "file://"},
        {{.flags = "output=;"},
         STATUS_INVALID,
         "--output: \"\" does not start with s3://, https:// or file://"},
        {{.flags = "mode=Pip;"}, STATUS_INVALID, "--mode: \"Pip\" " MODES},
        {{.flags = "bananas=1;"},
         STATUS_INVALID,
         "--bananas: there is no such flag"},
        {{.flags = "channel.t.mode=Pipe;"},
         STATUS_INVALID,
         "--channel.t.mode: there is no channel \"t\"; there is none"},
        {{.flags = "channel=a=/a;channel=b=/b;channel.t.mode=Pipe;"},
         STATUS_INVALID,
         "--channel.t.mode: there is no channel \"t\"; there is a, b"},
        {{.flags = "channel=a=/a;channel.a.colour=red;"},
         STATUS_INVALID,
         "--channel.a.colour: there is no such flag"},
        {{.flags = "channel=a;"}, STATUS_OK, ""},
        {{.flags = "channel=a=/a,mod=Pipe;"},
         STATUS_INVALID,
         "--channel: channel a: \"mod=Pipe\" is not FIELD=VALUE, sharded or "
         "replicated (a URI with a comma goes into --channel.a.uri)"},
        {{.flags = "channel=a=/a,mode=Pip;"},
         STATUS_INVALID,
         "--channel: channel a: mode \"Pip\" " MODES},
        {{.flags = "channel=a=a;"},
         STATUS_INVALID,
         "--channel: channel a: \"a\" does not start with s3://, https:// or "
         "file://"},
        {{.flags = "channel=a=/a;channel=a=/b;"},
         STATUS_CONFLICT,
         "--channel: channel a: is named twice"},
        {{.flags = "channel=a=/a;channel=a-manifest=/b;"},
         STATUS_CONFLICT,
         "--channel: channel a-manifest: its folder would be the manifest of "
         "channel a; rename one of them"},
        {{.flags = "channel=a=/a;channel=a_0=/b;mode=Pipe;"},
         STATUS_CONFLICT,
         "--channel: channel a_0: its folder would be the pipe of channel a; "
         "rename one of them"},
        {{.document = SOURCE("\"S3Uri\":\"s3://b/\",\"S3DataType\":"
                             "\"Converse\"")},
         STATUS_UNSUPPORTED,
         "job.json:2: channel t: S3DataType \"Converse\" is for the platform's "
         "own model tuning and is not served; use S3Prefix, ManifestFile or "
         "AugmentedManifestFile"},
        {{.document =
              "{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":{"
              "\"S3DataSource\":{\"S3Uri\":\"s3://b/\"}}},\n"
              "{\"ChannelName\":\"t\"}]}"},
         STATUS_CONFLICT,
         "job.json:2: channel t: is named twice, first in line 1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct job *job = NULL;
        struct fault why;
        enum status s;

        if (rows[i].status == STATUS_OK) {
            struct setting_flag flag = {"channel", "a"};
            struct job_input input = {.flags = &flag, .flag_count = 1};

            EXPECT_EQ(job_make(&input, &why, &job), STATUS_INVALID);
            EXPECT_STR(why.text, "--channel: \"a\" is not NAME=URI");
            continue;
        }
        s = make(&rows[i].from, &why, &job);
        EXPECT_STR(why.text, rows[i].fault);
        EXPECT_EQ(s, rows[i].status);
    }
}

TEST(broken_documents_are_malformed)
{
    static const struct from rows[] = {
        {.document = "{\n\"a\":"},
        {.init = "{\n\"a\":"},
        {.channels = "{\n\"a\":"},
        {.checkpoint = "{\n\"a\":"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct job *job;
        struct fault why;

        EXPECT_EQ(make(&rows[i], &why, &job), STATUS_MALFORMED);
        EXPECT(strstr(why.text, ".json:2:") != NULL);
    }
}

/* Documents at a limit: "before", @count times "each" with commas between,
 * "after"; a '#' becomes the turn's number and '@' a run of @size letters. */
static char *grow(const char *parts[3], int count, int size)
{
    struct buf out = {0};

    for (int part = 0; part < 3; part++) {
        for (int turn = 0; turn < (part == 1 ? count : 1); turn++) {
            buf_add_text(&out, part == 1 && turn > 0 ? "," : "");
            for (const char *p = parts[part]; *p != '\0'; p++) {
                for (int i = 0; *p == '@' && i < size; i++) {
                    buf_add_text(&out, i % 2 == 0 ? "\xc3\xa9" : "a");
                }
                if (*p == '^') {
                    for (int i = 0; i < size; i++) {
                        buf_add_char(&out, 'a');
                    }
                } else if (*p == '#') {
                    buf_print(&out, "%d", turn);
                } else if (*p != '@') {
                    buf_add_char(&out, *p);
                }
            }
        }
    }
    return buf_take(&out);
}

TEST(limits_hold_at_and_beyond)
{
#define S3                                                                     \
    "\"DataSource\":{\"S3DataSource\":{\"S3DataType\":\"S3Prefix\",\"S3Uri\":" \
    "\"s3://b/\""
#define AUGMENTED                                                              \
    "{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"InputMode\":\"Pipe\","     \
    "\"DataSource\":{\"S3DataSource\":{\"S3DataType\":"                        \
    "\"AugmentedManifestFile\",\"S3Uri\":\"s3://b/\",\"AttributeNames\":["
    static const struct {
        const char *parts[3];
        int count; /* At the limit. */
        int size;
        int more_count; /* What is added to go beyond it. */
        int more_size;
        const char *fault;
    } rows[] = {
        {{"{\"InputDataConfig\":[", "{\"ChannelName\":\"c#\"," S3 "}}}", "]}"},
         20,
         0,
         1,
         0,
         "job.json:1: InputDataConfig has 21 channels, 20 are allowed"},
        {{"{\"InputDataConfig\":[", "{\"ChannelName\":\"^\"," S3 "}}}", "]}"},
         1,
         64,
         0,
         1,
         "job.json:1: ChannelName \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaa\" " NAMED},
        {{"{\"InputDataConfig\":[",
          "{\"ChannelName\":\"t\",\"ContentType\":\"@\"," S3 "}}}", "]}"},
         1,
         256,
         0,
         1,
         "job.json:1: channel t: ContentType has 257 characters, 256 are "
         "allowed"},
        {{"{\"InputDataConfig\":[",
          "{\"ChannelName\":\"t\",\"DataSource\":{\"S3DataSource\":{\"S3Uri\":"
          "\"s3://b/@\"}}}",
          "]}"},
         1,
         1017,
         0,
         1,
         "job.json:1: channel t: S3Uri has 1025 characters, 1024 are allowed"},
        {{AUGMENTED, "\"a#\"", "]}}}]}"},
         16,
         0,
         1,
         0,
         "job.json:1: channel t: AttributeNames has more than 16 names"},
        {{AUGMENTED, "\"@\"", "]}}}]}"},
         1,
         256,
         0,
         1,
         "job.json:1: channel t: AttributeNames has 257 characters, 256 are "
         "allowed"},
        {{"{\"InputDataConfig\":[{\"ChannelName\":\"t\"," S3
          ",\"InstanceGroupNames\":[",
          "\"g#\"", "]}}}]}"},
         5,
         0,
         1,
         0,
         "job.json:1: channel t: InstanceGroupNames has more than 5 names"},
        {{"{\"InputDataConfig\":[{\"ChannelName\":\"t\"," S3
          ",\"InstanceGroupNames\":[",
          "\"@\"", "]}}}]}"},
         1,
         64,
         0,
         1,
         "job.json:1: channel t: InstanceGroupNames has 65 characters, 64 are "
         "allowed"},
        {{"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":{"
          "\"FileSystemDataSource\":{\"FileSystemId\":\"f\",\"FileSystemType\":"
          "\"FSX_LUSTRE\",\"FileSystemAccessMode\":\"ro\",\"DirectoryPath\":"
          "\"/",
          "@", "\"}}}]}"},
         1,
         4095,
         0,
         1,
         "job.json:1: channel t: DirectoryPath has 4097 characters, 4096 are "
         "allowed"},
        {{"{\"TrainingJobName\":\"", "^", "\"}"},
         1,
         63,
         0,
         1,
         "job.json:1: TrainingJobName \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaa\" " JOB_NAMED},
        {{"{\"HyperParameters\":{", "\"k#\":\"v\"", "}}"},
         100,
         0,
         1,
         0,
         "job.json:1: HyperParameters has 101 entries, 100 are allowed"},
        {{"{\"HyperParameters\":{", "\"k\":\"@\"", "}}"},
         1,
         2500,
         0,
         1,
         "job.json:1: HyperParameters \"k\" has a value of 2501 characters, "
         "2500 are allowed"},
        {{"{\"HyperParameters\":{", "\"^\":\"v\"", "}}"},
         1,
         256,
         0,
         1,
         "job.json:1: HyperParameters "
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaa…\" has 257 characters, 256 are allowed"},
        {{"{\"Environment\":{", "\"k#\":\"v\"", "}}"},
         100,
         0,
         1,
         0,
         "job.json:1: Environment has 101 entries, 100 are allowed"},
        {{"{\"Environment\":{", "\"k\":\"@\"", "}}"},
         1,
         512,
         0,
         1,
         "job.json:1: Environment \"k\" has a value of 513 characters, 512 are "
         "allowed"},
        {{"{\"Environment\":{", "\"^\":\"v\"", "}}"},
         1,
         512,
         0,
         1,
         "job.json:1: Environment "
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaa…\" has 513 characters, 512 are allowed"},
        {{"{\"OutputDataConfig\":{\"S3OutputPath\":\"s3://b\",\"KmsKeyId\":\"",
          "@", "\"}}"},
         1,
         2048,
         0,
         1,
         "job.json:1: KmsKeyId has 2049 characters, 2048 are allowed"},
        {{"{\"CheckpointConfig\":{\"S3Uri\":\"s3://b\",\"LocalPath\":\"/", "@",
          "\"}}"},
         1,
         4095,
         0,
         1,
         "job.json:1: LocalPath has 4097 characters, 4096 are allowed"},
        {{"{\"ResourceConfig\":{\"InstanceGroups\":[",
          "{\"InstanceGroupName\":\"g#\",\"InstanceCount\":1}", "]}}"},
         5,
         0,
         1,
         0,
         "job.json:1: InstanceGroups has 6 groups, 5 are allowed"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (int beyond = 0; beyond < 2; beyond++) {
            const char *parts[3] = {rows[i].parts[0], rows[i].parts[1],
                                    rows[i].parts[2]};
            char *text =
                grow(parts, rows[i].count + beyond * rows[i].more_count,
                     rows[i].size + beyond * rows[i].more_size);
            struct from from = {.document = text};
            struct job *job;
            struct fault why;
            enum status s = make(&from, &why, &job);

            EXPECT_STR(why.text, beyond ? rows[i].fault : "");
            EXPECT_EQ(s, beyond ? STATUS_INVALID : STATUS_OK);
            job_destroy(&job);
            free(text);
        }
    }
}

TEST(the_21st_channel_by_flag)
{
    const char *parts[3] = {"{\"InputDataConfig\":[",
                            "{\"ChannelName\":\"c#\"," S3 "}}}", "]}"};
    char *text = grow(parts, 20, 0);
    struct from from = {.document = text, .flags = "channel=c3=/x;"};
    struct job *job;
    struct fault why;

    EXPECT_EQ(make(&from, &why, &job), STATUS_OK);
    job_destroy(&job);
    from.flags = "channel=z=/x;";
    EXPECT_EQ(make(&from, &why, &job), STATUS_INVALID);
    EXPECT(strstr(why.text, "is one channel too many, 20 are allowed") != NULL);
    free(text);
}

TEST(what_this_version_serves)
{
    static const struct {
        const char *flags;
        const char *fault;
    } rows[] = {
        {"channel=a=/a;", ""},
        {"channel=a=/a,source=ManifestFile,deal=balanced,even=drop;", ""},
        {"channel=a=/a,sharded,even=pad;output=/o;checkpoint=/c;", ""},
        {"channel=a=s3://b/a;",
         "channel a: s3:// is not served by this version; use file://"},
        {"channel=a=https://b/a;",
         "channel a: https:// is not served by this version; use file://"},
        {"channel=a=/a;output=s3://b/o;",
         "output: s3:// is not served by this version; use file://"},
        {"channel=a=/a;checkpoint=s3://b/o;",
         "checkpoint: s3:// is not served by this version; use file://"},
        {"channel=a=/a,mode=FastFile;",
         "channel a: InputMode FastFile is not served by this version; use "
         "File"},
        {"channel=a=/a,mode=Pipe;",
         "channel a: InputMode Pipe is not served by this version; use File"},
        {"channel=a=/a,mode=Ring;",
         "channel a: InputMode Ring is not served by this version; use File"},
        {"channel=a=/a,deal=dynamic;",
         "channel a: Deal dynamic is not served by this version; use "
         "balanced, sagemaker or replicated"},
        {"channel=a=/a,mode=Pipe,source=AugmentedManifestFile,attributes=x;",
         "channel a: InputMode Pipe is not served by this version; use File"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct from from = {.flags = rows[i].flags};
        struct job *job;
        struct fault why;

        EXPECT_EQ(make(&from, &why, &job), STATUS_OK);
        EXPECT_EQ(job_check_served(job, &why),
                  rows[i].fault[0] != '\0' ? STATUS_UNSUPPORTED : STATUS_OK);
        EXPECT_STR(why.text, rows[i].fault);
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
    EXPECT_EQ(count, 10);
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
