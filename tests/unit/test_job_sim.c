/* SPDX-License-Identifier: Apache-2.0 */
/* Whole jobs on simulated time: some agents, one session, a network that
 * loses, repeats, delays and reorders, hosts that die, come again and lose
 * their connection. TEST_SEED=N plays one seed alone; TEST_TRACE=1 tells. */
#include "coordinator/session.h"
#include "worker/agent.h"

#include <signal.h>

#include "base/check.h"
#include "base/prng.h"

#include "tests/harness.h"

enum {
    HOSTS_MAX = 5,
    LAUNCHES_MAX = 2 * HOSTS_MAX,
    FLIGHT_MAX = 2048,
    HEARTBEAT = 100,
    HOST_TIMEOUT = 1000,
    JOIN_TIMEOUT = 4000,
    GRACE = 400,
    LIMIT_MS = 60000,
    SEEDS = 12000,
};

#define NEVER UINT64_MAX

enum thing {
    TO_SESSION,
    TO_HOST,
    PREPARED,
    BROUGHT,
    STARTED,
    EXITED,
    SAVED,
    DIE,    /* kill -9, or the machine is gone. */
    LAUNCH, /* The host comes, perhaps once more. */
    SIGNAL,
    BREAK, /* The connection breaks; the next one has another number. */
};

/* Something that is under way. */
struct flight {
    uint64_t at_ms;
    enum thing thing;
    uint32_t host;
    uint32_t launch;
    uint64_t peer;
    int number; /* Signal. */
    enum status status;
    struct wire_message message;
    char text[128]; /* What a REFUSE shows to. */
};

/* What is going to happen to one host. */
struct plan {
    enum status bring;
    enum status start;
    enum status save;
    int exit_code;
    bool ignores_term;
    uint64_t run_ms;
};

struct host {
    struct agent *agent;
    uint32_t launch;
    struct plan plan;
    bool is_up;
    bool is_over;
    bool was_brought; /* By any launch. */
    bool is_bringing;
    bool is_running;
    bool is_saving;
    bool was_told;  /* An END or a REFUSE reached it. */
    bool was_ended; /* A failure's END reached it. */
    bool was_signalled;
    bool exited_well;  /* The command ran and exited with 0. */
    bool did_its_part; /* An earlier launch did, and died then. */
    uint32_t asked_bring;
    uint32_t asked_start;
    uint32_t asked_save;
    uint64_t peer;
    uint64_t timer_ms;
    struct agent_outcome outcome;
};

static struct sim {
    struct prng prng;
    uint64_t now_ms;
    uint32_t count;
    struct host hosts[HOSTS_MAX];
    struct agent *launched[LAUNCHES_MAX + HOSTS_MAX];
    uint32_t launch_count;
    struct flight flights[FLIGHT_MAX];
    uint32_t flight_count;
    struct session *session;
    uint64_t session_timer_ms;
    bool session_is_dead;
    bool session_is_over;
    uint32_t asked_prepare;
    uint64_t next_peer;
    struct wire_share_all shares[HOSTS_MAX];
    enum status prepare;
    bool keeps;
    uint64_t loss; /* In 100. */
    uint64_t repeat;
    uint64_t delay_ms;
} sim;

/* What all seeds together have seen, so that a test that tests nothing
 * shows. */
static struct {
    uint64_t ok;
    uint64_t failed;
    uint64_t lost;
    uint64_t timeouts;
    uint64_t orphaned;
    uint64_t unheard;
    uint64_t rejoined;
    uint64_t killed;
} seen;

static uint64_t some(uint64_t bound)
{
    return prng_below(&sim.prng, bound);
}

static bool chance(uint64_t in_100)
{
    return prng_chance(&sim.prng, in_100, 100);
}

static struct flight *fly(enum thing thing, uint32_t host, uint64_t in_ms)
{
    struct flight *f = &sim.flights[sim.flight_count++];

