# SPDX-License-Identifier: Apache-2.0
"""AsyncSSH and Paramiko against kbdint_server: PORT."""

import asyncio
import socket
import sys

import asyncssh
import paramiko

from checks import Checks, same

PORT = int(sys.argv[1])
PROMPTS = [("First colour: ", True), ("Second colour: ", False)]


def answers(prompts, replies):
    same([(text, bool(echo)) for text, echo in prompts], PROMPTS)
    return replies


class Client(asyncssh.SSHClient):
    def __init__(self, replies):
        self.replies = replies

    def kbdint_auth_requested(self):
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        same(instructions, "Two colours, please.")
        return answers(prompts, self.replies)


async def with_asyncssh(replies):
    async with asyncssh.connect("127.0.0.1", PORT, username="alice", known_hosts=None, client_keys=None, config=None,
                                agent_path=None, login_timeout=200, preferred_auth="keyboard-interactive",
                                client_factory=lambda: Client(replies)) as c:
        same((await c.run("anything")).stdout, "welcome\n")


async def refused_asyncssh(replies):
    try:
        await with_asyncssh(replies)
    except asyncssh.PermissionDenied:
        return
    raise AssertionError("was let in")


def with_paramiko(replies):
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", PORT), 200))
    try:
        transport.start_client(timeout=200)
        transport.auth_interactive("alice", lambda title, text, prompts: answers(prompts, replies) if prompts else [])
        assert transport.is_authenticated()
    finally:
        transport.close()


def refused_paramiko(replies):
    try:
        with_paramiko(replies)
    except paramiko.AuthenticationException:
        return
    raise AssertionError("was let in")


def main():
    checks = Checks()
    asyncio.run(checks.run_async("AsyncSSH, both right", with_asyncssh, ["red", "blue"]))
    asyncio.run(checks.run_async("AsyncSSH, one wrong", refused_asyncssh, ["red", "green"]))
    asyncio.run(checks.run_async("AsyncSSH, one missing", refused_asyncssh, ["red"]))
    checks.run("Paramiko, both right", with_paramiko, ["red", "blue"])
    checks.run("Paramiko, one wrong", refused_paramiko, ["green", "blue"])
    checks.finish()


main()
