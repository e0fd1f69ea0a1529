#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the hosts of test_failover.sh run, with the round's folder as its
# argument: notes that it was started and what its share was, and works until
# it is told to end.
set -u
dir=$1
host=$SM_CURRENT_HOST

echo "$PPID" >>"$dir/$host.ran"
(cd "$SM_CHANNEL_TRAIN" && cat -- * | sort) >"$dir/$host.share.$PPID"
echo "model of $host" >"$SM_MODEL_DIR/$host.txt"
echo "$host" >>"$dir/running"
while [ ! -e "$dir/go" ]; do
    sleep 0.2
done
