/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of the S3 test server, sorted by the bytes of their keys: a
 * skip list. Each key has versions, newest first. Under the server's lock,
 * but for the counts of blobs. */

#ifndef TESTS_S3SERVER_S3SERVER_KEYS_H
#define TESTS_S3SERVER_S3SERVER_KEYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tests/s3server/s3server_sum.h"

enum { SRV_LEVELS = 20 };

struct srv_blob {
    atomic_uint refs;
    size_t size;
    char *at;
};

struct srv_version {
    struct srv_version *older;
    struct srv_blob *blob;
    char *meta; /* Header lines. */
    char etag[48];
    char id[40]; /* "null" when versions are off. */
    uint64_t modified_ms;
    bool is_marker;
    struct srv_sums sums;
    uint32_t part_count; /* Of a multipart upload. */
    uint64_t *part_ends; /* Owned. */
};

struct srv_entry {
    char *key;
    struct srv_version *newest;
    int levels;
    struct srv_entry *next[SRV_LEVELS]; /* Only @levels are allocated. */
};

struct srv_keys {
    struct srv_entry *head[SRV_LEVELS];
    uint64_t seed;
};

struct srv_blob *srv_blob_new(struct buf *taken); /* It is empty after. */
struct srv_blob *srv_blob_hold(struct srv_blob *b);
void srv_blob_drop(struct srv_blob *b);

/* The first entry at or after @key. */
struct srv_entry *srv_keys_seek(const struct srv_keys *k, const char *key);
struct srv_entry *srv_keys_find(const struct srv_keys *k, const char *key);
/* The object that @key has now; NULL: none, or a delete marker. */
struct srv_version *srv_keys_now(const struct srv_keys *k, const char *key);
/* Put @v on top; all others go unless @keeps. */
void srv_keys_add(struct srv_keys *k, const char *key, struct srv_version *v,
                  bool keeps);
void srv_keys_remove(struct srv_keys *k, const char *key);
/* Remove one version; false: there is none of that id. */
bool srv_keys_remove_version(struct srv_keys *k, const char *key,
                             const char *id);
void srv_keys_fini(struct srv_keys *k);

#endif /* TESTS_S3SERVER_S3SERVER_KEYS_H */
