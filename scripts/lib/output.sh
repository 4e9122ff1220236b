# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Plain output for people: steps with their times, errors, colours on a terminal only. Sourced.

if [[ -t 1 && ${TERM:-dumb} != dumb && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' green='' red='' plain=''
fi
open_step=''

say() { printf '%s\n' "$*"; }

title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# warn TEXT: on a line of its own, within a step too.
warn()
{
    [[ -z $open_step ]] || echo
    printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2
}

die()
{
    end_step failed
    printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2
    exit 1
}

# run_step TEXT COMMAND...: one line per step, with its time. errexit stays in force inside the command.
run_step()
{
    local text=$1 start=${EPOCHREALTIME/[.,]/}
    shift
    printf '  %-48s ' "$text"
    open_step=$text
    "$@"
    local tenths=$(((${EPOCHREALTIME/[.,]/} - start + 50000) / 100000))
    open_step=''
    printf '%sdone%s %d.%d s\n' "$green" "$plain" $((tenths / 10)) $((tenths % 10))
}

# end_step WORD closes the line of a step that was cut short. For an EXIT trap.
end_step()
{
    if [[ -n $open_step ]]; then
        printf '%s%s%s\n' "$red" "$1" "$plain"
        open_step=''
    fi
}

# quietly COMMAND...: its output is shown only if it fails.
quietly()
{
    local log
    log=$(mktemp)
    if ! "$@" > "$log" 2>&1; then
        end_step failed
        tail -n 40 "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
