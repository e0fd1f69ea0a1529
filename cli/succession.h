/* SPDX-License-Identifier: Apache-2.0 */
/* A thread on every host that knows who leads: it steps the term core against
 * the lease object for the whole job, and takes over when it is this host's
 * turn. The owner learns of changes by a descriptor. */

#ifndef CLI_SUCCESSION_H
#define CLI_SUCCESSION_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/term.h"

struct succession;

/* Start it with @term, which becomes the thread's, on the lease at @state_uri.
 * OS: no thread; the statuses of store_open(). @term is freed all the same. */
MUST_USE enum status succession_start(struct term *term, const char *state_uri,
                                      struct fault *why,
                                      struct succession **out);

/* Readable when there is news. */
int succession_fd(const struct succession *s);

/* Where it stands; true when that is new since the last call. */
struct succession_news {
    enum term_state state;
    struct term_lease lease;
    struct fault fault; /* Why the lease can't be read, or "". */
};
bool succession_take(struct succession *s, struct succession_news *out);

/* LEADING: until when, as term_until_ms(); else 0. Any thread. */
uint64_t succession_until_ms(struct succession *s);

/* For how much longer this host surely leads @run; 0: it does not. Any
 * thread. */
uint64_t succession_left_ms(struct succession *s, const char *run);

/* As term_enter_run(), term_knock() and term_set_eager(). */
void succession_enter_run(struct succession *s, const char *run);
void succession_knock(struct succession *s, const char *run);
void succession_set_eager(struct succession *s, bool is_eager);

/* End the thread and free *@s. With @is_over this host has led to the run's
 * end: that is said in the lease first, and waited for. Without, whoever is
 * next may take the lease. */
void succession_end(struct succession **s, bool is_over);

#endif /* CLI_SUCCESSION_H */
