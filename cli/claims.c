/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "coordinator/term.h"
#include "store/store.h"
#include "store/store_stop.h"
#include "store/store_sync.h"

enum {
    CLAIMS_BODY_MAX = 8192,
    CLAIMS_TRIES_MAX = 16, /* Lost races before it is called a failure. */
};

/* Watches the lease of the job that holds a claim. */
struct claims_watch {
    const atomic_bool *stop;
    char state_uri[CLAIM_URI_MAX + 1]; /* Whose; "" for none yet. */
    struct claim_watch lease;
    const char *our_run;
};

/* Read the lease of the job at @state_uri once more. */
static enum status claims_look(struct claims_watch *w, const char *state_uri,
                               struct fault *why)
{
    struct term_lease lease = {0};
    struct store *store = NULL;
    struct buf prefix = {0};
    struct buf body = {0};
    char etag[STORE_ETAG_MAX];
    char *key = NULL;
    enum status s;

    if (strcmp(w->state_uri, state_uri) != 0) {
        *w = (struct claims_watch){.our_run = w->our_run, .stop = w->stop};
        snprintf(w->state_uri, sizeof(w->state_uri), "%s", state_uri);
    }
    s = store_open(state_uri, STORE_READ, why, &store, &prefix);
    if (s == STATUS_OK) {
        store_set_stop(store, w->stop);
        key = mem_print("%slease", buf_text(&prefix));
        s = store_sync_get(store,
                           &(struct store_sync_get){key, TERM_BODY_MAX, etag},
                           why, &body);
    }
    if (s == STATUS_OK) {
        s = term_lease_read(buf_bytes(&body), why, &lease);
    }
    if (s == STATUS_OK) {
        claim_watch_take(
            &w->lease, &(struct claim_look){.lease = &lease,
                                            .etag = etag,
                                            .our_run = w->our_run,
                                            .now_ms = clock_now_ms(&clock_os)});
    } else if (s == STATUS_NOT_FOUND) {
        w->lease.seen = CLAIM_LEASE_ABSENT;
        s = STATUS_OK;
    }
    store_close(&store);
    free(key);
    buf_fini(&prefix);
    buf_fini(&body);
    return s;
}

/* One prefix that is being claimed. */
struct claims_one {
    struct store *store;
    char *key;
    struct claim mine;
    struct claims_watch watch;
    const atomic_bool *stop;
};

/* Write our claim. OK; EXISTS, CHANGED, NOT_FOUND: somebody was faster. */
static enum status claims_put(struct claims_one *o, enum store_when when,
                              char *etag, struct fault *why)
{
    struct buf body = {0};
    enum status s;

    claim_write(&o->mine, &body);
    s = store_sync_put(
        o->store,
        &(struct store_sync_put){o->key, buf_bytes(&body), when, etag}, why);
    buf_fini(&body);
    return s;
}

static enum status claims_pause(struct claims_one *o, struct fault *why)
{
    struct timespec pause = {0, CLAIM_LOOK_MS * 1000000L};

    if (atomic_load(o->stop)) {
        return fault_set(why, STATUS_STOPPED, "stopped while waiting for %s",
                         o->watch.state_uri);
    }
    nanosleep(&pause, NULL);
    return STATUS_OK;
}

/* Settle with the claim @there, whose etag is @etag. CHANGED: try again. */
static enum status claims_settle(struct claims_one *o,
                                 const struct claim *there, char *etag,
                                 struct fault *why)
{
    enum claim_lease lease = CLAIM_LEASE_UNKNOWN;
    enum status s = STATUS_OK;

    while (s == STATUS_OK) {
        switch (claim_decide(there, &o->mine, lease, why)) {
        case CLAIM_MINE:
            return STATUS_OK;
        case CLAIM_TAKE:
            log_event(LOG_INFO, "claim.taken_over",
                      "key=%s job=%s attempt=%llu", o->key, there->job,
                      (unsigned long long)there->attempt);
            return claims_put(o, STORE_IF_MATCH, etag, why);
        case CLAIM_REFUSE:
            return STATUS_CLAIMED;
        case CLAIM_WATCH:
            s = claims_pause(o, why);
            if (s != STATUS_OK) {
                return s;
            }
            break;
        case CLAIM_LOOK:
            break;
        }
        s = claims_look(&o->watch, there->state_uri, why);
        lease = o->watch.lease.seen;
    }
    return s;
}

static enum status claims_read_and_settle(struct claims_one *o,
                                          struct fault *why)
{
    char etag[STORE_ETAG_MAX];
    struct buf body = {0};
    struct claim there;
    enum status s = store_sync_get(
        o->store, &(struct store_sync_get){o->key, CLAIMS_BODY_MAX, etag}, why,
        &body);

    if (s == STATUS_NOT_FOUND) {
        s = STATUS_CHANGED;
    } else if (s == STATUS_OK) {
        s = claim_read(buf_bytes(&body), why, &there);
        if (s == STATUS_OK) {
            s = claims_settle(o, &there, etag, why);
        }
    }
    buf_fini(&body);
    return s;
}

static bool claims_lost_race(enum status s)
{
    return s == STATUS_EXISTS || s == STATUS_CHANGED || s == STATUS_NOT_FOUND;
}

static enum status claims_take_one(struct claims_one *o, struct fault *why)
{
    enum status s = STATUS_CHANGED;

    for (int i = 0; i < CLAIMS_TRIES_MAX && claims_lost_race(s); i++) {
        s = claims_put(o, STORE_IF_ABSENT, NULL, why);
        if (s == STATUS_EXISTS) {
            s = claims_read_and_settle(o, why);
        }
    }
    return s;
}

enum status claims_take(const struct claims_options *options, struct fault *why)
{
    struct claims_one one = {
        .mine = *options->mine,
        .watch.our_run = options->mine->run,
        .watch.stop = options->stop,
        .stop = options->stop,
    };
    struct buf prefix = {0};
    enum status s =
        store_open(options->folder, STORE_WRITE, why, &one.store, &prefix);

    if (s == STATUS_OK) {
        store_set_stop(one.store, options->stop);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < options->host_count; i++) {
        snprintf(one.mine.host, sizeof(one.mine.host), "%s", options->hosts[i]);
        one.mine.attempt = options->attempts[i];
        one.key =
            mem_print("%sclaims/%s", buf_text(&prefix), options->hosts[i]);
        s = claims_take_one(&one, why);
        if (s != STATUS_OK) {
            s = fault_prefix(why, s, "%s %s: prefix %s/", options->what,
                             options->uri, options->hosts[i]);
        }
        free(one.key);
    }
    store_close(&one.store);
    buf_fini(&prefix);
    return s;
}
