#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Keyboard-interactive with two prompts, which every client has to answer in order.
. "$(dirname "$0")/lib.sh"
need ssh
here=$(cd "$(dirname "$0")" && pwd)

serve "$KBDINT_SERVER"

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
    SSH_ASKPASS=$T/askpass SSH_ASKPASS_REQUIRE=force timeout 300 ssh $SSH_COMMON -o NumberOfPasswordPrompts=1 \
        -o PreferredAuthentications=keyboard-interactive -p "$PORT" -l "$USER_NAME" 127.0.0.1 anything </dev/null
}

check "both answers right" prints welcome answers red blue
check "the prompts came in order" test "$(sed 's/.*\(First\|Second\).*/\1/' "$T/prompts" | tr '\n' ' ')" = "First Second "
check "the first wrong" refused answers green blue
check "the second wrong" refused answers red green
check "swapped" refused answers blue red
check "empty" refused answers '' ''
if /usr/bin/python3 -c 'import asyncssh, paramiko' 2>/dev/null; then
    check "AsyncSSH and Paramiko" timeout 300 /usr/bin/python3 "$here/kbdint_client.py" "$PORT"
fi

# by_terminal FIRST SECOND CLIENT...: a client that asks on a terminal.
by_terminal()
{
    HOME=$T timeout 300 /usr/bin/python3 "$here/kbdint_pty.py" "$@"
}

# both_ways NAME FUNCTION: right answers let in, others do not.
both_ways()
{
    check "$1, both answers right" "$2" red blue
    check "$1, one wrong" refused "$2" red green
    check "$1, swapped" refused "$2" blue red
}

with_dbclient()
{
    by_terminal "$1" "$2" dbclient -y -y -p "$PORT" "$USER_NAME@127.0.0.1" anything
}

with_plink()
{
    by_terminal "$1" "$2" plink -ssh -no-antispoof -noagent -hostkey "$HOST_KEY" -P "$PORT" "$USER_NAME@127.0.0.1" anything
}

with_libssh()
{
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 timeout 300 "$LIBSSH_CLIENT" kbdint "$PORT" "$1" "$2"
}

if command -v dbclient >/dev/null; then
    both_ways "Dropbear" with_dbclient
fi
if command -v plink >/dev/null && command -v ssh-keyscan >/dev/null; then
    HOST_KEY=$(timeout 300 ssh-keyscan -p "$PORT" -t ed25519 127.0.0.1 2>/dev/null | ssh-keygen -lf - | awk '{ print $2 }')
    both_ways "PuTTY" with_plink
fi
if [ -x "${LIBSSH_CLIENT:-}" ]; then
    both_ways "libssh" with_libssh
fi
finish
