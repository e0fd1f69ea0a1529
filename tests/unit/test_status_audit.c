/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_audit.h"

#include <poll.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/share.h"
#include "cli/store_queue.h"
#include "coordinator/cursor.h"
#include "coordinator/dealt.h"
#include "coordinator/record.h"
#include "tests/harness.h"

#define RUN "0123456789abcdef0123456789abcdef"

/* Far longer than any of it takes: only what hangs runs into it. */
enum { HANG_MS = 60000, POSITIONS = 16, GAP_MS = 10 };

static char root[64];
static char uri[80];

/* A journal on the store, and the ledger whose changes it keeps. */
struct writer {
    struct journal *journal;
    struct store_queue *queue;
    struct ledger *ledger;
    uint64_t now_ms;
    uint64_t open; /* Requests. */
    bool wants_snapshot;
};

static void setup(void)
{
    snprintf(root, sizeof(root), "/tmp/test_status_audit.XXXXXX");
    EXPECT(mkdtemp(root) != NULL);
    snprintf(uri, sizeof(uri), "file://%s/state/", root);
}

static void clean(void)
{
    struct fault why;

    EXPECT_EQ(file_remove_tree(root, &why), STATUS_OK);
}

static void step(struct writer *w, struct journal_event event)
{
    struct journal_effects fx = {0};
    struct journal_found found;

    w->now_ms += GAP_MS;
    event.now_ms = w->now_ms;
    journal_step(w->journal, &event, &fx);
    while (journal_take(w->journal, &found)) {
    }
    for (uint32_t i = 0; i < fx.request_count; i++) {
        store_queue_add(w->queue, &fx.requests[i]);
        w->open++;
    }
    w->wants_snapshot = fx.wants_snapshot;
}

/* Go on until no request is open. */
static void settle(struct writer *w)
{
    struct pollfd fd = {.fd = store_queue_fd(w->queue), .events = POLLIN};
    struct journal_event event;

    step(w, (struct journal_event){.type = JOURNAL_EVENT_TIMER});
    while (w->open > 0) {
        if (!store_queue_take(w->queue, &event)) {
            EXPECT_EQ(poll(&fd, 1, HANG_MS), 1);
            continue;
        }
        w->open--;
        step(w, event);
        step(w, (struct journal_event){.type = JOURNAL_EVENT_TIMER});
    }
    EXPECT_EQ(journal_state(w->journal), JOURNAL_OPEN);
}

static void append(struct writer *w, const struct record *record)
{
    struct buf text = {0};

    record_write(record, &text);
    journal_append(w->journal, buf_bytes(&text));
    buf_fini(&text);
    settle(w);
    if (w->wants_snapshot) {
        journal_snapshot(w->journal, BYTES("all of it"));
        settle(w);
    }
}

static void append_entries(struct writer *w)
{
    size_t count;
    const struct ledger_entry *entries = ledger_take_entries(w->ledger, &count);

    for (size_t i = 0; i < count; i++) {
        append(w, &(struct record){.type = RECORD_LEDGER,
                                   .ledger = {.entry = entries[i]}});
    }
}

static struct writer open_writer(uint64_t snapshot_bytes)
{
    static const uint32_t ranks[] = {1};
    static const uint32_t weights[] = {100};
    struct writer w = {.now_ms = 1000};
    struct fault why;

    EXPECT_EQ(store_queue_start(uri, "runs/" RUN "/", &why, &w.queue),
              STATUS_OK);
    w.journal = journal_new(&(struct journal_options){
        .run = RUN,
        .term = 1,
        .nonce = 5,
        .now_ms = w.now_ms,
        .gap_ms = GAP_MS,
        .retry_ms = GAP_MS,
        .snapshot_bytes = snapshot_bytes,
        .has_conditions = true,
    });
    w.ledger = ledger_new(&(struct ledger_options){
        .positions = POSITIONS,
        .epochs = 1,
        .host_count = 1,
        .host_ranks = ranks,
        .host_weights = weights,
        .lease_ms = 100000,
        .run_ms = 1000,
        .run_units = 1,
    });
    settle(&w);
    return w;
}

static void close_writer(struct writer *w)
{
    journal_destroy(&w->journal);
    store_queue_end(&w->queue);
    ledger_destroy(&w->ledger);
}

static void begin(struct writer *w)
{
    append(w, &(struct record){.type = RECORD_PLAN,
                               .plan = {.name = BYTES("train"),
                                        .catalog = BYTES("abc"),
                                        .is_dynamic = true,
                                        .positions = POSITIONS,
                                        .epochs = 1,
                                        .ranks = BYTES("\x01")}});
    append(w, &(struct record){.type = RECORD_HOST,
                               .host = {.ranks = 1,
                                        .attempt = 1,
                                        .name = BYTES("algo-1"),
                                        .incarnation = BYTES("i")}});
    ledger_enter(w->ledger, 0, w->now_ms);
    append_entries(w);
}

