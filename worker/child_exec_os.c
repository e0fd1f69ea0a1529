/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/child_exec_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limit.h"
#include "base/mem.h"

enum {
    CHILD_EXEC_STRING_MAX = 128 * 1024, /* Of one string; set by Linux. */
    CHILD_EXEC_NAME_MAX = 64,           /* Of a variable, in a message. */
};

/* Where the command may lie, ready before fork(): after it, in a process
 * that had threads, nothing may be allocated. */
struct child_exec_places {
    char **paths;
    size_t count;
};

/* What the new process says when it could not become the command. */
struct child_exec_word {
    int error;
    size_t place;
};

static const char *child_exec_variable(char *const *envp, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; envp[i] != NULL; i++) {
        if (strncmp(envp[i], name, size) == 0 && envp[i][size] == '=') {
            return envp[i] + size + 1;
        }
    }
    return NULL;
}

/* As POSIX has it: an empty part of PATH is the current folder. */
static void child_exec_search(const char *command, const char *path,
                              struct child_exec_places *out)
{
    const char *end;

    do {
        int size;

        end = strchrnul(path, ':');
        size = (int)(end - path);
        out->paths = mem_grow(out->paths, out->count + 1, sizeof(char *));
        out->paths[out->count] =
            mem_print("%.*s%s%s", size, path, size > 0 ? "/" : "./", command);
        out->count++;
        path = end + 1;
    } while (*end != '\0');
}

static void child_exec_find(const struct child_exec *exec,
                            struct child_exec_places *out)
{
    const char *command = exec->argv[0];
    const char *path = child_exec_variable(exec->envp, "PATH");

    if (command[0] == '\0') {
        return;
    }
    if (strchr(command, '/') == NULL) {
        child_exec_search(command, path != NULL ? path : "/bin:/usr/bin", out);
        return;
    }
    out->paths = mem_new(1, sizeof(char *));
    out->paths[0] = mem_copy(command);
    out->count = 1;
}

static void child_exec_places_fini(struct child_exec_places *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->paths[i]);
    }
    free(p->paths);
}

void child_exec_foreground(pid_t group)
{
    sigset_t ttou;
    sigset_t before;

    /* Asked from the background, the terminal would stop the asker. */
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &before);
    (void)tcsetpgrp(STDIN_FILENO, group);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- In the new process, until exec: only what a signal handler may do. */

/* A handler of ours would swallow a signal that comes before exec. */
static void child_exec_reset_signals(void)
{
    struct sigaction action;

    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &action) != 0) {
            continue;
        }
        if (action.sa_handler != SIG_IGN || i == SIGPIPE || i == SIGCHLD) {
            action = (struct sigaction){.sa_handler = SIG_DFL};
            sigaction(i, &action, NULL);
        }
    }
}

/* Try each place, as execvp does but without its way out through a shell.
 * Returns only when none could be run; the first file that is there says
 * why. */
static struct child_exec_word child_exec_try(
    const struct child_exec *exec, const struct child_exec_places *places)
{
    struct child_exec_word word = {.error = ENOENT, .place = places->count};

    for (size_t i = 0; i < places->count; i++) {
        int error;

        execve(places->paths[i], exec->argv, exec->envp);
        error = errno;
        if (places->count > 1 && access(places->paths[i], F_OK) != 0) {
            continue;
        }
        if (word.place == places->count) {
            word = (struct child_exec_word){error, i};
        }
        if (error != EACCES && error != ENOENT && error != ENOTDIR) {
            break;
        }
    }
    return word;
}

static _Noreturn void child_exec_become(const struct child_exec *exec,
                                        const struct child_exec_places *places,
                                        pid_t parent, int fd)
{
    struct child_exec_word word;
    pid_t me = getpid();

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, exec->death_signal);
    if (getppid() != parent) {
        _exit(1); /* It died before the line above. */
    }
    /* Said by itself, so that it never runs with nobody who knows of it. */
    while (write(exec->keeper_fd, &me, sizeof(me)) < 0 && errno == EINTR) {
    }
    if (exec->has_terminal) {
        child_exec_foreground(getpid());
    }
    child_exec_reset_signals();
    limit_restore_files();
    sigprocmask(SIG_SETMASK, exec->mask, NULL);
    word = child_exec_try(exec, places);
    while (write(fd, &word, sizeof(word)) < 0 && errno == EINTR) {
    }
    _exit(127);
}

/* ---- In smshard again. */

