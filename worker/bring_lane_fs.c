/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_lane.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "proto/inventory.h"
#include "proto/keypath.h"

enum {
    BRING_PART_BYTES = 8 << 20,
    BRING_RETRIES_MAX = 3, /* Of one object. */
    BRING_RETRY_MS = 50,   /* Before the first; four times as long each. */
    BRING_POLL_MS = 200,   /* How late a lane may see the stop. */
    BRING_KEY_SHOWN = 300, /* Bytes of a key in a message. */
};

struct bring_lane {
    struct bring_stop *stop;
    struct store *store;
    char *root_uri; /* Of the store. */
    char *part;
    struct buf made; /* The last folder that was made. */
};

/* What is being brought. */
struct bring_job {
    struct bring_lane *lane;
    struct bring_target *target;
    const struct bring_object *object;
    struct fault *why;
    struct bytes path; /* Below the channel's folder. */
    char *file;        /* Where it is written. */
    int fd;
    uint32_t retries;
    char pin[STORE_ETAG_MAX];
    char version[STORE_VERSION_MAX];
    struct crc kept; /* What the store keeps of the whole, if anything. */
    uint64_t sum;    /* Of what was read so far, of the same kind. */
};

struct bring_lane *bring_lane_new(struct bring_stop *stop)
{
    struct bring_lane *l = mem_new(1, sizeof(*l));

    l->stop = stop;
    return l;
}

static void bring_lane_close(struct bring_lane *l)
{
    store_close(&l->store);
    free(l->root_uri);
    l->root_uri = NULL;
}

void bring_lane_destroy(struct bring_lane **l)
{
    if (*l == NULL) {
        return;
    }
    bring_lane_close(*l);
    buf_fini(&(*l)->made);
    free((*l)->part);
    free(*l);
    *l = NULL;
}

/* ---- Faults, with channel and key. */

static enum status bring_job_stopped(const struct bring_job *j)
{
    return fault_set(j->why, STATUS_STOPPED, "%s: bringing was stopped",
                     j->target->channel->name);
}

static enum status bring_job_no_space(const struct bring_job *j)
{
    unsigned long long free_bytes = 0;
    enum status s = file_free_bytes(j->target->staging, NULL, &free_bytes);

    return fault_set(j->why, STATUS_NO_SPACE,
                     "%s: %.*s: the disk is full: the object has %" PRIu64
                     " bytes and %llu are free below %s; free some or choose "
                     "another base folder",
                     j->target->channel->name, BRING_KEY_SHOWN, j->object->key,
                     j->object->size, s == STATUS_OK ? free_bytes : 0,
                     j->target->staging);
}

static enum status bring_job_conflict(const struct bring_job *j)
{
    return fault_set(j->why, STATUS_CONFLICT,
                     "%s: %.*s: its place \"%.*s\" is taken by another object "
                     "or by a folder of one; rename one of them or choose a "
                     "longer prefix",
                     j->target->channel->name, BRING_KEY_SHOWN, j->object->key,
                     (int)j->path.size, j->path.at);
}

static enum status bring_job_file_fault(const struct bring_job *j, int error,
                                        const char *verb, const char *path)
{
    enum status s;

    if (error == EEXIST || error == ENOTDIR || error == EISDIR) {
        return bring_job_conflict(j);
    }
    s = file_fault(j->why, error, verb, path);
    if (s == STATUS_NO_SPACE) {
        return bring_job_no_space(j);
    }
    return fault_prefix(j->why, s, "%s: %.*s", j->target->channel->name,
                        BRING_KEY_SHOWN, j->object->key);
}

/* A list that somebody else has made is as old as it is. */
static enum status bring_job_stale(const struct bring_job *j, enum status s)
{
    const struct bring_channel *c = j->target->channel;

    return fault_set(
        j->why, s, "%s: %s%.*s: it is %s %s; " INVENTORY_STALE_ADVICE, c->name,
        c->root_uri, BRING_KEY_SHOWN, j->object->key,
        s == STATUS_NOT_FOUND ? "gone, and is named by" : "another now than in",
        c->named_by);
}

