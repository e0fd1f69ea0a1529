/* SPDX-License-Identifier: Apache-2.0 */
/* What a session is made of. For session*.c only. */

#ifndef COORDINATOR_SESSION_STATE_H
#define COORDINATOR_SESSION_STATE_H

#include "coordinator/budget.h"
#include "coordinator/session.h"

enum {
    SESSION_CHANNEL_NAME_MAX = 64,
    SESSION_PORTION = 256, /* Hosts that one step tells the same. */
};

#define SESSION_NO_HOST UINT32_MAX

/* How far a host has brought one channel. */
struct session_progress {
    char channel[SESSION_CHANNEL_NAME_MAX + 1];
    uint64_t units_done;
    uint64_t units;
    uint64_t bytes_done;
    uint64_t bytes;
};

/* What a host has told of one of its streams. */
struct session_stream {
    char channel[WIRE_STREAM_NAME_MAX + 1], placed[WIRE_PLACED_MAX + 1];
    struct wire_stream said; /* Without its texts. */
};

struct session_member {
    char *name;
    enum wire_phase phase; /* Never goes back, but from LOST in JOINING. */
    bool has_peer;
    uint64_t peer;
    uint64_t heard_ms; /* When it last said anything. */
    char *incarnation; /* NULL before the first HELLO. */
    uint64_t attempt;
    uint64_t ranks;
    uint64_t weight;
    uint64_t beat;                     /* The number of the last one taken. */
    struct session_progress *progress; /* Of progress_room. */
    uint32_t progress_count;
    uint32_t progress_room;
    struct session_stream *streams; /* Of stream_room. */
    uint32_t stream_count;
    uint32_t stream_room;
    uint64_t saved_units;
    uint64_t saved_bytes;
    enum status status; /* DONE: what it said, with the two below. */
    int exit_code;
    char *reason; /* NULL: none. Before it has joined: why it was refused. */
    bool is_kept; /* DONE, as an earlier coordinator kept it, and not heard of
                     since. */
};

/* Which host a peer is: open addressing, twice as many places as hosts. */
struct session_peer {
    bool is_used;
    uint64_t peer;
    uint32_t host;
};

struct session {
    char *job_name;
    char *leader;
    char run[WIRE_JOB_SIZE + 1];
    uint64_t term;
    uint64_t join_timeout_ms;
    uint64_t heartbeat_ms;
    uint64_t host_timeout_ms;
    uint64_t grace_ms;
    uint64_t skew_max_ms;
    bool keeps_on_failure;
    bool keeps_end;
    bool is_resumed; /* Hosts say where they stand. */
    bool has_ended;  /* Before this session began. */
    bool is_end_kept;
    uint32_t kept_count; /* Of hosts that are is_kept, */
    uint64_t kept_ms;    /* which have time to ask for END until then. */

    uint32_t host_count;
    struct session_member *hosts; /* By number. */
    uint32_t *by_name;            /* Their numbers, sorted by name. */
    struct session_peer *peers;
    uint32_t peer_mask;
    uint32_t in_phase[WIRE_PHASES]; /* How many hosts stand there. */

    enum session_phase phase;
    uint64_t now_ms;
    uint64_t since_ms; /* When the phase began. */
    uint64_t scan_ms;  /* When the hosts are looked through next. */
    uint64_t refused;
    uint64_t bad_messages;
    struct budget *budget;               /* Of requests to stores. */
    const struct wire_share_all *shares; /* Borrowed; NULL until PREPARED. */

    struct {
        enum status status;
        int exit_code;
        uint32_t host; /* Or SESSION_NO_HOST. */
        char *reason;  /* NULL while all is well. */
    } outcome;

    /* What all hosts are being told, in portions: a message of each to ten
     * thousand hosts would take much memory, and hold up everything else. */
    struct {
        enum wire_type type; /* SHARE, START or END. */
        uint32_t next;       /* Host; host_count: nothing is left. */
        uint64_t wall_ms;
    } broadcast;

    /* Of the step that is being made. */
    struct session_send *sends;
    uint32_t send_count;
    uint32_t send_room;
    struct session_notice *notices;
    uint32_t notice_count;
    uint32_t notice_room;
    bool do_prepare;
    struct buf report; /* What a REPORT shows to. */
    struct buf reason; /* What a REFUSE shows to. */
};

/* session_hosts.c: finding hosts, and their places. */
void session_hosts_init(struct session *s, const struct session_options *o);
void session_hosts_fini(struct session *s);
uint32_t session_find_name(const struct session *s, struct bytes name);
uint32_t session_find_peer(const struct session *s, uint64_t peer);

/* From now on @peer is @host, and its former peer nobody. */
void session_bind(struct session *s, uint32_t host, uint64_t peer);
void session_set_phase(struct session *s, uint32_t host, enum wire_phase p);

/* Take what a beat tells of progress; O(channels). */
void session_take_progress(struct session_member *h,
                           const struct wire_beat *beat);
void session_hosts_check(const struct session *s);

/* session_send.c: what is said. */
void session_notify(struct session *s, uint32_t host, enum session_news news);
void session_send_welcome(struct session *s, uint32_t host);
void session_send_pulse(struct session *s, uint32_t host, uint64_t number);
void session_send_share(struct session *s, uint32_t host);
void session_send_start(struct session *s, uint32_t host, uint64_t wall_ms);
void session_send_end(struct session *s, uint32_t host);
void session_send_report(struct session *s, uint64_t peer,
                         const struct wire_message *ask);

/* Begin to tell all hosts that it concerns; what is still being told is given
 * up. Then go on with it. */
void session_broadcast(struct session *s, enum wire_type type,
                       uint64_t wall_ms);
void session_go_on(struct session *s);
bool session_is_telling(const struct session *s);

__attribute__((format(printf, 4, 5))) void session_send_refuse(
    struct session *s, uint64_t peer, enum status status, const char *format,
    ...);

/* Head the last message as @to was, which is not of our run or term, so that
 * its sender believes it. Without effect if @to has no heading. */
void session_head_as(struct session *s, const struct wire_message *to);

/* session_report.c: how much of the hosts a report tells. */
enum session_detail {
    SESSION_DETAIL_TOTALS,
    SESSION_DETAIL_HOSTS,
    SESSION_DETAIL_FULL,
};
void session_report_as(const struct session *s, enum session_detail detail,
                       struct buf *out);

/* session.c: give @host up if it has been silent for too long. */
void session_scan_host(struct session *s, uint32_t host);

/* session_resume.c: what an earlier coordinator has left. */
void session_resume(struct session *s, const struct session_options *o);
bool session_awaits_kept(const struct session *s);

/* session_join.c: HELLO. */
void session_take_hello(struct session *s, const struct session_event *event);

/* @host said something. In JOINING that brings a LOST one back. */
void session_hear(struct session *s, uint32_t host);

/* Whether @host, which is out, may take part again. */
bool session_may_return(const struct session *s, uint32_t host);

/* Make the first host that has failed, if there is one, the outcome's. */
void session_find_blame(struct session *s);

/* Tell @peer that @host, which is LOST, has no place any more. */
void session_refuse_lost(struct session *s, uint32_t host, uint64_t peer);

/* Append who has not come, for the end of JOINING. */
void session_name_missing(const struct session *s, struct buf *out);

#endif /* COORDINATOR_SESSION_STATE_H */
