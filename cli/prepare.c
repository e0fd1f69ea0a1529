/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prepare.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/claims.h"
#include "cli/dealing.h"
#include "cli/resume.h"
#include "cli/share.h"
#include "store/store.h"
#include "store/store_stop.h"
#include "store/store_sync.h"

struct prepare {
    struct prepare_options options;
    int fd;
    atomic_bool stop;
    pthread_t thread;
    bool is_joined;

    /* The thread's until it is joined, then the owner's. */
    struct dealings dealings;
    struct buf state_prefix; /* What every key of the state starts with. */
    struct wire_share_all *shares;
    struct dealt dealt;
    struct dealt_copy *copy; /* Loaded: then it counts. */
    struct dealing_options dealing;
    struct cursor *resume;
    char **texts; /* What the shares' views point to. */
    size_t text_count;
    uint64_t rank_count;
    enum status status;
    struct fault why;
};

static struct bytes prepare_keep(struct prepare *p, char *text)
{
    p->texts = mem_grow(p->texts, p->text_count + 1, sizeof(p->texts[0]));
    p->texts[p->text_count++] = text;
    return bytes_of(text);
}

static void prepare_log_progress(void *self, const struct job_channel *c,
                                 uint64_t objects)
{
    (void)self;
    log_event(LOG_INFO, "listing.progress", "channel=%s objects=%" PRIu64,
              c->name, objects);
}

/* A URI and a folder below it, with one slash between. */
static char *prepare_join_uri(const char *uri, const char *rest)
{
    size_t size = strlen(uri);
    const char *slash = size > 0 && uri[size - 1] == '/' ? "" : "/";

    return mem_print("%s%s%s", uri, slash, rest);
}

/* A host deals for itself what is streamed, from what all of it was dealt
 * from: each epoch has another order. */
static enum status prepare_stream(struct prepare *p, struct store *state,
                                  const struct dealing *d,
                                  struct wire_share *out)
{
    out->share = out->catalog;
    out->positions = d->positions;
    if (d->left == NULL) {
        return STATUS_OK;
    }
    out->share =
        prepare_keep(p, mem_print("%sshares/%s", buf_text(&p->state_prefix),
                                  catalog_name(d->left)));
    return share_write(state, out->share.at, d->left, &p->why);
}

/* The share of the deal's host @i, written to the store and described. */
static enum status prepare_share(struct prepare *p, struct store *state,
                                 const struct dealing *d, uint32_t i,
                                 struct wire_share *out)
{
    struct deal_sum sum = {0, 0};
    struct catalog *share = NULL;
    enum status s;

    if (!d->is_dynamic) {
        sum = deal_host_sum(d->deal, i);
    }
    *out = (struct wire_share){
        .channel = bytes_of(d->channel->name),
        .root_uri = bytes_of(d->listing.root_uri),
        .prefix = buf_bytes(&d->listing.prefix),
        .named_by =
            bytes_of(d->listing.named_by != NULL ? d->listing.named_by : ""),
        .units = sum.units,
        .bytes = sum.bytes,
        .number = p->dealt.channel_count,
        .is_dynamic = d->is_dynamic,
        .positions = d->is_dynamic ? d->positions : 0,
    };
    out->catalog =
        prepare_keep(p, mem_print("%scatalog/%s", buf_text(&p->state_prefix),
                                  catalog_name(d->listing.catalog)));
    if (d->is_dynamic) {
        out->share = out->catalog;
        return STATUS_OK;
    }
    if (job_channel_is_stream(d->channel)) {
        return prepare_stream(p, state, d, out);
    }
    if (d->left == NULL && sum.units == catalog_count(d->listing.catalog) &&
        sum.bytes == catalog_bytes(d->listing.catalog)) {
        out->share = out->catalog;
        return STATUS_OK;
    }
    s = share_of_host(dealing_catalog(d), d->deal, i, &p->why, &share);
    if (s == STATUS_OK) {
        out->share =
            prepare_keep(p, mem_print("%sshares/%s", buf_text(&p->state_prefix),
                                      catalog_name(share)));
        s = share_write(state, (const char *)out->share.at, share, &p->why);
    }
    catalog_destroy(&share);
    return s;
}

