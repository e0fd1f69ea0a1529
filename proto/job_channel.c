/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: naming them, reading them from any of the documents, and what
 * they are when nothing more was said. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/job_parse.h"

/* Where each document keeps a field; NULL: it does not. */
static const struct {
    enum job_field field;
    const char *path[3]; /* By enum job_style. */
} job_members[] = {
    {JOB_FIELD_SOURCE,
     {"DataSource.S3DataSource.S3DataType", "s3DataSource.s3DataType", NULL}},
    {JOB_FIELD_URI,
     {"DataSource.S3DataSource.S3Uri", "s3DataSource.s3Uri", NULL}},
    {JOB_FIELD_DISTRIBUTION,
     {"DataSource.S3DataSource.S3DataDistributionType",
      "s3DataSource.s3DataDistributionType", "S3DistributionType"}},
    {JOB_FIELD_ATTRIBUTES,
     {"DataSource.S3DataSource.AttributeNames", "s3DataSource.attributeNames",
      NULL}},
    {JOB_FIELD_GROUPS,
     {"DataSource.S3DataSource.InstanceGroupNames",
      "s3DataSource.instanceGroupNames", NULL}},
    {JOB_FIELD_FS_TYPE,
     {"DataSource.FileSystemDataSource.FileSystemType",
      "fileSystemDataSource.fileSystemType", NULL}},
    {JOB_FIELD_FS_ID,
     {"DataSource.FileSystemDataSource.FileSystemId",
      "fileSystemDataSource.fileSystemId", NULL}},
    {JOB_FIELD_FS_PATH,
     {"DataSource.FileSystemDataSource.DirectoryPath",
      "fileSystemDataSource.directoryPath", NULL}},
    {JOB_FIELD_FS_ACCESS,
     {"DataSource.FileSystemDataSource.FileSystemAccessMode",
      "fileSystemDataSource.fileSystemAccessMode", NULL}},
    {JOB_FIELD_MODE, {"InputMode", "inputMode", "TrainingInputMode"}},
    {JOB_FIELD_CONTENT_TYPE, {"ContentType", "contentType", "ContentType"}},
    {JOB_FIELD_COMPRESSION, {"CompressionType", "compressionType", NULL}},
    {JOB_FIELD_WRAPPER,
     {"RecordWrapperType", "recordWrapper", "RecordWrapperType"}},
    {JOB_FIELD_SEED, {"ShuffleConfig.Seed", "shuffleConfig.seed", NULL}},
    {JOB_FIELD_DEAL, {"Smshard.Deal", NULL, NULL}},
    {JOB_FIELD_EVEN, {"Smshard.Even", NULL, NULL}},
    {JOB_FIELD_SPLIT, {"Smshard.Split", NULL, NULL}},
    {JOB_FIELD_RECORDS, {"Smshard.Records", NULL, NULL}},
    {JOB_FIELD_ALLOW_EMPTY, {"Smshard.AllowEmpty", NULL, NULL}},
    {JOB_FIELD_LISTING, {"Smshard.Listing", NULL, NULL}},
    {JOB_FIELD_EPOCHS, {"Smshard.Epochs", NULL, NULL}},
    {JOB_FIELD_STEP_UNITS, {"Smshard.StepUnits", NULL, NULL}},
    {JOB_FIELD_SKIP, {"Smshard.Skip", NULL, NULL}},
    {JOB_FIELD_RING_MODE, {"Smshard.RingMode", NULL, NULL}},
    {JOB_FIELD_RING_CONSUMERS, {"Smshard.RingConsumers", NULL, NULL}},
    {JOB_FIELD_RING_LOST, {"Smshard.RingLost", NULL, NULL}},
};

static const enum job_layer job_style_layers[] = {
    JOB_LAYER_DOCUMENT, JOB_LAYER_INIT, JOB_LAYER_PLATFORM};

