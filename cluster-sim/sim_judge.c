/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cluster-sim/sim_parts.h"

enum { SIM_JUDGE_STEADY_BEATS = 30 };

static void sim_judge_leaders(struct sim *s)
{
    uint32_t first = SIM_NOBODY;

    for (uint32_t i = 0; i < s->nodes; i++) {
        if (!sim_host_acts(s, &s->hosts[i])) {
            continue;
        }
        if (first != SIM_NOBODY) {
            sim_broken(s, "h%" PRIu32 " and h%" PRIu32 " lead at once", first,
                       i);
        }
        first = i;
    }
}

void sim_judge(struct sim *s)
{
    sim_judge_leaders(s);
}

/* In the calm one leads, and all others know. */
static bool sim_judge_is_led(const struct sim *s)
{
    uint32_t leaders = 0;

    for (uint32_t i = 0; i < s->nodes; i++) {
        const struct sim_host *h = &s->hosts[i];

        if (h->has_left) {
            continue;
        }
        if (!h->is_up || h->paused_until_us != 0 ||
            term_lease(h->term)->term != s->last_term) {
            return false;
        }
        leaders += sim_host_acts(s, h);
    }
    return leaders == 1;
}

/* Every host has ended, or left for good. */
static bool sim_judge_has_ended(const struct sim *s)
{
    if (s->is_resuming) {
        return false;
    }
    for (uint32_t i = 0; i < s->nodes; i++) {
        if (!s->hosts[i].has_left && !s->hosts[i].has_ended) {
            return false;
        }
    }
    return true;
}

bool sim_judge_is_over(const struct sim *s)
{
    if (s->options.model == SIM_MODEL_JOB) {
        return sim_judge_has_ended(s);
    }
    if (s->options.model == SIM_MODEL_JOURNAL &&
        s->progress_us <= s->plan.storm_us) {
        return false;
    }
    return s->is_calm &&
           sim_now_us(s) > s->plan.storm_us + SIM_JUDGE_STEADY_BEATS *
                                                  s->heartbeat_ms * 1000 &&
           sim_judge_is_led(s);
}
