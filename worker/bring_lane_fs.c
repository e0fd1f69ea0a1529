/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_lane.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "proto/keypath.h"
#include "worker/bring_file.h"

enum {
    BRING_PART_BYTES = 8 << 20,
    BRING_RETRIES_MAX = 3, /* Of one object. */
    BRING_RETRY_MS = 50,   /* Before the first; four times as long each. */
    BRING_POLL_MS = 200,   /* How late a lane may see the stop. */
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
    struct bring_file f;
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
        return bring_file_stopped(&j->f);
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
            return bring_file_stopped(&j->f);
        }
        s = bring_job_ask_once(j, request, event);
    }
    if (s == STATUS_NOT_FOUND) {
        return bring_file_gone(&j->f);
    }
    /* Somebody made it shorter: the range has left the object. */
    return s == STATUS_INVALID && request->offset > 0
               ? bring_file_changed(&j->f)
           : s == STATUS_CHANGED ? bring_file_changed(&j->f)
                                 : s;
}

/* ---- One object. */

static enum status bring_job_write(struct bring_job *j, uint64_t offset,
                                   size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t put = pwrite(j->f.fd, j->lane->part + done, size - done,
                             (off_t)(offset + done));

        if (put < 0 && errno != EINTR) {
            return bring_file_fault(&j->f, errno, "write", j->f.file);
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
        return bring_file_changed(&j->f);
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
        return bring_file_changed(&j->f);
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
    return s == STATUS_OK && !bring_job_is_sound(j)
               ? bring_file_damaged(&j->f, crc_name(j->kept.kind))
               : s;
}

/* Write the object's file below the staging; it must not be there. */
static enum status bring_job_stage(struct bring_job *j)
{
    enum status s = bring_file_make(&j->f);

    if (s != STATUS_OK) {
        return s;
    }
    s = bring_job_fill(j);
    if (s != STATUS_OK) {
        close(j->f.fd);
        return s;
    }
    return bring_file_close(&j->f, NULL);
}

enum status bring_lane_bring(struct bring_lane *l, struct bring_target *target,
                             const struct bring_object *object,
                             struct fault *why)
{
    struct bring_job j = {
        .lane = l,
        .target = target,
        .object = object,
        .why = why,
        .f = {
            .target = target, .object = object, .why = why, .made = &l->made}};
    enum status s = bring_file_init(&j.f);

    if (s != STATUS_OK) {
        return s;
    }
    if (keypath_is_folder(j.f.path)) {
        s = bring_file_make_marker(&j.f);
        atomic_fetch_add(&target->bytes, object->size);
    } else {
        s = bring_job_stage(&j);
    }
    free(j.f.file);
    if (s == STATUS_OK) {
        atomic_fetch_add(&target->units, 1);
    }
    return s;
}
