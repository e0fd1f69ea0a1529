/* SPDX-License-Identifier: Apache-2.0 */
/* The CreateTrainingJob request, and the platform's echo of it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/job_parse.h"

enum {
    JOB_HYPERPARAMETER_KEY_MAX = 256,
    JOB_HYPERPARAMETER_VALUE_MAX = 2500,
    JOB_ENVIRONMENT_TEXT_MAX = 512,
    JOB_KMS_MAX = 2048,
    JOB_GROUP_NAME_MAX = 64,
};

struct job_request {
    struct job_maker *m;
    const struct json *root;
};

/* A map of strings and its limits. */
struct job_map {
    const char *name;
    size_t count_max;
    size_t key_max;
    size_t value_max;
    bool (*key_is_valid)(struct bytes key);
    const char *key_rule;
};

static bool job_environment_key(struct bytes key)
{
    for (size_t i = 0; i < key.size; i++) {
        char c = key.at[i];
        bool is_letter =
            (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';

        if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return key.size > 0;
}

static bool job_any_key(struct bytes key)
{
    return key.size == 0 || memchr(key.at, '\0', key.size) == NULL;
}

static enum status job_request_pair(struct job_request *r,
                                    const struct job_map *map, struct bytes key,
                                    const struct json *v)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, map->name, JOB_LAYER_DOCUMENT};
    int size = (int)(key.size < 64 ? key.size : 64);
    struct bytes value = json_string(v);

    job_origin_of(r->m->file, v, origin);
    if (!map->key_is_valid(key)) {
        return job_refuse(r->m->why, &at, "\"%.*s\" is not allowed as a name%s",
                          size, key.at, map->key_rule);
    }
    if (job_characters(key) > map->key_max) {
        return job_refuse(r->m->why, &at,
                          "\"%.*s…\" has %zu characters, %zu are allowed", size,
                          key.at, job_characters(key), map->key_max);
    }
    if (!json_is(v, JSON_STRING)) {
        return job_refuse(r->m->why, &at,
                          "\"%.*s\" is not a string; put it in quotes", size,
                          key.at);
    }
    if (job_characters(value) > map->value_max) {
        return job_refuse(
            r->m->why, &at,
            "\"%.*s\" has a value of %zu characters, %zu are allowed", size,
            key.at, job_characters(value), map->value_max);
    }
    if (value.size > 0 && memchr(value.at, '\0', value.size) != NULL) {
        return job_refuse(r->m->why, &at,
                          "\"%.*s\" has a value with a NUL byte", size, key.at);
    }
    return STATUS_OK;
}

static enum status job_request_map(struct job_request *r,
                                   const struct job_map *map,
                                   const struct json **out)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, map->name, JOB_LAYER_DOCUMENT};
    enum status s = job_json_find(r->m, r->root, map->name, JSON_OBJECT, out);

    if (s != STATUS_OK) {
        return s;
    }
    if (json_count(*out) > map->count_max) {
        job_origin_of(r->m->file, *out, origin);
        return job_refuse(r->m->why, &at, "has %zu entries, %zu are allowed",
                          json_count(*out), map->count_max);
    }
    for (size_t i = 0; s == STATUS_OK && i < json_count(*out); i++) {
        s = job_request_pair(r, map, json_key_at(*out, i), json_at(*out, i));
    }
    return s;
}

static enum status job_request_maps(struct job_request *r)
{
    static const struct job_map hyper = {"HyperParameters",
                                         JOB_HYPERPARAMETERS_MAX,
                                         JOB_HYPERPARAMETER_KEY_MAX,
                                         JOB_HYPERPARAMETER_VALUE_MAX,
                                         job_any_key,
                                         ""};
    static const struct job_map environment = {
        "Environment",
        JOB_ENVIRONMENT_MAX,
        JOB_ENVIRONMENT_TEXT_MAX,
        JOB_ENVIRONMENT_TEXT_MAX,
        job_environment_key,
        ": letters, digits and '_', no digit first"};
    enum status s = job_request_map(r, &hyper, &r->m->job->hyperparameters);

    return s == STATUS_OK
               ? job_request_map(r, &environment, &r->m->job->environment)
               : s;
}

