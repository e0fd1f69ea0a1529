/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is stored as what was dealt is refused, or can be written again and
 * is what ledgers can be made from. The checksum is made right, so that what
 * is behind it is reached. */

#include <stdint.h>

#include "base/check.h"
#include "base/crc.h"
#include "coordinator/dealt.h"
#include "coordinator/ledger.h"

#define FUZZ_RUN "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_channel(const struct dealt *d, uint32_t number)
{
    const struct dealt_channel *c = &d->channels[number];
    uint64_t rank = 0;

    CHECK(c->positions <= UINT64_MAX / 8 && c->epochs > 0);
    CHECK(c->first_epoch < c->first_epoch + c->epochs);
    CHECK((c->bounds == NULL) == c->is_dynamic);
    CHECK(c->is_dynamic || c->step_units == 0);
    for (uint32_t i = 0; i < d->host_count; i++) {
        for (uint32_t k = 0; k < d->ranks[i]; k++, rank++) {
            CHECK(c->is_dynamic || c->bounds[rank] <= c->bounds[rank + 1]);
            CHECK(c->is_dynamic || dealt_has_part(d, number, i) ||
                  c->bounds[rank] == c->bounds[rank + 1]);
        }
    }
    CHECK(c->is_dynamic || c->bounds[rank] == c->positions);
}

static void check_dealt(const struct dealt *d)
{
    struct dealt_copy *copy;
    struct fault why;
    struct buf text = {0};
    struct buf again = {0};
    enum status s;

    for (uint32_t i = 0; i < d->host_count; i++) {
        CHECK(d->ranks[i] > 0);
        CHECK(d->weights[i] > 0 && d->weights[i] <= LEDGER_WEIGHT_MAX);
    }
    for (uint32_t i = 0; i < d->channel_count; i++) {
        check_channel(d, i);
    }
    dealt_write(d, FUZZ_RUN, &text);
    s = dealt_read(buf_bytes(&text), FUZZ_RUN, &why, &copy);
    CHECK(s == STATUS_OK);
    dealt_write(dealt_of(copy), FUZZ_RUN, &again);
    CHECK(bytes_is_equal(buf_bytes(&text), buf_bytes(&again)));
    dealt_destroy(&copy);
    buf_fini(&text);
    buf_fini(&again);
}

static void read_dealt(struct bytes in)
{
    struct dealt_copy *copy;
    struct fault why;

    if (dealt_read(in, FUZZ_RUN, &why, &copy) != STATUS_OK) {
        CHECK(copy == NULL && why.text[0] != '\0');
        return;
    }
    check_dealt(dealt_of(copy));
    dealt_destroy(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {(const char *)data, size};
    struct buf mended = {0};
    uint64_t sum;

    read_dealt(in);
    buf_add_bytes(&mended, in);
    sum = crc_add(CRC_64NVME, 0, data, size);
    for (unsigned i = 0; i < sizeof(sum); i++) {
        buf_add_char(&mended, (char)(unsigned char)(sum >> (8 * i)));
    }
    read_dealt(buf_bytes(&mended));
    buf_fini(&mended);
    return 0;
}
