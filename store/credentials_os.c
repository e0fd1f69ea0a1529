/* SPDX-License-Identifier: Apache-2.0 */
/* The holder. All fetches run on one thread, made when the first is needed;
 * askers only mark what they want and, where what there is no longer serves,
 * wait for the attempt that is under way. So however many ask, there is one
 * fetch, and a slow provider delays nobody before it has to. Nobody is woken
 * by time: who asks looks at the clock. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/credentials_fetch.h"
#include "store/credentials_holder.h"
#include "store/credentials_refresh.h"

enum {
    HOLDER_PAUSE_MS = 100,
    HOLDER_PROCESS_MS = 60 * 1000,
    HOLDER_AGAIN_MS = 1000, /* Asked again so soon, a failure stands. */
    HOLDER_TAIL = 4,        /* Letters of an access key that are shown. */
};

struct credentials_holder {
    const struct aws_config *config;
    const struct clock *clock;
    struct credentials_fetcher fetcher; /* The thread's, once it runs. */
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t work;    /* For the thread. */
    pthread_cond_t changed; /* For those who wait for an attempt. */
    struct {
        bool has_chain;
        bool has_thread;
        bool is_stopping;
        bool is_wanted; /* A fetch, from now on. */
        bool is_busy;   /* One runs. */
        struct credentials_chain chain;
        uint64_t attempts; /* That have ended. */
        enum status status;
        struct fault why;       /* Of the last attempt, if it failed. */
        uint64_t failed_ms;     /* When, monotonic; 0: it did not. */
        uint32_t pause_ms;      /* How long to leave it then. */
        struct credentials now; /* Generation 0: none yet. */
        struct credentials_times times;
    } locked;
};

static void holder_lock(struct credentials_holder *h)
{
    CHECK(pthread_mutex_lock(&h->lock) == 0);
}

static void holder_unlock(struct credentials_holder *h)
{
    CHECK(pthread_mutex_unlock(&h->lock) == 0);
}

/* Wait for @ms of the fetcher's pause, or until all ends. */
static bool holder_pause(void *self, uint32_t ms)
{
    struct credentials_holder *h = self;
    struct timespec until;
    bool may_go_on;
    int error = 0;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    holder_lock(h);
    while (ms > 0 && !h->locked.is_stopping && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&h->work, &h->lock, &until);
    }
    may_go_on = !h->locked.is_stopping;
    holder_unlock(h);
    return may_go_on;
}

/* ---- Making and ending. */

static void holder_make_conditions(struct credentials_holder *h)
{
    pthread_condattr_t monotonic;

    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_mutex_init(&h->lock, NULL) == 0);
    CHECK(pthread_cond_init(&h->work, &monotonic) == 0);
    CHECK(pthread_cond_init(&h->changed, NULL) == 0);
    pthread_condattr_destroy(&monotonic);
}

struct credentials_holder *credentials_holder_new_with(
    const struct aws_config *config, const struct credentials_options *options)
{
    struct credentials_holder *h = mem_new(1, sizeof(*h));

    h->config = config;
    h->clock = options->clock;
    h->fetcher = (struct credentials_fetcher){
        .config = config,
        .clock = options->clock,
        .pause_ms = options->pause_ms,
        .answer_ms = options->answer_ms,
        .process_ms = options->process_ms != 0 ? options->process_ms
                                               : (uint32_t)HOLDER_PROCESS_MS,
        .wait = holder_pause,
        .wait_self = h,
    };
    prng_init(&h->fetcher.prng, options->seed);
    holder_make_conditions(h);
    return h;
}

struct credentials_holder *credentials_holder_new(
    const struct aws_config *config)
{
    struct credentials_options options = {.clock = &clock_os,
                                          .pause_ms = HOLDER_PAUSE_MS};

    hash_random(&options.seed, sizeof(options.seed));
    return credentials_holder_new_with(config, &options);
}

