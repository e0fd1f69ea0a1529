/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_net.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { SIM_NET_USUAL_US = 2000 };

/* One connection. Its number is its place in the list, and also what the
 * server calls the peer. Number 0 is never used. */
struct sim_link {
    uint32_t client;
    uint32_t server;
    bool is_open;
    uint64_t up_us; /* When the last message will be there. */
    uint64_t down_us;
};

struct sim_net_node {
    bool is_up;
    uint64_t process;  /* Grows with each. */
    uint64_t link;     /* Of its client; 0: none yet. */
    bool has_server;   /* Its client is pointed to: */
    uint32_t server;   /* this node's */
    uint64_t expected; /* process. */
};

struct sim_cut {
    uint64_t until_us;
    bool is_lossy;
};

struct sim_net {
    struct sim_net_options options;
    struct sim_net_node nodes[SIM_NODES_MAX];
    struct sim_cut cuts[SIM_NODES_MAX][SIM_NODES_MAX]; /* From, to. */
    struct sim_link *links;
    uint64_t count;
    uint64_t room;
};

struct sim_net *sim_net_new(const struct sim_net_options *options)
{
    struct sim_net *n = mem_new(1, sizeof(*n));

    CHECK(options->nodes <= SIM_NODES_MAX);
    n->options = *options;
    n->room = 64;
    n->links = mem_new(n->room, sizeof(*n->links));
    n->count = 1;
    return n;
}

void sim_net_destroy(struct sim_net **n)
{
    if (*n != NULL) {
        free((*n)->links);
    }
    free(*n);
    *n = NULL;
}

static uint64_t sim_net_now(const struct sim_net *n)
{
    return sim_clock_now_us(n->options.clock);
}

void sim_net_up(struct sim_net *n, uint32_t node)
{
    struct sim_net_node *p = &n->nodes[node];

    CHECK(node < n->options.nodes && !p->is_up);
    p->is_up = true;
    p->process++;
    p->link = 0;
    p->has_server = false;
}

void sim_net_down(struct sim_net *n, uint32_t node)
{
    CHECK(n->nodes[node].is_up);
    n->nodes[node].is_up = false;
    for (uint64_t i = 1; i < n->count; i++) {
        struct sim_link *l = &n->links[i];

        l->is_open = l->is_open && l->client != node && l->server != node;
    }
}

void sim_net_endpoint(const struct sim_net *n, uint32_t node,
                      char out[SIM_ENDPOINT_MAX])
{
    uint64_t process = n->options.has_fixed_ports ? 0 : n->nodes[node].process;

    snprintf(out, SIM_ENDPOINT_MAX, "tcp://h%" PRIu32 ":%" PRIu64, node,
             4000 + process);
}

void sim_net_connect(struct sim_net *n, uint32_t node, const char *endpoint)
{
    struct sim_net_node *p = &n->nodes[node];
    uint64_t port;

    if (p->link != 0) {
        n->links[p->link].is_open = false;
        p->link = 0;
    }
    p->has_server =
        sscanf(endpoint, "tcp://h%" SCNu32 ":%" SCNu64, &p->server, &port) == 2;
    CHECK(p->has_server && p->server < n->options.nodes && port >= 4000);
    p->expected = port - 4000;
}

/* ---- Sending. ---- */

static bool sim_net_rolls(struct sim_net *n, uint32_t chance)
{
    return chance > 0 && prng_chance(n->options.prng, chance, 1000);
}

static void sim_net_fly(struct sim_net *n, const struct sim_packet *head,
                        struct bytes message)
{
    const struct sim_weather *w = n->options.weather;
    struct sim_link *l = &n->links[head->link];
    uint64_t *last_us = head->is_up ? &l->up_us : &l->down_us;
    struct sim_packet *p = malloc(sizeof(*p) + message.size);
    uint64_t at_us = sim_net_now(n) + 100;

