/* SPDX-License-Identifier: Apache-2.0 */
/* A job from texts, for tests. */

#ifndef TESTS_UNIT_JOB_FROM_H
#define TESTS_UNIT_JOB_FROM_H

#include "base/mem.h"
#include "proto/job.h"
#include "tests/harness.h"

enum { FLAGS_MAX = 8 };

/* What a job is made from; variables as "A=1;B=2;", flags as "a=1;b=2;". */
struct from {
    const char *document;
    const char *init;
    const char *channels;
    const char *checkpoint;
    const char *variables;
    const char *flags;
};

static inline const char *lookup(void *self, const char *name)
{
    static char value[8][2048];
    static int turn;
    const char *at = self;
    size_t size = strlen(name);

    for (; *at != '\0'; at += strcspn(at, ";") + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            char *out = value[turn = (turn + 1) % 8];

            snprintf(out, 2048, "%.*s", (int)strcspn(at + size + 1, ";"),
                     at + size + 1);
            return out;
        }
    }
    return NULL;
}

static inline uint32_t split_flags(char *text, struct setting_flag *out)
{
    uint32_t count = 0;

    while (*text != '\0') {
        char *equals = strchr(text, '=');
        char *end = strchr(text, ';');

        EXPECT(count < FLAGS_MAX && equals != NULL && end != NULL);
        *equals = '\0';
        *end = '\0';
        out[count++] = (struct setting_flag){text, equals + 1};
        text = end + 1;
    }
    return count;
}

static inline enum status make(const struct from *from, struct fault *why,
                               struct job **out)
{
    const char *texts[] = {from->document, from->init, from->channels,
                           from->checkpoint};
    struct job_text given[4] = {{"job.json", {0}},
                                {"init-config.json", {0}},
                                {"inputdataconfig.json", {0}},
                                {"checkpointconfig.json", {0}}};
    const struct job_text *use[4] = {NULL};
    struct setting_flag flags[FLAGS_MAX];
    char *variables = mem_copy(from->variables != NULL ? from->variables : "");
    char *flag_text = mem_copy(from->flags != NULL ? from->flags : "");
    struct job_input input = {.variable = lookup, .variable_self = variables};
    enum status s;

    for (int i = 0; i < 4; i++) {
        if (texts[i] != NULL) {
            given[i].text = bytes_of(texts[i]);
            use[i] = &given[i];
        }
    }
    input.document = use[0];
    input.init = use[1];
    input.channels = use[2];
    input.checkpoint = use[3];
    input.flags = flags;
    input.flag_count = split_flags(flag_text, flags);
    why->text[0] = '\0';
    *out = NULL;
    s = job_make(&input, why, out);
    EXPECT((s == STATUS_OK) == (*out != NULL));
    EXPECT((s == STATUS_OK) == (why->text[0] == '\0'));
    free(variables);
    free(flag_text);
    return s;
}

#define CHANNEL(more)                                                          \
    "{\"InputDataConfig\":[{\"ChannelName\":\"t\",\"DataSource\":"             \
    "{\"S3DataSource\":{\"S3DataType\":\"S3Prefix\",\"S3Uri\":"                \
    "\"file:///a\"}}," more "}]}"
#define SOURCE(inner)                                                          \
    "{\"InputDataConfig\":[{\"ChannelName\":\"t\",\n\"DataSource\":"           \
    "{\"S3DataSource\":{" inner "}},\"InputMode\":\"Pipe\"}]}"

#endif /* TESTS_UNIT_JOB_FROM_H */
