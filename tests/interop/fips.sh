#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# UseFIPSCompliantAPI with a real FIPS provider: what is offered works, and what the provider refuses is not offered.
# NACRE_FIPS is the folder that scripts/fips-provider printed; the arguments are tests that have more to say with it.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl
[ -f "${NACRE_FIPS:-}/fips.so" ] || skip "there is no FIPS provider of OpenSSL (scripts/fips-provider)"

# names KIND: what the server offers of it, "KEX algorithms" for one, a line each.
names()
{
    tr -d '\r' <"$T/offer" | sed -n "/peer server KEXINIT proposal/,\$s/^debug2: $1: //p" | head -1 | tr ',' '\n'
}

offers_none_of()
{
    local kind=$1 name

    shift
    for name in "$@"; do
        ! names "$kind" | grep -qxF -- "$name" || {
            echo "offers $name"
            return 1
        }
    done
}

# each KIND QUERY OPTION [SSH-OPTION]...: data passes with every name on offer that ssh knows.
each()
{
    local kind=$1 query=$2 option=$3 name

    shift 3
    for name in $(names "$kind"); do
        ! ssh -Q "$query" | grep -qxF -- "$name" || check "$kind: $name" through "$T/some" ssh_key "$@" -o "$option=$name" 127.0.0.1 cat
    done
}

refuses_pfx()
{
    ! timeout 300 "$NACRED" --listen 127.0.0.1:0 --exec --host-key "$T/host.pfx" --set UseFIPSCompliantAPI=True 2>"$T/said" &&
        grep -F "not available here" "$T/said"
}

# says TESTS: those about FIPS pass, and there are some.
says()
{
    "$1" --filter '*/fips_*' >"$T/said" 2>&1 && grep -q "Passing: [1-9]" "$T/said"
}

random_file some 65536
make_host_keys
openssl req -x509 -key "$T/host_ecdsa256" -subj /CN=host -out "$T/certificate" 2>/dev/null &&
    openssl pkcs12 -export -inkey "$T/host_ecdsa256" -in "$T/certificate" -passout pass: -out "$T/host.pfx" && chmod 600 "$T/host.pfx" || exit 1
# The provider that is not FIPS's is there for ssh.
export OPENSSL_CONF=$NACRE_FIPS/openssl.cnf OPENSSL_MODULES=$NACRE_FIPS
start_server --exec --set UseFIPSCompliantAPI=True --set AlgorithmProfile=compatible
LOG_LEVEL=DEBUG2 ssh_key 127.0.0.1 true 2>"$T/offer" </dev/null
check "an RSA host key signs" eval 'names "host key algorithms" | grep -qx rsa-sha2-256 && names "host key algorithms" | grep -qx rsa-sha2-512'
check "no key file that is locked in a way that is not approved" refuses_pfx
check "no key exchange that is not approved" offers_none_of "KEX algorithms" diffie-hellman-group1-sha1 sntrup761x25519-sha512@openssh.com
check "no cipher that is not approved" offers_none_of "ciphers stoc" chacha20-poly1305@openssh.com arcfour blowfish-cbc
check "no MAC that is not approved" offers_none_of "MACs stoc" umac-64@openssh.com hmac-md5 hmac-ripemd160
each "KEX algorithms" kex KexAlgorithms
each "host key algorithms" HostKeyAlgorithms HostKeyAlgorithms
each "ciphers stoc" cipher Ciphers
each "MACs stoc" mac MACs -o Ciphers=aes128-ctr
for key in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa; do
    SSH_KEY=$T/$key check "a user's key: $key" ssh_key 127.0.0.1 true
done
check "a password" ssh_password "$PASSWORD" 127.0.0.1 true
check "a wrong password" refused ssh_password wrong 127.0.0.1 true
for tests in "$@"; do
    check "$(basename "$tests")" says "$tests"
done
finish
