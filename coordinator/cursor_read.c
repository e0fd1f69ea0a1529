/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: every member by its name, each with its line when it is wrong. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "coordinator/cursor.h"
#include "proto/wire.h"

enum { CURSOR_MEMBERS_MAX = 9 };

struct cursor_entry {
    struct cursor_channel channel;
    struct ranges *base;
    struct ranges *committed;
    struct ranges *skipped;
    struct deal_host *hosts;
};

struct cursor {
    struct json_doc *doc; /* What all views point to. */
    struct bytes job;
    struct cursor_entry entries[WIRE_CHANNELS_MAX];
    uint32_t count;
};

/* What is being read. */
struct cursor_reader {
    const char *name;
    struct fault *why;
};

__attribute__((format(printf, 3, 4))) static enum status cursor_refuse(
    const struct cursor_reader *r, const struct json *at, const char *format,
    ...)
{
    char text[FAULT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return fault_set(r->why, STATUS_MALFORMED, "%s:%u: the cursor's %s",
                     r->name, json_line(at), text);
}

/* An object with the members @names, all of them and no other; the last may
 * be missing when it ends with '?'. */
static enum status cursor_check_object(const struct cursor_reader *r,
                                       const struct json *v, const char *what,
                                       const char *const *names)
{
    if (!json_is(v, JSON_OBJECT)) {
        return cursor_refuse(r, v, "%s is not an object", what);
    }
    for (size_t i = 0; i < json_count(v); i++) {
        struct bytes key = json_key_at(v, i);
        bool is_known = false;

        for (size_t j = 0; names[j] != NULL; j++) {
            is_known = is_known || bytes_is(key, names[j]);
        }
        if (!is_known) {
            return cursor_refuse(r, json_at(v, i),
                                 "%s has a member \"%.*s\", which is not known",
                                 what, (int)(key.size < 64 ? key.size : 64),
                                 key.at);
        }
    }
    for (size_t j = 0; names[j] != NULL; j++) {
        if (json_get(v, names[j]) == NULL && strcmp(names[j], "hosts") != 0) {
            return cursor_refuse(r, v, "%s has no %s", what, names[j]);
        }
    }
    return STATUS_OK;
}

/* A whole number of 64 bits, without sign. */
static bool cursor_number(const struct json *v, uint64_t *out)
{
    struct bytes digits = json_digits(v);
    uint64_t value = 0;

    if (!json_is(v, JSON_INT) || digits.size == 0 || digits.at[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)((unsigned char)digits.at[i] - '0');

        CHECK(digit <= 9);
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static enum status cursor_take_number(const struct cursor_reader *r,
                                      const struct json *v, const char *key,
                                      struct range allowed, uint64_t *out)
{
    const struct json *member = json_get(v, key);

    if (!cursor_number(member, out) || *out < allowed.first ||
        *out >= allowed.end) {
        return cursor_refuse(r, member != NULL ? member : v,
                             "%s is not a whole number from %llu to %llu", key,
                             (unsigned long long)allowed.first,
                             (unsigned long long)allowed.end - 1);
    }
    return STATUS_OK;
}

static enum status cursor_take_text(const struct cursor_reader *r,
                                    const struct json *v, const char *key,
                                    size_t max, struct bytes *out)
{
    const struct json *member = json_get(v, key);

    *out = json_string(member);
    if (!json_is(member, JSON_STRING) || out->size > max ||
        (out->size > 0 && memchr(out->at, '\0', out->size) != NULL)) {
        return cursor_refuse(r, member != NULL ? member : v,
                             "%s is not a text of at most %zu bytes", key, max);
    }
    return STATUS_OK;
}

static enum status cursor_take_word(const struct cursor_reader *r,
                                    const struct json *v, const char *key,
                                    const char *const *words, uint32_t *out)
{
    const struct json *member = json_get(v, key);

    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (json_is(member, JSON_STRING) &&
            bytes_is(json_string(member), words[i])) {
            *out = i;
            return STATUS_OK;
        }
    }
    return cursor_refuse(r, member != NULL ? member : v,
                         "%s is a word that is not known", key);
}

static enum status cursor_take_range(const struct cursor_reader *r,
                                     const struct json *v, uint64_t limit,
                                     struct ranges *out)
{
    struct range last = {0};
    struct range got = {0};
    bool is_first = ranges_count(out) == 0;

    if (!json_is(v, JSON_ARRAY) || json_count(v) != 2 ||
        !cursor_number(json_at(v, 0), &got.first) ||
        !cursor_number(json_at(v, 1), &got.end) || got.first >= got.end ||
        got.end > limit) {
        return cursor_refuse(r, v, "range is not [first,end] below %llu",
                             (unsigned long long)limit);
    }
    /* Whatever was read lies below: the last range has the number before. */
    if (!is_first && (ranges_next(out, got.first, &last) ||
                      ranges_has(out, got.first - 1))) {
        return cursor_refuse(r, v, "ranges are not in order");
    }
    ranges_add(out, got);
    return STATUS_OK;
}

static enum status cursor_take_ranges(const struct cursor_reader *r,
                                      const struct json *v, const char *key,
                                      uint64_t limit, struct ranges *out)
{
    const struct json *list = json_get(v, key);
    size_t count = json_count(list);
    enum status s = STATUS_OK;

    if (!json_is(list, JSON_ARRAY)) {
        return cursor_refuse(r, list != NULL ? list : v, "%s is not a list",
                             key);
    }
    if (count > CURSOR_RANGES_MAX) {
        return fault_set(r->why, STATUS_FULL,
                         "%s: the cursor's %s has %zu ranges, %d are allowed",
                         r->name, key, count, CURSOR_RANGES_MAX);
    }
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        s = cursor_take_range(r, json_at(list, i), limit, out);
    }
    return s;
}

static enum status cursor_take_how(const struct cursor_reader *r,
                                   const struct json *v, struct cursor_how *out)
{
    static const char *const names[] = {"deal", "even", "split", "seed", NULL};
    static const char *const deals[] = {"sagemaker", "balanced", "replicated",
                                        "dynamic", NULL};
    static const char *const evens[] = {"none", "pad", "drop", NULL};
    uint32_t deal = 0;
    uint32_t even = 0;
    enum status s = cursor_check_object(r, v, "how", names);
    const struct json *seed = json_get(v, "seed");

    if (s == STATUS_OK) {
        s = cursor_take_word(r, v, "deal", deals, &deal);
    }
    if (s == STATUS_OK) {
        s = cursor_take_word(r, v, "even", evens, &even);
    }
    if (s == STATUS_OK && !json_is(json_get(v, "split"), JSON_BOOL)) {
        s = cursor_refuse(r, v, "split is not true or false");
    }
    out->has_seed = json_type(seed) != JSON_NULL;
    if (s == STATUS_OK && out->has_seed && !cursor_number(seed, &out->seed)) {
        s = cursor_refuse(r, seed, "seed is not a whole number of 64 bits");
    }
    out->is_dynamic = deal == 3;
    out->kind = out->is_dynamic ? DEAL_SAGEMAKER : (enum deal_kind)deal;
    out->even = (enum deal_even)even;
    out->may_split = json_is_true(json_get(v, "split"));
    return s;
}

enum status cursor_how_read(struct bytes text, struct fault *why,
                            struct cursor_how *out)
{
    struct cursor_reader r = {"how", why};
    struct json_doc *doc = NULL;
    enum status s = json_parse(text, r.name, why, &doc);

    *out = (struct cursor_how){0};
    if (s == STATUS_OK) {
        s = cursor_take_how(&r, json_root(doc), out);
    }
    json_destroy(&doc);
    return s;
}

static enum status cursor_take_host(const struct cursor_reader *r,
                                    const struct json *v, uint64_t least,
                                    struct deal_host *out)
{
    static const char *const names[] = {"number", "ranks", "weight", NULL};
    uint64_t number = 0;
    uint64_t ranks = 0;
    uint64_t weight = 0;
    enum status s = cursor_check_object(r, v, "host", names);

    if (s == STATUS_OK) {
        s = cursor_take_number(r, v, "number",
                               (struct range){least, DEAL_HOSTS_MAX}, &number);
    }
    if (s == STATUS_OK) {
        s = cursor_take_number(
            r, v, "ranks", (struct range){1, DEAL_HOST_RANKS_MAX + 1}, &ranks);
    }
    if (s == STATUS_OK) {
        s = cursor_take_number(r, v, "weight", (struct range){1, UINT32_MAX},
                               &weight);
    }
    *out =
        (struct deal_host){(uint32_t)number, (uint32_t)ranks, (uint32_t)weight};
    return s;
}

static enum status cursor_take_hosts(const struct cursor_reader *r,
                                     const struct json *v,
                                     struct cursor_entry *e)
{
    const struct json *list = json_get(v, "hosts");
    size_t count = json_count(list);
    enum status s = STATUS_OK;
    uint64_t least = 0;

    if (e->channel.how.is_dynamic) {
        return list == NULL
                   ? STATUS_OK
                   : cursor_refuse(r, list, "hosts stand with a dynamic deal");
    }
    if (!json_is(list, JSON_ARRAY) || count == 0 || count > DEAL_HOSTS_MAX) {
        return cursor_refuse(r, list != NULL ? list : v,
                             "hosts are not a list of 1 to %d", DEAL_HOSTS_MAX);
    }
    e->hosts = mem_new(count, sizeof(e->hosts[0]));
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        s = cursor_take_host(r, json_at(list, i), least, &e->hosts[i]);
        least = (uint64_t)e->hosts[i].number + 1;
    }
    e->channel.hosts = e->hosts;
    e->channel.host_count = (uint32_t)count;
    return s;
}

