/* SPDX-License-Identifier: Apache-2.0 */
/* What a coordinator costs. Usage: bench_coordinator [HOSTS]
 *
 * One reign with a store in memory, and hosts of eight ranks that come, work
 * and beat; then another host takes over and all report to it. Time is that of
 * the processor, from a message's bytes to the bytes of the answers; ZeroMQ is
 * not in it (bench_net). */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/coordinator_store.h"

#include "base/mem.h"
#include "coordinator/reign.h"
#include "tests/bench/coordinator_hosts.h"

#define RUN "0123456789abcdef0123456789abcdef"

enum {
    TICK_MS = 10,
    BEAT_MS = 2000,
    TIMEOUT_MS = 30000,
    JOURNAL_GAP_MS = 100,
    STORE_MS = 30, /* Until an answer. */
    SETTLE_MS = 30000,
    MEASURE_MS = 20000,
    GAP_MS = 101,      /* Between WORKs of a host, at least; */
    WORDS_MAX = 20000, /* of all hosts, a second: as hosts have it. */
    RATE = 10,         /* Units a second of a rank. */
    BATCH_MAX = 256,
    ANSWERS_MAX = 1 << 20, /* Bytes. */
    NAME_SIZE = 16,
    CHANNELS = 2,
    DYNAMIC = 1,
};

#define POSITIONS UINT64_C(1000000000)

struct words { /* Messages, one after the other. */
    struct buf bytes;
    uint32_t count;
    uint32_t hosts[BATCH_MAX];
    size_t ends[BATCH_MAX];
};

struct bench {
    struct host_job job;
    struct host *hosts;
    char **names;
    struct store store;
    struct reign *reign;
    struct dealt dealt; /* Its lists are those below. */
    struct {
        uint32_t *ranks;
        uint32_t *weights;
        uint64_t *bounds;
        struct wire_share_all *shares;
    } own;
    uint64_t now_ms;
    uint64_t timer_ms;
    struct words words;
    struct buf answers; /* [peer, size, bytes]… */
    enum reign_prepare do_prepare;

    double busy_s; /* The coordinator's. */
    double longest_s;
    uint64_t messages;
    uint64_t bytes_in;
    uint64_t bytes_out;
    size_t memory; /* The most. */
};

static double bench_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What the process holds, but for hosts and store. */
static void bench_note_memory(struct bench *b)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    size_t bytes;

    CHECK(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
    fclose(f);
    bytes = pages * (size_t)sysconf(_SC_PAGESIZE) - mapped_bytes;
    b->memory = bytes > b->memory ? bytes : b->memory;
}

/* ---- What was dealt ------------------------------------------------------ */

static void bench_deal_shares(struct bench *b, uint32_t ranks)
{
    struct wire_share_all *all = mem_new(b->job.count, sizeof(*all));
    static const char *const names[CHANNELS] = {"validation", "train"};

    for (uint32_t i = 0; i < b->job.count; i++) {
        all[i] = (struct wire_share_all){
            .output = BYTES("s3://bucket/training/output/model"),
            .checkpoint = BYTES("s3://bucket/training/checkpoints"),
            .first_rank = (uint64_t)i * ranks,
            .rank_count = (uint64_t)b->job.count * ranks,
            .share_count = CHANNELS,
        };
        for (uint32_t c = 0; c < CHANNELS; c++) {
            all[i].shares[c] = (struct wire_share){
                .channel = bytes_of(names[c]),
                .share = BYTES("runs/" RUN "/shares/validation/00000000"),
                .catalog = BYTES("catalogs/" RUN RUN),
                .root_uri = BYTES("s3://bucket/"),
                .prefix = BYTES("training/data/"),
                .named_by = BYTES(""),
                .number = c,
                .is_dynamic = c == DYNAMIC,
                .positions = c == DYNAMIC ? POSITIONS : 0,
            };
        }
    }
    b->own.shares = all;
    b->dealt.shares = all;
}

