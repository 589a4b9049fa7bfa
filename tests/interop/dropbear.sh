#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Dropbear's dbclient.
. "$(dirname "$0")/lib.sh"
need dbclient dropbearconvert ssh-keygen openssl

start_server --exec --shell --set AlgorithmProfile=compatible
random_file megabyte 1048576
mkdir -p "$T/.ssh"

db()
{
    # -y twice: any host key; the known hosts are below HOME, which is ours.
    timeout "${LIMIT:-300}" dbclient -y -y -T -p "$PORT" "$@"
}

db_key()
{
    db -i "$T/db.$key" "$USER_NAME@127.0.0.1" "$@"
}

db_password()
{
    DROPBEAR_PASSWORD=$1 db "$2@127.0.0.1" "$3" </dev/null
}

# dbclient ends with status 0 when the server hangs up during the login.
no_hello()
{
    ! "$@" | grep hello
}

streams_apart()
{
    db_key 'echo out; echo err >&2; exit 7' >"$T/1" 2>"$T/2"
    [ $? -eq 7 ] && printf 'out\n' | cmp - "$T/1" && grep -qx err "$T/2"
}

for key in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
    dropbearconvert openssh dropbear "$T/$key" "$T/db.$key" >/dev/null 2>&1 || {
        # The older format, for a dropbearconvert that does not know the newer one.
        cp "$T/$key" "$T/old" && ssh-keygen -q -p -m PEM -N '' -f "$T/old" >/dev/null
        dropbearconvert openssh dropbear "$T/old" "$T/db.$key" >/dev/null 2>&1
    }
    check "publickey $key" prints hello db_key echo hello
done
key=ed25519
check "password" prints hello db_password "$PASSWORD" "$USER_NAME" 'echo hello'
check "wrong password is refused" no_hello db_password wrong "$USER_NAME" 'echo hello'
check "unknown user is refused" no_hello db_password "$PASSWORD" mallory 'echo hello'
check "1 MiB through cat" through "$T/megabyte" db_key cat
check "exit status, stdout and stderr" streams_apart
for cipher in aes128-ctr aes256-ctr chacha20-poly1305@openssh.com; do
    check "cipher $cipher" through "$T/megabyte" db -c $cipher -i "$T/db.ed25519" "$USER_NAME@127.0.0.1" cat
done
check "mac hmac-sha2-256" through "$T/megabyte" db -c aes128-ctr -m hmac-sha2-256 -i "$T/db.ed25519" "$USER_NAME@127.0.0.1" cat
finish
