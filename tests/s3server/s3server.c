/* SPDX-License-Identifier: Apache-2.0 */
/* The server's life: a thread that accepts, a thread a connection. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

uint64_t srv_now(const struct s3server *s)
{
    return s->fixed_ms != 0 ? s->fixed_ms : clock_wall_ms(&clock_os);
}

bool srv_has_quirk(const struct srv_request *r, uint32_t quirk)
{
    return (atomic_load(&r->conn->s->locked.quirks) & quirk) != 0;
}

/* ---- what was seen ------------------------------------------------------ */

static void srv_seen_free(struct srv_seen *seen)
{
    free(seen->method);
    free(seen->target);
    free(seen->decoded);
    free(seen->head);
}

static void srv_note_locked(struct s3server *s, const struct srv_request *r)
{
    struct srv_seen *seen;

    if (s->locked.seen_count == s->locked.seen_room) {
        s->locked.seen_room = 2 * s->locked.seen_room + 64;
        s->locked.seen = mem_grow(s->locked.seen, s->locked.seen_room,
                                  sizeof(*s->locked.seen));
    }
    seen = &s->locked.seen[s->locked.seen_count++];
    seen->method = mem_copy(r->method);
    seen->target = mem_copy(r->target);
    seen->decoded = mem_copy(buf_text(&r->decoded));
    seen->head = mem_copy(buf_text(&r->head));
}

