/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of many: parts over several pages, keys that are deleted together. */
#include "store/s3_call.h"

#include "base/prng.h"
#include "store/store_s3.h"
#include "tests/s3_kit.h"

enum { PARTS = 1003 };

/* A key of @count characters from all of Unicode that text may hold, the odd
 * ones of ASCII more often than chance. */
static size_t key_make(struct prng *p, size_t count, char *out)
{
    static const char odd[] = "/+%&=?#;:@, ~!$*()'\"<>[]{}|\\^`-._\t\n\r\x7f";
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t kind = prng_below(p, 4);

        if (kind < 2) {
            out[size++] = odd[prng_below(p, sizeof(odd) - 1)];
        } else if (kind == 2) {
            out[size++] = (char)(32 + prng_below(p, 95));
        } else if (prng_chance(p, 1, 2)) {
            out[size++] = (char)(0xc2 + prng_below(p, 30));
            out[size++] = (char)(0x80 + prng_below(p, 64));
        } else {
            out[size++] = (char)0xe4;
            out[size++] = (char)(0x80 + prng_below(p, 64));
            out[size++] = (char)(0x80 + prng_below(p, 64));
        }
    }
    return size;
}

/* The server reads each key out of the request as it comes, and makes the
 * signature on its own: a difference in coding anywhere is a 403. */
TEST(any_key_is_signed_as_the_server_reads_it)
{
    struct prng p;
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    prng_init(&p, 77);
    for (uint32_t i = 0; i < 300; i++) {
        char key[256] = "p/";
        struct bytes name = {key, 2 + key_make(&p, 1 + i % 40, key + 2)};
        struct store_event e;
        struct store_request r = {
            .op = STORE_PUT, .key = name, .body = &i, .size = sizeof(i)};

        EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
        r = (struct store_request){.op = STORE_GET,
                                   .key = name,
                                   .into = kit_room,
                                   .size = sizeof(i),
                                   .etag = e.etag};
        EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
        EXPECT(memcmp(kit_room, &i, sizeof(i)) == 0);
        r = (struct store_request){
            .op = STORE_LIST, .key = name, .list_max = 1};
        EXPECT_EQ(kit_ask(s, r, &e), STATUS_OK);
        EXPECT(e.object_count == 1 && bytes_is_equal(e.objects[0].key, name));
    }
    kit_stop_large(&s);
}

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