static enum status bring_job_changed(const struct bring_job *j)
{
    if (j->target->channel->named_by != NULL) {
        return bring_job_stale(j, STATUS_CHANGED);
    }
    return fault_set(j->why, STATUS_CHANGED,
                     "%s: %s%.*s: it was overwritten or shortened since it "
                     "was listed; start the job again, and let nobody write "
                     "to its source",
                     j->target->channel->name, j->target->channel->root_uri,
                     BRING_KEY_SHOWN, j->object->key);
}

/* ---- The store. */

static enum status bring_job_open_store(struct bring_job *j)
{
    struct bring_lane *l = j->lane;
    const char *uri = j->target->channel->root_uri;
    struct buf prefix = {0};
    enum status s;

    if (l->store != NULL && strcmp(l->root_uri, uri) == 0) {
        return STATUS_OK;
    }
    bring_lane_close(l);
    s = store_open(uri, STORE_READ, j->why, &l->store, &prefix);
    if (s == STATUS_OK && prefix.size > 0) {
        s = fault_set(j->why, STATUS_INVALID,
                      "%s: is not the root of a store; it has to end with /",
                      uri);
    }
    buf_fini(&prefix);
    if (s != STATUS_OK) {
        store_close(&l->store);
        return fault_prefix(j->why, s, "%s", j->target->channel->name);
    }
    l->root_uri = mem_copy(uri);
    return STATUS_OK;
}

static enum status bring_job_ask_once(struct bring_job *j,
                                      const struct store_request *request,
                                      struct store_event *event)
{
    struct bring_lane *l = j->lane;
    size_t got = 0;

    if (store_submit(l->store, request) != STATUS_OK) {
        UNREACHABLE("a store without anything in flight is full");
    }
    while (got == 0 && !atomic_load(&l->stop->is_set)) {
        got = store_poll(l->store, BRING_POLL_MS, event, 1);
    }
    if (got == 0) {
        bring_lane_close(l); /* Gives the request up. */
        return bring_job_stopped(j);
    }
    if (event->status != STATUS_OK) {
        *j->why = event->why;
        return fault_prefix(j->why, event->status, "%s",
                            j->target->channel->name);
    }
    return STATUS_OK;
}

/* Ask, and again where that may help. */
static enum status bring_job_ask(struct bring_job *j,
                                 const struct store_request *request,
                                 struct store_event *event)
{
    enum status s = bring_job_ask_once(j, request, event);

    while ((s == STATUS_STORE || s == STATUS_TIMEOUT) && !event->is_final &&
           j->retries < BRING_RETRIES_MAX) {
        struct pollfd stop = {.fd = j->lane->stop->fd, .events = POLLIN};

        (void)poll(&stop, 1, BRING_RETRY_MS << (2 * j->retries));
        j->retries++;
        if (atomic_load(&j->lane->stop->is_set)) {
            return bring_job_stopped(j);
        }
        s = bring_job_ask_once(j, request, event);
    }
    if (s == STATUS_NOT_FOUND && j->target->channel->named_by != NULL) {
        return bring_job_stale(j, s);
    }
    /* Somebody made it shorter: the range has left the object. */
    return s == STATUS_INVALID && request->offset > 0 ? bring_job_changed(j)
           : s == STATUS_CHANGED                      ? bring_job_changed(j)
                                                      : s;
}

/* ---- One object. */

static enum status bring_job_write(struct bring_job *j, uint64_t offset,
                                   size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t put = pwrite(j->fd, j->lane->part + done, size - done,
                             (off_t)(offset + done));

        if (put < 0 && errno != EINTR) {
            return bring_job_file_fault(j, errno, "write", j->file);
        }
        done += put > 0 ? (size_t)put : 0;
    }
    atomic_fetch_add(&j->target->bytes, size);
    return STATUS_OK;
}

/* Whether what the store tells is the object that was listed; and if so, pin
 * it for the parts to come. */
static bool bring_job_is_listed(struct bring_job *j,
                                const struct store_event *event)
{
    if (event->size != j->object->size ||
        (j->pin[0] != '\0' && strcmp(j->pin, event->etag) != 0)) {
        return false;
    }
    memcpy(j->pin, event->etag, sizeof(j->pin));
    return true;
}

