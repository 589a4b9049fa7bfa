#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: sftp and scp, whose files arrive byte for byte.
. "$(dirname "$0")/lib.sh"
need sftp scp ssh-keygen openssl

start_server --sftp
random_file here 20000003
mkdir "$T/remote"

sftp_key()
{
    # shellcheck disable=SC2086 # a list of options
    timeout 500 sftp $SSH_COMMON -o BatchMode=yes -i "$T/ed25519" -P "$PORT" "$@" "$USER_NAME@127.0.0.1"
}

put_and_get()
{
    printf 'put %s %s/there\nget %s/there %s/back\nls -l %s\nrm %s/there\n' "$T/here" "$T/remote" "$T/remote" "$T" "$T/remote" \
        "$T/remote" >"$T/batch"
    sftp_key -b "$T/batch" && cmp "$T/here" "$T/back" && [ ! -e "$T/remote/there" ]
}

many_small()
{
    local i

    mkdir "$T/small"
    for i in $(seq 200); do
        echo "file $i" >"$T/small/$i"
    done
    printf 'put -r %s %s\nget -r %s/small %s/small-back\n' "$T/small" "$T/remote" "$T/remote" "$T" >"$T/batch"
    sftp_key -b "$T/batch" && diff -r "$T/small" "$T/small-back"
}

copy()
{
    # shellcheck disable=SC2086 # a list of options
    timeout 500 scp -s $SSH_COMMON -o BatchMode=yes -i "$T/ed25519" -P "$PORT" "$T/here" "$USER_NAME@127.0.0.1:$T/remote/copied" &&
        cmp "$T/here" "$T/remote/copied"
}

check "put and get 20 MB" put_and_get
check "200 small files" many_small
check "scp over sftp" copy
check "exec is not open when only sftp is" refused ssh_key 127.0.0.1 true
finish
