/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client/smshard.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "worker/client/smshard_open.h"

#ifndef SMSHARD_VERSION
#define SMSHARD_VERSION "0"
#endif

enum {
    SMSHARD_SPINS = 200,        /* Looks before going to sleep. */
    SMSHARD_NAP_NS = 100000000, /* How late it is seen, at worst, that the
                                   worker was killed. */
    SMSHARD_IDLE_CALLS = 1024,
};

const char *smshard_version(void)
{
    return SMSHARD_VERSION;
}

const char *smshard_status_text(int status)
{
    switch (status) {
    case SMSHARD_OK:
        return "success";
    case SMSHARD_END:
        return "the epoch has ended";
    case SMSHARD_OVER:
        return "all epochs have ended";
    case SMSHARD_TIMEOUT:
        return "it did not happen in time";
    case SMSHARD_RESET:
        return "the connection to the worker was lost";
    case SMSHARD_REFUSED:
        return "the worker refused";
    case SMSHARD_INVALID:
        return "a value is not allowed";
    case SMSHARD_HELD:
        return "all slots are held";
    case SMSHARD_STALE:
        return "released too late";
    case SMSHARD_FORKED:
        return "the handle belongs to another process";
    case SMSHARD_SYSTEM:
        return "the operating system refused a call";
    case SMSHARD_MALFORMED:
        return "the data is not of the format";
    default:
        return "no status of this version";
    }
}

/* ---- Opening. --------------------------------------------------------------
 */

static int smshard_set_text(struct smshard *s, const char *what,
                            const char *from, char *to, size_t size)
{
    if (from == NULL || from[0] == '\0' || strlen(from) >= size) {
        return smshard_fail(s, SMSHARD_INVALID, "%s is %s", what,
                            from == NULL || from[0] == '\0' ? "not given"
                                                            : "too long");
    }
    memcpy(to, from, strlen(from) + 1);
    return SMSHARD_OK;
}

static int smshard_set_rank(struct smshard *s, int rank)
{
    const char *text = getenv("LOCAL_RANK");
    char *end = NULL;
    long value = rank;

    if (rank == SMSHARD_RANK_ENV) {
        value = text == NULL ? 0 : strtol(text, &end, 10);
    }
    if (value < 0 || value > INT_MAX || (end != NULL && *end != '\0')) {
        return smshard_fail(s, SMSHARD_INVALID,
                            "rank %ld: the rank on this host is a number from "
                            "0 (LOCAL_RANK where it is not given)",
                            value);
    }
    s->rank = (uint32_t)value;
    return SMSHARD_OK;
}

static int smshard_set(struct smshard *s, const struct smshard_options *o)
{
    const char *socket = o->socket != NULL ? o->socket : getenv("SMSHARD_RING");
    int status = smshard_set_text(s, "the socket (SMSHARD_RING)", socket,
                                  s->socket, sizeof(s->socket));

    if (status == SMSHARD_OK) {
        status = smshard_set_text(s, "the channel", o->channel, s->channel,
                                  sizeof(s->channel));
    }
    if (status == SMSHARD_OK) {
        status = smshard_set_rank(s, o->rank);
    }
    if (status == SMSHARD_OK &&
        (o->mode < SMSHARD_ANY || o->mode > SMSHARD_BROADCAST)) {
        status = smshard_fail(s, SMSHARD_INVALID, "%s: there is no mode %d",
                              s->channel, o->mode);
    }
    s->mode = (uint32_t)o->mode;
    s->member = o->member < 0 ? RING_ANY : (uint32_t)o->member;
    s->want = o->hold_max;
    return status;
}

static void smshard_tell_why(const struct smshard *s, char *why, size_t size)
{
    if (why != NULL && size > 0) {
        snprintf(why, size, "%s", s->why);
    }
}