    EXPECT(sim.flight_count < FLIGHT_MAX);
    memset(f, 0, offsetof(struct flight, message));
    f->at_ms = sim.now_ms + in_ms;
    f->thing = thing;
    f->host = host;
    f->launch = sim.hosts[host].launch;
    return f;
}

/* Send @m over the network to the session or to the host behind @peer. */
static void transmit(enum thing thing, uint32_t host, uint64_t peer,
                     const struct wire_message *m)
{
    int copies = chance(sim.repeat) ? 2 : 1;

    for (int i = 0; i < copies; i++) {
        struct flight *f;

        if (chance(sim.loss)) {
            continue;
        }
        f = fly(thing, host, 1 + some(sim.delay_ms));
        f->peer = peer;
        f->message = *m;
        if (m->type == WIRE_REFUSE) {
            snprintf(f->text, sizeof(f->text), "%.*s",
                     (int)m->refuse.reason.size, m->refuse.reason.at);
        }
    }
}

/* --- The coordinator. --- */

static bool has_failed_itself(const struct host *h)
{
    const struct plan *p = &h->plan;

    return h->was_signalled || h->was_told || p->bring != STATUS_OK ||
           p->start != STATUS_OK || p->save != STATUS_OK || p->exit_code != 0 ||
           h->outcome.status == STATUS_LOST ||
           h->outcome.status == STATUS_TIMEOUT;
}

/* The job has just failed: by the event that has just come, and rightly. */
static void judge_first_failure(const struct flight *f)
{
    struct session_outcome o = session_outcome(sim.session);

    bool is_time =
        f == NULL || (f->thing != PREPARED && f->message.type == WIRE_HELLO);

    if (is_time) { /* That has passed, whoever comes. */
        EXPECT(o.status == STATUS_LOST || o.status == STATUS_TIMEOUT);
        EXPECT((o.status == STATUS_TIMEOUT) == (o.host[0] == '\0'));
        seen.lost += o.status == STATUS_LOST;
        seen.timeouts += o.status == STATUS_TIMEOUT;
    } else if (f->thing == PREPARED) {
        EXPECT_EQ(o.status, sim.prepare);
        EXPECT_STR(o.host, "");
    } else {
        EXPECT_EQ(f->message.type, WIRE_DONE);
        EXPECT_EQ(o.host[5] - '1', f->host);
        EXPECT_EQ(o.exit_code, f->message.done.exit_code);
        EXPECT(has_failed_itself(&sim.hosts[f->host]));
    }
}

static void judge_start(void)
{
    for (uint32_t i = 0; i < sim.count; i++) {
        enum wire_phase p = session_host(sim.session, i).phase;

        EXPECT(sim.hosts[i].was_brought || p == WIRE_PHASE_DONE ||
               p == WIRE_PHASE_LOST ||
               (sim.keeps && p != WIRE_PHASE_READY &&
                p != WIRE_PHASE_RUNNING)); /* It came back. */
    }
}

static void session_event(struct session_event event, const struct flight *f)
{
    bool was_well = session_outcome(sim.session).status == STATUS_OK;
    enum session_phase before = session_phase(sim.session);
    struct session_effects fx;

    event.now_ms = sim.now_ms;
    event.wall_ms = sim.now_ms;
    session_step(sim.session, &event, &fx);
    session_check(sim.session);
    EXPECT(session_phase(sim.session) >= before);
    sim.session_timer_ms = fx.timer_ms;
    sim.session_is_over = fx.is_over;
    if (was_well && session_outcome(sim.session).status != STATUS_OK) {
        judge_first_failure(f);
    }
    for (uint32_t i = 0; i < fx.send_count; i++) {
        if (fx.sends[i].message.type == WIRE_START) {
            judge_start();
        }
        for (uint32_t h = 0; h < sim.count; h++) {
            if (sim.hosts[h].peer == fx.sends[i].peer) {
                transmit(TO_HOST, h, fx.sends[i].peer, &fx.sends[i].message);
            }
        }
    }
    if (fx.do_prepare) {
        EXPECT_EQ(++sim.asked_prepare, 1);
        fly(PREPARED, 0, some(300));
    }
}

