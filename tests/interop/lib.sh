# SPDX-License-Identifier: Apache-2.0
# For the interop scripts: a server to talk to, keys, checks that count themselves, and everything ended again at the end.
#
# ctest gives NACRED (the server), and where a test needs them NACRE_BENCH, KBDINT_SERVER, LIBSSH_CLIENT. A script ends with
# `finish`; exit status 77 means skipped: the client is not here.
# shellcheck shell=bash

set -u
LC_ALL=C
export LC_ALL

T=$(mktemp -d "${TMPDIR:-/tmp}/nacre-interop.XXXXXX")
# A short home of its own: no file of whoever runs this is read or written.
export HOME=$T
unset SSH_AUTH_SOCK SSH_ASKPASS DISPLAY
USER_NAME=alice
PASSWORD='correct horse'
FAILED=0
PASSED=0
PIDS=""
SERVER_PID=""
PORT=""

# ends PID...: ends our own processes, gently and then not, and waits for them.
ends()
{
    local pid tries

    for pid in "$@"; do
        kill "$pid" 2>/dev/null || continue
        tries=0
        while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    return 0
}

cleanup()
{
    local status=$?

    trap - EXIT
    # shellcheck disable=SC2086 # lists of pids
    ends $PIDS ${SERVER_PID:-}
    rm -rf "$T"
    exit $status
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

skip()
{
    echo "skipped: $*"
    exit 77
}

need()
{
    local program

    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# check WHAT COMMAND...: one test; its output is shown when it fails.
check()
{
    local what=$1

    shift
    if "$@" >"$T/check.out" 2>&1; then
        PASSED=$((PASSED + 1))
        echo "ok      $what"
    else
        FAILED=$((FAILED + 1))
        echo "FAILED  $what"
        tail -n 25 "$T/check.out" | sed 's/^/        /'
    fi
}

# Stops the server and looks how it ended: SIGTERM, or STOP_SIGNAL, is an orderly end, and sanitizers turn what they found into another status.
finish()
{
    if [ -n "$SERVER_PID" ]; then
        check "the server is still there" kill -0 "$SERVER_PID"
        check "the server ends when told to" stop_server
        check "no sanitizer report" no_reports
    fi
    echo "$PASSED passed, $FAILED failed"
    if [ "$FAILED" -ne 0 ] && [ -f "$T/server.log" ]; then
        echo "--- the end of the server's log:"
        tail -n 40 "$T/server.log"
    fi
    [ "$FAILED" -eq 0 ] || exit 1
    exit 0
}

stop_server()
{
    local pid=$SERVER_PID tries=0 status

    SERVER_PID=""
    kill "-${STOP_SIGNAL:-TERM}" "$pid" || return 1
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || {
            echo "it is still there two minutes after SIGTERM"
            kill -9 "$pid"
            return 1
        }
        sleep 0.1
    done
    wait "$pid"
    status=$?
    # 143: ended by the signal itself, which a server without a handler for it may do.
    [ $status -eq 0 ] || [ $status -eq 143 ] || {
        echo "exit status $status"
        tail -n 60 "$T/server.log"
        return 1
    }
}

no_reports()
{
    ! grep -aE 'ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer' "$T/server.log"
}

make_keys()
{
    ssh-keygen -q -t ed25519 -N '' -f "$T/ed25519" -C test &&
        ssh-keygen -q -t ecdsa -b 256 -N '' -f "$T/ecdsa256" -C test &&
        ssh-keygen -q -t ecdsa -b 384 -N '' -f "$T/ecdsa384" -C test &&
        ssh-keygen -q -t ecdsa -b 521 -N '' -f "$T/ecdsa521" -C test &&
        ssh-keygen -q -t rsa -b 3072 -m PEM -N '' -f "$T/rsa" -C test &&
        ssh-keygen -q -t ed25519 -N '' -f "$T/stranger" -C test || exit 1
    cat "$T/ed25519.pub" "$T/ecdsa256.pub" "$T/ecdsa384.pub" "$T/ecdsa521.pub" "$T/rsa.pub" >"$T/authorized_keys"
}

make_host_keys()
{
    openssl genpkey -algorithm ed25519 -out "$T/host_ed25519" 2>/dev/null &&
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/host_ecdsa256" 2>/dev/null &&
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$T/host_ecdsa384" 2>/dev/null &&
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out "$T/host_ecdsa521" 2>/dev/null &&
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out "$T/host_rsa" 2>/dev/null || exit 1
    chmod 600 "$T"/host_*
}

# says_port LOG: a whole line of it names a port; PORT.
says_port()
{
    local line

    while IFS= read -r line; do
        [[ $line =~ 127\.0\.0\.1:([0-9]+) ]] && PORT=${BASH_REMATCH[1]} && return 0
    done <"$1"
    return 1
}

# wait_for_port LOG PID: reads from the log which port the server took; PORT. Wine takes long to begin. The log has to be empty before
# the server is started: a shell in the background may empty it later than this looks, and an earlier server's port stands there.
wait_for_port()
{
    local tries=0

    PORT=""
    while [ $tries -lt 6000 ]; do
        ! says_port "$1" || return 0
        kill -0 "$2" 2>/dev/null || break
        sleep 0.05
        tries=$((tries + 1))
    done
    echo "the server does not say where it listens:"
    cat "$1"
    return 1
}

# start_server [OPTION]...: nacred with the keys above, on a free port.
start_server()
{
    [ -f "$T/authorized_keys" ] || make_keys
    [ -f "$T/host_rsa" ] || make_host_keys
    : >"$T/server.log"
    # shellcheck disable=SC2086 # options
    "$NACRED" ${NACRED_OPTIONS:-} --listen 127.0.0.1:0 --user "$USER_NAME:$PASSWORD" --authorized-keys "$T/authorized_keys" \
        --host-key "$T/host_ed25519" --host-key "$T/host_ecdsa256" --host-key "$T/host_ecdsa384" \
        --host-key "$T/host_ecdsa521" --host-key "$T/host_rsa" "$@" >"$T/server.log" 2>&1 </dev/null &
    SERVER_PID=$!
    wait_for_port "$T/server.log" "$SERVER_PID" || exit 1
}

# start_again [OPTION]...: nacred with other options.
start_again()
{
    [ -z "$SERVER_PID" ] || check "the server ends when told to" stop_server
    start_server "$@"
}

# restart SETTING...: nacred with OPTIONS and those settings.
OPTIONS=(--exec)
restart()
{
    local setting settings=()

    for setting in "$@"; do
        settings+=(--set "$setting")
    done
    start_again "${OPTIONS[@]}" "${settings[@]}"
}

# serve PROGRAM [ARGUMENT]...: another server in nacred's place.
serve()
{
    [ -z "$SERVER_PID" ] || check "the server ends when told to" stop_server
    : >"$T/server.log"
    "$@" >"$T/server.log" 2>&1 </dev/null &
    SERVER_PID=$!
    wait_for_port "$T/server.log" "$SERVER_PID" || exit 1
}

# OpenSSH, told to read no file but ours. SSH_KEY chooses the key.
SSH_COMMON="-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null
    -o ConnectTimeout=120 -o IdentitiesOnly=yes"

ssh_key()
{
    # shellcheck disable=SC2086 # a list of options
    timeout "${LIMIT:-300}" ssh $SSH_COMMON -o "LogLevel=${LOG_LEVEL:-ERROR}" -o BatchMode=yes -i "${SSH_KEY:-$T/ed25519}" -p "$PORT" -l "${WHO:-$USER_NAME}" "$@"
}

# ssh_password PASSWORD OPTION...: logs in by typing it; BatchMode would not ask.
ssh_password()
{
    local password=$1

    shift
    printf '#!/bin/sh\ncat "%s/typed"\n' "$T" >"$T/askpass"
    printf '%s\n' "$password" >"$T/typed"
    chmod 700 "$T/askpass"
    # shellcheck disable=SC2086 # a list of options
    SSH_ASKPASS=$T/askpass SSH_ASKPASS_REQUIRE=force timeout "${LIMIT:-300}" ssh $SSH_COMMON -o "LogLevel=${LOG_LEVEL:-ERROR}" -o NumberOfPasswordPrompts=1 \
        -o "PreferredAuthentications=${METHOD:-password}" -o PubkeyAuthentication=no -p "$PORT" -l "${WHO:-$USER_NAME}" "$@"
}

# status_is N COMMAND...: its exit status is N.
status_is()
{
    local wanted=$1 status

    shift
    "$@"
    status=$?
    [ "$status" -eq "$wanted" ] || {
        echo "exit status $status instead of $wanted"
        return 1
    }
}

refused()
{
    if "$@"; then
        echo "was let in"
        return 1
    fi
}

# prints TEXT COMMAND...: its standard output is TEXT.
prints()
{
    local wanted=$1 got

    shift
    got=$("$@") || {
        echo "exit status $?, output: $got"
        return 1
    }
    [ "$got" = "$wanted" ] || {
        printf 'got "%s" instead of "%s"\n' "$got" "$wanted"
        return 1
    }
}

# random_file NAME BYTES
random_file()
{
    head -c "$2" /dev/urandom >"$T/$1"
}

# through FILE COMMAND...: what goes in comes out again, byte for byte.
through()
{
    local file=$1

    shift
    "$@" <"$file" >"$T/through.out" || {
        echo "exit status $?"
        return 1
    }
    cmp "$file" "$T/through.out"
}

server_alive()
{
    kill -0 "$SERVER_PID"
}

# scripted PROGRAM ARGUMENT...: each line it prints is a check of its own.
scripted()
{
    local status good bad

    timeout "${LIMIT:-600}" "$@" >"$T/scripted.out" 2>&1
    status=$?
    cat "$T/scripted.out"
    good=$(grep -c '^ok ' "$T/scripted.out")
    bad=$(grep -c '^FAILED ' "$T/scripted.out")
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || {
        echo "FAILED  $1 ended with status $status"
        bad=1
    }
    PASSED=$((PASSED + good))
    FAILED=$((FAILED + bad))
}

# settles COMMAND...: becomes true within minutes.
settles()
{
    local tries=0

    while ! "$@" >"$T/settles.out" 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 1800 ] || {
            cat "$T/settles.out"
            return 1
        }
        sleep 0.1
    done
}
