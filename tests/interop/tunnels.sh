#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH's tunnels and its agent through nacred: tunnels.sh BYTES SECONDS GATEWAY. So many bytes go to an end that reads
# nothing for so many seconds; GATEWAY is the example of that name.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen ssh-agent ssh-add openssl /usr/bin/python3

BYTES=$1
STALL=$2
GATEWAY=$3
HERE=$(cd "$(dirname "$0")" && pwd)
GROWTH_MAX_KIB=65536
# What a sanitizer keeps of freed memory is not the server's.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=8
. "$HERE/tunnel_checks.sh"

server_kib()
{
    awk '/^VmRSS/ {print $2}' "/proc/$SERVER_PID/status"
}

unix_local()
{
    tunnel -L "$T/near.sock:$T/echo.sock"
    ends_py passes "$T/near.sock" 1000000 || return 1
    end_tunnel
}

unix_remote()
{
    tunnel -R "$T/listen.sock:$T/echo.sock"
    settles test -S "$T/listen.sock" || return 1
    [ "$(stat -c %a "$T/listen.sock")" = 600 ] || return 1
    ends_py passes "$T/listen.sock" 1000000 || return 1
    end_tunnel
    settles test ! -e "$T/listen.sock"
}

unix_remote_in_the_way()
{
    echo precious >"$T/precious"
    status_is 255 ssh_key -o ExitOnForwardFailure=yes -N -R "$T/precious:127.0.0.1:1" 127.0.0.1 &&
        [ "$(cat "$T/precious")" = precious ]
}

# ---- how much ----

five_hundred()
{
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$ECHO"
    LIMIT=900 ends_py many "$NEAR" 500 || return 1
    end_tunnel
}

# stays_small COMMAND...: the command succeeds, and the server does not grow meanwhile.
stays_small()
{
    local before most=0 now pid

    before=$(server_kib)
    "$@" &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        now=$(server_kib)
        [ "$now" -le $most ] || most=$now
        sleep 0.2
    done
    wait $pid || return 1
    echo "the server had $before KiB and at most $most KiB"
    [ $((most - before)) -lt $GROWTH_MAX_KIB ]
}

stalled()
{
    far_end stalls 0 "$STALL"
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$FAR"
    LIMIT=2400 stays_small ends_py bulk "$NEAR" "$BYTES" "$STALL" || return 1
    end_tunnel
}

stalled_near()
{
    far_end floods 0 "$BYTES"
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$FAR"
    LIMIT=2400 stays_small ends_py drinks "$NEAR" "$BYTES" "$STALL" || return 1
    end_tunnel
}

# ---- how they end ----

far_end_refuses()
{
    local port

    port=$(ends_py free_port)
    refused ssh_key -W "127.0.0.1:$port" 127.0.0.1 </dev/null || return 1
    settles logged "error .*1201 .*port $port" || return 1
    # A tunnel of a connection that stays: its client is told, and others go on.
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$port" -L "$T/well.sock:127.0.0.1:$ECHO"
    ends_py ends "$NEAR" - || return 1
    settles grep -q 'connect failed' "$T/tunnel.log" || return 1
    ends_py passes "$T/well.sock" 1000 || return 1
    end_tunnel
}

far_end_vanishes()
{
    far_end echo 0
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$FAR" -L "$T/other.sock:127.0.0.1:$ECHO"
    rm -f "$T/talks"
    ends_py ends "$NEAR" "$T/talks" &
    local pid=$!
    settles test -f "$T/talks" || return 1
    kill -9 "$FAR_PID"
    wait "$FAR_PID" 2>/dev/null
    wait $pid || return 1
    ends_py passes "$T/other.sock" 1000 || return 1
    end_tunnel
}

far_end_resets()
{
    far_end resets 0
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$FAR"
    ends_py ends "$NEAR" - || return 1
    end_tunnel
    settles logged "error .*: 1202 .*port $FAR"
}

client_half_closes()
{
    far_end counts 0
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$FAR"
    prints "17 bytes" ends_py asks "$NEAR" "seventeen letters" || return 1
    end_tunnel
}

far_end_half_closes()
{
    far_end greets 0 "$T/greeted"
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$FAR"
    prints hello ends_py answers "$NEAR" "and goodbye" || return 1
    settles test -f "$T/greeted" || return 1
    [ "$(cat "$T/greeted")" = "and goodbye" ] || return 1
    end_tunnel
}

# ---- the agent ----

with_agent()
{
    SSH_AUTH_SOCK=$T/agent.sock ssh_key -A "$@"
}

agent_is_there()
{
    with_agent 127.0.0.1 'ssh-add -l && ls -ld "$(dirname "$SSH_AUTH_SOCK")"' >"$T/agent.out" || return 1
    cat "$T/agent.out"
    grep -q ED25519 "$T/agent.out" && grep -q '^drwx------' "$T/agent.out"
}

