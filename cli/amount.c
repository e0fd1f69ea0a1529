/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/amount.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const struct {
    const char *name;
    double factor;
} amount_units[] = {
    {"", 1},         {"B", 1},        {"KB", 1e3},   {"MB", 1e6},
    {"GB", 1e9},     {"TB", 1e12},    {"KiB", 1024}, {"MiB", 0x1p20},
    {"GiB", 0x1p30}, {"TiB", 0x1p40},
};

enum { AMOUNT_UNITS = sizeof(amount_units) / sizeof(amount_units[0]) };

static double amount_factor(const char *unit)
{
    while (*unit == ' ') {
        unit++;
    }
    for (size_t i = 0; i < AMOUNT_UNITS; i++) {
        if (strcasecmp(unit, amount_units[i].name) == 0) {
            return amount_units[i].factor;
        }
    }
    return 0;
}

/* Below 0: it is none. */
static double amount_read(const char *text)
{
    double value;
    char *end;

    if (text[0] < '0' || text[0] > '9') {
        return -1;
    }
    value = strtod(text, &end);
    return value * amount_factor(end);
}

enum status amount_parse(const char *flag, const char *text,
                         struct amount_range range, struct fault *why,
                         uint64_t *out)
{
    double bytes = amount_read(text);
    char low[AMOUNT_TEXT_MAX];
    char high[AMOUNT_TEXT_MAX];

    if (!isfinite(bytes) || bytes < (double)range.low ||
        bytes > (double)range.high || bytes < 0) {
        return fault_set(why, STATUS_USAGE,
                         "--%s: '%s' is not a size from %s to %s, such as "
                         "150MB",
                         flag, text, amount_bytes(range.low, low),
                         amount_bytes(range.high, high));
    }
    *out = (uint64_t)bytes;
    return STATUS_OK;
}

const char *amount_bytes(uint64_t bytes, char out[AMOUNT_TEXT_MAX])
{
    static const char *const names[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
    const double step = 1000;
    const double close = 999.5;
    double value = (double)bytes;
    size_t i = 0;

    while (i + 1 < sizeof(names) / sizeof(names[0]) && value >= close) {
        value /= step;
        i++;
    }
    (void)snprintf(out, AMOUNT_TEXT_MAX, "%.*f %s", i > 0 && value < 10 ? 1 : 0,
                   value, names[i]);
    return out;
}

const char *amount_seconds(double seconds, char out[AMOUNT_TEXT_MAX])
{
    const double minute = 60;
    const double hour = 3600;
    const double shown_max = 1e9;

    seconds = seconds < shown_max ? seconds : shown_max;
    if (seconds < 1) {
        (void)snprintf(out, AMOUNT_TEXT_MAX, "%.0f ms", 1000 * seconds);
    } else if (seconds < minute) {
        (void)snprintf(out, AMOUNT_TEXT_MAX, "%.*f s", seconds < 10 ? 1 : 0,
                       seconds);
    } else if (seconds < hour) {
        (void)snprintf(out, AMOUNT_TEXT_MAX, "%.0f min", seconds / minute);
    } else {
        uint64_t minutes = (uint64_t)(seconds / minute);

        (void)snprintf(out, AMOUNT_TEXT_MAX, "%" PRIu64 " h %02u min",
                       minutes / 60, (unsigned)(minutes % 60));
    }
    return out;
}
