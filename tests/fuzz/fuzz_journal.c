/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is stored is refused or is an object, with one form, whose records
 * lie inside of it. The checksum is made right, so that what is behind it is
 * reached. */

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/crc.h"
#include "coordinator/journal_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct bytes in, struct bytes part)
{
    CHECK(part.size == 0 ||
          (part.at >= in.at && part.at + part.size <= in.at + in.size));
}

static void walk_object(const struct journal_object *o)
{
    struct journal_walk walk;
    struct journal_log log;
    struct bytes record;
    uint64_t last = o->first - 1;

    journal_walk_init(&walk, o);
    while (journal_next_log(&walk, &log)) {
        CHECK(log.number == last + 1 && log.number <= o->last);
        last = log.number;
        check_inside(o->body, log.records);
        while (journal_next_record(&log.records, &record)) {
            check_inside(o->body, record);
        }
    }
    CHECK(walk.is_damaged || last == o->last);
}

static void read_object(struct bytes in)
{
    struct journal_object o;
    struct fault why;
    struct buf out = {0};

    if (journal_object_read(in, &why, &o) != STATUS_OK) {
        CHECK(o.body.size == 0);
        return;
    }
    check_inside(in, o.body);
    journal_object_write(&o, &out);
    CHECK(bytes_is_equal(in, buf_bytes(&out)));
    buf_fini(&out);
    if (o.kind != JOURNAL_KIND_SNAPSHOT) {
        walk_object(&o);
    }
}

static void read_key(struct bytes key)
{
    enum journal_kind kind;
    uint64_t first;
    uint64_t last;
    char again[JOURNAL_KEY_MAX];

    if (journal_key_read(key, &kind, &first, &last)) {
        journal_key(kind, first, last, again);
        CHECK(bytes_is(key, again));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {(const char *)data, size};
    struct buf mended = {0};
    uint64_t sum;

    read_object(in);
    read_key(in);
    buf_add_bytes(&mended, in);
    sum = crc_add(CRC_64NVME, 0, data, size);
    for (unsigned i = 0; i < sizeof(sum); i++) {
        buf_add_char(&mended, (char)(unsigned char)(sum >> (8 * i)));
    }
    read_object(buf_bytes(&mended));
    buf_fini(&mended);
    return 0;
}
