/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/framing_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return framing_fuzz(FRAMING_RECORDIO, true,
                        (struct bytes){(const char *)data, size});
}
