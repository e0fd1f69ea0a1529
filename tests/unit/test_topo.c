/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/topo.h"

#include "base/json.h"
#include "tests/harness.h"
#include "tests/unit/topo_made.h"

TEST(cpus_are_a_set)
{
    struct topo_cpus set = {{0}};
    struct topo_cpus other = {{0}};
    struct topo_cpus both;
    struct buf text = {0};

    EXPECT(topo_cpus_is_empty(&set));
    EXPECT_EQ(topo_cpus_next(&set, 0), TOPO_NONE);
    topo_cpus_print(&set, &text);
    EXPECT_STR(buf_text(&text), "");
    topo_cpus_add(&set, 0);
    topo_cpus_add(&set, 63);
    topo_cpus_add(&set, 64);
    topo_cpus_add(&set, TOPO_CPUS_MAX - 1);
    topo_cpus_add(&set, TOPO_CPUS_MAX); /* Left out. */
    EXPECT_EQ(topo_cpus_count(&set), 4);
    EXPECT(topo_cpus_has(&set, 63) && !topo_cpus_has(&set, 62));
    EXPECT(!topo_cpus_has(&set, TOPO_CPUS_MAX));
    EXPECT_EQ(topo_cpus_next(&set, 1), 63);
    EXPECT_EQ(topo_cpus_next(&set, 64), 64);
    EXPECT_EQ(topo_cpus_next(&set, 65), TOPO_CPUS_MAX - 1);
    EXPECT_EQ(topo_cpus_next(&set, TOPO_CPUS_MAX), TOPO_NONE);
    topo_cpus_print(&set, &text);
    EXPECT_STR(buf_text(&text), "0,63-64,8191");
    topo_cpus_add(&other, 64);
    both = topo_cpus_both(&set, &other);
    EXPECT(topo_cpus_is_equal(&both, &other));
    EXPECT(!topo_cpus_is_equal(&set, &other));
    buf_fini(&text);
}

