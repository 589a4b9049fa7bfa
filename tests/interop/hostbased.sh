#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hostbased logins: AsyncSSH with keys of its own, and OpenSSH by way of its ssh-keysign. That one reads /etc/ssh alone,
# so it gets one of its own in a mount namespace, which takes root.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl
here=$(cd "$(dirname "$0")" && pwd)
keysign=/usr/lib/openssh/ssh-keysign
by_asyncssh=no
by_openssh=no
/usr/bin/python3 -W ignore -c 'import asyncssh' 2>/dev/null && by_asyncssh=yes
if [ "$(id -u)" -eq 0 ] && [ -x $keysign ] && [ -d /etc/ssh ] &&
    unshare -m sh -c 'mount --make-rprivate / && mount -t tmpfs none /etc/ssh' 2>/dev/null; then
    by_openssh=yes
fi
[ $by_asyncssh$by_openssh != nono ] ||
    skip "needs python3-asyncssh, or root with ssh-keysign and leave for a mount namespace"

# The name that ssh finds for its own end of the connection.
client=$(/usr/bin/python3 -c 'import socket
try:
    print(socket.getnameinfo(("127.0.0.1", 0), socket.NI_NAMEREQD)[0])
except OSError:
    print(socket.gethostname())')

make_keys
trust()
{
    printf '%s %s\n' "$1" "$(cut -d ' ' -f 1,2 "$T/$2.pub")" >>"$T/hosts"
}
trust "client.example.com" ed25519
trust "client.example.com,$client" ecdsa256
trust "*.example.com,!bad.example.com" rsa
trust "*" ecdsa521
printf '@revoked * %s\n' "$(cut -d ' ' -f 1,2 "$T/ecdsa521.pub")" >>"$T/hosts"
chmod 644 "$T/hosts"
: >"$T/authorized_keys"
start_server --exec --user root:irrelevant --trusted-hosts "$T/hosts"

# ---- AsyncSSH ----

# asyncssh KEY HOST HOST-USER [USER]
asyncssh()
{
    timeout 300 /usr/bin/python3 "$here/hostbased_client.py" "$PORT" "${4:-$USER_NAME}" "$T/$1" "$2" "$3" 'echo hello' 2>&1
}

stays_out()
{
    status_is 3 asyncssh "$@"
}

if [ $by_asyncssh = yes ]; then
    for key in ed25519 ecdsa256 rsa; do
        check "AsyncSSH: a host with a key of type $key" prints hello asyncssh $key client.example.com "$USER_NAME"
    done
    check "AsyncSSH: one of a pattern" prints hello asyncssh rsa other.example.com "$USER_NAME"
    check "AsyncSSH: excepted from the pattern" stays_out rsa bad.example.com "$USER_NAME"
    check "AsyncSSH: another name than the key's" stays_out ed25519 other.example.com "$USER_NAME"
    check "AsyncSSH: a key that nobody knows" stays_out stranger client.example.com "$USER_NAME"
    check "AsyncSSH: a revoked key" stays_out ecdsa521 client.example.com "$USER_NAME"
    check "AsyncSSH: another user of the host" stays_out ed25519 client.example.com bob
    check "AsyncSSH: a user that is none here" stays_out ed25519 client.example.com bob bob
    check "the log names the host" grep -q "login .*hostbased ssh-ed25519 from client.example.com" "$T/server.log"
else
    echo "skipped: AsyncSSH is not installed"
fi

# ---- OpenSSH ----

# openssh KEY: ssh as root of a host with that key.
openssh()
{
    rm -rf "$T/etc" && mkdir "$T/etc" && printf 'Host *\nEnableSSHKeysign yes\n' >"$T/etc/ssh_config" || return 1
    cp "$T/$1" "$T/etc/ssh_host_${2}_key" && cp "$T/$1.pub" "$T/etc/ssh_host_${2}_key.pub" || return 1
    # shellcheck disable=SC2016,SC2086 # for the shell inside; a list of options
    timeout 300 unshare -m sh -c 'mount --make-rprivate / && mount --bind "$1" /etc/ssh && shift && exec "$@"' sh "$T/etc" \
        ssh $SSH_COMMON -o "LogLevel=${LOG_LEVEL:-ERROR}" -o BatchMode=yes -o HostbasedAuthentication=yes \
        -o PreferredAuthentications=hostbased -p "$PORT" -l root 127.0.0.1 echo hello
}

if [ $by_openssh = yes ]; then
    check "OpenSSH: a host that is trusted" prints hello openssh ecdsa256 ecdsa
    check "the log names it" grep -q "login .*hostbased ecdsa-sha2-nistp256 from $client" "$T/server.log"
    check "OpenSSH: a key of another host" refused openssh ed25519 ed25519
    check "OpenSSH: a key that nobody knows" refused openssh stranger ed25519
    check "OpenSSH: a revoked key" refused openssh ecdsa521 ecdsa
else
    echo "skipped: OpenSSH needs root, ssh-keysign and leave for a mount namespace"
fi

# ---- the file ----

check "the server ends when told to" stop_server
refuses_to_start()
{
    cp "$T/hosts" "$T/wrong" && printf '%s\n' "$1" >>"$T/wrong" && chmod "${2:-644}" "$T/wrong" || return 1
    ! timeout 300 "$NACRED" --listen 127.0.0.1:0 --trusted-hosts "$T/wrong" >"$T/start.out" 2>&1 </dev/null &&
        grep -q "hosts in '$T/wrong'\|keys in '$T/wrong'" "$T/start.out"
}
check "a line that is not understood" refuses_to_start 'client nonsense'
check "hashed names" refuses_to_start "|1|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM= $(cat "$T/rsa.pub")"
check "a file that others can write" refuses_to_start '# nothing' 666
finish
