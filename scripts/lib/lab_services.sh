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

# free_port prints a port of the loopback on which nobody listens. Each lab begins to look where few others do.
free_port()
{
    local port
    port=$((20000 + $(cksum <<< "$lab_dir" | cut -d ' ' -f 1) % 10000))
    while [[ -n $(ss -Hltn "sport = :$port") ]]; do
        port=$((port + 1))
    done
    echo "$port"
}

write_config()
{
    local port
    port=$(free_port)
    echo "https://127.0.0.1:$port" > "$run_dir/control-url"
    fill_template "$lab_files/mintgate.yaml.in" LAB_DIR="$lab_dir" STACK_NS="$stack_ns" \
        SIGNER_SOCKET="$signer_socket" SIGNER_CONTROL_SOCKET="$signer_control_socket" \
        SIGNER_METRICS_SOCKET="$signer_metrics_socket" METRICS_SOCKET="$metrics_socket" \
        CONTROL_DIR="$control_dir" CONTROL_SOCKET="$control_socket" CONTROL_LISTEN="127.0.0.1:$port" \
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

# control_says PATH: its answer to the administrator that root is on its socket.
control_says() { curl -sf --max-time 5 --unix-socket "$control_socket" "http://localhost$1"; }

# ctl ARGUMENTS...: mintgatectl as the administrator that root is.
ctl()
{
    local program
    program=$(program control/ctl/mintgatectl)
    "$program" --config "$config" "$@"
}

# make_credentials gives the administrator a password of their own, as a person would: by the first login, which uses up
# the credential of the first start. Where that is gone root may. And an API key and an OAuth2 client, for the ZIA
# family's two logins.
make_credentials()
{
    local first=$control_dir/first-credential password secrets key client
    local -a login=()
    [[ ! -e $control_credentials ]] || return 0
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    secrets=$password
    if [[ -e $first ]]; then
        login=(--url "$(< "$run_dir/control-url")" --ca "$control_dir/server.pem" --login admin)
        secrets=$(sed -n 's/^password: //p' "$first")$'\n'$password
    fi
    quietly ctl "${login[@]}" user set-password admin <<< "$secrets"
    ctl api-key delete lab > /dev/null 2>&1 || true # of an attempt that was cut short
    ctl client delete lab > /dev/null 2>&1 || true
    key=$(ctl api-key create lab --json | sed -nE 's/^  "key": "(.*)",?$/\1/p')
    client=$(ctl client create lab --role admin --json | sed -nE 's/^  "secret": "(.*)",?$/\1/p')
    (
        umask 077
        printf 'CONTROL_%s\n' ADMIN_NAME=admin "ADMIN_PASSWORD=$password" "API_KEY=$key" CLIENT_ID=lab \
            "CLIENT_SECRET=$client" > "$control_credentials"
    )
}

# start_control does not wait for an engine, which may be started later.
start_control()
{
    local control
    control=$(program control/program/mintgate-control)
    start_process control '' "$control" --config "$config"
    wait_ready control 30 control_says /health
    make_credentials
}

# engine_ready: it forwards packets, and serves what the signer, or where it runs the control plane, has told it.
engine_ready()
{
    local page epoch
    page=$(curl -sf --max-time 1 --unix-socket "$metrics_socket" http://localhost/metrics) || return 1
    grep -q '^mintgate_minting_issuer_generation [1-9]' <<< "$page" || return 1
    if process_pid control > /dev/null; then
        epoch=$(control_says /mintgate/v1/default | sed -nE 's/.*"epoch": ?([0-9]+).*/\1/p')
        [[ -n $epoch ]] && grep -qx "mintgate_dataplane_published_epoch $epoch" <<< "$page"
    fi
}

start_engine()
{
    local engine
    engine=$(program dataplane/mintgate)
    rm -f "$metrics_socket"
    start_process engine "$appliance_ns" "$engine" --config "$config"
    wait_ready engine 30 engine_ready
}

# start_programs NAME...: those of Mintgate's programs that do not run. An engine that runs takes up what a control
# plane that is new tells it.
start_programs()
{
    local name
    for name in signer control engine; do
        if [[ " $* " == *" $name "* ]] && ! process_pid "$name" > /dev/null; then
            run_step "Starting $name" "start_$name"
        fi
    done
    if process_pid engine > /dev/null; then
        wait_ready engine 30 engine_ready
    fi
}

stop_programs()
{
    local name
    for name in "$@"; do
        run_step "Stopping $name" stop_process "$name" 30
    done
}

# write_client_roots: Mintgate's, that of the lab's own intermediates, and the origins', because bypassed servers show
# their own chains.
write_client_roots()
{
    local roots=("$pki_dir/origin-root.pem") root
    if [[ $(lab_mode) == mintgate ]]; then
        for root in "$authority_dir/root.pem" "$mintgate_root"; do
            [[ ! -e $root ]] || roots=("$root" "${roots[@]}")
        done
    fi
    cat "${roots[@]}" > "$client_roots.new"
    mv "$client_roots.new" "$client_roots"
}

stop_services()
{
    local name
    for name in "${vlan_processes[@]}" "${lab_processes[@]}"; do
        stop_process "$name"
    done
}
