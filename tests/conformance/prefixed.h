/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a store as a store of its own: every key gets a prefix on its way
 * in and loses it on its way out. So a suite that wants an empty store can
 * run many times in one bucket. */

#ifndef TESTS_CONFORMANCE_PREFIXED_H
#define TESTS_CONFORMANCE_PREFIXED_H

#include "store/store.h"

/* Wrap @inner, which the result then owns. @prefix is copied. */
struct store *prefixed_open(struct store *inner, const char *prefix);

#endif /* TESTS_CONFORMANCE_PREFIXED_H */
