/* SPDX-License-Identifier: Apache-2.0 */
/* A training process as tests/unit/test_ring*.c need it: reads a ring to its
 * end, looks at every byte before it gives a sample back, and keeps the log of
 * ring_pattern.h.
 *
 * ring_consumer CHANNEL MODE [KEY=NUMBER…]
 *   rank member units: of the epoch
 *   hold: samples held at once; given back in another order than taken
 *   kill at: die at the at-th time of moment `kill` (enum smshard_point)
 *   stop: leave after so many samples, with all in hand
 *   scribble: after so many samples write over the control memory
 *   mark: after so many samples count it in the log; wait: for so many marks
 *     before scribbling
 *   hang: after so many samples wait to be killed
 *   poll: wait for the descriptor
 *   reopen: after a RESET connect anew, so many times
 *   fork: try the handle in a child */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ring_pattern.h"
#define SMSHARD_HOOKS
#include "worker/client/smshard_state.h"

enum { HOLD_MAX = 64 };

struct consumer {
    struct smshard *ring;
    struct rp_log *log;
    struct smshard_sample held[HOLD_MAX];
    uint32_t held_count;
    uint64_t samples;
    uint64_t next; /* In order: the unit after the last one. */
};

static struct {
    long rank;
    long member;
    long units;
    long hold;
    long kill;
    long at;
    long stop;
    long scribble;
    long hang;
    long poll;
    long reopen;
    long wait;
    long mark;
    long fork;
} want = {.member = -1, .hold = 1, .kill = -1, .units = 1, .at = 1};

void smshard_hook(enum smshard_point point)
{
    if (want.kill == (long)point && --want.at == 0) {
        kill(getpid(), SIGKILL);
    }
}

