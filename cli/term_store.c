/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/term_store.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/store_sync.h"

static void term_store_note(struct term_store *lease,
                            const struct term_event *event,
                            const struct fault *why)
{
    bool is_read = event->type == TERM_EVENT_READ;
    bool is_well =
        event->status == STATUS_OK || event->status == STATUS_NOT_FOUND ||
        event->status == STATUS_EXISTS || event->status == STATUS_CHANGED;
    struct trouble_news news =
        trouble_take(is_read ? &lease->reads : &lease->writes, is_well,
                     clock_now_ms(&clock_os));

    trouble_log(&news, "lease", is_read ? "read" : "write", why);
}

/* Read or write the lease as @fx says and put the outcome into @event. */
static void term_store_do(struct term_store *lease, struct term_effects *fx,
                          struct term_event *event, struct buf *body)
{
    struct fault why = {.text = ""};

    if (fx->request == TERM_DO_READ) {
        buf_clear(body);
        event->type = TERM_EVENT_READ;
        event->status = store_sync_get(
            lease->store,
            &(struct store_sync_get){lease->key, TERM_BODY_MAX, fx->etag}, &why,
            body);
        event->body = buf_bytes(body);
    } else {
        enum store_when when = fx->is_create ? STORE_IF_ABSENT : STORE_IF_MATCH;

        event->type = TERM_EVENT_WRITTEN;
        event->status = store_sync_put(
            lease->store,
            &(struct store_sync_put){lease->key,
                                     {fx->body, fx->body_size},
                                     fx->is_unconditional ? STORE_ALWAYS : when,
                                     fx->etag},
            &why);
    }
    term_store_note(lease, event, &why);
    event->etag = event->status == STATUS_OK ? fx->etag : NULL;
}

uint64_t term_store_step(struct term *t, struct term_store *lease,
                         enum term_event_type event_type)
{
    struct term_event event = {.type = event_type};
    struct term_effects fx = {.request = TERM_DO_NOTHING};
    struct term_effects asked;
    struct buf body = {0};

    event.now_ms = clock_now_ms(&clock_os);
    term_step(t, &event, &fx);
    while (fx.request != TERM_DO_NOTHING) {
        asked = fx;
        term_store_do(lease, &asked, &event, &body);
        event.now_ms = clock_now_ms(&clock_os);
        term_step(t, &event, &fx);
    }
    buf_fini(&body);
    return fx.timer_ms;
}
