#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How many sessions a connection may have at once (--max-sessions), and all connections together (--max-processes), with OpenSSH's
# client, whose sessions share one connection.
. "$(dirname "$0")/lib.sh"
need ssh sftp ssh-keygen openssl

# master NAME: a connection that sessions share.
master()
{
    ssh_key -o ControlMaster=yes -o ControlPath="$T/$1" -o ControlPersist=600 -fN 127.0.0.1
}

# over NAME [ARGUMENT]...: a session of it. Where the server refuses, ssh would make a connection of its own: the port is nobody's.
over()
{
    local name=$1

    shift
    timeout 300 ssh -F none -o BatchMode=yes -o ConnectTimeout=60 -o ProxyCommand='echo no connection >&2' -S "$T/$name" "$@"
}

# A command that runs until its pipe ends; HELD: the ends that we hold.
HELD=()
# hold NAME: has begun when this returns.
hold()
{
    local fd pipe=$T/pipe.${#HELD[@]}

    mkfifo "$pipe" || return 1
    over "$1" 127.0.0.1 'echo here; cat' <"$pipe" >"$pipe.out" 2>"$pipe.err" &
    PIDS="$PIDS $!"
    exec {fd}>"$pipe"
    HELD+=("$fd")
    settles grep -q here "$pipe.out"
}
let_go()
{
    local fd

    for fd in "${HELD[@]}"; do
        exec {fd}>&-
    done
    rm -f "$T"/pipe.*
    HELD=()
}

hold_ten()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        hold "$1" || return 1
    done
}

# told TEXT COMMAND...: it fails, and says so.
told()
{
    local text=$1

    shift
    ! "$@" </dev/null >"$T/told.out" 2>&1 || return 1
    cat "$T/told.out"
    grep -q "$text" "$T/told.out"
}

# greets COMMAND...: the server's own greeting, through a tunnel to itself.
greets()
{
    "$@" -W "127.0.0.1:$PORT" 127.0.0.1 </dev/null | head -c 8 | grep -q '^SSH-2.0-'
}

logged()
{
    [ "$(grep -cE "$2" "$T/server.log")" -eq "$1" ]
}

ends_master()
{
    over "$1" -O exit 127.0.0.1
}

# lasting NAME: a session whose program outlives its channel: it does not heed the hang-up, and ends when a file is there.
lasting()
{
    timeout 300 ssh -F none -S "$T/$1" 127.0.0.1 "exec 2>/dev/null; trap 'echo >$T/hung_up' HUP; echo here; while [ ! -e $T/over ]; do sleep 0.1; done" \
        >"$T/lasting.out" 2>&1 </dev/null &
    local pid=$!
    PIDS="$PIDS $pid"
    settles grep -q here "$T/lasting.out" || return 1
    ends "$pid"
    settles test -e "$T/hung_up"
}

mkdir "$T/served"
start_server --exec --tunnels --sftp-root "$T/served"
check "a connection to share" master one
check "ten sessions at once" hold_ten one
check "the eleventh is refused" told 'refused by peer' over one 127.0.0.1 true
check "and the twelfth" told 'refused by peer' over one 127.0.0.1 true
check "one for files, too" told 'refused by peer' over one -s 127.0.0.1 sftp
check "another connection has its own" prints hello ssh_key 127.0.0.1 echo hello
check "tunnels are not counted" greets over one
let_go
check "a place that was left is taken again" settles prints hello over one 127.0.0.1 echo hello
check "the end of the connection" ends_master one
check "logged once" settles logged 1 "refused .*session: there are 10, which is --max-sessions"
check "with how many followed" settles logged 1 "refused .*: [1-9][0-9]* more sessions"

start_again --exec --max-sessions 1
check "a connection to share" master two
check "one session after the other" bash -c "for i in 1 2 3 4 5 6 7 8 9 10; do
    timeout 300 ssh -F none -o BatchMode=yes -o ProxyCommand=false -S '$T/two' 127.0.0.1 true || exit 1
done"
check "a program that outlives its channel" lasting two
check "keeps its place" told 'refused by peer' over two 127.0.0.1 true
touch "$T/over"
check "until it ends" settles prints hello over two 127.0.0.1 echo hello
check "the end of the connection" ends_master two

start_again --exec --max-sessions 0 --tunnels
LOG_LEVEL=INFO check "no session at all" told 'resource shortage' ssh_key 127.0.0.1 true
check "but tunnels" greets ssh_key

start_again --exec --max-processes 2
check "a connection to share" master three
check "a process" hold three
check "another" hold three
check "a third is refused" refused over three 127.0.0.1 true
check "by another connection, too" told 'exec request failed' ssh_key 127.0.0.1 true
let_go
check "a place that was left is taken again" settles prints hello over three 127.0.0.1 echo hello
check "logged once a connection" logged 2 "refused .*process: there are 2, which is --max-processes"
check "the end of the connection" ends_master three

start_again --exec --max-processes 1
check "a connection to share" master four
check "another" master five
# in_turn: whoever sees a program end may start the next one, over whatever connection.
in_turn()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        over four 127.0.0.1 true && over five 127.0.0.1 true || return 1
    done
}
check "one process after the other, in turn" in_turn </dev/null
check "the end of the one connection" ends_master four
check "the end of the other" ends_master five
finish
