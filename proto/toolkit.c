/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/toolkit.h"

#include <stdlib.h>

#include "base/check.h"
#include "proto/toolkit_groups.h"
#include "proto/toolkit_hps.h"
#include "proto/toolkit_value.h"

/* The fields of SM_TRAINING_ENV, sorted, and the variable that holds the same
 * value; "" where there is none. */
#define TOOLKIT_FIELD_MAP(X)                                                   \
    X(FRAME, "additional_framework_parameters", "FRAMEWORK_PARAMS")            \
    X(CHANNEL_DIRS, "channel_input_dirs", "")                                  \
    X(HOST, "current_host", "CURRENT_HOST")                                    \
    X(GROUP, "current_instance_group", "CURRENT_INSTANCE_GROUP")               \
    X(GROUP_HOSTS, "current_instance_group_hosts",                             \
      "CURRENT_INSTANCE_GROUP_HOSTS")                                          \
    X(INSTANCE_TYPE, "current_instance_type", "CURRENT_INSTANCE_TYPE")         \
    X(DISTRIBUTION_HOSTS, "distribution_hosts", "")                            \
    X(DISTRIBUTION, "distribution_instance_groups",                            \
      "DISTRIBUTION_INSTANCE_GROUPS")                                          \
    X(FRAMEWORK, "framework_module", "FRAMEWORK_MODULE")                       \
    X(HOSTS, "hosts", "HOSTS")                                                 \
    X(HPS, "hyperparameters", "HPS")                                           \
    X(CONFIG_DIR, "input_config_dir", "INPUT_CONFIG_DIR")                      \
    X(CHANNELS, "input_data_config", "INPUT_DATA_CONFIG")                      \
    X(INPUT_DIR, "input_dir", "INPUT_DIR")                                     \
    X(GROUPS, "instance_groups", "INSTANCE_GROUPS")                            \
    X(GROUPS_BY_NAME, "instance_groups_dict", "INSTANCE_GROUPS_DICT")          \
    X(IS_HETERO, "is_hetero", "IS_HETERO")                                     \
    X(IS_MASTER, "is_master", "")                                              \
    X(IS_MODEL_PARALLEL, "is_modelparallel_enabled", "")                       \
    X(HAS_SMDDPMPRUN, "is_smddpmprun_installed", "")                           \
    X(HAS_SMDDPRUN, "is_smddprun_installed", "")                               \
    X(JOB_NAME, "job_name", "")                                                \
    X(LOG_LEVEL, "log_level", "LOG_LEVEL")                                     \
    X(MASTER, "master_hostname", "")                                           \
    X(MODEL_DIR, "model_dir", "MODEL_DIR")                                     \
    X(MODULE_DIR, "module_dir", "MODULE_DIR")                                  \
    X(MODULE, "module_name", "MODULE_NAME")                                    \
    X(INTERFACE, "network_interface_name", "NETWORK_INTERFACE_NAME")           \
    X(CPUS, "num_cpus", "NUM_CPUS")                                            \
    X(GPUS, "num_gpus", "NUM_GPUS")                                            \
    X(NEURONS, "num_neurons", "NUM_NEURONS")                                   \
    X(DATA_DIR, "output_data_dir", "OUTPUT_DATA_DIR")                          \
    X(OUTPUT_DIR, "output_dir", "OUTPUT_DIR")                                  \
    X(INTERMEDIATE_DIR, "output_intermediate_dir", "OUTPUT_INTERMEDIATE_DIR")  \
    X(RESOURCE, "resource_config", "RESOURCE_CONFIG")                          \
    X(TOPOLOGY, "topology", "TOPOLOGY")                                        \
    X(ENTRY_POINT, "user_entry_point", "USER_ENTRY_POINT")

enum toolkit_field {
#define X(id, property, variable) TOOLKIT_FIELD_##id,
    TOOLKIT_FIELD_MAP(X)
#undef X
        TOOLKIT_FIELD_COUNT
};

static const struct {
    const char *property;
    const char *variable;
} toolkit_fields[] = {
#define X(id, property, variable) {property, variable},
    TOOLKIT_FIELD_MAP(X)
#undef X
};

