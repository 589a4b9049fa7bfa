#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# echo_server for Windows, run by Wine over each I/O model, and clients of this system: OpenSSH, PuTTY's plink, Dropbear's dbclient
# and libssh, as far as they are here. ECHO and ECHO_DLL (with nacre.dll) are the programs, RUNNER is Wine.
. "$(dirname "$0")/lib.sh"
need "$RUNNER" ssh

# One folder for all runs of one user: Wine takes long to make it.
export WINEPREFIX=${WINEPREFIX:-${NACRE_CACHE:-/tmp}/nacre-wine-$(id -u)} WINEDEBUG=-all
export WHO=guest
random_file much 3000000
random_file little 5000
LIBSSH=""
if cc "$TESTS/echo_libssh.c" -o "$T/echo_libssh" -lssh >/dev/null 2>&1; then
    LIBSSH=$T/echo_libssh
fi

plink_echo()
{
    timeout 300 ssh-keyscan -p "$PORT" -t ed25519 127.0.0.1 >"$T/scanned" 2>/dev/null
    timeout 300 plink -ssh -batch -no-antispoof -hostkey "$(ssh-keygen -lf "$T/scanned" | awk '{ print $2; exit }')" -P "$PORT" -pw guest \
        guest@127.0.0.1 anything
}

dbclient_echo()
{
    DROPBEAR_PASSWORD=guest timeout 300 dbclient -y -y -T -p "$PORT" guest@127.0.0.1 anything
}

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
    ! command -v plink >/dev/null || check "$1: plink" through "$T/little" plink_echo
    ! command -v dbclient >/dev/null || check "$1: dbclient" through "$T/little" dbclient_echo
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
