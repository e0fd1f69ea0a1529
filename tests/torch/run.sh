#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PyTorch itself, as the command of real jobs: docs/train_torch.py in every
# mode; a DataLoader with none, one and four workers, forked and spawned; four
# ranks of two hosts that wait for each other at every step; a stop and a
# resume; a worker that is killed. What came is compared, and audited.
#
# PyTorch is installed (tests/setup.sh torch; else with pip below build/torch,
# which is several GB where its wheels bring CUDA along). Where it can't be had,
# the last line is `skipped: WHY`. PYTHON names another interpreter. SHOW=1
# prints what docs/python.md shows of the example.
# shellcheck disable=SC2016,SC2086,SC2154 # a command's; flags; set by lib.sh
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
here=$PWD/$(dirname "$0")

has_torch() { # PYTHON
    "$1" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("torch"))' \
        2>/dev/null
}

find_python() {
    for PYTHON in ${PYTHON:-} python3 /usr/bin/python3 build/torch/bin/python; do
        ! has_torch "$PYTHON" || return 0
    done
    return 1
}

if ! find_python; then
    tests/setup.sh torch || {
        python3 -m venv build/torch && build/torch/bin/pip -q install torch numpy
    }
    find_python || {
        echo "skipped: PyTorch can't be had here"
        exit 0
    }
fi
PYTHON=$(command -v "$PYTHON")
case $PYTHON in /*) ;; *) PYTHON=$PWD/$PYTHON ;; esac
"$PYTHON" -c 'import torch; print("PyTorch", torch.__version__)' || exit 1

SMSHARD_LIBRARY=$(dirname "$SMSHARD")/libsmshard.so.0
PYTHONPATH=$PWD/worker/client/python
export SMSHARD_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE=1
export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
for kind in points lines units large; do
    "$PYTHON" "$here/data.py" "$T/data/$kind" "$kind" || exit 1
done

audit() { # JOB
    run $SMSHARD status --audit --job-name "$1" --output "$T/out"
    check "$1: the audit is exact: $(tail -n 1 "$T/std.out")" test "$code" -eq 0
}
# A job of one host, which ends well and whose audit is exact.
job() { # NAME CHANNEL COMMAND...
    name=$1 channel=$2 memory=4MiB
    shift 2
    [ "$name" != File ] || memory=8MiB # At least: a part.
    run timeout -k 5 200 "$SMSHARD" run --base "$T/base-$name" --job-name "$name" \
        --output "$T/out" --memory $memory --channel "train=$channel" -- "$@"
    check "$name: exit code $code" test "$code" -eq 0
    [ "$code" -eq 0 ] || sed 's/^/    /' "$T/std.out" "$T/std.err"
    cp "$T/std.out" "$T/$name.said"
    [ -n "$no_audit" ] || audit "$name"
}
no_audit=

# --- The example --------------------------------------------------------------
example() { # NAME CHANNEL WORKERS
    job "$1" "$T/data/points/,$2" "$PYTHON" docs/train_torch.py 2 "$3"
    sed 's/.*, digest/digest/' "$T/$1.said" | sort -u >"$T/$1.digest"
    check "$1: the same samples" cmp "$T/File.digest" "$T/$1.digest"
    check "$1: 2 epochs" test "$(grep -c '^epoch . *: 6000 samples' "$T/$1.said")" -eq 2
    check "$1: it learns" grep -q '^epoch 1:.* y = 3.00 x + -0.50' "$T/$1.said"
    [ -z "${SHOW:-}" ] || sed "s/^/$1: /" "$T/$1.said"
}
example File mode=File 2
example FastFile mode=FastFile 2
example Pipe mode=Pipe,epochs=2 2
example Ring mode=Ring,epochs=2 2
example Pipe-dynamic mode=Pipe,epochs=2,deal=dynamic 0
example Ring-dynamic mode=Ring,epochs=2,deal=dynamic 4
check "docs/python.md says so" grep -q "$(cat "$T/File.digest")\$" docs/python.md
check "one digest in all" test "$(wc -l <"$T/File.digest")" -eq 1

# One reader and a seed: the same order in both modes that stream.
for mode in Pipe Ring; do
    job "order-$mode" "$T/data/points/,mode=$mode,epochs=1,shuffle-seed=7" \
        "$PYTHON" "$here/order.py" "$T/order.$mode"
done
check "a seed: the same order" cmp "$T/order.Pipe" "$T/order.Ring"
check "and not the objects' own" sh -c '! cat "$1"/* | cmp -s - "$0"' \
    "$T/order.Ring" "$T/data/points"

# --- Loaders ------------------------------------------------------------------
job loaders "$T/data/lines/,mode=Ring,epochs=16" \
    "$PYTHON" "$here/loaders.py" "$T/data/lines"
cat "$T/loaders.said"
check "every way" test "$(grep -c '^ok' "$T/loaders.said")" -eq 8

# --- Ranks --------------------------------------------------------------------
two_hosts() { # JOB CHANNEL WORKERS
    job=$1
    for n in 1 2; do
        start "h$n" host "$n" 2 --job-name "$job" --output "$T/out" --ranks 2 \
            --channel "train=$T/data/units/,$2" -- timeout -k 5 200 \
            "$PYTHON" "$here/ranks.py" "$T/$job" "$3" 2
        eval "p$n=$pid"
    done
    for n in 1 2; do
        eval "ended \$p$n"
        check "$job: host $n ends with 0, not $code: $(tail -n 3 "$T/h$n.err")" \
            test "$code" -eq 0
    done
    cat "$T/h1.out" "$T/h2.out" | sort
    audit "$job"
}
units() { # NAME EPOCH: how many came, and how many different ones
    cat "$T/$1.$2".[0-3] | wc -l
    sort -u "$T/$1.$2".[0-3] | wc -l
}
two_hosts padded mode=Ring,epochs=2,sharded,even=pad,shuffle-seed=3 0
for e in 0 1; do
    check "padded: 44 of 41 units: $(units padded $e | xargs)" \
        test "$(units padded $e | xargs)" = "44 41"
done
two_hosts stepped mode=Ring,epochs=2,deal=dynamic,step-units=8,even=drop 2
for e in 0 1; do
    check "stepped: 40 of 41 units: $(units stepped $e | xargs)" \
        test "$(units stepped $e | xargs)" = "40 40"
done

# --- A stop, and on from there ------------------------------------------------
cat "$T"/data/lines/* | sort >"$T/all"
for workers in 0 3; do
    no_audit=1
    job "stop-$workers" "$T/data/lines/,mode=Ring,epochs=1" \
        "$PYTHON" "$here/resume.py" "$T/state.$workers" "$T/got.$workers" 7000 $workers
    no_audit=
    job "go-on-$workers" "$T/data/lines/,mode=Ring,epochs=1" \
        "$PYTHON" "$here/resume.py" "$T/state.$workers" "$T/got.$workers" 0 $workers
    cat "$T/stop-$workers.said" "$T/go-on-$workers.said"
    sort "$T/got.$workers" >"$T/got"
    check "stopped and resumed with $workers workers: each line once" \
        cmp "$T/all" "$T/got"
done

# --- A worker of the loader is killed -----------------------------------------
for workers in 1 4; do
    job "killed-$workers" "$T/data/large/,mode=Ring,epochs=1" \
        "$PYTHON" "$here/killed.py" "$T/killed.$workers" $workers
    cat "$T/killed-$workers.said"
done
finish
