# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # sourced by run.sh, which sets them
# The manual pages and docs/settings.md say what the program's help says: the
# same flags, variables, names in the document, defaults and exit codes.

# --- Form ---------------------------------------------------------------------

for page in docs/man/*.[13]; do
    if command -v mandoc >/dev/null; then
        none "$page: mandoc" "$(mandoc -Tlint -Wwarning "$page" 2>&1)"
    elif command -v groff >/dev/null; then
        none "$page: groff" \
            "$(groff -ww -mandoc -Tutf8 "$page" 2>&1 >/dev/null)"
    else
        skip "$page: its form" "neither mandoc nor groff is installed"
    fi
    none "$page: what it refers to" "$(sed -n 's/^\.Xr \([^ ]*\) .*/\1/p' \
        "$page" | sort -u | while read -r name; do
        [ -e "docs/man/$name.1" ] || echo "no page: $name"
    done)"
done

# --- Flags --------------------------------------------------------------------

for command in $commands; do
    page=docs/man/smshard-$command.1
    check "$page is there" test -e "$page"
    check "docs/man/smshard.1 names $command" \
        grep -q "^\.It Cm $command\$" docs/man/smshard.1
    none "$page: its flags are those of --help" "$(diff \
        <(sort -u "$T/flags/$command") \
        <(grep -oE '(^|[ .])Fl -[A-Za-z][A-Za-z.-]*' "$page" |
            sed 's/.*Fl -//' | sort -u))"
done
check "smshard --help" smshard --help
check "smshard --version is smshard version" \
    test "$(smshard --version)" = "$(smshard version)"

# --- Settings -----------------------------------------------------------------

none "docs/settings.md: the table is that of --help" "$(diff \
    <("$here/settings.sh") \
    <(sed -n '/^|/p' docs/settings.md | sed '1,2d' |
        head -n "$("$here/settings.sh" | wc -l)"))"

# What a manual page says of one flag, on one line.
item_of() { # PAGE FLAG
    awk -v flag="-$2" '
        /^\.(It|El|Sh)/ { inside = $1 == ".It" && $3 == flag }
        inside' "$1" | sed 's/^\.Pa //' | tr '\n' ' '
}

# Check that a value said as NAME=VALUE is told to come from there.
origin_is() { # FLAG ORIGIN COMMAND…
    local flag=$1 origin=$2
    shift 2
    # shellcheck disable=SC2053 # the origin is a pattern
    [[ $("$@" 2>&1 | jq -r --arg n "$flag" \
        '.settings[] | select(.name == $n) | .origin') == $origin ]]
}

# A document with this value, and what the request wants beside it.
document_with() { # PATH VALUE
    jq -n --arg p "$1" --arg v "$2" '
        if $p | startswith("OutputDataConfig")
        then .OutputDataConfig.S3OutputPath = "file:///tmp/x"
        elif $p | startswith("CheckpointConfig")
        then .CheckpointConfig.S3Uri = "file:///tmp/x" else {} end |
        setpath($p / "."; $v | tonumber? // $v)' >"$T/document.json"
}

value_for() { # FLAG: one that it takes
    case $1 in
    job-name) echo name ;;
    output | checkpoint | state) echo file:///tmp/x ;;
    output-compression) echo NONE ;;
    checkpoint-path) echo /tmp/y ;;
    on-failure) echo keep ;;
    log) echo warn ;;
    durable) echo pair ;;
    placement) echo strict ;;
    hugepages) echo try ;;
    placement-table) echo 0000:10:1c.0=0 ;;
    secret-file) echo /tmp/secret ;;
    bind) echo 127.0.0.1 ;;
    resume) echo /tmp/z ;;
    *) echo 7 ;;
    esac
}

# One row: flag, variable and path in the document name the same thing.
check_row() { # FLAG VARIABLE PATH
    local flag=$1 value
    value=$(value_for "$flag")
    check "--$flag" origin_is "$flag" "--$flag" \
        smshard plan --synthetic 1 --json "--$flag" "$value"
    check "$2" origin_is "$flag" "$2" \
        env "$2=$value" smshard plan --synthetic 1 --json
    document_with "$3" "$value"
    check "$3 in the document" origin_is "$flag" "$T/document.json:*" \
        smshard plan --synthetic 1 --json --job "$T/document.json"
}

says() { # WHAT TEXT WORD…: all of the words
    local what=$1 text=$2 word
    shift 2
    for word in "$@"; do
        [[ $text == *"$word"* ]] || {
            not_ok "$what" "it does not say '$word': $text"
            return
        }
    done
    ok "$what"
}

# shellcheck disable=SC2016 # backticks of the page
rows=$(sed -n 's/^| `--\([a-z-]*\)[^`]*` | `\(SMSHARD_[A-Z_]*\)` | `\([A-Za-z0-9.]*\)` | \([^|]*\) |.*/\1|\2|\3|\4/p' docs/settings.md)
while IFS='|' read -r flag variable path default; do
    says "docs/man/smshard-run.1: --$flag" \
        "$(item_of docs/man/smshard-run.1 "$flag")" "Ev $variable" "Ql $path" \
        "$([[ $default != '`'*'`' ]] || echo "Default: ${default//\`/}")"
    case $path in
    *TrainingInputMode | Smshard.*) continue ;; # Of channels.
    [A-Z]*.* | TrainingJobName) ;;
    *) path=Smshard.$path ;;
    esac
    check_row "$flag" "$variable" "$path"
done <<<"$rows"

# Every setting and key of the help is in one of the tables.
none "docs/settings.md: all flags of the job" "$(comm -23 \
    <(grep -vxE 'help|job|base|channel|channel\.NAME\.FIELD' "$T/flags/run") \
    <(cut -d'|' -f1 <<<"$rows" | sort -u))"

while read -r flag document; do
    check "docs/man/smshard-run.1: field $flag" grep -q \
        "^\.It $flag Ta $document Ta" docs/man/smshard-run.1
    check "smshard takes --channel.NAME.$flag" grep -qv 'unknown flag' \
        <(smshard plan --channel t=/x "--channel.t.$flag=" 2>&1)
done <<<"$fields"

# --- Exit codes ---------------------------------------------------------------

codes=$(grep -oE 'X\([A-Z_]+, [0-9]+,' base/status.h | grep -oE '[0-9]+,' |
    tr -d , | grep -vx 0 | sort -u)
check "there are exit codes" test "$(wc -l <<<"$codes")" -gt 10
for page in docs/man/smshard.1 docs/man/smshard-run.1; do
    none "$page: exit codes" "$(diff <(echo "$codes") <(sed -n \
        '/^\.Sh EXIT/,/^\.Sh EX[^I]/s/^\.It \([0-9]*\)$/\1/p' "$page" |
        sort -u))"
done
none "docs/run.md: exit codes" "$(sed -n 's/^|.*| \([^|]*\) |$/\1/p' \
    docs/run.md | grep -oE '\b[0-9]{2,3}\b' | sort -u | grep -vx 128 |
    comm -23 - <(echo "$codes") | sed 's/^/not one of ours: /')"
