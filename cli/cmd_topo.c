/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/topo_picture.h"

enum { TOPO_PROBE = 1 << 20 };

static const struct option_row topo_rows[] = {
    {"json", NULL, "print JSON, one line, all that is known"},
    {"ranks", "N", "ranks of this host [one a GPU, at least 1]"},
    {"gpus", "LIST",
     "PCI addresses of the GPUs of ranks 0, 1, ... "
     "[those found, ascending]"},
    {"placement", "POLICY",
     "how memory is bound: one of off prefer strict [prefer]"},
    {"placement-table", "TABLE",
     "nodes of GPUs that the system does not tell: "
     "'0000:10:1c.0=0 0000:90:1c.0=1'; the node may be 'any'"},
    {"accelerator", "VVVV:DDDD",
     "PCI devices of this vendor and device are GPUs too"},
    {"xml", "FILE", "show the machine that 'lstopo FILE.xml' has written"},
    {"synthetic", "TEXT", "show a made-up machine, as hwloc names it"},
    {NULL, NULL, NULL},
};

const struct command command_topo = {
    .name = "topo",
    .usage = "[FLAGS]",
    .summary = "show the machine, and where the ranks' memory will lie",
    .rows = topo_rows,
    .more = "Nodes of memory, GPUs and network cards, and for each rank which "
            "of them it\nis to have, why, and how sure that is. On this "
            "machine a MiB is bound and filled\nfor each rank as its ring "
            "would be, and 'got' says where it came to lie.\nExit code: 65 "
            "when placement is strict and a rank can't have its node.\n\n"
            "    smshard topo\n"
            "    smshard topo --ranks 4 --synthetic 'pack:2 numa:2 core:8 "
            "pu:2'\n",
    .run = topo_main,
};

/* Everything that a picture is made from. */
struct topo_work {
    struct options options;
    struct topo_options machine;
    struct placement_options wanted;
    struct placement_override table[PLACEMENT_TABLE_MAX];
    struct topo_pci gpus[PLACEMENT_GPUS_MAX];
    struct topo topo;
    struct placement placement;
    struct place_got got[PLACEMENT_RANKS_MAX];
};

static enum status topo_parse_lists(struct topo_work *w, struct fault *why)
{
    const char *table = options_get(&w->options, "placement-table");
    const char *gpus = options_get(&w->options, "gpus");
    enum status s = STATUS_OK;

    if (table != NULL) {
        s = placement_parse_table(table, why, w->table, &w->wanted.table_count);
        w->wanted.table = w->table;
    }
    if (s == STATUS_OK && gpus != NULL) {
        s = placement_parse_gpus(gpus, why, w->gpus, &w->wanted.gpu_count);
        w->wanted.gpus = w->wanted.gpu_count > 0 ? w->gpus : NULL;
    }
    return s == STATUS_OK ? s : STATUS_USAGE;
}

static enum status topo_parse(struct topo_work *w, struct fault *why)
{
    const char *policy = options_get(&w->options, "placement");
    uint64_t ranks = 0;
    enum status s = options_number(
        &w->options, "ranks", (struct options_range){1, PLACEMENT_RANKS_MAX},
        why, &ranks);

    if (s != STATUS_OK) {
        return s;
    }
    w->wanted.ranks = (uint32_t)ranks;
    w->wanted.policy = PLACEMENT_PREFER;
    w->machine = (struct topo_options){
        .xml_path = options_get(&w->options, "xml"),
        .synthetic = options_get(&w->options, "synthetic"),
        .accelerator = options_get(&w->options, "accelerator"),
    };
    if (policy != NULL && !placement_policy_parse(policy, &w->wanted.policy)) {
        return fault_set(why, STATUS_USAGE,
                         "--placement: '%s' is not one of off, prefer, strict",
                         policy);
    }
    if (w->machine.xml_path != NULL && w->machine.synthetic != NULL) {
        return fault_set(why, STATUS_USAGE,
                         "--xml and --synthetic are two machines; give one");
    }
    return topo_parse_lists(w, why);
}

/* Do with a MiB what will be done with each ring. */
static enum status topo_probe(struct topo_work *w, uint32_t rank,
                              struct fault *why)
{
    const struct placement_rank *r = &w->placement.ranks[rank];
    struct place_got *got = &w->got[rank];
    enum status s;
    void *at = mmap(NULL, TOPO_PROBE, PROT_READ | PROT_WRITE,
                    // cppcheck-suppress invalidFunctionArg ; no file is mapped
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        snprintf(got->text, sizeof(got->text), "no memory to try it with");
        return STATUS_OK;
    }
    s = place_memory(at, TOPO_PROBE, placement_node(&w->topo, r),
                     w->placement.policy, got);
    munmap(at, TOPO_PROBE);
    return s == STATUS_OK ? s
                          : fault_set(why, s, "rank %u: %s", rank, got->text);
}

/* The first failure is told, and all are shown. */
static enum status topo_probe_all(struct topo_work *w, struct fault *why)
{
    enum status all = STATUS_OK;

    for (uint32_t i = 0; i < w->placement.rank_count; i++) {
        struct fault one = {.text = ""};
        enum status s = topo_probe(w, i, &one);

        if (all == STATUS_OK && s != STATUS_OK) {
            all = fault_set(why, s, "%s", one.text);
        }
    }
    return all;
}

static void topo_print(const struct topo_work *w)
{
    struct buf text = {0};
    struct topo_picture picture = {
        .topo = &w->topo,
        .placement = &w->placement,
        .got = w->topo.is_this_machine ? w->got : NULL,
        .got_none = "not tried: not this machine",
    };

    if (options_get(&w->options, "json") != NULL) {
        topo_picture_write_json(&picture, &text);
    } else {
        topo_picture_write(&picture, &text);
    }
    fwrite(text.at, 1, text.size, stdout);
    buf_fini(&text);
}

static enum status topo_do(struct topo_work *w, struct fault *why)
{
    struct fault probe = {.text = ""};
    enum status s = topo_parse(w, why);
    enum status got = STATUS_OK;

    if (s == STATUS_OK) {
        s = topo_read(&w->machine, why, &w->topo);
    }
    if (s != STATUS_OK) {
        return s;
    }
    s = placement_decide(&w->topo, &w->wanted, why, &w->placement);
    if (w->placement.rank_count == 0) {
        return s;
    }
    if (w->topo.is_this_machine) {
        got = topo_probe_all(w, &probe);
    }
    topo_print(w);
    return s == STATUS_OK && got != STATUS_OK
               ? fault_set(why, got, "%s", probe.text)
               : s;
}

int topo_main(int argc, char **argv)
{
    struct topo_work *w = mem_new(1, sizeof(*w));
    struct fault why = {.text = ""};
    enum status s = options_parse(&command_topo, argv + 1, &why, &w->options);

    (void)argc;
    if (s == STATUS_OK) {
        s = topo_do(w, &why);
    }
    fflush(stdout);
    placement_fini(&w->placement);
    topo_fini(&w->topo);
    options_fini(&w->options);
    free(w);
    return s == STATUS_OK ? 0 : command_fail(s, &why);
}
