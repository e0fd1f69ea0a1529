/* SPDX-License-Identifier: Apache-2.0 */
/* Streams on the screen: a row for each, and who waits for whom. */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "cli/plan.h"
#include "cli/status_screen_parts.h"

enum {
    STREAM_ROWS = 16,
    STREAM_TELLING = 10, /* Percent of the time: less is nobody's. */
    STREAM_PERCENT = 100,
};

enum stream_wait { STREAM_NOBODY, STREAM_STORE, STREAM_CONSUMER };

/* A streaming channel keeps either its reader or its memory waiting: what does
 * so for longer is what bounds it. */
static enum stream_wait stream_bound(const struct json *row)
{
    uint64_t store = status_number(row, "waits_for_store");
    uint64_t consumer = status_number(row, "waits_for_consumer");

    if (store >= STREAM_TELLING && store >= consumer) {
        return STREAM_STORE;
    }
    return consumer >= STREAM_TELLING ? STREAM_CONSUMER : STREAM_NOBODY;
}

static void stream_write_bound(const struct json *row,
                               const struct status_screen *screen,
                               struct buf *out)
{
    static const struct {
        const char *color;
        const char *word;
        const char *key;
    } waits[] = {
        [STREAM_NOBODY] = {"", "nobody", ""},
        [STREAM_STORE] = {"\033[33m", "store", "waits_for_store"},
        [STREAM_CONSUMER] = {"\033[32m", "consumer", "waits_for_consumer"},
    };
    enum stream_wait wait = stream_bound(row);
    char part[8] = "";

    if (wait != STREAM_NOBODY) {
        snprintf(part, sizeof(part), "%3u%%",
                 (unsigned)(status_number(row, waits[wait].key) %
                            (STREAM_PERCENT + 1)));
    }
    buf_print(out, "%s%-8s%s %4s", screen->with_color ? waits[wait].color : "",
              waits[wait].word,
              screen->with_color && wait != STREAM_NOBODY ? "\033[0m" : "",
              part);
}

static void stream_write_rank(const struct json *row, struct buf *out)
{
    int64_t rank;

    if (json_int64(json_get(row, "rank"), &rank)) {
        buf_print(out, " %4" PRId64, rank);
    } else {
        buf_add_text(out, "  all");
    }
}

static void stream_write_padded(const struct json *v, const char *key,
                                int width, struct buf *out)
{
    struct buf text = {0};

    status_screen_text(v, key, &text);
    buf_print(out, "%-*.*s", width, width, buf_text(&text));
    buf_fini(&text);
}

static void stream_write_rate(uint64_t rate, struct buf *out)
{
    struct buf text = {0};

    plan_write_size(rate, &text);
    buf_print(out, " %10s/s  ", buf_text(&text));
    buf_fini(&text);
}

/* Of a mount nobody knows which units are read: its bytes. */
static void stream_write_units(const struct json *row, struct buf *out)
{
    struct buf text = {0};

    if (bytes_is(json_string(json_get(row, "mode")), "FastFile")) {
        plan_write_size(status_number(row, "bytes"), &text);
        buf_print(out, " %11s %11s", buf_text(&text), "-");
    } else {
        buf_print(out, " %11" PRIu64 " %11" PRIu64, status_number(row, "units"),
                  status_number(row, "units_done"));
    }
    buf_fini(&text);
}

static void stream_write(const struct json *host, const struct json *row,
                         const struct status_screen *screen, struct buf *out)
{
    stream_write_padded(host, "name", 16, out);
    buf_add_char(out, ' ');
    stream_write_padded(row, "channel", 12, out);
    stream_write_rank(row, out);
    buf_add_char(out, ' ');
    stream_write_padded(row, "mode", 8, out);
    buf_print(out, " %6" PRIu64, status_number(row, "epoch") + 1);
    stream_write_units(row, out);
    stream_write_rate(status_number(row, "bytes_per_s"), out);
    stream_write_bound(row, screen, out);
    buf_add_text(out, "  ");
    status_screen_text(row, "placed", out);
    buf_add_char(out, '\n');
}

/* What all of them are about. */
struct stream_sum {
    uint64_t count;
    uint64_t rate;
    uint64_t bound[3]; /* By enum stream_wait. */
};

static void stream_add(const struct json *rows, struct stream_sum *sum)
{
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);

        sum->count++;
        sum->rate += status_number(row, "bytes_per_s");
        sum->bound[stream_bound(row)]++;
    }
}

static void stream_write_sum(const struct stream_sum *sum, struct buf *out)
{
    buf_print(out, "streams: %" PRIu64 " with ", sum->count);
    plan_write_size(sum->rate, out);
    buf_add_text(out, "/s");
    if (sum->bound[STREAM_STORE] > 0) {
        buf_print(out, ", %" PRIu64 " bound by the store",
                  sum->bound[STREAM_STORE]);
    }
    if (sum->bound[STREAM_CONSUMER] > 0) {
        buf_print(out, ", %" PRIu64 " by their consumer",
                  sum->bound[STREAM_CONSUMER]);
    }
    buf_add_char(out, '\n');
}

/* Those that wait for the store come first. */
static uint64_t stream_write_bound_rows(const struct json *hosts,
                                        enum stream_wait wait, uint64_t room,
                                        const struct status_screen *screen,
                                        struct buf *out)
{
    uint64_t shown = 0;

    for (size_t h = 0; h < json_count(hosts); h++) {
        const struct json *rows = json_get(json_at(hosts, h), "streams");

        for (size_t i = 0; i < json_count(rows) && shown < room; i++) {
            if (stream_bound(json_at(rows, i)) == wait) {
                stream_write(json_at(hosts, h), json_at(rows, i), screen, out);
                shown++;
            }
        }
    }
    return shown;
}

void status_streams(const struct json *hosts,
                    const struct status_screen *screen, struct buf *out)
{
    static const enum stream_wait order[] = {STREAM_STORE, STREAM_NOBODY,
                                             STREAM_CONSUMER};
    uint64_t room = screen->rows > 0 ? STREAM_ROWS : UINT64_MAX;
    struct stream_sum sum = {0};
    uint64_t shown = 0;

    for (size_t h = 0; h < json_count(hosts); h++) {
        stream_add(json_get(json_at(hosts, h), "streams"), &sum);
    }
    if (sum.count == 0) {
        return;
    }
    stream_write_sum(&sum, out);
    buf_print(out, "%-16s %-12s %4s %-8s %6s %11s %11s %12s  %-13s  %s\n",
              "stream of", "channel", "rank", "mode", "epoch", "handed over",
              "consumed", "rate", "waits for", "memory");
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        shown +=
            stream_write_bound_rows(hosts, order[i], room - shown, screen, out);
    }
    if (shown < sum.count) {
        buf_print(out, "... and %" PRIu64 " more streams\n", sum.count - shown);
    }
}
