/* SPDX-License-Identifier: Apache-2.0 */
/* Notes of multipart uploads under way, kept on this host's disk, so that the
 * next attempt goes on with one that a kill broke off, or gives it up: none is
 * left in the store to be paid for (save_note_fs.c).
 *
 * A note is a small file in a folder of ours, named by the hash of the key's
 * URI. It is a help, never a must: one that can't be written or read is as
 * none.
 *
 * Threads: the owner's. */

#ifndef WORKER_SAVE_NOTE_H
#define WORKER_SAVE_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "store/store.h"

/* What an upload was begun for: it is of use only for the same bytes. */
struct save_note_file {
    uint64_t inode;
    uint64_t size;
    int64_t modified_ns;
    uint64_t part_bytes;
};

struct save_note {
    struct save_note_file file;
    char upload[STORE_UPLOAD_MAX];
};

/* @folder NULL: no note is ever there, and none is kept. */
void save_note_write(const char *folder, const char *root_uri, struct bytes key,
                     const struct save_note *note);
bool save_note_read(const char *folder, const char *root_uri, struct bytes key,
                    struct save_note *out);
void save_note_remove(const char *folder, const char *root_uri,
                      struct bytes key);

/* Leave the key's note for save_note_each() alone: its upload could not be
 * given up, and another one of the key is to be noted. */
void save_note_put_aside(const char *folder, const char *root_uri,
                         struct bytes key);

/* All notes of a folder. */
struct save_noted {
    const char *path; /* Of the note, to be removed when it is settled. */
    struct buf root_uri;
    struct buf key;
    struct save_note note;
};
typedef void save_note_fn(void *self, struct save_noted *noted);
void save_note_each(const char *folder, save_note_fn *each, void *self);

#endif /* WORKER_SAVE_NOTE_H */
