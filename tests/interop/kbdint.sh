#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keyboard-interactive with two prompts, which OpenSSH, AsyncSSH and Paramiko have to answer in order.
. "$(dirname "$0")/lib.sh"
need ssh
here=$(cd "$(dirname "$0")" && pwd)

"$KBDINT_SERVER" >"$T/server.log" 2>&1 </dev/null &
SERVER_PID=$!
wait_for_port "$T/server.log" "$SERVER_PID"

# answers FIRST SECOND: ssh asks for each prompt through the askpass program, which goes by its text.
answers()
{
    cat >"$T/askpass" <<SCRIPT
#!/bin/sh
echo "\$1" >>"$T/prompts"
case \$1 in
*First*) echo "$1" ;;
*Second*) echo "$2" ;;
esac
SCRIPT
    chmod 700 "$T/askpass"
    # shellcheck disable=SC2086 # a list of options
    SSH_ASKPASS=$T/askpass SSH_ASKPASS_REQUIRE=force timeout 60 ssh $SSH_COMMON -o NumberOfPasswordPrompts=1 \
        -o PreferredAuthentications=keyboard-interactive -p "$PORT" -l "$USER_NAME" 127.0.0.1 anything </dev/null
}

check "both answers right" prints welcome answers red blue
check "the prompts came in order" test "$(sed 's/.*\(First\|Second\).*/\1/' "$T/prompts" | tr '\n' ' ')" = "First Second "
check "the first wrong" refused answers green blue
check "the second wrong" refused answers red green
check "swapped" refused answers blue red
check "empty" refused answers '' ''
if /usr/bin/python3 -c 'import asyncssh, paramiko' 2>/dev/null; then
    check "AsyncSSH and Paramiko" timeout 100 /usr/bin/python3 "$here/kbdint_client.py" "$PORT"
fi
finish
