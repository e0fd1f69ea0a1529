/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/store_sync.h"

enum { TRIAL_BODY_MAX = 64 };

struct trial {
    struct store *store;
    struct fault *why;
    char *key;
    uint32_t writes; /* Makes every body another one. */
    char body[STORE_TRIAL_WRITERS][TRIAL_BODY_MAX];
    char etag[STORE_ETAG_MAX]; /* Of the value as it should be now. */
    char stale[STORE_ETAG_MAX];
};

static struct bytes trial_body(struct trial *t, size_t i)
{
    snprintf(t->body[i], sizeof(t->body[i]), "smshard trial %s %" PRIu32 "\n",
             strrchr(t->key, '-'), t->writes++);
    return bytes_of(t->body[i]);
}

/* One conditional PUT; @etag as store_sync_put() has it. */
static enum status trial_put(struct trial *t, enum store_when when, char *etag)
{
    return store_sync_put(
        t->store,
        &(struct store_sync_put){t->key, trial_body(t, 0), when, etag}, t->why);
}

/* Whether @s is a condition's refusal; anything else that is not OK ends the
 * trial. */
static bool trial_is_refusal(enum status s)
{
    return s == STATUS_EXISTS || s == STATUS_CHANGED || s == STATUS_NOT_FOUND;
}

static enum status trial_create(struct trial *t, struct store_trial *out)
{
    enum status s = trial_put(t, STORE_IF_ABSENT, t->etag);

    if (s != STATUS_OK) {
        return s;
    }
    s = trial_put(t, STORE_IF_ABSENT, NULL);
    out->has_if_absent = trial_is_refusal(s);
    return s == STATUS_OK || out->has_if_absent ? STATUS_OK : s;
}

static enum status trial_replace(struct trial *t, struct store_trial *out)
{
    enum status s;

    /* Without conditions the second create has changed the value. */
    s = trial_put(t, STORE_ALWAYS, t->stale);
    if (s != STATUS_OK) {
        return s;
    }
    memcpy(t->etag, t->stale, sizeof(t->etag));
    s = trial_put(t, STORE_IF_MATCH, t->etag);
    if (s != STATUS_OK) {
        return s;
    }
    s = trial_put(t, STORE_IF_MATCH, t->stale);
    out->has_if_match = trial_is_refusal(s);
    return s == STATUS_OK || out->has_if_match ? STATUS_OK : s;
}

/* All writers at once, on a key that is absent (@when IF_ABSENT) or holds
 * @t->etag. */
static enum status trial_race(struct trial *t, enum store_when when,
                              uint32_t *winners)
{
    struct store_event e;
    enum status worst = STATUS_OK;

    *winners = 0;
    for (uint64_t i = 0; i < STORE_TRIAL_WRITERS; i++) {
        struct bytes body = trial_body(t, i);
        struct store_request r = {.op = STORE_PUT,
                                  .tag = i,
                                  .key = bytes_of(t->key),
                                  .body = body.at,
                                  .size = body.size,
                                  .when = when,
                                  .etag = t->etag};

        if (store_submit(t->store, &r) != STATUS_OK) {
            UNREACHABLE("a store with so few requests is full");
        }
    }
    while (store_inflight(t->store) > 0) {
        if (store_poll(t->store, -1, &e, 1) == 0) {
            continue;
        }
        *winners += e.status == STATUS_OK;
        if (e.status != STATUS_OK && !trial_is_refusal(e.status)) {
            worst = e.status;
            *t->why = e.why;
        }
    }
    return worst;
}

static enum status trial_races(struct trial *t, struct store_trial *out)
{
    uint32_t creates = 0;
    uint32_t replaces = 0;
    enum status s = store_sync_delete(t->store, t->key, t->why);

    if (s == STATUS_OK) {
        s = trial_race(t, STORE_IF_ABSENT, &creates);
    }
    if (s == STATUS_OK) {
        s = trial_put(t, STORE_ALWAYS, t->etag);
    }
    if (s == STATUS_OK) {
        s = trial_race(t, STORE_IF_MATCH, &replaces);
    }
    out->has_one_winner = s == STATUS_OK && creates == 1 && replaces == 1;
    return s;
}

/* The stale etag is that of a value long replaced. */
static enum status trial_delete(struct trial *t, struct store_trial *out)
{
    struct store_request r = {.op = STORE_DELETE,
                              .key = bytes_of(t->key),
                              .when = STORE_IF_MATCH,
                              .etag = t->stale};
    struct store_event e;
    enum status s = store_sync(t->store, &r, &e);

    out->has_delete = trial_is_refusal(s);
    return STATUS_OK;
}

static enum status trial_all(struct trial *t, enum store_trial_depth depth,
                             struct store_trial *out)
{
    enum status s = trial_create(t, out);

    if (s == STATUS_OK) {
        s = trial_replace(t, out);
    }
    if (s == STATUS_OK && depth == STORE_TRIAL_RACE) {
        s = trial_races(t, out);
    }
    return s == STATUS_OK ? trial_delete(t, out) : s;
}

static const char *trial_lack(const struct store_trial *r,
                              enum store_trial_depth depth)
{
    return !r->has_if_absent ? "it overwrites what was to be created "
                               "(If-None-Match is ignored)"
           : !r->has_if_match
               ? "it overwrites what has changed (If-Match is ignored)"
           : depth == STORE_TRIAL_RACE && !r->has_one_winner
               ? "of several writers at once more than one "
                 "wins, or none"
               : NULL;
}

enum status store_trial_run(struct store *s, const char *prefix,
                            enum store_trial_depth depth, struct fault *why,
                            struct store_trial *out)
{
    struct trial t = {.store = s, .why = why};
    struct fault ignored;
    uint64_t nonce;
    enum status status;
    enum status removed;

    *out = (struct store_trial){0};
    hash_random(&nonce, sizeof(nonce));
    t.key = mem_print("%strial-%016" PRIx64, prefix, nonce);
    status = trial_all(&t, depth, out);
    removed = store_sync_delete(s, t.key, &ignored);
    if (status == STATUS_OK && removed != STATUS_OK) {
        *why = ignored;
        status = removed;
    }
    if (status == STATUS_OK && trial_lack(out, depth) != NULL) {
        status = fault_set(why, STATUS_UNSUPPORTED,
                           "%s%s: this store does not keep conditional writes "
                           "apart: %s",
                           store_root_uri(s), prefix, trial_lack(out, depth));
    }
    free(t.key);
    return status;
}
