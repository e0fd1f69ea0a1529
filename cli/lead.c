/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lead.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/prepare.h"
#include "cli/term_store.h"
#include "coordinator/session.h"
#include "proto/wire.h"
#include "store/store.h"

enum { LEAD_LINGER_MS = 3000, LEAD_STORE_MS = 5000, LEAD_DRAIN_MAX = 1024 };

struct lead {
    struct lead_options options;
    int fd;
    bool has_thread;
    pthread_t thread;

    /* The thread's until it has ended. */
    struct store *state;
    struct buf state_prefix;
    char *lease_key;
    struct session *session;
    struct prepare *prepare;
    bool is_preparing;
    bool is_over;
    uint64_t session_timer_ms;
    uint64_t term_timer_ms;
    struct buf encoded;
    enum status status;
    struct fault why;
};

static uint64_t lead_setting(const struct lead *l, enum setting id)
{
    return settings_number(&l->options.contract->job->settings, id);
}

static void lead_new_session(struct lead *l)
{
    const struct term_lease *lease = term_lease(l->options.term);
    const struct contract *c = l->options.contract;

    l->session = session_new(&(struct session_options){
        .job_name = c->job_name,
        .run = lease->run,
        .leader = c->hosts.names[c->hosts.current],
        .term = lease->term,
        .hosts = (const char *const *)c->hosts.names,
        .host_count = c->hosts.count,
        .now_ms = clock_now_ms(&clock_os),
        .join_timeout_ms = lead_setting(l, SETTING_JOIN_TIMEOUT),
        .heartbeat_ms = lead_setting(l, SETTING_HEARTBEAT),
        .host_timeout_ms = lead_setting(l, SETTING_HOST_TIMEOUT),
        .grace_ms = lead_setting(l, SETTING_GRACE),
        .skew_max_ms = lead_setting(l, SETTING_MAX_CLOCK_SKEW),
        .keeps_on_failure = lead_setting(l, SETTING_ON_FAILURE) == 1,
    });
}

