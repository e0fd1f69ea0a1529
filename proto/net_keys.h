/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs of the control network (CURVE: Curve25519), as the text that
 * ZeroMQ calls Z85: 40 printable characters, no quote, no backslash.
 *
 * A pair is made at the start of a process and dies with it, or is derived
 * from a secret that all hosts of a job were given. The caller owns it and
 * ends it with net_keys_fini(); a secret is never logged. Any thread. */

#ifndef PROTO_NET_KEYS_H
#define PROTO_NET_KEYS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    NET_KEY_SIZE = 41,     /* With its NUL. */
    NET_KEYS_PSK_MIN = 32, /* Bytes of a pre-shared secret. */
    NET_KEYS_PSK_MAX = 4096,
};

struct net_keys {
    char public_key[NET_KEY_SIZE];
    char secret[NET_KEY_SIZE];
};

/* Make a pair that nobody can guess. */
void net_keys_make(struct net_keys *out);

/* Derive the pair of a pre-shared secret: the same on every host. Line ends
 * at its end do not count, because copying adds and loses them.
 * INVALID: shorter than NET_KEYS_PSK_MIN, or longer than NET_KEYS_PSK_MAX. */
MUST_USE enum status net_keys_from_secret(struct bytes psk, struct fault *why,
                                          struct net_keys *out);

/* Make the pair again whose secret is the text @secret.
 * MALFORMED: it is no key. */
MUST_USE enum status net_keys_from_text(struct bytes secret, struct fault *why,
                                        struct net_keys *out);

/* Return whether @text could be a key: its length and its characters. */
bool net_keys_is_key(struct bytes text);

/* Forget the pair: it is overwritten. */
void net_keys_fini(struct net_keys *k);

#endif /* PROTO_NET_KEYS_H */
