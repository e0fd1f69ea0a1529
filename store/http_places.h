/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of one host: which one the next connection goes to.
 *
 * New connections take turns over all addresses of the family that the
 * resolver prefers; one that failed is not used for a while, unless all have
 * failed. An address that the resolver no longer names stays for a minute:
 * large services name a few of their many addresses at a time. Pure, time
 * comes in; the owner's thread. */

#ifndef STORE_HTTP_PLACES_H
#define STORE_HTTP_PLACES_H

#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_PLACES_MAX = 64,
    HTTP_PLACE_BYTES = 28, /* A sockaddr_in6; a sockaddr_in is shorter. */
    HTTP_PLACE_BAN_MS = 30 * 1000,
    HTTP_PLACE_KEEP_MS = 60 * 1000,
};

/* A socket address with its port, as connect(2) takes it. */
struct http_place {
    int family;
    uint32_t size;
    unsigned char at[HTTP_PLACE_BYTES];
};

/* Zeroed: none known. */
struct http_places {
    struct {
        struct http_place place;
        uint64_t seen_ms;
        uint64_t banned_until_ms; /* 0: it never failed. */
    } entries[HTTP_PLACES_MAX];
    size_t count;
    size_t turn;
    int family; /* That the resolver prefers. */
};

/* Take in what the resolver answered, the best one first; @count > 0. What is
 * beyond HTTP_PLACES_MAX is left out. */
void http_places_learn(struct http_places *p, const struct http_place *answer,
                       size_t count, uint64_t now_ms);

/* The address for the next connection; p->count > 0. */
struct http_place http_places_next(struct http_places *p, uint64_t now_ms);

/* It failed. One that is not known is ignored. */
void http_places_ban(struct http_places *p, const struct http_place *place,
                     uint64_t now_ms);

/* How many did not fail lately. */
size_t http_places_good(const struct http_places *p, uint64_t now_ms);

#endif /* STORE_HTTP_PLACES_H */
