/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts of a job as a coordinator sees them: they say HELLO, READY, BEAT and
 * WORK, and take what they are told. Lighter than real ones, so that many fit
 * beside the coordinator that is measured. */

#ifndef TESTS_BENCH_COORDINATOR_HOSTS_H
#define TESTS_BENCH_COORDINATOR_HOSTS_H

#include <stdlib.h>

#include "proto/wire.h"
#include "proto/work.h"

enum {
    HOST_LEASES_MAX = 40,
    HOST_RANKS_MAX = 8,
    HOST_AHEAD = 8, /* A rank wants work when it has fewer units left. */
};

struct host_lease {
    uint64_t number;
    uint32_t rank;
    uint64_t begun; /* Consumed below, */
    uint64_t end;
    uint64_t acked; /* known to be durable below, */
    uint64_t told;  /* said in the last WORK. */
};

struct host {
    enum wire_phase phase;
    bool is_welcome;
    bool is_ready;     /* READY is to be said. */
    bool has_grant;    /* Of this term. */
    uint64_t hello_ms; /* When each is to be said next. */
    uint64_t beat_ms;
    uint64_t work_ms;
    uint64_t used_ms; /* Units are consumed up to here. */
    uint64_t beats;
    uint64_t seq;
    uint64_t granted_seq;
    uint64_t units; /* Consumed. */
    uint32_t lease_count;
    struct host_lease leases[HOST_LEASES_MAX];
};

struct host_job {
    const char *run;
    uint64_t term;
    uint32_t count;
    uint64_t gap_ms; /* Between WORKs. */
    uint64_t rate;   /* Units a second of each rank. */
    uint32_t channel;
    struct work work;
    struct grant grant;
    struct buf body;
};

static inline uint64_t host_left(const struct host *h, uint32_t rank)
{
    uint64_t left = 0;

    for (uint32_t i = 0; i < h->lease_count; i++) {
        left += h->leases[i].rank == rank
                    ? h->leases[i].end - h->leases[i].begun
                    : 0;
    }
    return left;
}

/* Let each rank consume what it does in the time that has passed. */
static inline void host_consume(const struct host_job *job, struct host *h,
                                uint64_t now_ms)
{
    uint64_t units = job->rate * (now_ms - h->used_ms) / 1000;
    uint64_t left[HOST_RANKS_MAX];

    if (units == 0) {
        return;
    }
    h->used_ms += units * 1000 / job->rate;
    for (uint32_t i = 0; i < HOST_RANKS_MAX; i++) {
        left[i] = units;
    }
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct host_lease *l = &h->leases[i];
        uint64_t here = l->end - l->begun;

        here = here < left[l->rank] ? here : left[l->rank];
        l->begun += here;
        left[l->rank] -= here;
        h->units += here;
    }
}

static inline struct wire_message host_message(const struct host_job *job,
                                               enum wire_type type)
{
    struct wire_message m = {.type = type, .term = job->term};

    memcpy(m.job, job->run, strlen(job->run) + 1);
    return m;
}

static inline void host_fill_work(struct host_job *job, struct host *h)
{
    struct work *w = &job->work;

    w->channel = job->channel;
    w->epoch = 0;
    w->seq = ++h->seq;
    w->want_count = 0;
    w->lease_count = 0;
    w->done_count = 0;
    for (uint32_t i = 0; i < HOST_RANKS_MAX; i++) {
        if (host_left(h, i) < HOST_AHEAD) {
            w->wants[w->want_count++] = (struct work_want){i, 0};
        }
    }
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct host_lease *l = &h->leases[i];

        w->leases[w->lease_count++] =
            (struct work_lease){l->number, l->begun, l->end};
        l->told = l->begun;
        if (l->told > l->acked) {
            w->done[w->done_count++] =
                (struct work_done){l->number, l->acked, l->told};
        }
    }
}

static inline void host_say_work(struct host_job *job, struct host *h,
                                 struct buf *out)
{
    struct wire_message m = host_message(job, WIRE_WORK);

    host_fill_work(job, h);
    buf_clear(&job->body);
    work_write(&job->work, &job->body);
    m.work = (struct wire_work){job->channel, buf_bytes(&job->body)};
    wire_encode(&m, out);
}

static inline void host_take_grant(struct host_job *job, struct host *h,
                                   struct bytes body)
{
    struct host_lease old[HOST_LEASES_MAX];
    uint32_t old_count = h->lease_count;
    struct grant *g = &job->grant;
    uint32_t at = 0;

    CHECK(grant_read(body, NULL, g) == STATUS_OK);
    if (g->seq != h->seq) {
        return;
    }
    CHECK(g->refused_count == 0 && g->lease_count <= HOST_LEASES_MAX);
    memcpy(old, h->leases, old_count * sizeof(old[0]));
    h->granted_seq = g->seq;
    h->has_grant = true;
    h->lease_count = g->lease_count;
    for (uint32_t i = 0; i < g->lease_count; i++) {
        const struct grant_lease *from = &g->leases[i];
        struct host_lease *to = &h->leases[i];

        while (at < old_count && old[at].number < from->number) {
            at++;
        }
        *to = at < old_count && old[at].number == from->number
                  ? old[at]
                  : (struct host_lease){from->number, from->rank,  from->first,
                                        from->end,    from->first, from->first};
        to->acked = to->told;
        to->end = from->want_end > to->begun ? from->want_end : to->begun;
    }
}

static inline void host_take(struct host_job *job, struct host *h,
                             const struct wire_message *m)
{
    if (m->type == WIRE_WELCOME) {
        h->is_welcome = true;
    } else if (m->type == WIRE_SHARE) {
        h->is_ready = h->phase < WIRE_PHASE_READY;
    } else if (m->type == WIRE_START && h->phase < WIRE_PHASE_RUNNING) {
        h->phase = WIRE_PHASE_RUNNING;
    } else if (m->type == WIRE_GRANT) {
        host_take_grant(job, h, m->grant.body);
    } else if (m->type == WIRE_REFUSE) {
        UNREACHABLE("a host that is refused");
    }
}

#endif /* TESTS_BENCH_COORDINATOR_HOSTS_H */