/* Whether the two have a number in common. */
static bool cursor_ranges_meet(const struct ranges *a, const struct ranges *b)
{
    struct range in = {0};

    while (ranges_next(a, in.end, &in)) {
        if (ranges_count_in(b, in) > 0) {
            return true;
        }
    }
    return false;
}

static enum status cursor_take_sets(const struct cursor_reader *r,
                                    const struct json *v,
                                    struct cursor_entry *e)
{
    const struct cursor_channel *c = &e->channel;
    uint64_t most = c->how.is_dynamic ? c->positions : CATALOG_OBJECTS_MAX;
    enum status s = cursor_take_ranges(r, v, "base", most, e->base);

    if (s == STATUS_OK) {
        s = cursor_take_ranges(r, v, "committed", c->positions, e->committed);
    }
    if (s == STATUS_OK) {
        s = cursor_take_ranges(r, v, "skipped", c->positions, e->skipped);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (cursor_ranges_meet(e->skipped, e->committed) ||
        (c->how.is_dynamic && (cursor_ranges_meet(e->base, e->committed) ||
                               cursor_ranges_meet(e->base, e->skipped)))) {
        return cursor_refuse(r, v,
                             "base, committed and skipped have positions in "
                             "common");
    }
    return STATUS_OK;
}

static enum status cursor_take_channel(const struct cursor_reader *r,
                                       const struct json *v,
                                       struct cursor_entry *e)
{
    static const char *const names[] = {
        "name", "catalog",   "how",     "epoch", "positions",
        "base", "committed", "skipped", "hosts", NULL};
    struct cursor_channel *c = &e->channel;
    enum status s = cursor_check_object(r, v, "channel", names);

