# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The mistakes: NAME MODEL FILE LINE INSTEAD.
# shellcheck disable=SC2016 # nothing here is to be expanded

mutant 'a lease is dealt anew before it has run out' job \
    coordinator/ledger_time.c \
    'h->until_ms = l->now_ms + l->lease_ms;' \
    'h->until_ms = l->now_ms + l->lease_ms / 3;'
mutant 'an answer leaves before it is durable' job \
    coordinator/reign_work.c \
    'mark = r->options.acks_early && !is_own ? reign_ack_early(r, p) : r->mark;' \
    'mark = is_own ? 0 : 0;'
mutant 'a leader does not stop when its time is up' term \
    coordinator/term.c \
    'return t->ttl_ms - t->ttl_ms / TERM_MARGIN_PART;' \
    'return 3 * t->ttl_ms;'
mutant 'whose object it is, is not looked at' journal \
    coordinator/journal.c \
    'return o->nonce == j->nonce && o->term == j->term;' \
    'return o != NULL && j != NULL;'
mutant 'no seal is written' journal \
    coordinator/journal_recover.c \
    'journal_ask_at(j, &j->slots[JOURNAL_SLOT_LOG], JOURNAL_OP_LOG,' \
    'journal_open(j); (void)('
mutant 'the snapshot is not looked at again' journal \
    coordinator/journal_recover.c \
    'journal_ask_at(j, &j->slots[JOURNAL_SLOT_LARGE], JOURNAL_OP_LOOK_AGAIN,' \
    'journal_open(j); (void)('
mutant 'what was committed is committed again' job \
    coordinator/ledger_commit.c \
    'ledger_next_open(l, (struct range){open.end, word->range.end}, &open)) {' \
    'open.end < word->range.end && (open = word->range).end > 0) {'
mutant 'a number of a lease is used again' job \
    coordinator/ledger_apply.c \
    'l->next_lease++;' \
    'l->next_lease += l->next_lease % 5 != 0;'
mutant 'a tail is taken without its holder saying so' job \
    coordinator/ledger_straggle.c \
    'slowest->want_end =' \
    'uint64_t cut = (slowest->range.end + slowest->top + 1) / 2;
    ledger_do(l, &(struct ledger_entry){
                     .type = LEDGER_CUT,
                     .lease = slowest->number,
                     .range = {cut, slowest->range.end}});
    cut ='
mutant 'a rank is handed what is beyond the gate' job \
    worker/holder.c \
    'if (position >= h->gate || !holder_is_valid(h, now_ms)) {' \
    'if (!holder_is_valid(h, now_ms)) {'
mutant 'a lease is believed in for ever' job \
    worker/holder.c \
    'if (position >= h->gate || !holder_is_valid(h, now_ms)) {' \
    'if (position >= h->gate || (!h->has_grant && now_ms == 0)) {'
mutant 'what goes back in order is not flagged' job \
    coordinator/ledger_apply.c \
    'held->is_late = e->range.first < rank->watermark;' \
    'held->is_late = false;'
mutant 'what a lost host had left is lost' job \
    coordinator/ledger_apply.c \
    'CHECK(ranges_remove(l->taken, range) == ledger_length(range));' \
    'CHECK(ranges_count_in(l->taken, range) == ledger_length(range));'
mutant 'an epoch begins before the last is complete' job \
    coordinator/ledger.c \
    'return ranges_size(l->committed) + ranges_size(l->skipped) ==' \
    'return ranges_size(l->committed) + ranges_size(l->skipped) + 1 >='
mutant 'the end is told before it is durable' job \
    coordinator/reign.c \
    'journal_durable(r->journal) >= r->end_mark) {' \
    'journal_durable(r->journal) + 1000 >= r->end_mark) {'
mutant 'a process that comes again keeps the old leases' job \
    coordinator/ledger_time.c \
    'while (h->first_lease != LEDGER_NONE) {' \
    'while (h->first_lease != LEDGER_NONE && host % 2 == 9) {'
# Needs a host that has ended and gone before its coordinator dies.
SEEDS=400 mutant 'that a host has ended is forgotten' job \
    coordinator/reign_recover.c \
    'reign_find_done(r, &record->done);' \
    'reign_forget_done(r, record->done.number);'
