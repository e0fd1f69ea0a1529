/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "base/check.h"
#include "proto/job_parse.h"

static const char *const job_sources[] = {
    "S3Prefix",   "ManifestFile", "AugmentedManifestFile",
    "FileSystem", "Present",      NULL};
/* What a document may say of an object store. */
static const char *const job_data_types[] = {"S3Prefix", "ManifestFile",
                                             "AugmentedManifestFile", NULL};
static const char *const job_modes[] = {"File", "FastFile", "Pipe", "Ring",
                                        NULL};
static const char *const job_distributions[] = {"FullyReplicated",
                                                "ShardedByS3Key", NULL};
static const char *const job_wrappers[] = {"None", "RecordIO", NULL};
static const char *const job_compressions[] = {"None", "Gzip", NULL};
static const char *const job_deals[] = {"auto",    "sagemaker",  "balanced",
                                        "dynamic", "replicated", NULL};
static const char *const job_evens[] = {"none", "pad", "drop", NULL};
static const char *const job_framings[] = {
#define X(name, text) text,
    FRAMING_MAP(X)
#undef X
        NULL};
static const char *const job_rings[] = {"exclusive", "share", "broadcast",
                                        NULL};
static const char *const job_losts[] = {"redeliver", "drop", NULL};
static const char *const job_file_systems[] = {"EFS", "FSxLustre", NULL};
static const char *const job_accesses[] = {"ro", "rw", NULL};
const char *const job_output_words[] = {"GZIP", "NONE", NULL};

static const struct {
    const char *alias;
    const char *word;
} job_aliases[] = {
    {"sharded", "ShardedByS3Key"},
    {"replicated", "FullyReplicated"},
};

const char *const *job_field_words(enum job_field f)
{
    switch ((int)f) {
    case JOB_FIELD_SOURCE:
        return job_data_types;
    case JOB_FIELD_DISTRIBUTION:
        return job_distributions;
    case JOB_FIELD_MODE:
        return job_modes;
    case JOB_FIELD_WRAPPER:
        return job_wrappers;
    case JOB_FIELD_COMPRESSION:
        return job_compressions;
    case JOB_FIELD_DEAL:
        return job_deals;
    case JOB_FIELD_EVEN:
        return job_evens;
    case JOB_FIELD_RECORDS:
        return job_framings;
    case JOB_FIELD_RING_MODE:
        return job_rings;
    case JOB_FIELD_RING_LOST:
        return job_losts;
    case JOB_FIELD_FS_TYPE:
        return job_file_systems;
    case JOB_FIELD_FS_ACCESS:
        return job_accesses;
    default:
        return NULL;
    }
}

/* The next byte that counts, in lower case; '\0' at the end. */
static char job_word_next(const char **at, const char *end)
{
    while (*at < end && (**at == '_' || **at == '-')) {
        (*at)++;
    }
    return *at < end ? (char)tolower((unsigned char)*(*at)++) : '\0';
}

static bool job_word_is(struct bytes text, const char *word)
{
    const char *a = text.at;
    const char *b = word;
    char x;
    char y;

    if (memchr(text.at, '\0', text.size) != NULL) {
        return false;
    }
    do {
        x = job_word_next(&a, text.at + text.size);
        y = job_word_next(&b, word + strlen(word));
    } while (x == y && x != '\0');
    return x == y;
}

bool job_word_find(const char *const *words, struct bytes text, uint32_t *out)
{
    if (text.size == 0) {
        return false;
    }
    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (job_word_is(text, words[i])) {
            *out = i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(job_aliases) / sizeof(*job_aliases); i++) {
        for (uint32_t j = 0; words[j] != NULL; j++) {
            if (job_word_is(text, job_aliases[i].alias) &&
                strcmp(words[j], job_aliases[i].word) == 0) {
                *out = j;
                return true;
            }
        }
    }
    return false;
}

static const char *job_word_at(const char *const *words, size_t size,
                               unsigned i)
{
    CHECK(i < size / sizeof(*words) - 1);
    return words[i];
}

const char *job_mode_name(enum job_mode m)
{
    return job_word_at(job_modes, sizeof(job_modes), m);
}

const char *job_distribution_name(enum job_distribution d)
{
    return job_word_at(job_distributions, sizeof(job_distributions), d);
}

const char *job_wrapper_name(enum job_wrapper w)
{
    return job_word_at(job_wrappers, sizeof(job_wrappers), w);
}

const char *job_compression_name(enum job_compression c)
{
    return job_word_at(job_compressions, sizeof(job_compressions), c);
}

const char *job_source_name(enum job_source s)
{
    return job_word_at(job_sources, sizeof(job_sources), s);
}

const char *job_deal_name(enum job_deal d)
{
    return job_word_at(job_deals, sizeof(job_deals), d);
}

const char *job_even_name(enum job_even e)
{
    return job_word_at(job_evens, sizeof(job_evens), e);
}
