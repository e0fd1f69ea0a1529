/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line and the environment say of the job. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "proto/job_parse.h"
#include "proto/suggest.h"

static const struct {
    const char *flag;
    const char *meaning;
} job_channel_flags[] = {
    {"channel", "a channel: NAME=URI[,FIELD=VALUE...][,sharded|replicated]"},
    {"channel.NAME.FIELD", "a field of one channel, such as "
                           "--channel.train.mode=Pipe"},
};

static bool job_find_field(struct bytes flag, enum job_field *out)
{
    for (int f = 0; f < JOB_FIELDS_COUNT; f++) {
        if (bytes_is(flag, job_field_row((enum job_field)f)->flag)) {
            *out = (enum job_field)f;
            return true;
        }
    }
    return false;
}

static bool job_find_all_field(const char *flag, enum job_field *out)
{
    return job_find_field(bytes_of(flag), out) &&
           job_field_row(*out)->scope == JOB_SCOPE_ALL;
}

static bool job_find_key(const char *flag, enum job_key *out)
{
    for (int k = 0; k < JOB_KEYS_COUNT; k++) {
        const struct job_row *row = job_key_row((enum job_key)k);

        if (row->scope == JOB_SCOPE_FLAGGED && strcmp(row->flag, flag) == 0) {
            *out = (enum job_key)k;
            return true;
        }
    }
    return false;
}

/* Divide "channel.NAME.FIELD"; a name may hold dots, a field does not. */
static bool job_split_flag(const char *flag, struct bytes *name,
                           enum job_field *field)
{
    const char *start = flag + strlen("channel.");
    const char *dot;

    if (strncmp(flag, "channel.", strlen("channel.")) != 0) {
        return false;
    }
    dot = strrchr(start, '.');
    if (dot == NULL || dot == start) {
        return false;
    }
    *name = (struct bytes){start, (size_t)(dot - start)};
    return job_find_field(bytes_of(dot + 1), field);
}

bool job_knows_flag(const char *flag)
{
    struct bytes name;
    enum job_field field;
    enum job_key key;
    enum setting setting;

    return strcmp(flag, "channel") == 0 || settings_find_flag(flag, &setting) ||
           job_find_key(flag, &key) || job_find_all_field(flag, &field) ||
           job_split_flag(flag, &name, &field);
}

const char *job_flag_at(uint32_t i, const char **meaning)
{
    uint32_t at = 0;

    for (int k = 0; k < JOB_KEYS_COUNT; k++) {
        const struct job_row *row = job_key_row((enum job_key)k);

        if (row->scope == JOB_SCOPE_FLAGGED && at++ == i) {
            *meaning = row->meaning;
            return row->flag;
        }
    }
    for (int f = 0; f < JOB_FIELDS_COUNT; f++) {
        const struct job_row *row = job_field_row((enum job_field)f);

        if (row->scope == JOB_SCOPE_ALL && at++ == i) {
            *meaning = row->meaning;
            return row->flag;
        }
    }
    if (i - at < sizeof(job_channel_flags) / sizeof(*job_channel_flags)) {
        *meaning = job_channel_flags[i - at].meaning;
        return job_channel_flags[i - at].flag;
    }
    return NULL;
}

/* A person may write a plain path where a URI is wanted. */
static struct bytes job_flag_uri(const struct job_row *row, struct bytes text,
                                 struct buf *room)
{
    if (row->kind != JOB_KIND_URI || text.size == 0 || text.at[0] != '/') {
        return text;
    }
    buf_clear(room);
    buf_add_text(room, "file://");
    buf_add_bytes(room, text);
    return buf_bytes(room);
}

static enum status job_say_field(struct job_maker *m, struct job_channel *c,
                                 enum job_field f, struct bytes text,
                                 const struct job_place *at)
{
    struct buf room = {0};
    enum status s = job_set_field(
        c, f, job_flag_uri(job_field_row(f), text, &room), at, m->why);

    buf_fini(&room);
    return s;
}

static enum status job_say_key(struct job_maker *m, enum job_key k,
                               const char *text, const struct job_place *at)
{
    struct buf room = {0};
    enum status s = job_set_key(
        m->job, k, job_flag_uri(job_key_row(k), bytes_of(text), &room), at,
        m->why);

    buf_fini(&room);
    return s;
}

