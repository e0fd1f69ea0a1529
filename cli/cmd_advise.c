/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/advise.h"
#include "cli/amount.h"
#include "cli/commands.h"
#include "cli/listing.h"

static const struct option_row advise_rows[] = {
    {"hosts", "N", "hosts of the job [1]"},
    {"ranks", "N", "ranks of each host [1]"},
    {"memory", "SIZE", "memory of each host that data may take"},
    {"disk", "SIZE", "free disk of each host"},
    {"bandwidth", "SIZE", "what a host reads in a second [1250MB]"},
    {"latency-ms", "N", "how long one request takes [30]"},
    {"requests", "N", "requests a second that the store answers [5500]"},
    {"replicated", NULL, "every host reads all of it"},
    {"json", NULL, "print JSON"},
    {NULL, NULL, NULL},
};

const struct command command_advise = {
    .name = "advise",
    .usage = "[FLAGS] SOURCE-URI",
    .summary = "say which input mode suits a data set, and why",
    .rows = advise_rows,
    .takes_words = true,
    .more =
        "It lists the source, reads nothing else and writes nothing. Times "
        "are those of a\nsimple model, which is printed too: requests, bytes "
        "and keys a second.\n\n"
        "    smshard advise --hosts 4 --ranks 8 s3://bucket/train/\n",
    .run = advise_main,
};

enum { ADVISE_HOSTS_MAX = 16384, ADVISE_RANKS_MAX = 64 };

struct advise_work {
    struct options options;
    const char *uri;
    struct advise_setting setting;
    struct advise_seen seen;
    struct advise advice;
    bool is_json;
};

/* ---- Reading the flags. */

static enum status advise_size(const struct advise_work *w, const char *flag,
                               struct fault *why, uint64_t *out)
{
    const char *text = options_get(&w->options, flag);

    return text == NULL
               ? STATUS_OK
               : amount_parse(flag, text,
                              (struct amount_range){1, UINT64_C(1) << 50}, why,
                              out);
}

static enum status advise_sizes(struct advise_work *w, struct fault *why)
{
    uint64_t bandwidth = (uint64_t)w->setting.bandwidth;
    enum status s = advise_size(w, "memory", why, &w->setting.memory);

    if (s == STATUS_OK) {
        s = advise_size(w, "disk", why, &w->setting.disk);
    }
    if (s == STATUS_OK) {
        s = advise_size(w, "bandwidth", why, &bandwidth);
    }
    w->setting.bandwidth = (double)bandwidth;
    return s;
}

static enum status advise_numbers(struct advise_work *w, struct fault *why)
{
    struct {
        const char *flag;
        uint64_t high;
        uint64_t value;
    } rows[] = {
        {"hosts", ADVISE_HOSTS_MAX, 1},
        {"ranks", ADVISE_RANKS_MAX, 1},
        {"latency-ms", 100000, 30},
        {"requests", 1000000000, 5500},
    };
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < sizeof(rows) / sizeof(rows[0]);
         i++) {
        s = options_number(&w->options, rows[i].flag,
                           (struct options_range){1, rows[i].high}, why,
                           &rows[i].value);
    }
    w->setting.hosts = (uint32_t)rows[0].value;
    w->setting.ranks = (uint32_t)rows[1].value;
    w->setting.latency = (double)rows[2].value / 1000;
    w->setting.requests_max = (double)rows[3].value;
    return s;
}

/* The URI may stand before the flags too. */
static enum status advise_parse(char **argv, struct advise_work *w,
                                struct fault *why)
{
    bool is_first = argv[0] != NULL && strncmp(argv[0], "--", 2) != 0;
    enum status s =
        options_parse(&command_advise, argv + is_first, why, &w->options);

    if (s == STATUS_OK && w->options.word_count + is_first != 1) {
        s = fault_set(why, STATUS_USAGE,
                      "one SOURCE-URI is wanted, such as s3://bucket/train/ or "
                      "file:///folder/; see 'smshard advise --help'");
    }
    if (s != STATUS_OK) {
        return s;
    }
    w->uri = is_first ? argv[0] : w->options.words[0];
    w->setting = advise_usual();
    w->setting.is_replicated = options_get(&w->options, "replicated") != NULL;
    w->is_json = options_get(&w->options, "json") != NULL;
    s = advise_numbers(w, why);
    return s == STATUS_OK ? advise_sizes(w, why) : s;
}

/* ---- Listing. */

static enum status advise_look(struct advise_work *w, struct fault *why)
{
    static char name[] = "source";
    struct catalog_cursor *cursor = mem_new(1, sizeof(*cursor));
    char *uri = mem_copy(w->uri);
    struct job_channel channel = {.name = name,
                                  .uri = uri,
                                  .source = JOB_SOURCE_PREFIX,
                                  .mode = JOB_RING};
    struct listing listing = {0};
    struct catalog_object object;
    enum status s = listing_make(&(struct listing_options){.channel = &channel},
                                 why, &listing);

    if (s == STATUS_OK) {
        catalog_seek(listing.catalog, 0, cursor);
        while (catalog_next(cursor, &object)) {
            advise_add(&w->seen, object.key, object.size);
        }
        if (w->seen.objects == 0) {
            s = fault_set(why, STATUS_EMPTY, "%s: no object", w->uri);
        }
    }
    listing_fini(&listing);
    free(uri);
    free(cursor);
    return s;
}

