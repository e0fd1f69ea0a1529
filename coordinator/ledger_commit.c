/* SPDX-License-Identifier: Apache-2.0 */
/* Words of holders. They come late, twice and out of order, and are not
 * trusted: each is held against the lease that it names. */

#include "coordinator/ledger_state.h"

static struct ledger_held *ledger_holding(struct ledger *l,
                                          const struct ledger_word *word)
{
    struct ledger_held *held = ledger_held(l, word->lease);

    return held != NULL && l->ranks[held->rank].host == word->host ? held
                                                                   : NULL;
}

static enum status ledger_refuse(struct ledger *l)
{
    l->counts.refused++;
    return STATUS_LOST;
}

static bool ledger_is_of(const struct ledger_held *held, struct range range)
{
    return range.first < range.end && range.first >= held->range.first &&
           range.end <= held->range.end;
}

/* Whether the lease has ended with all of it committed, and can have had
 * @range: a repeated word. Of an earlier epoch that is not known any more. */
static bool ledger_is_repeated(const struct ledger *l,
                               const struct ledger_word *word)
{
    struct range open;

    if (ledger_held(l, word->lease) != NULL ||
        !ledger_was_finished(l, word->lease) ||
        word->range.first >= word->range.end ||
        word->range.end > l->positions) {
        return false;
    }
    return word->lease < l->epoch_lease ||
           !ledger_next_open(l, word->range, &open);
}

enum status ledger_commit(struct ledger *l, const struct ledger_word *word)
{
    struct ledger_held *held = ledger_holding(l, word);
    struct range open = {word->range.first, word->range.first};
    uint64_t units = 0;
    uint32_t rank;

    ledger_set_now(l, word->now_ms);
    if (held == NULL && ledger_is_repeated(l, word)) {
        l->counts.duplicates += ledger_length(word->range);
        return STATUS_OK;
    }
    if (held == NULL) {
        return ledger_refuse(l);
    }
    if (!ledger_is_of(held, word->range)) {
        return STATUS_INVALID;
    }
    rank = held->rank;
    while (
        ledger_next_open(l, (struct range){open.end, word->range.end}, &open)) {
        units += ledger_length(open);
        ledger_do(l, &(struct ledger_entry){.type = LEDGER_COMMIT,
                                            .lease = word->lease,
                                            .range = open});
    }
    l->counts.duplicates += ledger_length(word->range) - units;
    if (units > 0) {
        ledger_pace_commit(l, rank, units);
        ledger_settle(l);
    }
    return STATUS_OK;
}

enum status ledger_give_back(struct ledger *l, const struct ledger_word *word)
{
    struct ledger_held *held = ledger_holding(l, word);
    struct range tail;
    uint32_t rank;

    ledger_set_now(l, word->now_ms);
    if (held == NULL) {
        return ledger_held(l, word->lease) == NULL &&
                       ledger_was_finished(l, word->lease)
                   ? STATUS_OK
                   : ledger_refuse(l);
    }
    tail = (struct range){word->range.first, held->range.end};
    if (tail.first >= tail.end) {
        return STATUS_OK;
    }
    if (tail.first < held->top) {
        return STATUS_INVALID;
    }
    rank = held->rank;
    ledger_do(l, &(struct ledger_entry){
                     .type = LEDGER_CUT, .lease = word->lease, .range = tail});
    ledger_gave_back(l, rank);
    ledger_settle(l);
    return STATUS_OK;
}

enum status ledger_skip(struct ledger *l, const struct ledger_word *word)
{
    struct ledger_held *held = ledger_holding(l, word);

    ledger_set_now(l, word->now_ms);
    if (held == NULL) {
        return ledger_is_repeated(l, word) ? STATUS_OK : ledger_refuse(l);
    }
    if (!ledger_is_of(held, word->range) || ledger_length(word->range) != 1 ||
        ranges_has(l->committed, word->range.first)) {
        return STATUS_INVALID;
    }
    if (ranges_has(l->skipped, word->range.first)) {
        return STATUS_OK;
    }
    if (l->skips_used >= l->skips_max) {
        return STATUS_FULL;
    }
    ledger_do(l, &(struct ledger_entry){.type = LEDGER_SKIP,
                                        .lease = word->lease,
                                        .range = word->range});
    ledger_settle(l);
    return STATUS_OK;
}