/* One of the words after the URI: "mode=Pipe", "sharded". */
static enum status job_flag_option(struct job_maker *m, struct job_channel *c,
                                   struct bytes option,
                                   const struct job_place *place)
{
    struct job_place at = *place;
    const char *equals = memchr(option.at, '=', option.size);
    size_t name_size =
        equals != NULL ? (size_t)(equals - option.at) : option.size;
    struct bytes name = {option.at, name_size};
    struct bytes value = name;
    enum job_field field = JOB_FIELD_DISTRIBUTION;

    at.channel = c->name;
    if (equals != NULL) {
        value = (struct bytes){equals + 1, option.size - name_size - 1};
    }
    if ((equals != NULL && !job_find_field(name, &field)) ||
        (equals == NULL && !bytes_is(name, "sharded") &&
         !bytes_is(name, "replicated"))) {
        return job_refuse(m->why, &at,
                          "\"%.*s\" is not FIELD=VALUE, sharded or "
                          "replicated (a URI with a comma goes into "
                          "--channel.%s.uri)",
                          (int)(option.size < 64 ? option.size : 64), option.at,
                          c->name);
    }
    at.label = job_field_row(field)->flag;
    return job_say_field(m, c, field, value, &at);
}

/* The rest of "NAME=URI,…" after the name. */
static enum status job_flag_rest(struct job_maker *m, struct job_channel *c,
                                 const char *rest, const struct job_place *at)
{
    struct job_place of_uri = *at;
    struct bytes part = {rest, strcspn(rest, ",")};
    enum status s;

    of_uri.channel = c->name;
    s = job_say_field(m, c, JOB_FIELD_URI, part, &of_uri);
    while (s == STATUS_OK && part.at[part.size] == ',') {
        part.at += part.size + 1;
        part.size = strcspn(part.at, ",");
        s = job_flag_option(m, c, part, at);
    }
    return s;
}

static enum status job_flag_channel(struct job_maker *m, const char *value)
{
    struct job_place at = {"--channel", NULL, NULL, JOB_LAYER_FLAG_CHANNEL};
    const char *equals = strchr(value, '=');
    struct job_channel *c = NULL;
    enum status s;

    if (equals == NULL) {
        return job_refuse(m->why, &at, "\"%.80s\" is not NAME=URI", value);
    }
    s = job_need_channel(m, (struct bytes){value, (size_t)(equals - value)},
                         &at, &c);
    if (s != STATUS_OK) {
        return s;
    }
    if (c->values[JOB_FIELD_URI].layer == (int)JOB_LAYER_FLAG_CHANNEL) {
        return fault_set(m->why, STATUS_CONFLICT,
                         "--channel: channel %s: is named twice", c->name);
    }
    return job_flag_rest(m, c, equals + 1, &at);
}

enum status job_read_flag_channels(struct job_maker *m)
{
    enum status s = STATUS_OK;

    for (uint32_t i = 0; s == STATUS_OK && i < m->input->flag_count; i++) {
        if (strcmp(m->input->flags[i].flag, "channel") == 0) {
            s = job_flag_channel(m, m->input->flags[i].value);
        }
    }
    return s;
}

static enum status job_flag_of_channel(struct job_maker *m, struct bytes name,
                                       enum job_field f, const char *value,
                                       const struct job_place *at)
{
    struct buf known = {0};
    enum status s;

    for (uint32_t i = 0; i < m->job->channel_count; i++) {
        if (bytes_is(name, m->job->channels[i].name)) {
            return job_say_field(m, &m->job->channels[i], f, bytes_of(value),
                                 at);
        }
    }
    for (uint32_t i = 0; i < m->job->channel_count; i++) {
        buf_print(&known, "%s%s", i > 0 ? ", " : "", m->job->channels[i].name);
    }
    s = job_refuse(m->why, at, "there is no channel \"%.*s\"; there is %s",
                   (int)(name.size < 80 ? name.size : 80), name.at,
                   m->job->channel_count > 0 ? buf_text(&known) : "none");
    buf_fini(&known);
    return s;
}