/* The line of the first channel called @name, before the @i-th. */
static uint32_t job_request_seen(const struct json *list, size_t i,
                                 struct bytes name)
{
    for (size_t j = 0; j < i; j++) {
        const struct json *other = json_get(json_at(list, j), "ChannelName");

        if (bytes_is_equal(json_string(other), name)) {
            return json_line(other);
        }
    }
    return 0;
}

static enum status job_request_channel(struct job_request *r,
                                       const struct json *list, size_t i)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "ChannelName", JOB_LAYER_DOCUMENT};
    const struct json *v = json_at(list, i);
    const struct json *name;
    struct job_channel *c = NULL;
    uint32_t seen;
    enum status s;

    job_origin_of(r->m->file, v, origin);
    if (!json_is(v, JSON_OBJECT)) {
        at.label = NULL;
        return job_refuse(r->m->why, &at, "a channel is not an object");
    }
    s = job_json_find(r->m, v, "ChannelName", JSON_STRING, &name);
    if (s != STATUS_OK) {
        return s;
    }
    if (name == NULL) {
        return job_refuse(r->m->why, &at, "is missing");
    }
    job_origin_of(r->m->file, name, origin);
    s = job_need_channel(r->m, json_string(name), &at, &c);
    if (s != STATUS_OK) {
        return s;
    }
    seen = job_request_seen(list, i, json_string(name));
    if (seen != 0) {
        return fault_set(r->m->why, STATUS_CONFLICT,
                         "%s: channel %s: is named twice, first in line %u",
                         origin, c->name, seen);
    }
    return job_read_channel(r->m, v, c);
}

static enum status job_request_channels(struct job_request *r)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "InputDataConfig", JOB_LAYER_DOCUMENT};
    const struct json *list;
    enum status s =
        job_json_find(r->m, r->root, "InputDataConfig", JSON_ARRAY, &list);

    if (s == STATUS_OK && json_count(list) > JOB_CHANNELS_MAX) {
        job_origin_of(r->m->file, list, origin);
        return job_refuse(r->m->why, &at, "has %zu channels, %d are allowed",
                          json_count(list), JOB_CHANNELS_MAX);
    }
    for (size_t i = 0; s == STATUS_OK && i < json_count(list); i++) {
        s = job_request_channel(r, list, i);
    }
    return s;
}

/* Fields that the request may say for all channels at once. */
static const struct {
    enum job_field field;
    const char *path;
} job_request_rows[] = {
    {JOB_FIELD_MODE, "AlgorithmSpecification.TrainingInputMode"},
    {JOB_FIELD_DEAL, "Smshard.Deal"},
    {JOB_FIELD_EVEN, "Smshard.Even"},
    {JOB_FIELD_EPOCHS, "Smshard.Epochs"},
    {JOB_FIELD_RING_MODE, "Smshard.RingMode"},
    {JOB_FIELD_RING_CONSUMERS, "Smshard.RingConsumers"},
    {JOB_FIELD_RING_LOST, "Smshard.RingLost"},
};
enum {
    JOB_REQUEST_ROWS = sizeof(job_request_rows) / sizeof(*job_request_rows)
};

static enum status job_request_all(struct job_request *r)
{
    for (size_t i = 0; i < JOB_REQUEST_ROWS; i++) {
        char origin[JOB_ORIGIN_MAX];
        struct job_place at = {origin, NULL,
                               job_json_label(job_request_rows[i].path),
                               JOB_LAYER_DOCUMENT_ALL};
        const struct json *v;
        struct bytes text = {0};
        enum status s = job_json_find(r->m, r->root, job_request_rows[i].path,
                                      JSON_NULL, &v);

        if (s == STATUS_OK && v != NULL) {
            job_origin_of(r->m->file, v, origin);
            s = job_json_text(r->m, v,
                              job_field_row(job_request_rows[i].field)->kind,
                              &at, &text);
        }
        if (s == STATUS_OK && v != NULL) {
            s = job_set_all(r->m, job_request_rows[i].field, text, &at);
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

static enum status job_request_setting(struct job_request *r, enum setting id,
                                       const struct json *v)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, settings_row(id)->document,
                           JOB_LAYER_DOCUMENT};
    enum setting_kind kind = settings_row(id)->kind;
    struct bytes text = {0};
    char *copy;
    enum status s;

    job_origin_of(r->m->file, v, origin);
    s = job_json_text(r->m, v,
                      kind == SETTING_COUNT || kind == SETTING_SECONDS ||
                              kind == SETTING_SIZE
                          ? JOB_KIND_NUMBER
                          : JOB_KIND_TEXT,
                      &at, &text);
    if (s != STATUS_OK) {
        return s;
    }
    if (text.size > 0 && memchr(text.at, '\0', text.size) != NULL) {
        return job_refuse(r->m->why, &at, "holds a NUL byte");
    }
    copy = mem_copy_text(text.at, text.size);
    s = settings_set(&r->m->job->settings, id, copy, origin, r->m->why);
    free(copy);
    return s;
}

static enum status job_request_settings(struct job_request *r)
{
    const char *words[SETTINGS_COUNT + JOB_REQUEST_ROWS - 1];
    const struct json *ours;
    enum status s = job_json_find(r->m, r->root, "Smshard", JSON_OBJECT, &ours);

