/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal of a run says, read from the store by somebody outside:
 * while the job runs and after it. Blocking. */

#ifndef CLI_STATUS_AUDIT_H
#define CLI_STATUS_AUDIT_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/audit.h"

/* Read all of run @run below the state @uri into *@out. NOT_FOUND: the run has
 * left no journal; the statuses of audit_add_object() and of the store. */
MUST_USE enum status status_audit_read(const char *uri, const char *run,
                                       struct fault *why, struct audit **out);

/* Look up which objects the units are that @audit lists as skipped: in what
 * was dealt and in the catalog, as far as they are still there and can be
 * read. Reads a channel's whole catalog if one of its units was skipped. */
void status_audit_keys(const char *uri, const char *run, struct audit *audit);

/* How the job ended, as the journal tells it. */
struct status_ended {
    bool is_known;
    enum status status;
    int exit_code;
    struct buf host;
    struct buf reason;
};
MUST_USE enum status status_audit_end(const char *uri, const char *run,
                                      struct fault *why,
                                      struct status_ended *out);
void status_ended_fini(struct status_ended *e);

#endif /* CLI_STATUS_AUDIT_H */
