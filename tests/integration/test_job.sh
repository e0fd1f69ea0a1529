#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Real jobs of one to three processes: how they end, who is told, what is
# written where, and that a second job can't write where the first one does.
# shellcheck disable=SC2086,SC2012 # flags are split on purpose; plain names
# shellcheck disable=SC2016,SC2010,SC2154 # expanded by the command; plain names; set by eval
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

make_data "$T/data/train" 30
JOB="--job-name j --output $T/out --checkpoint $T/ck --channel train=$T/data/train/,sharded"
ONE="$SMSHARD run --base $T/one --job-name one --output $T/out --channel train=$T/data/train/"

# --- One host -----------------------------------------------------------------
run $ONE -- sh -c 'cat "$SM_CHANNEL_TRAIN"/*.txt | wc -l; echo m >"$SM_MODEL_DIR/m"; exit 0'
check "exit code 0" test "$code" -eq 0
check "the command saw all objects" test "$(cat "$T/std.out")" -eq 30
check "the model is in the store" grep -q m "$T"/out/one/output/*/model/m
run $ONE -- sh -c 'exit 3'
check "the command's exit code" test "$code" -eq 3
run $ONE -- sh -c 'kill -9 $$'
check "128+n when a signal ends it" test "$code" -eq 137
run $ONE -- sh -c 'printf "a\0b\377"; printf "e\n" >&2'
check "stdout untouched" test "$(od -An -tx1 "$T/std.out" | tr -d ' \n')" = 610062ff
check "stderr untouched" grep -qx e "$T/std.err"
run $ONE -- sh -c 'test -f "$0/input/data/train-manifest" && head -1 "$0/input/data/train-manifest"' "$T/one"
check "the manifest's first line is the prefix" grep -q "data/train/" "$T/std.out"
run $ONE -- env
check "a second attempt keeps what was brought" test "$code" -eq 0
check "SM_CHANNEL_TRAIN" grep -qx "SM_CHANNEL_TRAIN=$T/one/input/data/train" "$T/std.out"
check "SMSHARD_RANK" grep -qx "SMSHARD_RANK=0" "$T/std.out"
STATE=$T/out/one/_smshard
check "the guests' key is gone with the job" test -e "$STATE/lease" -a ! -e "$STATE/guest"
: >"$STATE/runs/not-a-run"
# Five launches were before: the last two of them stay, and this one.
run $ONE -- sh -c 'test -e "$1/guest" || exit 9
    for i in $(seq 1000); do
        [ "$(ls "$1/runs" | wc -l)" -gt 4 ] || exit 0
        sleep 0.1
    done; exit 8' sh "$STATE"
check "runs of earlier launches are deleted" test "$code" -eq 0
check "but for the last two" test "$(ls "$STATE/runs" | wc -l)" -eq 4
check "and what is no run" test -e "$STATE/runs/not-a-run"
check "the audit of this one is there" $SMSHARD status --audit --state "$STATE"
run $SMSHARD status --json --state "$STATE"
check "a job that is over, as JSON: $(cat "$T/std.out")" \
    jq -e '.phase == "over" and .outcome.exit_code == 0' "$T/std.out"
fails "there is no cursor of it" 66 "the job is over" \
    $SMSHARD status --cursor --state "$STATE"

# What a job stands on is deleted while it runs.
for gone in out/one out/one/_smshard/lease; do
    start gone $ONE --heartbeat 100ms --host-timeout 1s -- \
        sh -c 'trap "exit 0" TERM; rm -r "$1"
            case $1 in *lease) sleep 2; exit 0 ;; esac
            while :; do sleep 0.1; done' sh "$T/$gone"
    ended "$pid"
    case $gone in
    *lease) check "the lease is taken anew" test "$code" -eq 0 ;;
    *) check "the state was deleted: $(tail -n 1 "$T/gone.err")" \
        grep -q "smshard: host .* has its share, and nothing" "$T/gone.err" ;;
    esac
done

start term $ONE -- sh -c 'trap "echo stopped; exit 7" TERM; echo up; while :; do sleep 0.1; done'
until_true grep -q up "$T/term.out"
kill -TERM "$pid"
ended "$pid"
check "SIGTERM is passed on and the code kept" test "$code" -eq 7
check "the command could say goodbye" grep -q stopped "$T/term.out"

# --- Three hosts --------------------------------------------------------------
three() { # COMMAND for each host
    for n in 1 2 3; do
        start "h$n" host "$n" 3 $JOB -- "$@"
        eval "p$n=$pid"
    done
}
three_ended() {
    ended "$p1"; c1=$code
    ended "$p2"; c2=$code
    ended "$p3"; c3=$code
}

three sh -c 'cp "$SM_CHANNEL_TRAIN"/*.txt "$SM_OUTPUT_DATA_DIR/"; echo "$SM_CURRENT_HOST" >"$SMSHARD_CHECKPOINT_DIR/who"'
three_ended
check "three hosts end with 0" test "$c1$c2$c3" = 000
check "every object on exactly one host" test \
    "$(ls "$T"/out/j/output/*/data | grep -c txt)" -eq 30
