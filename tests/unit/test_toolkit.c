/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/toolkit.h"

#include "tests/harness.h"

#define ONE_HOST "{\"current_host\":\"a\",\"hosts\":[\"a\",\"b\"]}"

static void read_file(const char *folder, const char *name, struct buf *out)
{
    char path[256];
    FILE *file;
    size_t got;

    snprintf(path, sizeof(path), "tests/data/golden/%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: not there\n", path);
        exit(1);
    }
    while ((got = fread(buf_reserve(out, 4096), 1, 4096, file)) > 0) {
        buf_add_done(out, got);
    }
    fclose(file);
}

/* NULL for a NULL text. */
static struct json_doc *parse(const char *text)
{
    struct json_doc *doc = NULL;
    struct fault why = {""};

    if (text != NULL &&
        json_parse(bytes_of(text), "t", &why, &doc) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", text, why.text);
        exit(1);
    }
    return doc;
}

static struct json_doc *parse_file(const char *folder, const char *name)
{
    struct buf text = {0};
    struct json_doc *doc;

    read_file(folder, name, &text);
    doc = parse(buf_text(&text));
    buf_fini(&text);
    return doc;
}

static void print_env(const struct toolkit_env *env, struct buf *out)
{
    for (size_t i = 0; i < env_list_count(env->vars); i++) {
        buf_print(out, "%s\n", env_list_line(env->vars, i));
    }
    buf_add_text(out, "CMDARGS [");
    for (size_t i = 0; i < env->arg_count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        json_write_python_repr(bytes_of(env->args[i]), out);
    }
    buf_add_text(out, "]\n");
    EXPECT(env->args[env->arg_count] == NULL);
}

static void expect_golden(const char *folder)
{
    struct json_doc *resource =
        parse_file(folder, "input/config/resourceconfig.json");
    struct json_doc *channels =
        parse_file(folder, "input/config/inputdataconfig.json");
    struct json_doc *hps =
        parse_file(folder, "input/config/hyperparameters.json");
    struct toolkit_input in = {.resource = json_root(resource),
                               .channels = json_root(channels),
                               .hyperparameters = json_root(hps),
                               .base_dir = "/opt/ml",
                               .cpus = 2,
                               .job_name = "job-1"};
    struct toolkit_env env = {0};
    struct buf want = {0};
    struct buf got = {0};

    EXPECT_EQ(toolkit_derive(&in, NULL, &env), STATUS_OK);
    read_file(folder, "env.txt", &want);
    print_env(&env, &got);
    EXPECT_STR(buf_text(&got), buf_text(&want));
    buf_fini(&got);
    buf_fini(&want);
    toolkit_fini(&env);
    json_destroy(&hps);
    json_destroy(&channels);
    json_destroy(&resource);
}

TEST(two_hosts_are_derived_as_the_toolkit_does)
{
    expect_golden("2host");
}

TEST(numbers_are_derived_as_the_toolkit_does)
{
    expect_golden("numbers");
}

/* Three texts and what to vary; derives on construction. */
struct derived {
    struct json_doc *docs[3];
    struct toolkit_input in;
    struct toolkit_env env;
    struct env_list *extra;
    struct fault why;
    enum status status;
};

static void derive(struct derived *d, const char *resource,
                   const char *channels, const char *hps)
{
    d->docs[0] = parse(resource);
    d->docs[1] = parse(channels);
    d->docs[2] = parse(hps);
    d->in.resource = json_root(d->docs[0]);
    d->in.channels = json_root(d->docs[1]);
    d->in.hyperparameters = json_root(d->docs[2]);
    d->in.base_dir = d->in.base_dir != NULL ? d->in.base_dir : "/opt/ml";
    d->extra = env_list_new();
    d->status = toolkit_derive(&d->in, &d->why, &d->env);
    if (d->status == STATUS_OK) {
        d->status = toolkit_derive_extra(&d->in, &d->why, d->extra);
    }
}

static void derive_fini(struct derived *d)
{
    toolkit_fini(&d->env);
    env_list_destroy(&d->extra);
    for (size_t i = 0; i < 3; i++) {
        json_destroy(&d->docs[i]);
    }
}

static void expect_var(const struct derived *d, const char *name,
                       const char *want)
{
    const char *got = env_list_get(d->env.vars, name);

    if (got == NULL || strcmp(got, want) != 0) {
        fprintf(stderr, "%s is\n  %s, want\n  %s\n", name,
                got != NULL ? got : "not set", want);
        exit(1);
    }
}

