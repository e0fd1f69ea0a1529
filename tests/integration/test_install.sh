#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install puts its files under DESTDIR and PREFIX, and uninstall removes
# exactly those.
set -u

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
unset MAKEFLAGS MAKELEVEL
passed=0
failed=0

expect() { # expect WHAT COMMAND…
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $what"
    fi
}
call() {
    make -s MODE="$MODE" CC="$CC" PREFIX=/opt/x DESTDIR="$root" "$@" \
        >"$root/log" 2>&1 || cat "$root/log"
    rm -f "$root/log"
}
files() { find "$root" -type f -printf '%P\n' | sort; }

mkdir -p "$root/opt/x/bin" "$root/opt/x/share/man/man1"
touch "$root/opt/x/bin/other" "$root/opt/x/share/man/man1/other.1"
before=$(files)
call install
if [ -e "$SMSHARD" ]; then
    expect "the program is installed and runs" \
        test -n "$("$root/opt/x/bin/smshard" version)"
fi
for page in docs/man/*.[13]; do
    [ -e "$page" ] && expect "$page is installed" \
        cmp "$page" "$root/opt/x/share/man/man${page##*.}/${page##*/}"
done
cat >"$root/t.c" <<'END'
#include <smshard.h>
int main(void) { return smshard_version()[0] == '\0'; }
END
# Programs that were built before go on with a newer library of this name.
expect "the library's names are those of its list" diff \
    <(nm -D --defined-only "$root/opt/x/lib/libsmshard.so.0" |
        sed -n 's/.* T \([^@]*\).*/\1/p' | sort) \
    <(sed -n 's/^ *\(smshard_[a-z_]*\);$/\1/p' worker/client/smshard.map | sort)
expect "and it is called libsmshard.so.0" grep -q 'SONAME.*\[libsmshard.so.0\]' \
    <(readelf -d "$root/opt/x/lib/libsmshard.so.0")
export PKG_CONFIG_PATH=$root/opt/x/lib/pkgconfig
sanitizer='' # The library of a sanitized build needs it in the program, too.
case ${MODE:-release} in
asan) sanitizer=-fsanitize=address,undefined ;;
tsan) sanitizer=-fsanitize=thread ;;
esac
# shellcheck disable=SC2046,SC2086 # words; one or none
expect "a program builds with the library" "$CC" $sanitizer -o "$root/t" "$root/t.c" \
    $(pkg-config --cflags --libs smshard)
expect "and runs" env LD_LIBRARY_PATH="$root/opt/x/lib" "$root/t"
rm -f "$root/t" "$root/t.c"
expect "only files of ours are added" test -z \
    "$(comm -13 <(echo "$before") <(files) | grep -v smshard)"
call uninstall
expect "uninstall leaves what was there" test "$before" = "$(files)"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
