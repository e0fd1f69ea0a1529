/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/topo.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { TOPO_CPU_WORDS = TOPO_CPUS_MAX / TOPO_WORD_BITS };

void topo_cpus_add(struct topo_cpus *set, uint32_t cpu)
{
    if (cpu < TOPO_CPUS_MAX) {
        set->word[cpu / TOPO_WORD_BITS] |= UINT64_C(1)
                                           << (cpu % TOPO_WORD_BITS);
    }
}

bool topo_cpus_has(const struct topo_cpus *set, uint32_t cpu)
{
    return cpu < TOPO_CPUS_MAX &&
           (set->word[cpu / TOPO_WORD_BITS] >> (cpu % TOPO_WORD_BITS) & 1) != 0;
}

bool topo_cpus_is_empty(const struct topo_cpus *set)
{
    return topo_cpus_next(set, 0) == TOPO_NONE;
}

bool topo_cpus_is_equal(const struct topo_cpus *a, const struct topo_cpus *b)
{
    return memcmp(a->word, b->word, sizeof(a->word)) == 0;
}

uint32_t topo_cpus_count(const struct topo_cpus *set)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < TOPO_CPU_WORDS; i++) {
        count += (uint32_t)__builtin_popcountll(set->word[i]);
    }
    return count;
}

struct topo_cpus topo_cpus_both(const struct topo_cpus *a,
                                const struct topo_cpus *b)
{
    struct topo_cpus both;

    for (uint32_t i = 0; i < TOPO_CPU_WORDS; i++) {
        both.word[i] = a->word[i] & b->word[i];
    }
    return both;
}

uint32_t topo_cpus_next(const struct topo_cpus *set, uint32_t from)
{
    uint32_t at = from / TOPO_WORD_BITS;
    uint64_t word;

    if (from >= TOPO_CPUS_MAX) {
        return TOPO_NONE;
    }
    word = set->word[at] & (UINT64_MAX << (from % TOPO_WORD_BITS));
    while (word == 0) {
        if (++at == TOPO_CPU_WORDS) {
            return TOPO_NONE;
        }
        word = set->word[at];
    }
    return at * TOPO_WORD_BITS + (uint32_t)__builtin_ctzll(word);
}

void topo_cpus_print(const struct topo_cpus *set, struct buf *out)
{
    const char *comma = "";
    uint32_t first = topo_cpus_next(set, 0);

    while (first != TOPO_NONE) {
        uint32_t last = first;

        while (topo_cpus_has(set, last + 1)) {
            last++;
        }
        buf_print(out, "%s%u", comma, first);
        if (last > first) {
            buf_print(out, "-%u", last);
        }
        comma = ",";
        first = topo_cpus_next(set, last + 1);
    }
}

void topo_nodes_add(struct topo_nodes *set, uint32_t node)
{
    CHECK(node < TOPO_NODES_MAX);
    set->word[node / TOPO_WORD_BITS] |= UINT64_C(1) << (node % TOPO_WORD_BITS);
}

bool topo_nodes_has(const struct topo_nodes *set, uint32_t node)
{
    return node < TOPO_NODES_MAX &&
           (set->word[node / TOPO_WORD_BITS] >> (node % TOPO_WORD_BITS) & 1) !=
               0;
}

uint32_t topo_nodes_count(const struct topo_nodes *set)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < TOPO_NODES_MAX / TOPO_WORD_BITS; i++) {
        count += (uint32_t)__builtin_popcountll(set->word[i]);
    }
    return count;
}

uint32_t topo_find_node(const struct topo *t, uint32_t number)
{
    for (uint32_t i = 0; i < t->node_count; i++) {
        if (t->nodes[i].number == number) {
            return i;
        }
    }
    return TOPO_NONE;
}

uint32_t topo_distance(const struct topo *t, uint32_t from, uint32_t to)
{
    CHECK(from < t->node_count && to < t->node_count);
    return t->distances != NULL ? t->distances[from * t->node_count + to] : 0;
}

/* Read hexadecimal digits that make a number of at most @max. */
static bool topo_pci_number(const char **at, const char *end, uint32_t max,
                            uint32_t *out)
{
    const char *start = *at;
    uint32_t value = 0;

    while (*at < end) {
        char c = **at;
        uint32_t digit;

        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if ((c | ' ') >= 'a' && (c | ' ') <= 'f') {
            digit = (uint32_t)((c | ' ') - 'a' + 10);
        } else {
            break;
        }
        value = value << 4 | digit;
        if (value > max) {
            return false;
        }
        (*at)++;
    }
    *out = value;
    return *at > start;
}

static bool topo_pci_skip(const char **at, const char *end, char c)
{
    if (*at < end && **at == c) {
        (*at)++;
        return true;
    }
    return false;
}

