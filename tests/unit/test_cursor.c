/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/cursor.h"

#include "base/mem.h"
#include "base/prng.h"
#include "base/varint.h"
#include "tests/unit/deal_fixture.h"

enum { RUN_HOSTS_MAX = 7, RUN_RANKS_MAX = 4, OBJECTS_MAX = 200 };

#define RUN "0123456789abcdef0123456789abcdef"

/* ---- One run of one channel, as the coordinator knows it. */

struct run {
    const struct catalog *catalog; /* The whole channel's. */
    struct catalog *left;          /* What was dealt, when resumed. */
    struct cursor_how how;
    struct order order; /* Of the whole catalog, in the first epoch. */
    struct ranges *base;
    struct deal *deal;
    struct deal_host hosts[RUN_HOSTS_MAX];
    uint32_t host_count; /* That have a part. */
    struct dealt dealt;
    uint32_t ranks[RUN_HOSTS_MAX];
    uint32_t weights[RUN_HOSTS_MAX];
    struct wire_share_all shares[RUN_HOSTS_MAX];
    uint64_t bounds[RUN_HOSTS_MAX * RUN_RANKS_MAX + 1];
    struct buf how_text;
    struct buf base_text;
    struct ranges *committed;
    struct ranges *skipped;
};

static void run_fini(struct run *r)
{
    catalog_destroy(&r->left);
    deal_destroy(&r->deal);
    ranges_destroy(&r->base);
    ranges_destroy(&r->committed);
    ranges_destroy(&r->skipped);
    buf_fini(&r->how_text);
    buf_fini(&r->base_text);
}

/* Some hosts, of which at least one has a part in the channel. */
static void run_make_hosts(struct run *r, struct prng *p)
{
    uint32_t count = 1 + (uint32_t)prng_below(p, RUN_HOSTS_MAX);
    uint32_t sure = (uint32_t)prng_below(p, count);

    r->dealt.host_count = count;
    r->dealt.ranks = r->ranks;
    r->dealt.weights = r->weights;
    r->dealt.shares = r->shares;
    r->dealt.channel_count = 1;
    for (uint32_t i = 0; i < count; i++) {
        r->ranks[i] = 1 + (uint32_t)prng_below(p, RUN_RANKS_MAX);
        r->shares[i].rank_count = (uint64_t)count * RUN_RANKS_MAX;
        r->weights[i] = 50 + (uint32_t)prng_below(p, 200);
        if (i == sure || prng_chance(p, 3, 4)) {
            r->shares[i].share_count = 1;
            r->shares[i].shares[0] =
                (struct wire_share){.channel = BYTES("c"),
                                    .share = BYTES("s"),
                                    .catalog = BYTES("k"),
                                    .root_uri = BYTES("file:///d/")};
            r->hosts[r->host_count++] =
                (struct deal_host){i, r->ranks[i], r->weights[i]};
        }
    }
}

static void run_deal(struct run *r, uint64_t epoch)
{
    struct dealt_channel *c = &r->dealt.channels[0];
    struct order order;
    struct deal_options options = {
        .kind = r->how.kind,
        .even = r->how.even,
        .hosts = r->hosts,
        .host_count = r->host_count,
        .may_split = r->how.may_split,
        .order = &order,
    };
    uint32_t rank = 0;
    uint32_t part = 0;
    struct fault why;

    EXPECT(cursor_left(r->catalog, &r->order, r->base, &why, &r->left) ==
           STATUS_OK);
    if (catalog_count(r->left) == 0) {
        options.even = DEAL_EVEN_NONE;
        r->how.even = DEAL_EVEN_NONE;
    }
    cursor_order(&r->how, BYTES("c"), epoch, catalog_count(r->left), &order);
    r->deal = deal_of(r->left, &options);
    for (uint32_t i = 0; i < r->dealt.host_count; i++) {
        bool has_part = r->shares[i].share_count > 0;

        for (uint32_t k = 0; k < r->ranks[i]; k++, rank++) {
            r->bounds[rank + 1] = r->bounds[rank];
            if (has_part) {
                r->bounds[rank + 1] +=
                    deal_own(r->deal, deal_host_rank(r->deal, part) + k);
            }
        }
        part += has_part;
    }
    c->bounds = r->bounds;
    c->positions = r->bounds[rank];
}

