/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/run.h"
#include "cli/share.h"
#include "cli/share_fetch.h"
#include "store/hedge.h"
#include "worker/memory.h"

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

/* What was read of a channel, all of it and this host's share. */
static enum status run_take_share(struct run_share *to,
                                  const struct wire_share *from,
                                  struct fault *why)
{
    to->name = run_copy_bytes(from->channel);
    to->root_uri = run_copy_bytes(from->root_uri);
    to->prefix = run_copy_bytes(from->prefix);
    to->named_by =
        from->named_by.size > 0 ? run_copy_bytes(from->named_by) : NULL;
    to->stamp =
        mem_print("%s%.*s %.*s\n", to->root_uri, (int)from->catalog.size,
                  from->catalog.at, (int)from->share.size, from->share.at);
    if (catalog_count(to->share) != from->units) {
        return fault_set(why, STATUS_MALFORMED,
                         "%.*s: holds another number of objects than was dealt",
                         (int)from->share.size, from->share.at);
    }
    catalog_seek(to->all, 0, &to->all_at);
    catalog_seek(to->share, 0, &to->share_at);
    return STATUS_OK;
}

/* NULL: the coordinator knows one that this host does not. */
static const struct job_channel *run_find_channel(const struct run *r,
                                                  const struct wire_share *from)
{
    char *name = run_copy_bytes(from->channel);
    const struct job_channel *c = job_find_channel(r->contract.job, name);

    free(name);
    return c;
}

static bool run_is_streamed(const struct run *r, const struct wire_share *from)
{
    const struct job_channel *c = run_find_channel(r, from);

    return c != NULL && c->mode != JOB_FILE;
}

/* Streamed, and dealt beforehand: this host makes its part of the deal. */
static bool run_is_dealt_here(const struct run *r,
                              const struct wire_share *from)
{
    const struct job_channel *c = run_find_channel(r, from);

    return c != NULL && job_channel_is_stream(c) && !from->is_dynamic;
}

/* The units are lines of a manifest, with recipes. */
static bool run_has_recipes(const struct run *r, const struct wire_share *from)
{
    const struct job_channel *c = run_find_channel(r, from);

    return c != NULL && c->source == JOB_SOURCE_AUGMENTED;
}

/* What the fetch has read, in the order of run_name_keys(). */
static enum status run_take_shares(struct run *r, struct fault *why)
{
    const struct wire_share_all *all = r->dealt;
    enum status s = STATUS_OK;
    uint32_t next = 0;
    uint32_t text = r->has_dealt ? 1 : 0;

    for (uint32_t i = 0; s == STATUS_OK && i < all->share_count; i++) {
        struct run_share *share = &r->shares[r->share_count];
        const struct job_channel *channel =
            run_find_channel(r, &all->shares[i]);

        if (channel != NULL && channel->mode != JOB_FILE) {
            s = run_streams_add(
                &r->streams,
                &(struct run_stream_from){
                    .share = &all->shares[i],
                    .channel = channel,
                    .catalog = share_fetch_take(r->fetch, next++),
                    .recipes = run_has_recipes(r, &all->shares[i])
                                   ? share_fetch_text(r->fetch, text++)
                                   : NULL,
                    .host = r->contract.hosts.current,
                    .ranks = r->ranks,
                },
                why);
            continue;
        }
        if (all->shares[i].is_dynamic) {
            s = run_feed_take_share(r, &all->shares[i],
                                    share_fetch_take(r->fetch, next++), why);
            continue;
        }
        share->all = share_fetch_take(r->fetch, next++);
        share->share = share_fetch_take(r->fetch, next++);
        s = run_take_share(share, &all->shares[i], why);
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

/* What is to be read: of each channel its catalog, and the share of it. */
static uint32_t run_name_keys(const struct run *r,
                              const struct wire_share_all *all, char **keys)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < all->share_count; i++) {
        const struct wire_share *from = &all->shares[i];

        if (run_is_streamed(r, from)) {
            keys[count++] = run_copy_bytes(from->share);
            continue;
        }
        keys[count++] = run_copy_bytes(from->catalog);
        if (!from->is_dynamic) {
            keys[count++] = run_copy_bytes(from->share);
        }
    }
    return count;
}

/* What is to be read as it is: what was dealt, then recipes. */
static uint32_t run_name_texts(struct run *r, const struct wire_share_all *all,
                               char **keys)
{
    uint32_t count = 0;

    r->has_dealt = false;
    for (uint32_t i = 0; i < all->share_count && !r->has_dealt; i++) {
        r->has_dealt = run_is_dealt_here(r, &all->shares[i]);
    }
    if (r->has_dealt) {
        keys[count++] = mem_print("%sruns/%s/dealt", buf_text(&r->state_prefix),
                                  r->lease.run);
    }
    for (uint32_t i = 0; i < all->share_count; i++) {
        if (run_has_recipes(r, &all->shares[i])) {
            keys[count++] = share_recipes_key(all->shares[i].catalog);
        }
    }
    return count;
}

static void run_free_keys(char **keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(keys[i]);
    }
}

/* ---- Telling how it goes. ------------------------------------------------
 */

static void run_bring_begin_telling(struct run *r)
{
    r->progress.told_ms = clock_now_ms(&clock_os);
}

static struct progress_sum run_bring_sum(const struct run *r)
{
    struct progress_sum sum = {0};

