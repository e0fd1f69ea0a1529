/* SPDX-License-Identifier: Apache-2.0 */
/* Where data lives: one interface over S3, a directory and memory.
 *
 * A store is a flat set of keys (1 to STORE_KEY_MAX bytes) with a value and an
 * etag each, listed in the order of the keys' bytes. An etag names one value
 * of one key and is never used again for other bytes (equal bytes may get it
 * again, so what is replaced under IF_MATCH should hold a nonce). A value
 * becomes visible whole or not at all; a PUT answered with OK is durable: it
 * survives kill -9 and, where the store has disks, power loss.
 *
 * Use: fill a request, store_submit() it, and take its outcome from
 * store_poll() as an event with the same tag. Nothing is called back, nothing
 * completes inside submit. Events come in any order. A handle belongs to one
 * thread; each thread that needs a store opens its own.
 *
 * Conditional writes (IF_ABSENT, IF_MATCH) are atomic against every other
 * write of that key through any handle of the same store, in any process. A
 * store that can not do that answers UNSUPPORTED to the first one. */

#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "base/fault.h"
#include "base/status.h"
enum {
    STORE_KEY_MAX = 1024,
    STORE_ETAG_MAX = 128,     /* With its NUL. */
    STORE_UPLOAD_MAX = 1024,  /* An upload's id, with its NUL. */
    STORE_VERSION_MAX = 128,  /* A version's id, with its NUL. */
    STORE_LIST_MAX = 1000,    /* Keys in one page. */
    STORE_DELETE_MAX = 1000,  /* Keys of one DELETE_MANY. */
    STORE_PARTS_MAX = 10000,  /* Of one multipart upload. */
    STORE_INFLIGHT_MAX = 256, /* Requests of one handle. */
    STORE_EVENTS_MAX = 64,    /* One poll returns no more. */
};

enum store_op {
    STORE_LIST,
    STORE_HEAD,
    STORE_GET,
    STORE_PUT,
    STORE_DELETE,
    STORE_UPLOAD_BEGIN, /* A multipart PUT: begin, parts, end or abort. */
    STORE_UPLOAD_PART,
    STORE_UPLOAD_END,
    STORE_UPLOAD_ABORT,
    STORE_UPLOAD_PARTS, /* Which parts of an upload are there. */
    STORE_DELETE_MANY,
};

enum store_when {
    STORE_ALWAYS,
    STORE_IF_ABSENT, /* Only when the key has no value. Else EXISTS. */
    STORE_IF_MATCH,  /* Only when its etag is the given one. Else CHANGED;
                        NOT_FOUND when the key has no value. */
};

/* One part of a finished multipart upload. */
struct store_part {
    char etag[STORE_ETAG_MAX];
    uint64_t size;
    struct crc sum; /* As the PART's event told; of kind NONE if unknown. */
};

/* Text and buffers that a request points to must stay until its event, but
 * for @key, @after, @etag and @upload, which submit copies. */
struct store_request {
    enum store_op op;
    uint64_t tag;       /* Yours; comes back in the event. */
    uint32_t limit_ms;  /* For how long to try; 0: the store's own limit. */
    struct bytes key;   /* LIST: the prefix that keys must start with. */
    struct bytes after; /* LIST: only keys greater than this one. */
    uint32_t list_max;  /* LIST: 1 to STORE_LIST_MAX; 0 for that. */

    uint64_t offset;  /* GET: the first byte wanted. */
    size_t size;      /* GET: how many; PUT, PART: size of @body. */
    void *into;       /* GET: room for @size bytes. */
    const void *body; /* PUT, PART. NULL when @size is 0. */

    enum store_when when; /* PUT, DELETE (IF_MATCH only), UPLOAD_END. */
    const char *etag;     /* IF_MATCH; GET: pin to this value, NULL for any. */
    const char *version;  /* GET: of this version; NULL for the newest. */
    bool is_whole;        /* GET: @size is all there is, from 0: the store
                             checks its own checksum, if it keeps one. */
    enum crc_kind sum;    /* GET: make the checksum of what is read. */

    const char *upload;             /* PART, END, ABORT. */
    uint32_t part;                  /* PART: from 1. PARTS: after this one. */
    uint32_t part_count;            /* END. */
    const struct store_part *parts; /* END: in order, from part 1. */
    const struct bytes *keys; /* DELETE_MANY; absent ones are no failure. */
    uint32_t key_count;       /* 1 to STORE_DELETE_MAX. */
};

/* One part as PARTS lists it. */
struct store_listed_part {
    uint32_t number;
    struct store_part part;
};

