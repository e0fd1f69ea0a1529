/* SPDX-License-Identifier: Apache-2.0 */
/* Small objects: listing, writing, reading, conditions, multipart; and the
 * removal of all that was written. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "cli/doctor.h"
#include "cli/plan.h"
#include "store/store_trial.h"

enum {
    DOCTOR_READ_MAX = 1 << 20, /* Of an object that somebody else wrote. */
    DOCTOR_RANGE_AT = 1000,
    DOCTOR_RANGE_SIZE = 96,
    DOCTOR_PART_SIZE = 5 << 20, /* The least that S3 takes. */
    DOCTOR_CLEAN_MS = 10000,
    DOCTOR_SWEEPS_MAX = 16, /* Pages of what is to be removed. */
};

static const char doctor_object_name[] = "object";
static const char doctor_multipart_name[] = "multipart";
static const char doctor_abort_name[] = "aborted";
static const char doctor_speed_name[] = "speed";

/* The line of a request that went well, with its time; or of its failure. */
static bool doctor_is_good(struct doctor *d, enum doctor_check check,
                           const struct store_event *e)
{
    if (e->status != STATUS_OK) {
        doctor_fail(d, check, e->status, &e->why);
        return false;
    }
    d->lines[check].ms = (int64_t)d->asked_ms;
    return true;
}

/* A write that failed for any other reason may have happened. */
static void doctor_note_write(struct doctor *d, enum status s)
{
    d->may_be_left |= s != STATUS_DENIED && s != STATUS_NOT_FOUND &&
                      s != STATUS_UNSUPPORTED && s != STATUS_INVALID;
}

/* ---- list --------------------------------------------------------------- */

static void doctor_list_say(struct doctor *d, const struct store_event *e)
{
    struct buf text = {0};
    bool is_unordered = e->is_unordered;

    for (uint32_t i = 1; i < e->object_count; i++) {
        is_unordered |=
            bytes_compare(e->objects[i - 1].key, e->objects[i].key) >= 0;
    }
    buf_print(&text, "%s%u object%s in %" PRIu64 " ms",
              e->has_more ? "the first " : "", e->object_count,
              e->object_count == 1 ? "" : "s", d->asked_ms);
    if (is_unordered) {
        buf_add_text(&text, ", not in the order of bytes: listing is slower");
    } else if (e->object_count > 1) {
        buf_add_text(&text, ", in the order of bytes");
    }
    doctor_note(d, DOCTOR_LIST, DOCTOR_OK, "%s", buf_text(&text));
    buf_fini(&text);
}

void doctor_list(struct doctor *d)
{
    struct store_request r = {.op = STORE_LIST, .key = buf_bytes(&d->prefix)};
    struct store_event e;

    (void)doctor_ask(d, &r, &e);
    if (!doctor_is_good(d, DOCTOR_LIST, &e)) {
        return;
    }
    doctor_list_say(d, &e);
    for (uint32_t i = 0; i < e.object_count; i++) {
        /* What ends in '/' is a folder's mark, without a byte. */
        if (e.objects[i].size > 0 && e.objects[i].key.size <= STORE_KEY_MAX) {
            memcpy(d->first_key, e.objects[i].key.at, e.objects[i].key.size);
            d->first_key[e.objects[i].key.size] = '\0';
            d->first_size = e.objects[i].size;
            break;
        }
    }
}

/* ---- one object --------------------------------------------------------- */

void doctor_put(struct doctor *d)
{
    char key[STORE_KEY_MAX + 1];
    struct store_request r = {
        .op = STORE_PUT, .body = d->probe, .size = sizeof(d->probe)};
    struct store_event e;

    hash_random(d->probe, sizeof(d->probe));
    r.key = bytes_of(doctor_key(d, doctor_object_name, key));
    doctor_note_write(d, doctor_ask(d, &r, &e));
    if (doctor_is_good(d, DOCTOR_PUT, &e)) {
        memcpy(d->probe_etag, e.etag, sizeof(d->probe_etag));
        doctor_note(d, DOCTOR_PUT, DOCTOR_OK, "%d bytes in %" PRIu64 " ms",
                    DOCTOR_PROBE_BYTES, d->asked_ms);
    }
}

