/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts say of their leases, and what they are told. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/reign_state.h"

static struct reign_post *reign_post(struct reign *r, uint32_t host,
                                     uint32_t channel)
{
    return &r->posts[host * r->dealt->channel_count + channel];
}

/* ---- GRANTs that wait -----------------------------------------------------
 */

static void reign_wait_for(struct reign *r, uint64_t mark, uint32_t post)
{
    if (r->wait_count == r->wait_room) {
        uint32_t room = r->wait_room == 0 ? 16 : 2 * r->wait_room;
        struct reign_wait *waits = mem_new(room, sizeof(*waits));

        for (uint32_t i = 0; i < r->wait_count; i++) {
            waits[i] = r->waits[(r->wait_first + i) % r->wait_room];
        }
        free(r->waits);
        r->waits = waits;
        r->wait_room = room;
        r->wait_first = 0;
    }
    r->waits[(r->wait_first + r->wait_count++) % r->wait_room] =
        (struct reign_wait){mark, post};
}

static void reign_send_grant(struct reign *r, uint32_t post,
                             struct reign_grant *grant)
{
    struct wire_message *m = reign_say(r, grant->peer, WIRE_GRANT);
    struct buf *body;
    struct buf old;

    if (r->sent_count == r->sent_room) {
        uint32_t room = r->sent_room == 0 ? 8 : 2 * r->sent_room;

        r->sent = mem_grow(r->sent, room, sizeof(*r->sent));
        memset(r->sent + r->sent_room, 0,
               (room - r->sent_room) * sizeof(*r->sent));
        r->sent_room = room;
    }
    body = &r->sent[r->sent_count++];
    old = *body;
    *body = grant->body;
    grant->body = old;
    grant->is_used = false;
    m->grant.channel = post % r->dealt->channel_count;
    m->grant.body = buf_bytes(body);
}

static void reign_release_post(struct reign *r, uint32_t number, uint64_t mark)
{
    struct reign_post *p = &r->posts[number];
    struct reign_grant first;

    if (p->first.is_used && p->first.mark == mark) {
        reign_send_grant(r, number, &p->first);
        first = p->first;
        p->first = p->second;
        p->second = first;
    }
}

void reign_release(struct reign *r)
{
    uint64_t durable = journal_durable(r->journal);

    while (r->wait_count > 0 && r->waits[r->wait_first].mark <= durable) {
        struct reign_wait wait = r->waits[r->wait_first];

        r->wait_first = (r->wait_first + 1) % r->wait_room;
        r->wait_count--;
        reign_release_post(r, wait.post, wait.mark);
    }
}

void reign_forget_host(struct reign *r, uint32_t host)
{
    for (uint32_t i = 0; r->dealt != NULL && i < r->dealt->channel_count; i++) {
        struct reign_post *p = reign_post(r, host, i);

        p->seq = 0;
        p->kept_seq = 0;
        p->wait_seq = 0;
        p->wait_mark = 0;
        p->first.is_used = false;
        p->second.is_used = false;
    }
}

/* ---- What became of hosts --------------------------------------------------
 */

/* Whether the hosts have their shares as files: what becomes of those, only
 * the command's end tells. */
static bool reign_has_shares(const struct reign *r, uint32_t number)
{
    const struct dealt_channel *c = &r->dealt->channels[number];

    return !c->is_dynamic && !c->is_stream;
}

/* Static: the share of each rank is its lease from the start. */
static void reign_grant_shares(struct reign *r, uint32_t host)
{
    for (uint32_t i = 0; i < r->dealt->channel_count; i++) {
        struct ledger_want want = {.rank = r->first_ranks[i][host],
                                   .now_ms = r->now_ms};
        struct ledger_lease lease;

        if (!reign_has_shares(r, i)) {
            continue;
        }
        for (uint32_t k = dealt_ranks(r->dealt, i, host); k > 0; k--) {
            while (ledger_want(r->ledgers[i], &want, &lease) == STATUS_OK) {
            }
            want.rank++;
        }
    }
}

static void reign_commit_shares(struct reign *r, uint32_t host)
{
    for (uint32_t i = 0; i < r->dealt->channel_count; i++) {
        struct ledger_lease lease;
        uint64_t after = 0;

        while (reign_has_shares(r, i) &&
               ledger_next_lease(r->ledgers[i], host, after, &lease)) {
            enum status s = ledger_commit(
                r->ledgers[i], &(struct ledger_word){host, lease.number,
                                                     lease.range, r->now_ms});

            CHECK(s == STATUS_OK);
            after = lease.number;
        }
    }
}

/* A process has come in: another one than was here, or, after a change of
 * coordinators, the very same. */
