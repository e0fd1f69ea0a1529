/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a small answer; then a text that is escaped and read back;
 * then a time. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_line(const char *text, size_t room)
{
    size_t size = strnlen(text, room);

    CHECK(size < room);
    for (size_t i = 0; i < size; i++) {
        CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
    }
}

static void fuzz_error(struct bytes body)
{
    struct s3_error e;
    bool is_error = s3_error_parse(body, &e);

    CHECK(is_error == (e.code[0] != '\0'));
    fuzz_line(e.code, sizeof(e.code));
    fuzz_line(e.message, sizeof(e.message));
    fuzz_line(e.region, sizeof(e.region));
    fuzz_line(e.endpoint, sizeof(e.endpoint));
    fuzz_line(e.bucket, sizeof(e.bucket));
    fuzz_line(e.storage_class, sizeof(e.storage_class));
    fuzz_line(e.server_time, sizeof(e.server_time));
    fuzz_line(e.request_id, sizeof(e.request_id));
}

static enum status fuzz_child(void *self, const struct s3_xml_child *children,
                              size_t count, struct fault *why)
{
    size_t *calls = self;
    struct bytes key = s3_xml_child(children, count, "Key");

    CHECK(count <= S3_XML_CHILDREN_MAX);
    for (size_t i = 0; i < count; i++) {
        CHECK(children[i].name.size > 0 && children[i].text.at != NULL);
    }
    (*calls)++;
    return bytes_is(key, "stop") ? fault_set(why, STATUS_NO_SPACE, "stopped")
                                 : STATUS_OK;
}

static void fuzz_answer(struct bytes body)
{
    struct fault why = {""};
    struct buf text = {0};
    size_t calls = 0;
    enum status s = s3_xml_text(body, "a/b", &why, &text);

    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    CHECK(s == STATUS_OK || text.size == 0);
    CHECK(s == STATUS_OK || s == STATUS_NOT_FOUND || s == STATUS_MALFORMED ||
          s == STATUS_STORE);
    buf_fini(&text);
    why.text[0] = '\0';
    s = s3_xml_each(body, "a/b", fuzz_child, &calls, &why);
    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    CHECK(s == STATUS_OK || s == STATUS_MALFORMED || s == STATUS_STORE ||
          s == STATUS_NO_SPACE);
}

/* What is escaped comes back through expat, and a key through the scanner. */
static void fuzz_escape(struct bytes raw)
{
    struct buf body = {0};
    struct buf page = {0};
    struct buf back = {0};
    struct s3_list *list = calloc(1, sizeof(*list));
    enum status s;

    CHECK(list != NULL);
    buf_add_text(&body, "<a><b>");
    s3_xml_escape(raw, &body);
    buf_add_text(&body, "</b></a>");
    s = s3_xml_text(buf_bytes(&body), "a/b", NULL, &back);
    CHECK_IMPLIES(s == STATUS_OK, bytes_is_equal(buf_bytes(&back), raw));

    buf_add_text(&page, "<ListBucketResult><Contents><Key>");
    s3_xml_escape(raw, &page);
    buf_add_text(&page, "</Key><Size>1</Size></Contents></ListBucketResult>");
    CHECK_IMPLIES(s == STATUS_OK,
                  s3_list_scan(page.at, page.size, list) == STATUS_OK &&
                      bytes_is_equal(list->objects[0].key, raw));
    s3_list_fini(list);
    free(list);
    buf_fini(&body);
    buf_fini(&page);
    buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};

    fuzz_error(input);
    fuzz_answer(input);
    fuzz_escape(input);
    CHECK(s3_time_iso(input) < UINT64_MAX / 2);
    CHECK(s3_time_http(input) < UINT64_MAX / 2);
    return 0;
}
