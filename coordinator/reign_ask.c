/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks for the state of the job is answered at once. A cursor leaves only
 * when all that it tells is durable: who saves it must be able to rely on it,
 * whatever becomes of this coordinator. */
#include "coordinator/cursor.h"
#include "coordinator/reign_state.h"

static void reign_answer(struct reign *r, const struct reign_ask *to,
                         const struct buf *text)
{
    struct wire_message *m = reign_say(r, to->peer, WIRE_REPORT);

    m->term = to->term;
    m->report.number = to->number;
    m->report.json = buf_bytes(text);
}

static void reign_write_cursor(const struct reign *r, struct buf *out)
{
    struct cursor_progress progress[WIRE_CHANNELS_MAX];

    for (uint32_t i = 0; i < r->dealt->channel_count; i++) {
        const struct ledger *l = r->ledgers[i];

        progress[i] = (struct cursor_progress){
            .epoch = ledger_epoch(l),
            .committed = ledger_committed(l),
            .skipped = ledger_skipped(l),
        };
    }
    cursor_write(r->options.session.job_name, r->dealt, progress, out);
}

/* While there is nothing to tell, or no place, the question is dropped: it
 * will be asked again. */
static void reign_keep_ask(struct reign *r, const struct reign_ask *asked)
{
    for (uint32_t i = 0; r->dealt != NULL && i < REIGN_ASKS_MAX; i++) {
        struct reign_ask *a = &r->asks[i];
        struct buf text = a->text;

        if (a->mark != 0) {
            continue;
        }
        *a = *asked;
        a->text = text;
        a->mark = r->mark + 1; /* 0 stands for a free place. */
        buf_clear(&a->text);
        reign_write_cursor(r, &a->text);
        if (a->text.size > WIRE_STATUS_MAX) {
            a->mark = 0; /* Too large for a message. */
        }
        return;
    }
}

void reign_take_ask(struct reign *r, const struct reign_event *event)
{
    const struct wire_message *m = event->message;
    struct reign_ask asked = {
        .peer = event->peer, .term = m->term, .number = m->ask.number};

    if (m->ask.what == WIRE_ASK_CURSOR) {
        if (r->state == REIGN_SERVING) {
            reign_keep_ask(r, &asked);
        }
        return;
    }
    buf_clear(&r->report);
    reign_report(r, event->net, &r->report);
    reign_answer(r, &asked, &r->report);
}

void reign_answer_asks(struct reign *r)
{
    uint64_t durable = journal_durable(r->journal);

    for (uint32_t i = 0; i < REIGN_ASKS_MAX; i++) {
        if (r->asks[i].mark != 0 && r->asks[i].mark - 1 <= durable) {
            r->asks[i].mark = 0;
            reign_answer(r, &r->asks[i], &r->asks[i].text);
        }
    }
}
