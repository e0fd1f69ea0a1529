/* SPDX-License-Identifier: Apache-2.0 */
/* The machine as hwloc tells it. It is asked once, for everything, and its
 * answer is copied. */

#include <hwloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "worker/topo.h"

enum {
    TOPO_XML_MAX = 64 << 20,
    TOPO_DEVICES_MAX = 4096, /* Of GPUs, and of NICs. */
    TOPO_HEX = 16,
};

struct topo_accelerator {
    bool is_there;
    uint16_t vendor;
    uint16_t device;
};

/* ---- Load ---------------------------------------------------------------- */

/* Libraries that would start a driver or a display are left alone; hwloc
 * tells those apart that it does not have by an error, which is as good. */
static void topo_leave_drivers(hwloc_topology_t h)
{
    static const char *const names[] = {"opencl", "gl",   "cuda",
                                        "nvml",   "rsmi", "levelzero"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)hwloc_topology_set_components(
            h, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, names[i]);
    }
}

/* The number of the version that wrote the file; 1 did not say. */
static unsigned long topo_xml_version(const struct buf *text)
{
    const char *at = strstr(buf_text(text), "<topology");
    const char *end = at != NULL ? strchr(at, '>') : NULL;
    const char *version = at != NULL ? strstr(at, "version=\"") : NULL;

    if (version == NULL || end == NULL || version > end) {
        return 1;
    }
    return strtoul(version + strlen("version=\""), NULL, 10);
}

static enum status topo_set_xml(hwloc_topology_t h, const char *path,
                                struct fault *why)
{
    struct buf text = {0};
    enum status s = file_read(path, TOPO_XML_MAX, why, &text);

    if (s == STATUS_OK && topo_xml_version(&text) > 2) {
        s = fault_set(why, STATUS_UNSUPPORTED,
                      "%s: written by hwloc %lu, and only files of hwloc 1 and "
                      "2 are read here; export it with 'lstopo "
                      "--export-xml-flags v2'",
                      path, topo_xml_version(&text));
    } else if (s == STATUS_OK &&
               (text.size >= TOPO_XML_MAX ||
                hwloc_topology_set_xmlbuffer(h, buf_text(&text),
                                             (int)text.size + 1) != 0)) {
        s = fault_set(why, STATUS_MALFORMED,
                      "%s: hwloc can not read it; is it the output of 'lstopo "
                      "FILE.xml'?",
                      path);
    }
    buf_fini(&text);
    return s;
}

static enum status topo_set_source(hwloc_topology_t h,
                                   const struct topo_options *o,
                                   struct fault *why)
{
    if (o->xml_path != NULL) {
        return topo_set_xml(h, o->xml_path, why);
    }
    if (o->synthetic != NULL &&
        hwloc_topology_set_synthetic(h, o->synthetic) != 0) {
        return fault_set(why, STATUS_INVALID,
                         "'%s': hwloc does not understand it; an example is "
                         "\"pack:2 numa:2 core:8 pu:2\"",
                         o->synthetic);
    }
    return STATUS_OK;
}

static bool topo_is_from_files(const struct topo_options *o)
{
    return o->xml_path == NULL && o->synthetic == NULL &&
           getenv("HWLOC_XMLFILE") == NULL && getenv("HWLOC_SYNTHETIC") == NULL;
}

/* All nodes are loaded, also those that may not be used: else a device of
 * one of these seems to be near to another one. EMPTY: the machine tells
 * nothing, as in some sandboxes. */
static enum status topo_load(hwloc_topology_t h, const struct topo_options *o,
                             struct fault *why)
{
    const char *what = o->xml_path != NULL    ? o->xml_path
                       : o->synthetic != NULL ? o->synthetic
                                              : "this machine";
    enum status s;

    topo_leave_drivers(h);
    s = topo_set_source(h, o, why);
    if (s != STATUS_OK) {
        return s;
    }
    /* Trainium is of a class that hwloc holds for unimportant. */
    if (hwloc_topology_set_io_types_filter(
            h, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) != 0 ||
        hwloc_topology_set_type_filter(h, HWLOC_OBJ_PCI_DEVICE,
                                       HWLOC_TYPE_FILTER_KEEP_ALL) != 0 ||
        hwloc_topology_set_flags(
            h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED |
                   HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING) != 0) {
        return fault_set(why, STATUS_OS, "hwloc: its settings are refused: %s",
                         strerror(errno));
    }
    if (hwloc_topology_load(h) != 0) {
        if (topo_is_from_files(o)) {
            return STATUS_EMPTY;
        }
        return fault_set(why, STATUS_MALFORMED, "%s: hwloc can not load it: %s",
                         what, strerror(errno));
    }
    return STATUS_OK;
}

