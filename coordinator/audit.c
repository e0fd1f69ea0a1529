/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/audit_state.h"
#include "proto/job_fields.h"

struct audit *audit_new(void)
{
    struct audit *a = mem_new(1, sizeof(*a));

    a->next = 1;
    return a;
}

void audit_destroy(struct audit **a)
{
    struct audit *it = *a;

    if (it == NULL) {
        return;
    }
    for (uint32_t i = 0; i < it->channel_count; i++) {
        audit_channel_fini(&it->channels[i]);
    }
    for (size_t i = 0; i < it->skip_count; i++) {
        free(it->skips[i].key);
        free(it->skips[i].reason);
    }
    audit_hosts_fini(it);
    free(it->channels);
    free(it->over_host);
    free(it->over_reason);
    free(it);
    *a = NULL;
}

/* ---- Records ------------------------------------------------------------- */

static bool audit_has_channel(const struct audit *a, uint32_t channel)
{
    return channel < a->channel_count && a->channels[channel].is_planned;
}

static void audit_take_skipped(struct audit *a,
                               const struct record_skipped *skipped)
{
    const struct audit_channel *c = &a->channels[skipped->channel];

    if (a->skip_count == AUDIT_LIST_MAX) {
        return;
    }
    a->skips[a->skip_count++] = (struct audit_skip){
        .channel = skipped->channel,
        .epoch = c->epochs[c->epoch_count - 1].number,
        .position = skipped->position,
        .reason = mem_copy_text(skipped->reason.at, skipped->reason.size),
    };
}

static void audit_take_over(struct audit *a, const struct record_over *over)
{
    free(a->over_host);
    free(a->over_reason);
    a->is_over = true;
    a->status = over->status <= STATUS_STOPPED ? (enum status)over->status
                                               : STATUS_INTERNAL;
    a->over_host = mem_copy_text(over->host.at, over->host.size);
    a->over_reason = mem_copy_text(over->reason.at, over->reason.size);
}

static enum status audit_take_record(struct audit *a, const struct record *r,
                                     struct fault *why)
{
    uint32_t channel = UINT32_MAX;

    if (r->type == RECORD_PLAN) {
        if (r->plan.channel >= AUDIT_CHANNELS_MAX ||
            r->plan.positions == UINT64_MAX) {
            return fault_set(why, STATUS_MALFORMED, "a plan out of range");
        }
        audit_enter_plan(a, &r->plan);
        return STATUS_OK;
    }
    if (r->type == RECORD_LEDGER || r->type == RECORD_SKIPPED) {
        channel =
            r->type == RECORD_LEDGER ? r->ledger.channel : r->skipped.channel;
        if (!audit_has_channel(a, channel)) {
            return fault_set(why, STATUS_MALFORMED,
                             "a record of channel %" PRIu32 " without a plan",
                             channel);
        }
    }
    if (r->type == RECORD_LEDGER) {
        audit_take_entry(a, channel, &r->ledger.entry);
    } else if (r->type == RECORD_SKIPPED) {
        audit_take_skipped(a, &r->skipped);
    } else if (r->type == RECORD_HOST) {
        audit_take_host(a, &r->host);
    } else if (r->type == RECORD_OVER) {
        audit_take_over(a, &r->over);
    }
    return STATUS_OK;
}

enum status audit_add_record(struct audit *a, uint64_t term,
                             struct bytes record, struct fault *why)
{
    struct record r;
    enum status s = record_read(record, why, &r);

    a->term = term;
    if (s == STATUS_OK) {
        a->records++;
        s = audit_take_record(a, &r, why);
    }
    a->is_unread = a->is_unread || s != STATUS_OK;
    return s;
}

/* ---- Objects ------------------------------------------------------------- */

static enum status audit_take_log(struct audit *a,
                                  const struct journal_log *log,
                                  struct fault *why)
{
    struct bytes left = log->records;
    struct bytes record;

    a->next = log->number + 1;
    a->terms += left.size == 0;
    while (journal_next_record(&left, &record)) {
        enum status s = audit_add_record(a, log->term, record, why);

        if (s != STATUS_OK) {
            return fault_prefix(why, s, "journal object %" PRIu64, log->number);
        }
    }
    if (left.size > 0) {
        return fault_set(why, STATUS_MALFORMED,
                         "journal object %" PRIu64 ": its records are damaged",
                         log->number);
    }
    return STATUS_OK;
}

static enum status audit_check_place(struct audit *a,
                                     const struct journal_object *o,
                                     struct fault *why)
{
    if (o->kind == JOURNAL_KIND_SNAPSHOT) {
        return fault_set(why, STATUS_MALFORMED, "a snapshot is no audit");
    }
    if (a->run[0] == '\0') {
        memcpy(a->run, o->run, sizeof(a->run));
    }
    if (strcmp(a->run, o->run) != 0) {
        return fault_set(why, STATUS_MALFORMED,
                         "an object of run %s among those of run %s", o->run,
                         a->run);
    }
    if (o->first > a->next) {
        return fault_set(why, STATUS_MALFORMED,
                         "journal objects %" PRIu64 " to %" PRIu64
                         " of run %s are missing",
                         a->next, o->first - 1, o->run);
    }
    return STATUS_OK;
}

