# SPDX-License-Identifier: Apache-2.0
"""Proves that the include paths keep the layers apart.

For each layer, takes the compile command of one of its files and tries, with it, to include a header of every layer: those
below must compile, all others must not. Usage: layers.py compile_commands.json
"""

import glob
import json
import os
import shlex
import subprocess
import sys
import tempfile

# What each layer may see, besides itself: the same table as the tree's description in docs/ARCHITECTURE.md.
MAY_SEE = {
    "base": set(),
    "wire": {"base"},
    "crypto": {"base", "wire"},
    "keys": {"base", "wire", "crypto"},
    "ssh": {"base", "wire", "crypto"},
    "engine": {"base", "wire", "crypto", "keys", "ssh", "public"},
    "io_ready": {"base", "io"},
    "io_epoll": {"base", "io", "io_ready"},
    "io_uring": {"base", "io"},
    "nacred": {"public"},
}
FOLDERS = {"io_ready": "src/io_ready", "io_epoll": "src/io_epoll", "io_uring": "src/io_uring", "nacred": "apps/nacred"}
# A back end sees of the engine its interface alone.
HEADERS = {"io": "engine/io.h", "public": "nacre/nacre.h"}


def header_of(layer, root):
    """Some header of a layer, by the name that an include would use; None when it has none."""
    if layer in HEADERS:
        return HEADERS[layer]
    if layer == "engine":
        return "engine/server.h"
    found = sorted(glob.glob(os.path.join(root, FOLDERS.get(layer, "src/core/" + layer), "*.h")))
    return layer + "/" + os.path.basename(found[0]) if found else None


def command_of(layer, commands, root):
    """The compile command of a source file of the layer, up to and without the file; None when it has none."""
    folder = os.path.join(root, FOLDERS.get(layer, "src/core/" + layer)) + os.sep
    for entry in commands:
        if entry["file"].startswith(folder):
            words = shlex.split(entry["command"])
            if os.path.basename(words[0]) == "ccache":
                words = words[1:]
            return words[: words.index("-o")], entry["directory"]
    return None


def compiles(words, directory, header):
    with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
        source.write('#include "%s"\nextern int not_empty;\n' % header)
        source.flush()
        done = subprocess.run(words + ["-fsyntax-only", source.name], cwd=directory, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(sys.argv[1], encoding="utf-8") as f:
        commands = json.load(f)
    bad = tried = 0
    for layer, visible in MAY_SEE.items():
        found = command_of(layer, commands, root)
        if found is None:
            continue
        for other in [*MAY_SEE, *HEADERS]:
            header = header_of(other, root)
            if other in (layer, "nacred") or header is None or not os.path.exists(path_of(header, root)):
                continue
            wanted = other in visible or (layer == "engine" and other == "io")
            tried += 1
            if compiles(*found, header) != wanted:
                print("%s %s include %s" % (layer, "cannot" if wanted else "can", header))
                bad += 1
    print("%d includes tried, %d wrong" % (tried, bad))
    return 1 if bad or not tried else 0


def path_of(header, root):
    for base in ("src/core", "src", "include"):
        if os.path.exists(os.path.join(root, base, header)):
            return os.path.join(root, base, header)
    return os.path.join(root, header)


if __name__ == "__main__":
    sys.exit(main())