/* ---- Processors and nodes ------------------------------------------------ */

static struct topo_cpus topo_copy_cpus(hwloc_const_bitmap_t set)
{
    struct topo_cpus out = {{0}};

    for (int i = set != NULL ? hwloc_bitmap_first(set) : -1;
         i >= 0 && i < TOPO_CPUS_MAX; i = hwloc_bitmap_next(set, i)) {
        topo_cpus_add(&out, (uint32_t)i);
    }
    return out;
}

/* What the cgroup allows, and of that what this process was bound to. */
static void topo_copy_machine_cpus(hwloc_topology_t h, struct topo *out)
{
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    struct topo_cpus both;

    out->cpus = topo_copy_cpus(hwloc_get_root_obj(h)->cpuset);
    out->allowed = topo_copy_cpus(hwloc_topology_get_allowed_cpuset(h));
    if (bound != NULL && out->is_this_machine &&
        hwloc_get_cpubind(h, bound, HWLOC_CPUBIND_THREAD) == 0) {
        both = topo_copy_cpus(bound);
        both = topo_cpus_both(&out->allowed, &both);
        if (!topo_cpus_is_empty(&both)) {
            out->allowed = both;
        }
    }
    hwloc_bitmap_free(bound);
}

static enum topo_memory topo_memory_kind(hwloc_obj_t node)
{
    static const struct {
        const char *text;
        enum topo_memory kind;
    } kinds[] = {
        {"GPUMemory", TOPO_GPU_MEMORY},
        {"HBM", TOPO_HBM},
        {"MCDRAM", TOPO_HBM},
        {"SPM", TOPO_HBM},
        {"NVM", TOPO_NVM},
        {"CXL-DRAM", TOPO_CXL},
        {"CXL-NVM", TOPO_NVM},
    };
    const char *dax = hwloc_obj_get_info_by_name(node, "DAXType");
    const char *text = node->subtype != NULL ? node->subtype : dax;

    if (node->attr->numanode.local_memory == 0) {
        return TOPO_NO_MEMORY;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (text != NULL && strcmp(text, kinds[i].text) == 0) {
            return kinds[i].kind;
        }
    }
    return TOPO_DRAM;
}

static uint64_t topo_bandwidth(hwloc_topology_t h, hwloc_obj_t node)
{
    struct hwloc_location from = {.type = HWLOC_LOCATION_TYPE_CPUSET,
                                  .location.cpuset = node->cpuset};
    hwloc_uint64_t value = 0;

    if (node->cpuset == NULL || hwloc_bitmap_iszero(node->cpuset) ||
        hwloc_memattr_get_value(h, HWLOC_MEMATTR_ID_BANDWIDTH, node, &from, 0,
                                &value) != 0) {
        return 0;
    }
    return value;
}

static int topo_compare_nodes(const void *a, const void *b)
{
    const struct topo_node *x = a;
    const struct topo_node *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

/* Of two memories at the same processors, the far faster one is HBM, where
 * nobody says so. */
static void topo_find_hbm(struct topo *t)
{
    for (uint32_t i = 0; i < t->node_count; i++) {
        struct topo_node *n = &t->nodes[i];

        for (uint32_t k = 0; k < t->node_count; k++) {
            const struct topo_node *other = &t->nodes[k];

            if (n->kind == TOPO_DRAM && other->bandwidth > 0 &&
                n->bandwidth / 3 > other->bandwidth / 2 &&
                topo_cpus_is_equal(&n->cpus, &other->cpus)) {
                n->kind = TOPO_HBM;
            }
        }
    }
}

static void topo_copy_nodes(hwloc_topology_t h, struct topo *out)
{
    hwloc_const_nodeset_t allowed = hwloc_topology_get_allowed_nodeset(h);
    hwloc_obj_t o = NULL;

    out->nodes = mem_new(TOPO_NODES_MAX, sizeof(out->nodes[0]));
    while ((o = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_NUMANODE, o)) != NULL &&
           out->node_count < TOPO_NODES_MAX) {
        if (topo_find_node(out, o->os_index) != TOPO_NONE ||
            o->os_index > INT32_MAX) {
            continue;
        }
        out->nodes[out->node_count++] = (struct topo_node){
            .number = o->os_index,
            .kind = topo_memory_kind(o),
            .bytes = o->attr->numanode.local_memory,
            .bandwidth = topo_bandwidth(h, o),
            .cpus = topo_copy_cpus(o->cpuset),
            .is_allowed = hwloc_bitmap_isset(allowed, o->os_index) != 0,
        };
    }
    out->nodes =
        mem_grow(out->nodes, out->node_count + 1, sizeof(out->nodes[0]));
    qsort(out->nodes, out->node_count, sizeof(out->nodes[0]),
          topo_compare_nodes);
    topo_find_hbm(out);
}

