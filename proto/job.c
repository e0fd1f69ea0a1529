/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/job_parse.h"

static void job_values_fini(struct job_value *values, int count)
{
    for (int i = 0; i < count; i++) {
        free(values[i].text);
        free(values[i].origin);
    }
}

static void job_channel_fini(struct job_channel *c)
{
    free(c->name);
    free(c->origin);
    free(c->uri);
    free(c->file_system.id);
    free(c->file_system.path);
    free(c->content_type);
    free(c->listing);
    for (uint32_t i = 0; i < c->attribute_count; i++) {
        free(c->attributes[i]);
    }
    for (uint32_t i = 0; i < c->group_count; i++) {
        free(c->groups[i]);
    }
    job_values_fini(c->values, JOB_FIELDS_COUNT);
}

void job_destroy(struct job **job)
{
    struct job *j = *job;

    if (j == NULL) {
        return;
    }
    for (uint32_t i = 0; i < j->channel_count; i++) {
        job_channel_fini(&j->channels[i]);
    }
    job_values_fini(j->values, JOB_KEYS_COUNT);
    free(j->name);
    free(j->output_uri);
    free(j->checkpoint_uri);
    free(j->checkpoint_path);
    free(j->instance_type);
    json_destroy(&j->document);
    settings_fini(&j->settings);
    free(j);
    *job = NULL;
}

const struct job_channel *job_find_channel(const struct job *job,
                                           const char *name)
{
    for (uint32_t i = 0; i < job->channel_count; i++) {
        if (strcmp(job->channels[i].name, name) == 0) {
            return &job->channels[i];
        }
    }
    return NULL;
}

typedef enum status job_read_fn(struct job_maker *m,
                                const struct job_text *text);

static enum status job_read_texts(struct job_maker *m)
{
    const struct {
        const struct job_text *text;
        job_read_fn *read;
    } texts[] = {
        {m->input->channels, job_read_input},
        {m->input->checkpoint, job_read_checkpoint},
        {m->input->init, job_read_init},
        {m->input->document, job_read_request},
    };
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < sizeof(texts) / sizeof(*texts);
         i++) {
        if (texts[i].text != NULL) {
            s = texts[i].read(m, texts[i].text);
        }
    }
    return s;
}

/* Channels are named by texts and by --channel; what speaks for all of them
 * comes after. */
static enum status job_fill(struct job_maker *m)
{
    enum status s = job_read_flag_channels(m);

    if (s == STATUS_OK) {
        s = job_read_texts(m);
    }
    if (s == STATUS_OK && m->input->variable != NULL) {
        s = job_read_variables(m);
    }
    if (s == STATUS_OK) {
        s = job_read_flags(m);
    }
    if (s == STATUS_OK) {
        s = job_finish_keys(m);
    }
    if (s == STATUS_OK) {
        s = job_finish(m);
    }
    return s == STATUS_OK ? job_check(m) : s;
}

enum status job_make(const struct job_input *input, struct fault *why,
                     struct job **out)
{
    struct job_maker m = {.input = input, .why = why};
    enum status s;

    m.job = mem_new(1, sizeof(*m.job));
    settings_init(&m.job->settings);
    s = job_fill(&m);
    if (s != STATUS_OK) {
        job_destroy(&m.job);
        return s;
    }
    *out = m.job;
    return STATUS_OK;
}
