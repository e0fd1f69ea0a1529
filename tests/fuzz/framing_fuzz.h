/* SPDX-License-Identifier: Apache-2.0 */
/* Records of any bytes: the same whatever the views; and of ranges cut
 * anywhere: those of the whole, each once, or a fault. */

#ifndef TESTS_FUZZ_FRAMING_FUZZ_H
#define TESTS_FUZZ_FRAMING_FUZZ_H

#include "tests/framing_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMING_FUZZ_CUTS = 4 };

/* Whether data of the format can look like a record's start: recordio's only
 * where its writer did not care. */
static inline int framing_fuzz(enum framing format, bool can_deceive,
                               struct bytes object)
{
    struct framing_kit k = {
        .format = format, .object = object, .is_flat = true};
    struct fault why = {.text = ""};
    struct buf whole = {0};
    struct buf pieces = {0};
    struct buf ranges = {0};
    uint64_t cuts[FRAMING_FUZZ_CUTS];
    struct prng p;
    enum status s = framing_kit_read(&k, 0, object.size, &why, &whole);
    enum status cut;

    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    prng_init(&p, object.size);
    k.step = 1 + (size_t)prng_below(&p, 600);
    k.is_stream = object.size % 2 == 1;
    CHECK(framing_kit_read(&k, 0, object.size, &why, &pieces) == s);
    CHECK(s != STATUS_OK ||
          bytes_is_equal(buf_bytes(&whole), buf_bytes(&pieces)));
    k.is_stream = false;
    for (uint64_t i = 0; i < FRAMING_FUZZ_CUTS; i++) {
        uint64_t least = i > 0 ? cuts[i - 1] : 0;

        cuts[i] = least + prng_below(&p, object.size - least + 1);
    }
    cut = framing_kit_cut(&k, cuts, FRAMING_FUZZ_CUTS, &why, &ranges);
    CHECK(s != STATUS_OK || cut == STATUS_OK || can_deceive);
    CHECK(s != STATUS_OK || cut != STATUS_OK || format == FRAMING_LINES ||
          bytes_is_equal(buf_bytes(&whole), buf_bytes(&ranges)));
    CHECK(format != FRAMING_LINES ||
          bytes_is_equal(buf_bytes(&whole), buf_bytes(&ranges)));
    buf_fini(&whole);
    buf_fini(&pieces);
    buf_fini(&ranges);
    return 0;
}

#endif /* TESTS_FUZZ_FRAMING_FUZZ_H */
