/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint_cases FILE: run the public endpoint test cases of S3 (JSON) against
 * ours: URL, signing region and service, or that an error is expected. Cases
 * for what this project does not serve are skipped, by reason. Ends with
 * "N passed, N failed, N skipped". */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "store/endpoint.h"
#include "store/percent.h"

struct counts {
    unsigned passed;
    unsigned failed;
    unsigned outposts;
    unsigned lambda;
    unsigned multi;
};

static char texts[8][ENDPOINT_TEXT_MAX];

/* A parameter as a string of its own; NULL when it is not there. */
static const char *text_of(const struct json *params, const char *name, int i)
{
    const struct json *v = json_get(params, name);
    struct bytes b = json_string(v);

    if (!json_is(v, JSON_STRING) || b.size >= sizeof(texts[i])) {
        return NULL;
    }
    memcpy(texts[i], b.at, b.size);
    texts[i][b.size] = '\0';
    return texts[i];
}

static bool is_on(const struct json *params, const char *name)
{
    return json_is_true(json_get(params, name));
}

static void read_input(const struct json *params, struct endpoint_input *in)
{
    const struct json *arn = json_get(params, "UseArnRegion");

    *in = (struct endpoint_input){
        .bucket = text_of(params, "Bucket", 0),
        .region = text_of(params, "Region", 1),
        .endpoint = text_of(params, "Endpoint", 2),
        .addressing = is_on(params, "ForcePathStyle") ? AWS_ADDRESSING_PATH
                                                      : AWS_ADDRESSING_VIRTUAL,
        .uses_dualstack = is_on(params, "UseDualStack"),
        .uses_fips = is_on(params, "UseFIPS"),
        .uses_accelerate = is_on(params, "Accelerate"),
        .uses_arn_region = arn == NULL || json_is_true(arn),
        .is_us_east_1_regional = !is_on(params, "UseGlobalEndpoint"),
        .has_no_express_session = is_on(params, "DisableS3ExpressSessionAuth"),
        .has_no_access_points = is_on(params, "DisableAccessPoints"),
        .uses_express_control = is_on(params, "UseS3ExpressControlEndpoint"),
    };
}

/* Whether the case is about something that is not served; counted. */
static bool is_skipped(const struct json *params, struct counts *n)
{
    const char *bucket = text_of(params, "Bucket", 3);
    bool is_lambda = is_on(params, "UseObjectLambdaEndpoint");

    bucket = bucket != NULL ? bucket : "";
    if (is_lambda || strstr(bucket, "s3-object-lambda") != NULL) {
        n->lambda++;
        return true;
    }
    if (strstr(bucket, "outpost") != NULL ||
        strstr(bucket, "--op-s3") != NULL) {
        n->outposts++;
        return true;
    }
    if (strstr(bucket, ".mrap") != NULL ||
        json_get(params, "DisableMultiRegionAccessPoints") != NULL) {
        n->multi++;
        return true;
    }
    return false;
}

static bool is_same(const struct endpoint_input *in, const struct endpoint *got,
                    const struct json *want)
{
    bool has_session = got->is_express && !in->has_no_express_session;
    const struct json *auth =
        json_at(json_get(json_get(want, "properties"), "authSchemes"), 0);
    struct buf url = {0};
    bool is_good;

    buf_add_text(&url, got->origin);
    percent_encode(bytes_of(got->path), true, &url);
    is_good =
        bytes_is_equal(buf_bytes(&url), json_string(json_get(want, "url")));
    if (auth != NULL) {
        is_good &= bytes_is(json_string(json_get(auth, "signingRegion")),
                            got->region) &&
                   bytes_is(json_string(json_get(auth, "signingName")),
                            got->service) &&
                   bytes_is(json_string(json_get(auth, "name")),
                            has_session ? "sigv4-s3express" : "sigv4");
    }
    buf_fini(&url);
    return is_good;
}

static void run(const struct json *test, struct counts *n)
{
    const struct json *params = json_get(test, "params");
    const struct json *expect = json_get(test, "expect");
    const struct json *want = json_get(expect, "endpoint");
    struct bytes name = json_string(json_get(test, "documentation"));
    struct endpoint_input in;
    struct endpoint got;
    struct fault why = {.text = ""};
    enum status s;

    if (is_skipped(params, n)) {
        return;
    }
    read_input(params, &in);
    s = endpoint_resolve(&in, &why, &got);
    if (want == NULL ? s != STATUS_OK
                     : s == STATUS_OK && is_same(&in, &got, want)) {
        n->passed++;
        return;
    }
    n->failed++;
    printf("FAILED %.*s: bucket %s region %s endpoint %s: got %s%s (%s, %s) "
           "%s, want %.*s\n",
           (int)name.size, name.at, in.bucket != NULL ? in.bucket : "-",
           in.region != NULL ? in.region : "-",
           in.endpoint != NULL ? in.endpoint : "-", got.origin, got.path,
           got.region, got.service, why.text,
           (int)json_string(json_get(want, "url")).size,
           json_string(json_get(want, "url")).at);
}

int main(int argc, char **argv)
{
    struct buf text = {0};
    struct json_doc *doc = NULL;
    struct counts n = {0};
    struct fault why;
    const struct json *tests;

    if (argc != 2) {
        fprintf(stderr, "usage: endpoint_cases FILE\n");
        return 64;
    }
    if (file_read(argv[1], 16 << 20, &why, &text) != STATUS_OK ||
        json_parse(buf_bytes(&text), argv[1], &why, &doc) != STATUS_OK) {
        fprintf(stderr, "endpoint_cases: %s\n", why.text);
        return 66;
    }
    tests = json_get(json_root(doc), "testCases");
    for (size_t i = 0; i < json_count(tests); i++) {
        run(json_at(tests, i), &n);
    }
    printf("skipped: %u Outposts, %u Object Lambda, %u multi-region access "
           "points\n",
           n.outposts, n.lambda, n.multi);
    printf("%u passed, %u failed, %u skipped\n", n.passed, n.failed,
           n.outposts + n.lambda + n.multi);
    json_destroy(&doc);
    buf_fini(&text);
    return n.failed > 0 || n.passed == 0;
}
