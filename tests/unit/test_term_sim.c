/* SPDX-License-Identifier: Apache-2.0 */
/* A store with one lease and a few hosts on simulated time: clocks that drift,
 * requests and answers that are lost, late or repeated, hosts that stop, crash
 * and come back. */
#include "coordinator/term.h"

#include "base/prng.h"

#include "tests/harness.h"

enum {
    BEAT = 600,
    HOSTS_MAX = 5,
    SEEDS = 1500,
    WILD_MS = 20000,
    CALM_MS = 15000,
    GIVEN_UP_MS = 700,
    GHOSTS_MAX = 4,
    EXACT = 1000, /* The rate of a clock that is right. */
    DRIFT = 50,
};

#define NEVER UINT64_MAX

/* One request on its way: it reaches the store at @at_ms (NEVER: it is lost),
 * its answer the host at @back_ms. */
struct request {
    bool is_used;
    bool is_done; /* By the store. */
    bool is_given_up;
    uint32_t process;
    uint64_t at_ms;
    uint64_t back_ms;
    enum term_do what;
    bool is_unconditional;
    bool is_create;
    char etag[TERM_ETAG_MAX];
    char body[512];
    size_t body_size;
    enum status status;
    char got_etag[TERM_ETAG_MAX];
};

struct host {
    struct term *term;
    uint32_t process;           /* Grows with each start. */
    char in[TERM_RUN_SIZE + 1]; /* The run it has been let into. */
    uint64_t skew_ms;           /* Its clock is ahead by this... */
    uint64_t rate;              /* ...and runs so fast. */
    uint64_t timer_ms;          /* By its clock. */
    struct request request;
    struct request ghosts[GHOSTS_MAX]; /* Writes that may land any time. */
    bool is_stopped;
    bool is_down;
};

struct sim {
    struct prng prng;
    uint64_t now_ms;
    uint64_t leg_max_ms; /* Of a request's way there, or back. */
    bool is_calm;
    bool is_slow; /* Calm, and each way takes as long as it may. */
    struct host hosts[HOSTS_MAX];
    uint32_t count;
    uint32_t processes;
    bool may_succeed;

    bool exists;
    uint64_t version;
    char body[512];
    size_t body_size;
    struct term_lease lease;
    uint32_t writer; /* The process that wrote it. */
    uint64_t written_ms;
    uint32_t reigns;
    uint32_t kept;    /* New terms of the same run. */
    uint32_t resumed; /* From SUSPENDED to LEADING. */
};

static uint64_t clock_of(const struct sim *s, const struct host *h)
{
    return h->skew_ms + s->now_ms * h->rate / EXACT;
}

/* The first moment at which the host's clock shows @local_ms. */
static uint64_t moment_of(const struct host *h, uint64_t local_ms)
{
    if (local_ms <= h->skew_ms) {
        return 0;
    }
    return local_ms == NEVER
               ? NEVER
               : ((local_ms - h->skew_ms) * EXACT + h->rate - 1) / h->rate;
}

static void start(struct sim *s, uint32_t i)
{
    static const char *const names[] = {"h0", "h1", "h2", "h3", "h4"};
    struct host *h = &s->hosts[i];
    char run[TERM_RUN_SIZE + 1];

    term_destroy(&h->term);
    h->process = ++s->processes;
    h->in[0] = '\0';
    snprintf(run, sizeof(run), "%08x", h->process);
    h->term = term_new(&(struct term_options){
        .host = names[i],
        .endpoint = "tcp://x:1",
        .run = run,
        .number = i,
        .host_count = s->count,
        .heartbeat_ms = BEAT,
        .nonce_seed = prng_next(&s->prng),
        .may_succeed = s->may_succeed,
    });
    h->is_down = false;
    h->timer_ms = clock_of(s, h);
}

/* A new lease is in the store: is it one that may follow the last? */
static void judge(struct sim *s, const struct request *r,
                  const struct term_lease *lease)
{
    const struct term_lease *last = &s->lease;
    bool is_new_run = strcmp(lease->run, last->run) != 0;

    if (s->exists && s->may_succeed) {
        EXPECT(lease->term == last->term || lease->term == last->term + 1);
        EXPECT(lease->term != last->term || s->writer == r->process);
        EXPECT(lease->term != last->term || !is_new_run);
        EXPECT(!last->is_released || (is_new_run && lease->term > last->term));
    }
    if (s->exists && is_new_run) {
        const struct host *h = &s->hosts[lease->number];

        /* Who is in the run that the lease names doesn't begin another. */
        EXPECT(h->process != r->process || strcmp(h->in, last->run) != 0);
    }
    s->kept += s->exists && !is_new_run && lease->term > last->term;
}

