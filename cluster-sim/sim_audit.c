/* SPDX-License-Identifier: Apache-2.0 */
/* The books of coordinator/audit.c over what the store holds at the end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cluster-sim/sim_parts.h"
#include "coordinator/audit.h"

/* Add all objects below @folder, which are in order. */
static void sim_audit_add(struct sim *s, struct audit *a, const char *folder)
{
    for (size_t i = 0; i < sim_store_count(s->store); i++) {
        const char *key = sim_store_key(s->store, i);
        struct bytes text;
        struct fault why;

        if (strncmp(key, folder, strlen(folder)) == 0 &&
            sim_store_peek(s->store, key, &text) == STATUS_OK &&
            audit_add_object(a, text, &why) != STATUS_OK) {
            sim_broken(s, "audit: %s: %s", key, why.text);
        }
    }
}

void sim_audit(struct sim *s, const char *run, bool was_well)
{
    struct audit *a = audit_new();
    struct audit_finding found;
    struct audit_gap gap;
    char folder[SIM_KEY_MAX];

    snprintf(folder, sizeof(folder), "runs/%s/audit/", run);
    sim_audit_add(s, a, folder);
    snprintf(folder, sizeof(folder), "runs/%s/journal/", run);
    sim_audit_add(s, a, folder);
    if (audit_finding(a, 0, &found)) {
        sim_broken(s, "audit: epoch %" PRIu64 ", %" PRIu64 "-%" PRIu64 ": %s",
                   found.epoch, found.range.first, found.range.end, found.what);
    }
    if (was_well && audit_gap(a, 0, &gap)) {
        sim_broken(
            s, "audit: %" PRIu64 "-%" PRIu64 " of epoch %" PRIu64 " is missing",
            gap.range.first, gap.range.end, gap.epoch);
    }
    if (was_well && !audit_is_exact(a)) {
        sim_broken(s, "audit: it is not exact");
    }
    audit_destroy(&a);
}