void credentials_holder_destroy(struct credentials_holder **h)
{
    if (*h == NULL) {
        return;
    }
    holder_lock(*h);
    (*h)->locked.is_stopping = true;
    CHECK(pthread_cond_broadcast(&(*h)->work) == 0);
    holder_unlock(*h);
    if ((*h)->locked.has_thread) {
        CHECK(pthread_join((*h)->thread, NULL) == 0);
    }
    pthread_cond_destroy(&(*h)->work);
    pthread_cond_destroy(&(*h)->changed);
    pthread_mutex_destroy(&(*h)->lock);
    explicit_bzero(*h, sizeof(**h));
    free(*h);
    *h = NULL;
}

/* ---- What an attempt gave. */

/* Whether asking again before the end may give newer ones. */
static bool holder_is_renewable(const struct credentials_chain *chain,
                                const struct credentials *got)
{
    return !credentials_chain_is_constant(chain) &&
           (got->expires_ms != 0 || chain->kind == CREDENTIALS_CONTAINER ||
            chain->kind == CREDENTIALS_IMDS);
}

static void holder_keep_locked(struct credentials_holder *h,
                               const struct credentials *got)
{
    const struct credentials_chain *chain = &h->locked.chain;
    uint64_t generation = h->locked.now.generation + 1;
    size_t size = strlen(got->access_key);
    char quoted[2 * CREDENTIALS_NAME_MAX];

    h->locked.now = *got;
    h->locked.now.generation = generation;
    h->locked.failed_ms = 0;
    if (!holder_is_renewable(chain, got)) {
        h->locked.times = (struct credentials_times){
            UINT64_MAX, got->expires_ms != 0 ? got->expires_ms : UINT64_MAX};
    } else {
        credentials_refresh_plan(clock_wall_ms(h->clock), got->expires_ms,
                                 &h->fetcher.prng, &h->locked.times);
    }
    /* Of a short access key the last letters would be all of it. */
    log_event(LOG_INFO, "credentials.got", "from=%s key=...%s generation=%llu",
              log_quote(chain->name, quoted, sizeof(quoted)),
              size >= 4 * HOLDER_TAIL ? got->access_key + size - HOLDER_TAIL
                                      : "",
              (unsigned long long)generation);
}

/* Instance metadata that does not answer leaves us what we have: S3 decides
 * whether it still counts. */
static bool holder_extend_locked(struct credentials_holder *h)
{
    uint64_t wall_ms = clock_wall_ms(h->clock);

    if (h->locked.now.generation == 0 ||
        !credentials_chain_is_imds(&h->locked.chain) ||
        credentials_refresh_age(&h->locked.times, wall_ms) !=
            CREDENTIALS_MANDATORY) {
        return false;
    }
    h->locked.now.expires_ms =
        credentials_refresh_extend(wall_ms, &h->fetcher.prng);
    credentials_refresh_plan(wall_ms, h->locked.now.expires_ms,
                             &h->fetcher.prng, &h->locked.times);
    return true;
}

static void holder_fail_locked(struct credentials_holder *h, enum status s,
                               const struct fault *why)
{
    char quoted[FAULT_TEXT_MAX + 64];

    h->locked.status = s;
    h->locked.why = *why;
    h->locked.failed_ms = clock_now_ms(h->clock) + 1;
    h->locked.pause_ms = credentials_refresh_pause_ms(&h->fetcher.prng);
    if (h->locked.now.generation > 0) {
        bool is_extended = holder_extend_locked(h);

        log_event(LOG_WARN, "credentials.refresh_failed",
                  "until_ms=%llu extended=%s why=%s",
                  (unsigned long long)h->locked.now.expires_ms,
                  is_extended ? "yes" : "no",
                  log_quote(why->text, quoted, sizeof(quoted)));
    }
}

