# SPDX-License-Identifier: Apache-2.0
"""Checks that count themselves, for the Python clients."""

import sys
import traceback


class Checks:
    def __init__(self):
        self.failed = 0

    def good(self, what):
        print("ok      " + what, flush=True)

    def bad(self, what):
        self.failed += 1
        print("FAILED  " + what, flush=True)
        for line in traceback.format_exc().splitlines()[-12:]:
            print("        " + line, flush=True)

    def run(self, what, function, *arguments):
        try:
            function(*arguments)
        except Exception:  # pylint: disable=broad-except
            self.bad(what)
        else:
            self.good(what)

    async def run_async(self, what, function, *arguments):
        try:
            await function(*arguments)
        except Exception:  # pylint: disable=broad-except
            self.bad(what)
        else:
            self.good(what)

    def finish(self):
        sys.exit(1 if self.failed else 0)


def same(got, wanted):
    """Says both when they differ, shortened."""
    if got != wanted:
        raise AssertionError("got %.200r instead of %.200r" % (got, wanted))