/* Begin a run; its seed and its base are set. */
static void run_begin(struct run *r, const struct catalog *catalog,
                      struct prng *p, uint64_t epoch)
{
    struct dealt_channel *c = &r->dealt.channels[0];

    r->catalog = catalog;
    r->how.is_dynamic = prng_chance(p, 2, 5);
    r->how.kind =
        r->how.is_dynamic ? DEAL_SAGEMAKER : (enum deal_kind)prng_below(p, 3);
    r->how.even = (enum deal_even)prng_below(p, 3);
    r->how.may_split = prng_chance(p, 1, 2);
    r->committed = ranges_new();
    r->skipped = ranges_new();
    cursor_order(&r->how, BYTES("c"), epoch, catalog_count(catalog), &r->order);
    run_make_hosts(r, p);
    c->name = BYTES("c");
    c->catalog = bytes_of(catalog_name(catalog));
    c->is_dynamic = r->how.is_dynamic;
    c->epochs = 9;
    c->first_epoch = epoch;
    c->positions = catalog_count(catalog);
    if (!c->is_dynamic) {
        run_deal(r, epoch);
    }
    cursor_how_write(&r->how, &r->how_text);
    if (ranges_size(r->base) > 0) {
        ranges_write(r->base, &r->base_text);
    }
    c->how = buf_bytes(&r->how_text);
    c->base = buf_bytes(&r->base_text);
}

/* ---- Histories. */

struct world {
    struct prng prng;
    struct catalog *catalog;
    uint64_t count;
    uint64_t epoch;
    bool is_done[OBJECTS_MAX]; /* In this epoch, by object. */
};

/* Commit some of what nobody has committed. */
static void world_commit_dynamic(struct world *w, struct run *r, uint64_t num)
{
    for (uint64_t i = 0; i < w->count; i++) {
        uint64_t object = order_unit(&r->order, i);

        if (w->is_done[object]) {
            EXPECT(ranges_has(r->base, i));
        } else if (prng_chance(&w->prng, num, 4)) {
            ranges_add(r->committed, (struct range){i, i + 1});
            w->is_done[object] = true;
        } else if (prng_chance(&w->prng, 1, 9)) {
            ranges_add(r->skipped, (struct range){i, i + 1});
        }
    }
}

/* The objects of the whole catalog that those of what was dealt are. */
static void world_find_left(const struct world *w, const struct run *r,
                            uint64_t *object)
{
    uint64_t left = 0;

    for (uint64_t i = 0; i < w->count; i++) {
        if (!w->is_done[i]) {
            object[left++] = i;
        }
    }
    EXPECT_EQ(left, catalog_count(r->left));
}

/* Commit some positions; an object is done once all that was dealt of it is. */
static void world_commit_static(struct world *w, struct run *r, uint64_t num)
{
    uint64_t object[OBJECTS_MAX] = {0};
    uint32_t dealt[OBJECTS_MAX] = {0};
    uint32_t open[OBJECTS_MAX] = {0};
    uint64_t position = 0;
    struct deal_cursor units;
    struct deal_unit unit;

    world_find_left(w, r, object);
    for (uint32_t rank = 0; rank < deal_rank_count(r->deal); rank++) {
        bool has_all = prng_chance(&w->prng, num, 4);

        deal_seek(r->deal, rank, &units);
        while (deal_next(&units, &unit)) {
            if (unit.is_padding) {
                continue;
            }
            dealt[unit.object]++;
            if (has_all || prng_chance(&w->prng, num, 4)) {
                ranges_add(r->committed,
                           (struct range){position, position + 1});
            } else {
                open[unit.object]++;
            }
            position++;
        }
    }
    EXPECT_EQ(position, r->dealt.channels[0].positions);
    for (uint64_t i = 0; i < catalog_count(r->left); i++) {
        EXPECT(dealt[i] > 0 || r->how.even == DEAL_EVEN_DROP);
        w->is_done[object[i]] = dealt[i] > 0 && open[i] == 0;
    }
}

