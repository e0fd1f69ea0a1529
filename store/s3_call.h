/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the S3 store: one request of the user on its way.
 *
 * store_s3_os.c       the handle: queue, time, transports
 * s3_call.c          what a call holds
 * s3_call_request.c     what is sent: method, query, headers, body (pure)
 * s3_call_read.c        outcomes of LIST, HEAD, GET (pure)
 * s3_call_write.c       outcomes of PUT, DELETE and uploads (pure)
 * s3_call_many.c        outcomes of DELETE_MANY and PARTS (pure)
 *
 * An outcome function gets the answer of one HTTP exchange and says what is
 * next; it does no I/O. */

#ifndef STORE_S3_CALL_H
#define STORE_S3_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/http.h"
#include "store/retry.h"
#include "store/s3_answer.h"
#include "store/s3_bucket.h"
#include "store/s3_xml.h"
#include "store/sign.h"
#include "store/store.h"
#include "store/store_uri.h"

enum {
    S3_TOKENS_MAX = 64,         /* Chains of list pages that are remembered. */
    S3_READ_BACK_MAX = 1 << 20, /* A conditional body that is compared. */
    S3_NONCE_SIZE = 33,
};

/* What the exchange on the wire is for. */
enum s3_phase {
    S3_MAIN,      /* The request itself. */
    S3_LOOK,      /* HEAD, before a conditional DELETE, or of an empty value. */
    S3_READ_BACK, /* GET or HEAD after a write of unknown outcome. */
};

enum s3_next {
    S3_FINISH, /* The event is filled. */
    S3_AGAIN,  /* Another exchange, at once: the phase has changed. */
    S3_RETRY,  /* The answer's retry class decides. */
};

/* One exchange. */
struct s3_flight {
    bool is_on;
    bool is_get; /* On the GET transport. */
    uint64_t since_ms;
    uint64_t window_ms; /* When its progress was last looked at: */
    uint64_t window_got;
    struct http_request http;
    struct sign_result sign;
    struct buf body; /* Made by us: XML. */
    struct buf path;
    struct crc sum; /* Of the body that is sent. */
    struct s3_view view;
    char *hedge; /* A hedge's own room for the body. */
};

/* A list page; the event's views point into it until the next poll. */
struct s3_page {
    struct s3_page *next;
    struct buf bytes;
    struct s3_list list;
    struct store_listed_part *parts; /* PARTS; NULL until the first. */
};

struct s3_call {
    struct s3_call *next;
    struct store_request r; /* Its copied texts are in @text. */
    struct buf text;
    uint64_t number;
    const char *root_uri;   /* The handle's. */
    char host[S3_TEXT_MAX]; /* A 307 named it; "" for the endpoint's. */
    uint64_t began_ms;
    uint32_t turns; /* Exchanges that led to another one. */
    enum s3_phase phase;
    bool is_fresh; /* The next exchange is on a new connection. */
    struct retry retry;
    uint64_t ticket;           /* Of rate.h. */
    uint64_t due_ms;           /* The pool wants to be asked again then. */
    struct s3_flight *flights; /* Two; [1] is a hedge. */

    bool is_unsure;      /* An earlier attempt of this write may have worked. */
    bool is_ranged;      /* GET: whole was refused as too large. */
    bool wants_unquoted; /* Try If-Match without quotes next. */
    bool is_mute;        /* 200 to this write was none of S3's. */
    bool is_upload_gone; /* END: the server does not know the upload. */
    uint32_t bad_sums;   /* Reads that did not match their checksum. */
    uint32_t single;     /* DELETE_MANY one by one: the next key, from 1. */
    uint32_t pages;      /* LIST: in a row that held no key. */
    uint32_t walked;     /* LIST: pages since @mark was set. */
    uint32_t walk;       /* LIST: after so many it is set anew. */
    struct buf mark;     /* LIST: the token of an earlier page. */