static bool set_number(const char *text)
{
    const struct {
        const char *name;
        long *to;
    } keys[] = {{"rank", &want.rank},     {"member", &want.member},
                {"units", &want.units},   {"hold", &want.hold},
                {"kill", &want.kill},     {"at", &want.at},
                {"stop", &want.stop},     {"scribble", &want.scribble},
                {"hang", &want.hang},     {"poll", &want.poll},
                {"reopen", &want.reopen}, {"fork", &want.fork},
                {"wait", &want.wait},     {"mark", &want.mark}};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t size = strlen(keys[i].name);

        if (strncmp(text, keys[i].name, size) == 0 && text[size] == '=') {
            *keys[i].to = strtol(text + size + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

static uint64_t unit_of(const struct smshard_sample *s)
{
    return s->epoch * (uint64_t)want.units + s->position;
}

static bool give_back(struct consumer *c, uint32_t i)
{
    struct smshard_sample s = c->held[i];
    int status;

    c->held[i] = c->held[--c->held_count];
    if (unit_of(&s) >= RP_UNITS_MAX ||
        !rp_is_right(unit_of(&s), s.offset, s.size, s.data)) {
        atomic_fetch_add(&c->log->bad, 1);
        return false;
    }
    status = smshard_release(c->ring, &s);
    if (status != SMSHARD_OK && status != SMSHARD_STALE) {
        fprintf(stderr, "release: %s\n", smshard_status_text(status));
        return false;
    }
    if (status == SMSHARD_OK && s.is_last) {
        atomic_fetch_add(&c->log->units[unit_of(&s)].released, 1);
    }
    return smshard_release(c->ring, &s) == SMSHARD_INVALID;
}

static bool give_all_back(struct consumer *c)
{
    bool is_done = true;

    while (c->held_count > 0) {
        is_done = give_back(c, c->held_count / 2) && is_done;
    }
    return is_done;
}

static void scribble(struct consumer *c)
{
    while (atomic_load(&c->log->ready) < (uint32_t)want.wait) {
        sched_yield();
    }
    for (uint32_t i = 0; i < c->ring->layout.shape.slot_count; i++) {
        atomic_store(&smshard_slot(c->ring, i)->word, UINT64_MAX - i);
    }
    smshard_ring_worker(c->ring);
}

static bool try_in_child(struct consumer *c)
{
    struct smshard_sample sample;
    int state = 1;
    pid_t child = fork();

    if (child == 0) {
        bool is_right =
            smshard_next(c->ring, 0, &sample) == SMSHARD_FORKED &&
            smshard_release(c->ring, &c->held[0]) == SMSHARD_FORKED &&
            smshard_reopen(c->ring, 0) == SMSHARD_FORKED;

        smshard_close(&c->ring);
        _exit(is_right ? 0 : 1);
    }
    return waitpid(child, &state, 0) == child && state == 0;
}

/* After so many samples something is to happen. */
static bool play(struct consumer *c)
{
    long n = (long)c->samples;

    if (n == want.stop) {
        exit(0);
    }
    if (n == want.mark) {
        atomic_fetch_add(&c->log->ready, 1);
    }
    if (n == want.scribble) {
        scribble(c);
    }
    if (n == want.hang) {
        atomic_fetch_add(&c->log->ready, 1);
        for (;;) {
            pause();
        }
    }
    return n != want.fork || try_in_child(c);
}

static bool take(struct consumer *c, const struct smshard_sample *s)
{
    c->held[c->held_count++] = *s;
    c->samples++;
    if (s->is_first && unit_of(s) < c->next) {
        atomic_fetch_add(&c->log->disorder, 1);
    }
    c->next = unit_of(s) + 1;
    if (s->is_last && unit_of(s) < RP_UNITS_MAX) {
        atomic_fetch_add(&c->log->units[unit_of(s)].seen, 1);
    }
    if (!play(c)) {
        return false;
    }
    return c->held_count < (uint32_t)want.hold || give_back(c, 0);
}

static int next(struct consumer *c, struct smshard_sample *s)
{
    int status = smshard_next(c->ring, want.poll ? 0 : -1, s);

    while (status == SMSHARD_TIMEOUT) {
        struct pollfd p = {.fd = smshard_fd(c->ring), .events = POLLIN};

        status = smshard_next(c->ring, 0, s);
        if (status == SMSHARD_TIMEOUT) {
            poll(&p, 1, -1);
        }
    }
    return status;
}

/* true: go on. */
static bool step(struct consumer *c, int *exit_code)
{
    struct smshard_sample s;
    int status = next(c, &s);

    *exit_code = 1;
    if (status == SMSHARD_OK) {
        return take(c, &s);
    }
    if (status == SMSHARD_END) {
        atomic_fetch_add(&c->log->ends, 1);
        return give_all_back(c);
    }
    if (status == SMSHARD_HELD) {
        return c->held_count > 0 && give_back(c, 0);
    }
    if (status == SMSHARD_RESET && want.reopen-- > 0) {
        c->next = 0;
        return give_all_back(c) && smshard_reopen(c->ring, 10000) == SMSHARD_OK;
    }
    if (status == SMSHARD_OVER && give_all_back(c)) {
        atomic_fetch_add(&c->log->overs, 1);
        *exit_code = 0;
    } else {
        fprintf(stderr, "%s\n", smshard_error(c->ring));
        *exit_code = status == SMSHARD_RESET ? 3 : 1;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct smshard_options options = SMSHARD_OPTIONS;
    struct consumer c = {0};
    char why[512] = "";
    int exit_code;

    for (int i = 3; i < argc; i++) {
        if (!set_number(argv[i])) {
            fprintf(stderr, "%s: not known\n", argv[i]);
            return 64;
        }
    }
    c.log = mmap(NULL, sizeof(*c.log), PROT_READ | PROT_WRITE, MAP_SHARED,
                 RP_LOG_FD, 0);
    if (argc < 3 || c.log == MAP_FAILED || want.hold > HOLD_MAX) {
        // cppcheck-suppress memleak ; lives as long as the process
        return 64;
    }
    options.channel = argv[1];
    options.mode = (int)strtol(argv[2], NULL, 10);
    options.rank = (int)want.rank;
    options.member = (int)want.member;
    exit_code = smshard_open(&options, why, sizeof(why), &c.ring);
    if (exit_code != SMSHARD_OK) {
        fprintf(stderr, "%s\n", why);
        return 10 - exit_code;
    }
    while (step(&c, &exit_code)) {
    }
    smshard_close(&c.ring);
    return exit_code;
}
