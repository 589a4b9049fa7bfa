#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nacred.exe, run by Wine over each I/O model, and clients of this system, as far as they are here: OpenSSH's ssh, sftp and scp,
# PuTTY's plink and psftp, Dropbear's dbclient, libssh, paramiko and asyncssh. NACRED_EXE is the program, RUNNER is Wine. BYTES go
# through each way by OpenSSH, and FEWER by the others.
. "$(dirname "$0")/lib.sh"
need "$RUNNER" ssh ssh-keygen openssl sftp scp /usr/bin/python3
. "$(dirname "$0")/windows_clients.sh"
. "$HERE/sftp_checks.sh"
. "$HERE/tunnel_checks.sh"

BYTES=${BYTES:-268435456}
FEWER=${FEWER:-4194304}
# From both sides: so many key exchanges there are at least.
THRESHOLD=33554432
NACRED=$RUNNER
NACRED_OPTIONS=$NACRED_EXE
# Wine makes a Ctrl+C of it.
STOP_SIGNAL=INT
LIMIT=900
random_file many "$BYTES"
random_file fewer "$FEWER"
mkdir "$T/served" "$T/raw" "$T/raw/root"
echo outside >"$T/raw/outside"

# ---- what is refused ----

# refuses WORD OPTION...: a usage error that names the word.
refuses()
{
    local word=$1

    shift
    timeout 300 "$RUNNER" "$NACRED_EXE" "$@" >"$T/refused.out" 2>&1
    [ $? -eq 2 ] && grep -q -e "$word" "$T/refused.out" && return
    cat "$T/refused.out"
    return 1
}

# Everybody can read the host key, or write who gets in.
refuses_file()
{
    ! timeout 300 "$RUNNER" "$NACRED_EXE" --listen 127.0.0.1:0 --exec "$@" >"$T/refused.out" 2>&1 && grep -q 'every account' "$T/refused.out"
}

makes_a_key()
{
    local pid

    "$RUNNER" "$NACRED_EXE" --listen 127.0.0.1:0 --exec --host-key "$T/made" >"$T/made.log" 2>&1 </dev/null &
    pid=$!
    PIDS="$PIDS $pid"
    settles grep -q 'listening on' "$T/made.log" && kill -INT $pid && wait $pid && [ $((0$(stat -c %a "$T/made") & 7)) -eq 0 ] &&
        openssl pkey -in "$T/made" -noout && [ "$(find "$T" -name 'made.*' ! -name made.log)" = "" ]
}

# ---- what is served ----

# Windows' lines end with CR LF.
hello()
{
    [ "$("$@")" = "$(printf 'hello\r')" ]
}

streams_apart()
{
    ssh_key 127.0.0.1 'echo out& echo err>&2& exit 7' >"$T/1" 2>"$T/2" </dev/null
    [ $? -eq 7 ] && grep -q '^out' "$T/1" && grep -q '^err' "$T/2" && ! grep -q err "$T/1"
}

echo_with_rekeys()
{
    local seen

    LIMIT=2400 LOG_LEVEL=DEBUG1 ssh_key -o RekeyLimit=64M 127.0.0.1 echo <"$T/many" >"$T/out" 2>"$T/debug" || {
        tail -n 5 "$T/debug"
        return 1
    }
    cmp "$T/many" "$T/out" || return 1
    seen=$(grep -c 'SSH2_MSG_NEWKEYS received' "$T/debug")
    echo "$seen key exchanges"
    [ "$seen" -ge $((BYTES / THRESHOLD)) ]
}

# Names of variables have no case there.
own_variables()
{
    ssh_key -o SetEnv='nacred_user=eve Other=hello' 127.0.0.1 set >"$T/variables"
    grep -i -e '^nacred_user=' -e '^other=' "$T/variables" | tr -d '\r' | sort >"$T/seen"
    cat "$T/seen"
    printf 'NACRED_USER=%s\nOther=hello\n' "$USER_NAME" | cmp - "$T/seen"
}

no_terminal()
{
    LOG_LEVEL=INFO refused ssh_key -tt 127.0.0.1 'echo hello' >"$T/tty.out" 2>&1 </dev/null
    grep 'PTY allocation request failed' "$T/tty.out"
}

clients()
{
    check "$1: login by key" hello ssh_key 127.0.0.1 'echo hello'
    check "$1: login by password" hello ssh_password "$PASSWORD" 127.0.0.1 'echo hello'
    SSH_KEY=$T/stranger check "$1: a stranger is refused" refused ssh_key 127.0.0.1 'echo hello'
    check "$1: a wrong password is refused" refused ssh_password wrong 127.0.0.1 'echo hello'
    check "$1: exit status, stdout and stderr" streams_apart
    check "$1: a client's variables replace none of ours" own_variables
    check "$1: no terminal, and it is said" no_terminal
    check "$1: ssh, $BYTES bytes there and back, with rekeys" echo_with_rekeys
    ! command -v plink >/dev/null || check "$1: plink" through "$T/fewer" plink_talk "$USER_NAME" "$PASSWORD" echo
    ! command -v dbclient >/dev/null || check "$1: dbclient" through "$T/fewer" dbclient_talk "$USER_NAME" "$PASSWORD" echo -W 1048576
    [ -z "$LIBSSH" ] || check "$1: libssh, its sftp too" "$LIBSSH" "$PORT" "$USER_NAME" "$PASSWORD" echo "$FEWER" by-libssh
    sftp_checks "$FEWER" "$1: "
    check "$1: ssh -L" local_port
    check "$1: ssh -R" remote_port
    check "$1: ssh -D" proxy
    check "$1: the server is still there" server_alive
}

make_keys
make_host_keys
check "--agent-forwarding is refused" refuses agent-forwarding --agent-forwarding
check "--sftp without a program is refused" refuses sftp-root --sftp
check "a folder that is no absolute path is refused" refuses absolute --sftp-root served
chmod 644 "$T/host_rsa"
check "a host key that everybody can read is refused" refuses_file --host-key "$T/host_rsa"
chmod 600 "$T/host_rsa"
chmod 666 "$T/authorized_keys"
check "keys that everybody can write are refused" refuses_file --authorized-keys "$T/authorized_keys"
chmod 600 "$T/authorized_keys"
check "a host key is made" makes_a_key

far_end echo 0
ECHO=$FAR
for model in UseIOCP=True UseWindowsMessages=True UseWindowsMessages=False; do
    start_server --exec --bench --tunnels --accept-env '*' --sftp-root "Z:$T/served" --set "$model" --set "KeyRenegotiationThreshold=$THRESHOLD"
    clients "$model"
    check "$model: the server ends when told to" stop_server
done
start_server --sftp-root "Z:$T/raw/root"
check "exec is not open when only sftp is" refused ssh_key 127.0.0.1 'echo hello'
# shellcheck disable=SC2086 # a list of options
LIMIT=2400 scripted /usr/bin/python3 "$HERE/sftp_raw.py" windows "$T/raw/root" ssh $SSH_COMMON -o LogLevel=ERROR -o BatchMode=yes -i "$T/ed25519" \
    -p "$PORT" -l "$USER_NAME" -s 127.0.0.1 sftp
finish
