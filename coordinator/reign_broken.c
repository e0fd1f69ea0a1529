/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored can't be gone on with, by nobody. Nothing can be written any
 * more, so the outcome is not kept: everybody who is here or still comes is
 * told END with the reason, and none of them waits for another coordinator. */
#include "base/line.h"
#include "coordinator/reign_state.h"

static void reign_say_broken(struct reign *r, const struct reign_event *event)
{
    const struct wire_message *m = event->message;
    bool is_host = m->type == WIRE_HELLO || m->type == WIRE_BEAT ||
                   m->type == WIRE_READY || m->type == WIRE_DONE;

    if (is_host && m->term == r->options.session.term) {
        reign_say(r, event->peer, WIRE_END)->end = (struct wire_end){
            .status = STATUS_MALFORMED,
            .exit_code = (uint64_t)status_exit_code(STATUS_MALFORMED),
            .host = bytes_of(""),
            .reason = bytes_of(r->told.text),
        };
    }
}

void reign_break(struct reign *r)
{
    r->is_broken_told = true;
    fault_set(&r->told, STATUS_MALFORMED,
              "the coordinator on %s can't go on: %s",
              r->options.session.leader, r->fault.text);
    line_clean(r->told.text, FAULT_TEXT_MAX - 4);
    if (r->session != NULL) {
        reign_step_session(r,
                           &(struct session_event){.type = SESSION_EVENT_FAIL,
                                                   .status = STATUS_MALFORMED,
                                                   .text = r->told.text});
    }
}

void reign_take_broken(struct reign *r, const struct reign_event *event)
{
    bool is_message = event->type == REIGN_EVENT_MESSAGE;

    if (is_message && event->message->type == WIRE_ASK) {
        reign_take_ask(r, event);
    } else if (is_message && r->session == NULL) {
        reign_say_broken(r, event);
    } else if (is_message) {
        reign_step_session(
            r, &(struct session_event){.type = SESSION_EVENT_MESSAGE,
                                       .peer = event->peer,
                                       .message = event->message});
    } else if (event->type == REIGN_EVENT_TIMER &&
               r->now_ms >= r->session_timer_ms) {
        reign_step_session(
            r, &(struct session_event){.type = SESSION_EVENT_TIMER});
    }
}
