/* SPDX-License-Identifier: Apache-2.0 */
/* Topo: a plain copy of the machine: memory nodes, processors, GPUs, network
 * cards, and how near they are to one another. topo_hwloc.c fills it once;
 * after that it is only read, and nothing in it leads back to the library.
 *
 * Nodes are named by their place in the array, sorted by the number that the
 * kernel gives them; GPUs and NICs are sorted by address. What is not known
 * stays open (an empty set of near nodes, speed 0) and is never guessed. Names
 * hold printable ASCII only. The owner calls topo_fini(); reading needs no
 * lock. */

#ifndef WORKER_TOPO_H
#define WORKER_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    TOPO_CPUS_MAX = 8192, /* What lies beyond is left out. */
    TOPO_NODES_MAX = 1024,
    TOPO_PATH_MAX = 16,
    TOPO_NAME_MAX = 32,
    TOPO_FROM_MAX = 128,
    TOPO_WORD_BITS = 64,
};

/* No node, GPU, NIC or processor. */
#define TOPO_NONE UINT32_MAX

/* A set of processors, by the kernel's numbers. */
struct topo_cpus {
    uint64_t word[TOPO_CPUS_MAX / TOPO_WORD_BITS];
};

/* A set of places in topo.nodes. */
struct topo_nodes {
    uint64_t word[TOPO_NODES_MAX / TOPO_WORD_BITS];
};

enum topo_memory {
    TOPO_DRAM, /* Or not said. */
    TOPO_HBM,
    TOPO_CXL,
    TOPO_NVM,
    TOPO_GPU_MEMORY,
    TOPO_NO_MEMORY,
};

struct topo_node {
    uint32_t number; /* The kernel's. */
    enum topo_memory kind;
    uint64_t bytes;
    uint64_t bandwidth;    /* MiB/s from its own processors; 0: not known. */
    struct topo_cpus cpus; /* Those it is near to; may be none. */
    bool is_allowed;       /* This process may have memory there. */
};

struct topo_pci {
    uint32_t domain;
    uint8_t bus;
    uint8_t device;
    uint8_t function;
};

/* Where a device hangs. */
struct topo_place {
    struct topo_pci pci;
    bool has_pci;           /* false: something virtual. */
    struct topo_nodes near; /* All that are equally near; none: not known. */
    /* Numbers of the bridges above it, from the host's down. Two devices are
     * the nearer the longer the part is that they share. */
    uint32_t path[TOPO_PATH_MAX];
    uint32_t depth;
};

struct topo_gpu {
    struct topo_place place;
    uint16_t vendor;
    uint16_t device;
    uint16_t class;
    uint32_t parts; /* Logical GPUs behind the one address, at least 1. */
    char name[TOPO_NAME_MAX]; /* "NVIDIA 2330". */
};

enum topo_link { TOPO_LINK_UNKNOWN, TOPO_LINK_UP, TOPO_LINK_DOWN };

struct topo_nic {
    struct topo_place place;
    uint16_t vendor;
    uint16_t device;
    uint16_t class;
    enum topo_link link;
    bool is_part;  /* Of a bond, or a function of a card that is here itself. */
    uint64_t mbps; /* 0: not known. */
    char name[TOPO_NAME_MAX]; /* "eth0"; "": the system has no such device,
                                 so it carries no TCP. */
};

struct topo {
    struct topo_node *nodes;
    uint32_t node_count;
    uint32_t *distances; /* node_count squared, 10 is near; NULL: not known. */
    struct topo_gpu *gpus;
    uint32_t gpu_count;
    struct topo_nic *nics;
    uint32_t nic_count;
    struct topo_cpus cpus;
    struct topo_cpus allowed;
    bool is_this_machine;     /* false: out of a file, nothing can be bound. */
    char from[TOPO_FROM_MAX]; /* "this machine", "XML file …". */
};

