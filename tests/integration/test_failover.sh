#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real hosts that die, stop and lose their network, three to eight at a time,
# each in a network namespace of its own.
#
#   ROUNDS=N SEED=S tests/integration/test_failover.sh
#
# A round is one job with one story; its seed says which, with how many hosts,
# on which store, and when the fault strikes. Ten seeds in a row are ten
# different stories. Each is printed, and SEED=S ROUNDS=1 does that one again.
# What the hosts wrote is copied below KEEP=FOLDER. From 100 rounds on there
# are up to eight hosts, and the store is away for half a minute.
# shellcheck disable=SC2046,SC2154 # numbers of hosts are words; see lib.sh
set -u
shopt -s nullglob

HERE=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/integration/lib.sh
. "$HERE/integration/lib.sh"
# shellcheck source=tests/failover/net.sh
. "$HERE/failover/net.sh"
# shellcheck source=tests/failover/hosts.sh
. "$HERE/failover/hosts.sh"

slow=1 # How much slower than usual the program is.
case ${MODE:-release} in asan | tsan) slow=3 ;; esac
ROUNDS=${ROUNDS:-$((slow == 1 ? 10 : 5))}
SEED=${SEED:-$(($(date +%s) % 1000000))}
COMMAND=$HERE/failover/command.sh
COPY=$(dirname "$SMSHARD")/tests/tools/store_copy
HOSTS_MAX=8
OBJECTS=240
STORIES=(kill_worker kill_leader stop_worker stop_leader cut_worker
    cut_leader lose_store relaunch_worker relaunch_leader end)
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret
export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/nonexistent AWS_SHARED_CREDENTIALS_FILE=/nonexistent
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE http_proxy https_proxy all_proxy

# shellcheck disable=SC2317,SC2086 # called by the trap; ids are words
all_down() {
    trap '' INT TERM HUP PIPE
    exec 2>/dev/null # Whose filter clean_up would wait for.
    [ -z "${filter:-}" ] || kill -9 "$filter"
    PIDS=$(jobs -p) # More than start() and host_start() know of.
    kill -CONT $PIDS 2>/dev/null
    [ -z "${server:-}" ] || kill -9 "$server" 2>/dev/null
    clean_up
    net_down
}
trap all_down EXIT
trap 'exit 129' HUP

# ---- What befalls a host. ------------------------------------------------------

hurt_kill() {
    kills=$((kills + 1))
    kill -9 "${pids[$1]}"
}
hurt_stop() { kill -STOP "${pids[$1]}"; }
heal_stop() { kill -CONT "${pids[$1]}"; }

# Cut off from the others, from the store, or both.
hurt_cut() {
    local switch
    for switch in $cables; do net_cut "$1" "$switch"; done
}
heal_cut() {
    local switch
    for switch in $cables; do net_heal "$1" "$switch"; done
}

# ---- Stories. --------------------------------------------------------------------
# Each begins with all hosts started, and ends before `go` is given. Those in
# which a host comes back may begin at any moment, the others once all run.

begin() { # EARLY?: wait for the moment of the fault
    if [ "$1" = early ] && [ "$moment" = early ]; then
        between 0 2500
        say "the fault strikes $REPLY ms after the start"
    else
        check "$title: all hosts run" until_true all_run $(seq "$count")
        between 0 1000
        say "the fault strikes $REPLY ms after all run"
    fi
    nap_ms "$REPLY"
    read -r term victim <<<"$(who_leads)"
}

# The one that leads is lost for the others: wait for the next one.
succeed() { # SINCE_MS
    [ "$moment" = early ] || taken_over "$term" "$1"
}

story_kill() { # worker or leader: it does not come back
    local since
    begin late
    [ "$1" = leader ] || victim=$(worker)
    say "algo-$victim is killed"
    since=$(now_ms)
    hurt_kill "$victim"
    gone=$victim
    [ "$1" = worker ] || taken_over "$term" "$since"
}

# It is away for longer than the others wait for it, and comes back.
story_away() { # HOW worker or leader
    local since
    begin early
    [ "$2" = leader ] || victim=$(worker)
    between $((lost_ms + 500)) $((lost_ms + 3000))
    say "algo-$victim: $1 for $REPLY ms"
    since=$(now_ms)
    "hurt_$1" "$victim"
    nap_ms "$REPLY"
    [ "$2" = worker ] || [ "$1-$cables" = cut-job ] || succeed "$since"
    "heal_$1" "$victim"
}

story_lose_store() {
    begin early
    between 4000 8000
    [ "$ROUNDS" -lt 100 ] || REPLY=30000
    if [ "$store" = folder ]; then
        say "the folder can't be lost; the coordinator is stopped for a moment"
        hurt_stop "$victim"
        nap_ms $((beat_ms / 2))
        heal_stop "$victim"
    elif [ $((seed / 10 % 2)) = 0 ]; then
        say "the store is cut off for $REPLY ms"
        net_cut server store
        nap_ms "$REPLY"
        net_heal server store
    else
        say "the store hangs for $REPLY ms"
        kill -STOP "$server"
        nap_ms "$REPLY"
        kill -CONT "$server"
    fi
}

story_relaunch() { # worker or leader
    begin early
    [ "$1" = leader ] || victim=$(worker)
    hurt_kill "$victim"
    between 0 $((2 * lost_ms))
    say "algo-$victim is killed, and launched again after $REPLY ms," \
        "its folder $folder"
    nap_ms "$REPLY"
    wait "${pids[victim]}" 2>/dev/null
    [ "$folder" = kept ] || rm -rf "$R/algo-$victim"
    host_start "$victim"
}

