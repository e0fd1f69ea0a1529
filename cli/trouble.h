/* SPDX-License-Identifier: Apache-2.0 */
/* Trouble: requests of one kind that fail and are made again for as long as
 * they do. That is said once when it begins and once when it is over, not at
 * each try. Whoever makes the requests keeps one for each kind: where only
 * one kind fails, the others' successes would end it again and again. */

#ifndef CLI_TROUBLE_H
#define CLI_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct trouble {
    uint64_t tries; /* That have failed; 0: there is none. */
    uint64_t since_ms;
};

enum trouble_turn { TROUBLE_NOTHING_NEW, TROUBLE_BEGINS, TROUBLE_ENDS };

struct trouble_news {
    enum trouble_turn turn;
    uint64_t tries; /* ENDS: that had failed, */
    uint64_t lasted_ms;
};

/* Take the outcome of one try at @now_ms. */
struct trouble_news trouble_take(struct trouble *t, bool is_well,
                                 uint64_t now_ms);

/* Write the news, if there is any, to the log: `NAME.trouble`, with the kind
 * of request and @why, or `NAME.mended`. @why may be NULL for the latter. Any
 * thread. */
void trouble_log(const struct trouble_news *news, const char *name,
                 const char *kind, const struct fault *why);

#endif /* CLI_TROUBLE_H */
