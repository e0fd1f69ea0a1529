/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/version.h"

static const struct command *const main_commands[] = {
    &command_run,    &command_plan,    &command_status, &command_take,
    &command_env,    &command_pack,    &command_advise, &command_topo,
    &command_doctor, &command_version,
};

enum { MAIN_COMMANDS = sizeof(main_commands) / sizeof(main_commands[0]) };

static void main_help(FILE *out)
{
    fprintf(out, "usage: smshard COMMAND [FLAGS] [-- ARGS]\n\n"
                 "Gives every host of a training job its share of the data and "
                 "its own place\nto write.\n\nCommands:\n");
    for (unsigned i = 0; i < MAIN_COMMANDS; i++) {
        fprintf(out, "  %-10s%s\n", main_commands[i]->name,
                main_commands[i]->summary);
    }
    fprintf(out, "\n'smshard COMMAND --help' tells more; so does man "
                 "smshard.\n");
}

static int main_command_help(const struct command *c)
{
    struct buf text = {0};

    options_help(c, &text);
    fputs(buf_text(&text), stdout);
    buf_fini(&text);
    return 0;
}

static bool main_wants_help(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
        if (strncmp(argv[i], "--", 2) != 0 && i > 2 &&
            strncmp(argv[i - 1], "--", 2) != 0) {
            return false;
        }
    }
    return false;
}

static const struct command *main_find(const char *name)
{
    if (strcmp(name, "--version") == 0) {
        return &command_version;
    }
    for (unsigned i = 0; i < MAIN_COMMANDS; i++) {
        if (strcmp(main_commands[i]->name, name) == 0) {
            return main_commands[i];
        }
    }
    return NULL;
}

/* Output that nobody could read is a failure too (a full disk, say). */
static int main_flush(int code)
{
    if (fflush(stdout) != 0 && code == 0) {
        fprintf(stderr, "smshard: writing to standard output failed\n");
        return status_exit_code(STATUS_IO);
    }
    return code;
}

int main(int argc, char **argv)
{
    const struct command *c;

    if (argc < 2) {
        main_help(stderr);
        return status_exit_code(STATUS_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        c = argc > 2 ? main_find(argv[2]) : NULL;
        if (c != NULL) {
            return main_flush(main_command_help(c));
        }
        main_help(stdout);
        return main_flush(0);
    }
    c = main_find(argv[1]);
    if (c == NULL) {
        fprintf(stderr, "smshard: no command '%s'; see 'smshard --help'\n",
                argv[1]);
        return status_exit_code(STATUS_USAGE);
    }
    if (main_wants_help(argc, argv)) {
        return main_flush(main_command_help(c));
    }
    return main_flush(c->run(argc - 1, argv + 1));
}