static void prepare_log_dealt(const struct dealing *d)
{
    const struct catalog *catalog = d->listing.catalog;

    if (d->base != NULL) {
        log_event(LOG_INFO, "channel.resumed",
                  "channel=%s epoch=%" PRIu64 " committed=%" PRIu64
                  " tried-again=%" PRIu64 " is-done=%s",
                  d->channel->name, d->first_epoch, ranges_size(d->base),
                  d->tried_again, dealing_is_done(d) ? "yes" : "no");
    }
    if (d->deal == NULL) {
        log_event(LOG_INFO, "channel.dealt",
                  "channel=%s objects=%" PRIu64 " bytes=%" PRIu64
                  " hosts=%u deal=dynamic",
                  d->channel->name, catalog_count(catalog),
                  catalog_bytes(catalog), d->host_count);
        return;
    }
    log_event(LOG_INFO, "channel.dealt",
              "channel=%s objects=%" PRIu64 " bytes=%" PRIu64
              " hosts=%u deal=%s skew=%.3f dropped=%" PRIu64 " padded=%" PRIu64,
              d->channel->name, catalog_count(catalog), catalog_bytes(catalog),
              d->host_count, job_deal_name(job_channel_deal(d->channel)),
              deal_skew(d->deal), deal_dropped(d->deal), deal_padded(d->deal));
}

/* What the units of an augmented manifest are made of, beside its catalog. */
static enum status prepare_recipes(struct prepare *p, struct store *state,
                                   const struct dealing *d, const char *key)
{
    char *at;
    enum status s;

    if (d->channel->source != JOB_SOURCE_AUGMENTED) {
        return STATUS_OK;
    }
    at = share_recipes_key(bytes_of(key));
    s = store_sync_put(state,
                       &(struct store_sync_put){at,
                                                buf_bytes(&d->listing.recipes),
                                                STORE_ALWAYS, NULL},
                       &p->why);
    free(at);
    return s;
}

static enum status prepare_channel(struct prepare *p, struct store *state,
                                   struct dealing *d)
{
    const struct catalog *catalog = d->listing.catalog;
    char *key = mem_print("%scatalog/%s", buf_text(&p->state_prefix),
                          catalog_name(catalog));
    enum status s = share_write(state, key, catalog, &p->why);

    if (s == STATUS_OK) {
        s = prepare_recipes(p, state, d, key);
    }
    free(key);
    prepare_log_dealt(d);
    dealing_fill(d, &p->dealing, &p->dealt.channels[p->dealt.channel_count]);
    for (uint32_t i = 0; s == STATUS_OK && i < d->host_count; i++) {
        struct wire_share_all *all = &p->shares[d->numbers[i]];

        s = prepare_share(p, state, d, i, &all->shares[all->share_count]);
        all->share_count++;
    }
    p->dealt.channel_count++;
    return s == STATUS_OK
               ? s
               : fault_prefix(&p->why, s, "channel %s", d->channel->name);
}

static enum status prepare_open_state(struct prepare *p, struct store **out)
{
    enum status s;

    buf_clear(&p->state_prefix);
    s = store_open(p->options.state_uri, STORE_WRITE, &p->why, out,
                   &p->state_prefix);
    if (s == STATUS_OK) {
        store_set_stop(*out, &p->stop);
    }
    return s;
}

static enum status prepare_channels(struct prepare *p)
{
    struct store *state = NULL;
    enum status s = prepare_open_state(p, &state);

    for (uint32_t i = 0; s == STATUS_OK && i < p->dealings.count; i++) {
        s = prepare_channel(p, state, &p->dealings.channels[i]);
    }
    store_close(&state);
    return s;
}

static enum status prepare_deal(struct prepare *p)
{
    const struct job *job = p->options.contract->job;
    enum status s = resume_load(job, &p->stop, &p->why, &p->resume);

