# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The lab's HSM: tokens of SoftHSM2. Each has a directory: its store, its PIN, and the module that the signer loads, in
# front of SoftHSM2's, which fails as the file faults there says (tests/hsm/pkcs11_fault.c). Sourced after lab.sh,
# lab_services.sh and softhsm.sh.

hsm_dir=$lab_dir/hsm
hsm_tokens=(global-1 global-2 europe) # as in tests/lab/mintgate.yaml.in
hsm_pair=(global-1 global-2)          # the second is a copy of the first

# new_tokens makes them all, with keys and PINs that nobody has.
new_tokens()
{
    local name
    for name in "${hsm_tokens[@]}"; do
        softhsm_begin "$hsm_dir/$name"
        : > "$hsm_dir/$name/faults"
    done
    softhsm_new_token "$hsm_dir/${hsm_pair[0]}" global
    softhsm_new_token "$hsm_dir/europe" europe
    cp -a "$hsm_dir/${hsm_pair[0]}"/{global.pin,tokens} "$hsm_dir/${hsm_pair[1]}"
    : > "$hsm_dir/ready"
}

# make_tokens makes the lab's tokens, once in its life: keys on them outlive a lab that is down, as others do.
make_tokens()
{
    local name fault_module module
    if [[ ! -e $hsm_dir/ready ]]; then
        rm -rf "$hsm_dir" # of an attempt that was cut short
        new_tokens
    fi
    fault_module=$(program tests/hsm/pkcs11_fault.so)
    module=$(softhsm_module)
    for name in "${hsm_tokens[@]}"; do
        ln -sfn "$fault_module" "$hsm_dir/$name/module.so"
        ln -sfn "$module" "$hsm_dir/$name/real.so"
    done
}

# replicate_tokens does what an HSM's own replication does: the pair's second token has the objects of the first. What
# it reads last tells a module that runs that there are others.
replicate_tokens()
{
    local from to path
    from=$(echo "$hsm_dir/${hsm_pair[0]}"/tokens/*/)
    to=$(echo "$hsm_dir/${hsm_pair[1]}"/tokens/*/)
    for path in "$to"*-*.*; do
        [[ -e $from/${path##*/} ]] || rm -f "$path"
    done
    for path in "$from"*-*.*; do
        [[ ! -e $path ]] || cp -an "$path" "$to"
    done
    cp -a "$from/generation" "$to/generation.new"
    mv "$to/generation.new" "$to/generation"
}

# tokens_are_up: the signer has logged in to each.
tokens_are_up()
{
    local page
    page=$(curl -sf --max-time 5 --unix-socket "$signer_metrics_socket" http://localhost/metrics) || return 1
    [[ $page == *"mintgate_hsm_token_mode{"* ]] && ! grep -q "^mintgate_hsm_token_mode{.*} [^0]" <<< "$page"
}
