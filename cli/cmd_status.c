/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/contract.h"
#include "cli/host_keys.h"
#include "cli/status_audit.h"
#include "cli/status_screen.h"
#include "coordinator/field.h"
#include "coordinator/term.h"
#include "proto/net.h"
#include "proto/wire.h"
#include "store/store.h"
#include "store/store_sync.h"

enum {
    STATUS_WAIT_MS = 5000,
    STATUS_ASK_EVERY_MS = 1000,
    STATUS_WATCH_S = 1,
    STATUS_ROWS = 40,
};

static const struct option_row status_rows[] = {
    {"json", NULL, "print the coordinator's JSON, one line"},
    {"audit", NULL, "prove from the journal that each unit was committed once"},
    {"cursor", NULL, "print the cursor, to save with a checkpoint"},
    {"watch", NULL, "show it again every second until the job is over"},
    {"wait", "SECONDS", "wait so long for the coordinator to answer [5]"},
    {NULL, NULL, NULL},
};

const struct command command_status = {
    .name = "status",
    .usage = "[FLAGS]",
    .summary = "show where a job stands, and prove what it has done",
    .rows = status_rows,
    .takes_job = true,
    .more = "The job is found by its state: --state, or --output with "
            "--job-name, or the\njob's document. Exit code: 0 when the "
            "coordinator answered, or the job has ended\nwell; else the "
            "job's own code; 66 when no job is there, 75 when nobody "
            "answers.\nWith --audit: 0 when it is exact, else 65.\n",
    .run = status_main,
};

struct status_work {
    struct options options;
    struct contract contract;
    char *state_uri;
    struct term_lease lease;
    struct net_keys keys; /* The guests'. */
    char *connected;      /* The endpoint and key that @net is for. */
    struct net *net;
    uint64_t wait_ms;
    bool is_audit;
    int exit_code; /* Of a job that has ended, or of the audit. */
};

/* With a secret file, as a host; else with the pair that is left for guests. */
static enum status status_read_keys(struct status_work *w, struct store *store,
                                    const char *prefix, struct fault *why)
{
    const char *file =
        settings_text(&w->contract.job->settings, SETTING_SECRET_FILE);
    enum status s;

    if (file[0] != '\0') {
        return host_keys_own(file, why, &w->keys);
    }
    s = host_keys_read_guest(store, prefix, why, &w->keys);
    if (s == STATUS_NOT_FOUND && w->keys.public_key[0] != '\0') {
        s = STATUS_OK; /* The job ends just now: the lease will tell. */
    } else if (s == STATUS_NOT_FOUND) {
        s = fault_set(why, STATUS_TIMEOUT,
                      "the job at %s has only begun, or ends just now; ask "
                      "again",
                      w->state_uri);
    }
    return s;
}

static enum status status_read_lease(struct status_work *w, struct fault *why)
{
    struct store *store = NULL;
    struct buf prefix = {0};
    struct buf body = {0};
    char *key = NULL;
    enum status s = store_open(w->state_uri, STORE_READ, why, &store, &prefix);

    if (s == STATUS_OK) {
        key = mem_print("%slease", buf_text(&prefix));
        s = store_sync_get(store,
                           &(struct store_sync_get){key, TERM_BODY_MAX, NULL},
                           why, &body);
    }
    if (s == STATUS_NOT_FOUND) {
        s = fault_set(why, s,
                      "no job has met at %s; check --output and --job-name, "
                      "or --state",
                      w->state_uri);
    }
    if (s == STATUS_OK) {
        s = term_lease_read(buf_bytes(&body), why, &w->lease);
    }
    if (s == STATUS_OK && !w->lease.is_released && !w->is_audit) {
        s = status_read_keys(w, store, buf_text(&prefix), why);
    }
    store_close(&store);
    free(key);
    buf_fini(&prefix);
    buf_fini(&body);
    return s;
}

/* Turn to who leads now. */
static enum status status_connect(struct status_work *w, struct fault *why)
{
    char *to = mem_print("%s %s %s", w->lease.endpoint, w->lease.key,
                         w->keys.public_key);
    enum status s = STATUS_OK;

    if (w->connected == NULL || strcmp(w->connected, to) != 0) {
        net_close(&w->net, 0);
        s = net_connect(&(struct net_connect){w->lease.endpoint,
                                              WIRE_MESSAGE_MAX, &w->keys,
                                              w->lease.key},
                        why, &w->net);
    }
    free(w->connected);
    w->connected = to;
    return s;
}

