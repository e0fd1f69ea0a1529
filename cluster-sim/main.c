/* SPDX-License-Identifier: Apache-2.0 */
/* cluster-sim: plays seeds, one after the other, in a child process, so that
 * a failed CHECK is one failed seed and not the end. Ends with
 * `N passed, N failed`. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cluster-sim/sim.h"
#include "cluster-sim/sim_seeds.h"

/* The first of four seeds whose coordinator is killed at each step. */
enum { MAIN_KILLED = 100 };

/* What the child leaves behind, whatever happens to it. */
struct tally {
    uint64_t seed; /* Being played. */
    uint64_t passed;
    uint64_t events;
    uint64_t simulated_ms;
    uint64_t terms;
    uint64_t hash; /* Over all that passed. */
};

struct main_options {
    struct sim_options sim;
    uint64_t seeds;
    const char *faults;
    bool has_hash;
    bool kills; /* The coordinator, at each step of its reign. */
    bool plays_all;
    bool stops_first;
};

static const struct option main_words[] = {
    {"seed", required_argument, NULL, 's'},
    {"seeds", required_argument, NULL, 'n'},
    {"hosts", required_argument, NULL, 'h'},
    {"ranks", required_argument, NULL, 'r'},
    {"units", required_argument, NULL, 'u'},
    {"storm", required_argument, NULL, 'm'},
    {"faults", required_argument, NULL, 'f'},
    {"mode", required_argument, NULL, 'd'},
    {"model", required_argument, NULL, 'o'},
    {"all", required_argument, NULL, 'a'},
    {"kill", no_argument, NULL, 'k'},
    {"first", no_argument, NULL, '1'},
    {"story", required_argument, NULL, 'y'},
    {"trace", no_argument, NULL, 't'},
    {"hash", no_argument, NULL, 'x'},
    {"help", no_argument, NULL, '?'},
    {NULL, 0, NULL, 0},
};

static void main_usage(void)
{
    puts("usage: cluster-sim [--seed S] [--seeds N] [--hosts N] [--ranks N]\n"
         "                   [--units N] [--storm MS] [--faults LIST]\n"
         "                   [--model NAME] [--mode NAME] [--trace] [--hash] "
         "[--first]\n"
         "       cluster-sim --all N\n"
         "       cluster-sim --story NAME (or list)\n\n"
         "Plays a cluster on simulated time, once for each seed. What is not\n"
         "given is drawn from the seed.\n\nfaults: all, none, or some of");
    for (uint32_t f = 0; f < SIM_FAULTS; f++) {
        printf("  %-14s %s\n", sim_fault_word(f), sim_fault_text(f));
    }
}

static enum sim_model main_model(const char *word)
{
    for (uint32_t m = 0; m < SIM_MODELS; m++) {
        if (strcmp(word, sim_model_word(m)) == 0) {
            return m;
        }
    }
    fprintf(stderr, "cluster-sim: there is no model '%s'\n", word);
    exit(64);
}

static enum sim_mode main_mode(const char *word)
{
    for (uint32_t m = 0; m < SIM_MODES; m++) {
        if (strcmp(word, sim_mode_word(m)) == 0) {
            return m;
        }
    }
    fprintf(stderr, "cluster-sim: there is no mode '%s'\n", word);
    exit(64);
}

static uint64_t main_number(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 0);

    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "cluster-sim: '%s' is not a number\n", text);
        exit(64);
    }
    return number;
}

/* Play the story; without one of that name, list them all. */
static void main_story(struct sim_options *o, const char *name)
{
    const struct sim_story *story = sim_story_find(name);
    const struct sim_story *other;

    if (story == NULL) {
        for (uint32_t i = 0; (other = sim_story_at(i)) != NULL; i++) {
            printf("%s\n", other->name);
        }
        exit(strcmp(name, "list") == 0 ? 0 : 64);
    }
    o->story = story;
    o->seed = 1;
    o->hosts = story->hosts;
    o->ranks = 1;
    o->units = story->units;
    o->model = SIM_MODEL_JOB;
    o->trace = stdout;
    printf("%s: %s\n\n", story->name, story->about);
}

static void main_take(struct main_options *o, int word)
{
    switch (word) {
    case 's':
        o->sim.seed = main_number(optarg);
        break;
    case 'n':
        o->seeds = main_number(optarg);
        break;
    case 'h':
        o->sim.hosts = (uint32_t)main_number(optarg);
        break;
    case 'r':
        o->sim.ranks = (uint32_t)main_number(optarg);
        break;
    case 'u':
        o->sim.units = main_number(optarg);
        break;
    case 'm':
        o->sim.storm_ms = main_number(optarg);
        break;
    case 'f':
        o->faults = optarg;
        break;
    case 'o':
        o->sim.model = main_model(optarg);
        break;
    case 'd':
        o->sim.mode = main_mode(optarg);
        break;
    case 't':
        o->sim.trace = stdout;
        setvbuf(stdout, NULL, _IOLBF, 0); /* Also when a CHECK ends it. */
        break;
    case 'a':
        o->plays_all = true;
        o->seeds = main_number(optarg);
        break;
    case 'y':
        main_story(&o->sim, optarg);
        break;
    case 'k':
        o->kills = true;
        break;
    case '1':
        o->stops_first = true;
        break;
    case 'x':
        o->has_hash = true;
        break;
    default:
        main_usage();
        exit(word == '?' && optopt == 0 ? 0 : 64);
    }
}

