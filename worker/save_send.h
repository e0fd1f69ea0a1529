/* SPDX-License-Identifier: Apache-2.0 */
/* One file to one key, for save_fs.c (save_send_fs.c).
 *
 * A small file is one PUT; a large one is a multipart upload with a few parts
 * in flight, given up when a part fails. What a kill broke off is gone on with
 * by the next attempt on this host, where the file is still the same: parts
 * whose checksum the store has and that is right are not sent again. One file
 * at a time: accepted, since outputs are few and large.
 *
 * Threads: none of its own; the owner's. */

#ifndef WORKER_SAVE_SEND_H
#define WORKER_SAVE_SEND_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "store/store.h"

struct save_sender;

/* @bytes counts what is in the store, as it gets there. @notes is a folder for
 * notes of uploads under way (save_note.h), or NULL; copied. */
struct save_sender *save_sender_new(_Atomic uint64_t *bytes, const char *notes);
void save_sender_destroy(struct save_sender **s);

struct save_file {
    const char *path; /* Links in it are followed. */
    struct bytes key; /* Any bytes; INVALID when it can't be one. */
};

/* Send @file through @store, which must have nothing in flight. A file that
 * is gone is NOT_FOUND. */
MUST_USE enum status save_send(struct save_sender *s, struct store *store,
                               const struct save_file *file, struct fault *why);

/* Give up the uploads that are still noted: of files that are gone. Nothing is
 * being sent. */
void save_send_clear(struct save_sender *s);

#endif /* WORKER_SAVE_SEND_H */
