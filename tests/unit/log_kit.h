/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what is said in the log: it is caught in a file. */

#ifndef TESTS_UNIT_LOG_KIT_H
#define TESTS_UNIT_LOG_KIT_H

#include <fcntl.h>

#include "base/file.h"
#include "base/log.h"
#include "tests/harness.h"

enum { LOG_KIT_MAX = 1 << 20 };

/* Catch all lines in the file @path. Returns what log_release() takes. */
static inline int log_catch(const char *path)
{
    int old = dup(STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EXPECT(old >= 0 && fd >= 0);
    log_init("-", LOG_INFO);
    EXPECT(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    close(fd);
    return old;
}

static inline void log_release(int old)
{
    EXPECT(dup2(old, STDERR_FILENO) == STDERR_FILENO);
    close(old);
}

/* How often @part was said. */
static inline unsigned log_count(const char *path, const char *part)
{
    struct buf text = {0};
    struct fault why;
    unsigned count = 0;

    EXPECT_EQ(file_read(path, LOG_KIT_MAX, &why, &text), STATUS_OK);
    for (const char *at = buf_text(&text); (at = strstr(at, part)) != NULL;
         at++) {
        count++;
    }
    buf_fini(&text);
    return count;
}

#endif /* TESTS_UNIT_LOG_KIT_H */