static enum status child_exec_too_long(const struct child_exec *exec,
                                       struct fault *why)
{
    for (size_t i = 0; exec->envp[i] != NULL; i++) {
        size_t size = strlen(exec->envp[i]) + 1;
        size_t name = strcspn(exec->envp[i], "=");

        if (size > CHILD_EXEC_STRING_MAX) {
            name = name > CHILD_EXEC_NAME_MAX ? CHILD_EXEC_NAME_MAX : name;
            return fault_set(why, STATUS_NOT_EXECUTABLE,
                             "%s: can't be executed: the variable %.*s has "
                             "%zu bytes and the system takes %d; shorten it",
                             exec->argv[0], (int)name, exec->envp[i], size,
                             CHILD_EXEC_STRING_MAX);
        }
    }
    return fault_set(why, STATUS_NOT_EXECUTABLE,
                     "%s: can't be executed: arguments and environment are "
                     "too long for the system; shorten them",
                     exec->argv[0]);
}

static enum status child_exec_denied(const char *path, struct fault *why)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return fault_set(why, STATUS_NOT_EXECUTABLE,
                         "%s: can't be executed: it is a folder", path);
    }
    return fault_set(why, STATUS_NOT_EXECUTABLE,
                     "%s: can't be executed: permission denied; try chmod +x, "
                     "or look for a noexec mount",
                     path);
}

static enum status child_exec_fault(const struct child_exec *exec,
                                    const struct child_exec_places *places,
                                    struct child_exec_word word,
                                    struct fault *why)
{
    const char *path;

    if (word.place >= places->count) {
        return fault_set(why, STATUS_NO_COMMAND,
                         "%s: there is no such command in PATH", exec->argv[0]);
    }
    path = places->paths[word.place];
    switch (word.error) {
    case ENOENT:
    case ENOTDIR:
        if (access(path, F_OK) != 0) {
            return fault_set(why, STATUS_NO_COMMAND,
                             "%s: there is no such file", path);
        }
        return fault_set(why, STATUS_NOT_EXECUTABLE,
                         "%s: can't be executed: the interpreter or loader "
                         "that it names is missing; look at its #! line",
                         path);
    case EACCES:
        return child_exec_denied(path, why);
    case ENOEXEC:
        return fault_set(why, STATUS_NOT_EXECUTABLE,
                         "%s: can't be executed: no format that the system "
                         "knows; if it is a script, add a #! line",
                         path);
    case E2BIG:
        return child_exec_too_long(exec, why);
    case ENOMEM:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
        return fault_set(why, STATUS_OS, "%s: execute: %s", path,
                         strerror(word.error));
    default:
        return fault_set(why, STATUS_NOT_EXECUTABLE,
                         "%s: can't be executed: %s", path,
                         strerror(word.error));
    }
}

/* Wait until @fd closes, which exec does, or brings a word. */
static bool child_exec_failed(int fd, struct child_exec_word *out)
{
    ssize_t got;

    do {
        got = read(fd, out, sizeof(*out));
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(*out);
}

static enum status child_exec_fork(const struct child_exec *exec,
                                   const struct child_exec_places *places,
                                   struct fault *why, pid_t *out)
{
    struct child_exec_word word;
    pid_t parent = getpid();
    bool has_failed;
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return fault_set(why, STATUS_OS, "%s: make a pipe: %s", exec->argv[0],
                         strerror(errno));
    }
    pid = fork();
    if (pid == 0) {
        child_exec_become(exec, places, parent, fds[1]);
    }
    if (pid < 0) {
        enum status s = fault_set(why, STATUS_OS, "%s: fork: %s", exec->argv[0],
                                  strerror(errno));

        close(fds[0]);
        close(fds[1]);
        return s;
    }
    /* Both sides do it: whoever comes first. It fails once exec is done. */
    setpgid(pid, pid);
    close(fds[1]);
    has_failed = child_exec_failed(fds[0], &word);
    close(fds[0]);
    *out = pid;
    if (!has_failed) {
        return STATUS_OK;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return child_exec_fault(exec, places, word, why);
}

enum status child_exec(const struct child_exec *exec, struct fault *why,
                       pid_t *out)
{
    struct child_exec_places places = {0};
    enum status s;

    CHECK(exec->argv[0] != NULL);
    child_exec_find(exec, &places);
    s = child_exec_fork(exec, &places, why, out);
    child_exec_places_fini(&places);
    return s;
}
