/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/save_send.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store_sync.h"
#include "worker/save_note.h"

enum {
    SAVE_PART_BYTES = 16 << 20,
    SAVE_SLOTS = 4, /* Parts in flight. */
    SAVE_RETRIES_MAX = 3,
    SAVE_RETRY_MS = 50, /* Before the first; four times as long each. */
    SAVE_READS_MAX = 2, /* Of a file that is being written. */
    SAVE_LOG_MAX = 4096,
    SAVE_NS = 1000000000,
};

struct save_slot {
    char *at;
    size_t room;
    size_t size;
    uint32_t part; /* 0: not in flight. */
    uint32_t retries;
};

struct save_sender {
    _Atomic uint64_t *bytes;
    char *notes; /* Folder; NULL: none. */
    struct save_slot slots[SAVE_SLOTS];
};

/* One file on its way. */
struct save_way {
    struct save_sender *sender;
    struct store *store;
    const struct save_file *file;
    struct fault *why;
    int fd;
    struct stat before;
    uint64_t counted; /* Bytes of it in the progress. */
    bool is_short;    /* It ended before its size. */
    char upload[STORE_UPLOAD_MAX];
    size_t part_bytes;
    uint32_t part_count;
    struct store_part *parts; /* With an etag: it is there. */
};

struct save_sender *save_sender_new(_Atomic uint64_t *bytes, const char *notes)
{
    struct save_sender *s = mem_new(1, sizeof(*s));

    s->bytes = bytes;
    s->notes = notes != NULL ? mem_copy(notes) : NULL;
    return s;
}

void save_sender_destroy(struct save_sender **s)
{
    if (*s == NULL) {
        return;
    }
    for (size_t i = 0; i < SAVE_SLOTS; i++) {
        free((*s)->slots[i].at);
    }
    free((*s)->notes);
    free(*s);
    *s = NULL;
}

/* ---- Reading. */

static enum status save_reserve(struct save_way *w, struct save_slot *slot,
                                size_t room)
{
    if (slot->room >= room) {
        return STATUS_OK;
    }
    free(slot->at);
    slot->at = malloc(room);
    slot->room = slot->at != NULL ? room : 0;
    return slot->at != NULL
               ? STATUS_OK
               : fault_set(w->why, STATUS_OS, "%s: no memory for a part",
                           w->file->path);
}

/* Read @size bytes at @offset, or what is left of the file. */
static enum status save_read(struct save_way *w, struct save_slot *slot,
                             uint64_t offset, size_t size)
{
    slot->size = 0;
    while (slot->size < size) {
        ssize_t got = pread(w->fd, slot->at + slot->size, size - slot->size,
                            (off_t)(offset + slot->size));

        if (got < 0 && errno != EINTR) {
            return file_fault(w->why, errno, "read", w->file->path);
        }
        if (got == 0) {
            w->is_short = true;
            return STATUS_OK;
        }
        slot->size += got > 0 ? (size_t)got : 0;
    }
    return STATUS_OK;
}

static bool save_has_changed(const struct save_way *w)
{
    const struct stat *old = &w->before;
    struct stat now;

    return w->is_short || fstat(w->fd, &now) != 0 ||
           now.st_size != old->st_size ||
           now.st_mtim.tv_sec != old->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != old->st_mtim.tv_nsec;
}

/* ---- The store. */

static void save_pause(uint32_t retries)
{
    (void)poll(NULL, 0, SAVE_RETRY_MS << (2 * retries));
}

static bool save_may_help(const struct store_event *e)
{
    return !e->is_final &&
           (e->status == STATUS_STORE || e->status == STATUS_TIMEOUT);
}

static enum status save_fault(struct save_way *w, const struct fault *why,
                              enum status s)
{
    *w->why = *why;
    return fault_prefix(w->why, s, "%s", w->file->path);
}

/* Ask, and again where that may help. Nothing else is in flight. */
static enum status save_ask(struct save_way *w,
                            const struct store_request *request,
                            struct store_event *event)
{
    enum status s = store_sync(w->store, request, event);

    for (uint32_t i = 0; i < SAVE_RETRIES_MAX && save_may_help(event); i++) {
        save_pause(i);
        s = store_sync(w->store, request, event);
    }
    return s == STATUS_OK ? s : save_fault(w, &event->why, s);
}

static void save_count(struct save_way *w, uint64_t bytes)
{
    w->counted += bytes;
    atomic_fetch_add(w->sender->bytes, bytes);
}

static enum status save_send_whole(struct save_way *w)
{
    struct save_slot *slot = &w->sender->slots[0];
    struct store_event event;
    struct store_request request = {
        .op = STORE_PUT,
        .key = w->file->key,
        .body = slot->size > 0 ? slot->at : NULL,
        .size = slot->size,
    };
    enum status s = save_ask(w, &request, &event);