/* --- One host. --- */

static void host_event(uint32_t i, struct agent_event event);

static void host_signal(uint32_t i, int number)
{
    struct host *h = &sim.hosts[i];
    struct flight *f;

    EXPECT(h->is_running);
    if (number == SIGKILL || (number == SIGTERM && !h->plan.ignores_term)) {
        f = fly(EXITED, i, some(number == SIGKILL ? 5 : 50));
        f->number = number;
        seen.killed += number == SIGKILL;
    }
}

static void host_do(uint32_t i, const struct agent_effects *fx)
{
    struct host *h = &sim.hosts[i];

    for (uint32_t s = 0; s < fx->send_count; s++) {
        transmit(TO_SESSION, i, h->peer, &fx->sends[s]);
    }
    for (uint32_t s = 0; s < fx->signal_count; s++) {
        host_signal(i, fx->signals[s]);
    }
    if (fx->do_bring != NULL) {
        EXPECT_EQ(++h->asked_bring, 1);
        h->is_bringing = true;
        fly(BROUGHT, i, some(1500))->status = h->plan.bring;
    }
    if (fx->do_cancel_bring) {
        EXPECT(h->is_bringing);
        fly(BROUGHT, i, some(30))->status = STATUS_STOPPED;
    }
    if (fx->do_start) {
        EXPECT_EQ(++h->asked_start, 1);
        fly(STARTED, i, some(10));
    }
    if (fx->do_save) {
        EXPECT_EQ(++h->asked_save, 1);
        h->is_saving = true;
        fly(SAVED, i, some(200))->status = h->plan.save;
    }
}

static void host_event(uint32_t i, struct agent_event event)
{
    struct host *h = &sim.hosts[i];
    struct agent_effects fx;

    if (!h->is_up || h->is_over) {
        return;
    }
    event.now_ms = sim.now_ms;
    event.wall_ms = sim.now_ms + i;
    agent_step(h->agent, &event, &fx);
    agent_check(h->agent);
    h->timer_ms = fx.timer_ms;
    EXPECT(fx.timer_ms > sim.now_ms || event.type != AGENT_EVENT_TIMER);
    host_do(i, &fx);
    if (fx.is_over) {
        EXPECT(!h->is_running && !h->is_bringing && !h->is_saving);
        h->is_over = true;
        h->outcome = agent_outcome(h->agent);
        EXPECT((h->outcome.exit_code == 0) ==
               (h->outcome.status == STATUS_OK && h->exited_well));
    }
}

static void host_launch(uint32_t i)
{
    static const char *const names[] = {"algo-1", "algo-2", "algo-3", "algo-4",
                                        "algo-5"};
    static const char *const incarnations[] = {"00", "11", "22", "33"};
    struct host *h = &sim.hosts[i];
    struct plan plan = h->plan;
    uint32_t launch = h->launch + 1;

    *h = (struct host){.plan = plan,
                       .launch = launch,
                       .is_up = true,
                       .was_brought = h->was_brought,
                       .did_its_part = h->did_its_part};
    h->agent = agent_new(&(struct agent_options){
        .host = names[i],
        .run = "abc",
        .incarnation = incarnations[launch],
        .release = "0",
        .term = 1,
        .attempt = launch,
        .ranks = 1,
        .weight = 100,
        .host_count = sim.count,
        .now_ms = sim.now_ms,
        .heartbeat_ms = HEARTBEAT,
        .host_timeout_ms = HOST_TIMEOUT,
        .join_timeout_ms = JOIN_TIMEOUT,
        .grace_ms = GRACE,
    });
    sim.launched[sim.launch_count++] = h->agent;
    h->peer = ++sim.next_peer;
    h->timer_ms = sim.now_ms;
}

