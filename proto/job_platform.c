/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's own files beside the request: init-config.json, from which
 * its downloader works, inputdataconfig.json and checkpointconfig.json. They
 * grow members from year to year; unknown ones are left alone. */

#include <stdio.h>

#include "proto/job_parse.h"

/* Read every member of the object @list as a channel. */
static enum status job_platform_channels(struct job_maker *m,
                                         enum job_style style,
                                         const struct json *list)
{
    enum status s = STATUS_OK;

    m->style = style;
    for (size_t i = 0; s == STATUS_OK && i < json_count(list); i++) {
        char origin[JOB_ORIGIN_MAX];
        struct job_place at = {origin, NULL, NULL, JOB_LAYER_PLATFORM};
        const struct json *v = json_at(list, i);
        struct job_channel *c = NULL;

        job_origin_of(m->file, v, origin);
        s = job_need_channel(m, json_key_at(list, i), &at, &c);
        if (s == STATUS_OK && !json_is(v, JSON_OBJECT)) {
            at.channel = c->name;
            s = job_refuse(m->why, &at, "is not an object");
        }
        if (s == STATUS_OK) {
            c->is_present = c->is_present || style == JOB_STYLE_INPUT;
            s = job_read_channel(m, v, c);
        }
    }
    return s;
}

enum status job_read_input(struct job_maker *m, const struct job_text *text)
{
    struct json_doc *doc = NULL;
    enum status s = job_json_read(m, text, &doc);

    if (s == STATUS_OK) {
        s = job_platform_channels(m, JOB_STYLE_INPUT, json_root(doc));
    }
    json_destroy(&doc);
    return s;
}

enum status job_read_checkpoint(struct job_maker *m,
                                const struct job_text *text)
{
    struct json_doc *doc = NULL;
    enum status s = job_json_read(m, text, &doc);

    if (s == STATUS_OK) {
        s = job_read_key(m, json_root(doc), "LocalPath",
                         JOB_KEY_CHECKPOINT_PATH, JOB_LAYER_PLATFORM);
    }
    if (s == STATUS_OK) {
        s = job_read_key(m, json_root(doc), "S3Uri", JOB_KEY_CHECKPOINT,
                         JOB_LAYER_PLATFORM);
    }
    json_destroy(&doc);
    return s;
}

static enum status job_init_keys(struct job_maker *m, const struct json *root)
{
    static const struct {
        enum job_key key;
        const char *path;
    } rows[] = {
        {JOB_KEY_CHECKPOINT, "checkpointChannel.channel.s3DataSource.s3Uri"},
        {JOB_KEY_CHECKPOINT_PATH, "checkpointChannel.outputPath"},
        {JOB_KEY_HOST_COUNT, "hostConfig.clusterSize"},
    };
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < sizeof(rows) / sizeof(*rows);
         i++) {
        s = job_read_key(m, root, rows[i].path, rows[i].key, JOB_LAYER_INIT);
    }
    return s;
}

static enum status job_init_mode(struct job_maker *m, const struct json *root)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, "inputMode", JOB_LAYER_INIT_ALL};
    const struct json *v;
    enum status s = job_json_find(m, root, "inputMode", JSON_STRING, &v);

    if (s != STATUS_OK || v == NULL) {
        return s;
    }
    job_origin_of(m->file, v, origin);
    return job_set_all(m, JOB_FIELD_MODE, json_string(v), &at);
}

enum status job_read_init(struct job_maker *m, const struct job_text *text)
{
    struct json_doc *doc = NULL;
    const struct json *channels = NULL;
    enum status s = job_json_read(m, text, &doc);

    if (s == STATUS_OK) {
        s = job_json_find(m, json_root(doc), "channels", JSON_OBJECT,
                          &channels);
    }
    if (s == STATUS_OK) {
        s = job_platform_channels(m, JOB_STYLE_INIT, channels);
    }
    if (s == STATUS_OK) {
        s = job_init_mode(m, json_root(doc));
    }
    if (s == STATUS_OK) {
        s = job_init_keys(m, json_root(doc));
    }
    json_destroy(&doc);
    return s;
}
