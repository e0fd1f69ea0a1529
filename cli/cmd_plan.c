/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/contract.h"
#include "cli/dealing.h"
#include "cli/plan.h"
#include "cli/resume.h"
#include "coordinator/synth.h"

static const struct option_row plan_rows[] = {
    {"hosts", "N", "plan for N hosts algo-1 to algo-N instead of the job's"},
    {"json", NULL, "print JSON"},
    {"objects", NULL, "list every key of every rank"},
    {"synthetic", "N", "deal N made-up objects instead of listing a source"},
    {"sizes", "KIND",
     "of made-up objects: equal, uniform, lognormal, zipf "
     "[lognormal]"},
    {"mean", "BYTES", "of made-up objects [1000000]"},
    {"keys", "SHAPE",
     "of made-up objects: numbered, dated, hashed "
     "[numbered]"},
    {"seed", "N", "of made-up objects [1]"},
    {NULL, NULL, NULL},
};

const struct command command_plan = {
    .name = "plan",
    .usage = "[FLAGS]",
    .summary = "show what every host and rank would read and write",
    .rows = plan_rows,
    .takes_job = true,
    .more = "It lists the sources and deals them as 'smshard run' would, and "
            "changes\nnothing. With --synthetic no source is needed:\n\n"
            "    smshard plan --synthetic 1000000 --hosts 64 --deal balanced\n",
    .run = plan_main,
};

/* Everything that a plan is made from. */
struct plan_work {
    struct options options;
    struct contract contract;
    struct hosts made; /* With --hosts. */
    struct hosts *hosts;
    uint32_t *ranks;
    uint32_t *weights;
    struct dealings dealings;
    struct cursor *resume;
    char *state_uri;
    struct job_channel channel; /* With --synthetic. */
};

static enum status plan_make_hosts(struct plan_work *w, struct fault *why)
{
    uint64_t count = 0;
    enum status s =
        options_number(&w->options, "hosts",
                       (struct options_range){1, HOSTS_MAX}, why, &count);

    w->hosts = &w->contract.hosts;
    if (s != STATUS_OK || count == 0) {
        return s;
    }
    w->made.count = (uint32_t)count;
    w->made.origin = "--hosts";
    w->made.names = mem_new(count, sizeof(w->made.names[0]));
    w->made.listed = mem_new(count, sizeof(w->made.listed[0]));
    for (uint32_t i = 0; i < w->made.count; i++) {
        w->made.names[i] = mem_print("algo-%u", i + 1);
        w->made.listed[i] = i;
    }
    w->hosts = &w->made;
    return STATUS_OK;
}

static void plan_make_ranks(struct plan_work *w)
{
    uint32_t ranks = contract_ranks(&w->contract);
    uint64_t weight =
        settings_number(&w->contract.job->settings, SETTING_WEIGHT);

    w->ranks = mem_new(w->hosts->count, sizeof(w->ranks[0]));
    w->weights = mem_new(w->hosts->count, sizeof(w->weights[0]));
    for (uint32_t i = 0; i < w->hosts->count; i++) {
        w->ranks[i] = ranks;
        w->weights[i] = (uint32_t)weight;
    }
}

static enum status plan_synth_options(const struct options *options,
                                      struct fault *why,
                                      struct synth_options *out)
{
    const struct options_range any = {0, UINT64_MAX / 2};
    const char *sizes = options_get(options, "sizes");
    const char *keys = options_get(options, "keys");
    enum status s = options_number(
        options, "synthetic", (struct options_range){0, CATALOG_OBJECTS_MAX},
        why, &out->count);

    if (s == STATUS_OK) {
        s = options_number(options, "mean", any, why, &out->mean_bytes);
    }
    if (s == STATUS_OK) {
        s = options_number(options, "seed", any, why, &out->seed);
    }
    if (s == STATUS_OK && sizes != NULL &&
        synth_parse_sizes(sizes, &out->sizes) != STATUS_OK) {
        s = fault_set(why, STATUS_USAGE,
                      "--sizes: '%s' is not one of equal, uniform, "
                      "lognormal, zipf",
                      sizes);
    }
    if (s == STATUS_OK && keys != NULL &&
        synth_parse_keys(keys, &out->keys) != STATUS_OK) {
        s = fault_set(why, STATUS_USAGE,
                      "--keys: '%s' is not one of numbered, dated, hashed",
                      keys);
    }
    return s;
}

/* Read a word given to a flag that job.c would read for a real channel. */
static enum status plan_synth_word(const struct options *options,
                                   const char *flag, const char *const *words,
                                   unsigned *value, struct fault *why)
{
    const char *text = options_get(options, flag);

    for (unsigned i = 0; text != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *value = i;
            return STATUS_OK;
        }
    }
    return text == NULL ? STATUS_OK
                        : fault_set(why, STATUS_USAGE,
                                    "--%s: '%s' is not known for --synthetic",
                                    flag, text);
}