    e->base = ranges_new();
    e->committed = ranges_new();
    e->skipped = ranges_new();
    c->base = e->base;
    c->committed = e->committed;
    c->skipped = e->skipped;
    if (s == STATUS_OK) {
        s = cursor_take_text(r, v, "name", WIRE_NAME_MAX, &c->name);
    }
    if (s == STATUS_OK) {
        s = cursor_take_text(r, v, "catalog", CATALOG_NAME_SIZE - 1,
                             &c->catalog);
    }
    if (s == STATUS_OK) {
        s = cursor_take_how(r, json_get(v, "how"), &c->how);
    }
    if (s == STATUS_OK) {
        s = cursor_take_number(r, v, "epoch", (struct range){0, 1 << 30},
                               &c->epoch);
    }
    if (s == STATUS_OK) {
        s = cursor_take_number(r, v, "positions",
                               (struct range){0, UINT64_MAX / 2},
                               &c->positions);
    }
    if (s == STATUS_OK) {
        s = cursor_take_hosts(r, v, e);
    }
    return s == STATUS_OK ? cursor_take_sets(r, v, e) : s;
}

static bool cursor_is_twice(const struct cursor *c)
{
    for (uint32_t i = 0; i + 1 < c->count; i++) {
        if (bytes_is_equal(c->entries[i].channel.name,
                           c->entries[c->count - 1].channel.name)) {
            return true;
        }
    }
    return false;
}

static enum status cursor_take_channels(const struct cursor_reader *r,
                                        const struct json *root,
                                        struct cursor *c)
{
    const struct json *list = json_get(root, "channels");
    enum status s = STATUS_OK;

