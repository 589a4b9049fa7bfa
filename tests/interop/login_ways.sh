#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Logging in without anything, and with a password that has to be changed: OpenSSH asks for it, and so does AsyncSSH.
# login_ways.sh PROGRAM: tests/interop/login_server.c.
. "$(dirname "$0")/lib.sh"
need ssh
program=$1
here=$(cd "$(dirname "$0")" && pwd)

# ---- none ----

nothing()
{
    # shellcheck disable=SC2086 # a list of options
    timeout 300 ssh $SSH_COMMON -o LogLevel=ERROR -o BatchMode=yes -o PubkeyAuthentication=no -p "$PORT" -l "$1" 127.0.0.1 x
}
serve "$program"
check "a guest needs nothing" prints welcome nothing guest
check "others do" refused nothing anna

# ---- a new password ----

# changes USER OLD NEW AGAIN: what ssh asks goes to the askpass program, which goes by its text.
changes()
{
    : >"$T/prompts"
    cat >"$T/askpass" <<SCRIPT
#!/bin/sh
echo "\$1" >>"$T/prompts"
case \$1 in
Retype*) echo "$4" ;;
*new*) echo "$3" ;;
*) echo "$2" ;;
esac
SCRIPT
    chmod 700 "$T/askpass"
    # shellcheck disable=SC2086 # a list of options
    SSH_ASKPASS=$T/askpass SSH_ASKPASS_REQUIRE=force timeout 300 ssh $SSH_COMMON -o NumberOfPasswordPrompts=1 \
        -o PubkeyAuthentication=no -o PreferredAuthentications=password -p "$PORT" -l "$1" 127.0.0.1 anything \
        </dev/null 2>"$T/ssh.err"
}

asked()
{
    grep -q "old password" "$T/prompts" && grep -q "new password" "$T/prompts" && grep -q "has expired" "$T/ssh.err"
}

check "the wrong password" refused changes anna wrong 'a new password' 'a new password'
check "is not told that it has expired" refused grep -q "new password" "$T/prompts"
check "a new one that is too short" refused changes anna old short short
check "is said to be" grep -q "needs eight bytes" "$T/ssh.err"
check "a new one" prints welcome changes anna old 'a new password' 'a new password'
check "ssh asked for it" asked
check "the server saw a change" grep -q "^anna password change" "$T/server.log"
check "the old one is gone" refused changes anna old 'a new password' 'a new password'
check "the new one does" prints welcome changes anna 'a new password' x x
check "without being asked for another" refused grep -q "new" "$T/prompts"
check "a change that the server refuses" refused changes berta old 'a new password' 'a new password'

if /usr/bin/python3 -W ignore -c 'import asyncssh' 2>/dev/null; then
    asyncssh()
    {
        timeout 300 /usr/bin/python3 "$here/change_client.py" "$PORT" "$@"
    }
    serve "$program"
    check "AsyncSSH: declined" status_is 3 asyncssh anna old
    check "AsyncSSH: too short, then good" \
        prints "$(printf 'Your password has expired.\nThe new password needs eight bytes.\nwelcome')" \
        asyncssh anna old short 'long enough'
    check "AsyncSSH: from then on" prints welcome asyncssh anna 'long enough'
else
    echo "skipped: AsyncSSH is not installed"
fi
finish
