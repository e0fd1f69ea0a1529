/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/claim.h"

#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "coordinator/field.h"

enum { CLAIM_STALE_TTLS = 3 };

void claim_write(const struct claim *claim, struct buf *out)
{
    CHECK(claim->job[0] != '\0' && claim->run[0] != '\0');
    CHECK(claim->host[0] != '\0' && claim->state_uri[0] != '\0');
    buf_add_char(out, '{');
    field_write_text(out, "job", claim->job);
    field_write_text(out, "run", claim->run);
    field_write_text(out, "host", claim->host);
    field_write_text(out, "state", claim->state_uri);
    field_write_number(out, "attempt", claim->attempt);
    field_write_number(out, "term", claim->term);
    field_write_number(out, "wall_ms", claim->wall_ms);
    buf_add_text(out, "}\n");
}

static enum status claim_read_fields(const struct json *v, struct fault *why,
                                     struct claim *out)
{
    const struct {
        const char *key;
        char *to;
        size_t room;
    } texts[] = {
        {"job", out->job, sizeof(out->job)},
        {"run", out->run, sizeof(out->run)},
        {"host", out->host, sizeof(out->host)},
        {"state", out->state_uri, sizeof(out->state_uri)},
    };
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < sizeof(texts) / sizeof(texts[0]);
         i++) {
        s = field_text(v, texts[i].key, why, texts[i].room, texts[i].to);
    }
    if (s == STATUS_OK) {
        s = field_number(v, "attempt", why, &out->attempt);
    }
    if (s == STATUS_OK) {
        s = field_number(v, "term", why, &out->term);
    }
    return s != STATUS_OK ? s : field_number(v, "wall_ms", why, &out->wall_ms);
}

enum status claim_read(struct bytes body, struct fault *why, struct claim *out)
{
    struct json_doc *doc = NULL;
    enum status s = json_parse(body, "claim", why, &doc);

    *out = (struct claim){0};
    if (s != STATUS_OK) {
        return STATUS_MALFORMED;
    }
    s = claim_read_fields(json_root(doc), why, out);
    if (s != STATUS_OK) {
        s = fault_prefix(why, s, "claim");
    }
    json_destroy(&doc);
    return s;
}

static bool claim_is_same_run(const struct claim *a, const struct claim *b)
{
    return strcmp(a->run, b->run) == 0 && strcmp(a->job, b->job) == 0 &&
           strcmp(a->state_uri, b->state_uri) == 0;
}

/* Whoever leads the job at one state URI knows that all earlier terms are
 * over. A later term than ours means that we are the one who is over, or that
 * the state was deleted and terms began anew: the lease decides. */
static bool claim_is_succeeded(const struct claim *there,
                               const struct claim *mine)
{
    return strcmp(there->state_uri, mine->state_uri) == 0 &&
           there->term < mine->term;
}

static enum status claim_refuse(const struct claim *there, struct fault *why)
{
    return fault_set(
        why, STATUS_CLAIMED,
        "held by job \"%s\" (host %s, attempt %llu), which is alive; use "
        "another prefix or stop that job",
        there->job, there->host, (unsigned long long)there->attempt);
}

static enum claim_verdict claim_judge(const struct claim *there,
                                      enum claim_lease lease, struct fault *why)
{
    switch (lease) {
    case CLAIM_LEASE_UNKNOWN:
        return CLAIM_LOOK;
    case CLAIM_LEASE_ABSENT:
    case CLAIM_LEASE_RELEASED:
    case CLAIM_LEASE_STALE:
    case CLAIM_LEASE_OURS:
        return CLAIM_TAKE;
    case CLAIM_LEASE_HELD:
        return CLAIM_WATCH;
    case CLAIM_LEASE_RENEWED:
        (void)claim_refuse(there, why);
        return CLAIM_REFUSE;
    }
    UNREACHABLE("no such lease");
}

/* Within one run a host that was launched again takes its own place over; two
 * hosts at one place are never right. */
static enum claim_verdict claim_decide_own(const struct claim *there,
                                           const struct claim *mine,
                                           struct fault *why)
{
    if (strcmp(there->host, mine->host) != 0) {
        (void)fault_set(why, STATUS_CLAIMED,
                        "host %s of this very job writes there already; give "
                        "host %s another prefix",
                        there->host, mine->host);
        return CLAIM_REFUSE;
    }
    return there->attempt == mine->attempt && there->term == mine->term
               ? CLAIM_MINE
               : CLAIM_TAKE;
}

enum claim_verdict claim_decide(const struct claim *there,
                                const struct claim *mine,
                                enum claim_lease lease, struct fault *why)
{
    CHECK(mine->run[0] != '\0' && mine->state_uri[0] != '\0');
    if (claim_is_same_run(there, mine)) {
        return claim_decide_own(there, mine, why);
    }
    if (claim_is_succeeded(there, mine)) {
        return CLAIM_TAKE;
    }
    return claim_judge(there, lease, why);
}

/* ---- Watching -------------------------------------------------------------
 */

static enum claim_lease claim_watch_again(struct claim_watch *w,
                                          const struct claim_look *look)
{
    uint64_t ttl_ms = look->lease->ttl_ms;
    uint64_t gap_ms = look->now_ms - w->looked_ms;

    CHECK(look->now_ms >= w->looked_ms);
    if (strcmp(w->etag, look->etag) != 0) {
        return CLAIM_LEASE_RENEWED;
    }
    if (gap_ms <= ttl_ms + CLAIM_LOOK_MS) {
        w->silent_ms += gap_ms;
    }
    return w->silent_ms > CLAIM_STALE_TTLS * ttl_ms ? CLAIM_LEASE_STALE
                                                    : CLAIM_LEASE_HELD;
}

void claim_watch_take(struct claim_watch *w, const struct claim_look *look)
{
    size_t size = strlen(look->etag);

    CHECK(size > 0 && size < sizeof(w->etag));
    if (strcmp(look->lease->run, look->our_run) == 0) {
        w->seen = CLAIM_LEASE_OURS;
    } else if (look->lease->is_released) {
        w->seen = CLAIM_LEASE_RELEASED;
    } else if (w->etag[0] == '\0') {
        w->seen = CLAIM_LEASE_HELD;
    } else {
        w->seen = claim_watch_again(w, look);
    }
    memcpy(w->etag, look->etag, size + 1);
    w->looked_ms = look->now_ms;
}