    if (!json_is(list, JSON_ARRAY) || json_count(list) > WIRE_CHANNELS_MAX) {
        return cursor_refuse(r, list, "channels are not a list of at most %d",
                             WIRE_CHANNELS_MAX);
    }
    for (size_t i = 0; s == STATUS_OK && i < json_count(list); i++) {
        c->count++;
        s = cursor_take_channel(r, json_at(list, i), &c->entries[i]);
        if (s == STATUS_OK && cursor_is_twice(c)) {
            s = cursor_refuse(r, json_at(list, i),
                              "channels have the same name twice");
        }
    }
    return s;
}

static enum status cursor_take(const struct cursor_reader *r, struct cursor *c)
{
    static const char *const names[] = {"cursor", "job", "channels", NULL};
    const struct json *root = json_root(c->doc);
    uint64_t version = 0;
    enum status s = STATUS_OK;

    if (!json_is(root, JSON_OBJECT) ||
        !cursor_number(json_get(root, "cursor"), &version)) {
        return fault_set(r->why, STATUS_MALFORMED,
                         "%s: is not a cursor: no object with a number "
                         "\"cursor\"",
                         r->name);
    }
    if (version != CURSOR_VERSION) {
        return fault_set(r->why, STATUS_VERSION,
                         "%s: the cursor is of version %llu, this smshard "
                         "reads version %d",
                         r->name, (unsigned long long)version, CURSOR_VERSION);
    }
    s = cursor_check_object(r, root, "document", names);
    if (s == STATUS_OK) {
        s = cursor_take_text(r, root, "job", WIRE_TEXT_MAX, &c->job);
    }
    return s == STATUS_OK ? cursor_take_channels(r, root, c) : s;
}

enum status cursor_read(struct bytes text, const char *name, struct fault *why,
                        struct cursor **out)
{
    struct cursor_reader r = {name, why};
    struct cursor *c;
    enum status s;

    *out = NULL;
    if (text.size > CURSOR_TEXT_MAX) {
        return fault_set(why, STATUS_FULL,
                         "%s: a cursor of %zu bytes, %d are allowed", name,
                         text.size, CURSOR_TEXT_MAX);
    }
    c = mem_new(1, sizeof(*c));
    s = json_parse(text, name, why, &c->doc);
    if (s == STATUS_OK) {
        s = cursor_take(&r, c);
    }
    if (s != STATUS_OK) {
        cursor_destroy(&c);
    }
    *out = c;
    return s;
}

void cursor_destroy(struct cursor **c)
{
    struct cursor *old = *c;

    if (old == NULL) {
        return;
    }
    for (uint32_t i = 0; i < old->count; i++) {
        ranges_destroy(&old->entries[i].base);
        ranges_destroy(&old->entries[i].committed);
        ranges_destroy(&old->entries[i].skipped);
        free(old->entries[i].hosts);
    }
    json_destroy(&old->doc);
    free(old);
    *c = NULL;
}

struct bytes cursor_job(const struct cursor *c)
{
    return c->job;
}

uint32_t cursor_channel_count(const struct cursor *c)
{
    return c->count;
}

const struct cursor_channel *cursor_channel_at(const struct cursor *c,
                                               uint32_t i)
{
    CHECK(i < c->count);
    return &c->entries[i].channel;
}

const struct cursor_channel *cursor_find(const struct cursor *c,
                                         struct bytes name)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (bytes_is_equal(c->entries[i].channel.name, name)) {
            return &c->entries[i].channel;
        }
    }
    return NULL;
}
