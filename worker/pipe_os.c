/* SPDX-License-Identifier: Apache-2.0 */
/* The thread: units come over the counter, become slots by the flow, and bytes
 * by the form; what the reader has taken is told back. */
#include "worker/pipe.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/flow.h"
#include "worker/pipe_fifo.h"
#include "worker/pipe_form.h"

enum {
    PIPE_LOOK_MS = 5,         /* For a reader, or whether it has taken all; */
    PIPE_CALM_MS = 50,        /* when none has come for a second. */
    PIPE_LONELY_MS = 600000,  /* Without a reader, until that is said. */
    PIPE_WRITE_MAX = 1 << 20, /* At once. */
};

/* A unit that was taken from the counter and is not told of. */
struct pipe_unit {
    struct pipe_unit *next;
    struct supply_told told; /* What will be said. */
    uint64_t end_at;         /* In this FIFO; UINT64_MAX: not all written. */
    uint32_t parts_left;     /* That are not written. */
    char key[];              /* For what a person reads. */
};

enum pipe_state {
    PIPE_WRITING,
    PIPE_DRAINING, /* All is written; the reader has not taken it all. */
    PIPE_EARLY,    /* The reader has gone; the epoch's end has not come. */
    PIPE_OVER,     /* There is no further epoch, or the channel failed. */
};

struct pipe {
    struct pipe_options options;
    char *folder;
    char *channel;
    pthread_t thread;

    /* The thread's. */
    struct flow *flow;
    struct pipe_form *form;
    enum pipe_state state;
    int fd;             /* The FIFO's, or -1. */
    bool has_reader;    /* As far as is known. */
    bool has_next;      /* The next FIFO was made. */
    bool was_reset;     /* The flow has forgotten the epoch's end. */
    bool has_end;       /* All units of the epoch have come. */
    bool is_last_epoch; /* And there is no other. */
    uint64_t number;
    uint64_t epoch;       /* Of the last unit taken, */
    struct flow_unit cut; /* and what the flow was told of it: with a recipe */
    struct recipe recipe; /* there are more parts to be told. */
    uint32_t recipe_at;
    uint64_t written;
    uint64_t opened_ms; /* When the FIFO began to wait for a reader. */
    bool is_lonely;     /* That it waits for long was said. */
    struct flow_slot slot;
    bool has_slot;
    uint32_t entry; /* The next one of the slot. */
    bool is_given;  /* The one before is in the form. */
    bool begun;     /* Bytes of the present unit are in the FIFO. */
    struct bytes out;
    struct pipe_unit *first;
    struct pipe_unit **tail;
    struct pipe_unit *writing; /* The one that is written; NULL: none. */

    _Atomic uint64_t stat_number;
    _Atomic uint64_t stat_bytes;
    _Atomic uint64_t stat_objects;
    _Atomic uint64_t stat_early;
    _Atomic uint64_t stat_stall_ms;
    _Atomic uint64_t stat_full_ms;
    _Atomic uint64_t stat_wait_ms; /* Since when it waits; 0: it does not, */
    _Atomic bool stat_is_stalled;  /* and for what. */
    _Atomic uint64_t stat_since_ms;
    atomic_bool stat_is_open;
    atomic_bool stat_is_over;
};

/* ---- Units. ---------------------------------------------------------------
 */

/* The channel can't go on. */
static void pipe_fail(struct pipe *p, enum status status,
                      const struct fault *why)
{
    struct supply_told told = {.word = SUPPLY_FAIL, .status = status};

    snprintf(told.reason, sizeof(told.reason), "%s", why->text);
    supply_tell(p->options.supply, &told);
    p->state = PIPE_OVER;
    atomic_store(&p->stat_is_over, true);
}

/* The next part of the unit that was taken last; false: it has no more. */
static bool pipe_next_part(struct pipe *p, struct flow_unit *out)
{
    const struct recipe_part *part = &p->recipe.parts[p->recipe_at];

    if (p->recipe_at == p->recipe.count) {
        return false;
    }
    p->recipe_at++;
    *out = p->cut;
    out->offset = 0;
    out->is_whole = part->is_object;
    out->key = part->key;
    out->etag = part->etag;
    out->size = part->is_object ? part->size : part->text.size;
    out->text = part->is_object ? NULL : part->text.at;
    return true;
}