static void bench_deal(struct bench *b)
{
    uint32_t count = b->job.count;
    uint32_t *ranks = mem_new(count, sizeof(*ranks));
    uint32_t *weights = mem_new(count, sizeof(*weights));
    uint64_t *bounds = mem_new((size_t)count * HOST_RANKS_MAX + 1, 8);

    for (uint32_t i = 0; i < count; i++) {
        ranks[i] = HOST_RANKS_MAX;
        weights[i] = 100;
    }
    for (uint32_t i = 0; i <= count * HOST_RANKS_MAX; i++) {
        bounds[i] = (uint64_t)i * 100;
    }
    b->own.ranks = ranks;
    b->own.weights = weights;
    b->own.bounds = bounds;
    b->dealt.host_count = count;
    b->dealt.ranks = ranks;
    b->dealt.weights = weights;
    b->dealt.channel_count = CHANNELS;
    b->dealt.channels[0] = (struct dealt_channel){
        .name = BYTES("validation"),
        .catalog = BYTES(RUN RUN),
        .positions = bounds[count * HOST_RANKS_MAX],
        .epochs = 1,
        .bounds = bounds,
        .how = BYTES("{}"),
    };
    b->dealt.channels[DYNAMIC] = (struct dealt_channel){
        .name = BYTES("train"),
        .catalog = BYTES(RUN RUN),
        .is_dynamic = true,
        .positions = POSITIONS,
        .epochs = 1,
        .how = BYTES("{}"),
    };
    bench_deal_shares(b, HOST_RANKS_MAX);
}

static void bench_free_deal(struct bench *b)
{
    free(b->own.ranks);
    free(b->own.weights);
    free(b->own.bounds);
    free(b->own.shares);
}

/* ---- The coordinator ----------------------------------------------------- */

/* Hand the answers to the hosts. */
static void bench_deliver(struct bench *b)
{
    size_t at = 0;

    while (at < b->answers.size) {
        uint64_t head[2];
        struct wire_message m;

        memcpy(head, b->answers.at + at, sizeof(head));
        at += sizeof(head);
        CHECK(wire_decode((struct bytes){b->answers.at + at, head[1]}, RUN,
                          NULL, &m) == STATUS_OK);
        at += head[1];
        if (head[0] <= b->job.count) {
            host_take(&b->job, &b->hosts[head[0] - 1], &m);
        }
    }
    b->bytes_out += b->answers.size;
    buf_clear(&b->answers);
}

static void bench_encode(struct bench *b, const struct session_send *send)
{
    uint64_t head[2] = {send->peer, 0};
    size_t start = b->answers.size;

    buf_add(&b->answers, head, sizeof(head));
    wire_encode(&send->message, &b->answers);
    head[1] = b->answers.size - start - sizeof(head);
    memcpy(b->answers.at + start, head, sizeof(head));
}

static void bench_step(struct bench *b, struct reign_event *event)
{
    struct reign_effects fx = {0};
    double start = bench_cpu_s();
    double taken = 0;

    event->now_ms = b->now_ms;
    event->wall_ms = b->now_ms;
    reign_step(b->reign, event, &fx);
    for (uint32_t i = 0; i < fx.request_count; i++) {
        store_add(&b->store, &fx.requests[i], b->now_ms);
    }
    for (uint32_t i = 0; i < fx.send_count; i++) {
        bench_encode(b, &fx.sends[i]);
        if (b->answers.size > ANSWERS_MAX) {
            taken += bench_cpu_s() - start;
            bench_deliver(b);
            start = bench_cpu_s();
        }
    }
    taken += bench_cpu_s() - start;
    b->busy_s += taken;
    b->timer_ms = fx.timer_ms;
    b->do_prepare =
        fx.do_prepare != REIGN_PREPARE_NOTHING ? fx.do_prepare : b->do_prepare;
    if (taken > b->longest_s) {
        b->longest_s = taken;
    }
    if (taken > 0.001) {
        bench_note_memory(b);
    }
}

/* Let the coordinator take what the hosts have said. */
static void bench_take_words(struct bench *b)
{
    struct words *w = &b->words;
    size_t from = 0;

    for (uint32_t i = 0; i < w->count; i++) {
        struct bytes bytes = {w->bytes.at + from, w->ends[i] - from};
        struct wire_message m;
        double start = bench_cpu_s();

        CHECK(wire_decode(bytes, RUN, NULL, &m) == STATUS_OK);
        b->busy_s += bench_cpu_s() - start;
        bench_step(b, &(struct reign_event){.type = REIGN_EVENT_MESSAGE,
                                            .peer = w->hosts[i] + 1,
                                            .message = &m});
        from = w->ends[i];
    }
    b->messages += w->count;
    b->bytes_in += w->bytes.size;
    w->count = 0;
    buf_clear(&w->bytes);
    bench_deliver(b);
}