/* The request reaches the store. */
static void serve(struct sim *s, struct request *r)
{
    char etag[TERM_ETAG_MAX];

    snprintf(etag, sizeof(etag), "v%llu", (unsigned long long)s->version);
    r->is_done = true;
    r->status = STATUS_OK;
    if (r->what == TERM_DO_READ) {
        r->status = s->exists ? STATUS_OK : STATUS_NOT_FOUND;
        memcpy(r->body, s->body, s->body_size);
        r->body_size = s->body_size;
    } else if (r->is_unconditional) {
        EXPECT(!s->may_succeed);
    } else if (r->is_create ? s->exists : !s->exists) {
        r->status = r->is_create ? STATUS_EXISTS : STATUS_NOT_FOUND;
    } else if (!r->is_create && strcmp(r->etag, etag) != 0) {
        r->status = STATUS_CHANGED;
    }
    if (r->what == TERM_DO_WRITE && r->status == STATUS_OK) {
        struct term_lease lease;
        struct fault why;

        EXPECT_EQ(term_lease_read((struct bytes){r->body, r->body_size}, &why,
                                  &lease),
                  STATUS_OK);
        judge(s, r, &lease);
        s->exists = true;
        s->lease = lease;
        s->writer = r->process;
        s->written_ms = s->now_ms;
        s->version++;
        memcpy(s->body, r->body, r->body_size);
        s->body_size = r->body_size;
        snprintf(etag, sizeof(etag), "v%llu", (unsigned long long)s->version);
    }
    memcpy(r->got_etag, etag, sizeof(r->got_etag));
}

static uint64_t delay(struct sim *s)
{
    if (s->is_calm) {
        return s->is_slow ? s->leg_max_ms
                          : prng_below(&s->prng, s->leg_max_ms + 1);
    }
    return prng_chance(&s->prng, 1, 8) ? prng_below(&s->prng, 2000)
                                       : prng_below(&s->prng, s->leg_max_ms);
}

/* What is on its way stays so, though nobody waits for it any more. */
static void haunt(struct host *h, const struct request *r)
{
    if (!r->is_used || r->is_done || r->at_ms == NEVER ||
        r->what != TERM_DO_WRITE) {
        return;
    }
    for (size_t i = 0; i < GHOSTS_MAX; i++) {
        if (!h->ghosts[i].is_used || h->ghosts[i].is_done) {
            h->ghosts[i] = *r;
            return;
        }
    }
}

static void ask(struct sim *s, struct host *h, const struct term_effects *fx)
{
    struct request *r = &h->request;

    EXPECT(!r->is_used);
    memset(r, 0, sizeof(*r));
    r->is_used = true;
    r->process = h->process;
    r->what = fx->request;
    r->is_unconditional = fx->is_unconditional;
    r->is_create = fx->is_create;
    memcpy(r->etag, fx->etag, sizeof(r->etag));
    EXPECT(fx->body_size <= sizeof(r->body));
    memcpy(r->body, fx->body, fx->body_size);
    r->body_size = fx->body_size;
    r->at_ms = s->now_ms + delay(s);
    r->back_ms = r->at_ms + delay(s);
    if (!s->is_calm && prng_chance(&s->prng, 1, 10)) {
        struct request again = *r;

        again.at_ms += prng_below(&s->prng, 4000); /* It comes twice. */
        haunt(h, &again);
    }
    if (!s->is_calm && prng_chance(&s->prng, 1, 10)) {
        r->at_ms = NEVER; /* Lost on the way there. */
    }
    if (r->at_ms == NEVER || r->back_ms > s->now_ms + GIVEN_UP_MS ||
        (!s->is_calm && prng_chance(&s->prng, 1, 10))) {
        r->back_ms = s->now_ms + GIVEN_UP_MS; /* Or on the way back. */
        r->is_given_up = true;
    }
}

static void step(struct sim *s, struct host *h, struct term_event *event)
{
    static struct term_effects fx;
    enum term_state before = term_state(h->term);
    bool leads;

    event->now_ms = clock_of(s, h);
    term_step(h->term, event, &fx);
    term_check(h->term);
    h->timer_ms = fx.timer_ms;
    leads = term_state(h->term) == TERM_LEADING;
    s->reigns += leads && before != TERM_LEADING && before != TERM_SUSPENDED;
    s->resumed += leads && before == TERM_SUSPENDED;
    if (leads) {
        snprintf(h->in, sizeof(h->in), "%s", term_lease(h->term)->run);
    }
    if (fx.request != TERM_DO_NOTHING) {
        ask(s, h, &fx);
    }
}

