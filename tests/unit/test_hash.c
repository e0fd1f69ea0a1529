/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "tests/harness.h"

TEST(known_vectors)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb924"
             "27ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad"},
    };
    uint8_t digest[HASH_SIZE];
    char hex[HASH_HEX_SIZE];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hash_of(bytes_of(rows[i].text), digest);
        hash_hex(digest, hex);
        EXPECT_STR(hex, rows[i].want);
    }
}

TEST(pieces_hash_as_the_whole)
{
    uint8_t whole[HASH_SIZE];
    uint8_t pieces[HASH_SIZE];
    struct hash *h = hash_new();

    hash_of(BYTES("one two three"), whole);
    hash_add(h, "one ", 4);
    hash_add(h, "", 0);
    hash_add(h, "two three", 9);
    hash_finish(&h, pieces);
    EXPECT(h == NULL);
    EXPECT(memcmp(whole, pieces, sizeof(whole)) == 0);
    h = hash_new();
    hash_destroy(&h);
    EXPECT(h == NULL);
}

TEST(md5_in_pieces)
{
    struct hash *h = hash_md5_new();
    char hex[HASH_MD5_HEX];

    hash_md5_finish(&h, hex);
    EXPECT_STR(hex, "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT(h == NULL);
    h = hash_md5_new();
    hash_add(h, "a", 1);
    hash_add(h, "bc", 2);
    hash_md5_finish(&h, hex);
    EXPECT_STR(hex, "900150983cd24fb0d6963f7d28e17f72");
}

TEST(random_bytes_differ)
{
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};

    hash_random(a, sizeof(a));
    hash_random(b, sizeof(b));
    EXPECT(memcmp(a, b, sizeof(a)) != 0);
}
