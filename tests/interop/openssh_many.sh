#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: many sessions on one connection, many connections, a connection that only lives.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

start_server --exec
random_file megabyte 1048576

ten_sessions()
{
    local i bad=0 pids=""

    ssh_key -o ControlMaster=yes -o ControlPath="$T/mux" -o ControlPersist=60 -fN 127.0.0.1 || return 1
    for i in 1 2 3 4 5 6 7 8 9 10; do
        (timeout 300 ssh -F none -S "$T/mux" 127.0.0.1 "cat; exit $i" <"$T/megabyte" >"$T/mux.$i"
            echo $? >"$T/mux.$i.status") &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086 # a list of pids
    wait $pids
    for i in 1 2 3 4 5 6 7 8 9 10; do
        cmp "$T/megabyte" "$T/mux.$i" || bad=1
        [ "$(cat "$T/mux.$i.status")" = "$i" ] || {
            echo "session $i: exit status $(cat "$T/mux.$i.status")"
            bad=1
        }
    done
    timeout 300 ssh -F none -S "$T/mux" -O exit 127.0.0.1
    return $bad
}

fifty_logins()
{
    local i good=0 pids=""

    for i in $(seq 50); do
        (ssh_key 127.0.0.1 "echo $i" >"$T/login.$i" 2>"$T/login.$i.err") &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086 # a list of pids
    wait $pids
    for i in $(seq 50); do
        if [ "$(cat "$T/login.$i")" = "$i" ]; then
            good=$((good + 1))
        else
            cat "$T/login.$i.err"
        fi
    done
    [ $good -eq 50 ] || {
        echo "$good of 50"
        return 1
    }
}

# Twelve seconds without an answer would end the client.
keeps_alive()
{
    local pid

    ssh_key -N -o ServerAliveInterval=1 -o ServerAliveCountMax=12 127.0.0.1 &
    pid=$!
    PIDS="$PIDS $pid"
    sleep 16
    kill -0 $pid || return 1
    ends $pid
}

check "ten sessions on one connection" ten_sessions
check "fifty logins at once" fifty_logins
check "the client's keep-alives are answered" keeps_alive
finish
