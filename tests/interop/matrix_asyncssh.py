# SPDX-License-Identifier: Apache-2.0
"""AsyncSSH, each algorithm alone: PORT USER FOLDER KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS."""

import asyncio
import os
import sys

import asyncssh
from asyncssh import compression, encryption, kex, mac, public_key

from checks import Checks, same

PORT, USER, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3]
KEX, CIPHERS, MACS, COMPS, HOST_KEYS = (a.split(",") for a in sys.argv[4:9])

with open(os.path.join(FOLDER, "some"), "rb") as f:
    SOME = f.read()
TRUSTED = [os.path.join(FOLDER, n + ".crt") for n in ("host_rsa", "host_ecdsa256", "host_ecdsa384", "host_ecdsa521")]


def path(name):
    return os.path.join(FOLDER, name)


def known(names):
    return {n.decode() for n in names}


async def through_cat(**options):
    settings = {"username": USER, "known_hosts": None, "client_keys": [path("ed25519")], "config": None,
                "agent_path": None, "login_timeout": 200, "x509_trusted_certs": None}
    settings.update(options)
    async with asyncssh.connect("127.0.0.1", PORT, **settings) as c:
        done = await asyncio.wait_for(c.run("cat", input=SOME, encoding=None), 200)
        assert done.stdout == SOME, "other bytes came back"
        same(done.exit_status, 0)


async def main():
    checks = Checks()

    async def cell(kind, algorithm, **options):
        await checks.run_async("%-16s %-10s %s" % ("asyncssh", kind, algorithm), lambda: through_cat(**options))

    for a in KEX:
        if a in known(kex.get_kex_algs()):
            await cell("kex", a, kex_algs=[a])
    for a in CIPHERS:
        if a in known(encryption.get_encryption_algs()):
            await cell("cipher", a, encryption_algs=[a])
    for a in MACS:
        if a in known(mac.get_mac_algs()):
            await cell("mac", a, encryption_algs=["aes128-ctr"], mac_algs=[a])
            await cell("mac+cbc", a, encryption_algs=["aes128-cbc"], mac_algs=[a])
    for a in COMPS:
        if a in known(compression.get_compression_algs()):
            await cell("comp", a, compression_algs=[a])
    has = known(public_key.get_public_key_algs()) | known(public_key.get_x509_certificate_algs())
    for a in HOST_KEYS:
        if a in has:
            await cell("host-key", a, server_host_key_algs=[a], x509_trusted_certs=TRUSTED if a.startswith("x509") else None)
    for key, a in (("ed25519", "ssh-ed25519"), ("ecdsa256", "ecdsa-sha2-nistp256"), ("ecdsa384", "ecdsa-sha2-nistp384"),
                   ("ecdsa521", "ecdsa-sha2-nistp521"), ("rsa", "rsa-sha2-256"), ("rsa", "rsa-sha2-512"),
                   ("rsa", "ssh-rsa"), ("dsa", "ssh-dss")):
        if os.path.exists(path(key)):
            await cell("user-key", a, client_keys=[path(key)], signature_algs=[a])
    # Without certificates to trust AsyncSSH uses none itself.
    for key, a in (("rsa", "x509v3-ssh-rsa"), ("rsa", "x509v3-rsa2048-sha256"), ("ecdsa256", "x509v3-ecdsa-sha2-nistp256"),
                   ("ecdsa384", "x509v3-ecdsa-sha2-nistp384"), ("ecdsa521", "x509v3-ecdsa-sha2-nistp521")):
        if a in has and os.path.exists(path(key + ".crt")):
            await cell("user-key", a, client_keys=[(path(key), path(key + ".crt"))], signature_algs=[a],
                       x509_trusted_certs=TRUSTED)
    checks.finish()


asyncio.run(main())
