#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenSSH: commands, their streams, their ends, their environment and terminal.
. "$(dirname "$0")/lib.sh"
need ssh ssh-keygen openssl script

start_server --exec --shell --accept-env 'NACRE_*'
random_file megabyte 1048576

streams_apart()
{
    ssh_key 127.0.0.1 'echo out; echo err >&2; echo out2' >"$T/1" 2>"$T/2" || return 1
    printf 'out\nout2\n' | cmp - "$T/1" && printf 'err\n' | cmp - "$T/2"
}

big_stderr()
{
    ssh_key 127.0.0.1 'cat >&2' <"$T/megabyte" 2>"$T/2" >"$T/1" || return 1
    [ ! -s "$T/1" ] && cmp "$T/megabyte" "$T/2"
}

# The client's own terminal is made by script(1), so that it has a size to tell and a line to send.
on_terminal()
{
    timeout 300 script -qec "stty rows 33 cols 101; ssh $(echo $SSH_COMMON) -tt -i $T/ed25519 -p $PORT $USER_NAME@127.0.0.1 '$1'" \
        /dev/null </dev/null
}

terminal_size()
{
    on_terminal 'stty size; tty' | tr -d '\r' | tee "$T/terminal"
    grep -q '33 101$' "$T/terminal" && grep -q '/dev/pts/' "$T/terminal"
}

# RFC 4254 section 8: modes that the client sends arrive at the terminal. ssh reads them from its own.
terminal_modes()
{
    timeout 300 script -qec "stty rows 5 cols 20 intr ^X -echoe; ssh $(echo $SSH_COMMON) -tt -i $T/ed25519 -p $PORT \
        $USER_NAME@127.0.0.1 'stty -a; echo TERM=\$TERM'" /dev/null </dev/null | tr -d '\r' | tee "$T/terminal"
    grep -q 'intr = ^X;' "$T/terminal" && grep -q -- '-echoe' "$T/terminal"
}

shell_session()
{
    printf 'echo in a shell\nexit 5\n' | ssh_key 127.0.0.1 >"$T/1"
    [ $? -eq 5 ] && grep -q 'in a shell' "$T/1"
}

eof_ends()
{
    printf 'abc' | ssh_key 127.0.0.1 'wc -c' | grep -qw 3
}

early_end()
{
    ssh_key 127.0.0.1 'head -c 10 >/dev/null; exit 3' <"$T/megabyte"
    [ $? -eq 3 ]
}

# The log has what the client is told: a signal by its name, or by its number when the protocol has none for it.
logged()
{
    for _ in $(seq 100); do
        grep -a " exit peer=.*: $1\$" "$T/server.log" && return
        sleep 0.1
    done
    return 1
}

check "1 MiB through cat" through "$T/megabyte" ssh_key 127.0.0.1 cat
check "1 MiB through cat, compressed" through "$T/megabyte" ssh_key -C 127.0.0.1 cat
check "exit status 0" status_is 0 ssh_key 127.0.0.1 true
check "exit status 7" status_is 7 ssh_key 127.0.0.1 'exit 7'
check "exit status 255" status_is 255 ssh_key 127.0.0.1 'exit 255'
check "a command that is not there" status_is 127 ssh_key 127.0.0.1 /no/such/command
check "killed by a signal" status_is 255 ssh_key 127.0.0.1 'kill -9 $$'
check "its name in the log" logged "signal KILL"
check "killed by a signal without a name" status_is 152 ssh_key 127.0.0.1 'kill -24 $$'
check "its number in the log" logged "signal 24"
check "an exit status in the log" logged "status 127"
check "stdout and stderr apart" streams_apart
check "1 MiB on stderr" big_stderr
check "end of input reaches the command" eof_ends
check "a command that ends before its input" early_end
check "no input at all" prints hello ssh_key -n 127.0.0.1 echo hello
check "output without an end of line" prints abc ssh_key 127.0.0.1 'printf abc'
check "an accepted variable" prints 'two words' ssh_key -o 'SetEnv=NACRE_TEST="two words"' 127.0.0.1 'echo "$NACRE_TEST"'
check "a variable that is not accepted" prints none ssh_key -o SetEnv=OTHER_TEST=x 127.0.0.1 'echo "${OTHER_TEST-none}"'
check "a shell without a terminal" shell_session
check "a terminal of the client's size" terminal_size
check "terminal modes" terminal_modes
check "a subsystem that is not there is refused" refused ssh_key -s 127.0.0.1 nothing
finish
