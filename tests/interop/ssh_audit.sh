#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ssh-audit against AlgorithmProfile=modern: no [fail] and no [warn]. Its whole verdict is in the test's output.
#
# One line is let pass, and only from an ssh-audit before 3.1.0: such a one does not know the marker of strict key exchange, which is no
# algorithm, and warns of every name that it does not know. Later ones want to see that very marker.
. "$(dirname "$0")/lib.sh"
need ssh-audit ssh-keygen openssl

AGE='kex-strict-s-v00@openssh.com .*\[warn\] unknown algorithm'
version=$(ssh-audit --help 2>&1 | sed -n 's/.*ssh-audit v\([0-9.]*\).*/\1/p' | head -n 1)

knows_the_marker()
{
    [ "$(printf '%s\n' 3.1.0 "$version" | sort -V | head -n 1)" = 3.1.0 ]
}

# Later ones also try how many connections a second they get, which is not a matter of algorithms.
rate_option()
{
    ssh-audit --help 2>&1 | grep -o -e '--skip-rate-test' | head -n 1
}

# audit WHAT: the verdict of one server; T/audit keeps it.
audit()
{
    # shellcheck disable=SC2046 # an option or none
    timeout 120 ssh-audit -n $(rate_option) -p "$PORT" 127.0.0.1 >"$T/audit" 2>&1 </dev/null
    echo "--- ssh-audit $version: $1"
    cat "$T/audit"
}

# What it saw; an audit that could not connect finds no fault either.
saw_the_offer()
{
    grep -q '^(kex) curve25519-sha256 ' "$T/audit" && grep -q '^(enc) aes256-gcm@openssh.com ' "$T/audit" &&
        grep -q '^(mac) hmac-sha2-256-etm@openssh.com ' "$T/audit" && grep -q '^(key) ssh-ed25519 ' "$T/audit"
}

no_verdict_of()
{
    local mark=$1

    if knows_the_marker; then
        ! grep -F "$mark" "$T/audit"
    else
        ! grep -F "$mark" "$T/audit" | grep -v -E "$AGE"
    fi
}

start_server --exec --set AlgorithmProfile=modern
audit "AlgorithmProfile=modern, keys of every kind"
check "it saw what we offer" saw_the_offer
check "no [fail]" no_verdict_of '[fail]'
check "no [warn]" no_verdict_of '[warn]'
check "rsa-sha2 signatures are among what it saw" grep -q '^(key) rsa-sha2-512 ' "$T/audit"
check "the server ends when told to" stop_server

# The test can fail: the class's own lists are full of what it warns of.
start_server --exec --set AlgorithmProfile=compatible
audit "AlgorithmProfile=compatible, as a counter-check" >/dev/null
check "the class's old algorithms are found" grep -q -F '[fail]' "$T/audit"
finish