static void holder_end_locked(struct credentials_holder *h, enum status s,
                              const struct fault *why, struct credentials *got)
{
    if (s == STATUS_OK) {
        holder_keep_locked(h, got);
    } else {
        holder_fail_locked(h, s, why);
    }
    credentials_wipe(got);
    h->locked.status = s;
    h->locked.attempts++;
}

static void *holder_run(void *self)
{
    struct credentials_holder *h = self;

    holder_lock(h);
    while (!h->locked.is_stopping) {
        struct credentials got;
        struct fault why = {""};
        enum status s;

        if (!h->locked.is_wanted) {
            CHECK(pthread_cond_wait(&h->work, &h->lock) == 0);
            continue;
        }
        h->locked.is_wanted = false;
        h->locked.is_busy = true;
        holder_unlock(h);
        s = credentials_fetch(&h->fetcher, &h->locked.chain, &why, &got);
        holder_lock(h);
        holder_end_locked(h, s, &why, &got);
        h->locked.is_busy = false;
        CHECK(pthread_cond_broadcast(&h->changed) == 0);
    }
    holder_unlock(h);
    return NULL;
}

/* ---- What askers do. */

/* The signals of the process are for its first thread. */
static enum status holder_start_locked(struct credentials_holder *h,
                                       struct fault *why)
{
    sigset_t all;
    sigset_t before;
    int error;

    if (h->locked.has_thread) {
        return STATUS_OK;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&h->thread, NULL, holder_run, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return fault_set(why, STATUS_OS,
                         "credentials: start the thread that fetches them: %s",
                         strerror(error));
    }
    h->locked.has_thread = true;
    return STATUS_OK;
}

/* Constant ones need no thread: they are there at once. */
static void holder_fetch_constant_locked(struct credentials_holder *h)
{
    struct credentials got;
    struct fault why = {""};
    enum status s =
        credentials_fetch(&h->fetcher, &h->locked.chain, &why, &got);

    holder_end_locked(h, s, &why, &got);
}

/* See that an attempt runs or is about to. */
static enum status holder_want_locked(struct credentials_holder *h,
                                      struct fault *why)
{
    enum status s;

    if (h->locked.is_busy || h->locked.is_wanted) {
        return STATUS_OK;
    }
    s = holder_start_locked(h, why);
    if (s == STATUS_OK) {
        h->locked.is_wanted = true;
        CHECK(pthread_cond_signal(&h->work) == 0);
    }
    return s;
}

static enum status holder_prepare_locked(struct credentials_holder *h,
                                         struct fault *why)
{
    enum status s;

    if (h->locked.has_chain) {
        return STATUS_OK;
    }
    s = credentials_chain_find(h->config, why, &h->locked.chain);
    h->locked.has_chain = s == STATUS_OK;
    return s;
}

/* Whether the last attempt failed less than @ms ago. */
static bool holder_has_failed_locked(const struct credentials_holder *h,
                                     uint32_t ms)
{
    return h->locked.failed_ms != 0 &&
           clock_now_ms(h->clock) + 1 < h->locked.failed_ms + ms;
}

static enum status holder_failure_locked(const struct credentials_holder *h,
                                         struct fault *why)
{
    return fault_set(why, h->locked.status, "%s", h->locked.why.text);
}

static enum credentials_age holder_age_locked(
    const struct credentials_holder *h)
{
    return h->locked.now.generation == 0
               ? CREDENTIALS_MANDATORY
               : credentials_refresh_age(&h->locked.times,
                                         clock_wall_ms(h->clock));
}

/* Wait for the end of one attempt. */
static enum status holder_attempt_locked(struct credentials_holder *h,
                                         struct fault *why)
{
    uint64_t attempts = h->locked.attempts;
    enum status s;

