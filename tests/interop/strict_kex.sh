#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# UseStrictKeyExchange 0 to 3 (CVE-2023-48795) with real clients that have strict key exchange and real ones that do not: who gets
# in with which ciphers, and that the sequence numbers were reset exactly where both sides have it.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen
here=$(cd "$(dirname "$0")" && pwd)

CHACHA=chacha20-poly1305@openssh.com
CELLS="$CHACHA:hmac-sha2-256 aes128-cbc:hmac-sha2-256-etm@openssh.com aes256-gcm@openssh.com:hmac-sha2-256
    aes256-ctr:hmac-sha2-256-etm@openssh.com aes128-cbc:hmac-sha2-256"

# What lets a prefix of the stream be cut away: ChaCha20-Poly1305, and CBC with encrypt-then-MAC.
is_truncatable()
{
    case $1 in
    "$CHACHA":* | *-cbc:*-etm@openssh.com) return 0 ;;
    esac
    return 1
}

ssh_debug()
{
    LOG_LEVEL=DEBUG3 ssh_key -o "Ciphers=${1%%:*}" -o "MACs=${1#*:}" 127.0.0.1 echo hello >"$T/out" 2>"$T/debug" &&
        [ "$(cat "$T/out")" = hello ]
}

# OpenSSH itself says whether numbers started again at 0.
ssh_strictly()
{
    ssh_debug "$1" && grep -q 'will use strict KEX ordering' "$T/debug" &&
        grep -q 'resetting send seqnr' "$T/debug" && grep -q 'resetting read seqnr' "$T/debug"
}

ssh_as_ever()
{
    ssh_debug "$1" && ! grep -q -e 'will use strict KEX' -e 'resetting .* seqnr' "$T/debug"
}

lenient()
{
    timeout 300 /usr/bin/python3 -W ignore "$here/lenient_client.py" "$1" "$PORT" "$USER_NAME" "$T/ed25519" "${2%%:*}" "${2#*:}"
}

# may_in SETTING CELL: whether a client without strict key exchange is let in.
may_in()
{
    case $1 in
    0 | 1) return 0 ;;
    2) ! is_truncatable "$2" ;;
    *) return 1 ;;
    esac
}

refusals()
{
    grep -c 'strict key exchange' "$T/server.log"
}

more_refusals_than()
{
    [ "$(refusals)" -gt "$1" ]
}

# A refusal has to be ours, with its reason, and not some failure of the client's.
refused_for()
{
    local before

    before=$(refusals)
    refused lenient "$1" "$2" && settles more_refusals_than "$before"
}

clients=""
for module in paramiko asyncssh; do
    ! /usr/bin/python3 -W ignore -c "import $module" 2>/dev/null || clients="$clients $module"
done

grep -a -q 'kex-strict-c-v00@openssh.com' "$(command -v ssh)" || skip "this ssh has no strict key exchange"

for setting in 0 1 2 3; do
    start_server --exec --set AlgorithmProfile=compatible --set "UseStrictKeyExchange=$setting"
    for cell in $CELLS; do
        how=strictly
        [ $setting -ne 0 ] || how=as_ever
        check "UseStrictKeyExchange=$setting, ssh with ${cell/:/ } goes on ${how//_/ }" ssh_$how "$cell"
        for client in $clients; do
            # Paramiko has neither of the two.
            case $client:$cell in
            paramiko:chacha20* | paramiko:*gcm*) continue ;;
            esac
            if may_in $setting "$cell"; then
                check "UseStrictKeyExchange=$setting, $client without it, ${cell/:/ }: let in" lenient "$client" "$cell"
            else
                check "UseStrictKeyExchange=$setting, $client without it, ${cell/:/ }: refused" refused_for "$client" "$cell"
            fi
        done
    done
    [ $setting -eq 3 ] || check "the server ends when told to" stop_server
done
finish
