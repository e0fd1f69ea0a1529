# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# (run.sh, which sources this, sets the variables; backticks are the pages')
# Links, commands, flags, variables, targets, paths and words that the pages
# name: they are there.

# Flags in pages that belong to other programs: docker, srun, mpirun, torchrun.
foreign=' --cap-add --device --fake --pack --rm --volumes --from --rm --volumes --ntasks-per-node --map-by --nproc-per-node '

commands=$(smshard --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
flags_of() { # COMMAND
    smshard "$1" --help | sed -n 's/^  --\([^ ]*\).*/\1/p' | sort -u
}
mkdir "$T/flags"
for command in $commands; do flags_of "$command" >"$T/flags/$command"; done
check "the program has commands and flags" test -s "$T/flags/run"

# The channel's fields and the job's keys: lines `flag document`.
table_of() { # MAP
    sed -n "/^#define $1/,/[^\\\\]\$/p" proto/job_fields.h | tr -d '\\\n' |
        grep -oE 'X\([A-Z_]+, *"[a-z-]+", *"[A-Za-z0-9.]+"' |
        sed 's/.*, *"\(.*\)", *"\(.*\)"/\1 \2/'
}
fields=$(table_of JOB_FIELDS_MAP)
check "the table of fields was found" test "$(wc -l <<<"$fields")" -gt 10

knows_flag() { # COMMAND FLAG
    local field=${2##*.}
    case $2 in
    help) return 0 ;;
    channel.*.*) grep -q "^$field " <<<"$fields" || [ "$field" = FIELD ] ;;
    *) grep -qxF -- "$2" "$T/flags/$1" ;;
    esac
}

knows_flag_anywhere() { # FLAG
    local command
    [ "$1" != version ] || return 0
    for command in $commands; do ! knows_flag "$command" "$1" || return 0; done
    return 1
}

# What a page writes as code, a line a span; lines that end in "\" joined.
code_of() { # PAGE
    case $1 in
    *.1)
        awk '/^\.Bd -literal/ { inside = 1; next } /^\.Ed/ { inside = 0 }
            inside || sub(/^\.Ql /, "") { gsub(/\\e/, "\\"); print }' "$1" ;;
    *)
        awk '/^```/ { inside = !inside; next } inside || /^    /' "$1"
        awk '/^```/ { inside = !inside; next } !inside' "$1" | tr '\n' ' ' |
            grep -o '`[^`]*`' | tr -d '`' ;;
    esac | sed -e :a -e '/\\$/N; s/\\\n//; ta'
}

# The calls of smshard in code, each up to what is not its own any more.
calls_of() { # PAGE
    code_of "$1" | sed -E 's/(^|[^A-Za-z0-9_/.-])smshard ([a-z])/\n@\2/g' |
        sed -n 's/^@//p' | sed -E 's/ -- .*| --$|[|;&)│].*//'
}

wrong_calls() { # PAGE
    local command rest flag
    calls_of "$1" | while read -r command rest; do
        if ! grep -qxF -- "$command" <<<"$commands"; then
            echo "no command: smshard $command"
            continue
        fi
        grep -oE -- '(^| )--[a-zA-Z][^ =]*' <<<"$rest" | tr -d ' ' |
            while read -r flag; do
                knows_flag "$command" "${flag#--}" ||
                    echo "no flag of $command: $flag"
            done
    done
}

wrong_flags() { # PAGE
    local flag
    code_of "$1" | grep -oE -- '(^|[^a-z-])--[a-z][A-Za-z0-9.-]*' |
        sed 's/^[^-]//' | sort -u | while read -r flag; do
        [[ $foreign == *" $flag "* ]] ||
            knows_flag_anywhere "${flag#--}" || echo "no flag: $flag"
    done
}

# Every variable of ours that the program reads or sets.
variables=$({
    sed 's/^/SMSHARD_/; s/-/_/g' "$T"/flags/run | tr '[:lower:]' '[:upper:]'
    grep -ohE '"SMSHARD_[A-Z0-9_]+"' cli/*.c proto/*.c store/*.c \
        worker/client/*.c worker/client/python/smshard/*.py | tr -d '"'
} | sort -u)

wrong_variables() { # PAGE
    grep -oE 'SMSHARD_[A-Z0-9_]*[A-Z0-9]' "$1" | sort -u | comm -23 - \
        <(sort -u <<<"$variables") | sed 's/^/no variable: /'
}

wrong_targets() { # PAGE
    local target
    code_of "$1" | grep -oE '(^|[;&] )make [a-z]+' | sed 's/.*make //' |
        sort -u | while read -r target; do
        grep -q "^$target:" Makefile || echo "no target: make $target"
    done
}

# Paths of the tree. docs/building.md names patterns of them and is left out.
wrong_paths() { # PAGE
    local path
    [ "$1" != docs/building.md ] || return 0
    code_of "$1" | grep -oE '(^|[ (])(base|proto|store|coordinator|worker|cli|tests|docs|cluster-sim)/[A-Za-z0-9_./*-]*[a-z/]' |
        tr -d ' (' | grep -v '_x\.' | sort -u | while read -r path; do
        [ -e "$path" ] || compgen -G "$path" >/dev/null ||
            echo "not there: $path"
    done
}

# The anchor that a heading gets.
anchors_of() { # PAGE
    sed -n 's/^#\{1,6\} //p' "$1" | tr '[:upper:]' '[:lower:]' |
        tr -cd 'a-z0-9 \n-' | tr ' ' '-'
}

wrong_links() { # PAGE
    local link file
    grep -oE '\]\([^)]+\)' "$1" | sed 's/^](//; s/)$//' |
        grep -v '^https\?://' | while read -r link; do
        file=${link%%#*}
        if [ -n "$file" ]; then file=$(dirname "$1")/$file; else file=$1; fi
        if [ ! -e "$file" ]; then
            echo "leads nowhere: $link"
        elif [[ $link == *'#'* ]]; then
            anchors_of "$file" | grep -qxF -- "${link#*#}" ||
                echo "no such heading: $link"
        fi
    done
}

for page in "${pages[@]}"; do
    none "$page: links" "$(wrong_links "$page")"
    none "$page: make targets" "$(wrong_targets "$page")"
    none "$page: paths" "$(wrong_paths "$page")"
done
for page in "${pages[@]}" docs/man/*.1; do
    none "$page: commands and their flags" "$(wrong_calls "$page")"
    none "$page: flags" "$(wrong_flags "$page")"
    none "$page: variables" "$(wrong_variables "$page")"
done
for page in docs/*.md; do
    check "README.md links $page" grep -qF "]($page)" README.md
done

# The words of the trade: those of the table are used, each stands there once.
words=$(sed -n '/^|/p' docs/words.md | sed '1,2d; s/^| *\([^|]*[^ |]\) *|.*/\1/')
check "there are words" test "$(wc -l <<<"$words")" -gt 20
none "docs/words.md: each word stands there once" "$(sort <<<"$words" | uniq -d)"
none "docs/words.md: words are used" "$(while read -r word; do
    grep -rqiE "(^|[^a-z])$word" --include='*.[ch]' \
        base proto store coordinator worker cli || echo "in no code: $word"
done <<<"$words")"

# Tests that pages name: `test_x: name` is TEST(name) in tests/unit/test_x.c.
for page in docs/*.md; do
    while IFS=: read -r file name; do
        check "$page: the test $file: $name" \
            grep -q "^TEST(${name# })" "tests/unit/$file.c"
    done < <(code_of "$page" | grep -oE '^test_[a-z0-9_]+: [a-z0-9_]+$' | sort -u)
done
