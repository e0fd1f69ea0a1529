/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/audit.h"

#include "base/json.h"
#include "coordinator/journal_format.h"
#include "coordinator/record.h"
#include "tests/harness.h"

#define RUN "feed"

static void add(struct audit *a, const struct record *record)
{
    struct buf out = {0};
    struct fault why = {""};

    record_write(record, &out);
    EXPECT_EQ(audit_add_record(a, 3, buf_bytes(&out), &why), STATUS_OK);
    buf_fini(&out);
}

static void add_host(struct audit *a, uint32_t number, uint64_t attempt)
{
    add(a, &(struct record){
               .type = RECORD_HOST,
               .host = {.number = number,
                        .ranks = 2,
                        .attempt = attempt,
                        .name = number == 0 ? BYTES("algo-1") : BYTES("algo-2"),
                        .incarnation = BYTES("i")},
           });
}

/* Two hosts of two ranks, one channel of 100 positions and two epochs. */
static struct audit *new_audit(void)
{
    struct audit *a = audit_new();

    add(a, &(struct record){
               .type = RECORD_PLAN,
               .plan = {.name = BYTES("train"),
                        .catalog = BYTES("abc"),
                        .positions = 100,
                        .epochs = 2,
                        .ranks = BYTES("\x02\x02")},
           });
    add_host(a, 0, 1);
    add_host(a, 1, 1);
    return a;
}

/* One entry: type, lease, rank, first, end. A row of type 0 ends a list. */
struct row {
    enum ledger_entry_type type;
    uint64_t lease;
    uint32_t rank;
    uint64_t first;
    uint64_t end;
};

static void add_rows(struct audit *a, const struct row *rows)
{
    for (; rows->type != 0; rows++) {
        add(a, &(struct record){
                   .type = RECORD_LEDGER,
                   .ledger = {.entry = {.type = rows->type,
                                        .lease = rows->lease,
                                        .rank = rows->rank,
                                        .range = {rows->first, rows->end}}},
               });
    }
}

static void add_over(struct audit *a, enum status status)
{
    add(a, &(struct record){.type = RECORD_OVER, .over = {.status = status}});
}

/* Epoch 0 without a fault: a straggler's tail, a lost host, a skip. */
static const struct row good[] = {
    {LEDGER_GRANT, 1, 0, 0, 60},   {LEDGER_GRANT, 2, 2, 60, 100},
    {LEDGER_COMMIT, 1, 0, 0, 10},  {LEDGER_CUT, 1, 0, 30, 60},
    {LEDGER_COMMIT, 2, 0, 60, 70}, {LEDGER_DROP, 2, 0, 0, 0},
    {LEDGER_ENTER, 0, 1, 0, 0},    {LEDGER_GRANT, 3, 1, 70, 100},
    {LEDGER_GRANT, 4, 3, 30, 60},  {LEDGER_SKIP, 1, 0, 17, 18},
    {LEDGER_COMMIT, 1, 0, 10, 17}, {LEDGER_COMMIT, 1, 0, 18, 30},
    {LEDGER_COMMIT, 4, 0, 30, 60}, {LEDGER_COMMIT, 3, 0, 70, 100},
    {LEDGER_EPOCH, 0, 0, 0, 0},    {0, 0, 0, 0, 0},
};

TEST(good_history_is_exact)
{
    struct audit *a = new_audit();
    struct audit_epoch e;
    struct audit_holder h;

    add_rows(a, good);
    EXPECT(audit_is_exact(a) && !audit_is_over(a));
    EXPECT_EQ(audit_epoch_count(a, 0), 2);
    e = audit_epoch(a, 0, 0);
    EXPECT(e.is_ended && e.committed == 99 && e.skipped == 1 && e.base == 0);
    EXPECT_EQ(e.missing, 0);
    EXPECT_EQ(e.leases, 4);
    e = audit_epoch(a, 0, 1);
    EXPECT(!e.is_ended && e.missing == 100 && e.number == 1);
    EXPECT(audit_holder(a, 0, &h));
    EXPECT_STR(h.host, "algo-1");
    EXPECT(h.rank == 0 && h.committed == 29 && h.skipped == 1);
    EXPECT(audit_holder(a, 1, &h));
    EXPECT_STR(h.host, "algo-2");
    EXPECT(h.rank == 0 && h.committed == 10 && h.drops == 1);
    EXPECT(audit_holder(a, 2, &h) && h.rank == 1 && h.committed == 30);
    EXPECT(audit_holder(a, 3, &h) && h.host_number == 1 && h.rank == 1);
    EXPECT(!audit_holder(a, 4, &h));
    audit_destroy(&a);
}