/* --- What comes. --- */

static void land_started(uint32_t i)
{
    struct host *h = &sim.hosts[i];

    if (h->plan.start == STATUS_OK) {
        h->is_running = true;
        fly(EXITED, i, h->plan.run_ms);
    }
    host_event(i, (struct agent_event){.type = AGENT_EVENT_STARTED,
                                       .status = h->plan.start});
}

static void land_exited(const struct flight *f)
{
    struct host *h = &sim.hosts[f->host];

    if (!h->is_running) {
        return; /* It has ended in another way before. */
    }
    h->is_running = false;
    h->exited_well = f->number == 0 && h->plan.exit_code == 0;
    host_event(f->host, (struct agent_event){.type = AGENT_EVENT_EXITED,
                                             .signal = f->number,
                                             .exit_code = h->plan.exit_code});
}

static void land_brought(const struct flight *f)
{
    struct host *h = &sim.hosts[f->host];

    if (!h->is_bringing) {
        return;
    }
    h->is_bringing = false;
    h->was_brought = h->was_brought || f->status == STATUS_OK;
    host_event(f->host, (struct agent_event){.type = AGENT_EVENT_BROUGHT,
                                             .status = f->status});
}

static void land_to_host(struct flight *f)
{
    struct host *h = &sim.hosts[f->host];
    struct wire_message *m = &f->message;

    if (f->peer != h->peer || !h->is_up || h->is_over) {
        return;
    }
    if (m->type == WIRE_REFUSE) {
        m->refuse.reason = bytes_of(f->text);
    }
    h->was_told = h->was_told || m->type == WIRE_REFUSE || m->type == WIRE_END;
    h->was_ended =
        h->was_ended || (m->type == WIRE_END && m->end.status != STATUS_OK);
    host_event(f->host,
               (struct agent_event){.type = AGENT_EVENT_MESSAGE, .message = m});
}

static void land_on_session(const struct flight *f)
{
    if (sim.session_is_dead) {
        return;
    }
    if (f->thing == PREPARED) {
        session_event((struct session_event){.type = SESSION_EVENT_PREPARED,
                                             .status = sim.prepare,
                                             .shares = sim.shares},
                      f);
    } else {
        session_event((struct session_event){.type = SESSION_EVENT_MESSAGE,
                                             .peer = f->peer,
                                             .message = &f->message},
                      f);
    }
}

static void land_die(uint32_t i)
{
    struct host *h = &sim.hosts[i];

    if (i == sim.count) {
        sim.session_is_dead = true;
    } else if (!h->is_over && h->is_up) {
        h->is_up = false;
        h->did_its_part = agent_state(h->agent) == AGENT_REPORTING &&
                          h->exited_well && h->plan.save == STATUS_OK;
        h->launch += h->launch == 0; /* It is not to come later. */
        if (chance(50) && h->launch < 2) {
            seen.rejoined++;
            fly(LAUNCH, i, some(2000));
        }
    }
}

static void land(struct flight *f)
{
    struct host *h = &sim.hosts[f->host];
    bool is_own = f->thing >= BROUGHT && f->thing <= SAVED;

    if (is_own && (f->launch != h->launch || !h->is_up)) {
        return; /* Of a launch that is dead. */
    }
    if (f->thing == TO_SESSION || f->thing == PREPARED) {
        land_on_session(f);
    } else if (f->thing == TO_HOST) {
        land_to_host(f);
    } else if (f->thing == BROUGHT) {
        land_brought(f);
    } else if (f->thing == STARTED) {
        land_started(f->host);
    } else if (f->thing == EXITED) {
        land_exited(f);
    } else if (f->thing == SAVED) {
        h->is_saving = false;
        host_event(f->host, (struct agent_event){.type = AGENT_EVENT_SAVED,
                                                 .status = f->status});
    } else if (f->thing == DIE) {
        land_die(f->host);
    } else if (f->thing == LAUNCH) {
        host_launch(f->host);
    } else if (f->thing == SIGNAL) {
        h->was_signalled = h->was_signalled || h->is_up;
        host_event(f->host, (struct agent_event){.type = AGENT_EVENT_SIGNAL,
                                                 .signal = f->number});
    } else if (h->is_up) {
        h->peer = ++sim.next_peer;
    }
}

