#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the hosts of test_failover.sh run, with the round's folder and a pause
# as its arguments: notes that it was started and what its share was, takes
# units while there are any, and waits until it is told to end.
set -u
dir=$1
host=$SM_CURRENT_HOST
here=$(dirname "$0")

echo "$PPID" >>"$dir/$host.ran"
(cd "$SM_CHANNEL_TRAIN" && cat -- * | sort) >"$dir/$host.share.$PPID"
echo "model of $host" >"$SM_MODEL_DIR/$host.txt"
python3 "$here/units.py" "$dir/$host.taken.$PPID" "$dir/$host.acked.$PPID" \
    "$2" || exit 9
while [ ! -e "$dir/go" ]; do
    sleep 0.2
done