/* The answer comes, or is given up; a write that is still under way then
 * stays behind as a ghost. */
static void answer(struct sim *s, struct host *h)
{
    struct request r = h->request;
    struct term_event event = {.status = r.status};

    haunt(h, &r);
    h->request.is_used = false;
    if (r.is_given_up || !r.is_done) {
        event.status = STATUS_TIMEOUT;
    }
    event.type = r.what == TERM_DO_READ ? TERM_EVENT_READ : TERM_EVENT_WRITTEN;
    event.etag = event.status == STATUS_OK ? r.got_etag : NULL;
    event.body = (struct bytes){r.body, r.body_size};
    step(s, h, &event);
}

static void arrive(struct sim *s, struct request *r)
{
    if (r->is_used && !r->is_done && r->at_ms <= s->now_ms) {
        serve(s, r);
    }
}

static void turn(struct sim *s, struct host *h)
{
    struct term_event timer = {.type = TERM_EVENT_TIMER};

    for (size_t i = 0; i < GHOSTS_MAX; i++) {
        arrive(s, &h->ghosts[i]);
    }
    arrive(s, &h->request);
    if (h->is_down || h->is_stopped) {
        return;
    }
    if (h->request.is_used && h->request.back_ms <= s->now_ms) {
        answer(s, h);
    }
    if (h->timer_ms <= clock_of(s, h) ||
        (!s->is_calm && prng_chance(&s->prng, 1, 50))) {
        step(s, h, &timer);
    }
}

/* One that is stopped believes what it believed: it acts when it wakes up. */
static bool leads(const struct sim *s, const struct host *h)
{
    return !h->is_down && term_state(h->term) == TERM_LEADING &&
           term_until_ms(h->term) > clock_of(s, h);
}

static uint32_t count_leaders(const struct sim *s)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < s->count; i++) {
        count += leads(s, &s->hosts[i]);
    }
    return count;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_ms(const struct sim *s)
{
    uint64_t next = s->now_ms + 40;

    for (uint32_t i = 0; i < s->count; i++) {
        const struct host *h = &s->hosts[i];

        for (size_t g = 0; g < GHOSTS_MAX; g++) {
            if (h->ghosts[g].is_used && !h->ghosts[g].is_done) {
                next = earlier(next, h->ghosts[g].at_ms);
            }
        }
        if (h->request.is_used && !h->request.is_done) {
            next = earlier(next, h->request.at_ms);
        }
        if (h->is_down || h->is_stopped) {
            continue;
        }
        if (h->request.is_used) {
            next = earlier(next, h->request.back_ms);
        }
        next = earlier(next, moment_of(h, h->timer_ms));
    }
    return next > s->now_ms ? next : s->now_ms + 1;
}

static void crash(struct host *h)
{
    haunt(h, &h->request);
    h->request.is_used = false;
    h->is_down = true;
}

static void disturb(struct sim *s)
{
    uint32_t i = (uint32_t)prng_below(&s->prng, s->count);
    struct host *h = &s->hosts[i];

    if (prng_chance(&s->prng, 1, 400)) {
        h->is_stopped = !h->is_stopped;
    } else if (prng_chance(&s->prng, 1, 800)) {
        crash(h);
    } else if (h->is_down && prng_chance(&s->prng, 1, 20)) {
        start(s, i);
    } else if (!h->is_down && !h->is_stopped &&
               prng_chance(&s->prng, 1, 1500)) {
        struct term_event release = {.type = TERM_EVENT_RELEASE};

        step(s, h, &release);
    }
}

/* What the owner of a core does: it comes into the run of who leads, hears the
 * coordinator or not, and starts anew when its run is over. */
static void own(struct sim *s, uint32_t i)
{
    struct host *h = &s->hosts[i];
    const struct term_lease *lease;
    const struct host *leader;
    bool is_member = h->in[0] != '\0';
    bool is_in;
    bool follows;

    if (h->is_down || h->is_stopped) {
        return;
    }
    lease = term_lease(h->term);
    leader = &s->hosts[lease->number];
    is_in = is_member && strcmp(h->in, lease->run) == 0;
    follows = term_state(h->term) == TERM_FOLLOWING;
    if ((term_state(h->term) == TERM_RELEASED && !h->request.is_used) ||
        (follows && is_member && (!is_in || lease->is_released))) {
        crash(h);
        start(s, i);
        return;
    }
    if (follows && !is_member && leads(s, leader) &&
        strcmp(term_lease(leader->term)->run, lease->run) == 0 &&
        prng_chance(&s->prng, 1, 4)) {
        snprintf(h->in, sizeof(h->in), "%s", lease->run);
        term_enter_run(h->term, lease->run);
        h->timer_ms = 0;
    }
    if (prng_chance(&s->prng, 1, 20)) {
        term_set_eager(h->term, !leads(s, leader));
        h->timer_ms = 0;
    }
}

