/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/journal.h"

#include "tests/unit/journal_kit.h"

#define NO_SNAPSHOTS (UINT64_C(1) << 40)

/* ---- The audit ---------------------------------------------------------- */

static int kit_compare(const void *a, const void *b)
{
    const struct kit_object *x = a;
    const struct kit_object *y = b;

    return strcmp(x->key, y->key);
}

static void kit_audit_records(struct bytes records, struct kit_list *out)
{
    struct bytes record;

    while (journal_next_record(&records, &record)) {
        kit_list_add(out, kit_number(record));
    }
    EXPECT_EQ(records.size, 0);
}

/* All audit objects, and the journal objects after them, are the history,
 * without a hole. */
static void kit_audit(struct kit *k)
{
    struct kit_list *got = mem_new(1, sizeof(*got));
    uint64_t next = 1;

    qsort(k->objects, k->object_count, sizeof(k->objects[0]), kit_compare);
    for (size_t i = 0; i < k->object_count; i++) {
        struct journal_object o;
        struct journal_walk walk;
        struct journal_log log;

        if (k->objects[i].etag == 0 ||
            strcmp(k->objects[i].key, "snapshot") == 0) {
            continue;
        }
        EXPECT_EQ(journal_object_read(buf_bytes(&k->objects[i].body), NULL, &o),
                  STATUS_OK);
        journal_walk_init(&walk, &o);
        while (journal_next_log(&walk, &log)) {
            EXPECT(log.number <= next);
            if (log.number == next) {
                kit_audit_records(log.records, got);
                next++;
            }
        }
        EXPECT(!walk.is_damaged);
    }
    EXPECT_EQ(got->count, k->history.count);
    EXPECT(memcmp(got->at, k->history.at, got->count * sizeof(uint64_t)) == 0);
    free(got);
}

/* ---- One case each ------------------------------------------------------ */

static struct kit_object *stored(struct kit *k, enum journal_kind kind,
                                 uint64_t first, uint64_t last)
{
    char key[JOURNAL_KEY_MAX];

    return kit_find(k, journal_key(kind, first, last, key));
}

static bool is_stored(struct kit *k, enum journal_kind kind, uint64_t first,
                      uint64_t last)
{
    return stored(k, kind, first, last)->etag != 0;
}

/* As kit_settle(), but no further than to OPEN. */
static void recover(struct kit *k, struct kit_host *h)
{
    while (journal_state(h->j) == JOURNAL_RECOVERING) {
        EXPECT(h->call_count > 0);
        kit_run(k, &h->calls[0]);
        kit_answer(k, h, 0, STATUS_OK);
    }
}

TEST(first_reign_seals_number_one)
{
    struct kit *k = kit_new(NO_SNAPSHOTS);
    struct kit_host *a = kit_start(k);

    EXPECT_EQ(journal_state(a->j), JOURNAL_RECOVERING);
    kit_settle(k, a);
    EXPECT_EQ(journal_state(a->j), JOURNAL_OPEN);
    EXPECT_EQ(journal_stats(a->j).number, 1);
    EXPECT(is_stored(k, JOURNAL_KIND_LOG, 1, 1));
    kit_write(k, a, 3);
    EXPECT_EQ(journal_durable(a->j), 3);
    EXPECT_EQ(journal_stats(a->j).number, 4);
    kit_destroy(&k);
}

TEST(what_is_appended_meanwhile_goes_into_one_object)
{
    struct kit *k = kit_new(NO_SNAPSHOTS);
    struct kit_host *a = kit_start(k);

    kit_settle(k, a);
    kit_append(k, a);
    kit_timer(k, a);
    EXPECT_EQ(a->call_count, 1);
    for (int i = 0; i < 100; i++) {
        kit_append(k, a);
        kit_timer(k, a);
    }
    EXPECT_EQ(a->call_count, 1);
    EXPECT_EQ(journal_durable(a->j), 0);
    EXPECT_EQ(journal_stats(a->j).waiting, 101);
    kit_run(k, &a->calls[0]);
    kit_answer(k, a, 0, STATUS_OK);
    EXPECT_EQ(journal_durable(a->j), 1);
    EXPECT_EQ(a->call_count, 0); /* The next one not before gap_ms. */
    EXPECT_EQ(a->timer_ms, k->now_ms + KIT_GAP_MS);
    kit_settle(k, a);
    EXPECT_EQ(journal_durable(a->j), 101);
    EXPECT_EQ(journal_stats(a->j).number, 3);
    kit_destroy(&k);
}