/* Have the parts of @unit, which was taken just now. */
static enum status pipe_find_recipe(struct pipe *p, struct pipe_unit *unit,
                                    struct flow_unit *io)
{
    struct fault why = {.text = ""};
    enum status s =
        recipes_find(p->options.recipes, io->key, io->etag, &why, &p->recipe);

    if (s != STATUS_OK) {
        pipe_fail(p, s, &why);
        return STATUS_EMPTY;
    }
    unit->parts_left = p->recipe.count;
    p->cut = *io;
    p->recipe_at = 0;
    (void)pipe_next_part(p, io);
    return STATUS_OK;
}

static enum status pipe_next_unit(void *self, struct flow_unit *out)
{
    struct pipe *p = self;
    struct supply_unit from;
    struct pipe_unit *unit;
    enum status s;

    if (pipe_next_part(p, out)) {
        return STATUS_OK;
    }
    s = supply_take(p->options.supply, 0, &from);
    if (s == STATUS_STOPPED) {
        p->has_end = true;
        p->is_last_epoch = from.is_over;
    }
    if (s != STATUS_OK) {
        return s == STATUS_NOT_FOUND ? STATUS_EMPTY : s;
    }
    unit = mem_new(1, sizeof(*unit) + from.key.size + 1);
    unit->parts_left = 1;
    memcpy(unit->key, from.key.at, from.key.size);
    unit->end_at = UINT64_MAX;
    unit->told = (struct supply_told){
        .word = SUPPLY_DONE,
        .epoch = from.epoch,
        .position = from.position,
        .lease = from.lease,
        .size = from.size,
        .is_repeat = from.is_repeat,
    };
    *p->tail = unit;
    p->tail = &unit->next;
    p->epoch = from.epoch;
    *out = (struct flow_unit){
        .epoch = from.epoch,
        .position = from.position,
        .mark = (uintptr_t)unit,
        .key = from.key,
        .etag = from.etag,
        .offset = from.offset,
        .size = from.size,
        .is_whole = from.is_whole,
        .framing = from.framing,
        .object_size = from.object_size,
    };
    return p->options.recipes != NULL ? pipe_find_recipe(p, unit, out)
                                      : STATUS_OK;
}

static void pipe_tell_first(struct pipe *p, enum supply_word word)
{
    struct pipe_unit *unit = p->first;

    p->first = unit->next;
    if (p->first == NULL) {
        p->tail = &p->first;
    }
    if (unit->told.word == SUPPLY_DONE) {
        unit->told.word = word;
    }
    if (unit->told.word == SUPPLY_DONE) {
        atomic_fetch_add(&p->stat_objects, 1);
    }
    supply_tell(p->options.supply, &unit->told);
    free(unit);
}

/* Tell of the units whose last byte was taken. */
static void pipe_settle(struct pipe *p)
{
    uint64_t taken = p->written;

    if (p->first == NULL || p->first->end_at == UINT64_MAX) {
        return;
    }
    if (p->fd >= 0) {
        taken -= pipe_fifo_held(p->fd);
    }
    while (p->first != NULL && p->first->end_at <= taken) {
        pipe_tell_first(p, SUPPLY_DONE);
    }
}

static void pipe_return_all(struct pipe *p)
{
    p->recipe_at = p->recipe.count;
    while (p->first != NULL) {
        pipe_tell_first(p, SUPPLY_BACK);
    }
}

static void pipe_say(struct pipe *p, enum supply_word word)
{
    supply_tell(p->options.supply,
                &(struct supply_told){.word = word, .epoch = p->epoch});
}

/* ---- The FIFO. ------------------------------------------------------------
 */

static void pipe_set_reader(struct pipe *p, bool has_reader)
{
    if (p->has_reader != has_reader) {
        p->has_reader = has_reader;
        atomic_store(&p->stat_is_open, has_reader);
        atomic_store(&p->stat_since_ms, clock_now_ms(&clock_os));
    }
}

