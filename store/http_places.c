/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_places.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

/* Where @place is; p->count when it is not. O(n); n <= HTTP_PLACES_MAX. */
static size_t places_find(const struct http_places *p,
                          const struct http_place *place)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct http_place *have = &p->entries[i].place;

        if (have->size == place->size &&
            memcmp(have->at, place->at, place->size) == 0) {
            return i;
        }
    }
    return p->count;
}

static void places_forget_old(struct http_places *p, uint64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        if (now_ms - p->entries[i].seen_ms < HTTP_PLACE_KEEP_MS) {
            p->entries[kept] = p->entries[i];
            kept++;
        }
    }
    p->count = kept;
}

void http_places_learn(struct http_places *p, const struct http_place *answer,
                       size_t count, uint64_t now_ms)
{
    CHECK(count > 0);
    places_forget_old(p, now_ms);
    p->family = answer[0].family;
    for (size_t i = 0; i < count; i++) {
        size_t at = places_find(p, &answer[i]);

        CHECK(answer[i].size <= HTTP_PLACE_BYTES);
        if (at == HTTP_PLACES_MAX) {
            break;
        }
        if (at == p->count) {
            p->entries[at].place = answer[i];
            p->entries[at].banned_until_ms = 0;
            p->count++;
        }
        p->entries[at].seen_ms = now_ms;
    }
}

/* Lower is better: of the preferred family, of another one, failed; of those
 * that failed, the one whose time is up first. */
static uint64_t places_rank(const struct http_places *p, size_t i,
                            uint64_t now_ms)
{
    if (p->entries[i].banned_until_ms > now_ms) {
        return p->entries[i].banned_until_ms - now_ms + 1;
    }
    return p->entries[i].place.family == p->family ? 0 : 1;
}

struct http_place http_places_next(struct http_places *p, uint64_t now_ms)
{
    size_t best = 0;
    uint64_t best_rank = UINT64_MAX;

    CHECK(p->count > 0);
    for (size_t i = 0; i < p->count; i++) {
        size_t at = (p->turn + i) % p->count;
        uint64_t rank = places_rank(p, at, now_ms);

        if (rank < best_rank) {
            best = at;
            best_rank = rank;
        }
    }
    p->turn = best + 1;
    return p->entries[best].place;
}

void http_places_ban(struct http_places *p, const struct http_place *place,
                     uint64_t now_ms)
{
    size_t at = places_find(p, place);

    if (at < p->count) {
        p->entries[at].banned_until_ms = now_ms + HTTP_PLACE_BAN_MS;
    }
}

size_t http_places_good(const struct http_places *p, uint64_t now_ms)
{
    size_t good = 0;

    for (size_t i = 0; i < p->count; i++) {
        good += p->entries[i].banned_until_ms <= now_ms;
    }
    return good;
}