struct topo_options {
    const char *xml_path;  /* A file that hwloc has written; NULL: none. */
    const char *synthetic; /* hwloc's short text of a machine; NULL: none. */
    /* One more kind of device that counts as a GPU, "VVVV:DDDD" as lspci -n
     * prints it; NULL: none. */
    const char *accelerator;
};

/* Read the machine, or what @options or hwloc's own variables name, into
 * @out (topo_hwloc.c). A machine that tells nothing of itself has no nodes.
 * Not while another thread reads the environment.
 * NOT_FOUND, DENIED, IO: the file can't be read; UNSUPPORTED: it was written
 * by a version that is not read here; MALFORMED; INVALID: the text or the
 * accelerator is not understood; OS. */
MUST_USE enum status topo_read(const struct topo_options *options,
                               struct fault *why, struct topo *out);
void topo_fini(struct topo *t);

/* Whether a device of this kind reads what is streamed: by class and vendor,
 * since the vendors' libraries are not asked. */
bool topo_is_gpu(uint16_t class, uint16_t vendor, uint16_t device);

/* Sort devices, leave out those that are there twice, and forget places that
 * are near to all, which says nothing. Whoever fills a topo calls it last. */
void topo_settle(struct topo *t);

/* What the kernel's files say of devices and the library does not: the state
 * and the speed of a link, the node of each single device (topo_sysfs_os.c).
 * What can't be read stays as it is. @root is "" for this machine. */
void topo_read_sysfs(struct topo *t, const char *root);

/* Sets. @cpu and @node may be any number. */
void topo_cpus_add(struct topo_cpus *set, uint32_t cpu);
bool topo_cpus_has(const struct topo_cpus *set, uint32_t cpu);
bool topo_cpus_is_empty(const struct topo_cpus *set);
bool topo_cpus_is_equal(const struct topo_cpus *a, const struct topo_cpus *b);
uint32_t topo_cpus_count(const struct topo_cpus *set);
struct topo_cpus topo_cpus_both(const struct topo_cpus *a,
                                const struct topo_cpus *b);
/* The first of the set that is >= @from; TOPO_NONE: there is none. */
uint32_t topo_cpus_next(const struct topo_cpus *set, uint32_t from);
/* Append "0-23,48-71". */
void topo_cpus_print(const struct topo_cpus *set, struct buf *out);

void topo_nodes_add(struct topo_nodes *set, uint32_t node);
bool topo_nodes_has(const struct topo_nodes *set, uint32_t node);
uint32_t topo_nodes_count(const struct topo_nodes *set);

/* The place of the node that the kernel calls @number; TOPO_NONE. */
uint32_t topo_find_node(const struct topo *t, uint32_t number);

/* 10 is near; 0: not known. */
uint32_t topo_distance(const struct topo *t, uint32_t from, uint32_t to);

/* Read "0000:10:1c.0", or the same without domain. false: it is none. */
bool topo_pci_parse(const char *text, size_t size, struct topo_pci *out);
void topo_pci_print(const struct topo_pci *pci, struct buf *out);
int topo_pci_compare(const struct topo_pci *a, const struct topo_pci *b);

enum topo_closeness {
    TOPO_NEAR_SWITCH, /* Below one PCI bridge. */
    TOPO_NEAR_BRIDGE, /* Below one host bridge. */
    TOPO_NEAR_NODE,   /* At the same memory node. */
    TOPO_NEAR_UNKNOWN,
    TOPO_NEAR_MACHINE, /* Known to be elsewhere. */
};
enum topo_closeness topo_closeness(const struct topo_place *a,
                                   const struct topo_place *b);

const char *topo_memory_word(enum topo_memory kind);
const char *topo_closeness_word(enum topo_closeness closeness);
const char *topo_link_word(enum topo_link link);

/* Append nodes, GPUs and NICs as members of a JSON object, without its
 * braces (topo_json.c). */
void topo_write_json(const struct topo *t, struct buf *out);

/* Check that the parts fit together; whoever made it by hand calls it. */
void topo_check(const struct topo *t);

#endif /* WORKER_TOPO_H */
