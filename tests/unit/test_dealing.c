/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of one channel over a real folder, each resumed from the cursor that
 * the one before has left, on other hosts and by another deal. */

#include "cli/dealing.h"

#include "base/file.h"
#include "base/prng.h"
#include "cli/resume.h"
#include "cli/share.h"
#include "store/store.h"
#include "tests/unit/job_from.h"

enum { OBJECTS = 60, HOSTS_SOME = 5, RANKS_SOME = 3 };

static char root[64];

static void put_text(const char *name, struct bytes text)
{
    char *path = mem_print("%s/%s", root, name);
    struct fault why = {""};

    EXPECT_EQ(file_write(path, text, false, &why), STATUS_OK);
    free(path);
}

static void put_object(int i)
{
    static const char zeros[OBJECTS + 2];
    char name[32];

    snprintf(name, sizeof(name), "data/%02d", i);
    put_text(name, (struct bytes){zeros, 1 + (size_t)i});
}

static void setup(void)
{
    snprintf(root, sizeof(root), "/tmp/test_dealing.XXXXXX");
    EXPECT(mkdtemp(root) != NULL);
    for (int i = 0; i < OBJECTS; i++) {
        put_object(i);
    }
}

static void clean(void)
{
    struct fault why = {""};

    EXPECT_EQ(file_remove_tree(root, &why), STATUS_OK);
}

/* ---- A run. */

struct run {
    struct job *job;
    struct hosts hosts;
    uint32_t ranks[HOSTS_SOME];
    uint32_t weights[HOSTS_SOME];
    struct cursor *cursor;
    struct dealings dealings;
    struct dealing_options options;
    char *state_uri;
};

/* Deal the channel with these @fields, resumed from @cursor unless NULL. */
static enum status run_begin(struct run *r, struct prng *p, const char *fields,
                             const char *cursor, struct fault *why)
{
    char *resume = cursor != NULL ? mem_print("resume=%s/%s;", root, cursor)
                                  : mem_copy("");
    char *flags =
        mem_print("channel=train=%s/data/,%s;%s", root, fields, resume);
    struct from from = {.flags = flags};
    enum status s;

    *r = (struct run){.hosts.count = 1 + (uint32_t)prng_below(p, HOSTS_SOME),
                      .state_uri = mem_print("file://%s/state/", root)};
    for (uint32_t i = 0; i < r->hosts.count; i++) {
        r->ranks[i] = 1 + (uint32_t)prng_below(p, RANKS_SOME);
        r->weights[i] = 100;
    }
    EXPECT_EQ(make(&from, why, &r->job), STATUS_OK);
    EXPECT_EQ(job_check_served(r->job, why), STATUS_OK);
    s = resume_load(r->job, NULL, why, &r->cursor);
    r->options = (struct dealing_options){.job = r->job,
                                          .hosts = &r->hosts,
                                          .ranks = r->ranks,
                                          .weights = r->weights,
                                          .resume = r->cursor,
                                          .resume_name = "cursor",
                                          .state_uri = r->state_uri};
    if (s == STATUS_OK) {
        s = dealings_make(&r->options, why, &r->dealings);
    }
    free(flags);
    free(resume);
    return s;
}

static void run_fini(struct run *r)
{
    dealings_fini(&r->dealings);
    cursor_destroy(&r->cursor);
    job_destroy(&r->job);
    free(r->state_uri);
}

/* Write the cursor of a run that stands there. */
static void run_end_at(struct run *r, const struct cursor_progress *progress)
{
    static struct wire_share_all shares[HOSTS_SOME];
    struct dealt dealt = {.host_count = r->hosts.count,
                          .ranks = r->ranks,
                          .weights = r->weights,
                          .shares = shares,
                          .channel_count = 1};
    struct buf text = {0};

    for (uint32_t i = 0; i < r->hosts.count; i++) {
        shares[i].share_count = 1;
    }
    dealing_fill(&r->dealings.channels[0], &r->options, &dealt.channels[0]);
    cursor_write("j", &dealt, progress, &text);
    put_text("cursor", buf_bytes(&text));
    buf_fini(&text);
}

/* And has committed this of its first epoch. */
static void run_end(struct run *r, const struct ranges *committed)
{
    struct ranges *skipped = ranges_new();

    run_end_at(r, &(struct cursor_progress){0, committed, skipped});
    ranges_destroy(&skipped);
}

/* ---- What each has read. */

static void read_object(const struct catalog *catalog, uint64_t index,
                        uint32_t *reads)
{
    struct catalog_cursor at;
    struct catalog_object object;
    int number;

    catalog_seek(catalog, index, &at);
    EXPECT(catalog_next(&at, &object));
    number = (object.key.at[object.key.size - 2] - '0') * 10 +
             object.key.at[object.key.size - 1] - '0';
    EXPECT(number >= 0 && number < OBJECTS);
    reads[number]++;
}