check "none twice" test -z "$(ls "$T"/out/j/output/*/data | grep txt | sort | uniq -d)"
check "dealt as the platform does: object i to host i mod n" test \
    "$(ls "$T/out/j/output/algo-2/data" | sort | head -1)" = "$(ls "$T/data/train" | LC_ALL=C sort | sed -n 2p)"
check "checkpoints of each host apart" test \
    "$(cat "$T"/ck/algo-1/who "$T"/ck/algo-2/who "$T"/ck/algo-3/who | tr '\n' ' ')" = "algo-1 algo-2 algo-3 "

three sh -c 'case $SM_CURRENT_HOST in algo-2) exit 5;; *) sleep 60;; esac'
three_ended
check "the host that failed keeps its code" test "$c2" -eq 5
check "the others end too, not with 0" test "$c1" -ne 0 -a "$c3" -ne 0
check "and name the host and the reason" grep -q "algo-2.*exited with 5" "$T/h1.err"
check "on every host" grep -q "algo-2.*exited with 5" "$T/h3.err"

three sh -c 'echo up; sleep 60'
until_true grep -q up "$T/h1.out"
until_true grep -q up "$T/h3.out"
kill -9 "$p3"
three_ended
check "a killed host ends the job" test "$c1" -ne 0 -a "$c2" -ne 0
check "which is named" grep -q "algo-3" "$T/h1.err"

start keep1 host 1 2 $JOB --on-failure keep -- sh -c 'sleep 1; exit 0'
p1=$pid
start keep2 host 2 2 $JOB --on-failure keep -- sh -c 'exit 4'
p2=$pid
ended "$p1"; c1=$code
ended "$p2"; c2=$code
check "--on-failure keep lets the others go on" test "$c1" -eq 0 -a "$c2" -eq 4

# A coordinator that stood still before it had given anything to anyone: another
# host begins anew, and the first one comes to it when it is awake.
start slept1 host 1 3 $JOB -- true
p1=$pid
is_joined() { "$SMSHARD" status --json --job-name j --output "$T/out" | grep -q joined\"; }
until_true is_joined
kill -STOP "$p1"
start slept2 host 2 3 $JOB -- true
p2=$pid
until_true grep -q coordinator.serves "$T/slept2.err"
kill -CONT "$p1"
until_true grep -q "coordinator.found host=algo-2" "$T/slept1.err"
start slept3 host 3 3 $JOB -- true
p3=$pid
three_ended
check "who led before anything was begun joins who leads now: $c1 $c2 $c3, $(
    grep -h '^smshard: ' "$T"/slept?.err)" test "$c1$c2$c3" = 000

# A launch that is kept waiting, since the one before it still counts, must
# not begin a run of its own when the others have ended. It is made to miss all
# that they say. It has to be there before the one before it counts as lost.
JOB_8S="$JOB --on-failure keep --host-timeout 8s"
start gone1 host 1 2 $JOB_8S -- sh -c 'echo up; sleep 60'
p1=$pid
start gone2 host 2 2 $JOB_8S -- \
    sh -c 'echo up; until test -e "$0"; do sleep 0.1; done' "$T/go"