static void run_until(struct sim *s, uint64_t end_ms)
{
    while (s->now_ms < end_ms) {
        s->now_ms = next_ms(s);
        for (uint32_t i = 0; i < s->count; i++) {
            turn(s, &s->hosts[i]);
            EXPECT(count_leaders(s) <= 1);
            own(s, i);
        }
        if (!s->is_calm) {
            disturb(s);
            EXPECT(count_leaders(s) <= 1);
        }
    }
}

static void sim_init(struct sim *s, uint64_t seed, uint32_t count)
{
    memset(s, 0, sizeof(*s));
    prng_init(&s->prng, seed);
    s->count = count;
    s->leg_max_ms = 10;
    s->may_succeed = true;
    for (uint32_t i = 0; i < count; i++) {
        s->hosts[i].skew_ms = prng_below(&s->prng, 100000);
        s->hosts[i].rate = EXACT - DRIFT + prng_below(&s->prng, 2 * DRIFT + 1);
        if (prng_chance(&s->prng, 1, 2)) { /* The ends are the worst. */
            s->hosts[i].rate =
                prng_chance(&s->prng, 1, 2) ? EXACT - DRIFT : EXACT + DRIFT;
        }
    }
}

static void sim_fini(struct sim *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        term_destroy(&s->hosts[i].term);
    }
}

static void run_wild(struct sim *s, uint64_t seed)
{
    sim_init(s, seed, 2 + (uint32_t)(seed % (HOSTS_MAX - 1)));
    s->leg_max_ms = prng_chance(&s->prng, 1, 2) ? 10 : 150;
    for (uint32_t i = 0; i < s->count; i++) {
        start(s, i);
        s->hosts[i].timer_ms += prng_below(&s->prng, 500);
    }
    run_until(s, WILD_MS);
    s->is_calm = true;
    s->leg_max_ms = 10;
    for (uint32_t i = 0; i < s->count; i++) {
        s->hosts[i].is_stopped = false;
        if (s->hosts[i].is_down) {
            start(s, i);
        }
    }
    run_until(s, WILD_MS + CALM_MS);
    EXPECT_EQ(count_leaders(s), 1);
    sim_fini(s);
}

TEST(never_two_leaders_and_one_in_the_end)
{
    static struct sim s;
    const char *only = getenv("TEST_SEED");
    uint64_t seeds = only != NULL ? 1 : SEEDS;
    uint64_t reigns = 0;
    uint64_t kept = 0;
    uint64_t resumed = 0;

    for (uint64_t i = 0; i < seeds; i++) {
        run_wild(&s, only != NULL ? strtoull(only, NULL, 10) : i);
        reigns += s.reigns;
        kept += s.kept;
        resumed += s.resumed;
    }
    /* Not worth much if hardly anything ever happens. */
    if (only == NULL) {
        EXPECT(reigns > 2 * seeds);
        EXPECT(kept > seeds);
        EXPECT(resumed > seeds);
    }
}

static bool writes(const struct host *h)
{
    return h->request.is_used && !h->request.is_done &&
           h->request.what == TERM_DO_WRITE;
}

/* Kill the leader, and the first @dead standbys, at @death_ms after all have
 * settled; return how long it takes until one leads again. */
static uint64_t take_over_ms(struct sim *s, uint64_t death_ms, uint32_t dead)
{
    char run[TERM_RUN_SIZE + 1];

    s->is_calm = true;
    s->leg_max_ms = BEAT / 20;
    for (uint32_t i = 0; i < s->count; i++) {
        start(s, i);
        s->hosts[i].timer_ms += i == 0 ? 0 : 1000 + prng_below(&s->prng, 300);
    }
    run_until(s, 5000 + death_ms);
    while (death_ms % 8 != 0 && !writes(&s->hosts[0])) {
        run_until(s, s->now_ms + 1); /* It dies while it renews. */
    }
    EXPECT(leads(s, &s->hosts[0]));
    snprintf(run, sizeof(run), "%s", s->lease.run);
    for (uint32_t i = 0; i <= dead; i++) {
        crash(&s->hosts[i]);
    }
    death_ms = s->now_ms;
    while (count_leaders(s) == 0) {
        EXPECT(s->now_ms < death_ms + 20 * BEAT);
        run_until(s, s->now_ms + 1);
    }
    EXPECT_EQ(s->lease.term, 2);
    EXPECT_STR(s->lease.run, run);
    return s->now_ms - death_ms;
}

