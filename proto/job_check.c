/* SPDX-License-Identifier: Apache-2.0 */
/* What one field allows another to be, and what this version serves. */

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "proto/job_parse.h"

static struct job_place job_place_of(const struct job_channel *c,
                                     enum job_field f)
{
    const char *origin = c->values[f].origin;

    return (struct job_place){origin != NULL ? origin : c->origin, c->name,
                              NULL, JOB_LAYER_DEFAULT};
}

/* Modes that hand over bytes in a row, and so may change them on the way. */
bool job_channel_is_stream(const struct job_channel *c)
{
    return c->mode == JOB_PIPE || c->mode == JOB_RING;
}

static enum status job_check_streams(const struct job_channel *c,
                                     struct fault *why)
{
    const struct {
        bool is_said;
        enum job_field field;
        const char *what;
    } rows[] = {
        {c->compression == JOB_GZIP, JOB_FIELD_COMPRESSION,
         "CompressionType Gzip"},
        {c->wrapper == JOB_WRAP_RECORDIO, JOB_FIELD_WRAPPER,
         "RecordWrapperType RecordIO"},
        {c->source == JOB_SOURCE_AUGMENTED, JOB_FIELD_SOURCE,
         "S3DataType AugmentedManifestFile"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct job_place at = job_place_of(c, rows[i].field);

        if (rows[i].is_said && !job_channel_is_stream(c)) {
            return job_refuse(why, &at,
                              "%s needs InputMode Pipe or Ring, not %s",
                              rows[i].what, job_mode_name(c->mode));
        }
    }
    return STATUS_OK;
}

static enum status job_check_mode(const struct job_channel *c,
                                  struct fault *why)
{
    struct job_place at = job_place_of(c, JOB_FIELD_MODE);

    if (c->source == JOB_SOURCE_FILE_SYSTEM && c->mode != JOB_FILE) {
        return job_refuse(why, &at,
                          "FileSystemDataSource needs InputMode File, not %s",
                          job_mode_name(c->mode));
    }
    if (c->mode == JOB_FAST_FILE && c->source != JOB_SOURCE_PREFIX &&
        c->source != JOB_SOURCE_PRESENT) {
        return job_refuse(why, &at,
                          "InputMode FastFile needs S3DataType S3Prefix, not "
                          "%s",
                          job_source_name(c->source));
    }
    at = job_place_of(c, JOB_FIELD_SPLIT);
    if (c->may_split && c->mode == JOB_FILE) {
        return job_refuse(why, &at,
                          "Split needs InputMode FastFile, Pipe or Ring; File "
                          "brings whole objects");
    }
    return STATUS_OK;
}

/* A cut within an object leaves parts that are no object. */
static enum status job_check_records(const struct job_channel *c,
                                     struct fault *why)
{
    struct job_place at = job_place_of(c, JOB_FIELD_SPLIT);

    if (c->may_split && c->compression == JOB_GZIP) {
        return job_refuse(why, &at,
                          "Split can't cut objects of CompressionType Gzip, "
                          "which can only be read from their beginning");
    }
    at = job_place_of(c, JOB_FIELD_RECORDS);
    if (c->records == FRAMING_RAW) {
        return STATUS_OK;
    }
    if (!c->may_split || job_channel_deal(c) != JOB_DEAL_BALANCED) {
        return job_refuse(why, &at,
                          "Records says where objects may be cut; only Deal "
                          "balanced with Split cuts any");
    }
    if (!job_channel_is_stream(c) || c->wrapper == JOB_WRAP_RECORDIO) {
        return job_refuse(why, &at,
                          "Records needs InputMode Pipe or Ring without "
                          "RecordWrapperType");
    }
    return STATUS_OK;
}

static enum status job_check_listing(const struct job_channel *c,
                                     struct fault *why)
{
    struct job_place at = job_place_of(c, JOB_FIELD_LISTING);

