/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/toolkit_hps.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

enum { TOOLKIT_KEY_SHOWN = 200 }; /* Bytes of a key in a message. */

static int toolkit_shown(struct bytes key)
{
    return key.size < TOOLKIT_KEY_SHOWN ? (int)key.size : TOOLKIT_KEY_SHOWN;
}

/* The values are JSON in strings; what is none stays the string it is. */
static enum status toolkit_decode(struct toolkit_item *item, struct fault *why)
{
    enum status s;

    if (!json_is(item->value, JSON_STRING)) {
        return STATUS_OK;
    }
    s = json_parse_nested(json_string(item->value), "value", why, &item->doc);
    if (s == STATUS_OK) {
        item->value = json_root(item->doc);
    } else if (s != STATUS_MALFORMED) {
        return fault_prefix(why, s, "hyperparameters.json: %.*s",
                            toolkit_shown(item->key), item->key.at);
    }
    return STATUS_OK;
}

enum status toolkit_hps_init(const struct json *object, struct fault *why,
                             struct toolkit_hps *out)
{
    enum status s = STATUS_OK;

    *out = (struct toolkit_hps){0};
    if (object != NULL && !json_is(object, JSON_OBJECT)) {
        return fault_set(why, STATUS_INVALID,
                         "hyperparameters.json: must be an object");
    }
    out->items = mem_new(json_count(object), sizeof(*out->items));
    for (size_t i = 0; s == STATUS_OK && i < json_count(object); i++) {
        out->items[i] = (struct toolkit_item){.key = json_key_at(object, i),
                                              .value = json_at(object, i),
                                              .place = i};
        out->count++;
        s = toolkit_decode(&out->items[i], why);
    }
    if (s != STATUS_OK) {
        toolkit_hps_fini(out);
    }
    return s;
}

void toolkit_hps_fini(struct toolkit_hps *hps)
{
    for (size_t i = 0; i < hps->count; i++) {
        json_destroy(&hps->items[i].doc);
    }
    free(hps->items);
    *hps = (struct toolkit_hps){0};
}

enum toolkit_owner toolkit_hps_owner(struct bytes key)
{
    static const char *const own[] = {
        "sagemaker_program",
        "sagemaker_submit_directory",
        "sagemaker_enable_cloudwatch_metrics",
        "sagemaker_region",
        "sagemaker_container_log_level",
        "sagemaker_job_name",
        "default_user_module_name",
        "_tuning_objective_metric",
        "sagemaker_s3_output",
    };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (bytes_is(key, own[i])) {
            return TOOLKIT_ITSELF;
        }
    }
    return bytes_has_prefix(key, BYTES("sagemaker_")) ? TOOLKIT_FRAME
                                                      : TOOLKIT_USER;
}

const struct json *toolkit_hps_get(const struct toolkit_hps *hps,
                                   const char *key)
{
    for (size_t i = 0; i < hps->count; i++) {
        if (bytes_is(hps->items[i].key, key)) {
            return hps->items[i].value;
        }
    }
    return NULL;
}

/* Those of @owner, sorted; to be freed. */
static struct toolkit_item *toolkit_hps_of(const struct toolkit_hps *hps,
                                           enum toolkit_owner owner,
                                           size_t *count)
{
    struct toolkit_item *found = mem_new(hps->count, sizeof(*found));

    *count = 0;
    for (size_t i = 0; i < hps->count; i++) {
        if (toolkit_hps_owner(hps->items[i].key) == owner) {
            found[(*count)++] = hps->items[i];
        }
    }
    toolkit_sort_items(found, *count);
    return found;
}

void toolkit_hps_write(const struct toolkit_hps *hps, enum toolkit_owner owner,
                       struct buf *out)
{
    size_t count;
    struct toolkit_item *items = toolkit_hps_of(hps, owner, &count);

    toolkit_write_items(items, count, out);
    free(items);
}

enum status toolkit_set_named(struct env_list *vars, const char *prefix,
                              struct bytes name,
                              const struct toolkit_value *value,
                              struct fault *why)
{
    char *what = mem_print("%s%.*s", prefix, toolkit_shown(name), name.at);
    struct buf upper = {0};
    struct buf os_name = {0};
    struct buf os_value = {0};
    enum status s;

