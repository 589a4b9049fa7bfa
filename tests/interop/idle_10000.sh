#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 10,000 connections, logged in and with an open channel, held by one process, while 200 others echo; then each of the 10,000
# answers, too. What an idle connection costs in memory is printed, and has a bar.
. "$(dirname "$0")/lib.sh"
need ssh-keygen openssl awk
[ -x "${NACRE_BENCH:-}" ] || skip "nacre-bench was not built"

CONNECTIONS=10000
SECONDS_HELD=${SECONDS_HELD:-30}
BYTES_MOST=16384 # of one idle connection
DESCRIPTORS=$((CONNECTIONS + 500))

hard=$(ulimit -Hn)
[ "$hard" = unlimited ] || [ "$hard" -ge $DESCRIPTORS ] || skip "$DESCRIPTORS open files are needed, the limit is $hard"
ulimit -n $DESCRIPTORS || skip "no $DESCRIPTORS open files"

# bench MODE OPTION...
bench()
{
    local mode=$1

    shift
    timeout 300 "$NACRE_BENCH" "$mode" --target "127.0.0.1:$PORT" --user "$USER_NAME" --password "$PASSWORD" --command echo \
        --no-progress --json "$T/$mode.json" "$@"
}

# figure MODE NAME: a number of the report.
figure()
{
    sed -n "s/^\"$2\": \([0-9.]*\),*\$/\1/p" "$T/$1.json" | head -n 1
}

# Connections that the system knows between clients and the server.
established()
{
    awk -v port="$(printf ':%04X' "$PORT")" '$2 ~ port "$" && $4 == "01"' /proc/net/tcp | wc -l
}

all_there()
{
    [ "$(established)" -ge $CONNECTIONS ]
}

wait_for_all()
{
    local tries=0

    while ! all_there; do
        tries=$((tries + 1))
        kill -0 "$1" && [ $tries -lt 1200 ] || return 1
        sleep 0.1
    done
}

is_one_process()
{
    [ -z "$(cat /proc/"$SERVER_PID"/task/*/children)" ]
}

# is FIGURE-OF-MODE NAME TEST NUMBER
is()
{
    echo "$2 of $1: $(figure "$1" "$2")"
    awk -v is="$(figure "$1" "$2")" -v bar="$4" "BEGIN { exit !(is != \"\" && is $3 bar) }"
}

start_server --bench --set MaxConnections=$((CONNECTIONS + 300))
bench idle -c $CONNECTIONS -j 2 -d "$SECONDS_HELD" --server-pid "$SERVER_PID" >"$T/idle.out" 2>&1 &
idle=$!
PIDS="$PIDS $idle"
check "$CONNECTIONS connections are there" wait_for_all $idle
check "one process holds them" is_one_process
check "200 others echo" bench echo -c 200 -d 4
check "the $CONNECTIONS were there all the while" all_there
check "they leave in order" wait $idle
cat "$T/idle.out"
check "each of them has answered" is idle operations == $CONNECTIONS
check "none failed" is idle failures_total == 0
check "none of the 200 failed" is echo failures_total == 0
check "the 200 did echo" is echo operations '>' 200
check "an idle connection takes less than $BYTES_MOST bytes" is idle pss_bytes_per_connection '<' $BYTES_MOST
echo "an idle connection: $(figure idle pss_bytes_per_connection) bytes (PSS)"
finish
