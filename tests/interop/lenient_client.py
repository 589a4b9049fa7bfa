# SPDX-License-Identifier: Apache-2.0
"""Real clients without strict key exchange: paramiko|asyncssh PORT USER KEY CIPHER MAC. Exit status 0: "hello" came back.

Paramiko before 3.4 has none, later ones leave it out when told to; AsyncSSH loses its marker and the flag that it is on.
"""

import asyncio
import inspect
import socket
import sys

PEER, PORT, USER, KEY, CIPHER, MAC = sys.argv[1], int(sys.argv[2]), *sys.argv[3:7]


def with_paramiko():
    import paramiko

    off = {"strict_kex": False} if "strict_kex" in inspect.signature(paramiko.Transport).parameters else {}
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", PORT), 200), **off)
    try:
        transport.get_security_options().ciphers = (CIPHER,)
        transport.get_security_options().digests = (MAC,)
        transport.start_client(timeout=200)
        transport.auth_publickey(USER, paramiko.Ed25519Key.from_private_key_file(KEY))
        channel = transport.open_session(timeout=200)
        channel.settimeout(200)
        channel.exec_command("echo hello")
        return channel.recv(100)
    finally:
        transport.close()


async def with_asyncssh():
    import asyncssh
    from asyncssh import connection

    whole = connection.SSHConnection._get_extra_kex_algs
    connection.SSHConnection._get_extra_kex_algs = lambda self: [
        a for a in whole(self) if not a.startswith(b"kex-strict")]
    connection.SSHConnection._strict_kex = property(lambda self: False, lambda self, on: None)
    async with asyncssh.connect("127.0.0.1", PORT, username=USER, known_hosts=None, client_keys=[KEY], config=None,
                                agent_path=None, login_timeout=200, encryption_algs=[CIPHER], mac_algs=[MAC]) as c:
        return (await c.run("echo hello", encoding=None)).stdout


sys.exit(0 if (with_paramiko() if PEER == "paramiko" else asyncio.run(with_asyncssh())) == b"hello\n" else 1)
