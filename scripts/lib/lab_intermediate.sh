# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The whole life of an intermediate, walked with mintgatectl as an administrator would; the certification authority is a
# throw-away root of the lab. Sourced after lab.sh, output.sh, process.sh, lab_network.sh and lab_services.sh.

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

# create_intermediate NAME: sets $half_made.
create_intermediate()
{
    quietly ctl intermediate create "$1" --enabled --description 'made by scripts/lab intermediate'
    half_made=$(ctl intermediate show "$1" --json | sed -nE 's/^  "id": ([0-9]+),?$/\1/p')
}

sign_request()
{
    mkdir -p "$authority_dir"
    quietly ctl root sign-csr "$1.csr" --key "$authority_dir/root.key" --cert "$authority_dir/root.pem" --out "$1.pem"
}

# intermediate NAME [--default]
intermediate()
{
    local name=${1:-} id files
    if [[ -z $name || $name == -* || (-n ${2:-} && $2 != --default) || $# -gt 2 ]]; then
        usage >&2
        exit 2
    fi
    process_pid control > /dev/null || die 'the control plane does not run in this lab: scripts/lab up'
    title "Intermediate: $name"
    run_step 'Creating it' create_intermediate "$name"
    id=$half_made
    files=$lab_dir/intermediates/$id
    mkdir -p "$lab_dir/intermediates"
    run_step 'Key pair, made by the signer' quietly ctl intermediate keygen "$id"
    say '  Attestation: none, for a key in software'
    run_step 'Certification request' quietly ctl intermediate csr "$id" --cn "$name" --o 'Mintgate lab' \
        --out "$files.csr"
    run_step "Signature of the lab's throw-away root" sign_request "$files"
    run_step 'Uploading the certificate' quietly ctl intermediate upload-cert "$id" "$files.pem"
    run_step 'Uploading the chain above it' quietly ctl intermediate upload-chain "$id" "$authority_dir/root.pem"
    run_step 'Finalizing it' quietly ctl intermediate finalize "$id"
    half_made=''
    run_step 'Having the client trust that root' trust_roots
    if [[ ${2:-} == --default ]]; then
        run_step 'Making it the default' quietly ctl intermediate default "$id"
    fi
    say "$id"
}
