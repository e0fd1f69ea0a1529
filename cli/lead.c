/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lead.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/host_keys.h"
#include "cli/old_runs.h"
#include "cli/prepare.h"
#include "cli/store_queue.h"
#include "coordinator/reign.h"
#include "proto/wire.h"

enum {
    LEAD_DRAIN_MAX = 1024,
    LEAD_GAP_PART = 20, /* Of a heartbeat, between writes of the journal. */
    LEAD_GAP_MAX_MS = 200,
    LEAD_LOOK_PART = 8,
    LEAD_LOOK_MIN_MS = 50,
    LEAD_BROKEN_BEATS = 3,          /* So long the others are told why. */
    LEAD_RUN_BEATS = 5,             /* What a lease aims at. */
    LEAD_SNAPSHOT_BYTES = 16 << 10, /* Of journal, and for each host, */
    LEAD_SNAPSHOT_HOST_BYTES = 512, /* so many more. */
    LEAD_PATIENCE = 10, /* How many host timeouts it waits for the store when
                           only the job's end is left to write. */
};

struct lead {
    struct lead_options options;
    struct term_lease lease;
    int end_fd;  /* The thread has ended. */
    int stop_fd; /* It shall. */
    atomic_bool stop;
    bool has_thread;
    pthread_t thread;

    /* The thread's until it has ended. */
    struct host_keys_watch *watch; /* Admits the hosts' keys. */
    struct reign *reign;
    enum reign_state state;
    struct store_queue *queue;
    struct old_runs *old_runs; /* The queue's, once SERVING. */
    struct prepare *prepare;   /* Under way; */
    bool *is_lost;             /* By host: what was last told of it. */
    struct prepare *made;      /* done, and what it dealt is in use. */
    bool is_load;
    bool is_over;
    uint64_t broken_ms;  /* BROKEN: until when that is told. */
    uint64_t all_out_ms; /* Since when every host has ended; 0: not yet. */
    uint64_t timer_ms;
    struct buf encoded;
    enum status status;
    struct fault why;
};

static uint64_t lead_setting(const struct lead *l, enum setting id)
{
    return settings_number(&l->options.contract->job->settings, id);
}

static void lead_new_reign(struct lead *l)
{
    const struct contract *c = l->options.contract;
    uint64_t beat_ms = lead_setting(l, SETTING_HEARTBEAT);
    uint64_t gap_ms = beat_ms / LEAD_GAP_PART;
    struct reign_options options = {
        .session =
            {
                .job_name = c->job_name,
                .run = l->lease.run,
                .leader = c->hosts.names[c->hosts.current],
                .term = l->lease.term,
                .hosts = (const char *const *)c->hosts.names,
                .host_count = c->hosts.count,
                .now_ms = clock_now_ms(&clock_os),
                .join_timeout_ms = lead_setting(l, SETTING_JOIN_TIMEOUT),
                .heartbeat_ms = beat_ms,
                .host_timeout_ms = lead_setting(l, SETTING_HOST_TIMEOUT),
                .grace_ms = lead_setting(l, SETTING_GRACE),
                .skew_max_ms = lead_setting(l, SETTING_MAX_CLOCK_SKEW),
                .keeps_on_failure = lead_setting(l, SETTING_ON_FAILURE) == 1,
            },
        .number = c->hosts.current,
        .gap_ms = gap_ms < LEAD_GAP_MAX_MS ? gap_ms : LEAD_GAP_MAX_MS,
        .snapshot_bytes =
            LEAD_SNAPSHOT_BYTES + LEAD_SNAPSHOT_HOST_BYTES * c->hosts.count,
        .run_ms = LEAD_RUN_BEATS * beat_ms,
        .has_conditions = l->options.has_conditions,
        .acks_early = lead_setting(l, SETTING_DURABLE) == 1,
    };

    hash_random(&options.nonce, sizeof(options.nonce));
    l->reign = reign_new(&options);
}

static void lead_step(struct lead *l, struct reign_event *event);

/* What the hosts have said of themselves, for the deal. */
static void lead_gather(struct lead *l, struct prepare_options *options)
{
    uint32_t count = l->options.contract->hosts.count;

    options->ranks = mem_new(count, sizeof(uint32_t));
    options->weights = mem_new(count, sizeof(uint32_t));
    options->attempts = mem_new(count, sizeof(uint64_t));
    for (uint32_t i = 0; !l->is_load && i < count; i++) {
        struct session_host host = session_host(reign_session(l->reign), i);

        options->ranks[i] = (uint32_t)host.ranks;
        options->weights[i] = (uint32_t)host.weight;
        options->attempts[i] = host.attempt;
    }
}

