# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# SoftHSM2 tokens below a directory of their own, for the lab and for tests (tests/softhsmkit.py). To be sourced.
# Whoever uses them needs SOFTHSM2_CONF=DIR/softhsm2.conf in its environment.

# softhsm_module: the path of the PKCS#11 module.
softhsm_module()
{
    local path
    for path in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
        if [[ -r $path ]]; then
            echo "$path"
            return
        fi
    done
    echo "SoftHSM2 is not installed: scripts/bootstrap" >&2
    return 1
}

# softhsm_begin DIR: an empty store for tokens.
softhsm_begin()
{
    (umask 077 && mkdir -p "$1/tokens")
    printf '%s\n' "directories.tokendir = $1/tokens" "log.level = ERROR" > "$1/softhsm2.conf"
}

# softhsm_new_token DIR LABEL: a token, whose PIN is in DIR/LABEL.pin, as signer.tokens wants it. One that is there
# stays as it is.
softhsm_new_token()
{
    local pin_file=$1/$2.pin pin
    [[ ! -e $pin_file ]] || return 0
    pin=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
    SOFTHSM2_CONF=$1/softhsm2.conf softhsm2-util --init-token --free --label "$2" --pin "$pin" --so-pin "so-$pin" \
        > /dev/null || return
    (umask 077 && echo "$pin" > "$pin_file")
}
