# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The lab's namespaces and links. Sourced after lab.sh.
#
#   client: eth0 ────── client0 :appliance: server0 ────── eth0 :server
#                                 stack (empty: the engine sets it up)

network_seconds=60 # for the kernel to remove a link or a namespace

set_sysctl() { in_ns "$1" sysctl -qw "${@:2}"; }

add_namespaces()
{
    local namespace
    for namespace in "$client_ns" "$appliance_ns" "$stack_ns" "$server_ns"; do
        ip netns add "$namespace"
    done
    # The appliance's ports carry frames, never packets of their own.
    set_sysctl "$appliance_ns" net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    for namespace in "$client_ns" "$server_ns"; do
        # Addresses are usable at once, and no router is looked for.
        set_sysctl "$namespace" net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
            net.ipv6.conf.default.router_solicitations=0
        in_ns "$namespace" ip link set lo up
    done
    # Tens of thousands of connections to one address and port, and from there.
    set_sysctl "$client_ns" net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1
    set_sysctl "$server_ns" net.core.somaxconn=4096 net.ipv4.tcp_max_syn_backlog=8192
}

# add_link NAMESPACE MAC PORT: eth0 in NAMESPACE, whose other end is PORT in the appliance.
add_link()
{
    ip link add eth0 address "$2" netns "$1" type veth peer name "$3" netns "$appliance_ns"
    # A veth leaves checksums to the receiver, which cannot be had from frames that DPDK read from the wire.
    in_ns "$1" ethtool -K eth0 tx off > /dev/null
    in_ns "$1" ip link set eth0 up
    in_ns "$appliance_ns" ip link set "$3" up
}

# add_address NAMESPACE ADDRESS [extra]: an extra one is never a source address unless a program binds to it.
add_address()
{
    if [[ $2 == *:* ]]; then
        in_ns "$1" ip address add "$2/64" dev eth0 nodad ${3:+preferred_lft 0}
    else
        in_ns "$1" ip address add "$2/16" dev eth0
    fi
}

add_addresses()
{
    local i
    add_address "$client_ns" "$client_ip4"
    add_address "$client_ns" "$client_ip6"
    for ((i = 1; i < num_client_addresses; i++)); do
        add_address "$client_ns" "${client_ip4%.*}.$((${client_ip4##*.} + i))" extra
        add_address "$client_ns" "${client_ip6%:*}:$((${client_ip6##*:} + i))" extra
    done
    add_address "$server_ns" "$server_ip4"
    add_address "$server_ns" "$server_ip6"
    add_address "$server_ns" "$impostor_ip4" extra
    add_address "$server_ns" "$impostor_ip6" extra
}

# `ip netns exec` shows a process in the client's namespace these files in place of the machine's own.
add_client_files()
{
    local files=/etc/netns/$client_ns
    mkdir -p "$files"
    printf 'nameserver %s\nnameserver %s\noptions timeout:1\n' "$server_ip4" "$server_ip6" > "$files/resolv.conf"
}

# add_client_trust puts $client_roots beside the machine's own roots, for what runs in the client's namespace.
add_client_trust()
{
    local files=/etc/netns/$client_ns/ssl root hash
    mkdir -p "$files/certs"
    cp -a /etc/ssl/certs/. "$files/certs/"
    if [[ -e /etc/ssl/openssl.cnf ]]; then
        cp /etc/ssl/openssl.cnf "$files/"
    fi
    cat "$client_roots" >> "$files/certs/ca-certificates.crt"
    csplit -sz -f "$files/certs/lab-" -b %d.pem "$client_roots" '/BEGIN CERTIFICATE/' '{*}'
    for root in "$files"/certs/lab-*.pem; do
        hash=$(openssl x509 -in "$root" -noout -hash)
        ln -sf "${root##*/}" "$files/certs/$hash.0"
    done
}

# bridge_ports stands in for Mintgate: the wire without it.
bridge_ports()
{
    local port
    in_ns "$appliance_ns" ip link add bridge0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    for port in client0 server0; do
        in_ns "$appliance_ns" ip link set "$port" master bridge0
    done
    in_ns "$appliance_ns" ip link set bridge0 up
}

delete_link() { in_ns "$1" ip link delete eth0 2> /dev/null; }

network_up()
{
    add_namespaces
    add_link "$client_ns" "$client_mac" client0
    add_link "$server_ns" "$server_mac" server0
    add_addresses
    add_client_files
}

# network_down removes what there is, in whatever state. The links go first, so that nothing stays connected should a
# process of someone else keep a namespace alive. The kernel waits for whatever still uses a link before it is gone,
# which here takes milliseconds, and should not take forever elsewhere.
network_down()
{
    local namespace
    for namespace in "$client_ns" "$server_ns"; do
        if [[ -e /run/netns/$namespace ]]; then
            bounded "$network_seconds" delete_link "$namespace" || true
        fi
    done
    for namespace in "$client_ns" "$appliance_ns" "$stack_ns" "$server_ns"; do
        if [[ -e /run/netns/$namespace ]]; then
            bounded "$network_seconds" ip netns delete "$namespace"
        fi
    done
    rm -rf "/etc/netns/$client_ns"
    rmdir /etc/netns 2> /dev/null || true
}