    if (c->listing == NULL || c->source == JOB_SOURCE_PREFIX) {
        return STATUS_OK;
    }
    return job_refuse(why, &at,
                      "Listing needs S3DataType S3Prefix, not %s; a source of "
                      "that kind names its objects itself",
                      job_source_name(c->source));
}

/* Steps and epochs, apart from what this version serves of them. */
static enum status job_check_steps(const struct job_channel *c,
                                   struct fault *why)
{
    struct job_place at = job_place_of(c, JOB_FIELD_EPOCHS);
    bool is_dynamic = job_channel_deal(c) == JOB_DEAL_DYNAMIC;

    if (c->epochs == 0) {
        return job_refuse(why, &at, "Epochs is 0; at least 1 is needed");
    }
    at = job_place_of(c, JOB_FIELD_STEP_UNITS);
    if (c->step_units > 0 && !is_dynamic) {
        return job_refuse(why, &at,
                          "StepUnits needs Deal dynamic, not %s; Even makes "
                          "the ranks of another deal equal",
                          job_deal_name(job_channel_deal(c)));
    }
    at = job_place_of(c, JOB_FIELD_EVEN);
    if (is_dynamic && c->even == JOB_EVEN_DROP && c->step_units == 0) {
        return job_refuse(why, &at,
                          "Even drop with Deal dynamic needs StepUnits: what "
                          "is dropped is the last step that is not full");
    }
    return STATUS_OK;
}

static enum status job_check_ring(const struct job_channel *c,
                                  struct fault *why)
{
    struct job_place at = job_place_of(c, JOB_FIELD_RING_MODE);

    if (c->mode != JOB_RING) {
        return STATUS_OK;
    }
    if (c->ring.mode == JOB_RING_BROADCAST && c->ring.consumers == 0) {
        return job_refuse(why, &at,
                          "RingMode broadcast needs RingConsumers: how many "
                          "processes of a rank have to see each unit");
    }
    if (c->ring.mode == JOB_RING_EXCLUSIVE && c->ring.consumers > 1) {
        return job_refuse(why, &at,
                          "RingMode exclusive has one consumer, not %" PRIu64
                          "; use share, or broadcast",
                          c->ring.consumers);
    }
    at = job_place_of(c, JOB_FIELD_RING_LOST);
    if (c->ring.drops && c->ring.mode != JOB_RING_BROADCAST && c->skips == 0) {
        return job_refuse(why, &at,
                          "RingLost drop needs Skip: what is dropped counts "
                          "as skipped, and Skip says how much may be");
    }
    return STATUS_OK;
}

static enum status job_check_attributes(const struct job_channel *c,
                                        struct fault *why)
{
    struct job_place at = job_place_of(c, JOB_FIELD_ATTRIBUTES);

    if (c->attribute_count > 0 && c->source != JOB_SOURCE_AUGMENTED) {
        return job_refuse(why, &at,
                          "AttributeNames needs S3DataType "
                          "AugmentedManifestFile, not %s",
                          job_source_name(c->source));
    }
    at = job_place_of(c, JOB_FIELD_SOURCE);
    if (c->attribute_count == 0 && c->source == JOB_SOURCE_AUGMENTED) {
        return job_refuse(why, &at,
                          "S3DataType AugmentedManifestFile needs "
                          "AttributeNames");
    }
    return STATUS_OK;
}

/* Only a channel of an object store can name groups. */
static bool job_channel_has_groups(const struct job_channel *c)
{
    return c->source != JOB_SOURCE_FILE_SYSTEM &&
           c->source != JOB_SOURCE_PRESENT;
}

static enum status job_check_groups(const struct job *job, struct fault *why)
{
    const struct job_channel *with = NULL;
    const struct job_channel *without = NULL;
    struct job_place at;

    for (uint32_t i = 0; i < job->channel_count; i++) {
        const struct job_channel *c = &job->channels[i];

        if (job_channel_has_groups(c) && c->group_count > 0) {
            with = c;
        } else if (job_channel_has_groups(c)) {
            without = c;
        }
    }
    if (with == NULL || without == NULL) {
        return STATUS_OK;
    }
    at = job_place_of(without, JOB_FIELD_GROUPS);
    return job_refuse(why, &at,
                      "has no InstanceGroupNames, but channel %s has; give "
                      "them to all channels or to none",
                      with->name);
}

static bool job_group_is_known(const struct json *list, const char *name)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *known =
            json_get(json_at(list, i), "InstanceGroupName");