static void topo_fill_distances(const struct hwloc_distances_s *d,
                                struct topo *out)
{
    out->distances = mem_new((size_t)out->node_count * out->node_count,
                             sizeof(out->distances[0]));
    for (unsigned i = 0; i < d->nbobjs * d->nbobjs; i++) {
        hwloc_obj_t from = d->objs[i / d->nbobjs];
        hwloc_obj_t to = d->objs[i % d->nbobjs];
        uint32_t a =
            from != NULL ? topo_find_node(out, from->os_index) : TOPO_NONE;
        uint32_t b = to != NULL ? topo_find_node(out, to->os_index) : TOPO_NONE;

        if (a != TOPO_NONE && b != TOPO_NONE) {
            out->distances[a * out->node_count + b] =
                d->values[i] < UINT32_MAX ? (uint32_t)d->values[i] : UINT32_MAX;
        }
    }
}

static void topo_copy_distances(hwloc_topology_t h, struct topo *out)
{
    struct hwloc_distances_s *d = NULL;
    unsigned count = 1;

    if (hwloc_distances_get_by_type(h, HWLOC_OBJ_NUMANODE, &count, &d,
                                    HWLOC_DISTANCES_KIND_MEANS_LATENCY,
                                    0) == 0 &&
        count > 0 && d != NULL) {
        topo_fill_distances(d, out);
        hwloc_distances_release(h, d);
    }
}

/* ---- Devices ------------------------------------------------------------- */

/* Text out of a file or a driver, made fit to be shown. */
static void topo_copy_name(const char *from, char *to)
{
    size_t i = 0;

    for (; from != NULL && from[i] != '\0' && i < TOPO_NAME_MAX - 1; i++) {
        to[i] = from[i] > ' ' && from[i] <= '~' ? from[i] : '?';
    }
    to[i] = '\0';
}

static void topo_copy_near(hwloc_topology_t h, hwloc_obj_t device,
                           const struct topo *t, struct topo_nodes *near)
{
    hwloc_obj_t found[TOPO_NODES_MAX];
    unsigned count = TOPO_NODES_MAX;
    struct hwloc_location at = {.type = HWLOC_LOCATION_TYPE_OBJECT,
                                .location.object =
                                    hwloc_get_non_io_ancestor_obj(h, device)};

    if (at.location.object == NULL ||
        hwloc_get_local_numanode_objs(
            h, &at, &count, found,
            HWLOC_LOCAL_NUMANODE_FLAG_LARGER_LOCALITY |
                HWLOC_LOCAL_NUMANODE_FLAG_SMALLER_LOCALITY) != 0) {
        return;
    }
    for (unsigned i = 0; i < count && i < TOPO_NODES_MAX; i++) {
        uint32_t node = topo_find_node(t, found[i]->os_index);

        if (node != TOPO_NONE) {
            topo_nodes_add(near, node);
        }
    }
}

/* Of more bridges than there is room for, the lowest ones are left out. */
static void topo_copy_path(hwloc_obj_t device, struct topo_place *place)
{
    uint32_t depth = 0;
    uint32_t above = 0;

    for (hwloc_obj_t o = device->parent; o != NULL; o = o->parent) {
        depth += o->type == HWLOC_OBJ_BRIDGE;
    }
    for (hwloc_obj_t o = device->parent; o != NULL; o = o->parent) {
        if (o->type == HWLOC_OBJ_BRIDGE && depth - ++above < TOPO_PATH_MAX) {
            place->path[depth - above] = o->logical_index;
        }
    }
    place->depth = depth < TOPO_PATH_MAX ? depth : TOPO_PATH_MAX;
}

