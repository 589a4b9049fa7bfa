# SPDX-License-Identifier: Apache-2.0
"""Answers kbdint_server's two prompts for a client that asks on its terminal: FIRST SECOND CLIENT [ARGUMENT]...

Status 0 when the prompts came in order and "welcome" behind them."""

import os
import pty
import select
import signal
import sys
import time

LIMIT_S = 60


def gone(child):
    """The client has ended, or is made to."""
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(child, 0)


def more(terminal, until):
    """What it prints next; b"" at its end."""
    ready, _, _ = select.select([terminal], [], [], max(0, until - time.monotonic()))
    if not ready:
        return b""
    try:
        return os.read(terminal, 4096)
    except OSError:  # a terminal whose other side is gone
        return b""


def main():
    steps = [(b"First colour: ", sys.argv[1]), (b"Second colour: ", sys.argv[2])]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[3], sys.argv[3:])
    seen, until = b"", time.monotonic() + LIMIT_S
    while True:
        got = more(terminal, until)
        if not got:
            break
        seen += got
        if steps and steps[0][0] in seen:
            seen = seen[seen.index(steps[0][0]) + len(steps[0][0]):]
            os.write(terminal, steps.pop(0)[1].encode() + b"\n")
        elif not steps and (b"welcome" in seen or b"colour: " in seen):
            break
    gone(child)
    print(seen.decode(errors="replace"))
    sys.exit(0 if not steps and b"welcome" in seen else 1)


main()