    enum crc_kind sum_kind;    /* GET: of what is made while bytes come. */
    char nonce[S3_NONCE_SIZE]; /* BEGIN: marks the object as ours. */
    size_t got;                /* GET: good bytes so far. */
    uint64_t got_sum;          /* Of those. */
    struct crc kept;           /* GET: what the first answer told. */
    char pin[STORE_ETAG_MAX];
    struct buf token;  /* LIST: continuation. */
    bool has_no_after; /* LIST: the server did not look at start-after. */
    bool has_token;    /* LIST: it goes on where another page ended. */
    struct s3_page *page;

    struct store_event event;
};

/* ---- s3_call_request.c */

/* Whether @c's exchange carries a body into @c->r.into. */
bool s3_request_is_direct(const struct s3_call *c);

/* Fill @f->http, @f->sign and @f->body from call, phase and @f->view. @wall_ms
 * is the server's time. */
void s3_request_make(const struct s3_call *c, struct signer *signer,
                     uint64_t wall_ms, struct s3_flight *f);

/* What it is, for s3_answer_read(). */
struct s3_asked s3_request_asked(const struct s3_call *c);

/* An upload's id as the caller has it: our nonce and the server's id. */
void s3_upload_id(struct bytes server_id, const char *nonce,
                  char out[STORE_UPLOAD_MAX]);
struct bytes s3_upload_server_id(const char *upload);
struct bytes s3_upload_nonce(const char *upload);

/* ---- s3_call_read.c, s3_call_write.c: @e is the exchange's end, @a its
 * meaning. They fill @c->event where they say FINISH. */

typedef enum s3_next s3_outcome_fn(struct s3_call *c, const struct s3_flight *f,
                                   const struct http_event *e,
                                   struct s3_answer *a);

s3_outcome_fn s3_read_list;
s3_outcome_fn s3_read_head;
s3_outcome_fn s3_read_get;
s3_outcome_fn s3_write_put;
s3_outcome_fn s3_write_delete;
s3_outcome_fn s3_write_begin;
s3_outcome_fn s3_write_part;
s3_outcome_fn s3_write_end;
s3_outcome_fn s3_write_abort;
s3_outcome_fn s3_write_parts;
s3_outcome_fn s3_write_delete_many;

/* The answer makes no sense: ask again a few times, then say @advice. */
enum s3_next s3_odd(struct s3_answer *a, const char *advice);

/* Etag, size, time, version and checksum of @e's headers into the event. */
void s3_read_facts(struct s3_call *c, const struct http_event *e);

/* Finish with @s and a line about the call's key. */
__attribute__((format(printf, 4, 5))) enum s3_next s3_finish(
    struct s3_call *c, const struct s3_flight *f, enum status s,
    const char *format, ...);

/* ---- s3_call_token.c: where chains of list pages go on, for a handle. */

struct s3_token {
    struct buf prefix;
    struct buf after;
    struct buf token;
};
struct s3_tokens {
    struct s3_token at[S3_TOKENS_MAX];
    uint32_t next;
};

/* Go on with the page that follows the one which ended at @c->r.after, where
 * this handle has seen it. */
void s3_tokens_use(struct s3_tokens *t, struct s3_call *c);
/* Keep where @c's page says that it goes on. */
void s3_tokens_keep(struct s3_tokens *t, const struct s3_call *c);
/* @c has failed: the token that it took is kept for another attempt. */
void s3_tokens_return(struct s3_tokens *t, const struct s3_call *c);
void s3_tokens_fini(struct s3_tokens *t);

/* ---- s3_call.c: the memory of a call. */
struct s3_call *s3_call_new(void);
/* Take over @r; what submit promises to copy is copied. */
void s3_call_take(struct s3_call *c, const struct store_request *r);

/* Make @c, which has ended, as new; its buffers keep their memory. */
void s3_call_reset(struct s3_call *c);
void s3_call_free(struct s3_call *c);
void s3_flight_reset(struct s3_flight *f);
void s3_page_free(struct s3_page *page); /* NULL is left alone. */

/* "s3://bucket/key", for messages. */
const char *s3_call_uri(const struct s3_call *c, char out[STORE_URI_SHOW_MAX]);

#endif /* STORE_S3_CALL_H */
