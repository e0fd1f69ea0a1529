/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the contract that may be said in more than one place: one
 * row each, with the flag, the name in the document, and the default.
 *
 * A channel's field `mode` is the flag `--channel.NAME.mode`. Those marked ALL
 * are also `--mode` and SMSHARD_MODE, which speak for every channel. A job's
 * key `output` is the flag `--output` and SMSHARD_OUTPUT. Whatever is said
 * more than once, the flag beats the variable beats the document beats the
 * platform's other files beats the default, and for a channel what names it
 * beats what speaks for all. */

#ifndef PROTO_JOB_FIELDS_H
#define PROTO_JOB_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

/* A channel of so many epochs goes on for as long as somebody reads it. */
enum { JOB_EPOCHS_MAX = 1000000, JOB_RING_CONSUMERS_MAX = 64 };

/* X(id, "flag", "Document", kind, longest, "default", scope, meaning)
 * "default" NULL: not said. Longest is in characters, of each in a LIST; of a
 * COUNT it is the highest. */
#define JOB_FIELDS_MAP(X)                                                      \
    X(URI, "uri", "S3Uri", URI, 1024, NULL, ONE, "where the data is")          \
    X(SOURCE, "source", "S3DataType", WORD, 0, "S3Prefix", ONE,                \
      "S3Prefix, ManifestFile or AugmentedManifestFile")                       \
    X(DISTRIBUTION, "distribution", "S3DataDistributionType", WORD, 0,         \
      "FullyReplicated", ONE, "FullyReplicated or ShardedByS3Key")             \
    X(MODE, "mode", "InputMode", WORD, 0, "File", ALL,                         \
      "File, FastFile, Pipe or Ring")                                          \
    X(WRAPPER, "wrapper", "RecordWrapperType", WORD, 0, "None", ONE,           \
      "None or RecordIO")                                                      \
    X(COMPRESSION, "compression", "CompressionType", WORD, 0, "None", ONE,     \
      "None or Gzip")                                                          \
    X(SEED, "shuffle-seed", "ShuffleConfig.Seed", NUMBER, 20, NULL, ONE,       \
      "shuffle with this seed")                                                \
    X(CONTENT_TYPE, "content-type", "ContentType", TEXT, 256, NULL, ONE,       \
      "MIME type, for the command")                                            \
    X(ATTRIBUTES, "attributes", "AttributeNames", LIST, 256, NULL, ONE,        \
      "attributes of an augmented manifest, with commas between")              \
    X(GROUPS, "groups", "InstanceGroupNames", LIST, 64, NULL, ONE,             \
      "instance groups that get the channel, with commas between")             \
    X(DEAL, "deal", "Deal", WORD, 0, "auto", ALL,                              \
      "sagemaker, balanced, dynamic, replicated or auto")                      \
    X(EVEN, "even", "Even", WORD, 0, "none", ALL,                              \
      "pad, drop or none: units of each rank made equal in number")            \
    X(SPLIT, "split", "Split", FLAG, 0, "no", ONE,                             \
      "yes: large objects may be cut into byte ranges")                        \
    X(RECORDS, "records", "Records", WORD, 0, "raw", ONE,                      \
      "raw, lines, recordio, tfrecord or tar: where Split may cut")            \
    X(ALLOW_EMPTY, "allow-empty", "AllowEmpty", FLAG, 0, "no", ONE,            \
      "yes: a source without objects is no error")                             \
    X(LISTING, "listing", "Listing", URI, 1024, NULL, ONE,                     \
      "an S3 Inventory or Batch manifest to take the objects from")            \
    X(EPOCHS, "epochs", "Epochs", COUNT, JOB_EPOCHS_MAX, "1", ALL,             \
      "how many epochs are delivered (Deal dynamic, Pipe, Ring)")              \
    X(STEP_UNITS, "step-units", "StepUnits", COUNT, UINT32_MAX, "0", ONE,      \
      "units of a step over all ranks (Deal dynamic); 0: no steps")            \
    X(SKIP, "skip", "Skip", COUNT, 10000, "0", ONE,                            \
      "how many units that can't be read may be skipped (as Epochs)")          \
    X(RING_MODE, "ring-mode", "RingMode", WORD, 0, "share", ALL,               \
      "Ring: exclusive, share or broadcast")                                   \
    X(RING_CONSUMERS, "ring-consumers", "RingConsumers", COUNT,                \
      JOB_RING_CONSUMERS_MAX, "0", ALL,                                        \
      "Ring: processes of a rank, all of which broadcast waits for; 0: any")   \
    X(RING_LOST, "ring-lost", "RingLost", WORD, 0, "redeliver", ALL,           \
      "Ring: redeliver or drop what a process held that died")                 \
    X(FS_TYPE, "file-system-type", "FileSystemType", WORD, 0, NULL, ONE,       \
      "EFS or FSxLustre")                                                      \
    X(FS_ID, "file-system-id", "FileSystemId", TEXT, 256, NULL, ONE,           \
      "the file system's id")                                                  \
    X(FS_PATH, "file-system-path", "DirectoryPath", TEXT, 4096, NULL, ONE,     \
      "the folder in the file system")                                         \
    X(FS_ACCESS, "file-system-access", "FileSystemAccessMode", WORD, 0, NULL,  \
      ONE, "ro or rw")

