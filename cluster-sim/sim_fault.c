/* SPDX-License-Identifier: Apache-2.0 */
/* Every draw is a statement of its own: the order in which a compiler
 * evaluates the parts of an expression must not show. */
#include "cluster-sim/sim_fault.h"

#include <string.h>

#include "base/check.h"

const char *sim_fault_word(enum sim_fault f)
{
    static const char *const words[] = {
#define X(name, word, text) word,
        SIM_FAULT_MAP(X)
#undef X
    };

    CHECK(f < SIM_FAULTS);
    return words[f];
}

const char *sim_fault_text(enum sim_fault f)
{
    static const char *const texts[] = {
#define X(name, word, text) text,
        SIM_FAULT_MAP(X)
#undef X
    };

    CHECK(f < SIM_FAULTS);
    return texts[f];
}

static uint64_t sim_fault_bits(struct bytes word)
{
    if (bytes_is(word, "all")) {
        return SIM_FAULT_ALL;
    }
    for (uint32_t f = 0; f < SIM_FAULTS; f++) {
        if (bytes_is(word, sim_fault_word(f))) {
            return SIM_FAULT_BIT(f);
        }
    }
    return 0;
}

enum status sim_fault_parse(const char *list, struct fault *why, uint64_t *out)
{
    uint64_t faults = 0;

    while (*list != '\0') {
        size_t size = strcspn(list, ",");
        bool is_less = list[0] == '-';
        struct bytes word = {list + is_less, size - is_less};
        uint64_t bits = sim_fault_bits(word);

        if (bits == 0 && !bytes_is(word, "none")) {
            return fault_set(why, STATUS_INVALID,
                             "--faults: there is no fault '%.*s'",
                             (int)word.size, word.at);
        }
        faults = is_less ? faults & ~bits : faults | bits;
        list += size + (list[size] == ',');
    }
    *out = faults;
    return STATUS_OK;
}

/* ---- The plan. ---- */

/* The kinds that strike at a moment, and how often one may in a storm. */
static uint32_t sim_plan_most(enum sim_fault f)
{
    switch (f) {
    case SIM_FAULT_CUT:
    case SIM_FAULT_CUT_ONE_WAY:
    case SIM_FAULT_PAUSE:
    case SIM_FAULT_CRASH:
        return 5;
    case SIM_FAULT_WIPE:
    case SIM_FAULT_KILL_LEADER:
    case SIM_FAULT_JUMP:
    case SIM_FAULT_STORE_AWAY:
    case SIM_FAULT_STORE_BUSY:
    case SIM_FAULT_RANKS:
        return 3;
    case SIM_FAULT_LEAVE:
    case SIM_FAULT_RESIZE:
        return 1;
    case SIM_FAULT_LOSS:
    case SIM_FAULT_DELAY:
    case SIM_FAULT_REPEAT:
    case SIM_FAULT_REORDER:
    case SIM_FAULT_BREAK:
    case SIM_FAULT_DRIFT:
    case SIM_FAULT_STORE_SLOW:
    case SIM_FAULT_STORE_FAIL:
    case SIM_FAULT_STORE_LOST:
    case SIM_FAULT_STORE_LATE:
    case SIM_FAULT_STORE_STALE:
    case SIM_FAULT_STORE_STALE_LOG:
    case SIM_FAULT_STORE_SHORT:
    case SIM_FAULT_LATE:
    case SIM_FAULT_POISON:
    case SIM_FAULT_STOP:
    case SIM_FAULT_PAIR:
    case SIM_FAULTS:
        return 0;
    }
    return 0;
}

static void sim_plan_incident(struct prng *prng, enum sim_fault kind,
                              uint32_t nodes, struct sim_plan *p)
{
    struct sim_incident *i = &p->incidents[p->count];

    if (p->count == SIM_INCIDENTS_MAX) {
        return;
    }
    p->count++;
    memset(i, 0, sizeof(*i));
    i->kind = kind;
    i->at_us = prng_below(prng, p->storm_us);
    /* Short ones are as likely as those that outlive every timeout. */
    i->for_us = UINT64_C(1000) << prng_below(prng, 15);
    i->for_us += prng_below(prng, i->for_us);
    if (prng_chance(prng, 1, 3)) {
        i->for_us = 3000000 + prng_below(prng, 12000000);
    }
    i->node = (uint32_t)prng_below(prng, nodes);
    i->other = (uint32_t)prng_below(prng, nodes);
    i->amount = 1 + prng_below(prng, 400);
    i->jump_ms = (int64_t)prng_below(prng, 20000) - 10000;
    i->is_lossy = prng_chance(prng, 1, 2);
    i->is_for_one = prng_chance(prng, 1, 2);
    i->hits_leader = prng_chance(prng, 1, 3);
}