        if (bytes_is(json_string(known), name)) {
            return true;
        }
    }
    return false;
}

/* Where the request lists its groups, a channel's are among them. */
static enum status job_check_known_groups(const struct job *job,
                                          const struct job_channel *c,
                                          struct fault *why)
{
    const struct json *list = json_get(
        json_get(json_root(job->document), "ResourceConfig"), "InstanceGroups");
    struct job_place at = job_place_of(c, JOB_FIELD_GROUPS);

    for (uint32_t i = 0; json_count(list) > 0 && i < c->group_count; i++) {
        if (!job_group_is_known(list, c->groups[i])) {
            return job_refuse(why, &at,
                              "InstanceGroupNames has \"%s\", which is not in "
                              "ResourceConfig.InstanceGroups",
                              c->groups[i]);
        }
    }
    return STATUS_OK;
}

/* Whether @c puts a file of its own where the folder of @other would be. */
static bool job_channel_covers(const struct job_channel *c,
                               const struct job_channel *other)
{
    size_t size = strlen(c->name);
    const char *rest = other->name + size;

    if (strncmp(other->name, c->name, size) != 0) {
        return false;
    }
    if (c->mode == JOB_FILE && job_channel_has_groups(c)) {
        return strcmp(rest, "-manifest") == 0;
    }
    return c->mode == JOB_PIPE && rest[0] == '_' && rest[1] != '\0' &&
           rest[1 + strspn(rest + 1, "0123456789")] == '\0';
}

static enum status job_check_folders(const struct job *job,
                                     const struct job_channel *c,
                                     struct fault *why)
{
    for (uint32_t i = 0; i < job->channel_count; i++) {
        const struct job_channel *other = &job->channels[i];

        if (job_channel_covers(c, other)) {
            return fault_set(why, STATUS_CONFLICT,
                             "%s: channel %s: its folder would be the %s of "
                             "channel %s; rename one of them",
                             other->origin, other->name,
                             c->mode == JOB_PIPE ? "pipe" : "manifest",
                             c->name);
        }
    }
    return STATUS_OK;
}

static enum status job_check_channel(const struct job *job,
                                     const struct job_channel *c,
                                     struct fault *why)
{
    enum status s = job_check_mode(c, why);

    if (s == STATUS_OK) {
        s = job_check_listing(c, why);
    }
    if (s == STATUS_OK) {
        s = job_check_records(c, why);
    }
    if (s == STATUS_OK) {
        s = job_check_steps(c, why);
    }
    if (s == STATUS_OK) {
        s = job_check_ring(c, why);
    }
    if (s == STATUS_OK) {
        s = job_check_attributes(c, why);
    }
    if (s == STATUS_OK) {
        s = job_check_streams(c, why);
    }
    if (s == STATUS_OK) {
        s = job_check_known_groups(job, c, why);
    }
    return s == STATUS_OK ? job_check_folders(job, c, why) : s;
}

enum status job_check(struct job_maker *m)
{
    enum status s = job_check_groups(m->job, m->why);

    for (uint32_t i = 0; s == STATUS_OK && i < m->job->channel_count; i++) {
        s = job_check_channel(m->job, &m->job->channels[i], m->why);
    }
    return s;
}

enum job_deal job_channel_deal(const struct job_channel *c)
{
    if (c->deal != JOB_DEAL_AUTO) {
        return c->deal;
    }
    return c->distribution == JOB_SHARDED ? JOB_DEAL_SAGEMAKER
                                          : JOB_DEAL_REPLICATED;
}

static enum status job_serve_uri(const char *kind, const char *name,
                                 const char *uri, struct fault *why)
{
    if (uri == NULL || strncmp(uri, "file://", 7) == 0 ||
        strncmp(uri, "s3://", 5) == 0) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_UNSUPPORTED,
                     "%s%s: %.*s:// is not served by this version; use "
                     "s3:// or file://",
                     kind, name, (int)strcspn(uri, ":"), uri);
}

