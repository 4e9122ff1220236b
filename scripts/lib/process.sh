# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Processes in the background, by name: $run_dir/NAME.pid says which, $log_dir/NAME.log what they said. A process is
# known by its id and its start time, so that an id which the kernel gave to another process is never signalled.
# Sourced.

# start_time PID: the process's start in clock ticks since boot (proc(5), field 22 of stat); fails if there is none. One
# whose first thread has ended is there until the last one has: they hold its files and locks.
start_time()
{
    local line fields threads
    line=$(cat "/proc/$1/stat" 2> /dev/null) || return 1
    threads=("/proc/$1/task"/*)
    read -r -a fields <<< "${line##*) }" # the name, which may hold blanks, is before the last parenthesis
    [[ ${fields[0]} != [ZX] || ${#threads[@]} -gt 1 ]] && echo "${fields[19]}"
}

# process_pid NAME: the id of the running process; fails if it does not run. One that ended at once has no start time.
process_pid()
{
    local pid start
    read -r pid start 2> /dev/null < "$run_dir/$1.pid" || return 1
    [[ -n $start && $(start_time "$pid") == "$start" ]] && echo "$pid"
}

# start_process NAME NAMESPACE COMMAND...: NAMESPACE '' is this one.
start_process()
{
    local name=$1 namespace=$2 pid
    shift 2
    # setsid: a Ctrl-C in the terminal is not for it. Descriptor 9 is the lab's lock.
    setsid ${namespace:+ip netns exec "$namespace"} "$@" > "$log_dir/$name.log" 2>&1 < /dev/null 9>&- &
    pid=$!
    echo "$pid $(start_time "$pid" || true)" > "$run_dir/$name.pid"
}

# within SECONDS CONDITION...: waits until CONDITION succeeds; fails if it does not in time. By the clock: on a busy
# machine a look takes longer than the pause before it.
within()
{
    local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@" > /dev/null 2>&1; do
        ((${EPOCHREALTIME/[.,]/} < deadline)) || return 1
        sleep 0.02
    done
}

is_down() { ! process_pid "$1"; }

has_ended() { ! start_time "$1"; }

# what_holds PID: where it is, for people: its state, and the kernel's function in which it waits.
what_holds()
{
    printf '%s, state %s, waits in %s' "$(tr '\0' ' ' < "/proc/$1/cmdline")" \
        "$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status")" "$(cat "/proc/$1/wchan")"
}

# stop_process NAME [SECONDS]: SIGTERM, and SIGKILL after SECONDS (5); says so where it comes to that. Does nothing if it
# does not run.
stop_process()
{
    local pid
    if pid=$(process_pid "$1"); then
        kill -TERM "$pid" 2> /dev/null || true
        if ! within "${2:-5}" is_down "$1"; then
            warn "$1 has not ended ${2:-5} s after SIGTERM, and is killed: $(what_holds "$pid" 2> /dev/null)"
            kill -KILL "$pid" 2> /dev/null || true
            within 10 is_down "$1" || warn "$1 is there 10 s after SIGKILL: $(what_holds "$pid" 2> /dev/null)"
        fi
    fi
    rm -f "$run_dir/$1.pid"
}

# bounded SECONDS COMMAND...: its status; fails, and says where it was, if it has not ended after SECONDS. What the
# kernel holds up cannot be killed: it is left behind, without the lab's lock.
bounded()
{
    local seconds=$1 pid
    shift
    "$@" 9>&- &
    pid=$!
    if within "$seconds" has_ended "$pid"; then
        wait "$pid"
        return
    fi
    warn "given up after $seconds s: $(what_holds "$pid" 2> /dev/null)"
    kill -KILL "$pid" 2> /dev/null || true
    return 1
}

# wait_ready NAME SECONDS CONDITION...: waits until CONDITION succeeds; dies, with the end of the log, when the process
# ends or the time is over before.
wait_ready()
{
    local name=$1 seconds=$2 deadline
    shift 2
    deadline=$((${EPOCHREALTIME%[.,]*} + seconds))
    until "$@" > /dev/null 2>&1; do
        if ! process_pid "$name" > /dev/null; then
            show_log "$name"
            die "$name ended before it was ready (log: $log_dir/$name.log)"
        fi
        if ((${EPOCHREALTIME%[.,]*} > deadline)); then
            show_log "$name"
            die "$name was not ready after $seconds seconds (log: $log_dir/$name.log)"
        fi
        sleep 0.02
    done
}

show_log()
{
    end_step failed
    tail -n 20 "$log_dir/$1.log" 2> /dev/null | sed "s/^/    $1: /" >&2
}
