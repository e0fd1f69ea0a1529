/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/hosts_parse.h"

enum { HOSTS_TRAILING_MAX = 18 }; /* Digits; they fit in 64 bits. */

const char *hosts_variable(const struct hosts_maker *m, const char *name)
{
    const char *value = NULL;

    if (m->input->variable != NULL) {
        value = m->input->variable(m->input->variable_self, name);
    }
    return value != NULL && value[0] != '\0' ? value : NULL;
}

enum status hosts_variable_number(const struct hosts_maker *m, const char *name,
                                  uint32_t most, uint32_t otherwise,
                                  uint32_t *out)
{
    const char *text = hosts_variable(m, name);
    uint64_t value = 0;

    *out = otherwise;
    if (text == NULL) {
        return STATUS_OK;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || value > most) {
            value = (uint64_t)most + 1;
            break;
        }
        value = value * 10 + (uint64_t)(*p - '0');
    }
    if (value > most) {
        return fault_set(m->why, STATUS_INVALID,
                         "%s: \"%.64s\" is not a whole number from 0 to %u",
                         name, text, most);
    }
    *out = (uint32_t)value;
    return STATUS_OK;
}

/* A name, where it was listed, and the number it ends with. */
struct hosts_entry {
    char *name;
    uint32_t listed;
    size_t stem;
    uint64_t trailing;
};

static int hosts_compare_names(const void *a, const void *b)
{
    const struct hosts_entry *x = a;
    const struct hosts_entry *y = b;

    return strcmp(x->name, y->name);
}

static int hosts_compare_trailing(const void *a, const void *b)
{
    const struct hosts_entry *x = a;
    const struct hosts_entry *y = b;

    return x->trailing < y->trailing ? -1 : x->trailing > y->trailing;
}

/* Read the number that the name ends with. false: none, or a long one. */
static bool hosts_read_trailing(struct hosts_entry *e)
{
    size_t size = strlen(e->name);

    e->stem = size;
    while (e->stem > 0 && e->name[e->stem - 1] >= '0' &&
           e->name[e->stem - 1] <= '9') {
        e->stem--;
    }
    if (e->stem == size || size - e->stem > HOSTS_TRAILING_MAX) {
        return false;
    }
    e->trailing = strtoull(e->name + e->stem, NULL, 10);
    return true;
}

/* Sort by the number in the name, when all are one stem and distinct
 * numbers. false: they are not, and the order is unspecified. */
static bool hosts_sort_trailing(struct hosts_entry *e, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!hosts_read_trailing(&e[i]) || e[i].stem != e[0].stem ||
            memcmp(e[i].name, e[0].name, e[0].stem) != 0) {
            return false;
        }
    }
    qsort(e, count, sizeof(*e), hosts_compare_trailing);
    for (uint32_t i = 1; i < count; i++) {
        if (e[i].trailing == e[i - 1].trailing) {
            return false;
        }
    }
    return true;
}

static void hosts_index(struct hosts *h, struct hosts_entry *e)
{
    for (uint32_t i = 0; i < h->count; i++) {
        e[i] = (struct hosts_entry){.name = h->names[i], .listed = i};
    }
    qsort(e, h->count, sizeof(*e), hosts_compare_names);
    for (uint32_t i = 0; i < h->count; i++) {
        h->by_name[i] = e[i].listed;
    }
}

enum status hosts_take(struct hosts_maker *m, const char *from, bool by_number)
{
    struct hosts *h = m->h;
    uint32_t count = m->list.count;
    struct hosts_entry *e;

