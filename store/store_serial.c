/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_serial.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/store_ops.h"

enum { STORE_SERIAL_BATCH_BYTES = 1 << 20 };

struct store_page {
    struct store_page *next;
    struct buf text; /* Keys and etags, one after the other. */
    uint32_t count;
    /* Their views hold offsets into @text until the page is closed, since
     * the text moves while it grows. */
    struct store_object objects[STORE_LIST_MAX];
    size_t starts[STORE_LIST_MAX];
    struct store_listed_part *parts; /* PARTS; NULL until the first. */
    uint32_t part_count;
};

struct store_serial_item {
    struct store_serial_item *next;
    struct store_request request;
    bool is_cancelled;
    char text[]; /* Copies of key, after, etag and upload. */
};

struct store_serial {
    const struct store_serial_ops *ops;
    void *self;
    struct store_serial_item *first;
    struct store_serial_item **tail;
    struct store_page *pages; /* Seen by the caller until the next poll. */
    struct store_page *spare; /* One that was used before, or NULL. */
};

/* --- pages --------------------------------------------------------------- */

void store_page_add(struct store_page *page, const struct store_object *object)
{
    CHECK(page->count < STORE_LIST_MAX);
    page->starts[page->count] = page->text.size;
    page->objects[page->count] = *object;
    buf_add_bytes(&page->text, object->key);
    buf_add_bytes(&page->text, object->etag);
    page->count++;
}

uint32_t store_page_count(const struct store_page *page)
{
    return page->count;
}

struct bytes store_page_last(const struct store_page *page)
{
    if (page->count == 0) {
        return (struct bytes){"", 0};
    }
    return (struct bytes){page->text.at + page->starts[page->count - 1],
                          page->objects[page->count - 1].key.size};
}

void store_page_add_part(struct store_page *page,
                         const struct store_listed_part *part)
{
    CHECK(page->part_count < STORE_LIST_MAX);
    if (page->parts == NULL) {
        page->parts = mem_new(STORE_LIST_MAX, sizeof(*page->parts));
    }
    page->parts[page->part_count++] = *part;
}

uint32_t store_page_part_count(const struct store_page *page)
{
    return page->part_count;
}

static void store_page_close(struct store_page *page, struct store_event *event)
{
    for (uint32_t i = 0; i < page->count; i++) {
        struct store_object *o = &page->objects[i];

        o->key.at = page->text.at + page->starts[i];
        o->etag.at = o->key.at + o->key.size;
    }
    event->objects = page->objects;
    event->object_count = page->count;
    event->parts = page->parts;
    event->part_count = page->part_count;
}

static void store_page_free(struct store_page *page)
{
    if (page != NULL) {
        buf_fini(&page->text);
        free(page->parts);
        free(page);
    }
}

static struct store_page *store_serial_take_page(struct store_serial *q)
{
    struct store_page *page = q->spare;

    if (page == NULL) {
        page = mem_new(1, sizeof(*page));
    }
    q->spare = NULL;
    page->next = q->pages;
    q->pages = page;
    return page;
}

static void store_serial_drop_pages(struct store_serial *q)
{
    while (q->pages != NULL) {
        struct store_page *page = q->pages;

        q->pages = page->next;
        if (q->spare != NULL) {
            store_page_free(page);
            continue;
        }
        buf_clear(&page->text);
        page->count = 0;
        page->part_count = 0;
        q->spare = page;
    }
}

/* --- the queue ----------------------------------------------------------- */

static char *store_serial_copy(char **room, const char *at, size_t size)
{
    char *to = *room;

    if (size > 0) {
        memcpy(to, at, size);
    }
    to[size] = '\0';
    *room += size + 1;
    return to;
}

static struct store_serial_item *store_serial_item_new(
    const struct store_request *r)
{
    size_t etag_size = r->etag != NULL ? strlen(r->etag) : 0;
    size_t upload_size = r->upload != NULL ? strlen(r->upload) : 0;
    struct store_serial_item *item =
        mem_new(1, sizeof(*item) + r->key.size + r->after.size + etag_size +
                       upload_size + 4);
    char *room = item->text;

    item->request = *r;
    item->request.key.at = store_serial_copy(&room, r->key.at, r->key.size);
    item->request.after.at =
        store_serial_copy(&room, r->after.at, r->after.size);
    if (r->etag != NULL) {
        item->request.etag = store_serial_copy(&room, r->etag, etag_size);
    }
    if (r->upload != NULL) {
        item->request.upload = store_serial_copy(&room, r->upload, upload_size);
    }
    return item;
}

