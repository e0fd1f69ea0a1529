/* SPDX-License-Identifier: Apache-2.0 */
/* Where the store is, who asks, and whether it answers: what comes before the
 * first object. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "cli/doctor.h"
#include "cli/plan.h"
#include "store/http.h"
#include "store/s3_xml.h"

enum {
    DOCTOR_LIMIT_MS = 10000,
    DOCTOR_REACH_MS = 10000,
    DOCTOR_CONNECT_MS = 5000,
    DOCTOR_SKEW_MS = 240000, /* Beyond it servers refuse signatures soon. */
    DOCTOR_SECOND_MS = 1000, /* As fine as a Date header is. */
    DOCTOR_MINUTE_S = 60,
    DOCTOR_HOUR_S = 3600,
    DOCTOR_KEY_SHOWN = 4,
    DOCTOR_SERVER_MAX = 40,
};

/* ---- settings ----------------------------------------------------------- */

/* A folder that was not there goes when we do: keep what was. */
static void doctor_note_made(struct doctor *d)
{
    char *path = mem_copy(d->place.place);
    struct stat st;
    char *cut;

    while (stat(path, &st) != 0 && (cut = strrchr(path, '/')) != NULL) {
        *cut = '\0';
        d->made = d->made == NULL ? path : d->made;
    }
    if (d->made == NULL) {
        free(path);
    }
}

static void doctor_settings_folder(struct doctor *d)
{
    struct buf room = {0};
    struct statvfs fs;

    if (d->place.scheme != STORE_SCHEME_FILE ||
        statvfs(d->place.place, &fs) != 0) {
        doctor_note(d, DOCTOR_SETTINGS, DOCTOR_OK, "in memory");
        return;
    }
    plan_write_size((uint64_t)fs.f_bavail * fs.f_frsize, &room);
    doctor_note(d, DOCTOR_SETTINGS, DOCTOR_OK, "a folder%s, %s free",
                d->made != NULL ? ", made for this" : "", buf_text(&room));
    buf_fini(&room);
}

static void doctor_settings_s3(struct doctor *d)
{
    const struct aws_settings *s = s3_bucket_settings(d->bucket);
    struct buf text = {0};
    struct endpoint at;

    s3_bucket_endpoint(d->bucket, &at);
    buf_print(&text, "region %s (%s), ", at.region,
              s->region != NULL && strcmp(s->region, at.region) == 0
                  ? s->region_origin
                  : "none is set, the server will tell");
    if (s->endpoint != NULL) {
        buf_print(&text, "endpoint %s (%s)", s->endpoint, s->endpoint_origin);
    } else {
        buf_print(&text, "endpoint of %s",
                  at.is_express ? "its zone" : "the region");
    }
    buf_print(&text, ", %s style", at.path[0] != '\0' ? "path" : "virtual");
    if (s->ca_bundle != NULL && at.is_tls) {
        buf_print(&text, ", CA %s", s->ca_bundle);
    }
    doctor_note(d, DOCTOR_SETTINGS, DOCTOR_OK, "%s", buf_text(&text));
    buf_fini(&text);
}

static void doctor_name_folder(struct doctor *d)
{
    hash_random(&d->nonce, sizeof(d->nonce));
    d->folder = mem_print("%ssmshard-doctor-%016" PRIx64 "/",
                          buf_text(&d->prefix), d->nonce);
}

void doctor_settings(struct doctor *d)
{
    enum store_use use = d->options.is_read_only ? STORE_READ : STORE_WRITE;
    struct fault why = {.text = ""};
    enum status s = store_uri_parse(d->options.uri, use, &why, &d->place);

    if (s == STATUS_OK && d->place.scheme == STORE_SCHEME_S3) {
        s = s3_bucket_get(d->place.place, &why, &d->bucket);
    }
    if (s == STATUS_OK && d->place.scheme == STORE_SCHEME_FILE &&
        use == STORE_WRITE) {
        doctor_note_made(d);
    }
    if (s == STATUS_OK) {
        s = store_open(d->options.uri, use, &why, &d->store, &d->prefix);
    }
    if (s != STATUS_OK) {
        doctor_fail(d, DOCTOR_SETTINGS, s, &why);
        if (s == STATUS_DENIED && d->place.scheme == STORE_SCHEME_FILE) {
            doctor_note(
                d, DOCTOR_SETTINGS, DOCTOR_FAILED,
                "%s; give user %u the right, or only read (--read-only)",
                why.text, (unsigned)geteuid());
            d->lines[DOCTOR_SETTINGS].status = s;
        }
        return;
    }
    /* Long enough for trouble that passes, short enough to wait for. */
    store_set_limit(d->store, DOCTOR_LIMIT_MS);
    doctor_name_folder(d);
    if (d->bucket != NULL) {
        doctor_settings_s3(d);
    } else {
        doctor_settings_folder(d);
    }
}

