#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What nacred says to who starts it: why it does not start, and what is missing where it does.
. "$(dirname "$0")/lib.sh"
need ssh-keygen timeout

# ends_with STATUS TEXT OPTION...: it ends at once with that status, and its last words hold the text.
ends_with()
{
    local status=$1 text=$2 seen

    shift 2
    timeout 60 "$NACRED" "$@" >"$T/said" 2>&1 </dev/null
    seen=$?
    tail -n 5 "$T/said"
    [ "$seen" -eq "$status" ] && grep -qF -- "$text" "$T/said"
}

# starts_and_says TEXT OPTION...: it starts, and what it says before it listens holds the text.
starts_and_says()
{
    local text=$1 pid status

    shift
    : >"$T/said"
    "$NACRED" --listen 127.0.0.1:0 "$@" >"$T/said" 2>&1 </dev/null &
    pid=$!
    wait_for_port "$T/said" "$pid" && grep -qF -- "$text" "$T/said"
    status=$?
    cat "$T/said"
    ends "$pid"
    return $status
}

check "--help" ends_with 0 "Usage: nacred" --help
check "an option that is none" ends_with 2 "unknown option '--nothing'" --nothing
check "an option without its value" ends_with 2 "--listen needs a value" --listen
check "a value where there is none" ends_with 2 "--exec takes no value" --exec=yes
check "a port that is none" ends_with 2 "a port from 0 to 65535" --listen 127.0.0.1:65536
check "a setting that is none" ends_with 1 "Nothing: no such setting" --listen 127.0.0.1:0 --set Nothing=1
check "a value that a setting cannot have" ends_with 1 "a number from 1 to" --listen 127.0.0.1:0 --set MaxConnections=few

ssh-keygen -q -t ed25519 -N '' -f "$T/key"
check "a host key that others can read" ends_with 1 "other accounts can read it" --listen 127.0.0.1:0 --host-key "$T/key.pub"
check "a host key in a folder that is not there" ends_with 1 "No such file or directory" --listen 127.0.0.1:0 --host-key "$T/none/key"
check "keys that are not there" ends_with 1 "'$T/none'" --listen 127.0.0.1:0 --authorized-keys "$T/none"
chmod 600 "$T/key.pub"
check "the public half of a host key" ends_with 1 "holds a public key only" --listen 127.0.0.1:0 --host-key "$T/key.pub"

start_server --exec
check "a port that is taken" ends_with 1 "Address already in use" --listen "127.0.0.1:$PORT"

: >"$T/file"
check "a folder to serve that is not there" ends_with 1 "--sftp-root '$T/none'" --listen 127.0.0.1:0 --sftp-root "$T/none"
check "a folder to serve that is a file" ends_with 1 "--sftp-root '$T/file'" --listen 127.0.0.1:0 --sftp-root "$T/file"
check "two ways to serve files" ends_with 2 "--sftp and --sftp-root" --sftp=/bin/true --sftp-root "$T"
check "a program for SFTP that is not there" starts_and_says "'$T/none' is not there" --demo-user me --sftp="$T/none"

check "nobody can log in" starts_and_says "nobody can log in" --shell
check "a file of keys without one is not enough" starts_and_says "nobody can log in" --shell --authorized-keys "$T/file"
check "nothing can be done" starts_and_says "nothing can be done" --demo-user me
check "the line to type" starts_and_says "    ssh -p" --demo-user me --shell
check "the line to type where there are only files" starts_and_says "    sftp -P" --demo-user me --sftp-root "$T"
finish
