#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH's user certificates: who signed, for whom, when, from where, and what they permit.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

make_keys
ssh-keygen -q -t ed25519 -N '' -f "$T/ca" -C ca && ssh-keygen -q -t ecdsa -b 256 -N '' -f "$T/ca2" -C ca2 &&
    ssh-keygen -q -t rsa -b 3072 -N '' -f "$T/ca3" -C ca3 && ssh-keygen -q -t ed25519 -N '' -f "$T/other_ca" -C other ||
    exit 1
cat "$T/ca.pub" "$T/ca2.pub" "$T/ca3.pub" >"$T/cas"
: >"$T/authorized_keys"
start_server --exec --shell --tunnels --user-ca "$T/cas"

# sign CA KEY OPTION...: a certificate for a copy of KEY, alone in a folder so that ssh finds no other.
sign()
{
    local ca=$1 key=$2

    shift 2
    rm -f "$T/c" "$T/c.pub" "$T/c-cert.pub"
    cp "$T/$key" "$T/c" && cp "$T/$key.pub" "$T/c.pub" && ssh-keygen -q -s "$T/$ca" -I "an id" -z 7 "$@" "$T/c.pub"
}

login()
{
    SSH_KEY=$T/c ssh_key "$@"
}

enters()
{
    sign "$@" && prints hello login 127.0.0.1 echo hello
}

stays_out()
{
    sign "$@" && refused login 127.0.0.1 true
}

no_pty()
{
    sign ca ed25519 -n "$USER_NAME" -O no-pty &&
        login -tt 127.0.0.1 true </dev/null 2>&1 | grep -q "PTY allocation request failed"
}

forced()
{
    sign ca ed25519 -n "$USER_NAME" -O force-command='echo forced: $SSH_ORIGINAL_COMMAND' &&
        prints "forced: echo mine" login 127.0.0.1 echo mine && prints "forced:" login 127.0.0.1 </dev/null
}

no_forwarding()
{
    sign ca ed25519 -n "$USER_NAME" -O no-port-forwarding && refused login -W "127.0.0.1:$PORT" 127.0.0.1 </dev/null
}

for key in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
    check "a certified $key logs in" enters ca $key -n "$USER_NAME"
done
check "one of several principals" enters ca2 ed25519 -n "bob,$USER_NAME,carol"
check "an authority with RSA" enters ca3 ed25519 -n "$USER_NAME"
check "from a permitted address" enters ca ed25519 -n "$USER_NAME" -O source-address=10.0.0.0/8,127.0.0.0/8
check "from another address" stays_out ca ed25519 -n "$USER_NAME" -O source-address=10.0.0.0/8
check "for another user" stays_out ca ed25519 -n bob
check "for nobody" stays_out ca ed25519
check "no longer valid" stays_out ca ed25519 -n "$USER_NAME" -V 20200101:20200102
check "not yet valid" stays_out ca ed25519 -n "$USER_NAME" -V +1d:+2d
check "valid now" enters ca ed25519 -n "$USER_NAME" -V -1h:+1h
check "of a host" stays_out ca ed25519 -h -n "$USER_NAME"
check "by an unknown authority" stays_out other_ca ed25519 -n "$USER_NAME"
check "signed with SHA-1" stays_out ca3 ed25519 -t ssh-rsa -n "$USER_NAME"
check "with a critical option that nobody knows" stays_out ca ed25519 -n "$USER_NAME" -O critical:unknown=1
check "without a terminal" no_pty
check "with a forced command" forced
check "without tunnels" no_forwarding
check "the plain key does not" refused ssh_key 127.0.0.1 true
check "the log names the certificate" grep -q 'publickey ssh-ed25519-cert-v01@openssh.com certificate an id' "$T/server.log"
finish
