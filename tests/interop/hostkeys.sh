#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Host keys as OpenSSH's client learns them: UpdateHostKeys, and certificates of hosts.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen ssh-keyscan openssl

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
    timeout 300 ssh -F none -o UserKnownHostsFile="$T/known" -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes \
        -o UpdateHostKeys="${LEARN:-yes}" -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=120 -o LogLevel="${LOG_LEVEL:-ERROR}" \
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

start_again --exec --set AnnounceHostKeys=False
echo "$(host) $(public_of host_ed25519)" >"$T/known"
check "nothing is announced when it is switched off" learn 127.0.0.1 sleep 1
check "and nothing learnt" unknown host_rsa
check "the server ends when told to" stop_server
SERVER_PID=""

# ---- keys that change while the server listens ----

ROTATING=$1
mkfifo "$T/orders"
"$ROTATING" <"$T/orders" >"$T/rotating.log" 2>&1 &
ROTATING_PID=$!
PIDS="$PIDS $ROTATING_PID"
exec 7>"$T/orders"

# order LINE: gives the server a line and waits until it is done; its result is in DONE.
ORDERS=0
order()
{
    ORDERS=$((ORDERS + 1))
    echo "$1" >&7
    settles lines_are "$ORDERS" || return 1
    DONE=$(grep '^done' "$T/rotating.log" | tail -n 1)
    echo "$DONE"
    case $DONE in "done 0 "*) ;; *) return 1 ;; esac
}

lines_are()
{
    [ "$(grep -c '^done' "$T/rotating.log")" -eq "$1" ]
}

ssh-keygen -q -t ed25519 -N '' -f "$T/host_new" -C new || exit 1
check "the first key" order "key=$T/host_ed25519"
wait_for_port "$T/rotating.log" "$ROTATING_PID" || exit 1
echo "$(host) $(public_of host_ed25519)" >"$T/known"
check "a client knows it" learn 127.0.0.1 true
check "room for a second key" order "AltSSHCertCount=1"
check "its type" order "AltSSHCertStoreType[0]=99"
check "its file" order "AltSSHCertStore[0]=$T/host_new"
check "it is announced from now on" order "AltSSHCertSubject[0]=*"
learns_new()
{
    prints welcome learn 127.0.0.1 true && known host_new
}
check "and learnt by the first client that comes" settles learns_new
check "the new key takes the old one's place" order "key=$T/host_new"
check "the second place is not needed any more" order "AltSSHCertCount=0"
forgets_old()
{
    prints welcome learn 127.0.0.1 true && unknown host_ed25519 && known host_new
}
check "the old key is forgotten, and nobody was asked" settles forgets_old
check "a key that cannot be read is refused" refused order "key=$T/known"
check "and the one in use stays" prints welcome learn 127.0.0.1 true
exec 7>&-
check "the server ends with its orders" wait "$ROTATING_PID"

# ---- certificates of hosts ----

ssh-keygen -q -t ed25519 -N '' -f "$T/host_ca" -C ca && ssh-keygen -q -t ed25519 -N '' -f "$T/other_ca" -C other || exit 1

# certify KEY OPTION...: KEY-cert.pub, signed by the authority.
certify()
{
    local key=$1

    shift
    ssh-keygen -y -f "$T/$key" >"$T/$key.pub" && ssh-keygen -q -s "${CA:-$T/host_ca}" -I "a host" -h "$@" "$T/$key.pub"
}

# trusts [OPTION]...: a client that knows the authority alone.
trusts()
{
    echo "@cert-authority [127.0.0.1]:* $(cut -d' ' -f1,2 "$T/host_ca.pub")" >"$T/known"
    LEARN=no learn "$@"
}