static enum status store_serial_submit(void *self,
                                       const struct store_request *request)
{
    struct store_serial *q = self;
    struct store_serial_item *item = store_serial_item_new(request);

    *q->tail = item;
    q->tail = &item->next;
    return STATUS_OK;
}

static struct store_serial_item *store_serial_pop(struct store_serial *q)
{
    struct store_serial_item *item = q->first;

    q->first = item->next;
    if (q->first == NULL) {
        q->tail = &q->first;
    }
    return item;
}

/* One after the other; the first failure is the one that is told. */
static void store_serial_delete_many(struct store_serial *q,
                                     const struct store_request *r,
                                     struct store_event *event)
{
    struct store_event *one = mem_new(1, sizeof(*one));

    for (uint32_t i = 0; i < r->key_count; i++) {
        struct store_request request = {.op = STORE_DELETE, .key = r->keys[i]};

        *one = (struct store_event){.op = STORE_DELETE};
        q->ops->run(q->self, &request, NULL, one);
        if (one->status != STATUS_OK && one->status != STATUS_NOT_FOUND &&
            event->failed++ == 0) {
            event->status = one->status;
            event->why = one->why;
        }
    }
    free(one);
}

/* Run the oldest request. Returns what it counts against one batch. */
static size_t store_serial_run(struct store_serial *q,
                               struct store_event *event)
{
    struct store_serial_item *item = store_serial_pop(q);
    const struct store_request *r = &item->request;
    struct store_page *page = NULL;
    size_t cost = STORE_SERIAL_BATCH_BYTES;

    *event = (struct store_event){.tag = r->tag, .op = r->op};
    if (r->op == STORE_LIST || r->op == STORE_UPLOAD_PARTS) {
        page = store_serial_take_page(q);
    }
    if (item->is_cancelled) {
        event->status =
            fault_set(&event->why, STATUS_STOPPED, "%.*s: cancelled",
                      (int)r->key.size, r->key.at);
    } else if (r->op == STORE_DELETE_MANY) {
        store_serial_delete_many(q, r, event);
    } else {
        q->ops->run(q->self, r, page, event);
    }
    if (page != NULL && event->status == STATUS_OK) {
        store_page_close(page, event);
    }
    if (r->op == STORE_GET && event->status == STATUS_OK) {
        event->got_sum = crc_add(r->sum, 0, r->into, event->got);
    }
    CHECK_IMPLIES(event->status != STATUS_OK, event->why.text[0] != '\0');
    if (r->op == STORE_LIST || r->op == STORE_HEAD || r->op == STORE_GET) {
        cost = event->got;
    }
    free(item);
    return cost;
}

static size_t store_serial_poll(void *self, int timeout_ms,
                                struct store_event *events, size_t max)
{
    struct store_serial *q = self;
    size_t count = 0;
    size_t cost = 0;

    /* What is here can be run at once: there is nothing to wait for. */
    (void)timeout_ms;
    store_serial_drop_pages(q);
    while (q->first != NULL && count < max && cost < STORE_SERIAL_BATCH_BYTES) {
        cost += store_serial_run(q, &events[count++]);
    }
    return count;
}

static void store_serial_cancel(void *self, uint64_t tag)
{
    struct store_serial *q = self;

    for (struct store_serial_item *i = q->first; i != NULL; i = i->next) {
        i->is_cancelled |= i->request.tag == tag;
    }
}

static void store_serial_destroy(void *self)
{
    struct store_serial *q = self;

    while (q->first != NULL) {
        free(store_serial_pop(q));
    }
    store_serial_drop_pages(q);
    store_page_free(q->spare);
    q->ops->destroy(q->self);
    free(q);
}

static const struct store_ops store_serial_store_ops = {
    .submit = store_serial_submit,
    .poll = store_serial_poll,
    .destroy = store_serial_destroy,
    .cancel = store_serial_cancel,
};

struct store *store_serial_wrap(const struct store_serial_ops *ops, void *self,
                                const char *root_uri)
{
    struct store_serial *q = mem_new(1, sizeof(*q));

    q->ops = ops;
    q->self = self;
    q->tail = &q->first;
    return store_wrap(&store_serial_store_ops, q, root_uri);
}
