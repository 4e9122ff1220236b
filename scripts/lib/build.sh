# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Builds the programs that the lab runs. Sourced after lab.sh and output.sh; $root and $build_dir are set.

readonly lab_programs=(dataplane/mintgate hsm/mintgate-signer control/program/mintgate-control
    control/ctl/mintgatectl tests/lab/mintgate-lab-origin tests/lab/mintgate-lab-vlan-tap bench/mintgate-loadgen)

configure_build()
{
    if [[ ! -e $build_dir/build.ninja ]]; then
        quietly meson setup "$build_dir" "$root"
    fi
}

build_programs() { quietly ninja -C "$build_dir" "${lab_programs[@]}"; }