    CHECK(p != NULL);
    *p = *head;
    p->size = message.size;
    memcpy(p->at, message.at, message.size);
    at_us += prng_below(n->options.prng, SIM_NET_USUAL_US);
    if (w->delay_us > 0) {
        at_us += prng_below(n->options.prng, w->delay_us);
    }
    if (!sim_net_rolls(n, w->reorder)) {
        at_us = at_us > *last_us ? at_us : *last_us;
        *last_us = at_us;
    }
    sim_clock_add(n->options.clock,
                  (struct sim_event){.at_us = at_us,
                                     .kind = n->options.packet_kind,
                                     .node = p->to,
                                     .data = p});
}

static void sim_net_send(struct sim_net *n, const struct sim_packet *head,
                         struct bytes message)
{
    const struct sim_weather *w = n->options.weather;

    if (sim_net_rolls(n, w->breaks)) {
        n->links[head->link].is_open = false;
        return;
    }
    if (sim_net_rolls(n, w->loss)) {
        return;
    }
    sim_net_fly(n, head, message);
    if (sim_net_rolls(n, w->repeat)) {
        sim_net_fly(n, head, message);
    }
}

/* Make sure that @node's client has a connection, if its server is there. */
static bool sim_net_reach(struct sim_net *n, uint32_t node)
{
    struct sim_net_node *p = &n->nodes[node];
    const struct sim_net_node *server;

    if (!p->has_server) {
        return false;
    }
    server = &n->nodes[p->server];
    if (!server->is_up ||
        (!n->options.has_fixed_ports && server->process != p->expected)) {
        return false;
    }
    if (p->link != 0 && n->links[p->link].is_open) {
        return true;
    }
    if (n->count == n->room) {
        n->room *= 2;
        n->links = mem_grow(n->links, n->room, sizeof(*n->links));
    }
    p->link = n->count++;
    n->links[p->link] =
        (struct sim_link){.client = node, .server = p->server, .is_open = true};
    return true;
}

void sim_net_send_up(struct sim_net *n, uint32_t node, struct bytes message)
{
    struct sim_packet head = {.from = node, .is_up = true};

    if (!sim_net_reach(n, node)) {
        return;
    }
    head.link = n->nodes[node].link;
    head.to = n->nodes[node].server;
    sim_net_send(n, &head, message);
}

void sim_net_send_down(struct sim_net *n, uint32_t node, uint64_t peer,
                       struct bytes message)
{
    struct sim_packet head = {.from = node, .link = peer};

    CHECK(peer > 0 && peer < n->count && n->links[peer].server == node);
    if (!n->links[peer].is_open) {
        return;
    }
    head.to = n->links[peer].client;
    sim_net_send(n, &head, message);
}

/* ---- Coming. ---- */

void sim_net_cut(struct sim_net *n, uint32_t from, uint32_t to,
                 uint64_t until_us, bool is_lossy)
{
    CHECK(from < n->options.nodes && to < n->options.nodes);
    if (from != to) {
        n->cuts[from][to] = (struct sim_cut){until_us, is_lossy};
    }
}

void sim_net_calm(struct sim_net *n)
{
    memset(n->cuts, 0, sizeof(n->cuts));
}

struct sim_packet *sim_net_take(struct sim_net *n, struct sim_event *e)
{
    struct sim_packet *p = e->data;
    const struct sim_cut *cut = &n->cuts[p->from][p->to];

    CHECK(e->kind == n->options.packet_kind);
    e->data = NULL;
    if (!n->links[p->link].is_open ||
        (sim_net_now(n) < cut->until_us && cut->is_lossy)) {
        free(p);
        return NULL;
    }
    if (sim_net_now(n) < cut->until_us) {
        e->at_us = cut->until_us;
        e->data = p;
        sim_clock_add(n->options.clock, *e);
        e->data = NULL;
        return NULL;
    }
    return p;
}

void sim_net_check(const struct sim_net *n)
{
    for (uint64_t i = 1; i < n->count; i++) {
        const struct sim_link *l = &n->links[i];

        CHECK_IMPLIES(l->is_open, n->nodes[l->client].is_up);
        CHECK_IMPLIES(l->is_open, n->nodes[l->server].is_up);
    }
}
