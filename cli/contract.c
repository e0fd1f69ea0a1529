/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/contract.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/machine.h"
#include "cli/own_files.h"

enum { CONTRACT_FILE_MAX = 64 << 20 };

static const char *contract_variable(void *self, const char *name)
{
    (void)self;
    return getenv(name);
}

/* Where /opt/ml is: --base, SAGEMAKER_BASE_DIR, /opt/ml. */
static char *contract_base(const struct options *options)
{
    const char *base = options_get(options, "base");
    size_t size;

    if (base == NULL || base[0] == '\0') {
        base = getenv("SAGEMAKER_BASE_DIR");
    }
    if (base == NULL || base[0] == '\0') {
        base = "/opt/ml";
    }
    size = strlen(base);
    while (size > 1 && base[size - 1] == '/') {
        size--;
    }
    return mem_copy_text(base, size);
}

static void contract_paths(struct contract *c, const struct options *options)
{
    c->base = contract_base(options);
    if (options_get(options, "base") != NULL) {
        /* For whoever reads it after us: the job, and the command. */
        setenv("SAGEMAKER_BASE_DIR", c->base, 1);
    }
    c->config = mem_print("%s/input/config", c->base);
    c->data = mem_print("%s/input/data", c->base);
    c->model = mem_print("%s/model", c->base);
    c->output = mem_print("%s/output", c->base);
}

/* Read a file of the config folder; one that is not there stays empty. */
static enum status contract_read(const struct contract *c, const char *name,
                                 struct fault *why, struct contract_file *out)
{
    enum status s;

    out->path = mem_print("%s/%s", c->config, name);
    if (!file_is_there(out->path)) {
        return STATUS_OK;
    }
    s = file_read(out->path, CONTRACT_FILE_MAX, why, &out->text);
    out->is_there = s == STATUS_OK;
    return s;
}

/* The document: --job, SMSHARD_JOB (both a path or inline JSON), else the
 * platform's echo of it. */
static enum status contract_read_document(struct contract *c,
                                          const struct options *options,
                                          struct fault *why)
{
    const char *given = options_get(options, "job");
    const char *origin = "--job";
    enum status s;

    if (given == NULL) {
        given = getenv("SMSHARD_JOB");
        origin = "SMSHARD_JOB";
    }
    if (given == NULL || given[0] == '\0') {
        return contract_read(c, "trainingjobconfig.json", why, &c->document);
    }
    if (given[strspn(given, " \t\r\n")] == '{') {
        c->document.path = mem_copy(origin);
        buf_add_text(&c->document.text, given);
        c->document.is_there = true;
        return STATUS_OK;
    }
    c->document.path = mem_copy(given);
    s = file_read(given, CONTRACT_FILE_MAX, why, &c->document.text);
    c->document.is_there = s == STATUS_OK;
    return s != STATUS_OK ? fault_prefix(why, s, "%s", origin) : s;
}

static enum status contract_read_all(struct contract *c,
                                     const struct options *options,
                                     struct fault *why)
{
    const struct {
        const char *name;
        struct contract_file *file;
    } files[] = {
        {"init-config.json", &c->init},
        {"resourceconfig.json", &c->resource},
        {"inputdataconfig.json", &c->channels},
        {"checkpointconfig.json", &c->checkpoint},
        {"hyperparameters.json", &c->hyperparameters},
    };
    enum status s = contract_read_document(c, options, why);

    for (size_t i = 0; s == STATUS_OK && i < sizeof(files) / sizeof(files[0]);
         i++) {
        s = contract_read(c, files[i].name, why, files[i].file);
    }
    return s;
}

/* The flags that are the job's; the others are the command's own. */
static uint32_t contract_job_flags(const struct options *options,
                                   struct setting_flag *out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < options->flag_count; i++) {
        if (job_knows_flag(options->flags[i].flag)) {
            out[count++] = options->flags[i];
        }
    }
    return count;
}

/* What an earlier job of ours left is no word of the platform's. */
static void contract_forget_ours(struct contract *c)
{
    const struct {
        const char *name;
        struct contract_file *file;
    } files[] = {
        {"resourceconfig.json", &c->resource},
        {"inputdataconfig.json", &c->channels},
        {"checkpointconfig.json", &c->checkpoint},
        {"hyperparameters.json", &c->hyperparameters},
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct contract_file *file = files[i].file;

        if (file->is_there &&
            own_files_has(c->data, files[i].name, buf_bytes(&file->text))) {
            file->is_there = false;
            buf_clear(&file->text);
        }
    }
}

/* A view of @file for the parsers, NULL when it is not there. */
static const struct job_text *contract_text(const struct contract_file *file,
                                            struct job_text *out)
{
    *out = (struct job_text){file->path, buf_bytes(&file->text)};
    return file->is_there ? out : NULL;
}

