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

# stop_process NAME [SECONDS]: SIGTERM, and SIGKILL after SECONDS (5). Does nothing if it does not run.
stop_process()
{
    local pid i
    if pid=$(process_pid "$1"); then
        kill -TERM "$pid" 2> /dev/null || true
        for ((i = 0; i < ${2:-5} * 50; i++)); do
            process_pid "$1" > /dev/null || break
            sleep 0.02
        done
        if process_pid "$1" > /dev/null; then
            kill -KILL "$pid" 2> /dev/null || true
        fi
    fi
    rm -f "$run_dir/$1.pid"
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