/* What is wrong after a list of entries, none of which is an EPOCH. */
static const struct wrong {
    const char *name;
    struct row rows[6];
    enum audit_finding_type type;
    uint64_t units;
    uint64_t first; /* Of the finding. */
} wrongs[] = {
    {"double under one lease",
     {{LEDGER_GRANT, 1, 0, 0, 10},
      {LEDGER_COMMIT, 1, 0, 0, 5},
      {LEDGER_COMMIT, 1, 0, 4, 6}},
     AUDIT_DOUBLE,
     1,
     4},
    {"skipped after the commit",
     {{LEDGER_GRANT, 1, 0, 0, 10},
      {LEDGER_COMMIT, 1, 0, 0, 5},
      {LEDGER_SKIP, 1, 0, 3, 4}},
     AUDIT_DOUBLE,
     1,
     3},
    {"commit after the drop",
     {{LEDGER_GRANT, 1, 0, 0, 10},
      {LEDGER_DROP, 1, 0, 0, 0},
      {LEDGER_COMMIT, 1, 0, 0, 5}},
     AUDIT_OUTSIDE,
     5,
     0},
    {"commit of the tail that was cut",
     {{LEDGER_GRANT, 1, 0, 0, 10},
      {LEDGER_CUT, 1, 0, 6, 10},
      {LEDGER_COMMIT, 1, 0, 0, 8}},
     AUDIT_OUTSIDE,
     8,
     0},
    {"commit under no lease",
     {{LEDGER_COMMIT, 7, 0, 0, 1}},
     AUDIT_OUTSIDE,
     1,
     0},
    {"commit once all of the lease is done",
     {{LEDGER_GRANT, 1, 0, 0, 2},
      {LEDGER_GRANT, 2, 1, 2, 4},
      {LEDGER_COMMIT, 1, 0, 0, 2},
      {LEDGER_COMMIT, 1, 0, 2, 3}},
     AUDIT_OUTSIDE,
     1,
     2},
    {"leased twice",
     {{LEDGER_GRANT, 1, 0, 0, 10}, {LEDGER_GRANT, 2, 1, 8, 12}},
     AUDIT_OVERLAP,
     2,
     8},
    {"leased again when committed",
     {{LEDGER_GRANT, 1, 0, 0, 10},
      {LEDGER_COMMIT, 1, 0, 0, 10},
      {LEDGER_GRANT, 2, 1, 9, 12}},
     AUDIT_OVERLAP,
     1,
     9},
    {"leased though committed before the run",
     {{LEDGER_BASE, 0, 0, 0, 10}, {LEDGER_GRANT, 1, 0, 9, 12}},
     AUDIT_OVERLAP,
     1,
     9},
    {"number used again",
     {{LEDGER_GRANT, 1, 0, 0, 10},
      {LEDGER_COMMIT, 1, 0, 0, 10},
      {LEDGER_GRANT, 1, 0, 10, 12}},
     AUDIT_ODD,
     1,
     10},
    {"beyond the end", {{LEDGER_GRANT, 1, 0, 90, 101}}, AUDIT_ODD, 1, 90},
    {"cut that is no tail",
     {{LEDGER_GRANT, 1, 0, 0, 10}, {LEDGER_CUT, 1, 0, 3, 5}},
     AUDIT_ODD,
     1,
     3},
    {"cut of what is committed",
     {{LEDGER_GRANT, 1, 0, 0, 10},
      {LEDGER_COMMIT, 1, 0, 8, 9},
      {LEDGER_CUT, 1, 0, 5, 10}},
     AUDIT_ODD,
     1,
     5},
    {"drop of nothing", {{LEDGER_DROP, 1, 0, 0, 0}}, AUDIT_ODD, 1, 0},
    {"base after a lease",
     {{LEDGER_GRANT, 1, 0, 0, 10}, {LEDGER_BASE, 0, 0, 50, 60}},
     AUDIT_ODD,
     1,
     50},
    {"new process while the old one's leases live",
     {{LEDGER_GRANT, 1, 3, 0, 10}, {LEDGER_ENTER, 0, 1, 0, 0}},
     AUDIT_ODD,
     1,
     0},
};