p2=$pid
until_true grep -q up "$T/gone1.out"
until_true grep -q up "$T/gone2.out"
kill -9 "$p1"
start again1 host 1 2 $JOB_8S -- true
p1=$pid
until_true grep -q "join.refused.*takes part already" "$T/again1.err"
kill -STOP "$p1"
touch "$T/go"
ended "$p2"
kill -CONT "$p1"
ended "$p1"
check "a launch that was kept waiting ends with the job" test "$code" -eq 75
check "and says so" grep -q "ended the job without this launch of algo-1" \
    "$T/again1.err"
check "and has begun no other" test \
    "$(grep -c lease.taken "$T/again1.err")" -eq 0

start alone host 1 3 $JOB --join-timeout 1s -- true
ended "$pid"
check "hosts that never come are named" grep -q "algo-2.*algo-3" "$T/alone.err"
check "with exit code 75" test "$code" -eq 75

# --- Prefixes -----------------------------------------------------------------
start first $SMSHARD run --base "$T/first" --job-name first --output "$T/out" \
    --checkpoint "$T/ck2" --heartbeat 100ms -- sh -c 'echo up; sleep 60'
p1=$pid
until_true grep -q up "$T/first.out"
fails "a second live job on the same prefix is refused" 73 "first" \
    "$SMSHARD" run --base "$T/second" --job-name second --output "$T/out" \
    --checkpoint "$T/ck2" -- sh -c 'echo bad >"$SMSHARD_CHECKPOINT_DIR/bad"'
check "before it writes" test -z "$(find "$T/ck2" -name bad)"
fails "a second launch of the same host of the same job too" 73 "takes part already" \
    "$SMSHARD" run --heartbeat 100ms --host-timeout 1s --base "$T/second" --job-name first --output "$T/out" -- true
kill -9 "$p1"
ended "$p1"
run "$SMSHARD" run --base "$T/first" --job-name first --output "$T/out" \
    --checkpoint "$T/ck2" --heartbeat 100ms -- sh -c 'echo again >"$SMSHARD_CHECKPOINT_DIR/again"'
check "a restarted attempt takes its own prefix over" test "$code" -eq 0
check "and writes there" test -n "$(find "$T/ck2" -name again)"
run "$SMSHARD" run --base "$T/third" --job-name third --output "$T/out" \
    --checkpoint "$T/ck2" -- true
check "the next job takes it from one that has ended" test "$code" -eq 0

# --- Ports and clocks -----------------------------------------------------------
if command -v python3 >/dev/null; then
    python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True); time.sleep(60)' >"$T/port" &
    PIDS="$PIDS $!"
    until_true test -s "$T/port"
    fails "port taken" 71 "taken" $ONE --port "$(cat "$T/port")" -- true
else
    skip "port taken" "no python3"
fi
cat >"$T/skew.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, t);
    if (id == CLOCK_REALTIME) {
        t->tv_sec += 3600;
    }
    return r;
}
C
# shellcheck disable=SC2317 # called through start
skewed() {
    LD_PRELOAD=$T/skew.so
    export LD_PRELOAD
    host "$@"
}
case ${MODE:-release} in
asan | tsan) skip "clock skew" "no preload under a sanitizer" ;;
*)
    cc -shared -fPIC -o "$T/skew.so" "$T/skew.c" -ldl
    start skew1 host 1 2 $JOB -- true
    p1=$pid
    until_true grep -q lease.taken "$T/skew1.err"
    start skew2 skewed 2 2 $JOB -- true
    p2=$pid
    ended "$p2"
    check "a host whose clock is off is refused" test "$code" -eq 75
    check "and told by how much" grep -q "clock" "$T/skew2.err"
    kill "$p1"
    ended "$p1"
    ;;
esac
finish