/* ---- credentials -------------------------------------------------------- */

static void doctor_write_span(uint64_t seconds, struct buf *out)
{
    if (seconds >= DOCTOR_HOUR_S) {
        buf_print(out, "%" PRIu64 " h ", seconds / DOCTOR_HOUR_S);
    }
    buf_print(out, "%" PRIu64 " min",
              seconds % DOCTOR_HOUR_S / DOCTOR_MINUTE_S);
}

static void doctor_credentials_say(struct doctor *d,
                                   const struct credentials *c)
{
    uint64_t now = clock_wall_ms(&clock_os);
    size_t size = strlen(c->access_key);
    size_t hidden =
        size > 2 * DOCTOR_KEY_SHOWN ? size - DOCTOR_KEY_SHOWN : size;
    struct buf text = {0};

    if (size == 0) {
        doctor_note(d, DOCTOR_CREDENTIALS, DOCTOR_OK,
                    "anonymous: requests are not signed");
        return;
    }
    buf_print(&text, "key ...%s from %s", c->access_key + hidden,
              c->origin[0] != '\0' ? c->origin : "a session of the bucket");
    if (c->expires_ms > now) {
        buf_add_text(&text, ", good for ");
        doctor_write_span((c->expires_ms - now) / 1000, &text);
    } else if (c->expires_ms != 0) {
        buf_add_text(&text, ", expired");
    }
    doctor_note(d, DOCTOR_CREDENTIALS, DOCTOR_OK, "%s", buf_text(&text));
    buf_fini(&text);
}

void doctor_credentials(struct doctor *d)
{
    struct fault why = {.text = ""};
    struct s3_view view = {.offset_ms = 0};
    enum status s;

    if (d->bucket == NULL) {
        doctor_note(d, DOCTOR_CREDENTIALS, DOCTOR_SKIPPED, "it needs none");
        return;
    }
    s = s3_bucket_view(d->bucket, &why, &view);
    if (s != STATUS_OK) {
        doctor_fail(d, DOCTOR_CREDENTIALS, s, &why);
    } else {
        doctor_credentials_say(d, &view.credentials);
    }
    credentials_wipe(&view.credentials);
}

/* ---- reach -------------------------------------------------------------- */

static const char *doctor_reach_advice(enum http_result result)
{
    switch (result) {
    case HTTP_RESOLVE:
        return "check the endpoint (AWS_ENDPOINT_URL_S3, AWS_REGION) and DNS";
    case HTTP_TLS:
        return "check the endpoint's certificate; a private CA goes into "
               "AWS_CA_BUNDLE";
    case HTTP_MALFORMED:
        return "this is not an S3 server, or https is spoken where http is "
               "expected";
    case HTTP_DONE:
    case HTTP_CONNECT:
    case HTTP_STALE:
    case HTTP_LOST:
    case HTTP_SHORT:
    case HTTP_TIMEOUT:
    case HTTP_TOO_LARGE:
    case HTTP_OS:
        break;
    }
    return "check the endpoint, and that this host may reach it (security "
           "group, proxy, VPC endpoint)";
}

static void doctor_reach_say(struct doctor *d, const struct endpoint *at,
                             const struct http_event *e)
{
    struct bytes server = {"", 0};
    struct bytes region = {"", 0};
    struct buf text = {0};

    (void)http_header(e->headers, "Server", &server);
    server.size =
        server.size < DOCTOR_SERVER_MAX ? server.size : DOCTOR_SERVER_MAX;
    buf_print(&text, "%s over %s%s, answered in %u ms", e->address,
              at->is_tls ? "TLS" : "plain HTTP",
              http_has_proxy(at->origin) ? " through a proxy" : "",
              e->first_byte_ms);
    if (server.size > 0) {
        buf_print(&text, ", %.*s", (int)server.size, server.at);
    }
    if (http_header(e->headers, "x-amz-bucket-region", &region) &&
        !bytes_is(region, at->region)) {
        buf_print(&text, "; the bucket is in %.*s: set AWS_REGION to it",
                  (int)region.size, region.at);
    }
    doctor_note(d, DOCTOR_REACH, DOCTOR_OK, "%s", buf_text(&text));
    d->lines[DOCTOR_REACH].ms = e->first_byte_ms;
    buf_fini(&text);
}

