/* SPDX-License-Identifier: Apache-2.0 */
/* A page that follows another is asked for by its token, which all servers
 * understand, where the handle has seen it; else by the last key. */

#include "store/s3_call.h"

static struct s3_token *s3_token_find(struct s3_tokens *tokens,
                                      const struct store_request *r)
{
    for (uint32_t i = 0; i < S3_TOKENS_MAX; i++) {
        struct s3_token *t = &tokens->at[i];

        if (t->token.size > 0 &&
            bytes_is_equal(buf_bytes(&t->after), r->after) &&
            bytes_is_equal(buf_bytes(&t->prefix), r->key)) {
            return t;
        }
    }
    return NULL;
}

void s3_tokens_use(struct s3_tokens *tokens, struct s3_call *c)
{
    struct s3_token *t = s3_token_find(tokens, &c->r);

    if (t != NULL) {
        buf_add_bytes(&c->token, buf_bytes(&t->token));
        c->has_token = true;
        buf_clear(&t->token);
    }
}

static void s3_token_put(struct s3_tokens *tokens, struct bytes prefix,
                         struct bytes after, struct bytes token)
{
    struct s3_token *t = &tokens->at[tokens->next];

    tokens->next = (tokens->next + 1) % S3_TOKENS_MAX;
    buf_clear(&t->prefix);
    buf_clear(&t->after);
    buf_clear(&t->token);
    buf_add_bytes(&t->prefix, prefix);
    buf_add_bytes(&t->after, after);
    buf_add_bytes(&t->token, token);
}

void s3_tokens_keep(struct s3_tokens *tokens, const struct s3_call *c)
{
    const struct store_event *e = &c->event;

    if (e->has_more && e->object_count > 0 && c->page->list.next.size > 0) {
        s3_token_put(tokens, c->r.key, e->objects[e->object_count - 1].key,
                     c->page->list.next);
    }
}

void s3_tokens_return(struct s3_tokens *tokens, const struct s3_call *c)
{
    if (c->has_token && c->event.status != STATUS_OK) {
        s3_token_put(tokens, c->r.key, c->r.after, buf_bytes(&c->token));
    }
}

void s3_tokens_fini(struct s3_tokens *tokens)
{
    for (uint32_t i = 0; i < S3_TOKENS_MAX; i++) {
        buf_fini(&tokens->at[i].prefix);
        buf_fini(&tokens->at[i].after);
        buf_fini(&tokens->at[i].token);
    }
}