    if (s == STATUS_OK) {
        save_count(w, slot->size);
    }
    return s;
}

static void save_submit_part(struct save_way *w, struct save_slot *slot)
{
    struct store_request request = {
        .op = STORE_UPLOAD_PART,
        .tag = (uint64_t)(slot - w->sender->slots),
        .key = w->file->key,
        .upload = w->upload,
        .part = slot->part,
        .body = slot->size > 0 ? slot->at : NULL,
        .size = slot->size,
    };

    if (store_submit(w->store, &request) != STATUS_OK) {
        UNREACHABLE("a store with few requests in flight is full");
    }
}

/* Read part @part into a slot and send it off. */
static enum status save_start_part(struct save_way *w, struct save_slot *slot,
                                   uint32_t part)
{
    uint64_t offset = (uint64_t)(part - 1) * w->part_bytes;
    uint64_t left = (uint64_t)w->before.st_size - offset;
    size_t size = left < w->part_bytes ? (size_t)left : w->part_bytes;
    enum status s = save_reserve(w, slot, w->part_bytes);

    if (s == STATUS_OK) {
        s = save_read(w, slot, offset, size);
    }
    if (s == STATUS_OK) {
        slot->part = part;
        slot->retries = 0;
        save_submit_part(w, slot);
    }
    return s;
}

/* Take the outcome of one part. */
static enum status save_take_part(struct save_way *w, bool is_well)
{
    struct store_event event;
    struct save_slot *slot;

    if (store_poll(w->store, -1, &event, 1) == 0) {
        return STATUS_OK;
    }
    CHECK(event.tag < SAVE_SLOTS);
    slot = &w->sender->slots[event.tag];
    CHECK(slot->part > 0 && slot->part <= w->part_count);
    if (is_well && save_may_help(&event) && slot->retries < SAVE_RETRIES_MAX) {
        save_pause(slot->retries);
        slot->retries++;
        save_submit_part(w, slot);
        return STATUS_OK;
    }
    if (event.status == STATUS_OK) {
        struct store_part *part = &w->parts[slot->part - 1];

        memcpy(part->etag, event.etag, STORE_ETAG_MAX);
        part->size = slot->size;
        part->sum = event.sum;
        save_count(w, slot->size);
    }
    slot->part = 0;
    return event.status == STATUS_OK ? STATUS_OK
                                     : save_fault(w, &event.why, event.status);
}

static struct save_slot *save_free_slot(struct save_way *w)
{
    for (size_t i = 0; i < SAVE_SLOTS; i++) {
        if (w->sender->slots[i].part == 0) {
            return &w->sender->slots[i];
        }
    }
    return NULL;
}

/* The first part after the @sent ones that is not in the store. */
static uint32_t save_skip_parts(const struct save_way *w, uint32_t sent)
{
    while (sent < w->part_count && w->parts[sent].etag[0] != '\0') {
        sent++;
    }
    return sent;
}

/* Send all parts. @sent: how many there are, fewer where the file got shorter.
 * At return nothing is in flight. */
static enum status save_send_parts(struct save_way *w, uint32_t *sent)
{
    enum status s = STATUS_OK;
    struct save_slot *slot;

    *sent = save_skip_parts(w, 0);
    do {
        while (s == STATUS_OK && *sent < w->part_count && !w->is_short &&
               (slot = save_free_slot(w)) != NULL) {
            s = save_start_part(w, slot, *sent + 1);
            *sent = s == STATUS_OK ? save_skip_parts(w, *sent + 1) : *sent;
        }
        if (store_inflight(w->store) > 0) {
            struct fault kept = *w->why;
            enum status taken = save_take_part(w, s == STATUS_OK);

            if (s == STATUS_OK) {
                s = taken;
            } else {
                *w->why = kept; /* The first failure stands. */
            }
        }
    } while (store_inflight(w->store) > 0 ||
             (s == STATUS_OK && *sent < w->part_count && !w->is_short));
    return s;
}

/* Give an upload up. Returns whether it is gone; else it is to stay noted. */
static bool save_give_up(struct store *store, struct bytes key,
                         const char *upload)
{
    struct store_event event;
    struct store_request request = {
        .op = STORE_UPLOAD_ABORT, .key = key, .upload = upload};
    enum status s = store_sync(store, &request, &event);

    if (s != STATUS_OK && s != STATUS_NOT_FOUND) {
        char text[SAVE_LOG_MAX];

        log_event(LOG_WARN, "save.upload-left", "why=%s",
                  log_quote(event.why.text, text, sizeof(text)));
        return false;
    }
    return true;
}

