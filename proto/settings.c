/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { SETTINGS_TEXT_MAX = 4096 };

static const struct setting_row settings_rows[SETTINGS_COUNT] = {
#define X(id, flag, doc, kind, def, low, high, choices, meaning)               \
    {flag, "SMSHARD_" #id, doc,     SETTING_##kind, def,                       \
     low,  high,           choices, meaning},
    SETTINGS_MAP(X)
#undef X
};

const struct setting_row *settings_row(enum setting id)
{
    CHECK(id < SETTINGS_COUNT);
    return &settings_rows[id];
}

bool settings_find_flag(const char *flag, enum setting *out)
{
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        if (strcmp(settings_rows[i].flag, flag) == 0) {
            *out = (enum setting)i;
            return true;
        }
    }
    return false;
}

bool settings_find_document(struct bytes name, enum setting *out)
{
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        if (bytes_is(name, settings_rows[i].document)) {
            *out = (enum setting)i;
            return true;
        }
    }
    return false;
}

/* Read the digits that @text starts with. NULL: none, or too many. */
static const char *settings_digits(const char *text, uint64_t *out)
{
    const char *p = text;
    uint64_t value = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > UINT64_MAX / 10 - 1) {
            return NULL;
        }
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *out = value;
    return p > text ? p : NULL;
}

static bool settings_parse_count(const char *text, uint64_t *out)
{
    const char *end = settings_digits(text, out);

    return end != NULL && *end == '\0';
}

static bool settings_parse_time(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {
        {"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
    uint64_t number = 0;
    const char *end = settings_digits(text, &number);

    for (size_t i = 0; end != NULL && i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(end, units[i].unit) == 0 &&
            number <= UINT64_MAX / units[i].ms) {
            *out = number * units[i].ms;
            return true;
        }
    }
    return false;
}

/* A number of bytes, with a unit behind it or none. */
static bool settings_parse_size(const char *text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"", 1},          {"KB", 1000},
        {"MB", 1000000},  {"GB", 1000000000},
        {"KiB", 1 << 10}, {"MiB", 1 << 20},
        {"GiB", 1 << 30}, {"K", 1 << 10},
        {"M", 1 << 20},   {"G", 1 << 30},
    };
    size_t digits = strspn(text, "0123456789");
    char number[24];

    if (digits == 0 || digits >= sizeof(number)) {
        return false;
    }
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(text + digits, units[i].name) == 0) {
            if (!settings_parse_count(number, out) ||
                *out > UINT64_MAX / units[i].bytes) {
                return false;
            }
            *out *= units[i].bytes;
            return true;
        }
    }
    return false;
}

/* Find @text among words divided by spaces. */
static bool settings_parse_choice(const char *choices, const char *text,
                                  uint64_t *out)
{
    size_t size = strlen(text);

    *out = 0;
    for (const char *p = choices; size > 0 && *p != '\0'; (*out)++) {
        size_t word = strcspn(p, " ");

        if (word == size && memcmp(p, text, size) == 0) {
            return true;
        }
        p += word;
        p += *p == ' ';
    }
    return false;
}

/* Write a time the short way: "90s", "15m", "24h", "500ms". */
static void settings_print_time(uint64_t ms, char *out, size_t size)
{
    const char *unit = "ms";
    uint64_t number = ms;

    if (ms == 0) {
        unit = "s";
    } else if (ms % 3600000 == 0) {
        number = ms / 3600000;
        unit = "h";
    } else if (ms % 60000 == 0) {
        number = ms / 60000;
        unit = "m";
    } else if (ms % 1000 == 0) {
        number = ms / 1000;
        unit = "s";
    }
    snprintf(out, size, "%llu%s", (unsigned long long)number, unit);
}

static bool settings_parse(const struct setting_row *row, const char *text,
                           uint64_t *out)
{
    bool is_number = false;

    *out = 0;
    switch (row->kind) {
    case SETTING_TEXT:
        return strlen(text) <= SETTINGS_TEXT_MAX;
    case SETTING_CHOICE:
        return settings_parse_choice(row->choices, text, out);
    case SETTING_SECONDS:
        is_number = settings_parse_time(text, out);
        break;
    case SETTING_COUNT:
        is_number = settings_parse_count(text, out);
        break;
    case SETTING_SIZE:
        is_number = settings_parse_size(text, out);
        break;
    }
    return is_number && *out >= row->low && *out <= row->high;
}

/* Say what would have been allowed. */
static enum status settings_refuse(const struct setting_row *row,
                                   const char *text, const char *origin,
                                   struct fault *why)
{
    char low[32];
    char high[32];
    char words[128];
    size_t used = 0;

    switch (row->kind) {
    case SETTING_TEXT:
        return fault_set(why, STATUS_INVALID, "%s: %s is longer than %d bytes",
                         origin, row->document, SETTINGS_TEXT_MAX);
    case SETTING_COUNT:
        return fault_set(why, STATUS_INVALID,
                         "%s: %s \"%.64s\" is not a whole number from %llu "
                         "to %llu",
                         origin, row->document, text,
                         (unsigned long long)row->low,
                         (unsigned long long)row->high);
    case SETTING_SECONDS:
        settings_print_time(row->low, low, sizeof(low));
        settings_print_time(row->high, high, sizeof(high));
        return fault_set(why, STATUS_INVALID,
                         "%s: %s \"%.64s\" is not a time from %s to %s, such "
                         "as 500ms, 90s, 15m or 2h",
                         origin, row->document, text, low, high);
    case SETTING_SIZE:
        return fault_set(why, STATUS_INVALID,
                         "%s: %s \"%.64s\" is not a number of bytes, such as "
                         "512MiB, 2GB or 1048576",
                         origin, row->document, text);
    case SETTING_CHOICE:
        break;
    }
    for (const char *p = row->choices; *p != '\0'; p++) {
        CHECK(used + 3 < sizeof(words));
        if (*p == ' ') {
            words[used++] = ',';
        }
        words[used++] = *p;
    }
    words[used] = '\0';
    return fault_set(why, STATUS_INVALID, "%s: %s \"%.64s\" is not one of %s",
                     origin, row->document, text, words);
}

enum status settings_set(struct settings *s, enum setting id, const char *text,
                         const char *origin, struct fault *why)
{
    const struct setting_row *row = settings_row(id);
    struct setting_value *value = &s->values[id];
    uint64_t number;

    if (!settings_parse(row, text, &number)) {
        return settings_refuse(row, text, origin, why);
    }
    free(value->text);
    free(value->origin);
    value->text = mem_copy(text);
    value->origin = mem_copy(origin);
    value->number = number;
    return STATUS_OK;
}

void settings_init(struct settings *s)
{
    *s = (struct settings){0};
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        enum status set = settings_set(
            s, (enum setting)i, settings_rows[i].fallback, "default", NULL);

        CHECK(set == STATUS_OK);
    }
}

void settings_fini(struct settings *s)
{
    for (int i = 0; i < SETTINGS_COUNT; i++) {
        free(s->values[i].text);
        free(s->values[i].origin);
    }
    *s = (struct settings){0};
}

uint64_t settings_number(const struct settings *s, enum setting id)
{
    CHECK(id < SETTINGS_COUNT && settings_rows[id].kind != SETTING_TEXT);
    return s->values[id].number;
}

const char *settings_text(const struct settings *s, enum setting id)
{
    CHECK(id < SETTINGS_COUNT && s->values[id].text != NULL);
    return s->values[id].text;
}

const char *settings_origin(const struct settings *s, enum setting id)
{
    CHECK(id < SETTINGS_COUNT && s->values[id].origin != NULL);
    return s->values[id].origin;
}