    p->dealing = (struct dealing_options){
        .job = job,
        .hosts = &p->options.contract->hosts,
        .ranks = p->options.ranks,
        .weights = p->options.weights,
        .resume = p->resume,
        .resume_name = settings_text(&job->settings, SETTING_RESUME),
        .state_uri = p->options.state_uri,
        .progress = prepare_log_progress,
        .stop = &p->stop,
    };
    return s == STATUS_OK ? dealings_make(&p->dealing, &p->why, &p->dealings)
                          : s;
}

/* One kind of write prefix: a folder for each host below @uri. */
struct prepare_prefix {
    const char *uri;
    const char *claims; /* URI of the folder that holds their claims. */
    const char *what;
    bool is_checkpoint;
};

/* Tell each host its own folder. */
static void prepare_assign(struct prepare *p, const struct prepare_prefix *x)
{
    const struct contract *c = p->options.contract;

    for (uint32_t i = 0; i < c->hosts.count; i++) {
        char *folder = mem_print("%s/", c->hosts.names[i]);
        struct bytes full = prepare_keep(p, prepare_join_uri(x->uri, folder));

        if (x->is_checkpoint) {
            p->shares[i].checkpoint = full;
        } else {
            p->shares[i].output = full;
        }
        free(folder);
    }
}

static enum status prepare_claim(struct prepare *p,
                                 const struct prepare_prefix *x)
{
    const struct contract *c = p->options.contract;
    struct claim mine = {
        .term = p->options.term,
        .wall_ms = clock_wall_ms(&clock_os),
    };

    snprintf(mine.job, sizeof(mine.job), "%s", c->job_name);
    snprintf(mine.run, sizeof(mine.run), "%s", p->options.run);
    snprintf(mine.state_uri, sizeof(mine.state_uri), "%s",
             p->options.state_uri);
    prepare_assign(p, x);
    return claims_take(
        &(struct claims_options){
            .uri = x->uri,
            .folder = x->claims,
            .what = x->what,
            .hosts = (const char *const *)c->hosts.names,
            .attempts = p->options.attempts,
            .host_count = c->hosts.count,
            .mine = &mine,
            .stop = &p->stop,
        },
        &p->why);
}

/* `<uri>/<job>/<rest>`, kept with the prepare. */
static const char *prepare_job_uri(struct prepare *p, const char *uri,
                                   const char *rest)
{
    char *below = mem_print("%s/%s", p->options.contract->job_name, rest);
    char *full = prepare_join_uri(uri, below);

    free(below);
    return prepare_keep(p, full).at;
}

static enum status prepare_claims(struct prepare *p)
{
    const struct job *job = p->options.contract->job;
    enum status s = STATUS_OK;

    if (job->output_uri != NULL) {
        s = prepare_claim(p,
                          &(struct prepare_prefix){
                              prepare_job_uri(p, job->output_uri, "output/"),
                              prepare_job_uri(p, job->output_uri, "_smshard/"),
                              "OutputDataConfig.S3OutputPath", false});
    }
    if (s == STATUS_OK && job->checkpoint_uri != NULL) {
        char *claims = prepare_join_uri(job->checkpoint_uri, "_smshard/");

        s = prepare_claim(
            p, &(struct prepare_prefix){job->checkpoint_uri,
                                        prepare_keep(p, claims).at,
                                        "CheckpointConfig.S3Uri", true});
    }
    return s;
}