# One host is lost for good and the others shall not go on without it.
story_end() {
    local how
    begin late
    [ $((seed / 10 % 2)) = 0 ] || victim=$(worker)
    between 1 3
    case $REPLY in
    1) how="kill" ;;
    2) how=stop ;;
    3) how=cut cables='job store' ;;
    esac
    # It goes on leading, for itself: the others wait for it in vain, or see in
    # the store that it has ended the job.
    [ "$victim-$how-$store" != "$(leader)-cut-folder" ] || codes_then='75|143'
    say "algo-$victim: $how"
    "hurt_$how" "$victim"
    gone=$victim
}

tell_story() {
    case $story in
    kill_*) story_kill "${story#kill_}" ;;
    stop_*) story_away stop "${story#stop_}" ;;
    cut_*) story_away cut "${story#cut_}" ;;
    lose_store) story_lose_store ;;
    relaunch_*) story_relaunch "${story#relaunch_}" ;;
    end) story_end ;;
    esac
}

# ---- A round. ----------------------------------------------------------------------

# All that is random about it, in this order, so that a seed says it all.
round_draw() {
    RANDOM=$seed
    story=${STORIES[seed % ${#STORIES[@]}]}
    between 3 "$HOSTS_MAX"
    count=$REPLY
    [ "$ROUNDS" -ge 100 ] || [ "$count" -le 5 ] || count=$((count - 3))
    between 200 500
    beat_ms=$((REPLY * slow))
    lost_ms=$((beat_ms * 8 > 3000 ? beat_ms * 8 : 3000))
    between 0 1
    store=$([ "$REPLY" = 0 ] && echo folder || echo s3)
    [ "$story" != lose_store ] || store=s3
    between 0 2
    moment=$([ "$REPLY" = 0 ] && echo early || echo late)
    between 0 2
    cables=$(case $REPLY in 0) echo job ;; 1) echo store ;; 2) echo job store ;; esac)
    [ "$store" = s3 ] || cables=job
    between 0 1
    folder=$([ "$REPLY" = 0 ] && echo kept || echo empty)
    policy=keep
    [ "$story" != end ] || policy=end
    gone=''
    kills=0
    codes_then=143
}

round_judge() {
    local n
    if [ "$policy" = end ]; then
        for n in $(others "$gone"); do judge "$n" "$codes_then" 1; done
        return
    fi
    for ((n = 1; n <= count; n++)); do
        if [ "$n" = "$gone" ]; then
            check "$title: algo-$n was killed" test "${codes[n]}" -eq 137
        else
            judge "$n" 0 0
        fi
    done
    judge_units "$kills"
    judge_audit
}

round_run() {
    local n before=$failed since_ms
    since_ms=$(now_ms)
    seed=$1
    round_draw
    title="seed $seed, $story"
    R=$T/round
    rm -rf "$R"
    mkdir "$R"
    pids=() launches=() codes=()
    round_uris
    job_flags
    echo "round $round: $title: $count hosts, store $store, heartbeat" \
        "$beat_ms ms"
    for ((n = 1; n <= count; n++)); do host_start "$n"; done
    tell_story
    if [ "$policy" = keep ]; then
        check "$title: all hosts run at last" until_true all_run \
            $(others "${gone:-0}")
        [ -n "$gone" ] || check "$title: all are here" \
            until_true none_is_lost
        touch "$R/go"
    else
        for n in $(others "$gone"); do
            until_true grep -q '^smshard: ' "$(err_of "$n")"
        done
        kill -9 "${pids[gone]}" 2>/dev/null
        [ "$cables" = job ] || net_heal "$gone" store
        net_heal "$gone" job
    fi
    hosts_end
    round_judge
    say "$(($(now_ms) - since_ms)) ms"
    [ "$failed" = "$before" ] || round_show
    if [ -n "${KEEP:-}" ]; then
        mkdir -p "$KEEP" && cp -rT "$R" "$KEEP/round-$seed"
    fi
}

# All that is known of a round that failed.
round_show() {
    local file
    echo "  again with: SEED=$seed ROUNDS=1"
    for file in "$R"/algo-*.err; do
        echo "  ---- ${file##*/}"
        tail -n 40 "$file" | sed 's/^/  /'
    done
}

prepare() {
    local i
    mkdir "$T/objects"
    for ((i = 0; i < OBJECTS; i++)); do
        echo "object $i" >"$T/objects/$(printf %08d $i)"
        echo "object $i"
    done >"$T/objects.txt"
    sort "$T/objects.txt" >"$T/units.txt"
    (net_exec server "$(dirname "$SMSHARD")/tests/tools/s3_server" \
        --address "$NET_SERVER" --objects "$OBJECTS") >"$T/server.out" &
    server=$!
    until_true test -s "$T/server.out" || return 1
    AWS_ENDPOINT_URL_S3=$(head -n 1 "$T/server.out")
    export AWS_ENDPOINT_URL_S3
}

if [ "$(id -u)" != 0 ] || ! ip netns list >/dev/null 2>&1; then
    skip "fail-over" "network namespaces need root and iproute2"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
net_sweep 2>/dev/null
if ! net_up "$HOSTS_MAX" 2>"$T/net.err"; then
    skip "fail-over" "no network namespaces: $(head -n 1 "$T/net.err")"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
if ! prepare; then
    not_ok "an S3 server for the hosts starts" "$(cat "$T/server.out")"
    finish
    exit 1
fi
# Who was killed is told by us, not by the shell. A signal to all of us must not
# end that filter: what is written to it then would end us.
exec 2> >(trap '' INT TERM HUP && exec grep -v ' Killed  ' >&2)
filter=$!
for ((round = 1; round <= ROUNDS; round++)); do
    round_run $((SEED + round - 1))
done
finish