    for (int i = 0; i < SETTINGS_COUNT; i++) {
        words[i] = settings_row((enum setting)i)->document;
    }
    for (int i = 1; i < JOB_REQUEST_ROWS; i++) { /* All but the platform's. */
        words[SETTINGS_COUNT + i - 1] =
            job_field_row(job_request_rows[i].field)->document;
    }
    if (s == STATUS_OK) {
        s = job_check_words(r->m, ours, words,
                            SETTINGS_COUNT + JOB_REQUEST_ROWS - 1);
    }
    for (size_t i = 0; s == STATUS_OK && i < json_count(ours); i++) {
        enum setting id;

        if (settings_find_document(json_key_at(ours, i), &id) &&
            json_type(json_at(ours, i)) != JSON_NULL) {
            s = job_request_setting(r, id, json_at(ours, i));
        }
    }
    return s;
}

/* Refuse the object at @path when it is there without its @member. */
static enum status job_request_needs(struct job_request *r, const char *path,
                                     const char *member)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, path, JOB_LAYER_DOCUMENT};
    const struct json *v;
    enum status s = job_json_find(r->m, r->root, path, JSON_OBJECT, &v);

    if (s != STATUS_OK || v == NULL ||
        json_type(json_get(v, member)) != JSON_NULL) {
        return s;
    }
    job_origin_of(r->m->file, v, origin);
    return job_refuse(r->m->why, &at, "has no %s", member);
}

static enum status job_request_kms(struct job_request *r)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "KmsKeyId", JOB_LAYER_DOCUMENT};
    const struct json *v;
    enum status s = job_json_find(r->m, r->root, "OutputDataConfig.KmsKeyId",
                                  JSON_STRING, &v);

    if (s == STATUS_OK && job_characters(json_string(v)) > JOB_KMS_MAX) {
        job_origin_of(r->m->file, v, origin);
        return job_refuse(r->m->why, &at, "has %zu characters, %d are allowed",
                          job_characters(json_string(v)), JOB_KMS_MAX);
    }
    return s;
}

static enum status job_request_outputs(struct job_request *r)
{
    static const struct {
        enum job_key key;
        const char *path;
    } rows[] = {
        {JOB_KEY_JOB_NAME, "TrainingJobName"},
        {JOB_KEY_OUTPUT, "OutputDataConfig.S3OutputPath"},
        {JOB_KEY_OUTPUT_COMPRESSION, "OutputDataConfig.CompressionType"},
        {JOB_KEY_CHECKPOINT, "CheckpointConfig.S3Uri"},
        {JOB_KEY_CHECKPOINT_PATH, "CheckpointConfig.LocalPath"},
        {JOB_KEY_INSTANCE_TYPE, "ResourceConfig.InstanceType"},
        {JOB_KEY_RUN_SECONDS, "StoppingCondition.MaxRuntimeInSeconds"},
    };
    enum status s = job_request_needs(r, "OutputDataConfig", "S3OutputPath");

    if (s == STATUS_OK) {
        s = job_request_needs(r, "CheckpointConfig", "S3Uri");
    }
    for (size_t i = 0; s == STATUS_OK && i < sizeof(rows) / sizeof(*rows);
         i++) {
        s = job_read_key(r->m, r->root, rows[i].path, rows[i].key,
                         JOB_LAYER_DOCUMENT);
    }
    return s == STATUS_OK ? job_request_kms(r) : s;
}

