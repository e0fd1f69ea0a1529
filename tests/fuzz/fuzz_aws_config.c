/* SPDX-License-Identifier: Apache-2.0 */
/* Three texts with lines "%%" between them: variables as "NAME=value", the
 * config file, the credentials file. What they say is resolved to settings
 * and to the endpoints of some buckets. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/aws_config.h"
#include "store/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lines have been cut by NUL bytes; an empty one ends them. */
static const char *fuzz_variable(void *self, const char *name)
{
    size_t size = strlen(name);

    for (const char *at = self; *at != '\0'; at += strlen(at) + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            return at + size + 1;
        }
    }
    return NULL;
}

/* Cut the part before the next "%%" line off @rest. */
static struct bytes fuzz_cut(struct bytes *rest)
{
    const char *end =
        rest->size > 0 ? memmem(rest->at, rest->size, "%%\n", 3) : NULL;
    struct bytes part = *rest;

    if (end == NULL) {
        *rest = (struct bytes){rest->at + rest->size, 0};
        return part;
    }
    part.size = (size_t)(end - part.at);
    *rest = (struct bytes){end + 3, rest->size - part.size - 3};
    return part;
}

static void fuzz_resolve(const struct aws_settings *settings,
                         const char *bucket)
{
    struct endpoint_input in;
    struct endpoint e;
    struct fault why = {.text = ""};
    enum status s;

    endpoint_input_of(settings, bucket, &in);
    s = endpoint_resolve(&in, &why, &e);
    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    if (s != STATUS_OK) {
        return;
    }
    CHECK(strcmp(strstr(e.origin, "://") + 3, e.host) == 0);
    CHECK(e.path[0] == '\0' || e.path[0] == '/');
    CHECK(strpbrk(e.host, "/?#@ \r\n") == NULL);
    CHECK(e.is_custom == (settings->endpoint != NULL));
    CHECK(strstr(e.host, bucket) == e.host || strncmp(bucket, "arn:", 4) == 0 ||
          strcmp(e.path + strlen(e.path) - strlen(bucket), bucket) == 0);
}

static void fuzz_look(const struct aws_config *c)
{
    struct aws_settings settings;
    struct fault why = {.text = ""};
    enum status s = aws_config_settings(c, &why, &settings);
    const char *profile = aws_config_profile(c);

    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    CHECK(strcmp(profile, "default") == 0 ||
          aws_config_has_profile(c, profile));
    CHECK((settings.region != NULL) == (settings.region_origin != NULL));
    CHECK((settings.endpoint != NULL) == (settings.endpoint_origin != NULL));
    if (s != STATUS_OK) {
        return;
    }
    fuzz_resolve(&settings, "bucket");
    fuzz_resolve(&settings, "A.b");
    fuzz_resolve(&settings, "b--usw2-az1--x-s3");
    fuzz_resolve(&settings, "arn:aws:s3:eu-west-1:12:accesspoint:ap");
    if (settings.region != NULL) {
        fuzz_resolve(&settings, settings.region);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = {(const char *)data, size};
    struct bytes lines = fuzz_cut(&rest);
    char *variables = mem_new(lines.size + 2, 1);
    const struct aws_config_source source = {fuzz_variable, variables};
    struct aws_config_texts texts = {.config_name = "config"};
    struct aws_config *c = NULL;
    struct fault why = {.text = ""};
    enum status s;

    for (size_t i = 0; i < lines.size; i++) {
        variables[i] = (char)(lines.at[i] == '\n' ? '\0' : lines.at[i]);
    }
    texts.config = fuzz_cut(&rest);
    texts.credentials = fuzz_cut(&rest);
    s = aws_config_parse(&source, &texts, &why, &c);
    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    CHECK((s == STATUS_OK) == (c != NULL));
    if (c != NULL) {
        fuzz_look(c);
    }
    aws_config_destroy(&c);
    free(variables);
    return 0;
}
