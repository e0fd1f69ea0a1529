# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A network for hosts that are processes of one machine: each has a namespace
# of its own with two cables, `job` for the hosts among themselves and `store`
# for the S3 server. Both end in switches in one more namespace, so that
# nothing of the machine's own network is touched, and any address is free. A
# cable that is cut is one that is taken out of its switch: what is sent is
# lost in silence, both ways.

NET=smshard-$$
NET_JOB=10.77.0
NET_STORE=10.78.0
NET_SERVER=$NET_STORE.100

# Namespaces of runs that were killed before they could remove theirs.
net_sweep() {
    local name pid
    while read -r name _; do
        pid=${name#smshard-}
        pid=${pid%%-*}
        kill -0 "$pid" 2>/dev/null || ip netns del "$name"
    done < <(ip netns list | grep -E '^smshard-[0-9]+-')
}

net_down() {
    local name
    while read -r name _; do
        ip netns del "$name"
    done < <(ip netns list 2>/dev/null | grep "^$NET-")
}

net_plug() { # WHO SWITCH ADDRESS
    ip -n "$NET-switch" link add "$1-$2" type veth \
        peer name "$2" netns "$NET-$1" &&
        ip -n "$NET-switch" link set "$1-$2" master "$2" up &&
        ip -n "$NET-$1" addr add "$3/24" dev "$2" &&
        ip -n "$NET-$1" link set "$2" up
}

net_host() { # WHO
    ip netns add "$NET-$1" && ip -n "$NET-$1" link set lo up
}

net_up() { # COUNT: namespaces of hosts 1 to COUNT, and of the server
    local n
    net_host switch || return 1
    for n in job store; do
        ip -n "$NET-switch" link add "$n" type bridge &&
            ip -n "$NET-switch" link set "$n" up || return 1
    done
    net_host server && net_plug server store "$NET_SERVER" || return 1
    for ((n = 1; n <= $1; n++)); do
        net_host "$n" && net_plug "$n" job "$NET_JOB.$n" &&
            net_plug "$n" store "$NET_STORE.$n" || return 1
    done
}

net_cut() { # WHO SWITCH
    ip -n "$NET-switch" link set "$1-$2" nomaster
}

net_heal() { # WHO SWITCH
    ip -n "$NET-switch" link set "$1-$2" master "$2"
}

# Run a command there, in this very process.
net_exec() { # WHO COMMAND...
    local who=$1
    shift
    exec nsenter --net="/run/netns/$NET-$who" "$@"
}