bool topo_pci_parse(const char *text, size_t size, struct topo_pci *out)
{
    enum { DOMAIN_MAX = 0xfffffff, BUS_MAX = 255, DEVICE_MAX = 31 };
    const char *end = text + size;
    uint32_t domain;
    uint32_t bus;
    uint32_t device;
    uint32_t function;

    if (!topo_pci_number(&text, end, DOMAIN_MAX, &domain) ||
        !topo_pci_skip(&text, end, ':') ||
        !topo_pci_number(&text, end, BUS_MAX, &bus)) {
        return false;
    }
    if (topo_pci_skip(&text, end, ':')) {
        if (!topo_pci_number(&text, end, DEVICE_MAX, &device)) {
            return false;
        }
    } else { /* The domain was left out. */
        device = bus;
        bus = domain;
        domain = 0;
    }
    if (!topo_pci_skip(&text, end, '.') ||
        !topo_pci_number(&text, end, 7, &function) || text != end ||
        bus > BUS_MAX || device > DEVICE_MAX) {
        return false;
    }
    *out = (struct topo_pci){domain, (uint8_t)bus, (uint8_t)device,
                             (uint8_t)function};
    return true;
}

void topo_pci_print(const struct topo_pci *pci, struct buf *out)
{
    buf_print(out, "%04x:%02x:%02x.%x", pci->domain, pci->bus, pci->device,
              pci->function);
}

static uint64_t topo_pci_key(const struct topo_pci *pci)
{
    return (uint64_t)pci->domain << 32 | (uint64_t)pci->bus << 16 |
           (uint64_t)pci->device << 8 | pci->function;
}

int topo_pci_compare(const struct topo_pci *a, const struct topo_pci *b)
{
    uint64_t x = topo_pci_key(a);
    uint64_t y = topo_pci_key(b);

    return (x > y) - (x < y);
}

static bool topo_nodes_meet(const struct topo_nodes *a,
                            const struct topo_nodes *b)
{
    for (uint32_t i = 0; i < TOPO_NODES_MAX / TOPO_WORD_BITS; i++) {
        if ((a->word[i] & b->word[i]) != 0) {
            return true;
        }
    }
    return false;
}

enum topo_closeness topo_closeness(const struct topo_place *a,
                                   const struct topo_place *b)
{
    uint32_t shared = 0;

    while (shared < a->depth && shared < b->depth &&
           a->path[shared] == b->path[shared]) {
        shared++;
    }
    if (shared > 0) {
        return shared > 1 ? TOPO_NEAR_SWITCH : TOPO_NEAR_BRIDGE;
    }
    if (topo_nodes_count(&a->near) == 0 || topo_nodes_count(&b->near) == 0) {
        return TOPO_NEAR_UNKNOWN;
    }
    return topo_nodes_meet(&a->near, &b->near) ? TOPO_NEAR_NODE
                                               : TOPO_NEAR_MACHINE;
}

const char *topo_memory_word(enum topo_memory kind)
{
    static const char *const words[] = {
        [TOPO_DRAM] = "DRAM",
        [TOPO_HBM] = "HBM",
        [TOPO_CXL] = "CXL",
        [TOPO_NVM] = "NVM",
        [TOPO_GPU_MEMORY] = "GPU memory",
        [TOPO_NO_MEMORY] = "no memory",
    };

    return words[kind];
}

const char *topo_closeness_word(enum topo_closeness closeness)
{
    static const char *const words[] = {
        [TOPO_NEAR_SWITCH] = "same switch", [TOPO_NEAR_BRIDGE] = "same bridge",
        [TOPO_NEAR_NODE] = "same node",     [TOPO_NEAR_UNKNOWN] = "unknown",
        [TOPO_NEAR_MACHINE] = "other node",
    };

    return words[closeness];
}

const char *topo_link_word(enum topo_link link)
{
    static const char *const words[] = {
        [TOPO_LINK_UNKNOWN] = "unknown",
        [TOPO_LINK_UP] = "up",
        [TOPO_LINK_DOWN] = "down",
    };

    return words[link];
}

struct topo_kind {
    uint16_t vendor;
    uint16_t class;
};

enum { TOPO_AMD = 0x1002 };

bool topo_is_gpu(uint16_t class, uint16_t vendor, uint16_t device)
{
    static const struct topo_kind kinds[] = {
        {0x10de, 0x0300},   {0x10de, 0x0302},   {TOPO_AMD, 0x0300},
        {TOPO_AMD, 0x0302}, {TOPO_AMD, 0x0380}, {TOPO_AMD, 0x1200},
        {0x8086, 0x0380}, /* Data center GPUs; 0300 is a desktop's. */
        {0x1d0f, 0x0880}, /* Inferentia, Trainium. */
        {0x1d0f, 0x1200},   {0x1da3, 0x1200}, /* Gaudi. */
    };
    /* What servers once had for a console. */
    static const uint16_t consoles[] = {0x4752, 0x5159, 0x515e, 0x5960};

    for (size_t i = 0; i < sizeof(consoles) / sizeof(consoles[0]); i++) {
        if (vendor == TOPO_AMD && device == consoles[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].vendor == vendor && kinds[i].class == class) {
            return true;
        }
    }
    return false;
}

