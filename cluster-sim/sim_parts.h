/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the simulator do for each other. Each part owns the
 * functions that carry its name. */

#ifndef CLUSTER_SIM_SIM_PARTS_H
#define CLUSTER_SIM_SIM_PARTS_H

#include "cluster-sim/sim_world.h"

/* ---- sim.c --------------------------------------------------------------- */

uint64_t sim_now_us(const struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t bound);

#define SIM_NOBODY UINT32_MAX
#define sim_say(s, node, ...)                                                  \
    sim_trace(&(s)->trace, sim_now_us(s), node, __VA_ARGS__)

#define sim_note(s, node, ...)                                                 \
    sim_trace_detail(&(s)->trace, sim_now_us(s), node, __VA_ARGS__)

/* Who reads and commits: too much for most stories. */
#define sim_unit_say(s, node, ...)                                             \
    do {                                                                       \
        if ((s)->hides_units) {                                                \
            sim_note(s, node, __VA_ARGS__);                                    \
        } else {                                                               \
            sim_say(s, node, __VA_ARGS__);                                     \
        }                                                                      \
    } while (0)

/* A promise is broken: the run ends. The first one counts. */
__attribute__((format(printf, 2, 3))) void sim_broken(struct sim *s,
                                                      const char *format, ...);

/* ---- sim_host.c ---------------------------------------------------------- */

void sim_host_start(struct sim *s, struct sim_host *h);
void sim_host_die(struct sim *s, struct sim_host *h);
void sim_host_free(struct sim_host *h);

/* Take an event of this host; it is up and not paused. */
void sim_host_event(struct sim *s, struct sim_host *h, struct sim_event *e);

uint64_t sim_host_ms(const struct sim *s, const struct sim_host *h);
void sim_host_alarm(struct sim *s, struct sim_host *h, enum sim_timer which,
                    uint64_t at_ms);

/* Ask the store what the journal of the present lead wants. */
void sim_host_ask(struct sim *s, struct sim_host *h, const char *folder,
                  const struct journal_request *r);

uint64_t sim_host_wall_ms(const struct sim *s, const struct sim_host *h);

/* Another run has taken the place of this one's: it has to begin anew. */
void sim_host_expel(struct sim *s, struct sim_host *h);

/* It has led to the end. */
void sim_host_release(struct sim *s, struct sim_host *h);
void sim_host_exit(struct sim *s, struct sim_host *h);

/* Whether it leads now, as it believes. */
bool sim_host_acts(const struct sim *s, const struct sim_host *h);

/* ---- sim_log.c: the model journal ---------------------------------------- */

void sim_log_lead(struct sim *s, struct sim_host *h);
void sim_log_timer(struct sim *s, struct sim_host *h, enum sim_timer which);
void sim_log_stored(struct sim *s, struct sim_host *h,
                    const struct sim_store_call *c);
void sim_log_destroy(struct sim_log **l);

/* ---- sim_lead.c: a reign --------------------------------------------------
 */

void sim_lead_begin(struct sim *s, struct sim_host *h);
void sim_lead_timer(struct sim *s, struct sim_host *h);
void sim_lead_stored(struct sim *s, struct sim_host *h,
                     const struct sim_store_call *c);
void sim_lead_packet(struct sim *s, struct sim_host *h, uint64_t peer,
                     struct bytes bytes);
void sim_lead_deed(struct sim *s, struct sim_host *h, uint64_t arg);
bool sim_lead_is_at_work(const struct sim_host *h);
void sim_lead_destroy(struct sim_lead **l);

/* ---- sim_work.c: agent, holders, ranks ------------------------------------
 */

/* The lease has changed hands, or was seen for the first time. */
void sim_work_follow(struct sim *s, struct sim_host *h);
void sim_work_timer(struct sim *s, struct sim_host *h, enum sim_timer which);
void sim_work_packet(struct sim *s, struct sim_host *h, struct bytes bytes);
void sim_work_deed(struct sim *s, struct sim_host *h, uint64_t arg);
void sim_work_restart_ranks(struct sim *s, struct sim_host *h);
bool sim_work_believes(const struct sim *s, const struct sim_host *h,
                       uint32_t channel, const struct holder_unit *unit);
const char *sim_work_run(const struct sim_host *h); /* "": none. */
void sim_work_destroy(struct sim_work **w);

/* ---- sim_truth.c: what is true ------------------------------------------- */

void sim_truth_stored(struct sim *s, const char *key);
void sim_truth_handed(struct sim *s, struct sim_host *h, uint32_t channel,
                      const struct holder_unit *unit);
void sim_truth_told(struct sim *s, struct sim_host *h, uint32_t channel,
                    const struct holder_outcome *o);
void sim_truth_stopped(struct sim *s, uint32_t channel, uint64_t epoch);
void sim_truth_ended(struct sim *s, struct sim_host *h, uint32_t channel);
void sim_truth_done(struct sim *s, struct sim_host *h, enum status status);
bool sim_truth_is_poison(const struct sim *s, uint64_t position);
bool sim_truth_has_plan(const struct sim *s);
bool sim_truth_is_ended(const struct sim *s);

/* What was settled in a channel's epoch when the job was resumed: the epoch;
 * the positions are appended as ranges. */
uint64_t sim_truth_base(const struct sim *s, uint32_t channel, struct buf *out);
bool sim_truth_is_run(const struct sim *s, const char *run);
void sim_truth_audit(struct sim *s);
void sim_truth_destroy(struct sim_truth **m);

/* ---- sim_audit.c ----------------------------------------------------------
 */

/* Let the audit read what the store holds of @run. */
void sim_audit(struct sim *s, const char *run, bool was_well);

/* ---- sim_strike.c: faults ------------------------------------------------ */

void sim_strike(struct sim *s, const struct sim_incident *incident);
void sim_strike_calm(struct sim *s);
void sim_strike_resume(struct sim *s);

/* ---- sim_judge.c: promises ----------------------------------------------- */

void sim_judge(struct sim *s);

/* Whether all is as it has to be at the end. */
bool sim_judge_is_over(const struct sim *s);

#endif /* CLUSTER_SIM_SIM_PARTS_H */
