/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of many: parts over several pages, keys that are deleted together. */
#include "store/s3_call.h"

#include "store/store_s3.h"
#include "tests/s3_kit.h"

enum { PARTS = 1003 };

TEST(parts_are_listed_page_by_page)
{
    struct store_request r = {.op = STORE_UPLOAD_BEGIN, .key = BYTES("u")};
    struct store_event e;
    char id[STORE_UPLOAD_MAX];
    uint32_t next = 1;
    struct store *s;

    kit_start_large(S3SERVER_SMALL_PARTS);
    s = kit_open();
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    memcpy(id, e.upload, sizeof(id));
    r = (struct store_request){.op = STORE_UPLOAD_PART,
                               .key = BYTES("u"),
                               .upload = id,
                               .body = kit_large};
    for (r.part = 1; r.part <= PARTS; r.part++) {
        r.size = r.part % 50;
        EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    }
    r = (struct store_request){
        .op = STORE_UPLOAD_PARTS, .key = BYTES("u"), .upload = id};
    do {
        EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
        EXPECT(e.part_count > 0);
        for (uint32_t i = 0; i < e.part_count; i++, next++) {
            EXPECT_EQ(e.parts[i].number, next);
            EXPECT_EQ(e.parts[i].part.size, next % 50);
            EXPECT_EQ(e.parts[i].part.sum.kind, CRC_64NVME);
        }
        r.part = next - 1;
    } while (e.has_more);
    EXPECT_EQ(next, PARTS + 1);
    r.op = STORE_UPLOAD_ABORT;
    EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
    EXPECT_EQ(s3server_uploads(kit_server), 0);
    kit_stop_large(&s);
}

/* What the server says of many keys. */
TEST(some_keys_are_not_deleted)
{
    struct bytes keys[] = {BYTES("k"), BYTES("denied"), BYTES("none")};
    struct store_event e;
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    EXPECT(s3server_fault_text(kit_server, "act=delete-error message=denied "
                                           "error=AccessDenied"));
    EXPECT_EQ(kit_ask(s,
                      (struct store_request){.op = STORE_DELETE_MANY,
                                             .keys = keys,
                                             .key_count = 3},
                      &e),
              STATUS_DENIED);
    EXPECT_EQ(e.failed, 1);
    EXPECT(strstr(e.why.text, "denied was not deleted") != NULL);
    EXPECT(!s3server_has(kit_server, "k"));
    kit_stop_large(&s);
}
