/* SPDX-License-Identifier: Apache-2.0 */
/* A store in this process's memory: for tests, and for a job of one host that
 * has nowhere to write.
 *
 * mem://NAME is one store for all handles of the process, from the first open
 * until the process ends. Keys are any bytes but NUL; there are no folders,
 * as in S3. All functions may be called on any thread. */

#ifndef STORE_STORE_MEM_H
#define STORE_STORE_MEM_H

#include "store/store.h"

/* Open the store @name, empty when it is new. */
struct store *store_mem_open(const char *name);

/* Return how many requests the store @name has served, over all handles. */
uint64_t store_mem_requests(const char *name);

/* A request that is to fail. */
struct store_mem_failure {
    uint64_t in;        /* 1 is the next request; counted over all handles. */
    uint64_t count;     /* So many in a row from there. */
    enum status status; /* What they answer. */
    bool is_done;       /* It takes effect and only its answer is lost. */
};

/* Let requests of the store @name fail; replaces what was asked for before.
 * A zeroed @failure ends it. */
void store_mem_fail(const char *name, struct store_mem_failure failure);

#endif /* STORE_STORE_MEM_H */
