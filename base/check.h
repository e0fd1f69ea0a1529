/* SPDX-License-Identifier: Apache-2.0 */
/* Programmer-error checks. They stay on in every build.
 *
 * CHECK is for what our own code promises. Input from a peer, a disk, a store
 * or a person is never CHECKed: it is validated and answered with a status. */

#ifndef BASE_CHECK_H
#define BASE_CHECK_H

_Noreturn void check_fail(const char *what, const char *file, int line,
                          const char *func);

#define CHECK(cond)                                                            \
    do {                                                                       \
        if (!(cond)) {                                                         \
            check_fail(#cond, __FILE__, __LINE__, __func__);                   \
        }                                                                      \
    } while (0)

/* If A holds then B must hold. */
#define CHECK_IMPLIES(a, b) CHECK(!(a) || (b))

#define UNREACHABLE(why) check_fail(why, __FILE__, __LINE__, __func__)

#endif /* BASE_CHECK_H */
