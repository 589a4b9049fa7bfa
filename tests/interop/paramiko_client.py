# SPDX-License-Identifier: Apache-2.0
"""Paramiko against a server: PORT USER PASSWORD FOLDER (with keys, a file "megabyte", a folder "remote")."""

import os
import socket
import sys
import threading
import time

import paramiko

from checks import Checks, same

PORT, USER, PASSWORD, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
KEYS = {
    "ed25519": paramiko.Ed25519Key,
    "ecdsa256": paramiko.ECDSAKey,
    "ecdsa384": paramiko.ECDSAKey,
    "ecdsa521": paramiko.ECDSAKey,
    "rsa": paramiko.RSAKey,
}

with open(os.path.join(FOLDER, "megabyte"), "rb") as f:
    MEGABYTE = f.read()


def client(**options):
    c = paramiko.SSHClient()
    c.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    c.connect("127.0.0.1", PORT, username=options.pop("username", USER), look_for_keys=False, allow_agent=False, timeout=200,
              **options)
    return c


def key_client():
    return client(pkey=key("ed25519"))


def key(name):
    return KEYS[name].from_private_key_file(os.path.join(FOLDER, name))


def says_hello(c):
    with c:
        _, out, _ = c.exec_command("echo hello", timeout=200)
        same(out.read(), b"hello\n")
        same(out.channel.recv_exit_status(), 0)


def refused(**options):
    try:
        client(**options).close()
    except paramiko.AuthenticationException:
        return
    raise AssertionError("was let in")


def interactive():
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", PORT), 200))
    try:
        transport.start_client(timeout=200)
        transport.auth_interactive(USER, lambda title, text, prompts: [PASSWORD] * len(prompts))
        assert transport.is_authenticated()
    finally:
        transport.close()


def through_cat():
    with key_client() as c:
        stdin, out, _ = c.exec_command("cat", timeout=200)

        def write():
            stdin.channel.sendall(MEGABYTE)
            stdin.channel.shutdown_write()

        writer = threading.Thread(target=write)
        writer.start()
        got = out.read()
        writer.join()
        assert got == MEGABYTE
        same(out.channel.recv_exit_status(), 0)


def streams_and_status():
    with key_client() as c:
        _, out, err = c.exec_command("echo out; echo err >&2; exit 7", timeout=200)
        same((out.read(), err.read()), (b"out\n", b"err\n"))
        same(out.channel.recv_exit_status(), 7)


def environment():
    with key_client() as c:
        channel = c.get_transport().open_session(timeout=200)
        channel.set_environment_variable("NACRE_TEST", "a value")
        channel.exec_command('echo "$NACRE_TEST"')
        same(channel.makefile("rb").read(), b"a value\n")


def read_until(channel, wanted):
    """What a terminal shows, up to and with `wanted`."""
    got = ""
    end = time.monotonic() + 200
    while wanted not in got:
        if time.monotonic() > end:
            raise AssertionError("no %r in %r" % (wanted, got))
        if channel.recv_ready():
            got += channel.recv(4096).decode()
        else:
            time.sleep(0.02)
    return got


def window_change():
    with key_client() as c:
        channel = c.invoke_shell(term="vt100", width=80, height=24)
        channel.sendall("stty size; echo TERM=$TERM; echo one$((1))\n")
        text = read_until(channel, "one1")
        assert "24 80" in text and "TERM=vt100" in text, text
        channel.resize_pty(width=132, height=43)
        channel.sendall("stty size; echo two$((2))\n")
        assert "43 132" in read_until(channel, "two2")
        channel.sendall("exit 4\n")
        same(channel.recv_exit_status(), 4)


def sftp():
    with key_client() as c:
        there, back = os.path.join(FOLDER, "remote", "there"), os.path.join(FOLDER, "back")
        with c.open_sftp() as s:
            s.put(os.path.join(FOLDER, "megabyte"), there)
            same(s.stat(there).st_size, len(MEGABYTE))
            s.get(there, back)
        with open(back, "rb") as got:
            assert got.read() == MEGABYTE


def rekeys():
    with key_client() as c:
        transport = c.get_transport()
        channel = transport.open_session(timeout=200)
        channel.exec_command("cat")
        for i in range(4):
            transport.renegotiate_keys()
            channel.sendall(b"x" * 100000)
            got = b""
            while len(got) < 100000:
                got += channel.recv(100000)
            same((i, got), (i, b"x" * 100000))


def channels_apart():
    with key_client() as c:
        channels = [c.exec_command("cat", timeout=200) for _ in range(20)]
        for number, (stdin, _, _) in enumerate(channels):
            stdin.write("channel %d\n" % number)
            stdin.channel.shutdown_write()
        for number, (_, out, _) in reversed(list(enumerate(channels))):
            same(out.read(), b"channel %d\n" % number)


def main():
    checks = Checks()
    checks.run("password", lambda: says_hello(client(password=PASSWORD)))
    for name in KEYS:
        checks.run("publickey " + name, lambda name=name: says_hello(client(pkey=key(name))))
    checks.run("keyboard-interactive", interactive)
    checks.run("wrong password is refused", lambda: refused(password="wrong"))
    checks.run("unknown user is refused", lambda: refused(username="mallory", password=PASSWORD))
    checks.run("unknown key is refused", lambda: refused(
        pkey=paramiko.Ed25519Key.from_private_key_file(os.path.join(FOLDER, "stranger"))))
    checks.run("1 MiB through cat", through_cat)
    checks.run("stdout, stderr and exit status", streams_and_status)
    checks.run("an accepted variable", environment)
    checks.run("a terminal and its window-change", window_change)
    checks.run("sftp put and get", sftp)
    checks.run("key re-exchange", rekeys)
    checks.run("twenty channels", channels_apart)
    checks.finish()


main()
