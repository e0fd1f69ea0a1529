/* SPDX-License-Identifier: Apache-2.0 */
/* Which rank of which process a channel's rank was at the time. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "coordinator/audit_state.h"
#include "proto/wire.h"

void audit_hosts_fini(struct audit *a)
{
    for (uint32_t i = 0; i < a->process_count; i++) {
        free(a->processes[i].name);
        free(a->processes[i].incarnation);
    }
    free(a->processes);
    free(a->hosts);
    free(a->rows);
}

static void audit_grow_hosts(struct audit *a, uint32_t count)
{
    if (count <= a->host_count) {
        return;
    }
    a->hosts = mem_grow(a->hosts, count, sizeof(*a->hosts));
    while (a->host_count < count) {
        a->hosts[a->host_count++] = AUDIT_NONE;
    }
}

/* Another process is a host now: its ranks get new rows. */
void audit_take_host(struct audit *a, const struct record_host *host)
{
    struct audit_process *p;

    if (host->number >= WIRE_HOSTS_MAX) {
        a->is_unread = true;
        return;
    }
    audit_grow_hosts(a, host->number + 1);
    if (a->process_count == a->process_room) {
        a->process_room = a->process_room == 0 ? 16 : 2 * a->process_room;
        a->processes =
            mem_grow(a->processes, a->process_room, sizeof(*a->processes));
    }
    p = &a->processes[a->process_count];
    *p = (struct audit_process){
        .host = host->number,
        .ranks = host->ranks,
        .attempt = host->attempt,
        .name = mem_copy_text(host->name.at, host->name.size),
        .incarnation =
            mem_copy_text(host->incarnation.at, host->incarnation.size),
    };
    a->hosts[host->number] = a->process_count++;
}

static uint32_t audit_ranks_of(const struct audit *a,
                               const struct audit_channel *c, uint32_t host)
{
    if (c->host_ranks != NULL) {
        return host < c->host_count ? c->host_ranks[host] : 0;
    }
    return host < a->host_count && a->hosts[host] != AUDIT_NONE
               ? a->processes[a->hosts[host]].ranks
               : 0;
}

/* Find the host of @rank, and which of its ranks it is. O(hosts), once for
 * each rank of each process. */
static bool audit_find_rank(const struct audit *a,
                            const struct audit_channel *c, uint32_t *rank,
                            uint32_t *host)
{
    uint32_t count = c->host_ranks != NULL ? c->host_count : a->host_count;

    for (*host = 0; *host < count; (*host)++) {
        uint32_t ranks = audit_ranks_of(a, c, *host);

        if (*rank < ranks) {
            return true;
        }
        *rank -= ranks;
    }
    return false;
}

bool audit_is_rank_of(const struct audit *a, const struct audit_channel *c,
                      uint32_t rank, uint32_t host)
{
    uint32_t found;

    return audit_find_rank(a, c, &rank, &found) && found == host;
}

static uint32_t audit_new_row(struct audit *a, uint32_t channel,
                              uint32_t process, uint32_t rank)
{
    if (a->row_count == a->row_room) {
        a->row_room = a->row_room == 0 ? 64 : 2 * a->row_room;
        a->rows = mem_grow(a->rows, a->row_room, sizeof(*a->rows));
    }
    a->rows[a->row_count] = (struct audit_row){
        .channel = channel, .process = process, .rank = rank};
    return a->row_count++;
}

/* Whether the row is still of the process that is the host now. */
static bool audit_is_current(const struct audit *a, uint32_t row)
{
    uint32_t process;

    if (row == AUDIT_NONE) {
        return false;
    }
    process = a->rows[row].process;
    return process == AUDIT_NONE ||
           a->hosts[a->processes[process].host] == process;
}

uint32_t audit_row_of(struct audit *a, uint32_t channel, uint32_t rank)
{
    struct audit_channel *c = &a->channels[channel];
    uint32_t local = rank;
    uint32_t host;
    uint32_t process = AUDIT_NONE;

    if (rank >= c->rank_room) {
        uint32_t room = rank < 32 ? 64 : 2 * rank;

        c->rows = mem_grow(c->rows, room, sizeof(*c->rows));
        while (c->rank_room < room) {
            c->rows[c->rank_room++] = AUDIT_NONE;
        }
    }
    if (audit_is_current(a, c->rows[rank])) {
        return c->rows[rank];
    }
    if (audit_find_rank(a, c, &local, &host) && host < a->host_count) {
        process = a->hosts[host];
    }
    c->rows[rank] = audit_new_row(a, channel, process,
                                  process == AUDIT_NONE ? rank : local);
    return c->rows[rank];
}

bool audit_holder(const struct audit *a, size_t i, struct audit_holder *out)
{
    const struct audit_row *row;

    if (i >= a->row_count) {
        return false;
    }
    row = &a->rows[i];
    *out = (struct audit_holder){
        .channel = row->channel,
        .host = "",
        .incarnation = "",
        .host_number = UINT32_MAX,
        .rank = row->rank,
        .leases = row->leases,
        .committed = row->committed,
        .skipped = row->skipped,
        .drops = row->drops,
    };
    if (row->process != AUDIT_NONE) {
        out->host = a->processes[row->process].name;
        out->incarnation = a->processes[row->process].incarnation;
        out->attempt = a->processes[row->process].attempt;
        out->host_number = a->processes[row->process].host;
    }
    return true;
}
