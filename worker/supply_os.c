/* SPDX-License-Identifier: Apache-2.0 */
/* One lock, a queue for each rank, a queue of words back, two eventfds. */
#include "worker/supply.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

/* A unit or an end. Its key and etag lie behind it. */
struct supply_item {
    struct supply_item *next;
    struct supply_unit unit;
    bool is_end;
    bool is_over;
};

struct supply_rank {
    struct supply_item *first;
    struct supply_item **tail;
    struct supply_item *taken; /* What the last take's views point to. */
    uint32_t units;            /* Put and not told of; */
    uint64_t bytes;            /* of them. */
    bool was_full;             /* The main loop was told that it has no room. */
    bool is_over;
    uint64_t waits_since_ms; /* 0: it does not. */
};

struct supply_word_item {
    struct supply_word_item *next;
    struct supply_told told;
};

struct supply {
    struct supply_options options;
    pthread_mutex_t lock;
    int told_fd;
    int fd;
    bool is_stopped;
    struct supply_rank *ranks;
    struct supply_word_item *first;
    struct supply_word_item **tail;
    struct supply_stats stats;
};

struct supply *supply_new(const struct supply_options *options)
{
    struct supply *s = mem_new(1, sizeof(*s));

    CHECK(options->rank_count > 0 && options->rank_count <= SUPPLY_RANKS_MAX);
    CHECK(options->units_max > 0);
    s->options = *options;
    s->ranks = mem_new(options->rank_count, sizeof(s->ranks[0]));
    for (uint32_t i = 0; i < options->rank_count; i++) {
        s->ranks[i].tail = &s->ranks[i].first;
    }
    s->tail = &s->first;
    s->told_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    if (s->told_fd < 0 || s->fd < 0) {
        supply_destroy(&s);
    }
    return s;
}

static void supply_pop(struct supply_rank *r)
{
    struct supply_item *first = r->first;

    r->first = first->next;
    if (r->first == NULL) {
        r->tail = &r->first;
    }
    free(r->taken);
    r->taken = first;
}

static void supply_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void supply_destroy(struct supply **s)
{
    if (*s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*s)->options.rank_count; i++) {
        struct supply_rank *r = &(*s)->ranks[i];

        while (r->first != NULL) {
            supply_pop(r);
        }
        free(r->taken);
    }
    while ((*s)->first != NULL) {
        struct supply_word_item *next = (*s)->first->next;

        free((*s)->first);
        (*s)->first = next;
    }
    supply_close((*s)->told_fd);
    supply_close((*s)->fd);
    pthread_mutex_destroy(&(*s)->lock);
    free((*s)->ranks);
    free(*s);
    *s = NULL;
}

static void supply_signal(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof(one));

    (void)n; /* Full: it is readable as it is. */
}

static void supply_quiet(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)n;
}

static struct supply_rank *supply_rank(struct supply *s, uint32_t rank)
{
    CHECK(rank < s->options.rank_count);
    return &s->ranks[rank];
}

/* ---- The main loop's side ------------------------------------------------ */

int supply_told_fd(const struct supply *s)
{
    return s->told_fd;
}

void supply_told_heed(struct supply *s)
{
    supply_quiet(s->told_fd);
}

static bool supply_rank_has_room(const struct supply *s,
                                 const struct supply_rank *r)
{
    return r->units == 0 ||
           (r->units < s->options.units_max && r->bytes < s->options.bytes_max);
}

bool supply_has_room(struct supply *s, uint32_t rank)
{
    struct supply_rank *r = supply_rank(s, rank);
    bool has;

    pthread_mutex_lock(&s->lock);
    has = supply_rank_has_room(s, r) && !r->is_over;
    r->was_full = !has;
    pthread_mutex_unlock(&s->lock);
    return has;
}

static struct bytes supply_keep(char **at, struct bytes from)
{
    struct bytes out = {*at, from.size};

    if (from.size > 0) {
        memcpy(*at, from.at, from.size);
    }
    (*at)[from.size] = '\0';
    *at += from.size + 1;
    return out;
}

static struct supply_item *supply_item_new(const struct supply_unit *unit)
{
    size_t extra = unit->key.size + unit->etag.size + 2;
    struct supply_item *item = mem_new(1, sizeof(*item) + extra);
    char *at = (char *)(item + 1);

    item->unit = *unit;
    item->unit.key = supply_keep(&at, unit->key);
    item->unit.etag = supply_keep(&at, unit->etag);
    return item;
}

