/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/contract.h"
#include "cli/environment.h"
#include "cli/machine.h"
#include "cli/version.h"

static const struct option_row version_rows[] = {{NULL, NULL, NULL}};

static const struct option_row env_rows[] = {
    {"all", NULL, "also what else the toolkit sets, such as MASTER_ADDR"},
    {"cpus", "N", "pretend that this host has N processors"},
    {"gpus", "N", "pretend that it has N GPUs"},
    {"neurons", "N", "pretend that it has N Neuron cores"},
    {NULL, NULL, NULL},
};

const struct command command_env = {
    .name = "env",
    .usage = "[FLAGS]",
    .summary = "print the variables and arguments that the command gets",
    .rows = env_rows,
    .takes_job = true,
    .more = "One line a variable, NAME=VALUE, sorted by name, then a last "
            "line CMDARGS\nwith the script's arguments as a Python list.\n",
    .run = env_main,
};

const struct command command_version = {
    .name = "version",
    .usage = "",
    .summary = "print the version",
    .rows = version_rows,
    .run = version_main,
};

int version_main(int argc, char **argv)
{
    struct options options;
    struct fault why;
    enum status s = STATUS_OK;

    (void)argc;
    s = options_parse(&command_version, argv + 1, &why, &options);
    options_fini(&options);
    if (s != STATUS_OK) {
        return command_fail(s, &why);
    }
    printf("smshard %s\n", version_text());
    return 0;
}

static enum status env_count(const struct options *options, const char *flag,
                             uint32_t *count, struct fault *why)
{
    uint64_t value = *count;
    enum status s = options_number(
        options, flag, (struct options_range){0, 1000000}, why, &value);

    *count = (uint32_t)value;
    return s;
}

static enum status env_counts(const struct options *options, struct fault *why,
                              struct environment_counts *out)
{
    enum status s;

    *out = (struct environment_counts){.cpus = machine_cpus()};
    if (options_get(options, "gpus") == NULL) {
        out->gpus = machine_gpus();
    }
    s = env_count(options, "cpus", &out->cpus, why);
    if (s == STATUS_OK) {
        s = env_count(options, "gpus", &out->gpus, why);
    }
    if (s == STATUS_OK) {
        s = env_count(options, "neurons", &out->neurons, why);
    }
    return s;
}

static void env_add_list(const struct env_list *list, struct buf *out)
{
    for (size_t i = 0; i < env_list_count(list); i++) {
        buf_print(out, "%s\n", env_list_line(list, i));
    }
}

static void env_add_args(const struct toolkit_env *env, struct buf *out)
{
    buf_add_text(out, "CMDARGS [");
    for (size_t i = 0; i < env->arg_count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        json_write_python_repr(bytes_of(env->args[i]), out);
    }
    buf_add_text(out, "]\n");
}

static enum status env_print(const struct options *options,
                             const struct environment *e, struct fault *why)
{
    struct env_list *list = env_list_new();
    struct buf text = {0};
    enum status s = STATUS_OK;

    env_list_add(list, e->toolkit.vars);
    if (options_get(options, "all") != NULL) {
        env_list_add(list, e->extra);
    }
    env_add_list(list, &text);
    env_add_args(&e->toolkit, &text);
    if (fwrite(text.at, 1, text.size, stdout) != text.size) {
        s = fault_set(why, STATUS_IO, "writing to standard output failed");
    }
    buf_fini(&text);
    env_list_destroy(&list);
    return s;
}

/* The platform's files are enough, whatever else the job's settings are; what
 * is missing of them is made from the job. */
static enum status env_load(const struct options *options, struct fault *why,
                            struct contract *out)
{
    enum status s = contract_load_files(options, why, out);

    if (s == STATUS_OK && !contract_has_files(out)) {
        contract_fini(out);
        s = contract_load(options, why, out);
    }
    return s;
}

int env_main(int argc, char **argv)
{
    struct environment_counts counts;
    struct environment e = {0};
    struct contract contract = {0};
    struct options options;
    struct fault why = {.text = ""};
    enum status s = options_parse(&command_env, argv + 1, &why, &options);

    (void)argc;
    if (s == STATUS_OK) {
        s = env_load(&options, &why, &contract);
    }
    if (s == STATUS_OK) {
        s = env_counts(&options, &why, &counts);
    }
    if (s == STATUS_OK) {
        s = environment_derive(&contract, &counts, &why, &e);
    }
    if (s == STATUS_OK) {
        s = env_print(&options, &e, &why);
    }
    environment_fini(&e);
    contract_fini(&contract);
    options_fini(&options);
    return s == STATUS_OK ? 0 : command_fail(s, &why);
}
