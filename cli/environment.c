/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/machine.h"
#include "cli/own_files.h"
#include "proto/platform.h"

/* The names of the job's hosts as the contract lists them. */
static const char **environment_names(const struct hosts *hosts)
{
    const char **names = mem_new(hosts->count, sizeof(names[0]));

    for (uint32_t i = 0; i < hosts->count; i++) {
        names[i] = hosts->names[hosts->listed[i]];
    }
    return names;
}

static void environment_resource(const struct contract *c, struct buf *out)
{
    const struct hosts *hosts = &c->hosts;
    struct platform_group groups[HOSTS_GROUPS_MAX] = {{0}};
    const char **members[HOSTS_GROUPS_MAX] = {NULL};
    const char **names = environment_names(hosts);

    for (uint32_t i = 0; i < hosts->group_count; i++) {
        const struct hosts_group *from = &hosts->groups[i];

        members[i] = mem_new(from->host_count, sizeof(members[i][0]));
        for (uint32_t j = 0; j < from->host_count; j++) {
            members[i][j] = hosts->names[from->hosts[j]];
        }
        groups[i] = (struct platform_group){from->name, from->instance_type,
                                            members[i], from->host_count};
    }
    platform_write_resource(
        &(struct platform_resource){
            .current_host = hosts->names[hosts->current],
            .hosts = names,
            .host_count = hosts->count,
            .interface_name =
                hosts->interface != NULL ? hosts->interface : "eth0",
            .instance_type = hosts->instance_type,
            .group_name = hosts->group,
            .groups = groups,
            .group_count = hosts->group_count,
        },
        out);
    for (uint32_t i = 0; i < hosts->group_count; i++) {
        free(members[i]);
    }
    free(names);
}

static void environment_channels(const struct contract *c, struct buf *out)
{
    struct platform_channel rows[JOB_CHANNELS_MAX];

    for (uint32_t i = 0; i < c->job->channel_count; i++) {
        const struct job_channel *from = &c->job->channels[i];

        rows[i] = (struct platform_channel){
            .name = from->name,
            .mode = job_mode_name(from->mode),
            .distribution = job_distribution_name(from->distribution),
            .wrapper = job_wrapper_name(from->wrapper),
            .content_type = from->content_type,
        };
    }
    platform_write_channels(rows, c->job->channel_count, out);
}

/* The text of a file that is there, else what the platform would write. */
struct environment_texts {
    struct buf resource;
    struct buf channels;
    struct buf hyperparameters;
};

static enum status environment_make_texts(const struct contract *c,
                                          struct fault *why,
                                          struct environment_texts *out)
{
    *out = (struct environment_texts){0};
    if (c->resource.is_there) {
        buf_add_bytes(&out->resource, buf_bytes(&c->resource.text));
    } else {
        environment_resource(c, &out->resource);
    }
    if (c->channels.is_there) {
        buf_add_bytes(&out->channels, buf_bytes(&c->channels.text));
    } else {
        environment_channels(c, &out->channels);
    }
    if (c->hyperparameters.is_there) {
        buf_add_bytes(&out->hyperparameters,
                      buf_bytes(&c->hyperparameters.text));
        return STATUS_OK;
    }
    return platform_write_hyperparameters(c->job->hyperparameters, why,
                                          &out->hyperparameters);
}

static void environment_texts_fini(struct environment_texts *t)
{
    buf_fini(&t->resource);
    buf_fini(&t->channels);
    buf_fini(&t->hyperparameters);
}

/* The three texts, parsed. */
struct environment_docs {
    struct json_doc *resource;
    struct json_doc *channels;
    struct json_doc *hyperparameters;
};

static enum status environment_parse(const struct environment_texts *texts,
                                     struct fault *why,
                                     struct environment_docs *out)
{
    enum status s = json_parse(buf_bytes(&texts->resource),
                               "resourceconfig.json", why, &out->resource);

    if (s == STATUS_OK) {
        s = json_parse(buf_bytes(&texts->channels), "inputdataconfig.json", why,
                       &out->channels);
    }
    if (s == STATUS_OK) {
        s = json_parse(buf_bytes(&texts->hyperparameters),
                       "hyperparameters.json", why, &out->hyperparameters);
    }
    return s;
}

/* The container's own framework adds variables; NCCL_IB_DISABLE among them,
 * which would hurt where nobody has asked for that container. */
static enum toolkit_framework environment_framework(void)
{
    const char *module = getenv("SAGEMAKER_TRAINING_MODULE");