static void supply_add(struct supply *s, struct supply_rank *r,
                       struct supply_item *item)
{
    *r->tail = item;
    r->tail = &item->next;
    if (r->waits_since_ms != 0) {
        s->stats.waiting_ms += clock_now_ms(&clock_os) - r->waits_since_ms;
        r->waits_since_ms = 0;
    }
    supply_signal(s->fd);
}

void supply_put(struct supply *s, uint32_t rank, const struct supply_unit *unit)
{
    struct supply_rank *r = supply_rank(s, rank);
    struct supply_item *item = supply_item_new(unit);

    pthread_mutex_lock(&s->lock);
    CHECK(!r->is_over);
    r->units++;
    r->bytes += unit->size;
    s->stats.units++;
    s->stats.bytes += unit->size;
    supply_add(s, r, item);
    pthread_mutex_unlock(&s->lock);
}

void supply_put_end(struct supply *s, uint32_t rank, uint64_t epoch,
                    bool is_over)
{
    struct supply_rank *r = supply_rank(s, rank);
    struct supply_item *item =
        supply_item_new(&(struct supply_unit){.epoch = epoch});

    item->is_end = true;
    item->is_over = is_over;
    pthread_mutex_lock(&s->lock);
    r->is_over = is_over;
    supply_add(s, r, item);
    pthread_mutex_unlock(&s->lock);
}

bool supply_told(struct supply *s, struct supply_told *out)
{
    struct supply_word_item *item;

    pthread_mutex_lock(&s->lock);
    item = s->first;
    if (item != NULL) {
        s->first = item->next;
        if (s->first == NULL) {
            s->tail = &s->first;
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (item == NULL) {
        return false;
    }
    *out = item->told;
    free(item);
    return true;
}

/* ---- The deliverer's side ------------------------------------------------ */

int supply_fd(const struct supply *s)
{
    return s->fd;
}

void supply_heed(struct supply *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->is_stopped) {
        supply_quiet(s->fd);
    }
    pthread_mutex_unlock(&s->lock);
}

enum status supply_take(struct supply *s, uint32_t rank,
                        struct supply_unit *out)
{
    struct supply_rank *r = supply_rank(s, rank);
    enum status status = STATUS_EMPTY;

    pthread_mutex_lock(&s->lock);
    if (r->first != NULL) {
        supply_pop(r);
        *out = r->taken->unit;
        out->is_over = r->taken->is_over;
        status = !r->taken->is_end ? STATUS_OK : STATUS_STOPPED;
    } else if (r->is_over) {
        status = STATUS_NOT_FOUND;
    } else {
        if (r->waits_since_ms == 0) {
            r->waits_since_ms = clock_now_ms(&clock_os);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

static bool supply_is_of_unit(enum supply_word word)
{
    return word == SUPPLY_DONE || word == SUPPLY_SKIP || word == SUPPLY_BACK;
}

/* A unit is off the counter. */
static void supply_settle(struct supply *s, const struct supply_told *told)
{
    struct supply_rank *r = supply_rank(s, told->rank);

    CHECK(r->units > 0 && r->bytes >= told->size);
    r->units--;
    r->bytes -= told->size;
    if (told->word == SUPPLY_DONE) {
        s->stats.done++;
        s->stats.done_bytes += told->size;
    }
    if (r->was_full && supply_rank_has_room(s, r)) {
        r->was_full = false;
        supply_signal(s->told_fd);
    }
}

void supply_tell(struct supply *s, const struct supply_told *told)
{
    bool is_of_unit = supply_is_of_unit(told->word);
    struct supply_word_item *item = NULL;

    if (!is_of_unit || !told->is_repeat) {
        item = mem_new(1, sizeof(*item));
        item->told = *told;
    }
    pthread_mutex_lock(&s->lock);
    if (is_of_unit) {
        supply_settle(s, told);
    }
    if (item != NULL) {
        *s->tail = item;
        s->tail = &item->next;
        supply_signal(s->told_fd);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- Either's ------------------------------------------------------------ */

void supply_stop(struct supply *s)
{
    pthread_mutex_lock(&s->lock);
    s->is_stopped = true;
    supply_signal(s->fd);
    pthread_mutex_unlock(&s->lock);
}

bool supply_is_stopped(struct supply *s)
{
    bool is;

    pthread_mutex_lock(&s->lock);
    is = s->is_stopped;
    pthread_mutex_unlock(&s->lock);
    return is;
}

struct supply_stats supply_stats(struct supply *s)
{
    struct supply_stats out;

    pthread_mutex_lock(&s->lock);
    out = s->stats;
    pthread_mutex_unlock(&s->lock);
    return out;
}