TEST(each_mistake_is_found)
{
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const struct wrong *w = &wrongs[i];
        struct audit *a = new_audit();
        struct audit_finding f;
        struct audit_epoch e;
        struct buf text = {0};

        add_rows(a, w->rows);
        EXPECT(!audit_is_exact(a));
        EXPECT(audit_finding(a, 0, &f));
        if (f.type != w->type || f.range.first != w->first) {
            fprintf(stderr, "%s: %s\n", w->name, f.what);
        }
        EXPECT_EQ(f.type, w->type);
        EXPECT_EQ(f.range.first, w->first);
        EXPECT_EQ(f.term, 3);
        e = audit_epoch(a, 0, 0);
        for (int k = 0; k < AUDIT_FINDINGS; k++) {
            EXPECT_EQ(e.found[k],
                      (enum audit_finding_type)k == w->type ? w->units : 0);
        }
        EXPECT(!audit_finding(a, 1, &f));
        audit_print(a, &text);
        EXPECT(strstr(buf_text(&text), "audit: NOT EXACT") != NULL);
        buf_fini(&text);
        audit_destroy(&a);
    }
}

/* The lease that a new process leaves behind serves nobody any more. */
TEST(commit_of_the_process_before_is_outside)
{
    static const struct row rows[] = {
        {LEDGER_GRANT, 1, 3, 0, 10},
        {LEDGER_ENTER, 0, 1, 0, 0},
        {LEDGER_COMMIT, 1, 0, 0, 5},
        {0, 0, 0, 0, 0},
    };
    struct audit *a = new_audit();

    add_rows(a, rows);
    EXPECT_EQ(audit_epoch(a, 0, 0).found[AUDIT_OUTSIDE], 5);
    audit_destroy(&a);
}

static const struct row holey[] = {
    {LEDGER_BASE, 0, 0, 0, 10},    {LEDGER_GRANT, 1, 0, 20, 30},
    {LEDGER_COMMIT, 1, 0, 20, 30}, {LEDGER_GRANT, 2, 0, 40, 100},
    {LEDGER_SKIP, 2, 0, 41, 42},   {LEDGER_COMMIT, 2, 0, 42, 100},
    {LEDGER_DROP, 2, 0, 0, 0},     {0, 0, 0, 0, 0},
};

static void expect_gaps(const struct audit *a)
{
    static const struct range want[] = {{10, 20}, {30, 41}};
    struct audit_gap gap;

    for (size_t i = 0; i < 2; i++) {
        EXPECT(audit_gap(a, i, &gap));
        EXPECT(gap.epoch == 0 && gap.range.first == want[i].first);
        EXPECT_EQ(gap.range.end, want[i].end);
    }
    EXPECT(!audit_gap(a, 2, &gap));
}

