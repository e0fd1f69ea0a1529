/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

enum {
    DOCTOR_TICK_MS = 100,
    DOCTOR_GRACE_MS = 5000, /* After a signal, for what is under way. */
};

volatile sig_atomic_t doctor_signal;

static const struct {
    unsigned needs;
    bool writes;
} doctor_rows[DOCTOR_CHECKS] = {
#define X(id, name, needs, writes) [DOCTOR_##id] = {needs, writes},
    DOCTOR_MAP(X)
#undef X
};

/* One function may make several lines: those without one of their own. */
static doctor_check_fn *const doctor_steps[DOCTOR_CHECKS] = {
    [DOCTOR_SETTINGS] = doctor_settings,
    [DOCTOR_CREDENTIALS] = doctor_credentials,
    [DOCTOR_REACH] = doctor_reach,
    [DOCTOR_CLOCK] = doctor_clock,
    [DOCTOR_LIST] = doctor_list,
    [DOCTOR_PUT] = doctor_put,
    [DOCTOR_HEAD] = doctor_head,
    [DOCTOR_GET] = doctor_get,
    [DOCTOR_RANGE] = doctor_range,
    [DOCTOR_DELETE] = doctor_delete,
    [DOCTOR_CHECKSUM] = doctor_checksum,
    [DOCTOR_IF_ABSENT] = doctor_conditions,
    [DOCTOR_MULTIPART] = doctor_multipart,
    [DOCTOR_ABORT] = doctor_abort,
    [DOCTOR_WRITE_1] = doctor_write_1,
    [DOCTOR_WRITE_8] = doctor_write_8,
    [DOCTOR_READ_1] = doctor_read_1,
    [DOCTOR_READ_8] = doctor_read_8,
    [DOCTOR_READ_32] = doctor_read_32,
};

/* ---- lines -------------------------------------------------------------- */

void doctor_note(struct doctor *d, enum doctor_check check,
                 enum doctor_result result, const char *format, ...)
{
    struct doctor_line *line = &d->lines[check];
    struct fault clean;
    char text[FAULT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* A server's words may hold anything; a fault's text is one line. */
    line->status = fault_set(&clean, STATUS_UNSUPPORTED, "%s", text);
    memcpy(line->text, clean.text, sizeof(line->text));
    line->result = result;
}

/* The folder's own name is random: what went wrong reads better without. */
static const char *doctor_shorten(const struct doctor *d, const char *text)
{
    const char *root = d->place.root;
    size_t size = root != NULL ? strlen(root) : 0;
    const char *rest = text;

    if (size == 0 || strncmp(text, root, size) != 0) {
        return text;
    }
    rest += size;
    if (d->folder != NULL && strncmp(rest, d->folder, strlen(d->folder)) == 0) {
        rest += strlen(d->folder);
    }
    rest = strstr(rest, ": ");
    return rest != NULL ? rest + 2 : text;
}

void doctor_fail(struct doctor *d, enum doctor_check check, enum status s,
                 const struct fault *why)
{
    doctor_note(d, check, DOCTOR_FAILED, "%s",
                why->text[0] != '\0' ? doctor_shorten(d, why->text)
                                     : status_text(s));
    d->lines[check].status = s;
}

/* ---- requests ----------------------------------------------------------- */

bool doctor_wait(struct doctor *d, struct store_event *e)
{
    uint64_t stopped_ms = 0;

    while (store_inflight(d->store) > 0) {
        uint64_t now = clock_now_ms(&clock_os);

        if (store_poll(d->store, DOCTOR_TICK_MS, e, 1) == 1) {
            return true;
        }
        if (doctor_signal == 0 || d->is_cleaning) {
            continue;
        }
        stopped_ms = stopped_ms != 0 ? stopped_ms : now;
        if (now - stopped_ms > DOCTOR_GRACE_MS) {
            return false;
        }
    }
    return false;
}

enum status doctor_ask(struct doctor *d, const struct store_request *r,
                       struct store_event *e)
{
    uint64_t start = clock_now_ms(&clock_os);