    if (!h->locked.is_busy && holder_has_failed_locked(h, HOLDER_AGAIN_MS)) {
        return holder_failure_locked(h, why);
    }
    if (credentials_chain_is_constant(&h->locked.chain)) {
        holder_fetch_constant_locked(h);
    } else {
        s = holder_want_locked(h, why);
        if (s != STATUS_OK) {
            return s;
        }
    }
    while (h->locked.attempts == attempts) {
        CHECK(pthread_cond_wait(&h->changed, &h->lock) == 0);
    }
    return h->locked.status == STATUS_OK ? STATUS_OK
                                         : holder_failure_locked(h, why);
}

static bool holder_is_valid_locked(const struct credentials_holder *h)
{
    return h->locked.now.generation > 0 &&
           h->locked.now.expires_ms > clock_wall_ms(h->clock);
}

static enum status holder_get_locked(struct credentials_holder *h,
                                     struct fault *why)
{
    enum status s = holder_prepare_locked(h, why);
    struct fault ignored;

    if (s != STATUS_OK) {
        return s;
    }
    switch (holder_age_locked(h)) {
    case CREDENTIALS_FRESH:
        return STATUS_OK;
    case CREDENTIALS_ADVISORY:
        /* What there is still serves, so that no failure counts. */
        if (!holder_has_failed_locked(h, h->locked.pause_ms) &&
            holder_want_locked(h, &ignored) != STATUS_OK) {
            h->locked.failed_ms = clock_now_ms(h->clock) + 1;
        }
        return STATUS_OK;
    case CREDENTIALS_MANDATORY:
        break;
    }
    s = holder_attempt_locked(h, why);
    /* Extended ones serve, though the attempt has failed; so do others until
     * they have expired. */
    return holder_age_locked(h) == CREDENTIALS_MANDATORY &&
                   !holder_is_valid_locked(h)
               ? s
               : STATUS_OK;
}

enum status credentials_get(struct credentials_holder *h, struct fault *why,
                            struct credentials *out)
{
    enum status s;

    holder_lock(h);
    s = holder_get_locked(h, why);
    if (s == STATUS_OK) {
        credentials_copy(out, &h->locked.now);
    } else {
        memset(out, 0, sizeof(*out));
    }
    holder_unlock(h);
    return s;
}

static enum status holder_renew_locked(struct credentials_holder *h,
                                       uint64_t generation, struct fault *why)
{
    if (h->locked.now.generation != generation || generation == 0) {
        return holder_get_locked(h, why);
    }
    if (credentials_chain_is_constant(&h->locked.chain)) {
        return fault_set(why, STATUS_DENIED,
                         "%s: the server says that the credentials have "
                         "expired, and there are no newer ones: set new ones "
                         "and start again",
                         h->locked.chain.name);
    }
    return holder_attempt_locked(h, why);
}

enum status credentials_renew(struct credentials_holder *h, uint64_t generation,
                              struct fault *why, struct credentials *out)
{
    enum status s;

    holder_lock(h);
    s = holder_renew_locked(h, generation, why);
    if (s == STATUS_OK) {
        credentials_copy(out, &h->locked.now);
    } else {
        memset(out, 0, sizeof(*out));
    }
    holder_unlock(h);
    return s;
}

void credentials_holder_settle(struct credentials_holder *h)
{
    holder_lock(h);
    while (h->locked.is_busy || h->locked.is_wanted) {
        CHECK(pthread_cond_wait(&h->changed, &h->lock) == 0);
    }
    holder_unlock(h);
}

enum status credentials_imds_region(const struct aws_config *config,
                                    struct fault *why, char out[64])
{
    struct credentials_fetcher f = {.config = config, .clock = &clock_os};
    struct fault told = {""};
    enum status s;

    out[0] = '\0';
    if (credentials_is_on(
            aws_config_env(config, "AWS_EC2_METADATA_DISABLED"))) {
        return fault_set(why, STATUS_NOT_FOUND,
                         "instance metadata: AWS_EC2_METADATA_DISABLED is "
                         "true: set AWS_REGION");
    }
    s = credentials_fetch_region(&f, &told, out);
    return s == STATUS_OK ? s : fault_set(why, s, "%s", told.text);
}
