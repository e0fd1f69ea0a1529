/* SPDX-License-Identifier: Apache-2.0 */
#include "store/hedge.h"

#include "tests/harness.h"

TEST(room_is_a_sum)
{
    char *a;
    char *b;
    char *none = NULL;

    hedge_set_room(100);
    EXPECT(hedge_has_room(100) && !hedge_has_room(101));
    a = hedge_new(60);
    EXPECT(a != NULL);
    EXPECT_EQ(hedge_used(), 60);
    EXPECT(hedge_new(41) == NULL);
    EXPECT_EQ(hedge_used(), 60);
    b = hedge_new(40);
    EXPECT(b != NULL && !hedge_has_room(1));
    hedge_free(&a, 60);
    EXPECT(a == NULL && hedge_has_room(60));
    hedge_set_room(10); /* What is out there stays. */
    EXPECT(!hedge_has_room(1));
    hedge_free(&b, 40);
    hedge_free(&none, 10);
    EXPECT_EQ(hedge_used(), 0);
    hedge_set_room(0);
    EXPECT(hedge_new(1) == NULL);
}