TEST(files_may_be_missing)
{
    struct derived d = {.in = {.job_name = NULL, .base_dir = "/b/"}};

    derive(&d, ONE_HOST, NULL, NULL);
    EXPECT_EQ(d.status, STATUS_OK);
    expect_var(&d, "SM_HPS", "{}");
    expect_var(&d, "SM_CHANNELS", "[]");
    expect_var(&d, "SM_INPUT_DATA_CONFIG", "{}");
    expect_var(&d, "SM_USER_ARGS", "[]");
    expect_var(&d, "SM_MODULE_NAME", "None");
    expect_var(&d, "SM_CURRENT_INSTANCE_TYPE", "local");
    expect_var(&d, "SM_INPUT_CONFIG_DIR", "/b/input/config");
    EXPECT(env_list_get(d.env.vars, "SM_TOPOLOGY") == NULL);
    EXPECT_EQ(d.env.arg_count, 0);
    derive_fini(&d);
}

static const char hetero[] =
    "{\"current_host\":\"c\",\"hosts\":[\"a\",\"b\",\"c\"],"
    "\"current_group_name\":\"g2\",\"topology\":[{\"hostName\":\"a\"}],"
    "\"current_instance_type\":\"ml.trn2.48xlarge\",\"instance_groups\":["
    "{\"instance_group_name\":\"g1\",\"hosts\":[\"a\",\"b\"]},"
    "{\"instance_group_name\":\"g2\",\"hosts\":[\"c\"]}]}";

TEST(groups_are_told_apart)
{
    struct derived d = {.in = {.gpus = 8}};

    derive(&d, hetero, NULL, "{\"sagemaker_mpi_enabled\":\"true\"}");
    EXPECT_EQ(d.status, STATUS_OK);
    expect_var(&d, "SM_IS_HETERO", "true");
    expect_var(&d, "SM_INSTANCE_GROUPS", "[\"g1\",\"g2\"]");
    expect_var(&d, "SM_CURRENT_INSTANCE_GROUP_HOSTS", "[\"c\"]");
    expect_var(&d, "SM_DISTRIBUTION_INSTANCE_GROUPS", "[\"g2\"]");
    expect_var(&d, "SM_TOPOLOGY", "[{\"hostName\":\"a\"}]");
    expect_var(&d, "SM_NUM_NEURONS", "64");
    expect_var(&d, "SM_NUM_GPUS", "8");
    EXPECT(strstr(env_list_get(d.env.vars, "SM_TRAINING_ENV"),
                  "\"distribution_hosts\":[\"c\"]") != NULL);
    derive_fini(&d);
}

TEST(the_extra_variables)
{
    struct derived d = {.in = {.framework = TOOLKIT_PYTORCH, .region = "r"}};

    derive(&d, hetero, NULL,
           "{\"sagemaker_distribution_instance_groups\":\"[\\\"g1\\\"]\","
           "\"sagemaker_job_name\":\"\\\"j\\\"\"}");
    EXPECT_EQ(d.status, STATUS_OK);
    EXPECT_EQ(env_list_count(d.extra), 8);
    EXPECT_STR(env_list_get(d.extra, "MASTER_ADDR"), "a");
    EXPECT_STR(env_list_get(d.extra, "MASTER_PORT"), "7777");
    EXPECT_STR(env_list_get(d.extra, "NCCL_SOCKET_IFNAME"), "eth0");
    EXPECT_STR(env_list_get(d.extra, "NCCL_IB_DISABLE"), "1");
    EXPECT_STR(env_list_get(d.extra, "NCCL_DEBUG"), "WARN");
    EXPECT_STR(env_list_get(d.extra, "CURRENT_HOST"), "c");
    EXPECT_STR(env_list_get(d.extra, "SAGEMAKER_JOB_NAME"), "j");
    EXPECT_STR(env_list_get(d.extra, "SAGEMAKER_REGION"), "r");
    derive_fini(&d);
}

TEST(names_and_arguments)
{
    struct derived d = {0};

    derive(&d, ONE_HOST, "{\"Ab\":{},\"/abs\":{}}",
           "{\"stra\xc3\x9f"
           "e\":\"x\",\"a\":\"1\",\"A\":\"2\",\"\":\"e\","
           "\"\xc3\xa9\":\"[1.0, null]\",\"d\":{\"k\":[\"it's\"],\"b\":null},"
           "\"s\":\"\\\"\\\\udcff\\\"\"}");
    EXPECT_EQ(d.status, STATUS_OK);
    expect_var(&d, "SM_HP_STRASSE", "x");
    expect_var(&d, "SM_HP_A", "2");
    expect_var(&d, "SM_HP_", "e");
    expect_var(&d, "SM_HP_S", "\xff");
    expect_var(&d, "SM_HP_\xc3\x89", "[1.0,null]");
    expect_var(&d, "SM_CHANNEL_AB", "/opt/ml/input/data/Ab");
    expect_var(&d, "SM_CHANNEL_/ABS", "/abs");
    expect_var(&d, "SM_USER_ARGS",
               "[\"\",\"e\",\"-A\",\"2\",\"-a\",\"1\",\"-d\","
               "\"b=None,k=[\\\"it's\\\"]\",\"-s\",\"\\udcff\","
               "\"--stra\\u00dfe\",\"x\",\"-\\u00e9\",\"[1.0, None]\"]");
    EXPECT_EQ(d.env.arg_count, 14);
    EXPECT_STR(d.env.args[9], "\xff");
    derive_fini(&d);
}

