/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "coordinator/journal_format.h"
#include "coordinator/record.h"
#include "store/store_sync.h"

/* A snapshot that is being made moves journal objects into an audit object: a
 * reader that sees a hole looks again. */
enum { STATUS_AUDIT_TRIES = 4 };

/* The keys below one folder of the run, by number. */
struct status_keys {
    char **at;
    size_t count;
};

static enum status status_note_key(void *self,
                                   const struct store_object *object,
                                   struct fault *why)
{
    struct status_keys *keys = self;

    (void)why;
    keys->at = mem_grow(keys->at, keys->count + 1, sizeof(keys->at[0]));
    keys->at[keys->count++] = mem_copy_text(object->key.at, object->key.size);
    return STATUS_OK;
}

static void status_keys_fini(struct status_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        free(keys->at[i]);
    }
    free(keys->at);
    *keys = (struct status_keys){0};
}

/* Where the objects of a run are. */
struct status_run {
    struct store *store;
    char *folder;
};

static enum status status_run_open(struct status_run *r, const char *uri,
                                   const char *run, struct fault *why)
{
    struct buf prefix = {0};
    enum status s = store_open(uri, STORE_READ, why, &r->store, &prefix);

    if (s == STATUS_OK) {
        r->folder = mem_print("%sruns/%s/", buf_text(&prefix), run);
    }
    buf_fini(&prefix);
    return s;
}

static void status_run_close(struct status_run *r)
{
    store_close(&r->store);
    free(r->folder);
    r->folder = NULL;
}

static enum status status_list(struct status_run *r, const char *kind,
                               struct fault *why, struct status_keys *out)
{
    char *prefix = mem_print("%s%s/", r->folder, kind);
    enum status s =
        store_sync_list(r->store, prefix, status_note_key, out, why);

    free(prefix);
    return s;
}

static enum status status_read(struct status_run *r, const char *key,
                               struct fault *why, struct buf *body)
{
    buf_clear(body);
    return store_sync_get(
        r->store, &(struct store_sync_get){key, JOURNAL_SNAPSHOT_MAX, NULL},
        why, body);
}

static enum status status_audit_objects(struct status_run *r,
                                        const struct status_keys *keys,
                                        struct audit *a, struct fault *why)
{
    struct buf body = {0};
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < keys->count; i++) {
        s = status_read(r, keys->at[i], why, &body);
        if (s == STATUS_OK) {
            s = audit_add_object(a, buf_bytes(&body), why);
        }
        if (s != STATUS_OK) {
            s = fault_prefix(why, s, "%s", keys->at[i]);
        }
    }
    buf_fini(&body);
    return s;
}

static enum status status_audit_try(struct status_run *r, struct audit *a,
                                    struct fault *why)
{
    static const char *const kinds[] = {"audit", "journal"};
    struct status_keys keys = {0};
    size_t found = 0;
    enum status s = STATUS_OK;

    for (int i = 0; s == STATUS_OK && i < 2; i++) {
        s = status_list(r, kinds[i], why, &keys);
        if (s == STATUS_OK) {
            s = status_audit_objects(r, &keys, a, why);
        }
        found += keys.count;
        status_keys_fini(&keys);
    }
    if (s == STATUS_OK && found == 0) {
        s = fault_set(why, STATUS_NOT_FOUND, "%s: there is no journal",
                      r->folder);
    }
    return s;
}

enum status status_audit_read(const char *uri, const char *run,
                              struct fault *why, struct audit **out)
{
    struct status_run r = {0};
    enum status s = status_run_open(&r, uri, run, why);
    int tries = 0;

    *out = NULL;
    while (s == STATUS_OK) {
        *out = audit_new();
        s = status_audit_try(&r, *out, why);
        if (s == STATUS_OK || s == STATUS_VERSION ||
            ++tries == STATUS_AUDIT_TRIES) {
            break;
        }
        audit_destroy(out);
        s = STATUS_OK;
    }
    status_run_close(&r);
    if (s != STATUS_OK) {
        audit_destroy(out);
    }
    return s;
}

/* ---- How it ended ----------------------------------------------------------
 */

static void status_take_record(struct bytes text, struct status_ended *out)
{
    struct record record;
    struct fault why;

    if (record_read(text, &why, &record) != STATUS_OK ||
        record.type != RECORD_OVER) {
        return;
    }
    out->is_known = true;
    out->status = record.over.status <= STATUS_STOPPED
                      ? (enum status)record.over.status
                      : STATUS_INVALID;
    out->exit_code = (int)record.over.exit_code;
    buf_clear(&out->host);
    buf_clear(&out->reason);
    buf_add_bytes(&out->host, record.over.host);
    buf_add_bytes(&out->reason, record.over.reason);
}

static void status_take_object(struct bytes body, struct status_ended *out)
{
    struct journal_object object;
    struct journal_walk walk;
    struct journal_log log;
    struct bytes record;
    struct fault why;

    if (journal_object_read(body, &why, &object) != STATUS_OK) {
        return;
    }
    journal_walk_init(&walk, &object);
    while (journal_next_log(&walk, &log)) {
        while (journal_next_record(&log.records, &record)) {
            status_take_record(record, out);
        }
    }
}

enum status status_audit_end(const char *uri, const char *run,
                             struct fault *why, struct status_ended *out)
{
    static const char *const kinds[] = {"journal", "audit"};
    struct status_run r = {0};
    struct status_keys keys = {0};
    struct buf body = {0};
    enum status s = status_run_open(&r, uri, run, why);

    *out = (struct status_ended){0};
    for (int i = 0; s == STATUS_OK && i < 2 && !out->is_known; i++) {
        s = status_list(&r, kinds[i], why, &keys);
        for (size_t k = keys.count; s == STATUS_OK && k > 0 && !out->is_known;
             k--) {
            s = status_read(&r, keys.at[k - 1], why, &body);
            if (s == STATUS_OK) {
                status_take_object(buf_bytes(&body), out);
            } else if (s == STATUS_NOT_FOUND) {
                s = STATUS_OK; /* An audit object has it by now. */
            }
        }
        status_keys_fini(&keys);
    }
    buf_fini(&body);
    status_run_close(&r);
    return s;
}

void status_ended_fini(struct status_ended *e)
{
    buf_fini(&e->host);
    buf_fini(&e->reason);
}
