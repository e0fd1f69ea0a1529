/* SPDX-License-Identifier: Apache-2.0 */
/* sign_suite FOLDER: run the public signing suite against the signer. Every
 * sub-folder is a case: context.json and request.txt, and what must come of
 * them as a header (header-*.txt) and as parameters (query-*.txt). A line a
 * failure; ends with "N passed, N failed".
 *
 * The suite calls its paths encoded, and encodes them once more to sign them.
 * Ours are raw and are encoded for the target anyway: that is the one
 * encoding which is left to compare. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/percent.h"
#include "store/sign.h"

enum { TEXT_MAX = 1 << 20, TOKEN_MAX = 4096, NAME_SIZE = 4096 };

static const char *folder;
static unsigned passed;
static unsigned failed;

/* One request as text, taken apart; the views point into it. */
struct parts {
    struct buf text;
    struct bytes method;
    struct bytes path;
    struct sign_pair query[SIGN_PAIRS_MAX];
    struct sign_pair headers[SIGN_PAIRS_MAX];
    size_t query_count;
    size_t header_count;
    struct bytes body;
};

struct context {
    char access_key[TOKEN_MAX];
    char secret_key[TOKEN_MAX];
    char token[TOKEN_MAX];
    char region[64];
    char service[64];
    uint64_t wall_ms;
    uint32_t seconds;
    bool is_normalized;
    bool signs_body;
    bool omits_token;
};

/* ---- reading ------------------------------------------------------------ */

static bool read_text(const char *name, const char *file, struct buf *out)
{
    char path[NAME_SIZE];
    struct fault why;

    snprintf(path, sizeof(path), "%s/%s/%s", folder, name, file);
    if (file_read(path, TEXT_MAX, &why, out) != STATUS_OK) {
        printf("FAILED %s %s: %s\n", name, file, why.text);
        failed++;
        return false;
    }
    return true;
}

static void take_text(const struct json *v, const char *key, char *out,
                      size_t size)
{
    struct bytes b = json_string(json_get(v, key));

    snprintf(out, size, "%.*s", (int)b.size, b.size > 0 ? b.at : "");
}

static uint64_t read_time(const char *text)
{
    struct tm t = {0};

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon,
               &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec) != 6) {
        return 0;
    }
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    return (uint64_t)timegm(&t) * 1000;
}

static bool read_context(const char *name, struct context *out)
{
    struct buf text = {0};
    struct json_doc *doc = NULL;
    struct fault why;
    const struct json *root;
    const struct json *key;
    char when[64];
    int64_t seconds = 0;

    if (!read_text(name, "context.json", &text)) {
        return false;
    }
    if (json_parse(buf_bytes(&text), name, &why, &doc) != STATUS_OK) {
        printf("FAILED %s context.json: %s\n", name, why.text);
        failed++;
        buf_fini(&text);
        return false;
    }
    root = json_root(doc);
    key = json_get(root, "credentials");
    take_text(key, "access_key_id", out->access_key, sizeof(out->access_key));
    take_text(key, "secret_access_key", out->secret_key,
              sizeof(out->secret_key));
    take_text(key, "token", out->token, sizeof(out->token));
    take_text(root, "region", out->region, sizeof(out->region));
    take_text(root, "service", out->service, sizeof(out->service));
    take_text(root, "timestamp", when, sizeof(when));
    (void)json_int64(json_get(root, "expiration_in_seconds"), &seconds);
    out->wall_ms = read_time(when);
    out->seconds = (uint32_t)seconds;
    out->is_normalized = json_is_true(json_get(root, "normalize"));
    out->signs_body = json_is_true(json_get(root, "sign_body"));
    out->omits_token = json_is_true(json_get(root, "omit_session_token"));
    json_destroy(&doc);
    buf_fini(&text);
    return true;
}

/* ---- taking a request apart --------------------------------------------- */

/* Cut the bytes before @end off @rest; all of it if there is no @end. */
static struct bytes cut(struct bytes *rest, const char *end)
{
    const char *at =
        rest->size > 0 ? memmem(rest->at, rest->size, end, strlen(end)) : NULL;
    struct bytes head = {rest->at,
                         at != NULL ? (size_t)(at - rest->at) : rest->size};
    size_t used = head.size + (at != NULL ? strlen(end) : 0);

    *rest = (struct bytes){rest->at + used, rest->size - used};
    return head;
}

/* Decode in place: the views are into the request's own text. */
static struct bytes decode(const struct parts *p, struct bytes b)
{
    char *at = p->text.at + (b.at - p->text.at);
    size_t size = b.size;