static void bench_end_word(struct bench *b, uint32_t host)
{
    struct words *w = &b->words;

    w->hosts[w->count] = host;
    w->ends[w->count++] = w->bytes.size;
    if (w->count == BATCH_MAX) {
        bench_take_words(b);
    }
}

static void bench_say(struct bench *b, uint32_t host,
                      const struct wire_message *m)
{
    wire_encode(m, &b->words.bytes);
    bench_end_word(b, host);
}

static void bench_new_reign(struct bench *b, uint64_t term)
{
    b->job.term = term;
    b->reign = reign_new(&(struct reign_options){
        .session =
            {
                .job_name = "bench",
                .run = RUN,
                .leader = b->names[term - 1],
                .term = term,
                .hosts = (const char *const *)b->names,
                .host_count = b->job.count,
                .now_ms = b->now_ms,
                .join_timeout_ms = 600000,
                .heartbeat_ms = BEAT_MS,
                .host_timeout_ms = TIMEOUT_MS,
                .grace_ms = TIMEOUT_MS,
                .skew_max_ms = 60000,
                .keeps_on_failure = true,
            },
        .number = (uint32_t)term - 1,
        .nonce = term,
        .gap_ms = JOURNAL_GAP_MS,
        .snapshot_bytes = 1 << 20,
        .run_ms = 5 * BEAT_MS,
        .has_conditions = true,
    });
    b->timer_ms = b->now_ms;
}

/* ---- The hosts ----------------------------------------------------------- */

static void bench_say_hello(struct bench *b, uint32_t i)
{
    struct wire_message m = host_message(&b->job, WIRE_HELLO);
    char incarnation[40];

    snprintf(incarnation, sizeof(incarnation), "%032x", (unsigned)i + 1);
    m.hello = (struct wire_hello){
        .host = bytes_of(b->names[i]),
        .incarnation = bytes_of(incarnation),
        .release = BYTES("0.1.0"),
        .attempt = 1,
        .ranks = HOST_RANKS_MAX,
        .weight = 100,
        .wall_ms = b->now_ms,
        .host_count = b->job.count,
        .phase = b->hosts[i].phase,
    };
    bench_say(b, i, &m);
}

static void bench_say_beat(struct bench *b, uint32_t i)
{
    struct host *h = &b->hosts[i];
    struct wire_message m = host_message(&b->job, WIRE_BEAT);

    m.beat = (struct wire_beat){
        .phase = h->phase,
        .number = ++h->beats,
        .progress = {{BYTES("validation"), 800, 800, 1 << 30, 1 << 30},
                     {BYTES("train"), h->units, POSITIONS, 1 << 30, 1L << 40}},
        .progress_count = CHANNELS,
    };
    bench_say(b, i, &m);
}

static void bench_turn_host(struct bench *b, uint32_t i)
{
    struct host *h = &b->hosts[i];

    if (!h->is_welcome) {
        if (b->now_ms >= h->hello_ms) {
            h->hello_ms = b->now_ms + BEAT_MS;
            bench_say_hello(b, i);
        }
        return;
    }
    if (h->is_ready) {
        struct wire_message m = host_message(&b->job, WIRE_READY);

        h->is_ready = false;
        h->phase = WIRE_PHASE_READY;
        bench_say(b, i, &m);
    }
    if (b->now_ms >= h->beat_ms) {
        h->beat_ms += BEAT_MS;
        bench_say_beat(b, i);
    }
    if (h->phase == WIRE_PHASE_RUNNING && b->now_ms >= h->work_ms) {
        /* At first all begin at once, then they drift apart. */
        h->work_ms = b->now_ms + (h->seq == 0 ? i * b->job.gap_ms / b->job.count
                                              : b->job.gap_ms);
        host_consume(&b->job, h, b->now_ms);
        host_say_work(&b->job, h, &b->words.bytes);
        bench_end_word(b, i);
    }
}

static void bench_prepare(struct bench *b)
{
    if (b->do_prepare != REIGN_PREPARE_NOTHING) {
        b->do_prepare = REIGN_PREPARE_NOTHING;
        if (b->dealt.host_count == 0) {
            bench_deal(b);
        }
        bench_step(b, &(struct reign_event){.type = REIGN_EVENT_PREPARED,
                                            .status = STATUS_OK,
                                            .dealt = &b->dealt});
    }
}

