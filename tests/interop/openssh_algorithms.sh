#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: every algorithm of ours, offered alone, and 64 KiB through it.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

start_server --exec --set AlgorithmProfile=compatible --set ssh_compression_algorithms=none,zlib@openssh.com,zlib
random_file some 65536

# uses LINE OPTION...: data passes, and ssh reports LINE of what was agreed.
uses()
{
    local line=$1

    shift
    LOG_LEVEL=DEBUG1 ssh_key "$@" 127.0.0.1 cat <"$T/some" >"$T/out" 2>"$T/debug" || {
        tail -n 5 "$T/debug"
        return 1
    }
    cmp "$T/some" "$T/out" || return 1
    tr -d '\r' <"$T/debug" | grep -qF -- "$line" || {
        echo "ssh does not report: $line"
        grep 'kex:' "$T/debug"
        return 1
    }
}

for a in curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 \
    diffie-hellman-group14-sha256 diffie-hellman-group16-sha512; do
    check "kex $a" uses "kex: algorithm: $a" -o KexAlgorithms=$a
done
for a in ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-256 rsa-sha2-512; do
    check "host key $a" uses "kex: host key algorithm: $a" -o HostKeyAlgorithms=$a
done
for a in aes128-ctr aes192-ctr aes256-ctr; do
    for m in hmac-sha2-256 hmac-sha2-512 hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com; do
        check "cipher $a with $m" uses "cipher: $a MAC: $m" -o Ciphers=$a -o MACs=$m
        check "cipher $a with $m, compressed" uses "MAC: $m compression: zlib@openssh.com" -o Ciphers=$a -o MACs=$m -C
    done
done
for a in aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com; do
    check "cipher $a" uses "cipher: $a MAC: <implicit>" -o Ciphers=$a
    check "cipher $a, compressed" uses "compression: zlib@openssh.com" -o Ciphers=$a -C
done
check "the server ends when told to" stop_server

start_server --exec
check "no cipher in common" refused ssh_key -o Ciphers=aes128-cbc 127.0.0.1 true
check "no key exchange in common" refused ssh_key -o KexAlgorithms=diffie-hellman-group1-sha1 127.0.0.1 true
finish