int smshard_open(const struct smshard_options *options, char *why,
                 size_t why_size, struct smshard **out)
{
    struct smshard *s = calloc(1, sizeof(*s));
    int status;

    *out = NULL;
    if (s == NULL) {
        return SMSHARD_SYSTEM;
    }
    smshard_mark(s);
    s->fd = -1;
    s->wait_fd = -1;
    memset(s->fds, 0xff, sizeof(s->fds));
    status = options->size == sizeof(*options)
                 ? smshard_set(s, options)
                 : smshard_fail(s, SMSHARD_INVALID,
                                "the options are of another version's size: "
                                "begin with SMSHARD_OPTIONS");
    if (status == SMSHARD_OK) {
        status = smshard_attach(s, options->timeout_ms);
    }
    if (status != SMSHARD_OK) {
        smshard_tell_why(s, why, why_size);
        smshard_unmark(s);
        free(s);
        return status;
    }
    *out = s;
    return SMSHARD_OK;
}

void smshard_close(struct smshard **handle)
{
    struct smshard *s = *handle;

    if (s != NULL) {
        smshard_detach(s);
        smshard_unmark(s);
        free(s);
        *handle = NULL;
    }
}

/* ---- Whose handle it is. ---------------------------------------------------
 */

static int smshard_enter(struct smshard *s)
{
    if (!smshard_is_ours(s)) {
        return smshard_fail(s, SMSHARD_FORKED,
                            "%s: opened by process %d, which this one was "
                            "forked from: open it anew here",
                            s->channel, s->pid);
    }
    return SMSHARD_OK;
}

static int smshard_reset(struct smshard *s)
{
    s->is_reset = true;
    return smshard_fail(s, SMSHARD_RESET,
                        "%s: the worker has gone, or wants this process to "
                        "come anew: release all samples and reopen",
                        s->channel);
}

int smshard_reopen(struct smshard *s, int timeout_ms)
{
    int status = smshard_enter(s);

    if (status != SMSHARD_OK) {
        return status;
    }
    if (s->control != NULL && !smshard_is_idle(s)) {
        return smshard_fail(s, SMSHARD_INVALID,
                            "%s: samples are still held: release them first",
                            s->channel);
    }
    smshard_detach(s);
    s->is_behind = true;
    return smshard_attach(s, timeout_ms);
}

/* The worker has closed the ring: what is in it is not ours to take. */
static int smshard_closed(struct smshard *s)
{
    return smshard_is_over(s) ? SMSHARD_OVER : smshard_reset(s);
}

/* ---- Waiting. --------------------------------------------------------------
 */

static void smshard_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Look for a moment without sleeping. true: there is news. */
static bool smshard_spin(const struct smshard *s, uint32_t bell)
{
    for (int i = 0; i < SMSHARD_SPINS; i++) {
        if (atomic_load_explicit(&s->shared->bell, memory_order_acquire) !=
            bell) {
            return true;
        }
        smshard_pause();
    }
    return false;
}

static void smshard_sleep(struct smshard *s, uint32_t bell, uint64_t nap_ns)
{
    struct timespec nap = {.tv_sec = (time_t)(nap_ns / 1000000000U),
                           .tv_nsec = (long)(nap_ns % 1000000000U)};

    atomic_fetch_add(&s->shared->waiters, 1);
    smshard_hook(SMSHARD_AT_WAIT);
    syscall(SYS_futex, &s->shared->bell, FUTEX_WAIT, bell, &nap, NULL, 0);
    atomic_fetch_sub(&s->shared->waiters, 1);
    smshard_hook(SMSHARD_AT_WOKEN);
}

/* Sleep until there is news, at most @until_ns. TIMEOUT: look again. */
static int smshard_await(struct smshard *s, uint32_t bell, uint64_t until_ns)
{
    uint64_t start;
    uint64_t left;

    if (smshard_spin(s, bell)) {
        return SMSHARD_TIMEOUT;
    }
    start = smshard_now_ns();
    left = until_ns > start ? until_ns - start : 0;
    smshard_sleep(s, bell, left < SMSHARD_NAP_NS ? left : SMSHARD_NAP_NS);
    s->stats.sleeps++;
    s->stats.sleep_ns += smshard_now_ns() - start;
    if (atomic_load(&s->shared->bell) == bell && !smshard_is_connected(s)) {
        return smshard_reset(s);
    }
    return SMSHARD_TIMEOUT;
}