/* Start listing and dealing, or looking for what was dealt. */
static void lead_prepare(struct lead *l, bool is_load)
{
    struct prepare_options options = {
        .is_load = is_load,
        .contract = l->options.contract,
        .state_uri = l->options.state_uri,
        .run = l->lease.run,
        .has_conditions = l->options.has_conditions,
        .term = l->lease.term,
    };

    CHECK(l->prepare == NULL);
    l->is_load = is_load;
    lead_gather(l, &options);
    l->status = prepare_start(&options, &l->why, &l->prepare);
    l->is_over = l->status != STATUS_OK;
}

static void lead_send(struct lead *l, const struct session_send *send)
{
    enum status s;

    buf_clear(&l->encoded);
    wire_encode(&send->message, &l->encoded);
    s = net_send(l->options.net, send->peer, buf_bytes(&l->encoded));
    if (s != STATUS_OK) {
        /* The peer is gone or stuck: its own beats will ask again. */
        log_event(LOG_DEBUG, "send.dropped", "peer=%" PRIu64 " type=%s why=%s",
                  send->peer, wire_type_name(send->message.type),
                  status_name(s));
    }
}

static bool lead_is_led(void *self)
{
    const struct lead *l = self;

    return succession_left_ms(l->options.succession, l->lease.run) > 0;
}

static bool lead_idle(void *self, struct store *store, const char *prefix)
{
    return old_runs_turn(self, store, prefix);
}

/* Now there is time to tidy up. */
static void lead_begin_old_runs(struct lead *l)
{
    l->old_runs = old_runs_new(&(struct old_runs_options){
        .run = l->lease.run, .is_led = lead_is_led, .self = l});
    store_queue_set_idle(l->queue, lead_idle, l->old_runs);
}

static const char *lead_phase(const struct lead *l)
{
    const struct session *session = reign_session(l->reign);

    return session != NULL ? session_phase_word(session_phase(session)) : "";
}

/* Say what has changed, and see whether this reign is at its end. */
static void lead_follow(struct lead *l, const char *phase_before)
{
    enum reign_state state = reign_state(l->reign);
    char quoted[FAULT_TEXT_MAX];

    if (strcmp(phase_before, lead_phase(l)) != 0) {
        log_event(LOG_INFO, "job.phase", "phase=%s term=%" PRIu64,
                  lead_phase(l), l->lease.term);
    }
    if (state != l->state && state == REIGN_SERVING) {
        log_event(LOG_INFO, "coordinator.serves", "term=%" PRIu64,
                  l->lease.term);
        lead_begin_old_runs(l);
    }
    l->state = state;
    if (state == REIGN_DEPOSED) {
        l->status = fault_set(&l->why, STATUS_STOPPED,
                              "another host writes the journal");
        l->is_over = true;
    } else if (state == REIGN_BROKEN && l->broken_ms == 0) {
        l->broken_ms = clock_now_ms(&clock_os) +
                       LEAD_BROKEN_BEATS * lead_setting(l, SETTING_HEARTBEAT);
        log_event(LOG_ERROR, "coordinator.broken",
                  "term=%" PRIu64 " state=%s reason=%s", l->lease.term,
                  l->options.state_uri,
                  log_quote(reign_fault(l->reign), quoted, sizeof(quoted)));
    }
}

static void lead_step(struct lead *l, struct reign_event *event)
{
    struct reign_effects fx = {0};
    const char *phase = lead_phase(l);

    event->now_ms = clock_now_ms(&clock_os);
    event->wall_ms = clock_wall_ms(&clock_os);
    event->until_ms = succession_until_ms(l->options.succession);
    if (event->until_ms == 0) {
        event->until_ms = 1; /* Not leading now: long ago. */
    }
    reign_step(l->reign, event, &fx);
    for (uint32_t i = 0; i < fx.request_count; i++) {
        store_queue_add(l->queue, &fx.requests[i]);
    }
    for (uint32_t i = 0; i < fx.send_count; i++) {
        lead_send(l, &fx.sends[i]);
    }
    l->timer_ms = fx.timer_ms;
    l->is_over = l->is_over || fx.is_over;
    lead_follow(l, phase);
    if (fx.do_prepare != REIGN_PREPARE_NOTHING && !l->is_over) {
        lead_prepare(l, fx.do_prepare == REIGN_LOAD);
    }
}

