# SPDX-License-Identifier: Apache-2.0
# SFTP's real clients against a server of start_server that serves the empty folder $T/served.
# shellcheck shell=bash

# sftp_batch COMMAND...: one a line.
sftp_batch()
{
    printf '%s\n' "$@" >"$T/batch"
    # shellcheck disable=SC2086 # a list of options
    timeout 300 sftp $SSH_COMMON -o BatchMode=yes -i "$T/ed25519" -P "$PORT" -b "$T/batch" "$USER_NAME@127.0.0.1"
}

sftp_put_and_get()
{
    sftp_batch "put $T/here /there" "get there $T/back" "ls -l" "rename there again" "chmod 600 again" "rm /../again" &&
        cmp "$T/here" "$T/back" && [ -z "$(ls -A "$T/served")" ]
}

sftp_many_small()
{
    local i

    mkdir -p "$T/small"
    for i in $(seq 200); do
        echo "file $i" >"$T/small/$i"
    done
    sftp_batch "put -r $T/small /" "get -r /small $T/small-back" && diff -r "$T/small" "$T/small-back" &&
        diff -r "$T/small" "$T/served/small" || return 1
    rm -r "$T/served/small" "$T/small-back"
}

sftp_copy()
{
    # shellcheck disable=SC2086 # a list of options
    timeout 300 scp -s $SSH_COMMON -o BatchMode=yes -i "$T/ed25519" -P "$PORT" "$T/here" "$USER_NAME@127.0.0.1:/copied" &&
        cmp "$T/here" "$T/served/copied" &&
        timeout 300 scp -s $SSH_COMMON -o BatchMode=yes -i "$T/ed25519" -P "$PORT" "$USER_NAME@127.0.0.1:copied" "$T/back" &&
        cmp "$T/here" "$T/back" && rm "$T/served/copied"
}

sftp_putty()
{
    timeout 300 ssh-keyscan -p "$PORT" -t ed25519 127.0.0.1 >"$T/scanned" 2>/dev/null
    printf 'mkdir p\ncd p\nput %s there\nget there %s\ndel there\ncd ..\nrmdir p\n' "$T/here" "$T/back" >"$T/batch"
    timeout 300 psftp -batch -hostkey "$(ssh-keygen -lf "$T/scanned" | awk '{ print $2; exit }')" -P "$PORT" -pw "$PASSWORD" \
        -b "$T/batch" "$USER_NAME@127.0.0.1" && cmp "$T/here" "$T/back"
}

# sftp_checks BYTES: with a file of so many.
sftp_checks()
{
    local folder client

    folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    random_file here "$1"
    check "${2:-}sftp puts and gets $1 bytes" sftp_put_and_get
    check "${2:-}200 small files" sftp_many_small
    check "${2:-}scp over sftp, there and back" sftp_copy
    ! command -v psftp >/dev/null || check "${2:-}psftp" sftp_putty
    for client in paramiko asyncssh; do
        ! /usr/bin/python3 -c "import $client" 2>/dev/null ||
            check "${2:-}sftp by $client" timeout 300 /usr/bin/python3 -W ignore "$folder/sftp_clients.py" $client "$PORT" "$USER_NAME" \
                "$PASSWORD" "$T/here"
    done
}