static int topo_compare_gpus(const void *a, const void *b)
{
    const struct topo_gpu *x = a;
    const struct topo_gpu *y = b;

    return topo_pci_compare(&x->place.pci, &y->place.pci);
}

static int topo_compare_nics(const void *a, const void *b)
{
    const struct topo_nic *x = a;
    const struct topo_nic *y = b;
    int order = (int)y->place.has_pci - (int)x->place.has_pci;

    if (order == 0) {
        order = topo_pci_compare(&x->place.pci, &y->place.pci);
    }
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Whether node @i is the first one near to its processors. */
static bool topo_is_first_of_cpus(const struct topo *t, uint32_t i)
{
    if (topo_cpus_is_empty(&t->nodes[i].cpus)) {
        return false;
    }
    for (uint32_t k = 0; k < i; k++) {
        if (topo_cpus_is_equal(&t->nodes[k].cpus, &t->nodes[i].cpus)) {
            return false;
        }
    }
    return true;
}

static struct topo_nodes topo_with_cpus(const struct topo *t,
                                        const struct topo_nodes *near)
{
    struct topo_nodes out = {{0}};

    for (uint32_t i = 0; i < t->node_count; i++) {
        if (topo_nodes_has(near, i) && !topo_cpus_is_empty(&t->nodes[i].cpus)) {
            topo_nodes_add(&out, i);
        }
    }
    return out;
}

/* Nodes without processors seem to be near to everything (the memory of GPUs,
 * say), and would make all devices neighbours; they count only where there is
 * nothing else. Then count the groups of processors that have nodes of their
 * own, and those of them that @p is near to; memories of several kinds at the
 * same processors are one place. */
static void topo_settle_place(const struct topo *t, struct topo_place *p)
{
    struct topo_nodes whole = topo_with_cpus(t, &p->near);
    uint32_t groups = 0;
    uint32_t near = 0;

    p->near = topo_nodes_count(&whole) > 0 ? whole : p->near;
    for (uint32_t i = 0; i < t->node_count; i++) {
        if (topo_is_first_of_cpus(t, i)) {
            groups++;
            near += topo_nodes_has(&p->near, i);
        }
    }
    if (groups > 1 && near == groups) {
        p->near = (struct topo_nodes){0};
    }
}

void topo_settle(struct topo *t)
{
    uint32_t kept = 0;

    if (t->gpu_count > 0) {
        qsort(t->gpus, t->gpu_count, sizeof(t->gpus[0]), topo_compare_gpus);
    }
    for (uint32_t i = 0; i < t->gpu_count; i++) {
        if (kept == 0 ||
            topo_compare_gpus(&t->gpus[kept - 1], &t->gpus[i]) != 0) {
            t->gpus[kept++] = t->gpus[i];
            topo_settle_place(t, &t->gpus[kept - 1].place);
        }
    }
    t->gpu_count = kept;
    kept = 0;
    if (t->nic_count > 0) {
        qsort(t->nics, t->nic_count, sizeof(t->nics[0]), topo_compare_nics);
    }
    for (uint32_t i = 0; i < t->nic_count; i++) {
        if (kept == 0 ||
            topo_compare_nics(&t->nics[kept - 1], &t->nics[i]) != 0) {
            t->nics[kept++] = t->nics[i];
            topo_settle_place(t, &t->nics[kept - 1].place);
        }
    }
    t->nic_count = kept;
}

static void topo_check_place(const struct topo *t, const struct topo_place *p)
{
    CHECK(p->depth <= TOPO_PATH_MAX);
    for (uint32_t i = t->node_count; i < TOPO_NODES_MAX; i++) {
        CHECK(!topo_nodes_has(&p->near, i));
    }
}

void topo_check(const struct topo *t)
{
    CHECK(t->node_count <= TOPO_NODES_MAX);
    CHECK_IMPLIES(t->node_count > 0, t->nodes != NULL);
    for (uint32_t i = 1; i < t->node_count; i++) {
        CHECK(t->nodes[i - 1].number < t->nodes[i].number);
    }
    for (uint32_t i = 0; i < t->gpu_count; i++) {
        CHECK(t->gpus[i].parts > 0 && t->gpus[i].place.has_pci);
        CHECK(i == 0 || topo_pci_compare(&t->gpus[i - 1].place.pci,
                                         &t->gpus[i].place.pci) < 0);
        topo_check_place(t, &t->gpus[i].place);
    }
    for (uint32_t i = 0; i < t->nic_count; i++) {
        topo_check_place(t, &t->nics[i].place);
    }
}

void topo_fini(struct topo *t)
{
    free(t->nodes);
    free(t->distances);
    free(t->gpus);
    free(t->nics);
    *t = (struct topo){0};
}