static void commit_leased(const struct dealing *d, struct prng *p,
                          struct ranges *committed, uint32_t *reads)
{
    struct cursor_how how = {.has_seed = true, .seed = 7};
    struct order order;

    cursor_order(&how, BYTES("train"), d->first_epoch, OBJECTS, &order);
    for (uint64_t i = 0; i < d->positions; i++) {
        if ((d->base == NULL || !ranges_has(d->base, i)) &&
            prng_chance(p, 1, 3)) {
            ranges_add(committed, (struct range){i, i + 1});
            read_object(d->listing.catalog, order_unit(&order, i), reads);
        }
    }
}

/* Some ranks finish, others read nothing. */
static void commit_dealt(const struct dealing *d, struct prng *p,
                         struct ranges *committed, uint32_t *reads)
{
    uint64_t position = 0;

    for (uint32_t rank = 0; rank < deal_rank_count(d->deal); rank++) {
        bool is_done = prng_chance(p, 1, 3);
        struct deal_cursor units;
        struct deal_unit unit;

        deal_seek(d->deal, rank, &units);
        while (deal_next(&units, &unit)) {
            if (unit.is_padding) {
                continue;
            }
            if (is_done) {
                ranges_add(committed, (struct range){position, position + 1});
                read_object(dealing_catalog(d), unit.object, reads);
            }
            position++;
        }
    }
    EXPECT_EQ(position, d->positions);
}

static uint64_t reads_of(const uint32_t *reads)
{
    uint64_t sum = 0;

    for (int i = 0; i < OBJECTS; i++) {
        EXPECT(reads[i] <= 1);
        sum += reads[i];
    }
    return sum;
}

/* Run until nothing is left. */
static void go(struct prng *p)
{
    static const char *const fields[] = {
        "shuffle-seed=7,deal=dynamic",
        "shuffle-seed=7,deal=sagemaker",
        "shuffle-seed=7,deal=balanced",
        "shuffle-seed=7,deal=balanced,even=pad",
        "shuffle-seed=7,deal=sagemaker,even=drop",
        "shuffle-seed=7,deal=dynamic,step-units=7",
    };
    uint32_t reads[OBJECTS] = {0};
    bool is_done = false;

    for (int i = 0; !is_done; i++) {
        struct ranges *committed = ranges_new();
        struct run r = {0};
        struct dealing *d = &r.dealings.channels[0];
        struct fault why = {""};

        EXPECT(i < 200);
        EXPECT_EQ(run_begin(&r, p, fields[prng_below(p, 6)],
                            i > 0 ? "cursor" : NULL, &why),
                  STATUS_OK);
        EXPECT_STR(why.text, "");
        EXPECT_EQ(d->base != NULL ? ranges_size(d->base) : 0, reads_of(reads));
        is_done = dealing_is_done(d);
        EXPECT_EQ(is_done, reads_of(reads) == OBJECTS);
        if (d->is_dynamic) {
            commit_leased(d, p, committed, reads);
        } else {
            commit_dealt(d, p, committed, reads);
        }
        run_end(&r, committed);
        run_fini(&r);
        ranges_destroy(&committed);
    }
}

TEST(each_object_is_read_once_over_resumed_runs)
{
    struct prng p;

    prng_init(&p, 11);
    setup();
    for (int i = 0; i < 12; i++) {
        go(&p);
    }
    clean();
}

/* ---- What is refused, and where the catalog comes from. */

static void first_cursor(struct prng *p, const char *fields)
{
    struct ranges *committed = ranges_new();
    struct run r;
    struct fault why = {""};

    EXPECT_EQ(run_begin(&r, p, fields, NULL, &why), STATUS_OK);
    ranges_add(committed, (struct range){0, 4});
    run_end(&r, committed);
    run_fini(&r);
    ranges_destroy(&committed);
}

TEST(a_cursor_that_does_not_fit_is_refused)
{
    static const struct {
        const char *fields;
        const char *fault;
    } rows[] = {
        {"deal=dynamic",
         "channel train: cursor counts the order of seed 7, the job says "
         "another; give ShuffleConfig.Seed as before"},
        {"deal=balanced,shuffle-seed=8",
         "channel train: cursor counts the order of seed 7, the job says "
         "another; give ShuffleConfig.Seed as before"},
    };
    struct prng p;
    struct run r;
    struct fault why = {""};

    prng_init(&p, 12);
    setup();
    first_cursor(&p, "deal=dynamic,shuffle-seed=7");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        EXPECT_EQ(run_begin(&r, &p, rows[i].fields, "cursor", &why),
                  STATUS_INVALID);
        EXPECT_STR(why.text, rows[i].fault);
        run_fini(&r);
    }
    EXPECT_EQ(run_begin(&r, &p, "deal=dynamic", "nowhere", &why),
              STATUS_NOT_FOUND);
    EXPECT(strstr(why.text, "--resume: ") == why.text);
    run_fini(&r);
    clean();
}

