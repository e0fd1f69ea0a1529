/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/platform.h"

#include "base/check.h"

/* Append `, "key": ` or, as the first of its object, `"key": `. */
static void platform_add_key(const char *key, struct buf *out)
{
    CHECK(out->size > 0);
    if (out->at[out->size - 1] != '{') {
        buf_add_text(out, ", ");
    }
    json_write_ascii(bytes_of(key), out);
    buf_add_text(out, ": ");
}

static void platform_add_text(const char *key, const char *text,
                              struct buf *out)
{
    if (text != NULL) {
        platform_add_key(key, out);
        json_write_ascii(bytes_of(text), out);
    }
}

static void platform_add_hosts(const char *const *hosts, size_t count,
                               struct buf *out)
{
    platform_add_key("hosts", out);
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        json_write_ascii(bytes_of(hosts[i]), out);
    }
    buf_add_char(out, ']');
}

static void platform_add_groups(const struct platform_resource *r,
                                struct buf *out)
{
    platform_add_key("instance_groups", out);
    buf_add_char(out, '[');
    for (size_t i = 0; i < r->group_count; i++) {
        const struct platform_group *g = &r->groups[i];

        buf_add_text(out, i > 0 ? ", {" : "{");
        platform_add_text("instance_group_name", g->name, out);
        platform_add_text("instance_type", g->instance_type, out);
        platform_add_hosts(g->hosts, g->host_count, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void platform_write_resource(const struct platform_resource *r, struct buf *out)
{
    CHECK(r->current_host != NULL && r->host_count > 0);
    buf_add_char(out, '{');
    platform_add_text("current_host", r->current_host, out);
    platform_add_hosts(r->hosts, r->host_count, out);
    platform_add_text("network_interface_name", r->interface_name, out);
    platform_add_text("current_instance_type", r->instance_type, out);
    platform_add_text("current_group_name", r->group_name, out);
    if (r->group_count > 0) {
        platform_add_groups(r, out);
    }
    buf_add_char(out, '}');
}

void platform_write_channels(const struct platform_channel *channels,
                             size_t count, struct buf *out)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        const struct platform_channel *c = &channels[i];

        platform_add_key(c->name, out);
        buf_add_char(out, '{');
        platform_add_text("TrainingInputMode", c->mode, out);
        platform_add_text("S3DistributionType", c->distribution, out);
        platform_add_text("RecordWrapperType", c->wrapper, out);
        platform_add_text("ContentType", c->content_type, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static void platform_add_parameter(const struct json *v, struct buf *out)
{
    struct buf text = {0};

    if (json_is(v, JSON_STRING)) {
        json_write_ascii(json_string(v), out);
        return;
    }
    json_write(v, JSON_PYTHON_DEFAULT, &text);
    json_write_ascii(buf_bytes(&text), out);
    buf_fini(&text);
}

enum status platform_write_hyperparameters(const struct json *hps,
                                           struct fault *why, struct buf *out)
{
    if (hps != NULL && !json_is(hps, JSON_OBJECT)) {
        return fault_set(why, STATUS_INVALID,
                         "line %u: the hyperparameters must be an object",
                         (unsigned)json_line(hps));
    }
    buf_add_char(out, '{');
    for (size_t i = 0; i < json_count(hps); i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        json_write_ascii(json_key_at(hps, i), out);
        buf_add_text(out, ": ");
        platform_add_parameter(json_at(hps, i), out);
    }
    buf_add_char(out, '}');
    return STATUS_OK;
}

void platform_write_checkpoint(const char *local_path, struct buf *out)
{
    buf_add_char(out, '{');
    platform_add_text("LocalPath", local_path, out);
    buf_add_char(out, '}');
}