uint64_t s3server_requests(struct s3server *s, const char *method,
                           const char *key)
{
    uint64_t count = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->locked.seen_count; i++) {
        count += srv_matches(method, key, &s->locked.seen[i]);
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

uint64_t s3server_connections(struct s3server *s)
{
    uint64_t count;

    pthread_mutex_lock(&s->lock);
    count = s->locked.conn_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

uint64_t s3server_uploads(struct s3server *s)
{
    uint64_t count = 0;

    pthread_mutex_lock(&s->lock);
    for (struct srv_upload *u = s->locked.uploads; u != NULL; u = u->next) {
        count += u->result == NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

void s3server_last_header(struct s3server *s, const char *name, char out[256])
{
    const char *line = NULL;
    size_t size = strlen(name);

    out[0] = '\0';
    pthread_mutex_lock(&s->lock);
    if (s->locked.seen_count > 0) {
        line = s->locked.seen[s->locked.seen_count - 1].head;
    }
    for (; line != NULL; line = strstr(line, "\r\n")) {
        line += strncmp(line, "\r\n", 2) == 0 ? 2 : 0;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            line += size + 1 + strspn(line + size + 1, " ");
            snprintf(out, 256, "%.*s", (int)strcspn(line, "\r"), line);
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- pages that are not S3 ---------------------------------------------- */

void s3server_page(struct s3server *s, const char *method,
                   const char *path_prefix, int code, const char *body)
{
    struct srv_page *page = mem_new(1, sizeof(*page));

    page->method = method != NULL ? mem_copy(method) : NULL;
    page->prefix = mem_copy(path_prefix);
    page->body = mem_copy(body);
    page->code = code;
    pthread_mutex_lock(&s->lock);
    page->next = s->locked.pages;
    s->locked.pages = page;
    pthread_mutex_unlock(&s->lock);
}

/* The longest prefix counts; of the same one, what was said last. */
static bool srv_page_locked(struct srv_request *r, struct srv_answer *a)
{
    const struct srv_page *best = NULL;

    for (const struct srv_page *p = r->conn->s->locked.pages; p != NULL;
         p = p->next) {
        size_t size = strlen(p->prefix);

        if ((p->method == NULL || srv_is(r, p->method)) &&
            strncmp(r->target, p->prefix, size) == 0 &&
            (best == NULL || size > strlen(best->prefix))) {
            best = p;
        }
    }
    if (best != NULL) {
        a->code = best->code;
        buf_add_text(&a->body, best->body);
    }
    return best != NULL;
}

/* ---- one request -------------------------------------------------------- */

static void srv_work(struct srv_request *r, struct srv_answer *a)
{
    bool is_page;

    if (srv_act_instead(r, a)) {
        return;
    }
    pthread_mutex_lock(&r->conn->s->lock);
    is_page = srv_page_locked(r, a);
    pthread_mutex_unlock(&r->conn->s->lock);
    if (is_page) {
        return;
    }
    if (r->is_malformed) {
        srv_fail(a, SRV_E_INVALID_URI);
        a->must_close = true;
        return;
    }
    if (srv_auth_check(r, a) && srv_auth_payload(r, a)) {
        srv_md5(buf_text(&r->body), r->body.size, r->sums.md5);
        srv_handle(r, a);
    }
}

/* false: the connection is to be closed. */
static bool srv_serve(struct srv_request *r)
{
    struct s3server *s = r->conn->s;
    struct srv_answer a = {0};
    bool is_open;

    r->now_ms = srv_now(s);
    pthread_mutex_lock(&s->lock);
    srv_note_locked(s, r);
    r->fault = srv_fault_choose_locked(r);
    srv_when_note_locked(r);
    pthread_mutex_unlock(&s->lock);
    if (srv_act_is(r, S3SERVER_SKEW)) {
        r->now_ms += (uint64_t)r->fault->f.ms;
    }
    if (srv_request_body(r, &a)) {
        srv_work(r, &a);
    }
    srv_answer_finish(r, &a);
    srv_act_change(r, &a);
    is_open = srv_answer_send(r, &a);
    srv_answer_fini(&a);
    return is_open;
}

/* OpenSSL writes to a socket whose peer may be gone: with write(2). */
static void srv_outlive_peers(void)
{
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    CHECK(pthread_sigmask(SIG_BLOCK, &pipe, NULL) == 0);
}

static void *srv_connection(void *self)
{
    struct srv_conn *c = self;
    struct srv_request *r = mem_new(1, sizeof(*r));
    bool is_open;

    srv_outlive_peers();
    is_open = c->s->tls == NULL || srv_tls_accept(c);
    while (is_open && !atomic_load(&c->s->is_stopping)) {
        *r = (struct srv_request){.conn = c};
        is_open = srv_request_head(r) && srv_serve(r);
        srv_request_fini(r);
    }
    free(r);
    srv_conn_finish(c, true);
    srv_conn_close(c);
    return NULL;
}

/* ---- accepting ---------------------------------------------------------- */

static void srv_accept_one(struct s3server *s, int fd)
{
    struct srv_conn *c = mem_new(1, sizeof(*c));
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->s = s;
    c->fd = fd;
    pthread_mutex_lock(&s->lock);
    c->next = s->locked.conns;
    s->locked.conns = c;
    s->locked.conn_count++;
    CHECK(pthread_create(&c->thread, NULL, srv_connection, c) == 0);
    pthread_mutex_unlock(&s->lock);
}

static void *srv_acceptor(void *self)
{
    struct s3server *s = self;
    int fd;

    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        srv_accept_one(s, fd);
    }
    return NULL;
}

static char *srv_or(const char *given, const char *usual)
{
    return mem_copy(given != NULL ? given : usual);
}

static void srv_listen(struct s3server *s, const char *address)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);

    CHECK(inet_pton(AF_INET, address, &at.sin_addr) == 1);
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(s->listen_fd >= 0);
    CHECK(bind(s->listen_fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(getsockname(s->listen_fd, (struct sockaddr *)&at, &size) == 0);
    CHECK(listen(s->listen_fd, 256) == 0);
    snprintf(s->url, sizeof(s->url), "http%s://%s:%u", s->is_tls ? "s" : "",
             address, ntohs(at.sin_port));
}

struct s3server *s3server_start(const struct s3server_options *options)
{
    struct s3server *s = mem_new(1, sizeof(*s));

    s->access = srv_or(options->access_key, "AKIDEXAMPLE");
    s->secret = srv_or(options->secret_key, "secret");
    s->token = options->token != NULL ? mem_copy(options->token) : NULL;
    s->region = srv_or(options->region, "us-east-1");
    s->bucket = srv_or(options->bucket, "bucket");
    s->is_tls = options->is_tls;
    s->is_express = options->is_express;
    s->fixed_ms = options->fixed_ms;
    s->idle_ms = options->idle_ms != 0 ? options->idle_ms : 5000;
    s->locked.quirks = options->quirks;
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    if (s->is_tls) {
        srv_tls_start(s, options->is_cert_expired);
    }
    srv_listen(s, options->address != NULL ? options->address : "127.0.0.1");
    CHECK(pthread_create(&s->acceptor, NULL, srv_acceptor, s) == 0);
    return s;
}

static void srv_free_lists(struct s3server *s)
{
    while (s->locked.uploads != NULL) {
        struct srv_upload *u = s->locked.uploads;

        s->locked.uploads = u->next;
        srv_upload_free(u);
    }
    while (s->locked.pages != NULL) {
        struct srv_page *p = s->locked.pages;

        s->locked.pages = p->next;
        free(p->method);
        free(p->prefix);
        free(p->body);
        free(p);
    }
    while (s->locked.sessions != NULL) {
        struct srv_session *session = s->locked.sessions;

        s->locked.sessions = session->next;
        free(session);
    }
    for (size_t i = 0; i < s->locked.seen_count; i++) {
        srv_seen_free(&s->locked.seen[i]);
    }
    free(s->locked.seen);
}

static void srv_own(const char *text)
{
    union {
        const char *view;
        char *own;
    } u = {text};

    free(u.own);
}

static void srv_free_faults(struct s3server *s)
{
    while (s->locked.faults != NULL) {
        struct srv_fault *f = s->locked.faults;

        s->locked.faults = f->next;
        srv_own(f->f.method);
        srv_own(f->f.key);
        srv_own(f->f.error);
        srv_own(f->f.message);
        free(f);
    }
}

void s3server_stop(struct s3server **server)
{
    struct s3server *s = *server;

    if (s == NULL) {
        return;
    }
    atomic_store(&s->is_stopping, true);
    shutdown(s->listen_fd, SHUT_RDWR);
    CHECK(pthread_join(s->acceptor, NULL) == 0);
    close(s->listen_fd);
    pthread_mutex_lock(&s->lock);
    for (struct srv_conn *c = s->locked.conns; c != NULL; c = c->next) {
        if (!c->is_done) {
            shutdown(c->fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&s->lock);
    while (s->locked.conns != NULL) {
        struct srv_conn *c = s->locked.conns;

        CHECK(pthread_join(c->thread, NULL) == 0);
        s->locked.conns = c->next;
        free(c);
    }
    srv_free_lists(s);
    srv_free_faults(s);
    srv_keys_fini(&s->locked.keys);
    srv_tls_stop(s);
    pthread_mutex_destroy(&s->lock);
    free(s->access);
    free(s->secret);
    free(s->token);
    free(s->region);
    free(s->bucket);
    free(s);
    *server = NULL;
}

const char *s3server_url(const struct s3server *s)
{
    return s->url;
}

const char *s3server_ca_file(const struct s3server *s)
{
    return s->ca_file;
}

/* ---- objects without a request ------------------------------------------ */

void s3server_put(struct s3server *s, const char *key, const void *body,
                  size_t size)
{
    struct srv_conn conn = {.s = s};
    struct srv_request r = {.conn = &conn, .now_ms = srv_now(s)};
    struct buf copy = {0};

    if (size > 0) {
        buf_add(&copy, body, size);
    }
    pthread_mutex_lock(&s->lock);
    (void)srv_commit_locked(&r, key, srv_blob_new(&copy), NULL);
    pthread_mutex_unlock(&s->lock);
}

bool s3server_has(struct s3server *s, const char *key)
{
    bool has;

    pthread_mutex_lock(&s->lock);
    has = srv_keys_now(&s->locked.keys, key) != NULL;
    pthread_mutex_unlock(&s->lock);
    return has;
}
