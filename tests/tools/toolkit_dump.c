/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what proto/toolkit derives: toolkit_dump [-0] [-x] FOLDER BASE. The
 * three files are read from FOLDER, BASE stands for /opt/ml. CPUS, GPUS and
 * NEURONS come from TOOLKIT_CPUS, … (0 when not set); TOOLKIT_RUNS holds
 * "smddprun" and "smddpmprun" where these are there.
 *
 * Lines NAME=VALUE by name, then CMDARGS and the arguments as Python's list.
 * -0 ends lines with a NUL byte; -x adds the variables of the toolkit's own
 * process, for PyTorch. What can not be derived is `ERROR why`, exit code 1. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "proto/toolkit.h"

static void dump_fail(const char *why)
{
    printf("ERROR %s\n", why);
    exit(1);
}

/* NULL when the file is not there. */
static struct json_doc *dump_read(const char *folder, const char *name)
{
    char *path = mem_print("%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    struct json_doc *doc = NULL;
    struct buf text = {0};
    struct fault why;
    size_t got;

    free(path);
    if (file == NULL) {
        return NULL;
    }
    while ((got = fread(buf_reserve(&text, 65536), 1, 65536, file)) > 0) {
        buf_add_done(&text, got);
    }
    fclose(file);
    if (json_parse(buf_bytes(&text), name, &why, &doc) != STATUS_OK) {
        dump_fail(why.text);
    }
    buf_fini(&text);
    return doc;
}

static uint32_t dump_number(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static void dump_list(const struct env_list *list, char end)
{
    for (size_t i = 0; i < env_list_count(list); i++) {
        printf("%s%c", env_list_line(list, i), end);
    }
}

static void dump_args(const struct toolkit_env *env, char end)
{
    struct buf line = {0};

    buf_add_char(&line, '[');
    for (size_t i = 0; i < env->arg_count; i++) {
        buf_add_text(&line, i > 0 ? ", " : "");
        json_write_python_repr(bytes_of(env->args[i]), &line);
    }
    buf_add_char(&line, ']');
    printf("CMDARGS %s%c", buf_text(&line), end);
    buf_fini(&line);
}

static void dump_derive(const struct toolkit_input *in, char end, bool is_extra)
{
    struct env_list *extra = env_list_new();
    struct toolkit_env env = {0};
    struct fault why = {""};

    if (toolkit_derive(in, &why, &env) != STATUS_OK) {
        dump_fail(why.text);
    }
    if (is_extra && toolkit_derive_extra(in, &why, extra) != STATUS_OK) {
        dump_fail(why.text);
    }
    dump_list(extra, end);
    dump_list(env.vars, end);
    dump_args(&env, end);
    toolkit_fini(&env);
    env_list_destroy(&extra);
}

int main(int argc, char **argv)
{
    struct json_doc *docs[3];
    struct toolkit_input in = {.framework = TOOLKIT_PYTORCH};
    const char *runs = getenv("TOOLKIT_RUNS");
    bool is_extra = false;
    char end = '\n';
    int at = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        end = argv[at][1] == '0' ? '\0' : end;
        is_extra = is_extra || argv[at][1] == 'x';
    }
    if (argc - at != 2) {
        fprintf(stderr, "usage: toolkit_dump [-0] [-x] FOLDER BASE\n");
        return 2;
    }
    docs[0] = dump_read(argv[at], "resourceconfig.json");
    docs[1] = dump_read(argv[at], "inputdataconfig.json");
    docs[2] = dump_read(argv[at], "hyperparameters.json");
    in.resource = json_root(docs[0]);
    in.channels = json_root(docs[1]);
    in.hyperparameters = json_root(docs[2]);
    in.base_dir = argv[at + 1];
    in.cpus = dump_number("TOOLKIT_CPUS");
    in.gpus = dump_number("TOOLKIT_GPUS");
    in.neurons = dump_number("TOOLKIT_NEURONS");
    in.has_smddprun = runs != NULL && strstr(runs, "smddprun") != NULL;
    in.has_smddpmprun = runs != NULL && strstr(runs, "smddpmprun") != NULL;
    in.job_name = getenv("TRAINING_JOB_NAME");
    in.framework_module = getenv("SAGEMAKER_TRAINING_MODULE");
    in.program = getenv("SAGEMAKER_PROGRAM");
    in.region = getenv("AWS_DEFAULT_REGION");
    in.mp_parameters = getenv("SM_HP_MP_PARAMETERS");
    dump_derive(&in, end, is_extra);
    for (size_t i = 0; i < 3; i++) {
        json_destroy(&docs[i]);
    }
    return 0;
}
