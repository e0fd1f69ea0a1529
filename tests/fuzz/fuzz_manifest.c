/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a ManifestFile; its keys then go through the rule of paths. */

#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "proto/keypath.h"
#include "proto/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_walk {
    const struct manifest *m;
    uint64_t next;
    struct buf uri;
};

static bool fuzz_next(void *self, struct bytes *out)
{
    struct fuzz_walk *walk = self;

    if (walk->next == walk->m->count) {
        return false;
    }
    buf_clear(&walk->uri);
    manifest_uri(walk->m, walk->next++, &walk->uri);
    *out = manifest_key(buf_bytes(&walk->uri));
    return true;
}

/* Feed the check of a stream. */
static enum status fuzz_stream(const struct manifest *m, struct bytes prefix)
{
    struct keypath_check *c = keypath_check_new(prefix);
    struct fuzz_walk walk = {.m = m};
    struct bytes key;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && fuzz_next(&walk, &key)) {
        s = keypath_check_add(c, key, NULL);
    }
    if (s == STATUS_OK) {
        s = keypath_check_end(c, NULL);
    }
    keypath_check_destroy(&c);
    buf_fini(&walk.uri);
    return s;
}

static void fuzz_look(const struct manifest *m)
{
    struct bytes prefix = manifest_key(bytes_of(m->prefix));
    struct fuzz_walk first = {.m = m};
    struct fuzz_walk second = {.m = m};
    enum status exact =
        keypath_check_walk(prefix, fuzz_next, &first, &second, NULL);

    CHECK(m->count > 0);
    CHECK_IMPLIES(exact != STATUS_OK, fuzz_stream(m, prefix) != STATUS_OK);
    buf_fini(&first.uri);
    buf_fini(&second.uri);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault why = {""};
    struct manifest m;
    enum status s = manifest_parse((struct bytes){(const char *)data, size},
                                   "fuzz.json", &why, &m);

    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    if (s == STATUS_OK) {
        fuzz_look(&m);
    }
    manifest_fini(&m);
    return 0;
}