/* X(id, "flag", "Document", kind, longest or highest, "default", scope,
 *   meaning). FLAGGED: a flag and a variable; SAID: in the document only. */
#define JOB_KEYS_MAP(X)                                                        \
    X(JOB_NAME, "job-name", "TrainingJobName", NAME, 63, NULL, FLAGGED,        \
      "the job's name")                                                        \
    X(OUTPUT, "output", "S3OutputPath", URI, 1024, NULL, FLAGGED,              \
      "where outputs and the job's state are kept")                            \
    X(OUTPUT_COMPRESSION, "output-compression", "CompressionType", WORD, 0,    \
      "GZIP", FLAGGED, "GZIP or NONE")                                         \
    X(CHECKPOINT, "checkpoint", "S3Uri", URI, 1024, NULL, FLAGGED,             \
      "where checkpoints are kept")                                            \
    X(CHECKPOINT_PATH, "checkpoint-path", "LocalPath", TEXT, 4096, NULL,       \
      FLAGGED, "the folder that the command writes checkpoints to")            \
    X(HOST_COUNT, "instance-count", "InstanceCount", NUMBER, 16384, NULL,      \
      SAID, "how many hosts the document asks for")                            \
    X(INSTANCE_TYPE, "instance-type", "InstanceType", TEXT, 64, NULL, SAID,    \
      "their kind")                                                            \
    X(RUN_SECONDS, "max-runtime", "MaxRuntimeInSeconds", NUMBER, UINT32_MAX,   \
      NULL, SAID, "the longest that the job may run")

enum job_field {
#define X(id, flag, doc, kind, longest, def, scope, meaning) JOB_FIELD_##id,
    JOB_FIELDS_MAP(X)
#undef X
        JOB_FIELDS_COUNT
};

enum job_key {
#define X(id, flag, doc, kind, longest, def, scope, meaning) JOB_KEY_##id,
    JOB_KEYS_MAP(X)
#undef X
        JOB_KEYS_COUNT
};

/* How a channel in mode Ring is handed to the processes of a rank. */
enum job_ring_mode {
    JOB_RING_EXCLUSIVE,
    JOB_RING_SHARE,
    JOB_RING_BROADCAST,
};
struct job_ring {
    enum job_ring_mode mode;
    uint64_t consumers; /* 0: any number. */
    bool drops;         /* What a process held that died. */
};

/* What was said of a field or key, and where. */
struct job_value {
    char *text;   /* As the contract spells it; NULL: nothing. */
    char *origin; /* "job.json:12", "SMSHARD_MODE", "--mode", "default". */
    int layer;    /* Private: what outranks what. */
};

#endif /* PROTO_JOB_FIELDS_H */