    return module != NULL && strstr(module, "pytorch") != NULL ? TOOLKIT_PYTORCH
                                                               : TOOLKIT_PLAIN;
}

static enum status environment_run(const struct contract *c,
                                   const struct environment_counts *counts,
                                   const struct environment_docs *docs,
                                   struct fault *why, struct environment *out)
{
    struct toolkit_input input = {
        .resource = json_root(docs->resource),
        .channels = json_root(docs->channels),
        .hyperparameters = json_root(docs->hyperparameters),
        .base_dir = c->base,
        .cpus = counts->cpus,
        .gpus = counts->gpus,
        .neurons = counts->neurons,
        .has_smddprun = machine_has_program("smddprun"),
        .has_smddpmprun = machine_has_program("smddpmprun"),
        .framework = environment_framework(),
        .job_name = c->job != NULL ? c->job->name : getenv("TRAINING_JOB_NAME"),
        .framework_module = getenv("SAGEMAKER_TRAINING_MODULE"),
        .program = getenv("SAGEMAKER_PROGRAM"),
        .region = getenv("AWS_DEFAULT_REGION"),
        .mp_parameters = getenv("SM_HP_MP_PARAMETERS"),
    };
    enum status s = toolkit_derive(&input, why, &out->toolkit);

    out->extra = env_list_new();
    if (s == STATUS_OK) {
        s = toolkit_derive_extra(&input, why, out->extra);
    }
    return s;
}

enum status environment_derive(const struct contract *c,
                               const struct environment_counts *counts,
                               struct fault *why, struct environment *out)
{
    struct environment_texts texts;
    struct environment_docs docs = {0};
    enum status s = environment_make_texts(c, why, &texts);

    *out = (struct environment){0};
    if (s == STATUS_OK) {
        s = environment_parse(&texts, why, &docs);
    }
    if (s == STATUS_OK) {
        s = environment_run(c, counts, &docs, why, out);
    }
    json_destroy(&docs.resource);
    json_destroy(&docs.channels);
    json_destroy(&docs.hyperparameters);
    environment_texts_fini(&texts);
    return s;
}

void environment_fini(struct environment *e)
{
    toolkit_fini(&e->toolkit);
    env_list_destroy(&e->extra);
}

static enum status environment_write(const struct contract *c,
                                     const struct contract_file *there,
                                     const char *name, struct bytes text,
                                     struct fault *why)
{
    char *path;
    enum status s;

    if (there->is_there) {
        return STATUS_OK;
    }
    path = mem_print("%s/%s", c->config, name);
    s = own_files_note(c->data, name, text, why);
    if (s == STATUS_OK) {
        s = file_write(path, text, false, why);
    }
    free(path);
    return s;
}

static enum status environment_write_texts(const struct contract *c,
                                           const struct environment_texts *t,
                                           struct fault *why)
{
    struct buf checkpoint = {0};
    enum status s = environment_write(c, &c->resource, "resourceconfig.json",
                                      buf_bytes(&t->resource), why);

    if (s == STATUS_OK) {
        s = environment_write(c, &c->channels, "inputdataconfig.json",
                              buf_bytes(&t->channels), why);
    }
    if (s == STATUS_OK) {
        s = environment_write(c, &c->hyperparameters, "hyperparameters.json",
                              buf_bytes(&t->hyperparameters), why);
    }
    if (s == STATUS_OK && c->checkpoints != NULL) {
        platform_write_checkpoint(c->checkpoints, &checkpoint);
        s = environment_write(c, &c->checkpoint, "checkpointconfig.json",
                              buf_bytes(&checkpoint), why);
    }
    buf_fini(&checkpoint);
    return s;
}

static enum status environment_make_folders(const struct contract *c,
                                            struct fault *why)
{
    char *output_data = mem_print("%s/data", c->output);
    const char *folders[] = {c->config, c->data, c->model, output_data,
                             c->checkpoints};
    enum status s = STATUS_OK;

    for (size_t i = 0;
         s == STATUS_OK && i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (folders[i] != NULL) {
            s = file_make_folder(folders[i], why);
        }
    }
    free(output_data);
    return s;
}

enum status environment_write_files(const struct contract *c, struct fault *why)
{
    struct environment_texts texts;
    enum status s = environment_make_texts(c, why, &texts);

    if (s == STATUS_OK) {
        s = environment_make_folders(c, why);
    }
    if (s == STATUS_OK) {
        s = environment_write_texts(c, &texts, why);
    }
    environment_texts_fini(&texts);
    return s;
}
