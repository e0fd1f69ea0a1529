/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/share_fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "cli/share.h"
#include "store/store.h"
#include "store/store_stop.h"
#include "store/store_sync.h"

enum { SHARE_FETCH_TEXT_MAX = 512 << 20 };

struct share_fetch {
    char *state_uri;
    char **keys;
    uint32_t count;
    char **text_keys;
    uint32_t text_count;
    int fd;
    atomic_bool stop;
    pthread_t thread;
    bool has_thread; /* It has not been joined. */

    /* The thread's until it is joined, then the owner's. */
    struct catalog **catalogs;
    struct buf *texts;
    enum status status;
    struct fault why;
};

static enum status share_fetch_all(struct share_fetch *f)
{
    struct store *store = NULL;
    struct buf prefix = {0};
    enum status s =
        store_open(f->state_uri, STORE_WRITE, &f->why, &store, &prefix);

    if (s == STATUS_OK) {
        store_set_stop(store, &f->stop);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < f->count; i++) {
        s = share_read(store, &(struct share_want){f->keys[i], NULL}, &f->why,
                       &f->catalogs[i]);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < f->text_count; i++) {
        s = store_sync_get(store,
                           &(struct store_sync_get){f->text_keys[i],
                                                    SHARE_FETCH_TEXT_MAX, NULL},
                           &f->why, &f->texts[i]);
    }
    store_close(&store);
    buf_fini(&prefix);
    return s;
}

static void *share_fetch_main(void *self)
{
    struct share_fetch *f = self;
    uint64_t one = 1;

    f->status = share_fetch_all(f);
    CHECK(write(f->fd, &one, sizeof(one)) == sizeof(one));
    return NULL;
}

enum status share_fetch_start(const struct share_fetch_options *options,
                              struct fault *why, struct share_fetch **out)
{
    struct share_fetch *f = mem_new(1, sizeof(*f));

    f->state_uri = mem_copy(options->state_uri);
    f->count = options->count;
    f->text_count = options->text_count;
    f->text_keys = mem_new(f->text_count + 1, sizeof(f->text_keys[0]));
    f->texts = mem_new(f->text_count + 1, sizeof(f->texts[0]));
    for (uint32_t i = 0; i < f->text_count; i++) {
        f->text_keys[i] = mem_copy(options->text_keys[i]);
    }
    f->keys = mem_new(f->count + 1, sizeof(f->keys[0]));
    f->catalogs = mem_new(f->count + 1, sizeof(struct catalog *));
    for (uint32_t i = 0; i < f->count; i++) {
        f->keys[i] = mem_copy(options->keys[i]);
    }
    f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->has_thread = f->fd >= 0 &&
                    pthread_create(&f->thread, NULL, share_fetch_main, f) == 0;
    *out = f;
    if (!f->has_thread) {
        share_fetch_destroy(out);
        return fault_set(why, STATUS_OS, "no thread to read the shares with");
    }
    return STATUS_OK;
}

int share_fetch_fd(const struct share_fetch *f)
{
    return f->fd;
}

void share_fetch_cancel(struct share_fetch *f)
{
    atomic_store(&f->stop, true);
}

static void share_fetch_wait(struct share_fetch *f)
{
    if (f->has_thread) {
        CHECK(pthread_join(f->thread, NULL) == 0);
        f->has_thread = false;
    }
}

enum status share_fetch_join(struct share_fetch *f, struct fault *why)
{
    share_fetch_wait(f);
    if (f->status == STATUS_OK && atomic_load(&f->stop)) {
        f->status = fault_set(&f->why, STATUS_STOPPED,
                              "reading the shares was stopped");
    }
    if (f->status != STATUS_OK) {
        *why = f->why;
    }
    return f->status;
}

struct catalog *share_fetch_take(struct share_fetch *f, uint32_t i)
{
    struct catalog *catalog;

    CHECK(!f->has_thread && f->status == STATUS_OK && i < f->count);
    catalog = f->catalogs[i];
    CHECK(catalog != NULL);
    f->catalogs[i] = NULL;
    return catalog;
}

struct buf *share_fetch_text(struct share_fetch *f, uint32_t i)
{
    CHECK(!f->has_thread && f->status == STATUS_OK && i < f->text_count);
    return &f->texts[i];
}

void share_fetch_destroy(struct share_fetch **f)
{
    struct share_fetch *old = *f;

    if (old == NULL) {
        return;
    }
    share_fetch_cancel(old);
    share_fetch_wait(old);
    for (uint32_t i = 0; i < old->count; i++) {
        catalog_destroy(&old->catalogs[i]);
        free(old->keys[i]);
    }
    if (old->fd >= 0) {
        close(old->fd);
    }
    for (uint32_t i = 0; i < old->text_count; i++) {
        buf_fini(&old->texts[i]);
        free(old->text_keys[i]);
    }
    free(old->texts);
    free(old->text_keys);
    free(old->catalogs);
    free(old->keys);
    free(old->state_uri);
    free(old);
    *f = NULL;
}