/* ---- Telling. */

static void advise_print(const struct advise_work *w)
{
    const struct advise *a = &w->advice;
    const struct advise_setting *s = &w->setting;
    char one[AMOUNT_TEXT_MAX];
    char two[AMOUNT_TEXT_MAX];

    printf("%s: %" PRIu64 " objects, %s", w->uri, w->seen.objects,
           amount_bytes(w->seen.bytes, one));
    printf("; mean %s, largest %s; %" PRIu64 " %% of at most 1 MiB\n",
           amount_bytes((uint64_t)a->mean, one),
           amount_bytes(w->seen.largest, two),
           100 * w->seen.small / w->seen.objects);
    printf("assumed: %" PRIu32 " hosts of %" PRIu32 " ranks; a host reads %s/s "
           "and makes %.0f requests/s\n",
           s->hosts, s->ranks, amount_bytes((uint64_t)s->bandwidth, one),
           a->requests);
    printf("         (%.0f at once, %.0f ms each, %.0f/s in all); %.0f keys "
           "listed/s\n\n",
           s->connections, s->latency * 1000, s->requests_max, s->list_rate);
    for (unsigned i = 0; i < ADVISE_MODES; i++) {
        const struct advise_row *row = &a->rows[i];

        printf("%-9s %s %-11s %s\n", advise_mode_name((enum advise_mode)i),
               row->fits ? "starts after" : "can't:      ",
               row->fits ? amount_seconds(row->start, one) : "", row->why);
    }
    printf("an epoch  takes at least %s\n\n", amount_seconds(a->epoch, one));
    printf("advice: %s%s: %s\n", a->packs ? "pack first, then " : "",
           advise_mode_name(a->mode), a->why);
    if (a->hint[0] != '\0') {
        printf("note: %s\n", a->hint);
    }
}

static void advise_json_text(struct buf *out, const char *name,
                             const char *text)
{
    buf_print(out, "\"%s\": ", name);
    json_write_string(bytes_of(text), out);
}

static void advise_json_rows(const struct advise *a, struct buf *out)
{
    buf_add_text(out, "\"modes\": [");
    for (unsigned i = 0; i < ADVISE_MODES; i++) {
        const struct advise_row *row = &a->rows[i];

        buf_print(out,
                  "%s{\"mode\": \"%s\", \"fits\": %s, "
                  "\"start_seconds\": %.3f, ",
                  i > 0 ? ", " : "", advise_mode_name((enum advise_mode)i),
                  row->fits ? "true" : "false", row->start);
        advise_json_text(out, "why", row->why);
        buf_add_text(out, "}");
    }
    buf_add_text(out, "], ");
}

static void advise_print_json(const struct advise_work *w)
{
    const struct advise *a = &w->advice;
    const struct advise_setting *s = &w->setting;
    struct buf out = {0};

    buf_add_char(&out, '{');
    advise_json_text(&out, "source", w->uri);
    buf_print(&out,
              ", \"objects\": %" PRIu64 ", \"bytes\": %" PRIu64
              ", \"largest\": %" PRIu64 ", \"small\": %" PRIu64
              ", \"records\": %" PRIu64 ", ",
              w->seen.objects, w->seen.bytes, w->seen.largest, w->seen.small,
              w->seen.records);
    buf_print(&out,
              "\"assumed\": {\"hosts\": %" PRIu32 ", \"ranks\": %" PRIu32
              ", \"bandwidth\": %.0f, \"latency_ms\": %.0f, "
              "\"connections\": %.0f, \"requests\": %.0f, "
              "\"list_rate\": %.0f}, ",
              s->hosts, s->ranks, s->bandwidth, s->latency * 1000,
              s->connections, s->requests_max, s->list_rate);
    advise_json_rows(a, &out);
    buf_print(&out,
              "\"epoch_seconds\": %.3f, \"pack_seconds\": %.3f, "
              "\"packed_epoch_seconds\": %.3f, \"pack\": %s, "
              "\"advice\": \"%s\", ",
              a->epoch, a->pack, a->packed_epoch, a->packs ? "true" : "false",
              advise_mode_name(a->mode));
    advise_json_text(&out, "why", a->why);
    buf_add_text(&out, ", ");
    advise_json_text(&out, "note", a->hint);
    buf_add_char(&out, '}');
    puts(buf_text(&out));
    buf_fini(&out);
}

int advise_main(int argc, char **argv)
{
    struct advise_work *w = mem_new(1, sizeof(*w));
    struct fault why = {.text = ""};
    enum status s = advise_parse(argv + 1, w, &why);
    int code = 0;

    (void)argc;
    if (s == STATUS_OK) {
        log_init("-", LOG_ERROR);
        s = advise_look(w, &why);
    }
    if (s == STATUS_OK) {
        advise_make(&w->seen, &w->setting, &w->advice);
        if (w->is_json) {
            advise_print_json(w);
        } else {
            advise_print(w);
        }
    } else {
        code = command_fail(s, &why);
    }
    options_fini(&w->options);
    free(w);
    return code;
}
