/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/doctor.h"

enum { DOCTOR_COLUMN = 16 };

static const char *const doctor_names[DOCTOR_CHECKS] = {
#define X(id, name, needs, writes) [DOCTOR_##id] = name,
    DOCTOR_MAP(X)
#undef X
};

static const struct {
    const char *word;
    const char *color;
} doctor_results[] = {
    [DOCTOR_NONE] = {"", ""},
    [DOCTOR_OK] = {"ok", "\033[32m"},
    [DOCTOR_FAILED] = {"failed", "\033[31m"},
    [DOCTOR_UNSUPPORTED] = {"not supported", "\033[33m"},
    [DOCTOR_SKIPPED] = {"skipped", "\033[2m"},
};

const char *doctor_name(enum doctor_check check)
{
    return doctor_names[check];
}

static unsigned doctor_count(const struct doctor *d, enum doctor_result result)
{
    unsigned count = 0;

    for (unsigned i = 0; i < DOCTOR_CHECKS; i++) {
        count += d->lines[i].result == result;
    }
    return count;
}

void doctor_print_head(const struct doctor *d)
{
    struct endpoint at;

    if (d->options.is_json) {
        return;
    }
    printf("smshard doctor %s", d->options.uri);
    if (d->bucket != NULL) {
        s3_bucket_endpoint(d->bucket, &at);
        printf(" at %s", at.origin);
    }
    printf("\n\n");
}

void doctor_print_busy(const struct doctor *d, enum doctor_check check)
{
    if (!d->options.is_json && d->options.with_color) {
        printf("  %-*s  ...", DOCTOR_COLUMN, doctor_names[check]);
        (void)fflush(stdout);
    }
}

void doctor_print_line(const struct doctor *d, enum doctor_check check)
{
    const struct doctor_line *line = &d->lines[check];
    bool is_color = d->options.with_color;

    if (d->options.is_json) {
        return;
    }
    printf("%s  %-*s  %s%-13s%s  %s\n", is_color ? "\r\033[K" : "",
           DOCTOR_COLUMN, doctor_names[check],
           is_color ? doctor_results[line->result].color : "",
           doctor_results[line->result].word, is_color ? "\033[0m" : "",
           line->text);
    (void)fflush(stdout);
}

void doctor_print_sum(const struct doctor *d)
{
    unsigned skipped = doctor_count(d, DOCTOR_SKIPPED);

    if (d->options.is_json) {
        return;
    }
    printf("\n%u ok, %u failed, %u not supported", doctor_count(d, DOCTOR_OK),
           doctor_count(d, DOCTOR_FAILED), doctor_count(d, DOCTOR_UNSUPPORTED));
    if (skipped > 0) {
        printf(", %u skipped", skipped);
    }
    printf("\n");
}

/* ---- JSON --------------------------------------------------------------- */

static void doctor_json_text(const char *key, const char *text, struct buf *out)
{
    buf_print(out, "\"%s\":", key);
    json_write_string(bytes_of(text), out);
}

static void doctor_json_line(const struct doctor *d, enum doctor_check check,
                             struct buf *out)
{
    const struct doctor_line *line = &d->lines[check];

    buf_add_char(out, '{');
    doctor_json_text("check", doctor_names[check], out);
    buf_add_char(out, ',');
    doctor_json_text("result", doctor_results[line->result].word, out);
    buf_add_char(out, ',');
    doctor_json_text("text", line->text, out);
    if (line->result == DOCTOR_FAILED) {
        buf_add_char(out, ',');
        doctor_json_text("status", status_name(line->status), out);
    }
    if (line->ms >= 0) {
        buf_print(out, ",\"ms\":%" PRId64, line->ms);
    }
    if (line->bytes > 0) {
        buf_print(out, ",\"bytes\":%" PRIu64 ",\"bytes_per_s\":%.0f",
                  line->bytes, line->bytes_per_s);
    }
    if (check == DOCTOR_CLOCK && d->knows_offset) {
        buf_print(out, ",\"offset_ms\":%" PRId64, d->offset_ms);
    }
    buf_add_char(out, '}');
}

void doctor_print_json(const struct doctor *d, int exit_code)
{
    struct buf out = {0};
    struct endpoint at;

    buf_add_char(&out, '{');
    doctor_json_text("uri", d->options.uri, &out);
    if (d->bucket != NULL) {
        s3_bucket_endpoint(d->bucket, &at);
        buf_add_char(&out, ',');
        doctor_json_text("endpoint", at.origin, &out);
        buf_add_char(&out, ',');
        doctor_json_text("region", at.region, &out);
    }
    buf_add_text(&out, ",\"checks\":[");
    for (unsigned i = 0; i < DOCTOR_CHECKS; i++) {
        buf_add_text(&out, i > 0 ? "," : "");
        doctor_json_line(d, (enum doctor_check)i, &out);
    }
    buf_print(&out,
              "],\"ok\":%u,\"failed\":%u,\"not_supported\":%u,\"skipped\":%u,"
              "\"exit_code\":%d}",
              doctor_count(d, DOCTOR_OK), doctor_count(d, DOCTOR_FAILED),
              doctor_count(d, DOCTOR_UNSUPPORTED),
              doctor_count(d, DOCTOR_SKIPPED), exit_code);
    puts(buf_text(&out));
    buf_fini(&out);
}
