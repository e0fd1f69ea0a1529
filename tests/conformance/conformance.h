/* SPDX-License-Identifier: Apache-2.0 */
/* What every store must do, as one table of cases over a factory: a new store
 * joins by adding a factory to tests/unit/test_store.c. A case ends its
 * process with 1 where the store breaks the promise of store/store.h. */

#ifndef TESTS_CONFORMANCE_CONFORMANCE_H
#define TESTS_CONFORMANCE_CONFORMANCE_H

#include "store/store.h"

/* A store under test. */
struct conformance_store {
    void (*start)(void);         /* Make a store with nothing in it. */
    struct store *(*open)(void); /* One more handle to it. Any thread. */
    void (*finish)(void);        /* Remove it; all handles are closed. */
    size_t part_bytes; /* The least that a part but the last one has; 0: 1. */
    bool is_utf8;      /* Keys are text, not bytes. */
    bool has_equal_etags; /* Equal values have equal etags. */
};

#define CONFORMANCE_MAP(X)                                                     \
    X(list_is_in_the_order_of_bytes)                                           \
    X(list_pages_of_any_size_tell_all)                                         \
    X(list_goes_on_after_a_write)                                              \
    X(list_prefixes_are_literal)                                               \
    X(values_come_back)                                                        \
    X(values_of_twenty_megabytes)                                              \
    X(etags_name_one_value)                                                    \
    X(get_ranges)                                                              \
    X(get_pinned)                                                              \
    X(if_absent)                                                               \
    X(if_match)                                                                \
    X(delete_with_condition)                                                   \
    X(absent_keys)                                                             \
    X(if_absent_has_one_winner)                                                \
    X(if_match_loses_no_update)                                                \
    X(readers_among_writers)                                                   \
    X(upload)                                                                  \
    X(upload_conditions)                                                       \
    X(upload_parts_are_listed)                                                 \
    X(delete_many)                                                             \
    X(upload_wrong_or_aborted)                                                 \
    X(inflight_tags_and_limit)                                                 \
    X(poll_with_nothing_to_do)

typedef void conformance_case_fn(const struct conformance_store *impl,
                                 struct store *s);

#define X(name) conformance_case_fn conformance_##name;
CONFORMANCE_MAP(X)
#undef X

/* Run @run on a new store. */
void conformance_run(const struct conformance_store *impl,
                     conformance_case_fn *run);

#endif /* TESTS_CONFORMANCE_CONFORMANCE_H */
