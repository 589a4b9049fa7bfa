#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The options in front of the keys in authorized_keys, with OpenSSH's client: each restricts its own key and no other.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

for name in forced here elsewhere expired future restricted allowed strange tunnels; do
    ssh-keygen -q -t ed25519 -N '' -f "$T/key_$name" -C "$name" || exit 1
done
make_keys
# line NAME OPTIONS
line()
{
    printf '%s ' "$2"
    cat "$T/key_$1.pub"
}
{
    line forced 'command="echo \"forced: $SSH_ORIGINAL_COMMAND\""'
    line here 'from="192.0.2.0/24,127.0.0.0/8"'
    line elsewhere 'from="*,!127.0.0.1"'
    line expired 'expiry-time="20010909Z"'
    line future 'expiry-time="29990909"'
    line restricted 'restrict'
    line allowed 'restrict,pty,port-forwarding'
    line strange 'no-pty,principals="alice"'
    line tunnels 'no-port-forwarding'
} >>"$T/authorized_keys"

start_server --exec --shell --tunnels --agent-forwarding

# by NAME ARGUMENT...
by()
{
    SSH_KEY=$T/key_$1 ssh_key "${@:2}"
}

# through_tunnel NAME: the server's own greeting, through a tunnel to itself.
through_tunnel()
{
    by "$1" -W "127.0.0.1:$PORT" 127.0.0.1 </dev/null | head -c 8 | grep -q '^SSH-2.0-'
}

check "command: takes the place of the client's" prints "forced: rm -rf x" by forced 127.0.0.1 rm -rf x
check "command: a shell is none" prints "forced: " by forced 127.0.0.1 '' </dev/null
check "from: the client is there" prints hello by here 127.0.0.1 echo hello
check "from: it is not" refused by elsewhere 127.0.0.1 echo hello
check "expiry-time: over" refused by expired 127.0.0.1 echo hello
check "expiry-time: to come" prints hello by future 127.0.0.1 echo hello
check "restrict: commands run" prints hello by restricted 127.0.0.1 echo hello
check "restrict: no terminal" refused by restricted -tt 127.0.0.1 tty
check "restrict: no tunnel" refused through_tunnel restricted
check "restrict,pty,port-forwarding: a terminal" by allowed -tt 127.0.0.1 tty
check "restrict,pty,port-forwarding: a tunnel" through_tunnel allowed
check "no-port-forwarding: no tunnel" refused through_tunnel tunnels
check "which is logged" grep -q "refused .*tunnel, as the key or certificate does not permit any: to 127.0.0.1 port $PORT" "$T/server.log"
check "no-port-forwarding: a terminal" by tunnels -tt 127.0.0.1 tty
check "an unknown option refuses its line" refused by strange 127.0.0.1 echo hello
check "and is named in the log" grep -q "ignored: option 'principals' is not known here" "$T/server.log"
check "a key without options" prints hello ssh_key 127.0.0.1 echo hello
finish
