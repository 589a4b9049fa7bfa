#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every algorithm this build has, each offered alone, against one peer: clients of nacred, and servers of our client role
# (nacre-bench); the last lines name them. One line a cell; at the end what the peer does not offer. Where NACRE_CELLS names a
# folder, the lines are kept there for matrix_table.sh.
. "$(dirname "$0")/lib.sh"
need ssh-keygen openssl
here=$(cd "$(dirname "$0")" && pwd)
peer=$1

. "$here/matrix_names.sh"

listed()
{
    # shellcheck disable=SC2086,SC2048 # words to join
    echo $* | tr ' ' ','
}

MISSING=""
CELLS=$T/cells
: >"$CELLS"
[ -z "${NACRE_CELLS:-}" ] || rm -f "$NACRE_CELLS/$peer"

# try KIND ALGORITHM COMMAND...: one cell.
try()
{
    local before=$PASSED what

    what=$(printf '%-16s %-10s %s' "$peer" "$1" "$2")
    check "$what" "${@:3}"
    [ "$PASSED" -eq "$before" ] || echo "ok      $what" >>"$CELLS"
}

# has OFFERED ALGORITHM: whether it is among those names.
has()
{
    case " $(echo "$1" | tr '\n,' '  ') " in
    *" $2 "*) return 0 ;;
    *) return 1 ;;
    esac
}

# cell KIND ALGORITHM OFFERED COMMAND...: OFFERED are the names the peer has.
cell()
{
    local kind=$1 algorithm=$2 offered=$3

    shift 3
    if has "$offered" "$algorithm"; then
        try "$kind" "$algorithm" "$@"
    else
        MISSING="$MISSING $algorithm"
    fi
}

# make_certificate NAME: a certificate behind the private key NAME of the server.
make_certificate()
{
    openssl req -new -x509 -key "$T/$1" -subj "/CN=$1" -days 2 \
        -addext "subjectAltName=DNS:127.0.0.1" -out "$T/$1.crt" 2>/dev/null || exit 1
    cat "$T/$1" "$T/$1.crt" >"$T/$1.both"
    chmod 600 "$T/$1.both"
}

start_whole_server()
{
    make_keys
    make_host_keys
    make_host_certificates
    ssh-keygen -q -t dsa -N '' -f "$T/dsa" -C test >/dev/null 2>&1 && cat "$T/dsa.pub" >>"$T/authorized_keys"
    for name in host_rsa host_dsa host_ecdsa256 host_ecdsa384 host_ecdsa521; do
        mv "$T/$name.both" "$T/$name"
    done
    user_certificates
    ssh-keygen -q -t ed25519 -N '' -f "$T/ca" -C ca || exit 1
    start_server --exec --user-ca "$T/ca.pub" --host-key "$T/host_dsa" --set AlgorithmProfile=compatible \
        --set "SSHKeyExchangeAlgorithms=$(listed "$KEX")" --set "SSHEncryptionAlgorithms=$(listed "$CIPHERS")" \
        --set "SSHMacAlgorithms=$(listed "$MACS")" --set "SSHCompressionAlgorithms=$(listed "$COMPS")" \
        --set "SSHPublicKeyAlgorithms=$(listed "$HOST_KEYS")" --set "SSHPubKeyAuthSigAlgorithms=$(listed "$USER_KEYS")"
}

