/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_call.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/hedge.h"

const char *s3_call_uri(const struct s3_call *c, char out[STORE_URI_SHOW_MAX])
{
    return store_uri_show(c->root_uri, c->r.key, out);
}

static struct bytes s3_copy(struct buf *text, struct bytes from)
{
    struct bytes copy = {text->at + text->size, from.size};

    buf_add_bytes(text, from);
    buf_add_char(text, '\0');
    return copy;
}

static const char *s3_copy_text(struct buf *text, const char *from)
{
    return from != NULL ? s3_copy(text, bytes_of(from)).at : NULL;
}

struct s3_call *s3_call_new(void)
{
    struct s3_call *c = mem_new(1, sizeof(*c));

    c->flights = mem_new(2, sizeof(c->flights[0]));
    return c;
}

/* Take over @r; what submit promises to copy lies in @c->text. */
void s3_call_take(struct s3_call *c, const struct store_request *r)
{
    struct buf *text = &c->text;
    size_t size = r->key.size + r->after.size + 2;

    size += r->etag != NULL ? strlen(r->etag) + 1 : 0;
    size += r->upload != NULL ? strlen(r->upload) + 1 : 0;
    size += r->version != NULL ? strlen(r->version) + 1 : 0;
    buf_clear(text);
    (void)buf_reserve(text, size); /* Views into it must not move. */
    c->r = *r;
    c->r.key = s3_copy(text, r->key);
    c->r.after = s3_copy(text, r->after);
    c->r.etag = s3_copy_text(text, r->etag);
    c->r.upload = s3_copy_text(text, r->upload);
    c->r.version = s3_copy_text(text, r->version);
    CHECK(text->size == size);
}

void s3_flight_reset(struct s3_flight *f)
{
    f->is_on = false;
    f->is_get = false;
    hedge_free(&f->hedge, f->http.into_size);
    credentials_forget(&f->view.credentials);
}

/* As new, but for its memory. The view, ten kilobytes, is written anew by
 * each attempt before it is read. */
static void s3_flight_renew(struct s3_flight *f)
{
    CHECK(f->hedge == NULL);
    s3_flight_reset(f);
    f->since_ms = 0;
    f->window_ms = 0;
    f->window_got = 0;
    f->http = (struct http_request){0};
    f->sum = (struct crc){0};
}

static void s3_flight_fini(struct s3_flight *f)
{
    s3_flight_reset(f);
    sign_result_fini(&f->sign);
    buf_fini(&f->body);
    buf_fini(&f->path);
}

void s3_page_free(struct s3_page *page)
{
    if (page != NULL) {
        buf_fini(&page->bytes);
        s3_list_fini(&page->list);
        free(page->parts);
        free(page);
    }
}

void s3_call_free(struct s3_call *c)
{
    s3_flight_fini(&c->flights[0]);
    s3_flight_fini(&c->flights[1]);
    buf_fini(&c->text);
    buf_fini(&c->token);
    buf_fini(&c->mark);
    s3_page_free(c->page);
    free(c->flights);
    free(c);
}

/* Make @c as new, keeping its memory. */
void s3_call_reset(struct s3_call *c)
{
    struct s3_call kept = {.text = c->text,
                           .token = c->token,
                           .mark = c->mark,
                           .flights = c->flights};

    CHECK(c->page == NULL);
    s3_flight_renew(&c->flights[0]);
    s3_flight_renew(&c->flights[1]);
    buf_clear(&kept.token);
    buf_clear(&kept.mark);
    *c = kept;
}
