/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of names with ranges in brackets, as Slurm writes them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/hosts_parse.h"

void hosts_list_fini(struct hosts_list *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        free(l->names[i]);
    }
    free(l->names);
    *l = (struct hosts_list){0};
}

/* A name becomes a folder and an address: no slash, no leading dot or dash. */
static bool hosts_name_is_valid(struct bytes name)
{
    if (name.size == 0 || name.size > HOSTS_NAME_MAX || name.at[0] == '.' ||
        name.at[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
            !(c >= 'a' && c <= 'z') && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

enum status hosts_list_add(struct hosts_list *l, struct bytes name,
                           const char *from, struct fault *why)
{
    if (!hosts_name_is_valid(name)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: \"%.*s\" is not a host name: 1 to %d letters, "
                         "digits, '.', '-' and '_', no '.' or '-' first",
                         from, (int)(name.size < 80 ? name.size : 80), name.at,
                         HOSTS_NAME_MAX);
    }
    if (l->count == HOSTS_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "%s: more than %d hosts are listed", from, HOSTS_MAX);
    }
    if (l->count == l->room) {
        l->room = l->room == 0 ? 16 : l->room * 2;
        l->names = mem_grow(l->names, l->room, sizeof(*l->names));
    }
    l->names[l->count++] = mem_copy_text(name.at, name.size);
    return STATUS_OK;
}

enum { HOSTS_RANGES_MAX = 4, HOSTS_DIGITS_MAX = 9 };

/* One element of a list: names with up to a few brackets, "r[1-2]n[01-16]". */
struct hosts_pattern {
    struct hosts_list *list;
    const char *from;
    struct fault *why;
    struct bytes fixed[HOSTS_RANGES_MAX + 1];
    struct bytes ranges[HOSTS_RANGES_MAX];
    size_t range_count;
};

static enum status hosts_pattern_refuse(const struct hosts_pattern *p,
                                        struct bytes text)
{
    return fault_set(p->why, STATUS_INVALID,
                     "%s: \"%.*s\" is not a list of hosts such as "
                     "\"a1,b[01-16,20]\"",
                     p->from, (int)(text.size < 80 ? text.size : 80), text.at);
}

/* Divide @text at its brackets. */
static bool hosts_pattern_split(struct hosts_pattern *p, struct bytes text)
{
    const char *end = text.at + text.size;
    const char *at = text.at;

    p->range_count = 0;
    for (;;) {
        const char *open = memchr(at, '[', (size_t)(end - at));
        const char *close;

        p->fixed[p->range_count] =
            (struct bytes){at, (size_t)((open != NULL ? open : end) - at)};
        if (open == NULL) {
            return true;
        }
        close = memchr(open, ']', (size_t)(end - open));
        if (close == NULL || p->range_count == HOSTS_RANGES_MAX) {
            return false;
        }
        p->ranges[p->range_count++] =
            (struct bytes){open + 1, (size_t)(close - open - 1)};
        at = close + 1;
    }
}

/* Read "07" or "07-12" at @at. NULL: it is none. */
static const char *hosts_range_next(const char *at, const char *end,
                                    uint32_t *low, uint32_t *high, int *width)
{
    uint32_t *values[] = {low, high};

    for (int i = 0; i < 2; i++) {
        const char *start = at;

        *values[i] = 0;
        while (at < end && *at >= '0' && *at <= '9' &&
               at - start <= HOSTS_DIGITS_MAX) {
            *values[i] = *values[i] * 10 + (uint32_t)(*at++ - '0');
        }
        if (at == start || at - start > HOSTS_DIGITS_MAX) {
            return NULL;
        }
        if (i == 0) {
            *width = (int)(at - start);
            *high = *low;
        }
        if (at == end || *at != '-') {
            break;
        }
        at += i == 0;
    }
    return *low <= *high && (at == end || *at == ',') ? at : NULL;
}

/* Where one bracket stands while the names are made. */
struct hosts_range {
    const char *at; /* After the part that low and high are of. */
    uint32_t now;
    uint32_t high;
    int width;
};

static bool hosts_range_start(struct hosts_range *r, const char *at,
                              const char *end)
{
    r->at = hosts_range_next(at, end, &r->now, &r->high, &r->width);
    return r->at != NULL;
}

/* Step to the bracket's next number. *@is_over: it has been through. */
static bool hosts_range_step(struct hosts_range *r, struct bytes range,
                             bool *is_over)
{
    const char *end = range.at + range.size;

    *is_over = false;
    if (r->now < r->high) {
        r->now++;
        return true;
    }
    if (r->at < end) {
        return hosts_range_start(r, r->at + 1, end);
    }
    *is_over = true;
    return hosts_range_start(r, range.at, end);
}

static enum status hosts_pattern_name(const struct hosts_pattern *p,
                                      const struct hosts_range *ranges)
{
    char name[HOSTS_NAME_MAX + 2];
    size_t size = 0;

    for (size_t i = 0; i <= p->range_count; i++) {
        struct bytes fixed = p->fixed[i];

        if (size + fixed.size > HOSTS_NAME_MAX) {
            return hosts_pattern_refuse(p, p->fixed[0]);
        }
        memcpy(name + size, fixed.at, fixed.size);
        size += fixed.size;
        if (i < p->range_count) {
            size += (size_t)snprintf(name + size, sizeof(name) - size, "%0*u",
                                     ranges[i].width, ranges[i].now);
        }
        if (size > HOSTS_NAME_MAX) {
            return hosts_pattern_refuse(p, p->fixed[0]);
        }
    }
    return hosts_list_add(p->list, (struct bytes){name, size}, p->from, p->why);
}

/* Add every name of one element: the last bracket runs fastest. */
static enum status hosts_pattern_expand(struct hosts_pattern *p,
                                        struct bytes text)
{
    struct hosts_range ranges[HOSTS_RANGES_MAX];
    bool is_over = false;

    if (!hosts_pattern_split(p, text)) {
        return hosts_pattern_refuse(p, text);
    }
    for (size_t i = 0; i < p->range_count; i++) {
        if (!hosts_range_start(&ranges[i], p->ranges[i].at,
                               p->ranges[i].at + p->ranges[i].size)) {
            return hosts_pattern_refuse(p, text);
        }
    }
    while (!is_over) {
        enum status s = hosts_pattern_name(p, ranges);

        is_over = true;
        for (size_t i = p->range_count; s == STATUS_OK && is_over && i > 0;
             i--) {
            s = hosts_range_step(&ranges[i - 1], p->ranges[i - 1], &is_over)
                    ? STATUS_OK
                    : hosts_pattern_refuse(p, text);
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

/* The size of the element that @text starts with: up to a comma that is in
 * no bracket. */
static size_t hosts_element_size(const char *text)
{
    bool is_inside = false;
    size_t size = 0;

    for (; text[size] != '\0' && (is_inside || text[size] != ','); size++) {
        is_inside = text[size] == '[' || (is_inside && text[size] != ']');
    }
    return size;
}

enum status hosts_list_expand(struct hosts_list *l, const char *text,
                              const char *from, struct fault *why)
{
    struct hosts_pattern p = {.list = l, .from = from, .why = why};

    for (const char *at = text;;) {
        size_t size = hosts_element_size(at);
        enum status s = hosts_pattern_expand(&p, (struct bytes){at, size});

        if (s != STATUS_OK || at[size] == '\0') {
            return s;
        }
        at += size + 1;
    }
}
