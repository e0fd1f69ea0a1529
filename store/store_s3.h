/* SPDX-License-Identifier: Apache-2.0 */
/* S3 and what speaks like it, behind the store interface.
 *
 * How a request lives: it waits for its turn in the bucket's rate, is signed,
 * flies, and its answer is either the event, or a reason to change something
 * (region, clock, credentials, checksum) and ask again, or to wait and ask
 * again (retry.h). A GET goes on where it broke off. A conditional write
 * whose outcome is not known is never just repeated: the value is read back
 * and compared first; it counts as ours when it is what was to be written,
 * which is why bodies of such writes hold a nonce.
 *
 * A handle is one thread's, with its own connections. What belongs to a
 * bucket (region, clock, quota, rate, credentials, what the server can) is
 * shared by all handles of the process (s3_bucket.h). */

#ifndef STORE_STORE_S3_H
#define STORE_STORE_S3_H

#include "base/fault.h"
#include "base/status.h"
#include "store/store.h"

/* Open @bucket (a name or an access point's ARN) into *@out, without asking
 * the server anything. INVALID, UNSUPPORTED, MALFORMED, NOT_FOUND, DENIED,
 * IO: settings or files of the environment; @why names which. */
MUST_USE enum status store_s3_open(const char *bucket, struct fault *why,
                                   struct store **out);

#endif /* STORE_STORE_S3_H */
