/* SPDX-License-Identifier: Apache-2.0 */
/* The job as the user described it, checked and in one struct.
 *
 * It is put together from the CreateTrainingJob document (or the platform's
 * echo of it in trainingjobconfig.json, or init-config.json), from
 * inputdataconfig.json and checkpointconfig.json, from SMSHARD_* variables
 * and from flags; later ones of "default < document < variable < flag" win,
 * and every setting remembers where it came from. Our own settings stand
 * under "Smshard" beside each channel and at the document's top.
 *
 * All that the contract knows is read and validated; job_check_served() refuses
 * what this version does not serve. No I/O. The job owns all its strings. */

#ifndef PROTO_JOB_H
#define PROTO_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"
#include "proto/framing.h"
#include "proto/job_fields.h"
#include "proto/settings.h"

enum {
    JOB_NAME_MAX = 63,
    JOB_CHANNELS_MAX = 20,
    JOB_CHANNEL_NAME_MAX = 64,
    JOB_ATTRIBUTES_MAX = 16,
    JOB_CHANNEL_GROUPS_MAX = 5,
    JOB_GROUPS_MAX = 5,
    JOB_URI_MAX = 1024, /* Characters. */
    JOB_RANKS_MAX = 64,
    JOB_HYPERPARAMETERS_MAX = 100,
    JOB_ENVIRONMENT_MAX = 100,
};

enum job_source {
    JOB_SOURCE_PREFIX,      /* All keys that start with the URI's. */
    JOB_SOURCE_MANIFEST,    /* A JSON list of keys. */
    JOB_SOURCE_AUGMENTED,   /* JSON lines with attributes. */
    JOB_SOURCE_FILE_SYSTEM, /* EFS or FSx, mounted by the platform. */
    JOB_SOURCE_PRESENT,     /* Only inputdataconfig.json names it: brought. */
};

enum job_mode { JOB_FILE, JOB_FAST_FILE, JOB_PIPE, JOB_RING };
enum job_distribution { JOB_REPLICATED, JOB_SHARDED };
enum job_wrapper { JOB_WRAP_NONE, JOB_WRAP_RECORDIO };
enum job_compression { JOB_PLAIN, JOB_GZIP };
enum job_even { JOB_EVEN_NONE, JOB_EVEN_PAD, JOB_EVEN_DROP };
enum job_file_system { JOB_EFS, JOB_FSX_LUSTRE };

/* "Smshard": {"Deal": …}. AUTO: sagemaker when sharded, else replicated. */
enum job_deal {
    JOB_DEAL_AUTO,
    JOB_DEAL_SAGEMAKER,
    JOB_DEAL_BALANCED,
    JOB_DEAL_DYNAMIC,
    JOB_DEAL_REPLICATED,
};

struct job_channel {
    char *name;
    char *origin;    /* Where it was named: "job.json:7", "--channel". */
    bool is_present; /* inputdataconfig.json names it. */
    enum job_source source;
    char *uri; /* S3Uri: s3://, https:// or file://. NULL when PRESENT. */
    struct {
        enum job_file_system type;
        char *id;
        char *path;
        bool may_write;
    } file_system;      /* Of a FILE_SYSTEM source. */
    enum job_mode mode; /* The channel's own, else the job's. */
    enum job_distribution distribution;
    enum job_wrapper wrapper;
    enum job_compression compression;
    bool has_shuffle;
    uint64_t shuffle_seed; /* ShuffleConfig.Seed, any 64 bits. */
    char *content_type;    /* NULL when not given. */
    char *attributes[JOB_ATTRIBUTES_MAX];
    uint32_t attribute_count;
    char *groups[JOB_CHANNEL_GROUPS_MAX];
    uint32_t group_count; /* 0: all hosts. */

    enum job_deal deal;   /* "Deal" */
    enum job_even even;   /* "Even" */
    bool may_split;       /* "Split" */
    enum framing records; /* "Records": where it may; RAW: at any byte. */
    bool may_be_empty;    /* "AllowEmpty" */
    char *listing;        /* "Listing": a URI, or NULL: the source is listed. */
    uint64_t epochs;      /* "Epochs" */
    uint64_t step_units;  /* "StepUnits"; 0: no steps. */
    uint64_t skips;       /* "Skip" */
    struct job_ring ring; /* "RingMode", "RingConsumers", "RingLost" */
    struct job_value values[JOB_FIELDS_COUNT]; /* Where each came from. */
};

struct job {
    char *name; /* NULL when nobody gave one. */
    struct job_channel channels[JOB_CHANNELS_MAX]; /* Sorted by name bytes. */
    uint32_t channel_count;