static void pipe_close(struct pipe *p)
{
    if (p->fd >= 0) {
        close(p->fd);
    }
    p->fd = -1;
    p->written = 0;
    pipe_set_reader(p, false);
}

/* This epoch's FIFO is done with: on to the next one. */
static void pipe_turn_over(struct pipe *p)
{
    pipe_close(p);
    pipe_fifo_remove(p->folder, p->channel, p->number);
    p->number++;
    p->has_next = false;
    p->is_lonely = false;
    p->opened_ms = clock_now_ms(&clock_os);
    atomic_store(&p->stat_number, p->number);
}

/* The next FIFO is there as long as there may be another epoch, before this
 * one is closed by either side. */
static bool pipe_make_next(struct pipe *p)
{
    struct fault why = {.text = ""};
    enum status s;

    if (p->has_next && p->is_last_epoch) {
        pipe_fifo_remove(p->folder, p->channel, p->number + 1);
        p->has_next = false;
    }
    if (p->has_next || p->is_last_epoch) {
        return true;
    }
    s = pipe_fifo_make(p->folder, p->channel, p->number + 1, &why);
    if (s != STATUS_OK) {
        pipe_fail(p, s, &why);
        return false;
    }
    p->has_next = true;
    return true;
}

static bool pipe_open(struct pipe *p)
{
    struct fault why = {.text = ""};
    uint64_t now_ms = clock_now_ms(&clock_os);
    enum status s =
        pipe_fifo_open(p->folder, p->channel, p->number, &why, &p->fd);

    if (s == STATUS_OK) {
        pipe_set_reader(p, true);
        return pipe_make_next(p);
    }
    if (s != STATUS_EMPTY) {
        pipe_fail(p, s, &why);
    } else if (!p->is_lonely && now_ms - p->opened_ms >= p->options.lonely_ms) {
        p->is_lonely = true;
        log_event(LOG_WARN, "pipe.unread", "fifo=%s_%" PRIu64 " for-s=%" PRIu64,
                  p->channel, p->number, p->options.lonely_ms / 1000);
    }
    return false;
}

static void pipe_drop_slot(struct pipe *p)
{
    flow_release(p->flow, p->slot.slot);
    p->has_slot = false;
}

/* Whether nobody has the FIFO open to read. */
static bool pipe_is_alone(const struct pipe *p)
{
    struct pollfd fifo = {p->fd, 0, 0};

    return poll(&fifo, 1, 0) == 1 && (fifo.revents & POLLERR) != 0;
}

/* The reader has gone. One that has taken nothing may come again; it may have
 * done so, and read, since we found it gone: so look at the bytes first. */
static void pipe_lose_reader(struct pipe *p)
{
    bool is_untouched = p->written == pipe_fifo_held(p->fd);

    if (!pipe_is_alone(p)) {
        return;
    }
    if (is_untouched) {
        pipe_set_reader(p, false);
        return;
    }
    pipe_settle(p);
    if (p->state == PIPE_DRAINING && p->first == NULL) {
        return; /* It has all: this is no early end. */
    }
    atomic_fetch_add(&p->stat_early, 1);
    if (!pipe_make_next(p)) {
        return;
    }
    if (p->has_slot) {
        pipe_drop_slot(p);
    }
    flow_reset(p->flow);
    p->was_reset = true;
    p->writing = NULL;
    p->out.size = 0;
    pipe_return_all(p);
    pipe_say(p, SUPPLY_STOP);
    p->state = p->has_end ? PIPE_DRAINING : PIPE_EARLY;
    pipe_close(p);
}

/* ---- Bytes. ---------------------------------------------------------------
 */

/* The unit that is written can't be. false: the channel has failed. */
static bool pipe_skip(struct pipe *p, enum status status,
                      const struct fault *why)
{
    struct pipe_unit *unit = p->writing;

    if (!p->options.skips || p->begun) {
        pipe_fail(p, status, why);
        return false;
    }
    unit->told.word = SUPPLY_SKIP;
    unit->told.status = status;
    snprintf(unit->told.reason, sizeof(unit->told.reason), "%s", why->text);
    return true;
}