/* One object as listed. The views live until the next store_poll(). */
struct store_object {
    struct bytes key;
    uint64_t size;
    struct bytes etag;
    uint64_t modified_ms; /* Since 1970; 0 when the store does not say. */
};

/* The outcome of one request. OK; NOT_FOUND; DENIED; EXISTS, CHANGED
 * (conditions; a GET whose pinned etag is gone); INVALID (the key can not be in
 * this store; a range past the end); CONFLICT (a directory store: object and
 * folder of one name); NO_SPACE; UNSUPPORTED; STOPPED (store_stop.h); STORE
 * (anything else, worth a retry or not: the text says). */
struct store_event {
    uint64_t tag;
    enum store_op op;
    enum status status;
    struct fault why; /* Set unless OK; names store, key and reason. */

    char etag[STORE_ETAG_MAX]; /* HEAD, GET, PUT, PART, END. */
    uint64_t size;             /* HEAD, GET: of the whole value. */
    size_t got;     /* GET: bytes written to @into; less than asked for
                       only at the value's end. */
    struct crc sum; /* HEAD, GET: of the whole value, where the store keeps one.
                       PART: of the part. */
    uint64_t got_sum; /* GET: of the @got bytes, of the kind asked for. */
    char version[STORE_VERSION_MAX]; /* HEAD, GET; "" without versions. */
    uint64_t modified_ms;            /* HEAD, GET. */
    uint64_t store_ms; /* The store's clock at this answer; 0 if unknown. */
    char upload[STORE_UPLOAD_MAX]; /* UPLOAD_BEGIN. */

    const struct store_object *objects; /* LIST: until the next poll. */
    uint32_t object_count;
    const struct store_listed_part *parts; /* PARTS: until the next poll, by
                                              number. */
    uint32_t part_count;
    uint32_t failed;   /* DELETE_MANY: keys that are left; @why: the first. */
    bool has_more;     /* LIST, PARTS: ask again, after the last of these. */
    bool is_unordered; /* LIST: in no order; only a chain of pages, each after
                          the last key of the one before, finds all. */
    bool is_throttled; /* Some attempt was told to slow down. */
    bool is_final;     /* The store has tried as often as it may help. */
    bool is_hedged;    /* GET: it was asked for twice (hedge.h), */
    bool is_hedge_won; /* and the second answer was the first. */
};

struct store;
/* How a location is meant. */
enum store_use {
    STORE_READ,  /* A source: the URI's last part is a literal prefix. */
    STORE_WRITE, /* A folder to write below; made where it is missing. */
};

/* Open the store that @uri names (file:///path, mem://name, a plain absolute
 * path, s3://bucket/prefix) into *@out, and write to @prefix what
 * every key of this location starts with:
 *   file:///data/train  READ   root file:///data/, prefix "train"
 *   file:///data/train/ READ   root file:///data/train/, prefix ""
 *   file:///out/a       WRITE  root file:///out/a/, prefix ""
 *   s3://b/data/train   READ   root s3://b/, prefix "data/train"
 *   s3://b/out/a        WRITE  root s3://b/, prefix "out/a/"
 * INVALID: not a URI that we know. NOT_FOUND, DENIED, IO: the place can not
 * be used. UNSUPPORTED: a scheme that this version does not serve. */
MUST_USE enum status store_open(const char *uri, enum store_use use,
                                struct fault *why, struct store **out,
                                struct buf *prefix);

/* Close the handle and free it. Requests in flight are given up; what was
 * asked for may or may not have happened. NULL is left alone. */
void store_close(struct store **s);

/* "file:///data/": a key's full URI is this and the key. */
const char *store_root_uri(const struct store *s);

/* Submit @request. FULL: STORE_INFLIGHT_MAX are under way; poll first.
 * A request that is wrong in itself (key too long, zero parts) is a CHECK
 * only where no data could cause it; a bad key gives an INVALID event. */
MUST_USE enum status store_submit(struct store *s,
                                  const struct store_request *request);

/* Wait at most @timeout_ms for a first event; 0 never waits, -1 for ever.
 * Returns how many of @events (@max, at most STORE_EVENTS_MAX) were filled; 0
 * at once with nothing in flight. */
size_t store_poll(struct store *s, int timeout_ms, struct store_event *events,
                  size_t max);

uint32_t store_inflight(const struct store *s);

/* Give every later request without a limit of its own this one: for loops
 * that must not wait for a store as long as it may take. 0 ends it. */
void store_set_limit(struct store *s, uint32_t limit_ms);

#endif /* STORE_STORE_H */
