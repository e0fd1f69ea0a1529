/* SPDX-License-Identifier: Apache-2.0 */
/* What a reign is made of. For reign*.c only. */

#ifndef COORDINATOR_REIGN_STATE_H
#define COORDINATOR_REIGN_STATE_H

#include "coordinator/record.h"
#include "coordinator/reign.h"
#include "proto/work.h"

#define REIGN_NEVER UINT64_MAX

/* A GRANT that waits until what it tells is durable. */
struct reign_grant {
    bool is_used;
    uint64_t peer;
    uint64_t mark;
    struct buf body;
};

/* What is known of a host's exchange about one channel. While one answer
 * waits, only the newest after it is kept: each tells the whole state. */
struct reign_post {
    uint64_t seq;       /* Of the last WORK taken. */
    uint64_t kept_seq;  /* Of the last that is known to be durable; */
    uint64_t wait_seq;  /* of one that will be, */
    uint64_t wait_mark; /* with this mark. */
    struct reign_grant first;
    struct reign_grant second;
};

/* An answer in the order of marks. */
struct reign_wait {
    uint64_t mark;
    uint32_t post;
};

/* How a host has ended, as the journal tells it or will. */
struct reign_done {
    bool is_done;
    enum status status;
    int exit_code;
    char *reason;
};

/* A question for the cursor, answered once that is durable. */
enum { REIGN_ASKS_MAX = 8 };
struct reign_ask {
    uint64_t peer;
    uint64_t term;
    uint64_t number;
    uint64_t mark; /* 0: this place is free. */
    struct buf text;
};

struct reign {
    struct reign_options options; /* Its texts are those below. */
    struct {
        char **hosts;
        char *job_name;
        char *leader;
        char *run;
    } own;
    enum reign_state state;
    struct fault fault;
    struct fault told; /* BROKEN: the same, as everybody is told. */
    uint64_t began_ms;
    uint64_t now_ms;
    uint64_t wall_ms;
    uint64_t timer_ms; /* When the last step asked to be stepped again. */

    struct journal *journal;
    uint64_t journal_timer_ms;
    bool wants_snapshot;
    bool has_appended;
    uint64_t mark;      /* Of the last record appended; */
    uint64_t firm_mark; /* of the last that GRANTs tell of but commits. */

    /* Found by the recovery, until LOADING is over. */
    struct buf found;    /* Records, each behind term and size. */
    struct buf snapshot; /* Empty: none. */
    bool has_snapshot;
    uint64_t found_count;
    bool was_led; /* There was a coordinator of this run before. */

    struct session *session;
    uint64_t session_timer_ms;
    uint64_t load_ms;          /* LOADING: when to look again. */
    const struct dealt *dealt; /* Borrowed; NULL until it is known. */
    char **incarnations;       /* By host: the process that was last let in, */
    struct reign_done *dones;  /* and how it has ended. */
    struct ledger *ledgers[WIRE_CHANNELS_MAX];
    uint32_t *first_ranks[WIRE_CHANNELS_MAX]; /* By host: its first rank among
                                            those that have a part in it. */
    struct reign_post *posts; /* Host by host, of each channel one. */
    uint32_t post_count;
    struct reign_wait *waits; /* A ring. */
    uint32_t wait_first;
    uint32_t wait_count;
    uint32_t wait_room;

    struct reign_ask asks[REIGN_ASKS_MAX];

    bool has_ended;      /* The outcome is in the journal; */
    uint64_t end_mark;   /* durable with this mark; 0: it was found there. */
    bool is_end_told;    /* To the session; */
    bool is_broken_told; /* so is that nothing can be written any more. */
    bool is_over;
    struct {
        enum status status;
        int exit_code;
        char *host;
        char *reason;
    } ended; /* As found. */

    struct work work;   /* Of the step that is being made. */
    struct grant grant; /* The same. */
    struct session_send *sends;
    uint32_t send_count;
    uint32_t send_room;
    struct buf *sent; /* Bodies of GRANTs among the sends. */
    uint32_t sent_count;
    uint32_t sent_room;
    enum reign_prepare do_prepare;
    struct journal_request requests[JOURNAL_ASKS_MAX];
    uint32_t request_count;
    struct buf record;
    struct buf report;
};

/* reign.c */
void reign_append(struct reign *r, const struct record *record);
void reign_append_entries(struct reign *r, uint32_t channel);
void reign_step_session(struct reign *r, struct session_event *event);
void reign_step_journal(struct reign *r, struct journal_event *event);
struct wire_message *reign_say(struct reign *r, uint64_t peer,
                               enum wire_type type);

/* reign_ask.c: who asks for the state or the cursor. */
void reign_take_ask(struct reign *r, const struct reign_event *event);
void reign_answer_asks(struct reign *r);

/* reign_broken.c: the end that nothing can be written of. */
void reign_break(struct reign *r);
void reign_take_broken(struct reign *r, const struct reign_event *event);

/* reign_recover.c: what the journal holds, and what becomes of it. */
void reign_take_found(struct reign *r);
void reign_go_on(struct reign *r);
void reign_begin(struct reign *r, const struct dealt *dealt);
void reign_make_ledgers(struct reign *r, const struct dealt *dealt);
void reign_note_plans(struct reign *r);
void reign_note_host(struct reign *r, uint32_t host);
void reign_note_done(struct reign *r, uint32_t host);
void reign_write_state(const struct reign *r, struct buf *out);

/* reign_work.c: WORK and GRANT. */
void reign_take_work(struct reign *r, const struct reign_event *event);
void reign_take_notices(struct reign *r, const struct session_effects *fx);
void reign_release(struct reign *r);
void reign_forget_host(struct reign *r, uint32_t host);

#endif /* COORDINATOR_REIGN_STATE_H */
