#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Host keys as OpenSSH's client learns them: UpdateHostKeys, and certificates of hosts.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

make_keys
make_host_keys
# In a form that ssh-keygen reads, too.
rm -f "$T/host_ed25519"
ssh-keygen -q -t ed25519 -N '' -f "$T/host_ed25519" -C host &&
    ssh-keygen -q -t ed25519 -N '' -f "$T/retired" -C retired || exit 1

# public_of KEY: the public half of a host key in one line.
public_of()
{
    ssh-keygen -y -f "$T/$1" | cut -d' ' -f1,2
}

# learn [OPTION]...: ssh that trusts known_hosts alone, and learns.
learn()
{
    timeout 60 ssh -F none -o UserKnownHostsFile="$T/known" -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes \
        -o UpdateHostKeys="${LEARN:-yes}" -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=20 -o LogLevel="${LOG_LEVEL:-ERROR}" \
        -i "$T/ed25519" -p "$PORT" -l "$USER_NAME" "$@"
}

# known KEY: known_hosts has it.
known()
{
    grep -qF "$(public_of "$1")" "$T/known"
}

unknown()
{
    ! known "$1"
}

# ssh writes its file some time after it has the proofs; it may have left before.
learns()
{
    local key

    learn 127.0.0.1 sleep 1 || return 1
    for key in "$@"; do
        known "$key" || return 1
    done
}

host()
{
    echo "[127.0.0.1]:$PORT"
}

start_server --exec --set SSHPublicKeyAlgorithms=ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256
{
    echo "$(host) $(public_of host_ed25519)"
    echo "$(host) $(public_of retired)"
} >"$T/known"
check "learns all keys" settles learns host_ed25519 host_ecdsa256 host_ecdsa384 host_ecdsa521 host_rsa
check "forgets the retired key" unknown retired
for algorithm in ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-512 rsa-sha2-256; do
    LEARN=no check "then knows $algorithm" learn -o HostKeyAlgorithms=$algorithm 127.0.0.1 true
done

# An RSA key proves itself by the algorithm of the key exchange.
learns_over()
{
    echo "$(host) $(public_of host_rsa)" >"$T/known"
    learn -o HostKeyAlgorithms="$1,ssh-ed25519" 127.0.0.1 sleep 1 && known host_ed25519
}
check "learns over rsa-sha2-512" settles learns_over rsa-sha2-512
check "learns over rsa-sha2-256" settles learns_over rsa-sha2-256
learns_rsa()
{
    echo "$(host) $(public_of host_ed25519)" >"$T/known"
    learn -o HostKeyAlgorithms="ssh-ed25519,$1" 127.0.0.1 sleep 1 && known host_rsa
}
check "learns the RSA key by rsa-sha2-512" settles learns_rsa rsa-sha2-512
check "learns the RSA key by rsa-sha2-256" settles learns_rsa rsa-sha2-256
echo "$(host) $(public_of retired)" >"$T/known"
check "another key is refused" refused learn 127.0.0.1 true

check "the server ends when told to" stop_server
start_server --exec --set AnnounceHostKeys=False
echo "$(host) $(public_of host_ed25519)" >"$T/known"
check "nothing is announced when it is switched off" learn 127.0.0.1 sleep 1
check "and nothing learnt" unknown host_rsa
finish
