# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What runs in the lab. Sourced after lab.sh and process.sh.

readonly lab_files=$root/tests/lab

# program FOLDER/NAME: the path of a program in the build directory.
program()
{
    [[ -x $build_dir/$1 ]] || die "$build_dir/$1 is missing: build it with meson and ninja, or set MG_BUILD"
    echo "$build_dir/$1"
}

start_dns()
{
    fill_template "$lab_files/dnsmasq.conf.in" SERVER_IP4="$server_ip4" SERVER_IP6="$server_ip6" \
        IMPOSTOR_IP4="$impostor_ip4" IMPOSTOR_IP6="$impostor_ip6" > "$lab_dir/dnsmasq.conf"
    start_process dnsmasq "$server_ns" dnsmasq "--conf-file=$lab_dir/dnsmasq.conf"
    wait_ready dnsmasq 5 listening "$server_ns" udp 53
}

start_origins()
{
    local origin
    origin=$(program tests/lab/mintgate-lab-origin)
    start_process origin "$server_ns" "$origin" --pki "$pki_dir" --impostor "$impostor_ip4" --impostor "$impostor_ip6"
    mkdir -p "$lab_dir/nginx"
    fill_template "$lab_files/nginx.conf.in" PKI="$pki_dir" DIR="$lab_dir/nginx" > "$lab_dir/nginx.conf"
    start_process nginx "$server_ns" env "OPENSSL_CONF=$lab_files/openssl.cnf" nginx -e stderr -c "$lab_dir/nginx.conf"
    wait_ready origin 5 listening "$server_ns" tcp 443
    wait_ready nginx 5 listening "$server_ns" tcp 8443
}

write_config()
{
    fill_template "$lab_files/mintgate.yaml.in" LAB_DIR="$lab_dir" STACK_NS="$stack_ns" \
        SIGNER_SOCKET="$signer_socket" SIGNER_CONTROL_SOCKET="$signer_control_socket" \
        SIGNER_METRICS_SOCKET="$signer_metrics_socket" METRICS_SOCKET="$metrics_socket" \
        SESSION_LOG="$session_log" TRUST_STORE="$pki_dir/trust.pem" > "$config"
}

start_signer()
{
    local signer
    signer=$(program hsm/mintgate-signer)
    rm -f "$signer_socket"
    start_process signer '' "$signer" --config "$config"
    wait_ready signer 10 test -S "$signer_socket"
}

# engine_ready: it forwards packets, and the signer has told it its issuers.
engine_ready()
{
    curl -sf --max-time 1 --unix-socket "$metrics_socket" http://localhost/metrics |
        grep '^mintgate_minting_issuer_generation [1-9]'
}

start_engine()
{
    local engine
    engine=$(program dataplane/mintgate)
    rm -f "$metrics_socket"
    start_process engine "$appliance_ns" "$engine" --config "$config"
    wait_ready engine 30 engine_ready
}

# write_client_roots: the origins' root too, because bypassed servers show their own chains.
write_client_roots()
{
    local roots=("$pki_dir/origin-root.pem")
    if [[ $1 == mintgate ]]; then
        roots=("$mintgate_root" "${roots[@]}")
    fi
    cat "${roots[@]}" > "$client_roots"
}

stop_services()
{
    local name
    for name in "${vlan_processes[@]}" "${lab_processes[@]}"; do
        stop_process "$name"
    done
}
