# SPDX-License-Identifier: Apache-2.0
"""Paramiko, each algorithm alone: PORT USER FOLDER KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS."""

import os
import socket
import sys

import paramiko

from checks import Checks, same

PORT, USER, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3]
KEX, CIPHERS, MACS, COMPS, HOST_KEYS = (a.split(",") for a in sys.argv[4:9])

with open(os.path.join(FOLDER, "some"), "rb") as f:
    SOME = f.read()
KEY = paramiko.Ed25519Key.from_private_key_file(os.path.join(FOLDER, "ed25519"))


def through_cat(kind, name, key=KEY):
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", PORT), 200))
    try:
        if kind is not None:
            setattr(transport.get_security_options(), kind, (name,))
        if kind == "digests":
            transport.get_security_options().ciphers = ("aes128-cbc",)
        transport.start_client(timeout=200)
        transport.auth_publickey(USER, key)
        channel = transport.open_session(timeout=200)
        channel.settimeout(200)
        channel.exec_command("cat")
        channel.sendall(SOME[:20000])
        transport.renegotiate_keys()
        channel.sendall(SOME[20000:])
        channel.shutdown_write()
        got = b""
        while len(got) <= len(SOME):
            part = channel.recv(65536)
            if not part:
                break
            got += part
        assert got == SOME, "other bytes came back"
        same(channel.recv_exit_status(), 0)
    finally:
        transport.close()


def main():
    checks = Checks()
    has = paramiko.Transport(socket.create_connection(("127.0.0.1", PORT), 200))
    options = has.get_security_options()
    sets = (("kex", "kex", KEX, options.kex), ("cipher", "ciphers", CIPHERS, options.ciphers),
            ("mac", "digests", MACS, options.digests), ("comp", "compression", COMPS, options.compression),
            ("host-key", "key_types", HOST_KEYS, options.key_types))
    for what, kind, ours, theirs in sets:
        for a in ours:
            if a in theirs:
                checks.run("%-16s %-10s %s" % ("paramiko", what, a), through_cat, kind, a)
    if os.path.exists(os.path.join(FOLDER, "dsa")):
        key = paramiko.DSSKey.from_private_key_file(os.path.join(FOLDER, "dsa"))
        checks.run("%-16s %-10s %s" % ("paramiko", "user-key", "ssh-dss"), through_cat, None, None, key)
    has.close()
    checks.finish()


main()
