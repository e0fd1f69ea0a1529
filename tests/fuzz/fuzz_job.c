/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte selects what the rest is: 'r' the request, 'i'
 * init-config.json, 'c' inputdataconfig.json, 'k' checkpointconfig.json, 'f'
 * flags as lines "flag=value" (all of them are given), 'b' a request and
 * inputdataconfig.json with a NUL byte between. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/job.h"

enum { FUZZ_FLAGS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cut "flag=value" lines in @text. */
static uint32_t fuzz_flags(char *text, struct setting_flag *out)
{
    uint32_t count = 0;

    for (char *line = text; line != NULL && count < FUZZ_FLAGS_MAX;) {
        char *next = strchr(line, '\n');
        char *equals;

        if (next != NULL) {
            *next++ = '\0';
        }
        equals = strchr(line, '=');
        if (equals != NULL) {
            *equals = '\0';
            out[count++] = (struct setting_flag){line, equals + 1};
        }
        line = next;
    }
    return count;
}

static void fuzz_look(const struct job *job)
{
    struct fault why = {""};
    enum status s = job_check_served(job, &why);

    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    for (uint32_t i = 0; i < job_said_count(job); i++) {
        struct job_said said;

        job_said_at(job, i, &said);
        CHECK(said.value != NULL && said.origin != NULL);
        CHECK(job_origin(job, said.name) != NULL);
    }
    for (uint32_t i = 0; i < job->channel_count; i++) {
        const struct job_channel *c = &job->channels[i];

        CHECK(job_find_channel(job, c->name) == c);
        CHECK_IMPLIES(c->source == JOB_SOURCE_PREFIX, c->uri != NULL);
        CHECK(job_deal_name(job_channel_deal(c)) != NULL);
    }
}

static void fuzz_make(const struct job_input *input)
{
    struct fault why = {""};
    struct job *job = NULL;
    enum status s = job_make(input, &why, &job);

    CHECK((s == STATUS_OK) == (job != NULL));
    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    if (job != NULL) {
        fuzz_look(job);
        job_destroy(&job);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setting_flag flags[FUZZ_FLAGS_MAX];
    struct job_input input = {.flags = flags};
    char *text = mem_copy_text(size > 0 ? (const char *)data + 1 : "",
                               size > 0 ? size - 1 : 0);
    char kind = size > 0 ? (char)data[0] : 'r';
    size_t left = size > 0 ? size - 1 : 0;
    struct job_text one = {"fuzz.json", {text, left}};
    struct job_text two = {"second.json", {text, 0}};

    if (kind == 'f') {
        input.flag_count = fuzz_flags(text, flags);
    } else if (kind == 'i') {
        input.init = &one;
    } else if (kind == 'c') {
        input.channels = &one;
    } else if (kind == 'k') {
        input.checkpoint = &one;
    } else {
        input.document = &one;
    }
    if (kind == 'b' && strlen(text) < left) {
        one.text.size = strlen(text);
        two.text =
            (struct bytes){text + one.text.size + 1, left - one.text.size - 1};
        input.channels = &two;
    }
    fuzz_make(&input);
    free(text);
    return 0;
}
