/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

enum { LOG_NODE_MAX = 256, LOG_LINE_MAX = 4096 };

static const char *const log_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

static char log_node[LOG_NODE_MAX] = "-";
static enum log_level log_level_max = LOG_WARN;

void log_init(const char *node, enum log_level level)
{
    snprintf(log_node, sizeof(log_node), "%s", node);
    log_level_max = level;
}

enum status log_parse_level(const char *name, enum log_level *out)
{
    for (unsigned i = 0; i < sizeof(log_names) / sizeof(log_names[0]); i++) {
        if (strcmp(name, log_names[i]) == 0) {
            *out = (enum log_level)i;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

bool log_is_on(enum log_level level)
{
    return level <= log_level_max;
}

static size_t log_stamp(char *out, size_t room)
{
    uint64_t wall_ms = clock_wall_ms(&clock_os);
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    size_t used;

    CHECK(gmtime_r(&seconds, &parts) != NULL);
    used = strftime(out, room, "%Y-%m-%dT%H:%M:%S", &parts);
    used += (size_t)snprintf(out + used, room - used, ".%03uZ",
                             (unsigned)(wall_ms % 1000));
    return used;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;
    size_t used;
    int more;

    if (!log_is_on(level)) {
        return;
    }
    used = log_stamp(line, sizeof(line));
    more = snprintf(line + used, sizeof(line) - used, " %s %s %s%s", log_node,
                    log_names[level], event, format[0] != '\0' ? " " : "");
    CHECK(more > 0);
    used += (size_t)more;
    va_start(args, format);
    more = vsnprintf(line + used, sizeof(line) - used, format, args);
    va_end(args);
    CHECK(more >= 0);
    used += (size_t)more;
    if (used > sizeof(line) - 2) {
        used = sizeof(line) - 2;
    }
    line[used++] = '\n';
    /* A log that can not be written is nobody's to report to. */
    if (write(STDERR_FILENO, line, used) < 0) {
        return;
    }
}

const char *log_quote(const char *text, char *out, unsigned out_size)
{
    bool is_plain = text[0] != '\0';
    size_t used = 0;

    CHECK(out_size >= 3);
    for (const char *p = text; *p != '\0'; p++) {
        is_plain =
            is_plain && (unsigned char)*p > ' ' && *p != '"' && *p != 0x7f;
    }
    if (is_plain) {
        snprintf(out, out_size, "%s", text);
        return out;
    }
    out[used++] = '"';
    for (const char *p = text; *p != '\0' && used + 3 < out_size; p++) {
        unsigned char c = (unsigned char)*p;

        if (c == '"' || c == '\\') {
            out[used++] = '\\';
        }
        out[used++] = (char)(c < ' ' || c == 0x7f ? '?' : c);
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