static void lead_take_message(struct lead *l, uint64_t peer,
                              const struct buf *bytes)
{
    struct wire_message message;
    struct fault why = {.text = ""};
    struct reign_event event = {.peer = peer, .message = &message};
    struct net_counts counts;

    event.status = wire_decode(buf_bytes(bytes), l->lease.run, &why, &message);
    event.type =
        event.status == STATUS_OK ? REIGN_EVENT_MESSAGE : REIGN_EVENT_BAD;
    event.text = why.text;
    if (event.status == STATUS_OK &&
        !host_keys_may_say(
            net_sender_tag(l->options.net), &message,
            (const char *const *)l->options.contract->hosts.names)) {
        event.type = REIGN_EVENT_BAD;
        event.status = STATUS_REFUSED;
    }
    if (event.status == STATUS_OK && message.type == WIRE_ASK) {
        net_counts(l->options.net, &counts);
        event.net = &counts;
    }
    lead_step(l, &event);
}

static void lead_drain(struct lead *l)
{
    struct buf bytes = {0};
    uint64_t peer;

    for (int i = 0; i < LEAD_DRAIN_MAX && l->status == STATUS_OK; i++) {
        if (net_receive(l->options.net, &peer, &bytes) != STATUS_OK) {
            break;
        }
        lead_take_message(l, peer, &bytes);
    }
    buf_fini(&bytes);
}

static void lead_take_prepared(struct lead *l)
{
    struct fault why = {.text = ""};
    struct reign_event event = {.type = REIGN_EVENT_PREPARED, .text = why.text};

    event.status = prepare_join(l->prepare, &why);
    if (event.status == STATUS_OK) {
        event.dealt = prepare_dealt(l->prepare);
        CHECK(l->made == NULL);
        l->made = l->prepare;
        l->prepare = NULL;
    } else {
        prepare_destroy(&l->prepare);
    }
    lead_step(l, &event);
}

static void lead_take_stored(struct lead *l)
{
    struct journal_event stored;

    while (l->status == STATUS_OK && store_queue_take(l->queue, &stored)) {
        lead_step(l, &(struct reign_event){.type = REIGN_EVENT_STORED,
                                           .stored = &stored});
    }
}

static int lead_wait_ms(const struct lead *l)
{
    uint64_t now_ms = clock_now_ms(&clock_os);
    uint64_t next_ms = l->timer_ms;

    if (l->broken_ms != 0 && l->broken_ms < next_ms) {
        next_ms = l->broken_ms;
    }
    if (next_ms <= now_ms) {
        return 0;
    }
    return next_ms - now_ms < 60000 ? (int)(next_ms - now_ms) : 60000;
}

/* Every host has ended, and the store does not take the outcome: it might
 * never. */
static void lead_give_up(struct lead *l)
{
    const struct session *session = reign_session(l->reign);
    uint64_t now_ms = clock_now_ms(&clock_os);
    uint64_t limit_ms = LEAD_PATIENCE * lead_setting(l, SETTING_HOST_TIMEOUT);

    if (session == NULL || session_phase(session) != SESSION_OVER) {
        return;
    }
    if (l->all_out_ms == 0) {
        l->all_out_ms = now_ms;
    }
    if (l->status == STATUS_OK && !l->is_over &&
        now_ms - l->all_out_ms >= limit_ms) {
        l->status = fault_set(&l->why, STATUS_STORE,
                              "the job's end could not be written to %s for "
                              "%" PRIu64 " s",
                              l->options.state_uri, limit_ms / 1000);
        l->is_over = true;
    }
}

/* Say who was lost, and who is back. O(hosts), once a heartbeat. */
static void lead_tell_losses(struct lead *l)
{
    const struct session *session = reign_session(l->reign);
    uint32_t count = session != NULL ? l->options.contract->hosts.count : 0;
    char quoted[FAULT_TEXT_MAX];

    for (uint32_t i = 0; i < count; i++) {
        struct session_host host = session_host(session, i);
        bool is_lost = host.phase == WIRE_PHASE_LOST;

        if (is_lost && !l->is_lost[i]) {
            log_event(
                LOG_WARN, "host.lost", "host=%s reason=%s", host.name,
                log_quote(host.reason != NULL ? host.reason : "it never came",
                          quoted, sizeof(quoted)));
        } else if (!is_lost && l->is_lost[i]) {
            log_event(LOG_INFO, "host.back", "host=%s", host.name);
        }
        l->is_lost[i] = is_lost;
    }
}

static void lead_turn(struct lead *l, int wait_ms)
{
    const int fds[] = {
        l->stop_fd,
        store_queue_fd(l->queue),
        l->prepare != NULL ? prepare_fd(l->prepare) : -1,
    };
    unsigned ready = net_wait(l->options.net, wait_ms, fds, 3);

    if (ready & 1U) {
        lead_drain(l);
    }
    if (l->status == STATUS_OK && (ready & 4U)) {
        lead_take_stored(l);
    }
    if (l->status == STATUS_OK && l->prepare != NULL && (ready & 8U)) {
        lead_take_prepared(l);
    }
    if (l->status == STATUS_OK && clock_now_ms(&clock_os) >= l->timer_ms) {
        lead_step(l, &(struct reign_event){.type = REIGN_EVENT_TIMER});
        lead_tell_losses(l);
    }
    lead_give_up(l);
    l->is_over = l->is_over ||
                 (l->broken_ms != 0 && clock_now_ms(&clock_os) >= l->broken_ms);
}