static void status_ask(struct status_work *w)
{
    struct wire_message ask = {.term = w->lease.term, .type = WIRE_ASK};
    struct buf bytes = {0};

    if (options_get(&w->options, "cursor") != NULL) {
        ask.ask.what = WIRE_ASK_CURSOR;
    }
    snprintf(ask.job, sizeof(ask.job), "%s", w->lease.run);
    wire_encode(&ask, &bytes);
    /* FULL means that an earlier question still waits to be sent. */
    if (net_send(w->net, 0, buf_bytes(&bytes)) == STATUS_OK) {
        ask.ask.number++;
    }
    buf_fini(&bytes);
}

/* Take what has come. OK: @json holds the report. */
static enum status status_take(struct status_work *w, struct fault *why,
                               struct buf *json)
{
    struct wire_message message;
    struct buf bytes = {0};
    uint64_t peer;
    enum status s = net_receive(w->net, &peer, &bytes);

    if (s == STATUS_OK) {
        s = wire_decode(buf_bytes(&bytes), w->lease.run, why, &message);
        if (s == STATUS_OK && message.type == WIRE_REFUSE) {
            s = fault_set(why, STATUS_REFUSED, "%.*s",
                          (int)message.refuse.reason.size,
                          message.refuse.reason.at);
        } else if (s == STATUS_OK && message.type != WIRE_REPORT) {
            s = STATUS_NOT_FOUND;
        } else if (s == STATUS_OK) {
            buf_clear(json);
            buf_add_bytes(json, message.report.json);
        }
    }
    buf_fini(&bytes);
    return s;
}

/* Nobody has answered: another may lead by now. */
static enum status status_look_again(struct status_work *w, struct fault *why)
{
    enum status s = status_read_lease(w, why);

    if (s == STATUS_OK && !w->lease.is_released) {
        s = status_connect(w, why);
    }
    return s == STATUS_OK ? STATUS_NOT_FOUND : s;
}

static enum status status_fetch(struct status_work *w, struct fault *why,
                                struct buf *json)
{
    uint64_t until_ms = clock_now_ms(&clock_os) + w->wait_ms;
    enum status s = STATUS_NOT_FOUND;

    while (s == STATUS_NOT_FOUND && !w->lease.is_released &&
           clock_now_ms(&clock_os) < until_ms) {
        status_ask(w);
        if (net_wait(w->net, STATUS_ASK_EVERY_MS, NULL, 0) & 1U) {
            s = status_take(w, why, json);
        } else {
            s = status_look_again(w, why);
        }
    }
    if (s == STATUS_NOT_FOUND && !w->lease.is_released) {
        s = fault_set(why, STATUS_TIMEOUT,
                      "the coordinator %s at %s does not answer; the job may "
                      "have died (%slease is not renewed then)",
                      w->lease.host, w->lease.endpoint, w->state_uri);
    }
    return s;
}

static enum status status_print(struct status_work *w, const struct buf *json,
                                bool is_watch, struct fault *why)
{
    struct status_screen screen = {.with_color = isatty(STDOUT_FILENO) == 1,
                                   .rows = STATUS_ROWS};
    struct json_doc *doc = NULL;
    struct buf text = {0};
    enum status s;

    if (options_get(&w->options, "json") != NULL ||
        options_get(&w->options, "cursor") != NULL) {
        printf("%s\n", buf_text(json));
        return STATUS_OK;
    }
    s = json_parse(buf_bytes(json), "status", why, &doc);
    if (s == STATUS_OK) {
        if (is_watch && screen.with_color) {
            buf_add_text(&text, "\033[H\033[J");
        }
        status_screen_write(json_root(doc), &screen, &text);
        fputs(buf_text(&text), stdout);
    }
    json_destroy(&doc);
    buf_fini(&text);
    return s;
}

/* As the coordinator would say it; docs/status.md. */
static void status_print_end(const struct status_work *w,
                             const struct status_ended *end)
{
    struct buf out = {0};

    buf_add_char(&out, '{');
    if (w->contract.job->name != NULL) {
        field_write_text(&out, "job", w->contract.job_name);
    }
    field_write_text(&out, "run", w->lease.run);
    field_write_number(&out, "term", w->lease.term);
    field_write_text(&out, "leader", w->lease.host);
    field_write_text(&out, "phase", "over");
    field_write_key(&out, "outcome");
    if (end->is_known) {
        buf_add_char(&out, '{');
        field_write_text(&out, "status", status_name(end->status));
        field_write_number(&out, "exit_code", (uint64_t)end->exit_code);
        field_write_text(&out, "host", buf_text(&end->host));
        field_write_text(&out, "reason", buf_text(&end->reason));
        buf_add_char(&out, '}');
    } else {
        buf_add_text(&out, "null");
    }
    buf_add_char(&out, '}');
    puts(buf_text(&out));
    buf_fini(&out);
}

/* The job is over: say how it ended, as the journal tells it. */
static enum status status_show_end(struct status_work *w, struct fault *why)
{
    struct status_ended end;
    enum status s = STATUS_OK;