void doctor_head(struct doctor *d)
{
    char key[STORE_KEY_MAX + 1];
    struct store_request r = {.op = STORE_HEAD};
    struct store_event e;

    r.key = bytes_of(doctor_key(d, doctor_object_name, key));
    (void)doctor_ask(d, &r, &e);
    if (!doctor_is_good(d, DOCTOR_HEAD, &e)) {
        return;
    }
    d->probe_sum = e.sum;
    d->is_versioned = e.version[0] != '\0' && strcmp(e.version, "null") != 0;
    if (e.size != DOCTOR_PROBE_BYTES || strcmp(e.etag, d->probe_etag) != 0) {
        doctor_note(d, DOCTOR_HEAD, DOCTOR_FAILED,
                    "size or etag are not those that were written; is "
                    "something between this host and the store?");
        d->lines[DOCTOR_HEAD].status = STATUS_STORE;
        return;
    }
    doctor_note(d, DOCTOR_HEAD, DOCTOR_OK, "size and etag in %" PRIu64 " ms",
                d->asked_ms);
}

/* Read what is at @offset of the probe and compare it. */
static void doctor_get_probe(struct doctor *d, enum doctor_check check,
                             uint64_t offset, size_t size)
{
    char key[STORE_KEY_MAX + 1];
    char room[DOCTOR_PROBE_BYTES] = {0};
    struct store_request r = {.op = STORE_GET,
                              .offset = offset,
                              .size = size,
                              .into = room,
                              .etag = d->probe_etag,
                              .is_whole = size == sizeof(room)};
    struct store_event e;

    r.key = bytes_of(doctor_key(d, doctor_object_name, key));
    (void)doctor_ask(d, &r, &e);
    if (!doctor_is_good(d, check, &e)) {
        return;
    }
    if (e.got != size || memcmp(room, d->probe + offset, size) != 0) {
        doctor_note(d, check, DOCTOR_FAILED,
                    "the bytes are not those that were written; is something "
                    "between this host and the store?");
        d->lines[check].status = STATUS_STORE;
        return;
    }
    doctor_note(d, check, DOCTOR_OK, "%zu bytes in %" PRIu64 " ms", size,
                d->asked_ms);
}

/* An object that was there before. */
static void doctor_get_first(struct doctor *d)
{
    size_t size = d->first_size < DOCTOR_READ_MAX ? (size_t)d->first_size
                                                  : DOCTOR_READ_MAX;
    struct store_request r = {.op = STORE_GET,
                              .key = bytes_of(d->first_key),
                              .size = size,
                              .into = mem_new(size, 1),
                              .is_whole = size == d->first_size};
    struct store_event e;

    if (doctor_ask(d, &r, &e) == STATUS_STOPPED) {
        store_close(&d->store); /* It may still write to the buffer. */
    }
    if (doctor_is_good(d, DOCTOR_GET, &e)) {
        doctor_note(d, DOCTOR_GET, DOCTOR_OK,
                    "%zu bytes of %s in %" PRIu64 " ms", e.got, d->first_key,
                    d->asked_ms);
    }
    free(r.into);
}

void doctor_get(struct doctor *d)
{
    if (d->lines[DOCTOR_PUT].result == DOCTOR_OK) {
        doctor_get_probe(d, DOCTOR_GET, 0, DOCTOR_PROBE_BYTES);
    } else if (d->first_key[0] != '\0') {
        doctor_get_first(d);
    } else {
        doctor_note(d, DOCTOR_GET, DOCTOR_SKIPPED,
                    "there is no object to read");
    }
}

void doctor_range(struct doctor *d)
{
    doctor_get_probe(d, DOCTOR_RANGE, DOCTOR_RANGE_AT, DOCTOR_RANGE_SIZE);
}

void doctor_delete(struct doctor *d)
{
    char key[STORE_KEY_MAX + 1];
    struct store_request r = {.op = STORE_DELETE};
    struct store_event e;

    r.key = bytes_of(doctor_key(d, doctor_object_name, key));
    (void)doctor_ask(d, &r, &e);
    if (!doctor_is_good(d, DOCTOR_DELETE, &e)) {
        return;
    }
    doctor_note(d, DOCTOR_DELETE, DOCTOR_OK, "in %" PRIu64 " ms%s", d->asked_ms,
                d->is_versioned ? "; the bucket keeps old versions" : "");
    r.op = STORE_HEAD;
    if (doctor_ask(d, &r, &e) == STATUS_OK) {
        doctor_note(d, DOCTOR_DELETE, DOCTOR_FAILED,
                    "the object is still there after it was deleted");
        d->lines[DOCTOR_DELETE].status = STATUS_STORE;
    }
}

