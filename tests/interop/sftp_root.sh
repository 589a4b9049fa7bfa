#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The folder that nacred serves by itself (--sftp-root): real clients, and requests that no client would make.
. "$(dirname "$0")/lib.sh"
need sftp scp ssh-keygen openssl
here=$(cd "$(dirname "$0")" && pwd)
. "$here/sftp_checks.sh"

# sftp_with_variable NAME=VALUE
sftp_with_variable()
{
    echo ls >"$T/batch"
    # shellcheck disable=SC2086 # a list of options
    timeout 300 sftp $SSH_COMMON -o BatchMode=yes -o SetEnv="$1" -i "$T/ed25519" -P "$PORT" -b "$T/batch" "$USER_NAME@127.0.0.1"
}

mkdir "$T/served" "$T/raw" "$T/raw/root"
echo outside >"$T/raw/outside"
start_server --sftp-root "$T/served" --accept-env '*'

check "exec is not open when only sftp is" refused ssh_key 127.0.0.1 true
sftp_checks 20000003
# Whoever puts a library there and has it loaded is out of the folder. With this one the loader only lists libraries.
check "a client's variables do not reach what serves it" sftp_with_variable LD_TRACE_LOADED_OBJECTS=1
check "nothing was left behind" rmdir "$T/served"
check "a folder that is gone again" refused sftp_batch ls
mkdir "$T/served"
check "the next session has it" sftp_batch ls
LIMIT=600 scripted /usr/bin/python3 "$here/sftp_raw.py" linux "$T/raw/root" "$NACRED" --serve-sftp "$T/raw/root"
finish