    char *output_uri;          /* OutputDataConfig.S3OutputPath or NULL. */
    bool output_is_compressed; /* CompressionType GZIP (default) or NONE. */
    char *checkpoint_uri;      /* CheckpointConfig.S3Uri or NULL. */
    char *checkpoint_path;     /* LocalPath; NULL without checkpoints. */

    struct json_doc *document;          /* As read, or NULL. */
    const struct json *hyperparameters; /* HyperParameters or NULL. */
    const struct json *environment;     /* Environment or NULL. */

    uint32_t host_count;      /* ResourceConfig.InstanceCount; 0: not said */
    char *instance_type;      /* ResourceConfig.InstanceType or NULL. */
    uint64_t run_seconds_max; /* StoppingCondition; 0: not said. */

    struct job_value values[JOB_KEYS_COUNT]; /* Where each came from. */
    struct settings settings; /* Smshard's own, with where each came from. */
};

/* What a job is made from. A lookup, so that tests need no environment. */
typedef const char *job_variable_fn(void *self, const char *name);

struct job_text {
    const char *name; /* Stands in messages. */
    struct bytes text;
};

struct job_input {                     /* Each text may be NULL. */
    const struct job_text *document;   /* Or trainingjobconfig.json. */
    const struct job_text *init;       /* init-config.json */
    const struct job_text *channels;   /* inputdataconfig.json */
    const struct job_text *checkpoint; /* checkpointconfig.json */
    job_variable_fn *variable;         /* NULL: no variables. */
    void *variable_self;
    const struct setting_flag *flags; /* From the command line. */
    uint32_t flag_count;
};

/* Put the job together into *@out, freed by job_destroy().
 *
 * Flags: those of settings.h and of job_fields.h, and `channel`, which names
 * or changes a channel without a document and may stand more than once:
 *   NAME=URI[,FIELD=VALUE…][,sharded|replicated]
 * In flags and variables a URI may be a plain absolute path. An empty
 * variable counts as not given. The one default that is not in a table: with a
 * checkpoint URI, the path is <SAGEMAKER_BASE_DIR or /opt/ml>/checkpoints.
 *
 * MALFORMED: not JSON; INVALID: a value or combination is not allowed (named
 * with file, line and field); CONFLICT: two channels of one name, or whose
 * files would meet; UNSUPPORTED: S3DataType "Converse". */
MUST_USE enum status job_make(const struct job_input *input, struct fault *why,
                              struct job **out);
void job_destroy(struct job **job);

/* Whether job_make() knows the flag @flag, without dashes. */
bool job_knows_flag(const char *flag);

/* The flags beside those of settings.h, for help and suggestions: the @i-th,
 * or NULL past the last. *@meaning is set to a phrase. */
const char *job_flag_at(uint32_t i, const char **meaning);

/* Everything that was said or defaulted, in a fixed order: the job's keys,
 * the channels' fields ("channel.train.mode"), the settings. */
struct job_said {
    char name[JOB_CHANNEL_NAME_MAX + 40]; /* As its flag is called. */
    const char *value;
    const char *origin;
};
uint32_t job_said_count(const struct job *job);
void job_said_at(const struct job *job, uint32_t i, struct job_said *out);

/* Where the value of @name came from. NULL: nothing was said. */
const char *job_origin(const struct job *job, const char *name);
const struct job_channel *job_find_channel(const struct job *job,
                                           const char *name);

/* The names of the enums as the contract spells them: "File", "Pipe", …;
 * for `plan`, messages and inputdataconfig.json. Never NULL. */
const char *job_mode_name(enum job_mode m);
const char *job_distribution_name(enum job_distribution d);
const char *job_wrapper_name(enum job_wrapper w);
const char *job_compression_name(enum job_compression c);
const char *job_source_name(enum job_source s);
const char *job_deal_name(enum job_deal d);
const char *job_even_name(enum job_even e);

/* The deal that AUTO stands for on this channel. */
enum job_deal job_channel_deal(const struct job_channel *c);
/* Whether the platform has brought the channel: nothing is left to do; and
 * whether its bytes come in a row (Pipe, Ring). */
bool job_channel_is_in_place(const struct job_channel *c);
bool job_channel_is_stream(const struct job_channel *c);
/* UNSUPPORTED: this version can't run the job; @why says what to use. */
MUST_USE enum status job_check_served(const struct job *job, struct fault *why);
bool job_name_is_valid(const char *name);

#endif /* PROTO_JOB_H */
