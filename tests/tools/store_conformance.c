/* SPDX-License-Identifier: Apache-2.0 */
/* store_conformance URI [CASE…]: the conformance suite against any store that
 * can be opened, such as an S3 server that nobody here has seen. Works below
 * URI in folders of its own and removes them. Ends with
 * "N passed, N failed". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/store_sync.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/prefixed.h"

static const char *uri;
static char prefix[STORE_KEY_MAX];

static struct store *open_inner(struct buf *base)
{
    struct store *s = NULL;
    struct fault why;

    if (store_open(uri, STORE_WRITE, &why, &s, base) != STATUS_OK) {
        fprintf(stderr, "store_conformance: %s\n", why.text);
        exit(1);
    }
    return s;
}

static void start(void)
{
    struct buf base = {0};
    struct store *s = open_inner(&base);
    unsigned long long nonce;

    hash_random(&nonce, sizeof(nonce));
    snprintf(prefix, sizeof(prefix), "%sconformance-%016llx/", buf_text(&base),
             nonce);
    buf_fini(&base);
    store_close(&s);
}

static struct store *open_one(void)
{
    struct buf base = {0};
    struct store *s = open_inner(&base);

    buf_fini(&base);
    return prefixed_open(s, prefix);
}

static enum status remove_one(void *self, const struct store_object *object,
                              struct fault *why)
{
    char *key = mem_copy_text(object->key.at, object->key.size);
    enum status s = store_sync_delete(self, key, why);

    free(key);
    return s;
}

static void finish(void)
{
    struct store *list = open_one();
    struct store *s = open_one();
    struct fault why;

    if (store_sync_list(list, "", remove_one, s, &why) != STATUS_OK) {
        fprintf(stderr, "store_conformance: left behind: %s\n", why.text);
    }
    store_close(&list);
    store_close(&s);
}

/* What S3 promises; more does no harm. */
static const struct conformance_store under_test = {start,   open_one, finish,
                                                    5 << 20, true,     true};

static const struct {
    const char *name;
    conformance_case_fn *run;
} cases[] = {
#define X(name) {#name, conformance_##name},
    CONFORMANCE_MAP(X)
#undef X
};

static int is_wanted(int argc, char **argv, const char *name)
{
    for (int i = 2; i < argc; i++) {
        if (strstr(name, argv[i]) != NULL) {
            return 1;
        }
    }
    return argc == 2;
}

int main(int argc, char **argv)
{
    unsigned passed = 0;
    unsigned failed = 0;

    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: store_conformance URI [CASE…]\n");
        return 64;
    }
    uri = argv[1];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int state = 1;
        pid_t child;

        if (!is_wanted(argc, argv, cases[i].name)) {
            continue;
        }
        fflush(NULL);
        child = fork();
        if (child == 0) {
            conformance_run(&under_test, cases[i].run);
            exit(0);
        }
        if (waitpid(child, &state, 0) == child && state == 0) {
            passed++;
        } else {
            failed++;
            printf("FAILED %s\n", cases[i].name);
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
