/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine has, counted as the public training toolkit counts it.
 * Each is counted once and kept. */

#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* Processors that are online; a cgroup's quota is ignored, as there. */
uint32_t machine_cpus(void);

/* Lines of `nvidia-smi --list-gpus` that start with "GPU "; 0 without it. */
uint32_t machine_gpus(void);

/* Whether PATH has an executable file of this name. */
bool machine_has_program(const char *name);

#endif /* CLI_MACHINE_H */