void doctor_checksum(struct doctor *d)
{
    struct crc *sum = &d->probe_sum;
    uint64_t mine = crc_add(sum->kind, 0, d->probe, sizeof(d->probe));

    if (sum->kind == CRC_NONE) {
        doctor_note(d, DOCTOR_CHECKSUM, DOCTOR_UNSUPPORTED,
                    "the store keeps none; reads rest on %s alone",
                    d->bucket != NULL ? "the network's" : "the disk's");
    } else if (sum->value != mine) {
        doctor_note(d, DOCTOR_CHECKSUM, DOCTOR_FAILED,
                    "the store's %s is not that of what was written",
                    crc_name(sum->kind));
        d->lines[DOCTOR_CHECKSUM].status = STATUS_STORE;
    } else {
        doctor_note(d, DOCTOR_CHECKSUM, DOCTOR_OK, "%s, the same as ours",
                    crc_name(sum->kind));
    }
}

/* ---- conditional writes ------------------------------------------------- */

static void doctor_condition(struct doctor *d, enum doctor_check check,
                             bool has, const char *text)
{
    doctor_note(d, check, has ? DOCTOR_OK : DOCTOR_UNSUPPORTED, "%s", text);
}

/* The trial broke off: what it had not shown by then is not known. */
static void doctor_conditions_broke(struct doctor *d, enum status s,
                                    const struct fault *why)
{
    bool is_first = true;

    for (unsigned i = DOCTOR_IF_ABSENT; i <= DOCTOR_IF_DELETE; i++) {
        enum doctor_check check = (enum doctor_check)i;

        if (d->lines[i].result == DOCTOR_OK) {
            continue;
        }
        if (!is_first) {
            doctor_note(d, check, DOCTOR_SKIPPED, "the one before failed");
        } else if (s == STATUS_UNSUPPORTED) {
            doctor_fail(d, check, s, why);
            d->lines[i].result = DOCTOR_UNSUPPORTED;
        } else {
            doctor_fail(d, check, s, why);
        }
        is_first = false;
    }
}

static void doctor_conditions_say(struct doctor *d, const struct store_trial *t)
{
    doctor_condition(d, DOCTOR_IF_ABSENT, t->has_if_absent,
                     t->has_if_absent
                         ? "a second create is refused"
                         : "the store ignores If-None-Match: jobs can't keep "
                           "their lease here; use another for --state");
    doctor_condition(d, DOCTOR_IF_MATCH, t->has_if_match,
                     t->has_if_match
                         ? "replacing what has changed is refused"
                         : "the store ignores If-Match: jobs can't keep their "
                           "lease here; use another for --state");
    if (d->options.is_quick) {
        doctor_note(d, DOCTOR_ONE_WINNER, DOCTOR_SKIPPED, "--quick");
    } else {
        doctor_condition(d, DOCTOR_ONE_WINNER, t->has_one_winner,
                         t->has_one_winner
                             ? "of 8 writers at once, creating and replacing"
                             : "of 8 writers at once several win, or none; "
                               "use another store for --state");
    }
    doctor_condition(d, DOCTOR_IF_DELETE, t->has_delete,
                     t->has_delete ? "deleting what has changed is refused"
                                   : "the store ignores it; jobs do without");
}

void doctor_conditions(struct doctor *d)
{
    enum store_trial_depth depth =
        d->options.is_quick ? STORE_TRIAL_QUICK : STORE_TRIAL_RACE;
    struct fault why = {.text = ""};
    struct store_trial t;
    enum status s = store_trial_run(d->store, d->folder, depth, &why, &t);
    bool is_told = s == STATUS_OK || s == STATUS_UNSUPPORTED;

    /* The first write says UNSUPPORTED too, where a server refuses the header
     * by name. */
    is_told = is_told && (t.has_if_absent || t.has_if_match || t.has_delete ||
                          s == STATUS_OK);
    if (is_told) {
        doctor_conditions_say(d, &t);
        return;
    }
    if (t.has_if_absent) {
        doctor_condition(d, DOCTOR_IF_ABSENT, true,
                         "a second create is refused");
    }
    if (t.has_if_match) {
        doctor_condition(d, DOCTOR_IF_MATCH, true,
                         "replacing what has changed is refused");
    }
    doctor_conditions_broke(d, s, &why);
}

/* ---- multipart ---------------------------------------------------------- */

static enum status doctor_begin(struct doctor *d, const char *name,
                                struct store_event *e)
{
    struct store_request r = {.op = STORE_UPLOAD_BEGIN};

    r.key = bytes_of(doctor_key(d, name, d->upload_key));
    if (doctor_ask(d, &r, e) == STATUS_OK) {
        memcpy(d->upload, e->upload, sizeof(d->upload));
    }
    return e->status;
}

