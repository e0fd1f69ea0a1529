/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/run.h"
#include "cli/share.h"

static bool run_yield(struct catalog_cursor *cursor, struct bring_item *out)
{
    struct catalog_object object;

    if (!catalog_next(cursor, &object)) {
        return false;
    }
    *out = (struct bring_item){object.key, object.size, object.etag};
    return true;
}

static bool run_next_item(void *self, struct bring_item *out)
{
    return run_yield(&((struct run_share *)self)->share_at, out);
}

static bool run_next_of_all(void *self, struct bring_item *out)
{
    return run_yield(&((struct run_share *)self)->all_at, out);
}

static char *run_copy_bytes(struct bytes b)
{
    return mem_copy_text(b.at, b.size);
}

/* Read the catalog and the share that the coordinator has written. */
static enum status run_read_share(struct run *r, const struct wire_share *from,
                                  struct run_share *to, struct fault *why)
{
    char *all_key = run_copy_bytes(from->catalog);
    char *share_key = run_copy_bytes(from->share);
    enum status s = share_read(r->state, &(struct share_want){all_key, NULL},
                               why, &to->all);

    if (s == STATUS_OK) {
        s = share_read(r->state, &(struct share_want){share_key, NULL}, why,
                       &to->share);
    }
    if (s == STATUS_OK && catalog_count(to->share) != from->units) {
        s = fault_set(why, STATUS_MALFORMED,
                      "%s: holds another number of objects than was dealt",
                      share_key);
    }
    if (s == STATUS_OK) {
        catalog_seek(to->all, 0, &to->all_at);
        catalog_seek(to->share, 0, &to->share_at);
    }
    to->name = run_copy_bytes(from->channel);
    to->root_uri = run_copy_bytes(from->root_uri);
    to->prefix = run_copy_bytes(from->prefix);
    to->named_by =
        from->named_by.size > 0 ? run_copy_bytes(from->named_by) : NULL;
    to->stamp = mem_print("%s%s %s\n", to->root_uri, all_key, share_key);
    free(all_key);
    free(share_key);
    return s;
}

static enum status run_take_shares(struct run *r,
                                   const struct wire_share_all *all,
                                   struct fault *why)
{
    enum status s = STATUS_OK;

    for (uint32_t i = 0; s == STATUS_OK && i < all->share_count; i++) {
        struct run_share *share = &r->shares[r->share_count];

        if (all->shares[i].is_dynamic) {
            s = run_feed_take_share(r, &all->shares[i], why);
            continue;
        }
        s = run_read_share(r, &all->shares[i], share, why);
        r->channels[r->share_count++] = (struct bring_channel){
            .name = share->name,
            .root_uri = share->root_uri,
            .prefix = bytes_of(share->prefix),
            .stamp = share->stamp,
            .named_by = share->named_by,
            .units = all->shares[i].units,
            .bytes = all->shares[i].bytes,
            .items = run_next_item,
            .items_self = share,
            .all = run_next_of_all,
            .all_self = share,
        };
    }
    return s;
}

enum status run_bring_start(struct run *r, const struct wire_share_all *all,
                            struct fault *why)
{
    enum status s;

    CHECK(r->share_count == 0 && r->bring == NULL);
    r->output_uri = all->output.size > 0 ? run_copy_bytes(all->output) : NULL;
    r->checkpoint_uri =
        all->checkpoint.size > 0 ? run_copy_bytes(all->checkpoint) : NULL;
    r->first_rank = all->first_rank;
    r->rank_count = all->rank_count;
    s = run_take_shares(r, all, why);
    if (s != STATUS_OK) {
        return s;
    }
    return bring_start(
        &(struct bring_options){
            .data_dir = r->contract.data,
            .lanes = (uint32_t)run_setting(r, SETTING_LANES),
            .channels = r->channels,
            .channel_count = r->share_count,
        },
        why, &r->bring);
}

void run_bring_progress(const struct run *r, struct wire_beat *beat)
{
    bool is_known = r->bring != NULL || r->is_brought;

    beat->progress_count = is_known ? r->share_count : 0;
    for (uint32_t i = 0; i < beat->progress_count; i++) {
        struct bring_progress done = {r->channels[i].units,
                                      r->channels[i].bytes};

        if (r->bring != NULL) {
            done = bring_progress(r->bring, i);
        }

        beat->progress[i] = (struct wire_progress){
            .channel = bytes_of(r->shares[i].name),
            .units_done = done.units,
            .units = r->channels[i].units,
            .bytes_done = done.bytes,
            .bytes = r->channels[i].bytes,
        };
    }
}

void run_bring_fini(struct run *r)
{
    for (uint32_t i = 0; i < r->share_count; i++) {
        struct run_share *share = &r->shares[i];

        catalog_destroy(&share->share);
        catalog_destroy(&share->all);
        free(share->name);
        free(share->root_uri);
        free(share->prefix);
        free(share->named_by);
        free(share->stamp);
    }
    free(r->output_uri);
    free(r->checkpoint_uri);
    r->share_count = 0;
}
