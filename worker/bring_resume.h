/* SPDX-License-Identifier: Apache-2.0 */
/* What brings before this one have left of a channel, and the book of this one
 * (bring_resume_fs.c).
 *
 * Below the channel's folder for staging every bring has one of its own, with
 * a number as its name: `files/`, and beside it its `book` (bring_book.h). A
 * file of an earlier one that its book calls whole, of the value that is
 * wanted now, is moved over; of a large one that has begun, the parts that are
 * there count. Nothing else of the earlier ones is looked at, and all of it
 * goes with the staging.
 *
 * Threads: one at a time. */

#ifndef WORKER_BRING_RESUME_H
#define WORKER_BRING_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/bring.h"
#include "worker/bring_book.h"
#include "worker/bring_target.h"

#define BRING_RESUME_FILES "files"

struct bring_resume;

/* The next number below @folder, which need not be there: from 1. */
uint64_t bring_resume_number(const char *folder);

/* Read the books below @folder before @number, whose own folder is there, and
 * begin its book. Never fails: without a book, nothing is there. */
struct bring_resume *bring_resume_new(const char *folder, uint64_t number,
                                      const struct bring_channel *channel);
void bring_resume_destroy(struct bring_resume **r);

/* Bytes on the disk that need no room any more. */
uint64_t bring_resume_bytes(const struct bring_resume *r);

/* Whether anything is in the books: something to go on with. */
bool bring_resume_is_useful(const struct bring_resume *r);

/* What there is of the object, whole or in parts; NULL: nothing. */
const struct bring_book_entry *bring_resume_find(
    const struct bring_resume *r, const struct bring_object *object);

/* Move the file of @entry, whose path is @path, to @file, if it is what its
 * book says. It can be asked for once. */
bool bring_resume_take(struct bring_resume *r,
                       const struct bring_book_entry *entry, struct bytes path,
                       const char *file);

/* Add a line to the book. A book that can't be written costs nothing but what
 * the next bring could have gone on with. */
void bring_resume_write(struct bring_resume *r,
                        const struct bring_book_line *line);

#endif /* WORKER_BRING_RESUME_H */