TEST(snapshot_swallows_but_for_seals)
{
    struct kit *k = kit_new(200);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    kit_settle(k, a);
    kit_write(k, a, 20);
    EXPECT(journal_stats(a->j).snapshots > 1);
    EXPECT(is_stored(k, JOURNAL_KIND_LOG, 1, 1));
    EXPECT(!is_stored(k, JOURNAL_KIND_LOG, 2, 2));
    kit_kill(k, a);
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(b->found, 20);
    EXPECT_EQ(journal_stats(b->j).number, 22);
    kit_write(k, b, 20);
    EXPECT(is_stored(k, JOURNAL_KIND_LOG, 1, 1));
    EXPECT(is_stored(k, JOURNAL_KIND_LOG, 22, 22));
    for (uint64_t n = 23; n < 30; n++) {
        EXPECT(!is_stored(k, JOURNAL_KIND_LOG, n, n));
    }
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(b->found, 40);
    kit_audit(k);
    kit_destroy(&k);
}

/* The first writer sleeps while its next number is taken, swallowed and
 * would be free again but for the seal. */
TEST(writer_that_slept_through_a_snapshot_is_fenced)
{
    struct kit *k = kit_new(200);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    kit_settle(k, a);
    kit_write(k, a, 3);
    b = kit_start(k);
    kit_settle(k, b);
    kit_write(k, b, 30);
    EXPECT(journal_stats(b->j).snapshots > 1);
    kit_append(k, a);
    kit_timer(k, a);
    kit_settle(k, a);
    EXPECT_EQ(journal_state(a->j), JOURNAL_FENCED);
    EXPECT_EQ(journal_durable(a->j), 3);
    EXPECT_STR(journal_fault(a->j),
               "journal object 5 of run " KIT_RUN
               " was written by the coordinator of term 2; this one, of term "
               "1, leads no more");
    kit_append(k, a); /* Goes nowhere. */
    kit_timer(k, a);
    EXPECT_EQ(a->call_count, 0);
    kit_destroy(&k);
}

/* The new one reads a log that the old one is just swallowing. */
TEST(recovery_begins_anew_when_its_seal_is_below_a_snapshot)
{
    struct kit *k = kit_new(200);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    kit_settle(k, a);
    b = kit_start(k);
    kit_run(k, &b->calls[0]); /* There is no snapshot yet. */
    kit_write(k, a, 20);
    kit_answer(k, b, 0, STATUS_OK);
    kit_settle(k, b);
    EXPECT_EQ(k->resets, 1);
    EXPECT_EQ(b->found, 20);
    kit_write(k, b, 20);
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(b->found, 40);
    kit_audit(k);
    kit_destroy(&k);
}

/* A number that was swallowed is taken again, by the seal of a recovery that
 * was as late as this one. All that follows is still there. */
TEST(recovery_begins_anew_when_the_snapshot_has_moved)
{
    struct kit *k = kit_new(200);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;
    struct journal_object seal = {
        .kind = JOURNAL_KIND_LOG,
        .run = KIT_RUN,
        .term = 1,
        .nonce = 77,
    };
    struct kit_object *o;

    recover(k, a);
    b = kit_start(k);
    kit_run(k, &b->calls[0]); /* There is no snapshot yet. */
    kit_write(k, a, 20);
    EXPECT(!is_stored(k, JOURNAL_KIND_LOG, 2, 2));
    for (uint64_t n = 2; n <= 21; n++) {
        o = stored(k, JOURNAL_KIND_LOG, n, n);
        if (o->etag == 0) {
            seal.first = n;
            seal.last = n;
            buf_clear(&o->body);
            journal_object_write(&seal, &o->body);
            o->etag = ++k->etags;
        }
    }
    kit_answer(k, b, 0, STATUS_OK);
    recover(k, b);
    EXPECT_EQ(k->resets, 1);
    EXPECT_EQ(b->found, 20);
    kit_destroy(&k);
}

