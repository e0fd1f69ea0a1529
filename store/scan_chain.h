/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the scan: a store whose pages have no order, or another one than
 * that of bytes. Only one chain of pages, each after the one before, is sure
 * to find all; it is held whole, sorted, and told. */

#ifndef STORE_SCAN_CHAIN_H
#define STORE_SCAN_CHAIN_H

#include <stdint.h>

#include "store/scan.h"

struct scan_chain_options {
    struct store *store;
    const struct scan_options *scan;
    store_each_fn *each;
    void *self;
    uint64_t told_count;    /* Of what was told before, in order, */
    struct bytes told_last; /* and its last key. */
};

/* Tell what is left to tell. When what was told before is not the beginning
 * of all there is, the caller's restart makes it forget that (without one:
 * STORE). Else as scan_run(). */
MUST_USE enum status scan_chain_run(const struct scan_chain_options *o,
                                    struct fault *why,
                                    struct scan_result *result);

#endif /* STORE_SCAN_CHAIN_H */
