# SPDX-License-Identifier: Apache-2.0
# For the scripts with a server for Windows: Wine's folder, and clients of this system. Each of them sends what it reads to COMMAND and
# writes what comes back; LIMIT ends it.
# shellcheck shell=bash

# One folder for all runs of one user: Wine takes long to make it.
export WINEPREFIX=${WINEPREFIX:-${NACRE_CACHE:-/tmp}/nacre-wine-$(id -u)} WINEDEBUG=${WINEDEBUG:--all}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LIBSSH=""
if cc "$HERE/echo_libssh.c" -o "$T/echo_libssh" -lssh >/dev/null 2>&1; then
    LIBSSH=$T/echo_libssh
fi

# plink_talk USER PASSWORD COMMAND
plink_talk()
{
    timeout "${LIMIT:-300}" ssh-keyscan -p "$PORT" -t ed25519 127.0.0.1 >"$T/scanned" 2>/dev/null
    timeout "${LIMIT:-300}" plink -ssh -batch -no-antispoof -hostkey "$(ssh-keygen -lf "$T/scanned" | awk '{ print $2; exit }')" -P "$PORT" \
        -pw "$2" "$1@127.0.0.1" "$3"
}

# dbclient_talk USER PASSWORD COMMAND [OPTION]...
dbclient_talk()
{
    local user=$1 password=$2 command=$3

    shift 3
    DROPBEAR_PASSWORD=$password timeout "${LIMIT:-300}" dbclient -y -y -T "$@" -p "$PORT" "$user@127.0.0.1" "$command"
}
