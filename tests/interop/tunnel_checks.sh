# SPDX-License-Identifier: Apache-2.0
# Tunnels of OpenSSH to $ECHO, the port of an echo: what tunnels.sh and windows_nacred.sh share. HERE is this folder.
# shellcheck shell=bash

ends_py()
{
    timeout "${LIMIT:-300}" /usr/bin/python3 "$HERE/tunnel_ends.py" "$@"
}

# far_end NAME [ARGUMENT]...: something that listens; its port in FAR, its pid in FAR_PID.
far_end()
{
    local tries=0

    : >"$T/far.$1"
    /usr/bin/python3 "$HERE/tunnel_ends.py" "$@" >"$T/far.$1" 2>&1 &
    FAR_PID=$!
    PIDS="$PIDS $FAR_PID"
    until [ -s "$T/far.$1" ] || [ $tries -gt 2400 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    FAR=$(cat "$T/far.$1")
}

# ssh says what became of tunnels only at this level.
SSH_COMMON=${SSH_COMMON/LogLevel=ERROR/LogLevel=INFO}

# tunnel OPTION...: ssh with these tunnels, up when this returns; its pid in TUNNEL.
tunnel()
{
    rm -f "$T/up"
    # shellcheck disable=SC2086 # a list of options
    ssh $SSH_COMMON -o BatchMode=yes -i "$T/ed25519" -p "$PORT" -l "$USER_NAME" -o ExitOnForwardFailure=yes \
        -o PermitLocalCommand=yes -o "LocalCommand=touch $T/up" -N "$@" 127.0.0.1 2>"$T/tunnel.log" </dev/null &
    TUNNEL=$!
    PIDS="$PIDS $TUNNEL"
    settles test -f "$T/up" || cat "$T/tunnel.log"
}

end_tunnel()
{
    ends "$TUNNEL"
    return 0
}

takes_connections()
{
    ends_py asks "$1" ""
}

logged()
{
    grep -aqE "$1" "$T/server.log"
}

# ---- where they lead ----

local_port()
{
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:127.0.0.1:$ECHO"
    ends_py passes "$NEAR" 3000000 || return 1
    end_tunnel
    settles logged "tunnel .*127\.0\.0\.1 port $ECHO closed"
}

local_name()
{
    NEAR=$(ends_py free_port)
    tunnel -L "127.0.0.1:$NEAR:localhost:$ECHO"
    ends_py passes "$NEAR" 100000 || return 1
    end_tunnel
}

remote_port()
{
    NEAR=$(ends_py free_port)
    tunnel -R "127.0.0.1:$NEAR:127.0.0.1:$ECHO"
    settles takes_connections "$NEAR" || return 1
    ends_py passes "$NEAR" 3000000 || return 1
    end_tunnel
    settles leads_nowhere "$NEAR"
}

# The listener goes with the connection, soon.
leads_nowhere()
{
    ! ends_py asks "$1" "" 2>/dev/null
}

remote_port_of_the_servers_choice()
{
    local port

    tunnel -R "127.0.0.1:0:127.0.0.1:$ECHO"
    settles grep -q 'Allocated port' "$T/tunnel.log" || return 1
    port=$(sed -n 's/.*Allocated port \([0-9]*\).*/\1/p' "$T/tunnel.log")
    ends_py passes "$port" 100000 || return 1
    end_tunnel
}

remote_port_in_use()
{
    status_is 255 ssh_key -o ExitOnForwardFailure=yes -N -R "127.0.0.1:$ECHO:127.0.0.1:1" 127.0.0.1
}

proxy()
{
    NEAR=$(ends_py free_port)
    tunnel -D "127.0.0.1:$NEAR"
    prints "through the proxy" ends_py socks "$NEAR" localhost "$ECHO" || return 1
    end_tunnel
}

standard_streams()
{
    through "$T/megabyte" ssh_key -W "127.0.0.1:$ECHO" 127.0.0.1
}