/* Before the first of several parts: which value it is, and what checksum the
 * store keeps of it. A version stays readable when the object is overwritten.
 */
static enum status bring_job_look(struct bring_job *j)
{
    struct store_event event;
    struct store_request request = {
        .op = STORE_HEAD, .key = {j->object->key, j->object->key_size}};
    enum status s = bring_job_ask(j, &request, &event);

    if (s != STATUS_OK) {
        return s;
    }
    if (!bring_job_is_listed(j, &event)) {
        return bring_job_changed(j);
    }
    memcpy(j->version, event.version, sizeof(j->version));
    j->kept = event.sum;
    return STATUS_OK;
}

/* Whether the parts together are what the store keeps a checksum of. */
static bool bring_job_is_sound(const struct bring_job *j)
{
    return j->kept.kind == CRC_NONE || j->kept.value == j->sum;
}

static enum status bring_job_damaged(const struct bring_job *j)
{
    return fault_set(j->why, STATUS_STORE,
                     "%s: %s%.*s: its bytes do not match the checksum that "
                     "the store keeps of them (%s), read twice; the object or "
                     "the way to it is damaged",
                     j->target->channel->name, j->target->channel->root_uri,
                     BRING_KEY_SHOWN, j->object->key, crc_name(j->kept.kind));
}

/* Get one part, at most to the object's end, and write it. An object without
 * bytes has no range to get, and is only looked at. */
static enum status bring_job_part(struct bring_job *j, uint64_t offset)
{
    const struct bring_object *o = j->object;
    uint64_t left = o->size - offset;
    struct store_event event;
    struct store_request request = {
        .op = left > 0 ? STORE_GET : STORE_HEAD,
        .key = {o->key, o->key_size},
        .offset = offset,
        .size = left < BRING_PART_BYTES ? (size_t)left : BRING_PART_BYTES,
        .into = j->lane->part,
        .etag = j->pin[0] != '\0' ? j->pin : NULL,
        .version = j->version[0] != '\0' ? j->version : NULL,
        .is_whole = offset == 0 && left <= BRING_PART_BYTES,
        .sum = j->kept.kind,
    };
    enum status s = bring_job_ask(j, &request, &event);

    if (s != STATUS_OK) {
        return s;
    }
    if (event.got != request.size || !bring_job_is_listed(j, &event)) {
        return bring_job_changed(j);
    }
    j->sum = crc_combine(j->kept.kind, j->sum, event.got_sum, event.got);
    return bring_job_write(j, offset, request.size);
}

static enum status bring_job_parts(struct bring_job *j)
{
    uint64_t offset = 0;
    enum status s;

    j->sum = 0;
    do {
        s = bring_job_part(j, offset);
        offset += BRING_PART_BYTES;
    } while (s == STATUS_OK && offset < j->object->size);
    return s;
}

static enum status bring_job_fill(struct bring_job *j)
{
    enum status s = bring_job_open_store(j);

    if (s == STATUS_OK && j->lane->part == NULL) {
        j->lane->part = malloc(BRING_PART_BYTES);
        if (j->lane->part == NULL) {
            s = fault_set(j->why, STATUS_OS, "%s: no memory for a part",
                          j->target->channel->name);
        }
    }
    memcpy(j->pin, j->object->etag, sizeof(j->pin));
    if (s == STATUS_OK && j->object->size > BRING_PART_BYTES) {
        s = bring_job_look(j);
    }
    if (s == STATUS_OK) {
        s = bring_job_parts(j);
    }
    if (s == STATUS_OK && !bring_job_is_sound(j)) { /* Once more. */
        atomic_fetch_sub(&j->target->bytes, j->object->size);
        s = bring_job_parts(j);
    }
    return s == STATUS_OK && !bring_job_is_sound(j) ? bring_job_damaged(j) : s;
}

static enum status bring_job_make_one(struct bring_job *j, const char *folder)
{
    struct stat st;

    if (mkdir(folder, 0755) == 0) {
        /* Whatever the umask is: the command may run as somebody else. */
        return chmod(folder, 0755) == 0
                   ? STATUS_OK
                   : bring_job_file_fault(j, errno, "set the mode", folder);
    }
    if (errno == EEXIST && lstat(folder, &st) == 0 && S_ISDIR(st.st_mode)) {
        return STATUS_OK;
    }
    return bring_job_file_fault(j, errno, "make the folder", folder);
}

