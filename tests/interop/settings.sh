#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Settings that clients notice: banner, who may connect, versions, strict key exchange, idle clients.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen
OPTIONS+=(--keyboard-interactive)

restart 'UserAuthBanner=Authorized use only' 'BlockedClients=127.0.0.9' 'DefaultIdleTimeout=5'
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

    ! LIMIT=310 ssh_key 127.0.0.1 sleep 300 || return 1
    [ $((SECONDS - begun)) -ge 4 ] && [ $((SECONDS - begun)) -lt 300 ]
}
check "an idle client is dropped on time" idle

restart 'SSHVersionPattern=SSH-2.0-dropbear*'
check "a version that is not wanted" refused ssh_key 127.0.0.1 true
restart 'UseStrictKeyExchange=3'
check "strict key exchange where the client has it" prints hello ssh_key 127.0.0.1 echo hello
restart 'MaxAuthAttempts=1'
check "one wrong password is the last" refused ssh_password wrong 127.0.0.1 true
check "the right one" prints hello ssh_password "$PASSWORD" 127.0.0.1 echo hello
restart 'SSHKeepAliveInterval=1' 'SSHKeepAliveCountMax=12'
check "a client that answers keep-alives stays" prints hello ssh_key 127.0.0.1 'sleep 16; echo hello'

# logged PASSWORD: it stands in the log, in the hexadecimal of a payload.
logged()
{
    grep -q "$(printf '%s' "$1" | od -An -tx1 | tr -d ' \n')" "$T/server.log"
}

# A password of this client's own is typed, so that it is known whose line is looked for.
log_in_by_ssh()
{
    refused ssh_password "$1" 127.0.0.1 true && METHOD=keyboard-interactive refused ssh_password "$1-kbdint" 127.0.0.1 true
}

log_in_by_paramiko()
{
    /usr/bin/python3 -W ignore - "$PORT" "$USER_NAME" "$1" <<'PYTHON'
import socket, sys, paramiko
transport = paramiko.Transport(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20))
transport.start_client(timeout=20)
try:
    transport.auth_password(sys.argv[2], sys.argv[3], fallback=False)
except paramiko.AuthenticationException:
    sys.exit(0)
sys.exit(1)
PYTHON
}

logged_request()
{
    grep -q 'received payload: 32' "$T/server.log"
}

clients=ssh
/usr/bin/python3 -W ignore -c 'import paramiko' 2>/dev/null && clients="$clients paramiko"

restart 'LogLevel=3'
for client in $clients; do
    check "$client types a password" "log_in_by_$client" "word-of-$client"
    check "the log has the request" settles logged_request
    check "but not the password" refused logged "word-of-$client"
done
check "where it stood, the log says so" grep -q '(masked)' "$T/server.log"
restart 'LogLevel=3' 'MaskSensitive=False'
for client in $clients; do
    check "MaskSensitive=False, $client types a password" "log_in_by_$client" "word-of-$client"
    check "the log has it" settles logged "word-of-$client"
done
check "the answer to a prompt, too" settles logged "word-of-ssh-kbdint"
finish
