/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "proto/net_impl_zmq.h"

static struct net_guard_slot *net_guard_slot(struct net *n, uint64_t peer)
{
    struct net_guard_slot *slot = &n->slots[peer % NET_GUARD_SLOTS];

    if (slot->peer != peer) {
        *slot = (struct net_guard_slot){.peer = peer};
    }
    return slot;
}

/* Look up the key of @frame's sender unless that still holds. A generation is
 * read first: what changes after is seen with the next message. */
static bool net_guard_knows(struct net *n, struct net_guard_slot *slot,
                            zmq_msg_t *frame)
{
    uint64_t generation = net_gate_generation(n->gate);
    const char *key;

    if (slot->generation == generation) {
        return true;
    }
    key = zmq_msg_gets(frame, "User-Id");
    if (key == NULL || !net_gate_is_admitted(n->gate, key, &slot->tag)) {
        return false;
    }
    slot->generation = generation;
    return true;
}

static bool net_guard_is_flood(struct net *n, struct net_guard_slot *slot)
{
    uint64_t second = clock_now_ms(&clock_os) / 1000;

    if (slot->second != second) {
        slot->second = second;
        slot->taken = 0;
    }
    return slot->taken++ >= n->rate_max;
}

enum net_verdict net_guard_judge(struct net *n, uint64_t peer, zmq_msg_t *frame)
{
    struct net_guard_slot *slot;

    n->tag = 0;
    if (n->slots == NULL) {
        return NET_HEAR;
    }
    slot = net_guard_slot(n, peer);
    if (n->gate != NULL && !net_guard_knows(n, slot, frame)) {
        n->counts.expired++;
        return NET_DROP;
    }
    if (n->rate_max > 0 && net_guard_is_flood(n, slot)) {
        n->counts.flooded++;
        return NET_DROP;
    }
    n->tag = slot->tag;
    return NET_HEAR;
}
