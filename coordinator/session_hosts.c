/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts by number, by name and by peer. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "coordinator/session_state.h"

struct session_name {
    const char *name;
    uint32_t host;
};

static int session_compare_names(const void *a, const void *b)
{
    const struct session_name *x = a;
    const struct session_name *y = b;

    return strcmp(x->name, y->name);
}

static void session_sort_names(struct session *s)
{
    struct session_name *names = mem_new(s->host_count, sizeof(*names));

    for (uint32_t i = 0; i < s->host_count; i++) {
        names[i] = (struct session_name){s->hosts[i].name, i};
    }
    qsort(names, s->host_count, sizeof(*names), session_compare_names);
    for (uint32_t i = 0; i < s->host_count; i++) {
        CHECK(i == 0 || strcmp(names[i - 1].name, names[i].name) != 0);
        s->by_name[i] = names[i].host;
    }
    free(names);
}

void session_hosts_init(struct session *s, const struct session_options *o)
{
    uint32_t room = 4;

    CHECK(o->host_count > 0 && o->host_count < UINT32_C(1) << 30);
    s->host_count = o->host_count;
    s->hosts = mem_new(s->host_count, sizeof(*s->hosts));
    s->by_name = mem_new(s->host_count, sizeof(*s->by_name));
    for (uint32_t i = 0; i < s->host_count; i++) {
        s->hosts[i].name = mem_copy(o->hosts[i]);
        s->hosts[i].heard_ms = o->now_ms;
        if (o->incarnations != NULL && o->incarnations[i] != NULL &&
            o->incarnations[i][0] != '\0') {
            s->hosts[i].incarnation = mem_copy(o->incarnations[i]);
        }
    }
    while (room < 2 * s->host_count) {
        room *= 2;
    }
    s->peers = mem_new(room, sizeof(*s->peers));
    s->peer_mask = room - 1;
    s->in_phase[WIRE_PHASE_ABSENT] = s->host_count;
    session_sort_names(s);
}

void session_hosts_fini(struct session *s)
{
    for (uint32_t i = 0; i < s->host_count; i++) {
        free(s->hosts[i].name);
        free(s->hosts[i].incarnation);
        free(s->hosts[i].progress);
        free(s->hosts[i].streams);
        free(s->hosts[i].reason);
    }
    free(s->hosts);
    free(s->by_name);
    free(s->peers);
}