/* --- Running it. --- */

static enum status sometimes(uint64_t in_100, enum status s)
{
    return chance(in_100) ? s : STATUS_OK;
}

static void plan_host(uint32_t i, uint64_t trouble)
{
    struct plan *p = &sim.hosts[i].plan;

    p->bring = sometimes(trouble, STATUS_NO_SPACE);
    p->start = sometimes(trouble, STATUS_NO_COMMAND);
    p->save = sometimes(trouble, STATUS_DENIED);
    p->exit_code = chance(2 * trouble) ? 1 + (int)some(5) : 0;
    p->ignores_term = chance(25);
    p->run_ms = some(3000);
    if (!chance(trouble)) {
        fly(LAUNCH, i, some(1500));
    }
    if (chance(2 * trouble)) {
        fly(DIE, i, some(5000));
    }
    if (chance(2 * trouble)) {
        fly(SIGNAL, i, some(5000))->number = chance(50) ? SIGTERM : SIGINT;
    }
    while (chance(10)) {
        fly(BREAK, i, some(5000));
    }
}

static void start(uint64_t seed)
{
    static const char *const names[] = {"algo-1", "algo-2", "algo-3", "algo-4",
                                        "algo-5"};
    uint64_t trouble;

    memset(&sim, 0, offsetof(struct sim, flights));
    memset(&sim.session, 0, sizeof(sim) - offsetof(struct sim, session));
    sim.flight_count = 0;
    prng_init(&sim.prng, seed);
    sim.count = 1 + (uint32_t)some(HOSTS_MAX);
    sim.loss = chance(40) ? 0 : some(20);
    sim.repeat = some(30);
    sim.delay_ms = chance(50) ? 5 : 150;
    sim.keeps = chance(30);
    trouble = chance(40) ? 0 : some(12);
    sim.prepare = sometimes(trouble, STATUS_EMPTY);
    for (uint32_t i = 0; i < sim.count; i++) {
        plan_host(i, trouble);
    }
    if (chance(trouble)) {
        fly(DIE, 0, some(6000))->host = sim.count;
    }
    sim.session = session_new(&(struct session_options){
        .job_name = "job",
        .run = "abc",
        .leader = "algo-1",
        .term = 1,
        .hosts = names,
        .host_count = sim.count,
        .join_timeout_ms = JOIN_TIMEOUT,
        .heartbeat_ms = HEARTBEAT,
        .host_timeout_ms = HOST_TIMEOUT,
        .grace_ms = GRACE,
        .skew_max_ms = 1000,
        .keeps_on_failure = sim.keeps,
    });
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_ms(void)
{
    uint64_t next = sim.session_is_dead ? NEVER : sim.session_timer_ms;

    for (uint32_t i = 0; i < sim.flight_count; i++) {
        next = earlier(next, sim.flights[i].at_ms);
    }
    for (uint32_t i = 0; i < sim.count; i++) {
        if (sim.hosts[i].is_up && !sim.hosts[i].is_over) {
            next = earlier(next, sim.hosts[i].timer_ms);
        }
    }
    return next;
}

static void turn(void)
{
    static struct flight f;
    uint32_t i = 0;

    while (i < sim.flight_count) {
        if (sim.flights[i].at_ms > sim.now_ms) {
            i++;
            continue;
        }
        f = sim.flights[i];
        sim.flights[i] = sim.flights[--sim.flight_count];
        land(&f);
    }
    if (!sim.session_is_dead && sim.now_ms >= sim.session_timer_ms) {
        session_event((struct session_event){.type = SESSION_EVENT_TIMER},
                      NULL);
    }
    for (i = 0; i < sim.count; i++) {
        if (sim.now_ms >= sim.hosts[i].timer_ms || chance(1)) {
            host_event(i, (struct agent_event){.type = AGENT_EVENT_TIMER});
        }
    }
}

static bool is_finished(void)
{
    for (uint32_t i = 0; i < sim.count; i++) {
        if (sim.hosts[i].is_up && !sim.hosts[i].is_over) {
            return false;
        }
    }
    for (uint32_t i = 0; i < sim.flight_count; i++) {
        if (sim.flights[i].thing == LAUNCH) {
            return false;
        }
    }
    return sim.session_is_over || sim.session_is_dead;
}

static void judge_success(void)
{
    for (uint32_t i = 0; i < sim.count; i++) {
        const struct host *h = &sim.hosts[i];

        if (h->did_its_part) {
            continue;
        }
        EXPECT(h->exited_well && h->was_brought);
        EXPECT_EQ(h->plan.save, STATUS_OK);
        EXPECT_EQ(h->asked_save, 1);
        if (h->is_over) {
            EXPECT_EQ(h->outcome.exit_code, 0);
        }
    }
}

/* Everybody fails, but a host whose part was done and whom no END reached, or
 * whom with KEEP the others' failures do not touch. */
static void judge_failure(void)
{
    for (uint32_t i = 0; i < sim.count; i++) {
        const struct host *h = &sim.hosts[i];

        if (h->is_over && h->outcome.exit_code == 0) {
            EXPECT(!h->was_ended && h->exited_well);
            seen.unheard += !sim.keeps;
        }
    }
}

static void run(uint64_t seed)
{
    struct session_outcome o;

    start(seed);
    while (!is_finished()) {
        EXPECT(next_ms() != NEVER);
        sim.now_ms = next_ms() > sim.now_ms ? next_ms() : sim.now_ms + 1;
        EXPECT(sim.now_ms < LIMIT_MS);
        turn();
    }
    o = session_outcome(sim.session);
    if (sim.session_is_dead && !sim.session_is_over) {
        seen.orphaned++;
    } else if (o.status == STATUS_OK) {
        seen.ok++;
        judge_success();
    } else {
        seen.failed++;
        judge_failure();
    }
    session_destroy(&sim.session);
    for (uint32_t i = 0; i < sim.launch_count; i++) {
        agent_destroy(&sim.launched[i]);
    }
}

TEST(every_job_ends_and_ends_rightly)
{
    const char *only = getenv("TEST_SEED");
    uint64_t seeds = only != NULL ? 1 : SEEDS;

    for (uint64_t i = 0; i < seeds; i++) {
        uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : i;

        if (getenv("TEST_TRACE") != NULL) {
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        }
        run(seed);
    }
    if (getenv("TEST_TRACE") != NULL) {
        fprintf(
            stderr,
            "ok %llu failed %llu lost %llu timeouts %llu orphaned %llu "
            "unheard %llu rejoined %llu killed %llu\n",
            (unsigned long long)seen.ok, (unsigned long long)seen.failed,
            (unsigned long long)seen.lost, (unsigned long long)seen.timeouts,
            (unsigned long long)seen.orphaned, (unsigned long long)seen.unheard,
            (unsigned long long)seen.rejoined, (unsigned long long)seen.killed);
    }
    /* All of it has been seen, and a missed END hardly ever. */
    EXPECT(only != NULL || (seen.ok > seeds / 4 && seen.failed > seeds / 10));
    EXPECT(only != NULL || (seen.lost > 0 && seen.timeouts > 0));
    EXPECT(only != NULL || (seen.orphaned > 0 && seen.rejoined > 0));
    EXPECT(only != NULL || (seen.killed > 0 && seen.unheard < seeds / 100));
}