/* One tick: store, hosts, timer. */
static void bench_turn(struct bench *b)
{
    struct journal_event stored;

    while (store_take(&b->store, b->now_ms, &stored)) {
        bench_step(b, &(struct reign_event){.type = REIGN_EVENT_STORED,
                                            .stored = &stored});
    }
    bench_prepare(b);
    for (uint32_t i = 0; i < b->job.count; i++) {
        bench_turn_host(b, i);
    }
    bench_take_words(b);
    if (b->now_ms >= b->timer_ms) {
        bench_step(b, &(struct reign_event){.type = REIGN_EVENT_TIMER});
    }
    bench_deliver(b);
    if (b->now_ms % 100 == 0) {
        bench_note_memory(b);
    }
    b->now_ms += TICK_MS;
}

static void bench_run(struct bench *b, uint64_t for_ms)
{
    uint64_t end_ms = b->now_ms + for_ms;

    while (b->now_ms < end_ms) {
        bench_turn(b);
    }
}

static uint32_t bench_count(const struct bench *b, bool with_grant)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < b->job.count; i++) {
        const struct host *h = &b->hosts[i];

        count += h->is_welcome && h->phase == WIRE_PHASE_RUNNING &&
                 (!with_grant || h->has_grant);
    }
    return count;
}

static void bench_reset(struct bench *b)
{
    b->busy_s = 0;
    b->longest_s = 0;
    b->messages = 0;
    b->bytes_in = 0;
    b->bytes_out = 0;
}

/* ---- What is measured ---------------------------------------------------- */

static void bench_row(const char *what, double value, const char *unit,
                      double bar)
{
    char text[32] = "";

    if (bar > 0) {
        snprintf(text, sizeof(text), "< %.0f%s", bar,
                 value < bar ? "" : "  MISSED");
    }
    printf("  %-44s %12.2f %-6s %s\n", what, value, unit, text);
}

static void bench_join(struct bench *b)
{
    bench_reset(b);
    bench_new_reign(b, 1);
    while (bench_count(b, true) < b->job.count) {
        bench_turn(b);
        CHECK(b->now_ms < 600000);
    }
    bench_row("all come, are dealt to and start", b->busy_s, "s", 0);
    bench_row("longest step", 1e3 * b->longest_s, "ms", 0);
}

static void bench_ask(struct bench *b, enum wire_what what, const char *name)
{
    struct wire_message m = host_message(&b->job, WIRE_ASK);
    double before;

    m.ask.number = 1;
    m.ask.what = what;
    b->bytes_out = 0;
    before = b->busy_s;
    bench_step(b, &(struct reign_event){.type = REIGN_EVENT_MESSAGE,
                                        .peer = b->job.count + 1,
                                        .message = &m});
    bench_deliver(b);
    bench_row(name, 1e3 * (b->busy_s - before), "ms", 0);
}

/* Records of the journal so far. */
static double bench_records(const struct bench *b)
{
    static const char key[] = "\"records\":";
    struct buf text = {0};
    const char *at;
    double records = 0;

    reign_report(b->reign, NULL, &text);
    at = strstr(buf_text(&text), key);
    if (at != NULL) {
        records = strtod(at + sizeof(key) - 1, NULL);
    }
    buf_fini(&text);
    return records;
}

static void bench_work(struct bench *b)
{
    double records = bench_records(b);
    uint64_t units = ledger_counts(reign_ledger(b->reign, DYNAMIC)).commits;
    uint64_t grants = ledger_counts(reign_ledger(b->reign, DYNAMIC)).grants;
    uint64_t puts = b->store.puts;
    uint64_t put_bytes = b->store.put_bytes;
    double seconds = MEASURE_MS / 1e3;
    const struct ledger *l;

    bench_reset(b);
    bench_run(b, MEASURE_MS);
    l = reign_ledger(b->reign, DYNAMIC);
    bench_row("of one core", 100 * b->busy_s / seconds, "%", 50);
    bench_row("messages", (double)b->messages / seconds, "/s", 0);
    bench_row("a message", 1e6 * b->busy_s / (double)b->messages, "us", 0);
    bench_row("messages in", 1e-6 * (double)b->bytes_in / seconds, "MB/s", 0);
    bench_row("messages out", 1e-6 * (double)b->bytes_out / seconds, "MB/s", 0);
    bench_row("units committed",
              (double)(ledger_counts(l).commits - units) / seconds, "/s", 0);
    bench_row("leases granted",
              (double)(ledger_counts(l).grants - grants) / seconds, "/s", 0);
    bench_row("records of the journal", (bench_records(b) - records) / seconds,
              "/s", 0);
    bench_row("objects written", (double)(b->store.puts - puts) / seconds, "/s",
              0);
    bench_row("bytes written",
              1e-6 * (double)(b->store.put_bytes - put_bytes) / seconds, "MB/s",
              0);
    bench_row("largest object", 1e-6 * (double)b->store.largest, "MB", 0);
    bench_row("longest step", 1e3 * b->longest_s, "ms", 0);
    bench_row("leases held", (double)ledger_lease_count(l), "", 0);
    bench_row("holes in what is committed",
              (double)ranges_count(ledger_committed(l)), "", 0);
}