static enum status doctor_part(struct doctor *d, const struct bytes body,
                               uint32_t number, struct store_part *out,
                               struct store_event *e)
{
    struct store_request r = {.op = STORE_UPLOAD_PART,
                              .key = bytes_of(d->upload_key),
                              .upload = d->upload,
                              .part = number,
                              .body = body.at,
                              .size = body.size};

    if (doctor_ask(d, &r, e) == STATUS_OK) {
        memcpy(out->etag, e->etag, sizeof(out->etag));
        out->size = body.size;
        out->sum = e->sum;
    }
    return e->status;
}

/* Two parts, the second of one byte; then what came of them is looked at. */
static enum status doctor_multipart_do(struct doctor *d, const char *body,
                                       struct store_event *e)
{
    struct store_part parts[2] = {{.size = 0}};
    struct store_request r = {.op = STORE_UPLOAD_END,
                              .upload = d->upload,
                              .parts = parts,
                              .part_count = 2};
    enum status s = doctor_begin(d, doctor_multipart_name, e);

    if (s == STATUS_OK) {
        s = doctor_part(d, (struct bytes){body, DOCTOR_PART_SIZE}, 1, &parts[0],
                        e);
    }
    if (s == STATUS_OK) {
        s = doctor_part(d, (struct bytes){body + DOCTOR_PART_SIZE, 1}, 2,
                        &parts[1], e);
    }
    if (s == STATUS_OK) {
        r.key = bytes_of(d->upload_key);
        s = doctor_ask(d, &r, e);
    }
    if (s == STATUS_OK) {
        d->upload[0] = '\0';
        r = (struct store_request){.op = STORE_HEAD,
                                   .key = bytes_of(d->upload_key)};
        s = doctor_ask(d, &r, e);
    }
    return s;
}

/* After a stop the store may still send from @body. */
static void doctor_free_body(struct doctor *d, enum status s, char **body)
{
    if (s == STATUS_STOPPED) {
        store_close(&d->store);
    }
    free(*body);
    *body = NULL;
}

void doctor_multipart(struct doctor *d)
{
    char *body = mem_new(DOCTOR_PART_SIZE + 1, 1);
    struct store_event e;
    enum status s = doctor_multipart_do(d, body, &e);

    doctor_note_write(d, s);
    doctor_free_body(d, s, &body);
    if (s != STATUS_OK) {
        doctor_fail(d, DOCTOR_MULTIPART, s, &e.why);
    } else if (e.size != DOCTOR_PART_SIZE + 1) {
        doctor_note(d, DOCTOR_MULTIPART, DOCTOR_FAILED,
                    "parts of 5 MiB and 1 byte became %" PRIu64 " bytes",
                    e.size);
        d->lines[DOCTOR_MULTIPART].status = STATUS_STORE;
    } else {
        doctor_note(d, DOCTOR_MULTIPART, DOCTOR_OK,
                    "parts of 5 MiB and of 1 byte");
    }
}

/* After an abort neither parts nor object may be there. */
static enum status doctor_abort_do(struct doctor *d, const char *body,
                                   struct store_event *e)
{
    struct store_part part;
    struct store_request r = {.op = STORE_UPLOAD_ABORT, .upload = d->upload};
    enum status s = doctor_begin(d, doctor_abort_name, e);

    if (s == STATUS_OK) {
        s = doctor_part(d, (struct bytes){body, DOCTOR_PROBE_BYTES}, 1, &part,
                        e);
    }
    r.key = bytes_of(d->upload_key);
    return s == STATUS_OK ? doctor_ask(d, &r, e) : s;
}

void doctor_abort(struct doctor *d)
{
    struct store_request r = {.op = STORE_UPLOAD_PARTS, .upload = d->upload};
    struct store_event e;
    bool has_parts;
    bool has_object;

    if (doctor_abort_do(d, d->probe, &e) != STATUS_OK) {
        doctor_fail(d, DOCTOR_ABORT, e.status, &e.why);
        return;
    }
    r.key = bytes_of(d->upload_key);
    has_parts = doctor_ask(d, &r, &e) == STATUS_OK && e.part_count > 0;
    r.op = STORE_HEAD;
    has_object = doctor_ask(d, &r, &e) == STATUS_OK;
    if (has_parts || has_object) {
        doctor_note(d, DOCTOR_ABORT, DOCTOR_FAILED,
                    "%s after an upload was aborted; give the bucket a rule "
                    "that removes incomplete uploads",
                    has_parts ? "its parts stay" : "there is an object");
        d->lines[DOCTOR_ABORT].status = STATUS_STORE;
        return;
    }
    d->upload[0] = '\0';
    doctor_note(d, DOCTOR_ABORT, DOCTOR_OK, "leaves neither parts nor object");
}