    return percent_decode(at, &size) ? (struct bytes){at, size} : b;
}

static void take_target(struct parts *p, struct bytes target)
{
    p->path = decode(p, cut(&target, "?"));
    while (target.size > 0 && p->query_count < SIGN_PAIRS_MAX) {
        struct bytes value = cut(&target, "&");
        struct bytes name = cut(&value, "=");

        p->query[p->query_count++] =
            (struct sign_pair){decode(p, name), decode(p, value)};
    }
}

static void take_first_line(struct parts *p, struct bytes line)
{
    const char *last = memrchr(line.at, ' ', line.size);

    p->method = cut(&line, " ");
    if (last != NULL && last >= line.at) {
        line.size = (size_t)(last - line.at);
    }
    take_target(p, line);
}

/* A line that begins with white space goes on with the header before it. */
static void take_headers(struct parts *p, struct bytes rest)
{
    while (rest.size > 0) {
        struct bytes line = cut(&rest, "\n");
        struct sign_pair *last =
            p->header_count > 0 ? &p->headers[p->header_count - 1] : NULL;

        if (line.size == 0) {
            p->body = rest;
            return;
        }
        if ((line.at[0] == ' ' || line.at[0] == '\t') && last != NULL) {
            last->value.size = (size_t)(line.at + line.size - last->value.at);
        } else if (p->header_count < SIGN_PAIRS_MAX) {
            struct bytes name = cut(&line, ":");

            p->headers[p->header_count++] = (struct sign_pair){name, line};
        }
    }
}

static void take_apart(struct parts *p)
{
    struct bytes rest = buf_bytes(&p->text);

    take_first_line(p, cut(&rest, "\n"));
    take_headers(p, rest);
}

/* Take the Host header out; the signer has it as a field. */
static struct bytes take_host(struct parts *p)
{
    struct bytes host = {"", 0};

    for (size_t i = 0; i < p->header_count; i++) {
        if (p->headers[i].name.size == 4 &&
            strncasecmp(p->headers[i].name.at, "Host", 4) == 0) {
            host = p->headers[i].value;
            p->header_count--;
            memmove(&p->headers[i], &p->headers[i + 1],
                    (p->header_count - i) * sizeof(p->headers[0]));
            return host;
        }
    }
    return host;
}

/* ---- comparing ---------------------------------------------------------- */

static void compare(const char *name, const char *file, struct bytes got,
                    struct bytes want)
{
    struct buf line = {0};

    if (bytes_is_equal(got, want)) {
        passed++;
        return;
    }
    failed++;
    json_write_string(got, &line);
    buf_add_text(&line, ", want ");
    json_write_string(want, &line);
    printf("FAILED %s %s: got %s\n", name, file, buf_text(&line));
    buf_fini(&line);
}

static void compare_file(const char *name, const char *kind, const char *what,
                         struct bytes got)
{
    struct buf want = {0};
    char file[128];

    snprintf(file, sizeof(file), "%s-%s.txt", kind, what);
    if (read_text(name, file, &want)) {
        compare(name, file, got, buf_bytes(&want));
    }
    buf_fini(&want);
}

static int by_name(const struct sign_pair *a, const struct sign_pair *b)
{
    size_t size = a->name.size < b->name.size ? a->name.size : b->name.size;
    int order = strncasecmp(a->name.at, b->name.at, size);

    return order != 0                    ? order
           : a->name.size < b->name.size ? -1
                                         : a->name.size > b->name.size;
}

/* By name; equal ones keep their order. */
static void sort_pairs(struct sign_pair *at, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && by_name(&at[j - 1], &at[j]) > 0; j--) {
            struct sign_pair pair = at[j];

            at[j] = at[j - 1];
            at[j - 1] = pair;
        }
    }
}

/* Append "name<between>value\n" in lower case and without needless space. */
static void flatten_header(const struct sign_pair *pair, struct buf *out)
{
    bool is_after_space = true;

    for (size_t i = 0; i < pair->name.size; i++) {
        char c = pair->name.at[i];

        buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    buf_add_char(out, ':');
    for (size_t i = 0; i < pair->value.size; i++) {
        char c = pair->value.at[i];
        bool is_space = strchr(" \t\r\n", c) != NULL;

        if (!is_space) {
            buf_add_char(out, c);
        } else if (!is_after_space) {
            buf_add_char(out, ' ');
        }
        is_after_space = is_space;
    }
    if (out->at[out->size - 1] == ' ') {
        out->size--;
    }
    buf_add_char(out, '\n');
}

/* The request in an order of its own, so that two can be compared. */
static void flatten(struct parts *p, struct buf *out)
{
    sort_pairs(p->query, p->query_count);
    sort_pairs(p->headers, p->header_count);
    buf_add_bytes(out, p->method);
    buf_add_char(out, ' ');
    buf_add_bytes(out, p->path);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < p->query_count; i++) {
        buf_add_bytes(out, p->query[i].name);
        buf_add_char(out, '=');
        buf_add_bytes(out, p->query[i].value);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < p->header_count; i++) {
        flatten_header(&p->headers[i], out);
    }
    buf_add_bytes(out, p->body);
}

