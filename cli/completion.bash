# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion for smshard: commands, flags and their words are those that the
# program itself tells, so that they never differ.

# The help of a command with each flag on one line.
_smshard_flags() { # PROGRAM COMMAND
    "$1" "$2" --help 2>/dev/null | awk '
        /^  --/ { if (line != "") print line; line = $0; next }
        /^        / && line != "" { line = line " " $0; next }
        { if (line != "") print line; line = "" }
        END { if (line != "") print line }'
}

# The words that a flag takes, where its help lists them: "one of A B [A]" or
# "A, B or C".
_smshard_words() { # PROGRAM COMMAND FLAG
    _smshard_flags "$1" "$2" | awk -v flag="$3" '
        $1 != flag { next }
        {
            sub(/^ *[^ ]+ +[^ ]+ +/, "")
            gsub(/ +/, " ")
            if (sub(/.*: one of /, "")) sub(/ *\[.*/, "")
            else if (sub(/.*of made-up objects: /, "")) sub(/ *\[.*/, "")
            else if (/^[A-Za-z]+(, [A-Za-z]+)* or [A-Za-z]+/) {
                sub(/:.*/, "")
                sub(/ or /, ", ")
            } else next
            gsub(/,/, "")
            print
        }'
}

_smshard() {
    local program=$1 current=$2 before=$3 command=${COMP_WORDS[1]:-} i

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null |
            sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p') --help --version" \
            -- "$current")
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        # After "--" it is the command's own business.
        [ "${COMP_WORDS[i]}" != -- ] || return 0
    done
    if [[ $before == --* && $current != --* ]]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "$(_smshard_words "$program" "$command" "$before")" -- "$current")
        return
    fi
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_smshard_flags "$program" \
            "$command" | awk '$1 !~ /NAME/ { print $1 }')" -- "$current")
    fi
}

# Files where nothing else is offered.
complete -o default -F _smshard smshard