# Self-signed certificates of the users' keys, as lines of authorized_keys: "string name, uint32 1, string DER, uint32 0".
user_certificates()
{
    local name key type der

    for name in "rsa x509v3-ssh-rsa" "rsa x509v3-rsa2048-sha256" "ecdsa256 x509v3-ecdsa-sha2-nistp256" \
        "ecdsa384 x509v3-ecdsa-sha2-nistp384" "ecdsa521 x509v3-ecdsa-sha2-nistp521"; do
        key=${name% *} type=${name#* }
        [ -f "$T/$key.crt" ] || {
            cp "$T/$key" "$T/$key.pem" && ssh-keygen -q -p -m PEM -N '' -f "$T/$key.pem" >/dev/null &&
                openssl req -new -x509 -key "$T/$key.pem" -subj "/CN=$USER_NAME" -days 2 -out "$T/$key.crt" 2>/dev/null
        }
        der=$(openssl x509 -in "$T/$key.crt" -outform DER | od -An -tx1 -v | tr -d ' \n')
        printf '%s ' "$type"
        {
            printf '%08x' ${#type}
            printf '%s' "$type" | od -An -tx1 -v | tr -d ' \n'
            printf '%08x%08x%s%08x' 1 $((${#der} / 2)) "$der" 0
        } | python3 -c 'import base64, sys; print(base64.b64encode(bytes.fromhex(sys.stdin.read())).decode())'
    done >>"$T/authorized_keys"
}

random_file some 65536

# ---- clients of nacred -----------------------------------------------------------------------------------------------

with_ssh()
{
    ssh_key "$@" 127.0.0.1 cat <"$T/some" >"$T/out" && cmp "$T/some" "$T/out"
}

# Data both ways with a rekey every 16 KiB.
with_rekeys()
{
    with_ssh -o RekeyLimit=16K "$@"
}

# Each pair of two kinds that meet in the protocol: cipher, MAC and compression in a packet, the method and the host's key in
# the exchange hash, the host's key and the user's (which signs the session id).
openssh()
{
    local a b c kex ciphers macs sigs

    need ssh
    start_whole_server
    kex=$(ssh -Q kex) ciphers=$(ssh -Q cipher) macs=$(ssh -Q mac) sigs=$(ssh -Q key-sig)
    for a in $KEX; do
        cell kex "$a" "$kex" with_rekeys -o "KexAlgorithms=$a"
    done
    for a in $CIPHERS; do
        cell cipher "$a" "$ciphers" with_rekeys -o "Ciphers=$a"
        cell cipher+comp "$a" "$ciphers" with_ssh -C -o "Ciphers=$a"
    done
    cell comp none none with_ssh
    cell comp zlib@openssh.com "$(ssh -Q compression)" with_ssh -C
    for a in $MACS; do
        cell mac "$a" "$macs" with_rekeys -o "MACs=$a" -o Ciphers=aes128-ctr
        has "$macs" "$a" || continue
        for b in $CIPHERS; do
            case $b in
            *gcm* | chacha20*) continue ;;
            esac
            has "$ciphers" "$b" || continue
            for c in no yes; do
                try "mac+comp=$c" "$a with $b" with_ssh -o "MACs=$a" -o "Ciphers=$b" -o Compression=$c
            done
        done
    done
    for a in $HOST_KEYS; do
        cell host-key "$a" "$sigs" with_ssh -o "HostKeyAlgorithms=$a"
        has "$sigs" "$a" || continue
        for b in $KEX; do
            ! has "$kex" "$b" || try host-key+kex "$a with $b" with_ssh -o "HostKeyAlgorithms=$a" -o "KexAlgorithms=$b"
        done
    done
    for a in ed25519:ssh-ed25519 ecdsa256:ecdsa-sha2-nistp256 ecdsa384:ecdsa-sha2-nistp384 ecdsa521:ecdsa-sha2-nistp521 \
        rsa:rsa-sha2-256 rsa:rsa-sha2-512 rsa:ssh-rsa dsa:ssh-dss; do
        SSH_KEY=$T/${a%:*} a=${a#*:}
        cell user-key "$a" "$sigs" with_ssh -o "PubkeyAcceptedAlgorithms=$a"
        for b in $HOST_KEYS; do
            ! has "$sigs" "$a" || ! has "$sigs" "$b" ||
                try user-key+host "$a with $b" with_ssh -o "PubkeyAcceptedAlgorithms=$a" -o "HostKeyAlgorithms=$b"
        done
    done
    openssh_certificates
}

# OpenSSH's certificates, each of a copy of the key, since clients take what lies beside one.
openssh_certificates()
{
    local a key

    for a in ed25519:ssh-ed25519 ecdsa256:ecdsa-sha2-nistp256 ecdsa384:ecdsa-sha2-nistp384 ecdsa521:ecdsa-sha2-nistp521 \
        rsa:rsa-sha2-256 rsa:rsa-sha2-512; do
        key=${a%:*} a=${a#*:}-cert-v01@openssh.com
        cp "$T/$key" "$T/certified_$key" && cp "$T/$key.pub" "$T/certified_$key.pub" &&
            ssh-keygen -q -s "$T/ca" -I "an id" -n "$USER_NAME" "$T/certified_$key.pub" || exit 1
        SSH_KEY=$T/certified_$key
        cell user-key "$a" "$(ssh -Q key-sig)" with_ssh -o "PubkeyAcceptedAlgorithms=$a"
    done
}

with_dropbear()
{
    timeout 300 dbclient -y -y -T -p "$PORT" -i "$T/db" "$@" "$USER_NAME@127.0.0.1" cat <"$T/some" >"$T/out" 2>"$T/err" &&
        cmp "$T/some" "$T/out"
}

dropbear()
{
    local a ciphers macs

    need dbclient dropbearconvert
    mkdir -p "$T/.ssh"
    start_whole_server
    dropbearconvert openssh dropbear "$T/ed25519" "$T/db" >/dev/null 2>&1
    ciphers=$(dbclient -c help 2>&1 | sed -n 's/.*Available ciphers: //p')
    macs=$(dbclient -m help 2>&1 | sed -n 's/.*Available MACs: //p')
    for a in $CIPHERS; do
        cell cipher "$a" "$ciphers" with_dropbear -c "$a"
    done
    for a in $MACS; do
        cell mac "$a" "$macs" with_dropbear -c aes128-ctr -m "$a"
    done
    for a in ed25519:ssh-ed25519 ecdsa256:ecdsa-sha2-nistp256 ecdsa384:ecdsa-sha2-nistp384 ecdsa521:ecdsa-sha2-nistp521 \
        rsa:rsa-sha2-256; do
        dropbearconvert openssh dropbear "$T/${a%:*}" "$T/db" >/dev/null 2>&1
        try user-key "${a#*:}" with_dropbear
        check "it is what logged in" grep -q "publickey ${a#*:}" "$T/server.log"
    done
}

# PuTTY takes its preferences from a saved session; those behind WARN are not used in batch mode.
with_putty()
{
    mkdir -p "$T/.putty/sessions"
    {
        printf '%s\n' Present=1 HostName=127.0.0.1 "PortNumber=$PORT" Protocol=ssh SshProt=3
        printf '%s\n' "$1"
    } >"$T/.putty/sessions/cell"
    # shellcheck disable=SC2086 # a list of options
    timeout 300 plink -batch -no-antispoof -load cell $FINGERPRINTS -i "${PUTTY_KEY:-$T/ed25519.ppk}" -l "$USER_NAME" cat <"$T/some" \
        >"$T/out" 2>"$T/err" && cmp "$T/some" "$T/out"
}

putty()
{
    local a

    need plink puttygen ssh-keyscan
    start_whole_server
    puttygen "$T/ed25519" -o "$T/ed25519.ppk" </dev/null >/dev/null 2>&1
    FINGERPRINTS=$(timeout 120 ssh-keyscan -p "$PORT" -t ed25519,ecdsa,rsa 127.0.0.1 2>/dev/null | ssh-keygen -lf - |
        awk '{ print "-hostkey", $2 }' | tr '\n' ' ')
    for a in aes:aes256-ctr 3des:3des-ctr blowfish:blowfish-cbc arcfour:arcfour256 chacha20:chacha20-poly1305@openssh.com; do
        try cipher "${a#*:}" with_putty "Cipher=${a%%:*},WARN"
    done
    for a in ecdh:curve25519-sha256 dh-gex-sha1:diffie-hellman-group-exchange-sha256 \
        dh-group14-sha1:diffie-hellman-group14-sha256 dh-group1-sha1:diffie-hellman-group1-sha1 \
        dh-group16-sha512:diffie-hellman-group16-sha512 dh-group18-sha512:diffie-hellman-group18-sha512; do
        # The larger groups came with 0.78.
        ! grep -a -q "${a%%:*}" "$(command -v plink)" || try kex "${a#*:}" with_putty "KEX=${a%%:*},WARN"
    done
    for a in ed25519:ssh-ed25519 ecdsa:ecdsa-sha2-nistp256 rsa:rsa-sha2-512; do
        try host-key "${a#*:}" with_putty "HostKey=${a%%:*},WARN
PreferKnownHostKeys=0"
    done
    try comp zlib@openssh.com with_putty Compression=1
    for a in ecdsa256:ecdsa-sha2-nistp256 ecdsa384:ecdsa-sha2-nistp384 ecdsa521:ecdsa-sha2-nistp521 rsa:rsa-sha2-512 dsa:ssh-dss; do
        puttygen "$T/${a%:*}" -o "$T/${a%:*}.ppk" </dev/null >/dev/null 2>&1 || continue
        PUTTY_KEY=$T/${a%:*}.ppk
        try user-key "${a#*:}" with_putty Compression=0
        check "it is what logged in" grep -q "publickey ${a#*:}" "$T/server.log"
    done
}

# run PROGRAM...: each line it prints is a check.
run()
{
    local status good bad

    timeout "${LIMIT:-2400}" "$@" >"$T/scripted.out" 2>"$T/scripted.err"
    status=$?
    cat "$T/scripted.out"
    grep '^ok ' "$T/scripted.out" >>"$CELLS"
    good=$(grep -c '^ok ' "$T/scripted.out")
    bad=$(grep -c '^FAILED ' "$T/scripted.out")
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || {
        tail -n 20 "$T/scripted.err"
        echo "FAILED  $1 ended with status $status"
        bad=1
    }
    PASSED=$((PASSED + good))
    FAILED=$((FAILED + bad))
}

asyncssh()
{
    local a

    /usr/bin/python3 -W ignore -c 'import asyncssh' 2>/dev/null || skip "python3-asyncssh is not installed"
    start_whole_server
    with_program /usr/bin/python3 -W ignore "$here/matrix_asyncssh.py"
    for a in x509v3-ssh-rsa x509v3-rsa2048-sha256 x509v3-ecdsa-sha2-nistp256 x509v3-ecdsa-sha2-nistp384 x509v3-ecdsa-sha2-nistp521; do
        check "$a was what logged in" grep -q "publickey $a" "$T/server.log"
    done
}

paramiko()
{
    /usr/bin/python3 -W ignore -c 'import paramiko' 2>/dev/null || skip "python3-paramiko is not installed"
    start_whole_server
    with_program /usr/bin/python3 -W ignore "$here/matrix_paramiko.py"
}

# with_program PROGRAM...: a client that takes the usual arguments and prints its cells.
with_program()
{
    run "$@" "$PORT" "$USER_NAME" "$T" "$(listed "$KEX")" "$(listed "$CIPHERS")" "$(listed "$MACS")" "$(listed "$COMPS")" \
        "$(listed "$HOST_KEYS")"
}

libssh()
{
    [ -x "${MATRIX_LIBSSH:-}" ] || skip "libssh was not there when the tests were built"
    start_whole_server
    with_program "$MATRIX_LIBSSH"
}

# What OpenSSL has moved to its legacy provider is there again, for a peer that would otherwise be without.
legacy_openssl()
{
    printf '%s\n' 'openssl_conf = all' '[all]' 'providers = both' '[both]' 'default = on' 'legacy = on' '[on]' 'activate = 1' \
        >"$T/openssl.cnf"
}

libssh2()
{
    [ -x "${MATRIX_LIBSSH2:-}" ] || skip "libssh2 was not there when the tests were built"
    start_whole_server
    legacy_openssl
    with_program env OPENSSL_CONF="$T/openssl.cnf" "$MATRIX_LIBSSH2"
}

twisted()
{
    /usr/bin/python3 -W ignore -c 'import twisted.conch.ssh.transport' 2>/dev/null || skip "python3-twisted is not installed"
    start_whole_server
    with_program /usr/bin/python3 -W ignore "$here/matrix_twisted.py"
}

# Built with what Debian's packages brought, and nothing fetched.
go()
{
    local sources=/usr/share/gocode

    need /usr/bin/go
    [ -d $sources/src/golang.org/x/crypto/ssh ] || skip "golang-golang-x-crypto-dev is not installed"
    start_whole_server
    GOPATH=$sources GO111MODULE=off GOCACHE=$T/go GOFLAGS= GOPROXY=off CGO_ENABLED=0 \
        /usr/bin/go build -o "$T/matrix_go" "$here/matrix_go.go" || exit 1
    with_program "$T/matrix_go"
}

# Debian has no package of it: `npm install ssh2` somewhere, and NODE_PATH says where.
ssh2()
{
    need node
    node -e 'require("ssh2")' 2>/dev/null || skip "ssh2 for Node.js is not on NODE_PATH"
    start_whole_server
    with_program node "$here/matrix_ssh2.js"
}

# OTP takes a folder with the key under its usual name.
erlang()
{
    local name

    need escript
    start_whole_server
    for name in ed25519:id_ed25519 ecdsa256:id_ecdsa ecdsa384:id_ecdsa ecdsa521:id_ecdsa rsa:id_rsa; do
        mkdir -p "$T/erlang.${name%:*}"
        cp "$T/${name%:*}" "$T/erlang.${name%:*}/${name#*:}"
        cp "$T/${name%:*}.pub" "$T/erlang.${name%:*}/${name#*:}.pub"
    done
    with_program env MATRIX_PASSWORD="$PASSWORD" escript "$here/matrix_erlang.escript"
}

jsch()
{
    local jar=/usr/share/java/jsch.jar

    need javac java
    [ -f $jar ] || skip "libjsch-java is not installed"
    start_whole_server
    javac -cp $jar -d "$T" "$here/MatrixJsch.java" || exit 1
    run java -cp "$T:$jar:/usr/share/java/jzlib.jar" MatrixJsch "$PORT" "$USER_NAME" "$PASSWORD" "$T/some" \
        "$(listed "$KEX")" "$(listed "$CIPHERS")" "$(listed "$MACS")" "$(listed "$COMPS")" "$(listed "$HOST_KEYS")"
}

# ---- servers of our client role --------------------------------------------------------------------------------------

bench()
{
    timeout 300 "$NACRE_BENCH" bulk --no-progress --target "127.0.0.1:$PORT" --user "${BENCH_USER:-$(id -un)}" --key "$T/ed25519" \
        --direction both --verify --command cat -n 256K "$@"
}

bench_cells()
{
    local a kex=$1 ciphers=$2 macs=$3 comps=$4 keys=$5

    for a in $KEX; do
        # shellcheck disable=SC2086 # an option or none
        cell kex "$a" "$kex" bench --kex "$a" ${REKEY---rekey 100K}
    done
    for a in $CIPHERS; do
        cell cipher "$a" "$ciphers" bench --cipher "$a"
    done
    for a in $MACS; do
        cell mac "$a" "$macs" bench --cipher aes128-ctr --mac "$a"
    done
    for a in $COMPS; do
        cell comp "$a" "$comps" bench --comp "$a"
    done
    for a in $HOST_KEYS; do
        cell host-key "$a" "$keys" bench --host-key-algorithm "$a"
    done
}

# Our own client role against our own server: the only peer of some names.
own()
{
    start_whole_server
    BENCH_USER=$USER_NAME
    bench_cells "$KEX" "$CIPHERS" "$MACS" "$COMPS" "$HOST_KEYS"
}

# The peer runs as whoever runs this and logs that account in.
make_peer_keys()
{
    make_keys
    for name in ed25519:ed25519: ecdsa256:ecdsa:256 ecdsa384:ecdsa:384 ecdsa521:ecdsa:521 rsa:rsa:3072 dsa:dsa:; do
        type=${name#*:} bits=${name##*:}
        # shellcheck disable=SC2086 # an option or none
        ssh-keygen -q -t "${type%:*}" ${bits:+-b $bits} -m PEM -N '' -f "$T/peer_${name%%:*}" >/dev/null 2>&1
    done
    chmod 711 "$T"
}

# on_free_port FUNCTION: a peer that cannot be told to take any port; FUNCTION starts it on PORT, below the range that outgoing
# connections take theirs from. Where somebody was faster, another one is tried.
on_free_port()
{
    local _

    for _ in 1 2 3 4 5; do
        PORT=$(/usr/bin/python3 "$here/tunnel_ends.py" free_port)
        "$1"
        PIDS="$PIDS $!"
        ! peer_listens $! || return 0
    done
    cat "$T/peer.log"
    exit 1
}

# peer_listens PID: false when it has ended before.
peer_listens()
{
    local tries=0

    until (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] && kill -0 "$1" 2>/dev/null || return 1
        sleep 0.1
    done
    kill -0 "$1" 2>/dev/null
}

start_sshd()
{
    "$program" -D -e -f "$T/sshd_config" -o "ListenAddress=127.0.0.1:$PORT" >"$T/peer.log" 2>&1 </dev/null &
}

start_dropbear()
{
    # shellcheck disable=SC2016 # the inner shell's variables
    unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$T/home" "$home" "$program" -F -E -m -s \
        -P "$T/dropbear.pid" -p "127.0.0.1:$PORT" -r "$T/peer_ed25519" -r "$T/peer_ecdsa" -r "$T/peer_rsa" \
        >"$T/peer.log" 2>&1 </dev/null &
}

sshd()
{
    local program=/usr/sbin/sshd

    # sshd wants its folder, which only the init system's unit makes.
    [ -x $program ] && [ "$(id -u)" -eq 0 ] && mkdir -p -m 0755 /run/sshd || skip "sshd cannot be run here"
    make_peer_keys
    {
        for key in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa dsa; do
            [ ! -f "$T/peer_$key" ] || echo "HostKey $T/peer_$key"
        done
        echo "AuthorizedKeysFile $T/authorized_keys"
        echo "StrictModes no"
        echo "PidFile none"
        echo "UsePAM no"
        echo "PermitRootLogin prohibit-password"
        echo "Compression yes"
        echo "KexAlgorithms $(ssh -Q kex | paste -sd,)"
        echo "Ciphers $(ssh -Q cipher | paste -sd,)"
        echo "MACs $(ssh -Q mac | paste -sd,)"
        echo "HostKeyAlgorithms $(ssh -Q key-sig | paste -sd,)"
        echo "LogLevel DEBUG1"
    } >"$T/sshd_config"
    on_free_port start_sshd
    bench_cells "$(ssh -Q kex)" "$(ssh -Q cipher)" "$(ssh -Q mac)" "none zlib@openssh.com" "$(ssh -Q key-sig)"
    # Our client signs for the host key where the server takes that: 8.9 and newer.
    case $(ssh -V 2>&1) in
    OpenSSH_[1-7].* | OpenSSH_8.[0-8]*) ;;
    *) check "logins were bound to the host key" grep -q "method publickey-hostbound-v00@openssh.com" "$T/peer.log" ;;
    esac
}

# dropbear reads keys below the account's home only, which a mount of its own replaces.
dropbear_server()
{
    local program key home

    program=$(type -P dropbear || echo /usr/sbin/dropbear)
    [ -x "$program" ] && [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || skip "dropbear cannot be run here"
    need dropbearkey dbclient
    make_keys
    mkdir -p "$T/home/.ssh"
    cp "$T/authorized_keys" "$T/home/.ssh/authorized_keys"
    chmod 700 "$T/home" "$T/home/.ssh"
    for key in ed25519 ecdsa rsa; do
        dropbearkey -t $key -f "$T/peer_$key" >/dev/null 2>&1
    done
    home=$(getent passwd "$(id -un)" | cut -d: -f6)
    on_free_port start_dropbear
    bench_cells "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521
        diffie-hellman-group14-sha256" \
        "$(dbclient -c help 2>&1 | sed -n 's/.*Available ciphers: //p')" \
        "$(dbclient -m help 2>&1 | sed -n 's/.*Available MACs: //p')" "none zlib@openssh.com" \
        "ssh-ed25519 ecdsa-sha2-nistp256 rsa-sha2-256"
}

make_host_certificates()
{
    local name

    openssl genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -pkeyopt dsa_paramgen_q_bits:160 \
        -out "$T/dsa_parameters" 2>/dev/null &&
        openssl genpkey -paramfile "$T/dsa_parameters" -out "$T/host_dsa" 2>/dev/null || exit 1
    for name in host_rsa host_dsa host_ecdsa256 host_ecdsa384 host_ecdsa521; do
        make_certificate $name
    done
}

offered_by_peer()
{
    sed -n "s/^$1 //p" "$T/peer.log"
}

# start_peer PROGRAM...: a server that says its names and where it listens.
start_peer()
{
    : >"$T/peer.log"
    "$@" >"$T/peer.log" 2>&1 </dev/null &
    PIDS="$PIDS $!"
    wait_for_port "$T/peer.log" $! || exit 1
}

# start_asyncssh plain|certificates
start_asyncssh()
{
    start_peer /usr/bin/python3 -W ignore "$here/asyncssh_server.py" "$T" "$1"
}

asyncssh_server()
{
    local a keys

    /usr/bin/python3 -W ignore -c 'import asyncssh' 2>/dev/null || skip "python3-asyncssh is not installed"
    make_keys
    make_host_keys
    make_host_certificates
    start_asyncssh certificates
    for a in $HOST_KEYS; do
        keys=$(offered_by_peer host-key)
        case $a in
        x509v3-sign-*) MISSING="$MISSING $a" ;;
        x509v3-*) cell host-key "$a" "$keys" bench --host-key-algorithm "$a" ;;
        esac
    done
    start_asyncssh plain
    HOST_KEYS=$(echo "$HOST_KEYS" | tr -s ' \n' '\n\n' | grep -v x509)
    # Versions up to 2.10 at least send data behind their own KEXINIT, which RFC 4253 section 7.1 forbids and we refuse.
    REKEY=""
    bench_cells "$(offered_by_peer kex)" "$(offered_by_peer cipher)" "$(offered_by_peer mac)" "$(offered_by_peer comp)" \
        "$(offered_by_peer host-key)"
}

offered_cells()
{
    bench_cells "$(offered_by_peer kex)" "$(offered_by_peer cipher)" "$(offered_by_peer mac)" "$(offered_by_peer comp)" \
        "$(offered_by_peer host-key)"
}

twisted_server()
{
    /usr/bin/python3 -W ignore -c 'import twisted.conch.ssh.transport' 2>/dev/null || skip "python3-twisted is not installed"
    make_keys
    make_host_keys
    make_host_certificates
    start_peer /usr/bin/python3 -W ignore "$here/twisted_server.py" "$T"
    offered_cells
}

erlang_server()
{
    local name

    need escript
    make_keys
    make_host_keys
    mkdir -p "$T/erlang.host" "$T/erlang.users"
    cp "$T/authorized_keys" "$T/erlang.users/authorized_keys"
    # OTP has one ECDSA key.
    for name in ed25519:ed25519 ecdsa:ecdsa256 rsa:rsa; do
        cp "$T/${name#*:}" "$T/erlang.host/ssh_host_${name%:*}_key"
    done
    start_peer escript "$here/erlang_server.escript" "$T"
    HOST_KEYS=$(echo "$HOST_KEYS" | tr -s ' \n' '\n\n' | grep -v 'nistp384\|nistp521\|ssh-dss')
    offered_cells
}

libssh_server()
{
    [ -x "${LIBSSH_SERVER:-}" ] || skip "libssh was not there when the tests were built"
    make_keys
    make_host_keys
    # Of Ed25519 keys it reads those of OpenSSH's form.
    rm "$T/host_ed25519"
    ssh-keygen -q -t ed25519 -N '' -f "$T/host_ed25519" -C host || exit 1
    start_peer "$LIBSSH_SERVER" "$T" "$(listed "$KEX")" "$(listed "$CIPHERS")" "$(listed "$MACS")" "$(listed "$HOST_KEYS")"
    # It has one ECDSA key.
    HOST_KEYS=$(echo "$HOST_KEYS" | tr -s ' \n' '\n\n' | grep -v 'nistp384\|nistp521\|ssh-dss')
    offered_cells
}

case $peer in
openssh | dropbear | putty | asyncssh | paramiko | jsch | libssh | libssh2 | twisted | go | erlang | ssh2 | sshd | dropbear_server | asyncssh_server | twisted_server | erlang_server | libssh_server | own)
    "$peer"
    ;;
*) skip "no such peer: $peer" ;;
esac
[ -z "${NACRE_CELLS:-}" ] || { mkdir -p "$NACRE_CELLS" && cp "$CELLS" "$NACRE_CELLS/$peer"; }
[ -z "$MISSING" ] || echo "not offered by $peer:$MISSING"
finish
