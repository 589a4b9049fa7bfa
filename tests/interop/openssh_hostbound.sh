#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH's publickey-hostbound-v00@openssh.com: what is signed names our host key. Used by ssh 8.9 and newer by
# itself, with a key of its own and with an agent; an agent that may sign for certain hosts only goes by it.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen ssh-keyscan ssh-agent ssh-add openssl
case $(ssh -V 2>&1) in
OpenSSH_[1-7].* | OpenSSH_8.[0-8]*) skip "this ssh is older than 8.9" ;;
esac
start_server --exec

# How the key signed, from what ssh says about itself.
signs_bound()
{
    LOG_LEVEL=DEBUG3 "$@" 127.0.0.1 true 2>&1 | grep -a 'publickey-hostbound-v00@openssh.com' | grep -aq 'sign_and_send_pubkey: using'
}

announced()
{
    LOG_LEVEL=DEBUG1 ssh_key 127.0.0.1 true 2>&1 | grep -aq 'publickey-hostbound@openssh.com=<0>'
}

unbound()
{
    LOG_LEVEL=DEBUG3 ssh_key -o PubkeyAuthentication=unbound 127.0.0.1 echo hello
}

check "the server announces it" announced
for key in ed25519 ecdsa256 rsa; do
    SSH_KEY=$T/$key
    check "$key: bound" signs_bound ssh_key
    check "$key: logs in" prints hello ssh_key 127.0.0.1 echo hello
done
SSH_KEY=$T/ed25519
check "the plain form still does" prints hello unbound

# The agent: its keys are named by their public halves.
eval "$(ssh-agent -s -a "$T/agent" 2>/dev/null)" >/dev/null
PIDS="$PIDS $SSH_AGENT_PID"
mkdir "$T/public" && cp "$T/ed25519.pub" "$T/public/key.pub"
agent_login()
{
    SSH_KEY=$T/public/key.pub ssh_key "$@"
}

ssh-add -q "$T/ed25519" 2>/dev/null
check "an agent signs for the host" signs_bound agent_login
check "and is let in" prints hello agent_login 127.0.0.1 echo hello

# An agent that is told for which hosts: it wants the host's key inside what it signs.
ssh-keyscan -t ed25519 -p "$PORT" 127.0.0.1 >"$T/hosts" 2>/dev/null
printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cat "$T/stranger.pub")" >"$T/other_hosts"
constrain()
{
    ssh-add -q -D 2>/dev/null
    ssh-add -q -H "$1" -h "[127.0.0.1]:$PORT" "$T/ed25519"
}
limited_login()
{
    agent_login -o HostKeyAlgorithms=ssh-ed25519 127.0.0.1 echo hello
}
check "an agent is told of this host" constrain "$T/hosts"
check "and signs for it" prints hello limited_login
check "an agent is told of another host" constrain "$T/other_hosts"
check "and does not sign for this one" refused limited_login
finish
