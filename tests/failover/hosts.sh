# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # what the script that sources this sets
# The hosts of one round of test_failover.sh: starting, hurting and judging
# them. A host is a number from 1; its name in the job is algo-N.
#
# A round sets: R (its folder), seed, count, beat_ms, lost_ms, policy, store
# (folder or s3); the functions here keep pids, launches and codes.

declare -a pids launches codes
LIMIT=2400 # Tries of 50 ms for whatever must happen at last.

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

between() { # LOW HIGH: a random number in $REPLY
    REPLY=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1 + 1)))
}

nap_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

say() { printf '  %s\n' "$*"; }

# Where this round's job lies.
round_uris() {
    if [ "$store" = s3 ]; then
        data=s3://bucket/objects/
        out=s3://bucket/round-$round
    else
        data=$T/objects/
        out=$R/out
    fi
}

host_names() {
    local n text=''
    for ((n = 1; n <= count; n++)); do text+=,algo-$n; done
    echo "${text#,}"
}

job_flags() {
    flags=(--job-name j --output "$out" --channel "train=$data,sharded"
        --channel "units=$data,deal=dynamic" --heartbeat "${beat_ms}ms" --host-timeout "${lost_ms}ms"
        --join-timeout 90s --grace 20s --on-failure "$policy")
}

# The last launch's standard error.
err_of() { echo "$R/algo-$1.${launches[$1]}.err"; }

host_start() { # N
    local n=$1
    launches[n]=$((${launches[n]:-0} + 1))
    SMSHARD_HOSTS=$(host_names) SMSHARD_CURRENT_HOST=algo-$n \
        net_exec "$n" "$SMSHARD" run --base "$R/algo-$n" \
        --bind "$NET_JOB.$n" "${flags[@]}" -- \
        "$COMMAND" "$R" "0.0$((count * 2))" >"$R/algo-$n.${launches[n]}.out" \
        2>"$(err_of "$n")" &
    pids[n]=$!
    PIDS="$PIDS $!"
}

# Wait for all that run; what each ended with is in codes.
hosts_end() {
    local n tries=$LIMIT
    for ((n = 1; n <= count; n++)); do
        while kill -0 "${pids[n]}" 2>/dev/null; do
            sleep 0.05
            tries=$((tries - 1))
            if [ $tries = 0 ]; then
                not_ok "$title: every host ends" "algo-$n does not"
                kill -9 "${pids[@]}" 2>/dev/null
            fi
        done
        codes[n]=0
        wait "${pids[n]}" 2>/dev/null || codes[n]=$?
    done
    PIDS=''
    [ "$tries" -gt 0 ]
}

# The highest term that anybody has found, and whose it is: "TERM N", 0 1
# when nobody has found one.
who_leads() {
    { echo 0 1; sed -n \
        's/.* coordinator.found host=algo-\([0-9]*\) .*term=\([0-9]*\)$/\2 \1/p' \
        "$R"/algo-*.err; } 2>/dev/null | sort -n | tail -n 1
}

leader() { who_leads | cut -d ' ' -f 2; }

# A host of those that live, but not the one that leads.
worker() {
    local at
    at=$(leader)
    between 1 $((count - 1))
    echo $(((at + REPLY - 1) % count + 1))
}

is_running() { # N: its last launch has started its command
    grep -qx "${pids[$1]}" "$R/algo-$1.ran" 2>/dev/null
}

all_run() { # N...
    local n
    for n in "$@"; do is_running "$n" || return 1; done
}

# The job ends without those that are lost, or have not yet found the one that
# leads now: what is told to end waits until there are none.
none_is_lost() {
    (net_exec 1 "$SMSHARD" status --json --wait 1 "${flags[@]}") \
        >"$R/status.json" 2>"$R/status.err" &&
        grep -q '"absent": *0,.*"lost": *0[,}]' "$R/status.json"
}

others() { # N: all but that one
    local n
    for ((n = 1; n <= count; n++)); do [ "$n" = "$1" ] || echo "$n"; done
}

term_is_above() { [ "$(who_leads | cut -d ' ' -f 1)" -gt "$1" ]; }

# Somebody else leads than in term $1, which was hurt at $2.
taken_over() { # TERM SINCE_MS
    local at
    if ! until_true term_is_above "$1"; then
        not_ok "$title: another host takes over"
        return 1
    fi
    ok "$title: another host takes over"
    at=$(cat "$R"/algo-*.err | grep ' lease.taken ' | sort | tail -n 1 |
        cut -d ' ' -f 1)
    at=$(($(date -d "$at" +%s%3N) - $2))
    say "taken over after $at ms, $((at * 10 / beat_ms))e-1 heartbeats"
}

# What host $1's share is: object i belongs to host i modulo count.
wanted_share() {
    awk -v c="$count" -v n="$1" 'NR % c == n % c' "$T/objects.txt" | sort
}

saved() { # N: its model is in the store
    local copy=$R/saved
    if [ "$store" = s3 ] && [ ! -e "$copy" ]; then
        (net_exec server "$COPY" get "$out/j/output/" "$copy") \
            >"$R/copy.log" 2>&1 || return 1
    elif [ ! -e "$copy" ]; then
        ln -s "$out/j/output" "$copy"
    fi
    grep -qx "model of algo-$1" "$copy/algo-$1/model/algo-$1.txt"
}

one_of() { [[ $1 =~ ^($2)$ ]]; }

# judge N CODES LINES: how the last launch of host N ended, having run its
# command once; LINES is how many lines it says of itself at the end.
judge() {
    local n=$1 lines ran
    lines=$(grep -c '^smshard: ' "$(err_of "$n")")
    ran=$(grep -cx "${pids[n]}" "$R/algo-$n.ran")
    check "$title: algo-$n ends with $2, not ${codes[n]}" \
        one_of "${codes[n]}" "$2"
    check "$title: algo-$n says $3 lines, not $lines" test "$lines" -eq "$3"
    check "$title: algo-$n ran its command once, not $ran times" \
        test "$ran" -eq 1
    wanted_share "$n" >"$R/want"
    check "$title: algo-$n had its share" \
        cmp "$R/want" "$R/algo-$n.share.${pids[n]}"
    check "$title: algo-$n saved its model" saved "$n"
}

# Each unit was committed once, over all hosts and launches. Only who was
# killed may have died between a commit and the word of it.
judge_units() {
    local missing
    cat "$R"/*.acked.* | sort >"$R/acked"
    cat "$R"/*.taken.* | sort -u >"$R/taken"
    check "$title: no unit is committed twice: $(uniq -d "$R/acked" | xargs)" \
        test -z "$(uniq -d "$R/acked")"
    check "$title: every unit is read" cmp "$T/units.txt" "$R/taken"
    missing=$(comm -23 "$T/units.txt" "$R/acked" | wc -l)
    check "$title: $missing units not known to be committed, $1 kills" \
        test "$missing" -le "$1"
    say "$(cat "$R"/*.taken.* | wc -l) units taken, $((OBJECTS - missing))" \
        "known to be committed, of $OBJECTS"
}

# The coordinator's own account.
judge_audit() {
    (net_exec 1 "$SMSHARD" status --audit "${flags[@]}") \
        >"$R/audit.out" 2>&1
    check "$title: the audit is exact: $(tail -n 3 "$R/audit.out")" test $? -eq 0
}
