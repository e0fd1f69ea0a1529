/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/advise.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "cli/amount.h"

/* Where advice turns. */
enum {
    ADVISE_FILE_SECONDS = 60, /* Who waits so long for File is well served. */
    ADVISE_PACK_SECONDS = 60, /* Of requests, an epoch, before packing pays, */
    ADVISE_PACK_FACTOR = 2,   /* and so many times those of its bytes. */
    ADVISE_SHARD = 150000000,
    ADVISE_RECORDS_PART = 2, /* At least one in so many is of records. */
};

const char *advise_mode_name(enum advise_mode mode)
{
    static const char *const names[] = {"File", "FastFile", "Pipe", "Ring"};

    CHECK((unsigned)mode < ADVISE_MODES);
    return names[mode];
}

struct advise_setting advise_usual(void)
{
    return (struct advise_setting){
        .hosts = 1,
        .ranks = 1,
        .bandwidth = 1.25e9,
        .latency = 0.03,
        .connections = 64,
        .requests_max = 5500,
        .list_rate = 50000,
    };
}

void advise_add(struct advise_seen *seen, struct bytes key, uint64_t size)
{
    static const char *const endings[] = {".tar", ".rec", ".recordio",
                                          ".tfrecord", ".tfrecords"};

    seen->objects++;
    seen->bytes += size;
    seen->largest = size > seen->largest ? size : seen->largest;
    seen->small += size <= ADVISE_SMALL;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        seen->records += bytes_has_suffix(key, bytes_of(endings[i]));
    }
}

static double advise_less(double a, double b)
{
    return a < b ? a : b;
}

static double advise_more(double a, double b)
{
    return a > b ? a : b;
}

/* What one host reads of @all. */
static double advise_part(const struct advise_setting *s, uint64_t all)
{
    return s->is_replicated ? (double)all : (double)all / s->hosts;
}

/* ---- The figures. */

static void advise_measure(const struct advise_seen *seen,
                           const struct advise_setting *s, struct advise *out)
{
    double asked = advise_part(s, seen->objects);
    double bytes = advise_part(s, seen->bytes);
    double slot = advise_less(out->mean, ADVISE_SLOT);
    double first;

    out->requests =
        advise_less(s->connections / s->latency, s->requests_max / s->hosts);
    out->list = s->latency + (double)seen->objects / s->list_rate;
    out->epoch_bytes = bytes / s->bandwidth;
    out->epoch = advise_more(asked / out->requests, out->epoch_bytes);
    first = out->list + s->latency + slot / s->bandwidth;
    for (unsigned i = 0; i < ADVISE_MODES; i++) {
        out->rows[i].fits = true;
        out->rows[i].start = first;
    }
    out->rows[ADVISE_FILE].start = out->list + s->latency + out->epoch;
    /* One machine reads and writes all of it, as one host would. */
    out->pack =
        out->list + advise_more((double)seen->objects /
                                    advise_less(s->connections / s->latency,
                                                s->requests_max),
                                2 * (double)seen->bytes / s->bandwidth);
    out->packed_epoch =
        advise_more(out->epoch_bytes, bytes / ADVISE_SHARD / out->requests);
}

/* ---- The words. */

#define ADVISE_SAY(row, ...)                                                   \
    (void)snprintf((row)->why, sizeof((row)->why), __VA_ARGS__)

static void advise_say_file(const struct advise_seen *seen,
                            const struct advise_setting *s, struct advise *out)
{
    struct advise_row *row = &out->rows[ADVISE_FILE];
    double need = advise_part(s, seen->bytes);
    char share[AMOUNT_TEXT_MAX];
    char disk[AMOUNT_TEXT_MAX];

    (void)amount_bytes((uint64_t)need, share);
    if (s->disk > 0 && need > (double)s->disk) {
        row->fits = false;
        ADVISE_SAY(row, "a host's share, %s, is more than the disk's %s", share,
                   amount_bytes(s->disk, disk));
        return;
    }
    ADVISE_SAY(row,
               "the command starts when all of a host's share, %s, is on its "
               "disk; epochs after the first cost nothing",
               share);
}

