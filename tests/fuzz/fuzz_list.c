/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a page of a listing, in which some control bytes stand for
 * pieces that pages are made of. The scanner and expat must agree on it. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/s3_xml.h"
#include "store/s3_xml_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* By the byte that stands for them; 0 and 31 stay what they are. */
static const char *const fuzz_pieces[31] = {
    NULL,
    "<Contents>",
    "</Contents>",
    "<Key>",
    "</Key>",
    "<Size>7</Size>",
    "<ETag>&quot;0a&quot;</ETag>",
    "<ListBucketResult>",
    "</ListBucketResult>",
    NULL, /* Tab and newline. */
    NULL,
    "<CommonPrefixes>",
    "</CommonPrefixes>",
    NULL, /* Return. */
    "<Prefix>",
    "</Prefix>",
    "<EncodingType>url</EncodingType>",
    "<IsTruncated>true</IsTruncated>",
    "<NextContinuationToken>",
    "</NextContinuationToken>",
    "<Owner><ID>0a</ID></Owner>",
    "<StorageClass>GLACIER</StorageClass>",
    "<LastModified>2026-01-31T12:00:00.000Z</LastModified>",
    "&#x1;",
    "&quot;",
    "%2F",
    "\xed\x95\x9c",
    "<Contents><Key>a</Key><Size>1</Size></Contents>",
    "<![CDATA[",
    "]]>",
    "<ETag>",
};

static void fuzz_expand(const uint8_t *data, size_t size, struct buf *page)
{
    for (size_t i = 0; i < size; i++) {
        const char *piece =
            data[i] < sizeof(fuzz_pieces) / sizeof(fuzz_pieces[0])
                ? fuzz_pieces[data[i]]
                : NULL;

        if (piece != NULL) {
            buf_add_text(page, piece);
        } else {
            buf_add_char(page, (char)data[i]);
        }
    }
}

/* A block of exactly its size, so that a read past its end is seen. */
static char *fuzz_copy(struct bytes page)
{
    char *copy = mem_new(1, page.size > 0 ? page.size : 1);

    if (page.size > 0) {
        memcpy(copy, page.at, page.size);
    }
    return copy;
}

/* Make references to control characters ones to a tab: only the scanner
 * reads them. */
static void fuzz_tame(struct buf *page)
{
    for (size_t i = 0; i < page->size; i++) {
        char *at = page->at + i;
        uint32_t code = 0x20;
        size_t size =
            *at == '&' ? s3_xml_reference(at, page->size - i, &code) : 0;

        if (size > 0 && code < 0x20) {
            size_t first = at[2] == 'x' ? 3 : 2;

            memset(at + first, '0', size - first - 2);
            at[size - 2] = '9';
        }
    }
}

static void fuzz_compare(const struct s3_list *a, const struct s3_list *b)
{
    CHECK(a->object_count == b->object_count);
    CHECK(a->prefix_count == b->prefix_count);
    CHECK(a->is_truncated == b->is_truncated);
    CHECK(a->has_archived == b->has_archived);
    CHECK(bytes_is_equal(a->next, b->next));
    for (uint32_t i = 0; i < a->object_count; i++) {
        CHECK(bytes_is_equal(a->objects[i].key, b->objects[i].key));
        CHECK(bytes_is_equal(a->objects[i].etag, b->objects[i].etag));
        CHECK(a->objects[i].size == b->objects[i].size);
        CHECK(a->objects[i].modified_ms == b->objects[i].modified_ms);
    }
    for (uint32_t i = 0; i < a->prefix_count; i++) {
        CHECK(bytes_is_equal(a->prefixes[i], b->prefixes[i]));
    }
}

static struct s3_list fuzz_fast;
static struct s3_list fuzz_slow;

static void fuzz_both(struct bytes page)
{
    char *copy = fuzz_copy(page);
    struct fault why = {""};
    enum status fast = s3_list_scan(copy, page.size, &fuzz_fast);
    enum status slow = s3_list_expat(page.at, page.size, &why, &fuzz_slow);

    CHECK((slow == STATUS_OK) == (why.text[0] == '\0'));
    if (fast == STATUS_OK) {
        CHECK(slow == STATUS_OK);
        fuzz_compare(&fuzz_fast, &fuzz_slow);
    } else if (fast == STATUS_MALFORMED) {
        CHECK(slow == STATUS_MALFORMED);
    } else {
        CHECK(fast == STATUS_UNSUPPORTED);
        CHECK(page.size == 0 || memcmp(copy, page.at, page.size) == 0);
    }
    free(copy);
}

static void fuzz_key(struct bytes key)
{
    CHECK(key.size > 0 && key.size <= STORE_KEY_MAX);
    CHECK(memchr(key.at, '\0', key.size) == NULL);
}

static void fuzz_parse(struct bytes page)
{
    char *copy = fuzz_copy(page);
    struct fault why = {""};
    struct s3_list *l = &fuzz_fast;
    enum status s = s3_list_parse(copy, page.size, &why, l);

    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    CHECK(s == STATUS_OK || s == STATUS_MALFORMED || s == STATUS_STORE);
    for (uint32_t i = 0; s == STATUS_OK && i < l->object_count; i++) {
        const struct store_object *o = &l->objects[i];

        fuzz_key(o->key);
        for (size_t j = 0; j < o->etag.size; j++) {
            CHECK((unsigned char)o->etag.at[j] >= 0x20);
        }
        CHECK(i == 0 || l->is_unordered ||
              bytes_compare(l->objects[i - 1].key, o->key) < 0);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < l->prefix_count; i++) {
        fuzz_key(l->prefixes[i]);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf page = {0};

    fuzz_expand(data, size, &page);
    fuzz_parse(buf_bytes(&page));
    fuzz_tame(&page);
    fuzz_both(buf_bytes(&page));
    buf_fini(&page);
    s3_list_fini(&fuzz_fast);
    s3_list_fini(&fuzz_slow);
    return 0;
}
