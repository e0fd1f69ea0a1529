/* SPDX-License-Identifier: Apache-2.0 */
/* Objects sit in one array sorted by key: a search is a bisection, a listing
 * a walk, an insert moves pointers. O(n) an insert; meant for n <= 100,000.
 *
 * One lock over all stores of the process, held for one request. Etags come
 * from one counter, so none is ever used twice. */

#include "store/store_mem.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/store_serial.h"
#include "store/store_uri.h"

struct mem_value {
    void *at; /* NULL when @size is 0. */
    size_t size;
    uint64_t etag;
    uint32_t parts; /* That it was uploaded in: its etag tells, as S3's do. */
    uint64_t modified_ms;
};

struct mem_object {
    struct bytes key; /* Owned. */
    struct mem_value value;
};

struct mem_upload {
    struct mem_upload *next;
    uint64_t id;
    struct bytes key;                        /* Owned. */
    struct mem_value parts[STORE_PARTS_MAX]; /* An etag of 0: not there. */
};

struct mem_place {
    struct mem_place *next;
    char *name;
    char *root_uri;
    struct mem_object **objects;
    size_t count;
    size_t room;
    struct mem_upload *uploads;
    uint64_t requests;
    struct store_mem_failure failure;
};

/* Everything here belongs to the lock. */
static struct {
    pthread_mutex_t lock;
    struct mem_place *places;
    uint64_t counter;
} mem_locked = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What one request works on. */
struct mem_call {
    struct mem_place *place;
    const struct store_request *r;
    struct store_event *e;
    struct store_page *page;
};

typedef enum status mem_call_fn(struct mem_call *c);

__attribute__((format(printf, 3, 4))) static enum status mem_fault(
    struct mem_call *c, enum status s, const char *format, ...)
{
    char name[STORE_URI_SHOW_MAX];
    va_list args;
    char reason[256];

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    return fault_set(&c->e->why, s, "%s: %s",
                     store_uri_show(c->place->root_uri, c->r->key, name),
                     reason);
}

/* --- values and objects -------------------------------------------------- */

static void mem_etag(const struct mem_value *v, char out[STORE_ETAG_MAX])
{
    int size = snprintf(out, STORE_ETAG_MAX, "m%" PRIx64, v->etag);

    if (v->parts > 0) {
        snprintf(out + size, STORE_ETAG_MAX - (size_t)size, "-%u", v->parts);
    }
}

static bool mem_is_etag(const struct mem_value *v, const char *text)
{
    char mine[STORE_ETAG_MAX];

    mem_etag(v, mine);
    return v->etag != 0 && strcmp(mine, text) == 0;
}

static bool mem_value_new(size_t size, struct mem_value *out)
{
    *out = (struct mem_value){
        .at = size > 0 ? malloc(size) : NULL,
        .size = size,
        .etag = ++mem_locked.counter,
        .modified_ms = clock_wall_ms(&clock_os),
    };
    return size == 0 || out->at != NULL;
}