/* Keep the catalog of the source as it is now in the state. */
static void keep_catalog(struct prng *p)
{
    struct store *store = NULL;
    struct buf prefix = {0};
    struct run r;
    struct fault why = {""};
    char *key;

    EXPECT_EQ(run_begin(&r, p, "deal=dynamic", NULL, &why), STATUS_OK);
    EXPECT_EQ(store_open(r.state_uri, STORE_WRITE, &why, &store, &prefix),
              STATUS_OK);
    key = mem_print("%scatalog/%s", buf_text(&prefix),
                    catalog_name(r.dealings.channels[0].listing.catalog));
    EXPECT_EQ(
        share_write(store, key, r.dealings.channels[0].listing.catalog, &why),
        STATUS_OK);
    store_close(&store);
    buf_fini(&prefix);
    free(key);
    run_fini(&r);
}

TEST(the_catalog_is_that_of_the_cursor)
{
    struct prng p;
    struct run r;
    struct fault why = {""};

    prng_init(&p, 13);
    setup();
    first_cursor(&p, "deal=dynamic,shuffle-seed=7");
    put_object(OBJECTS);
    EXPECT_EQ(run_begin(&r, &p, "deal=dynamic,shuffle-seed=7", "cursor", &why),
              STATUS_INVALID);
    EXPECT(strstr(why.text, "but the source lists as ") != NULL);
    EXPECT(strstr(why.text, "/state/ does not hold the old one") != NULL);
    run_fini(&r);
    keep_catalog(&p); /* Another than the cursor's does not help. */
    EXPECT_EQ(run_begin(&r, &p, "deal=dynamic,shuffle-seed=7", "cursor", &why),
              STATUS_INVALID);
    run_fini(&r);
    first_cursor(&p, "deal=dynamic,shuffle-seed=7");
    put_object(OBJECTS - 1); /* As it was, but with another etag. */
    put_text("data/more", BYTES("x"));
    EXPECT_EQ(run_begin(&r, &p, "deal=dynamic,shuffle-seed=7", "cursor", &why),
              STATUS_OK);
    EXPECT_EQ(r.dealings.channels[0].positions, OBJECTS + 1);
    EXPECT_EQ(ranges_size(r.dealings.channels[0].base), 4);
    EXPECT_STR(strstr(r.dealings.channels[0].listing.root_uri, "/data/"),
               "/data/");
    run_fini(&r);
    clean();
}

/* A source that is listed, and a catalog that is there already. */
TEST(a_stop_ends_it)
{
    static const atomic_bool stop = true;
    struct prng p;
    struct run r;
    struct fault why = {""};

    prng_init(&p, 15);
    setup();
    first_cursor(&p, "deal=dynamic,shuffle-seed=7");
    keep_catalog(&p);
    for (int i = 0; i < 2; i++) {
        struct dealings stopped;

        EXPECT_EQ(run_begin(&r, &p, "deal=dynamic,shuffle-seed=7",
                            i == 0 ? NULL : "cursor", &why),
                  STATUS_OK);
        r.options.stop = &stop;
        EXPECT_EQ(dealings_make(&r.options, &why, &stopped), STATUS_STOPPED);
        EXPECT(strstr(why.text, "channel train") != NULL);
        dealings_fini(&stopped);
        run_fini(&r);
    }
    clean();
}

TEST(leases_are_of_whole_steps_when_the_rest_is_dropped)
{
    struct prng p;
    struct run r;
    struct fault why = {""};
    struct dealt_channel c;

    prng_init(&p, 14);
    setup();
    EXPECT_EQ(run_begin(&r, &p,
                        "deal=dynamic,step-units=7,even=drop,epochs=3,skip=2",
                        NULL, &why),
              STATUS_OK);
    EXPECT(r.dealings.channels[0].deal == NULL);
    EXPECT_EQ(r.dealings.channels[0].dropped, 4);
    dealing_fill(&r.dealings.channels[0], &r.options, &c);
    EXPECT(c.is_dynamic && c.bounds == NULL && c.base.size == 0);
    EXPECT(c.positions == 56 && c.epochs == 3 && c.first_epoch == 0);
    EXPECT(c.step_units == 7 && c.skips == 2);
    EXPECT(bytes_is(c.name, "train") && c.catalog.size == 64);
    EXPECT(bytes_is(c.how, "{\"deal\":\"dynamic\",\"even\":\"drop\","
                           "\"split\":false,\"seed\":null}"));
    run_fini(&r);
    clean();
}

