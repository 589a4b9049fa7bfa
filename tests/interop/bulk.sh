#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Much data both ways at once, with a key re-exchange every REKEY bytes from either side, checked byte for byte: bulk.sh BYTES REKEY
. "$(dirname "$0")/lib.sh"
need ssh-keygen openssl
[ -x "${NACRE_BENCH:-}" ] || skip "nacre-bench was not built"

BYTES=$1
REKEY=$2
# The side that rekeys seals no data with a key that has reached the threshold, whatever is in flight the other way: none of its keys
# carries more than the threshold, the packet that reached it, and the few short ones that may still follow.
KEY_MAX=$((REKEY + 65536))
LEAST=$(((BYTES + KEY_MAX - 1) / KEY_MAX - 1))

# bulk OPTION...
bulk()
{
    local rekeys

    timeout "${LIMIT:-2400}" "$NACRE_BENCH" bulk --target "127.0.0.1:$PORT" --user "$USER_NAME" --password "$PASSWORD" \
        -c 1 -n "$BYTES" --direction both --verify --no-progress --json "$T/bulk.json" "$@" || return 1
    rekeys=$(sed -n 's/^"rekeys": \([0-9]*\),*$/\1/p' "$T/bulk.json")
    echo "$rekeys key exchanges, at least $LEAST wanted"
    [ "$rekeys" -ge "$LEAST" ]
}

for side in client server; do
    rekey_client="" rekey_server=""
    [ $side = server ] || rekey_client="--rekey $REKEY"
    [ $side = client ] || rekey_server="--set KeyRenegotiationThreshold=$REKEY"
    # shellcheck disable=SC2086 # options
    start_server --exec --bench $rekey_server
    # shellcheck disable=SC2086 # options
    {
        check "$BYTES, the $side rekeys, aes256-gcm" bulk --cipher aes256-gcm@openssh.com $rekey_client
        check "$BYTES, the $side rekeys, chacha20-poly1305" bulk --cipher chacha20-poly1305@openssh.com $rekey_client
        check "$BYTES, the $side rekeys, aes128-ctr" bulk --cipher aes128-ctr --mac hmac-sha2-256-etm@openssh.com $rekey_client
    }
    check "the server ends when told to" stop_server
    check "no sanitizer report" no_reports
done
finish