/* Start listing and dealing with what the hosts have said of themselves. */
static void lead_prepare(struct lead *l)
{
    uint32_t count = l->options.contract->hosts.count;
    struct prepare_options options = {
        .contract = l->options.contract,
        .state_uri = l->options.state_uri,
        .run = term_lease(l->options.term)->run,
        .term = term_lease(l->options.term)->term,
        .ranks = mem_new(count, sizeof(uint32_t)),
        .weights = mem_new(count, sizeof(uint32_t)),
        .attempts = mem_new(count, sizeof(uint64_t)),
    };

    for (uint32_t i = 0; i < count; i++) {
        struct session_host host = session_host(l->session, i);

        options.ranks[i] = (uint32_t)host.ranks;
        options.weights[i] = (uint32_t)host.weight;
        options.attempts[i] = host.attempt;
    }
    CHECK(l->prepare == NULL);
    l->status = prepare_start(&options, &l->why, &l->prepare);
    l->is_preparing = l->status == STATUS_OK;
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

static void lead_step(struct lead *l, struct session_event *event)
{
    enum session_phase before = session_phase(l->session);
    struct session_effects fx = {0};

    event->now_ms = clock_now_ms(&clock_os);
    event->wall_ms = clock_wall_ms(&clock_os);
    session_step(l->session, event, &fx);
    for (uint32_t i = 0; i < fx.send_count; i++) {
        lead_send(l, &fx.sends[i]);
    }
    l->session_timer_ms = fx.timer_ms;
    l->is_over = l->is_over || fx.is_over;
    if (session_phase(l->session) != before) {
        log_event(LOG_INFO, "job.phase", "phase=%s",
                  session_phase_word(session_phase(l->session)));
    }
    if (fx.do_prepare) {
        lead_prepare(l);
    }
}

static void lead_take_message(struct lead *l, uint64_t peer,
                              const struct buf *bytes)
{
    struct wire_message message;
    struct fault why = {.text = ""};
    struct session_event event = {.peer = peer, .message = &message};

    event.status = wire_decode(
        buf_bytes(bytes), term_lease(l->options.term)->run, &why, &message);
    event.type =
        event.status == STATUS_OK ? SESSION_EVENT_MESSAGE : SESSION_EVENT_BAD;
    event.text = why.text;
    lead_step(l, &event);
}

static void lead_drain(struct lead *l)
{
    struct buf bytes = {0};
    uint64_t peer;

    for (int i = 0; i < LEAD_DRAIN_MAX && !l->is_over; i++) {
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
    struct session_event event = {.type = SESSION_EVENT_PREPARED};

    event.status = prepare_join(l->prepare, &why);
    event.text = why.text;
    if (event.status == STATUS_OK) {
        event.shares = prepare_shares(l->prepare);
    }
    l->is_preparing = false;
    lead_step(l, &event);
}

static void lead_do_term(struct lead *l)
{
    l->term_timer_ms = term_store_step(l->options.term, l->state, l->lease_key,
                                       TERM_EVENT_TIMER);
    if (term_state(l->options.term) != TERM_LEADING) {
        l->status = fault_set(&l->why, STATUS_LOST,
                              "the job's lease below %s was not renewed in "
                              "time, or another host has taken it; where the "
                              "store is away for so long at times, set a "
                              "longer heartbeat (--heartbeat)",
                              l->options.state_uri);
        log_event(LOG_ERROR, "lease.lost", "term=%" PRIu64,
                  term_lease(l->options.term)->term);
        l->is_over = true;
    }
}

static int lead_wait_ms(const struct lead *l)
{
    uint64_t now_ms = clock_now_ms(&clock_os);
    uint64_t next_ms = l->term_timer_ms;

    if (l->session_timer_ms != 0 && l->session_timer_ms < next_ms) {
        next_ms = l->session_timer_ms;
    }
    if (next_ms <= now_ms) {
        return 0;
    }
    return next_ms - now_ms < 60000 ? (int)(next_ms - now_ms) : 60000;
}

static void lead_turn(struct lead *l)
{
    int fds[1] = {-1};
    unsigned ready;

    if (l->is_preparing) {
        fds[0] = prepare_fd(l->prepare);
    }
    ready =
        net_wait(l->options.net, lead_wait_ms(l), fds, l->is_preparing ? 1 : 0);
    if (ready & 1U) {
        lead_drain(l);
    }
    if (!l->is_over && l->is_preparing && (ready & 2U)) {
        lead_take_prepared(l);
    }
    if (!l->is_over && clock_now_ms(&clock_os) >= l->term_timer_ms) {
        lead_do_term(l);
    }
    if (!l->is_over && l->session_timer_ms != 0 &&
        clock_now_ms(&clock_os) >= l->session_timer_ms) {
        lead_step(l, &(struct session_event){.type = SESSION_EVENT_TIMER});
    }
}

static void *lead_main(void *self)
{
    struct lead *l = self;
    uint64_t one = 1;

    l->status = store_open(l->options.state_uri, STORE_WRITE, &l->why,
                           &l->state, &l->state_prefix);
    if (l->status == STATUS_OK) {
        store_set_limit(l->state, LEAD_STORE_MS);
        l->lease_key = mem_print("%slease", buf_text(&l->state_prefix));
        lead_new_session(l);
        lead_do_term(l);
        lead_step(l, &(struct session_event){.type = SESSION_EVENT_TIMER});
    }
    while (l->status == STATUS_OK && !l->is_over) {
        lead_turn(l);
    }
    if (l->status == STATUS_OK) {
        term_store_step(l->options.term, l->state, l->lease_key,
                        TERM_EVENT_RELEASE);
    }
    net_close(&l->options.net, LEAD_LINGER_MS);
    CHECK(write(l->fd, &one, sizeof(one)) == sizeof(one));
    return NULL;
}

enum status lead_start(const struct lead_options *options, struct fault *why,
                       struct lead **out)
{
    struct lead *l = mem_new(1, sizeof(*l));

    l->options = *options;
    l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->has_thread =
        l->fd >= 0 && pthread_create(&l->thread, NULL, lead_main, l) == 0;
    if (!l->has_thread) {
        l->status = fault_set(why, STATUS_OS, "no thread to coordinate with");
        l->why = *why;
        return lead_finish(&l, why);
    }
    *out = l;
    return STATUS_OK;
}

int lead_fd(const struct lead *l)
{
    return l->fd;
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
    session_destroy(&old->session);
    prepare_destroy(&old->prepare);
    net_close(&old->options.net, 0);
    term_destroy(&old->options.term);
    store_close(&old->state);
    buf_fini(&old->state_prefix);
    buf_fini(&old->encoded);
    free(old->lease_key);
    if (old->fd >= 0) {
        close(old->fd);
    }
    free(old);
    *l = NULL;
    return s;
}