/* Deal and commit @count units. */
static void work(struct writer *w, int count)
{
    for (int i = 0; i < count; i++) {
        struct ledger_lease lease;

        EXPECT_EQ(ledger_want(w->ledger,
                              &(struct ledger_want){.now_ms = w->now_ms},
                              &lease),
                  STATUS_OK);
        EXPECT_EQ(ledger_commit(w->ledger,
                                &(struct ledger_word){0, lease.number,
                                                      lease.range, w->now_ms}),
                  STATUS_OK);
        append_entries(w);
    }
}

static void end(struct writer *w)
{
    append(w, &(struct record){.type = RECORD_OVER,
                               .over = {.status = STATUS_PEER_FAILED,
                                        .exit_code = 3,
                                        .host = BYTES("algo-1"),
                                        .reason = BYTES("it broke")}});
}

static struct audit *read_audit(void)
{
    struct audit *a;
    struct fault why = {.text = ""};
    enum status s = status_audit_read(uri, RUN, &why, &a);

    EXPECT_STR(why.text, "");
    EXPECT_EQ(s, STATUS_OK);
    return a;
}

static void expect_committed(uint64_t count, bool is_over)
{
    struct audit *a = read_audit();

    EXPECT(audit_is_exact(a));
    EXPECT_EQ(audit_is_over(a), is_over);
    EXPECT_EQ(audit_channel_count(a), 1);
    EXPECT_EQ(audit_epoch(a, 0, 0).committed, count);
    EXPECT_EQ(audit_epoch(a, 0, 0).leases, count);
    audit_destroy(&a);
}

static void expect_end(bool is_known)
{
    struct status_ended e;
    struct fault why;

    EXPECT_EQ(status_audit_end(uri, RUN, &why, &e), STATUS_OK);
    EXPECT_EQ(e.is_known, is_known);
    if (is_known) {
        EXPECT_EQ(e.status, STATUS_PEER_FAILED);
        EXPECT_EQ(e.exit_code, 3);
        EXPECT_STR(buf_text(&e.host), "algo-1");
        EXPECT_STR(buf_text(&e.reason), "it broke");
    }
    status_ended_fini(&e);
}

static bool has_folder(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/state/runs/" RUN "/%s", root, name);
    return file_is_there(path);
}

/* While the job runs, when all is done, and when it is over. */
TEST(a_journal_is_read_while_it_is_written)
{
    struct writer w;

    setup();
    w = open_writer(1 << 20);
    begin(&w);
    work(&w, 5);
    expect_committed(5, false);
    expect_end(false);
    work(&w, POSITIONS - 5);
    expect_committed(POSITIONS, false);
    end(&w);
    expect_committed(POSITIONS, true);
    expect_end(true);
    EXPECT_EQ(journal_stats(w.journal).snapshots, 0);
    close_writer(&w);
    clean();
}

/* Most of it is in audit objects by now. */
TEST(a_journal_that_was_compacted)
{
    struct writer w;

    setup();
    w = open_writer(200);
    begin(&w);
    work(&w, 5);
    expect_committed(5, false);
    work(&w, POSITIONS - 5);
    end(&w);
    EXPECT(journal_stats(w.journal).snapshots > 1);
    EXPECT(has_folder("audit"));
    expect_committed(POSITIONS, true);
    expect_end(true);
    close_writer(&w);
    clean();
}

/* The outcome is found where a snapshot has swallowed it, too. */
TEST(an_outcome_that_was_compacted)
{
    struct writer w;

    setup();
    w = open_writer(1);
    begin(&w);
    end(&w);
    EXPECT(journal_stats(w.journal).snapshots > 0);
    expect_end(true);
    close_writer(&w);
    clean();
}

static void write_object(const char *key, struct bytes body)
{
    struct fault why;
    char path[256];

    snprintf(path, sizeof(path), "%s/state/runs/" RUN "/%s", root, key);
    EXPECT_EQ(file_write(path, body, false, &why), STATUS_OK);
}

static void expect_refused(enum status status, const char *part)
{
    struct audit *a;
    struct fault why = {.text = ""};

    EXPECT_EQ(status_audit_read(uri, RUN, &why, &a), status);
    EXPECT(a == NULL);
    EXPECT(strstr(why.text, part) != NULL);
}

TEST(what_is_damaged_is_named)
{
    struct writer w;
    char key[JOURNAL_KEY_MAX];

    setup();
    w = open_writer(1 << 20);
    begin(&w);
    work(&w, 3);
    close_writer(&w);
    journal_key(JOURNAL_KIND_LOG, 3, 3, key);
    EXPECT(has_folder(key));
    write_object(key, BYTES("damaged"));
    expect_refused(STATUS_MALFORMED, key);
    clean();
}

TEST(what_is_missing_is_missed)
{
    struct writer w;
    struct fault why;
    char key[JOURNAL_KEY_MAX];
    char path[256];

    setup();
    w = open_writer(1 << 20);
    begin(&w);
    work(&w, 3);
    close_writer(&w);
    journal_key(JOURNAL_KIND_LOG, 3, 3, key);
    snprintf(path, sizeof(path), "%s/state/runs/" RUN "/%s", root, key);
    EXPECT_EQ(file_remove_tree(path, &why), STATUS_OK);
    expect_refused(STATUS_MALFORMED, "journal/");
    clean();
}

