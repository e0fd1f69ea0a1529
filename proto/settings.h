/* SPDX-License-Identifier: Apache-2.0 */
/* Smshard's own settings of the whole job: one table of name, default, kind
 * and meaning; flags beat variables beat the document beat defaults; each
 * value remembers where it came from, for `smshard plan`.
 *
 * A setting `join_timeout_s` is the flag `--join-timeout`, the variable
 * SMSHARD_JOIN_TIMEOUT and "JoinTimeout" under "Smshard" in the document. */

#ifndef PROTO_SETTINGS_H
#define PROTO_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum setting_kind {
    SETTING_SECONDS, /* "90", "90s", "15m", "2h", "500ms"; kept in ms. */
    SETTING_COUNT,
    SETTING_SIZE, /* "512MiB", "2GB", "1048576"; kept in bytes. */
    SETTING_TEXT,
    SETTING_CHOICE, /* One of the words in the row's last column. */
};

/* X(id, "flag", "Document", kind, "default", low, high, "choices", meaning)
 * The variable is SMSHARD_<id>, so the id is the flag in capitals. */
#define SETTINGS_MAP(X)                                                        \
    X(RANKS, "ranks", "Ranks", COUNT, "0", 0, 64, "",                          \
      "ranks on each host; 0: the number of GPUs, else 1")                     \
    X(WEIGHT, "weight", "Weight", COUNT, "100", 1, 1000000, "",                \
      "this host's part of a balanced deal")                                   \
    X(JOIN_TIMEOUT, "join-timeout", "JoinTimeout", SECONDS, "15m", 1,          \
      86400000, "", "how long to wait for the other hosts")                    \
    X(HEARTBEAT, "heartbeat", "Heartbeat", SECONDS, "2s", 50, 60000, "",       \
      "how often a host reports")                                              \
    X(HOST_TIMEOUT, "host-timeout", "HostTimeout", SECONDS, "30s", 200,        \
      3600000, "", "a host is lost after this silence")                        \
    X(GRACE, "grace", "Grace", SECONDS, "110s", 0, 3600000, "",                \
      "between SIGTERM and SIGKILL for the command")                           \
    X(MAX_CLOCK_SKEW, "max-clock-skew", "MaxClockSkew", SECONDS, "60s", 1,     \
      86400000, "", "hosts whose clocks differ more are refused")              \
    X(ON_FAILURE, "on-failure", "OnFailure", CHOICE, "end", 0, 0, "end keep",  \
      "what one host's failure does to the others")                            \
    X(BIND, "bind", "Bind", TEXT, "", 0, 0, "",                                \
      "address to listen on and to tell the others; default: the address "     \
      "of the job's network interface")                                        \
    X(PORT, "port", "Port", COUNT, "0", 0, 65535, "",                          \
      "the coordinator's port; 0: one that is free")                           \
    X(STATE, "state", "State", TEXT, "", 0, 0, "",                             \
      "where the job's hosts meet; default: <output>/<job>/_smshard/")         \
    X(RESUME, "resume", "Resume", TEXT, "", 0, 0, "",                          \
      "path or URI of a cursor: what is committed in it is not read again")    \
    X(DURABLE, "durable", "Durable", CHOICE, "store", 0, 0, "store pair",      \
      "a commit is told once the store has it, or two hosts")                  \
    X(SECRET_FILE, "secret-file", "SecretFile", TEXT, "", 0, 0, "",            \
      "file with a secret that all hosts have, for their control network; "    \
      "default: they exchange keys through the state")                         \
    X(LANES, "lanes", "Lanes", COUNT, "4", 1, 64, "",                          \
      "threads that bring data from the stores")                               \
    X(MEMORY, "memory", "Memory", SIZE, "0", 0, UINT64_C(1) << 60, "",         \
      "memory that data may lie in on its way to the command; default: a "     \
      "quarter of what this host may use")                                     \
    X(PLACEMENT, "placement", "Placement", CHOICE, "prefer", 0, 0,             \
      "off prefer strict", "memory and lanes near each rank's GPU")            \
    X(PLACEMENT_TABLE, "placement-table", "PlacementTable", TEXT, "", 0, 0,    \
      "",                                                                      \
      "memory nodes of devices, where the machine says it wrong: "             \
      "PCI-ADDRESS=NODE and so on")                                            \
    X(HUGEPAGES, "hugepages", "Hugepages", CHOICE, "off", 0, 0,                \
      "off try need", "slots in reserved pages of 2 MiB")                      \
    X(LOG, "log", "Log", CHOICE, "info", 0, 0, "error warn info debug",        \
      "least urgent log line that is written")

enum setting {
#define X(id, flag, doc, kind, def, low, high, choices, meaning) SETTING_##id,
    SETTINGS_MAP(X)
#undef X
        SETTINGS_COUNT
};

/* What the table says of one setting. */
struct setting_row {
    const char *flag;     /* Without its dashes. */
    const char *variable; /* SMSHARD_… */
    const char *document; /* Under "Smshard". */
    enum setting_kind kind;
    const char *fallback;
    uint64_t low;
    uint64_t high;
    const char *choices; /* Divided by spaces. */
    const char *meaning;
};

struct setting_value {
    char *text;      /* As given. */
    uint64_t number; /* Milliseconds, or a count, or a choice's index. */
    char *origin;    /* "--ranks", "SMSHARD_RANKS", "job.json:12", "default" */
};

/* All settings of a job. Owns its strings; freed by settings_fini(). */
struct settings {
    struct setting_value values[SETTINGS_COUNT];
};

/* A flag of the command line that is a setting: "ranks" and "8". */
struct setting_flag {
    const char *flag;
    const char *value;
};

const struct setting_row *settings_row(enum setting id);

/* Find the setting of a flag (without dashes), or of its name in the
 * document. false: there is none. */
bool settings_find_flag(const char *flag, enum setting *out);
bool settings_find_document(struct bytes name, enum setting *out);

/* Set every setting to its default. */
void settings_init(struct settings *s);
void settings_fini(struct settings *s);

/* Give @id the value @text from @origin (both copied).
 * INVALID: not of its kind or out of range; @why names origin and range. */
MUST_USE enum status settings_set(struct settings *s, enum setting id,
                                  const char *text, const char *origin,
                                  struct fault *why);

uint64_t settings_number(const struct settings *s, enum setting id);
const char *settings_text(const struct settings *s, enum setting id);
const char *settings_origin(const struct settings *s, enum setting id);

#endif /* PROTO_SETTINGS_H */
