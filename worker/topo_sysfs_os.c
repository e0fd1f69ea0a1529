/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's files say of devices beside what the library tells. Each
 * is read where it is there, and nothing is an error. */

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "worker/topo.h"

enum { TOPO_LINE_MAX = 256, TOPO_PATH_TEXT_MAX = 512 };

/* Read the first line of a file below @root, without its end. */
__attribute__((format(printf, 2, 3))) static bool topo_line(char *line,
                                                            const char *format,
                                                            ...)
{
    char path[TOPO_PATH_TEXT_MAX];
    va_list args;
    FILE *in;
    bool is_read;

    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    in = fopen(path, "re");
    if (in == NULL) {
        return false;
    }
    is_read = fgets(line, TOPO_LINE_MAX, in) != NULL;
    fclose(in);
    if (is_read) {
        line[strcspn(line, "\n")] = '\0';
    }
    return is_read;
}

/* The kernel's word for one device beats that for its whole bus, on which
 * some virtual machines have the devices of all nodes. */
static void topo_read_node(struct topo *t, const char *root,
                           struct topo_place *place)
{
    char line[TOPO_LINE_MAX];
    char *end;
    long number;
    uint32_t node;

    if (!place->has_pci ||
        !topo_line(line, "%s/sys/bus/pci/devices/%04x:%02x:%02x.%x/numa_node",
                   root, place->pci.domain, place->pci.bus, place->pci.device,
                   place->pci.function)) {
        return;
    }
    number = strtol(line, &end, 10);
    if (end == line || number < 0 || number > INT32_MAX) {
        return;
    }
    node = topo_find_node(t, (uint32_t)number);
    if (node == TOPO_NONE) {
        return;
    }
    place->near = (struct topo_nodes){0};
    topo_nodes_add(&place->near, node);
    for (uint32_t i = 0; i < t->node_count; i++) {
        if (!topo_cpus_is_empty(&t->nodes[i].cpus) &&
            topo_cpus_is_equal(&t->nodes[i].cpus, &t->nodes[node].cpus)) {
            topo_nodes_add(&place->near, i);
        }
    }
}

static bool topo_has_link(const char *root, const char *nic, const char *name)
{
    char path[TOPO_PATH_TEXT_MAX];
    char target[TOPO_PATH_TEXT_MAX];

    snprintf(path, sizeof(path), "%s/sys/class/net/%s/%s", root, nic, name);
    return readlink(path, target, sizeof(target)) > 0;
}

static void topo_read_nic(const char *root, struct topo_nic *n)
{
    char line[TOPO_LINE_MAX];

    if (n->name[0] == '\0') {
        return;
    }
    if (topo_line(line, "%s/sys/class/net/%s/operstate", root, n->name)) {
        if (strcmp(line, "up") == 0) {
            n->link = TOPO_LINK_UP;
        } else if (strcmp(line, "down") == 0 ||
                   strcmp(line, "lowerlayerdown") == 0 ||
                   strcmp(line, "notpresent") == 0) {
            n->link = TOPO_LINK_DOWN;
        }
    }
    if (topo_line(line, "%s/sys/class/net/%s/speed", root, n->name)) {
        long mbps = strtol(line, NULL, 10);

        n->mbps = mbps > 0 ? (uint64_t)mbps : 0;
    }
    n->is_part = topo_has_link(root, n->name, "master") ||
                 topo_has_link(root, n->name, "device/physfn");
}

static struct topo_nic *topo_find_nic(struct topo *t, const char *name)
{
    for (uint32_t i = 0; i < t->nic_count; i++) {
        if (strcmp(t->nics[i].name, name) == 0) {
            return &t->nics[i];
        }
    }
    return NULL;
}

/* A bond is near to what its parts are near to. */
static void topo_read_lower(struct topo *t, const char *root,
                            struct topo_nic *n)
{
    static const char prefix[] = "lower_";
    char path[TOPO_PATH_TEXT_MAX];
    const struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof(path), "%s/sys/class/net/%s", root, n->name);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const struct topo_nic *lower;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) {
            continue;
        }
        lower = topo_find_nic(t, entry->d_name + strlen(prefix));
        for (uint32_t i = 0; lower != NULL && i < t->node_count; i++) {
            if (topo_nodes_has(&lower->place.near, i)) {
                topo_nodes_add(&n->place.near, i);
            }
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

/* The device of the default route may be a virtual one (a bond, a pod's end
 * of a pair), which no bus knows. */
static void topo_add_route(struct topo *t, const char *root, const char *name)
{
    struct topo_nic *n;

    if (name[0] == '\0' || strlen(name) >= TOPO_NAME_MAX ||
        topo_find_nic(t, name) != NULL) {
        return;
    }
    t->nics = mem_grow(t->nics, t->nic_count + 1, sizeof(t->nics[0]));
    n = &t->nics[t->nic_count];
    *n = (struct topo_nic){.mbps = 0};
    for (size_t i = 0; name[i] != '\0'; i++) { /* The rest is zeros. */
        n->name[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
    }
    topo_read_lower(t, root, n);
    t->nic_count++;
}

static void topo_read_routes(struct topo *t, const char *root)
{
    char path[TOPO_PATH_TEXT_MAX];
    char line[TOPO_LINE_MAX];
    FILE *in;

    snprintf(path, sizeof(path), "%s/proc/net/route", root);
    in = fopen(path, "re");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
        char *target = strchr(line, '\t');

        if (target != NULL && strncmp(target, "\t00000000\t", 10) == 0) {
            *target = '\0';
            topo_add_route(t, root, line);
        }
    }
    if (in != NULL) {
        fclose(in);
    }
}

static bool topo_has_gpu(const struct topo *t, const struct topo_pci *pci)
{
    for (uint32_t i = 0; i < t->gpu_count; i++) {
        if (topo_pci_compare(&t->gpus[i].place.pci, pci) == 0) {
            return true;
        }
    }
    return false;
}

/* Where the bus is hidden, NVIDIA's driver may still name its devices. */
static void topo_read_nvidia(struct topo *t, const char *root)
{
    char path[TOPO_PATH_TEXT_MAX];
    const struct dirent *entry;
    struct topo_pci pci;
    DIR *folder;

    snprintf(path, sizeof(path), "%s/proc/driver/nvidia/gpus", root);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (!topo_pci_parse(entry->d_name, strlen(entry->d_name), &pci) ||
            topo_has_gpu(t, &pci)) {
            continue;
        }
        t->gpus = mem_grow(t->gpus, t->gpu_count + 1, sizeof(t->gpus[0]));
        t->gpus[t->gpu_count++] = (struct topo_gpu){
            .place = {.pci = pci, .has_pci = true},
            .vendor = 0x10de,
            .parts = 1,
            .name = "NVIDIA",
        };
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

void topo_read_sysfs(struct topo *t, const char *root)
{
    topo_read_nvidia(t, root);
    /* A person who has set the places of buses knows them better. */
    if (getenv("HWLOC_PCI_LOCALITY") == NULL) {
        for (uint32_t i = 0; i < t->gpu_count; i++) {
            topo_read_node(t, root, &t->gpus[i].place);
        }
        for (uint32_t i = 0; i < t->nic_count; i++) {
            topo_read_node(t, root, &t->nics[i].place);
        }
    }
    topo_read_routes(t, root);
    for (uint32_t i = 0; i < t->nic_count; i++) {
        topo_read_nic(root, &t->nics[i]);
    }
}
