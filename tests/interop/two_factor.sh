#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two factors with OpenSSH: password then key, key then code; one alone, the wrong order and the wrong user get nowhere.
# two_factor.sh PROGRAM: examples/two_factor.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen
program=$1
make_keys

serve "$program" "$T/ed25519.pub" 0

# logs_in USER METHODS TYPED KEY: answers every prompt with TYPED.
logs_in()
{
    printf '#!/bin/sh\necho "%s"\n' "$3" >"$T/askpass"
    chmod 700 "$T/askpass"
    # shellcheck disable=SC2086 # a list of options
    SSH_ASKPASS=$T/askpass SSH_ASKPASS_REQUIRE=force timeout 300 ssh $SSH_COMMON -o LogLevel=ERROR \
        -o NumberOfPasswordPrompts=1 -o "PreferredAuthentications=$2" -i "$T/$4" -p "$PORT" -l "$1" 127.0.0.1 </dev/null
}

good="Both factors were good."
greets()
{
    [ "$(logs_in "$@")" = "$good" ]
}

check "password, then key" greets alice password,publickey wonderland ed25519
check "key, then code" greets bob publickey,keyboard-interactive 123456 ed25519
check "the wrong password" refused greets alice password,publickey looking-glass ed25519
check "the wrong key" refused greets alice password,publickey wonderland stranger
check "a password alone" refused greets alice password wonderland ed25519
check "a key alone" refused greets alice publickey wonderland ed25519
check "the wrong code" refused greets bob publickey,keyboard-interactive 654321 ed25519
check "a code alone" refused greets bob keyboard-interactive 123456 ed25519
check "another user" refused greets carol password,publickey wonderland ed25519
finish
