/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_easy_curl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/line.h"
#include "base/mem.h"
#include "store/http_proxy_os.h"

enum {
    EASY_ERROR_BODY_MAX = 64 << 10,
    EASY_RECEIVE_SIZE = 64 << 10,
    EASY_SEND_SIZE = 256 << 10,
    EASY_KEEP_MAX = 64 << 10, /* Of memory for bodies between requests. */
    EASY_DNS_S = 5,           /* Stores spread load by their answers. */
    EASY_EXPECT_MS = 1000,
    EASY_EARLY_HINTS = 199, /* The last interim code. */
};

static void easy_poke(struct http_easy *e)
{
    uint64_t due = http_easy_due_ms(e);

    if (due < e->setup->due_ms) {
        e->setup->due_ms = due;
    }
}

static void easy_moved(struct http_easy *e)
{
    e->moved_ms = clock_now_ms(&clock_os);
}

void http_easy_judge(struct http_easy *e, enum http_result result,
                     const char *why)
{
    if (e->has_verdict) {
        return;
    }
    e->has_verdict = true;
    e->event.result = result;
    snprintf(e->event.why, sizeof(e->event.why), "%s", why);
}

/* ---- what libcurl calls: the way out ------------------------------------ */

/* Ours, because libcurl's sockets would be inherited by the command. */
static curl_socket_t easy_open(void *self, curlsocktype purpose,
                               struct curl_sockaddr *a)
{
    struct http_easy *e = self;
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

