/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for the fuzzing engine where there is none: feeds every file it
 * is given, and every file of every folder, to the target. Each input runs
 * in a child of its own, in a block of exactly its size, so that a crash or
 * a read past the end is one failed input that is named.
 *
 * Usage: fuzz_x FILE|FOLDER… The last line is `N passed, N failed`. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPLAY_PATH_MAX = 4096 };

struct replay {
    unsigned long passed;
    unsigned long failed;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_feed(const char *path)
{
    struct stat about;
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    size_t size;

    if (file == NULL || fstat(fileno(file), &about) != 0) {
        perror(path);
        exit(1);
    }
    size = (size_t)about.st_size;
    data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static void replay_file(struct replay *r, const char *path)
{
    int state = 1;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        replay_feed(path);
        exit(0);
    }
    if (child > 0 && waitpid(child, &state, 0) == child && state == 0) {
        r->passed++;
        return;
    }
    fprintf(stderr, "FAILED %s\n", path);
    r->failed++;
}

static void replay_folder(struct replay *r, const char *folder)
{
    char path[REPLAY_PATH_MAX];
    struct dirent **names;
    int count = scandir(folder, &names, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            replay_file(r, path);
        }
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
}

int main(int argc, char **argv)
{
    struct replay r = {0};

    for (int i = 1; i < argc; i++) {
        struct stat about;

        if (stat(argv[i], &about) == 0 && S_ISDIR(about.st_mode)) {
            replay_folder(&r, argv[i]);
        } else {
            replay_file(&r, argv[i]);
        }
    }
    printf("%lu passed, %lu failed\n", r.passed, r.failed);
    return r.failed == 0 ? 0 : 1;
}