static void advise_say_ring(const struct advise_setting *s, struct advise *out)
{
    struct advise_row *row = &out->rows[ADVISE_RING];
    uint64_t need = (uint64_t)s->ranks * ADVISE_SLOTS * ADVISE_SLOT;
    char text[AMOUNT_TEXT_MAX];

    if (s->memory > 0 && s->memory < need) {
        row->fits = false;
        ADVISE_SAY(row,
                   "%" PRIu32 " ranks want %s of memory at least: %d slots "
                   "each",
                   s->ranks, amount_bytes(need, text), ADVISE_SLOTS);
        return;
    }
    ADVISE_SAY(row, "no copy, in memory next to the GPU; the command reads "
                    "through the client library");
}

static void advise_say_rows(const struct advise_seen *seen,
                            const struct advise_setting *s, struct advise *out)
{
    advise_say_file(seen, s, out);
    advise_say_ring(s, out);
    ADVISE_SAY(&out->rows[ADVISE_FASTFILE],
               "a mounted folder: for programs that open files by name, in "
               "any order");
    ADVISE_SAY(&out->rows[ADVISE_PIPE],
               "one pass after another through a FIFO: for programs that read "
               "so already");
}

static bool advise_packs(const struct advise *a, double asked)
{
    double requests = asked / a->requests;

    return requests > ADVISE_PACK_SECONDS &&
           requests > ADVISE_PACK_FACTOR * a->epoch_bytes;
}

static enum advise_mode advise_stream(const struct advise *a, bool has_records)
{
    return has_records && a->rows[ADVISE_RING].fits ? ADVISE_RING
                                                    : ADVISE_FASTFILE;
}

static void advise_say_pack(struct advise *a)
{
    char epoch[AMOUNT_TEXT_MAX];
    char bytes[AMOUNT_TEXT_MAX];
    char pack[AMOUNT_TEXT_MAX];
    char packed[AMOUNT_TEXT_MAX];

    ADVISE_SAY(
        a,
        "objects are small: an epoch is %s of requests for %s of bytes; "
        "packed once, in about %s, it is %s",
        amount_seconds(a->epoch, epoch), amount_seconds(a->epoch_bytes, bytes),
        amount_seconds(a->pack, pack), amount_seconds(a->packed_epoch, packed));
}

static void advise_choose(const struct advise_seen *seen,
                          const struct advise_setting *s, struct advise *a)
{
    bool has_records = seen->records >= seen->objects / ADVISE_RECORDS_PART &&
                       seen->records > 0;
    char start[AMOUNT_TEXT_MAX];
    char first[AMOUNT_TEXT_MAX];

    (void)amount_seconds(a->rows[ADVISE_FILE].start, start);
    (void)amount_seconds(a->rows[ADVISE_FASTFILE].start, first);
    if (advise_packs(a, advise_part(s, seen->objects))) {
        a->packs = true;
        a->mode = advise_stream(a, true);
        advise_say_pack(a);
    } else if (a->rows[ADVISE_FILE].fits &&
               a->rows[ADVISE_FILE].start <= ADVISE_FILE_SECONDS) {
        a->mode = ADVISE_FILE;
        ADVISE_SAY(a, "all of it is there within %s; nothing is simpler",
                   start);
    } else if (!a->rows[ADVISE_FILE].fits) {
        a->mode = advise_stream(a, has_records);
        ADVISE_SAY(a,
                   "the disk is too small for File; streamed, the command "
                   "starts after %s",
                   first);
    } else {
        a->mode = advise_stream(a, has_records);
        ADVISE_SAY(a, "streamed, the command starts after %s; as File after %s",
                   first, start);
    }
}

static void advise_hint(const struct advise_seen *seen,
                        const struct advise_setting *s, struct advise *a)
{
    uint64_t ranks = (uint64_t)s->hosts * s->ranks;

    if (!s->is_replicated && !a->packs && seen->objects < ranks) {
        (void)snprintf(a->hint, sizeof(a->hint),
                       "%" PRIu64 " objects for %" PRIu64
                       " ranks: some get nothing, unless large ones are cut "
                       "into ranges of records",
                       seen->objects, ranks);
    }
}

void advise_make(const struct advise_seen *seen,
                 const struct advise_setting *setting, struct advise *out)
{
    CHECK(seen->objects > 0 && setting->hosts > 0 && setting->ranks > 0);
    CHECK(setting->bandwidth > 0 && setting->latency > 0);
    *out = (struct advise){.mean = (double)seen->bytes / (double)seen->objects};
    advise_measure(seen, setting, out);
    advise_say_rows(seen, setting, out);
    advise_choose(seen, setting, out);
    advise_hint(seen, setting, out);
}
