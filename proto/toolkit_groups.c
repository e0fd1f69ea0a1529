/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/toolkit_groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TOOLKIT_GROUP_DEFAULT "homogeneousCluster"
#define TOOLKIT_GROUP_HP "sagemaker_distribution_instance_groups"

enum status toolkit_resource_fault(struct fault *why, const char *key,
                                   const char *must)
{
    return fault_set(why, STATUS_INVALID, "resourceconfig.json: \"%s\" %s", key,
                     must);
}

static bool toolkit_is_list_of_strings(const struct json *v)
{
    bool is_good = json_is(v, JSON_ARRAY);

    for (size_t i = 0; is_good && i < json_count(v); i++) {
        is_good = json_is(json_at(v, i), JSON_STRING);
    }
    return is_good;
}

static struct bytes toolkit_group_name(const struct json *group)
{
    return json_string(json_get(group, "instance_group_name"));
}

static enum status toolkit_check_groups(const struct json *resource,
                                        struct fault *why)
{
    const struct json *groups = json_get(resource, "instance_groups");

    if (groups != NULL && !json_is(groups, JSON_ARRAY)) {
        return toolkit_resource_fault(why, "instance_groups",
                                      "must be a list of groups");
    }
    for (size_t i = 0; i < json_count(groups); i++) {
        const struct json *name =
            json_get(json_at(groups, i), "instance_group_name");

        if (!json_is(name, JSON_STRING)) {
            return toolkit_resource_fault(
                why, "instance_groups",
                "has a group without an \"instance_group_name\"");
        }
    }
    if (!toolkit_is_list_of_strings(json_get(resource, "hosts"))) {
        return toolkit_resource_fault(why, "hosts",
                                      "must be there, a list of names");
    }
    return STATUS_OK;
}

static enum status toolkit_set_current(const struct json *resource,
                                       struct fault *why,
                                       struct toolkit_groups *g)
{
    const struct json *name = json_get(resource, "current_group_name");

    if (name == NULL) {
        g->current = toolkit_value_str(TOOLKIT_GROUP_DEFAULT);
        return STATUS_OK;
    }
    g->current = toolkit_value_of(name);
    if (g->current.kind == TOOLKIT_OTHER) {
        return toolkit_resource_fault(why, "current_group_name",
                                      "must be a string");
    }
    return STATUS_OK;
}

static bool toolkit_is_current(const struct toolkit_groups *g,
                               struct bytes name)
{
    return g->current.kind == TOOLKIT_STR &&
           bytes_is_equal(name, buf_bytes(&g->current.text));
}

static enum status toolkit_set_current_hosts(const struct json *groups,
                                             struct fault *why,
                                             struct toolkit_groups *g)
{
    for (size_t i = 0; i < json_count(groups); i++) {
        const struct json *group = json_at(groups, i);

        if (toolkit_is_current(g, toolkit_group_name(group))) {
            if (json_get(group, "hosts") == NULL) {
                return toolkit_resource_fault(
                    why, "instance_groups",
                    "has no \"hosts\" for the current group");
            }
            g->current_hosts = toolkit_value_of(json_get(group, "hosts"));
            return STATUS_OK;
        }
    }
    g->current_hosts.kind = TOOLKIT_OTHER;
    buf_add_text(&g->current_hosts.text, "[]");
    return STATUS_OK;
}

static void toolkit_set_names(const struct json *groups,
                              struct toolkit_groups *g)
{
    size_t count = json_count(groups);
    struct toolkit_item *items = mem_new(count, sizeof(*items));

    g->is_hetero = count > 1;
    g->names.kind = TOOLKIT_OTHER;
    g->by_name.kind = TOOLKIT_OTHER;
    buf_add_char(&g->names.text, '[');
    for (size_t i = 0; i < count; i++) {
        const struct json *group = json_at(groups, i);

        if (i > 0) {
            buf_add_char(&g->names.text, ',');
        }
        json_write_ascii(toolkit_group_name(group), &g->names.text);
        items[i] = (struct toolkit_item){
            .key = toolkit_group_name(group), .value = group, .place = i};
    }
    buf_add_char(&g->names.text, ']');
    toolkit_sort_items(items, count);
    toolkit_write_items(items, count, &g->by_name.text);
    free(items);
}

static bool toolkit_is_distributed(const struct toolkit_hps *hps)
{
    static const char *const keys[] = {
        "sagemaker_mpi_enabled",
        "sagemaker_parameter_server_enabled",
        "sagemaker_distributed_dataparallel_enabled",
        "sagemaker_pytorch_ddp_enabled",
        "sagemaker_pytorch_xla_multi_worker_enabled",
        "sagemaker_multi_worker_mirrored_strategy_enabled",
        "sagemaker_torch_distributed_enabled",
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (toolkit_is_true(toolkit_hps_get(hps, keys[i]))) {
            return true;
        }
    }
    return false;
}

static enum status toolkit_set_distribution(const struct toolkit_hps *hps,
                                            struct fault *why,
                                            struct toolkit_groups *g)
{
    const struct json *given = toolkit_hps_get(hps, TOOLKIT_GROUP_HP);
    bool is_text = json_is(given, JSON_STRING);

