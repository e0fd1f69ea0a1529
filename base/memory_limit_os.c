/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory_limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* The number in a file; @most if it holds none, "max" for one. */
static uint64_t memory_limit_file(const char *folder, const char *name,
                                  uint64_t most)
{
    char *path = mem_print("%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    uint64_t limit;

    free(path);
    if (file == NULL) {
        return most;
    }
    if (fscanf(file, "%" SCNu64, &limit) != 1 || limit > most) {
        limit = most;
    }
    fclose(file);
    return limit;
}

uint64_t memory_limit_below(const char *root, const char *group, uint64_t most)
{
    char *folder = mem_print("%s%s", root, group);
    size_t least = strlen(root);
    char *slash = folder;

    while (slash != NULL && strlen(folder) >= least) {
        most = memory_limit_file(folder, "memory.max", most);
        most = memory_limit_file(folder, "memory.limit_in_bytes", most);
        slash = strrchr(folder, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
    }
    free(folder);
    return most;
}

/* Version 2 is "0::/group", version 1 "7:memory:/group". */
static uint64_t memory_limit_line(char *line, uint64_t most)
{
    char *kind = strchr(line, ':');
    char *group = kind != NULL ? strchr(kind + 1, ':') : NULL;

    if (group == NULL) {
        return most;
    }
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (strcmp(kind + 1, "") == 0) {
        return memory_limit_below("/sys/fs/cgroup", group, most);
    }
    if (strcmp(kind + 1, "memory") == 0) {
        return memory_limit_below("/sys/fs/cgroup/memory", group, most);
    }
    return most;
}

uint64_t memory_limit(void)
{
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
    uint64_t most = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[4096];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        most = memory_limit_line(line, most);
    }
    if (file != NULL) {
        fclose(file);
    }
    return most;
}
