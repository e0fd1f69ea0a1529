/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated object store: a request arrives, takes effect at one moment
 * and is answered at another. Equal bytes have equal etags, as in S3. What it
 * holds outlives every crash; a request whose process has died takes effect
 * all the same.
 *
 * Two events belong to a request, of the kinds given to sim_store_new():
 * the owner of the clock hands the first to sim_store_effect(), the second to
 * sim_store_answer(), and frees the call after use. */

#ifndef CLUSTER_SIM_SIM_STORE_H
#define CLUSTER_SIM_SIM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "cluster-sim/sim_clock.h"
#include "cluster-sim/sim_fault.h"

enum { SIM_KEY_MAX = 128, SIM_ETAG_MAX = 24, SIM_LIST_MAX = 1000 };

/* The one key that STORE_STALE is about. */
#define SIM_STORE_LEASE "lease"

enum sim_store_op {
    SIM_STORE_GET,
    SIM_STORE_PUT,
    SIM_STORE_DELETE,
    SIM_STORE_LIST,
};

enum sim_store_when { SIM_ALWAYS, SIM_IF_ABSENT, SIM_IF_MATCH };

struct sim_store_request {
    enum sim_store_op op;
    uint32_t node;
    uint64_t process;  /* Whose it is; the answer comes back with both. */
    uint64_t tag;      /* The asker's. */
    const char *key;   /* Copied. LIST: the prefix. */
    const char *after; /* LIST: only greater keys; NULL: all. */
    enum sim_store_when when;
    const char *etag;  /* IF_MATCH. */
    struct bytes body; /* PUT; copied. */
};

/* A request under way, and its outcome. */
struct sim_store_call {
    enum sim_store_op op;
    enum sim_store_when when;
    uint32_t node;
    uint64_t process;
    uint64_t tag;
    char key[SIM_KEY_MAX];
    char after[SIM_KEY_MAX];
    char etag[SIM_ETAG_MAX]; /* To match; then what was read or written. */
    char *body;              /* To write; then what was read. LIST: names
                                below the prefix, each with its NUL. */
    size_t size;
    enum status status; /* OK, NOT_FOUND, EXISTS, CHANGED; TIMEOUT, STORE. */
    bool takes_effect;
    bool took_effect; /* With OK, whatever its asker is told. */
    bool is_lost;     /* Its effect stays untold. */
    uint32_t to_come; /* Events. */
};

struct sim_store;

struct sim_store_options {
    struct sim_clock *clock;
    struct prng *prng;
    const struct sim_weather *weather; /* Looked at with each request. */
    uint32_t effect_kind;
    uint32_t answer_kind;
};

struct sim_store *sim_store_new(const struct sim_store_options *options);
void sim_store_destroy(struct sim_store **s);

/* @node does not reach it until then; SIM_NODES_MAX: nobody does. */
void sim_store_go_away(struct sim_store *s, uint32_t node, uint64_t until_us);

/* It answers most requests with 503 until then: @chance in 1,000. */
void sim_store_be_busy(struct sim_store *s, uint64_t until_us, uint32_t chance);

/* All is well again. */
void sim_store_calm(struct sim_store *s);

void sim_store_ask(struct sim_store *s, const struct sim_store_request *r);

/* Let the event's request take effect. *@out tells what it was, without its
 * body. */
void sim_store_effect(struct sim_store *s, struct sim_event *e,
                      struct sim_store_call *out);

/* Return the event's call with its outcome: sim_store_done() frees it. */
struct sim_store_call *sim_store_answer(struct sim_store *s,
                                        struct sim_event *e);
void sim_store_done(struct sim_store_call *call);

/* Give up an event that was taken after the end. */
void sim_store_drop(struct sim_event *e);

/* What is there now, for who judges. NOT_FOUND. */
MUST_USE enum status sim_store_peek(const struct sim_store *s, const char *key,
                                    struct bytes *out);
size_t sim_store_count(const struct sim_store *s);
const char *sim_store_key(const struct sim_store *s, size_t index);

void sim_store_check(const struct sim_store *s);

#endif /* CLUSTER_SIM_SIM_STORE_H */
