/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/placement.h"

#include "base/json.h"
#include "tests/harness.h"
#include "tests/unit/topo_made.h"

static struct placement decide(const struct topo *t,
                               const struct placement_options *o)
{
    struct fault why = {.text = ""};
    struct placement p;

    EXPECT_EQ(placement_decide(t, o, &why, &p), STATUS_OK);
    placement_check(&p, t);
    return p;
}

static const struct placement_options prefer = {.policy = PLACEMENT_PREFER};

TEST(policies_have_words)
{
    enum placement_policy p = PLACEMENT_OFF;

    EXPECT(placement_policy_parse("strict", &p) && p == PLACEMENT_STRICT);
    EXPECT(placement_policy_parse("prefer", &p) && p == PLACEMENT_PREFER);
    EXPECT(placement_policy_parse("off", &p) && p == PLACEMENT_OFF);
    EXPECT(!placement_policy_parse("Off", &p));
    EXPECT(!placement_policy_parse("", &p));
    EXPECT_STR(placement_policy_word(PLACEMENT_STRICT), "strict");
    EXPECT_STR(placement_sure_word(PLACEMENT_NOT_ALLOWED), "not allowed");
}

TEST(a_table_is_read)
{
    struct placement_override table[PLACEMENT_TABLE_MAX];
    struct fault why = {.text = ""};
    uint32_t count;

    EXPECT_EQ(placement_parse_table("", &why, table, &count), STATUS_OK);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(
        placement_parse_table(" 0000:10:1c.0=0,\n10:1d.0=any; a0:0.1=255 ",
                              &why, table, &count),
        STATUS_OK);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(table[0].node, 0);
    EXPECT(table[1].node == PLACEMENT_ANY && table[1].pci.device == 0x1d);
    EXPECT(table[2].node == 255 && table[2].pci.function == 1);
}

TEST(a_table_of_nonsense_is_refused)
{
    static const char *const rows[] = {
        "0000:10:1c.0",      "0000:10:1c.0=",      "=0",
        "0000:10:1c.0=-1",   "0000:10:1c.0=0x1",   "0000:10:1c.0=1234567",
        "0000:10:1c.0=any1", "0000:10:1c.0=0 x=1", "0000:10:1c.0==0",
        "0000:10:1c.0 = 0",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct placement_override table[PLACEMENT_TABLE_MAX];
        struct fault why = {.text = ""};
        uint32_t count;

        fprintf(stderr, "row: %s\n", rows[i]);
        EXPECT_EQ(placement_parse_table(rows[i], &why, table, &count),
                  STATUS_INVALID);
        EXPECT(strstr(why.text, "placement table: '") != NULL);
    }
}

TEST(lists_have_an_end)
{
    struct placement_override table[PLACEMENT_TABLE_MAX];
    struct topo_pci gpus[PLACEMENT_GPUS_MAX];
    struct fault why = {.text = ""};
    struct buf entries = {0};
    struct buf addresses = {0};
    uint32_t count;

    for (int i = 0; i <= PLACEMENT_TABLE_MAX; i++) {
        buf_print(&entries, "10:%02x.%d=0 ", i / 8, i % 8);
        buf_print(&addresses, "10:%02x.%d,", i / 8, i % 8);
    }
    EXPECT_EQ(placement_parse_table(buf_text(&entries), &why, table, &count),
              STATUS_FULL);
    EXPECT_EQ(placement_parse_gpus(buf_text(&addresses), &why, gpus, &count),
              STATUS_FULL);
    EXPECT_EQ(placement_parse_gpus("10:1c.0, 11:1c.0", &why, gpus, &count),
              STATUS_OK);
    EXPECT_EQ(count, 2);
    EXPECT_EQ(placement_parse_gpus("GPU-1234", &why, gpus, &count),
              STATUS_INVALID);
    buf_fini(&entries);
    buf_fini(&addresses);
}