/* One derivation. */
struct toolkit {
    const struct toolkit_input *in;
    struct fault *why;
    struct toolkit_hps hps;
    struct toolkit_groups groups;
    struct env_list *own; /* What the toolkit's own process gets. */
    struct toolkit_value values[TOOLKIT_FIELD_COUNT];
};

static void toolkit_set(struct toolkit *t, enum toolkit_field field,
                        struct toolkit_value value)
{
    toolkit_value_fini(&t->values[field]);
    t->values[field] = value;
}

/* Give the field a copy of @value. */
static void toolkit_copy(struct toolkit *t, enum toolkit_field field,
                         const struct toolkit_value *value)
{
    struct toolkit_value copy = {.kind = value->kind};

    buf_add_bytes(&copy.text, buf_bytes(&value->text));
    toolkit_set(t, field, copy);
}

static struct toolkit_value toolkit_optional(const char *text)
{
    return text != NULL ? toolkit_value_str(text) : (struct toolkit_value){0};
}

static void toolkit_close(struct toolkit *t)
{
    for (size_t i = 0; i < TOOLKIT_FIELD_COUNT; i++) {
        toolkit_value_fini(&t->values[i]);
    }
    env_list_destroy(&t->own);
    toolkit_groups_fini(&t->groups);
    toolkit_hps_fini(&t->hps);
}

static enum status toolkit_check_input(const struct toolkit *t)
{
    const struct json *resource = t->in->resource;

    if (!json_is(resource, JSON_OBJECT)) {
        return fault_set(t->why, STATUS_INVALID,
                         "resourceconfig.json: must be an object");
    }
    if (!json_is(json_get(resource, "current_host"), JSON_STRING)) {
        return toolkit_resource_fault(t->why, "current_host",
                                      "must be there, a string");
    }
    if (json_get(resource, "current_instance_type") != NULL &&
        !json_is(json_get(resource, "current_instance_type"), JSON_STRING)) {
        return toolkit_resource_fault(t->why, "current_instance_type",
                                      "must be a string");
    }
    if (t->in->channels != NULL && !json_is(t->in->channels, JSON_OBJECT)) {
        return fault_set(t->why, STATUS_INVALID,
                         "inputdataconfig.json: must be an object");
    }
    return STATUS_OK;
}

/* Set @name to a string that Python holds. */
static enum status toolkit_set_own(struct toolkit *t, const char *name,
                                   struct bytes value)
{
    struct buf text = {0};
    enum status s = toolkit_add_os_text(value, name, t->why, &text);

    if (s == STATUS_OK) {
        s = env_list_set(t->own, bytes_of(name), buf_bytes(&text), t->why);
    }
    buf_fini(&text);
    return s;
}

static enum status toolkit_hp_fault(const struct toolkit *t, const char *key)
{
    return fault_set(t->why, STATUS_INVALID,
                     "hyperparameters.json: \"%s\" must be a string", key);
}

static enum status toolkit_set_job(struct toolkit *t)
{
    const struct json *job = toolkit_hps_get(&t->hps, "sagemaker_job_name");

    if (job != NULL && !json_is(job, JSON_STRING)) {
        return toolkit_hp_fault(t, "sagemaker_job_name");
    }
    return toolkit_set_own(t, "SAGEMAKER_JOB_NAME", json_string(job));
}

static enum status toolkit_set_region(struct toolkit *t)
{
    const struct json *region = toolkit_hps_get(&t->hps, "sagemaker_region");
    struct bytes text = json_string(region);

    if (toolkit_is_true(region) && !json_is(region, JSON_STRING)) {
        return toolkit_hp_fault(t, "sagemaker_region");
    }
    if (region == NULL && t->in->region != NULL) {
        text = bytes_of(t->in->region);
    }
    return toolkit_set_own(t, "SAGEMAKER_REGION", text);
}

/* Read and check everything that can be wrong before a variable is made. */
static enum status toolkit_open(struct toolkit *t)
{
    enum status s = toolkit_check_input(t);

    t->own = env_list_new();
    if (s == STATUS_OK) {
        s = toolkit_hps_init(t->in->hyperparameters, t->why, &t->hps);
    }
    if (s == STATUS_OK) {
        s = toolkit_groups_init(t->in->resource, &t->hps, t->why, &t->groups);
    }
    if (s == STATUS_OK) {
        s = toolkit_set_job(t);
    }
    if (s == STATUS_OK) {
        s = toolkit_set_own(
            t, "CURRENT_HOST",
            json_string(json_get(t->in->resource, "current_host")));
    }
    return s == STATUS_OK ? toolkit_set_region(t) : s;
}

