# SPDX-License-Identifier: Apache-2.0
"""Twisted Conch, each algorithm alone: PORT USER FOLDER KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS."""

import inspect
import os
import sys

from twisted.conch.ssh import channel, common, connection, keys, transport, userauth
from twisted.internet import defer, protocol, reactor, task

PORT, USER, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3]
KEX, CIPHERS, MACS, COMPS, HOST_KEYS = (a.split(",") for a in sys.argv[4:9])

with open(os.path.join(FOLDER, "some"), "rb") as f:
    SOME = f.read()
FAILED = []


def key_of(name):
    return keys.Key.fromFile(os.path.join(FOLDER, name))


class Auth(userauth.SSHUserAuthClient):
    def __init__(self, key, inside):
        super().__init__(USER.encode(), inside)
        self.key = key

    preferredOrder = [b"publickey"]

    def getPublicKey(self):
        key, self.offered = (None if hasattr(self, "offered") else self.key), True
        return None if key is None else key.public()

    def getPrivateKey(self):
        return defer.succeed(self.key)


class Cat(channel.SSHChannel):
    name = b"session"

    def __init__(self, over):
        super().__init__(localWindow=1 << 21)
        self.over, self.got = over, b""

    def channelOpen(self, specific):
        asked = self.conn.sendRequest(self, b"exec", common.NS(b"cat"), wantReply=True)
        asked.addCallbacks(self.started, self.over.errback)

    def started(self, _):
        self.write(SOME)
        self.conn.sendEOF(self)

    def dataReceived(self, data):
        self.got += data

    def closed(self):
        if not self.over.called:
            self.over.callback(self.got)


class Inside(connection.SSHConnection):
    def __init__(self, over):
        super().__init__()
        self.over = over

    def serviceStarted(self):
        super().serviceStarted()
        self.openChannel(Cat(self.over))


class Client(transport.SSHClientTransport):
    def __init__(self, settings, key, over):
        self.key, self.over = key, over
        for name, value in settings.items():
            setattr(self, name, value)

    def verifyHostKey(self, host_key, fingerprint):
        return defer.succeed(True)

    def connectionSecure(self):
        self.requestService(Auth(self.key, Inside(self.over)))

    def connectionLost(self, reason=None):
        super().connectionLost(reason)
        if not self.over.called:
            self.over.errback(reason)


class Factory(protocol.ClientFactory):
    def __init__(self, *arguments):
        self.arguments = arguments

    def buildProtocol(self, address):
        return Client(*self.arguments)


async def cell(kind, algorithm, settings, key="ed25519"):
    what = "%-16s %-10s %s" % ("twisted", kind, algorithm)
    over = defer.Deferred()
    over.addTimeout(200, reactor)
    there = reactor.connectTCP("127.0.0.1", PORT, Factory(settings, key_of(key), over))
    try:
        got = await over
        print("%s%s" % ("ok      " if got == SOME else "FAILED  ", what), flush=True)
        if got != SOME:
            FAILED.append(what)
    except Exception as e:  # pylint: disable=broad-except
        print("FAILED  %s: %s" % (what, e), flush=True)
        FAILED.append(what)
    there.disconnect()


def has(ours, theirs):
    return [a.encode() for a in ours if a.encode() in theirs]


async def main(_):
    client = transport.SSHClientTransport
    for a in has(KEX, client.supportedKeyExchanges):
        await cell("kex", a.decode(), {"supportedKeyExchanges": [a]})
    for a in has(CIPHERS, client.supportedCiphers):
        await cell("cipher", a.decode(), {"supportedCiphers": [a]})
    # The table has names that the default list leaves out.
    for a in has(MACS, transport.SSHCiphers.macMap):
        await cell("mac", a.decode(), {"supportedMACs": [a], "supportedCiphers": [b"aes128-ctr"]})
        await cell("mac+cbc", a.decode(), {"supportedMACs": [a], "supportedCiphers": [b"aes128-cbc"]})
    for a in has(COMPS, client.supportedCompressions):
        await cell("comp", a.decode(), {"supportedCompressions": [a]})
    for a in has(HOST_KEYS, client.supportedPublicKeys):
        await cell("host-key", a.decode(), {"supportedPublicKeys": [a]})
    for name, a in (("ed25519", "ssh-ed25519"), ("ecdsa256", "ecdsa-sha2-nistp256"),
                    ("ecdsa384", "ecdsa-sha2-nistp384"), ("ecdsa521", "ecdsa-sha2-nistp521"), ("dsa", "ssh-dss")):
        if os.path.exists(os.path.join(FOLDER, name)):
            await cell("user-key", a, {}, name)
    # Before it knew of rsa-sha2 for logging in, RSA signed as ssh-rsa.
    await cell("user-key", "rsa-sha2-512" if "rsa-sha2" in inspect.getsource(userauth) else "ssh-rsa", {}, "rsa")
    if FAILED:
        sys.exit(1)


task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
