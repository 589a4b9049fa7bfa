#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# echo_server for Windows, run by Wine over each I/O model, and clients of this system: OpenSSH, PuTTY's plink, Dropbear's dbclient
# and libssh, as far as they are here. ECHO and ECHO_DLL (with nacre.dll) are the programs, RUNNER is Wine.
. "$(dirname "$0")/lib.sh"
need "$RUNNER" ssh
. "$(dirname "$0")/windows_clients.sh"

export WHO=guest
LIMIT=300
random_file much 3000000
random_file little 5000

# Several at once, and one that says nothing meanwhile.
many_at_once()
{
    local pids="" i status=0

    exec 7<>"/dev/tcp/127.0.0.1/$PORT"
    for i in 1 2 3 4 5 6; do
        ssh_password guest 127.0.0.1 anything <"$T/little" >"$T/many.$i" &
        pids="$pids $!"
    done
    for i in $pids; do
        wait "$i" || status=1
    done
    exec 7>&-
    for i in 1 2 3 4 5 6; do
        cmp "$T/little" "$T/many.$i" || status=1
    done
    return $status
}

clients()
{
    check "$1: ssh, 3 MB there and back" through "$T/much" ssh_password guest 127.0.0.1 anything
    check "$1: a wrong password is refused" refused ssh_password wrong 127.0.0.1 anything
    check "$1: six at once beside one that says nothing" many_at_once
    ! command -v plink >/dev/null || check "$1: plink" through "$T/little" plink_talk guest guest anything
    ! command -v dbclient >/dev/null || check "$1: dbclient" through "$T/little" dbclient_talk guest guest anything
    [ -z "$LIBSSH" ] || check "$1: libssh" "$LIBSSH" "$PORT" guest guest anything 200000
    check "$1: the server is still there" server_alive
    ends "$SERVER_PID"
    SERVER_PID=""
}

for settings in UseIOCP=True UseWindowsMessages=True UseWindowsMessages=False; do
    serve "$RUNNER" "$ECHO" "$settings"
    clients "$settings"
done
serve "$RUNNER" "$ECHO_DLL" IOBackend=auto
clients "nacre.dll, IOBackend=auto"
finish
