/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a journal holds is refused or is a record, with one form; the audit
 * takes any of them in any order. */

#include <stdint.h>

#include "base/check.h"
#include "base/varint.h"
#include "coordinator/audit.h"
#include "coordinator/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_form(struct bytes text)
{
    struct record record;
    struct fault why;
    struct buf out = {0};

    if (record_read(text, &why, &record) == STATUS_OK) {
        record_write(&record, &out);
        CHECK(bytes_is_equal(text, buf_bytes(&out)));
        buf_fini(&out);
    }
}

/* The input is records, each behind its size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {(const char *)data, size};
    struct bytes text;
    struct audit *audit = audit_new();
    struct buf out = {0};
    struct fault why;
    bool is_taken = true;

    while (varint_read_text(&in, size, &text)) {
        check_form(text);
        is_taken =
            audit_add_record(audit, 1, text, &why) == STATUS_OK && is_taken;
    }
    CHECK(is_taken || !audit_is_exact(audit));
    audit_print(audit, &out);
    audit_json(audit, &out);
    buf_fini(&out);
    audit_destroy(&audit);
    return 0;
}
