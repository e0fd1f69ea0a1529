/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting to the worker (smshard_open_os.c), for smshard_os.c. */

#ifndef SMSHARD_OPEN_H
#define SMSHARD_OPEN_H

#include "worker/client/smshard_state.h"

uint64_t smshard_now_ns(void);

/* Whether this process opened the handle. smshard_mark() goes before, and
 * smshard_unmark() after all else. */
bool smshard_is_ours(const struct smshard *s);
void smshard_mark(struct smshard *s);
void smshard_unmark(struct smshard *s);

/* As smshard_open(); on failure nothing is left of it. */
int smshard_attach(struct smshard *s, int timeout_ms);

/* Unmap all, then close the connection. Again is harmless. */
void smshard_detach(struct smshard *s);

/* Whether the worker's end is there. */
bool smshard_is_connected(struct smshard *s);

#endif /* SMSHARD_OPEN_H */