static void main_read(int argc, char **argv, struct main_options *o)
{
    struct fault why;
    int word;

    *o = (struct main_options){.seeds = 1, .faults = "all"};
    o->sim.seed = 1;
    o->sim.model = SIM_MODEL_JOB;
    while ((word = getopt_long(argc, argv, "", main_words, NULL)) != -1) {
        main_take(o, word);
    }
    if (sim_fault_parse(o->faults, &why, &o->sim.faults) != STATUS_OK) {
        fprintf(stderr, "cluster-sim: %s\n", why.text);
        exit(64);
    }
    if (optind != argc || o->sim.hosts > SIM_NODES_MAX) {
        main_usage();
        exit(64);
    }
}

/* Play seeds until one fails. */
static int main_play(const struct main_options *o, struct tally *t)
{
    uint64_t end = o->sim.seed + o->seeds;

    for (; t->seed < end; t->seed++) {
        struct sim_options options = o->sim;
        struct sim_result result;
        struct fault why;

        options.seed = t->seed;
        if (o->kills) {
            options.seed = MAIN_KILLED + t->seed % 4;
            options.kill_at = 1 + t->seed / 4;
        }
        if (sim_run(&options, &why, &result) != STATUS_OK) {
            fflush(stdout);
            fprintf(stderr, "seed %" PRIu64 ": %s\n", t->seed, why.text);
            return 1;
        }
        t->passed++;
        t->events += result.events;
        t->simulated_ms += result.end_ms;
        t->terms += result.terms;
        t->hash = (t->hash ^ result.hash) * UINT64_C(1099511628211);
    }
    return 0;
}

/* Return whether the child played all that was left. */
static bool main_fork(const struct main_options *o, struct tally *t)
{
    pid_t child;
    int state;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        int code = main_play(o, t);

        fflush(NULL);
        if (code != 0) {
            _exit(code);
        }
        exit(0); /* For who looks for leaks. */
    }
    CHECK(child > 0);
    while (waitpid(child, &state, 0) != child) {
        CHECK(errno == EINTR);
    }
    if (state == 0) {
        return true;
    }
    if (WIFSIGNALED(state)) {
        fprintf(stderr, "seed %" PRIu64 ": ended by signal %d\n", t->seed,
                WTERMSIG(state));
    }
    fprintf(stderr,
            "seed %" PRIu64 " FAILED: cluster-sim --model %s --faults "
            "%s --seed %" PRIu64 " --trace\n",
            t->seed, sim_model_word(o->sim.model), o->faults, t->seed);
    return false;
}

/* What all parts together came to. */
struct main_sum {
    uint64_t passed;
    uint64_t failed;
};

static void main_report(const struct main_options *o, const struct tally *t,
                        uint64_t wall_ms)
{
    printf("%-8s %" PRIu64 " seeds in %" PRIu64 ".%03" PRIu64 " s, %" PRIu64
           " seeds/s; %" PRIu64 " h simulated, %" PRIu64 " events, %" PRIu64
           " coordinators\n",
           sim_model_word(o->sim.model), o->seeds, wall_ms / 1000,
           wall_ms % 1000, o->seeds * 1000 / (wall_ms == 0 ? 1 : wall_ms),
           t->simulated_ms / 3600000, t->events, t->terms);
    if (o->has_hash) {
        printf("hash %016" PRIx64 "\n", t->hash);
    }
}

/* Play a model's seeds, however many of them fail. */
static void main_seeds(const struct main_options *o, struct tally *t,
                       struct main_sum *sum)
{
    uint64_t start_ms = clock_now_ms(&clock_os);
    uint64_t failed = 0;

    memset(t, 0, sizeof(*t));
    t->seed = o->sim.seed;
    while (t->seed < o->sim.seed + o->seeds && !main_fork(o, t)) {
        failed++;
        t->seed++;
        if (o->stops_first) {
            break;
        }
    }
    main_report(o, t, clock_now_ms(&clock_os) - start_ms);
    sum->passed += t->passed;
    sum->failed += failed;
}

/* The seeds with a name, then all models: most seeds for whole jobs. */
static void main_all(const struct main_options *o, struct tally *t,
                     struct main_sum *sum)
{
    struct main_options part = *o;

    for (size_t i = 0; i < sizeof(sim_seeds) / sizeof(sim_seeds[0]); i++) {
        part.sim = sim_seeds[i].options;
        part.faults = "all";
        printf("%-40s ", sim_seeds[i].name);
        part.seeds = 1;
        main_seeds(&part, t, sum);
    }
    part = *o;
    part.kills = true;
    part.sim.faults = 0;
    part.faults = "none --kill";
    part.seeds = (o->seeds + 1) / 2;
    main_seeds(&part, t, sum);
    for (uint32_t m = SIM_MODELS; m-- > 0;) {
        part = *o;
        part.sim.model = m;
        part.seeds = m == SIM_MODEL_JOB ? o->seeds : (o->seeds + 3) / 4;
        main_seeds(&part, t, sum);
    }
}

/* Memory that outlives a child. */
static struct tally *main_tally(void)
{
    const int prot = PROT_READ | PROT_WRITE;
    const int flags = MAP_SHARED | MAP_ANONYMOUS;
    // cppcheck-suppress invalidFunctionArg ; there is no file
    void *at = mmap(NULL, sizeof(struct tally), prot, flags, -1, 0);

    CHECK(at != MAP_FAILED);
    return at;
}

int main(int argc, char **argv)
{
    struct main_options o;
    struct main_sum sum = {0, 0};
    struct tally *t = main_tally();

    main_read(argc, argv, &o);
    t->seed = o.sim.seed;
    if (o.plays_all) {
        main_all(&o, t, &sum);
    } else if (o.sim.story != NULL) {
        return main_play(&o, t);
    } else {
        main_seeds(&o, t, &sum);
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", sum.passed, sum.failed);
    munmap(t, sizeof(*t));
    return sum.failed == 0 ? 0 : 1;
}
