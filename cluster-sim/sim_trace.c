/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define SIM_TRACE_BASIS UINT64_C(14695981039346656037)
#define SIM_TRACE_PRIME UINT64_C(1099511628211)

void sim_trace_init(struct sim_trace *t, FILE *to)
{
    memset(t, 0, sizeof(*t));
    t->hash = SIM_TRACE_BASIS;
    t->to = to;
}

static uint64_t sim_trace_fold(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * SIM_TRACE_PRIME;
    }
    return (hash ^ '\n') * SIM_TRACE_PRIME;
}

/* Milliseconds as seconds, right-aligned: by hand, since every event of every
 * seed comes by here. */
static size_t sim_trace_time(char *line, uint64_t at_us)
{
    uint64_t ms = at_us / 1000;

    for (int i = 9; i >= 0; i--) {
        if (i == 6) {
            line[i] = '.';
            continue;
        }
        line[i] = ms == 0 && i < 5 ? ' ' : (char)('0' + ms % 10);
        ms /= 10;
    }
    line[10] = ' ';
    return 11;
}

/* Put the line together and fold it in; return it. */
__attribute__((format(printf, 4, 0))) static const char *sim_trace_add(
    struct sim_trace *t, uint64_t at_us, uint32_t node, const char *format,
    va_list args)
{
    char *line = t->kept[t->count % SIM_TRACE_KEPT];
    size_t size = sim_trace_time(line, at_us);

    if (node == UINT32_MAX) {
        memcpy(line + size, "-      ", 8);
        size += 7;
    } else {
        size += (size_t)snprintf(line + size, SIM_TRACE_LINE_MAX - size,
                                 "h%-5" PRIu32 " ", node);
    }
    vsnprintf(line + size, SIM_TRACE_LINE_MAX - size, format, args);
    t->count++;
    t->hash = sim_trace_fold(t->hash, line);
    return line;
}

void sim_trace(struct sim_trace *t, uint64_t at_us, uint32_t node,
               const char *format, ...)
{
    const char *line;
    va_list args;

    va_start(args, format);
    line = sim_trace_add(t, at_us, node, format, args);
    va_end(args);
    if (t->to != NULL) {
        fprintf(t->to, "%s\n", line);
    }
}

void sim_trace_detail(struct sim_trace *t, uint64_t at_us, uint32_t node,
                      const char *format, ...)
{
    const char *line;
    va_list args;

    va_start(args, format);
    line = sim_trace_add(t, at_us, node, format, args);
    va_end(args);
    if (t->to != NULL && !t->is_brief) {
        fprintf(t->to, "%s\n", line);
    }
}

void sim_trace_tail(const struct sim_trace *t, FILE *to)
{
    uint64_t first = t->count < SIM_TRACE_KEPT ? 0 : t->count - SIM_TRACE_KEPT;

    for (uint64_t i = first; i < t->count; i++) {
        fprintf(to, "%s\n", t->kept[i % SIM_TRACE_KEPT]);
    }
}
