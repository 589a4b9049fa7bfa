#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Clients that are programs of ours on somebody's library: scripted.sh libssh|paramiko|asyncssh
. "$(dirname "$0")/lib.sh"
need ssh-keygen openssl
here=$(cd "$(dirname "$0")" && pwd)

case $1 in
libssh) [ -x "${LIBSSH_CLIENT:-}" ] || skip "libssh was not there when the tests were built" ;;
paramiko | asyncssh) /usr/bin/python3 -c "import $1" 2>/dev/null || skip "python3-$1 is not installed" ;;
*) skip "no such client: $1" ;;
esac

random_file megabyte 1048576
mkdir "$T/remote"
start_server --exec --shell --sftp --keyboard-interactive --set AlgorithmProfile=compatible \
    --set ssh_compression_algorithms=none,zlib@openssh.com --accept-env 'NACRE_*' \
    --max-sessions 64
case $1 in
# What leaks inside libssh is not ours to find.
libssh) scripted env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" "$LIBSSH_CLIENT" "$PORT" "$USER_NAME" "$PASSWORD" "$T" ;;
*) scripted /usr/bin/python3 "$here/$1_client.py" "$PORT" "$USER_NAME" "$PASSWORD" "$T" ;;
esac
finish