/* Make @folder and what of its parents lies below @root. */
static enum status bring_job_make_folder(struct bring_job *j, const char *root,
                                         struct bytes folder)
{
    struct buf *made = &j->lane->made;
    struct buf path = {0};
    enum status s = STATUS_OK;
    size_t at;

    buf_add_text(&path, root);
    buf_add_char(&path, '/');
    at = path.size;
    buf_add_bytes(&path, folder);
    if (bytes_is_equal(buf_bytes(&path), buf_bytes(made))) {
        buf_fini(&path);
        return STATUS_OK;
    }
    while (s == STATUS_OK && at < path.size) {
        size_t part = strcspn(path.at + at, "/");
        char end = path.at[at + part];

        path.at[at + part] = '\0';
        s = bring_job_make_one(j, path.at);
        path.at[at + part] = end;
        at += part + (end != '\0');
    }
    buf_clear(made);
    if (s == STATUS_OK) {
        buf_add_bytes(made, buf_bytes(&path));
    }
    buf_fini(&path);
    return s;
}

/* The path's folder, with its slash; empty when it has none. */
static struct bytes bring_job_parent(const struct bring_job *j)
{
    struct bytes parent = j->path;

    while (parent.size > 0 && parent.at[parent.size - 1] != '/') {
        parent.size--;
    }
    return parent;
}

/* Write the object's file below @root; it must not be there. */
static enum status bring_job_stage(struct bring_job *j)
{
    enum status s;

    s = bring_job_make_folder(j, j->target->staging, bring_job_parent(j));
    if (s != STATUS_OK) {
        return s;
    }
    j->file =
        mem_print("%s/%.*s", j->target->staging, (int)j->path.size, j->path.at);
    j->fd = open(j->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (j->fd < 0) {
        return bring_job_file_fault(j, errno, "create", j->file);
    }
    s = bring_job_fill(j);
    if (s == STATUS_OK && fchmod(j->fd, 0644) != 0) {
        s = bring_job_file_fault(j, errno, "set the mode", j->file);
    }
    /* Some file systems tell of a full disk only here. */
    if (close(j->fd) != 0 && s == STATUS_OK) {
        s = bring_job_file_fault(j, errno, "close", j->file);
    }
    return s;
}

/* Bring a file of a kept channel, and only that one, back into its place. */
static enum status bring_job_mend(struct bring_job *j)
{
    struct stat st;
    char *file =
        mem_print("%s/%.*s", j->target->folder, (int)j->path.size, j->path.at);
    enum status s;

    if (lstat(file, &st) == 0 && S_ISREG(st.st_mode) &&
        (uint64_t)st.st_size == j->object->size) {
        atomic_fetch_add(&j->target->bytes, j->object->size);
        free(file);
        return STATUS_OK;
    }
    s = bring_job_stage(j);
    if (s == STATUS_OK) {
        s = bring_job_make_folder(j, j->target->folder, bring_job_parent(j));
    }
    if (s == STATUS_OK && rename(j->file, file) != 0) {
        s = bring_job_file_fault(j, errno, "rename to it", file);
    }
    free(file);
    return s;
}

enum status bring_lane_bring(struct bring_lane *l, struct bring_target *target,
                             const struct bring_object *object,
                             struct fault *why)
{
    struct bring_job j = {
        .lane = l, .target = target, .object = object, .why = why};
    struct bytes key = {object->key, object->key_size};
    enum status s;

    s = keypath_of(target->channel->prefix, key, why, &j.path);
    if (s != STATUS_OK) {
        return fault_prefix(why, s, "%s", target->channel->name);
    }
    if (keypath_is_folder(j.path)) {
        s = bring_job_make_folder(
            &j, target->folder != NULL ? target->folder : target->staging,
            j.path);
        atomic_fetch_add(&target->bytes, object->size);
    } else {
        s = target->folder != NULL ? bring_job_mend(&j) : bring_job_stage(&j);
    }
    free(j.file);
    if (s == STATUS_OK) {
        atomic_fetch_add(&target->units, 1);
    }
    return s;
}