static void bench_take_over(struct bench *b)
{
    bench_reset(b);
    reign_destroy(&b->reign);
    store_forget(&b->store);
    bench_new_reign(b, 2);
    for (uint32_t i = 0; i < b->job.count; i++) {
        struct host *h = &b->hosts[i];

        h->is_welcome = false;
        h->has_grant = false;
        h->hello_ms = b->now_ms + TIMEOUT_MS;
        h->work_ms = 0;
    }
    while (reign_state(b->reign) != REIGN_SERVING) {
        bench_turn(b);
        CHECK(reign_state(b->reign) <= REIGN_SERVING);
    }
    bench_row("read what is stored", b->busy_s, "s", 0);
    for (uint32_t i = 0; i < b->job.count; i++) {
        b->hosts[i].hello_ms = 0; /* All at once. */
    }
    while (bench_count(b, true) < b->job.count) {
        bench_turn(b);
    }
    bench_row("until each host has its GRANT", b->busy_s, "s", 5);
    bench_row("longest step", 1e3 * b->longest_s, "ms", 0);
}

static void bench_all(struct bench *b)
{
    printf("joining\n");
    bench_join(b);
    bench_run(b, SETTLE_MS);
    printf("at work: BEAT each %d ms, WORK each %" PRIu64 " ms, %" PRIu64
           " units/s a rank\n",
           BEAT_MS, b->job.gap_ms, b->job.rate);
    bench_work(b);
    printf("asked\n");
    bench_ask(b, WIRE_ASK_STATE, "the state of the job");
    bench_ask(b, WIRE_ASK_CURSOR, "the cursor");
    printf("fail-over\n");
    bench_take_over(b);
    bench_run(b, 2000);
    reign_check(b->reign);
    printf("memory\n");
    bench_row("of the process at its most", 1e-6 * (double)b->memory, "MB",
              200);
}

int main(int argc, char **argv)
{
    static struct bench b;
    char *names;
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    uint64_t gap_ms = UINT64_C(1000) * count / WORDS_MAX;

    CHECK(count >= 2 && count <= WIRE_HOSTS_MAX);
    b.job = (struct host_job){.run = RUN,
                              .count = count,
                              .gap_ms = gap_ms > GAP_MS ? gap_ms : GAP_MS,
                              .rate = RATE,
                              .channel = DYNAMIC};
    b.now_ms = 1000;
    b.store.delay_ms = STORE_MS;
    b.store.objects = map_new(STORE_OBJECTS_MAX * sizeof(*b.store.objects));
    b.hosts = map_new(count * sizeof(*b.hosts));
    b.names = map_new(count * sizeof(*b.names));
    names = map_new((size_t)count * NAME_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        b.names[i] = names + (size_t)i * NAME_SIZE;
        snprintf(b.names[i], NAME_SIZE, "algo-%u", (unsigned)i + 1);
        b.hosts[i].phase = WIRE_PHASE_JOINED;
        b.hosts[i].beat_ms = b.now_ms + i % (BEAT_MS / TICK_MS) * TICK_MS;
        b.hosts[i].used_ms = b.now_ms;
    }
    printf("%u hosts of %d ranks\n", (unsigned)count, HOST_RANKS_MAX);
    bench_all(&b);
    reign_destroy(&b.reign);
    bench_free_deal(&b);
    buf_fini(&b.words.bytes);
    buf_fini(&b.answers);
    buf_fini(&b.job.body);
    return 0;
}