/* Give up the upload that is under way. */
static void save_abort(struct save_way *w)
{
    if (save_give_up(w->store, w->file->key, w->upload)) {
        save_note_remove(w->sender->notes, store_root_uri(w->store),
                         w->file->key);
    }
}

static enum status save_end(struct save_way *w, uint32_t part_count)
{
    struct store_event event;
    struct store_request request = {.op = STORE_UPLOAD_END,
                                    .key = w->file->key,
                                    .upload = w->upload,
                                    .part_count = part_count,
                                    .parts = w->parts};

    enum status s = save_ask(w, &request, &event);

    if (s == STATUS_OK) {
        save_note_remove(w->sender->notes, store_root_uri(w->store),
                         w->file->key);
    }
    return s;
}

static void save_plan_parts(struct save_way *w)
{
    uint64_t size = (uint64_t)w->before.st_size;
    uint64_t part = (size + STORE_PARTS_MAX - 1) / STORE_PARTS_MAX;

    w->part_bytes = part > SAVE_PART_BYTES ? (size_t)part : SAVE_PART_BYTES;
    w->part_count = (uint32_t)((size + w->part_bytes - 1) / w->part_bytes);
    CHECK(w->part_count > 0 && w->part_count <= STORE_PARTS_MAX);
}

/* ---- Going on with what was broken off. */

static struct save_note save_note_of(const struct save_way *w)
{
    const struct stat *st = &w->before;
    struct save_note note = {
        .file = {.inode = st->st_ino,
                 .size = (uint64_t)st->st_size,
                 .modified_ns = st->st_mtim.tv_sec * SAVE_NS +
                                (int64_t)st->st_mtim.tv_nsec,
                 .part_bytes = w->part_bytes}};

    memcpy(note.upload, w->upload, sizeof(note.upload));
    return note;
}

/* Whether the part that the store lists is the file's: by its checksum, which
 * is dearer than a look and cheaper than to send it. */
static bool save_is_same(struct save_way *w,
                         const struct store_listed_part *listed)
{
    struct save_slot *slot = &w->sender->slots[0];
    const struct store_part *part = &listed->part;
    uint64_t offset = (uint64_t)(listed->number - 1) * w->part_bytes;
    uint64_t left;

    if (listed->number == 0 || listed->number > w->part_count ||
        part->sum.kind == CRC_NONE || part->etag[0] == '\0') {
        return false;
    }
    left = (uint64_t)w->before.st_size - offset;
    if (part->size != (left < w->part_bytes ? left : w->part_bytes) ||
        save_reserve(w, slot, w->part_bytes) != STATUS_OK ||
        save_read(w, slot, offset, (size_t)part->size) != STATUS_OK) {
        return false;
    }
    return slot->size == part->size &&
           crc_add(part->sum.kind, 0, slot->at, slot->size) == part->sum.value;
}

/* Take over the parts that are there. false: the upload can't be gone on with.
 */
static bool save_take_over(struct save_way *w)
{
    struct store_request request = {
        .op = STORE_UPLOAD_PARTS, .key = w->file->key, .upload = w->upload};
    struct store_event event;

    do {
        if (save_ask(w, &request, &event) != STATUS_OK) {
            return false;
        }
        for (uint32_t i = 0; i < event.part_count; i++) {
            const struct store_listed_part *listed = &event.parts[i];

            request.part = listed->number;
            if (save_is_same(w, listed)) {
                w->parts[listed->number - 1] = listed->part;
                save_count(w, listed->part.size);
            }
        }
    } while (event.has_more && event.part_count > 0);
    return true;
}

/* What was taken over is of no use: none of it is there. */
static void save_take_none(struct save_way *w)
{
    memset(w->parts, 0, w->part_count * sizeof(w->parts[0]));
    atomic_fetch_sub(w->sender->bytes, w->counted);
    w->counted = 0;
    w->is_short = false;
}

/* Go on with a noted upload of the very same file; give another one up. */
static bool save_resume(struct save_way *w)
{
    const char *root = store_root_uri(w->store);
    struct save_note now = save_note_of(w);
    struct save_note note;

    if (!save_note_read(w->sender->notes, root, w->file->key, &note)) {
        return false;
    }
    memcpy(w->upload, note.upload, sizeof(w->upload));
    if (memcmp(&note.file, &now.file, sizeof(note.file)) == 0 &&
        save_take_over(w)) {
        char text[SAVE_LOG_MAX];

        log_event(LOG_INFO, "save.resume", "file=%s bytes=%llu",
                  log_quote(w->file->path, text, sizeof(text)),
                  (unsigned long long)w->counted);
        return true;
    }
    save_take_none(w);
    if (!save_give_up(w->store, w->file->key, w->upload)) {
        save_note_put_aside(w->sender->notes, root, w->file->key);
    }
    return false;
}