/* Write and read again, the dealt one and the cursor. */
static struct cursor *world_export(const struct run *r, uint64_t epoch)
{
    struct cursor_progress progress = {epoch, r->committed, r->skipped};
    struct dealt_copy *copy = NULL;
    struct cursor *cursor = NULL;
    struct fault why = {""};
    struct buf text = {0};

    dealt_write(&r->dealt, RUN, &text);
    EXPECT_EQ(dealt_read(buf_bytes(&text), RUN, &why, &copy), STATUS_OK);
    buf_clear(&text);
    cursor_write("job", dealt_of(copy), &progress, &text);
    dealt_destroy(&copy);
    EXPECT_EQ(cursor_read(buf_bytes(&text), "c.json", &why, &cursor),
              STATUS_OK);
    EXPECT_STR(why.text, "");
    buf_fini(&text);
    return cursor;
}

static struct ranges *world_import(const struct world *w,
                                   const struct cursor *cursor)
{
    const struct cursor_channel *c = cursor_find(cursor, BYTES("c"));
    struct ranges *done = NULL;
    struct fault why = {""};
    struct order order;

    EXPECT_EQ(cursor_channel_count(cursor), 1);
    EXPECT_EQ(c->epoch, w->epoch);
    EXPECT_EQ(cursor_committed(c, w->catalog, &why, &done), STATUS_OK);
    EXPECT_STR(why.text, "");
    ranges_check(done);
    cursor_order(&c->how, c->name, c->epoch, w->count, &order);
    for (uint64_t i = 0; i < w->count; i++) {
        EXPECT_EQ(ranges_has(done, order_position(&order, i)), w->is_done[i]);
    }
    return done;
}

/* One run: it resumes from @base, commits about num/4 of what it gets, and
 * leaves a cursor for the next. */
static struct ranges *world_run(struct world *w,
                                const struct cursor_how *seeded,
                                struct ranges *base, uint64_t num)
{
    struct run *r = mem_new(1, sizeof(*r));
    struct cursor *cursor;
    struct ranges *done;

    *r = (struct run){.how = *seeded, .base = base};
    run_begin(r, w->catalog, &w->prng, w->epoch);
    if (r->how.is_dynamic && prng_chance(&w->prng, 1, 4)) {
        w->epoch++; /* It finished this one and stands in the next. */
        memset(w->is_done, 0, sizeof(w->is_done));
        ranges_clear(r->base);
        cursor_order(&r->how, BYTES("c"), w->epoch, w->count, &r->order);
    }
    if (r->how.is_dynamic) {
        world_commit_dynamic(w, r, num);
    } else {
        world_commit_static(w, r, num);
    }
    cursor = world_export(r, w->epoch);
    done = world_import(w, cursor);
    cursor_destroy(&cursor);
    run_fini(r);
    free(r);
    return done;
}

static void world_go(uint64_t seed)
{
    struct world w = {0};
    struct cursor_how seeded = {0};
    struct ranges *done = ranges_new();

    prng_init(&w.prng, seed);
    w.count = 1 + prng_below(&w.prng, OBJECTS_MAX);
    w.catalog = catalog_of_synth(
        w.count, (enum synth_sizes)prng_below(&w.prng, 4), seed);
    seeded.has_seed = prng_chance(&w.prng, 3, 4);
    seeded.seed = seeded.has_seed ? prng_next(&w.prng) : 0;
    for (int i = 0; i < 6; i++) {
        done = world_run(&w, &seeded, done, prng_below(&w.prng, 5));
    }
    ranges_destroy(&done);
    catalog_destroy(&w.catalog);
}