TEST(the_program)
{
    struct derived d = {.in = {.program = "",
                               .mp_parameters = "{\"a\":1}",
                               .framework_module = "m:f"}};

    derive(&d, ONE_HOST, NULL,
           "{\"sagemaker_program\":\"\\\"x/t.py\\\"\","
           "\"sagemaker_submit_directory\":\"null\","
           "\"sagemaker_container_log_level\":\"1.5\"}");
    EXPECT_EQ(d.status, STATUS_OK);
    expect_var(&d, "SM_MODULE_NAME", "");
    expect_var(&d, "SM_USER_ENTRY_POINT", "x/t.py");
    expect_var(&d, "SM_MODULE_DIR", "None");
    expect_var(&d, "SM_LOG_LEVEL", "1.5");
    expect_var(&d, "SM_FRAMEWORK_MODULE", "m:f");
    EXPECT(strstr(env_list_get(d.env.vars, "SM_TRAINING_ENV"),
                  "\"is_modelparallel_enabled\":true") != NULL);
    derive_fini(&d);
}

TEST(what_the_toolkit_can_not_use_is_refused)
{
    static const struct {
        const char *resource;
        const char *channels;
        const char *hps;
        const char *why; /* A part of the line. */
    } rows[] = {
        {NULL, NULL, NULL, "resourceconfig.json: must be an object"},
        {"[]", NULL, NULL, "resourceconfig.json: must be an object"},
        {"{\"hosts\":[\"a\"]}", NULL, NULL, "\"current_host\""},
        {"{\"current_host\":\"a\"}", NULL, NULL, "\"hosts\""},
        {"{\"current_host\":\"a\",\"hosts\":[]}", NULL, NULL, "no host"},
        {"{\"current_host\":1,\"hosts\":[\"a\"]}", NULL, NULL,
         "\"current_host\""},
        {"{\"current_host\":\"a\",\"hosts\":[1]}", NULL, NULL, "\"hosts\""},
        {"{\"current_host\":\"a\",\"hosts\":[\"a\"],\"instance_groups\":null}",
         NULL, NULL, "\"instance_groups\" must be a list"},
        {"{\"current_host\":\"a\",\"hosts\":[\"a\"],\"instance_groups\":[{}]}",
         NULL, NULL, "without an \"instance_group_name\""},
        {"{\"current_host\":\"a\",\"hosts\":[\"a\"],\"current_group_name\":"
         "\"g\",\"instance_groups\":[{\"instance_group_name\":\"g\"}]}",
         NULL, NULL, "no \"hosts\" for the current group"},
        {"{\"current_host\":\"a\",\"hosts\":[\"a\"],"
         "\"current_instance_type\":null}",
         NULL, NULL, "\"current_instance_type\""},
        {ONE_HOST, "[]", NULL, "inputdataconfig.json: must be an object"},
        {ONE_HOST, NULL, "[]", "hyperparameters.json: must be an object"},
        {ONE_HOST, NULL, "{\"sagemaker_job_name\":\"5\"}",
         "\"sagemaker_job_name\" must be a string"},
        {ONE_HOST, NULL, "{\"sagemaker_region\":\"5\"}",
         "\"sagemaker_region\" must be a string"},
        {ONE_HOST, NULL,
         "{\"sagemaker_distribution_instance_groups\":\"null\"}",
         "\"sagemaker_distribution_instance_groups\""},
        {ONE_HOST, NULL, "{\"x\":\"\\u0000\"}", "NUL"},
        {ONE_HOST, NULL, "{\"x\":\"\\ud800\"}", "U+D800"},
        {ONE_HOST, NULL, "{\"a=b\":\"1\"}", "'='"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct derived d = {0};

        derive(&d, rows[i].resource, rows[i].channels, rows[i].hps);
        EXPECT_EQ(d.status, STATUS_INVALID);
        if (strstr(d.why.text, rows[i].why) == NULL) {
            fprintf(stderr, "row %zu: %s\n", i, d.why.text);
            exit(1);
        }
        EXPECT(d.env.vars == NULL);
        derive_fini(&d);
    }
}

TEST(a_hyperparameter_too_deep)
{
    struct derived d = {0};
    struct buf text = {0};

    buf_add_text(&text, "{\"deep\":\"");
    for (int i = 0; i <= JSON_DEPTH_MAX; i++) {
        buf_add_char(&text, '[');
    }
    buf_add_text(&text, "\"}");
    derive(&d, ONE_HOST, NULL, buf_text(&text));
    EXPECT_EQ(d.status, STATUS_FULL);
    EXPECT(strstr(d.why.text, "hyperparameters.json: deep") != NULL);
    derive_fini(&d);
    buf_fini(&text);
}
