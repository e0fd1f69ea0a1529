#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does lint see what it is there to see? A tiny clean tree passes; then one
# violation of each rule is planted in turn, and the whole of lint must fail
# and name file, line and rule. The last line is `N passed, N failed`.
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
unset MAKEFLAGS
export GIT_CONFIG_GLOBAL=/dev/null OUT=$tree/build
passed=0
failed=0
said=''

put() { # put FILE, its text from stdin
    mkdir -p "$(dirname "$1")"
    cat >"$1"
}

c() { # c FILE, the body of the one function of a C file from stdin
    local name
    name=$(basename "$1" .c)
    put "$1" <<END
/* SPDX-License-Identifier: Apache-2.0 */
#include "${1%.c}.h"

int ${name}_go(int x)
{
$(cat)
}
END
    put "${1%.c}.h" <<END
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HEADER_$name
#define HEADER_$name

int ${name}_go(int x);

#endif
END
}

save() { # commit what was put: the state that each test starts from
    git add -A
    git -c user.name=t -c user.email=t@example.org commit -q -m "$1"
}

result() { # result TITLE, after the verdict
    if [ "$2" = ok ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "FAILED $1: $2"
    printf '%s\n' "$said" | sed 's/^/     | /'
}

clean() { # clean TITLE: lint has nothing to say
    if said=$(tests/lint/run.sh 2>&1); then
        result "$1" ok
    else
        result "$1" "lint found something"
    fi
}

caught() { # caught TITLE START-OF-LINE…: lint fails and says each; then undo
    local title=$1 start verdict=ok
    shift
    said=$(tests/lint/run.sh 2>&1) && verdict="lint passed"
    for start in "$@"; do
        [[ $'\n'$said == *$'\n'"$start"* ]] || verdict="not said: $start"
    done
    result "$title" "$verdict"
    git checkout -q .
    git clean -fdq
}

cd "$tree" || exit 1
git init -q .
mkdir -p tests/lint
cp "$root/.clang-format" "$root/.clang-tidy" .
cp "$root"/tests/lint/{*.py,run.sh,tidy.sh,cppcheck.cfg,analyzer.h} tests/lint/
echo '/build/' >.gitignore
put Makefile <<<'# SPDX-License-Identifier: Apache-2.0'
for module in base/bottom proto/pact store/shelf coordinator/deal worker/haul \
    cli/front; do
    c $module.c <<<'    return x + 1;'
done
cp "$root/base/fault.h" "$root/base/status.h" base/
put tests/unit/test_all.c <<'END'
/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/bottom.h"
#include "cli/front.h"
#include "coordinator/deal.h"
#include "proto/pact.h"
#include "store/shelf.h"
#include "worker/haul.h"

int main(void)
{
    return bottom_go(0) + getpid() > 0 ? 0 : 1;
}
END
put coordinator/deal.c <<'END'
/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/deal.h"

#include <stdio.h>

#include "base/bottom.h"
#include "proto/pact.h"
#include "store/shelf.h"

/* A comment may say sprintf(x), goto hell or #include <unistd.h>. */
int deal_go(int x)
{
    char text[32] = "time(NULL) { {{";

    if (x > 0) {
        snprintf(text, sizeof(text), "%d", x);
    }
    return text[0] == '{' ? bottom_go(x) : pact_go(shelf_go(x));
}
END
put worker/haul_os.c <<'END'
/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "worker/haul.h"

int haul_go(int x)
{
    return x + (int)getpid();
}
END
rm worker/haul.c
save clean
clean "a clean tree"

# ---- The tools -------------------------------------------------------------

sed -i 's/return x + 1/return   x+1/' base/bottom.c
caught "format" "base/bottom.c:6: format:"

c base/bottom.c <<'END'
    int *p = 0;

    if (x > 0) {
        return *p;
    }
    return 0;
END
caught "clang-tidy" "base/bottom.c:9: clang-tidy:"

c base/bottom.c <<'END'
    if (x > 0)
        return 1;
    return 0;
END
caught "clang-tidy, braces" "base/bottom.c:6: clang-tidy:"

c base/bottom.c <<'END'
    int list[2] = {1, 2};

    return x > 0 ? list[2] : 0;
END
caught "cppcheck" "base/bottom.c:8: cppcheck:"

put run.sh <<'END'
#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
rm $1
END
caught "shellcheck" "run.sh:3: shellcheck:"

# ---- Files -----------------------------------------------------------------

include() { # include FILE 'HEADER': put the include on line 3 of a C file
    sed -i "2a #include $2" "$1"
}
direction() { # direction FILE HEADER
    include "$1" "\"$2\""
    caught "$1 includes $2" "$1:3: include-direction:"
}
direction base/bottom.c proto/pact.h
direction proto/pact.c store/shelf.h
direction store/shelf.c coordinator/deal.h
direction store/shelf.c worker/haul.h
direction coordinator/deal.c worker/haul.h
direction worker/haul_os.c coordinator/deal.h
direction worker/haul_os.c cli/front.h
put tests/harness.h <<<'/* SPDX-License-Identifier: Apache-2.0 */'
save harness
direction cli/front.c tests/harness.h

include base/bottom.c '"bottom.h"'
caught "a header not named from the root" "base/bottom.c:3: include-path:"

technology() { # technology FILE HEADER
    include "$1" "<$2>"
    caught "$1 includes $2" "$1:3: technology:"
}
technology coordinator/deal.c czmq.h
technology cli/front.c zmq.h
technology store/shelf.c msgpack.h
technology base/bottom.c openssl/evp.h
technology cli/front.c curl/curl.h
technology worker/haul_os.c fuse3/fuse.h
technology cli/front.c hwloc.h
for header in pthread.h unistd.h sys/stat.h fcntl.h dirent.h time.h signal.h \
    poll.h netdb.h; do
    include coordinator/deal.c "<$header>"
done
caught "a core includes headers of the system" \
    coordinator/deal.c:{3,4,5,6,7,8,9,10,11}": technology:"

sed -i 1d base/bottom.h
caught "no SPDX line in a header" "base/bottom.h:1: spdx:"
printf '#!/bin/sh\necho\n' >go.sh
caught "no SPDX line in a script" "go.sh:2: spdx:"
echo 'all:' >Makefile
caught "no SPDX line in the Makefile" "Makefile:1: spdx:"
echo 'print()' >tests/x.py
caught "no SPDX line in Python" "tests/x.py:1: spdx:"

for ((i = 0; i < 800; i++)); do echo '/* . */'; done >>base/bottom.c
caught "a .c that is too long" "base/bottom.c:801: file-size:"
for ((i = 0; i < 200; i++)); do echo '/* . */'; done >>base/bottom.h
caught "a .h that is too long" "base/bottom.h:201: file-size:"

for word in 'TO''DO' 'FIX''ME' 'X''XX'; do
    echo "/* $word: later */" >>base/bottom.c
    caught "$word without an issue" "base/bottom.c:8: todo:"
    echo "/* $word(#12): later */" >>base/bottom.c
    clean "$word with an issue"
    git checkout -q .
done

sed 's/pact/lone/g' proto/pact.c >proto/lone.c
sed -i 2d proto/lone.c
caught "a module without a header" "proto/lone.c:1: header-missing:"
c store/alone.c <<<'    return x;'
caught "a module that no test names" "store/alone.c:1: untested:"

# ---- Words -----------------------------------------------------------------

banned=(sprintf vsprintf strcpy strcat strtok atoi atol atof gets system popen
    alloca setjmp longjmp rand srand)
starts=()
line=5
for word in "${banned[@]}"; do
    line=$((line + 1))
    starts+=("tests/unit/test_bad.c:$line: banned-call: $word ")
done
c tests/unit/test_bad.c < <(printf '    %s(x);\n' "${banned[@]}")
caught "banned calls" "${starts[@]}"

io=(printf fopen read getenv time clock_gettime pthread_create)
for core in proto/pact coordinator/deal; do
    starts=()
    line=5
    for word in "${io[@]}"; do
        line=$((line + 1))
        starts+=("$core.c:$line: core-io: $word ")
    done
    c $core.c < <(printf '    %s(x);\n' "${io[@]}")
    caught "I/O in the core $core" "${starts[@]}"
done
c coordinator/deal.c <<<'    return x + (int)clock_now_ms(&clock_os);'
caught "a core reads the clock" "coordinator/deal.c:6: core-io: clock_os"

c tests/unit/test_nap.c <<<'    return (int)sleep((unsigned)x);'
caught "a test sleeps" "tests/unit/test_nap.c:6: sleep:"
c base/bottom.c <<'END'
    goto hell;
hell:
    return x;
END
caught "goto another label" "base/bottom.c:6: goto:"
echo 'typedef struct bottom { int x; } bottom_t;' >>base/bottom.h
caught "typedef of a struct" "base/bottom.h:8: typedef:"
echo 'typedef int (*bottom_fn)(void);' >>base/bottom.h
caught "typedef of a pointer to a function" "base/bottom.h:8: typedef:"

# ---- Functions -------------------------------------------------------------

long() { # long LINES: a body that makes the function so long
    local i
    for ((i = 0; i < $1 - 4; i++)); do echo '    x++;'; done
    echo '    return x;'
}
c base/bottom.c < <(long 70)
clean "a function of 70 lines"
c base/bottom.c < <(long 71)
caught "a function of 71 lines" "base/bottom.c:4: function-size: bottom_go: 71"

five='int a, int b, int c, int d, void (*e)(int, int)'
sed -i "s/(int x)/($five)/; s/x + 1/a + b + c + d + (e != 0)/" base/bottom.[ch]
tests/lint/run.sh fmt
sed -i 's/bottom_go(0)/bottom_go(0, 0, 0, 0, 0)/' tests/unit/test_all.c
sed -i 's/bottom_go(x)/bottom_go(x, 0, 0, 0, 0)/' coordinator/deal.c
clean "five parameters"
sed -i 's/int a,/int z, int a,/' base/bottom.c
caught "six parameters" "base/bottom.c:4: parameters: bottom_go: 6"

nested() { # nested LEVELS
    local i
    for ((i = 0; i < $1; i++)); do echo "if (x > $i) {"; done
    echo 'x = 2;'
    for ((i = 0; i < $1; i++)); do echo '}'; done
    echo 'return x;'
}
c base/bottom.c < <(nested 3)
tests/lint/run.sh fmt
clean "nesting of three"
c base/bottom.c < <(nested 4)
caught "nesting of four" "base/bottom.c:4: nesting: bottom_go: 4"
c base/bottom.c <<'END'
    for (int i = 0; i < x; i++) {
        while (x > 0) {
            do {
                switch (x) {
                default:
                    x--;
                }
            } while (x > 1);
        }
    }
    return x;
END
caught "nesting of loops" "base/bottom.c:4: nesting: bottom_go: 4"

# ---- The ratchet -----------------------------------------------------------

item='function-size base/bottom.c:bottom_go'
c base/bottom.c < <(long 80)
echo "$item 80" >tests/lint/ratchet.txt
save ratchet
clean "what the ratchet lists"
c base/bottom.c < <(long 81)
caught "a listed function grew" "base/bottom.c:4: function-size:"
c base/bottom.c < <(long 79)
caught "a listed function got better" "tests/lint/ratchet.txt:1: ratchet: $item got"
c base/bottom.c <<<'    return x;'
caught "a listed function is fine now" "tests/lint/ratchet.txt:1: ratchet: $item is"
c base/bottom.c < <(long 79)
echo "$item 79" >tests/lint/ratchet.txt
clean "the ratchet shrank with it"
git checkout -q .
c base/bottom.c < <(long 81)
echo "$item 81" >tests/lint/ratchet.txt
caught "the list grew" "tests/lint/ratchet.txt:1: ratchet: $item 81"
c base/bottom.c < <(long 81)
echo "$item 81" >tests/lint/ratchet.txt
save grown
caught "the list grew in the last commit" "tests/lint/ratchet.txt:1: ratchet: $item 81"
echo 'what?' >tests/lint/ratchet.txt
caught "a line of the list makes no sense" "tests/lint/ratchet.txt:1: ratchet:"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
