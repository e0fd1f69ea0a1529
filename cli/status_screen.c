/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_screen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/plan.h"
#include "cli/status_screen_parts.h"
#include "proto/job_fields.h"
#include "proto/wire.h"

enum { STATUS_BAR = 20, STATUS_PERCENT = 100 };

uint64_t status_number(const struct json *v, const char *key)
{
    int64_t value;

    return json_int64(json_get(v, key), &value) && value > 0 ? (uint64_t)value
                                                             : 0;
}

void status_screen_text(const struct json *v, const char *key, struct buf *out)
{
    struct bytes text = json_string(json_get(v, key));

    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];

        buf_add_char(out, (unsigned char)c < ' ' || c == 0x7f ? '?' : c);
    }
}

static const char *status_color(const struct status_screen *screen,
                                struct bytes phase)
{
    if (!screen->with_color) {
        return "";
    }
    if (bytes_is(phase, "lost") || bytes_is(phase, "absent")) {
        return "\033[31m";
    }
    if (bytes_is(phase, "running") || bytes_is(phase, "done")) {
        return "\033[32m";
    }
    return "\033[33m";
}

/* A sum over the channels of one host. */
struct status_sum {
    uint64_t units_done;
    uint64_t units;
    uint64_t bytes_done;
    uint64_t bytes;
};

static struct status_sum status_add(const struct json *channels)
{
    struct status_sum sum = {0};

    for (size_t i = 0; i < json_count(channels); i++) {
        const struct json *c = json_at(channels, i);

        sum.units_done += status_number(c, "units_done");
        sum.units += status_number(c, "units");
        sum.bytes_done += status_number(c, "bytes_done");
        sum.bytes += status_number(c, "bytes");
    }
    return sum;
}

/* Part in whole as percent; a share of nothing is all there. */
static uint64_t status_percent(const struct status_sum *sum)
{
    if (sum->bytes > 0) {
        return (uint64_t)((double)sum->bytes_done / (double)sum->bytes *
                          STATUS_PERCENT);
    }
    return sum->units > 0 ? sum->units_done * STATUS_PERCENT / sum->units
                          : STATUS_PERCENT;
}

