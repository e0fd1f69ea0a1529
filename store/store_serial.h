/* SPDX-License-Identifier: Apache-2.0 */
/* For implementations that run one request at a time, to its end, on the
 * owner's thread: the queue between submit and poll, and the pages of LIST.
 *
 * One poll runs reads until its events are full or about 1 MiB was moved, and
 * stops after the first write, which may have waited for a disk. */

#ifndef STORE_STORE_SERIAL_H
#define STORE_STORE_SERIAL_H

#include "store/store.h"

struct store_page; /* The objects of one LIST answer. */

struct store_serial_ops {
    /* Run @request. @event comes with tag and op set, all else zero; @run
     * fills the rest. @page is for LIST and PARTS. Blocks as long as it
     * takes. DELETE_MANY comes as one DELETE after the other. */
    void (*run)(void *self, const struct store_request *request,
                struct store_page *page, struct store_event *event);
    void (*destroy)(void *self);
};

/* Wrap @self, which the handle then owns. */
struct store *store_serial_wrap(const struct store_serial_ops *ops, void *self,
                                const char *root_uri);

/* Add a copy of @object. The page must hold less than STORE_LIST_MAX. */
void store_page_add(struct store_page *page, const struct store_object *object);
uint32_t store_page_count(const struct store_page *page);

/* The page's last key, empty without one; dies with the next add. */
struct bytes store_page_last(const struct store_page *page);

/* PARTS: add one, by number; less than STORE_LIST_MAX. */
void store_page_add_part(struct store_page *page,
                         const struct store_listed_part *part);
uint32_t store_page_part_count(const struct store_page *page);

#endif /* STORE_STORE_SERIAL_H */