static uint32_t sim_plan_rate(struct prng *prng, const struct sim_plan *p,
                              enum sim_fault f, uint64_t most)
{
    uint64_t rate = 1 + prng_below(prng, most);

    return (p->faults & SIM_FAULT_BIT(f)) == 0 ? 0 : (uint32_t)rate;
}

static void sim_plan_weather(struct prng *prng, struct sim_plan *p)
{
    struct sim_weather *w = &p->weather;

    w->loss = sim_plan_rate(prng, p, SIM_FAULT_LOSS, 300);
    w->repeat = sim_plan_rate(prng, p, SIM_FAULT_REPEAT, 300);
    w->reorder = sim_plan_rate(prng, p, SIM_FAULT_REORDER, 500);
    w->breaks = sim_plan_rate(prng, p, SIM_FAULT_BREAK, 30);
    w->delay_us = sim_plan_rate(prng, p, SIM_FAULT_DELAY, 3000) * 1000;
    w->store_slow = sim_plan_rate(prng, p, SIM_FAULT_STORE_SLOW, 400);
    w->store_slow_us = UINT64_C(1000) << prng_below(prng, 14);
    w->store_fail = sim_plan_rate(prng, p, SIM_FAULT_STORE_FAIL, 250);
    w->store_lost = sim_plan_rate(prng, p, SIM_FAULT_STORE_LOST, 250);
    w->store_late = sim_plan_rate(prng, p, SIM_FAULT_STORE_LATE, 150);
    w->store_stale = sim_plan_rate(prng, p, SIM_FAULT_STORE_STALE, 300);
    w->store_stale_log = sim_plan_rate(prng, p, SIM_FAULT_STORE_STALE_LOG, 300);
    w->store_short = sim_plan_rate(prng, p, SIM_FAULT_STORE_SHORT, 150);
}

static void sim_plan_nodes(struct prng *prng, uint32_t nodes,
                           struct sim_plan *p)
{
    for (uint32_t i = 0; i < nodes; i++) {
        uint64_t late_us = prng_below(prng, p->storm_us / 4);
        int64_t ppm = (int64_t)prng_below(prng, 20001) - 10000;
        bool is_late = prng_chance(prng, 1, 3);
        uint64_t usual_us = prng_below(prng, 50000);

        is_late = is_late && (p->faults & SIM_FAULT_BIT(SIM_FAULT_LATE)) != 0;
        p->late_us[i] = is_late ? late_us : usual_us;
        p->ppm[i] = (p->faults & SIM_FAULT_BIT(SIM_FAULT_DRIFT)) ? ppm : 0;
    }
}

void sim_plan_draw(struct prng *prng, uint64_t faults, uint32_t nodes,
                   uint64_t storm_us, struct sim_plan *out)
{
    uint64_t some = prng_next(prng);
    bool takes_all = prng_chance(prng, 1, 8);

    CHECK(nodes > 0 && nodes <= SIM_NODES_MAX && storm_us > 1);
    memset(out, 0, sizeof(*out));
    out->storm_us = storm_us;
    out->faults = takes_all ? faults : faults & some;
    sim_plan_weather(prng, out);
    sim_plan_nodes(prng, nodes, out);
    for (uint32_t f = 0; f < SIM_FAULTS; f++) {
        uint32_t most = sim_plan_most(f);
        uint64_t count = most == 0 ? 0 : 1 + prng_below(prng, most);

        if ((out->faults & SIM_FAULT_BIT(f)) == 0) {
            continue;
        }
        for (uint64_t i = 0; i < count; i++) {
            sim_plan_incident(prng, f, nodes, out);
        }
    }
}