static void reign_take_entry(struct reign *r, uint32_t host)
{
    const char *incarnation = session_host(r->session, host).incarnation;
    bool is_same = r->incarnations[host] != NULL &&
                   strcmp(r->incarnations[host], incarnation) == 0;

    reign_forget_host(r, host);
    if (!is_same) {
        reign_note_host(r, host);
    }
    for (uint32_t i = 0; i < r->dealt->channel_count; i++) {
        if (is_same) {
            ledger_hear(r->ledgers[i], host, r->now_ms);
        } else {
            ledger_enter(r->ledgers[i], host, r->now_ms);
        }
    }
}

static void reign_take_notice(struct reign *r,
                              const struct session_notice *notice)
{
    uint32_t host = notice->host;
    bool is_gone =
        notice->news == SESSION_NEWS_GONE || notice->news == SESSION_NEWS_DONE;

    if (notice->news == SESSION_NEWS_ENTER) {
        reign_take_entry(r, host);
    } else if (notice->news == SESSION_NEWS_START) {
        reign_grant_shares(r, host);
    } else if (notice->news == SESSION_NEWS_DONE) {
        reign_grant_shares(r, host); /* START may have been another's word. */
        reign_commit_shares(r, host);
    }
    for (uint32_t i = 0; is_gone && i < r->dealt->channel_count; i++) {
        ledger_lose(r->ledgers[i], host, r->now_ms);
        reign_append_entries(r, i);
    }
    if (is_gone && session_host(r->session, host).phase == WIRE_PHASE_DONE) {
        reign_note_done(r, host); /* Behind all that its end commits. */
    }
}

void reign_take_notices(struct reign *r, const struct session_effects *fx)
{
    for (uint32_t i = 0; i < fx->notice_count; i++) {
        if (r->dealt != NULL) {
            reign_take_notice(r, &fx->notices[i]);
        }
    }
}

/* ---- WORK ------------------------------------------------------------------
 */

/* Name @lease among the refused: by number, once. */
static void reign_refuse(struct reign *r, uint64_t lease)
{
    struct grant *g = &r->grant;
    uint32_t at = g->refused_count;

    while (at > 0 && g->refused[at - 1] > lease) {
        at--;
    }
    if ((at > 0 && g->refused[at - 1] == lease) ||
        g->refused_count == GRANT_REFUSED_MAX) {
        return;
    }
    memmove(&g->refused[at + 1], &g->refused[at],
            (g->refused_count - at) * sizeof(g->refused[0]));
    g->refused[at] = lease;
    g->refused_count++;
}

static void reign_take_leases(struct reign *r, struct ledger *l, uint32_t host)
{
    const struct work *w = &r->work;

    for (uint32_t i = 0; i < w->lease_count; i++) {
        const struct work_lease *said = &w->leases[i];
        struct ledger_word word = {
            host, said->number, {said->end, UINT64_MAX}, r->now_ms};

        if (ledger_give_back(l, &word) != STATUS_OK) {
            reign_refuse(r, said->number);
        }
    }
}

static void reign_take_done(struct reign *r, struct ledger *l, uint32_t host)
{
    const struct work *w = &r->work;

    for (uint32_t i = 0; i < w->done_count; i++) {
        const struct work_done *done = &w->done[i];
        struct ledger_word word = {
            host, done->number, {done->first, done->end}, r->now_ms};

        if (ledger_commit(l, &word) != STATUS_OK) {
            reign_refuse(r, done->number);
        }
    }
}

static void reign_fail_unit(struct reign *r, uint32_t channel,
                            const struct work_skip *skip)
{
    const struct dealt_channel *c = &r->dealt->channels[channel];
    struct fault why;

    fault_set(&why, STATUS_IO,
              "channel %.*s: unit %llu can not be read: %.*s (more than the "
              "%llu that may be skipped)",
              (int)c->name.size, c->name.at, (unsigned long long)skip->position,
              (int)skip->reason.size, skip->reason.at,
              (unsigned long long)c->skips);
    reign_step_session(r, &(struct session_event){.type = SESSION_EVENT_FAIL,
                                                  .status = STATUS_IO,
                                                  .text = why.text});
}

static void reign_take_skips(struct reign *r, uint32_t channel, uint32_t host)
{
    struct ledger *l = r->ledgers[channel];

    for (uint32_t i = 0; i < r->work.skip_count; i++) {
        const struct work_skip *skip = &r->work.skips[i];
        struct ledger_word word = {host,
                                   skip->number,
                                   {skip->position, skip->position + 1},
                                   r->now_ms};
        uint64_t before = ranges_size(ledger_skipped(l));
        enum status s = ledger_skip(l, &word);

        if (s == STATUS_OK && ranges_size(ledger_skipped(l)) > before) {
            reign_append(r, &(struct record){
                                .type = RECORD_SKIPPED,
                                .skipped = {.channel = channel,
                                            .position = skip->position,
                                            .reason = skip->reason},
                            });
        } else if (s == STATUS_FULL) {
            reign_fail_unit(r, channel, skip);
        } else if (s != STATUS_OK) {
            reign_refuse(r, skip->number);
        }
    }
}