TEST(a_rank_s_part_is_without_padding)
{
    struct prng p;
    struct run r;
    struct fault why = {""};
    struct dealt_channel c;
    uint32_t rank = 0;

    prng_init(&p, 15);
    setup();
    EXPECT_EQ(run_begin(&r, &p, "deal=balanced,even=pad", NULL, &why),
              STATUS_OK);
    dealing_fill(&r.dealings.channels[0], &r.options, &c);
    EXPECT(c.positions == OBJECTS && c.epochs == 1 && !c.is_dynamic);
    for (uint32_t i = 0; i < r.hosts.count; i++) {
        for (uint32_t k = 0; k < r.ranks[i]; k++, rank++) {
            EXPECT_EQ(c.bounds[rank + 1] - c.bounds[rank],
                      deal_own(r.dealings.channels[0].deal, rank));
        }
    }
    EXPECT(c.bounds[0] == 0 && c.bounds[rank] == OBJECTS);
    run_fini(&r);
    clean();
}

/* Resume from a cursor in epoch 1, with some committed and some skipped, in a
 * job of @fields. */
static enum status resume_in_epoch_1(struct run *r, const char *fields,
                                     struct fault *why)
{
    struct ranges *committed = ranges_new();
    struct ranges *skipped = ranges_new();
    struct prng p;

    prng_init(&p, 16);
    EXPECT_EQ(run_begin(r, &p, "deal=dynamic,epochs=3", NULL, why), STATUS_OK);
    ranges_add(committed, (struct range){0, 4});
    ranges_add(committed, (struct range){55, OBJECTS});
    ranges_add(skipped, (struct range){7, 9});
    run_end_at(r, &(struct cursor_progress){1, committed, skipped});
    run_fini(r);
    ranges_destroy(&committed);
    ranges_destroy(&skipped);
    return run_begin(r, &p, fields, "cursor", why);
}

TEST(the_epochs_that_are_left_are_dealt)
{
    struct run r;
    struct fault why = {""};
    struct dealt_channel c;

    setup();
    for (uint64_t epochs = 2; epochs <= 4; epochs += 2) {
        const struct dealing *d;

        EXPECT_EQ(resume_in_epoch_1(&r,
                                    epochs == 2 ? "deal=dynamic,epochs=2"
                                                : "deal=dynamic,epochs=4",
                                    &why),
                  STATUS_OK);
        d = &r.dealings.channels[0];
        EXPECT(d->first_epoch == 1 && d->tried_again == 2);
        EXPECT_EQ(dealing_epochs(d), epochs - 1);
        dealing_fill(&r.dealings.channels[0], &r.options, &c);
        EXPECT(c.epochs == epochs - 1 && c.first_epoch == 1 && !c.is_single);
        run_fini(&r);
    }
    EXPECT_EQ(resume_in_epoch_1(&r, "deal=dynamic,epochs=1", &why),
              STATUS_INVALID);
    EXPECT_STR(why.text, "channel train: cursor stands in epoch 1 (from 0), "
                         "but Epochs is 1; raise it");
    run_fini(&r);
    clean();
}

/* Those that the new steps leave out count neither as done nor as left. */
TEST(what_is_dropped_now_was_not_committed)
{
    struct run r;
    struct fault why = {""};
    const struct dealing *d;

    setup();
    EXPECT_EQ(resume_in_epoch_1(
                  &r, "deal=dynamic,epochs=3,step-units=7,even=drop", &why),
              STATUS_OK);
    d = &r.dealings.channels[0];
    EXPECT(d->positions == 56 && d->dropped == 4);
    EXPECT_EQ(ranges_size(d->base), 4 + 1);
    EXPECT(ranges_has(d->base, 55) && !ranges_has(d->base, 56));
    EXPECT(!dealing_is_done(d));
    run_fini(&r);
    clean();
}

TEST(a_pipe_has_one_reader_a_host)
{
    struct prng p;
    struct run r;
    struct fault why = {""};
    struct dealt_channel c;
    uint32_t ranks = 0;
    uint32_t rank = 0;

    prng_init(&p, 15);
    setup();
    EXPECT_EQ(run_begin(&r, &p, "mode=Pipe,deal=balanced", NULL, &why),
              STATUS_OK);
    dealing_fill(&r.dealings.channels[0], &r.options, &c);
    EXPECT(c.is_single && c.positions == OBJECTS);
    EXPECT_EQ(deal_rank_count(r.dealings.channels[0].deal), r.hosts.count);
    for (uint32_t i = 0; i < r.hosts.count; i++) {
        EXPECT(c.bounds[rank + 1] > c.bounds[rank]);
        EXPECT_EQ(c.bounds[rank + r.ranks[i]], c.bounds[rank + 1]);
        rank += r.ranks[i];
        ranks += r.ranks[i] > 1;
    }
    EXPECT(ranks > 0 && c.bounds[rank] == OBJECTS);
    run_fini(&r);
    clean();
}