TEST(old_snapshot_that_arrives_late_is_replaced)
{
    struct kit *k = kit_new(200);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;
    size_t i = 0;

    kit_settle(k, a);
    while (i == 0 || strcmp(a->calls[i - 1].request.key, "snapshot") != 0) {
        if (a->wants_snapshot) {
            kit_snapshot(a);
        } else if (a->call_count > 0) {
            kit_run(k, &a->calls[0]);
            kit_answer(k, a, 0, STATUS_OK);
        } else {
            kit_append(k, a);
        }
        k->now_ms += KIT_GAP_MS;
        kit_timer(k, a);
        for (i = a->call_count; i > 0; i--) {
            if (strcmp(a->calls[i - 1].request.key, "snapshot") == 0) {
                break;
            }
        }
    }
    b = kit_start(k);
    recover(k, b);
    kit_run(k, &a->calls[i - 1]);
    kit_answer(k, a, i - 1, STATUS_OK);
    EXPECT_EQ(journal_stats(a->j).snapshots, 1);
    kit_settle(k, a); /* It deletes until it sees that it is fenced. */
    kit_write(k, b, 20);
    EXPECT(journal_stats(b->j).snapshots > 0);
    EXPECT_EQ(journal_state(b->j), JOURNAL_OPEN);
    b = kit_start(k);
    kit_settle(k, b);
    kit_audit(k);
    kit_destroy(&k);
}

/* What a dead writer could not delete is deleted with the next snapshot. */
TEST(leftovers_are_swept_by_the_next_writer)
{
    struct kit *k = kit_new(200);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    recover(k, a);
    while (journal_stats(a->j).snapshots < 2) {
        if (a->call_count == 0) {
            kit_append(k, a);
        }
        for (size_t i = a->call_count; i > 0; i--) {
            bool fails = a->calls[0].request.ask == JOURNAL_DELETE;

            if (!fails) {
                kit_run(k, &a->calls[0]);
            }
            kit_answer(k, a, 0, fails ? STATUS_STORE : STATUS_OK);
        }
        if (a->wants_snapshot) {
            kit_snapshot(a);
        }
        k->now_ms += KIT_GAP_MS;
        kit_timer(k, a);
    }
    kit_kill(k, a);
    EXPECT(is_stored(k, JOURNAL_KIND_LOG, 2, 2));
    b = kit_start(k);
    recover(k, b);
    kit_write(k, b, 20);
    EXPECT(is_stored(k, JOURNAL_KIND_LOG, 1, 1));
    for (uint64_t n = 2; n < 20; n++) {
        EXPECT(is_stored(k, JOURNAL_KIND_LOG, n, n) ==
               (n == journal_stats(b->j).number - 20));
    }
    kit_destroy(&k);
}

/* ---- What is stored is damaged ------------------------------------------ */

static void cut(struct kit_object *o)
{
    EXPECT(o->etag != 0);
    o->body.size -= 3;
}

TEST(cut_answer_is_read_again)
{
    struct kit *k = kit_new(NO_SNAPSHOTS);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    kit_settle(k, a);
    kit_write(k, a, 2);
    b = kit_start(k);
    kit_run(k, &b->calls[0]);
    kit_answer(k, b, 0, STATUS_OK);
    for (size_t i = b->call_count; i > 0; i--) {
        kit_run(k, &b->calls[0]);
        if (b->calls[0].status == STATUS_OK) {
            b->calls[0].body.size /= 2;
        }
        kit_answer(k, b, 0, STATUS_OK);
    }
    kit_settle(k, b);
    EXPECT_EQ(journal_state(b->j), JOURNAL_OPEN);
    EXPECT_EQ(journal_stats(b->j).failures, 3);
    EXPECT_EQ(b->found, 2);
    kit_destroy(&k);
}

TEST(object_that_stays_cut_breaks_the_journal)
{
    struct kit *k = kit_new(NO_SNAPSHOTS);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    kit_settle(k, a);
    kit_write(k, a, 3);
    cut(stored(k, JOURNAL_KIND_LOG, 3, 3));
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(journal_state(b->j), JOURNAL_BROKEN);
    EXPECT(strstr(journal_fault(b->j),
                  "journal/00000000000000000003 of run " KIT_RUN
                  " can't be read") != NULL);
    EXPECT(!is_stored(k, JOURNAL_KIND_LOG, 5, 5));
    kit_destroy(&k);
}

TEST(snapshot_that_stays_cut_breaks_the_journal)
{
    struct kit *k = kit_new(200);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    kit_settle(k, a);
    kit_write(k, a, 20);
    cut(stored(k, JOURNAL_KIND_SNAPSHOT, 0, 0));
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(journal_state(b->j), JOURNAL_BROKEN);
    EXPECT(strstr(journal_fault(b->j), "snapshot of run ") != NULL);
    kit_destroy(&k);
}

