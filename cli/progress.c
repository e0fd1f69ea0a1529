/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "cli/amount.h"

enum {
    PROGRESS_PERCENT = 100,
    PROGRESS_LOG_MS = 5000,
    PROGRESS_LOG_MAX_MS = 60000,
};

static uint64_t progress_brought(const struct progress_sum *sum)
{
    return sum->bytes_done > sum->bytes_found
               ? sum->bytes_done - sum->bytes_found
               : 0;
}

void progress_add(struct progress *p, const struct progress_sum *sum,
                  uint64_t now_ms)
{
    uint32_t last = (p->count - 1) % PROGRESS_SAMPLES;
    uint32_t at = p->count % PROGRESS_SAMPLES;

    if (p->count > 0 && now_ms < p->samples[last].at_ms + PROGRESS_STEP_MS) {
        return;
    }
    p->samples[at].at_ms = now_ms;
    p->samples[at].bytes = progress_brought(sum);
    p->count++;
}

double progress_rate(const struct progress *p)
{
    uint32_t first =
        p->count > PROGRESS_SAMPLES ? p->count % PROGRESS_SAMPLES : 0;
    uint32_t last = (p->count - 1) % PROGRESS_SAMPLES;
    uint64_t ms;

    if (p->count < 2) {
        return 0;
    }
    ms = p->samples[last].at_ms - p->samples[first].at_ms;
    CHECK(ms > 0);
    /* Less than before: some of it had to be read again. */
    return p->samples[last].bytes > p->samples[first].bytes
               ? (double)(p->samples[last].bytes - p->samples[first].bytes) *
                     1000 / (double)ms
               : 0;
}

double progress_left(const struct progress *p, const struct progress_sum *sum)
{
    double rate = progress_rate(p);

    if (sum->bytes_done >= sum->bytes) {
        return 0;
    }
    return rate > 0 ? (double)(sum->bytes - sum->bytes_done) / rate : -1;
}

const char *progress_line(const struct progress *p,
                          const struct progress_sum *sum,
                          char out[PROGRESS_LINE_MAX])
{
    char done[AMOUNT_TEXT_MAX];
    char all[AMOUNT_TEXT_MAX];
    char rate[AMOUNT_TEXT_MAX];
    char left[AMOUNT_TEXT_MAX];
    double part =
        sum->bytes > 0 ? (double)sum->bytes_done / (double)sum->bytes : 1;
    double seconds = progress_left(p, sum);
    int size = snprintf(
        out, PROGRESS_LINE_MAX,
        "%s of %s (%u %%), %" PRIu64 " of %" PRIu64 " objects",
        amount_bytes(sum->bytes_done, done), amount_bytes(sum->bytes, all),
        (unsigned)(part * PROGRESS_PERCENT), sum->units_done, sum->units);

    if (p->count > 1 && size < PROGRESS_LINE_MAX) {
        (void)snprintf(out + size, (size_t)(PROGRESS_LINE_MAX - size),
                       seconds < 0 ? ", %s/s" : ", %s/s, %s left",
                       amount_bytes((uint64_t)progress_rate(p), rate),
                       amount_seconds(seconds < 0 ? 0 : seconds, left));
    }
    return out;
}

uint64_t progress_log_ms(uint32_t count)
{
    uint64_t ms = PROGRESS_LOG_MS;

    while (count > 0 && ms < PROGRESS_LOG_MAX_MS) {
        ms *= 2;
        count--;
    }
    return ms < PROGRESS_LOG_MAX_MS ? ms : PROGRESS_LOG_MAX_MS;
}
