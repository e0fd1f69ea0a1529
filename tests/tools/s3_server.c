/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 server for tests as a command: prints its URL on the first line of
 * stdout, with TLS the file of its authority on the second, and ends on
 * SIGTERM or SIGINT with a line of what happened.
 *
 * s3_server [--tls] [--address A] [--bucket B] [--quirks a,b]
 *           [--fault 'TEXT']… [--port-file F] [--objects N] */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/s3server/s3server.h"

enum { FAULTS_MAX = 64 };

struct command {
    struct s3server_options options;
    const char *faults[FAULTS_MAX];
    int fault_count;
    const char *port_file;
    long objects;
};

static int usage(const char *what)
{
    fprintf(stderr,
            "s3_server: %s\nusage: s3_server [--tls] [--address A] "
            "[--bucket B] [--quirks a,b] [--fault 'TEXT']... "
            "[--port-file F] [--objects N]\n",
            what);
    return 2;
}

static int command_pair(struct command *c, const char *name, const char *value)
{
    if (strcmp(name, "--bucket") == 0) {
        c->options.bucket = value;
    } else if (strcmp(name, "--address") == 0) {
        c->options.address = value;
    } else if (strcmp(name, "--fault") == 0 && c->fault_count < FAULTS_MAX) {
        c->faults[c->fault_count++] = value;
    } else if (strcmp(name, "--port-file") == 0) {
        c->port_file = value;
    } else if (strcmp(name, "--objects") == 0) {
        c->objects = strtol(value, NULL, 10);
    } else if (strcmp(name, "--quirks") != 0 ||
               !s3server_quirk_text(value, &c->options.quirks)) {
        return usage(name);
    }
    return 0;
}

static void command_fill(const struct command *c, struct s3server *s)
{
    for (long i = 0; i < c->objects; i++) {
        char key[64];
        char body[64];
        int size = snprintf(body, sizeof(body), "object %ld\n", i);

        snprintf(key, sizeof(key), "objects/%08ld", i);
        s3server_put(s, key, body, (size_t)size);
    }
}

static int command_tell(const struct command *c, const struct s3server *s)
{
    const char *url = s3server_url(s);
    FILE *file = c->port_file != NULL ? fopen(c->port_file, "w") : NULL;

    if (c->port_file != NULL && file == NULL) {
        return usage(c->port_file);
    }
    if (file != NULL) {
        fprintf(file, "%s\n", strrchr(url, ':') + 1);
        fclose(file);
    }
    printf("%s\n", url);
    if (c->options.is_tls) {
        printf("%s\n", s3server_ca_file(s));
    }
    fflush(stdout);
    return 0;
}

/* How many of the objects were asked for at all. */
static long command_asked(const struct command *c, struct s3server *s)
{
    long count = 0;

    for (long i = 0; i < c->objects; i++) {
        char key[64];

        snprintf(key, sizeof(key), "objects/%08ld", i);
        count += s3server_requests(s, "GET", key) > 0;
    }
    return count;
}

static int command_run(struct command *c)
{
    sigset_t ends;
    struct s3server *s;
    int got;
    int rc = 0;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    s = s3server_start(&c->options);
    for (int i = 0; i < c->fault_count && rc == 0; i++) {
        rc = s3server_fault_text(s, c->faults[i]) ? 0 : usage(c->faults[i]);
    }
    command_fill(c, s);
    rc = rc != 0 ? rc : command_tell(c, s);
    if (rc == 0) {
        sigwait(&ends, &got);
        printf("%llu requests, %llu uploads left, %llu reads of objects/, %ld "
               "asked for\n",
               (unsigned long long)s3server_requests(s, NULL, NULL),
               (unsigned long long)s3server_uploads(s),
               (unsigned long long)s3server_requests(s, "GET", "/objects/"),
               command_asked(c, s));
    }
    s3server_stop(&s);
    return rc;
}

int main(int argc, char **argv)
{
    struct command c = {0};
    int rc = 0;

    for (int i = 1; i < argc && rc == 0; i++) {
        if (strcmp(argv[i], "--tls") == 0) {
            c.options.is_tls = true;
        } else if (i + 1 < argc) {
            rc = command_pair(&c, argv[i], argv[i + 1]);
            i++;
        } else {
            rc = usage(argv[i]);
        }
    }
    return rc != 0 ? rc : command_run(&c);
}
