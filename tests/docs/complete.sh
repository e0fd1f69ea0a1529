# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # sourced by run.sh, which sets them
# cli/completion.bash offers what the program has.

# What is offered after these words; the last one is being written.
offered() { # WORD…
    bash --norc -c '
        . cli/completion.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        "$(complete -p smshard | sed "s/.*-F \([^ ]*\) .*/\1/")" \
            "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf "%s\n" "${COMPREPLY[@]}"' - "$@" 2>&1 | sort -u
}

none "completion: commands" "$(diff <(sort <<<"$commands") \
    <(offered smshard '' | grep -v '^--'))"
for command in $commands; do
    none "completion: flags of $command" "$(diff \
        <(sed 's/^/--/' "$T/flags/$command" | grep -v NAME | sort) \
        <(offered smshard "$command" --))"
done
check "completion: the start of a flag" \
    test "$(offered smshard run --job-n)" = --job-name
check "completion: the start of a command" test "$(offered smshard st)" = status
none "completion: words of a setting" "$(diff \
    <(printf 'debug\nerror\ninfo\nwarn\n') <(offered smshard run --log ''))"
none "completion: words of a flag" "$(diff \
    <(printf 'drop\nnone\npad\n') <(offered smshard plan --even ''))"
