#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Peers that are no SSH clients, or stop being one: refused, named in the log, and nothing of them left behind.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl

start_server --exec --bench
random_file megabyte 1048576

# speaks FILE: sends it raw and waits for the server to hang up, at most two minutes.
speaks()
{
    timeout 120 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && cat "$2" >&3 && cat <&3 >/dev/null' - "$PORT" "$1"
    # Closed by reset is closed too; 124 is not.
    [ $? -ne 124 ] || {
        echo "the server holds the connection"
        return 1
    }
}

log_lines()
{
    grep -c '127\.0\.0\.1' "$T/server.log"
}

refuses()
{
    local before

    before=$(log_lines)
    speaks "$1" || return 1
    named_since "$before"
}

named_since()
{
    local tries=0

    while [ "$(log_lines)" -le "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || {
            echo "the log does not name the peer:"
            tail -n 5 "$T/server.log"
            return 1
        }
        sleep 0.1
    done
}

descriptors()
{
    find "/proc/$SERVER_PID/fd" -mindepth 1 2>/dev/null | wc -l
}

children()
{
    grep -lsw "^PPid:[[:space:]]*$SERVER_PID" /proc/[0-9]*/status | wc -l
}

as_at_start()
{
    echo "$(descriptors) descriptors (at the start $DESCRIPTORS), $(children) children"
    [ "$(descriptors)" -le "$DESCRIPTORS" ] && [ "$(children)" -eq 0 ]
}

# RFC 4253 section 4.2 gives a line 255 bytes.
printf 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' >"$T/http"
head -c 4096 /dev/urandom >"$T/noise"
head -c 100000 /dev/zero | tr '\0' 'A' >"$T/endless"
printf 'SSH-1.5-old\r\n' >"$T/old"
printf 'SSH-2.0-x\r\n\377\377\377\377garbage in place of a packet' >"$T/length"
{ printf 'SSH-2.0-x\r\n'; head -c 65536 /dev/urandom; } >"$T/packets"
{ printf 'SSH-2.0-x\r\n'; printf '\0\0\0\014\012\005\0\0\0\014ssh-userauth'; } >"$T/early"

check "a good login first" prints hello ssh_key 127.0.0.1 echo hello
settles true
DESCRIPTORS=$(descriptors)
for what in http noise endless old length packets early; do
    check "refuses $what and names the peer" refuses "$T/$what"
done
check "a good login afterwards" prints hello ssh_key 127.0.0.1 echo hello

connects_and_leaves()
{
    local i

    for i in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$PORT") || return 1
        (exec 3<>"/dev/tcp/127.0.0.1/$PORT" && printf 'SSH-2.0-x\r\n' >&3) || return 1
    done
}

# Killed while bytes go both ways and the command lives.
killed()
{
    local pid i

    for i in 1 2 3 4 5 6 7 8; do
        # shellcheck disable=SC2086 # a list of options
        ssh $SSH_COMMON -o BatchMode=yes -i "$T/ed25519" -p "$PORT" -l "$USER_NAME" 127.0.0.1 cat \
            </dev/zero >/dev/null 2>&1 &
        pid=$!
        sleep "0.$i"
        kill -9 $pid || return 1
        wait $pid 2>/dev/null
    done
    return 0
}

check "connections that leave at once" connects_and_leaves
check "clients killed in the middle" killed
check "descriptors and children are as at the start" settles as_at_start
check "1 MiB through cat after all that" through "$T/megabyte" ssh_key 127.0.0.1 cat
finish 2>/dev/null