    if (given == NULL) {
        g->distribution.kind = TOOLKIT_OTHER;
        buf_add_char(&g->distribution.text, '[');
        if (toolkit_is_distributed(hps)) {
            toolkit_value_write(&g->current, &g->distribution.text);
        }
        buf_add_char(&g->distribution.text, ']');
        return STATUS_OK;
    }
    if ((!is_text && !json_is(given, JSON_ARRAY) &&
         !json_is(given, JSON_OBJECT)) ||
        (is_text && g->current.kind != TOOLKIT_STR)) {
        return fault_set(why, STATUS_INVALID,
                         "hyperparameters.json: \"" TOOLKIT_GROUP_HP
                         "\" must be a list of names");
    }
    g->distribution = toolkit_value_of(given);
    return STATUS_OK;
}

/* Python's `name in given`: a string holds its parts, a dict its keys. */
static bool toolkit_is_in(const struct json *given, struct bytes name)
{
    struct bytes text = json_string(given);

    if (json_is(given, JSON_STRING)) {
        return name.size == 0 ||
               (text.size > 0 &&
                memmem(text.at, text.size, name.at, name.size) != NULL);
    }
    for (size_t i = 0; i < json_count(given); i++) {
        const struct json *v = json_at(given, i);
        bool is_key = json_is(given, JSON_OBJECT);

        if ((is_key || json_is(v, JSON_STRING)) &&
            bytes_is_equal(is_key ? json_key_at(given, i) : json_string(v),
                           name)) {
            return true;
        }
    }
    return false;
}

static bool toolkit_takes_part(const struct toolkit_groups *g,
                               const struct toolkit_hps *hps, struct bytes name)
{
    const struct json *given = toolkit_hps_get(hps, TOOLKIT_GROUP_HP);

    if (given != NULL) {
        return toolkit_is_in(given, name);
    }
    return toolkit_is_distributed(hps) && toolkit_is_current(g, name);
}

/* Append the strings of @hosts; the first of all is the master. */
static void toolkit_add_hosts(const struct json *hosts,
                              struct toolkit_groups *g)
{
    for (size_t i = 0; i < json_count(hosts); i++) {
        if (g->distribution_hosts.text.size > 1) {
            buf_add_char(&g->distribution_hosts.text, ',');
        } else {
            g->master = json_string(json_at(hosts, i));
        }
        json_write_ascii(json_string(json_at(hosts, i)),
                         &g->distribution_hosts.text);
    }
}

static enum status toolkit_set_hosts(const struct json *resource,
                                     const struct toolkit_hps *hps,
                                     struct fault *why,
                                     struct toolkit_groups *g)
{
    const struct json *groups = json_get(resource, "instance_groups");
    const struct json *all = json_get(resource, "hosts");

    g->distribution_hosts.kind = TOOLKIT_OTHER;
    buf_add_char(&g->distribution_hosts.text, '[');
    for (size_t i = 0; i < json_count(groups); i++) {
        const struct json *group = json_at(groups, i);
        const struct json *hosts = json_get(group, "hosts");

        if (!toolkit_takes_part(g, hps, toolkit_group_name(group))) {
            continue;
        }
        if (!toolkit_is_list_of_strings(hosts)) {
            return toolkit_resource_fault(
                why, "instance_groups",
                "has a group whose \"hosts\" are no list of names");
        }
        toolkit_add_hosts(hosts, g);
    }
    if (json_count(groups) == 0) {
        toolkit_add_hosts(all, g);
    }
    if (g->distribution_hosts.text.size == 1) {
        if (json_count(all) == 0) {
            return toolkit_resource_fault(why, "hosts", "names no host");
        }
        g->master = json_string(json_at(all, 0));
    }
    buf_add_char(&g->distribution_hosts.text, ']');
    return STATUS_OK;
}

static enum status toolkit_read_groups(const struct json *resource,
                                       const struct toolkit_hps *hps,
                                       struct fault *why,
                                       struct toolkit_groups *g)
{
    const struct json *groups = json_get(resource, "instance_groups");
    enum status s = toolkit_check_groups(resource, why);

    if (s == STATUS_OK) {
        s = toolkit_set_current(resource, why, g);
    }
    if (s == STATUS_OK) {
        s = toolkit_set_current_hosts(groups, why, g);
    }
    if (s == STATUS_OK) {
        s = toolkit_set_distribution(hps, why, g);
    }
    if (s == STATUS_OK) {
        toolkit_set_names(groups, g);
        s = toolkit_set_hosts(resource, hps, why, g);
    }
    return s;
}

enum status toolkit_groups_init(const struct json *resource,
                                const struct toolkit_hps *hps,
                                struct fault *why, struct toolkit_groups *out)
{
    enum status s;

    *out = (struct toolkit_groups){0};
    s = toolkit_read_groups(resource, hps, why, out);
    if (s != STATUS_OK) {
        toolkit_groups_fini(out);
    }
    return s;
}

void toolkit_groups_fini(struct toolkit_groups *g)
{
    toolkit_value_fini(&g->current);
    toolkit_value_fini(&g->current_hosts);
    toolkit_value_fini(&g->names);
    toolkit_value_fini(&g->by_name);
    toolkit_value_fini(&g->distribution);
    toolkit_value_fini(&g->distribution_hosts);
}
