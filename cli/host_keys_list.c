/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/host_keys.h"
#include "store/store_sync.h"

enum {
    HOST_KEYS_FILE_MAX = 4096, /* A larger host file has no key. */
    HOST_KEYS_LANES = 64,      /* Files read at once. */
};

/* What is known of one host's file. */
struct host_keys_entry {
    char *etag;             /* Of what @key was read from; NULL: nothing was. */
    char key[NET_KEY_SIZE]; /* "" for none. */
    bool is_listed;
    bool is_wanted; /* It has to be read. */
};

struct host_keys {
    struct host_keys_options options;
    uint32_t *by_name;               /* Numbers, sorted by name. */
    struct host_keys_entry *entries; /* By number. */
    struct net_admitted *set;
    size_t count;
    char *folder; /* Key prefix of the host files. */

    /* While files are read. */
    char (*lanes)[HOST_KEYS_FILE_MAX];
    uint32_t lane_hosts[HOST_KEYS_LANES];
    uint32_t free_lanes[HOST_KEYS_LANES];
    uint32_t free_count;
    enum status status;
};

static int host_keys_compare(const void *a, const void *b, void *self)
{
    const struct host_keys *k = self;
    const uint32_t *x = a;
    const uint32_t *y = b;

    return strcmp(k->options.hosts[*x], k->options.hosts[*y]);
}

struct host_keys *host_keys_new(const struct host_keys_options *options)
{
    struct host_keys *k = mem_new(1, sizeof(*k));

    CHECK(options->host_count > 0 && options->host_count < NET_ADMITTED_MAX);
    k->options = *options;
    k->by_name = mem_new(options->host_count, sizeof(*k->by_name));
    k->entries = mem_new(options->host_count, sizeof(*k->entries));
    k->set = mem_new(options->host_count, sizeof(*k->set));
    k->lanes = mem_new(HOST_KEYS_LANES, sizeof(*k->lanes));
    k->folder = mem_print("%shosts/", options->prefix);
    for (uint32_t i = 0; i < options->host_count; i++) {
        k->by_name[i] = i;
    }
    qsort_r(k->by_name, options->host_count, sizeof(*k->by_name),
            host_keys_compare, k);
    return k;
}

void host_keys_destroy(struct host_keys **k)
{
    if (*k == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*k)->options.host_count; i++) {
        free((*k)->entries[i].etag);
    }
    free((*k)->by_name);
    free((*k)->entries);
    free((*k)->set);
    free((*k)->lanes);
    free((*k)->folder);
    free(*k);
    *k = NULL;
}

/* Return the entry of the host @name, or NULL. */
static struct host_keys_entry *host_keys_find(struct host_keys *k,
                                              struct bytes name)
{
    uint32_t low = 0;
    uint32_t high = k->options.host_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t number = k->by_name[middle];
        int order = bytes_compare(name, bytes_of(k->options.hosts[number]));

        if (order == 0) {
            return &k->entries[number];
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return NULL;
}

static enum status host_keys_list_one(void *self,
                                      const struct store_object *object,
                                      struct fault *why)
{
    struct host_keys *k = self;
    size_t skip = strlen(k->folder);
    struct host_keys_entry *e;

    (void)why;
    if (object->key.size < skip) {
        return STATUS_OK;
    }
    e = host_keys_find(
        k, (struct bytes){object->key.at + skip, object->key.size - skip});
    if (e != NULL) {
        e->is_listed = true;
        e->is_wanted = e->etag == NULL || !bytes_is(object->etag, e->etag);
    }
    return STATUS_OK;
}

/* ---- Reading ------------------------------------------------------------ */

static void host_keys_ask(struct host_keys *k, uint32_t number)
{
    uint32_t lane = k->free_lanes[--k->free_count];
    char *key = mem_print("%s%s", k->folder, k->options.hosts[number]);

    k->lane_hosts[lane] = number;
    CHECK(store_submit(k->options.store, &(struct store_request){
                                             .op = STORE_GET,
                                             .tag = lane,
                                             .key = bytes_of(key),
                                             .size = HOST_KEYS_FILE_MAX,
                                             .into = k->lanes[lane],
                                         }) == STATUS_OK);
    free(key);
}

static void host_keys_take(struct host_keys *k, const struct store_event *event,
                           struct fault *why)
{
    uint32_t lane = (uint32_t)event->tag;
    struct host_keys_entry *e = &k->entries[k->lane_hosts[lane]];
    struct bytes text = {k->lanes[lane], event->got};

    k->free_lanes[k->free_count++] = lane;
    if (event->status != STATUS_OK && event->status != STATUS_NOT_FOUND) {
        if (k->status == STATUS_OK) {
            k->status = fault_set(why, event->status, "%s", event->why.text);
        }
        return;
    }
    free(e->etag);
    e->etag = NULL;
    e->is_wanted = false;
    e->is_listed = event->status == STATUS_OK;
    if (!e->is_listed || event->size > HOST_KEYS_FILE_MAX ||
        !host_keys_read_field(text, e->key)) {
        e->key[0] = '\0';
    }
    if (e->is_listed) {
        e->etag = mem_copy(event->etag);
    }
}

/* Read every file that is wanted, many at once. */
static enum status host_keys_read(struct host_keys *k, struct fault *why)
{
    struct store_event events[STORE_EVENTS_MAX];
    uint32_t next = 0;

    k->status = STATUS_OK;
    k->free_count = HOST_KEYS_LANES;
    for (uint32_t i = 0; i < HOST_KEYS_LANES; i++) {
        k->free_lanes[i] = i;
    }
    while (next < k->options.host_count || store_inflight(k->options.store)) {
        size_t count;

        while (next < k->options.host_count && k->free_count > 0) {
            if (k->entries[next].is_wanted) {
                host_keys_ask(k, next);
            }
            next++;
        }
        count = store_poll(k->options.store, -1, events, STORE_EVENTS_MAX);
        for (size_t i = 0; i < count; i++) {
            host_keys_take(k, &events[i], why);
        }
    }
    return k->status;
}

static void host_keys_gather(struct host_keys *k)
{
    k->count = 0;
    for (uint32_t i = 0; i < k->options.host_count; i++) {
        const struct host_keys_entry *e = &k->entries[i];

        if (e->key[0] != '\0') {
            k->set[k->count].tag = i;
            memcpy(k->set[k->count++].key, e->key, sizeof(e->key));
        }
    }
}

enum status host_keys_refresh(struct host_keys *k, struct fault *why)
{
    enum status s;

    for (uint32_t i = 0; i < k->options.host_count; i++) {
        k->entries[i].is_listed = false;
        k->entries[i].is_wanted = false;
    }
    s = store_sync_list(k->options.store, k->folder, host_keys_list_one, k,
                        why);
    if (s != STATUS_OK) {
        return s;
    }
    for (uint32_t i = 0; i < k->options.host_count; i++) {
        if (!k->entries[i].is_listed) {
            k->entries[i].key[0] = '\0';
        }
    }
    s = host_keys_read(k, why);
    host_keys_gather(k);
    return s;
}

const struct net_admitted *host_keys_set(const struct host_keys *k,
                                         size_t *count)
{
    *count = k->count;
    return k->set;
}
