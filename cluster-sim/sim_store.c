/* SPDX-License-Identifier: Apache-2.0 */
/* Objects lie in one array, sorted by key: some hundreds at most, and LIST
 * wants them so. A call is pointed to by its one or two events and belongs to
 * the last of them. */
#include "cluster-sim/sim_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum {
    SIM_STORE_USUAL_US = 20000,
    SIM_STORE_LIMIT_US = 3000000, /* After that a request is given up. */
};

struct sim_value {
    char *at;
    size_t size;
    char etag[SIM_ETAG_MAX];
    bool is_there;
};

struct sim_object {
    char key[SIM_KEY_MAX];
    struct sim_value now;
    struct sim_value before; /* What a stale read sees. */
};

struct sim_store {
    struct sim_store_options options;
    struct sim_object **objects;
    size_t count;
    size_t room;
    uint64_t away_until_us[SIM_NODES_MAX + 1]; /* The last: from all. */
    uint64_t busy_until_us;
    uint32_t busy;
};

struct sim_store *sim_store_new(const struct sim_store_options *options)
{
    struct sim_store *s = mem_new(1, sizeof(*s));

    s->options = *options;
    return s;
}

void sim_store_destroy(struct sim_store **s)
{
    if (*s == NULL) {
        return;
    }
    for (size_t i = 0; i < (*s)->count; i++) {
        free((*s)->objects[i]->now.at);
        free((*s)->objects[i]->before.at);
        free((*s)->objects[i]);
    }
    free((*s)->objects);
    free(*s);
    *s = NULL;
}

void sim_store_go_away(struct sim_store *s, uint32_t node, uint64_t until_us)
{
    CHECK(node <= SIM_NODES_MAX);
    s->away_until_us[node] = until_us;
}

static bool sim_store_is_away(const struct sim_store *s, uint32_t node)
{
    uint64_t now_us = sim_clock_now_us(s->options.clock);

    return now_us < s->away_until_us[SIM_NODES_MAX] ||
           now_us < s->away_until_us[node];
}

void sim_store_be_busy(struct sim_store *s, uint64_t until_us, uint32_t chance)
{
    s->busy_until_us = until_us;
    s->busy = chance;
}

void sim_store_calm(struct sim_store *s)
{
    memset(s->away_until_us, 0, sizeof(s->away_until_us));
    s->busy_until_us = 0;
}

/* ---- Objects. ---- */