    if (count == 0) {
        return fault_set(m->why, STATUS_INVALID, "%s: no host is listed", from);
    }
    e = mem_new(count, sizeof(*e));
    h->count = count;
    h->names = m->list.names;
    h->listed = mem_new(count, sizeof(*h->listed));
    h->by_name = mem_new(count, sizeof(*h->by_name));
    h->origin = from;
    m->list = (struct hosts_list){0};
    for (uint32_t i = 0; i < count; i++) {
        e[i] = (struct hosts_entry){.name = h->names[i], .listed = i};
        h->listed[i] = i;
    }
    if (by_number && hosts_sort_trailing(e, count)) {
        for (uint32_t i = 0; i < count; i++) {
            h->names[i] = e[i].name;
            h->listed[e[i].listed] = i;
        }
    }
    hosts_index(h, e);
    free(e);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(h->names[h->by_name[i]], h->names[h->by_name[i - 1]]) == 0) {
            return fault_set(m->why, STATUS_CONFLICT,
                             "%s: host %s is listed twice", from,
                             h->names[h->by_name[i]]);
        }
    }
    return STATUS_OK;
}

uint32_t hosts_find(const struct hosts *h, const char *name)
{
    uint32_t low = 0;
    uint32_t high = h->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(name, h->names[h->by_name[middle]]);

        if (order == 0) {
            return h->by_name[middle];
        }
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return h->count;
}

enum status hosts_set_current(struct hosts_maker *m, const char *name,
                              const char *from)
{
    m->h->current = hosts_find(m->h, name);
    if (m->h->current < m->h->count) {
        return STATUS_OK;
    }
    return fault_set(m->why, STATUS_INVALID,
                     "%s: this host, \"%.253s\", is not among the %u hosts of "
                     "%s (%s%s%s)",
                     from, name, m->h->count, m->h->origin, m->h->names[0],
                     m->h->count > 1 ? ", …, " : "",
                     m->h->count > 1 ? m->h->names[m->h->count - 1] : "");
}

enum status hosts_make(const struct hosts_input *input, struct fault *why,
                       struct hosts *out)
{
    hosts_source_fn *const sources[] = {
        hosts_from_own,        hosts_from_platform, hosts_from_resource,
        hosts_from_slurm,      hosts_from_mpi,      hosts_from_torchrun,
        hosts_from_kubernetes, hosts_from_nothing,
    };
    struct hosts_maker m = {.input = input, .why = why, .h = out};
    bool has_answered = false;
    enum status s = STATUS_OK;

    *out = (struct hosts){0};
    for (size_t i = 0; s == STATUS_OK && !has_answered; i++) {
        CHECK(i < sizeof(sources) / sizeof(*sources));
        s = sources[i](&m, &has_answered);
    }
    hosts_list_fini(&m.list);
    if (s != STATUS_OK) {
        hosts_fini(out);
        return s;
    }
    CHECK(out->count > 0 && out->current < out->count);
    return STATUS_OK;
}

void hosts_fini(struct hosts *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        free(h->names[i]);
    }
    for (uint32_t i = 0; i < h->group_count; i++) {
        free(h->groups[i].name);
        free(h->groups[i].instance_type);
        free(h->groups[i].hosts);
    }
    free(h->names);
    free(h->listed);
    free(h->by_name);
    free(h->interface);
    free(h->instance_type);
    free(h->group);
    *h = (struct hosts){0};
}

static void hosts_mark_group(const struct hosts *h, const char *name,
                             bool *marks)
{
    for (uint32_t g = 0; g < h->group_count; g++) {
        const struct hosts_group *group = &h->groups[g];

        for (uint32_t i = 0;
             strcmp(group->name, name) == 0 && i < group->host_count; i++) {
            marks[group->hosts[i]] = true;
        }
    }
}

uint32_t hosts_of_channel(const struct hosts *h,
                          const struct job_channel *channel, uint32_t *out)
{
    bool *marks = mem_new(h->count, sizeof(*marks));
    uint32_t count = 0;

    for (uint32_t i = 0; i < channel->group_count; i++) {
        hosts_mark_group(h, channel->groups[i], marks);
    }
    for (uint32_t i = 0; i < h->count; i++) {
        if (channel->group_count == 0 || marks[i]) {
            out[count++] = i;
        }
    }
    free(marks);
    return count;
}