static void status_bar(const struct status_sum *sum, struct buf *out)
{
    uint64_t full = status_percent(sum) * STATUS_BAR / STATUS_PERCENT;

    for (uint64_t i = 0; i < STATUS_BAR; i++) {
        buf_add_text(out, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91");
    }
}

static void status_head(const struct json *report, struct buf *out)
{
    buf_add_text(out, "job ");
    status_screen_text(report, "job", out);
    buf_add_text(out, "   ");
    status_screen_text(report, "phase", out);
    buf_print(out, " for %" PRIu64 " s   led by ",
              status_number(report, "since_ms") / 1000);
    status_screen_text(report, "leader", out);
    buf_print(out, " (term %" PRIu64 ")\n", status_number(report, "term"));
    if (json_get(report, "has_conditions") != NULL &&
        status_number(report, "has_conditions") == 0) {
        buf_add_text(out, "no fail-over: the store has no conditional writes, "
                          "and the job ends with the host that leads\n");
    }
}

/* How far the share is, once the host has told of it. */
static void status_share(const struct json *channels, struct buf *out)
{
    struct status_sum sum = status_add(channels);
    struct buf done = {0};

    if (json_count(channels) == 0) {
        buf_print(out, "%-20s %4s %17s %10s", "-", "", "", "");
        return;
    }
    plan_write_size(sum.bytes_done, &done);
    status_bar(&sum, out);
    buf_print(out, " %3" PRIu64 "%% %8" PRIu64 "/%-8" PRIu64 " %10s",
              status_percent(&sum), sum.units_done, sum.units, buf_text(&done));
    buf_fini(&done);
}

static void status_host(const struct json *host,
                        const struct status_screen *screen, struct buf *out)
{
    struct bytes phase = json_string(json_get(host, "phase"));
    struct bytes name = json_string(json_get(host, "name"));

    buf_print(out, "%-20.*s %s%-9.*s%s ", (int)name.size, name.at,
              status_color(screen, phase), (int)phase.size, phase.at,
              screen->with_color ? "\033[0m" : "");
    status_share(json_get(host, "channels"), out);
    buf_print(out, " %5" PRIu64 " %6.1f s", status_number(host, "ranks"),
              (double)status_number(host, "silent_ms") / 1000);
    if (json_string(json_get(host, "reason")).size > 0) {
        buf_add_text(out, "  ");
        status_screen_text(host, "reason", out);
    }
    buf_add_char(out, '\n');
}

/* How much a host deserves to be seen when not all can be. */
static int status_worth(const struct json *host)
{
    struct bytes phase = json_string(json_get(host, "phase"));

    if (bytes_is(phase, "lost")) {
        return 0;
    }
    if (bytes_is(phase, "absent")) {
        return 1;
    }
    return bytes_is(phase, "bringing") || bytes_is(phase, "saving") ? 2 : 3;
}

static void status_hosts(const struct json *hosts,
                         const struct status_screen *screen, struct buf *out)
{
    size_t count = json_count(hosts);
    bool has_all = screen->rows == 0 || count <= screen->rows;
    size_t shown = 0;

    buf_print(out, "%-20s %-9s %-20s      %17s %10s %5s %8s\n", "host", "phase",
              "share", "objects", "bytes", "ranks", "silent");
    for (int worth = 0; worth < 4; worth++) {
        for (size_t i = 0; i < count; i++) {
            const struct json *host = json_at(hosts, i);

            if ((has_all ? worth == 0 : status_worth(host) == worth) &&
                (has_all || shown < screen->rows)) {
                status_host(host, screen, out);
                shown++;
            }
        }
    }
    if (shown < count) {
        buf_print(out, "... and %zu more hosts\n", count - shown);
    }
}

static void status_totals(const struct json *report, struct buf *out)
{
    const struct json *totals =
        json_get(json_get(report, "totals"), "channels");

    for (size_t i = 0; i < json_count(totals); i++) {
        const struct json *row = json_at(totals, i);

        buf_add_text(out, "channel ");
        status_screen_text(row, "name", out);
        buf_print(out, ": %" PRIu64 " of %" PRIu64 " objects, ",
                  status_number(row, "units_done"),
                  status_number(row, "units"));
        plan_write_size(status_number(row, "bytes_done"), out);
        buf_add_text(out, " of ");
        plan_write_size(status_number(row, "bytes"), out);
        buf_add_char(out, '\n');
    }
}

/* What went otherwise than planned, where something did. */
static void status_trouble(const struct json *row, struct buf *out)
{
    static const struct {
        const char *key;
        const char *text;
    } rows[] = {
        {"drops", "leases of lost hosts dealt again"},
        {"late", "out of a rank's order"},
        {"cuts", "tails taken from stragglers"},
        {"refused", "words of ended leases refused"},
        {"skipped", "units skipped"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = status_number(row, rows[i].key);

        if (value > 0) {
            buf_print(out, "    %" PRIu64 " %s\n", value, rows[i].text);
        }
    }
}

static void status_stragglers(const struct json *row, struct buf *out)
{
    const struct json *list = json_get(row, "stragglers");

    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *s = json_at(list, i);

        buf_add_text(out, "    straggler: ");
        status_screen_text(s, "host", out);
        buf_print(out, " rank %" PRIu64 ", %" PRIu64 " units left\n",
                  status_number(s, "rank"), status_number(s, "left"));
    }
}

static bool status_has_row(const struct json *rows, const char *key,
                           struct bytes name, const char *mode)
{
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);

        if (bytes_is_equal(json_string(json_get(row, key)), name) &&
            (mode == NULL ||
             bytes_is(json_string(json_get(row, "mode")), mode))) {
            return true;
        }
    }
    return false;
}

/* Nobody tells which files the command has read: the whole share counts as
 * consumed in the end. */
static bool status_is_files(const struct json *report, const struct json *row)
{
    struct bytes name = json_string(json_get(row, "channel"));
    const struct json *hosts = json_get(report, "hosts");

    if (!bytes_is(json_string(json_get(row, "deal")), "static")) {
        return false;
    }
    for (size_t i = 0; i < json_count(hosts); i++) {
        const struct json *host = json_at(hosts, i);

        if (status_has_row(json_get(host, "channels"), "name", name, NULL) ||
            status_has_row(json_get(host, "streams"), "channel", name,
                           "FastFile")) {
            return true;
        }
    }
    return false;
}

static void status_ledger(const struct json *report, const struct json *row,
                          struct buf *out)
{
    struct status_sum sum = {
        .units_done =
            status_number(row, "committed") + status_number(row, "skipped"),
        .units = status_number(row, "positions"),
    };

    buf_add_text(out, "ledger ");
    status_screen_text(row, "channel", out);
    buf_add_text(out, ": ");
    status_bar(&sum, out);
    buf_print(out, " %3" PRIu64 "%%  epoch %" PRIu64, status_percent(&sum),
              status_number(row, "epoch") + 1);
    if (status_number(row, "epochs") < JOB_EPOCHS_MAX) {
        buf_print(out, " of %" PRIu64, status_number(row, "epochs"));
    }
    buf_print(out,
              ", %" PRIu64 "/%" PRIu64 " committed%s, %" PRIu64
              " leases over %" PRIu64 " units\n",
              sum.units_done, sum.units,
              sum.units_done < sum.units && status_is_files(report, row)
                  ? " (files: once the command has ended)"
                  : "",
              status_number(row, "leases"), status_number(row, "leased"));
    status_trouble(row, out);
    status_stragglers(row, out);
}

