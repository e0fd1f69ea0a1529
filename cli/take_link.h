/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the feed's socket, for `smshard take`: ask a line, get an
 * answer. Blocking; one thread. */

#ifndef CLI_TAKE_LINK_H
#define CLI_TAKE_LINK_H

#include "base/fault.h"
#include "base/status.h"
#include "worker/feed_line.h"

struct take_link;

/* Connect to the socket at @path. LOST: nobody listens there; INVALID: the
 * path is too long; DENIED, OS. */
MUST_USE enum status take_link_open(const char *path, struct fault *why,
                                    struct take_link **out);
void take_link_close(struct take_link **l);

/* Ask @line, which is made like printf makes it. Texts of the answer live
 * until the next question. LOST: the feed has gone; MALFORMED. */
__attribute__((format(printf, 4, 5))) MUST_USE enum status take_link_ask(
    struct take_link *l, struct fault *why, struct feed_answer *out,
    const char *format, ...);

#endif /* CLI_TAKE_LINK_H */
