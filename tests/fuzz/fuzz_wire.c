/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a peer sends is refused or is a message; one that is, is the same
 * after it was encoded and decoded again. */

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_message m;
    struct wire_message again;
    struct buf once = {0};
    struct buf twice = {0};
    struct fault why;

    if (wire_decode((struct bytes){(const char *)data, size}, NULL, &why, &m) !=
        STATUS_OK) {
        CHECK(m.type == 0);
        return 0;
    }
    wire_encode(&m, &once);
    CHECK(once.size <= size); /* Ours is the shortest form. */
    CHECK(wire_decode(buf_bytes(&once), m.job, &why, &again) == STATUS_OK);
    CHECK(again.type == m.type && again.term == m.term);
    wire_encode(&again, &twice);
    CHECK(bytes_is_equal(buf_bytes(&once), buf_bytes(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
    return 0;
}
