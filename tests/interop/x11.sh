#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# x11 channels that a server opens to OpenSSH's client: x11.sh X11_SERVER.
. "$(dirname "$0")/lib.sh"
need ssh /usr/bin/python3
here=$(cd "$(dirname "$0")" && pwd)

serve "$1"

: >"$T/display"
/usr/bin/python3 "$here/x_display.py" >"$T/display" 2>&1 &
PIDS="$PIDS $!"
there() { [ -s "$T/display" ]; }
settles there || cat "$T/display"
NUMBER=$(cat "$T/display")

# draw OPTION...: what the display says to who connects at the server.
draw()
{
    # shellcheck disable=SC2086 # a list of options
    DISPLAY=127.0.0.1:$NUMBER timeout 300 ssh $SSH_COMMON -o LogLevel=ERROR -o PreferredAuthentications=none -p "$PORT" \
        -l "$USER_NAME" "$@" 127.0.0.1 anything </dev/null
}

# 11.0 in this byte order, and a cookie of 16 bytes, which ssh has put in place of the one that it told the server.
check "ssh -Y: the display answers" prints "X 11.0 l 16" draw -Y
check "twice, one after the other" prints "X 11.0 l 16" draw -Y
check "without -Y the client refuses" prints "" draw -x
finish