TEST(each_unit_is_committed_once_over_any_hosts_and_ranks)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        world_go(seed);
    }
}

/* ---- The text. */

static const char golden[] =
    "{\"cursor\":1,\"job\":\"j\\\"1\",\"channels\":[\n"
    "{\"name\":\"c\",\"catalog\":\"%s\",\"how\":{\"deal\":\"dynamic\","
    "\"even\":\"drop\",\"split\":false,\"seed\":18446744073709551615},"
    "\"epoch\":3,\"positions\":8,\"base\":[[0,2],[5,6]],"
    "\"committed\":[[2,3],[6,8]],\"skipped\":[[3,4]]},\n"
    "{\"name\":\"s\",\"catalog\":\"%s\",\"how\":{\"deal\":\"balanced\","
    "\"even\":\"none\",\"split\":true,\"seed\":null},\"epoch\":0,"
    "\"positions\":5,\"base\":[],\"committed\":[[0,4]],\"skipped\":[],"
    "\"hosts\":[{\"number\":0,\"ranks\":2,\"weight\":100},"
    "{\"number\":2,\"ranks\":1,\"weight\":300}]}]}\n";

static void add(struct ranges *r, uint64_t first, uint64_t end)
{
    ranges_add(r, (struct range){first, end});
}

/* Two channels over three hosts, of which the second has only c. */
static void golden_dealt(struct dealt *d, const struct catalog *dynamic,
                         const struct catalog *fixed)
{
    static struct wire_share_all shares[3];
    static const uint64_t bounds[] = {0, 2, 4, 4, 5};
    static const uint32_t ranks[] = {2, 1, 1};
    static const uint32_t weights[] = {100, 100, 300};

    *d = (struct dealt){
        .host_count = 3,
        .ranks = ranks,
        .weights = weights,
        .shares = shares,
        .channels = {{.name = BYTES("c"),
                      .is_dynamic = true,
                      .positions = 8,
                      .epochs = 4,
                      .first_epoch = 3},
                     {.name = BYTES("s"),
                      .positions = 5,
                      .epochs = 1,
                      .bounds = bounds}},
        .channel_count = 2,
    };
    for (uint32_t i = 0; i < 3; i++) {
        shares[i].share_count = i == 1 ? 1 : 2;
        shares[i].shares[1].number = 1;
    }
    d->channels[0].catalog = bytes_of(catalog_name(dynamic));
    d->channels[1].catalog = bytes_of(catalog_name(fixed));
}

/* Write it with these sets: base, committed and skipped of c, then of s. */
static void golden_write(struct dealt *d, struct ranges *const *sets,
                         struct buf *out)
{
    struct cursor_progress progress[] = {{3, sets[1], sets[2]},
                                         {0, sets[3], sets[4]}};
    struct cursor_how how[] = {
        {.is_dynamic = true,
         .even = DEAL_EVEN_DROP,
         .has_seed = true,
         .seed = UINT64_MAX},
        {.kind = DEAL_BALANCED, .may_split = true},
    };
    struct buf text[3] = {{0}};

    cursor_how_write(&how[0], &text[0]);
    cursor_how_write(&how[1], &text[1]);
    ranges_write(sets[0], &text[2]);
    d->channels[0].how = buf_bytes(&text[0]);
    d->channels[1].how = buf_bytes(&text[1]);
    d->channels[0].base = buf_bytes(&text[2]);
    cursor_write("j\"1", d, progress, out);
    for (int i = 0; i < 3; i++) {
        buf_fini(&text[i]);
    }
}