static enum status job_read_flag(struct job_maker *m,
                                 const struct setting_flag *flag)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, NULL, JOB_LAYER_FLAG};
    struct bytes name;
    enum job_field field;
    enum job_key key;
    enum setting setting;

    snprintf(origin, sizeof(origin), "--%.300s", flag->flag);
    if (settings_find_flag(flag->flag, &setting)) {
        return settings_set(&m->job->settings, setting, flag->value, origin,
                            m->why);
    }
    if (job_find_key(flag->flag, &key)) {
        return job_say_key(m, key, flag->value, &at);
    }
    if (job_find_all_field(flag->flag, &field)) {
        at.layer = JOB_LAYER_FLAG_ALL;
        return job_set_all(m, field, bytes_of(flag->value), &at);
    }
    if (job_split_flag(flag->flag, &name, &field)) {
        return job_flag_of_channel(m, name, field, flag->value, &at);
    }
    return job_refuse(m->why, &at, "there is no such flag");
}

enum status job_read_flags(struct job_maker *m)
{
    enum status s = STATUS_OK;

    for (uint32_t i = 0; s == STATUS_OK && i < m->input->flag_count; i++) {
        if (strcmp(m->input->flags[i].flag, "channel") != 0) {
            s = job_read_flag(m, &m->input->flags[i]);
        }
    }
    return s;
}

/* The value of a variable, NULL when it is unset or empty. */
static const char *job_variable(struct job_maker *m, const char *name)
{
    const char *value = m->input->variable(m->input->variable_self, name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static enum status job_read_key_variable(struct job_maker *m, enum job_key k,
                                         const char *name)
{
    struct job_place at = {name, NULL, NULL, JOB_LAYER_VARIABLE};
    const char *value = job_variable(m, name);

    return value != NULL ? job_say_key(m, k, value, &at) : STATUS_OK;
}

static enum status job_read_field_variable(struct job_maker *m,
                                           enum job_field f)
{
    const char *name = job_field_row(f)->variable;
    struct job_place at = {name, NULL, NULL, JOB_LAYER_VARIABLE};
    const char *value = job_variable(m, name);

    return value != NULL ? job_set_all(m, f, bytes_of(value), &at) : STATUS_OK;
}

/* With checkpoints, they are written to where the platform has them. */
static enum status job_default_path(struct job_maker *m)
{
    struct job_place at = {"default", NULL, NULL, JOB_LAYER_DEFAULT};
    const char *base = m->input->variable != NULL
                           ? job_variable(m, "SAGEMAKER_BASE_DIR")
                           : NULL;
    char *path;
    enum status s;

    if (m->job->checkpoint_uri == NULL || m->job->checkpoint_path != NULL) {
        return STATUS_OK;
    }
    at.origin = base != NULL ? "SAGEMAKER_BASE_DIR" : "default";
    path = mem_print("%s/checkpoints", base != NULL ? base : "/opt/ml");
    s = job_set_key(m->job, JOB_KEY_CHECKPOINT_PATH, bytes_of(path), &at,
                    m->why);
    free(path);
    return s;
}

enum status job_read_variables(struct job_maker *m)
{
    enum status s = STATUS_OK;

    for (int i = 0; s == STATUS_OK && i < SETTINGS_COUNT; i++) {
        const char *name = settings_row((enum setting)i)->variable;
        const char *value = job_variable(m, name);

        if (value != NULL) {
            s = settings_set(&m->job->settings, (enum setting)i, value, name,
                             m->why);
        }
    }
    if (s == STATUS_OK) {
        s = job_read_key_variable(m, JOB_KEY_JOB_NAME, "TRAINING_JOB_NAME");
    }
    for (int k = 0; s == STATUS_OK && k < JOB_KEYS_COUNT; k++) {
        const struct job_row *row = job_key_row((enum job_key)k);

        if (row->scope == JOB_SCOPE_FLAGGED) {
            s = job_read_key_variable(m, (enum job_key)k, row->variable);
        }
    }
    for (int f = 0; s == STATUS_OK && f < JOB_FIELDS_COUNT; f++) {
        if (job_field_row((enum job_field)f)->scope == JOB_SCOPE_ALL) {
            s = job_read_field_variable(m, (enum job_field)f);
        }
    }
    return s;
}

enum status job_finish_keys(struct job_maker *m)
{
    struct job_place at = {"default", NULL, NULL, JOB_LAYER_DEFAULT};

    for (int k = 0; k < JOB_KEYS_COUNT; k++) {
        const char *fallback = job_key_row((enum job_key)k)->fallback;
        enum status s = STATUS_OK;

        if (fallback != NULL) {
            s = job_set_key(m->job, (enum job_key)k, bytes_of(fallback), &at,
                            NULL);
        }
        CHECK(s == STATUS_OK);
    }
    return job_default_path(m);
}