/* One channel of made-up objects, dealt as the flags say. */
static enum status plan_synthesize(struct plan_work *w, struct fault *why)
{
    static const char *const deals[] = {"auto",    "sagemaker",  "balanced",
                                        "dynamic", "replicated", NULL};
    static const char *const evens[] = {"none", "pad", "drop", NULL};
    static char name[] = "synthetic";
    static char uri[] = "nowhere (made up)";
    struct synth_options synth = {
        .mean_bytes = 1000000, .seed = 1, .sizes = SYNTH_LOGNORMAL};
    struct dealing *d = &w->dealings.channels[0];
    unsigned deal = JOB_DEAL_SAGEMAKER;
    unsigned even = JOB_EVEN_NONE;
    enum status s = plan_synth_options(&w->options, why, &synth);

    if (s == STATUS_OK) {
        s = plan_synth_word(&w->options, "deal", deals, &deal, why);
    }
    if (s == STATUS_OK) {
        s = plan_synth_word(&w->options, "even", evens, &even, why);
    }
    if (s == STATUS_OK && deal == JOB_DEAL_DYNAMIC && even != JOB_EVEN_NONE) {
        s = fault_set(why, STATUS_USAGE,
                      "--even: made-up objects of --deal dynamic are read once "
                      "each; use none");
    }
    if (s == STATUS_OK) {
        s = synth_make(&synth, why, &d->listing.catalog);
    }
    if (s != STATUS_OK) {
        return s;
    }
    w->channel = (struct job_channel){
        .name = name,
        .uri = uri,
        .mode = JOB_RING,
        .distribution = JOB_SHARDED,
        .deal = (enum job_deal)deal,
        .even = (enum job_even)even,
        .may_split = deal != JOB_DEAL_DYNAMIC,
        .epochs = 1,
    };
    d->listing.root_uri = mem_copy(uri);
    d->channel = &w->channel;
    w->dealings.count = 1;
    return dealing_deal(d,
                        &(struct dealing_options){.hosts = w->hosts,
                                                  .ranks = w->ranks,
                                                  .weights = w->weights},
                        why);
}

static void plan_tell_progress(void *self, const struct job_channel *c,
                               uint64_t objects)
{
    (void)self;
    fprintf(stderr, "smshard: %s: %" PRIu64 " objects listed\n", c->name,
            objects);
}

static const char *plan_resume(const struct plan_work *w)
{
    return w->resume != NULL
               ? settings_text(&w->contract.job->settings, SETTING_RESUME)
               : NULL;
}

static enum status plan_work_do(struct plan_work *w, struct fault *why)
{
    enum status s = contract_load(&w->options, why, &w->contract);

    if (s == STATUS_OK) {
        s = plan_make_hosts(w, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    plan_make_ranks(w);
    w->state_uri = contract_state_uri(&w->contract);
    if (options_get(&w->options, "synthetic") != NULL) {
        return plan_synthesize(w, why);
    }
    s = job_check_served(w->contract.job, why);
    if (s == STATUS_OK) {
        s = resume_load(w->contract.job, NULL, why, &w->resume);
    }
    if (s != STATUS_OK) {
        return s;
    }
    return dealings_make(
        &(struct dealing_options){.job = w->contract.job,
                                  .hosts = w->hosts,
                                  .ranks = w->ranks,
                                  .weights = w->weights,
                                  .resume = w->resume,
                                  .resume_name = plan_resume(w),
                                  .state_uri = w->state_uri,
                                  .progress = plan_tell_progress},
        why, &w->dealings);
}

static void plan_print(struct plan_work *w)
{
    struct buf text = {0};
    struct plan plan = {
        .contract = &w->contract,
        .hosts = w->hosts,
        .ranks = w->ranks,
        .dealings = &w->dealings,
        .state_uri = w->state_uri,
        .resume = plan_resume(w),
        .with_objects = options_get(&w->options, "objects") != NULL,
    };

    if (options_get(&w->options, "json") != NULL) {
        plan_write_json(&plan, &text);
    } else {
        plan_write_text(&plan, &text);
    }
    fwrite(text.at, 1, text.size, stdout);
    buf_fini(&text);
}

int plan_main(int argc, char **argv)
{
    struct plan_work *w = mem_new(1, sizeof(*w));
    struct fault why = {.text = ""};
    enum status s = options_parse(&command_plan, argv + 1, &why, &w->options);

    (void)argc;
    if (s == STATUS_OK) {
        s = plan_work_do(w, &why);
    }
    if (s == STATUS_OK) {
        plan_print(w);
    }
    dealings_fini(&w->dealings);
    hosts_fini(&w->made);
    cursor_destroy(&w->resume);
    free(w->state_uri);
    free(w->ranks);
    free(w->weights);
    contract_fini(&w->contract);
    options_fini(&w->options);
    free(w);
    return s == STATUS_OK ? 0 : command_fail(s, &why);
}
