/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_story.h"

#include <stddef.h>
#include <string.h>

#define SECONDS(n) ((uint64_t)((n)*1000) * 1000)

static const struct sim_story sim_stories[] = {
    {
        .name = "join",
        .about =
            "Three hosts come; the first takes the lease and leads, deals, "
            "and all read to the end.",
        .hosts = 3,
        .shows_units = true,
        .units = 6,
    },
    {
        .name = "lease",
        .about = "One host alone: a lease is granted once that is durable, a "
                 "unit counts once its commit is, and the next lease comes.",
        .hosts = 1,
        .shows_units = true,
        .units = 8,
    },
    {
        .name = "expiry",
        .about = "h2 does not reach the coordinator for longer than a lease "
                 "lasts: it hands out nothing more, its units go to others.",
        .hosts = 3,
        .units = 80,
        .storm_ms = 12000,
        .incidents = {{.kind = SIM_FAULT_CUT,
                       .at_us = SECONDS(4.5),
                       .for_us = SECONDS(7),
                       .node = 2,
                       .other = 0,
                       .is_lossy = true}},
        .count = 1,
    },
    {
        .name = "worker-crash",
        .about =
            "h1 dies with leases in hand and comes again: what it had left "
            "is dealt anew, what was committed is not.",
        .hosts = 3,
        .units = 80,
        .storm_ms = 12000,
        .incidents = {{.kind = SIM_FAULT_CRASH,
                       .at_us = SECONDS(4.5),
                       .for_us = SECONDS(5),
                       .node = 1}},
        .count = 1,
    },
    {
        .name = "fail-over",
        .about = "h0, which leads, dies: h1 takes the lease within three "
                 "heartbeats, reads the journal, and the others go on.",
        .hosts = 3,
        .units = 80,
        .storm_ms = 12000,
        .incidents = {{.kind = SIM_FAULT_CRASH,
                       .at_us = SECONDS(4.5),
                       .for_us = SECONDS(6),
                       .node = 0}},
        .count = 1,
    },
    {
        .name = "late-coordinator",
        .about =
            "h0 leads and stands still for longer than its lease; h1 takes "
            "over; h0 wakes, still believes in its reign, and is deposed "
            "by the journal.",
        .hosts = 3,
        .units = 80,
        .storm_ms = 14000,
        .incidents = {{.kind = SIM_FAULT_PAUSE,
                       .at_us = SECONDS(4.5),
                       .for_us = SECONDS(6),
                       .node = 0}},
        .count = 1,
    },
    {
        .name = "straggler",
        .about = "h2 is ten times as slow as the others: when nothing else is "
                 "left, the tail of its lease goes to them.",
        .hosts = 3,
        .shows_units = true,
        .units = 24,
        .slow = 2,
    },
    {
        .name = "steps",
        .about =
            "Steps of six units over three ranks, one of them slow: nobody "
            "reads from a step before the one before it is committed.",
        .hosts = 3,
        .shows_units = true,
        .units = 18,
        .step_units = 6,
        .slow = 2,
    },
    {
        .name = "leave",
        .about = "h2 leaves for good: the others read what it had.",
        .hosts = 3,
        .units = 80,
        .storm_ms = 12000,
        .incidents = {{.kind = SIM_FAULT_LEAVE,
                       .at_us = SECONDS(4.5),
                       .node = 2}},
        .count = 1,
    },
    {
        .name = "done-and-gone",
        .about = "h1 stands still; h2 ends and is gone, then h0, which has "
                 "ended too and leads. h1 knows of both from the journal, and "
                 "the job ends well.",
        .hosts = 3,
        .units = 24,
        .storm_ms = 12000,
        .incidents =
            {{.kind = SIM_FAULT_PAUSE,
              .at_us = SECONDS(4.3),
              .for_us = SECONDS(3),
              .node = 1},
             {.kind = SIM_FAULT_LEAVE, .at_us = SECONDS(6.6), .node = 2},
             {.kind = SIM_FAULT_LEAVE, .at_us = SECONDS(6.7), .node = 0}},
        .count = 3,
    },
    {
        .name = "resize",
        .about = "All three hosts die; two others, launched anew, go on from "
                 "what was committed.",
        .hosts = 3,
        .hosts_next = 2,
        .units = 80,
        .storm_ms = 6000,
        .incidents = {{.kind = SIM_FAULT_RESIZE, .at_us = SECONDS(4.5)}},
        .count = 1,
    },
    {
        .name = "poison",
        .about = "A unit can't be read: it is skipped, once, and told in the "
                 "journal.",
        .hosts = 2,
        .shows_units = true,
        .units = 12,
        .poison = 5,
    },
    {
        .name = "epochs",
        .about = "Two epochs: the second begins when all of the first is "
                 "committed; each rank reads its end.",
        .hosts = 2,
        .shows_units = true,
        .units = 8,
        .epochs = 2,
    },
    {
        .name = "store-away",
        .about = "The store is away for eight seconds: the coordinator stops "
                 "acting, nothing is acknowledged, and since nobody took the "
                 "lease it goes on in the same term.",
        .hosts = 2,
        .units = 80,
        .storm_ms = 14000,
        .incidents = {{.kind = SIM_FAULT_STORE_AWAY,
                       .at_us = SECONDS(4.5),
                       .for_us = SECONDS(8)}},
        .count = 1,
    },
};

const struct sim_story *sim_story_at(uint32_t number)
{
    return number < sizeof(sim_stories) / sizeof(sim_stories[0])
               ? &sim_stories[number]
               : NULL;
}

const struct sim_story *sim_story_find(const char *name)
{
    const struct sim_story *story;

    for (uint32_t i = 0; (story = sim_story_at(i)) != NULL; i++) {
        if (strcmp(story->name, name) == 0) {
            return story;
        }
    }
    return NULL;
}
