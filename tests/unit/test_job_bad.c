/* SPDX-License-Identifier: Apache-2.0 */
/* What a job is refused for, word for word. */

#include "base/buf.h"
#include "tests/unit/job_from.h"

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
    {CHANNEL("\"Smshard\":{\"Records\":\"csv\"}"),
     "job.json:1: channel t: Records \"csv\" is not one of raw, lines, "
     "recordio, tfrecord, tar"},
    {CHANNEL("\"InputMode\":\"Pipe\",\"Smshard\":{\"Records\":\"tar\"}"),
     "job.json:1: channel t: Records says where objects may be cut; only Deal "
     "balanced with Split cuts any"},
    {CHANNEL("\"InputMode\":\"Pipe\",\"Smshard\":{\"Records\":\"tar\","
             "\"Split\":true}"),
     "job.json:1: channel t: Records says where objects may be cut; only Deal "
     "balanced with Split cuts any"},
    {CHANNEL("\"InputMode\":\"FastFile\",\"Smshard\":{\"Records\":\"tar\","
             "\"Split\":true,\"Deal\":\"balanced\"}"),
     "job.json:1: channel t: Records needs InputMode Pipe or Ring without "
     "RecordWrapperType"},
    {CHANNEL("\"InputMode\":\"Pipe\",\"RecordWrapperType\":\"RecordIO\","
             "\"Smshard\":{\"Records\":\"lines\","
             "\"Split\":true,\"Deal\":\"balanced\"}"),
     "job.json:1: channel t: Records needs InputMode Pipe or Ring without "
     "RecordWrapperType"},
    {CHANNEL("\"InputMode\":\"Pipe\",\"CompressionType\":\"Gzip\","
             "\"Smshard\":{\"Split\":true,\"Deal\":\"balanced\"}"),
     "job.json:1: channel t: Split can't cut objects of CompressionType Gzip, "
     "which can only be read from their beginning"},
    {CHANNEL("\"Smshard\":{\"Epochs\":0}"),
     "job.json:1: channel t: Epochs is 0; at least 1 is needed"},
    {CHANNEL("\"Smshard\":{\"Epochs\":1000001}"),
     "job.json:1: channel t: Epochs \"1000001\" is not a whole number from 0 "
     "to 1000000"},
    {CHANNEL("\"Smshard\":{\"Skip\":-1}"),
     "job.json:1: channel t: Skip \"-1\" is not a whole number from 0 to "
     "10000"},
    {CHANNEL("\"Smshard\":{\"StepUnits\":true}"),
     "job.json:1: channel t: StepUnits is true or false, not a whole number"},
    {CHANNEL("\"Smshard\":{\"StepUnits\":\"8x\"}"),
     "job.json:1: channel t: StepUnits \"8x\" is not a whole number from 0 to "
     "4294967295"},
    {CHANNEL("\"Smshard\":{\"StepUnits\":8}"),
     "job.json:1: channel t: StepUnits needs Deal dynamic, not replicated; "
     "Even makes the ranks of another deal equal"},
    {CHANNEL("\"Smshard\":{\"Deal\":\"dynamic\",\"Even\":\"drop\"}"),
     "job.json:1: channel t: Even drop with Deal dynamic needs StepUnits: what "
     "is dropped is the last step that is not full"},
    {CHANNEL("\"InputMode\":\"Ring\",\"Smshard\":{\"RingMode\":\"broadcast\"}"),
     "job.json:1: channel t: RingMode broadcast needs RingConsumers: how many "
     "processes of a rank have to see each unit"},
    {CHANNEL("\"InputMode\":\"Ring\",\"Smshard\":{\"RingMode\":\"Exclusive\","
             "\"RingConsumers\":2}"),
     "job.json:1: channel t: RingMode exclusive has one consumer, not 2; use "
     "share, or broadcast"},
    {CHANNEL("\"InputMode\":\"Ring\",\"Smshard\":{\"RingLost\":\"drop\"}"),
     "job.json:1: channel t: RingLost drop needs Skip: what is dropped counts "
     "as skipped, and Skip says how much may be"},
    {CHANNEL("\"Smshard\":{\"RingConsumers\":65}"),
     "job.json:1: channel t: RingConsumers \"65\" is not a whole number from 0 "
     "to 64"},
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
    {CHANNEL("\"Smshard\":{\"Listing\":\"ftp://x\"}"),
     "job.json:1: channel t: Listing \"ftp://x\" does not start with s3://, "
     "https:// or file://"},
    {CHANNEL("\"Smshard\":{\"Listing\":true}"),
     "job.json:1: channel t: Listing is true or false, not a string"},
    {"{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":"
     "{\"S3DataSource\":{\"S3DataType\":\"ManifestFile\",\"S3Uri\":"
     "\"file:///a\"}},\n\"Smshard\":{\"Listing\":\"file:///i/\"}}]}",
     "job.json:2: channel t: Listing needs S3DataType S3Prefix, not "
     "ManifestFile; a source of that kind names its objects itself"},
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

static const struct {
    struct from from;
    enum status status;
    const char *fault;
} elsewhere[] = {
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

TEST(bad_elsewhere)
{
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
        struct job *job = NULL;
        struct fault why;
        enum status s;

        s = make(&elsewhere[i].from, &why, &job);
        EXPECT_STR(why.text, elsewhere[i].fault);
        EXPECT_EQ(s, elsewhere[i].status);
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
 * "after"; '#' becomes the turn's number, '^' a run of @size letters and '@'
 * one with letters of two bytes. */
static void grow_part(struct buf *out, const char *text, int turn, int size)
{
    for (const char *p = text; *p != '\0'; p++) {
        int letters = *p == '@' || *p == '^' ? size : 0;

        for (int i = 0; i < letters; i++) {
            buf_add_text(out, *p == '@' && i % 2 == 0 ? "\xc3\xa9" : "a");
        }
        if (*p == '#') {
            buf_print(out, "%d", turn);
        } else if (*p != '@' && *p != '^') {
            buf_add_char(out, *p);
        }
    }
}

static char *grow(const char *const parts[3], int count, int size)
{
    struct buf out = {0};

    grow_part(&out, parts[0], 0, size);
    for (int turn = 0; turn < count; turn++) {
        buf_add_text(&out, turn > 0 ? "," : "");
        grow_part(&out, parts[1], turn, size);
    }
    grow_part(&out, parts[2], 0, size);
    return buf_take(&out);
}

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
} limits[] = {
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
    {{"{\"OutputDataConfig\":{\"S3OutputPath\":\"s3://b\",\"KmsKeyId\":\"", "@",
      "\"}}"},
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

TEST(limits_hold_at_and_beyond)
{
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        for (int beyond = 0; beyond < 2; beyond++) {
            const char *parts[3] = {limits[i].parts[0], limits[i].parts[1],
                                    limits[i].parts[2]};
            char *text =
                grow(parts, limits[i].count + beyond * limits[i].more_count,
                     limits[i].size + beyond * limits[i].more_size);
            struct from from = {.document = text};
            struct job *job;
            struct fault why;
            enum status s = make(&from, &why, &job);

            EXPECT_STR(why.text, beyond ? limits[i].fault : "");
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

TEST(a_channel_without_a_uri)
{
    struct setting_flag flag = {"channel", "a"};
    struct job_input input = {.flags = &flag, .flag_count = 1};
    struct job *job = NULL;
    struct fault why;

    EXPECT_EQ(job_make(&input, &why, &job), STATUS_INVALID);
    EXPECT_STR(why.text, "--channel: \"a\" is not NAME=URI");
}
