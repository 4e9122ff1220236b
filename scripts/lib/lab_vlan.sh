# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# A second network between client and server, under one VLAN tag or two, by TAP devices that tag what they send
# (tests/lab/vlan_tap.c): the kernel may have no 802.1Q of its own.
# Sourced after lab.sh, process.sh and lab_services.sh.

# vlan_side PROCESS NAMESPACE TAGS IP4 IP6
vlan_side()
{
    local tap
    tap=$(program tests/lab/mintgate-lab-vlan-tap)
    start_process "$1" "$2" "$tap" --link eth0 --tap vlan0 --tags "$3"
    wait_ready "$1" 5 in_ns "$2" ip link show vlan0
    in_ns "$2" ip address add "$4/16" dev vlan0
    in_ns "$2" ip address add "$5/64" dev vlan0 nodad
    in_ns "$2" ip link set vlan0 up
}

vlan_up()
{
    vlan_down
    vlan_side vlan-client "$client_ns" "$1" "$vlan_client_ip4" "$vlan_client_ip6"
    vlan_side vlan-server "$server_ns" "$1" "$vlan_server_ip4" "$vlan_server_ip6"
    echo "$1" > "$run_dir/vlan"
}

vlan_down()
{
    local name
    for name in "${vlan_processes[@]}"; do
        stop_process "$name"
    done
    rm -f "$run_dir/vlan"
}