/* Between readings of the host files, while a key comes that is not known. */
static uint32_t lead_look_ms(const struct lead *l)
{
    uint64_t ms = lead_setting(l, SETTING_HEARTBEAT) / LEAD_LOOK_PART;

    return (uint32_t)(ms > LEAD_LOOK_MIN_MS ? ms : LEAD_LOOK_MIN_MS);
}

/* Let the job's hosts in, and only them. */
static void lead_admit(struct lead *l)
{
    const struct contract *c = l->options.contract;
    bool is_shared =
        settings_text(&c->job->settings, SETTING_SECRET_FILE)[0] != '\0';

    l->status = host_keys_watch_start(
        &(struct host_keys_watch_options){
            .state_uri = l->options.state_uri,
            .hosts = (const char *const *)c->hosts.names,
            .host_count = c->hosts.count,
            .every_ms = lead_look_ms(l),
            .number = c->hosts.current,
            .own = l->options.keys->public_key,
            .net = l->options.net,
            .shared = is_shared ? l->options.keys : NULL,
        },
        &l->why, &l->watch);
}

static void *lead_main(void *self)
{
    struct lead *l = self;
    uint64_t one = 1;

    lead_new_reign(l);
    lead_step(l, &(struct reign_event){.type = REIGN_EVENT_TIMER});
    while (l->status == STATUS_OK && !l->is_over && !atomic_load(&l->stop)) {
        lead_turn(l, lead_wait_ms(l));
    }
    if (l->status == STATUS_OK && l->broken_ms != 0) {
        l->status = fault_set(&l->why, STATUS_MALFORMED,
                              "the job's state below %s can't be gone on "
                              "with: %s",
                              l->options.state_uri, reign_fault(l->reign));
    } else if (l->status == STATUS_OK && !l->is_over) {
        l->status = fault_set(&l->why, STATUS_STOPPED, "another host leads");
    }
    host_keys_watch_stop(&l->watch);
    prepare_destroy(&l->prepare); /* May wait for the store, as this may. */
    store_queue_end(&l->queue);
    CHECK(write(l->end_fd, &one, sizeof(one)) == sizeof(one));
    return NULL;
}

enum status lead_start(const struct lead_options *options, struct fault *why,
                       struct lead **out)
{
    struct lead *l = mem_new(1, sizeof(*l));
    char *folder = mem_print("runs/%s/", options->lease->run);
    enum status s;

    l->options = *options;
    l->lease = *options->lease;
    l->is_lost = mem_new(options->contract->hosts.count, sizeof(*l->is_lost));
    l->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s = store_queue_start(options->state_uri, folder, why, &l->queue);
    free(folder);
    if (s == STATUS_OK) {
        lead_admit(l);
        s = l->status;
        *why = l->why;
    }
    if (s == STATUS_OK) {
        l->has_thread = l->end_fd >= 0 && l->stop_fd >= 0 &&
                        pthread_create(&l->thread, NULL, lead_main, l) == 0;
        if (!l->has_thread) {
            s = fault_set(why, STATUS_OS, "no thread to coordinate with");
        }
    }
    *out = l;
    if (s != STATUS_OK) {
        l->status = s;
        l->why = *why;
        return lead_finish(out, why);
    }
    return s;
}

int lead_fd(const struct lead *l)
{
    return l->end_fd;
}

void lead_stop(struct lead *l)
{
    uint64_t one = 1;

    atomic_store(&l->stop, true);
    CHECK(write(l->stop_fd, &one, sizeof(one)) == sizeof(one));
}

enum status lead_finish(struct lead **l, struct fault *why)
{
    struct lead *old = *l;
    enum status s;

    if (old->has_thread) {
        CHECK(pthread_join(old->thread, NULL) == 0);
    }
    s = old->status;
    if (s != STATUS_OK) {
        *why = old->why;
    }
    host_keys_watch_stop(&old->watch);
    reign_destroy(&old->reign);
    prepare_destroy(&old->prepare);
    prepare_destroy(&old->made);
    store_queue_end(&old->queue);
    old_runs_destroy(&old->old_runs);
    buf_fini(&old->encoded);
    free(old->is_lost);
    if (old->end_fd >= 0) {
        close(old->end_fd);
    }
    if (old->stop_fd >= 0) {
        close(old->stop_fd);
    }
    free(old);
    *l = NULL;
    return s;
}
