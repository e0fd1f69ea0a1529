/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a peer sends as the body of a WORK or a GRANT is refused, or it is
 * one and the very bytes that we would write for it. */

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "proto/work.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_work(struct bytes in)
{
    static struct work work;
    struct buf out = {0};
    struct fault why = {{0}};

    if (work_read(in, &why, &work) != STATUS_OK) {
        CHECK(work.seq == 0 && why.text[0] != '\0');
        return;
    }
    work_write(&work, &out);
    CHECK(bytes_is_equal(buf_bytes(&out), in));
    buf_fini(&out);
}

static void check_grant(struct bytes in)
{
    static struct grant grant;
    struct buf out = {0};
    struct fault why = {{0}};

    if (grant_read(in, &why, &grant) != STATUS_OK) {
        CHECK(grant.seq == 0 && why.text[0] != '\0');
        return;
    }
    grant_write(&grant, &out);
    CHECK(bytes_is_equal(buf_bytes(&out), in));
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {(const char *)data, size};

    check_work(in);
    check_grant(in);
    return 0;
}