/* The folder @names, each a step further below the base. */
static struct toolkit_value toolkit_folder(const struct toolkit *t,
                                           const char *first,
                                           const char *second)
{
    struct toolkit_value v = {.kind = TOOLKIT_STR};
    struct buf folder = {0};

    toolkit_add_path(bytes_of(t->in->base_dir), bytes_of(first), &folder);
    if (second != NULL) {
        toolkit_add_path(buf_bytes(&folder), bytes_of(second), &v.text);
        buf_fini(&folder);
    } else {
        v.text = folder;
    }
    return v;
}

static void toolkit_set_folders(struct toolkit *t)
{
    toolkit_set(t, TOOLKIT_FIELD_INPUT_DIR, toolkit_folder(t, "input", NULL));
    toolkit_set(t, TOOLKIT_FIELD_CONFIG_DIR,
                toolkit_folder(t, "input", "config"));
    toolkit_set(t, TOOLKIT_FIELD_MODEL_DIR, toolkit_folder(t, "model", NULL));
    toolkit_set(t, TOOLKIT_FIELD_OUTPUT_DIR, toolkit_folder(t, "output", NULL));
    toolkit_set(t, TOOLKIT_FIELD_DATA_DIR, toolkit_folder(t, "output", "data"));
    toolkit_set(t, TOOLKIT_FIELD_INTERMEDIATE_DIR,
                toolkit_folder(t, "output", "intermediate"));
}

static bool toolkit_has_64_neurons(struct bytes type)
{
    struct bytes want = BYTES("trn2.48xlarge");

    for (; type.size >= want.size; type.at++, type.size--) {
        if (bytes_has_prefix(type, want)) {
            return true;
        }
    }
    return false;
}

static void toolkit_set_machine(struct toolkit *t)
{
    const struct toolkit_input *in = t->in;
    struct bytes type =
        json_string(json_get(in->resource, "current_instance_type"));

    toolkit_set(t, TOOLKIT_FIELD_CPUS, toolkit_value_int(in->cpus));
    toolkit_set(t, TOOLKIT_FIELD_GPUS, toolkit_value_int(in->gpus));
    toolkit_set(
        t, TOOLKIT_FIELD_NEURONS,
        toolkit_value_int(toolkit_has_64_neurons(type) ? 64 : in->neurons));
    toolkit_set(t, TOOLKIT_FIELD_HAS_SMDDPRUN,
                toolkit_value_bool(in->has_smddprun));
    toolkit_set(t, TOOLKIT_FIELD_HAS_SMDDPMPRUN,
                toolkit_value_bool(in->has_smddpmprun));
}

/* The value of @key in resourceconfig.json; @otherwise when it is absent,
 * but not when it is null. */
static struct toolkit_value toolkit_resource_or(const struct toolkit *t,
                                                const char *key,
                                                const char *otherwise)
{
    const struct json *v = json_get(t->in->resource, key);

    return v != NULL ? toolkit_value_of(v) : toolkit_value_str(otherwise);
}

static void toolkit_set_resource(struct toolkit *t)
{
    const struct json *resource = t->in->resource;

    toolkit_set(t, TOOLKIT_FIELD_RESOURCE, toolkit_value_of(resource));
    toolkit_set(t, TOOLKIT_FIELD_HOSTS,
                toolkit_value_of(json_get(resource, "hosts")));
    toolkit_set(t, TOOLKIT_FIELD_HOST,
                toolkit_resource_or(t, "current_host", ""));
    toolkit_set(t, TOOLKIT_FIELD_INSTANCE_TYPE,
                toolkit_resource_or(t, "current_instance_type", "local"));
    toolkit_set(t, TOOLKIT_FIELD_INTERFACE,
                toolkit_resource_or(t, "network_interface_name", "eth0"));
    toolkit_set(t, TOOLKIT_FIELD_TOPOLOGY,
                toolkit_resource_or(t, "topology", "[]"));
    if (json_get(resource, "topology") == NULL) {
        t->values[TOOLKIT_FIELD_TOPOLOGY].kind = TOOLKIT_OTHER;
    }
}

