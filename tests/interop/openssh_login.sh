#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: every way to log in, and the ways not to.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

start_server --exec --keyboard-interactive

check "password" prints hello ssh_password "$PASSWORD" 127.0.0.1 echo hello
METHOD=keyboard-interactive check "keyboard-interactive, one prompt" prints hello ssh_password "$PASSWORD" 127.0.0.1 echo hello
for key in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
    SSH_KEY=$T/$key check "publickey $key" prints hello ssh_key 127.0.0.1 echo hello
done
for algorithm in rsa-sha2-256 rsa-sha2-512; do
    SSH_KEY=$T/rsa check "publickey rsa signing with $algorithm" prints hello \
        ssh_key -o PubkeyAcceptedAlgorithms=$algorithm 127.0.0.1 echo hello
done

check "wrong password is refused" refused ssh_password wrong 127.0.0.1 echo hello
METHOD=keyboard-interactive check "wrong keyboard-interactive answer is refused" refused ssh_password wrong 127.0.0.1 echo hello
check "empty password is refused" refused ssh_password '' 127.0.0.1 echo hello
WHO=mallory check "unknown user is refused" refused ssh_password "$PASSWORD" 127.0.0.1 echo hello
WHO=mallory check "unknown user with a known key is refused" refused ssh_key 127.0.0.1 echo hello
SSH_KEY=$T/stranger check "unknown key is refused" refused ssh_key 127.0.0.1 echo hello
check "method none is refused" refused ssh_key -o PreferredAuthentications=none 127.0.0.1 echo hello
check "and the right password is still good" prints hello ssh_password "$PASSWORD" 127.0.0.1 echo hello
finish