TEST(each_rank_is_at_its_gpu)
{
    struct topo t = topo_made(3);
    struct placement p;

    topo_made_gpu(&t, 0x30, 2);
    topo_made_gpu(&t, 0x10, 0);
    topo_made_gpu(&t, 0x20, 0);
    topo_settle(&t);
    p = decide(&t, &prefer);
    EXPECT_EQ(p.rank_count, 3);
    EXPECT_EQ(placement_node(&t, &p.ranks[0]), 0);
    EXPECT_EQ(placement_node(&t, &p.ranks[1]), 0);
    EXPECT_EQ(placement_node(&t, &p.ranks[2]), 20);
    EXPECT_EQ(p.ranks[2].sure, PLACEMENT_EXACT);
    EXPECT_EQ(p.lane_count, 2);
    EXPECT_EQ(p.ranks[0].lane, p.ranks[1].lane);
    EXPECT_EQ(p.lanes[1].cpus[0], 8);
    EXPECT_EQ(p.lanes[1].cpu_count, 4);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(nothing_known_is_any_node_and_no_failure)
{
    struct topo t = {.node_count = 0};
    struct placement p = decide(&t, &prefer);

    EXPECT_EQ(p.rank_count, 1);
    EXPECT_EQ(p.ranks[0].node, TOPO_NONE);
    EXPECT_EQ(p.ranks[0].sure, PLACEMENT_UNKNOWN);
    EXPECT_EQ(p.lanes[0].cpu_count, 0);
    placement_fini(&p);
}

TEST(two_memories_at_one_place_without_a_gpu_are_one_place)
{
    struct topo t = topo_made(2);
    struct placement p;

    t.nodes[1].cpus = t.nodes[0].cpus;
    t.nodes[0].kind = TOPO_HBM;
    p = decide(&t, &prefer);
    EXPECT_EQ(p.ranks[0].node, 1);
    EXPECT_EQ(p.ranks[0].sure, PLACEMENT_EXACT);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(a_memory_node_of_zero_bytes_is_no_node)
{
    struct topo t = topo_made(1);
    struct placement p;

    t.nodes[0].kind = TOPO_NO_MEMORY;
    topo_made_gpu(&t, 0x10, 0);
    p = decide(&t, &prefer);
    EXPECT_EQ(p.ranks[0].sure, PLACEMENT_UNKNOWN);
    EXPECT_EQ(p.ranks[0].node, TOPO_NONE);
    EXPECT_EQ(p.lanes[0].cpu_count, 4);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(a_node_without_processors_that_may_be_used_has_its_lane_elsewhere)
{
    struct topo t = topo_made(3);
    struct placement p;

    topo_made_gpu(&t, 0x10, 2);
    t.allowed = t.nodes[1].cpus;
    p = decide(&t, &prefer);
    EXPECT_EQ(p.ranks[0].node, 2);
    EXPECT_EQ(p.ranks[0].sure, PLACEMENT_EXACT);
    EXPECT(p.lanes[0].is_elsewhere);
    EXPECT_EQ(p.lanes[0].cpus[0], 4);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(parts_of_a_gpu_are_seats_of_their_own)
{
    struct topo t = topo_made(2);
    struct placement p;
    struct topo_pci again[3];
    struct placement_options o = prefer;

    topo_made_gpu(&t, 0x10, 0)->parts = 3;
    topo_made_gpu(&t, 0x20, 1)->parts = 3;
    p = decide(&t, &prefer);
    EXPECT_EQ(p.rank_count, 6);
    EXPECT(p.ranks[2].gpu == 0 && p.ranks[2].part == 2);
    EXPECT(p.ranks[3].gpu == 1 && p.ranks[3].part == 0);
    EXPECT_EQ(p.ranks[3].node, 1);
    placement_fini(&p);
    again[0] = again[1] = t.gpus[1].place.pci;
    again[2] = t.gpus[0].place.pci;
    o.gpus = again;
    o.gpu_count = 3;
    p = decide(&t, &o);
    EXPECT(p.ranks[1].gpu == 1 && p.ranks[1].part == 1);
    EXPECT(p.ranks[2].gpu == 0 && p.ranks[2].part == 0);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(more_gpus_than_ranks_may_be)
{
    struct topo t = topo_made(1);
    struct placement p;

    for (unsigned i = 0; i < 40; i++) {
        topo_made_gpu(&t, (uint8_t)(i + 1), 0)->parts = 2;
    }
    p = decide(&t, &prefer);
    EXPECT_EQ(p.rank_count, PLACEMENT_RANKS_MAX);
    EXPECT_STR(p.note, "more than 64 GPUs; the rest is left out");
    placement_fini(&p);
    topo_fini(&t);
}

TEST(strict_refuses_what_is_not_sure_and_decides_all_the_same)
{
    struct topo t = topo_made(2);
    struct placement_options o = {.policy = PLACEMENT_STRICT};
    struct fault why = {.text = ""};
    struct placement p;

    topo_made_gpu(&t, 0x10, 0);
    topo_made_gpu(&t, 0x20, TOPO_NONE);
    EXPECT_EQ(placement_decide(&t, &o, &why, &p), STATUS_CONFLICT);
    EXPECT(strstr(why.text, "rank 1 has no sure node") != NULL);
    EXPECT_EQ(p.rank_count, 2);
    placement_fini(&p);
    o.ranks = 1;
    EXPECT_EQ(placement_decide(&t, &o, &why, &p), STATUS_OK);
    placement_fini(&p);
    o.ranks = PLACEMENT_RANKS_MAX + 1;
    EXPECT_EQ(placement_decide(&t, &o, &why, &p), STATUS_INVALID);
    EXPECT_EQ(p.rank_count, 0);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(the_last_of_two_entries_counts)
{
    struct topo t = topo_made(3);
    struct placement_override table[] = {
        {.pci = {.bus = 0x10}, .node = 10},
        {.pci = {.bus = 0x10}, .node = 20},
    };
    struct placement_options o = {
        .policy = PLACEMENT_PREFER, .table = table, .table_count = 2};
    struct placement p;

    topo_made_gpu(&t, 0x10, 0);
    p = decide(&t, &o);
    EXPECT_EQ(placement_node(&t, &p.ranks[0]), 20);
    EXPECT_EQ(p.ranks[0].sure, PLACEMENT_OVERRIDE);
    placement_fini(&p);
    topo_fini(&t);
}

/* Which card rank @rank gets when there are these, at node 0, 0 and 1. */
struct nic_row {
    const char *what;
    enum topo_link link[3];
    bool is_part[3];
    uint16_t class[3];
    uint64_t mbps[3];
    const char *names[3];
    const char *want[2]; /* Of ranks 0 and 1, both at node 0. */
};

static const struct nic_row nic_rows[] = {
    {"turns", {0}, {0}, {0}, {0}, {"a", "b", "c"}, {"a", "b"}},
    {"fast", {0}, {0}, {0}, {1, 2, 9}, {"a", "b", "c"}, {"b", "b"}},
    {"down",
     {TOPO_LINK_DOWN, TOPO_LINK_DOWN, TOPO_LINK_UP},
     {0},
     {0},
     {0},
     {"a", "b", "c"},
     {"c", "c"}},
    {"all down",
     {TOPO_LINK_DOWN, TOPO_LINK_DOWN, TOPO_LINK_DOWN},
     {0},
     {0},
     {0},
     {"a", "b", "c"},
     {"a", "b"}},
    {"up",
     {0, TOPO_LINK_UP, 0},
     {0},
     {0},
     {9, 1, 9},
     {"a", "b", "c"},
     {"b", "b"}},
    {"part", {0}, {true, true, false}, {0}, {0}, {"a", "b", "c"}, {"c", "c"}},
    {"infiniband",
     {0},
     {0},
     {0x0207, 0x0c06, 0x0200},
     {0},
     {"a", "b", "c"},
     {"c", "c"}},
    {"infiniband only",
     {0},
     {0},
     {0x0207, 0x0207, 0x0207},
     {0},
     {"a", "b", "c"},
     {"a", "b"}},
    {"no name", {0}, {0}, {0}, {0}, {"", "", "c"}, {"c", "c"}},
    {"no name at all", {0}, {0}, {0}, {0}, {"", "", ""}, {NULL, NULL}},
};

TEST(which_card_a_rank_gets)
{
    for (size_t i = 0; i < sizeof(nic_rows) / sizeof(nic_rows[0]); i++) {
        const struct nic_row *row = &nic_rows[i];
        struct topo t = topo_made(2);
        struct placement p;

        topo_made_gpu(&t, 0x10, 0);
        topo_made_gpu(&t, 0x11, 0);
        for (uint8_t k = 0; k < 3; k++) {
            struct topo_nic *n =
                topo_made_nic(&t, row->names[k], (uint8_t)(0x20 + k), k / 2);

            n->link = row->link[k];
            n->is_part = row->is_part[k];
            n->class = row->class[k];
            n->mbps = row->mbps[k];
        }
        p = decide(&t, &prefer);
        for (unsigned r = 0; r < 2; r++) {
            fprintf(stderr, "row: %s, rank %u\n", row->what, r);
            if (row->want[r] == NULL) {
                EXPECT_EQ(p.ranks[r].nic, TOPO_NONE);
            } else {
                EXPECT_STR(t.nics[p.ranks[r].nic].name, row->want[r]);
            }
        }
        placement_fini(&p);
        topo_fini(&t);
    }
}

TEST(json_of_ranks_and_lanes)
{
    struct topo t = topo_made(2);
    struct placement p;
    struct buf text = {0};
    struct fault why = {.text = ""};
    struct json_doc *doc;
    const struct json *rank;

    topo_made_gpu(&t, 0x10, 1);
    topo_made_nic(&t, "eth0", 0x10, 1);
    p = decide(&t, &prefer);
    buf_add_char(&text, '{');
    placement_write_lanes(&p, &t, &text);
    buf_add_text(&text, ", \"rank\": ");
    placement_write_rank(&p, &t, 0, &text);
    buf_add_text(&text, "}}");
    EXPECT_EQ(json_parse(buf_bytes(&text), "placement", &why, &doc), STATUS_OK);
    rank = json_get(json_root(doc), "rank");
    EXPECT(bytes_is(json_string(json_get(rank, "gpu")), "0000:10:00.0"));
    EXPECT(bytes_is(json_digits(json_get(rank, "node")), "10"));
    EXPECT(bytes_is(json_string(json_get(rank, "nic")), "eth0"));
    EXPECT(bytes_is(json_string(json_get(rank, "nic_near")), "same bridge"));
    json_destroy(&doc);
    buf_fini(&text);
    placement_fini(&p);
    topo_fini(&t);
}

/* ---- Nodes. ---------------------------------------------------------------
 */

static uint32_t node_of(const struct topo *t, uint32_t ranks,
                        enum placement_sure sure)
{
    struct placement_options o = {.policy = PLACEMENT_PREFER, .ranks = ranks};
    struct placement p = decide(t, &o);
    uint32_t last = p.rank_count - 1;
    uint32_t node = p.ranks[last].node;

    EXPECT_EQ(p.ranks[last].sure, sure);
    placement_fini(&p);
    return node;
}

TEST(gpus_between_two_nodes_take_turns)
{
    struct topo t = topo_made(3);

    for (uint8_t i = 0; i < 3; i++) {
        topo_nodes_add(&topo_made_gpu(&t, (uint8_t)(0x10 + i), 1)->place.near,
                       2);
    }
    EXPECT_EQ(node_of(&t, 1, PLACEMENT_AMBIGUOUS), 1);
    EXPECT_EQ(node_of(&t, 2, PLACEMENT_AMBIGUOUS), 2);
    EXPECT_EQ(node_of(&t, 3, PLACEMENT_AMBIGUOUS), 1);
    t.nodes[1].is_allowed = false;
    EXPECT_EQ(node_of(&t, 1, PLACEMENT_AMBIGUOUS), 2);
    topo_fini(&t);
}

TEST(memory_of_a_gpu_is_not_chosen)
{
    struct topo t = topo_made(2);
    struct placement_override table[] = {{.pci = {.bus = 0x10}, .node = 0}};
    struct placement_options o = {
        .policy = PLACEMENT_PREFER, .table = table, .table_count = 1};
    struct placement p;

    topo_nodes_add(&topo_made_gpu(&t, 0x10, 0)->place.near, 1);
    t.nodes[0].kind = TOPO_GPU_MEMORY;
    EXPECT_EQ(node_of(&t, 0, PLACEMENT_EXACT), 1);
    p = decide(&t, &o); /* Not even where the table says so. */
    EXPECT_EQ(p.ranks[0].node, 1);
    EXPECT(strstr(p.ranks[0].why, "node 0, which has no memory") != NULL);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(the_nearest_node_that_may_be_had)
{
    struct topo t = topo_made(4);

    topo_made_gpu(&t, 0x10, 1);
    t.nodes[1].is_allowed = false;
    EXPECT_EQ(node_of(&t, 0, PLACEMENT_DEGRADED), 0); /* As near as 2. */
    t.nodes[0].is_allowed = false;
    EXPECT_EQ(node_of(&t, 0, PLACEMENT_DEGRADED), 2);
    free(t.distances); /* Nobody says which one is near: */
    t.distances = NULL;
    EXPECT_EQ(node_of(&t, 0, PLACEMENT_NOT_ALLOWED), TOPO_NONE);
    t.nodes[3].is_allowed = false; /* but one is all that there is. */
    EXPECT_EQ(node_of(&t, 0, PLACEMENT_NOT_ALLOWED), 2);
    topo_fini(&t);
}

TEST(one_node_that_may_be_used_is_not_sure_to_be_the_one)
{
    struct topo t = topo_made(2);

    topo_made_gpu(&t, 0x10, TOPO_NONE);
    t.nodes[0].is_allowed = false;
    EXPECT_EQ(node_of(&t, 0, PLACEMENT_UNKNOWN), 1);
    topo_fini(&t);
}

TEST(ranks_without_gpus_are_neighbours)
{
    static const uint32_t want[] = {0, 0, 1, 1, 2};
    struct topo t = topo_made(3);
    struct placement_options o = {.policy = PLACEMENT_PREFER, .ranks = 5};
    struct placement p = decide(&t, &o);

    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_EQ(p.ranks[i].node, want[i]);
    }
    placement_fini(&p);
    o.policy = PLACEMENT_OFF;
    p = decide(&t, &o);
    EXPECT_EQ(p.ranks[0].sure, PLACEMENT_UNBOUND);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(the_lane_of_a_node_without_processors_is_at_the_nearest)
{
    struct topo t = topo_made(3);
    struct placement p;

    topo_made_gpu(&t, 0x10, 2);
    t.allowed = t.nodes[1].cpus;
    topo_cpus_add(&t.allowed, 0);
    p = decide(&t, &prefer);
    EXPECT_EQ(p.lanes[0].cpu_count, 4);
    EXPECT_EQ(p.lanes[0].cpus[0], 4);
    placement_fini(&p);
    topo_fini(&t);
}

TEST(a_gpu_that_is_listed_too_often_begins_anew)
{
    struct topo t = topo_made(1);
    struct topo_pci list[3];
    struct placement_options o = prefer;
    struct placement p;

    list[0] = list[1] = list[2] = topo_made_gpu(&t, 0x10, 0)->place.pci;
    t.gpus[0].parts = 2;
    o.gpus = list;
    o.gpu_count = 3;
    p = decide(&t, &o);
    EXPECT_EQ(p.ranks[1].part, 1);
    EXPECT_EQ(p.ranks[2].part, 0);
    placement_fini(&p);
    topo_fini(&t);
}

/* A card that several nodes are near to is as far as the nearest of them. */
TEST(a_card_between_two_nodes)
{
    struct topo t = topo_made(4);
    struct placement p;

    topo_made_gpu(&t, 0x10, 0);
    topo_nodes_add(&topo_made_nic(&t, "a", 0x20, 1)->place.near, 3);
    topo_made_nic(&t, "b", 0x21, 2);
    p = decide(&t, &prefer);
    EXPECT_STR(t.nics[p.ranks[0].nic].name, "a");
    placement_fini(&p);
    topo_fini(&t);
}
