/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of deals share: catalogs of given sizes, plain options, and
 * a deal that was checked. */

#ifndef TESTS_UNIT_DEAL_FIXTURE_H
#define TESTS_UNIT_DEAL_FIXTURE_H

#include "coordinator/deal.h"
#include "coordinator/synth.h"
#include "tests/harness.h"

enum { HOSTS = 64 };

static inline struct catalog *catalog_of_sizes(const uint64_t *sizes,
                                               size_t count)
{
    struct catalog_builder *b = NULL;
    struct catalog *c = NULL;
    struct fault why;
    char key[32];

    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        struct catalog_object object = {.size = sizes[i]};

        snprintf(key, sizeof(key), "o%08zu", i);
        object.key = bytes_of(key);
        EXPECT(catalog_builder_add(b, &object, &why) == STATUS_OK);
    }
    EXPECT(catalog_builder_finish(&b, &c) == STATUS_OK);
    return c;
}

static inline struct catalog *catalog_of_synth(uint64_t count,
                                               enum synth_sizes sizes,
                                               uint64_t seed)
{
    struct synth_options options = {
        .count = count, .mean_bytes = 100 << 20, .seed = seed, .sizes = sizes};
    struct catalog *c = NULL;
    struct fault why;

    EXPECT(synth_make(&options, &why, &c) == STATUS_OK);
    return c;
}

static inline struct deal_options options_of(enum deal_kind kind,
                                             struct deal_host *hosts,
                                             uint32_t count, uint32_t ranks)
{
    for (uint32_t i = 0; i < count; i++) {
        hosts[i] =
            (struct deal_host){.number = i, .ranks = ranks, .weight = 100};
    }
    return (struct deal_options){
        .kind = kind, .hosts = hosts, .host_count = count};
}

static inline struct deal *deal_of(const struct catalog *c,
                                   const struct deal_options *options)
{
    struct deal *d = NULL;
    struct fault why = {""};
    enum status s = deal_new(c, options, &why, &d);

    if (s != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", status_name(s), why.text);
    }
    EXPECT(s == STATUS_OK);
    deal_check(d);
    return d;
}

#endif /* TESTS_UNIT_DEAL_FIXTURE_H */