    if (store_submit(d->store, r) != STATUS_OK) {
        UNREACHABLE("a store with one request is full");
    }
    if (!doctor_wait(d, e)) {
        e->status = fault_set(&e->why, STATUS_STOPPED, "stopped by a signal");
    }
    d->asked_ms = clock_now_ms(&clock_os) - start;
    return e->status;
}

const char *doctor_key(const struct doctor *d, const char *name,
                       char out[STORE_KEY_MAX + 1])
{
    snprintf(out, STORE_KEY_MAX + 1, "%s%s", d->folder, name);
    return out;
}

/* ---- the order of things ------------------------------------------------ */

/* The failure for which @check can not be made, or NULL. */
static const char *doctor_obstacle(const struct doctor *d,
                                   enum doctor_check check)
{
    unsigned needs = doctor_rows[check].needs;
    const struct doctor_line *list = &d->lines[DOCTOR_LIST];

    for (unsigned i = 0; i < DOCTOR_CHECKS; i++) {
        const struct doctor_line *line = &d->lines[i];

        if ((needs & 1U << i) != 0 && line->root != NULL) {
            return line->root;
        }
        if ((needs & 1U << i) != 0 && line->result == DOCTOR_FAILED) {
            return doctor_name((enum doctor_check)i);
        }
    }
    /* No bucket, no object in it. */
    return check > DOCTOR_LIST && list->result == DOCTOR_FAILED &&
                   list->status == STATUS_NOT_FOUND
               ? doctor_name(DOCTOR_LIST)
               : NULL;
}

/* Skip @check if it can't or mustn't be made. */
static bool doctor_skip(struct doctor *d, enum doctor_check check)
{
    const char *obstacle = doctor_obstacle(d, check);
    bool is_speed = check >= DOCTOR_WRITE_1 && check <= DOCTOR_READ_32;

    if (d->lines[check].result != DOCTOR_NONE) {
        return true;
    }
    if (doctor_signal != 0) {
        doctor_note(d, check, DOCTOR_SKIPPED, "stopped by a signal");
    } else if (d->options.is_read_only && doctor_rows[check].writes) {
        doctor_note(d, check, DOCTOR_SKIPPED,
                    "nothing is written: --read-only");
    } else if (obstacle != NULL) {
        doctor_note(d, check, DOCTOR_SKIPPED, "%s failed", obstacle);
        d->lines[check].root = obstacle;
    } else if (d->options.is_quick && is_speed) {
        doctor_note(d, check, DOCTOR_SKIPPED, "--quick");
    } else {
        return false;
    }
    return true;
}

static void doctor_step(struct doctor *d, enum doctor_check check)
{
    if (!doctor_skip(d, check)) {
        if (check > DOCTOR_SETTINGS) { /* The heading wants it first. */
            doctor_print_busy(d, check);
        }
        if (doctor_steps[check] != NULL) {
            doctor_steps[check](d);
        }
        CHECK(d->lines[check].result != DOCTOR_NONE);
    }
    if (check == DOCTOR_SETTINGS) {
        doctor_print_head(d);
    }
    doctor_print_line(d, check);
}

static enum status doctor_worst(const struct doctor *d)
{
    for (unsigned i = 0; i < DOCTOR_CHECKS; i++) {
        if (d->lines[i].result == DOCTOR_FAILED) {
            return d->lines[i].status;
        }
    }
    /* A job can not do without these, whoever's fault it is. */
    for (unsigned i = DOCTOR_IF_ABSENT; i <= DOCTOR_ONE_WINNER; i++) {
        if (d->lines[i].result == DOCTOR_UNSUPPORTED) {
            return STATUS_UNSUPPORTED;
        }
    }
    return STATUS_OK;
}

enum status doctor_run(struct doctor *d)
{
    enum status s;

    for (unsigned i = 0; i < DOCTOR_CHECKS; i++) {
        d->lines[i].ms = -1;
    }
    for (unsigned i = 0; i < DOCTOR_CLEAN; i++) {
        doctor_step(d, (enum doctor_check)i);
    }
    doctor_print_busy(d, DOCTOR_CLEAN);
    doctor_clean(d);
    doctor_print_line(d, DOCTOR_CLEAN);
    s = doctor_signal != 0 ? STATUS_STOPPED : doctor_worst(d);
    doctor_print_sum(d);
    return s;
}

void doctor_fini(struct doctor *d)
{
    store_close(&d->store);
    store_uri_fini(&d->place);
    buf_fini(&d->prefix);
    free(d->folder);
    free(d->made);
}
