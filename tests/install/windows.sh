#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the cross build installs for Windows: both libraries, nacred.exe and nacre-bench.exe, which run from there. BUILD is the
# build folder, RUNNER is Wine.
set -eu

prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
export WINEPREFIX=${WINEPREFIX:-${NACRE_CACHE:-/tmp}/nacre-wine-$(id -u)} WINEDEBUG=${WINEDEBUG:--all}

cmake --install "$BUILD" --prefix "$prefix" >/dev/null
for file in lib/libnacre.a lib/libnacre.dll.a bin/nacre.dll bin/nacred.exe bin/nacre-bench.exe include/nacre/nacre.h lib/pkgconfig/nacre.pc; do
    [ -s "$prefix/$file" ] || {
        echo "not installed: $file"
        exit 1
    }
done
for program in nacred nacre-bench; do
    "$RUNNER" "$prefix/bin/$program.exe" --version | grep "^$program [0-9]"
    "$RUNNER" "$prefix/bin/$program.exe" --help | grep -q '^Usage: '
done