static void toolkit_set_groups(struct toolkit *t)
{
    const struct toolkit_groups *g = &t->groups;
    struct bytes host = json_string(json_get(t->in->resource, "current_host"));
    struct toolkit_value master = {.kind = TOOLKIT_STR};

    toolkit_copy(t, TOOLKIT_FIELD_GROUP, &g->current);
    toolkit_copy(t, TOOLKIT_FIELD_GROUP_HOSTS, &g->current_hosts);
    toolkit_copy(t, TOOLKIT_FIELD_GROUPS, &g->names);
    toolkit_copy(t, TOOLKIT_FIELD_GROUPS_BY_NAME, &g->by_name);
    toolkit_copy(t, TOOLKIT_FIELD_DISTRIBUTION, &g->distribution);
    toolkit_copy(t, TOOLKIT_FIELD_DISTRIBUTION_HOSTS, &g->distribution_hosts);
    toolkit_set(t, TOOLKIT_FIELD_IS_HETERO, toolkit_value_bool(g->is_hetero));
    toolkit_set(t, TOOLKIT_FIELD_IS_MASTER,
                toolkit_value_bool(bytes_is_equal(host, g->master)));
    buf_add_bytes(&master.text, g->master);
    toolkit_set(t, TOOLKIT_FIELD_MASTER, master);
}

/* The entry point as a module: without the ".py". */
static void toolkit_set_module(struct toolkit *t)
{
    const struct json *hp = toolkit_hps_get(&t->hps, "sagemaker_program");
    struct toolkit_value v = {.kind = TOOLKIT_STR};

    if (t->in->program != NULL) {
        buf_add_text(&v.text, t->in->program);
    } else {
        json_write_python_str(hp, &v.text);
    }
    if (bytes_has_suffix(buf_bytes(&v.text), BYTES(".py"))) {
        struct toolkit_value module = {.kind = TOOLKIT_STR};

        buf_add(&module.text, v.text.at, v.text.size - 3);
        toolkit_value_fini(&v);
        v = module;
    }
    toolkit_set(t, TOOLKIT_FIELD_MODULE, v);
}

/* SAGEMAKER_SUBMIT_DIRECTORY and SAGEMAKER_CONTAINER_LOG_LEVEL have no part
 * in this: the toolkit reads them and then takes the hyperparameters or the
 * defaults. */
static void toolkit_set_program(struct toolkit *t)
{
    const struct toolkit_input *in = t->in;
    const struct json *submit =
        toolkit_hps_get(&t->hps, "sagemaker_submit_directory");
    const struct json *level =
        toolkit_hps_get(&t->hps, "sagemaker_container_log_level");
    bool has_program = in->program != NULL && in->program[0] != '\0';

    toolkit_set_module(t);
    toolkit_set(t, TOOLKIT_FIELD_ENTRY_POINT,
                has_program ? toolkit_value_str(in->program)
                            : toolkit_value_of(toolkit_hps_get(
                                  &t->hps, "sagemaker_program")));
    toolkit_set(t, TOOLKIT_FIELD_MODULE_DIR, toolkit_folder(t, "code", NULL));
    if (submit != NULL) {
        struct toolkit_value v = {.kind = TOOLKIT_STR};

        json_write_python_str(submit, &v.text);
        toolkit_set(t, TOOLKIT_FIELD_MODULE_DIR, v);
    }
    toolkit_set(t, TOOLKIT_FIELD_LOG_LEVEL,
                level != NULL ? toolkit_value_of(level)
                              : toolkit_value_int(20));
    toolkit_set(t, TOOLKIT_FIELD_FRAMEWORK,
                toolkit_optional(in->framework_module));
    toolkit_set(t, TOOLKIT_FIELD_JOB_NAME, toolkit_optional(in->job_name));
}

static void toolkit_set_model_parallel(struct toolkit *t)
{
    const char *given = t->in->mp_parameters;

    toolkit_set(t, TOOLKIT_FIELD_IS_MODEL_PARALLEL,
                given != NULL && given[0] != '\0'
                    ? toolkit_value_bool(!bytes_is(bytes_of(given), "{}"))
                    : toolkit_optional(given));
}

