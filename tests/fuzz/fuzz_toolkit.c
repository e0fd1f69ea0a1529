/* SPDX-License-Identifier: Apache-2.0 */
/* Three texts with a NUL byte between: resourceconfig.json,
 * inputdataconfig.json, hyperparameters.json; a text that is absent or no
 * JSON is not given. */

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "proto/platform.h"
#include "proto/toolkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Take the next text from @rest. */
static struct json_doc *fuzz_next(struct bytes *rest)
{
    const char *end =
        rest->size > 0 ? memchr(rest->at, '\0', rest->size) : NULL;
    struct bytes text = *rest;
    struct json_doc *doc = NULL;

    text.size = end != NULL ? (size_t)(end - rest->at) : rest->size;
    rest->at += text.size + (end != NULL);
    rest->size -= text.size + (end != NULL);
    if (json_parse(text, "fuzz", NULL, &doc) != STATUS_OK) {
        CHECK(doc == NULL);
    }
    return doc;
}

static void fuzz_derive(const struct toolkit_input *in)
{
    struct toolkit_env env = {0};
    struct env_list *extra = env_list_new();
    struct fault why = {""};
    enum status s = toolkit_derive(in, &why, &env);

    CHECK(s == STATUS_OK || why.text[0] != '\0');
    if (s == STATUS_OK) {
        CHECK(env_list_get(env.vars, "SM_TRAINING_ENV") != NULL);
        CHECK(env.args[env.arg_count] == NULL);
    }
    s = toolkit_derive_extra(in, &why, extra);
    CHECK((s == STATUS_OK) == (env_list_count(extra) == 8));
    env_list_destroy(&extra);
    toolkit_fini(&env);
}

/* What the platform would write for these must be JSON. */
static void fuzz_platform(const struct json *hps)
{
    struct json_doc *doc = NULL;
    struct buf out = {0};

    if (platform_write_hyperparameters(hps, NULL, &out) == STATUS_OK) {
        CHECK(json_parse(buf_bytes(&out), "hps", NULL, &doc) == STATUS_OK);
        CHECK(json_count(json_root(doc)) == json_count(hps));
    }
    json_destroy(&doc);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = {(const char *)data, size};
    struct json_doc *docs[3];
    struct toolkit_input in = {.base_dir = "/opt/ml",
                               .framework = TOOLKIT_PYTORCH};

    for (size_t i = 0; i < 3; i++) {
        docs[i] = fuzz_next(&rest);
    }
    in.resource = json_root(docs[0]);
    in.channels = json_root(docs[1]);
    in.hyperparameters = json_root(docs[2]);
    fuzz_derive(&in);
    fuzz_platform(in.hyperparameters);
    for (size_t i = 0; i < 3; i++) {
        json_destroy(&docs[i]);
    }
    return 0;
}