static void topo_copy_place(hwloc_topology_t h, hwloc_obj_t device,
                            const struct topo *t, struct topo_place *place)
{
    if (device->type == HWLOC_OBJ_PCI_DEVICE) {
        const struct hwloc_pcidev_attr_s *pci = &device->attr->pcidev;

        place->has_pci = true;
        place->pci =
            (struct topo_pci){pci->domain, pci->bus, pci->dev, pci->func};
    }
    topo_copy_near(h, device, t, &place->near);
    topo_copy_path(device, place);
}

static const char *topo_vendor(uint16_t vendor)
{
    static const struct {
        uint16_t vendor;
        const char *name;
    } names[] = {{0x10de, "NVIDIA"},
                 {0x1002, "AMD"},
                 {0x8086, "Intel"},
                 {0x1d0f, "AWS"},
                 {0x1da3, "Habana"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].vendor == vendor) {
            return names[i].name;
        }
    }
    return NULL;
}

static void topo_name_gpu(struct topo_gpu *g)
{
    const char *vendor = topo_vendor(g->vendor);

    if (vendor != NULL) {
        snprintf(g->name, sizeof(g->name), "%s %04x", vendor, g->device);
    } else {
        snprintf(g->name, sizeof(g->name), "%04x:%04x", g->vendor, g->device);
    }
}

/* How many names of one maker hang below: each is a logical GPU. */
static uint32_t topo_count_parts(hwloc_obj_t device)
{
    static const char *const makers[] = {"cuda", "nvml", "rsmi"};
    uint32_t most = 0;

    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        uint32_t count = 0;

        for (hwloc_obj_t o = device->io_first_child; o != NULL;
             o = o->next_sibling) {
            count += o->type == HWLOC_OBJ_OS_DEVICE && o->name != NULL &&
                     strncmp(o->name, makers[i], strlen(makers[i])) == 0;
        }
        most = count > most ? count : most;
    }
    return most;
}

static void topo_copy_gpu(hwloc_topology_t h, hwloc_obj_t device,
                          struct topo *out)
{
    const struct hwloc_pcidev_attr_s *pci = &device->attr->pcidev;
    struct topo_gpu *g = &out->gpus[out->gpu_count++];
    uint32_t parts = topo_count_parts(device);

    *g = (struct topo_gpu){
        .vendor = pci->vendor_id,
        .device = pci->device_id,
        .class = pci->class_id,
        .parts = parts > 0 ? parts : 1,
    };
    topo_copy_place(h, device, out, &g->place);
    topo_name_gpu(g);
}

static void topo_copy_gpus(hwloc_topology_t h,
                           const struct topo_accelerator *more,
                           struct topo *out)
{
    hwloc_obj_t o = NULL;

    out->gpus = mem_new(TOPO_DEVICES_MAX, sizeof(out->gpus[0]));
    while ((o = hwloc_get_next_pcidev(h, o)) != NULL &&
           out->gpu_count < TOPO_DEVICES_MAX) {
        const struct hwloc_pcidev_attr_s *pci = &o->attr->pcidev;

        if (topo_is_gpu(pci->class_id, pci->vendor_id, pci->device_id) ||
            topo_count_parts(o) > 0 ||
            (more->is_there && more->vendor == pci->vendor_id &&
             more->device == pci->device_id)) {
            topo_copy_gpu(h, o, out);
        }
    }
    out->gpus = mem_grow(out->gpus, out->gpu_count + 1, sizeof(out->gpus[0]));
}

static bool topo_is_net(hwloc_obj_t o)
{
    return o->type == HWLOC_OBJ_OS_DEVICE &&
           o->attr->osdev.type == HWLOC_OBJ_OSDEV_NETWORK;
}

static void topo_copy_nic(hwloc_topology_t h, hwloc_obj_t device,
                          const char *name, struct topo *out)
{
    struct topo_nic *n;

    if (out->nic_count == TOPO_DEVICES_MAX) {
        return;
    }
    n = &out->nics[out->nic_count++];
    *n = (struct topo_nic){.mbps = 0};
    if (device->type == HWLOC_OBJ_PCI_DEVICE) {
        n->vendor = device->attr->pcidev.vendor_id;
        n->device = device->attr->pcidev.device_id;
        n->class = device->attr->pcidev.class_id;
    }
    topo_copy_place(h, device, out, &n->place);
    topo_copy_name(name, n->name);
}

