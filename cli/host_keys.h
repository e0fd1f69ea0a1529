/* SPDX-License-Identifier: Apache-2.0 */
/* How hosts of a job come to know each other's keys: each writes its public
 * key into its host file below the job's state, `<state>/hosts/<host>`, and
 * who coordinates admits the keys that stand there. So whoever may write the
 * state is in. Where hosts can't all do that, a secret file that all have
 * makes one pair for all of them. See docs/security.md.
 *
 * A guest, `smshard status`, comes with a pair that the coordinator makes and
 * leaves at `<state>/guest`, and may only ask. */

#ifndef CLI_HOST_KEYS_H
#define CLI_HOST_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/net.h"
#include "proto/net_keys.h"
#include "proto/wire.h"
#include "store/store.h"

/* ---- This host's pair --------------------------------------------------- */

/* Make this host's pair, or derive it from the file @secret_file unless that
 * is "". The caller ends it with net_keys_fini().
 * NOT_FOUND, DENIED (others than owner and group may read it, or others than
 * its owner write it), INVALID (too short, or no plain file), IO. */
MUST_USE enum status host_keys_own(const char *secret_file, struct fault *why,
                                   struct net_keys *out);

/* Append the member of a host file's object: `, "key": "…"`. */
void host_keys_write_field(const struct net_keys *keys, struct buf *out);

/* Read the key in a host file's text. false: there is none. */
bool host_keys_read_field(struct bytes text, char key[NET_KEY_SIZE]);

/* ---- The others' keys --------------------------------------------------- */

/* What net_sender_tag() says: a host's number, or one of these. */
#define HOST_KEYS_ANY UINT32_MAX         /* Some host with the secret file. */
#define HOST_KEYS_GUEST (UINT32_MAX - 1) /* Somebody who may only ask. */

/* Return whether who has @tag may say @m: a guest only asks, and a host says
 * HELLO under its own name. @hosts are the job's hosts by number. */
bool host_keys_may_say(uint32_t tag, const struct wire_message *m,
                       const char *const *hosts);

/* The keys in the host files, kept from one reading to the next: a file is
 * only read again when its etag has changed. */
struct host_keys;

struct host_keys_options {
    struct store *store;      /* Nothing else in flight while it is read. */
    const char *prefix;       /* Of the job's state in @store. */
    const char *const *hosts; /* Only these count; by number. */
    uint32_t host_count;
};

/* The options' texts must outlive it. */
struct host_keys *host_keys_new(const struct host_keys_options *options);
void host_keys_destroy(struct host_keys **k);

/* Read what is new, several files at once. After a failure of the store the
 * keys stay as they were, but for those that were read. */
MUST_USE enum status host_keys_refresh(struct host_keys *k, struct fault *why);

/* The keys as of the last reading, tagged with the hosts' numbers; until the
 * next one. */
const struct net_admitted *host_keys_set(const struct host_keys *k,
                                         size_t *count);

/* ---- Guests ------------------------------------------------------------- */

/* Leave @keys at `<state>/guest` for guests, take them from there, or delete
 * them, in @limit_ms at most. Read: NOT_FOUND, MALFORMED. */
MUST_USE enum status host_keys_write_guest(struct store *store,
                                           const char *prefix,
                                           const struct net_keys *keys,
                                           struct fault *why);
MUST_USE enum status host_keys_read_guest(struct store *store,
                                          const char *prefix, struct fault *why,
                                          struct net_keys *out);

MUST_USE enum status host_keys_delete_guest(struct store *store,
                                            const char *prefix,
                                            uint32_t limit_ms,
                                            struct fault *why);

/* ---- The thread that admits --------------------------------------------- */

/* Keeps a server's list of keys as the host files say: reads them at its start
 * and, at most every @every_ms, when an unknown key came. It makes the guests'
 * pair, too. With a shared pair no file is read. */
struct host_keys_watch;

struct host_keys_watch_options {
    const char *state_uri; /* The texts must outlive the watch. */
    const char *const *hosts;
    uint32_t host_count;
    uint32_t every_ms;
    uint32_t number; /* Of the host with @own, */
    const char *own; /* whose key is admitted before the start returns. */
    struct net *net; /* A server with keys; outlives it, too. */
    const struct net_keys *shared; /* The pair of the secret file, or NULL. */
};

/* Start it. OS: there is no thread. */
MUST_USE enum status host_keys_watch_start(
    const struct host_keys_watch_options *options, struct fault *why,
    struct host_keys_watch **out);

/* Stop it, wait for its end and free it; before its net is closed. NULL is
 * left alone. */
void host_keys_watch_stop(struct host_keys_watch **w);

#endif /* CLI_HOST_KEYS_H */
