/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that was said of the job, as one list. */

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "proto/job_parse.h"

/* Count what @values say, up to the one called for: NULL when @i is past
 * them, and then @i is less by their number. */
static const struct job_value *job_said_in(const struct job_value *values,
                                           int count, uint32_t *i, int *found)
{
    for (int k = 0; k < count; k++) {
        if (values[k].text == NULL) {
            continue;
        }
        if (*i == 0) {
            *found = k;
            return &values[k];
        }
        (*i)--;
    }
    return NULL;
}

static uint32_t job_said_number(const struct job_value *values, int count)
{
    uint32_t number = 0;

    for (int k = 0; k < count; k++) {
        number += values[k].text != NULL;
    }
    return number;
}

uint32_t job_said_count(const struct job *job)
{
    uint32_t count = job_said_number(job->values, JOB_KEYS_COUNT);

    for (uint32_t i = 0; i < job->channel_count; i++) {
        count += job_said_number(job->channels[i].values, JOB_FIELDS_COUNT);
    }
    return count + SETTINGS_COUNT;
}

void job_said_at(const struct job *job, uint32_t i, struct job_said *out)
{
    const struct job_value *value;
    const char *flag;
    int at = 0;

    CHECK(i < job_said_count(job));
    value = job_said_in(job->values, JOB_KEYS_COUNT, &i, &at);
    if (value != NULL) {
        flag = job_key_row((enum job_key)at)->flag;
        snprintf(out->name, sizeof(out->name), "%s", flag);
    }
    for (uint32_t c = 0; value == NULL && c < job->channel_count; c++) {
        value = job_said_in(job->channels[c].values, JOB_FIELDS_COUNT, &i, &at);
        if (value != NULL) {
            flag = job_field_row((enum job_field)at)->flag;
            snprintf(out->name, sizeof(out->name), "channel.%s.%s",
                     job->channels[c].name, flag);
        }
    }
    if (value != NULL) {
        out->value = value->text;
        out->origin = value->origin;
        return;
    }
    snprintf(out->name, sizeof(out->name), "%s",
             settings_row((enum setting)i)->flag);
    out->value = settings_text(&job->settings, (enum setting)i);
    out->origin = settings_origin(&job->settings, (enum setting)i);
}

const char *job_origin(const struct job *job, const char *name)
{
    for (uint32_t i = 0; i < job_said_count(job); i++) {
        struct job_said said;

        job_said_at(job, i, &said);
        if (strcmp(said.name, name) == 0) {
            return said.origin;
        }
    }
    return NULL;
}
