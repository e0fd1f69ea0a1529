/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of smshard; main.c holds their table. */

#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "base/fault.h"
#include "base/status.h"
#include "cli/options.h"

extern const struct command command_run;
extern const struct command command_plan;
extern const struct command command_status;
extern const struct command command_take;
extern const struct command command_env;
extern const struct command command_pack;
extern const struct command command_advise;
extern const struct command command_doctor;
extern const struct command command_topo;
extern const struct command command_version;

int run_main(int argc, char **argv);
int plan_main(int argc, char **argv);
int status_main(int argc, char **argv);
int take_main(int argc, char **argv);
int env_main(int argc, char **argv);
int pack_main(int argc, char **argv);
int advise_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int topo_main(int argc, char **argv);
int version_main(int argc, char **argv);

/* Print "smshard: <line>" to stderr and return the exit code of @s. */
int command_fail(enum status s, const struct fault *why);

#endif /* CLI_COMMANDS_H */
