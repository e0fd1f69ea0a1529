/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions: If-Match and its relatives. */

#include <string.h>

#include "tests/s3server/s3server_srv.h"

/* Is @etag in a list of "a", "b" (or a)? "*" is any. */
bool srv_etag_is_in(const char *list, const char *etag)
{
    size_t size = strlen(etag);

    while (*list != '\0') {
        size_t here;
        bool is_quoted;

        list += strspn(list, " ,");
        list += strncmp(list, "W/", 2) == 0 ? 2 : 0;
        is_quoted = *list == '"';
        list += is_quoted;
        here = strcspn(list, is_quoted ? "\"" : " ,");
        if ((here == 1 && *list == '*' && !is_quoted) ||
            (here == size && memcmp(list, etag, size) == 0)) {
            return true;
        }
        list += here + (is_quoted && list[here] == '"');
    }
    return false;
}

static bool when_holds(const struct srv_request *r, const struct srv_version *v)
{
    const char *match = srv_header(r, "if-match");
    const char *none = srv_header(r, "if-none-match");

    if (none != NULL && v != NULL) {
        return false;
    }
    if (match == NULL) {
        return true;
    }
    if (srv_has_quirk(r, S3SERVER_UNQUOTED_IF_MATCH) && match[0] == '"') {
        return false;
    }
    return v != NULL && srv_etag_is_in(match, v->etag);
}

void srv_when_note_locked(struct srv_request *r)
{
    const struct srv_version *v =
        srv_keys_now(&r->conn->s->locked.keys, r->key);

    r->was_there = v != NULL;
    r->held_at_start = when_holds(r, v);
}

bool srv_when_write_locked(struct srv_request *r, const char *key,
                           struct srv_answer *a)
{
    const struct srv_version *v = srv_keys_now(&r->conn->s->locked.keys, key);
    const char *match = srv_header(r, "if-match");
    const char *none = srv_header(r, "if-none-match");
    uint32_t quirks = r->conn->s->locked.quirks;

    if ((quirks & S3SERVER_NO_CONDITIONS) || (match == NULL && none == NULL)) {
        return true;
    }
    if ((none != NULL && strcmp(none, "*") != 0) ||
        (match != NULL && none != NULL)) {
        srv_fail(a, SRV_E_NOT_IMPLEMENTED);
        srv_extra(a, "Header", "If-None-Match");
        return false;
    }
    if (when_holds(r, v)) {
        return true;
    }
    if (r->held_at_start && (quirks & S3SERVER_LOSER_IS_500)) {
        srv_fail(a, SRV_E_INTERNAL);
    } else if (match != NULL && v == NULL) {
        srv_fail(a, r->held_at_start                    ? SRV_E_CONFLICT
                    : (quirks & S3SERVER_ABSENT_IS_412) ? SRV_E_PRECONDITION
                                                        : SRV_E_NO_KEY);
    } else {
        srv_fail(a, SRV_E_PRECONDITION);
        srv_extra(a, "Condition", match != NULL ? "If-Match" : "If-None-Match");
    }
    return false;
}

bool srv_when_read(const struct srv_request *r, const struct srv_version *v,
                   struct srv_answer *a)
{
    const char *match = srv_header(r, "if-match");
    const char *none = srv_header(r, "if-none-match");
    const char *since = srv_header(r, "if-modified-since");
    const char *until = srv_header(r, "if-unmodified-since");
    uint64_t second_ms = v->modified_ms / 1000 * 1000;

    if (match != NULL ? !srv_etag_is_in(match, v->etag)
                      : until != NULL && srv_time_of_http(until) != 0 &&
                            second_ms > srv_time_of_http(until)) {
        srv_fail(a, SRV_E_PRECONDITION);
        srv_extra(a, "Condition",
                  match != NULL ? "If-Match" : "If-Unmodified-Since");
        return false;
    }
    if (none != NULL ? srv_etag_is_in(none, v->etag)
                     : since != NULL && srv_time_of_http(since) != 0 &&
                           second_ms <= srv_time_of_http(since)) {
        a->code = 304;
        return false;
    }
    return true;
}

/* An absent object is as good as deleted. */
bool srv_when_delete(const struct srv_request *r, const char *wanted,
                     const struct srv_version *v)
{
    return wanted == NULL || v == NULL ||
           (r->conn->s->locked.quirks & S3SERVER_NO_DELETE_CONDITION) ||
           srv_etag_is_in(wanted, v->etag);
}
