/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/crc.h"
#include "proto/framing_parts.h"

enum { FRAMING_LENGTH = 8 };

uint32_t framing_mask(uint64_t crc)
{
    uint32_t c = (uint32_t)crc;

    return (c >> 15 | c << 17) + 0xa282ead8U;
}

bool framing_tfrecord_is_head(const char *at)
{
    return framing_get_u32(at + FRAMING_LENGTH) ==
           framing_mask(crc_add(CRC_32C, 0, at, FRAMING_LENGTH));
}

enum status framing_tfrecord_next(struct framing_reader *r, struct bytes view,
                                  uint64_t left, struct fault *why,
                                  struct framing_record *out)
{
    const uint64_t around = FRAMING_TFRECORD_HEAD + FRAMING_TFRECORD_TAIL;
    const char *data;
    uint64_t length;

    if (left == 0) {
        return STATUS_OK;
    }
    if (view.size < FRAMING_TFRECORD_HEAD) {
        return framing_want(r, FRAMING_TFRECORD_HEAD, left, why, out);
    }
    length = framing_get_u64(view.at);
    if (!framing_tfrecord_is_head(view.at) || length > UINT64_MAX / 2) {
        return fault_set(why, STATUS_MALFORMED,
                         "byte %" PRIu64
                         ": the checksum of a tfrecord's length is wrong",
                         r->offset);
    }
    if (view.size < around || length > view.size - around) {
        return framing_want(r, around + length, left, why, out);
    }
    data = view.at + FRAMING_TFRECORD_HEAD;
    if (framing_get_u32(data + length) !=
        framing_mask(crc_add(CRC_32C, 0, data, (size_t)length))) {
        return fault_set(why, STATUS_MALFORMED,
                         "byte %" PRIu64
                         ": the checksum of a tfrecord's data is wrong",
                         r->offset);
    }
    out->found = FRAMING_RECORD;
    out->data = (struct bytes){data, (size_t)length};
    out->used = (size_t)(around + length);
    return STATUS_OK;
}