static void toolkit_set_hps(struct toolkit *t)
{
    struct toolkit_value v = {.kind = TOOLKIT_OTHER};

    toolkit_hps_write(&t->hps, TOOLKIT_USER, &v.text);
    toolkit_set(t, TOOLKIT_FIELD_HPS, v);
    v = (struct toolkit_value){.kind = TOOLKIT_OTHER};
    toolkit_hps_write(&t->hps, TOOLKIT_FRAME, &v.text);
    toolkit_set(t, TOOLKIT_FIELD_FRAME, v);
}

/* Where the channel @name lies. */
static struct toolkit_value toolkit_channel_dir(const struct toolkit *t,
                                                struct bytes name)
{
    struct toolkit_value data = toolkit_folder(t, "input", "data");
    struct toolkit_value v = {.kind = TOOLKIT_STR};

    toolkit_add_path(buf_bytes(&data.text), name, &v.text);
    toolkit_value_fini(&data);
    return v;
}

/* Make the object of folders, and append the list of names to @list. */
static void toolkit_set_channels(struct toolkit *t, struct buf *list)
{
    size_t count = json_count(t->in->channels);
    struct toolkit_item *items = toolkit_sorted_members(t->in->channels);
    struct toolkit_value dirs = {.kind = TOOLKIT_OTHER};

    for (size_t i = 0; i < count; i++) {
        struct toolkit_value dir = toolkit_channel_dir(t, items[i].key);

        buf_add_char(list, i == 0 ? '[' : ',');
        buf_add_char(&dirs.text, i == 0 ? '{' : ',');
        json_write_ascii(items[i].key, list);
        json_write_ascii(items[i].key, &dirs.text);
        buf_add_char(&dirs.text, ':');
        toolkit_value_write(&dir, &dirs.text);
        toolkit_value_fini(&dir);
    }
    buf_add_text(list, count == 0 ? "[]" : "]");
    buf_add_text(&dirs.text, count == 0 ? "{}" : "}");
    toolkit_set(t, TOOLKIT_FIELD_CHANNEL_DIRS, dirs);
    toolkit_set(t, TOOLKIT_FIELD_CHANNELS, toolkit_value_of(t->in->channels));
    if (t->in->channels == NULL) {
        toolkit_set(t, TOOLKIT_FIELD_CHANNELS, toolkit_value_str("{}"));
        t->values[TOOLKIT_FIELD_CHANNELS].kind = TOOLKIT_OTHER;
    }
    free(items);
}

static enum status toolkit_add_channel_vars(struct toolkit *t,
                                            struct env_list *vars)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < json_count(t->in->channels); i++) {
        struct bytes name = json_key_at(t->in->channels, i);
        struct toolkit_value dir = toolkit_channel_dir(t, name);

        s = toolkit_set_named(vars, "SM_CHANNEL_", name, &dir, t->why);
        toolkit_value_fini(&dir);
    }
    return s;
}

/* A variable whose name is ours, of a value that is JSON. */
static enum status toolkit_add_json_var(struct toolkit *t, const char *name,
                                        const struct buf *json,
                                        struct env_list *vars)
{
    return env_list_set(vars, bytes_of(name), buf_bytes(json), t->why);
}

static enum status toolkit_add_training_env(struct toolkit *t,
                                            struct env_list *vars)
{
    struct buf json = {0};
    enum status s;

    for (size_t i = 0; i < TOOLKIT_FIELD_COUNT; i++) {
        buf_add_char(&json, i == 0 ? '{' : ',');
        json_write_ascii(bytes_of(toolkit_fields[i].property), &json);
        buf_add_char(&json, ':');
        toolkit_value_write(&t->values[i], &json);
    }
    buf_add_char(&json, '}');
    s = toolkit_add_json_var(t, "SM_TRAINING_ENV", &json, vars);
    buf_fini(&json);
    return s;
}

static bool toolkit_has_variable(const struct toolkit *t, size_t field)
{
    if (field == TOOLKIT_FIELD_TOPOLOGY) {
        return toolkit_is_true(json_get(t->in->resource, "topology"));
    }
    return toolkit_fields[field].variable[0] != '\0';
}