static bool job_channel_name_is_valid(struct bytes name)
{
    if (name.size == 0 || name.size > JOB_CHANNEL_NAME_MAX ||
        bytes_is(name, ".") || bytes_is(name, "..")) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
            !(c >= 'a' && c <= 'z') && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

enum status job_need_channel(struct job_maker *m, struct bytes name,
                             const struct job_place *at,
                             struct job_channel **out)
{
    struct job *job = m->job;
    struct job_channel *c;

    if (!job_channel_name_is_valid(name)) {
        return job_refuse(m->why, at,
                          "\"%.*s\" is not a channel name: 1 to %d letters, "
                          "digits, '.', '-' and '_', not \".\" or \"..\"",
                          (int)(name.size < 80 ? name.size : 80), name.at,
                          JOB_CHANNEL_NAME_MAX);
    }
    for (uint32_t i = 0; i < job->channel_count; i++) {
        if (bytes_is(name, job->channels[i].name)) {
            *out = &job->channels[i];
            return STATUS_OK;
        }
    }
    if (job->channel_count == JOB_CHANNELS_MAX) {
        return job_refuse(m->why, at,
                          "\"%.*s\" is one channel too many, %d "
                          "are allowed",
                          (int)name.size, name.at, JOB_CHANNELS_MAX);
    }
    c = &job->channels[job->channel_count++];
    c->name = mem_copy_text(name.at, name.size);
    c->origin = mem_copy(at->origin);
    *out = c;
    return STATUS_OK;
}

static enum status job_read_list(struct job_maker *m, const struct json *v,
                                 const struct job_place *at,
                                 struct job_channel *c, enum job_field f)
{
    struct bytes items[JOB_ATTRIBUTES_MAX + 1];
    size_t count = json_count(v);

    if (!json_is(v, JSON_ARRAY)) {
        return job_refuse(m->why, at, "is not a list of names");
    }
    if (count > JOB_ATTRIBUTES_MAX + 1) {
        count = JOB_ATTRIBUTES_MAX + 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!json_is(json_at(v, i), JSON_STRING)) {
            return job_refuse(m->why, at, "holds what is not a string");
        }
        items[i] = json_string(json_at(v, i));
    }
    return job_set_list(c, f, (struct job_items){items, count}, at, m->why);
}

static enum status job_read_member(struct job_maker *m, const struct json *v,
                                   size_t i, struct job_channel *c)
{
    char origin[JOB_ORIGIN_MAX];
    const char *path = job_members[i].path[m->style];
    enum job_field field = job_members[i].field;
    enum job_kind kind = job_field_row(field)->kind;
    struct job_place at = {origin, c->name, job_json_label(path),
                           job_style_layers[m->style]};
    const struct json *member;
    struct bytes text = {0};
    enum status s;

    m->channel = c->name;
    s = job_json_find(m, v, path, JSON_NULL, &member);
    m->channel = NULL;
    if (s != STATUS_OK || member == NULL) {
        return s;
    }
    job_origin_of(m->file, member, origin);
    if (kind == JOB_KIND_LIST) {
        return job_read_list(m, member, &at, c, field);
    }
    s = job_json_text(m, member, kind, &at, &text);
    return s == STATUS_OK ? job_set_field(c, field, text, &at, m->why) : s;
}

/* The request has exactly one source of each channel. */
static enum status job_check_sources(struct job_maker *m, const struct json *v,
                                     const struct job_channel *c)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, c->name, NULL, JOB_LAYER_DOCUMENT};
    const struct json *source = json_get(v, "DataSource");
    const struct json *s3 = json_get(source, "S3DataSource");
    const struct json *files = json_get(source, "FileSystemDataSource");

    if (json_type(s3) != JSON_NULL && json_type(files) != JSON_NULL) {
        job_origin_of(m->file, source, origin);
        return job_refuse(m->why, &at,
                          "DataSource has both S3DataSource and "
                          "FileSystemDataSource; one is allowed");
    }
    if (json_type(s3) != JSON_NULL &&
        json_type(json_get(s3, "S3Uri")) == JSON_NULL) {
        job_origin_of(m->file, s3, origin);
        return job_refuse(m->why, &at, "S3DataSource has no S3Uri");
    }
    return STATUS_OK;
}

enum status job_read_channel(struct job_maker *m, const struct json *v,
                             struct job_channel *c)
{
    static const char *const words[] = {
        "Deal",       "Even",     "Split",         "Records",
        "AllowEmpty", "Listing",  "Epochs",        "StepUnits",
        "Skip",       "RingMode", "RingConsumers", "RingLost"};
    enum status s = STATUS_OK;