/* ---- clean up ----------------------------------------------------------- */

static void doctor_remove(struct doctor *d, struct bytes key)
{
    struct store_request r = {.op = STORE_DELETE, .key = key};
    struct store_event e;

    (void)doctor_ask(d, &r, &e); /* The last listing tells. */
}

/* What is known by name goes first: listing may be forbidden. */
static void doctor_remove_known(struct doctor *d)
{
    static const char *const names[] = {doctor_object_name,
                                        doctor_multipart_name,
                                        doctor_abort_name, doctor_speed_name};
    char key[STORE_KEY_MAX + 1];
    struct store_request r = {.op = STORE_UPLOAD_ABORT,
                              .key = bytes_of(d->upload_key),
                              .upload = d->upload};
    struct store_event e;

    if (d->upload[0] != '\0') {
        enum status s = doctor_ask(d, &r, &e);

        if (s == STATUS_OK || s == STATUS_NOT_FOUND) {
            d->upload[0] = '\0';
        }
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        doctor_remove(d, bytes_of(doctor_key(d, names[i], key)));
    }
}

/* Remove what a listing of the folder shows, until it shows nothing. */
static enum status doctor_sweep(struct doctor *d, struct store_event *e)
{
    struct store_request r = {
        .op = STORE_LIST, .key = bytes_of(d->folder), .list_max = 1};
    char key[STORE_KEY_MAX + 1];
    enum status s = doctor_ask(d, &r, e);

    for (int i = 0; s == STATUS_OK && e->object_count > 0; i++) {
        struct bytes found = e->objects[0].key;

        if (i == DOCTOR_SWEEPS_MAX || found.size > STORE_KEY_MAX) {
            break;
        }
        memcpy(key, found.at, found.size);
        doctor_remove(d, (struct bytes){key, found.size});
        s = doctor_ask(d, &r, e);
    }
    return s;
}

/* Remove the folders that opening the store has made, if they are empty. */
static void doctor_remove_made(struct doctor *d)
{
    char *path = mem_copy(d->place.place);
    size_t least = strlen(d->made);

    while (strlen(path) > least) {
        char *cut = strrchr(path, '/');

        if (cut[1] != '\0' && rmdir(path) != 0) {
            break;
        }
        *cut = '\0';
    }
    free(path);
}

static void doctor_clean_say(struct doctor *d, enum status s,
                             const struct store_event *e)
{
    if (s != STATUS_OK) {
        doctor_note(d, DOCTOR_CLEAN, DOCTOR_FAILED,
                    "look whether all is gone below %s%s: %s",
                    store_root_uri(d->store), d->folder, e->why.text);
        d->lines[DOCTOR_CLEAN].status = s;
    } else if (e->object_count > 0) {
        doctor_note(d, DOCTOR_CLEAN, DOCTOR_FAILED,
                    "could not remove %s%s; do it by hand",
                    store_root_uri(d->store), d->folder);
        d->lines[DOCTOR_CLEAN].status = STATUS_DENIED;
    } else if (d->upload[0] != '\0') {
        doctor_note(d, DOCTOR_CLEAN, DOCTOR_FAILED,
                    "could not abort an upload of %s%s; give the bucket a "
                    "rule that removes incomplete uploads",
                    store_root_uri(d->store), d->upload_key);
        d->lines[DOCTOR_CLEAN].status = STATUS_STORE;
    } else {
        doctor_note(d, DOCTOR_CLEAN, DOCTOR_OK, "nothing is left%s",
                    d->is_versioned ? " but old versions" : "");
    }
}

void doctor_clean(struct doctor *d)
{
    struct fault why = {.text = ""};
    struct store_event e;
    struct buf ignored = {0};
    enum status s;

    d->is_cleaning = true;
    if (!d->may_be_left) {
        doctor_note(d, DOCTOR_CLEAN, DOCTOR_SKIPPED, "nothing was written");
    } else {
        /* Another handle: the old one may have something under way. */
        store_close(&d->store);
        s = store_open(d->options.uri, STORE_WRITE, &why, &d->store, &ignored);
        buf_fini(&ignored);
        if (s != STATUS_OK) {
            doctor_fail(d, DOCTOR_CLEAN, s, &why);
            return;
        }
        store_set_limit(d->store, DOCTOR_CLEAN_MS);
        doctor_remove_known(d);
        s = doctor_sweep(d, &e);
        doctor_clean_say(d, s, &e);
    }
    store_close(&d->store);
    if (d->made != NULL) {
        doctor_remove_made(d);
    }
}