/* A Date is cut to the second: half of one is added. */
static void doctor_note_date(struct doctor *d, const struct http_event *e)
{
    uint64_t now = clock_wall_ms(&clock_os);
    struct bytes date;
    uint64_t server_ms;

    if (!http_header(e->headers, "Date", &date)) {
        return;
    }
    server_ms = s3_time_http(date);
    d->knows_offset = server_ms != 0;
    d->offset_ms = (int64_t)server_ms + DOCTOR_SECOND_MS / 2 - (int64_t)now;
}

/* Any answer will do, a refusal too: nothing is signed. */
void doctor_reach(struct doctor *d)
{
    struct http_options options = {.ca_bundle = NULL};
    struct http_request r = {.method = "HEAD",
                             .connect_ms = DOCTOR_CONNECT_MS,
                             .first_byte_ms = DOCTOR_REACH_MS};
    struct http_kept keep = {0};
    struct fault why = {.text = ""};
    struct endpoint at;
    enum status s;
    char *host;

    if (d->bucket == NULL) {
        doctor_note(d, DOCTOR_REACH, DOCTOR_SKIPPED, "it is on this machine");
        return;
    }
    s3_bucket_endpoint(d->bucket, &at);
    options.ca_bundle = s3_bucket_settings(d->bucket)->ca_bundle;
    host = mem_print("Host: %s\r\n", at.host);
    r.origin = at.origin;
    r.target = at.path[0] != '\0' ? at.path : "/";
    r.headers = bytes_of(host);
    s = http_call(&options, &r, DOCTOR_REACH_MS, &why, &keep);
    if (s == STATUS_OK) {
        doctor_note_date(d, &keep.event);
        doctor_reach_say(d, &at, &keep.event);
    } else {
        s = s == STATUS_IO ? STATUS_STORE : s; /* As a job would have it. */
        doctor_fail(d, DOCTOR_REACH, s, &why);
        doctor_note(d, DOCTOR_REACH, DOCTOR_FAILED, "%s; %s", why.text,
                    doctor_reach_advice(keep.event.result));
        d->lines[DOCTOR_REACH].status = s;
    }
    http_kept_fini(&keep);
    free(host);
}

/* ---- clock -------------------------------------------------------------- */

static void doctor_clock_say(struct doctor *d)
{
    int64_t offset = d->offset_ms;
    double seconds = (double)(offset < 0 ? -offset : offset) / 1000;
    const char *side = offset < 0 ? "behind" : "ahead of";

    if (offset <= -DOCTOR_SKEW_MS || offset >= DOCTOR_SKEW_MS) {
        doctor_note(d, DOCTOR_CLOCK, DOCTOR_FAILED,
                    "the server's is %.0f s %s ours; set this host's clock "
                    "(chrony, ntp)",
                    seconds, side);
        d->lines[DOCTOR_CLOCK].status = STATUS_SKEW;
    } else if (offset > -DOCTOR_SECOND_MS && offset < DOCTOR_SECOND_MS) {
        doctor_note(d, DOCTOR_CLOCK, DOCTOR_OK,
                    "the server's and ours agree to a second");
    } else {
        doctor_note(d, DOCTOR_CLOCK, DOCTOR_OK,
                    "the server's is %.0f s %s ours", seconds, side);
    }
}

void doctor_clock(struct doctor *d)
{
    if (d->bucket == NULL) {
        doctor_note(d, DOCTOR_CLOCK, DOCTOR_SKIPPED, "it is this machine's");
    } else if (!d->knows_offset) {
        doctor_note(d, DOCTOR_CLOCK, DOCTOR_SKIPPED,
                    "the server does not tell its time");
    } else {
        doctor_clock_say(d);
    }
}