static enum status audit_take_object(struct audit *a,
                                     const struct journal_object *o,
                                     struct fault *why)
{
    struct journal_walk walk;
    struct journal_log log;
    enum status s = STATUS_OK;

    journal_walk_init(&walk, o);
    while (s == STATUS_OK && journal_next_log(&walk, &log)) {
        if (log.number == a->next) {
            s = audit_take_log(a, &log, why);
        }
    }
    if (s == STATUS_OK && walk.is_damaged) {
        s = fault_set(why, STATUS_MALFORMED,
                      "the audit object of %" PRIu64 " to %" PRIu64
                      " is damaged",
                      o->first, o->last);
    }
    return s;
}

enum status audit_add_object(struct audit *a, struct bytes object,
                             struct fault *why)
{
    struct journal_object o;
    enum status s = journal_object_read(object, why, &o);

    if (s == STATUS_OK) {
        s = audit_check_place(a, &o, why);
    }
    if (s == STATUS_OK) {
        s = audit_take_object(a, &o, why);
    }
    a->is_unread = a->is_unread || s != STATUS_OK;
    return s;
}

/* ---- The verdict --------------------------------------------------------- */

uint32_t audit_channel_count(const struct audit *a)
{
    return a->channel_count;
}

uint64_t audit_epoch_count(const struct audit *a, uint32_t channel)
{
    return a->channels[channel].epoch_count;
}

struct audit_epoch audit_epoch(const struct audit *a, uint32_t channel,
                               uint64_t i)
{
    const struct audit_channel *c = &a->channels[channel];
    struct audit_epoch epoch = c->epochs[i];

    if (i + 1 < c->epoch_count) {
        return epoch;
    }
    epoch.committed = ranges_size(c->committed);
    epoch.base = ranges_size(c->base);
    epoch.skipped = ranges_size(c->skipped);
    epoch.missing = audit_missing(c);
    epoch.is_ended =
        epoch.missing == 0 || (epoch.is_stopped && c->lease_live == 0);
    return epoch;
}

bool audit_has_gap(const struct audit *a, uint32_t channel,
                   const struct audit_epoch *epoch)
{
    const struct audit_channel *c = &a->channels[channel];
    bool is_begun = epoch->leases > 0 || epoch->number == c->epoch_first;
    bool is_endless = c->epoch_max >= JOB_EPOCHS_MAX;

    return epoch->missing > 0 && !epoch->is_stopped &&
           (epoch->is_ended || (a->is_over && is_begun && !is_endless));
}

bool audit_is_over(const struct audit *a)
{
    return a->is_over;
}

bool audit_is_exact(const struct audit *a)
{
    bool is_exact = !a->is_unread;

    for (int i = 0; i < AUDIT_FINDINGS; i++) {
        is_exact = is_exact && a->found[i] == 0;
    }
    for (uint32_t i = 0; i < a->channel_count; i++) {
        for (uint64_t k = 0; is_exact && k < a->channels[i].epoch_count; k++) {
            struct audit_epoch epoch = audit_epoch(a, i, k);

            is_exact = !audit_has_gap(a, i, &epoch);
        }
    }
    return is_exact;
}

bool audit_finding(const struct audit *a, size_t i, struct audit_finding *out)
{
    if (i >= a->finding_count) {
        return false;
    }
    *out = a->findings[i];
    return true;
}

bool audit_skipped(const struct audit *a, size_t i, struct audit_skipped *out)
{
    const struct audit_skip *s = &a->skips[i];

    if (i >= a->skip_count) {
        return false;
    }
    *out = (struct audit_skipped){s->channel, s->epoch, s->position, s->key,
                                  s->reason};
    return true;
}

void audit_name_skip(struct audit *a, size_t i, struct bytes key)
{
    CHECK(i < a->skip_count);
    free(a->skips[i].key);
    a->skips[i].key = mem_copy_text(key.at, key.size);
}

/* The gaps of the epochs that are still open, of a job that is over. */
static bool audit_last_gap(const struct audit *a, size_t i,
                           struct audit_gap *out)
{
    for (uint32_t n = 0; n < a->channel_count; n++) {
        const struct audit_channel *c = &a->channels[n];
        struct audit_epoch epoch;
        struct range gap = {0, 0};

        if (!c->is_planned) {
            continue;
        }
        epoch = audit_epoch(a, n, c->epoch_count - 1);
        if (!audit_has_gap(a, n, &epoch)) {
            continue;
        }
        while (audit_next_missing(c, gap.end, &gap)) {
            if (i-- == 0) {
                *out = (struct audit_gap){n, epoch.number, gap};
                return true;
            }
        }
    }
    return false;
}

bool audit_gap(const struct audit *a, size_t i, struct audit_gap *out)
{
    if (i < a->gap_count) {
        *out = a->gaps[i];
        return true;
    }
    return i < AUDIT_LIST_MAX && audit_last_gap(a, i - a->gap_count, out);
}