    for (uint32_t i = 0; i < r->share_count; i++) {
        struct bring_progress done = bring_progress(r->bring, i);

        sum.units += r->channels[i].units;
        sum.units_done += done.units;
        sum.bytes += r->channels[i].bytes;
        sum.bytes_done += done.bytes;
        sum.bytes_found += done.found;
    }
    return sum;
}

/* The cursor goes back to the start of the row, so that a line of the log
 * begins there and not behind this one. */
static void run_bring_show(struct run *r, const struct progress_sum *sum)
{
    char line[PROGRESS_LINE_MAX];

    (void)fprintf(stderr, "\r\033[K%s\r",
                  progress_line(&r->progress.rate, sum, line));
    (void)fflush(stderr);
    r->progress.is_shown = true;
}

static void run_bring_log(struct run *r, const struct progress_sum *sum,
                          uint64_t now_ms)
{
    double left = progress_left(&r->progress.rate, sum);

    if (now_ms - r->progress.told_ms < progress_log_ms(r->progress.lines)) {
        return;
    }
    r->progress.told_ms = now_ms;
    r->progress.lines++;
    log_event(LOG_INFO, "share.progress",
              "units=%" PRIu64 "/%" PRIu64 " bytes=%" PRIu64 "/%" PRIu64
              " bytes_per_s=%.0f left_s=%.0f",
              sum->units_done, sum->units, sum->bytes_done, sum->bytes,
              progress_rate(&r->progress.rate), left);
}

void run_bring_tell(struct run *r)
{
    uint64_t now_ms = clock_now_ms(&clock_os);
    struct progress_sum sum;

    if (r->bring == NULL) {
        return;
    }
    sum = run_bring_sum(r);
    progress_add(&r->progress.rate, &sum, now_ms);
    if (log_is_on(LOG_INFO) && isatty(STDERR_FILENO) == 1) {
        run_bring_show(r, &sum);
    } else {
        run_bring_log(r, &sum, now_ms);
    }
}

void run_bring_told(struct run *r)
{
    if (r->progress.is_shown) {
        (void)fprintf(stderr, "\r\033[K");
        (void)fflush(stderr);
        r->progress.is_shown = false;
    }
}

enum status run_bring_start(struct run *r, const struct wire_share_all *all,
                            struct fault *why)
{
    char *keys[2 * WIRE_CHANNELS_MAX];
    char *texts[WIRE_CHANNELS_MAX + 1];
    uint32_t count = run_name_keys(r, all, keys);
    uint32_t text_count;
    enum status s;

    CHECK(r->share_count == 0 && r->fetch == NULL && r->bring == NULL);
    r->output_uri = all->output.size > 0 ? run_copy_bytes(all->output) : NULL;
    r->checkpoint_uri =
        all->checkpoint.size > 0 ? run_copy_bytes(all->checkpoint) : NULL;
    r->first_rank = all->first_rank;
    r->rank_count = all->rank_count;
    r->dealt = all;
    text_count = run_name_texts(r, all, texts);
    s = share_fetch_start(&(struct share_fetch_options){r->state_uri, keys,
                                                        count, texts,
                                                        text_count},
                          why, &r->fetch);
    run_free_keys(keys, count);
    run_free_keys(texts, text_count);
    return s;
}

/* It ends before anything else is read, so that all memory is its. */
static enum status run_bring_plan(const struct run *r, uint32_t *parts,
                                  struct fault *why)
{
    static const enum memory_mode file = MEMORY_FILE;
    struct memory_plan plan = {0};
    enum status s = STATUS_OK;

    if (r->share_count > 0) {
        s = memory_plan(&(struct memory_options){run_memory(r), 1, 1, &file},
                        why, &plan);
        hedge_set_room(plan.hedge_bytes);
    }
    *parts = plan.brings;
    return s;
}

enum status run_bring_go_on(struct run *r, struct fault *why)
{
    uint32_t parts = 0;
    enum status s = share_fetch_join(r->fetch, why);

    if (s == STATUS_OK && r->has_dealt) {
        s = run_streams_take_dealt(&r->streams,
                                   buf_bytes(share_fetch_text(r->fetch, 0)),
                                   r->lease.run, why);
    }
    if (s == STATUS_OK) {
        s = run_take_shares(r, why);
    }
    share_fetch_destroy(&r->fetch);
    if (s == STATUS_OK) {
        s = run_bring_plan(r, &parts, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    run_bring_begin_telling(r);
    return bring_start(
        &(struct bring_options){
            .data_dir = r->contract.data,
            .lanes = (uint32_t)run_setting(r, SETTING_LANES),
            .parts = parts,
            .channels = r->channels,
            .channel_count = r->share_count,
        },
        why, &r->bring);
}

int run_bring_fd(const struct run *r)
{
    if (r->fetch != NULL) {
        return share_fetch_fd(r->fetch);
    }
    return r->bring != NULL ? bring_fd(r->bring) : -1;
}

void run_bring_cancel(struct run *r)
{
    if (r->fetch != NULL) {
        share_fetch_cancel(r->fetch);
    }
    if (r->bring != NULL) {
        bring_cancel(r->bring);
    }
}

void run_bring_progress(const struct run *r, struct wire_beat *beat)
{
    bool is_known = r->bring != NULL || r->is_brought;

    beat->progress_count = is_known ? r->share_count : 0;
    for (uint32_t i = 0; i < beat->progress_count; i++) {
        struct bring_progress done = {r->channels[i].units,
                                      r->channels[i].bytes, 0};

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
    share_fetch_destroy(&r->fetch);
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