static void compare_request(const char *name, const char *kind,
                            const struct sign_request *r, struct bytes body,
                            const struct sign_result *got)
{
    struct parts ours = {.method = {"", 0}};
    struct parts theirs = {.method = {"", 0}};
    struct buf a = {0};
    struct buf b = {0};
    char file[128];

    snprintf(file, sizeof(file), "%s-signed-request.txt", kind);
    if (read_text(name, file, &theirs.text)) {
        buf_print(&ours.text, "%s %s HTTP/1.1\n%s\n", r->method,
                  buf_text(&got->target), buf_text(&got->headers));
        buf_add_bytes(&ours.text, body);
        take_apart(&ours);
        take_apart(&theirs);
        flatten(&ours, &a);
        flatten(&theirs, &b);
        compare(name, file, buf_bytes(&a), buf_bytes(&b));
    }
    buf_fini(&ours.text);
    buf_fini(&theirs.text);
    buf_fini(&a);
    buf_fini(&b);
}

/* ---- one case ----------------------------------------------------------- */

static void compare_all(const char *name, const char *kind,
                        const struct sign_request *r, struct bytes body,
                        const struct sign_result *got)
{
    compare_file(name, kind, "canonical-request", buf_bytes(&got->canonical));
    compare_file(name, kind, "string-to-sign", buf_bytes(&got->to_sign));
    compare_file(name, kind, "signature", bytes_of(got->signature));
    compare_request(name, kind, r, body, got);
}

static void run_request(const char *name, struct signer *s,
                        const struct context *c, struct parts *p)
{
    struct sign_result got = {0};
    char hash[SIGN_HEX_SIZE];
    char *method = mem_copy_text(p->method.at, p->method.size);
    struct sign_request r = {
        .method = method,
        .host = take_host(p),
        .path = p->path,
        .query = p->query,
        .query_count = p->query_count,
        .headers = p->headers,
        .header_count = p->header_count,
        .key = {c->access_key, c->secret_key,
                c->token[0] != '\0' ? c->token : NULL},
        .region = c->region,
        .service = c->service,
        .wall_ms = c->wall_ms,
        .is_normalized = c->is_normalized,
        .omits_token = c->omits_token,
    };

    sign_payload(s, p->body, hash);
    r.payload = c->signs_body ? hash : NULL;
    sign_headers(s, &r, &got);
    compare_all(name, "header", &r, p->body, &got);
    r.payload = c->signs_body ? hash : SIGN_EMPTY;
    sign_presign(s, &r, c->seconds, &got);
    compare_all(name, "query", &r, p->body, &got);
    sign_result_fini(&got);
    free(method);
}

static void run_case(const char *name, struct signer *s)
{
    struct parts p = {.method = {"", 0}};
    struct context c = {.seconds = 0};

    if (read_context(name, &c) && read_text(name, "request.txt", &p.text)) {
        take_apart(&p);
        run_request(name, s, &c, &p);
    }
    buf_fini(&p.text);
}

static int is_case(const struct dirent *e)
{
    char path[NAME_SIZE];

    snprintf(path, sizeof(path), "%s/%s/context.json", folder, e->d_name);
    return e->d_name[0] != '.' && file_is_there(path);
}

int main(int argc, char **argv)
{
    struct dirent **names = NULL;
    struct signer *s;
    int count;

    if (argc != 2) {
        fprintf(stderr, "usage: sign_suite FOLDER\n");
        return 64;
    }
    folder = argv[1];
    count = scandir(folder, &names, is_case, alphasort);
    if (count <= 0) {
        fprintf(stderr,
                "sign_suite: %s: no case of the signing suite: no "
                "folder in it has a context.json\n",
                folder);
        free(names);
        return 64;
    }
    s = signer_new();
    for (int i = 0; i < count; i++) {
        run_case(names[i]->d_name, s);
        free(names[i]);
    }
    free(names);
    signer_destroy(&s);
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