/* A part of the unit is written, or passed over. */
static void pipe_end_part(struct pipe *p)
{
    if (--p->writing->parts_left > 0) {
        return;
    }
    p->writing->end_at = p->written;
    p->writing = NULL;
    pipe_settle(p);
}

/* Give the form the next entry of the slot. false: there is nothing to do
 * now. */
static bool pipe_give_entry(struct pipe *p)
{
    const struct flow_entry *e = &p->slot.entries[p->entry];

    if (p->writing == NULL) {
        p->writing = (struct pipe_unit *)(uintptr_t)e->mark;
        p->begun = false;
    }
    if (e->status != STATUS_OK && p->writing->told.word == SUPPLY_DONE &&
        !pipe_skip(p, e->status, p->slot.why)) {
        return false;
    }
    if (p->writing->told.word == SUPPLY_DONE) {
        pipe_form_give(
            p->form,
            (struct bytes){(const char *)p->slot.data + e->at, e->size},
            e->is_first, e->is_last);
        p->is_given = true;
        return true;
    }
    p->entry++; /* It is passed over. */
    if (e->is_last) {
        pipe_end_part(p);
    }
    return true;
}

/* The form has nothing more of the entry. */
static void pipe_end_entry(struct pipe *p)
{
    p->is_given = false;
    if (p->slot.entries[p->entry++].is_last) {
        pipe_end_part(p);
    }
}

/* The next slot of the flow. false: there is none now. */
static bool pipe_take_slot(struct pipe *p)
{
    enum status s = flow_take(p->flow, &p->slot);

    if (s == STATUS_STOPPED && pipe_make_next(p)) {
        p->state = PIPE_DRAINING;
    }
    p->has_slot = s == STATUS_OK;
    p->entry = 0;
    p->is_given = false;
    return p->has_slot;
}

/* What the form makes of the entry. false: the channel has failed. */
static bool pipe_form_entry(struct pipe *p)
{
    struct fault why = {.text = ""};
    enum status s = pipe_form_next(p->form, &why, &p->out);

    if (s != STATUS_OK) {
        p->out.size = 0;
        s = fault_prefix(&why, s, "%s", p->writing->key);
        if (!pipe_skip(p, s, &why)) {
            return false;
        }
    }
    if (p->out.size == 0) {
        pipe_end_entry(p);
    }
    return true;
}

/* Have bytes in p->out. false: not now. */
static bool pipe_fill(struct pipe *p)
{
    bool goes_on = true;

    while (goes_on && p->out.size == 0) {
        if (p->has_slot && p->entry == p->slot.entry_count && !p->is_given) {
            pipe_drop_slot(p);
            flow_step(p->flow);
        }
        if (!p->has_slot) {
            goes_on = pipe_take_slot(p);
        } else if (!p->is_given) {
            goes_on = pipe_give_entry(p);
        } else {
            goes_on = pipe_form_entry(p);
        }
    }
    return goes_on;
}

/* Write what is there. false: the FIFO is full, or there is nothing. */
static bool pipe_write(struct pipe *p)
{
    struct fault why = {.text = ""};
    struct bytes piece;
    size_t put;
    enum status s;

    if (!pipe_fill(p)) {
        return false;
    }
    piece = p->out;
    if (piece.size > PIPE_WRITE_MAX) {
        piece.size = PIPE_WRITE_MAX;
    }
    s = pipe_fifo_write(p->fd, piece, &why, &put);
    if (s == STATUS_LOST) {
        pipe_lose_reader(p);
        return false;
    }
    if (s != STATUS_OK) {
        pipe_fail(p, s, &why);
        return false;
    }
    pipe_set_reader(p, true);
    p->begun = p->begun || put > 0;
    p->out.at += put;
    p->out.size -= put;
    p->written += put;
    atomic_fetch_add(&p->stat_bytes, put);
    return put > 0;
}

/* ---- The loop. ------------------------------------------------------------
 */

