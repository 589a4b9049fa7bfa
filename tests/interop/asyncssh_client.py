# SPDX-License-Identifier: Apache-2.0
"""AsyncSSH against a server: PORT USER PASSWORD FOLDER (with keys, a file "megabyte", a folder "remote")."""

import asyncio
import inspect
import os
import sys

import asyncssh

from checks import Checks, same

PORT, USER, PASSWORD, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]

with open(os.path.join(FOLDER, "megabyte"), "rb") as f:
    MEGABYTE = f.read()


class Answers(asyncssh.SSHClient):
    """Answers every keyboard-interactive prompt with the password."""

    def kbdint_auth_requested(self):
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        return [PASSWORD] * len(prompts)


def connect(**options):
    settings = {"username": USER, "known_hosts": None, "client_keys": [os.path.join(FOLDER, "ed25519")], "config": None,
                "agent_path": None, "login_timeout": 200}
    settings.update(options)
    return asyncssh.connect("127.0.0.1", PORT, **settings)


async def says_hello(**options):
    async with connect(**options) as c:
        done = await asyncio.wait_for(c.run("echo hello"), 200)
        same((done.stdout, done.exit_status), ("hello\n", 0))


async def refused(**options):
    try:
        async with connect(**options):
            pass
    except asyncssh.PermissionDenied:
        return
    raise AssertionError("was let in")


async def through_cat(**options):
    async with connect(**options) as c:
        done = await asyncio.wait_for(c.run("cat", input=MEGABYTE, encoding=None), 60)
        assert done.stdout == MEGABYTE
        same(done.exit_status, 0)


async def streams_and_status():
    async with connect() as c:
        done = await asyncio.wait_for(c.run("echo out; echo err >&2; exit 7"), 200)
        same((done.stdout, done.stderr, done.exit_status), ("out\n", "err\n", 7))


async def exit_signal():
    async with connect() as c:
        done = await asyncio.wait_for(c.run("kill -9 $$"), 200)
        same(done.exit_signal[0] if done.exit_signal else None, "KILL")


async def signal():
    async with connect() as c:
        process = await c.create_process("trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.1; done")
        same(await asyncio.wait_for(process.stdout.readline(), 200), "ready\n")
        process.send_signal("TERM")
        same(await asyncio.wait_for(process.stdout.read(), 200), "caught\n")
        await process.wait()
        same(process.exit_status, 3)


async def signal_ends():
    async with connect() as c:
        process = await c.create_process("echo ready; exec sleep 60")
        same(await asyncio.wait_for(process.stdout.readline(), 200), "ready\n")
        process.terminate()
        await asyncio.wait_for(process.wait(), 200)
        same(process.exit_signal[0] if process.exit_signal else None, "TERM")


async def environment():
    async with connect() as c:
        done = await asyncio.wait_for(c.run('echo "$NACRE_TEST"', env={"NACRE_TEST": "a value"}), 200)
        same(done.stdout, "a value\n")


async def window_change():
    async with connect() as c:
        process = await c.create_process("read a; stty size; read b; stty size", term_type="vt100", term_size=(80, 24),
                                         term_modes={asyncssh.PTY_ECHO: 0})
        process.stdin.write("\n")
        same((await asyncio.wait_for(process.stdout.readline(), 200)).strip(), "24 80")
        process.change_terminal_size(132, 43)
        process.stdin.write("\n")
        same((await asyncio.wait_for(process.stdout.readline(), 200)).strip(), "43 132")
        await process.wait()
        same(process.exit_status, 0)


async def sftp():
    async with connect() as c:
        async with c.start_sftp_client() as s:
            there, back = os.path.join(FOLDER, "remote", "there"), os.path.join(FOLDER, "back")
            await s.put(os.path.join(FOLDER, "megabyte"), there)
            await s.get(there, back)
        with open(back, "rb") as got:
            assert got.read() == MEGABYTE


async def many_channels():
    async with connect() as c:
        done = await asyncio.gather(*(c.run("cat; exit %d" % i, input="channel %d\n" % i) for i in range(50)))
        same([(d.stdout, d.exit_status) for d in done], [("channel %d\n" % i, i) for i in range(50)])


async def rekeys():
    async with connect(rekey_bytes=65536) as c:
        done = await asyncio.wait_for(c.run("cat", input=MEGABYTE, encoding=None), 60)
        assert done.stdout == MEGABYTE


async def main():
    checks = Checks()
    run = checks.run_async
    no_keys = {"client_keys": None}
    await run("password", lambda: says_hello(password=PASSWORD, preferred_auth="password", **no_keys))
    for name in ("ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"):
        await run("publickey " + name, lambda name=name: says_hello(client_keys=[os.path.join(FOLDER, name)]))
    await run("keyboard-interactive", lambda: says_hello(client_factory=Answers, preferred_auth="keyboard-interactive", **no_keys))
    await run("wrong password is refused", lambda: refused(password="wrong", preferred_auth="password", **no_keys))
    await run("unknown user is refused", lambda: refused(username="mallory", password=PASSWORD, **no_keys))
    await run("unknown key is refused", lambda: refused(client_keys=[os.path.join(FOLDER, "stranger")]))
    await run("1 MiB through cat", through_cat)
    for mac in ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512"):
        await run("1 MiB through cat with " + mac, lambda mac=mac: through_cat(encryption_algs="aes128-ctr", mac_algs=mac))
    await run("1 MiB through cat, compressed", lambda: through_cat(compression_algs="zlib@openssh.com"))
    await run("stdout, stderr and exit status", streams_and_status)
    await run("exit-signal", exit_signal)
    await run("a signal that is caught", signal)
    await run("a signal that ends", signal_ends)
    await run("an accepted variable", environment)
    await run("a terminal and its window-change", window_change)
    await run("sftp put and get", sftp)
    # Older versions send channel data inside of a key exchange, RFC 4253 section 7.1 forbids it, and the server hangs up.
    if "MSG_KEX_LAST" in inspect.getsource(asyncssh.SSHClientConnection.send_packet):
        await run("key re-exchange every 64 KiB", rekeys)
    await run("fifty channels at once", many_channels)
    checks.finish()


asyncio.run(main())
