/* SPDX-License-Identifier: Apache-2.0 */
/* The one error type of the project: 0 is success, every other value names
 * one operating error. One table gives name, process exit code and sentence.
 *
 * The exit codes follow sysexits(3) where it has a fitting one, so that a
 * script can tell smshard's own failures from those of the command it ran.
 * They are part of the interface: never renumbered. */

#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#define STATUS_MAP(X)                                                          \
    X(OK, 0, "success")                                                        \
    X(USAGE, 64, "the command line is not understood")                         \
    X(MALFORMED, 65, "the bytes are not well formed")                          \
    X(INVALID, 65, "a value is not allowed")                                   \
    X(CONFLICT, 65, "two things want the same name")                           \
    X(EMPTY, 66, "the source holds no object")                                 \
    X(NOT_FOUND, 66, "there is no such thing")                                 \
    X(STORE, 69, "the store answered with an error")                           \
    X(FULL, 70, "a fixed capacity is used up")                                 \
    X(INTERNAL, 70, "a bug in smshard")                                        \
    X(OS, 71, "the operating system refused a call")                           \
    X(CLAIMED, 73, "another live job holds this prefix")                       \
    X(EXISTS, 73, "it exists already")                                         \
    X(CHANGED, 73, "it was changed by somebody else")                          \
    X(NO_SPACE, 74, "the disk is full")                                        \
    X(IO, 74, "reading or writing failed")                                     \
    X(TIMEOUT, 75, "it did not happen in time")                                \
    X(LOST, 75, "the connection to the coordinator was lost")                  \
    X(SKEW, 75, "the clocks of two hosts differ too much")                     \
    X(VERSION, 76, "the peer speaks another version")                          \
    X(WRONG_JOB, 76, "the peer belongs to another job")                        \
    X(REFUSED, 76, "the coordinator refused")                                  \
    X(DENIED, 77, "permission denied")                                         \
    X(UNSUPPORTED, 78, "this is not served by this version")                   \
    X(PEER_FAILED, 79, "another host of the job failed")                       \
    X(NOT_EXECUTABLE, 126, "the command can not be executed")                  \
    X(NO_COMMAND, 127, "the command was not found")                            \
    X(STOPPED, 143, "a signal asked to stop")

enum status {
#define X(name, exit_code, text) STATUS_##name,
    STATUS_MAP(X)
#undef X
};

#define MUST_USE __attribute__((warn_unused_result))

/* Return the short name of @s, such as "FULL". Never NULL. */
const char *status_name(enum status s);

/* Return the sentence that explains @s. Never NULL. */
const char *status_text(enum status s);

/* Return what the process exits with when it ends by @s. */
int status_exit_code(enum status s);

#endif /* BASE_STATUS_H */