/* Who asks without waiting hears of the worker's end in its own time; who
 * waits for smshard_fd() is to be rung. */
static int smshard_pass(struct smshard *s, struct smshard_sample *out)
{
    struct ring_consumer *mine =
        ring_consumer_at(s->control, &s->layout, s->consumer);
    uint64_t count;
    int status;

    if (s->wait_fd >= 0) {
        (void)!read(s->fds[RING_FD_NEWS], &count, sizeof(count));
        atomic_store(&mine->is_armed, 1);
        status = smshard_walk(s, out);
        if (status != SMSHARD_TIMEOUT) {
            atomic_store(&mine->is_armed, 0);
            return status;
        }
    }
    if ((s->wait_fd >= 0 || ++s->idle % SMSHARD_IDLE_CALLS == 0) &&
        !smshard_is_connected(s)) {
        return smshard_reset(s);
    }
    return SMSHARD_TIMEOUT;
}

static int smshard_wait_next(struct smshard *s, int timeout_ms,
                             struct smshard_sample *out)
{
    uint64_t until = timeout_ms < 0
                         ? UINT64_MAX
                         : smshard_now_ns() + (uint64_t)timeout_ms * 1000000U;

    for (;;) {
        uint32_t bell = atomic_load(&s->shared->bell);
        int status = atomic_load(&s->shared->is_closed) != 0
                         ? smshard_closed(s)
                         : smshard_walk(s, out);

        if (status != SMSHARD_TIMEOUT || smshard_now_ns() >= until) {
            return status;
        }
        status = smshard_await(s, bell, until);
        if (status != SMSHARD_TIMEOUT) {
            return status;
        }
    }
}

/* ---- The data path. --------------------------------------------------------
 */

int smshard_next(struct smshard *s, int timeout_ms, struct smshard_sample *out)
{
    int status = smshard_enter(s);

    if (status != SMSHARD_OK) {
        return status;
    }
    if (s->is_reset) {
        return s->control == NULL ? smshard_reset(s) : SMSHARD_RESET;
    }
    status = atomic_load(&s->shared->is_closed) != 0 ? smshard_closed(s)
                                                     : smshard_walk(s, out);
    if (status != SMSHARD_TIMEOUT) {
        return status;
    }
    return timeout_ms == 0 ? smshard_pass(s, out)
                           : smshard_wait_next(s, timeout_ms, out);
}

int smshard_release(struct smshard *s, struct smshard_sample *sample)
{
    if (!smshard_is_ours(s)) {
        return SMSHARD_FORKED;
    }
    return s->control != NULL ? smshard_give(s, sample) : SMSHARD_INVALID;
}

/* ---- Looking. --------------------------------------------------------------
 */

int smshard_fd(struct smshard *s)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (s->wait_fd >= 0 || s->fd < 0 || !smshard_is_ours(s)) {
        return s->wait_fd;
    }
    s->wait_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->wait_fd < 0 ||
        epoll_ctl(s->wait_fd, EPOLL_CTL_ADD, s->fd, &event) != 0 ||
        epoll_ctl(s->wait_fd, EPOLL_CTL_ADD, s->fds[RING_FD_NEWS], &event) !=
            0) {
        close(s->wait_fd);
        s->wait_fd = -1;
    }
    return s->wait_fd;
}

int smshard_memory(const struct smshard *s, struct smshard_memory *out)
{
    *out = (struct smshard_memory){
        .data = s->data,
        .size = s->layout.data_size,
        .slot_size = (size_t)s->layout.shape.slot_size,
        .slot_count = s->layout.shape.slot_count,
        .mode = (int)s->layout.shape.mode,
        .consumer = s->consumer,
    };
    return s->data != NULL ? SMSHARD_OK : SMSHARD_RESET;
}

int smshard_stats(const struct smshard *s, struct smshard_stats *out)
{
    *out = s->stats;
    out->held = atomic_load(&s->held_count);
    out->stale = atomic_load(&s->stale);
    return SMSHARD_OK;
}

const char *smshard_error(const struct smshard *s)
{
    return s->why;
}
