# SPDX-License-Identifier: Apache-2.0
"""SFTP byte by byte, as no client would have it: linux|windows ROOT PROGRAM ARGUMENT...

PROGRAM serves ROOT, a folder of this machine, on its standard input and output. Beside ROOT stands a file "outside"."""

import os
import struct
import subprocess
import sys
import threading

from checks import Checks, same

SYSTEM, ROOT, COMMAND = sys.argv[1], sys.argv[2], sys.argv[3:]
OK, EOF, NO_SUCH_FILE, DENIED, FAILURE, BAD_MESSAGE, UNSUPPORTED = 0, 1, 2, 3, 4, 5, 8
READ, WRITE, APPEND, CREATE, TRUNCATE, EXCLUSIVE = 1, 2, 4, 8, 16, 32
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
PATIENCE = 600


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(value)) + value


NONE = struct.pack(">I", 0)


class Ended(Exception):
    pass


class Server:
    """A session. The process is killed when it says nothing for too long."""

    def __init__(self, greet=True):
        self.process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.timer = threading.Timer(PATIENCE, self.process.kill)
        self.timer.start()
        self.id = 0
        if greet:
            self.send(struct.pack(">BI", 1, 3))
            answer = self.receive()
            same(answer[:5], struct.pack(">BI", 2, 3))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.timer.cancel()

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, packet):
        self.write(struct.pack(">I", len(packet)) + packet)

    def exactly(self, size):
        data = self.process.stdout.read(size)
        if len(data) < size:
            raise Ended
        return data

    def receive(self):
        return self.exactly(struct.unpack(">I", self.exactly(4))[0])

    def packet(self, kind, body):
        self.id += 1
        return struct.pack(">BI", kind, self.id) + body

    def ask(self, kind, body=b""):
        """The answer's type and what stands behind its id."""
        self.send(self.packet(kind, body))
        answer = self.receive()
        same(answer[1:5], struct.pack(">I", self.id))
        return answer[0], answer[5:]

    def status(self, kind, body=b""):
        answer, rest = self.ask(kind, body)
        same(answer, STATUS)
        return struct.unpack(">I", rest[:4])[0]

    def open(self, path, flags, attributes=NONE):
        answer, rest = self.ask(3, text(path) + struct.pack(">I", flags) + attributes)
        same(answer, HANDLE)
        return rest[4:]

    def close(self, handle):
        same(self.status(4, text(handle)), OK)

    def ended(self):
        """It has nothing more to say and ends by itself."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        while self.process.stdout.read(1 << 16):
            pass


def inside(name):
    return os.path.join(ROOT, name)


def outside_is_untouched():
    with open(os.path.join(os.path.dirname(ROOT), "outside"), "rb") as f:
        same(f.read(), b"outside\n")


# ---- what is no SFTP ----


def not_greeted():
    with Server(greet=False) as s:
        s.send(s.packet(17, text("/")))
        s.ended()


def greeted_twice():
    with Server() as s:
        s.send(struct.pack(">BI", 1, 3))
        s.ended()


def old_version():
    with Server(greet=False) as s:
        s.send(struct.pack(">BI", 1, 2))
        s.ended()


def new_version():
    with Server(greet=False) as s:
        s.send(struct.pack(">BI", 1, 6) + text("some@extension") + text("1"))
        same(s.receive()[:5], struct.pack(">BI", 2, 3))


def huge_packet():
    for length in (256 * 1024 + 1, 0x7FFFFFFF, 0xFFFFFFFF, 0):
        with Server() as s:
            s.write(struct.pack(">I", length) + b"\x11\0\0\0\1")
            s.ended()


def huge_strings():
    with Server() as s:
        for length in (5, 1 << 16, 0x7FFFFFFF, 0xFFFFFFFF):
            for kind in (3, 4, 5, 6, 7, 9, 11, 12, 13, 14, 16, 17, 18, 200):
                status = s.status(kind, struct.pack(">I", length) + b"abc")
                if status not in (BAD_MESSAGE, FAILURE):
                    raise AssertionError(f"request {kind} with {length} bytes: status {status}")


def cut_anywhere():
    handle = b""
    with Server() as s:
        handle = s.open("/cut", READ | WRITE | CREATE)
        whole = (
            (3, text("/cut") + struct.pack(">III", READ, 0x0F, 0) + b"\0" * 24),
            (6, text(handle) + struct.pack(">Q", 0) + text("x" * 40)),
            (9, text("/cut") + struct.pack(">IQ", 1, 5)),
            (10, text(handle) + struct.pack(">IIII", 4 | 8, 0o600, 1, 1)),
            (18, text("/cut") + text("/cut2")),
        )
        for kind, body in whole:
            for length in range(len(body)):
                s.ask(kind, body[:length])
        for length in range(1, 5):
            s.send(b"\x11\0\0\0\1"[:length])
            same(s.receive()[0], STATUS)


def unknown_requests():
    with Server() as s:
        for kind in (0, 2, 19, 20, 21, 100, 101, 199, 201, 255):
            same(s.status(kind, text("/")), UNSUPPORTED)
        same(s.status(200, text("statvfs@openssh.com") + text("/")), UNSUPPORTED)


def extended_attributes():
    attributes = struct.pack(">I", 0x80000000) + struct.pack(">I", 2) + (text("a@b") + text("c")) * 2
    with Server() as s:
        s.close(s.open("/extended", WRITE | CREATE, attributes))
        same(s.status(9, text("/extended") + struct.pack(">II", 0x80000000, 0xFFFFFFFF)), BAD_MESSAGE)


def one_byte_at_a_time():
    with Server() as s:
        for byte in struct.pack(">I", 9 + 1) + s.packet(16, text(".")):
            s.write(bytes([byte]))
        same(s.receive()[5:], struct.pack(">I", 1) + text("/") * 2 + NONE)


def many_in_one_piece():
    """More answers than fit into any buffer, asked for before one is read."""
    with Server() as s:
        handle = s.open("/block", READ | WRITE | CREATE)
        same(s.status(6, text(handle) + struct.pack(">Q", 0) + text(b"b" * 100000)), OK)
        asked = b"".join(struct.pack(">I", 21 + len(handle)) + s.packet(5, text(handle) + struct.pack(">QI", 0, 100000))
                         for _ in range(60))
        writer = threading.Thread(target=s.write, args=(asked,))
        writer.start()
        for _ in range(60):
            answer = s.receive()
            same(answer[0], DATA)
            same(len(answer), 9 + 100000)
        writer.join()


# ---- handles ----


def handles():
    with Server() as s:
        handle = s.open("/handle", READ | WRITE | CREATE)
        folder = s.ask(11, text("/"))[1][4:]
        for bad in (b"", b"\0" * 7, b"\0" * 9, b"\xff" * 8, handle[:-1], struct.pack(">II", 255, 0), folder):
            same(s.status(5, text(bad) + struct.pack(">QI", 0, 10)), FAILURE)
        same(s.status(12, text(handle)), FAILURE)
        s.close(handle)
        for kind, rest in ((4, b""), (5, struct.pack(">QI", 0, 1)), (6, struct.pack(">Q", 0) + text("x")), (8, b""), (10, NONE)):
            same(s.status(kind, text(handle) + rest), FAILURE)
        if s.open("/handle", READ) == handle:
            raise AssertionError("a handle that was closed came again")


def all_handles():
    with Server() as s:
        opened = [s.open("/handle", READ) for _ in range(256)]
        same(len(set(opened)), 256)
        same(s.status(3, text("/handle") + struct.pack(">I", READ) + NONE), FAILURE)
        same(s.status(11, text("/")), FAILURE)
        s.close(opened[100])
        s.close(s.open("/handle", READ))


# ---- reading and writing ----


def offsets():
    with Server() as s:
        handle = s.open("/offsets", READ | WRITE | CREATE | TRUNCATE)
        same(s.status(6, text(handle) + struct.pack(">Q", 0) + text("0123456789")), OK)
        same(s.ask(5, text(handle) + struct.pack(">QI", 8, 0xFFFFFFFF)), (DATA, text("89")))
        for offset in (10, 1 << 31, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
            same(s.status(5, text(handle) + struct.pack(">QI", offset, 100)), EOF)
        for offset in ((1 << 63) - 1, 1 << 63, (1 << 64) - 1):
            if s.status(6, text(handle) + struct.pack(">Q", offset) + text("xx")) == OK:
                raise AssertionError("written beyond all files")
        for size in (1 << 63, (1 << 64) - 1):
            for kind, which in ((10, handle), (9, "/offsets")):
                if s.status(kind, text(which) + struct.pack(">IQ", 1, size)) == OK:
                    raise AssertionError("a size that no file has")
        same(os.path.getsize(inside("offsets")), 10)
        s.close(handle)


def what_open_may():
    with Server() as s:
        for flags in (0, APPEND, CREATE, TRUNCATE, CREATE | EXCLUSIVE, READ | TRUNCATE, READ | CREATE):
            same(s.status(3, text("/offsets") + struct.pack(">I", flags) + NONE), FAILURE)
        same(os.path.getsize(inside("offsets")), 10)
        if s.status(3, text("/offsets") + struct.pack(">I", WRITE | CREATE | EXCLUSIVE) + NONE) == OK:
            raise AssertionError("it was there")
        same(s.status(3, text("/nowhere") + struct.pack(">I", READ) + NONE), NO_SUCH_FILE)
        handle = s.open("/offsets", READ)
        if s.status(6, text(handle) + struct.pack(">Q", 0) + text("x")) == OK:
            raise AssertionError("written where it may only be read")
        appending = s.open("/offsets", WRITE | APPEND)
        same(s.status(6, text(appending) + struct.pack(">Q", 0) + text("ab")), OK)
        same(s.ask(5, text(handle) + struct.pack(">QI", 8, 100)), (DATA, text("89ab")))
        s.close(appending)
        s.close(handle)


def read_only_files():
    with Server() as s:
        s.close(s.open("/locked", WRITE | CREATE, struct.pack(">II", 4, 0o100444)))
        answer, rest = s.ask(17, text("/locked"))
        same(answer, ATTRS)
        flags, = struct.unpack(">I", rest[:4])
        permissions, = struct.unpack(">I", rest[12 + (8 if flags & 2 else 0):][:4])
        same(permissions & 0o777, 0o444)
        same(s.status(9, text("/locked") + struct.pack(">II", 4, 0o644)), OK)
        s.close(s.open("/locked", WRITE))
        same(s.status(9, text("/locked") + struct.pack(">III", 8, 1000000000, 1000000001)), OK)
        same(int(os.path.getmtime(inside("locked"))), 1000000001)


# ---- out of the folder ----

ESCAPES = ("../outside", "/../outside", "/../../../../../../outside", "./.././../outside", "folder/../../outside",
           "/folder/nowhere/../../../outside", "//..//..//outside")


def dots():
    os.makedirs(inside("folder"), exist_ok=True)
    with Server() as s:
        for path in ESCAPES:
            same(s.ask(16, text(path)), (NAME, struct.pack(">I", 1) + text("/outside") * 2 + NONE))
            for kind, rest in ((3, struct.pack(">I", READ) + NONE), (7, b""), (9, NONE), (11, b""), (13, b""), (15, b""), (17, b""),
                               (18, text("/here"))):
                same(s.status(kind, text(path) + rest), NO_SUCH_FILE)
            s.close(s.open(path, WRITE | CREATE | TRUNCATE))
            same(s.status(13, text(path)), OK)
        outside_is_untouched()


def absolute():
    beside = os.path.join(os.path.dirname(ROOT), "outside")
    with Server() as s:
        for path in (beside, "/etc/passwd", "C:\\windows\\win.ini", "C:/windows/win.ini", "\\\\server\\share\\x", "..\\outside",
                     "folder\\..\\..\\outside", "\\..\\outside", "//server/share/x", "\\\\?\\C:\\windows\\win.ini", "Z:" + beside):
            status = s.status(3, text(path) + struct.pack(">I", READ) + NONE)
            same(status, NO_SUCH_FILE)
        if s.status(3, text("/etc/made") + struct.pack(">I", WRITE | CREATE) + NONE) == OK:
            raise AssertionError("made in a folder that is not there")
        outside_is_untouched()


def nul_bytes():
    with Server() as s:
        for path in (b"\0", b"/offsets\0", b"/offsets\0/../x", b"/\0offsets", b"folder/\0"):
            for kind, rest in ((3, struct.pack(">I", WRITE | CREATE) + NONE), (7, b""), (11, b""), (13, b""), (14, NONE), (16, b"")):
                same(s.status(kind, text(path) + rest), NO_SUCH_FILE)
            same(s.status(18, text("/offsets") + text(path)), NO_SUCH_FILE)


def long_paths():
    with Server() as s:
        for path in ("a" * 256, "/" + "a" * 1021, "a" * 5000, "/" + "a/" * 2100, "a" * 200000, "../" * 60000 + "b" * 3000):
            same(s.status(7, text(path)), NO_SUCH_FILE)
            same(s.status(14, text(path) + NONE), NO_SUCH_FILE)
        same(s.ask(16, text("/" * 200000))[0], NAME)
        same(s.ask(16, text("../" * 60000))[1], struct.pack(">I", 1) + text("/") * 2 + NONE)


def the_root_stays():
    with Server() as s:
        for path in ("/", "", ".", "..", "folder/.."):
            for kind, rest in ((13, b""), (14, NONE), (15, b""), (18, text("/elsewhere")), (3, struct.pack(">I", READ) + NONE),
                               (3, struct.pack(">I", WRITE | CREATE | TRUNCATE) + NONE)):
                if s.status(kind, text(path) + rest) == OK:
                    raise AssertionError(f"request {kind} of {path!r}")
            if s.status(18, text("/folder") + text(path)) == OK:
                raise AssertionError("renamed onto the root")
            same(s.ask(17, text(path))[0], ATTRS)
        same(os.path.isdir(inside("folder")), True)


def links():
    os.symlink("/", inside("to-root"))
    os.symlink("..", inside("up"))
    os.symlink("../outside", inside("to-outside"))
    os.symlink("offsets", inside("to-inside"))
    with Server() as s:
        for path in ("to-root/etc/passwd", "up/outside", "to-outside", "to-inside", "folder/../to-outside"):
            for flags in (READ, WRITE, WRITE | TRUNCATE, WRITE | CREATE | TRUNCATE):
                if s.status(3, text(path) + struct.pack(">I", flags) + NONE) not in (DENIED, NO_SUCH_FILE):
                    raise AssertionError(f"{path} was followed")
            if s.status(9, text(path) + struct.pack(">IQ", 1, 0)) not in (DENIED, NO_SUCH_FILE):
                raise AssertionError(f"{path} was followed")
            if s.status(17, text(path)) not in (DENIED, NO_SUCH_FILE):
                raise AssertionError(f"{path} was followed")
        for path in ("to-root", "up"):
            for kind, rest in ((11, b""), (9, struct.pack(">II", 4, 0o700))):
                if s.status(kind, text(path) + rest) not in (DENIED, NO_SUCH_FILE):
                    raise AssertionError(f"{path} was followed")
            if s.status(14, text(path + "/made") + NONE) == OK:
                raise AssertionError("made behind a link")
        same(s.ask(7, text("to-outside"))[0], ATTRS)
        same(s.status(13, text("to-outside")), OK)
        for path in ("to-root", "up", "to-inside"):
            same(s.status(13, text(path)), OK)
        outside_is_untouched()
        same(os.path.getsize(inside("offsets")), 12)


def a_pipe_does_not_hang():
    os.mkfifo(inside("pipe"))
    with Server() as s:
        for flags in (READ, WRITE, READ | WRITE, WRITE | TRUNCATE):
            if s.status(3, text("/pipe") + struct.pack(">I", flags) + NONE) == OK:
                raise AssertionError("a pipe is no file")
        same(s.status(13, text("/pipe")), OK)


DEVICES = ("CON", "con", "NUL", "nul.txt", "AUX", "PRN", "COM1", "com9.tar.gz", "LPT1", "COM\u00b9", "CONIN$", "CONOUT$", "NUL ", "nul.",
           "folder/NUL", "NUL/x", "a:b", "offsets:stream", "offsets::$DATA", "folder\\x", "a?", "a*", "a<b", "a>b", "a|b", 'a"b', "dot.",
           "dots..", "blank ", "tab\t", "bell\x07", "...")


def devices():
    with Server() as s:
        for name in DEVICES:
            for kind, rest in ((3, struct.pack(">I", READ) + NONE), (3, struct.pack(">I", WRITE | CREATE) + NONE), (7, b""), (13, b""),
                               (14, NONE), (17, b"")):
                same((name, s.status(kind, text(name) + rest)), (name, NO_SUCH_FILE))
            same(s.status(18, text("/offsets") + text(name)), NO_SUCH_FILE)
        same(s.status(7, text(b"\xff\xfe")), NO_SUCH_FILE)
        for name in ("CONSOLE", "COM", "COM10", "nulls.txt", "x.nul"):
            s.close(s.open(name, WRITE | CREATE))
            same(s.status(13, text(name)), OK)


def renames():
    with Server() as s:
        for name in ("one", "two"):
            handle = s.open(name, WRITE | CREATE | TRUNCATE)
            same(s.status(6, text(handle) + struct.pack(">Q", 0) + text(name)), OK)
            s.close(handle)
        if s.status(18, text("one") + text("two")) == OK:
            raise AssertionError("rename has replaced a file")
        with open(inside("two"), "rb") as f:
            same(f.read(), b"two")
        same(s.status(200, text("posix-rename@openssh.com") + text("one") + text("two")), OK)
        with open(inside("two"), "rb") as f:
            same(f.read(), b"one")
        same(s.status(18, text("two") + text("folder/three")), OK)
        same(s.status(18, text("two") + text("four")), NO_SUCH_FILE)
        same(s.status(15, text("folder")) == OK, False)
        same(s.status(13, text("folder")) == OK, False)
        same(s.status(13, text("folder/three")), OK)


def many_names():
    """More than fit into one answer."""
    os.makedirs(inside("many"))
    wanted = {"n%04d" % i for i in range(777)}
    for name in wanted:
        open(os.path.join(inside("many"), name), "w").close()
    got = []
    with Server() as s:
        folder = s.ask(11, text("/many"))[1][4:]
        while True:
            answer, rest = s.ask(12, text(folder))
            if answer == STATUS:
                same(struct.unpack(">I", rest[:4])[0], EOF)
                break
            got += names_of(rest)
        same(s.status(12, text(folder)), EOF)
    same(sorted(got), sorted(wanted))


def names_of(rest):
    count, at = struct.unpack(">I", rest[:4])[0], 4
    for _ in range(count):
        for part in range(2):
            length, = struct.unpack(">I", rest[at:at + 4])
            if part == 0:
                yield rest[at + 4:at + 4 + length].decode()
            at += 4 + length
        flags, = struct.unpack(">I", rest[at:at + 4])
        at += 4 + (8 if flags & 1 else 0) + (8 if flags & 2 else 0) + (4 if flags & 4 else 0) + (8 if flags & 8 else 0)
    same(at, len(rest))


checks = Checks()
tests = [not_greeted, greeted_twice, old_version, new_version, huge_packet, huge_strings, cut_anywhere, unknown_requests,
         extended_attributes, one_byte_at_a_time, many_in_one_piece, handles, all_handles, offsets, what_open_may, read_only_files, dots,
         absolute, nul_bytes, long_paths, the_root_stays, renames, many_names]
tests += [links, a_pipe_does_not_hang] if SYSTEM == "linux" else [devices]
for test in tests:
    checks.run("sftp: " + test.__name__.replace("_", " "), test)
checks.finish()