TEST(the_text_is_as_documented)
{
    uint64_t sizes[8] = {9, 9, 9, 9, 9};
    struct catalog *dynamic = catalog_of_sizes(sizes, 8);
    struct catalog *fixed = catalog_of_sizes(sizes, 5);
    struct ranges *sets[5];
    struct buf out = {0};
    struct dealt d;
    char want[2048];

    for (int i = 0; i < 5; i++) {
        sets[i] = ranges_new();
    }
    add(sets[0], 0, 2);
    add(sets[0], 5, 6);
    add(sets[1], 0, 3); /* What the ledger has, its base among it. */
    add(sets[1], 5, 8);
    add(sets[2], 3, 4);
    add(sets[3], 0, 4);
    golden_dealt(&d, dynamic, fixed);
    golden_write(&d, sets, &out);
    snprintf(want, sizeof(want), golden, catalog_name(dynamic),
             catalog_name(fixed));
    EXPECT_STR(buf_text(&out), want);
    for (int i = 0; i < 5; i++) {
        ranges_destroy(&sets[i]);
    }
    buf_fini(&out);
    catalog_destroy(&dynamic);
    catalog_destroy(&fixed);
}

TEST(the_text_is_read_as_it_was_written)
{
    struct cursor *cursor = NULL;
    struct fault why = {""};
    char text[2048];
    const struct cursor_channel *c;

    snprintf(text, sizeof(text), golden, "aa", "bb");
    EXPECT_EQ(cursor_read(bytes_of(text), "c.json", &why, &cursor), STATUS_OK);
    EXPECT(bytes_is(cursor_job(cursor), "j\"1"));
    EXPECT_EQ(cursor_channel_count(cursor), 2);
    c = cursor_channel_at(cursor, 0);
    EXPECT(bytes_is(c->name, "c") && bytes_is(c->catalog, "aa"));
    EXPECT(c->how.is_dynamic && c->how.seed == UINT64_MAX);
    EXPECT(c->epoch == 3 && c->positions == 8 && c->host_count == 0);
    EXPECT(ranges_size(c->base) == 3 && ranges_has(c->base, 5));
    EXPECT(ranges_size(c->committed) == 3 && ranges_has(c->committed, 7));
    EXPECT(ranges_size(c->skipped) == 1 && ranges_has(c->skipped, 3));
    c = cursor_find(cursor, BYTES("s"));
    EXPECT(!c->how.is_dynamic && c->how.kind == DEAL_BALANCED);
    EXPECT(c->how.may_split && !c->how.has_seed);
    EXPECT(c->host_count == 2 && c->hosts[1].number == 2);
    EXPECT(c->hosts[0].ranks == 2 && c->hosts[1].weight == 300);
    EXPECT(cursor_find(cursor, BYTES("x")) == NULL);
    cursor_destroy(&cursor);
    EXPECT(cursor == NULL);
}

#define HOW                                                                    \
    "{\"deal\":\"dynamic\",\"even\":\"none\",\"split\":false,\"seed\":1}"
#define FIXED                                                                  \
    "{\"deal\":\"balanced\",\"even\":\"none\",\"split\":false,\"seed\":1}"
#define HEAD "{\"cursor\":1,\"job\":\"j\",\"channels\":["
#define WITH(how, sets)                                                        \
    "{\"name\":\"c\",\"catalog\":\"a\",\"how\":" how                           \
    ",\"epoch\":0,\"positions\":9," sets "}"
#define SETS(base, committed, skipped)                                         \
    "\"base\":" base ",\"committed\":" committed ",\"skipped\":" skipped
#define ONE(sets) HEAD WITH(HOW, sets) "]}"
#define HOSTS(hosts)                                                           \
    HEAD WITH(FIXED, SETS("[]", "[]", "[]") ",\"hosts\":" hosts) "]}"

