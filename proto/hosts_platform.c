/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts as the platform tells them: resourceconfig.json, and the SM_*
 * variables that are made from it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/hosts_parse.h"

static int hosts_compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Copy a string that is a name; NULL when it is not said. */
static char *hosts_copy_text(const struct json *v)
{
    struct bytes text = json_string(v);

    return text.size > 0 ? mem_copy_text(text.at, text.size) : NULL;
}

static enum status hosts_read_list(struct hosts_maker *m, const char *from,
                                   const struct json *list)
{
    enum status s = STATUS_OK;

    if (!json_is(list, JSON_ARRAY)) {
        return fault_set(m->why, STATUS_INVALID,
                         "%s: the hosts are not a list of names", from);
    }
    for (size_t i = 0; s == STATUS_OK && i < json_count(list); i++) {
        const struct json *v = json_at(list, i);

        if (!json_is(v, JSON_STRING)) {
            return fault_set(m->why, STATUS_INVALID,
                             "%s:%u: a host is not a string", from,
                             json_line(v));
        }
        s = hosts_list_add(&m->list, json_string(v), from, m->why);
    }
    return s;
}

/* The hosts of one group, into room for all of @list. */
static enum status hosts_read_members(struct hosts_maker *m, const char *from,
                                      const struct json *list,
                                      struct hosts_group *group)
{
    for (size_t i = 0; i < json_count(list); i++) {
        struct bytes name = json_string(json_at(list, i));
        char *copy = mem_copy_text(name.at != NULL ? name.at : "", name.size);
        uint32_t number = hosts_find(m->h, copy);

        free(copy);
        if (number == m->h->count) {
            return fault_set(m->why, STATUS_INVALID,
                             "%s:%u: instance group %s has a host \"%.*s\" "
                             "that is not among the hosts",
                             from, json_line(json_at(list, i)), group->name,
                             (int)(name.size < 80 ? name.size : 80),
                             name.size > 0 ? name.at : "");
        }
        group->hosts[group->host_count++] = number;
    }
    qsort(group->hosts, group->host_count, sizeof(*group->hosts),
          hosts_compare_numbers);
    for (uint32_t i = 1; i < group->host_count; i++) {
        if (group->hosts[i] == group->hosts[i - 1]) {
            return fault_set(m->why, STATUS_CONFLICT,
                             "%s: instance group %s lists host %s twice", from,
                             group->name, m->h->names[group->hosts[i]]);
        }
    }
    return STATUS_OK;
}

static enum status hosts_read_group(struct hosts_maker *m, const char *from,
                                    const struct json *v)
{
    struct hosts_group *group = &m->h->groups[m->h->group_count];
    const struct json *list = json_get(v, "hosts");
    char *name = hosts_copy_text(json_get(v, "instance_group_name"));

    if (name == NULL || m->h->group_count == HOSTS_GROUPS_MAX) {
        free(name);
        return fault_set(m->why, STATUS_INVALID,
                         "%s:%u: an instance group has no name, or there are "
                         "more than %d",
                         from, json_line(v), HOSTS_GROUPS_MAX);
    }
    m->h->group_count++;
    group->name = name;
    group->instance_type = hosts_copy_text(json_get(v, "instance_type"));
    group->hosts = mem_new(json_count(list) + 1, sizeof(*group->hosts));
    for (uint32_t i = 0; i + 1 < m->h->group_count; i++) {
        if (strcmp(m->h->groups[i].name, name) == 0) {
            return fault_set(m->why, STATUS_CONFLICT,
                             "%s:%u: instance group %s is listed twice", from,
                             json_line(v), name);
        }
    }
    return hosts_read_members(m, from, list, group);
}

/* A list of groups, or an object of them. */
static enum status hosts_read_groups(struct hosts_maker *m, const char *from,
                                     const struct json *groups)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < json_count(groups); i++) {
        s = hosts_read_group(m, from, json_at(groups, i));
    }
    return s;
}

