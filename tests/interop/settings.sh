#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Settings that clients notice: banner, who may connect, versions, strict key exchange, idle clients.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen

# restart SETTING...: the server again, with those.
restart()
{
    local setting options=()

    [ -z "$SERVER_PID" ] || check "the server ends when told to" stop_server
    for setting in "$@"; do
        options+=(--set "$setting")
    done
    start_server --exec "${options[@]}"
}

restart 'UserAuthBanner=Authorized use only' 'BlockedClients=127.0.0.9' 'DefaultIdleTimeout=2'
banner()
{
    LOG_LEVEL=INFO ssh_key 127.0.0.1 true 2>&1 | grep -q 'Authorized use only'
}
check "the banner is shown" banner
check "an address that is not blocked" prints hello ssh_key -b 127.0.0.8 127.0.0.1 echo hello
check "a blocked address" refused ssh_key -b 127.0.0.9 127.0.0.1 true

idle()
{
    local begun=$SECONDS

    ! LIMIT=20 ssh_key 127.0.0.1 sleep 15 || return 1
    [ $((SECONDS - begun)) -ge 1 ] && [ $((SECONDS - begun)) -le 6 ]
}
check "an idle client is dropped on time" idle

restart 'SSHVersionPattern=SSH-2.0-dropbear*'
check "a version that is not wanted" refused ssh_key 127.0.0.1 true
restart 'UseStrictKeyExchange=3'
check "strict key exchange where the client has it" prints hello ssh_key 127.0.0.1 echo hello
restart 'MaxAuthAttempts=1'
check "one wrong password is the last" refused ssh_password wrong 127.0.0.1 true
check "the right one" prints hello ssh_password "$PASSWORD" 127.0.0.1 echo hello
restart 'SSHKeepAliveInterval=1' 'SSHKeepAliveCountMax=2'
check "a client that answers keep-alives stays" prints hello ssh_key 127.0.0.1 'sleep 5; echo hello'
finish
