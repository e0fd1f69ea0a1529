/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/resume.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/share.h"
#include "store/store.h"
#include "store/store_stop.h"
#include "store/store_sync.h"

static enum status resume_fetch(const char *uri, const atomic_bool *stop,
                                struct fault *why, struct buf *out)
{
    struct store *store = NULL;
    struct buf key = {0};
    enum status s = store_open(uri, STORE_READ, why, &store, &key);

    if (s == STATUS_OK) {
        store_set_stop(store, stop);
        s = store_sync_get(
            store,
            &(struct store_sync_get){buf_text(&key), CURSOR_TEXT_MAX, NULL},
            why, out);
    }
    store_close(&store);
    buf_fini(&key);
    return s;
}

enum status resume_load(const struct job *job, const atomic_bool *stop,
                        struct fault *why, struct cursor **out)
{
    const char *uri = settings_text(&job->settings, SETTING_RESUME);
    struct buf text = {0};
    enum status s;

    *out = NULL;
    if (uri[0] == '\0') {
        return STATUS_OK;
    }
    s = strstr(uri, "://") != NULL
            ? resume_fetch(uri, stop, why, &text)
            : file_read(uri, CURSOR_TEXT_MAX, why, &text);
    if (s == STATUS_OK) {
        s = cursor_read(buf_bytes(&text), uri, why, out);
    }
    buf_fini(&text);
    return s == STATUS_OK
               ? s
               : fault_prefix(why, s, "%s",
                              settings_origin(&job->settings, SETTING_RESUME));
}

/* Whether the source's place is known without reading what it names. */
static bool resume_knows_place(const struct job_channel *c)
{
    return c->source == JOB_SOURCE_PREFIX;
}

/* Find the catalog in the state. NOT_FOUND: it is not there. */
static enum status resume_find_catalog(const struct resume_options *options,
                                       struct fault *why, struct catalog **out)
{
    struct bytes name = options->from->catalog;
    char *wanted = mem_copy_text(name.at, name.size);
    struct store *store = NULL;
    struct buf prefix = {0};
    char *key = NULL;
    enum status s =
        store_open(options->state_uri, STORE_READ, why, &store, &prefix);

    *out = NULL;
    if (s == STATUS_OK) {
        store_set_stop(store, options->listing.stop);
        key = mem_print("%scatalog/%s", buf_text(&prefix), wanted);
        s = share_read(store, &(struct share_want){key, wanted}, why, out);
    }
    store_close(&store);
    buf_fini(&prefix);
    free(key);
    free(wanted);
    /* One that was not written whole is as good as none. */
    return s == STATUS_MALFORMED ? STATUS_NOT_FOUND : s;
}

static enum status resume_list_again(const struct resume_options *options,
                                     struct fault *why, struct listing *out)
{
    const struct cursor_channel *from = options->from;
    enum status s = listing_make(&options->listing, why, out);

    if (s != STATUS_OK || bytes_is(from->catalog, catalog_name(out->catalog))) {
        return s;
    }
    s = fault_set(why, STATUS_INVALID,
                  "channel %s: %s counts the objects of catalog %.*s, but the "
                  "source lists as %s now, and %s does not hold the old one; "
                  "resume in the job's own state (--state), or without the "
                  "cursor",
                  options->listing.channel->name, options->name,
                  (int)from->catalog.size, from->catalog.at,
                  catalog_name(out->catalog),
                  options->state_uri != NULL ? options->state_uri
                                             : "the state (there is none)");
    listing_fini(out);
    return s;
}

enum status resume_list(const struct resume_options *options, struct fault *why,
                        struct listing *out)
{
    struct catalog *catalog = NULL;
    struct fault not_kept;
    enum status s = STATUS_NOT_FOUND;

    *out = (struct listing){0};
    if (options->state_uri != NULL &&
        resume_knows_place(options->listing.channel)) {
        s = resume_find_catalog(options, &not_kept, &catalog);
    }
    if (s == STATUS_NOT_FOUND) {
        return resume_list_again(options, why, out);
    }
    if (s != STATUS_OK) {
        *why = not_kept;
    }
    if (s == STATUS_OK) {
        s = listing_take(options->listing.channel, &catalog, why, out);
    }
    catalog_destroy(&catalog);
    return s == STATUS_OK ? s
                          : fault_prefix(why, s, "channel %s",
                                         options->listing.channel->name);
}
