/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the S3 store: its handle, which two files share.
 *
 * store_s3_os.c       calls: begin, launch, answers, ends
 * store_s3_poll_os.c  time: what is due, what is slow, what to wait for
 *
 * All of it on the owner's thread. */

#ifndef STORE_STORE_S3_STATE_H
#define STORE_STORE_S3_STATE_H

#include "store/s3_call.h"
#include "store/store_wait.h"

enum {
    S3_HEDGE_TICK_MS = 50, /* How often slow reads are looked for. */
    S3_SLOT_BITS = 9,
};

struct s3_store {
    struct s3_bucket *bucket;
    char *root_uri;
    struct signer *signer;
    struct http curl;
    struct http get;
    bool has_get;
    struct s3_call *slots[STORE_INFLIGHT_MAX];
    uint32_t used;        /* Slots that hold a call. */
    struct s3_call *done; /* Ended, oldest first. */
    struct s3_call **done_tail;
    struct s3_call *spare; /* Calls without a life. */
    struct s3_page *shown; /* Until the next poll. */
    struct s3_page *spare_page;
    struct s3_tokens tokens;
    uint64_t number;
    uint64_t said_ms;
    uint64_t looked_ms; /* For slow reads. */
    struct {            /* Of the origin asked last; the environment stands. */
        char origin[ENDPOINT_TEXT_MAX];
        bool is_there;
    } proxy;
    bool has_curl; /* Something flies there; known since the last look. */
};

/* ---- store_s3_os.c */

void s3_pages_drop(struct s3_store *s);
void s3_launch(struct s3_store *s, struct s3_call *c);

/* Let flight @i of @c, whose request is as that of the other one, begin. */
void s3_fly(struct s3_store *s, struct s3_call *c, int i);
void s3_answered(struct s3_store *s, struct s3_call *c, int i,
                 const struct http_event *event);
void s3_call_expire(struct s3_store *s, struct s3_call *c);
void s3_call_end(struct s3_store *s, struct s3_call *c);

/* Milliseconds until the caller does not wait any longer; 0: now. */
uint64_t s3_left_ms(const struct s3_call *c, uint64_t now);

/* ---- store_s3_poll_os.c: as store_ops.h has them. */

size_t s3_poll(void *self, int timeout_ms, struct store_event *events,
               size_t max);
void s3_wait_for(void *self, struct store_wait *out);

#endif /* STORE_STORE_S3_STATE_H */
