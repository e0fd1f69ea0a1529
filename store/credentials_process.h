/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c: running credential_process. */

#ifndef STORE_CREDENTIALS_PROCESS_H
#define STORE_CREDENTIALS_PROCESS_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "store/credentials_fetch.h"

/* Split @text into words as a shell does: white space parts them, '…' keeps
 * all, "…" all but \" and \\, a backslash the next character. Nothing else is
 * special. The list ends with NULL; one free() frees it.
 * INVALID: a quote is not closed, a backslash ends it, or there is no word. */
MUST_USE enum status credentials_process_split(const char *text,
                                               struct fault *why, char ***out);

enum {
    CREDENTIALS_PROCESS_OUT_MAX = 64 << 10,
    CREDENTIALS_PROCESS_ERR_MAX = 512, /* The rest is dropped. */
};

struct credentials_process {
    struct buf out; /* Wiped and freed by the caller. */
    struct buf err;
    int code; /* Exit code, 128 + signal; -1: another part of the process
                 collected it. */
};

/* Run @argv without a shell, for @f->process_ms at most; then it is killed
 * (credentials_process_os.c). OK: it has ended. TIMEOUT; MALFORMED: it says
 * more than OUT_MAX; INVALID: it can't be started; OS. */
MUST_USE enum status credentials_process_run(
    const struct credentials_fetcher *f, char *const *argv, struct fault *why,
    struct credentials_process *out);

#endif /* STORE_CREDENTIALS_PROCESS_H */