static void reign_take_wants(struct reign *r, uint32_t channel, uint32_t host)
{
    for (uint32_t i = 0; i < r->work.want_count; i++) {
        const struct work_want *w = &r->work.wants[i];
        struct ledger_want want = {.rank =
                                       r->first_ranks[channel][host] + w->rank,
                                   .units = w->units,
                                   .now_ms = r->now_ms};
        struct ledger_lease lease;

        if (w->rank < dealt_ranks(r->dealt, channel, host) &&
            ledger_want(r->ledgers[channel], &want, &lease) == STATUS_STOPPED) {
            r->grant.idle_ranks |= UINT64_C(1) << w->rank;
        }
    }
}

/* Fill the rest of the answer from what the ledger holds now. */
static void reign_fill_grant(struct reign *r, uint32_t channel, uint32_t host)
{
    const struct ledger *l = r->ledgers[channel];
    struct grant *g = &r->grant;
    struct ledger_lease lease;
    uint64_t after = 0;

    g->channel = channel;
    g->epoch = ledger_epoch(l);
    g->seq = r->work.seq;
    g->acked_seq = r->work.seq;
    g->unkept = 0;
    g->gate = ledger_gate(l);
    g->is_complete = ledger_is_complete(l);
    g->is_over = ledger_is_over(l);
    while (g->lease_count < WORK_LEASES_MAX &&
           ledger_next_lease(l, host, after, &lease)) {
        g->leases[g->lease_count++] = (struct grant_lease){
            .number = lease.number,
            .rank = lease.rank - r->first_ranks[channel][host],
            .first = lease.range.first,
            .end = lease.range.end,
            .want_end = lease.want_end,
            .is_late = lease.is_late,
        };
        after = lease.number;
    }
}

static void reign_keep_grant(struct reign *r, uint32_t post, uint64_t peer,
                             uint64_t mark)
{
    struct reign_post *p = &r->posts[post];
    struct reign_grant *g = p->first.is_used ? &p->second : &p->first;
    bool is_awaited = g->is_used && g->mark == mark;

    g->is_used = true;
    g->peer = peer;
    g->mark = mark;
    buf_clear(&g->body);
    grant_write(&r->grant, &g->body);
    if (!is_awaited) { /* However often it is asked in an outage. */
        reign_wait_for(r, mark, post);
    }
}

static void reign_do_work(struct reign *r, uint32_t channel, uint32_t host)
{
    struct ledger *l = r->ledgers[channel];

    ledger_hear(l, host, r->now_ms);
    reign_take_leases(r, l, host);
    reign_take_done(r, l, host);
    reign_take_skips(r, channel, host);
    if (r->work.ends_epoch && r->work.epoch == ledger_epoch(l)) {
        ledger_stop(l);
    }
    ledger_tick(l, r->now_ms);
    if (r->work.epoch == ledger_epoch(l)) {
        reign_take_wants(r, channel, host);
    }
    reign_fill_grant(r, channel, host);
    reign_append_entries(r, channel);
}

/* Acknowledge at once: say how much of it is held by two hosts only. */
static uint64_t reign_ack_early(struct reign *r, struct reign_post *p)
{
    if (p->wait_mark <= journal_durable(r->journal)) {
        p->kept_seq = p->wait_seq;
        p->wait_seq = r->work.seq;
        p->wait_mark = r->mark;
    }
    if (p->wait_mark <= journal_durable(r->journal)) {
        p->kept_seq = p->wait_seq;
    }
    r->grant.unkept = r->work.seq - p->kept_seq;
    return r->firm_mark;
}

void reign_take_work(struct reign *r, const struct reign_event *event)
{
    uint64_t channel = event->message->work.channel;
    struct fault why;
    uint32_t host;
    bool is_here = session_host_of(r->session, event->peer, &host);
    struct reign_post *p;
    uint64_t mark;
    bool is_own;

    CHECK(is_here);
    is_own = host == r->options.number;
    if (r->dealt == NULL || channel >= r->dealt->channel_count ||
        !dealt_has_part(r->dealt, (uint32_t)channel, host) ||
        work_read(event->message->work.body, &why, &r->work) != STATUS_OK ||
        r->work.channel != channel) {
        reign_step_session(r,
                           &(struct session_event){.type = SESSION_EVENT_BAD,
                                                   .status = STATUS_MALFORMED,
                                                   .peer = event->peer});
        return;
    }
    p = reign_post(r, host, (uint32_t)channel);
    if (r->work.seq <= p->seq) {
        return; /* An older word. */
    }
    p->seq = r->work.seq;
    memset(&r->grant, 0, sizeof(r->grant));
    reign_do_work(r, (uint32_t)channel, host);
    mark = r->options.acks_early && !is_own ? reign_ack_early(r, p) : r->mark;
    reign_keep_grant(r, (uint32_t)(p - r->posts), event->peer, mark);
}