static enum status toolkit_add_field_vars(struct toolkit *t,
                                          struct env_list *vars)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < TOOLKIT_FIELD_COUNT; i++) {
        if (toolkit_has_variable(t, i)) {
            s = toolkit_set_named(vars, "SM_",
                                  bytes_of(toolkit_fields[i].variable),
                                  &t->values[i], t->why);
        }
    }
    return s;
}

static void toolkit_set_fields(struct toolkit *t, struct buf *channels)
{
    toolkit_set_folders(t);
    toolkit_set_machine(t);
    toolkit_set_resource(t);
    toolkit_set_groups(t);
    toolkit_set_program(t);
    toolkit_set_model_parallel(t);
    toolkit_set_hps(t);
    toolkit_set_channels(t, channels);
}

static enum status toolkit_add_vars(struct toolkit *t, struct toolkit_env *env)
{
    struct buf list = {0};
    struct buf args = {0};
    enum status s;

    toolkit_set_fields(t, &list);
    s = toolkit_add_field_vars(t, env->vars);
    if (s == STATUS_OK) {
        s = toolkit_add_json_var(t, "SM_CHANNELS", &list, env->vars);
    }
    if (s == STATUS_OK) {
        s = toolkit_add_training_env(t, env->vars);
    }
    if (s == STATUS_OK) {
        s = toolkit_hps_add_args(&t->hps, t->why, env, &args);
    }
    if (s == STATUS_OK) {
        s = toolkit_add_json_var(t, "SM_USER_ARGS", &args, env->vars);
    }
    if (s == STATUS_OK) {
        s = toolkit_add_channel_vars(t, env->vars);
    }
    if (s == STATUS_OK) {
        s = toolkit_hps_add_vars(&t->hps, t->why, env->vars);
    }
    buf_fini(&args);
    buf_fini(&list);
    return s;
}

enum status toolkit_derive(const struct toolkit_input *in, struct fault *why,
                           struct toolkit_env *out)
{
    struct toolkit t = {.in = in, .why = why};
    struct toolkit_env env = {.vars = env_list_new()};
    enum status s = toolkit_open(&t);

    CHECK(in->base_dir != NULL);
    if (s == STATUS_OK) {
        s = toolkit_add_vars(&t, &env);
    }
    toolkit_close(&t);
    if (s != STATUS_OK) {
        toolkit_fini(&env);
        return s;
    }
    *out = env;
    return STATUS_OK;
}

void toolkit_fini(struct toolkit_env *env)
{
    for (size_t i = 0; i < env->arg_count; i++) {
        free(env->args[i]);
    }
    free(env->args);
    env_list_destroy(&env->vars);
    *env = (struct toolkit_env){0};
}

/* What the PyTorch container adds before it starts the script. */
static enum status toolkit_add_pytorch(struct toolkit *t)
{
    const struct json *given =
        json_get(t->in->resource, "network_interface_name");
    struct bytes interface = given != NULL ? json_string(given) : BYTES("eth0");
    struct buf port = {0};
    enum status s;

    if (given != NULL && !json_is(given, JSON_STRING)) {
        return toolkit_resource_fault(t->why, "network_interface_name",
                                      "must be a string");
    }
    buf_print(&port, "%d", TOOLKIT_MASTER_PORT);
    s = toolkit_set_own(t, "MASTER_ADDR", t->groups.master);
    if (s == STATUS_OK) {
        s = toolkit_set_own(t, "MASTER_PORT", buf_bytes(&port));
    }
    if (s == STATUS_OK) {
        s = toolkit_set_own(t, "NCCL_SOCKET_IFNAME", interface);
    }
    if (s == STATUS_OK) {
        s = toolkit_set_own(t, "NCCL_IB_DISABLE", BYTES("1"));
    }
    if (s == STATUS_OK) {
        s = toolkit_set_own(t, "NCCL_DEBUG", BYTES("WARN"));
    }
    buf_fini(&port);
    return s;
}

enum status toolkit_derive_extra(const struct toolkit_input *in,
                                 struct fault *why, struct env_list *out)
{
    struct toolkit t = {.in = in, .why = why};
    enum status s = toolkit_open(&t);

    if (s == STATUS_OK && in->framework == TOOLKIT_PYTORCH) {
        s = toolkit_add_pytorch(&t);
    }
    if (s == STATUS_OK) {
        env_list_add(out, t.own);
    }
    toolkit_close(&t);
    return s;
}