/* Every name that the system has for a card, and the cards without one. */
static void topo_copy_nics(hwloc_topology_t h, struct topo *out)
{
    enum { PCI_NETWORK = 2, PCI_BASE_SHIFT = 8 };
    hwloc_obj_t o = NULL;

    out->nics = mem_new(TOPO_DEVICES_MAX, sizeof(out->nics[0]));
    while ((o = hwloc_get_next_osdev(h, o)) != NULL) {
        if (topo_is_net(o)) {
            bool is_pci = o->parent->type == HWLOC_OBJ_PCI_DEVICE;

            topo_copy_nic(h, is_pci ? o->parent : o, o->name, out);
        }
    }
    while ((o = hwloc_get_next_pcidev(h, o)) != NULL) {
        hwloc_obj_t child = o->io_first_child;

        while (child != NULL && !topo_is_net(child)) {
            child = child->next_sibling;
        }
        if (o->attr->pcidev.class_id >> PCI_BASE_SHIFT == PCI_NETWORK &&
            child == NULL) {
            topo_copy_nic(h, o, "", out);
        }
    }
    out->nics = mem_grow(out->nics, out->nic_count + 1, sizeof(out->nics[0]));
}

/* ---- All of it ----------------------------------------------------------- */

static enum status topo_parse_accelerator(const char *text, struct fault *why,
                                          struct topo_accelerator *out)
{
    enum { DIGITS = 4 };
    const char *device;

    *out = (struct topo_accelerator){.is_there = text != NULL};
    if (text == NULL) {
        return STATUS_OK;
    }
    device = text + DIGITS + 1;
    if (strlen(text) != 2 * DIGITS + 1 || text[DIGITS] != ':' ||
        strspn(text, "0123456789abcdefABCDEF") != DIGITS ||
        strspn(device, "0123456789abcdefABCDEF") != DIGITS) {
        return fault_set(why, STATUS_INVALID,
                         "'%s' is no vendor and device, such as 10de:2330 in "
                         "'lspci -n'",
                         text);
    }
    out->vendor = (uint16_t)strtoul(text, NULL, TOPO_HEX);
    out->device = (uint16_t)strtoul(device, NULL, TOPO_HEX);
    return STATUS_OK;
}

static void topo_name_source(const struct topo_options *o, struct topo *out)
{
    const char *root = getenv("HWLOC_FSROOT");

    if (o->xml_path != NULL) {
        snprintf(out->from, sizeof(out->from), "XML file %s", o->xml_path);
    } else if (o->synthetic != NULL) {
        snprintf(out->from, sizeof(out->from), "synthetic %s", o->synthetic);
    } else if (out->is_this_machine) {
        snprintf(out->from, sizeof(out->from), "this machine");
    } else if (root != NULL) {
        snprintf(out->from, sizeof(out->from), "files below %s", root);
    } else {
        snprintf(out->from, sizeof(out->from), "hwloc's variables");
    }
    for (char *c = out->from; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

static void topo_copy(hwloc_topology_t h, const struct topo_accelerator *more,
                      struct topo *out)
{
    out->is_this_machine = hwloc_topology_is_thissystem(h) == 1;
    topo_copy_machine_cpus(h, out);
    topo_copy_nodes(h, out);
    topo_copy_distances(h, out);
    topo_copy_gpus(h, more, out);
    topo_copy_nics(h, out);
    topo_settle(out);
}

/* What is known without hwloc. */
static void topo_finish(const struct topo_options *o, struct topo *out)
{
    const char *root = getenv("HWLOC_FSROOT");

    if (topo_is_from_files(o)) {
        topo_read_sysfs(out, root != NULL ? root : "");
        topo_settle(out);
    }
    topo_name_source(o, out);
    topo_check(out);
}

enum status topo_read(const struct topo_options *options, struct fault *why,
                      struct topo *out)
{
    struct topo_accelerator more;
    hwloc_topology_t h = NULL;
    enum status s = topo_parse_accelerator(options->accelerator, why, &more);

    *out = (struct topo){0};
    if (s != STATUS_OK) {
        return s;
    }
    /* What it would print is ours to say. */
    (void)setenv("HWLOC_HIDE_ERRORS", "2", 0);
    if (hwloc_topology_init(&h) != 0) {
        return fault_set(why, STATUS_OS, "hwloc can not be started: %s",
                         strerror(errno));
    }
    s = topo_load(h, options, why);
    if (s == STATUS_OK) {
        topo_copy(h, &more, out);
    } else if (s == STATUS_EMPTY) {
        out->is_this_machine = getenv("HWLOC_FSROOT") == NULL;
        s = STATUS_OK;
    }
    hwloc_topology_destroy(h);
    if (s == STATUS_OK) {
        topo_finish(options, out);
    }
    return s;
}
