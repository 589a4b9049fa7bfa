#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Security keys: the real ssh-keygen makes them and the real ssh signs with them, through a provider that needs no device
# (security_key.c). Both types, alone and in certificates; touched or not, with a verified user or not.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen
[ -f "${SECURITY_KEY:-}" ] || skip "the security key's provider was not built"
export SSH_SK_PROVIDER=$SECURITY_KEY NACRE_SK_PIN=4711

# The PIN is typed, BatchMode would not ask.
printf '#!/bin/sh\necho 4711\n' >"$T/pin"
chmod 700 "$T/pin"
export SSH_ASKPASS=$T/pin SSH_ASKPASS_REQUIRE=force

# make NAME TYPE OPTION...
make()
{
    local name=$1 type=$2

    shift 2
    ssh-keygen -q -t "$type" -w "$SECURITY_KEY" "$@" -N '' -f "$T/$name" -C test </dev/null >/dev/null 2>"$T/make.err" || {
        cat "$T/make.err"
        grep -q 'unknown key type\|not supported' "$T/make.err" && skip "this ssh-keygen has no security keys"
        exit 1
    }
}

[ -z "${NACRE_CELLS:-}" ] || rm -f "$NACRE_CELLS/security_keys"

# cell NAME COMMAND...: a cell of the matrix (matrix.sh).
cell()
{
    local before=$PASSED what

    what=$(printf '%-16s %-10s %s' security_keys user-key "$1")
    check "$what" "${@:2}"
    [ "$PASSED" -eq "$before" ] || echo "ok      $what" >>"$T/cells"
}

make_keys
for type in ed25519 ecdsa; do
    make sk_$type $type-sk
    make sk_${type}_untouched $type-sk -O no-touch-required
    make sk_${type}_verified $type-sk -O verify-required
    make sk_${type}_unknown $type-sk
    make sk_${type}_certified $type-sk
    make sk_${type}_app $type-sk -O application=ssh:elsewhere
    cat "$T/sk_$type.pub" "$T/sk_${type}_untouched.pub" "$T/sk_${type}_verified.pub" "$T/sk_${type}_app.pub" >>"$T/authorized_keys"
done
ssh-keygen -q -t ed25519 -N '' -f "$T/ca" -C ca && make sk_ca ed25519-sk && cat "$T/ca.pub" "$T/sk_ca.pub" >"$T/cas" || exit 1
for type in ed25519 ecdsa; do
    ssh-keygen -q -s "$T/ca" -I "an id" -n "$USER_NAME" "$T/sk_${type}_certified.pub" || exit 1
done
ssh-keygen -q -w "$SECURITY_KEY" -s "$T/sk_ca" -I "an id" -n "$USER_NAME" "$T/stranger.pub" </dev/null || exit 1

for type in ed25519 ecdsa; do
    make sk_${type}_lax $type-sk -O no-touch-required
    make sk_${type}_strict $type-sk
    { printf 'no-touch-required '; cat "$T/sk_${type}_lax.pub"; printf 'verify-required '; cat "$T/sk_${type}_strict.pub"; } >>"$T/authorized_keys"
    for made in lax:no-touch-required strict:verify-required; do
        make sk_${type}_cert_${made%%:*} $type-sk
        ssh-keygen -q -s "$T/ca" -I "an id" -n "$USER_NAME" -O "${made#*:}" "$T/sk_${type}_cert_${made%%:*}.pub" || exit 1
    done
done

start_server --exec --user-ca "$T/cas"
random_file some 65536

# login KEY COMMAND...: with that key alone, and no wait for anybody.
login()
{
    # shellcheck disable=SC2086 # a list of options
    timeout 300 ssh $SSH_COMMON -o LogLevel=ERROR -o "SecurityKeyProvider=$SECURITY_KEY" -o PreferredAuthentications=publickey \
        -i "$T/$1" -p "$PORT" -l "$USER_NAME" 127.0.0.1 "${@:2}" 2>"$T/login.err"
}

# with_flags FLAGS COMMAND...: the device says these flags in its signatures, whatever it was asked for.
with_flags()
{
    NACRE_SK_FLAGS=$1 "${@:2}"
}

# The refusal is of the signature that was made, not for want of one.
refused_by_server()
{
    refused "$@" && grep -q 'Permission denied' "$T/login.err" && ! grep -q -i 'sign_and_send_pubkey' "$T/login.err"
}

for type in ed25519:sk-ssh-ed25519 ecdsa:sk-ecdsa-sha2-nistp256; do
    name=${type#*:} type=${type%:*}
    cell "$name@openssh.com" through "$T/some" login sk_$type cat
    check "it is what logged in" grep -q "publickey $name@openssh.com" "$T/server.log"
    check "$name: of another application" prints hello login sk_${type}_app echo hello
    cell "$name-cert-v01@openssh.com" through "$T/some" login sk_${type}_certified cat
    check "it is what logged in" grep -q "publickey $name-cert-v01@openssh.com" "$T/server.log"
    check "$name: not in authorized_keys" refused_by_server login sk_${type}_unknown true
    check "$name: made for use without a touch" refused_by_server login sk_${type}_untouched true
    check "$name: the same, touched all the same" prints hello with_flags 01 login sk_${type}_untouched echo hello
    check "$name: the device says that nobody touched it" refused_by_server with_flags 00 login sk_$type true
    check "$name: user verified, but nobody touched it" refused_by_server with_flags 04 login sk_$type true
    check "$name: certified, and nobody touched it" refused_by_server with_flags 00 login sk_${type}_certified true
    check "$name: no-touch-required: nobody touched it" prints hello login sk_${type}_lax echo hello
    check "$name: no-touch-required: touched all the same" prints hello with_flags 01 login sk_${type}_lax echo hello
    check "$name: verify-required: touched only" refused_by_server login sk_${type}_strict true
    check "$name: verify-required: verified" prints hello with_flags 05 login sk_${type}_strict echo hello
    check "$name: verify-required: verified, not touched" refused_by_server with_flags 04 login sk_${type}_strict true
    check "$name: certified no-touch-required" prints hello with_flags 00 login sk_${type}_cert_lax echo hello
    check "$name: certified verify-required, touched only" refused_by_server with_flags 01 login sk_${type}_cert_strict true
    check "$name: certified verify-required, verified" prints hello with_flags 05 login sk_${type}_cert_strict echo hello
    check "$name: user verified by PIN and touched" prints hello login sk_${type}_verified echo hello
    NACRE_SK_PIN=other check "$name: wrong PIN" refused login sk_${type}_verified true
done
check "an authority's key may be a security key" prints hello login stranger echo hello
[ -z "${NACRE_CELLS:-}" ] || { mkdir -p "$NACRE_CELLS" && cp "$T/cells" "$NACRE_CELLS/security_keys"; }
finish
