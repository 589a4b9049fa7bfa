# SPDX-License-Identifier: Apache-2.0
"""A display for ssh to forward: takes the set-up of one X client, says so, and ends. Prints its number once it listens."""

import socket
import struct
import sys

FIRST, LAST = 30, 400


def listener():
    for number in range(FIRST, LAST):
        try:
            return number, socket.create_server(("127.0.0.1", 6000 + number))
        except OSError:
            continue
    sys.exit("no port is free")


def exactly(s, size):
    got = b""
    while len(got) < size:
        part = s.recv(size - len(got))
        if not part:
            sys.exit("ended early")
        got += part
    return got


def main():
    number, s = listener()
    print(number, flush=True)
    while True:
        c, _ = s.accept()
        with c:
            order, major, minor, name, data = struct.unpack("<BxHHHHxx", exactly(c, 12))
            exactly(c, (name + 3) // 4 * 4 + (data + 3) // 4 * 4)
            c.sendall(b"X %d.%d %c %d\n" % (major, minor, order, data))


main()
