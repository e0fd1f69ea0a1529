/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trouble.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/log.h"

enum { TROUBLE_EVENT_MAX = 64 };

struct trouble_news trouble_take(struct trouble *t, bool is_well,
                                 uint64_t now_ms)
{
    struct trouble_news news = {.turn = TROUBLE_NOTHING_NEW};

    if (!is_well) {
        if (t->tries++ == 0) {
            t->since_ms = now_ms;
            news.turn = TROUBLE_BEGINS;
        }
    } else if (t->tries > 0) {
        CHECK(now_ms >= t->since_ms);
        news.turn = TROUBLE_ENDS;
        news.tries = t->tries;
        news.lasted_ms = now_ms - t->since_ms;
        t->tries = 0;
    }
    return news;
}

void trouble_log(const struct trouble_news *news, const char *name,
                 const char *kind, const struct fault *why)
{
    char event[TROUBLE_EVENT_MAX];
    char quoted[FAULT_TEXT_MAX];

    if (news->turn == TROUBLE_BEGINS) {
        snprintf(event, sizeof(event), "%s.trouble", name);
        log_event(LOG_WARN, event, "request=%s reason=%s", kind,
                  log_quote(why->text, quoted, sizeof(quoted)));
    } else if (news->turn == TROUBLE_ENDS) {
        snprintf(event, sizeof(event), "%s.mended", name);
        log_event(
            LOG_INFO, event,
            "request=%s lasted=%" PRIu64 ".%03" PRIu64 "s failures=%" PRIu64,
            kind, news->lasted_ms / 1000, news->lasted_ms % 1000, news->tries);
    }
}