static const struct {
    const char *text;
    const char *fault;
    enum status status;
} bad[] = {
    {"", "c.json:1:1: ", STATUS_MALFORMED},
    {"[]", "c.json: is not a cursor", STATUS_MALFORMED},
    {"{\"cursor\":\"1\"}", "c.json: is not a cursor", STATUS_MALFORMED},
    {"{\"cursor\":2}",
     "c.json: the cursor is of version 2, this smshard reads version 1",
     STATUS_VERSION},
    {"{\"cursor\":1,\"job\":\"j\"}",
     "c.json:1: the cursor's document has no channels", STATUS_MALFORMED},
    {"{\"cursor\":1,\"job\":7,\"channels\":[]}",
     "c.json:1: the cursor's job is not a text", STATUS_MALFORMED},
    {"{\"cursor\":1,\"job\":\"j\",\"channels\":[],\n\"more\":1}",
     "c.json:2: the cursor's document has a member \"more\", which is not "
     "known",
     STATUS_MALFORMED},
    {"{\"cursor\":1,\"job\":\"j\",\"channels\":{}}",
     "c.json:1: the cursor's channels are not a list of at most 20",
     STATUS_MALFORMED},
    {HEAD "7]}", "c.json:1: the cursor's channel is not an object",
     STATUS_MALFORMED},
    {HEAD "{\"name\":\"c\"}]}", "c.json:1: the cursor's channel has no catalog",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[]", "{}")), "the cursor's skipped is not a list",
     STATUS_MALFORMED},
    {ONE(SETS("[[0,10]]", "[]", "[]")),
     "the cursor's range is not [first,end] below 9", STATUS_MALFORMED},
    {ONE(SETS("[]", "[[3,3]]", "[]")), "range is not [first,end] below 9",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[-1,3]]", "[]")), "range is not [first,end] below 9",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[1,2,3]]", "[]")), "range is not [first,end] below 9",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[1.0,2]]", "[]")), "range is not [first,end] below 9",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[18446744073709551616,2]]", "[]")),
     "range is not [first,end] below 9", STATUS_MALFORMED},
    {ONE(SETS("[]", "[[4,6],[0,2]]", "[]")), "ranges are not in order",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[4,6],[5,7]]", "[]")), "ranges are not in order",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[4,6],[6,7]]", "[]")), "ranges are not in order",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[0,2],[0,2]]", "[]")), "ranges are not in order",
     STATUS_MALFORMED},
    {ONE(SETS("[[0,3]]", "[[2,4]]", "[]")), "have positions in common",
     STATUS_MALFORMED},
    {ONE(SETS("[[0,3]]", "[]", "[[2,3]]")), "have positions in common",
     STATUS_MALFORMED},
    {ONE(SETS("[]", "[[0,3]]", "[[2,3]]")), "have positions in common",
     STATUS_MALFORMED},
    {HEAD WITH(HOW, SETS("[]", "[]", "[]")) "," WITH(
         HOW, SETS("[]", "[]", "[]")) "]}",
     "channels have the same name twice", STATUS_MALFORMED},
    {HEAD WITH("{}", SETS("[]", "[]", "[]")) "]}", "how has no deal",
     STATUS_MALFORMED},
    {HEAD WITH("{\"deal\":\"x\",\"even\":\"pad\",\"split\":true,\"seed\":null}",
               SETS("[]", "[]", "[]")) "]}",
     "deal is a word that is not known", STATUS_MALFORMED},
    {HEAD WITH("{\"deal\":\"dynamic\",\"even\":\"pad\",\"split\":0,\"seed\":1}",
               SETS("[]", "[]", "[]")) "]}",
     "split is not true or false", STATUS_MALFORMED},
    {HEAD WITH(
         "{\"deal\":\"dynamic\",\"even\":\"pad\",\"split\":true,\"seed\":-1}",
         SETS("[]", "[]", "[]")) "]}",
     "seed is not a whole number of 64 bits", STATUS_MALFORMED},
    {HEAD WITH(FIXED, SETS("[]", "[]", "[]")) "]}",
     "hosts are not a list of 1 to 16384", STATUS_MALFORMED},
    {HEAD WITH(HOW, SETS("[]", "[]", "[]") ",\"hosts\":[]") "]}",
     "hosts stand with a dynamic deal", STATUS_MALFORMED},
    {HOSTS("[]"), "hosts are not a list of 1 to 16384", STATUS_MALFORMED},
    {HOSTS("[{\"number\":0,\"ranks\":65,\"weight\":1}]"),
     "ranks is not a whole number from 1 to 64", STATUS_MALFORMED},
    {HOSTS("[{\"number\":0,\"ranks\":1,\"weight\":0}]"),
     "weight is not a whole number from 1 to ", STATUS_MALFORMED},
    {HOSTS("[{\"number\":1,\"ranks\":1,\"weight\":1},"
           "{\"number\":1,\"ranks\":1,\"weight\":1}]"),
     "number is not a whole number from 2 to 16383", STATUS_MALFORMED},
};