static enum status job_request_wait(struct job_request *r)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "MaxWaitTimeInSeconds",
                           JOB_LAYER_DOCUMENT};
    const struct json *v;
    int64_t wait;
    enum status s = job_json_find(
        r->m, r->root, "StoppingCondition.MaxWaitTimeInSeconds", JSON_INT, &v);

    if (s != STATUS_OK || v == NULL) {
        return s;
    }
    job_origin_of(r->m->file, v, origin);
    if (!json_int64(v, &wait) || wait < 1 ||
        (uint64_t)wait < r->m->job->run_seconds_max) {
        return job_refuse(r->m->why, &at,
                          "is less than MaxRuntimeInSeconds, or not a number "
                          "of seconds");
    }
    return STATUS_OK;
}

/* One instance group's count added to *@sum. */
static enum status job_request_group(struct job_request *r,
                                     const struct json *list, size_t i,
                                     uint64_t *sum)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "InstanceGroups", JOB_LAYER_DOCUMENT};
    const struct json *v = json_at(list, i);
    struct bytes name = json_string(json_get(v, "InstanceGroupName"));
    int64_t count = 0;

    job_origin_of(r->m->file, v, origin);
    if (name.size == 0 || job_characters(name) > JOB_GROUP_NAME_MAX) {
        return job_refuse(r->m->why, &at,
                          "has a group without an InstanceGroupName of 1 to "
                          "%d characters",
                          JOB_GROUP_NAME_MAX);
    }
    if (!json_int64(json_get(v, "InstanceCount"), &count) || count < 1 ||
        count > 16384) {
        return job_refuse(r->m->why, &at,
                          "\"%.*s\" has no InstanceCount from 1 to 16384",
                          (int)name.size, name.at);
    }
    for (size_t j = 0; j < i; j++) {
        if (bytes_is_equal(name, json_string(json_get(json_at(list, j),
                                                      "InstanceGroupName")))) {
            return job_refuse(r->m->why, &at, "names \"%.*s\" twice",
                              (int)name.size, name.at);
        }
    }
    *sum += (uint64_t)count;
    return STATUS_OK;
}

static enum status job_request_groups(struct job_request *r,
                                      const struct json *list)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "InstanceGroups", JOB_LAYER_DOCUMENT};
    const struct json *resource = json_get(r->root, "ResourceConfig");
    int64_t plain = 0;
    uint64_t sum = 0;
    char text[24];
    enum status s = STATUS_OK;

    job_origin_of(r->m->file, list, origin);
    if (json_count(list) > JOB_GROUPS_MAX) {
        return job_refuse(r->m->why, &at, "has %zu groups, %d are allowed",
                          json_count(list), JOB_GROUPS_MAX);
    }
    if (json_int64(json_get(resource, "InstanceCount"), &plain) && plain != 0) {
        return job_refuse(r->m->why, &at,
                          "stands beside InstanceCount; one of them is "
                          "allowed");
    }
    for (size_t i = 0; s == STATUS_OK && i < json_count(list); i++) {
        s = job_request_group(r, list, i, &sum);
    }
    if (s != STATUS_OK) {
        return s;
    }
    snprintf(text, sizeof(text), "%llu", (unsigned long long)sum);
    return job_set_key(r->m->job, JOB_KEY_HOST_COUNT, bytes_of(text), &at,
                       r->m->why);
}

static enum status job_request_resources(struct job_request *r)
{
    const struct json *list;
    enum status s = job_json_find(
        r->m, r->root, "ResourceConfig.InstanceGroups", JSON_ARRAY, &list);

    if (s != STATUS_OK) {
        return s;
    }
    if (json_count(list) > 0) {
        return job_request_groups(r, list);
    }
    return job_read_key(r->m, r->root, "ResourceConfig.InstanceCount",
                        JOB_KEY_HOST_COUNT, JOB_LAYER_DOCUMENT);
}

typedef enum status job_request_fn(struct job_request *r);

enum status job_read_request(struct job_maker *m, const struct job_text *text)
{
    static job_request_fn *const parts[] = {
        job_request_channels,  job_request_settings, job_request_all,
        job_request_outputs,   job_request_wait,     job_request_maps,
        job_request_resources,
    };
    struct job_request r = {m, NULL};
    enum status s = job_json_read(m, text, &m->job->document);

    m->style = JOB_STYLE_REQUEST;
    r.root = json_root(m->job->document);
    for (size_t i = 0; s == STATUS_OK && i < sizeof(parts) / sizeof(*parts);
         i++) {
        s = parts[i](&r);
    }
    return s;
}
