#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# After the matrix: which peers proved which algorithm of this build. matrix_table.sh PEER...: those that should have run; others
# that did are listed as well.
#
# Fails when a name that some peer ought to have proved was proved by none. Where peers were skipped, it is skipped as well.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/matrix_names.sh"

# What no peer that Debian has speaks, and what there is instead.
alone()
{
    case $2 in
    hmac-ripemd160-96) echo "no peer has it; the vectors of RFC 2286, cut as hmac-sha1-96 is" ;;
    x509v3-sign-rsa | x509v3-sign-dss) echo "no peer has it; tests/unit/crypto/test_x509.c, tests/protocol/test_user_keys.c" ;;
    *) return 1 ;;
    esac
}

# peers KIND NAME: who passed that cell, our own client role last and in brackets.
peers()
{
    awk -v kind="$1" -v name="$2" '
        { part = $3; sub(/\+.*/, "", part) }
        $1 == "ok" && part == kind && $4 == name && !seen[$2]++ { if ($2 == "own") own = "(own client role)"; else print $2 }
        END { if (own) print own }' "$T/all" | paste -sd' '
}

foreign()
{
    awk -v kind="$1" -v name="$2" '
        { part = $3; sub(/\+.*/, "", part) }
        $1 == "ok" && part == kind && $4 == name && $2 != "own" { found = 1 }
        END { exit !found }' "$T/all"
}

proved()
{
    local why

    if foreign "$1" "$2"; then
        printf '%-9s %-46s %s\n' "$1" "$2" "$(peers "$1" "$2")"
    elif why=$(alone "$1" "$2"); then
        printf '%-9s %-46s %s%s\n' "$1" "$2" "$why" "$(peers "$1" "$2" | sed -n 's/^./; &/p')"
    else
        printf '%-9s %-46s UNTESTED%s\n' "$1" "$2" "$(peers "$1" "$2" | sed -n 's/^./ &/p')"
        UNTESTED="$UNTESTED $1:$2"
    fi
}

UNTESTED="" ABSENT=""
for peer in "$@"; do
    [ -f "${NACRE_CELLS:?}/$peer" ] || ABSENT="$ABSENT $peer"
done
cat "$NACRE_CELLS"/* >"$T/all" 2>/dev/null

for name in $KEX; do proved kex "$name"; done
for name in $CIPHERS; do proved cipher "$name"; done
for name in $MACS; do proved mac "$name"; done
for name in $COMPS; do proved comp "$name"; done
for name in $HOST_KEYS; do proved host-key "$name"; done
for name in $USER_KEYS; do proved user-key "$name"; done

echo "cells that passed: $(grep -c . "$T/all")"
[ -z "$ABSENT" ] || skip "not all peers ran:$ABSENT; untested:${UNTESTED:- none}"
check "every algorithm was proved by a peer, or no peer has it" test -z "$UNTESTED"
finish
