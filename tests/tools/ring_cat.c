/* SPDX-License-Identifier: Apache-2.0 */
/* ring_cat CHANNEL RANK PREFIX [DIE-AFTER [MODE [MEMBER [TIMEOUT-MS]]]]: read a
 * rank's ring to its end and append each epoch's bytes to PREFIX.EPOCH, each
 * unit whole and before it is released. With the sample DIE-AFTER in hand, be
 * killed; with -DIE-AFTER be stopped; 0: neither. MODE and MEMBER are as
 * numbers in smshard.h. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SMSHARD_HOOKS
#include "worker/client/smshard_state.h"

void smshard_hook(enum smshard_point point)
{
    (void)point;
}

static void write_sample(const char *prefix, const struct smshard_sample *s)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s.%" PRIu64, prefix, s->epoch);
    f = fopen(path, "a");
    if (f == NULL || fwrite(s->data, 1, s->size, f) != s->size ||
        fclose(f) != 0) {
        perror(path);
        exit(3);
    }
}

static int read_all(struct smshard *ring, const char *prefix, long die_after)
{
    struct smshard_sample sample;
    long count = 0;
    int status = smshard_next(ring, -1, &sample);

    while (status == SMSHARD_OK || status == SMSHARD_END) {
        if (status == SMSHARD_OK && ++count == labs(die_after)) {
            kill(getpid(), die_after > 0 ? SIGKILL : SIGSTOP);
        }
        if (status == SMSHARD_OK) {
            write_sample(prefix, &sample);
            status = smshard_release(ring, &sample);
        }
        if (status >= 0) {
            status = smshard_next(ring, -1, &sample);
        }
    }
    if (status != SMSHARD_OVER) {
        fprintf(stderr, "ring_cat: %s\n", smshard_error(ring));
    }
    return status == SMSHARD_OVER ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct smshard_options o = SMSHARD_OPTIONS;
    struct smshard *ring = NULL;
    char why[256];
    int *more[] = {&o.mode, &o.member, &o.timeout_ms};
    int code;

    if (argc < 4) {
        fputs("usage: ring_cat CHANNEL RANK PREFIX [DIE-AFTER [MODE [MEMBER "
              "[TIMEOUT-MS]]]]\n",
              stderr);
        return 2;
    }
    o.channel = argv[1];
    o.rank = (int)strtol(argv[2], NULL, 10);
    for (int i = 5; i < argc && i < 8; i++) {
        *more[i - 5] = (int)strtol(argv[i], NULL, 10);
    }
    if (smshard_open(&o, why, sizeof(why), &ring) != SMSHARD_OK) {
        fprintf(stderr, "ring_cat: %s\n", why);
        return 1;
    }
    code = read_all(ring, argv[3], argc > 4 ? strtol(argv[4], NULL, 10) : 0);
    smshard_close(&ring);
    return code;
}
