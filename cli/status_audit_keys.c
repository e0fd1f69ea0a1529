/* SPDX-License-Identifier: Apache-2.0 */
/* From positions back to objects: a position means what it does in the order
 * that the channel was dealt in. Only channels that are leased skip units. */
#include <stdlib.h>

#include "base/mem.h"
#include "cli/share.h"
#include "cli/status_audit.h"
#include "coordinator/cursor.h"
#include "coordinator/dealt.h"
#include "store/store_sync.h"

enum { STATUS_DEALT_MAX = 512 << 20 };

/* The state of the job, as it lies in the store. */
struct status_state {
    struct store *store;
    struct buf prefix;
    struct dealt_copy *dealt;
};

static enum status status_load_dealt(struct status_state *state,
                                     const char *run, struct fault *why)
{
    char *key = mem_print("%sruns/%s/dealt", buf_text(&state->prefix), run);
    struct buf text = {0};
    enum status s = store_sync_get(
        state->store, &(struct store_sync_get){key, STATUS_DEALT_MAX, NULL},
        why, &text);

    if (s == STATUS_OK) {
        s = dealt_read(buf_bytes(&text), run, why, &state->dealt);
    }
    buf_fini(&text);
    free(key);
    return s;
}

static enum status status_load_catalog(const struct status_state *state,
                                       const struct dealt_channel *c,
                                       struct fault *why, struct catalog **out)
{
    char *name = mem_copy_text(c->catalog.at, c->catalog.size);
    char *key = mem_print("%scatalog/%s", buf_text(&state->prefix), name);
    enum status s =
        share_read(state->store, &(struct share_want){key, name}, why, out);

    free(key);
    free(name);
    return s;
}

static void status_name_skip(const struct dealt_channel *c,
                             const struct cursor_how *how,
                             const struct catalog *catalog, struct audit *a,
                             size_t i)
{
    uint64_t count = catalog_count(catalog);
    struct audit_skipped skipped;
    struct catalog_cursor at;
    struct catalog_object object;
    struct order order;

    if (!audit_skipped(a, i, &skipped) || skipped.position >= count) {
        return;
    }
    cursor_order(how, c->name, skipped.epoch, count, &order);
    catalog_seek(catalog, order_unit(&order, skipped.position), &at);
    if (catalog_next(&at, &object)) {
        audit_name_skip(a, i, object.key);
    }
}

/* All of channel @number; its catalog is read with the first of them. */
static void status_name_channel(const struct status_state *state,
                                uint32_t number, struct audit *a)
{
    const struct dealt_channel *c = &dealt_of(state->dealt)->channels[number];
    struct catalog *catalog = NULL;
    struct cursor_how how;
    struct audit_skipped skipped;
    struct fault why;
    bool is_read = false;

    if (!c->is_dynamic || cursor_how_read(c->how, &why, &how) != STATUS_OK) {
        return;
    }
    for (size_t i = 0; audit_skipped(a, i, &skipped); i++) {
        if (skipped.channel != number) {
            continue;
        }
        if (!is_read &&
            status_load_catalog(state, c, &why, &catalog) != STATUS_OK) {
            break;
        }
        is_read = true;
        status_name_skip(c, &how, catalog, a, i);
    }
    catalog_destroy(&catalog);
}

void status_audit_keys(const char *uri, const char *run, struct audit *audit)
{
    struct status_state state = {.store = NULL};
    struct audit_skipped skipped;
    struct fault why;
    uint32_t count;

    if (!audit_skipped(audit, 0, &skipped)) {
        return;
    }
    if (store_open(uri, STORE_READ, &why, &state.store, &state.prefix) ==
            STATUS_OK &&
        status_load_dealt(&state, run, &why) == STATUS_OK) {
        count = dealt_of(state.dealt)->channel_count;
        for (uint32_t i = 0; i < count; i++) {
            status_name_channel(&state, i, audit);
        }
    }
    dealt_destroy(&state.dealt);
    store_close(&state.store);
    buf_fini(&state.prefix);
}