/* Return the index of the first object whose key is not below @key. */
static size_t sim_store_find(const struct sim_store *s, const char *key)
{
    size_t low = 0;
    size_t high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(s->objects[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct sim_object *sim_store_get(const struct sim_store *s,
                                        const char *key)
{
    size_t at = sim_store_find(s, key);

    return at < s->count && strcmp(s->objects[at]->key, key) == 0
               ? s->objects[at]
               : NULL;
}

static struct sim_object *sim_store_make(struct sim_store *s, const char *key)
{
    size_t at = sim_store_find(s, key);
    struct sim_object *o;

    if (at < s->count && strcmp(s->objects[at]->key, key) == 0) {
        return s->objects[at];
    }
    if (s->count == s->room) {
        s->room = s->room == 0 ? 64 : 2 * s->room;
        s->objects = mem_grow(s->objects, s->room, sizeof(struct sim_object *));
    }
    memmove(s->objects + at + 1, s->objects + at,
            (s->count - at) * sizeof(struct sim_object *));
    o = mem_new(1, sizeof(*o));
    memcpy(o->key, key, strlen(key) + 1);
    s->objects[at] = o;
    s->count++;
    return o;
}

static void sim_store_etag(struct bytes body, char out[SIM_ETAG_MAX])
{
    uint64_t hash = UINT64_C(14695981039346656037);

    CHECK(body.at != NULL || body.size == 0);
    for (size_t i = 0; i < body.size; i++) {
        hash = (hash ^ (unsigned char)body.at[i]) * UINT64_C(1099511628211);
    }
    snprintf(out, SIM_ETAG_MAX, "\"%016" PRIx64 "\"", prng_mix(hash));
}

static void sim_store_set(struct sim_object *o, const struct bytes *body)
{
    free(o->before.at);
    o->before = o->now;
    memset(&o->now, 0, sizeof(o->now));
    if (body == NULL) {
        return;
    }
    o->now.is_there = true;
    o->now.size = body->size;
    o->now.at = mem_copy_text(body->at == NULL ? "" : body->at, body->size);
    sim_store_etag(*body, o->now.etag);
}

/* ---- Requests. ---- */

static bool sim_store_rolls(struct sim_store *s, uint32_t chance)
{
    return chance > 0 && prng_chance(s->options.prng, chance, 1000);
}

static uint64_t sim_store_delay(struct sim_store *s)
{
    const struct sim_weather *w = s->options.weather;
    uint64_t us = 1000 + prng_below(s->options.prng, SIM_STORE_USUAL_US);

    if (sim_store_rolls(s, w->store_slow)) {
        us += prng_below(s->options.prng, w->store_slow_us);
    }
    return us;
}

static enum status sim_store_unknown(struct sim_store *s)
{
    return prng_chance(s->options.prng, 1, 2) ? STATUS_TIMEOUT : STATUS_STORE;
}

/* Decide how this call will go: whether and when it takes effect, and when it
 * is answered. */
static void sim_store_fate(struct sim_store *s, struct sim_store_call *c,
                           uint64_t *effect_us, uint64_t *answer_us)
{
    const struct sim_weather *w = s->options.weather;
    uint64_t now_us = sim_clock_now_us(s->options.clock);
    bool fails = sim_store_rolls(s, w->store_fail);
    bool is_lost = sim_store_rolls(s, w->store_lost);
    bool is_late = sim_store_rolls(s, w->store_late);

    *effect_us = now_us + sim_store_delay(s);
    *answer_us = *effect_us + sim_store_delay(s);
    c->takes_effect = true;
    if (sim_store_is_away(s, c->node)) {
        fails = true;
        *answer_us += prng_below(s->options.prng, SIM_STORE_LIMIT_US);
    } else if (now_us < s->busy_until_us) {
        fails = fails || sim_store_rolls(s, s->busy);
    }
    if (fails) {
        c->takes_effect = false;
        c->status = sim_store_unknown(s);
    } else if (is_late) {
        c->is_lost = true;
        c->status = sim_store_unknown(s);
        *effect_us =
            *answer_us + prng_below(s->options.prng, SIM_STORE_LIMIT_US);
    } else if (is_lost) {
        c->is_lost = true;
        c->status = sim_store_unknown(s);
    }
}

void sim_store_ask(struct sim_store *s, const struct sim_store_request *r)
{
    struct sim_store_call *c = mem_new(1, sizeof(*c));
    uint64_t effect_us;
    uint64_t answer_us;

    CHECK(strlen(r->key) < SIM_KEY_MAX);
    c->op = r->op;
    c->when = r->when;
    c->node = r->node;
    c->process = r->process;
    c->tag = r->tag;
    snprintf(c->key, sizeof(c->key), "%s", r->key);
    snprintf(c->after, sizeof(c->after), "%s", r->after ? r->after : "");
    if (r->when == SIM_IF_MATCH) {
        CHECK(r->etag != NULL && strlen(r->etag) < SIM_ETAG_MAX);
        snprintf(c->etag, sizeof(c->etag), "%s", r->etag);
    }
    if (r->op == SIM_STORE_PUT) {
        c->size = r->body.size;
        c->body = mem_copy_text(r->body.at ? r->body.at : "", r->body.size);
    }
    sim_store_fate(s, c, &effect_us, &answer_us);
    c->to_come = c->takes_effect ? 2 : 1;
    if (c->takes_effect) {
        sim_clock_add(s->options.clock,
                      (struct sim_event){.at_us = effect_us,
                                         .kind = s->options.effect_kind,
                                         .node = c->node,
                                         .data = c});
    }
    sim_clock_add(s->options.clock,
                  (struct sim_event){.at_us = answer_us,
                                     .kind = s->options.answer_kind,
                                     .node = c->node,
                                     .data = c});
}

static enum status sim_store_do_put(struct sim_store *s,
                                    struct sim_store_call *c)
{
    struct sim_object *o = sim_store_make(s, c->key);
    struct bytes body = {c->body, c->size};

    if (c->when == SIM_IF_ABSENT && o->now.is_there) {
        return STATUS_EXISTS;
    }
    if (c->when == SIM_IF_MATCH && !o->now.is_there) {
        return STATUS_NOT_FOUND;
    }
    if (c->when == SIM_IF_MATCH && strcmp(o->now.etag, c->etag) != 0) {
        return STATUS_CHANGED;
    }
    sim_store_set(o, &body);
    memcpy(c->etag, o->now.etag, sizeof(c->etag));
    return STATUS_OK;
}

static enum status sim_store_do_get(struct sim_store *s,
                                    struct sim_store_call *c)
{
    const struct sim_weather *w = s->options.weather;
    const struct sim_object *o = sim_store_get(s, c->key);
    bool is_lease = strcmp(c->key, SIM_STORE_LEASE) == 0;
    bool is_stale =
        sim_store_rolls(s, is_lease ? w->store_stale : w->store_stale_log);
    bool is_short = sim_store_rolls(s, w->store_short);
    const struct sim_value *v = o == NULL ? NULL : &o->now;

    if (o != NULL && is_stale) {
        v = &o->before;
    }
    if (v == NULL || !v->is_there) {
        return STATUS_NOT_FOUND;
    }
    c->size = v->size;
    if (is_short && v->size > 0) {
        c->size = prng_below(s->options.prng, v->size);
    }
    c->body = mem_copy_text(v->at, c->size);
    memcpy(c->etag, v->etag, sizeof(c->etag));
    return STATUS_OK;
}

static enum status sim_store_do_list(struct sim_store *s,
                                     struct sim_store_call *c)
{
    size_t prefix = strlen(c->key);
    size_t room = 0;
    uint32_t count = 0;

    for (size_t i = sim_store_find(s, c->key);
         i < s->count && strncmp(s->objects[i]->key, c->key, prefix) == 0 &&
         count < SIM_LIST_MAX;
         i++) {
        const char *name = s->objects[i]->key;
        size_t size = strlen(name) + 1;

        if (!s->objects[i]->now.is_there || strcmp(name, c->after) <= 0) {
            continue;
        }
        if (c->size + size > room) {
            room = 2 * room + size;
            c->body = mem_grow(c->body, room, 1);
        }
        memcpy(c->body + c->size, name, size);
        c->size += size;
        count++;
    }
    return STATUS_OK;
}

static enum status sim_store_do(struct sim_store *s, struct sim_store_call *c)
{
    struct sim_object *o;

    switch (c->op) {
    case SIM_STORE_GET:
        return sim_store_do_get(s, c);
    case SIM_STORE_PUT:
        return sim_store_do_put(s, c);
    case SIM_STORE_LIST:
        return sim_store_do_list(s, c);
    case SIM_STORE_DELETE:
        o = sim_store_get(s, c->key);
        if (o != NULL && o->now.is_there) {
            sim_store_set(o, NULL);
        }
        return STATUS_OK;
    }
    UNREACHABLE("no such request");
}

void sim_store_effect(struct sim_store *s, struct sim_event *e,
                      struct sim_store_call *out)
{
    struct sim_store_call *c = e->data;
    enum status status;

    CHECK(e->kind == s->options.effect_kind && c->takes_effect);
    e->data = NULL;
    status = sim_store_do(s, c);
    c->took_effect = status == STATUS_OK;
    *out = *c;
    out->body = NULL;
    if (!c->is_lost) {
        c->status = status;
    }
    c->to_come--;
    sim_store_done(c); /* Unless it is still to be answered. */
}

struct sim_store_call *sim_store_answer(struct sim_store *s,
                                        struct sim_event *e)
{
    struct sim_store_call *c = e->data;

    CHECK(e->kind == s->options.answer_kind);
    e->data = NULL;
    c->to_come--;
    return c;
}

void sim_store_done(struct sim_store_call *call)
{
    if (call->to_come == 0) {
        free(call->body);
        free(call);
    }
}

void sim_store_drop(struct sim_event *e)
{
    struct sim_store_call *c = e->data;

    e->data = NULL;
    c->to_come--;
    sim_store_done(c);
}

enum status sim_store_peek(const struct sim_store *s, const char *key,
                           struct bytes *out)
{
    const struct sim_object *o = sim_store_get(s, key);

    if (o == NULL || !o->now.is_there) {
        return STATUS_NOT_FOUND;
    }
    *out = (struct bytes){o->now.at, o->now.size};
    return STATUS_OK;
}

size_t sim_store_count(const struct sim_store *s)
{
    return s->count;
}

const char *sim_store_key(const struct sim_store *s, size_t index)
{
    CHECK(index < s->count);
    return s->objects[index]->key;
}

void sim_store_check(const struct sim_store *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct sim_object *o = s->objects[i];

        CHECK_IMPLIES(i > 0, strcmp(s->objects[i - 1]->key, o->key) < 0);
        CHECK((o->now.etag[0] != '\0') == o->now.is_there);
    }
}