agent_signs()
{
    with_agent 127.0.0.1 "ssh-add -T $T/ed25519.pub"
}

agent_many()
{
    prints 20 with_agent 127.0.0.1 'for i in $(seq 20); do ssh-add -l >/dev/null && echo good & done | grep -c good'
}

agent_is_gone()
{
    local folder

    folder=$(with_agent 127.0.0.1 'dirname "$SSH_AUTH_SOCK"') && [ -n "$folder" ] && settles test ! -e "$folder"
}

agent_is_not_asked_for()
{
    prints "" ssh_key 127.0.0.1 'echo $SSH_AUTH_SOCK'
}

# ---- the example ----

gateway()
{
    local port pid

    port=$(ends_py free_port)
    "$GATEWAY" "$port" "$PASSWORD" "127.0.0.1:$ECHO" >"$T/gateway.log" 2>&1 &
    pid=$!
    PIDS="$PIDS $pid"
    settles bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" || return 1
    PORT=$port ssh_password "$PASSWORD" -W "127.0.0.1:$ECHO" 127.0.0.1 <"$T/megabyte" >"$T/gateway.out" || return 1
    cmp "$T/megabyte" "$T/gateway.out" || return 1
    NEAR=$(ends_py free_port)
    PORT=$port LIMIT=600 ssh_password "$PASSWORD" -N -L "127.0.0.1:$NEAR:127.0.0.1:$ECHO" 127.0.0.1 &
    PIDS="$PIDS $!"
    settles takes_connections "$NEAR" && ends_py passes "$NEAR" 1000000 || return 1
    PORT=$port refused ssh_password "$PASSWORD" -W 127.0.0.1:1 127.0.0.1 </dev/null || return 1
    cat "$T/gateway.log"
    grep -q "tunnel to 127.0.0.1:$ECHO accepted" "$T/gateway.log" && grep -q 'tunnel to 127.0.0.1:1 refused' "$T/gateway.log"
}

start_server --exec
random_file megabyte 1048576
far_end echo 0
ECHO=$FAR
far_end echo "$T/echo.sock"
eval "$(ssh-agent -s -a "$T/agent.sock")" >/dev/null
PIDS="$PIDS $SSH_AGENT_PID"
ssh-add -q "$T/ed25519" || exit 1
unset SSH_AUTH_SOCK

# Ten requests, whose words are the client's, and one line of the log with the count of the others. A line ends where it ought to.
refused_tunnels_are_logged()
{
    local i wanted=()

    for i in 0 1 2 3 4 5 6 7 8 9; do
        wanted+=(-R "1200$i:127.0.0.1:$ECHO")
    done
    ssh_key "${wanted[@]}" 127.0.0.1 true || return 1
    settles logged 'refused .*: tunnel, as there is no --tunnels: from localhost port 12000$' || return 1
    settles logged 'refused .*: 9 more tunnels$' || return 1
    ssh_key -W $'a\x1b[31m\nb:80' 127.0.0.1 </dev/null
    settles logged 'refused .*: tunnel, as there is no --tunnels: to a\\x1b\[31m\\x0ab port 80$'
}

check "without --tunnels there are none" refused ssh_key -W "127.0.0.1:$ECHO" 127.0.0.1 </dev/null
check "which is logged" refused_tunnels_are_logged
check "without --agent-forwarding there is none" prints "" with_agent 127.0.0.1 'echo $SSH_AUTH_SOCK'
check "the server ends when told to" stop_server

start_server --exec --tunnels --agent-forwarding --set MaxChannels=1000
check "ssh -L" local_port
check "ssh -L to a name" local_name
check "ssh -R" remote_port
check "ssh -R to a port of the server's choice" remote_port_of_the_servers_choice
check "ssh -R to a port that is in use" remote_port_in_use
check "ssh -D" proxy
check "ssh -W" standard_streams
check "ssh -L to a unix socket" unix_local
check "ssh -R to a unix socket" unix_remote
check "ssh -R to a path that exists" unix_remote_in_the_way
check "500 tunnels at once through one connection" five_hundred
check "$BYTES bytes to an end that stalls for $STALL seconds" stalled
check "$BYTES bytes from the far end to one that stalls for $STALL seconds" stalled_near
check "the far end refuses" far_end_refuses
check "the far end vanishes" far_end_vanishes
check "the far end resets" far_end_resets
check "the client half closes" client_half_closes
check "the far end half closes" far_end_half_closes
check "ssh -A: the agent answers" agent_is_there
check "ssh -A: the agent signs" agent_signs
check "ssh -A: twenty at once" agent_many
check "ssh -A: nothing is left behind" agent_is_gone
check "without -A there is no agent" agent_is_not_asked_for
check "the example tunnel_gateway" gateway
finish