    for (size_t i = 0; i < sizeof(job_members) / sizeof(*job_members); i++) {
        if (job_members[i].path[m->style] != NULL) {
            s = job_read_member(m, v, i, c);
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    if (m->style != JOB_STYLE_REQUEST) {
        return STATUS_OK;
    }
    s = job_check_sources(m, v, c);
    if (s != STATUS_OK) {
        return s;
    }
    m->channel = c->name;
    s = job_check_words(m, json_get(v, "Smshard"), words,
                        sizeof(words) / sizeof(*words));
    m->channel = NULL;
    return s;
}

enum status job_set_all(struct job_maker *m, enum job_field f,
                        struct bytes text, const struct job_place *at)
{
    enum status s =
        job_check_value(job_field_row(f), job_field_words(f), text, at, m->why);

    for (uint32_t i = 0; s == STATUS_OK && i < m->job->channel_count; i++) {
        struct job_channel *c = &m->job->channels[i];

        /* What the platform mounts or brings has the mode that it has. */
        if (f != JOB_FIELD_MODE || c->uri != NULL) {
            s = job_set_field(c, f, text, at, m->why);
        }
    }
    return s;
}

/* Say of a source that is no object store what it is. */
static void job_name_source(struct job_channel *c, enum job_source source)
{
    struct job_value *value = &c->values[JOB_FIELD_SOURCE];

    c->source = source;
    free(value->text);
    free(value->origin);
    value->text = mem_copy(job_source_name(source));
    value->origin = mem_copy(c->origin);
}

/* Settle what the channel's source is. */
static enum status job_finish_source(struct job_maker *m, struct job_channel *c)
{
    struct job_place at = {c->origin, c->name, NULL, JOB_LAYER_DEFAULT};
    const struct job_value *uri = &c->values[JOB_FIELD_URI];
    const struct job_value *files = &c->values[JOB_FIELD_FS_ID];

    for (int f = JOB_FIELD_FS_TYPE; f <= JOB_FIELD_FS_ACCESS; f++) {
        files = c->values[f].text != NULL ? &c->values[f] : files;
    }
    if (uri->text != NULL &&
        (files->text == NULL || uri->layer >= files->layer)) {
        return STATUS_OK;
    }
    if (files->text == NULL) {
        job_name_source(c, JOB_SOURCE_PRESENT);
        return c->is_present
                   ? STATUS_OK
                   : job_refuse(m->why, &at,
                                "has no source; give DataSource.S3DataSource."
                                "S3Uri, or --channel %s=URI",
                                c->name);
    }
    job_name_source(c, JOB_SOURCE_FILE_SYSTEM);
    for (int f = JOB_FIELD_FS_TYPE; f <= JOB_FIELD_FS_ACCESS; f++) {
        if (c->values[f].text == NULL) {
            return job_refuse(m->why, &at, "FileSystemDataSource has no %s",
                              job_field_row((enum job_field)f)->document);
        }
    }
    return STATUS_OK;
}

static int job_channel_compare(const void *a, const void *b)
{
    const struct job_channel *x = a;
    const struct job_channel *y = b;

    return bytes_compare(bytes_of(x->name), bytes_of(y->name));
}

/* A FIFO goes on for as long as somebody reads. */
static const char *job_fallback(const struct job_channel *c, enum job_field f)
{
    if (f == JOB_FIELD_EPOCHS && c->mode == JOB_PIPE) {
        return "1000000";
    }
    return job_field_row(f)->fallback;
}

static void job_finish_fields(struct job_channel *c)
{
    struct job_place at = {"default", c->name, NULL, JOB_LAYER_DEFAULT};

    for (int f = 0; f < JOB_FIELDS_COUNT; f++) {
        const char *fallback = job_fallback(c, (enum job_field)f);
        enum status s = STATUS_OK;

        if (fallback != NULL && c->values[f].text == NULL) {
            s = job_set_field(c, (enum job_field)f, bytes_of(fallback), &at,
                              NULL);
        }
        CHECK(s == STATUS_OK);
    }
}

enum status job_finish(struct job_maker *m)
{
    struct job *job = m->job;

    for (uint32_t i = 0; i < job->channel_count; i++) {
        enum status s;

        job_finish_fields(&job->channels[i]);
        s = job_finish_source(m, &job->channels[i]);
        if (s != STATUS_OK) {
            return s;
        }
    }
    qsort(job->channels, job->channel_count, sizeof(*job->channels),
          job_channel_compare);
    return STATUS_OK;
}