TEST(bad_texts_are_refused)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct cursor *cursor = NULL;
        struct fault why = {""};

        EXPECT_EQ(cursor_read(bytes_of(bad[i].text), "c.json", &why, &cursor),
                  bad[i].status);
        EXPECT(cursor == NULL);
        if (strstr(why.text, bad[i].fault) == NULL) {
            EXPECT_STR(why.text, bad[i].fault);
        }
    }
}

/* A cursor of this text, over a catalog of 3 objects: what is refused. */
static const struct {
    const char *text;
    const char *fault;
    enum status status;
} strange[] = {
    {ONE(SETS("[]", "[]", "[]")), "the cursor's channel c is of catalog a, not",
     STATUS_INVALID},
    {HEAD "{\"name\":\"c\",\"catalog\":\"%s\",\"how\":" HOW
          ",\"epoch\":0,\"positions\":4," SETS("[]", "[]", "[]") "}]}",
     "counts what its catalog does not have", STATUS_MALFORMED},
    {HEAD "{\"name\":\"c\",\"catalog\":\"%s\",\"how\":" FIXED
          ",\"epoch\":0,\"positions\":4," SETS(
              "[]", "[]", "[]") ",\"hosts\":"
                                "[{\"number\":0,\"ranks\":1,\"weight\":1}]}]}",
     "counts what its catalog does not have", STATUS_MALFORMED},
    {HEAD "{\"name\":\"c\",\"catalog\":\"%s\",\"how\":" FIXED
          ",\"epoch\":0,\"positions\":3," SETS(
              "[[3,4]]", "[]",
              "[]") ","
                    "\"hosts\":[{\"number\":0,\"ranks\":1,\"weight\":1}]}]}",
     "counts what its catalog does not have", STATUS_MALFORMED},
    {HEAD "{\"name\":\"c\",\"catalog\":\"%s\",\"how\":" FIXED
          ",\"epoch\":0,\"positions\":1," SETS(
              "[[0,3]]", "[]",
              "[]") ","
                    "\"hosts\":[{\"number\":0,\"ranks\":1,\"weight\":1}]}]}",
     "counts what its catalog does not have", STATUS_MALFORMED},
};

TEST(a_cursor_of_another_catalog_is_refused)
{
    uint64_t sizes[3] = {1, 2, 3};
    struct catalog *catalog = catalog_of_sizes(sizes, 3);

    for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
        const char *at = strstr(strange[i].text, "%s");
        size_t size = at != NULL ? (size_t)(at - strange[i].text) : 0;
        struct buf text = {0};
        struct cursor *cursor = NULL;
        struct ranges *done = NULL;
        struct fault why = {""};

        buf_add(&text, strange[i].text, size);
        if (at != NULL) {
            buf_add_text(&text, catalog_name(catalog));
        }
        buf_add_text(&text, strange[i].text + size + (at != NULL ? 2 : 0));
        EXPECT_EQ(cursor_read(buf_bytes(&text), "c.json", &why, &cursor),
                  STATUS_OK);
        EXPECT_EQ(cursor_committed(cursor_channel_at(cursor, 0), catalog, &why,
                                   &done),
                  strange[i].status);
        EXPECT(done == NULL);
        EXPECT(strstr(why.text, strange[i].fault) != NULL);
        cursor_destroy(&cursor);
        buf_fini(&text);
    }
    catalog_destroy(&catalog);
}