/* An object of one number under the key of another. */
TEST(object_in_the_wrong_place_breaks_the_journal)
{
    struct kit *k = kit_new(NO_SNAPSHOTS);
    struct kit_host *a = kit_start(k);
    struct kit_host *b;
    struct kit_object *two;
    struct kit_object *three;

    kit_settle(k, a);
    kit_write(k, a, 3);
    two = stored(k, JOURNAL_KIND_LOG, 2, 2);
    three = stored(k, JOURNAL_KIND_LOG, 3, 3);
    buf_clear(&two->body);
    buf_add_bytes(&two->body, buf_bytes(&three->body));
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(journal_state(b->j), JOURNAL_BROKEN);
    EXPECT(strstr(journal_fault(b->j), "it is of number 3") != NULL);
    kit_destroy(&k);
}

TEST(older_term_gives_way_to_a_newer_one)
{
    struct kit *k = kit_new(NO_SNAPSHOTS);
    struct kit_host *a = kit_start(k);
    struct kit_host *b = kit_start(k);

    kit_settle(k, b);
    kit_write(k, b, 1);
    kit_settle(k, a);
    EXPECT_EQ(journal_state(a->j), JOURNAL_FENCED);
    EXPECT_EQ(journal_state(b->j), JOURNAL_OPEN);
    kit_destroy(&k);
}

TEST(without_conditions_plain_writes_are_made)
{
    struct kit *k = kit_new(200);
    struct kit_host *a;
    struct kit_host *b;

    k->has_conditions = false;
    a = kit_start(k);
    kit_settle(k, a);
    kit_write(k, a, 20);
    kit_kill(k, a);
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(b->found, 20);
    kit_write(k, b, 20);
    EXPECT(journal_stats(b->j).snapshots > 0);
    kit_destroy(&k);
}

/* ---- Sizes -------------------------------------------------------------- */

/* What is more than an object holds goes into several; the log that no
 * snapshot has swallowed yet is copied before it takes too much memory. */
TEST(large_backlog_is_cut_into_objects)
{
    struct kit *k = kit_new(NO_SNAPSHOTS);
    struct kit_host *a = kit_start(k);
    char *record = mem_new(1, JOURNAL_RECORD_MAX);
    uint64_t mark = 0;

    kit_settle(k, a);
    for (uint32_t i = 0; i < 300; i++) {
        mark = journal_append(a->j, (struct bytes){record, JOURNAL_RECORD_MAX});
        kit_list_add(&a->known, k->records);
    }
    kit_timer(k, a);
    kit_settle(k, a);
    EXPECT_EQ(journal_durable(a->j), mark);
    EXPECT_EQ(journal_stats(a->j).number, 4);
    EXPECT(is_stored(k, JOURNAL_KIND_AUDIT, 1, 2));
    EXPECT(is_stored(k, JOURNAL_KIND_AUDIT, 3, 3));
    EXPECT(is_stored(k, JOURNAL_KIND_LOG, 2, 2));
    free(record);
    kit_destroy(&k);
}

/* ---- Each request fails once -------------------------------------------- */

/* Two reigns with snapshots, the first one woken after the second began. */
static void torture_run(struct kit *k)
{
    struct kit_host *a = kit_start(k);
    struct kit_host *b;

    kit_settle(k, a);
    kit_write(k, a, 12);
    b = kit_start(k);
    kit_settle(k, b);
    kit_write(k, b, 12);
    EXPECT_EQ(journal_durable(b->j), 12);
    kit_append(k, a);
    kit_timer(k, a);
    kit_settle(k, a);
    EXPECT_EQ(journal_state(a->j), JOURNAL_FENCED);
    b = kit_start(k);
    kit_settle(k, b);
    EXPECT_EQ(b->found, 24);
    kit_audit(k);
}

TEST(each_request_fails_once)
{
    struct kit *k = kit_new(200);
    uint64_t requests;

    torture_run(k);
    requests = k->requests;
    kit_destroy(&k);
    EXPECT(requests > 60);
    for (uint64_t i = 1; i <= requests; i++) {
        for (int before = 0; before < 2; before++) {
            k = kit_new(200);
            k->fail_at = i;
            k->fail_before = before != 0;
            torture_run(k);
            EXPECT(k->requests > requests - 10);
            kit_destroy(&k);
        }
    }
}

/* ---- Any order ---------------------------------------------------------- */

struct chance {
    struct kit *k;
    struct prng p;
    bool is_asleep[KIT_HOSTS_MAX];
};