TEST(what_is_missing_is_a_gap_once_the_epoch_has_ended)
{
    static const struct row end[] = {{LEDGER_EPOCH, 0, 0, 0, 0}, {0}};
    struct audit *a = new_audit();
    struct audit_gap gap;
    struct buf text = {0};

    add_rows(a, holey);
    EXPECT(audit_is_exact(a) && !audit_gap(a, 0, &gap));
    EXPECT_EQ(audit_epoch(a, 0, 0).missing, 21);
    add_rows(a, end);
    EXPECT(!audit_is_exact(a));
    expect_gaps(a);
    audit_print(a, &text);
    EXPECT(strstr(buf_text(&text), "gap: train epoch 0 positions 10-19\n") !=
           NULL);
    EXPECT(strstr(buf_text(&text), "audit: NOT EXACT: 21 missing, 0 double, "
                                   "0 outside, 0 overlap, 0 odd\n") != NULL);
    buf_fini(&text);
    audit_destroy(&a);
}

TEST(what_is_missing_is_a_gap_once_the_job_is_over)
{
    struct audit *a = new_audit();

    add_rows(a, holey);
    add_over(a, STATUS_OK);
    EXPECT(!audit_is_exact(a) && audit_is_over(a));
    expect_gaps(a);
    audit_destroy(&a);
}

TEST(epoch_that_was_stopped_has_no_gap)
{
    static const struct row end[] = {
        {LEDGER_STOP, 0, 0, 0, 0}, {LEDGER_EPOCH, 0, 0, 0, 0}, {0}};
    struct audit *a = new_audit();

    add_rows(a, holey);
    add_rows(a, end);
    add_over(a, STATUS_OK);
    EXPECT(audit_is_exact(a)); /* Epoch 1 was never begun. */
    EXPECT(audit_epoch(a, 0, 0).is_stopped);
    audit_destroy(&a);
}

TEST(epoch_that_ends_with_live_leases_is_odd)
{
    static const struct row rows[] = {
        {LEDGER_GRANT, 1, 0, 0, 10}, {LEDGER_EPOCH, 0, 0, 0, 0}, {0}};
    struct audit *a = new_audit();

    add_rows(a, rows);
    EXPECT_EQ(audit_epoch(a, 0, 0).found[AUDIT_ODD], 1);
    audit_destroy(&a);
}

/* ---- Objects ------------------------------------------------------------- */

static void add_object(struct audit *a, enum journal_kind kind, uint64_t first,
                       uint64_t last, enum status want)
{
    struct journal_object o = {
        .kind = kind, .run = RUN, .first = first, .last = last, .term = 1};
    struct buf record = {0};
    struct buf log = {0};
    struct buf body = {0};
    struct buf out = {0};
    struct fault why;

    for (uint64_t n = first; n <= last; n++) {
        buf_clear(&record);
        buf_clear(&log);
        record_write(&(struct record){.type = RECORD_HOST,
                                      .host = {.number = (uint32_t)n}},
                     &record);
        journal_add_record(buf_bytes(&record), &log);
        journal_add_log(1, buf_bytes(&log), &body);
    }
    o.body = kind == JOURNAL_KIND_LOG ? buf_bytes(&log) : buf_bytes(&body);
    journal_object_write(&o, &out);
    EXPECT_EQ(audit_add_object(a, buf_bytes(&out), &why), want);
    buf_fini(&record);
    buf_fini(&log);
    buf_fini(&body);
    buf_fini(&out);
}

static void expect_text(const struct audit *a, const char *part)
{
    struct buf out = {0};

    audit_print(a, &out);
    EXPECT(strstr(buf_text(&out), part) != NULL);
    buf_fini(&out);
}

TEST(numbers_are_taken_once)
{
    struct audit *a = audit_new();

    add_object(a, JOURNAL_KIND_AUDIT, 1, 4, STATUS_OK);
    add_object(a, JOURNAL_KIND_AUDIT, 1, 6, STATUS_OK);
    add_object(a, JOURNAL_KIND_LOG, 3, 3, STATUS_OK);
    add_object(a, JOURNAL_KIND_LOG, 7, 7, STATUS_OK);
    expect_text(a, "run feed: 7 journal objects, 7 records, ");
    EXPECT(audit_is_exact(a));
    audit_destroy(&a);
}