uint32_t session_find_name(const struct session *s, struct bytes name)
{
    uint32_t low = 0;
    uint32_t high = s->host_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t host = s->by_name[middle];
        int order = bytes_compare(bytes_of(s->hosts[host].name), name);

        if (order == 0) {
            return host;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SESSION_NO_HOST;
}

static uint32_t session_peer_home(const struct session *s, uint64_t peer)
{
    return (uint32_t)prng_mix(peer) & s->peer_mask;
}

/* Return where @peer stands, or the free place where it would. */
static uint32_t session_peer_place(const struct session *s, uint64_t peer)
{
    uint32_t i = session_peer_home(s, peer);

    while (s->peers[i].is_used && s->peers[i].peer != peer) {
        i = (i + 1) & s->peer_mask;
    }
    return i;
}

uint32_t session_find_peer(const struct session *s, uint64_t peer)
{
    const struct session_peer *p = &s->peers[session_peer_place(s, peer)];

    return p->is_used ? p->host : SESSION_NO_HOST;
}

/* Close the gap that a removed peer leaves, so that no search stops at it. */
static void session_forget_peer(struct session *s, uint64_t peer)
{
    uint32_t gap = session_peer_place(s, peer);

    CHECK(s->peers[gap].is_used);
    s->peers[gap].is_used = false;
    for (uint32_t i = (gap + 1) & s->peer_mask; s->peers[i].is_used;
         i = (i + 1) & s->peer_mask) {
        uint32_t home = session_peer_home(s, s->peers[i].peer);
        uint32_t way = (i - home) & s->peer_mask;

        if (way >= ((i - gap) & s->peer_mask)) {
            s->peers[gap] = s->peers[i];
            s->peers[i].is_used = false;
            gap = i;
        }
    }
}

void session_bind(struct session *s, uint32_t host, uint64_t peer)
{
    struct session_member *h = &s->hosts[host];
    uint32_t other = session_find_peer(s, peer);

    if (other == host) {
        return;
    }
    if (other != SESSION_NO_HOST) {
        session_forget_peer(s, peer);
        s->hosts[other].has_peer = false;
    }
    if (h->has_peer) {
        session_forget_peer(s, h->peer);
    }
    s->peers[session_peer_place(s, peer)] =
        (struct session_peer){true, peer, host};
    h->has_peer = true;
    h->peer = peer;
}

void session_set_phase(struct session *s, uint32_t host, enum wire_phase p)
{
    struct session_member *h = &s->hosts[host];

    CHECK(s->in_phase[h->phase] > 0 && p < WIRE_PHASES);
    s->in_phase[h->phase]--;
    s->in_phase[p]++;
    h->phase = p;
}

static void session_take_streams(struct session_member *h,
                                 const struct wire_beat *beat)
{
    if (beat->stream_count > h->stream_room) {
        h->stream_room = beat->stream_count;
        h->streams = mem_grow(h->streams, h->stream_room, sizeof(*h->streams));
    }
    h->stream_count = beat->stream_count;
    for (uint32_t i = 0; i < beat->stream_count; i++) {
        struct session_stream *to = &h->streams[i];
        struct bytes channel = beat->streams[i].channel;
        struct bytes placed = beat->streams[i].placed;

        CHECK(channel.size < sizeof(to->channel));
        CHECK(placed.size < sizeof(to->placed));
        *to = (struct session_stream){.said = beat->streams[i]};
        to->said.channel = to->said.placed = (struct bytes){0};
        memcpy(to->channel, channel.at, channel.size);
        if (placed.size > 0) {
            memcpy(to->placed, placed.at, placed.size);
        }
    }
}

void session_take_progress(struct session_member *h,
                           const struct wire_beat *beat)
{
    session_take_streams(h, beat);
    if (beat->saved_units >= h->saved_units) {
        h->saved_units = beat->saved_units;
        h->saved_bytes = beat->saved_bytes;
    }
    if (beat->progress_count == 0) {
        return;
    }
    if (beat->progress_count > h->progress_room) {
        h->progress_room = beat->progress_count;
        h->progress =
            mem_grow(h->progress, h->progress_room, sizeof(*h->progress));
    }
    h->progress_count = 0;
    for (uint32_t i = 0; i < beat->progress_count; i++) {
        const struct wire_progress *from = &beat->progress[i];
        struct session_progress *to = &h->progress[h->progress_count];

        if (from->channel.size > SESSION_CHANNEL_NAME_MAX) {
            continue;
        }
        memcpy(to->channel, from->channel.at, from->channel.size);
        to->channel[from->channel.size] = '\0';
        to->units_done = from->units_done;
        to->units = from->units;
        to->bytes_done = from->bytes_done;
        to->bytes = from->bytes;
        h->progress_count++;
    }
}

void session_hosts_check(const struct session *s)
{
    uint32_t in_phase[WIRE_PHASES] = {0};

    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct session_member *h = &s->hosts[i];

        in_phase[h->phase]++;
        CHECK_IMPLIES(h->has_peer, session_find_peer(s, h->peer) == i);
        CHECK_IMPLIES(h->has_peer, h->incarnation != NULL);
        CHECK(h->heard_ms <= s->now_ms);
        CHECK(h->progress_count <= h->progress_room);
        CHECK(h->stream_count <= h->stream_room);
        CHECK_IMPLIES(h->phase != WIRE_PHASE_ABSENT &&
                          h->phase != WIRE_PHASE_LOST,
                      h->incarnation != NULL);
    }
    CHECK(memcmp(in_phase, s->in_phase, sizeof(in_phase)) == 0);
}