static enum status contract_make_job(struct contract *c,
                                     const struct options *options,
                                     struct fault *why)
{
    struct setting_flag flags[OPTIONS_FLAGS_MAX];
    struct job_text texts[4];
    struct job_input input = {
        .document = contract_text(&c->document, &texts[0]),
        .init = contract_text(&c->init, &texts[1]),
        .channels = contract_text(&c->channels, &texts[2]),
        .checkpoint = contract_text(&c->checkpoint, &texts[3]),
        .variable = contract_variable,
        .flags = flags,
        .flag_count = contract_job_flags(options, flags),
    };

    return job_make(&input, why, &c->job);
}

static enum status contract_make_hosts(struct contract *c, struct fault *why)
{
    char hostname[HOST_NAME_MAX + 1] = "localhost";
    struct job_text text;
    struct hosts_input input = {
        .resource = contract_text(&c->resource, &text),
        .variable = contract_variable,
        .hostname = hostname,
    };

    if (gethostname(hostname, sizeof(hostname)) != 0) {
        return fault_set(why, STATUS_OS, "this machine has no host name");
    }
    hostname[sizeof(hostname) - 1] = '\0';
    return hosts_make(&input, why, &c->hosts);
}

/* Where checkpoints are locally. "/opt/ml" at the front of a path that the
 * platform's contract gives stands for the base folder. */
static char *contract_checkpoints(const struct contract *c)
{
    static const char root[] = "/opt/ml";
    const char *path = c->job->checkpoint_path;

    if (path == NULL) {
        return NULL;
    }
    if (strncmp(path, root, sizeof(root) - 1) == 0 &&
        (path[sizeof(root) - 1] == '/' || path[sizeof(root) - 1] == '\0')) {
        return mem_print("%s%s", c->base, path + sizeof(root) - 1);
    }
    return mem_copy(path);
}

enum status contract_load_files(const struct options *options,
                                struct fault *why, struct contract *out)
{
    *out = (struct contract){0};
    contract_paths(out, options);
    return contract_read_all(out, options, why);
}

bool contract_has_files(const struct contract *c)
{
    return c->resource.is_there && c->channels.is_there &&
           c->hyperparameters.is_there;
}

enum status contract_load(const struct options *options, struct fault *why,
                          struct contract *out)
{
    enum status s = contract_load_files(options, why, out);

    if (s == STATUS_OK) {
        contract_forget_ours(out);
    }
    if (s == STATUS_OK) {
        s = contract_make_job(out, options, why);
    }
    if (s == STATUS_OK) {
        s = contract_make_hosts(out, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    out->checkpoints = contract_checkpoints(out);
    out->job_name = out->job->name != NULL ? out->job->name : "local";
    return STATUS_OK;
}

static void contract_file_fini(struct contract_file *file)
{
    free(file->path);
    buf_fini(&file->text);
}

void contract_fini(struct contract *c)
{
    contract_file_fini(&c->document);
    contract_file_fini(&c->init);
    contract_file_fini(&c->resource);
    contract_file_fini(&c->channels);
    contract_file_fini(&c->checkpoint);
    contract_file_fini(&c->hyperparameters);
    job_destroy(&c->job);
    hosts_fini(&c->hosts);
    free(c->base);
    free(c->config);
    free(c->data);
    free(c->model);
    free(c->output);
    free(c->checkpoints);
    *c = (struct contract){0};
}

uint32_t contract_ranks(const struct contract *c)
{
    uint64_t ranks = settings_number(&c->job->settings, SETTING_RANKS);
    uint32_t gpus;

    if (ranks > 0) {
        return (uint32_t)ranks;
    }
    if (c->hosts.local_ranks > 0) {
        return c->hosts.local_ranks;
    }
    gpus = machine_gpus();
    return gpus > 0 ? gpus : 1;
}

char *contract_state_uri(const struct contract *c)
{
    const char *state = settings_text(&c->job->settings, SETTING_STATE);
    const char *output = c->job->output_uri;
    const char *slash;

    if (state[0] != '\0') {
        slash = state[strlen(state) - 1] == '/' ? "" : "/";
        return mem_print("%s%s", state, slash);
    }
    if (output != NULL) {
        slash = output[strlen(output) - 1] == '/' ? "" : "/";
        return mem_print("%s%s%s/_smshard/", output, slash, c->job_name);
    }
    if (c->hosts.count == 1) {
        return mem_print("file://%s/.smshard/%s/", c->base, c->job_name);
    }
    return NULL;
}

enum status contract_check_runnable(const struct contract *c, struct fault *why)
{
    char *state = contract_state_uri(c);
    bool has_state = state != NULL;

    free(state);
    if (!has_state) {
        return fault_set(why, STATUS_INVALID,
                         "%u hosts have no place to meet; give "
                         "OutputDataConfig.S3OutputPath, --output or --state",
                         c->hosts.count);
    }
    if (c->hosts.count > 1 && c->job->name == NULL) {
        return fault_set(why, STATUS_INVALID,
                         "a job of %u hosts needs a name; give "
                         "TrainingJobName, TRAINING_JOB_NAME or --job-name",
                         c->hosts.count);
    }
    return job_check_served(c->job, why);
}
