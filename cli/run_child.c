/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/environment.h"
#include "cli/machine.h"
#include "cli/run.h"

enum { RUN_VARIABLE_MAX = 128 << 10 }; /* MAX_ARG_STRLEN */

static enum status run_set(struct env_list *list, const char *name,
                           const char *value, struct fault *why)
{
    return env_list_set(list, bytes_of(name),
                        bytes_of(value != NULL ? value : ""), why);
}

static enum status run_set_number(struct env_list *list, const char *name,
                                  uint64_t value, struct fault *why)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    return run_set(list, name, text, why);
}

/* The document's Environment, for variables that nobody has set. */
static enum status run_set_job_environment(const struct run *r,
                                           struct env_list *list,
                                           struct fault *why)
{
    const struct json *map = r->contract.job->environment;
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < json_count(map); i++) {
        char *name =
            mem_copy_text(json_key_at(map, i).at, json_key_at(map, i).size);

        if (env_list_get(list, name) == NULL) {
            s = env_list_set(list, json_key_at(map, i),
                             json_string(json_at(map, i)), why);
        }
        free(name);
    }
    return s;
}

/* Our own variables. */
static enum status run_set_own(const struct run *r, struct env_list *list,
                               struct fault *why)
{
    const struct contract *c = &r->contract;
    char *output = mem_print("%s/data", c->output);
    const struct {
        const char *name;
        const char *value;
    } rows[] = {
        {"SMSHARD_HOST", r->host},
        {"SMSHARD_OUTPUT_DIR", output},
        {"SMSHARD_SOCKET", r->feed != NULL ? feed_path(r->feed) : NULL},
        {"SMSHARD_RING", run_streams_socket(&r->streams)},
        {"SMSHARD_CHECKPOINT_DIR", c->checkpoints},
        {"SMSHARD_OUTPUT_URI", r->output_uri},
        {"SMSHARD_CHECKPOINT_URI", r->checkpoint_uri},
    };
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < sizeof(rows) / sizeof(rows[0]);
         i++) {
        s = run_set(list, rows[i].name, rows[i].value, why);
    }
    if (s == STATUS_OK) {
        s = run_set_number(list, "SMSHARD_RANK", r->first_rank, why);
    }
    if (s == STATUS_OK) {
        s = run_set_number(list, "SMSHARD_LOCAL_RANKS", r->ranks, why);
    }
    if (s == STATUS_OK) {
        s = run_set_number(list, "SMSHARD_WORLD_SIZE", r->rank_count, why);
    }
    free(output);
    return s;
}

/* Everything together: ours over the toolkit's over what we were given. */
static enum status run_make_list(const struct run *r, struct env_list *list,
                                 struct fault *why)
{
    struct environment e = {0};
    struct environment_counts counts = {machine_cpus(), machine_gpus(), 0};
    enum status s = environment_derive(&r->contract, &counts, why, &e);

    if (s == STATUS_OK) {
        env_list_add_envp(list, environ);
        env_list_add(list, e.extra);
        env_list_add(list, e.toolkit.vars);
        s = run_set_job_environment(r, list, why);
    }
    if (s == STATUS_OK && r->contract.job->name != NULL) {
        s = run_set(list, "TRAINING_JOB_NAME", r->contract.job->name, why);
    }
    if (s == STATUS_OK) {
        s = run_set_own(r, list, why);
    }
    environment_fini(&e);
    return s;
}

/* Linux passes no longer variable to a command. Of a job of some 10,000 hosts
 * SM_HOSTS and what repeats it are longer; the files have it all. */
static void run_drop_too_long(struct env_list *list)
{
    for (size_t i = env_list_count(list); i > 0; i--) {
        const char *line = env_list_line(list, i - 1);
        char *name;

        if (strlen(line) < RUN_VARIABLE_MAX) {
            continue;
        }
        name = mem_copy_text(line, strcspn(line, "="));
        log_event(LOG_WARN, "variable.too_long", "name=%s bytes=%zu", name,
                  strlen(line));
        env_list_remove(list, name);
        free(name);
    }
}

enum status run_child_start(struct run *r, struct fault *why)
{
    struct env_list *list = env_list_new();
    enum status s = run_make_list(r, list, why);

    if (s == STATUS_OK) {
        run_drop_too_long(list);
        s = child_start(r->child, r->options.words, env_list_envp(list), why);
    }
    env_list_destroy(&list);
    return s;
}
