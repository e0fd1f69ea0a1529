/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the job as JSON: the session's, with leases and journal. */
#include "base/check.h"
#include "base/json.h"
#include "coordinator/field.h"
#include "coordinator/reign_state.h"

enum { REIGN_STRAGGLERS_MAX = 5 };

static void reign_report_counts(const struct ledger *l, struct buf *out)
{
    struct ledger_counts c = ledger_counts(l);

    field_write_number(out, "grants", c.grants);
    field_write_number(out, "drops", c.drops);
    field_write_number(out, "cuts", c.cuts);
    field_write_number(out, "late", c.late);
    field_write_number(out, "refused", c.refused);
    field_write_number(out, "duplicates", c.duplicates);
}

/* What each rank of a host has left of the leases that it was asked to give a
 * part of back. */
static void reign_add_stragglers(const struct ledger *l, uint32_t host,
                                 uint32_t first_rank,
                                 uint64_t left[WIRE_RANKS_MAX])
{
    struct ledger_lease lease;

    for (uint64_t after = 0; ledger_next_lease(l, host, after, &lease);
         after = lease.number) {
        if (lease.want_end < lease.range.end) {
            CHECK(lease.rank - first_rank < WIRE_RANKS_MAX);
            left[lease.rank - first_rank] += lease.left;
        }
    }
}

static void reign_report_stragglers(const struct reign *r, uint32_t channel,
                                    struct buf *out)
{
    uint32_t found = 0;

    field_write_key(out, "stragglers");
    buf_add_char(out, '[');
    for (uint32_t i = 0; i < r->dealt->host_count; i++) {
        uint64_t left[WIRE_RANKS_MAX] = {0};

        if (found == REIGN_STRAGGLERS_MAX) {
            break;
        }
        reign_add_stragglers(r->ledgers[channel], i, r->first_ranks[channel][i],
                             left);
        for (uint32_t k = 0; k < WIRE_RANKS_MAX && found < REIGN_STRAGGLERS_MAX;
             k++) {
            if (left[k] > 0) {
                buf_add_text(out, found++ == 0 ? "{" : ",{");
                field_write_text(out, "host", session_host(r->session, i).name);
                field_write_number(out, "rank", k);
                field_write_number(out, "left", left[k]);
                buf_add_char(out, '}');
            }
        }
    }
    buf_add_char(out, ']');
}

static void reign_report_ledger(const struct reign *r, uint32_t channel,
                                struct buf *out)
{
    const struct dealt_channel *c = &r->dealt->channels[channel];
    const struct ledger *l = r->ledgers[channel];

    buf_add_text(out, channel == 0 ? "{" : ",{");
    field_write_key(out, "channel");
    json_write_string(c->name, out);
    field_write_text(out, "deal", c->is_dynamic ? "dynamic" : "static");
    field_write_number(out, "epoch", ledger_epoch(l));
    field_write_number(out, "epochs", c->first_epoch + c->epochs);
    field_write_number(out, "positions", c->positions);
    field_write_number(out, "committed", ranges_size(ledger_committed(l)));
    field_write_number(out, "holes", ranges_count(ledger_committed(l)));
    field_write_number(out, "skipped", ranges_size(ledger_skipped(l)));
    field_write_number(out, "leases", ledger_lease_count(l));
    field_write_number(out, "leased", ledger_leased(l));
    field_write_number(out, "is_complete", ledger_is_complete(l));
    reign_report_counts(l, out);
    reign_report_stragglers(r, channel, out);
    buf_add_char(out, '}');
}

static void reign_report_journal(const struct reign *r, struct buf *out)
{
    struct journal_stats stats = journal_stats(r->journal);

    field_write_key(out, "journal");
    buf_add_char(out, '{');
    field_write_number(out, "number", stats.number);
    field_write_number(out, "records", stats.records);
    field_write_number(out, "waiting", stats.waiting);
    field_write_number(out, "failures", stats.failures);
    field_write_number(out, "snapshots", stats.snapshots);
    field_write_number(out, "recovered", stats.recovered);
    buf_add_char(out, '}');
}

static void reign_report_net(const struct net_counts *net, struct buf *out)
{
    field_write_key(out, "net");
    buf_add_char(out, '{');
#define X(name, meaning) field_write_number(out, #name, net->name);
    NET_COUNTS_MAP(X)
#undef X
    buf_add_char(out, '}');
}

/* Nothing is known of the hosts yet, or ever. */
static void reign_report_head(const struct reign *r, struct buf *out)
{
    const struct session_options *o = &r->options.session;

    buf_add_char(out, '{');
    field_write_text(out, "job", o->job_name);
    field_write_text(out, "run", o->run);
    field_write_number(out, "term", o->term);
    field_write_text(out, "leader", o->leader);
    field_write_text(out, "phase", reign_state_word(r->state));
    field_write_number(out, "since_ms", r->now_ms - r->began_ms);
    field_write_text(out, "detail", "totals");
    field_write_key(out, "hosts");
    buf_add_text(out, "[]");
    field_write_key(out, "outcome");
    if (r->state != REIGN_BROKEN) {
        buf_add_text(out, "null");
        return;
    }
    buf_add_char(out, '{');
    field_write_text(out, "status", status_name(STATUS_MALFORMED));
    field_write_number(out, "exit_code",
                       (uint64_t)status_exit_code(STATUS_MALFORMED));
    field_write_text(out, "host", "");
    field_write_text(out, "reason", r->told.text);
    buf_add_char(out, '}');
}

static void reign_report_ledgers(const struct reign *r, struct buf *out)
{
    uint32_t count = r->dealt != NULL ? r->dealt->channel_count : 0;

    field_write_key(out, "ledgers");
    buf_add_char(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        reign_report_ledger(r, i, out);
    }
    buf_add_char(out, ']');
}

void reign_report(const struct reign *r, const struct net_counts *net,
                  struct buf *out)
{
    if (r->session == NULL) {
        reign_report_head(r, out);
    } else {
        session_report(r->session, out);
        CHECK(out->size > 0 && out->at[out->size - 1] == '}');
        out->size--;
        reign_report_ledgers(r, out);
    }
    reign_report_journal(r, out);
    field_write_number(out, "has_conditions", r->options.has_conditions);
    if (net != NULL) {
        reign_report_net(net, out);
    }
    buf_add_char(out, '}');
}
