#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limits at the door as OpenSSH's client meets them: it is told why it is not let in.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen

# told TEXT COMMAND...: the command fails, and the server's words are shown.
told()
{
    local text=$1

    shift
    ! LOG_LEVEL=INFO "$@" >"$T/told.out" 2>&1 || return 1
    cat "$T/told.out"
    grep -qF "$text" "$T/told.out"
}

# half_open N: connections that say nothing, until `close_all`. Each has been greeted when this returns.
HELD=()
half_open()
{
    local fd line

    for _ in $(seq "$1"); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT" || return 1
        read -r -t 120 line <&"$fd" || return 1
        HELD+=("$fd")
    done
}
close_all()
{
    local fd

    for fd in "${HELD[@]}"; do
        exec {fd}>&-
    done
    HELD=()
}

# comes_in: a login works again, after a moment.
comes_in()
{
    for _ in $(seq 300); do
        prints hello ssh_key 127.0.0.1 echo hello && return 0
        sleep 0.2
    done
    return 1
}

restart MaxConnections=2
half_open 2
check "MaxConnections: told so" told 'as many connections as it may have' ssh_key 127.0.0.1 true
close_all
check "and let in when there is a place" comes_in

restart MaxStartups=2
half_open 2
check "MaxStartups: told so" told 'Too many clients are logging in' ssh_key 127.0.0.1 true
close_all
check "and let in when they are gone" comes_in

restart MaxConnectionsPerSource=2
half_open 2
check "MaxConnectionsPerSource: told so" told 'Too many connections from your address' ssh_key 127.0.0.1 true
check "another address" prints hello ssh_key -b 127.0.0.8 127.0.0.1 echo hello
close_all

restart 'PerSourcePenalties=authfail:10m min:1s'
check "a wrong password" refused ssh_password wrong 127.0.0.1 true
# It counts from when the server has seen the connection end.
check "PerSourcePenalties: told so" settles told 'kept out for a while' ssh_password "$PASSWORD" 127.0.0.1 true
check "another address" prints hello ssh_key -b 127.0.0.8 127.0.0.1 echo hello

restart 'PerSourcePenalties=authfail:10m min:1s' PerSourceExemptList=127.0.0.0/8
check "a wrong password" refused ssh_password wrong 127.0.0.1 true
check "an address that is exempt" prints hello ssh_key 127.0.0.1 echo hello

# turned_away N: so many connections, and all of them in the log.
turned_away()
{
    local fd

    for _ in $(seq "$1"); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT" || return 1
        exec {fd}>&-
    done
    settles has_lines "$1" 'not accepted'
}
has_lines()
{
    [ "$(grep -c "$2" "$T/server.log")" -eq "$1" ]
}

restart BlockedClients=127.0.0.1 LogLevel=1
check "clients that are blocked are logged" turned_away 20
check "the server ends when told to" stop_server
check "and had nothing left of them" has_lines 1 'disconnecting 0 connections'

restart MemoryLimit=67108864 MaxLoginPackets=200
random_file megabyte 1048576
check "1 MiB through cat within a budget" through "$T/megabyte" ssh_key 127.0.0.1 cat
finish