static enum status save_begin(struct save_way *w)
{
    struct store_event event;
    struct store_request begin = {.op = STORE_UPLOAD_BEGIN,
                                  .key = w->file->key};
    struct save_note note;
    enum status s;

    if (save_resume(w)) {
        return STATUS_OK;
    }
    s = save_ask(w, &begin, &event);
    if (s == STATUS_OK) {
        memcpy(w->upload, event.upload, sizeof(w->upload));
        note = save_note_of(w);
        save_note_write(w->sender->notes, store_root_uri(w->store),
                        w->file->key, &note);
    }
    return s;
}

static void save_clear_one(void *self, struct save_noted *noted)
{
    struct store *store = NULL;
    struct buf prefix = {0};
    struct fault why;

    (void)self;
    if (store_open(buf_text(&noted->root_uri), STORE_WRITE, &why, &store,
                   &prefix) == STATUS_OK &&
        prefix.size == 0 &&
        save_give_up(store, buf_bytes(&noted->key), noted->note.upload)) {
        (void)unlink(noted->path);
    }
    store_close(&store);
    buf_fini(&prefix);
}

void save_send_clear(struct save_sender *s)
{
    save_note_each(s->notes, save_clear_one, NULL);
}

/* ---- One file. */

static enum status save_small(struct save_way *w, bool is_last, bool *is_again)
{
    size_t size = (size_t)w->before.st_size;
    struct save_slot *slot = &w->sender->slots[0];
    enum status s = save_reserve(w, slot, size > 0 ? size : 1);

    if (s == STATUS_OK) {
        s = save_read(w, slot, 0, size);
    }
    if (s != STATUS_OK) {
        return s;
    }
    *is_again = save_has_changed(w);
    return *is_again && !is_last ? STATUS_OK : save_send_whole(w);
}

static enum status save_large(struct save_way *w, bool is_last, bool *is_again)
{
    uint32_t sent = 0;
    enum status s;

    save_plan_parts(w);
    w->parts = mem_new(w->part_count, sizeof(w->parts[0]));
    s = save_begin(w);
    if (s == STATUS_OK) {
        s = save_send_parts(w, &sent);
        *is_again = s == STATUS_OK && save_has_changed(w);
        if (s == STATUS_OK && (!*is_again || is_last)) {
            s = save_end(w, sent);
        }
        if (s != STATUS_OK || (*is_again && !is_last)) {
            save_abort(w);
        }
    }
    free(w->parts);
    w->parts = NULL;
    return s;
}

/* Read and send the file once. @is_again: it was changed meanwhile; unless
 * @is_last, nothing is in the store then. */
static enum status save_send_once(struct save_way *w, bool is_last,
                                  bool *is_again)
{
    const char *path = w->file->path;
    enum status s;

    *is_again = false;
    w->is_short = false;
    w->counted = 0;
    /* Not to wait for a writer, should it have become a FIFO. */
    w->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (w->fd < 0) {
        return file_fault(w->why, errno, "open", path);
    }
    if (fstat(w->fd, &w->before) != 0) {
        s = file_fault(w->why, errno, "look at", path);
    } else if (!S_ISREG(w->before.st_mode)) {
        s = fault_set(w->why, STATUS_IO, "%s: is not a file any more", path);
    } else if (w->before.st_size <= SAVE_PART_BYTES) {
        s = save_small(w, is_last, is_again);
    } else {
        s = save_large(w, is_last, is_again);
    }
    close(w->fd);
    if (s != STATUS_OK || (*is_again && !is_last)) {
        atomic_fetch_sub(w->sender->bytes, w->counted);
    }
    return s;
}

enum status save_send(struct save_sender *s, struct store *store,
                      const struct save_file *file, struct fault *why)
{
    struct save_way w = {.sender = s, .store = store, .file = file, .why = why};
    bool is_again = true;
    enum status status = STATUS_OK;

    CHECK(store_inflight(store) == 0);
    if (file->key.size == 0 || file->key.size > STORE_KEY_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "%s: its key would have %zu bytes and %d are "
                         "allowed; shorten the names",
                         file->path, file->key.size, STORE_KEY_MAX);
    }
    for (uint32_t i = 0; i < SAVE_READS_MAX && is_again; i++) {
        status = save_send_once(&w, i + 1 == SAVE_READS_MAX, &is_again);
    }
    if (status == STATUS_OK && is_again) {
        char text[SAVE_LOG_MAX];

        log_event(LOG_WARN, "save.changing", "file=%s bytes=%llu",
                  log_quote(file->path, text, sizeof(text)),
                  (unsigned long long)w.counted);
    }
    return status;
}
