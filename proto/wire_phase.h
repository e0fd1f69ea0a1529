/* SPDX-License-Identifier: Apache-2.0 */
/* The phases of a host, in one table: what a BEAT tells and `status` shows. */

#ifndef PROTO_WIRE_PHASE_H
#define PROTO_WIRE_PHASE_H

/* Where a host stands; told with each beat and shown by `status`. */
#define WIRE_PHASE_MAP(X)                                                      \
    X(ABSENT, "absent", "has not come yet")                                    \
    X(JOINED, "joined", "waits for its share")                                 \
    X(BRINGING, "bringing", "brings its share")                                \
    X(READY, "ready", "has its share, waits for all")                          \
    X(RUNNING, "running", "runs the command")                                  \
    X(STOPPING, "stopping", "waits for the command to end")                    \
    X(SAVING, "saving", "saves outputs and checkpoints")                       \
    X(DONE, "done", "has ended")                                               \
    X(LOST, "lost", "was not heard of for too long")

enum wire_phase {
#define X(name, word, text) WIRE_PHASE_##name,
    WIRE_PHASE_MAP(X)
#undef X
        WIRE_PHASES
};

const char *wire_phase_word(enum wire_phase p);
const char *wire_phase_text(enum wire_phase p);

#endif /* PROTO_WIRE_PHASE_H */