static enum status hosts_read_current(struct hosts_maker *m, const char *from,
                                      const struct json *v)
{
    char *name = hosts_copy_text(v);
    enum status s;

    if (name == NULL) {
        return fault_set(m->why, STATUS_INVALID,
                         "%s: it does not name the current host", from);
    }
    s = hosts_set_current(m, name, from);
    free(name);
    return s;
}

static enum status hosts_read_resource(struct hosts_maker *m, const char *from,
                                       const struct json *root)
{
    enum status s;

    if (!json_is(root, JSON_OBJECT)) {
        return fault_set(m->why, STATUS_INVALID,
                         "%s:1: the document is not an object", from);
    }
    s = hosts_read_list(m, from, json_get(root, "hosts"));
    if (s == STATUS_OK) {
        s = hosts_take(m, from, true);
    }
    if (s == STATUS_OK) {
        s = hosts_read_current(m, from, json_get(root, "current_host"));
    }
    if (s != STATUS_OK) {
        return s;
    }
    m->h->interface = hosts_copy_text(json_get(root, "network_interface_name"));
    m->h->instance_type =
        hosts_copy_text(json_get(root, "current_instance_type"));
    m->h->group = hosts_copy_text(json_get(root, "current_group_name"));
    return hosts_read_groups(m, from, json_get(root, "instance_groups"));
}

enum status hosts_from_resource(struct hosts_maker *m, bool *out)
{
    const struct job_text *text = m->input->resource;
    struct json_doc *doc = NULL;
    enum status s;

    if (text == NULL) {
        return STATUS_OK;
    }
    *out = true;
    s = json_parse(text->text, text->name, m->why, &doc);
    if (s == STATUS_OK) {
        s = hosts_read_resource(m, text->name, json_root(doc));
    }
    json_destroy(&doc);
    m->h->origin = "resourceconfig.json";
    return s;
}

/* Run @fill over the JSON in the variable @name. */
static enum status hosts_read_variable(struct hosts_maker *m, const char *name,
                                       enum status (*fill)(struct hosts_maker *,
                                                           const char *,
                                                           const struct json *))
{
    const char *value = hosts_variable(m, name);
    struct json_doc *doc = NULL;
    enum status s;

    if (value == NULL) {
        return STATUS_OK;
    }
    s = json_parse(bytes_of(value), name, m->why, &doc);
    if (s == STATUS_OK) {
        s = fill(m, name, json_root(doc));
    }
    json_destroy(&doc);
    return s;
}

static char *hosts_copy_variable(struct hosts_maker *m, const char *name)
{
    const char *value = hosts_variable(m, name);

    return value != NULL ? mem_copy(value) : NULL;
}

enum status hosts_from_platform(struct hosts_maker *m, bool *out)
{
    const char *current = hosts_variable(m, "SM_CURRENT_HOST");
    enum status s;

    if (hosts_variable(m, "SM_HOSTS") == NULL) {
        return STATUS_OK;
    }
    *out = true;
    if (current == NULL) {
        return fault_set(m->why, STATUS_INVALID,
                         "SM_HOSTS is set, but SM_CURRENT_HOST is not");
    }
    s = hosts_read_variable(m, "SM_HOSTS", hosts_read_list);
    if (s == STATUS_OK) {
        s = hosts_take(m, "SM_HOSTS", true);
    }
    if (s == STATUS_OK) {
        s = hosts_set_current(m, current, "SM_CURRENT_HOST");
    }
    if (s != STATUS_OK) {
        return s;
    }
    m->h->interface = hosts_copy_variable(m, "SM_NETWORK_INTERFACE_NAME");
    m->h->instance_type = hosts_copy_variable(m, "SM_CURRENT_INSTANCE_TYPE");
    m->h->group = hosts_copy_variable(m, "SM_CURRENT_INSTANCE_GROUP");
    return hosts_read_variable(m, "SM_INSTANCE_GROUPS_DICT", hosts_read_groups);
}