/* Tell each host which ranks of the job are its own. */
static void prepare_number_ranks(struct prepare *p)
{
    uint32_t count = p->options.contract->hosts.count;
    uint64_t ranks = 0;

    for (uint32_t i = 0; i < count; i++) {
        p->shares[i].first_rank = ranks;
        ranks += p->options.ranks[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        p->shares[i].rank_count = ranks;
    }
    p->rank_count = ranks;
}

/* ---- What was dealt, kept -------------------------------------------------
 */

enum { PREPARE_DEALT_MAX = 512 << 20 };

static enum status prepare_load(struct prepare *p, struct store *state,
                                const char *key)
{
    struct buf text = {0};
    enum status s = store_sync_get(
        state, &(struct store_sync_get){key, PREPARE_DEALT_MAX, NULL}, &p->why,
        &text);

    if (s == STATUS_OK) {
        s = dealt_read(buf_bytes(&text), p->options.run, &p->why, &p->copy);
        if (s != STATUS_OK) {
            s = fault_prefix(&p->why, s, "%s", key);
        }
    }
    buf_fini(&text);
    return s;
}

static enum status prepare_keep_dealt(struct prepare *p, struct store *state,
                                      const char *key)
{
    struct buf text = {0};
    enum status s;

    p->dealt.host_count = p->options.contract->hosts.count;
    p->dealt.ranks = p->options.ranks;
    p->dealt.weights = p->options.weights;
    p->dealt.shares = p->shares;
    dealt_write(&p->dealt, p->options.run, &text);
    s = store_sync_put(
        state,
        &(struct store_sync_put){
            key, buf_bytes(&text),
            p->options.has_conditions ? STORE_IF_ABSENT : STORE_ALWAYS, NULL},
        &p->why);
    buf_fini(&text);
    return s == STATUS_EXISTS ? prepare_load(p, state, key) : s;
}

static enum status prepare_settle(struct prepare *p)
{
    struct store *state = NULL;
    enum status s = prepare_open_state(p, &state);
    char *key;

    key = mem_print("%sruns/%s/dealt", buf_text(&p->state_prefix),
                    p->options.run);
    if (s == STATUS_OK) {
        s = p->options.is_load ? prepare_load(p, state, key)
                               : prepare_keep_dealt(p, state, key);
    }
    free(key);
    store_close(&state);
    return s;
}

static enum status prepare_make(struct prepare *p)
{
    enum status s;

    prepare_number_ranks(p);
    s = prepare_claims(p);
    if (s == STATUS_OK) {
        s = prepare_deal(p);
    }
    return s == STATUS_OK ? prepare_channels(p) : s;
}

static void *prepare_main(void *self)
{
    struct prepare *p = self;
    uint64_t one = 1;

    p->status = p->options.is_load ? STATUS_OK : prepare_make(p);
    if (p->status == STATUS_OK) {
        p->status = prepare_settle(p);
    }
    CHECK(write(p->fd, &one, sizeof(one)) == sizeof(one));
    return NULL;
}

enum status prepare_start(const struct prepare_options *options,
                          struct fault *why, struct prepare **out)
{
    struct prepare *p = mem_new(1, sizeof(*p));

    p->options = *options;
    p->shares = mem_new(options->contract->hosts.count, sizeof(p->shares[0]));
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->is_joined = true;
    *out = p;
    if (p->fd < 0 || pthread_create(&p->thread, NULL, prepare_main, p) != 0) {
        return fault_set(why, STATUS_OS, "no thread to list and deal with");
    }
    p->is_joined = false;
    return STATUS_OK;
}

int prepare_fd(const struct prepare *p)
{
    return p->fd;
}

enum status prepare_join(struct prepare *p, struct fault *why)
{
    if (!p->is_joined) {
        CHECK(pthread_join(p->thread, NULL) == 0);
        p->is_joined = true;
    }
    if (p->status != STATUS_OK) {
        *why = p->why;
    }
    return p->status;
}

const struct dealt *prepare_dealt(const struct prepare *p)
{
    CHECK(p->is_joined && p->status == STATUS_OK);
    return p->copy != NULL ? dealt_of(p->copy) : &p->dealt;
}

void prepare_destroy(struct prepare **p)
{
    struct prepare *old = *p;

    if (old == NULL) {
        return;
    }
    atomic_store(&old->stop, true);
    if (!old->is_joined) {
        CHECK(pthread_join(old->thread, NULL) == 0);
    }
    if (old->fd >= 0) {
        close(old->fd);
    }
    dealings_fini(&old->dealings);
    dealt_destroy(&old->copy);
    cursor_destroy(&old->resume);
    for (size_t i = 0; i < old->text_count; i++) {
        free(old->texts[i]);
    }
    free(old->texts);
    buf_fini(&old->state_prefix);
    free(old->shares);
    free(old->options.ranks);
    free(old->options.weights);
    free(old->options.attempts);
    free(old);
    *p = NULL;
}
