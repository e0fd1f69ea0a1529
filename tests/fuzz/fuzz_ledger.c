/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot and the entries after it, both perhaps damaged. What is accepted
 * must leave a sound ledger that writes itself and goes on to its end. The
 * first byte: the kind of deal, and whether there is a snapshot. */

#include <stdint.h>

#include "base/check.h"
#include "coordinator/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { POSITIONS = 64, HOSTS = 3, RANKS = 4, TURNS = 4000 };

static struct ledger *new_ledger(unsigned kind)
{
    static const uint32_t ranks[HOSTS] = {1, 0, 3};
    static const uint32_t weights[HOSTS] = {100, 1, 50};
    static const uint64_t shares[RANKS + 1] = {0, 10, 10, 50, POSITIONS};
    struct ledger_options o = {.positions = POSITIONS,
                               .epochs = 2,
                               .step_units = kind == 1 ? 10 : 0,
                               .host_count = HOSTS,
                               .host_ranks = ranks,
                               .host_weights = weights,
                               .shares = kind == 2 ? shares : NULL,
                               .lease_ms = 1000,
                               .run_ms = 10,
                               .skips = 3};

    return ledger_new(&o);
}

static void write_and_read(const struct ledger *l, unsigned kind)
{
    struct ledger *again = new_ledger(kind);
    struct buf once = {0};
    struct buf twice = {0};
    struct fault why;
    struct bytes in;

    ledger_write(l, &once);
    in = buf_bytes(&once);
    CHECK(ledger_read(again, &in, &why) == STATUS_OK && in.size == 0);
    ledger_check(again);
    ledger_write(again, &twice);
    CHECK(bytes_is_equal(buf_bytes(&once), buf_bytes(&twice)));
    ledger_destroy(&again);
    buf_fini(&once);
    buf_fini(&twice);
}

static void commit_all(struct ledger *l, uint32_t host)
{
    struct ledger_lease lease = {0};

    while (ledger_next_lease(l, host, lease.number, &lease)) {
        struct ledger_word word = {host, lease.number, lease.range, 0};

        CHECK(ledger_commit(l, &word) == STATUS_OK);
    }
}

static void finish(struct ledger *l)
{
    struct ledger_lease lease;

    ledger_resume(l, 0);
    ledger_check(l);
    for (uint32_t i = 0; i < HOSTS; i++) {
        ledger_hear(l, i, 0);
    }
    ledger_tick(l, 0);
    for (int turn = 0; !ledger_is_over(l); turn++) {
        CHECK(turn < TURNS);
        for (uint32_t r = 0; r < RANKS; r++) {
            (void)!ledger_want(l, &(struct ledger_want){r, 0, 0}, &lease);
        }
        for (uint32_t i = 0; i < HOSTS; i++) {
            commit_all(l, i);
        }
    }
    ledger_check(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned kind = size > 0 ? data[0] % 3 : 0;
    bool has_snapshot = size > 0 && data[0] & 0x80;
    struct bytes in = {(const char *)data, size};
    struct ledger *l = new_ledger(kind);
    struct ledger_entry e;
    struct fault why;
    enum status s = STATUS_OK;

    in.at += size > 0;
    in.size -= size > 0;
    if (has_snapshot) {
        s = ledger_read(l, &in, &why);
    }
    while (s == STATUS_OK && ledger_entry_read(&in, &why, &e) == STATUS_OK) {
        (void)!ledger_apply(l, &e, &why);
        ledger_check(l);
    }
    if (s == STATUS_OK) {
        write_and_read(l, kind);
        finish(l);
    }
    ledger_destroy(&l);
    return 0;
}
