/* SPDX-License-Identifier: Apache-2.0 */
/* The body of the lease object. */
#include "coordinator/term.h"

#include "base/check.h"
#include "base/json.h"
#include "coordinator/field.h"

void term_lease_write(const struct term_lease *lease, struct buf *out)
{
    CHECK(lease->term > 0 && lease->run[0] != '\0' && lease->host[0] != '\0');
    CHECK(lease->nonce[0] != '\0' && lease->endpoint[0] != '\0');
    buf_add_char(out, '{');
    field_write_number(out, "term", lease->term);
    field_write_text(out, "run", lease->run);
    field_write_text(out, "host", lease->host);
    field_write_text(out, "endpoint", lease->endpoint);
    field_write_text(out, "nonce", lease->nonce);
    field_write_number(out, "ttl_ms", lease->ttl_ms);
    field_write_text(out, "key", lease->key);
    field_write_number(out, "number", lease->number);
    field_write_key(out, "released");
    buf_add_text(out, lease->is_released ? "true}\n" : "false}\n");
}

/* A leader may have no key; then nothing is encrypted. */
static enum status term_lease_read_key(const struct json *v, struct fault *why,
                                       struct term_lease *out)
{
    const struct json *key = json_get(v, "key");

    return json_is(key, JSON_STRING) && json_string(key).size == 0
               ? STATUS_OK
               : field_text(v, "key", why, sizeof(out->key), out->key);
}

static enum status term_lease_read_texts(const struct json *v,
                                         struct fault *why,
                                         struct term_lease *out)
{
    enum status s = field_text(v, "run", why, sizeof(out->run), out->run);

    if (s == STATUS_OK) {
        s = field_text(v, "host", why, sizeof(out->host), out->host);
    }
    if (s == STATUS_OK) {
        s = field_text(v, "endpoint", why, sizeof(out->endpoint),
                       out->endpoint);
    }
    if (s == STATUS_OK) {
        s = field_text(v, "nonce", why, sizeof(out->nonce), out->nonce);
    }
    return s == STATUS_OK ? term_lease_read_key(v, why, out) : s;
}

static enum status term_lease_read_numbers(const struct json *v,
                                           struct fault *why,
                                           struct term_lease *out)
{
    const struct json *released = json_get(v, "released");
    uint64_t number = 0;
    enum status s = field_number(v, "term", why, &out->term);

    if (s == STATUS_OK) {
        s = field_number(v, "ttl_ms", why, &out->ttl_ms);
    }
    if (s == STATUS_OK) {
        s = field_number(v, "number", why, &number);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (out->term == 0) {
        return fault_set(why, STATUS_MALFORMED, "\"term\" is 0");
    }
    if (out->ttl_ms < TERM_TTL_MIN_MS || out->ttl_ms > TERM_TTL_MAX_MS) {
        return fault_set(why, STATUS_MALFORMED, "\"ttl_ms\" is out of range");
    }
    if (!json_is(released, JSON_BOOL)) {
        return fault_set(why, STATUS_MALFORMED,
                         "\"released\" is not true or false");
    }
    if (number > UINT32_MAX) {
        return fault_set(why, STATUS_MALFORMED, "\"number\" is out of range");
    }
    out->number = (uint32_t)number;
    out->is_released = json_is_true(released);
    return STATUS_OK;
}

enum status term_lease_read(struct bytes body, struct fault *why,
                            struct term_lease *out)
{
    struct json_doc *doc = NULL;
    enum status s = json_parse(body, "lease", why, &doc);

    *out = (struct term_lease){0};
    if (s != STATUS_OK) {
        return STATUS_MALFORMED;
    }
    s = term_lease_read_texts(json_root(doc), why, out);
    if (s == STATUS_OK) {
        s = term_lease_read_numbers(json_root(doc), why, out);
    }
    if (s != STATUS_OK) {
        s = fault_prefix(why, s, "lease");
    }
    json_destroy(&doc);
    return s;
}