/* Something happens to the call @i of @h. */
static void chance_call(struct chance *c, struct kit_host *h, size_t i)
{
    struct kit_call *call = &h->calls[i];
    uint64_t dice = prng_below(&c->p, 20);

    if (!call->is_done && dice > 0) {
        kit_run(c->k, call);
        if (prng_chance(&c->p, 1, 8)) {
            kit_lose(c->k, call); /* A copy is still on its way. */
        }
        return;
    }
    if (dice < 3) {
        if (!call->is_done && prng_chance(&c->p, 1, 2)) {
            kit_lose(c->k, call);
        }
        kit_answer(c->k, h, i, STATUS_STORE);
    } else if (dice < 4 && call->request.ask == JOURNAL_GET) {
        call->body.size -= call->body.size > 0;
        kit_answer(c->k, h, i, STATUS_OK);
    } else if (call->is_done) {
        kit_answer(c->k, h, i, STATUS_OK);
    }
}

static void chance_host(struct chance *c, struct kit_host *h)
{
    uint64_t dice = prng_below(&c->p, 10);

    if (h->call_count > 0 && dice < 6) {
        chance_call(c, h, prng_below(&c->p, h->call_count));
    } else if (h->wants_snapshot && dice < 8) {
        kit_snapshot(h);
    } else if (h->has_opened && journal_state(h->j) == JOURNAL_OPEN &&
               dice < 8) {
        kit_append(c->k, h);
    } else {
        c->k->now_ms += prng_below(&c->p, KIT_RETRY_MS);
        kit_timer(c->k, h);
    }
}

static void chance_step(struct chance *c)
{
    struct kit *k = c->k;
    uint64_t dice = prng_below(&c->p, 1000);
    uint32_t i = (uint32_t)prng_below(&c->p, k->host_count);
    struct kit_host *h = &k->hosts[i];

    if (dice < 4 && k->host_count < KIT_HOSTS_MAX - 2) {
        kit_start(k);
    } else if (dice < 5 && h->j != NULL && prng_chance(&c->p, 1, 4)) {
        kit_kill(k, h);
    } else if (dice < 15) {
        c->is_asleep[i] = !c->is_asleep[i];
    } else if (dice < 40 && k->lost_count > 0) {
        kit_run(k, &k->lost[prng_below(&c->p, k->lost_count)]);
    } else if (h->j != NULL && !c->is_asleep[i]) {
        chance_host(c, h);
    }
}

/* All wake up, one after the other, and a last one recovers. */
static void chance_calm(struct chance *c)
{
    struct kit *k = c->k;
    struct kit_host *last = kit_start(k);

    kit_settle(k, last);
    EXPECT_EQ(journal_state(last->j), JOURNAL_OPEN);
    for (uint32_t i = 0; i < k->host_count; i++) {
        struct kit_host *h = &k->hosts[i];

        if (h->j == NULL) {
            continue;
        }
        kit_settle(k, h);
        if (journal_state(h->j) == JOURNAL_OPEN) {
            kit_append(k, h);
            kit_timer(k, h);
            kit_settle(k, h);
        }
        EXPECT_EQ(journal_state(h->j),
                  h == last ? JOURNAL_OPEN : JOURNAL_FENCED);
        EXPECT(h != last || journal_durable(h->j) == 1);
    }
    for (size_t i = 0; i < k->lost_count; i++) {
        kit_run(k, &k->lost[i]);
    }
    last = kit_start(k);
    kit_settle(k, last);
    EXPECT_EQ(journal_state(last->j), JOURNAL_OPEN);
    kit_audit(k);
}

static void chance_run(uint64_t seed, struct kit *sums)
{
    struct chance c = {.k = kit_new(150)};

    prng_init(&c.p, seed);
    kit_start(c.k);
    for (int i = 0; i < 1500; i++) {
        chance_step(&c);
    }
    chance_calm(&c);
    sums->fenced += c.k->fenced;
    sums->resets += c.k->resets;
    sums->records += c.k->history.count;
    kit_destroy(&c.k);
}

TEST(any_order_of_two_and_more_writers)
{
    struct kit *sums = mem_new(1, sizeof(*sums));
    const char *seed = getenv("JOURNAL_SEED");
    const char *seeds = getenv("JOURNAL_SEEDS");
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    uint64_t count = seeds != NULL ? strtoull(seeds, NULL, 10) : 150;

    for (uint64_t i = first; i < first + (seed != NULL ? 1 : count); i++) {
        chance_run(i, sums);
    }
    if (seed == NULL) {
        EXPECT(sums->fenced > count / 2 && sums->resets > 0);
        EXPECT(sums->records > count);
    }
    if (seeds != NULL) {
        fprintf(stderr, "fenced %llu, begun anew %llu, records %llu\n",
                (unsigned long long)sums->fenced,
                (unsigned long long)sums->resets,
                (unsigned long long)sums->records);
    }
    free(sums);
}
