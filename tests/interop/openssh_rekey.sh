#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: key re-exchange from either side in the middle of 64 MiB, byte for byte.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

SIZE=${SIZE:-67108864}
random_file big "$SIZE"

# rekeys LEAST OPTION...: the file goes out and comes back, with at least LEAST key exchanges.
rekeys()
{
    local least=$1 seen

    shift
    LIMIT=2400 LOG_LEVEL=DEBUG1 ssh_key "$@" 127.0.0.1 cat <"$T/big" >"$T/out" 2>"$T/debug" || {
        tail -n 5 "$T/debug"
        return 1
    }
    cmp "$T/big" "$T/out" || return 1
    seen=$(grep -c 'SSH2_MSG_NEWKEYS received' "$T/debug")
    [ "$seen" -ge "$least" ] || {
        echo "$seen key exchanges, at least $least wanted"
        return 1
    }
}

start_server --exec
check "the client's RekeyLimit of 1 MiB" rekeys 40 -o RekeyLimit=1M
check "the same with chacha20-poly1305" rekeys 40 -o RekeyLimit=1M -o Ciphers=chacha20-poly1305@openssh.com
check "the same with aes128-ctr and an etm MAC" rekeys 40 -o RekeyLimit=1M -o Ciphers=aes128-ctr -o MACs=hmac-sha2-256-etm@openssh.com
check "the same, compressed" rekeys 20 -o RekeyLimit=1M -C
check "to the server alone" status_is 0 ssh_key -o RekeyLimit=1M 127.0.0.1 'cat >/dev/null' <"$T/big"
check "the server ends when told to" stop_server

start_server --exec --set KeyRenegotiationThreshold=1048576
check "the server's KeyRenegotiationThreshold of 1 MiB" rekeys 40
check "both sides at once" rekeys 40 -o RekeyLimit=1M
finish