bool job_channel_is_in_place(const struct job_channel *c)
{
    if (c->source == JOB_SOURCE_PRESENT ||
        c->source == JOB_SOURCE_FILE_SYSTEM) {
        return true;
    }
    return c->is_present && c->mode == JOB_FILE &&
           strncmp(c->uri, "file:", 5) != 0;
}

/* What each way of dealing can't do yet. */
static enum status job_serve_deal(const struct job_channel *c,
                                  struct fault *why)
{
    const char *deal = job_deal_name(job_channel_deal(c));
    bool is_dynamic = job_channel_deal(c) == JOB_DEAL_DYNAMIC;

    if (is_dynamic && c->even == JOB_EVEN_PAD) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: Even pad is not served with Deal "
                         "dynamic, which reads each unit once; use none, or "
                         "drop with StepUnits",
                         c->name);
    }
    if (is_dynamic && c->may_split) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: Split is not served with Deal dynamic; "
                         "use balanced, or leave Split out",
                         c->name);
    }
    if (!is_dynamic && c->epochs > 1 && !job_channel_is_stream(c)) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: Epochs needs Deal dynamic, or InputMode "
                         "Pipe or Ring; with %s the command reads its "
                         "files as often as it likes",
                         c->name, deal);
    }
    if (!is_dynamic && c->skips > 0 && !job_channel_is_stream(c)) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: Skip needs Deal dynamic, or InputMode "
                         "Pipe or Ring; with %s every file is brought before "
                         "the command starts",
                         c->name, deal);
    }
    return STATUS_OK;
}

/* What each way of handing over can't do yet. */
static enum status job_serve_mode(const struct job_channel *c,
                                  struct fault *why)
{
    bool is_changed =
        c->compression == JOB_GZIP || c->wrapper == JOB_WRAP_RECORDIO;

    if (c->source == JOB_SOURCE_AUGMENTED && c->mode != JOB_PIPE) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: S3DataType AugmentedManifestFile is "
                         "served in InputMode Pipe alone",
                         c->name);
    }
    if (c->source == JOB_SOURCE_AUGMENTED &&
        (c->compression == JOB_GZIP || c->may_split)) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: %s is not served with S3DataType "
                         "AugmentedManifestFile; leave it out",
                         c->name,
                         c->may_split ? "Split" : "CompressionType Gzip");
    }
    if (c->mode == JOB_RING && is_changed) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: InputMode Ring hands objects over as "
                         "they are; %s needs Pipe",
                         c->name,
                         c->compression == JOB_GZIP
                             ? "CompressionType Gzip"
                             : "RecordWrapperType RecordIO");
    }
    if (c->mode == JOB_FAST_FILE && job_channel_deal(c) == JOB_DEAL_DYNAMIC) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "channel %s: Deal dynamic leases one unit after the "
                         "other, and a folder shows all of them at once; use "
                         "InputMode File, Pipe or Ring",
                         c->name);
    }
    return STATUS_OK;
}

static enum status job_serve_channel(const struct job_channel *c,
                                     struct fault *why)
{
    enum status s;

    if (job_channel_is_in_place(c)) {
        return STATUS_OK;
    }
    s = job_serve_deal(c, why);
    if (s != STATUS_OK) {
        return s;
    }
    s = job_serve_mode(c, why);
    if (s != STATUS_OK) {
        return s;
    }
    s = job_serve_uri("Listing of channel ", c->name, c->listing, why);
    return s == STATUS_OK ? job_serve_uri("channel ", c->name, c->uri, why) : s;
}

enum status job_check_served(const struct job *job, struct fault *why)
{
    enum status s = job_serve_uri("output", "", job->output_uri, why);

    if (s == STATUS_OK) {
        s = job_serve_uri("checkpoint", "", job->checkpoint_uri, why);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < job->channel_count; i++) {
        s = job_serve_channel(&job->channels[i], why);
    }
    return s;
}
