# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The whole life of an intermediate, walked with mintgatectl as an administrator would; the certification authority is a
# throw-away root of the lab. Sourced after lab.sh, output.sh, process.sh, lab_network.sh, lab_services.sh, lab_hsm.sh.

half_made='' # the id of an intermediate that is not finalized yet

# trust_roots has the client trust what Mintgate and the lab's own root sign.
trust_roots()
{
    write_client_roots
    add_client_trust
}

# forget_intermediate deletes one whose life was cut short. For an EXIT trap.
forget_intermediate()
{
    if [[ -n $half_made ]]; then
        ctl intermediate delete "$half_made" || true
    fi
}

# create_intermediate NAME OPTIONS...: sets $half_made.
create_intermediate()
{
    quietly ctl intermediate create "$@" --enabled --description 'made by scripts/lab intermediate'
    half_made=$(ctl intermediate show "$1" --json | sed -nE 's/^  "id": ([0-9]+),?$/\1/p')
}

sign_request()
{
    mkdir -p "$authority_dir"
    quietly ctl root sign-csr "$1.csr" --key "$authority_dir/root.key" --cert "$authority_dir/root.pem" --out "$1.pem"
}

# parse_wishes NAME [OPTION...] sets what intermediate's local variables say.
parse_wishes()
{
    name=${1:-}
    [[ -n $name && $name != -* ]] || return 1
    shift
    while (($# > 0)); do
        case $1 in
        --default) is_default=yes ;;
        --hsm) is_hsm=yes ;;
        --region | --key-type)
            [[ -n ${2:-} ]] || return 1
            if [[ $1 == --region ]]; then region=$2; else options+=("$1" "$2"); fi
            shift
            ;;
        *) return 1 ;;
        esac
        shift
    done
    if [[ $is_hsm == yes ]]; then
        options+=(--type hsm --region "${region:-GLOBAL}")
    else
        [[ -z $region ]]
    fi
}

# read_attestation ID FILES: what the token says of the key, and that it is of the public key that is known.
read_attestation()
{
    quietly ctl intermediate public-key "$1" --out "$2.public.pem"
    quietly ctl intermediate attestation "$1" --out "$2.attestation"
    quietly ctl attestation verify "$2.attestation" --public-key "$2.public.pem"
}

# make_key ID FILES: on a token or, by the signer, in software.
make_key()
{
    if [[ $is_hsm == yes ]]; then
        wait_ready signer 30 tokens_are_up
        run_step 'Key pair, made on the token' quietly ctl intermediate keygen "$1"
        run_step "Replication to the token's partner" replicate_tokens
        run_step 'What the token says of the key' read_attestation "$1" "$2"
        run_step 'Having the token asked afresh' quietly ctl intermediate verify-attestation "$1"
    else
        run_step 'Key pair, made by the signer' quietly ctl intermediate keygen "$1"
        say '  Attestation: none, for a key in software'
    fi
}

# intermediate NAME [--hsm [--region R]] [--key-type T] [--default]
intermediate()
{
    local name='' is_default='' is_hsm='' region='' id files
    local -a options=()
    if ! parse_wishes "$@"; then
        usage >&2
        exit 2
    fi
    process_pid control > /dev/null || die 'the control plane does not run in this lab: scripts/lab up'
    title "Intermediate: $name"
    run_step 'Creating it' create_intermediate "$name" "${options[@]}"
    id=$half_made
    files=$lab_dir/intermediates/$id
    mkdir -p "$lab_dir/intermediates"
    make_key "$id" "$files"
    run_step 'Certification request' quietly ctl intermediate csr "$id" --cn "$name" --o 'Mintgate lab' \
        --out "$files.csr"
    run_step "Signature of the lab's throw-away root" sign_request "$files"
    run_step 'Uploading the certificate' quietly ctl intermediate upload-cert "$id" "$files.pem"
    run_step 'Uploading the chain above it' quietly ctl intermediate upload-chain "$id" "$authority_dir/root.pem"
    run_step 'Finalizing it' quietly ctl intermediate finalize "$id"
    half_made=''
    run_step 'Having the client trust that root' trust_roots
    if [[ $is_default == yes ]]; then
        run_step 'Making it the default' quietly ctl intermediate default "$id"
    fi
    say "$id"
}
