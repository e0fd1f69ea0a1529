/* SPDX-License-Identifier: Apache-2.0 */
/* What streams do, for the status of the job: how much of each was handed over
 * and consumed, who waits for whom, and where its memory lies. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/run_stream.h"

enum { STREAM_METER_MS = 1000, STREAM_PERCENT = 100 };

/* What a deliverer says of a rank's stream. */
struct stream_now {
    uint64_t epoch;
    uint64_t units;
    uint64_t done;
    uint64_t bytes;
    uint64_t store; /* As in the meter. */
    uint64_t consumer;
};

static bool stream_is_delivered(const struct run_streams *s,
                                const struct run_stream *t)
{
    return t->pipe != NULL || t->mount != NULL ||
           (t->channel->mode == JOB_RING && s->rings != NULL);
}

static struct stream_now stream_look(const struct run_streams *s,
                                     const struct run_stream *t, uint32_t rank)
{
    if (t->pipe != NULL) {
        struct pipe_stats p = pipe_stats(t->pipe);

        return (struct stream_now){p.number, p.objects,  p.objects,
                                   p.bytes,  p.stall_ms, p.full_ms};
    }
    if (t->mount != NULL) {
        struct mount_ahead_stats m = mount_stats(t->mount).ahead;

        return (struct stream_now){
            .bytes = m.bytes, .store = m.waited, .consumer = m.reads};
    }
    struct rings_line_stats r =
        rings_line_stats(s->rings, t->ring_number, rank);

    return (struct stream_now){r.epoch, r.units,    r.done,
                               r.bytes, r.store_ms, r.consumer_ms};
}

static uint64_t stream_grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0; /* A wait ended just now. */
}

static uint64_t stream_part(uint64_t part, uint64_t whole)
{
    if (part >= whole) {
        return whole > 0 ? STREAM_PERCENT : 0;
    }
    return part * STREAM_PERCENT / whole;
}

/* A mount knows of each read whether it waited; none at all wait for the
 * consumer. */
static void stream_meter_reads(struct run_stream_meter *m,
                               const struct stream_now *now)
{
    uint64_t reads = now->consumer - m->consumer;

    m->store_part = stream_part(now->store - m->store, reads);
    m->consumer_part = reads == 0 ? STREAM_PERCENT : 0;
}

static void stream_meter(const struct run_stream *t, struct run_stream_meter *m,
                         const struct stream_now *now, uint64_t now_ms)
{
    uint64_t ms = now_ms - m->at_ms;

    if (ms < STREAM_METER_MS) {
        return;
    }
    m->rate = (uint64_t)((double)(now->bytes - m->bytes) * 1000 / (double)ms);
    if (t->mount != NULL) {
        stream_meter_reads(m, now);
    } else {
        m->store_part = stream_part(stream_grown(now->store, m->store), ms);
        m->consumer_part =
            stream_part(stream_grown(now->consumer, m->consumer), ms);
    }
    m->at_ms = now_ms;
    m->bytes = now->bytes;
    m->store = now->store;
    m->consumer = now->consumer;
}

/* ---- Where it lies. -------------------------------------------------------
 */

static const struct placement_rank *stream_decided(const struct run_streams *s,
                                                   uint32_t rank)
{
    const struct placement *p = s->options.placement;

    return p != NULL && rank < p->rank_count ? &p->ranks[rank] : NULL;
}

static void stream_say_placed(const struct run_streams *s,
                              const struct run_stream *t, uint32_t rank,
                              char out[RUN_STREAM_PLACED_MAX])
{
    const struct place_got *got = slots_got(t->slots[rank]);
    const struct placement_rank *wanted = stream_decided(s, rank);
    bool is_ring = t->channel->mode == JOB_RING;
    int node = is_ring ? s->options.nodes[rank] : -1;
    const char *huge = s->options.huge == RUN_HUGE_OFF ? ""
                       : t->lacks_huge                 ? ", no huge pages"
                                                       : ", huge pages";

    if (node < 0) {
        snprintf(out, RUN_STREAM_PLACED_MAX, "any node%s", huge);
    } else if (got->seen == PLACE_UNVERIFIED || got->pages_there < got->pages) {
        snprintf(out, RUN_STREAM_PLACED_MAX, "wanted node %d%s: %.60s", node,
                 huge, got->text);
    } else if (wanted != NULL && wanted->sure == PLACEMENT_DEGRADED) {
        snprintf(out, RUN_STREAM_PLACED_MAX, "node %d%s, degraded: %.60s", node,
                 huge, wanted->why);
    } else {
        snprintf(out, RUN_STREAM_PLACED_MAX, "node %d%s", node, huge);
    }
}

static void stream_begin(struct run_streams *s, struct run_stream *t,
                         uint64_t now_ms)
{
    t->meters = mem_new(t->ranks, sizeof(t->meters[0]));
    for (uint32_t i = 0; i < t->ranks; i++) {
        t->meters[i].at_ms = now_ms;
        if (t->slots[i] != NULL) {
            stream_say_placed(s, t, i, t->meters[i].placed);
        }
    }
}

/* ---- Together. ------------------------------------------------------------
 */

static struct wire_stream stream_said(const struct run_stream *t, uint32_t rank,
                                      const struct stream_now *now)
{
    const struct run_stream_meter *m = &t->meters[rank];

    return (struct wire_stream){
        .channel = bytes_of(t->channel->name),
        .rank = t->channel->mode == JOB_RING ? rank : WIRE_RANKS_MAX,
        .mode = t->channel->mode,
        .epoch = now->epoch,
        .units = now->units,
        .done = now->done,
        .bytes = now->bytes,
        .rate = m->rate,
        .store = m->store_part,
        .consumer = m->consumer_part,
        .placed = bytes_of(m->placed),
    };
}

/* Add a rank to what stands for all of them: of what waits, the worst. */
static void stream_add(struct wire_stream *sum, const struct wire_stream *one)
{
    sum->rank = WIRE_RANKS_MAX;
    sum->epoch = one->epoch > sum->epoch ? one->epoch : sum->epoch;
    sum->units += one->units;
    sum->done += one->done;
    sum->bytes += one->bytes;
    sum->rate += one->rate;
    sum->store = one->store > sum->store ? one->store : sum->store;
    sum->consumer =
        one->consumer > sum->consumer ? one->consumer : sum->consumer;
}

static void stream_tell(struct run_streams *s, struct run_stream *t,
                        bool is_summed, uint64_t now_ms, struct wire_beat *beat)
{
    if (t->meters == NULL) {
        stream_begin(s, t, now_ms);
    }
    for (uint32_t k = 0; k < t->ranks; k++) {
        struct stream_now now = stream_look(s, t, k);
        struct wire_stream said;

        stream_meter(t, &t->meters[k], &now, now_ms);
        said = stream_said(t, k, &now);
        if (is_summed && k > 0) {
            stream_add(&beat->streams[beat->stream_count - 1], &said);
            continue;
        }
        CHECK(beat->stream_count < WIRE_STREAMS_MAX);
        beat->streams[beat->stream_count++] = said;
    }
}

void run_streams_tell(struct run_streams *s, uint64_t now_ms,
                      struct wire_beat *beat)
{
    uint32_t rows = 0;

    for (uint32_t i = 0; i < s->count; i++) {
        rows += s->each[i].ranks;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        struct run_stream *t = &s->each[i];

        if (stream_is_delivered(s, t)) {
            stream_tell(s, t, rows > WIRE_STREAMS_MAX, now_ms, beat);
        }
    }
}