/* All of the epoch was taken: close, and begin the next one. */
static void pipe_end_epoch(struct pipe *p)
{
    bool is_over = p->is_last_epoch;

    pipe_turn_over(p);
    if (is_over) {
        p->state = PIPE_OVER;
        atomic_store(&p->stat_is_over, true);
        return;
    }
    pipe_say(p, SUPPLY_BEGIN);
    p->has_end = false;
    p->state = PIPE_WRITING;
    if (!p->was_reset) {
        flow_begin(p->flow);
    }
    p->was_reset = false;
}

/* What the counter still has of an epoch whose reader has gone goes back,
 * until its end. */
static void pipe_pass_by(struct pipe *p)
{
    struct flow_unit unit;
    enum status s = pipe_next_unit(p, &unit);

    while (s == STATUS_OK) {
        pipe_return_all(p);
        s = pipe_next_unit(p, &unit);
    }
    if (s == STATUS_STOPPED) {
        pipe_end_epoch(p);
    }
}

static void pipe_drain(struct pipe *p)
{
    pipe_settle(p);
    if (p->first == NULL && (p->fd < 0 || pipe_fifo_held(p->fd) == 0)) {
        pipe_end_epoch(p);
    } else if (p->has_reader && pipe_is_alone(p)) {
        pipe_lose_reader(p);
    }
}

/* Do all that can be done now. */
static void pipe_turn(struct pipe *p)
{
    if (p->state == PIPE_EARLY) {
        pipe_pass_by(p);
    }
    if (p->state == PIPE_OVER) {
        return;
    }
    flow_step(p->flow);
    if (p->state == PIPE_OVER ||
        (p->fd < 0 && p->state != PIPE_DRAINING && !pipe_open(p))) {
        return;
    }
    if (p->fd >= 0 && !p->has_reader && !pipe_is_alone(p)) {
        pipe_set_reader(p, true);
    }
    while (p->state == PIPE_WRITING && p->has_reader &&
           !supply_is_stopped(p->options.supply) && pipe_write(p)) {
        flow_step(p->flow);
    }
    if (p->state == PIPE_WRITING) {
        pipe_settle(p);
    }
    if (p->state == PIPE_DRAINING) {
        pipe_drain(p);
    }
}

/* How long to wait when no descriptor tells: for a reader to come, and for the
 * last bytes to be taken. */
static int pipe_timeout(const struct pipe *p)
{
    if (p->state == PIPE_OVER || p->state == PIPE_EARLY) {
        return -1;
    }
    if (p->fd < 0 && clock_now_ms(&clock_os) - p->opened_ms > 1000) {
        return PIPE_CALM_MS;
    }
    if (p->fd < 0 || !p->has_reader || p->first != NULL ||
        p->state == PIPE_DRAINING) {
        return PIPE_LOOK_MS;
    }
    return -1;
}

static void pipe_wait(struct pipe *p)
{
    bool is_stalled = p->has_reader && p->out.size == 0;
    bool is_full = p->has_reader && p->out.size > 0;
    uint64_t since_ms = clock_now_ms(&clock_os);
    struct pollfd fds[] = {
        {supply_fd(p->options.supply), POLLIN, 0},
        {flow_fd(p->flow), POLLIN, 0},
        {is_full || p->has_reader ? p->fd : -1, is_full ? POLLOUT : 0, 0},
    };

    atomic_store(&p->stat_is_stalled, is_stalled);
    atomic_store(&p->stat_wait_ms, since_ms);
    poll(fds, sizeof(fds) / sizeof(*fds), pipe_timeout(p));
    atomic_store(&p->stat_wait_ms, 0);
    supply_heed(p->options.supply);
    atomic_fetch_add(is_stalled ? &p->stat_stall_ms : &p->stat_full_ms,
                     clock_now_ms(&clock_os) - since_ms);
    if ((fds[2].revents & POLLERR) != 0 && p->state == PIPE_WRITING) {
        pipe_lose_reader(p);
    }
}

static void *pipe_main(void *self)
{
    struct pipe *p = self;

    while (!supply_is_stopped(p->options.supply)) {
        pipe_turn(p);
        pipe_wait(p);
    }
    pipe_settle(p);
    return NULL;
}

