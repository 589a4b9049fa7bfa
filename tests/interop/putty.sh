#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# PuTTY's plink and psftp.
. "$(dirname "$0")/lib.sh"
need plink psftp puttygen ssh-keyscan ssh-keygen openssl

start_server --exec --shell --sftp --keyboard-interactive
random_file megabyte 1048576
mkdir "$T/remote"

timeout 300 ssh-keyscan -p "$PORT" -t ed25519,ecdsa,rsa 127.0.0.1 >"$T/scanned" 2>/dev/null
HOST_KEYS=""
for fingerprint in $(ssh-keygen -lf "$T/scanned" | awk '{ print $2 }'); do
    HOST_KEYS="$HOST_KEYS -hostkey $fingerprint"
done

link()
{
    # shellcheck disable=SC2086 # a list of options
    timeout "${LIMIT:-300}" plink -ssh -batch -no-antispoof $HOST_KEYS -P "$PORT" "$@"
}

link_key()
{
    link -i "$T/$key.ppk" "$USER_NAME@127.0.0.1" "$@"
}

link_password()
{
    link -pw "$1" "$2@127.0.0.1" "$3" </dev/null
}

streams_apart()
{
    link_key 'echo out; echo err >&2; exit 7' >"$T/1" 2>"$T/2"
    [ $? -eq 7 ] && printf 'out\n' | cmp - "$T/1" && grep -qx err "$T/2"
}

put_and_get()
{
    printf 'put %s %s/there\nget %s/there %s/back\n' "$T/megabyte" "$T/remote" "$T/remote" "$T" >"$T/batch"
    # shellcheck disable=SC2086 # a list of options
    timeout 300 psftp -batch $HOST_KEYS -P "$PORT" -i "$T/ed25519.ppk" -b "$T/batch" "$USER_NAME@127.0.0.1" &&
        cmp "$T/megabyte" "$T/back"
}

check "ssh-keyscan sees the host keys" test -n "$HOST_KEYS"
for key in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
    puttygen "$T/$key" -o "$T/$key.ppk" </dev/null >/dev/null 2>&1
    check "publickey $key" prints hello link_key echo hello
done
key=ed25519
check "password, or keyboard-interactive" prints hello link_password "$PASSWORD" "$USER_NAME" 'echo hello'
check "wrong password is refused" refused link_password wrong "$USER_NAME" 'echo hello'
check "unknown user is refused" refused link_password "$PASSWORD" mallory 'echo hello'
check "1 MiB through cat" through "$T/megabyte" link_key cat
check "1 MiB through cat, compressed" through "$T/megabyte" link -C -i "$T/ed25519.ppk" "$USER_NAME@127.0.0.1" cat
check "exit status, stdout and stderr" streams_apart
check "psftp put and get" put_and_get
finish