TEST(addresses_are_read_and_written)
{
    static const struct {
        const char *text;
        const char *want; /* NULL: it is none. */
    } rows[] = {
        {"0000:10:1c.0", "0000:10:1c.0"},
        {"10:1c.0", "0000:10:1c.0"},
        {"0:0:0.7", "0000:00:00.7"},
        {"0035:03:00.0", "0035:03:00.0"},
        {"10000:E1:00.0", "10000:e1:00.0"},
        {"00000000:06:00.0", "0000:06:00.0"},
        {"", NULL},
        {"0000", NULL},
        {"0000:10", NULL},
        {"10:1c", NULL},
        {"0000:10:1c", NULL},
        {"0000:10:1c.", NULL},
        {"0000:10:1c.8", NULL},
        {"0000:10:20.0", NULL},
        {"0000:100:1c.0", NULL},
        {"100:1c.0", NULL},
        {"ffffffff1:10:1c.0", NULL},
        {"0000:10:1c.0 ", NULL},
        {"0000:10:1c.0x", NULL},
        {"x000:10:1c.0", NULL},
        {":10:1c.0", NULL},
        {"0000::1c.0", NULL},
        {"-1:10:1c.0", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct topo_pci pci;
        struct buf text = {0};
        bool is_read = topo_pci_parse(rows[i].text, strlen(rows[i].text), &pci);

        if (rows[i].want == NULL) {
            fprintf(stderr, "row: %s\n", rows[i].text);
            EXPECT(!is_read);
            continue;
        }
        EXPECT(is_read);
        topo_pci_print(&pci, &text);
        EXPECT_STR(buf_text(&text), rows[i].want);
        buf_fini(&text);
    }
}

TEST(an_address_may_stand_in_longer_text)
{
    struct topo_pci pci;

    EXPECT(topo_pci_parse("0000:10:1c.0=1", 12, &pci));
    EXPECT(!topo_pci_parse("0000:10:1c.0=1", 11, &pci));
}

TEST(what_is_a_gpu)
{
    static const struct {
        uint16_t class;
        uint16_t vendor;
        uint16_t device;
        bool is_gpu;
    } rows[] = {
        {0x0302, 0x10de, 0x2330, true},  /* H100. */
        {0x0300, 0x10de, 0x06d2, true},  /* Fermi. */
        {0x0680, 0x10de, 0x22a3, false}, /* NVSwitch. */
        {0x0403, 0x10de, 0x10f1, false}, /* Its sound. */
        {0x0380, 0x1002, 0x7408, true},  /* MI250X. */
        {0x1200, 0x1002, 0x74a0, true},  /* MI300A. */
        {0x0300, 0x1002, 0x515e, false}, /* A console. */
        {0x0300, 0x1002, 0x4752, false},
        {0x0380, 0x8086, 0x0bd5, true}, /* Ponte Vecchio. */
        {0x0300, 0x8086, 0x4680, false},
        {0x0880, 0x8086, 0x0b25, false}, /* A copy engine. */
        {0x0880, 0x1d0f, 0x7164, true},  /* Trainium. */
        {0x0200, 0x1d0f, 0xec20, false},
        {0x0108, 0x1d0f, 0x8061, false},
        {0x1200, 0x1da3, 0x1020, true}, /* Gaudi. */
        {0x0300, 0x102b, 0x0522, false},
        {0x0300, 0x1a03, 0x2000, false},
        {0x0300, 0x1234, 0x1111, false},
        {0x0380, 0x1af4, 0x1050, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fprintf(stderr, "row %zu\n", i);
        EXPECT_EQ(topo_is_gpu(rows[i].class, rows[i].vendor, rows[i].device),
                  rows[i].is_gpu);
    }
}

TEST(closeness_is_the_shared_path_and_then_the_node)
{
    static const struct {
        uint32_t a[4]; /* 0 ends a path. */
        uint32_t b[4];
        uint32_t a_node; /* 9: none. */
        uint32_t b_node;
        enum topo_closeness want;
    } rows[] = {
        {{1, 2, 3}, {1, 2, 4}, 0, 0, TOPO_NEAR_SWITCH},
        {{1, 2}, {1, 2}, 9, 9, TOPO_NEAR_SWITCH},
        {{1, 2}, {1, 5}, 0, 1, TOPO_NEAR_BRIDGE},
        {{1}, {1}, 9, 9, TOPO_NEAR_BRIDGE},
        {{1, 2}, {6, 2}, 0, 0, TOPO_NEAR_NODE},
        {{1}, {2}, 0, 1, TOPO_NEAR_MACHINE},
        {{1}, {2}, 9, 1, TOPO_NEAR_UNKNOWN},
        {{0}, {0}, 9, 9, TOPO_NEAR_UNKNOWN},
        {{0}, {2}, 1, 1, TOPO_NEAR_NODE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct topo_place a = {.depth = 0};
        struct topo_place b = {.depth = 0};

        for (; rows[i].a[a.depth] != 0; a.depth++) {
            a.path[a.depth] = rows[i].a[a.depth];
        }
        for (; rows[i].b[b.depth] != 0; b.depth++) {
            b.path[b.depth] = rows[i].b[b.depth];
        }
        if (rows[i].a_node != 9) {
            topo_nodes_add(&a.near, rows[i].a_node);
        }
        if (rows[i].b_node != 9) {
            topo_nodes_add(&b.near, rows[i].b_node);
        }
        fprintf(stderr, "row %zu\n", i);
        EXPECT_EQ(topo_closeness(&a, &b), rows[i].want);
        EXPECT_EQ(topo_closeness(&b, &a), rows[i].want);
    }
}

TEST(settling_sorts_and_forgets_what_says_nothing)
{
    struct topo t = topo_made(2);

    topo_nodes_add(&topo_made_gpu(&t, 0x20, 0)->place.near, 1);
    topo_made_gpu(&t, 0x10, 1);
    topo_made_gpu(&t, 0x10, 1);
    topo_made_nic(&t, "b", 0x30, 0);
    topo_made_nic(&t, "a", 0x30, 0);
    topo_made_nic(&t, "a", 0x30, 0);
    topo_made_nic(&t, "z", 0, TOPO_NONE)->place.has_pci = false;
    topo_settle(&t);
    topo_check(&t);
    EXPECT_EQ(t.gpu_count, 2);
    EXPECT_EQ(t.gpus[0].place.pci.bus, 0x10);
    EXPECT_EQ(topo_nodes_count(&t.gpus[0].place.near), 1);
    EXPECT_EQ(topo_nodes_count(&t.gpus[1].place.near), 0);
    EXPECT_EQ(t.nic_count, 3);
    EXPECT_STR(t.nics[0].name, "a");
    EXPECT_STR(t.nics[1].name, "b");
    EXPECT_STR(t.nics[2].name, "z");
    topo_fini(&t);
}

TEST(two_memories_at_one_place_are_one_place)
{
    struct topo t = topo_made(2);

    t.nodes[1].cpus = t.nodes[0].cpus; /* DRAM and HBM of one socket. */
    topo_nodes_add(&topo_made_gpu(&t, 0x10, 0)->place.near, 1);
    topo_settle(&t);
    EXPECT_EQ(topo_nodes_count(&t.gpus[0].place.near), 2);
    topo_fini(&t);
}

TEST(memory_without_processors_makes_nobody_a_neighbour)
{
    struct topo t = topo_made(3);

    t.nodes[2].cpus = (struct topo_cpus){{0}}; /* A GPU's, say. */
    topo_nodes_add(&topo_made_gpu(&t, 0x10, 0)->place.near, 2);
    topo_nodes_add(&topo_made_nic(&t, "eth0", 0x20, 1)->place.near, 2);
    topo_made_nic(&t, "eth1", 0x30, 2);
    topo_settle(&t);
    EXPECT_EQ(topo_closeness(&t.gpus[0].place, &t.nics[0].place),
              TOPO_NEAR_MACHINE);
    EXPECT_EQ(topo_nodes_count(&t.nics[1].place.near), 1);
    topo_fini(&t);
}

TEST(a_machine_out_of_a_short_text)
{
    struct topo_options o = {.synthetic =
                                 "pack:2 numa:2(memory=128GB) core:3 pu:2"};
    struct fault why = {.text = ""};
    struct topo t;
    struct buf text = {0};

    EXPECT_EQ(topo_read(&o, &why, &t), STATUS_OK);
    topo_check(&t);
    EXPECT_EQ(t.node_count, 4);
    EXPECT_EQ(topo_cpus_count(&t.cpus), 24);
    EXPECT(topo_cpus_is_equal(&t.cpus, &t.allowed));
    EXPECT(!t.is_this_machine);
    EXPECT_EQ(t.nodes[3].number, 3);
    EXPECT_EQ(t.nodes[3].bytes, UINT64_C(128000000000));
    topo_cpus_print(&t.nodes[1].cpus, &text);
    EXPECT_STR(buf_text(&text), "6-11");
    EXPECT_EQ(topo_find_node(&t, 2), 2);
    EXPECT_EQ(topo_find_node(&t, 9), TOPO_NONE);
    topo_fini(&t);
    buf_fini(&text);
}

TEST(this_machine_has_what_runs_the_test)
{
    struct topo_options o = {.xml_path = NULL};
    struct fault why = {.text = ""};
    struct topo t;

    EXPECT_EQ(topo_read(&o, &why, &t), STATUS_OK);
    topo_check(&t);
    EXPECT(t.is_this_machine);
    EXPECT_STR(t.from, "this machine");
    for (uint32_t cpu = topo_cpus_next(&t.allowed, 0); cpu != TOPO_NONE;
         cpu = topo_cpus_next(&t.allowed, cpu + 1)) {
        EXPECT(topo_cpus_has(&t.cpus, cpu));
    }
    topo_fini(&t);
    EXPECT_EQ(t.node_count, 0);
}

TEST(what_can_not_be_read_is_said)
{
    static const struct {
        struct topo_options o;
        enum status want;
        const char *says;
    } rows[] = {
        {{.synthetic = "cat:2"}, STATUS_INVALID, "'cat:2'"},
        {{.xml_path = "tests/data/none.xml"}, STATUS_NOT_FOUND, "none.xml"},
        {{.xml_path = "Makefile"}, STATUS_MALFORMED, "Makefile: hwloc"},
        {{.accelerator = "10de"}, STATUS_INVALID, "'10de'"},
        {{.accelerator = "10de:23300"}, STATUS_INVALID, "10de:2330 in"},
        {{.accelerator = "10de-2330"}, STATUS_INVALID, "no vendor"},
        {{.accelerator = "10xe:2330"}, STATUS_INVALID, "no vendor"},
        {{.accelerator = ""}, STATUS_INVALID, "no vendor"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault why = {.text = ""};
        struct topo t;

        EXPECT_EQ(topo_read(&rows[i].o, &why, &t), rows[i].want);
        fprintf(stderr, "%s\n", why.text);
        EXPECT(strstr(why.text, rows[i].says) != NULL);
        topo_fini(&t);
    }
}

TEST(json_is_json)
{
    struct topo t = topo_made(3);
    struct buf text = {0};
    struct fault why = {.text = ""};
    struct json_doc *doc;

    topo_made_gpu(&t, 0x10, 1);
    snprintf(t.gpus[0].name, sizeof(t.gpus[0].name), "odd \"name\"");
    topo_made_nic(&t, "eth0", 0x11, TOPO_NONE)->place.has_pci = false;
    topo_settle(&t);
    buf_add_char(&text, '{');
    topo_write_json(&t, &text);
    buf_add_char(&text, '}');
    EXPECT_EQ(json_parse(buf_bytes(&text), "topo", &why, &doc), STATUS_OK);
    EXPECT_EQ(json_count(json_get(json_root(doc), "nodes")), 3);
    EXPECT(bytes_is(json_string(json_get(
                        json_at(json_get(json_root(doc), "gpus"), 0), "name")),
                    "odd \"name\""));
    json_destroy(&doc);
    buf_fini(&text);
    topo_fini(&t);
}
