/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/run.h"
#include "cli/version.h"
#include "proto/net_addr.h"
#include "store/store_sync.h"
#include "store/store_trial.h"

enum {
    RUN_HOST_FILE_MAX = 4096,
    RUN_BEAT_MIN_MS = 200, /* Of the lease. */
    RUN_PATIENCE = 10,     /* How many host timeouts of silence a host outlives
                              that may come back. */
    RUN_LINGER_MS = 3000,  /* For END to leave. */
    RUN_GUEST_MS = 5000,   /* To delete the guests' key. */
    RUN_MESSAGE_MAX = 256 << 10, /* That a host may say. */
    RUN_TRIALS_MAX = 64, /* Hosts that try what the store does: those whose
                            turn to lead may come. */
    RUN_RATE_MAX = 2000, /* Messages of one host in a second. */
};

static void run_random_hex(char out[WIRE_JOB_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[WIRE_JOB_SIZE / 2];

    hash_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[WIRE_JOB_SIZE] = '\0';
}

/* The attempt after the one that the last host file tells of. */
static uint64_t run_next_attempt(struct bytes text)
{
    struct json_doc *doc = NULL;
    int64_t attempt = 0;

    if (json_parse(text, "host file", NULL, &doc) == STATUS_OK &&
        !json_int64(json_get(json_root(doc), "attempt"), &attempt)) {
        attempt = 0;
    }
    json_destroy(&doc);
    return attempt > 0 ? (uint64_t)attempt + 1 : 1;
}

static void run_host_file_text(const struct run *r, struct buf *out)
{
    buf_add_text(out, "{\"host\": ");
    json_write_string(bytes_of(r->host), out);
    buf_print(out,
              ", \"incarnation\": \"%s\", \"attempt\": %" PRIu64
              ", \"wall_ms\": %" PRIu64 ", \"release\": \"%s\"}\n",
              r->incarnation, r->attempt, clock_wall_ms(&clock_os),
              version_text());
    out->size -= 2; /* "}\n" */
    host_keys_write_field(&r->keys, out);
    buf_add_text(out, "}\n");
}

/* Say in the store that this host is here. It is also the first write, so
 * that a store that can't be written is found before anything else. */
static enum status run_write_host_file(struct run *r, struct fault *why)
{
    char *key = mem_print("%shosts/%s", buf_text(&r->state_prefix), r->host);
    struct buf text = {0};
    enum status s = store_sync_get(
        r->state, &(struct store_sync_get){key, RUN_HOST_FILE_MAX, NULL}, why,
        &text);

    if (s == STATUS_OK || s == STATUS_NOT_FOUND) {
        r->attempt = run_next_attempt(buf_bytes(&text));
        buf_clear(&text);
        run_host_file_text(r, &text);
        s = store_sync_put(
            r->state,
            &(struct store_sync_put){key, buf_bytes(&text), STORE_ALWAYS, NULL},
            why);
    }
    buf_fini(&text);
    free(key);
    return s == STATUS_OK
               ? s
               : fault_prefix(why, s, "the job's state %s", r->state_uri);
}

/* By what the others shall call this host: the address of its name, or, where
 * that is one of this machine's alone (127.0.1.1), the name itself. An address
 * is better: a name can vanish with its host, and who then asks for it to
 * connect again stands still for as long as the resolver does. */
static const char *run_told_address(const struct run *r,
                                    char address[NET_ADDR_MAX])
{
    if (net_addr_of_name(r->host, address)) {
        return net_addr_is_ours(address) ? address : r->host;
    }
    return net_addr_of_this(address) ? address : "127.0.0.1";
}

/* Listen where the others can reach this host, should it lead. */
static enum status run_listen(struct run *r, struct fault *why)
{
    const char *bind = settings_text(&r->contract.job->settings, SETTING_BIND);
    const char *interface = r->contract.hosts.interface;
    char address[NET_ADDR_MAX];
    struct net_listen options = {
        .address = bind,
        .port = (uint16_t)run_setting(r, SETTING_PORT),
        .message_max = RUN_MESSAGE_MAX,
        .rate_max = RUN_RATE_MAX,
        .keys = &r->keys,
    };

    if (bind[0] == '\0' && r->contract.hosts.count == 1) {
        options.address = "127.0.0.1";
    } else if (bind[0] == '\0' && interface != NULL) {
        options.address = interface;
    } else if (bind[0] == '\0') {
        options.told = run_told_address(r, address);
    }
    return net_listen(&options, why, &r->listener, r->endpoint);
}

static struct term *run_new_term(struct run *r)
{
    uint64_t beat_ms = run_setting(r, SETTING_HEARTBEAT);
    struct term_options options = {
        .host = r->host,
        .endpoint = r->endpoint,
        .key = r->keys.public_key,
        .run = r->run_id,
        .number = r->contract.hosts.current,
        .host_count = r->contract.hosts.count,
        .heartbeat_ms = beat_ms > RUN_BEAT_MIN_MS ? beat_ms : RUN_BEAT_MIN_MS,
        .may_succeed = r->has_conditions,
    };

    hash_random(&options.nonce_seed, sizeof(options.nonce_seed));
    return term_new(&options);
}

/* Claims and the lease stand on conditional writes. A folder has them; of S3
 * servers only a trial tells. Where there are none, nobody succeeds who leads.
 */
static enum status run_try_store(struct run *r, struct fault *why)
{
    struct store_trial trial;
    char quoted[FAULT_TEXT_MAX];
    enum status s;

    r->has_conditions = true;
    if (strncmp(r->state_uri, "s3://", 5) != 0 ||
        r->contract.hosts.current >= RUN_TRIALS_MAX) {
        return STATUS_OK;
    }
    s = store_trial_run(r->state, buf_text(&r->state_prefix), STORE_TRIAL_QUICK,
                        why, &trial);
    if (s == STATUS_UNSUPPORTED) {
        r->has_conditions = false;
        log_event(LOG_WARN, "store.conditions",
                  "reason=%s consequence=\"only the first host leads, and "
                  "the job ends when it is lost; two jobs that start on one "
                  "prefix at the same moment may both write to it\"",
                  log_quote(why->text, quoted, sizeof(quoted)));
        s = STATUS_OK;
    }
    return s == STATUS_OK ? s : fault_prefix(why, s, "the job's state");
}

enum status run_meet_start(struct run *r, struct fault *why)
{
    enum status s;

    run_random_hex(r->incarnation);
    run_random_hex(r->run_id);
    r->started_ms = clock_now_ms(&clock_os);
    s = store_open(r->state_uri, STORE_WRITE, why, &r->state, &r->state_prefix);
    if (s != STATUS_OK) {
        return fault_prefix(why, s, "the job's state %s", r->state_uri);
    }
    s = host_keys_own(
        settings_text(&r->contract.job->settings, SETTING_SECRET_FILE), why,
        &r->keys);
    if (s == STATUS_OK) {
        s = run_try_store(r, why);
    }
    if (s == STATUS_OK) {
        s = run_write_host_file(r, why);
    }
    if (s == STATUS_OK) {
        s = run_listen(r, why);
    }
    if (s == STATUS_OK) {
        s = succession_start(run_new_term(r), r->state_uri, why,
                             &r->succession);
    }
    return s;
}

/* This host leads: start the coordinator's thread on it. */
static enum status run_lead(struct run *r, struct fault *why)
{
    struct lead_options options = {
        .contract = &r->contract,
        .state_uri = r->state_uri,
        .net = r->listener,
        .lease = &r->lead_lease,
        .succession = r->succession,
        .keys = &r->keys,
        .has_conditions = r->has_conditions,
    };

    log_event(LOG_INFO, "lease.taken", "term=%" PRIu64 " endpoint=%s",
              r->lead_lease.term, r->endpoint);
    return lead_start(&options, why, &r->lead);
}

static void run_new_agent(struct run *r)
{
    const struct hosts *hosts = &r->contract.hosts;
    uint64_t timeout_ms = run_setting(r, SETTING_HOST_TIMEOUT);
    bool keeps = run_setting(r, SETTING_ON_FAILURE) == 1;

    agent_destroy(&r->agent);
    r->agent = agent_new(&(struct agent_options){
        .host = r->host,
        .run = r->lease.run,
        .leader = r->lease.host,
        .incarnation = r->incarnation,
        .release = version_text(),
        .term = r->lease.term,
        .attempt = r->attempt,
        .ranks = r->ranks,
        .weight = run_setting(r, SETTING_WEIGHT),
        .host_count = hosts->count,
        .now_ms = clock_now_ms(&clock_os),
        .heartbeat_ms = run_setting(r, SETTING_HEARTBEAT),
        .host_timeout_ms = timeout_ms,
        .join_timeout_ms = run_setting(r, SETTING_JOIN_TIMEOUT),
        .grace_ms = run_setting(r, SETTING_GRACE),
        .silence_ms = keeps ? RUN_PATIENCE * timeout_ms : 0,
    });
    r->agent_timer_ms = clock_now_ms(&clock_os);
}

static bool run_has_joined(const struct run *r)
{
    return r->agent != NULL && agent_state(r->agent) != AGENT_JOINING;
}

/* Turn to the coordinator that the lease names. */
static enum status run_connect(struct run *r, const struct term_lease *lease,
                               struct fault *why)
{
    bool goes_on = run_has_joined(r) && strcmp(r->lease.run, lease->run) == 0;
    enum status s;

    r->lease = *lease;
    log_event(LOG_INFO, "coordinator.found",
              "host=%s endpoint=%s term=%" PRIu64, lease->host, lease->endpoint,
              lease->term);
    net_close(&r->net, 0);
    s = net_connect(&(struct net_connect){lease->endpoint, WIRE_MESSAGE_MAX,
                                          &r->keys, lease->key},
                    why, &r->net);
    if (s == STATUS_OK && goes_on) {
        run_step(r, (struct agent_event){.type = AGENT_EVENT_COORDINATOR,
                                         .leader = lease->host,
                                         .term = lease->term});
        run_feed_new_term(r);
    } else if (s == STATUS_OK) {
        run_new_agent(r);
    }
    return s;
}

/* This host works for a run, and can't turn to another one. */
static bool run_has_begun(const struct run *r)
{
    return r->agent != NULL && agent_has_begun(r->agent);
}

/* Another run has been begun while this host worked for one. */
static void run_lose_run(struct run *r, const struct term_lease *lease)
{
    struct fault why;

    fault_set(&why, STATUS_LOST,
              "another launch of the job, led by %s, has taken it over",
              lease->host);
    run_step(r, (struct agent_event){.type = AGENT_EVENT_LEADER,
                                     .status = STATUS_LOST,
                                     .text = why.text});
}

/* Whether the host file tells of another process than this one. */
static bool run_is_replaced(struct run *r)
{
    char *key = mem_print("%shosts/%s", buf_text(&r->state_prefix), r->host);
    struct json_doc *doc = NULL;
    struct buf text = {0};
    struct fault why;
    bool is_other = false;

    if (store_sync_get(r->state,
                       &(struct store_sync_get){key, RUN_HOST_FILE_MAX, NULL},
                       &why, &text) == STATUS_OK &&
        json_parse(buf_bytes(&text), "host file", NULL, &doc) == STATUS_OK) {
        is_other =
            !bytes_is(json_string(json_get(json_root(doc), "incarnation")),
                      r->incarnation);
    }
    json_destroy(&doc);
    buf_fini(&text);
    free(key);
    return is_other;
}

static enum status run_follow(struct run *r, const struct succession_news *news,
                              struct fault *why)
{
    const struct term_lease *lease = &news->lease;
    bool is_ours = strcmp(r->lease.run, lease->run) == 0;
    bool is_known = run_has_joined(r) || strcmp(r->knocked, lease->run) == 0;

    if (lease->is_released && is_ours && is_known) {
        run_step(r, (struct agent_event){.type = AGENT_EVENT_OVER,
                                         .is_replaced = run_is_replaced(r)});
        return STATUS_OK;
    }
    if (lease->is_released) {
        return STATUS_OK;
    }
    if (run_has_begun(r) && !is_ours) {
        run_lose_run(r, lease);
        return STATUS_OK;
    }
    if (r->agent != NULL && is_ours && r->lease.term == lease->term &&
        strcmp(r->lease.endpoint, lease->endpoint) == 0) {
        return STATUS_OK;
    }
    return run_connect(r, lease, why);
}

/* Start to lead once the listener is free. */
static enum status run_meet_lead(struct run *r, struct fault *why)
{
    if (!r->wants_lead || r->lead != NULL) {
        return STATUS_OK;
    }
    r->wants_lead = false;
    r->lead_term = r->lead_lease.term;
    return run_lead(r, why);
}

enum status run_meet(struct run *r, struct fault *why)
{
    struct succession_news news;
    bool is_other;
    bool is_ours;
    enum status s;

    if (!succession_take(r->succession, &news)) {
        return run_meet_lead(r, why);
    }
    if (news.state == TERM_SUSPENDED) {
        log_event(LOG_WARN, "lease.suspended",
                  "term=%" PRIu64 " reason=\"the store does not answer, or "
                  "not as it should; nobody else leads as far as is known\"",
                  news.lease.term);
    }
    if (news.fault.text[0] != '\0') {
        log_event(LOG_WARN, "lease.unreadable", "reason=\"%s\"",
                  news.fault.text);
    }
    if (news.state != TERM_FOLLOWING && news.state != TERM_LEADING) {
        return STATUS_OK;
    }
    is_other = news.state == TERM_FOLLOWING || news.lease.term != r->lead_term;
    if (r->lead != NULL && is_other) {
        lead_stop(r->lead); /* It lets go of the listener in its time. */
    }
    /* First lead, then connect to it: our own key is known then. */
    is_ours = !run_has_begun(r) || strcmp(r->lease.run, news.lease.run) == 0;
    r->wants_lead = news.state == TERM_LEADING && !r->is_over && is_ours &&
                    news.lease.term != r->lead_term;
    r->lead_lease = news.lease;
    s = run_meet_lead(r, why);
    return s == STATUS_OK ? run_follow(r, &news, why) : s;
}

void run_meet_heed(struct run *r)
{
    bool is_in = run_has_joined(r);

    if (is_in && strcmp(r->entered, r->lease.run) != 0) {
        memcpy(r->entered, r->lease.run, sizeof(r->entered));
        succession_enter_run(r->succession, r->entered);
    }
    if (r->agent != NULL) {
        succession_set_eager(r->succession, agent_is_unanswered(r->agent));
    }
}

/* The job is over: the guests' key has no use any more. Not once another may
 * lead, who leaves one of its own. */
static void run_end_guests(struct run *r)
{
    uint64_t left_ms =
        r->is_job_over ? succession_left_ms(r->succession, r->lead_lease.run)
                       : 0;
    char quoted[FAULT_TEXT_MAX];
    struct fault why;

    left_ms = left_ms < RUN_GUEST_MS ? left_ms : RUN_GUEST_MS;
    if (left_ms > 0 &&
        host_keys_delete_guest(r->state, buf_text(&r->state_prefix),
                               (uint32_t)left_ms, &why) != STATUS_OK) {
        log_event(LOG_WARN, "guest.left", "reason=%s",
                  log_quote(why.text, quoted, sizeof(quoted)));
    }
}

void run_meet_knock(struct run *r)
{
    if (strcmp(r->knocked, r->lease.run) != 0) {
        memcpy(r->knocked, r->lease.run, sizeof(r->knocked));
        succession_knock(r->succession, r->knocked);
    }
}

void run_meet_fini(struct run *r)
{
    net_close(&r->net, 1000);
    net_close(&r->listener, RUN_LINGER_MS);
    run_end_guests(r);
    succession_end(&r->succession, r->is_job_over);
    agent_destroy(&r->agent);
    store_close(&r->state);
    net_keys_fini(&r->keys);
    buf_fini(&r->state_prefix);
}
