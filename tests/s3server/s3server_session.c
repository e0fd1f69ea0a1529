/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

void srv_session_create(struct srv_request *r, struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    struct srv_session *session = mem_new(1, sizeof(*session));
    char time[SRV_TIME_MAX];

    pthread_mutex_lock(&s->lock);
    s->locked.id++;
    snprintf(session->access, sizeof(session->access), "SESSION%" PRIu64,
             s->locked.id);
    snprintf(session->secret, sizeof(session->secret), "secret-%" PRIu64,
             s->locked.id);
    snprintf(session->token, sizeof(session->token), "token-%" PRIu64,
             s->locked.id);
    session->until_ms = r->now_ms + SRV_SESSION_MS;
    session->next = s->locked.sessions;
    s->locked.sessions = session;
    pthread_mutex_unlock(&s->lock);
    srv_xml_start(a, "CreateSessionResult");
    buf_add_text(&a->body, "<Credentials>");
    srv_xml_add(&a->body, "SessionToken", session->token);
    srv_xml_add(&a->body, "SecretAccessKey", session->secret);
    srv_xml_add(&a->body, "AccessKeyId", session->access);
    srv_xml_add(&a->body, "Expiration", srv_time_iso(session->until_ms, time));
    buf_add_text(&a->body, "</Credentials></CreateSessionResult>");
}
