# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The lab's HSM: tokens of SoftHSM2. Each has a directory: PIN, store, and the module that the signer loads, which is in
# front of SoftHSM2's and fails as the file faults there says (tests/hsm/pkcs11_fault.c). Sourced after lab.sh,
# output.sh and lab_services.sh.

hsm_dir=$lab_dir/hsm
hsm_tokens=(global-1 global-2 europe) # as in tests/lab/mintgate.yaml.in
hsm_pair=(global-1 global-2)          # the second is a copy of the first

# softhsm_module prints the path of SoftHSM2's module.
softhsm_module()
{
    local path=/usr/lib/softhsm/libsofthsm2.so
    [[ -e $path ]] || die 'SoftHSM2 is missing: scripts/bootstrap'
    echo "$path"
}

# new_token NAME makes the store of a token. The PIN goes through the environment, since everybody may read arguments.
new_token()
{
    local dir=$hsm_dir/$1
    local -a tool=(env "SOFTHSM2_CONF=$dir/softhsm2.conf" pkcs11-tool --module "$(softhsm_module)")
    LAB_PIN=$(< "$dir/pin")
    export LAB_PIN
    "${tool[@]}" --init-token --slot-index 0 --label "lab-$1" --so-pin env:LAB_PIN
    "${tool[@]}" --token-label "lab-$1" --init-pin --login --login-type so --so-pin env:LAB_PIN --new-pin env:LAB_PIN
}

# make_token_dir NAME: all of it but the store's content and the module.
make_token_dir()
{
    local dir=$hsm_dir/$1
    mkdir -p "$dir/tokens"
    printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$dir/tokens" > "$dir/softhsm2.conf"
    od -An -N8 -tx1 /dev/urandom | tr -d ' \n' > "$dir/pin"
    : > "$dir/faults"
}

# make_tokens makes the lab's tokens, once in its life: keys on them outlive a lab that is down, as others do.
make_tokens()
{
    local name module
    if [[ ! -e $hsm_dir/ready ]]; then
        rm -rf "$hsm_dir" # of an attempt that was cut short
        (
            umask 077
            for name in "${hsm_tokens[@]}"; do
                make_token_dir "$name"
                [[ $name == "${hsm_pair[1]}" ]] || quietly new_token "$name"
            done
            cp -a "$hsm_dir/${hsm_pair[0]}"/{pin,tokens} "$hsm_dir/${hsm_pair[1]}"
            : > "$hsm_dir/ready"
        )
    fi
    module=$(program tests/hsm/pkcs11_fault.so)
    for name in "${hsm_tokens[@]}"; do
        ln -sfn "$module" "$hsm_dir/$name/module.so"
        ln -sfn "$(softhsm_module)" "$hsm_dir/$name/real.so"
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