/* ---- The owner's side. ----------------------------------------------------
 */

static enum status pipe_prepare(struct pipe *p, struct fault *why)
{
    enum status s = file_make_folder(p->folder, why);

    if (s == STATUS_OK) {
        s = pipe_fifo_make(p->folder, p->channel, 0, why);
    }
    return s == STATUS_OK ? s : fault_prefix(why, s, "channel %s", p->channel);
}

static void pipe_free(struct pipe **p)
{
    while ((*p)->first != NULL) {
        struct pipe_unit *next = (*p)->first->next;

        free((*p)->first);
        (*p)->first = next;
    }
    flow_destroy(&(*p)->flow);
    pipe_form_destroy(&(*p)->form);
    free((*p)->folder);
    free((*p)->channel);
    free(*p);
    *p = NULL;
}

/* All signals are the main thread's; SIGPIPE is nobody's. */
static enum status pipe_run(struct pipe *p, struct fault *why)
{
    sigset_t all;
    sigset_t old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&p->thread, NULL, pipe_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error == 0
               ? STATUS_OK
               : fault_set(why, STATUS_OS, "start a thread for %s", p->channel);
}

enum status pipe_start(const struct pipe_options *options, struct fault *why,
                       struct pipe **out)
{
    struct pipe *p = mem_new(1, sizeof(*p));
    enum status s;

    p->options = *options;
    if (p->options.lonely_ms == 0) {
        p->options.lonely_ms = PIPE_LONELY_MS;
    }
    p->folder = mem_copy(options->folder);
    p->channel = mem_copy(options->channel);
    p->fd = -1;
    p->tail = &p->first;
    p->opened_ms = clock_now_ms(&clock_os);
    p->form =
        pipe_form_new(options->is_gzip, options->is_wrapped, options->wrap_max);
    p->flow = flow_new(&(struct flow_options){
        .fetch = options->fetch,
        .slots = options->slots,
        .source = options->source,
        .lane = UINT32_MAX,
        .slots_max = options->slots_max,
        .fills_last = true,
        .next = pipe_next_unit,
        .next_self = p,
    });
    s = p->flow != NULL
            ? pipe_prepare(p, why)
            : fault_set(why, STATUS_OS, "wait for slots: %s", strerror(errno));
    if (s == STATUS_OK) {
        s = pipe_run(p, why);
        if (s != STATUS_OK) {
            pipe_fifo_remove(p->folder, p->channel, 0);
        }
    }
    if (s != STATUS_OK) {
        pipe_free(&p);
    }
    *out = p;
    return s;
}

void pipe_stop(struct pipe **p)
{
    if (*p == NULL) {
        return;
    }
    supply_stop((*p)->options.supply);
    pthread_join((*p)->thread, NULL);
    pipe_close(*p);
    pipe_fifo_remove((*p)->folder, (*p)->channel, (*p)->number);
    pipe_fifo_remove((*p)->folder, (*p)->channel, (*p)->number + 1);
    pipe_free(p);
}

/* What the wait that goes on has taken so far. */
static uint64_t pipe_waits(const struct pipe *p, bool is_stalled)
{
    uint64_t since_ms = atomic_load(&p->stat_wait_ms);
    uint64_t now_ms = clock_now_ms(&clock_os);

    return since_ms != 0 && since_ms < now_ms &&
                   atomic_load(&p->stat_is_stalled) == is_stalled
               ? now_ms - since_ms
               : 0;
}

struct pipe_stats pipe_stats(const struct pipe *p)
{
    return (struct pipe_stats){
        .number = atomic_load(&p->stat_number),
        .bytes = atomic_load(&p->stat_bytes),
        .objects = atomic_load(&p->stat_objects),
        .early = atomic_load(&p->stat_early),
        .is_open = atomic_load(&p->stat_is_open),
        .is_over = atomic_load(&p->stat_is_over),
        .stall_ms = atomic_load(&p->stat_stall_ms) + pipe_waits(p, true),
        .full_ms = atomic_load(&p->stat_full_ms) + pipe_waits(p, false),
        .since_ms = atomic_load(&p->stat_since_ms),
    };
}