    toolkit_add_upper(name, &upper);
    buf_add_text(&os_name, prefix);
    s = toolkit_add_os_text(buf_bytes(&upper), what, why, &os_name);
    if (s == STATUS_OK) {
        s = toolkit_add_os_text(buf_bytes(&value->text), what, why, &os_value);
    }
    if (s == STATUS_OK) {
        s = env_list_set(vars, buf_bytes(&os_name), buf_bytes(&os_value), why);
    }
    buf_fini(&os_value);
    buf_fini(&os_name);
    buf_fini(&upper);
    free(what);
    return s;
}

/* In the order of the file: of two keys that differ only in case the last
 * one counts. */
enum status toolkit_hps_add_vars(const struct toolkit_hps *hps,
                                 struct fault *why, struct env_list *vars)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < hps->count; i++) {
        struct toolkit_value v;

        if (toolkit_hps_owner(hps->items[i].key) != TOOLKIT_USER) {
            continue;
        }
        v = toolkit_value_of(hps->items[i].value);
        s = toolkit_set_named(vars, "SM_HP_", hps->items[i].key, &v, why);
        toolkit_value_fini(&v);
    }
    return s;
}

static void toolkit_add_arg_name(struct bytes key, struct buf *out)
{
    uint32_t code = 0;

    if (key.size > 0) {
        buf_add_text(out, utf8_read(key, &code) == key.size ? "-" : "--");
    }
    buf_add_bytes(out, key);
}

/* A dict becomes "a=1,b=x". */
static void toolkit_add_pairs(const struct json *object, struct buf *out)
{
    struct toolkit_item *items = toolkit_sorted_members(object);

    for (size_t i = 0; i < json_count(object); i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        buf_add_bytes(out, items[i].key);
        buf_add_char(out, '=');
        json_write_python_str(items[i].value, out);
    }
    free(items);
}

static void toolkit_add_arg_value(const struct json *v, struct buf *out)
{
    if (json_is(v, JSON_OBJECT)) {
        toolkit_add_pairs(v, out);
    } else if (json_type(v) != JSON_NULL) {
        json_write_python_str(v, out);
    }
}

/* Take @text, and empty it, as the next argument. */
static enum status toolkit_take_arg(struct buf *text, struct fault *why,
                                    struct toolkit_env *env, struct buf *json)
{
    struct buf arg = {0};
    enum status s;

    if (env->arg_count > 0) {
        buf_add_char(json, ',');
    }
    json_write_ascii(buf_bytes(text), json);
    s = toolkit_add_os_text(buf_bytes(text), "an argument for the script", why,
                            &arg);
    if (s != STATUS_OK) {
        buf_fini(&arg);
        return s;
    }
    env->args[env->arg_count++] = buf_take(&arg);
    buf_clear(text);
    return STATUS_OK;
}

static enum status toolkit_add_arg(const struct toolkit_item *item,
                                   struct fault *why, struct toolkit_env *env,
                                   struct buf *json)
{
    struct buf text = {0};
    enum status s;

    toolkit_add_arg_name(item->key, &text);
    s = toolkit_take_arg(&text, why, env, json);
    if (s == STATUS_OK) {
        toolkit_add_arg_value(item->value, &text);
        s = toolkit_take_arg(&text, why, env, json);
    }
    buf_fini(&text);
    if (s != STATUS_OK) {
        return fault_prefix(why, s, "hyperparameters.json: %.*s",
                            toolkit_shown(item->key), item->key.at);
    }
    return STATUS_OK;
}

enum status toolkit_hps_add_args(const struct toolkit_hps *hps,
                                 struct fault *why, struct toolkit_env *env,
                                 struct buf *json)
{
    size_t count;
    struct toolkit_item *items = toolkit_hps_of(hps, TOOLKIT_USER, &count);
    enum status s = STATUS_OK;

    env->args = mem_new(2 * count + 1, sizeof(*env->args));
    buf_add_char(json, '[');
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        s = toolkit_add_arg(&items[i], why, env, json);
    }
    buf_add_char(json, ']');
    free(items);
    return s;
}
