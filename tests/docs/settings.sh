#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the table of docs/settings.md as the program's own help tells it:
# SMSHARD=build/release-gcc/smshard tests/docs/settings.sh
set -eu

"${SMSHARD:-build/release-gcc/smshard}" run --help | awk '
function camel(flag,    words, i, n, text) {
    n = split(flag, words, "-")
    for (i = 1; i <= n; i++)
        text = text toupper(substr(words[i], 1, 1)) substr(words[i], 2)
    return text
}
function row(    variable, fallback) {
    if (flag == "") return
    variable = toupper(flag)
    gsub("-", "_", variable)
    sub(/ +$/, "", meaning)
    fallback = ""
    if (match(meaning, / \[[^]]*\]$/)) {
        fallback = "`" substr(meaning, RSTART + 2, RLENGTH - 3) "`"
        meaning = substr(meaning, 1, RSTART - 1)
    }
    gsub(/<[^ ]*>[^ ]*/, "`&`", meaning)
    printf "| `--%s %s` | `SMSHARD_%s` | `%s` | %s | %s |\n",
        flag, value, variable, camel(flag), fallback, meaning
    flag = ""
}
/^Settings/ { inside = 1; next }
inside && /^$/ { row(); exit }
inside && /^  --/ {
    row()
    flag = substr($1, 3)
    value = $2
    meaning = ""
    start = 3
}
inside {
    if (!/^  --/) start = 1
    for (i = start; i <= NF; i++) meaning = meaning $i " "
}
END { row() }'
