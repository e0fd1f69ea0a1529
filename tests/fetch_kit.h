/* SPDX-License-Identifier: Apache-2.0 */
/* Objects whose every byte follows from key and place, and a fetch of them. */

#ifndef TESTS_FETCH_KIT_H
#define TESTS_FETCH_KIT_H

#include <poll.h>

#include "base/mem.h"
#include "base/prng.h"
#include "store/store_mem.h"
#include "store/store_sync.h"
#include "tests/harness.h"
#include "worker/fetch.h"

static inline uint8_t kit_byte(uint64_t object, uint64_t at)
{
    return (uint8_t)(prng_mix(object * 1000003 + (at >> 3)) >> (8 * (at & 7)));
}

static inline void kit_fill(uint8_t *to, uint64_t object, uint64_t from,
                            size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = kit_byte(object, from + i);
    }
}

/* Whether @size bytes at @at are those of @object from @from on. */
static inline bool kit_is_right(const uint8_t *at, uint64_t object,
                                uint64_t from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (at[i] != kit_byte(object, from + i)) {
            return false;
        }
    }
    return true;
}

/* Objects "o/0", "o/1", … of the given sizes, in the store at @uri. */
static inline void kit_put_objects(const char *uri, const size_t *sizes,
                                   uint32_t count)
{
    struct buf prefix = {0};
    struct store *s;
    struct fault why;

    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &s, &prefix), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *body = mem_new(sizes[i] + 1, 1);
        char key[32];

        snprintf(key, sizeof(key), "o/%u", i);
        kit_fill(body, i, 0, sizes[i]);
        EXPECT_EQ(
            store_sync_put(s,
                           &(struct store_sync_put){
                               .key = key, .body = {(char *)body, sizes[i]}},
                           &why),
            STATUS_OK);
        free(body);
    }
    store_close(&s);
    buf_fini(&prefix);
}

static inline struct fetch *kit_fetch_of(const char *uri, uint32_t lanes,
                                         uint32_t requests)
{
    static struct fetch_source source;
    struct fetch_options o = {.sources = &source,
                              .source_count = 1,
                              .lane_count = lanes,
                              .requests = requests};
    struct fetch *f;
    struct fault why;

    source = (struct fetch_source){"train", uri};
    if (fetch_start(&o, &why, &f) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return f;
}

#endif /* TESTS_FETCH_KIT_H */