certify host_ed25519 -n 127.0.0.1 -V -1h:+1h && certify host_rsa -n 127.0.0.1 -V -1h:+1h || exit 1
start_again --exec --host-certificate "$T/host_ed25519-cert.pub" --host-certificate "$T/host_rsa-cert.pub"
check "a client that knows the authority alone" prints hello trusts 127.0.0.1 echo hello
check "over RSA by SHA-512" prints hello trusts -o HostKeyAlgorithms=rsa-sha2-512-cert-v01@openssh.com 127.0.0.1 echo hello
check "over RSA by SHA-256" prints hello trusts -o HostKeyAlgorithms=rsa-sha2-256-cert-v01@openssh.com 127.0.0.1 echo hello
check "by another name" refused trusts -o HostKeyAlias=elsewhere 127.0.0.1 true
echo "@cert-authority [127.0.0.1]:* $(cut -d' ' -f1,2 "$T/other_ca.pub")" >"$T/known"
check "an authority that did not sign" refused learn 127.0.0.1 true
echo "$(host) $(public_of host_ed25519)" >"$T/known"
check "a client that knows the key" prints hello learn 127.0.0.1 echo hello
rekeyed()
{
    random_file data 2000000 && trusts -o RekeyLimit=256K 127.0.0.1 cat <"$T/data" | cmp - "$T/data"
}
check "keys are exchanged again over a certificate" rekeyed

certify host_ed25519 -n elsewhere -V -1h:+1h || exit 1
start_again --exec --host-certificate "$T/host_ed25519-cert.pub"
check "a certificate for another host" refused trusts 127.0.0.1 true
check "the server ends when told to" stop_server
SERVER_PID=""

# starts_not WHAT OPTION...: the server refuses to start, and says WHAT.
starts_not()
{
    local what=$1

    shift
    timeout 300 "$NACRED" --listen 127.0.0.1:0 "$@" >"$T/refused.log" 2>&1 </dev/null && return 1
    cat "$T/refused.log"
    grep -qF -- "$what" "$T/refused.log"
}

certify host_ed25519 -n 127.0.0.1 -V 20200101:20200102 || exit 1
check "one that has expired" starts_not expired --host-key "$T/host_ed25519" --host-certificate "$T/host_ed25519-cert.pub"
certify host_ed25519 -n 127.0.0.1 -V +1d:+2d || exit 1
check "one that is not valid yet" starts_not "not valid yet" --host-key "$T/host_ed25519" --host-certificate "$T/host_ed25519-cert.pub"
check "one of another key" starts_not "none of the server's keys" --host-key "$T/host_new" --host-certificate "$T/host_rsa-cert.pub"
ssh-keygen -q -s "$T/host_ca" -I user -n alice "$T/host_ed25519.pub" || exit 1
check "one of a user" starts_not "for users" --host-key "$T/host_ed25519" --host-certificate "$T/host_ed25519-cert.pub"
check "no certificate at all" starts_not "no OpenSSH certificate" --host-key "$T/host_ed25519" --host-certificate "$T/host_ed25519.pub"
ssh-keygen -y -f "$T/host_rsa" >"$T/host_public" && chmod 600 "$T/host_public" || exit 1
check "a public key as host key" starts_not "public key only" --host-key "$T/host_public"

# ---- --host-key and --set ----

keys_are()
{
    ssh-keyscan -p "$PORT" 127.0.0.1 2>/dev/null | grep -v '^#' | cut -d' ' -f2 | sort | tr '\n' ' ' >"$T/scanned"
    cat "$T/scanned"
    [ "$(cat "$T/scanned")" = "$1" ]
}

only()
{
    serve "$NACRED" --listen 127.0.0.1:0 --set SSHPublicKeyAlgorithms=ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512 "$@"
}

ALT="--set AltSSHCertCount=1 --set AltSSHCertStoreType[0]=99 --set AltSSHCertStore[0]=$T/host_ecdsa256 --set AltSSHCertSubject[0]=*"
only --host-key "$T/host_ed25519" --host-key "$T/host_rsa"
check "two keys" keys_are "ssh-ed25519 ssh-rsa "
# shellcheck disable=SC2086 # a list of options
only --host-key "$T/host_ed25519" --host-key "$T/host_rsa" $ALT
check "two keys and one by --set" keys_are "ecdsa-sha2-nistp256 ssh-ed25519 ssh-rsa "
# shellcheck disable=SC2086 # a list of options
only $ALT --host-key "$T/host_ed25519"
check "in any order" keys_are "ecdsa-sha2-nistp256 ssh-ed25519 "
# shellcheck disable=SC2086 # a list of options
only $ALT
check "--set alone" keys_are "ecdsa-sha2-nistp256 "
only --set ssh_cert_store_type=99 --set "ssh_cert_store=$T/host_rsa" --set 'ssh_cert_subject=*' --host-key "$T/host_ed25519"
check "behind ssh_cert" keys_are "ssh-ed25519 ssh-rsa "
finish