TEST(missing_number_is_told)
{
    struct audit *a = audit_new();

    add_object(a, JOURNAL_KIND_AUDIT, 1, 4, STATUS_OK);
    add_object(a, JOURNAL_KIND_LOG, 6, 6, STATUS_MALFORMED);
    EXPECT(!audit_is_exact(a));
    expect_text(a, "not all of it could be read");
    audit_destroy(&a);
}

TEST(record_of_no_plan_is_refused)
{
    struct audit *a = audit_new();
    struct buf out = {0};
    struct fault why;

    record_write(&(struct record){.type = RECORD_LEDGER,
                                  .ledger = {.entry = {.type = LEDGER_STOP}}},
                 &out);
    EXPECT_EQ(audit_add_record(a, 1, buf_bytes(&out), &why), STATUS_MALFORMED);
    EXPECT_STR(why.text, "a record of channel 0 without a plan");
    EXPECT(!audit_is_exact(a));
    buf_fini(&out);
    audit_destroy(&a);
}

/* ---- Reports ------------------------------------------------------------- */

TEST(report_is_json)
{
    struct audit *a = new_audit();
    struct buf out = {0};
    struct fault why;
    struct json_doc *doc;
    const struct json *root;
    const struct json *channel;

    add(a, &(struct record){.type = RECORD_SKIPPED,
                            .skipped = {.position = 17,
                                        .reason = BYTES("cut \"short\"\x01")}});
    add_rows(a, good);
    add_over(a, STATUS_OK);
    audit_json(a, &out);
    EXPECT_EQ(json_parse(buf_bytes(&out), "audit", &why, &doc), STATUS_OK);
    root = json_root(doc);
    EXPECT(json_is_true(json_get(root, "exact")));
    EXPECT(json_is_true(json_get(root, "over")));
    EXPECT_EQ(json_count(json_get(root, "holders")), 4);
    EXPECT_EQ(json_count(json_get(root, "skipped")), 1);
    EXPECT(bytes_is(
        json_string(json_get(json_at(json_get(root, "skipped"), 0), "key")),
        ""));
    channel = json_at(json_get(root, "channels"), 0);
    EXPECT(bytes_is(json_string(json_get(channel, "name")), "train"));
    EXPECT_EQ(json_count(json_get(channel, "epochs")), 2);
    json_destroy(&doc);
    buf_fini(&out);
    audit_destroy(&a);
}

TEST(report_reads_well)
{
    struct audit *a = new_audit();

    add(a, &(struct record){
               .type = RECORD_SKIPPED,
               .skipped = {.position = 17, .reason = BYTES("cut\x1b[2J")}});
    add_rows(a, good);
    expect_text(a, "channel train: 100 positions, 2 of 2 epochs begun, "
                   "catalog abc\n");
    expect_text(a, "    0         99          0        1          0       0 "
                   "       0        0  complete\n");
    expect_text(a, "skipped: train epoch 0 position 17: cut?[2J\n");
    expect_text(a, "the job is not over\n");
    expect_text(a, "\naudit: exact so far\n");
    add_over(a, STATUS_OK);
    expect_text(a, "\naudit: exact\n");
    audit_destroy(&a);
}

TEST(who_looks_it_up_is_told_the_key)
{
    struct audit *a = new_audit();
    struct audit_skipped skipped;

    add(a, &(struct record){
               .type = RECORD_SKIPPED,
               .skipped = {.position = 17, .reason = BYTES("cut short")}});
    EXPECT(audit_skipped(a, 0, &skipped) && !audit_skipped(a, 1, &skipped));
    EXPECT_EQ(skipped.position, 17);
    EXPECT(skipped.key == NULL);
    expect_text(a, "skipped: train epoch 0 position 17: cut short\n");
    audit_name_skip(a, 0, BYTES("a/\x1b[2Jb"));
    expect_text(a, "skipped: train epoch 0 position 17: a/?[2Jb: cut short\n");
    EXPECT(audit_skipped(a, 0, &skipped));
    EXPECT_STR(skipped.key, "a/\x1b[2Jb");
    audit_destroy(&a);
}
