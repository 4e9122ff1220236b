# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What the lab is made of: names, addresses, paths. Sourced by scripts/lab and scripts/demo, which set $root.
#
#   MG_LAB_PREFIX    prefix of the namespaces' names, so that several labs can stand side by side (mg-)
#   MG_LAB_DIR       where a lab keeps its files (build/lab, or build/lab-PREFIX)
#   MG_LAB_PATIENCE  seconds to wait for another scripts/lab that works on the same lab (300)
#   MG_BUILD         meson build directory whose programs it runs (build/plain)

prefix=${MG_LAB_PREFIX:-mg-}
if [[ $prefix == mg- ]]; then
    lab_dir=$root/build/lab
else
    lab_dir=$root/build/lab-${prefix%-}
fi
lock_seconds=${MG_LAB_PATIENCE:-300}
lab_dir=$(realpath -m "${MG_LAB_DIR:-$lab_dir}")
build_dir=$(realpath -m "${MG_BUILD:-$root/build/plain}")
run_dir=$lab_dir/run
log_dir=$lab_dir/log
pki_dir=$lab_dir/pki
env_file=$lab_dir/env

client_ns=${prefix}client
appliance_ns=${prefix}appliance
stack_ns=${prefix}stack
server_ns=${prefix}server

# 198.18.0.0/15 is for tests of network devices (RFC 2544); fd6d:6974:6e74::/48 is a ULA (RFC 4193). All hosts are on
# one link, as Mintgate is a bump in the wire. The client has several addresses for load, the first is its own.
client_ip4=198.18.0.1
client_ip6=fd6d:6974:6e74::c:1
num_client_addresses=8
server_ip4=198.18.1.1
server_ip6=fd6d:6974:6e74::1:1
impostor_ip4=198.18.1.2
impostor_ip6=fd6d:6974:6e74::1:2
client_mac=02:00:00:00:00:c1
server_mac=02:00:00:00:00:51
vlan_client_ip4=198.19.0.1
vlan_client_ip6=fd6d:6974:6e74:1::c:1
vlan_server_ip4=198.19.1.1
vlan_server_ip6=fd6d:6974:6e74:1::1:1

config=$lab_dir/mintgate.yaml
metrics_socket=$lab_dir/metrics.sock
signer_socket=$lab_dir/signer-engine.sock
signer_control_socket=$lab_dir/signer-control.sock
signer_metrics_socket=$lab_dir/signer-metrics.sock
session_log=$lab_dir/sessions.jsonl
control_socket=$lab_dir/control.sock
control_dir=$lab_dir/control
control_credentials=$control_dir/lab-credentials # the administrator's, as lines of env
authority_dir=$lab_dir/authority # the throw-away root that signs intermediates
client_roots=$lab_dir/client-roots.pem # all that a client must trust, Mintgate's root first
mintgate_root=$lab_dir/signer/root.pem

mintgate_programs=(engine control signer) # in the order in which they stop
lab_processes=("${mintgate_programs[@]}" nginx origin dnsmasq)
vlan_processes=(vlan-client vlan-server)

# in_ns NAMESPACE COMMAND...
in_ns() { ip netns exec "$@"; }

# listening NAMESPACE tcp|udp PORT
listening() { [[ -n $(in_ns "$1" ss -Hln "--$2" "sport = :$3") ]]; }

# fill_template FILE KEY=VALUE...: FILE with each @KEY@ replaced, on standard output.
fill_template()
{
    local text pair
    text=$(< "$1")
    for pair in "${@:2}"; do
        text=${text//@"${pair%%=*}"@/"${pair#*=}"}
    done
    printf '%s\n' "$text"
}

lab_mode() { cat "$run_dir/mode" 2> /dev/null || echo none; }