    if (options_get(&w->options, "cursor") != NULL) {
        return fault_set(why, STATUS_NOT_FOUND,
                         "the job is over, and its cursor is gone with its "
                         "coordinator; ask for it while the job runs, with "
                         "each checkpoint");
    }
    s = status_audit_end(w->state_uri, w->lease.run, why, &end);
    if (s == STATUS_OK && options_get(&w->options, "json") != NULL) {
        w->exit_code = end.is_known ? end.exit_code : 0;
        status_print_end(w, &end);
    } else if (s == STATUS_OK && !end.is_known) {
        printf("the job is over (term %" PRIu64 ", last led by %s); how it "
               "ended was not kept\n",
               w->lease.term, w->lease.host);
    } else if (s == STATUS_OK) {
        w->exit_code = end.exit_code;
        printf("the job is over (term %" PRIu64 ", last led by %s): %s%s%s\n",
               w->lease.term, w->lease.host, buf_text(&end.host),
               end.host.size > 0 ? ": " : "",
               end.reason.size > 0 ? buf_text(&end.reason)
                                   : status_text(end.status));
    }
    status_ended_fini(&end);
    return s;
}

static enum status status_show(struct status_work *w, struct fault *why)
{
    bool is_watch = options_get(&w->options, "watch") != NULL;
    struct timespec pause = {STATUS_WATCH_S, 0};
    struct buf json = {0};
    enum status s = STATUS_OK;

    while (s == STATUS_OK && !w->lease.is_released) {
        s = status_connect(w, why);
        if (s == STATUS_OK) {
            s = status_fetch(w, why, &json);
        }
        if (s == STATUS_NOT_FOUND && w->lease.is_released) {
            s = STATUS_OK; /* It has ended meanwhile. */
            break;
        }
        if (s == STATUS_OK) {
            s = status_print(w, &json, is_watch, why);
        }
        if (s == STATUS_OK && (!is_watch || fflush(stdout) != 0)) {
            break;
        }
        nanosleep(&pause, NULL);
        if (is_watch && (s == STATUS_OK || s == STATUS_TIMEOUT)) {
            s = status_read_lease(w, why); /* Another may lead by now. */
        }
    }
    if (s == STATUS_OK && w->lease.is_released) {
        s = status_show_end(w, why);
    }
    buf_fini(&json);
    return s;
}

static enum status status_audit(struct status_work *w, struct fault *why)
{
    struct audit *audit = NULL;
    struct buf text = {0};
    enum status s = status_audit_read(w->state_uri, w->lease.run, why, &audit);

    if (s == STATUS_OK) {
        status_audit_keys(w->state_uri, w->lease.run, audit);
        if (options_get(&w->options, "json") != NULL) {
            audit_json(audit, &text);
            buf_add_char(&text, '\n');
        } else {
            audit_print(audit, &text);
        }
        fputs(buf_text(&text), stdout);
        w->exit_code =
            audit_is_exact(audit) ? 0 : status_exit_code(STATUS_CONFLICT);
    }
    audit_destroy(&audit);
    buf_fini(&text);
    return s;
}

static enum status status_do(struct status_work *w, struct fault *why)
{
    uint64_t wait_s = STATUS_WAIT_MS / 1000;
    enum status s = options_number(
        &w->options, "wait", (struct options_range){1, 3600}, why, &wait_s);

    if (s == STATUS_OK) {
        s = contract_load(&w->options, why, &w->contract);
    }
    if (s != STATUS_OK) {
        return s;
    }
    w->wait_ms = wait_s * 1000;
    w->state_uri = contract_state_uri(&w->contract);
    if (w->state_uri == NULL) {
        return fault_set(why, STATUS_USAGE,
                         "which job? give --output with --job-name, or "
                         "--state, or --job");
    }
    w->is_audit = options_get(&w->options, "audit") != NULL;
    s = status_read_lease(w, why);
    if (s != STATUS_OK) {
        return s;
    }
    return w->is_audit ? status_audit(w, why) : status_show(w, why);
}

int status_main(int argc, char **argv)
{
    struct status_work *w = mem_new(1, sizeof(*w));
    struct fault why = {.text = ""};
    enum status s = options_parse(&command_status, argv + 1, &why, &w->options);

    int code;

    (void)argc;
    if (s == STATUS_OK) {
        s = status_do(w, &why);
    }
    net_close(&w->net, 0);
    net_keys_fini(&w->keys);
    free(w->connected);
    free(w->state_uri);
    contract_fini(&w->contract);
    options_fini(&w->options);
    code = s == STATUS_OK ? w->exit_code : command_fail(s, &why);
    free(w);
    return code;
}
