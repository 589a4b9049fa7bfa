#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both ends of a tunnel: programs that listen behind it, and programs that connect to its mouth.

An address is a port of 127.0.0.1, the path of a unix socket, or 0 for a free port. A listener prints its port in one line
once it listens."""
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

CHUNK = 1 << 16


def is_port(address):
    return address.isdigit()


def listen(address):
    if is_port(address):
        s = socket.create_server(("127.0.0.1", int(address)), backlog=1024)
        print(s.getsockname()[1], flush=True)
    else:
        s = socket.socket(socket.AF_UNIX)
        s.bind(address)
        s.listen(1024)
        print(address, flush=True)
    return s


def connect(address):
    s = socket.socket(socket.AF_INET if is_port(address) else socket.AF_UNIX)
    s.settimeout(120)
    s.connect(("127.0.0.1", int(address)) if is_port(address) else address)
    return s


def read_all(s):
    parts = []
    while part := s.recv(CHUNK):
        parts.append(part)
    return b"".join(parts)


def read_exactly(s, size):
    got = b""
    while len(got) < size:
        part = s.recv(size - len(got))
        if not part:
            raise SystemExit(f"ended after {len(got)} of {size} bytes")
        got += part
    return got


def serve(listener, handle):
    while True:
        s, _ = listener.accept()
        threading.Thread(target=handle, args=(s,), daemon=True).start()


# Below the range that outgoing connections take their ports from: nobody else gets it before it is used.
def free_port():
    while True:
        port = random.randrange(20000, 32000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                print(port)
                return
        except OSError:
            continue


def echo(address):
    def handle(s):
        with s:
            while part := s.recv(CHUNK):
                s.sendall(part)

    serve(listen(address), handle)


# Says how much came once the other side has ended its direction.
def counts(address):
    def handle(s):
        with s:
            s.sendall(b"%d bytes" % len(read_all(s)))

    serve(listen(address), handle)


# Ends its own direction first.
def greets(address, result):
    def handle(s):
        with s:
            s.sendall(b"hello")
            s.shutdown(socket.SHUT_WR)
            got = read_all(s)
        with open(result + ".new", "wb") as f:
            f.write(got)
        os.rename(result + ".new", result)

    serve(listen(address), handle)


def resets(address):
    def handle(s):
        s.recv(1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    serve(listen(address), handle)


# Reads nothing for a while, then everything.
def stalls(address, seconds):
    def handle(s):
        time.sleep(float(seconds))
        digest = hashlib.sha256()
        with s:
            while part := s.recv(1 << 20):
                digest.update(part)
            s.sendall(digest.hexdigest().encode())

    serve(listen(address), handle)


# Sends so many bytes as fast as they are taken, and their digest behind them.
def floods(address, size):
    part = os.urandom(1 << 20)

    def handle(s):
        digest = hashlib.sha256()
        with s:
            for i in range(int(size) // len(part)):
                this = i.to_bytes(8, "big") + part[8:]
                digest.update(this)
                s.sendall(this)
            s.sendall(digest.hexdigest().encode())

    serve(listen(address), handle)


# What goes in comes out again.
def passes(address, size):
    sent = os.urandom(int(size))
    s = connect(address)
    sender = threading.Thread(target=lambda: (s.sendall(sent), s.shutdown(socket.SHUT_WR)))
    sender.start()
    got = read_all(s)
    sender.join()
    if got != sent:
        raise SystemExit(f"{len(got)} bytes came back of {len(sent)}, or others")


def many(address, number):
    all_of_them = [connect(address) for _ in range(int(number))]
    for i, s in enumerate(all_of_them):
        s.sendall(b"%08d" % i)
    for i, s in enumerate(all_of_them):
        if read_exactly(s, 8) != b"%08d" % i:
            raise SystemExit(f"connection {i} got another's bytes")
    for s in all_of_them:
        s.shutdown(socket.SHUT_WR)
    for s in all_of_them:
        if s.recv(1):
            raise SystemExit("more bytes than sent")


def bulk(address, size, seconds):
    part = os.urandom(1 << 20)
    digest = hashlib.sha256()
    s = connect(address)
    s.settimeout(float(seconds) + 300)
    for _ in range(int(size) // len(part)):
        digest.update(part)
        s.sendall(part)
    s.shutdown(socket.SHUT_WR)
    got = read_all(s).decode()
    if got != digest.hexdigest():
        raise SystemExit(f"the far end has {got}, not {digest.hexdigest()}")


# Reads nothing for a while, then all of what floods() sends.
def drinks(address, size, seconds):
    digest, last, got = hashlib.sha256(), b"", 0
    s = connect(address)
    time.sleep(float(seconds))
    while part := s.recv(1 << 20):
        got += len(part)
        last += part
        digest.update(last[:-64])
        last = last[-64:]
    if got != int(size) + 64 or last.decode() != digest.hexdigest():
        raise SystemExit(f"{got} bytes of {size}, or others than were sent")


def asks(address, text):
    s = connect(address)
    s.sendall(text.encode())
    s.shutdown(socket.SHUT_WR)
    print(read_all(s).decode(), end="")


# Reads to the end first, answers then.
def answers(address, text):
    s = connect(address)
    print(read_all(s).decode(), end="", flush=True)
    s.sendall(text.encode())
    s.close()


# The other end goes away; whether by FIN or reset, the connection ends.
def ends(address, ready):
    s = connect(address)
    s.sendall(b"x")
    if ready != "-":
        read_exactly(s, 1)
        open(ready, "w").close()
    try:
        if s.recv(1):
            raise SystemExit("it is still there")
    except ConnectionResetError:
        pass


# RFC 1928: no authentication, CONNECT by name.
def socks(proxy, host, port):
    s = connect(proxy)
    s.sendall(b"\x05\x01\x00")
    if read_exactly(s, 2) != b"\x05\x00":
        raise SystemExit("the proxy wants a password")
    s.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + struct.pack(">H", int(port)))
    if read_exactly(s, 10)[1] != 0:
        raise SystemExit("the proxy could not connect")
    s.sendall(b"through the proxy")
    s.shutdown(socket.SHUT_WR)
    print(read_all(s).decode(), end="")


if __name__ == "__main__":
    parts = (free_port, echo, counts, greets, resets, stalls, floods, passes, many, bulk, drinks, asks, answers, ends, socks)
    {f.__name__: f for f in parts}[sys.argv[1]](*sys.argv[2:])
