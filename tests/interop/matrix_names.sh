# SPDX-License-Identifier: Apache-2.0
# The names of docs/ALGORITHMS.md that this build has. Host keys are users' keys as well.
# shellcheck shell=bash disable=SC2034 # for those who read this

KEX="curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521
    diffie-hellman-group14-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512
    diffie-hellman-group-exchange-sha256 diffie-hellman-group-exchange-sha1 diffie-hellman-group14-sha1
    diffie-hellman-group1-sha1"
CIPHERS="aes256-ctr aes192-ctr aes128-ctr aes256-cbc aes192-cbc aes128-cbc 3des-ctr 3des-cbc blowfish-cbc arcfour256
    arcfour128 arcfour cast128-cbc aes256-gcm@openssh.com aes128-gcm@openssh.com chacha20-poly1305@openssh.com"
MACS="hmac-sha2-256 hmac-sha2-512 hmac-sha1 hmac-md5 hmac-ripemd160 hmac-sha1-96 hmac-md5-96 hmac-sha2-256-96
    hmac-sha2-512-96 hmac-ripemd160-96 hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com"
COMPS="none zlib zlib@openssh.com"
HOST_KEYS="ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-256 rsa-sha2-512 ssh-rsa
    ssh-dss x509v3-rsa2048-sha256 x509v3-ssh-rsa x509v3-ecdsa-sha2-nistp256 x509v3-ecdsa-sha2-nistp384
    x509v3-ecdsa-sha2-nistp521 x509v3-sign-rsa x509v3-sign-dss"
# ML-KEM is a matter of OpenSSL, UMAC and sntrup761 of the build.
"$NACRED" --version | grep -qE 'OpenSSL (3\.([5-9]|[1-9][0-9])|[4-9])' && KEX="mlkem768x25519-sha256 $KEX"
"$NACRED" --version | grep -q 'without libgcrypt' ||
    KEX="sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com $KEX"
"$NACRED" --version | grep -q 'without nettle' ||
    MACS="$MACS umac-64@openssh.com umac-128@openssh.com umac-64-etm@openssh.com umac-128-etm@openssh.com"
# A device signs for users, never for this server; and a certificate of OpenSSH's is a user's.
USER_KEYS="$HOST_KEYS sk-ssh-ed25519@openssh.com sk-ecdsa-sha2-nistp256@openssh.com"
for name in ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-256 rsa-sha2-512 sk-ssh-ed25519 \
    sk-ecdsa-sha2-nistp256; do
    USER_KEYS="$USER_KEYS $name-cert-v01@openssh.com"
done
