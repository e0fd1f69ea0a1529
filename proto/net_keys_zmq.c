/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/net_keys.h"

#include <string.h>
#include <zmq.h>

#include "base/check.h"
#include "base/hash.h"

_Static_assert(HASH_SIZE == 32, "a digest is taken for a secret key");

void net_keys_make(struct net_keys *out)
{
    CHECK(zmq_curve_keypair(out->public_key, out->secret) == 0);
    CHECK(net_keys_is_key(bytes_of(out->public_key)));
}

static struct bytes net_keys_trim(struct bytes psk)
{
    while (psk.size > 0 &&
           (psk.at[psk.size - 1] == '\n' || psk.at[psk.size - 1] == '\r')) {
        psk.size--;
    }
    return psk;
}

enum status net_keys_from_secret(struct bytes psk, struct fault *why,
                                 struct net_keys *out)
{
    /* So that no other use of the same secret makes the same key. */
    static const char purpose[] = "smshard control network 1";
    struct hash *hash;
    uint8_t secret[HASH_SIZE];

    psk = net_keys_trim(psk);
    if (psk.size < NET_KEYS_PSK_MIN || psk.size > NET_KEYS_PSK_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "a secret of %zu bytes; it must have %d to %d, such "
                         "as `openssl rand -hex 32` prints",
                         psk.size, NET_KEYS_PSK_MIN, NET_KEYS_PSK_MAX);
    }
    hash = hash_new();
    hash_add(hash, purpose, sizeof(purpose));
    hash_add(hash, psk.at, psk.size);
    hash_finish(&hash, secret);
    CHECK(zmq_z85_encode(out->secret, secret, sizeof(secret)) != NULL);
    CHECK(zmq_curve_public(out->public_key, out->secret) == 0);
    explicit_bzero(secret, sizeof(secret));
    return STATUS_OK;
}

enum status net_keys_from_text(struct bytes secret, struct fault *why,
                               struct net_keys *out)
{
    if (!net_keys_is_key(secret)) {
        return fault_set(why, STATUS_MALFORMED, "this is no key");
    }
    memcpy(out->secret, secret.at, secret.size);
    out->secret[secret.size] = '\0';
    CHECK(zmq_curve_public(out->public_key, out->secret) == 0);
    return STATUS_OK;
}

bool net_keys_is_key(struct bytes text)
{
    char copy[NET_KEY_SIZE];
    uint8_t key[32];
    bool is_key;

    if (text.size != NET_KEY_SIZE - 1 ||
        memchr(text.at, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    is_key = zmq_z85_decode(key, copy) != NULL;
    explicit_bzero(copy, sizeof(copy));
    explicit_bzero(key, sizeof(key));
    return is_key;
}

void net_keys_fini(struct net_keys *k)
{
    explicit_bzero(k, sizeof(*k));
}