    (void)purpose;
    e->open_errno = fd < 0 ? errno : 0;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static bool easy_is_safe(const struct http_easy *e)
{
    return strcmp(e->request.method, "GET") == 0 ||
           strcmp(e->request.method, "HEAD") == 0;
}

static void easy_head_reset(struct http_easy *e)
{
    e->event.code = 0;
    e->is_answered = false;
    e->has_head = false;
    buf_clear(&e->head);
}

/* libcurl looks whether a kept connection is dead, but does not see a reset
 * or a farewell of TLS; all that are as old may be dead as well. */
static void easy_avoid_kept(struct http_easy *e)
{
    e->setup->fresh_until_ms =
        clock_now_ms(&clock_os) + ((uint64_t)e->setup->idle_s + 1) * 1000;
}

/* Connected; the request is about to be sent. The second time libcurl asks
 * again by itself because a kept connection was dead. A write may have
 * happened then, so that it is not for libcurl to decide; except after 417,
 * which refuses nothing but the wait for 100. */
static int easy_begin(void *self, char *ip, char *local_ip, int port,
                      int local_port)
{
    struct http_easy *e = self;

    (void)local_ip;
    (void)local_port;
    if (e->is_begun && e->event.code != 417) {
        easy_avoid_kept(e);
    }
    if (e->is_begun && !easy_is_safe(e) && e->event.code != 417) {
        http_easy_judge(e, HTTP_STALE, "the server closed a kept connection");
        return CURL_PREREQFUNC_ABORT;
    }
    snprintf(e->event.address, sizeof(e->event.address),
             strchr(ip, ':') != NULL ? "[%.45s]:%d" : "%.45s:%d", ip, port);
    easy_head_reset(e);
    easy_moved(e);
    e->is_begun = true;
    e->sent = 0;
    e->sent_ms = e->moved_ms;
    e->is_sent = e->request.body.size == 0;
    easy_poke(e);
    return CURL_PREREQFUNC_OK;
}

static size_t easy_read(char *to, size_t size, size_t count, void *self)
{
    struct http_easy *e = self;
    size_t left = e->request.body.size - e->sent;
    size_t n = size * count < left ? size * count : left;

    if (n > 0) {
        memcpy(to, e->request.body.at + e->sent, n);
    }
    e->sent += n;
    easy_moved(e);
    if (e->sent == e->request.body.size && !e->is_sent) {
        e->is_sent = true;
        e->sent_ms = e->moved_ms;
        easy_poke(e);
    }
    return n;
}

static int easy_seek(void *self, curl_off_t offset, int origin)
{
    struct http_easy *e = self;

    if (origin != SEEK_SET || offset < 0 ||
        (uint64_t)offset > e->request.body.size) {
        return CURL_SEEKFUNC_FAIL;
    }
    e->sent = (size_t)offset;
    e->is_sent = false;
    return CURL_SEEKFUNC_OK;
}

/* ---- what libcurl calls: the way in ------------------------------------- */

static bool easy_is_good(const struct http_easy *e)
{
    return e->event.code >= 200 && e->event.code <= 299;
}

static size_t easy_room(const struct http_easy *e)
{
    if (!easy_is_good(e)) {
        return EASY_ERROR_BODY_MAX;
    }
    if (e->request.into != NULL) {
        return e->request.into_size;
    }
    return e->request.body_max != 0 ? e->request.body_max : HTTP_BODY_MAX;
}

static void easy_judge_too_large(struct http_easy *e)
{
    char why[HTTP_WHY_MAX];

    snprintf(why, sizeof(why), "the body is larger than %zu bytes",
             easy_room(e));
    http_easy_judge(e, HTTP_TOO_LARGE, why);
}

/* The code of "HTTP/1.1 200 OK"; 0: none. */
static int easy_code(struct bytes line)
{
    const char *space = memchr(line.at, ' ', line.size);
    char digits[4] = {0};

    if (space == NULL || line.size - (size_t)(space - line.at) < 4) {
        return 0;
    }
    memcpy(digits, space + 1, 3);
    return (int)strtol(digits, NULL, 10);
}

static void easy_status_line(struct http_easy *e, struct bytes line)
{
    easy_head_reset(e);
    e->event.code = easy_code(line);
    e->is_answered = e->event.code > EASY_EARLY_HINTS;
    if (e->is_answered && e->event.first_byte_ms == 0) {
        e->event.first_byte_ms = (uint32_t)(e->moved_ms - e->submit_ms);
    }
}

/* The head is whole. false: its body is not wanted. */
static bool easy_head_end(struct http_easy *e)
{
    struct bytes head = buf_bytes(&e->head);
    struct bytes value;
    char digits[24] = {0};

    e->has_head = true;
    if (!easy_is_good(e) || strcmp(e->request.method, "HEAD") == 0 ||
        http_header(head, "transfer-encoding", &value) ||
        !http_header(head, "content-length", &value) ||
        value.size >= sizeof(digits)) {
        return true;
    }
    memcpy(digits, value.at, value.size);
    if (strtoull(digits, NULL, 10) > easy_room(e)) {
        easy_judge_too_large(e);
        return false;
    }
    return true;
}

static void easy_head_line(struct http_easy *e, struct bytes line)
{
    /* A line that starts with a blank goes on with the one before. */
    if ((line.at[0] == ' ' || line.at[0] == '\t') && e->head.size >= 2) {
        e->head.size -= 2;
        buf_add_char(&e->head, ' ');
    }
    while (line.size > 0 &&
           (line.at[line.size - 1] == '\n' || line.at[line.size - 1] == '\r')) {
        line.size--;
    }
    buf_add_bytes(&e->head, line);
    buf_add_text(&e->head, "\r\n");
}

/* One line of a head, or of what follows the last chunk. */
static size_t easy_header(char *at, size_t size, size_t count, void *self)
{
    struct http_easy *e = self;
    struct bytes line = {at, size * count};

    easy_moved(e);
    e->head_bytes += line.size;
    if (e->head_bytes > HTTP_HEADERS_MAX) {
        http_easy_judge(e, HTTP_MALFORMED, "its headers have no end");
        return 0;
    }
    if (e->has_head) { /* After the body: nothing that we ask for. */
        return line.size;
    }
    if (bytes_has_prefix(line, BYTES("HTTP/"))) {
        easy_status_line(e, line);
    } else if (bytes_is(line, "\r\n") || bytes_is(line, "\n")) {
        return !e->is_answered || easy_head_end(e) ? line.size : 0;
    } else if (line.size > 0) {
        easy_head_line(e, line);
    }
    easy_poke(e);
    return line.size;
}

static size_t easy_write(char *at, size_t size, size_t count, void *self)
{
    struct http_easy *e = self;
    size_t n = size * count;
    size_t left = easy_room(e) - (size_t)e->received;

    easy_moved(e);
    if (n > left && easy_is_good(e)) {
        easy_judge_too_large(e);
        return 0;
    }
    if (n > left) { /* What an error says stands at its start. */
        buf_add(&e->body, at, left);
        e->received += left;
        http_easy_judge(e, HTTP_DONE, "");
        return 0;
    }
    if (e->request.into != NULL && easy_is_good(e)) {
        memcpy((char *)e->request.into + e->received, at, n);
        e->event.sum = crc_add(e->request.sum, e->event.sum, at, n);
    } else {
        buf_add(&e->body, at, n);
    }
    e->received += n;
    return n;
}

/* ---- options ------------------------------------------------------------ */

#define EASY_SET(name, value)                                                  \
    (curl_easy_setopt(e->curl, CURLOPT_##name, value) == CURLE_OK)

static bool easy_set_calls(struct http_easy *e)
{
    return EASY_SET(PRIVATE, (void *)e) && EASY_SET(ERRORBUFFER, e->error) &&
           EASY_SET(OPENSOCKETFUNCTION, easy_open) &&
           EASY_SET(OPENSOCKETDATA, (void *)e) &&
           EASY_SET(PREREQFUNCTION, easy_begin) &&
           EASY_SET(PREREQDATA, (void *)e) &&
           EASY_SET(HEADERFUNCTION, easy_header) &&
           EASY_SET(HEADERDATA, (void *)e) &&
           EASY_SET(WRITEFUNCTION, easy_write) &&
           EASY_SET(WRITEDATA, (void *)e) &&
           EASY_SET(READFUNCTION, easy_read) && EASY_SET(READDATA, (void *)e) &&
           EASY_SET(SEEKFUNCTION, easy_seek) && EASY_SET(SEEKDATA, (void *)e);
}

/* QUICK_EXIT: without it, giving a request up waits for the resolver. */
static bool easy_set_connection(struct http_easy *e)
{
    bool is_fresh =
        e->request.is_fresh || e->submit_ms < e->setup->fresh_until_ms;

    /* Refused where a request that was given up has left its buffer. */
    (void)EASY_SET(BUFFERSIZE, (long)EASY_RECEIVE_SIZE);

    return EASY_SET(NOSIGNAL, 1L) && EASY_SET(QUICK_EXIT, 1L) &&
           EASY_SET(CONNECTTIMEOUT_MS, (long)e->request.connect_ms) &&
           EASY_SET(MAXAGE_CONN, e->setup->idle_s) &&
           EASY_SET(FRESH_CONNECT, is_fresh ? 1L : 0L) &&
           EASY_SET(DNS_CACHE_TIMEOUT, is_fresh ? 0L : (long)EASY_DNS_S) &&
           EASY_SET(DNS_SHUFFLE_ADDRESSES, 1L) && EASY_SET(TCP_KEEPALIVE, 1L) &&
           EASY_SET(UPLOAD_BUFFERSIZE, (long)EASY_SEND_SIZE);
}

/* Without a folder of certificates libcurl keeps the parsed bundle. */
static bool easy_set_tls(struct http_easy *e)
{
    return EASY_SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
           EASY_SET(CAPATH, NULL) &&
           (e->setup->ca_bundle == NULL ||
            EASY_SET(CAINFO, e->setup->ca_bundle));
}

/* The proxy is told, so that only http_proxy_find() decides which it is; a
 * plain request to an HTTP proxy names the whole URL. The URL is for libcurl,
 * the target is what goes out. */
static bool easy_set_target(struct http_easy *e)
{
    const struct http_request *r = &e->request;
    const char *proxy = e->setup->is_direct ? NULL : http_proxy_find(r->origin);
    bool is_whole = proxy != NULL && strncasecmp(proxy, "socks", 5) != 0 &&
                    strncasecmp(r->origin, "http:", 5) == 0;
    char *url = mem_print("%s%s", r->origin, r->target);
    bool is_ok = EASY_SET(URL, url) && EASY_SET(PATH_AS_IS, 1L) &&
                 EASY_SET(REQUEST_TARGET, is_whole ? url : r->target) &&
                 EASY_SET(PROXY, proxy != NULL ? proxy : "") &&
                 EASY_SET(NOPROXY, "") &&
                 EASY_SET(HEADEROPT, (long)CURLHEADER_SEPARATE) &&
                 EASY_SET(SUPPRESS_CONNECT_HEADERS, 1L);

    free(url);
    return is_ok;
}

static bool easy_set_protocol(struct http_easy *e)
{
    return EASY_SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           EASY_SET(PROTOCOLS_STR, "http,https") &&
           EASY_SET(FOLLOWLOCATION, 0L) &&
           EASY_SET(HTTP_CONTENT_DECODING, 0L) &&
           EASY_SET(EXPECT_100_TIMEOUT_MS, (long)EASY_EXPECT_MS);
}

/* UPLOAD is how libcurl reads a body from a callback, for any method. */
static bool easy_set_method(struct http_easy *e)
{
    const struct http_request *r = &e->request;
    bool has_body = r->body.size > 0 || strcmp(r->method, "PUT") == 0 ||
                    strcmp(r->method, "POST") == 0;

    if (strcmp(r->method, "HEAD") == 0) {
        return EASY_SET(NOBODY, 1L);
    }
    return EASY_SET(CUSTOMREQUEST, r->method) &&
           (!has_body ||
            (EASY_SET(UPLOAD, 1L) &&
             EASY_SET(INFILESIZE_LARGE, (curl_off_t)r->body.size)));
}

static bool easy_add_header(struct http_easy *e, const char *line)
{
    struct curl_slist *longer = curl_slist_append(e->headers, line);

    e->headers = longer != NULL ? longer : e->headers;
    return longer != NULL;
}

/* "Name: value"; to libcurl one without a value ends in a semicolon. */
static bool easy_add_line(struct http_easy *e, const char *at, size_t size)
{
    char *line = mem_copy_text(at, size);
    char *colon = strchr(line, ':');
    bool is_ok;

    if (colon != NULL && colon[1 + strspn(colon + 1, " \t")] == '\0') {
        memcpy(colon, ";", 2);
    }
    is_ok = easy_add_header(e, line);
    free(line);
    return is_ok;
}

/* libcurl leaves a header of its own out when it stands here without colon
 * and value. */
static bool easy_set_headers(struct http_easy *e)
{
    struct bytes all = e->request.headers;
    struct bytes value;
    bool is_ok =
        easy_add_header(e, e->request.is_expect ? "Expect: 100-continue"
                                                : "Expect:") &&
        (http_header(all, "accept", &value) || easy_add_header(e, "Accept:")) &&
        (http_header(all, "user-agent", &value) ||
         easy_add_header(e, "User-Agent: smshard"));

    for (size_t from = 0; from < all.size && is_ok;) {
        const char *at = all.at + from;
        const char *end = memmem(at, all.size - from, "\r\n", 2);
        size_t size = end != NULL ? (size_t)(end - at) : all.size - from;

        is_ok = size == 0 || easy_add_line(e, at, size);
        from += size + 2;
    }
    return is_ok && EASY_SET(HTTPHEADER, e->headers);
}

bool http_easy_start(struct http_easy *e, const struct http_request *request,
                     uint64_t now_ms)
{
    e->request = *request;
    e->event.tag = request->tag;
    e->submit_ms = now_ms;
    e->moved_ms = now_ms;
    return easy_set_calls(e) && easy_set_connection(e) && easy_set_tls(e) &&
           easy_set_target(e) && easy_set_protocol(e) && easy_set_method(e) &&
           easy_set_headers(e);
}

/* ---- late --------------------------------------------------------------- */

static bool easy_is_waiting(const struct http_easy *e)
{
    return e->is_sent && !e->is_answered;
}

uint64_t http_easy_due_ms(const struct http_easy *e)
{
    uint32_t limit =
        easy_is_waiting(e) ? e->request.first_byte_ms : e->request.stall_ms;

    if (!e->is_begun || limit == 0) {
        return UINT64_MAX;
    }
    return (easy_is_waiting(e) ? e->sent_ms : e->moved_ms) + limit;
}

/* What libcurl has handed to the system may still be on its way: megabytes of
 * a body that the peer takes slowly. */
static bool easy_is_draining(struct http_easy *e)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    int unacked = 0;
    bool has_moved;

    if (curl_easy_getinfo(e->curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD || ioctl(fd, SIOCOUTQ, &unacked) != 0) {
        return false;
    }
    has_moved = unacked > 0 && unacked != e->unacked;
    e->unacked = unacked;
    return has_moved;
}

bool http_easy_is_late(struct http_easy *e, uint64_t now_ms)
{
    char why[HTTP_WHY_MAX];

    if (e->has_verdict) {
        return true;
    }
    if (now_ms < http_easy_due_ms(e)) {
        return false;
    }
    if (e->request.body.size > 0 && easy_is_draining(e)) {
        e->moved_ms = now_ms;
        e->sent_ms = now_ms;
        return false;
    }
    if (easy_is_waiting(e)) {
        snprintf(why, sizeof(why), "no answer within %u ms",
                 e->request.first_byte_ms);
    } else {
        snprintf(why, sizeof(why), "no byte moved for %u ms",
                 e->request.stall_ms);
    }
    http_easy_judge(e, HTTP_TIMEOUT, why);
    return true;
}

/* ---- the end ------------------------------------------------------------ */

/* Whether the process or the system has no room for another file. */
static bool easy_is_out_of_files(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool is_out = fd < 0 && (errno == EMFILE || errno == ENFILE);

    if (fd >= 0) {
        close(fd);
    }
    return is_out;
}

static enum http_result easy_broken(const struct http_easy *e)
{
    if (!e->is_begun) {
        return HTTP_CONNECT;
    }
    if (e->head_bytes > 0) {
        return HTTP_SHORT;
    }
    return e->event.is_reused ? HTTP_STALE : HTTP_LOST;
}

static enum http_result easy_connect_failed(const struct http_easy *e,
                                            enum http_result otherwise)
{
    long error = 0;

    (void)curl_easy_getinfo(e->curl, CURLINFO_OS_ERRNO, &error);
    if (e->open_errno == EMFILE || e->open_errno == ENFILE ||
        e->open_errno == ENOBUFS || e->open_errno == ENOMEM ||
        error == EADDRNOTAVAIL || easy_is_out_of_files()) {
        return HTTP_OS;
    }
    /* A handshake that the network broke says nothing about trust. */
    if (otherwise == HTTP_TLS &&
        (error == ECONNRESET || error == EPIPE ||
         strstr(e->error, "SSL_ERROR_SYSCALL") != NULL)) {
        return HTTP_CONNECT;
    }
    return otherwise;
}

static enum http_result easy_result(const struct http_easy *e, CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK:
        return e->has_head ? HTTP_DONE : easy_broken(e);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_URL_MALFORMAT:
        return easy_connect_failed(e, HTTP_RESOLVE);
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return easy_connect_failed(e, HTTP_CONNECT);
    case CURLE_OPERATION_TIMEDOUT:
        return e->is_begun ? HTTP_TIMEOUT : HTTP_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
        return easy_connect_failed(e, HTTP_TLS);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: a body without a head. */
        return HTTP_MALFORMED;
    case CURLE_OUT_OF_MEMORY: /* Also a line that has no end. */
        return e->is_begun && !e->has_head ? HTTP_MALFORMED : HTTP_OS;
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_UNKNOWN_OPTION:
        return HTTP_OS;
    default:
        return easy_broken(e);
    }
}

/* Some of libcurl's lines quote the proxy's URL, with its password. */
static void easy_explain(struct http_easy *e, CURLcode code)
{
    const char *why = e->error;

    if (e->event.result == HTTP_DONE) {
        why = "";
    } else if (strncmp(why, "Unsupported proxy", 17) == 0) {
        why = "the proxy that the environment names is not understood";
    } else if (why[0] == '\0') {
        why = code != CURLE_OK ? curl_easy_strerror(code)
                               : "the connection was closed in the answer";
    }
    snprintf(e->event.why, sizeof(e->event.why), "%s", why);
    line_clean(e->event.why, sizeof(e->event.why) - 1);
}

void http_easy_end(struct http_easy *e, CURLcode code, uint64_t now_ms)
{
    struct http_event *event = &e->event;
    long connects = 1;

    (void)curl_easy_getinfo(e->curl, CURLINFO_NUM_CONNECTS, &connects);
    event->is_reused = e->is_begun && connects == 0;
    if (!e->has_verdict) {
        event->result = easy_result(e, code);
        easy_explain(e, code);
    }
    if (event->result == HTTP_STALE) {
        event->is_reused = true;
        easy_avoid_kept(e);
    }
    event->total_ms = (uint32_t)(now_ms - e->submit_ms);
    if (!e->has_head) {
        easy_head_reset(e);
    }
    event->headers = buf_bytes(&e->head);
    event->body = buf_bytes(&e->body);
    if (event->result == HTTP_TOO_LARGE) {
        event->body.size = 0;
        event->sum = 0;
    } else if (e->request.into != NULL && easy_is_good(e)) {
        event->got = (size_t)e->received;
    }
}

/* ---- life --------------------------------------------------------------- */

struct http_easy *http_easy_new(struct http_setup *setup)
{
    CURL *curl = curl_easy_init();
    struct http_easy *e;

    if (curl == NULL) {
        return NULL;
    }
    e = mem_new(1, sizeof(*e));
    e->curl = curl;
    e->setup = setup;
    return e;
}

void http_easy_clear(struct http_easy *e)
{
    struct http_easy old = *e;

    curl_easy_reset(e->curl);
    curl_slist_free_all(e->headers);
    if (old.body.room > EASY_KEEP_MAX) {
        buf_fini(&old.body);
    }
    buf_clear(&old.body);
    buf_clear(&old.head);
    *e = (struct http_easy){.setup = old.setup,
                            .curl = old.curl,
                            .head = old.head,
                            .body = old.body};
}

void http_easy_destroy(struct http_easy **e)
{
    if (*e == NULL) {
        return;
    }
    curl_easy_cleanup((*e)->curl);
    curl_slist_free_all((*e)->headers);
    buf_fini(&(*e)->head);
    buf_fini(&(*e)->body);
    free(*e);
    *e = NULL;
}