static void status_ledgers(const struct json *report, struct buf *out)
{
    const struct json *ledgers = json_get(report, "ledgers");
    const struct json *journal = json_get(report, "journal");

    for (size_t i = 0; i < json_count(ledgers); i++) {
        status_ledger(report, json_at(ledgers, i), out);
    }
    if (status_number(journal, "waiting") > 0 ||
        status_number(journal, "failures") > 0) {
        buf_print(out,
                  "journal: %" PRIu64 " records wait to be durable, %" PRIu64
                  " requests had to be made again\n",
                  status_number(journal, "waiting"),
                  status_number(journal, "failures"));
    }
}

/* @before and the text, unless that is empty. */
static void status_after(const char *before, const struct json *v,
                         const char *key, struct buf *out)
{
    if (json_string(json_get(v, key)).size > 0) {
        buf_add_text(out, before);
        status_screen_text(v, key, out);
    }
}

static void status_end(const struct json *report, struct buf *out)
{
    const struct json *outcome = json_get(report, "outcome");
    uint64_t refused = status_number(report, "refused");
    uint64_t bad = status_number(report, "bad_messages");

    if (refused > 0 || bad > 0) {
        buf_print(out,
                  "refused: %" PRIu64 ", malformed messages: %" PRIu64 "\n",
                  refused, bad);
    }
    if (json_is(outcome, JSON_OBJECT)) {
        buf_add_text(out, "outcome: ");
        status_screen_text(outcome, "status", out);
        status_after(", ", outcome, "host", out);
        status_after(json_string(json_get(outcome, "host")).size > 0 ? ": "
                                                                     : ", ",
                     outcome, "reason", out);
        buf_add_char(out, '\n');
    }
}

/* What the coordinator's network has kept out, where there was something. */
static void status_net(const struct json *net, struct buf *out)
{
    static const struct {
        const char *key;
        const char *text;
    } rows[] = {
        {"refused", "connections with a key that is not admitted"},
        {"unproved", "that proved no key"},
        {"malformed", "messages not understood"},
        {"flooded", "above a host's rate"},
        {"expired", "under a key of before"},
    };
    const char *before = "network: ";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = status_number(net, rows[i].key);

        if (value > 0) {
            buf_print(out, "%s%" PRIu64 " %s", before, value, rows[i].text);
            before = ", ";
        }
    }
    buf_add_text(out, before[0] == ',' ? "\n" : "");
}

/* Requests to stores in the last window, and what they may be. */
static void status_budget(const struct json *budget, struct buf *out)
{
    uint64_t window_ms = status_number(budget, "window_ms");
    uint64_t limit = status_number(budget, "limit_per_1000s");
    uint64_t throttled = status_number(budget, "throttled");

    if (status_number(budget, "requests") == 0) {
        return;
    }
    buf_print(out, "stores: %.1f requests/s, ",
              window_ms == 0
                  ? 0.0
                  : (double)status_number(budget, "window_requests") * 1000 /
                        (double)window_ms);
    if (limit > 0) {
        buf_print(out, "limit %.1f", (double)limit / 1000);
    } else {
        buf_add_text(out, "no limit");
    }
    if (throttled > 0) {
        buf_print(out, ", %" PRIu64 " told to slow down (%" PRIu64 " so far)",
                  status_number(budget, "window_throttled"), throttled);
    }
    buf_add_char(out, '\n');
}

/* There is no session yet, or none any more. */
static bool status_begun(const struct json *report, struct buf *out)
{
    struct bytes phase = json_string(json_get(report, "phase"));
    const struct json *outcome = json_get(report, "outcome");

    if (bytes_is(phase, "broken")) {
        status_screen_text(outcome, "reason", out);
        buf_add_char(out, '\n');
        return true;
    }
    if (!bytes_is(phase, "recovering") && !bytes_is(phase, "loading")) {
        return false;
    }
    buf_add_text(out, "the coordinator on ");
    status_screen_text(report, "leader", out);
    buf_print(out,
              " recovers the job's state since %" PRIu64 " s (term %" PRIu64
              ")\n",
              status_number(report, "since_ms") / 1000,
              status_number(report, "term"));
    return true;
}

void status_screen_write(const struct json *report,
                         const struct status_screen *screen, struct buf *out)
{
    if (status_begun(report, out)) {
        return;
    }
    status_head(report, out);
    status_hosts(json_get(report, "hosts"), screen, out);
    status_totals(report, out);
    status_ledgers(report, out);
    status_streams(json_get(report, "hosts"), screen, out);
    status_budget(json_get(report, "budget"), out);
    status_net(json_get(report, "net"), out);
    status_end(report, out);
}
