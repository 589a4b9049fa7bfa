#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The folder that nacred serves by itself (--sftp-root): real clients, and requests that no client would make.
. "$(dirname "$0")/lib.sh"
need sftp scp ssh-keygen openssl
here=$(cd "$(dirname "$0")" && pwd)
. "$here/sftp_checks.sh"

mkdir "$T/served" "$T/raw" "$T/raw/root"
echo outside >"$T/raw/outside"
start_server --sftp-root "$T/served"

check "exec is not open when only sftp is" refused ssh_key 127.0.0.1 true
sftp_checks 20000003
check "nothing was left behind" rmdir "$T/served"
check "a folder that is gone again" refused sftp_batch ls
mkdir "$T/served"
check "the next session has it" sftp_batch ls
LIMIT=600 scripted /usr/bin/python3 "$here/sftp_raw.py" linux "$T/raw/root" "$NACRED" --serve-sftp "$T/raw/root"
finish