/* All alignments of the leader's renewals and the standbys' reads, with the
 * worst clocks that are allowed and requests of up to a tenth of a beat. */
TEST(a_standby_takes_over_within_three_heartbeats)
{
    static struct sim s;

    for (uint32_t dead = 0; dead < 3; dead++) {
        uint64_t worst_ms = 0;
        uint64_t bound_ms =
            3 * BEAT + dead * BEAT / 16 + (dead > 0 ? BEAT / 10 : 0);

        for (uint64_t i = 0; i < 600; i++) {
            uint64_t ms;

            sim_init(&s, i, HOSTS_MAX);
            for (uint32_t h = 0; i % 2 == 0 && h < s.count; h++) {
                s.hosts[h].rate = h == 0 ? EXACT + DRIFT : EXACT - DRIFT;
            }
            s.is_slow = i % 4 < 3;
            ms = take_over_ms(&s, i, dead);
            worst_ms = ms > worst_ms ? ms : worst_ms;
            sim_fini(&s);
        }
        EXPECT(worst_ms <= bound_ms);
        EXPECT(worst_ms > bound_ms - BEAT / 4); /* The bound is near. */
    }
}

TEST(an_outsider_does_not_come_before_the_standbys)
{
    static struct sim s;

    for (uint64_t i = 0; i < 200; i++) {
        sim_init(&s, i, HOSTS_MAX);
        s.is_calm = true;
        for (uint32_t h = 0; h < s.count; h++) {
            start(&s, h);
        }
        run_until(&s, 5000 + i);
        EXPECT(count_leaders(&s) == 1);
        crash(&s.hosts[0]);
        start(&s, 0); /* A container that was restarted. */
        run_until(&s, s.now_ms + 4 * BEAT);
        EXPECT_EQ(count_leaders(&s), 1);
        EXPECT(!leads(&s, &s.hosts[0]));
        EXPECT_EQ(s.lease.term, 2);
        EXPECT_EQ(s.kept, 1);
        sim_fini(&s);
    }
}

/* All hosts but one restarted container are gone. */
TEST(an_outsider_comes_in_the_end)
{
    static struct sim s;

    for (uint64_t i = 0; i < 100; i++) {
        sim_init(&s, i, 2);
        s.is_calm = true;
        start(&s, 0);
        s.hosts[1].is_down = true;
        run_until(&s, 3000 + i);
        crash(&s.hosts[0]);
        start(&s, 1);
        run_until(&s, s.now_ms + 7 * BEAT);
        EXPECT(leads(&s, &s.hosts[1]));
        EXPECT_EQ(s.lease.term, 2);
        EXPECT_EQ(s.kept, 0);
        sim_fini(&s);
    }
}

/* The store is away for longer than the ttl; nobody else is there. */
TEST(a_leader_alone_goes_on_in_its_term_when_the_store_is_back)
{
    static struct sim s;

    for (uint64_t i = 0; i < 100; i++) {
        sim_init(&s, i, 2);
        s.is_calm = true;
        start(&s, 0);
        s.hosts[1].is_down = true;
        run_until(&s, 2000 + i);
        s.leg_max_ms = UINT64_C(1) << 40; /* Given up, one and all. */
        run_until(&s, s.now_ms + 5 * BEAT);
        EXPECT_EQ(count_leaders(&s), 0);
        s.leg_max_ms = 10;
        run_until(&s, s.now_ms + 3 * BEAT);
        EXPECT(leads(&s, &s.hosts[0]));
        EXPECT_EQ(s.lease.term, 1);
        EXPECT_EQ(s.resumed, 1);
        sim_fini(&s);
    }
}

/* No conditional writes: one host, and no harm from its own late writes. */
TEST(without_conditions_the_first_host_leads_through_all)
{
    static struct sim s;

    for (uint64_t i = 0; i < 200; i++) {
        sim_init(&s, i, 3);
        s.may_succeed = false;
        for (uint32_t h = 0; h < s.count; h++) {
            start(&s, h);
        }
        run_until(&s, WILD_MS);
        s.is_calm = true;
        for (uint32_t h = 0; h < s.count; h++) {
            s.hosts[h].is_stopped = false;
            if (s.hosts[h].is_down) {
                start(&s, h);
            }
        }
        run_until(&s, WILD_MS + CALM_MS);
        EXPECT(leads(&s, &s.hosts[0]));
        sim_fini(&s);
    }
}