/* Return where @key is, or where it would be. */
static size_t mem_find(const struct mem_place *p, struct bytes key,
                       bool *is_there)
{
    size_t low = 0;
    size_t high = p->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (bytes_compare(p->objects[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *is_there = low < p->count && bytes_is_equal(p->objects[low]->key, key);
    return low;
}

static struct mem_value *mem_get_value(const struct mem_place *p,
                                       struct bytes key)
{
    bool is_there;
    size_t i = mem_find(p, key, &is_there);

    return is_there ? &p->objects[i]->value : NULL;
}

/* Give @value, which is then the store's, to @key. */
static void mem_set_value(struct mem_place *p, struct bytes key,
                          struct mem_value value)
{
    bool is_there;
    size_t i = mem_find(p, key, &is_there);
    struct mem_object *o;

    if (is_there) {
        free(p->objects[i]->value.at);
        p->objects[i]->value = value;
        return;
    }
    if (p->count == p->room) {
        p->room = p->room > 0 ? p->room * 2 : 64;
        p->objects = mem_grow(p->objects, p->room, sizeof(*p->objects));
    }
    o = mem_new(1, sizeof(*o));
    o->key.at = mem_copy_text(key.at, key.size);
    o->key.size = key.size;
    o->value = value;
    memmove(p->objects + i + 1, p->objects + i,
            (p->count - i) * sizeof(*p->objects));
    p->objects[i] = o;
    p->count++;
}

static void mem_free_text(struct bytes owned)
{
    union {
        const char *view;
        void *owner;
    } u = {owned.at};

    free(u.owner);
}

static void mem_drop(struct mem_place *p, struct bytes key)
{
    bool is_there;
    size_t i = mem_find(p, key, &is_there);
    struct mem_object *o = p->objects[i];

    CHECK(is_there);
    p->count--;
    memmove(p->objects + i, p->objects + i + 1,
            (p->count - i) * sizeof(*p->objects));
    free(o->value.at);
    mem_free_text(o->key);
    free(o);
}

/* Check the condition of @c against what is there now. */
static enum status mem_meet(struct mem_call *c)
{
    const struct mem_value *now = mem_get_value(c->place, c->r->key);

    if (c->r->when == STORE_IF_ABSENT && now != NULL) {
        return mem_fault(c, STATUS_EXISTS, "it exists already");
    }
    if (c->r->when == STORE_IF_MATCH && now == NULL) {
        return mem_fault(c, STATUS_NOT_FOUND, "there is no such object");
    }
    if (c->r->when == STORE_IF_MATCH && !mem_is_etag(now, c->r->etag)) {
        return mem_fault(c, STATUS_CHANGED, "it was changed by somebody else");
    }
    return STATUS_OK;
}

/* --- reading ------------------------------------------------------------- */

static enum status mem_list(struct mem_call *c)
{
    const struct store_request *r = c->r;
    uint32_t max = r->list_max > 0 ? r->list_max : STORE_LIST_MAX;
    bool is_after = bytes_compare(r->after, r->key) >= 0;
    bool is_there;
    size_t i = mem_find(c->place, is_after ? r->after : r->key, &is_there);

    i += is_after && is_there;
    for (; i < c->place->count; i++) {
        const struct mem_object *o = c->place->objects[i];
        char etag[STORE_ETAG_MAX];

        if (!bytes_has_prefix(o->key, r->key)) {
            break;
        }
        if (store_page_count(c->page) == max) {
            c->e->has_more = true;
            break;
        }
        mem_etag(&o->value, etag);
        store_page_add(c->page, &(struct store_object){
                                    .key = o->key,
                                    .size = o->value.size,
                                    .etag = bytes_of(etag),
                                    .modified_ms = o->value.modified_ms});
    }
    return STATUS_OK;
}

static enum status mem_head(struct mem_call *c)
{
    const struct mem_value *v = mem_get_value(c->place, c->r->key);

    if (v == NULL) {
        return mem_fault(c, STATUS_NOT_FOUND, "there is no such object");
    }
    mem_etag(v, c->e->etag);
    c->e->size = v->size;
    c->e->modified_ms = v->modified_ms;
    return STATUS_OK;
}

static enum status mem_get(struct mem_call *c)
{
    const struct store_request *r = c->r;
    const struct mem_value *v = mem_get_value(c->place, r->key);
    enum status s = mem_head(c);

    if (s != STATUS_OK) {
        return s;
    }
    if (r->etag != NULL && !mem_is_etag(v, r->etag)) {
        return mem_fault(c, STATUS_CHANGED, "it was changed by somebody else");
    }
    if (r->offset > 0 && r->offset >= v->size) {
        return mem_fault(c, STATUS_INVALID,
                         "byte %" PRIu64 " was asked for and it has %zu",
                         r->offset, v->size);
    }
    c->e->got = v->size - (size_t)r->offset;
    if (c->e->got > r->size) {
        c->e->got = r->size;
    }
    if (c->e->got > 0) {
        memcpy(r->into, (const char *)v->at + r->offset, c->e->got);
    }
    return STATUS_OK;
}

/* --- writing ------------------------------------------------------------- */

static enum status mem_copy_body(struct mem_call *c, struct mem_value *out)
{
    if (!mem_value_new(c->r->size, out)) {
        return mem_fault(c, STATUS_NO_SPACE, "no memory for %zu bytes",
                         c->r->size);
    }
    if (c->r->size > 0) {
        memcpy(out->at, c->r->body, c->r->size);
    }
    mem_etag(out, c->e->etag);
    return STATUS_OK;
}

static enum status mem_put(struct mem_call *c)
{
    struct mem_value value;
    enum status s = mem_meet(c);

    if (s == STATUS_OK) {
        s = mem_copy_body(c, &value);
    }
    if (s == STATUS_OK) {
        mem_set_value(c->place, c->r->key, value);
    }
    return s;
}

static enum status mem_delete(struct mem_call *c)
{
    enum status s = mem_meet(c);

    if (s == STATUS_OK && mem_get_value(c->place, c->r->key) != NULL) {
        mem_drop(c->place, c->r->key);
    }
    return s;
}

/* --- uploads ------------------------------------------------------------- */

static enum status mem_begin(struct mem_call *c)
{
    struct mem_upload *u = mem_new(1, sizeof(*u));

    u->id = ++mem_locked.counter;
    u->key.at = mem_copy_text(c->r->key.at, c->r->key.size);
    u->key.size = c->r->key.size;
    u->next = c->place->uploads;
    c->place->uploads = u;
    snprintf(c->e->upload, sizeof(c->e->upload), "u%" PRIx64, u->id);
    return STATUS_OK;
}

/* Return where the upload that @c names hangs, or NULL. */
static struct mem_upload **mem_find_upload(const struct mem_call *c)
{
    struct mem_upload **at = &c->place->uploads;

    for (; *at != NULL; at = &(*at)->next) {
        char id[32];

        snprintf(id, sizeof(id), "u%" PRIx64, (*at)->id);
        if (strcmp(id, c->r->upload) == 0 &&
            bytes_is_equal((*at)->key, c->r->key)) {
            return at;
        }
    }
    return NULL;
}

static enum status mem_no_upload(struct mem_call *c)
{
    return mem_fault(c, STATUS_NOT_FOUND, "there is no such upload");
}

static void mem_free_upload(struct mem_upload **at)
{
    struct mem_upload *u = *at;

    *at = u->next;
    for (size_t i = 0; i < STORE_PARTS_MAX; i++) {
        free(u->parts[i].at);
    }
    mem_free_text(u->key);
    free(u);
}

static enum status mem_part(struct mem_call *c)
{
    struct mem_upload **at = mem_find_upload(c);
    struct mem_value value;
    enum status s;

    if (at == NULL) {
        return mem_no_upload(c);
    }
    s = mem_copy_body(c, &value);
    if (s == STATUS_OK) {
        free((*at)->parts[c->r->part - 1].at);
        (*at)->parts[c->r->part - 1] = value;
    }
    return s;
}

static enum status mem_parts(struct mem_call *c)
{
    struct mem_upload **at = mem_find_upload(c);

    if (at == NULL) {
        return mem_no_upload(c);
    }
    for (uint32_t i = c->r->part; i < STORE_PARTS_MAX; i++) {
        const struct mem_value *v = &(*at)->parts[i];
        struct store_listed_part listed = {.number = i + 1};

        if (v->etag == 0) {
            continue;
        }
        if (store_page_part_count(c->page) == STORE_LIST_MAX) {
            c->e->has_more = true;
            break;
        }
        listed.part.size = v->size;
        mem_etag(v, listed.part.etag);
        store_page_add_part(c->page, &listed);
    }
    return STATUS_OK;
}

static enum status mem_join(struct mem_call *c, const struct mem_upload *u,
                            struct mem_value *out)
{
    size_t size = 0;

    for (uint32_t i = 0; i < c->r->part_count; i++) {
        if (!mem_is_etag(&u->parts[i], c->r->parts[i].etag)) {
            return mem_fault(c, STATUS_INVALID,
                             "part %u is not there with that etag", i + 1);
        }
        size += u->parts[i].size;
    }
    if (!mem_value_new(size, out)) {
        return mem_fault(c, STATUS_NO_SPACE, "no memory for %zu bytes", size);
    }
    size = 0;
    for (uint32_t i = 0; i < c->r->part_count; i++) {
        if (u->parts[i].size > 0) {
            CHECK(out->at != NULL);
            memcpy((char *)out->at + size, u->parts[i].at, u->parts[i].size);
        }
        size += u->parts[i].size;
    }
    return STATUS_OK;
}

static enum status mem_end(struct mem_call *c)
{
    struct mem_upload **at = mem_find_upload(c);
    struct mem_value value = {0};
    enum status s;

    if (at == NULL) {
        return mem_no_upload(c);
    }
    s = mem_meet(c);
    if (s == STATUS_OK) {
        s = mem_join(c, *at, &value);
    }
    if (s == STATUS_OK) {
        value.parts = c->r->part_count;
        mem_etag(&value, c->e->etag);
        mem_set_value(c->place, c->r->key, value);
        mem_free_upload(at);
    }
    return s;
}

static enum status mem_abort(struct mem_call *c)
{
    struct mem_upload **at = mem_find_upload(c);

    if (at == NULL) {
        return mem_no_upload(c);
    }
    mem_free_upload(at);
    return STATUS_OK;
}

/* --- the handle ---------------------------------------------------------- */

static mem_call_fn *const mem_calls[] = {
    [STORE_LIST] = mem_list,
    [STORE_HEAD] = mem_head,
    [STORE_GET] = mem_get,
    [STORE_PUT] = mem_put,
    [STORE_DELETE] = mem_delete,
    [STORE_UPLOAD_BEGIN] = mem_begin,
    [STORE_UPLOAD_PART] = mem_part,
    [STORE_UPLOAD_END] = mem_end,
    [STORE_UPLOAD_ABORT] = mem_abort,
    [STORE_UPLOAD_PARTS] = mem_parts,
};

/* Count the request; return whether it is one that is to fail. */
static bool mem_is_to_fail(struct mem_place *p)
{
    struct store_mem_failure *f = &p->failure;

    p->requests++;
    if (f->in > 1) {
        f->in--;
        return false;
    }
    if (f->in == 0 || f->count == 0) {
        return false;
    }
    f->count--;
    return true;
}

static enum status mem_run_locked(struct mem_call *c)
{
    bool is_to_fail = mem_is_to_fail(c->place);
    enum status s = STATUS_OK;

    if (!is_to_fail || c->place->failure.is_done) {
        s = mem_calls[c->r->op](c);
    }
    if (is_to_fail) {
        *c->e = (struct store_event){.tag = c->r->tag, .op = c->r->op};
        s = mem_fault(c, c->place->failure.status, "a failure made by a test");
    }
    return s;
}

static void mem_run(void *self, const struct store_request *request,
                    struct store_page *page, struct store_event *event)
{
    struct mem_call c = {self, request, event, page};

    CHECK(pthread_mutex_lock(&mem_locked.lock) == 0);
    event->status = mem_run_locked(&c);
    CHECK(pthread_mutex_unlock(&mem_locked.lock) == 0);
}

static void mem_destroy(void *self)
{
    (void)self; /* The place outlives its handles. */
}

/* Return the store @name, made when it is new. */
static struct mem_place *mem_place(const char *name)
{
    struct mem_place *p;

    CHECK(pthread_mutex_lock(&mem_locked.lock) == 0);
    for (p = mem_locked.places; p != NULL; p = p->next) {
        if (strcmp(p->name, name) == 0) {
            break;
        }
    }
    if (p == NULL) {
        p = mem_new(1, sizeof(*p));
        p->name = mem_copy(name);
        p->root_uri = mem_print("mem://%s/", name);
        p->next = mem_locked.places;
        mem_locked.places = p;
    }
    CHECK(pthread_mutex_unlock(&mem_locked.lock) == 0);
    return p;
}

struct store *store_mem_open(const char *name)
{
    static const struct store_serial_ops ops = {mem_run, mem_destroy};
    struct mem_place *p = mem_place(name);

    return store_serial_wrap(&ops, p, p->root_uri);
}

uint64_t store_mem_requests(const char *name)
{
    struct mem_place *p = mem_place(name);
    uint64_t requests;

    CHECK(pthread_mutex_lock(&mem_locked.lock) == 0);
    requests = p->requests;
    CHECK(pthread_mutex_unlock(&mem_locked.lock) == 0);
    return requests;
}

void store_mem_fail(const char *name, struct store_mem_failure failure)
{
    struct mem_place *p = mem_place(name);

    CHECK_IMPLIES(failure.count > 0, failure.status != STATUS_OK);
    CHECK(pthread_mutex_lock(&mem_locked.lock) == 0);
    p->failure = failure;
    CHECK(pthread_mutex_unlock(&mem_locked.lock) == 0);
}
