# SPDX-License-Identifier: Apache-2.0
"""A Twisted Conch server of everything that Conch has, whose only command is cat: FOLDER.

Says a line of names for each kind (kex, cipher, mac, comp, host-key), and then where it listens.
"""

import os
import sys

from cryptography.hazmat.primitives import serialization
from twisted.conch import avatar, checkers, interfaces
from twisted.conch.ssh import _kex, factory, keys, session, transport
from twisted.cred import portal
from twisted.internet import error, protocol, reactor
from twisted.python import failure
from zope.interface import implementer

FOLDER = sys.argv[1]
HOST_KEYS = ("host_ed25519", "host_rsa", "host_ecdsa256", "host_ecdsa384", "host_ecdsa521", "host_dsa")

# RFC 3526 section 3, which Conch has itself: of other groups it wants a file.
GENERATOR, PRIME = _kex.getDHGeneratorAndPrime(b"diffie-hellman-group14-sha1")


def key_in(name):
    with open(name, "rb") as f:
        return keys.Key(serialization.load_pem_private_key(f.read(), None))


class Cat(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


@implementer(interfaces.ISession)
class User(avatar.ConchUser):
    def __init__(self):
        super().__init__()
        self.channelLookup[b"session"] = session.SSHSession
        self.over = None

    def execCommand(self, process, command):
        assert command == b"cat"
        cat = Cat()
        cat.makeConnection(process)
        process.makeConnection(session.wrapProtocol(cat))
        self.over = process

    def eofReceived(self):
        self.over.processEnded(failure.Failure(error.ProcessDone(0)))

    def closed(self):
        pass


class Realm:
    def requestAvatar(self, name, mind, *wanted):
        return wanted[0], User(), lambda: None


class Server(transport.SSHServerTransport):
    supportedMACs = [name for name in transport.SSHCiphers.macMap if name != b"none"]


class Factory(factory.SSHFactory):
    protocol = Server

    def getPublicKeys(self):
        return {key.sshType(): key.public() for key in self.keys()}

    def getPrivateKeys(self):
        return {key.sshType(): key for key in self.keys()}

    @staticmethod
    def keys():
        files = [os.path.join(FOLDER, name) for name in HOST_KEYS]
        return [key_in(name) for name in files if os.path.exists(name)]

    def getPrimes(self):
        return {2048: [(GENERATOR, PRIME)]}


class AnyUser:
    """Who signs with one of the keys comes in by any name."""

    @staticmethod
    def getAuthorizedKeys(_name):
        with open(os.path.join(FOLDER, "authorized_keys"), "rb") as f:
            return [keys.Key.fromString(line) for line in f if line.startswith((b"ssh-", b"ecdsa-"))]


door = portal.Portal(Realm(), [checkers.SSHPublicKeyChecker(AnyUser())])
server = Factory()
server.portal = door
for kind, names in (("kex", Server.supportedKeyExchanges), ("cipher", Server.supportedCiphers),
                    ("mac", Server.supportedMACs), ("comp", Server.supportedCompressions),
                    ("host-key", server.getPublicKeys())):
    print(kind, *sorted(name.decode() for name in names))
if "rsa-sha2-512" in (name.decode() for name in Server.supportedPublicKeys):
    print("host-key rsa-sha2-256 rsa-sha2-512")
port = reactor.listenTCP(0, server, interface="127.0.0.1")
print("listening on 127.0.0.1:%d" % port.getHost().port, flush=True)
reactor.run()
