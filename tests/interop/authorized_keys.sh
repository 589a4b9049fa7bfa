#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The options in front of the keys in authorized_keys, with OpenSSH's client: each restricts its own key and no other.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

for name in forced here elsewhere expired future restricted allowed strange tunnels opens listens both; do
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
    line strange 'no-pty,environment="A=b"'
    line tunnels 'no-port-forwarding'
    line opens 'permitopen="127.0.0.1:*",permitopen="[::1]:9"'
    line listens 'permitlisten="localhost:*"'
    line both 'restrict,port-forwarding,permitopen="127.0.0.1:9",permitlisten="9"'
} >>"$T/authorized_keys"

# Authorities of one user alone.
for name in ca ops_ca forcing_ca narrow_ca near_ca; do
    ssh-keygen -q -t ed25519 -N '' -f "$T/key_$name" -C "$name" || exit 1
done
{
    line ca 'cert-authority'
    line ops_ca 'cert-authority,principals="ops,deploy"'
    line forcing_ca 'cert-authority,command="echo \"forced: $SSH_ORIGINAL_COMMAND\""'
    line narrow_ca 'cert-authority,no-pty,no-port-forwarding'
    line near_ca 'cert-authority,from="192.0.2.0/24"'
} >"$T/bobs_keys"
chmod 600 "$T/bobs_keys"

start_server --exec --shell --tunnels --agent-forwarding --authorized-keys "bob:$T/bobs_keys"

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
check "and is named in the log" grep -q "ignored: option 'environment' is not known here" "$T/server.log"

# told TEXT NAME ARGUMENT...: it fails, with these words.
told()
{
    local text=$1

    shift
    ! LOG_LEVEL=INFO by "$@" </dev/null >"$T/told.out" 2>&1 || return 1
    cat "$T/told.out"
    grep -q "$text" "$T/told.out"
}

# listens NAME FORWARD: the server listens there for the client.
listens()
{
    by "$1" -o ExitOnForwardFailure=yes -R "$2:127.0.0.1:9" 127.0.0.1 true
}

check "permitopen: a tunnel" through_tunnel opens
check "permitopen: to another name of the same host" told 'administratively prohibited' opens -W "localhost:$PORT" 127.0.0.1
check "permitopen: to an address in brackets" told 'connect failed' opens -W '[::1]:9' 127.0.0.1
check "permitopen: to another port of it" told 'administratively prohibited' opens -W '[::1]:10' 127.0.0.1
check "permitopen: says nothing of listening" listens opens 0
check "permitlisten: where it permits" listens listens 0
check "permitlisten: elsewhere" refused listens listens 127.0.0.1:0
check "permitlisten: not at a path" refused listens listens "$T/a_path"
check "permitlisten: says nothing of tunnels to somewhere" through_tunnel listens
check "restrict,port-forwarding with both: a tunnel" told 'connect failed' both -W 127.0.0.1:9 127.0.0.1
check "restrict,port-forwarding with both: another" told 'administratively prohibited' both -W 127.0.0.1:10 127.0.0.1
check "restrict,port-forwarding with both: another port to listen on" refused listens both 0
check "which is logged" grep -q "refused .*tunnel, as permitopen does not name it: to localhost port $PORT" "$T/server.log"

# sign CA OPTION...: a certificate for a copy of a key that no file lists, alone in a folder so that ssh finds no other.
sign()
{
    local ca=$1

    shift
    rm -f "$T/c" "$T/c.pub" "$T/c-cert.pub"
    cp "$T/stranger" "$T/c" && cp "$T/stranger.pub" "$T/c.pub" && ssh-keygen -q -s "$T/key_$ca" -I "an id" "$@" "$T/c.pub"
}

login()
{
    WHO=${WHO:-bob} SSH_KEY=$T/c ssh_key "$@"
}

enters()
{
    sign "$@" && prints hello login 127.0.0.1 echo hello
}

stays_out()
{
    sign "$@" && refused login 127.0.0.1 true
}

forced()
{
    sign forcing_ca -n bob "$@" && prints "forced: rm -rf x" login 127.0.0.1 rm -rf x
}

check "cert-authority: for the user" enters ca -n bob
check "cert-authority: for one more" enters ca -n carol,bob
check "cert-authority: for another user" stays_out ca -n alice
WHO=alice check "cert-authority: of another user's file" stays_out ca -n alice
check "cert-authority: for nobody" stays_out ca
check "cert-authority: of a host" stays_out ca -h -n bob
check "cert-authority: no longer valid" stays_out ca -n bob -V 20200101:20200102
check "cert-authority: from another address" stays_out ca -n bob -O source-address=10.0.0.0/8
check "cert-authority: with a critical option that nobody knows" stays_out ca -n bob -O critical:unknown=1
WHO=bob SSH_KEY=$T/key_ca check "cert-authority: its own key is none" refused ssh_key 127.0.0.1 true
check "principals: one of them" enters ops_ca -n deploy
check "principals: not the user's name" stays_out ops_ca -n bob
check "principals: for nobody" stays_out ops_ca
check "cert-authority,command: takes the place of the client's" forced
check "cert-authority,command: the same in the certificate" forced -O 'force-command=echo "forced: $SSH_ORIGINAL_COMMAND"'
check "cert-authority,command: another in the certificate" stays_out forcing_ca -n bob -O force-command=true
check "cert-authority,from: not here" stays_out near_ca -n bob
check "cert-authority,no-pty: logs in" enters narrow_ca -n bob
check "cert-authority,no-pty: no terminal" refused login -tt 127.0.0.1 true
check "cert-authority,no-port-forwarding: no tunnel" refused login -W "127.0.0.1:$PORT" 127.0.0.1 </dev/null
check "a certificate that permits all" sign ca -n bob
check "a certificate that permits all: a terminal" login -tt 127.0.0.1 tty
check "no-pty in the certificate" sign ca -n bob -O no-pty
check "no-pty in the certificate: no terminal" refused login -tt 127.0.0.1 true
check "no-pty in the certificate: a tunnel" login -W "127.0.0.1:$PORT" 127.0.0.1 </dev/null
check "the log names the certificate" grep -q 'user=bob: publickey ssh-ed25519-cert-v01@openssh.com certificate an id' "$T/server.log"
check "a key without options" prints hello ssh_key 127.0.0.1 echo hello
finish
