# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What a lab is shown with: scenes, promises, chains. Sourced after output.sh and lab.sh.

broken_promises=0

lab() { MG_BUILD=$build_dir "$root/scripts/lab" "$@"; }
client() { ip netns exec "$client_ns" "$@"; }

scene()
{
    title "$1"
    shift
    fold -s -w 100 <<< "$*" | sed 's/^/  /; s/ *$//'
    say ''
}

command_line() { printf '  %s$ %s%s\n' "$bold" "$*" "$plain"; }

indent() { sed 's/^/    /'; }

# expect WHAT COMMAND...: a promise, and whether COMMAND bears it out.
expect()
{
    local what=$1
    shift
    if "$@"; then
        printf '  %sok%s      %s\n' "$green" "$plain" "$what"
    else
        printf '  %sNOT SO%s  %s\n' "$red" "$plain" "$what"
        broken_promises=$((broken_promises + 1))
    fi
}

# as_promised is the last thing that is said.
as_promised()
{
    ((broken_promises == 0)) || die "$broken_promises of what was promised did not happen"
    say "${green}All as promised.${plain}"
}

# fetch_chain FILE NAMESPACE NAME: the certificates that NAME's server shows there, as PEM, the leaf first.
fetch_chain()
{
    ip netns exec "$2" openssl s_client -connect "$server_ip4:443" -servername "$3" -showcerts \
        < /dev/null 2> /dev/null |
        sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' > "$1" || true
}

# show_chain FILE: one line for each certificate.
show_chain()
{
    local line
    openssl crl2pkcs7 -nocrl -certfile "$1" | openssl pkcs7 -print_certs -noout |
        sed -nE 's/ = /=/g; s/^subject=(.*)/\1/p; s/^issuer=(.*)/  signed by \1/p' | while IFS= read -r line; do
        say "    $line"
    done
}

fact() { openssl x509 -in "$1" -noout "${@:2}"; }
issuer_is() { [[ $(fact "$1" -issuer) == *"$2"* ]]; }
verifies() { openssl verify -CAfile "$2" -untrusted "$1" "$1" > /dev/null 2>&1; }
contains() { grep -q -- "$2" "$1"; }

# metric NAME[{LABELS}]: its value.
metric()
{
    curl -sf --unix-socket "$metrics_socket" http://localhost/metrics | awk -v name="$1" '$1 == name { print $2 }'
}
