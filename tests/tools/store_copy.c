/* SPDX-License-Identifier: Apache-2.0 */
/* store_copy put FOLDER URI | get URI FOLDER | list URI | remove URI
 *
 * Moves a folder's files into any store and back, for the demo and the
 * cluster: what a user would do with their store's own tools. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/scan.h"
#include "store/store_sync.h"

enum { COPY_FILE_MAX = 1 << 30 };

static struct {
    struct store *store;
    struct buf prefix;
    const char *folder;
    struct fault why;
    unsigned long files;
} copy;

static int fail(void)
{
    fprintf(stderr, "store_copy: %s\n", copy.why.text);
    return 1;
}

static int put_file(const char *path, const struct stat *st, int type,
                    struct FTW *at)
{
    struct buf body = {0};
    char *key;
    enum status s;

    (void)st;
    (void)at;
    if (type != FTW_F) {
        return 0;
    }
    key = mem_print("%s%s", buf_text(&copy.prefix),
                    path + strlen(copy.folder) + 1);
    s = file_read(path, COPY_FILE_MAX, &copy.why, &body);
    if (s == STATUS_OK) {
        s = store_sync_put(
            copy.store,
            &(struct store_sync_put){key, buf_bytes(&body), STORE_ALWAYS, NULL},
            &copy.why);
    }
    copy.files++;
    buf_fini(&body);
    free(key);
    return s == STATUS_OK ? 0 : 1;
}

static enum status get_object(void *self, const struct store_object *object,
                              struct fault *why)
{
    struct buf body = {0};
    char *key = mem_copy_text(object->key.at, object->key.size);
    char *path = mem_print("%s/%s", copy.folder, key + copy.prefix.size);
    struct store *reader = self;
    enum status s = store_sync_get(
        reader, &(struct store_sync_get){key, COPY_FILE_MAX, NULL}, why, &body);

    if (s == STATUS_OK) {
        s = file_write(path, buf_bytes(&body), false, why);
    }
    copy.files++;
    buf_fini(&body);
    free(path);
    free(key);
    return s;
}

static enum status list_object(void *self, const struct store_object *object,
                               struct fault *why)
{
    (void)self;
    (void)why;
    copy.files++;
    printf("%10llu %.*s\n", (unsigned long long)object->size,
           (int)object->key.size, object->key.at);
    return STATUS_OK;
}

static enum status remove_object(void *self, const struct store_object *object,
                                 struct fault *why)
{
    char *key = mem_copy_text(object->key.at, object->key.size);
    enum status s = store_sync_delete(self, key, why);

    copy.files++;
    free(key);
    return s;
}

static int each(const char *uri, store_each_fn *what)
{
    struct buf again = {0};
    struct store *other = NULL;
    enum status s = store_open(uri, STORE_WRITE, &copy.why, &other, &again);

    if (s == STATUS_OK) {
        s = store_sync_list(copy.store, buf_text(&copy.prefix), what, other,
                            &copy.why);
    }
    store_close(&other);
    buf_fini(&again);
    return s == STATUS_OK ? 0 : fail();
}

int main(int argc, char **argv)
{
    bool is_put = argc == 4 && strcmp(argv[1], "put") == 0;
    const char *uri = argc > 2 ? argv[is_put ? 3 : 2] : "";
    int code = 0;

    if (argc < 3 || (argc == 3 && strcmp(argv[1], "list") != 0 &&
                     strcmp(argv[1], "remove") != 0)) {
        fprintf(stderr, "usage: store_copy put FOLDER URI | get URI FOLDER | "
                        "list URI | remove URI\n");
        return 64;
    }
    if (store_open(uri, STORE_WRITE, &copy.why, &copy.store, &copy.prefix) !=
        STATUS_OK) {
        return fail();
    }
    if (is_put) {
        copy.folder = argv[2];
        code = nftw(argv[2], put_file, 16, FTW_PHYS) == 0 ? 0 : fail();
    } else if (strcmp(argv[1], "get") == 0) {
        copy.folder = argv[3];
        code = each(uri, get_object);
    } else {
        code = each(uri,
                    strcmp(argv[1], "list") == 0 ? list_object : remove_object);
    }
    fprintf(stderr, "store_copy: %lu objects\n", copy.files);
    store_close(&copy.store);
    buf_fini(&copy.prefix);
    return code;
}