TEST(a_run_without_a_journal)
{
    struct status_ended e;
    struct fault why;

    setup();
    write_object("dealt", BYTES("x"));
    expect_refused(STATUS_NOT_FOUND, "there is no journal");
    EXPECT_EQ(status_audit_end(uri, RUN, &why, &e), STATUS_OK);
    EXPECT(!e.is_known);
    status_ended_fini(&e);
    clean();
}

TEST(a_place_that_is_none)
{
    struct audit *a;
    struct fault why = {.text = ""};

    EXPECT_EQ(status_audit_read("gopher://x/", RUN, &why, &a), STATUS_INVALID);
    EXPECT(a == NULL && why.text[0] != '\0');
}

/* ---- Which objects were skipped -------------------------------------------
 */

/* Objects "key-00", "key-01", … as the state keeps them, and what was dealt
 * of them with @how. */
static void write_dealt(const struct cursor_how *how)
{
    struct wire_share_all shares[1] = {{.rank_count = 1}};
    uint32_t ones[] = {1};
    struct dealt d = {.host_count = 1,
                      .ranks = ones,
                      .weights = ones,
                      .shares = shares,
                      .channel_count = 1};
    struct catalog_builder *builder;
    struct catalog *catalog;
    struct store *store;
    struct buf prefix = {0};
    struct buf text = {0};
    struct buf how_text = {0};
    struct fault why;
    char key[128];

    EXPECT_EQ(catalog_builder_new(&builder), STATUS_OK);
    for (int i = 0; i < POSITIONS; i++) {
        snprintf(key, sizeof(key), "key-%02d", i);
        EXPECT_EQ(
            catalog_builder_add(
                builder, &(struct catalog_object){.key = bytes_of(key)}, &why),
            STATUS_OK);
    }
    EXPECT_EQ(catalog_builder_finish(&builder, &catalog), STATUS_OK);
    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &store, &prefix), STATUS_OK);
    snprintf(key, sizeof(key), "%scatalog/%s", buf_text(&prefix),
             catalog_name(catalog));
    EXPECT_EQ(share_write(store, key, catalog, &why), STATUS_OK);
    cursor_how_write(how, &how_text);
    d.channels[0] = (struct dealt_channel){
        .name = BYTES("train"),
        .catalog = bytes_of(catalog_name(catalog)),
        .is_dynamic = true,
        .positions = POSITIONS,
        .epochs = 1,
        .how = buf_bytes(&how_text),
    };
    dealt_write(&d, RUN, &text);
    write_object("dealt", buf_bytes(&text));
    store_close(&store);
    catalog_destroy(&catalog);
    buf_fini(&prefix);
    buf_fini(&how_text);
    buf_fini(&text);
}

static void expect_skipped(uint64_t position, const char *want)
{
    struct audit *a = read_audit();
    struct audit_skipped skipped;

    status_audit_keys(uri, RUN, a);
    EXPECT(audit_skipped(a, 0, &skipped));
    EXPECT_EQ(skipped.position, position);
    EXPECT((skipped.key == NULL) == (want == NULL));
    EXPECT(want == NULL || strcmp(skipped.key, want) == 0);
    audit_destroy(&a);
}

TEST(skipped_units_are_named)
{
    struct cursor_how plain = {.is_dynamic = true};
    struct cursor_how shuffled = {
        .is_dynamic = true, .has_seed = true, .seed = 7};
    struct writer w;
    struct order order;
    char want[16];

    setup();
    w = open_writer(1 << 20);
    begin(&w);
    append(&w, &(struct record){
                   .type = RECORD_SKIPPED,
                   .skipped = {.position = 5, .reason = BYTES("cut short")}});
    close_writer(&w);
    expect_skipped(5, NULL); /* What was dealt is not there. */
    write_dealt(&plain);
    expect_skipped(5, "key-05");
    write_dealt(&shuffled);
    cursor_order(&shuffled, BYTES("train"), 0, POSITIONS, &order);
    snprintf(want, sizeof(want), "key-%02d", (int)order_unit(&order, 5));
    EXPECT(strcmp(want, "key-05") != 0);
    expect_skipped(5, want);
    write_object("dealt", BYTES("damaged"));
    expect_skipped(5, NULL);
    clean();
}

TEST(a_catalog_that_is_gone_is_no_fault)
{
    struct cursor_how plain = {.is_dynamic = true};
    struct fault why;
    struct writer w;
    char path[256];

    setup();
    w = open_writer(1 << 20);
    begin(&w);
    append(&w, &(struct record){.type = RECORD_SKIPPED,
                                .skipped = {.position = POSITIONS - 1,
                                            .reason = BYTES("cut short")}});
    close_writer(&w);
    write_dealt(&plain);
    expect_skipped(POSITIONS - 1, "key-15");
    snprintf(path, sizeof(path), "%s/state/catalog", root);
    EXPECT_EQ(file_remove_tree(path, &why), STATUS_OK);
    expect_skipped(POSITIONS - 1, NULL);
    clean();
}
