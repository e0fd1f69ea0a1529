/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/machine.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

uint32_t machine_cpus(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (uint32_t)count : 1;
}

/* Start `nvidia-smi --list-gpus` with its output in a pipe. Returns the end
 * to read from, or -1; no shell is asked. */
static int machine_start_smi(pid_t *pid)
{
    static char name[] = "nvidia-smi";
    static char flag[] = "--list-gpus";
    static char *const argv[] = {name, flag, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    int error;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    error = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return -1;
    }
    return ends[0];
}

static uint32_t machine_count_gpus(void)
{
    char line[256];
    bool is_start = true;
    uint32_t count = 0;
    pid_t pid;
    int fd = machine_start_smi(&pid);
    FILE *in;

    if (fd < 0) {
        return 0;
    }
    in = fdopen(fd, "r");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
        count += is_start && strncmp(line, "GPU ", 4) == 0;
        is_start = strchr(line, '\n') != NULL;
    }
    if (in != NULL) {
        fclose(in);
    } else {
        close(fd);
    }
    if (waitpid(pid, NULL, 0) != pid) {
        return 0;
    }
    return count;
}

uint32_t machine_gpus(void)
{
    static int64_t known = -1;

    if (known < 0) {
        known = machine_count_gpus();
    }
    return (uint32_t)known;
}

bool machine_has_program(const char *name)
{
    const char *at = getenv("PATH");
    bool is_there = false;

    while (at != NULL && *at != '\0' && !is_there) {
        size_t size = strcspn(at, ":");
        char *path = mem_print("%.*s/%s", (int)size, at, name);

        is_there = access(path, X_OK) == 0;
        free(path);
        at += size + (at[size] == ':');
    }
    return is_there;
}
