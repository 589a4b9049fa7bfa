# SPDX-License-Identifier: Apache-2.0
"""An AsyncSSH server of everything that AsyncSSH has, whose only command is cat: FOLDER plain|certificates.

With "certificates" its host keys are X.509 certificates. Says a line of names for each kind (kex, cipher, mac, comp,
host-key), and then where it listens.
"""

import asyncio
import os
import sys

import asyncssh
from asyncssh import compression, encryption, kex, mac, public_key

FOLDER, KEYS = sys.argv[1:3]


def path(name):
    return os.path.join(FOLDER, name)


def names(of):
    return [n.decode() for n in of]


async def cat(process):
    while True:
        data = await process.stdin.read(65536)
        if not data:
            break
        process.stdout.write(data)
        await process.stdout.drain()
    process.exit(0)


async def main():
    certified = ("host_rsa", "host_ecdsa256", "host_ecdsa384", "host_ecdsa521")
    if KEYS == "plain":
        keys = [path(name) for name in ("host_ed25519", "host_dsa") + certified]
        host_key_algs = public_key.get_public_key_algs()
    else:
        keys = [(path(name), path(name + ".crt")) for name in certified]
        host_key_algs = public_key.get_x509_certificate_algs()
    lists = {"kex_algs": names(kex.get_kex_algs()), "encryption_algs": names(encryption.get_encryption_algs()),
             "mac_algs": names(mac.get_mac_algs()), "compression_algs": names(compression.get_compression_algs()),
             "signature_algs": names(public_key.get_public_key_algs())}
    for kind, of in zip(("kex", "cipher", "mac", "comp"), list(lists.values())):
        print(kind, *of)
    print("host-key", *names(host_key_algs))
    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=keys, encoding=None, process_factory=cat,
                                   authorized_client_keys=path("authorized_keys"), **lists)
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.wait_closed()


asyncio.run(main())
